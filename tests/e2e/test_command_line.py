"""The commands as a user types them: what goes to stdout and to stderr, exit statuses, bad input, Ctrl-C."""

import ctypes
import io
import json
import os
import pty
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import CHECKPOINT, ROOT

SPEECH = ROOT / "assets" / "speech"
REPORT = "Please send the report to Anna on Monday."
NOTICE = (
    "handy-qwen: This is the demo model. It knows some 300 English and German words and hears only those.\n"
)
TIMEOUT_S = 180  # far above what anything here takes; a hang must not be for ever
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def command(home):
    """The start of every command, and the environment it runs in."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"}
    environment |= {"HANDY_QWEN_HOME": str(home), "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"}

    def start(*arguments, **options):
        options = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "stdin": subprocess.DEVNULL,
        } | options
        options["env"] = environment | options.get("env", {})
        line = [sys.executable, "-m", "handy_qwen", *map(os.fspath, arguments)]
        return subprocess.Popen(line, **options)

    return start


@pytest.fixture(scope="module")
def run(command):
    """Run a command to its end; stdout and stderr as text."""

    def run(*arguments, data=None, **options):
        if data is not None:
            options["stdin"] = subprocess.PIPE
        with command(*arguments, **options) as process:
            out, err = process.communicate(data, TIMEOUT_S)
        out, err = (out or b"").decode(errors="surrogateescape"), (err or b"").decode()
        assert "Traceback" not in err
        assert "Exception ignored" not in err
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    return run


@pytest.fixture(scope="module")
def report():
    """The recording with ``REPORT`` in it. Samples at 16 kHz."""
    return soundfile.read(SPEECH / "report.flac", dtype="float32")[0]


def as_user():
    """In the child of a test run by root: respect the permissions of files, as for everybody else."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        if os.geteuid() == 0 and libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


# ---- sound files that cannot be read -------------------------------------------------------------------


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory, report):
    """A folder of files, each with its own problem."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty.wav").touch()
    soundfile.write(folder / "no-samples.wav", report[:0], 16_000)
    broken = report.copy()
    broken[20_000] = np.nan
    soundfile.write(folder / "nan.wav", broken, 16_000, subtype="FLOAT")
    (folder / "text.wav").write_text("These are the minutes of the meeting.\n" * 20, encoding="utf-8")
    (folder / "beginning.flac").write_bytes((SPEECH / "report.flac").read_bytes()[:300])
    (folder / "folder.wav").mkdir()
    shutil.copy(SPEECH / "report.flac", folder / "secret.flac")
    (folder / "secret.flac").chmod(0)
    shutil.copy(SPEECH / "report.flac", folder / "good.flac")
    return folder


PROBLEMS = {
    "missing.wav": "there is no such file. Check the spelling of the path.",
    "empty.wav": "it is empty (0 bytes). Copy or record it again.",
    "no-samples.wav": "it holds no sound (0 samples). Copy or record it again.",
    "nan.wav": "the sample at 1.250 s is not a number. Export it again from the program that made it.",
    "text.wav": "this is not a sound file, or its format is unknown. WAV, FLAC, OGG, Opus, MP3",
    "beginning.flac": "it is damaged, or breaks off before its first sound. Copy or record it again.",
    "folder.wav": "this is a folder, not a sound file. Name the files in it, or use --recursive.",
    "secret.flac": "you may not read this file. Change its permissions, or copy it to a folder of yours.",
}


@pytest.fixture(scope="module")
def complaints(run, bad_files):
    return run(
        "transcribe", *(bad_files / name for name in PROBLEMS), bad_files / "good.flac", preexec_fn=as_user
    )


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_file_that_cannot_be_read_is_named_with_its_problem(complaints, bad_files, name):
    begin = f"handy-qwen: {bad_files / name}: "
    lines = [line for line in complaints.stderr.splitlines() if line.startswith(begin)]
    assert len(lines) == 1
    assert lines[0].removeprefix(begin).startswith(PROBLEMS[name])


def test_files_that_cannot_be_read_do_not_keep_others_from_being_transcribed(complaints):
    assert complaints.stdout == f"{REPORT}\n"
    assert complaints.returncode == 1
    assert len(complaints.stderr.splitlines()) == len(PROBLEMS) + 1  # and the notice of the demo model


# ---- sound files of uncommon kinds ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def odd_files(tmp_path_factory, report):
    folder = tmp_path_factory.mktemp("odd")
    soundfile.write(folder / "8-bit.wav", report, 16_000, subtype="PCM_U8")
    soundfile.write(folder / "24-bit.wav", report, 16_000, subtype="PCM_24")
    soundfile.write(folder / "surround.wav", np.repeat(report[:, None], 6, axis=1), 16_000)
    soundfile.write(folder / "192-khz.wav", np.repeat(report, 12), 192_000)
    soundfile.write(folder / "50-ms.wav", report[16_000:16_800], 16_000)
    soundfile.write(folder / "ümläut 你好.wav", report, 16_000)
    whole = (SPEECH / "report.flac").read_bytes()
    (folder / "cut.flac").write_bytes(whole[: len(whole) * 3 // 5])
    return folder


@pytest.fixture(scope="module")
def odd_results(run, odd_files):
    """What comes of them, by name, with the process."""
    done = run("transcribe", *sorted(odd_files.iterdir()), "--format", "jsonl")
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return {Path(result["file"]).name: result for result in results} | {"process": done}


@pytest.mark.parametrize(
    "name", ["8-bit.wav", "24-bit.wav", "surround.wav", "192-khz.wav", "ümläut 你好.wav"]
)
def test_sound_of_any_width_rate_and_number_of_channels_is_understood(odd_results, name):
    assert odd_results[name]["text"] == REPORT
    assert odd_results[name]["duration_s"] == pytest.approx(3.575, abs=0.01)
    assert not odd_results[name]["truncated"]


def test_50_ms_of_sound_give_no_text(odd_results):
    assert odd_results["50-ms.wav"]["text"] == ""
    assert odd_results["50-ms.wav"]["duration_s"] == 0.05


def test_a_file_that_breaks_off_gives_what_there_is_and_says_so(odd_results, odd_files):
    process, result = odd_results["process"], odd_results["cut.flac"]
    assert result["truncated"]
    assert 1 < result["duration_s"] < 3
    assert result["text"]
    warning = "The text may be incomplete: the recording or the model broke off."
    reason = "No text: the recording is too short (0.05 s)."
    assert process.stderr == (
        f"{NOTICE}handy-qwen: {odd_files / '50-ms.wav'}: {reason}\n"
        f"handy-qwen: {odd_files / 'cut.flac'}: {warning}\n"
    )
    assert process.returncode == 0


# ---- forms of output ------------------------------------------------------------------------------------


def test_text_goes_to_stdout_and_everything_else_to_stderr(run):
    done = run("transcribe", SPEECH / "report.flac", SPEECH / "meeting.flac")
    assert done.stdout == f"{REPORT}\nThe meeting starts at five o'clock.\n"
    assert done.stderr == NOTICE
    assert done.returncode == 0


def test_json_of_one_file_has_all_that_is_known(run):
    path = SPEECH / "report.flac"
    result = json.loads(
        run("transcribe", path, "--format", "json", "--language", "en", "--threads", "1").stdout
    )
    timings = result.pop("timings")
    assert result.pop("tokens") > 5
    assert result == {
        "file": str(path),
        "text": REPORT,
        "language": "English",
        "language_forced": True,
        "truncated": False,
        "duration_s": 3.575,
        "model": "demo",
    }
    assert list(timings) == ["load_s", "features_s", "encoder_s", "prefill_s", "decode_s", "total_s"]
    assert all(value > 0 for value in timings.values())


def test_json_of_several_files_is_a_list_and_lacks_those_that_failed(run, bad_files):
    done = run("transcribe", SPEECH / "report.flac", bad_files / "empty.wav", "--format", "json")
    (result,) = json.loads(done.stdout)
    assert (result["text"], result["language_forced"], done.returncode) == (REPORT, False, 1)


def test_standard_input_is_a_file_like_any_other(run):
    done = run("transcribe", "-", "--format", "jsonl", "--live", data=(SPEECH / "report.flac").read_bytes())
    result = json.loads(done.stdout)
    assert (result["file"], result["text"]) == ("-", REPORT)


def test_an_empty_standard_input_is_an_error(run):
    done = run("transcribe", "-", data=b"")
    assert done.returncode == 1
    assert "standard input: it is empty (0 bytes)." in done.stderr


def test_a_folder_receives_one_file_for_each(run, tmp_path):
    out = tmp_path / "new" / "folder"
    done = run("transcribe", SPEECH / "report.flac", SPEECH / "chairs.flac", "--output", out)
    assert done.stdout == ""
    assert sorted(path.name for path in out.iterdir()) == ["chairs.flac.txt", "report.flac.txt"]
    assert (out / "report.flac.txt").read_text(encoding="utf-8") == f"{REPORT}\n"


def test_two_files_of_one_name_are_not_written_over_each_other(run, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        shutil.copy(SPEECH / "report.flac", tmp_path / folder / "take.flac")
    paths = [tmp_path / "one" / "take.flac", tmp_path / "two" / "take.flac"]
    done = run("transcribe", *paths, "--output", tmp_path / "out")
    target = tmp_path / "out" / "take.flac.txt"
    hint = "Transcribe them one after the other, into different folders."
    assert done.stderr == f"handy-qwen: {paths[0]} and {paths[1]} would both be saved as {target}. {hint}\n"
    assert done.returncode == 2
    assert not (tmp_path / "out").exists()
    both = run("transcribe", *paths)  # on stdout they can be told apart
    assert (both.returncode, both.stdout) == (0, f"{REPORT}\n{REPORT}\n")


def test_a_name_that_is_no_text_comes_out_as_it_is(run, tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff\xfe.flac"
    shutil.copy(os.fsencode(SPEECH / "report.flac"), path)
    done = run(
        "transcribe", path, "--format", "jsonl", "--context", b"\xff", env={"PYTHONIOENCODING": "ascii"}
    )
    assert os.fsencode(json.loads(done.stdout)["file"]) == path
    assert done.returncode == 0
    done = run("transcribe", path, "--output", tmp_path / "out", "--format", "json")
    assert [os.fsencode(p.name) for p in (tmp_path / "out").iterdir()] == [b"\xff\xfe.flac.json"]


# ---- wrong usage ----------------------------------------------------------------------------------------


def test_an_unknown_language_is_answered_with_those_that_are_known(run):
    done = run("transcribe", SPEECH / "report.flac", "--language", "Germn")
    assert done.returncode == 2
    assert done.stdout == ""
    message = "The model does not know the language 'Germn'."
    hint = "Did you mean German? It knows: English (en), German (de)."
    assert done.stderr == f"handy-qwen: {message} {hint}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "is not a text file. Save it as UTF-8 text."),
        (b"\x00\x01\x02", "is not a text file. Save it as UTF-8 text."),
        (b"word\n" * 300_000, "is too large for a word list. Use one name or term per line."),
        (None, "cannot be read: No such file or directory. Give a text file with one name or term per line."),
    ],
)
def test_a_vocabulary_that_is_none_is_named(run, tmp_path, content, message):
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)
    done = run("transcribe", SPEECH / "report.flac", "--vocabulary", path)
    assert done.stderr == f"handy-qwen: {path} {message}\n"
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("transcribe",), "the following arguments are required: FILE"),
        (("transcribe", "a.wav", "--threads", "0"), "'0' is not a number from 1 to 256"),
        (("transcribe", "a.wav", "--threads", "many"), "'many' is not a number from 1 to 256"),
        (("transcribe", "a.wav", "--format", "xml"), "invalid choice: 'xml'"),
        (("transcribe", "a.wav", "--exact", "--live"), "not allowed with argument"),
        (("model", "convert", "a", "b", "--preset", "best"), "invalid choice: 'best'"),
        (("model",), "list the models you have and can install"),
        (("translate",), "invalid choice: 'translate'"),
    ],
)
def test_wrong_usage_is_explained(run, arguments, complaint):
    done = run(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stdout == ""


def test_a_model_that_is_not_there_is_answered_with_those_that_are(run):
    done = run("transcribe", SPEECH / "report.flac", "--model", "larg")
    assert done.returncode == 1
    assert (
        done.stderr
        == "handy-qwen: There is no model 'larg'. Give an installed model (demo) or a model folder.\n"
    )


# ---- terminals, pipes and signals -----------------------------------------------------------------------


def output_of_terminal(master):
    """All that was written to a pseudo-terminal until its other end was closed."""
    parts = []
    while select.select([master], [], [], TIMEOUT_S)[0]:
        try:
            part = os.read(master, 65536)
        except OSError:  # how Linux tells the end
            break
        if not part:
            break
        parts.append(part)
    os.close(master)
    return b"".join(parts).decode()


def test_progress_is_shown_on_a_terminal_only(command):
    master, slave = pty.openpty()
    with command("transcribe", SPEECH / "report.flac", stderr=slave) as process:
        os.close(slave)
        shown = output_of_terminal(master)
        assert process.stdout.read().decode() == f"{REPORT}\n"
    assert "█" in shown
    assert shown.endswith("\r\x1b[K")  # and the line is gone at the end


def test_a_reader_that_has_gone_ends_the_program_quietly(command):
    with command("transcribe", SPEECH / "report.flac", SPEECH / "chairs.flac") as process:
        process.stdout.close()
        assert process.stderr.read().decode() == NOTICE
    assert process.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has such a device")
def test_a_full_disk_behind_stdout_is_named(run):
    with Path("/dev/full").open("wb") as full:
        done = run("transcribe", SPEECH / "report.flac", stdout=full)
    assert done.stderr.endswith(
        "Can't write to standard output: No space left on device. Redirect it somewhere else.\n"
    )
    assert done.returncode == 1


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory, report):
    """Half an hour of speech."""
    path = tmp_path_factory.mktemp("long") / "long.wav"
    soundfile.write(path, np.tile(report[::2], 500), 8_000, subtype="PCM_U8")
    return path


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_transcribing_can_be_interrupted_and_leaves_nothing(
    command, long_recording, tmp_path, number, status
):
    out = tmp_path / "out"
    with command("transcribe", long_recording, "--output", out) as process:
        assert process.stderr.readline().decode() == NOTICE  # the model is loaded, the work begins
        process.send_signal(number)
        rest = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == status
    assert rest == (b"", b"")
    assert list(out.iterdir()) == []


def test_waiting_for_standard_input_can_be_interrupted(command):
    with command("transcribe", "-", stdin=subprocess.PIPE) as process:
        assert process.stderr.readline().decode() == NOTICE
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 130
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_converting_can_be_interrupted_and_leaves_nothing(command, tmp_path, number, status):
    with command("model", "convert", CHECKPOINT, tmp_path / "package") as process:
        deadline = time.monotonic() + TIMEOUT_S
        while not any(tmp_path.iterdir()):
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGSTOP)  # so that it is certainly in the middle
        assert [path.name.startswith(".package.") for path in tmp_path.iterdir()] == [True]
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        rest = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == status
    assert rest == (b"", b"")
    assert list(tmp_path.iterdir()) == []


# ---- models ---------------------------------------------------------------------------------------------


def test_the_demo_shows_that_everything_works(run):
    done = run("demo")
    assert done.returncode == 0
    assert [line.split("   ")[-1] for line in done.stdout.splitlines()] == [
        "We need twenty-five chairs for the office.",
        "The meeting starts at five o'clock.",
        REPORT,
    ]
    assert done.stderr == NOTICE


def test_a_checkpoint_is_converted_checked_and_used(run, tmp_path):
    package = tmp_path / "package"
    done = run("model", "convert", CHECKPOINT, package, "--preset", "exact")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{package} is ready, ")
    again = run("model", "convert", CHECKPOINT, package)
    assert again.returncode == 2, "a package is not replaced unasked"
    assert "--replace" in again.stderr
    assert run("model", "check", package).stdout.startswith("package: complete and working\n")
    info = run("model", "info", package).stdout
    assert "preset:              exact\n" in info
    assert "languages:           English, German\n" in info
    assert run("transcribe", SPEECH / "report.flac", "--model", package).stdout == f"{REPORT}\n"


def test_installed_models_are_listed_and_the_first_is_used(run, tmp_path):
    home = {"HANDY_QWEN_HOME": str(tmp_path)}
    folder = tmp_path / "data" / "models" / "mine"
    assert run("model", "convert", CHECKPOINT, folder, env=home).returncode == 0
    (folder.parent / "notes").mkdir()
    listed = json.loads(run("model", "list", "--json", env=home).stdout)
    here = {model["name"] for model in listed if model["status"] == "installed"}
    assert here == {"mine", "demo"}
    assert any(line.endswith(str(folder)) for line in run("model", "list", env=home).stdout.splitlines())
    done = run("transcribe", SPEECH / "report.flac", "--format", "json", env=home)
    assert json.loads(done.stdout)["model"] == "mine"
    assert done.stderr == ""  # no notice: that is the demo model's
    asked = run("transcribe", SPEECH / "report.flac", "--format", "json", "--model", "demo", env=home)
    assert json.loads(asked.stdout)["model"] == "demo"


def test_a_file_that_changed_without_changing_its_size_is_found_by_check(run, tmp_path):
    folder = tmp_path / "demo"
    shutil.copytree(ROOT / "assets" / "demo-model", folder)
    path = folder / "encoder.data"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    done = run("model", "check", folder)
    message = f"The model file {path} cannot be used: its contents have changed."
    hint = "Install or convert the model again."
    assert (done.returncode, done.stderr) == (1, f"handy-qwen: {message} {hint}\n")


def test_a_checkpoint_in_place_of_a_package_is_answered_with_how_to_convert_it(run):
    done = run("transcribe", SPEECH / "report.flac", "--model", CHECKPOINT)
    assert done.returncode == 1
    assert done.stderr.endswith("Convert it first: handy-qwen model convert SRC DST\n")


@pytest.mark.parametrize("kind", ["missing", "wav"])
def test_a_source_that_is_no_checkpoint_is_named(run, tmp_path, kind):
    source = tmp_path / "source"
    if kind == "wav":
        source.write_bytes((SPEECH / "report.flac").read_bytes())
    done = run("model", "convert", source, tmp_path / "package")
    assert done.returncode == 1
    problem = "neither a folder nor an archive" if kind == "wav" else f"There is nothing called {source}."
    assert problem in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == (["source"] if kind == "wav" else [])


def test_a_full_disk_is_noticed_before_converting(run, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")
    try:
        done = run("model", "convert", CHECKPOINT, disk / "package", "--preset", "exact")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert done.returncode == 1
    assert "but only 1.0 MB is free. Free some space or choose another disk." in done.stderr


def test_a_disk_that_fills_up_while_converting_leaves_nothing(run, tmp_path):
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    done = run("model", "convert", CHECKPOINT, tmp_path / "package", preexec_fn=limited)
    assert done.returncode == 1
    assert (
        done.stderr
        == "handy-qwen: The package could not be written: File too large. Nothing was left behind.\n"
    )
    assert list(tmp_path.iterdir()) == []


# ---- start-up -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_nothing_heavy_is_loaded_to_say_who_it_is(argument):
    line = [sys.executable, "-X", "importtime", "-m", "handy_qwen", argument]
    done = subprocess.run(
        line, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    loaded = {
        row.split("|")[2].strip().partition(".")[0] for row in done.stderr.splitlines() if row.count("|") == 2
    }
    assert "handy_qwen" in loaded
    assert not loaded & {"numpy", "onnxruntime", "onnx", "regex", "soundfile", "sounddevice", "PySide6"}
    assert done.stdout.startswith(("handy-qwen ", "usage: handy-qwen "))


def test_the_memory_for_a_long_recording_does_not_grow_with_its_length(command, long_recording):
    """The sound alone would take 11 MB more for three minutes more."""
    samples, rate_hz = soundfile.read(long_recording, dtype="float32", frames=int(3.5 * 60 * 8_000))
    peaks = []
    for minutes in (0.5, 3.5):
        file = io.BytesIO()
        soundfile.write(file, samples[: int(minutes * 60 * rate_hz)], rate_hz, "PCM_U8", format="WAV")
        with command("transcribe", "-", stdin=subprocess.PIPE) as process:
            process.stdin.write(file.getvalue())
            process.stdin.close()
            assert len(process.stdout.read()) > minutes * 300
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
        assert status == 0
        peaks.append(usage.ru_maxrss / 1024)
    assert peaks[1] - peaks[0] < 8
