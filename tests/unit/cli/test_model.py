"""``model``: what is said of folders, in this process."""

import json
import os
import shutil
import tomllib

import pytest

from handy_qwen import paths
from handy_qwen.cli import main, model
from handy_qwen.cli.terminal import InstallProgress
from handy_qwen.core.models import InstallStage, Progress
from tests.conftest import CHECKPOINT


@pytest.fixture(autouse=True)
def home(app_home):
    """No model of the user's is used."""


def test_a_folder_that_is_no_model_is_not_called_one(tmp_path, capsys):
    assert main(["model", "info", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"The model file {tmp_path / 'manifest.json'} is missing." in err


def test_a_published_model_is_called_so(tmp_path, capsys):
    (tmp_path / "decoder_init.int4.onnx").touch()
    assert main(["model", "info", str(tmp_path)]) == 0
    assert "published ONNX files" in capsys.readouterr().out


def test_the_list_has_what_is_here_first_and_what_can_be_installed(capsys):
    assert main(["model", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "DOWNLOAD", "ON", "DISK", "MEMORY", "FOLDER", "OR", "USE"]
    assert lines[1].startswith("demo")
    assert "in use" in lines[1]
    assert sum("in use" in line for line in lines) == 1
    assert any(line.startswith("qwen3-asr-0.6b ") and "1.88 GB" in line for line in lines)


def test_commands_work_with_the_model_in_use_if_none_is_named(capsys):
    assert main(["model", "import", str(paths.asset("demo-model")), "--name", "another", "--json"]) == 0
    speech = str(next(paths.asset("speech").glob("*.flac")))
    for name in ("another", "demo"):
        assert main(["model", "use", name]) == 0
        capsys.readouterr()
        assert main(["model", "check", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["name"] == name
        assert main(["model", "info"]) == 0
        assert f" {name}\n" in capsys.readouterr().out.splitlines(keepends=True)[0]
        assert main(["bench", "--seconds", "1", "--tokens", "2", "--rounds", "1", "--json"]) == 0
        capsys.readouterr()
    (paths.models_dir() / "another" / "decoder.onnx").unlink()
    assert main(["transcribe", speech]) == 0, "demo is in use; that another is damaged does not matter"


@pytest.mark.parametrize("made", ["empty", "older"])
def test_what_is_no_model_cannot_be_used(capsys, tmp_path, made):
    if made == "older":
        manifest = json.loads((paths.asset("demo-model") / "manifest.json").read_text(encoding="utf-8"))
        older = json.dumps(manifest | {"format": 1})
        (tmp_path / "manifest.json").write_text(older, encoding="utf-8")
    assert main(["model", "use", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert ("an older version" if made == "older" else "is no installed model") in told
    assert not (paths.config_dir() / "settings.toml").exists()


def test_a_model_is_imported_used_checked_and_removed(capsys):
    assert main(["model", "import", str(paths.asset("demo-model")), "--name", "mine", "--json"]) == 0
    folder = paths.models_dir() / "mine"
    assert json.loads(capsys.readouterr().out) == {"name": "mine", "folder": str(folder)}
    assert main(["model", "use", "mine"]) == 0
    assert tomllib.loads((paths.config_dir() / "settings.toml").read_text())["model"] == "mine"
    assert main(["model", "check", "--json"]) == 0
    assert '"is_compared": true' in capsys.readouterr().out
    assert main(["model", "path", "mine"]) == 0
    assert capsys.readouterr().out == f"{folder}\n"
    assert main(["model", "remove", "mine", "--yes"]) == 1
    assert "mine is in use." in capsys.readouterr().err
    assert main(["model", "use", "demo"]) == 0
    assert main(["model", "remove", "mine"]) == 2  # nobody to ask
    assert folder.is_dir()
    assert main(["model", "remove", "mine", "--yes"]) == 0
    assert not folder.exists()
    assert main(["model", "remove", "mine", "--yes"]) == 1


def test_a_model_that_is_used_by_its_folder_is_in_use_as_well(capsys):
    assert main(["model", "import", str(paths.asset("demo-model")), "--name", "mine"]) == 0
    assert main(["model", "use", str(paths.models_dir() / "mine")]) == 0
    capsys.readouterr()
    assert main(["model", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows if row["is_in_use"]] == ["mine"]
    assert main(["model", "remove", "mine", "--yes"]) == 1
    assert "mine is in use." in capsys.readouterr().err
    assert (paths.models_dir() / "mine" / "manifest.json").is_file()


@pytest.mark.parametrize("is_like_a_download", [False, True])
def test_a_folder_of_the_users_is_never_removed(tmp_path, is_like_a_download):
    mine = tmp_path / "diary"
    (mine / "source").mkdir(parents=True)
    (mine / "source" / "page.txt").write_text("mine")
    (mine / "letter.txt").write_text("mine")
    if is_like_a_download:
        (mine / "listing.json").write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    relative = os.path.relpath(mine, paths.models_dir() / ".incoming")
    for name in (str(mine), relative, "..", ".", ""):
        assert main(["model", "remove", name, "--yes"]) == 1, name
    assert sorted(path for path in tmp_path.rglob("*") if mine in {path, *path.parents}) == [
        path for path in before if mine in {path, *path.parents}
    ]
    assert not mine.with_name("diary.lock").exists()


def test_an_unknown_model_is_neither_installed_nor_used(capsys):
    assert main(["model", "install", "nope"]) == 1
    assert "There are: qwen3-asr-0.6b" in capsys.readouterr().err
    assert main(["model", "use", "nope"]) == 1
    assert not (paths.config_dir() / "settings.toml").exists()


def test_a_known_model_that_is_not_here_is_to_be_installed_first(capsys):
    assert main(["model", "use", "qwen3-asr-0.6b"]) == 1
    assert "handy-qwen model install qwen3-asr-0.6b" in capsys.readouterr().err


@pytest.mark.parametrize("wish", [("--preset", "exact"), ("--revision", "dev"), ("--keep-source", "there")])
def test_a_model_that_is_here_is_not_silently_left_in_another_form(capsys, wish):
    assert main(["model", "import", str(paths.asset("demo-model")), "--name", "qwen3-asr-0.6b"]) == 0
    assert main(["model", "install", "qwen3-asr-0.6b", *wish]) == 1
    assert "handy-qwen model remove qwen3-asr-0.6b" in capsys.readouterr().err


def test_an_interrupted_installation_says_that_it_goes_on(capsys, monkeypatch):
    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("handy_qwen.models.installing.install", interrupt)
    assert main(["model", "install", "qwen3-asr-0.6b"]) == 130
    assert "the same command goes on with it" in capsys.readouterr().err


def test_a_log_gets_a_line_for_each_stage_and_tenth_and_no_more(capsys):
    progress = InstallProgress()
    for done in range(0, 1001, 5):
        progress.tell(Progress(InstallStage.DOWNLOADING, done / 1000, done * 1000, 1_000_000, 50_000.0, 30.4))
    progress.tell(Progress(InstallStage.TESTING))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert lines[0] == "  0% downloading 0.0 of 1.0 MB, 0.1 MB/s, 30 s left"
    assert lines[-1] == "trying it out"


def test_a_folder_that_is_used_is_found_from_everywhere(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["model", "convert", str(CHECKPOINT), "mine"]) == 0
    assert f"handy-qwen model use {tmp_path / 'mine'}" in capsys.readouterr().out
    assert main(["model", "use", "mine"]) == 0
    monkeypatch.chdir("/")
    assert main(["model", "check"]) == 0
    assert capsys.readouterr().out.endswith("mine: whole, and it works\n")


def test_a_model_in_use_that_is_gone_keeps_no_other_from_being_removed(tmp_path, capsys):
    shutil.copytree(paths.asset("demo-model"), tmp_path / "gone")
    assert main(["model", "import", str(tmp_path / "gone"), "--name", "another"]) == 0
    assert main(["model", "use", str(tmp_path / "gone")]) == 0
    shutil.rmtree(tmp_path / "gone")
    assert main(["model", "remove", "another", "--yes"]) == 0
    assert capsys.readouterr().out.endswith("another is deleted\n")


def test_a_demo_model_that_hears_other_words_is_no_good(monkeypatch, capsys):
    monkeypatch.setattr(model, "SENTENCE", "Something else.")
    assert main(["model", "check", "demo"]) == 1
    assert "hears other words" in capsys.readouterr().err


def test_a_folder_with_others_things_in_it_is_no_place_for_a_package(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert main(["model", "convert", str(CHECKPOINT), str(tmp_path / "mine"), "--replace"]) == 1
    assert "exists and is not a package" in capsys.readouterr().err


def test_what_else_is_in_a_package_is_not_replaced_with_it(tmp_path, capsys):
    arguments = ["model", "convert", str(CHECKPOINT), str(tmp_path / "mine")]
    assert main(arguments) == 0
    assert main([*arguments, "--replace"]) == 0
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert main([*arguments, "--replace"]) == 1
    assert "also holds notes.txt, which would be lost" in capsys.readouterr().err
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_recordings_that_are_not_there_are_noticed_before_the_work(tmp_path, capsys):
    arguments = ["model", "convert", "--report", "--recordings", str(tmp_path / "nope")]
    assert main([*arguments, str(CHECKPOINT), str(tmp_path / "mine")]) == 1
    assert "nope" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_demo_model_is_kept_without_asking(monkeypatch, capsys):
    monkeypatch.setattr("handy_qwen.cli.model.agrees", lambda _question: pytest.fail("nothing to ask"))
    assert main(["model", "remove", "demo"]) == 1
    assert "demo is part of Handy Qwen and cannot be removed." in capsys.readouterr().err


@pytest.mark.parametrize("content", ['language = "Ger', "", 'mode = "hodl"\nsounds = "x"\n'])
@pytest.mark.parametrize(
    "words",
    [
        ["history", "list"],
        ["history", "retry", "1"],
        ["model", "list"],
        ["model", "info"],
        ["model", "path"],
        ["model", "remove", "demo"],
        ["status"],
        ["transcribe", "nothing.wav"],
    ],
    ids=" ".join,
)
def test_a_command_that_reads_the_settings_never_writes_them(content, words, capsys):
    paths.config_dir().mkdir(parents=True)
    place = paths.config_dir() / "settings.toml"
    place.write_text(content)
    main(words)
    told = capsys.readouterr()
    assert place.read_text() == content
    assert list(paths.config_dir().iterdir()) == [place]
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('language = "Ger', "Line 1 of settings.toml cannot be read: a quotation mark is missing."),
        ("sounds = true\nmodel = mine\n", "Line 2 of settings.toml cannot be read"),
    ],
)
def test_a_broken_file_is_refused_with_its_line_by_whatever_needs_it(content, words, capsys):
    paths.config_dir().mkdir(parents=True)
    place = paths.config_dir() / "settings.toml"
    place.write_text(content)
    speech = str(paths.asset("speech/report.flac"))
    for command in (["model", "use", "demo"], ["transcribe", speech]):
        assert main(command) == 1
        assert words in capsys.readouterr().err
    assert place.read_text() == content


def test_use_changes_its_own_key_and_nothing_else(capsys):
    paths.config_dir().mkdir(parents=True)
    place = paths.config_dir() / "settings.toml"
    place.write_text(
        '# mine\nmode = "hodl" # wrong\nmodel = "old" # why\n\n[[hotkeys]]\nchord = "f9" # here\n'
    )
    assert main(["model", "use", "demo"]) == 0
    assert place.read_text() == (
        '# mine\nmode = "hodl" # wrong\nmodel = "demo" # why\n\n[[hotkeys]]\nchord = "f9" # here\n'
    )
    capsys.readouterr()
