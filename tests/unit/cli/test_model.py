"""``model``: what is said of folders and models, in this process."""

import io
import json
import os
import shutil
import tomllib
from dataclasses import replace
from types import SimpleNamespace

import pytest

from handy_qwen import paths
from handy_qwen.cli import model
from handy_qwen.cli.terminal import InstallProgress
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
from handy_qwen.core.models import InstallStage, Progress
from handy_qwen.engine.qwen3.manifest import Fidelity, load_manifest
from handy_qwen.models.catalogue import read_catalogue
from handy_qwen.models.installed import InstalledModel
from tests.conftest import CHECKPOINT

SPEECH = paths.asset("speech/report.flac")


@pytest.fixture(autouse=True)
def settings_file(app_home):
    """That of a home without models of the user's."""
    return app_home / "config" / "settings.toml"


@pytest.fixture
def ask(run):
    """Runs an action of ``model``."""
    return lambda *words: run("model", *words)


@pytest.fixture
def imported(ask):
    """Imports the demo model under another name."""

    def imported(name):
        assert ask("import", paths.asset("demo-model"), "--name", name).status == 0
        return paths.models_dir() / name

    return imported


@pytest.fixture
def written(settings_file):
    """Writes the settings file."""

    def written(text):
        settings_file.parent.mkdir(parents=True)
        settings_file.write_text(text)

    return written


def test_the_layout_of_a_model_is_named(ask, tmp_path):
    status, out, err = ask("info", tmp_path)
    assert (status, out) == (1, "")
    assert f"The model file {tmp_path / 'manifest.json'} is missing." in err
    (tmp_path / "decoder_init.int4.onnx").touch()
    assert "published ONNX files" in ask("info", tmp_path).out


def test_the_list_has_what_is_here_first_and_what_can_be_installed(ask):
    first, *lines = ask("list").out.splitlines()
    assert first.split() == ["NAME", "STATE", "DOWNLOAD", "ON", "DISK", "MEMORY", "FOLDER", "OR", "USE"]
    assert lines[0].startswith("demo")
    assert [line for line in lines if "in use" in line] == lines[:1]
    assert any(line.startswith("qwen3-asr-0.6b ") and "1.88 GB" in line for line in lines)


def test_commands_work_with_the_model_in_use_if_none_is_named(run, imported):
    folder = imported("another")
    for name in ("another", "demo"):
        assert run("model", "use", name).status == 0
        assert json.loads(run("model", "check", "--json").out)["name"] == name
        assert run("model", "info").out.splitlines()[0].endswith(f" {name}")
    short = ("--seconds", "1", "--tokens", "2", "--rounds", "1")
    assert run("bench", *short).status == 0
    assert run("model", "use", "another").status == 0
    (folder / "decoder.onnx").unlink()
    assert run("bench", *short).status == 1
    assert run("model", "use", "demo").status == 0
    assert run("transcribe", SPEECH).status == 0, "demo is in use; that another is damaged does not matter"


@pytest.mark.parametrize("made", ["empty", "older"])
def test_what_is_no_model_cannot_be_used(ask, tmp_path, made, settings_file):
    if made == "older":
        manifest = json.loads((paths.asset("demo-model") / "manifest.json").read_text(encoding="utf-8"))
        (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"format": 1}), encoding="utf-8")
    status, _, err = ask("use", tmp_path)
    assert (status, settings_file.exists()) == (1, False)
    assert ("an older version" if made == "older" else "isn't an installed model") in err


def test_a_model_is_imported_used_checked_and_removed(ask, settings_file):
    folder = paths.models_dir() / "mine"
    imported = ask("import", paths.asset("demo-model"), "--name", "mine", "--json")
    assert json.loads(imported.out) == {"name": "mine", "folder": str(folder)}
    assert ask("use", "mine").status == 0
    assert tomllib.loads(settings_file.read_text(encoding="utf-8"))["model"] == "mine"
    assert json.loads(ask("check", "--json").out)["is_compared"] is True
    assert ask("path", "mine").out == f"{folder}\n"
    for name in ("mine", folder):  # it is in use by its folder as well
        assert ask("use", name).status == 0
        rows = json.loads(ask("list", "--json").out)
        assert [row["name"] for row in rows if row["is_in_use"]] == ["mine"]
        assert "mine is in use." in ask("remove", "mine", "--yes").err
    assert ask("use", "demo").status == 0
    assert ask("remove", "mine").status == 2, "there is nobody to ask"
    assert folder.is_dir()
    assert ask("remove", "mine", "--yes").status == 0
    assert not folder.exists()
    assert ask("remove", "mine", "--yes").status == 1


@pytest.mark.parametrize("is_like_a_download", [False, True])
def test_a_folder_of_the_users_is_never_removed(ask, tmp_path, is_like_a_download):
    mine = tmp_path / "diary"
    (mine / "source").mkdir(parents=True)
    (mine / "source" / "page.txt").write_text("mine")
    (mine / "letter.txt").write_text("mine")
    if is_like_a_download:
        (mine / "listing.json").write_text("{}")
    before = sorted(mine.rglob("*"))
    relative = os.path.relpath(mine, paths.models_dir() / ".incoming")
    for name in (mine, relative, "..", ".", ""):
        assert ask("remove", name, "--yes").status == 1, name
    assert sorted(mine.rglob("*")) == before
    assert not mine.with_name("diary.lock").exists()


def test_a_model_that_is_not_here_is_not_used(ask, settings_file):
    assert "Available: qwen3-asr-0.6b" in ask("install", "nope").err
    assert ask("use", "nope").status == 1
    assert "handy-qwen model install qwen3-asr-0.6b" in ask("use", "qwen3-asr-0.6b").err
    assert not settings_file.exists()


@pytest.mark.parametrize("wish", [("--preset", "exact"), ("--revision", "dev"), ("--keep-source", "there")])
def test_a_model_that_is_here_is_not_silently_left_in_another_form(ask, imported, wish):
    imported("qwen3-asr-0.6b")
    status, _, err = ask("install", "qwen3-asr-0.6b", *wish)
    assert (status, "handy-qwen model remove qwen3-asr-0.6b" in err) == (1, True)


@pytest.fixture
def small_machine(monkeypatch):
    """A machine that has memory for the smallest form of 0.6B alone, and what would be installed on it."""
    form = read_catalogue().find("qwen3-asr-0.6b").smaller[-1]
    memory = SimpleNamespace(total=round(form.memory_bytes / 0.8) + 1)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    presets = []

    def install(model, _tell, *, preset, keep_source):
        presets.append(preset)
        assert keep_source is None
        return InstalledModel(model.name, paths.asset("demo-model"))

    monkeypatch.setattr("handy_qwen.models.installing.install", install)
    return form.preset, presets


def answered(monkeypatch, text):
    stdin = io.StringIO(text)
    stdin.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", stdin)


@pytest.mark.parametrize(("answer", "is_smaller"), [("y\n", True), ("n\n", False)])
def test_where_memory_is_short_a_smaller_form_is_offered_never_taken(
    ask, monkeypatch, small_machine, answer, is_smaller
):
    smallest, presets = small_machine
    answered(monkeypatch, answer)
    status, _, err = ask("install", "qwen3-asr-0.6b")
    assert status == 0
    assert "Qwen3-ASR 0.6B needs 1." in err
    assert f'The form "{smallest}" needs' in err
    assert "many more in Korean" in err
    assert presets == [smallest if is_smaller else ""]


def test_where_nobody_can_be_asked_both_ways_are_named(ask, monkeypatch, small_machine):
    smallest, presets = small_machine
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    status, _, err = ask("install", "qwen3-asr-0.6b")
    assert status == 1
    assert f"Choose one: --preset {smallest}, or --preset {DEFAULT_PRESET}." in err
    assert presets == []


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("verb", "preset", "is_named"), [("import", "balanced", True), ("convert", "smallest", False)]
)
def test_where_memory_is_short_for_what_was_made_a_smaller_form_is_named(
    ask, monkeypatch, verb, preset, is_named
):
    memory = SimpleNamespace(total=100_000_000, available=1 << 40)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    place = ("--name", "mine") if verb == "import" else (paths.models_dir() / "mine",)
    status, _, err = ask(verb, CHECKPOINT, *place, "--preset", preset)
    assert status == 0
    assert "of memory; this computer has 100.0 MB." in err
    assert ("--preset smallest, it needs less" in err) == is_named


@pytest.mark.parametrize("preset", PRESETS)
def test_who_names_a_form_gets_it(ask, monkeypatch, small_machine, preset):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert ask("install", "qwen3-asr-0.6b", "--preset", preset).status == 0
    assert small_machine[1] == [preset]


def test_where_memory_is_plenty_nobody_is_asked(ask, monkeypatch, small_machine):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=16e9))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert ask("install", "qwen3-asr-0.6b").status == 0
    assert small_machine[1] == [""]


def test_the_list_has_the_smaller_forms_of_what_is_not_here(ask, imported):
    smaller = read_catalogue().find("qwen3-asr-0.6b").smaller
    lines = ask("list").out.splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("qwen3-asr-0.6b "))
    for form, line in zip(smaller, lines[place + 1 :], strict=False):
        assert line.startswith(f"  --preset {form.preset} ")
        assert line.endswith(form.cost)
        assert lines[0].index("MEMORY") + len("MEMORY") == line.rindex("B   ") + 1  # in its column
    imported("qwen3-asr-0.6b")
    lines = ask("list").out.splitlines()
    assert "--preset" not in lines[1] + lines[2]


def test_how_close_a_model_comes_to_full_precision_is_said(ask, imported):
    folder = imported("mine")
    measured = Fidelity(14, 13, 150, 149, 0.003, 0.004, ("The encoder is kept in float32.",))
    replace(load_manifest(folder), fidelity=measured).save(folder)
    words = "The same words as full precision on 13 of 14 check sentences; "
    words += "the scores behind the words differ by 0.4% on average."
    assert f"{words} The encoder is kept in float32.\n" in ask("info", "mine").out
    assert ask("check", "mine").out.splitlines()[1:] == [words, "The encoder is kept in float32."]
    assert json.loads(ask("check", "mine", "--json").out)["fidelity"][0] == words
    listed = {row["name"]: row for row in json.loads(ask("list", "--json").out)}
    assert listed["mine"]["fidelity"][0] == words
    assert listed["qwen3-asr-0.6b"]["forms"][0]["preset"] == DEFAULT_PRESET


def test_an_interrupted_installation_says_that_it_goes_on(ask, monkeypatch):
    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("handy_qwen.models.installing.install", interrupt)
    status, _, err = ask("install", "qwen3-asr-0.6b")
    assert (status, "run the same command to continue" in err) == (130, True)


def test_a_log_gets_a_line_for_each_stage_and_tenth_and_no_more(capsys):
    progress = InstallProgress()
    for done in range(0, 1001, 5):
        progress.tell(Progress(InstallStage.DOWNLOADING, done / 1000, done * 1000, 1_000_000, 50_000.0, 30.4))
    progress.tell(Progress(InstallStage.TESTING))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert lines[0] == "  0% downloading 0.0 of 1.0 MB, 0.1 MB/s, 30 s left"
    assert lines[-1] == "trying it out"


@pytest.mark.usefixtures("unchecked")
def test_a_folder_that_is_used_is_found_from_everywhere(ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"handy-qwen model use {tmp_path / 'mine'}" in ask("convert", CHECKPOINT, "mine").out
    assert ask("use", "mine").status == 0
    monkeypatch.chdir("/")
    assert ask("check").out.splitlines()[0] == "mine: complete and working"


def test_a_model_in_use_that_is_gone_keeps_no_other_from_being_removed(ask, imported, tmp_path):
    shutil.copytree(paths.asset("demo-model"), tmp_path / "gone")
    imported("another")
    assert ask("use", tmp_path / "gone").status == 0
    shutil.rmtree(tmp_path / "gone")
    assert ask("remove", "another", "--yes").out == "another is deleted\n"


def test_a_demo_model_that_hears_other_words_is_no_good(ask, monkeypatch):
    monkeypatch.setattr(model, "SENTENCE", "Something else.")
    status, _, err = ask("check", "demo")
    assert (status, "doesn't transcribe its own sample" in err) == (1, True)


@pytest.mark.usefixtures("unchecked")
def test_a_package_takes_the_place_of_nothing_but_a_package(ask, tmp_path):
    arguments = ["convert", CHECKPOINT, tmp_path / "mine"]
    assert ask(*arguments).status == 0
    assert ask(*arguments).status == 2
    assert ask(*arguments, "--replace").status == 0
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert "also holds notes.txt, which would be lost" in ask(*arguments, "--replace").err
    (tmp_path / "mine" / "manifest.json").unlink()
    assert "exists and is not a package" in ask(*arguments, "--replace").err
    assert (tmp_path / "mine" / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_recordings_that_are_not_there_are_noticed_before_the_work(ask, tmp_path):
    report = ("--report", "--recordings", tmp_path / "nope")
    status, _, err = ask("convert", *report, CHECKPOINT, tmp_path / "mine")
    assert (status, "nope" in err) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_the_demo_model_is_kept_without_asking(ask, monkeypatch):
    monkeypatch.setattr("handy_qwen.cli.model.agrees", lambda _question: pytest.fail("nothing to ask"))
    assert "demo is part of Handy Qwen and cannot be removed." in ask("remove", "demo").err


@pytest.mark.parametrize("content", ['language = "Ger', "", 'mode = "hodl"\nsounds = "x"\n'])
@pytest.mark.parametrize(
    "words",
    [
        "history list",
        "history retry 1",
        "model list",
        "model info",
        "model path",
        "model remove demo",
        "status",
        "transcribe nothing.wav",
    ],
)
def test_a_command_that_reads_the_settings_never_writes_them(run, content, words, written, settings_file):
    written(content)
    assert "Traceback" not in run(*words.split()).err
    assert settings_file.read_text(encoding="utf-8") == content
    assert list(settings_file.parent.iterdir()) == [settings_file]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('language = "Ger', "Line 1 of settings.toml cannot be read: a quotation mark is missing."),
        ("sounds = true\nmodel = mine\n", "Line 2 of settings.toml cannot be read"),
    ],
)
def test_a_broken_file_is_refused_with_its_line_by_whatever_needs_it(
    run, content, problem, written, settings_file
):
    written(content)
    for command in (("model", "use", "demo"), ("transcribe", SPEECH)):
        status, _, err = run(*command)
        assert (status, problem in err) == (1, True)
    assert settings_file.read_text(encoding="utf-8") == content


def test_use_changes_its_own_key_and_nothing_else(ask, written, settings_file):
    text = '# mine\nmode = "hodl" # wrong\nmodel = "old" # why\n\n[[hotkeys]]\nchord = "f9" # here\n'
    written(text)
    assert ask("use", "demo").status == 0
    assert settings_file.read_text(encoding="utf-8") == text.replace("old", "demo")
