"""Leaving: what is deleted, what is only told, and what is never touched."""

import io

import pytest

from handy_qwen import cli, paths
from handy_qwen.control import InstanceLock


@pytest.fixture
def home(app_home, tmp_path, monkeypatch):
    """A home with something of everything, and the autostart's folder beside it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    for folder, name in (
        (paths.config_dir(), "settings.toml"),
        (paths.models_dir() / "mine", "manifest.json"),
        (paths.data_dir() / "takes", "1.pcm"),
        (paths.log_dir(), "handy-qwen.log"),
    ):
        folder.mkdir(parents=True)
        (folder / name).write_text("x" * 1_500_000, encoding="utf-8")
    return app_home


def test_without_data_everything_stays_and_the_way_out_is_told(home, capsys):
    before = sorted(home.rglob("*"))
    assert cli.main(["uninstall"]) == 0
    assert sorted(home.rglob("*")) == before
    out = capsys.readouterr().out
    assert "a checkout" in out
    assert "uninstall --data" in out


@pytest.fixture
def usual_places(tmp_path, monkeypatch):
    """The folders of the desktop, in a folder of the test's."""
    monkeypatch.delenv("HANDY_QWEN_HOME", raising=False)
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "RUN"))
    (tmp_path / "RUN").mkdir(mode=0o700)
    return tmp_path


@pytest.mark.parametrize("text", [None, 'Exec="no end\n'])
def test_the_autostart_entry_goes(usual_places, capsys, text):
    assert cli.main(["autostart", "on"]) == 0
    entry = usual_places / "CONFIG" / "autostart" / "handy-qwen.desktop"
    assert entry.exists()
    if text is not None:
        entry.write_text(text, encoding="utf-8")
    assert cli.main(["uninstall"]) == 0
    assert "Removed the autostart entry" in capsys.readouterr().out
    assert not entry.exists()
    assert cli.main(["autostart"]) == 0
    assert capsys.readouterr().out == "off\n"


@pytest.mark.usefixtures("home")
def test_a_second_instance_leaves_the_entry_which_may_be_the_first_ones(tmp_path, capsys):
    assert cli.main(["autostart", "on"]) == 0
    assert cli.main(["uninstall"]) == 0
    assert "autostart off" in capsys.readouterr().out
    assert (tmp_path / "xdg" / "autostart" / "handy-qwen.desktop").exists()


def test_data_goes_with_yes_and_its_sizes_are_told_once(home, capsys):
    assert cli.main(["uninstall", "--data", "--yes"]) == 0
    assert not home.exists()
    lines = {line[:26].strip(): line[26:].strip() for line in capsys.readouterr().out.splitlines()}
    for what in ("settings", "models", "history and other data", "logs"):
        assert lines[what].startswith("1.5 MB"), what


def test_nobody_there_to_ask_means_no(home, capsys):
    before = sorted(home.rglob("*"))
    assert cli.main(["uninstall", "--data"]) == 2
    assert set(before) <= set(home.rglob("*"))
    assert "--yes" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "is_gone"), [("y", True), ("Yes ", True), ("", False), ("n", False)])
def test_the_user_is_asked(home, monkeypatch, answer, is_gone):
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert cli.main(["uninstall", "--data"]) == (0 if is_gone else 1)
    assert home.exists() is not is_gone


def test_it_refuses_while_the_app_runs(home, capsys):
    lock = InstanceLock(paths.runtime_dir())
    assert lock.acquire()
    try:
        before = sorted(home.rglob("*"))
        assert cli.main(["uninstall", "--data", "--yes"]) == 1
        assert sorted(home.rglob("*")) == before
        assert "handy-qwen quit" in capsys.readouterr().err
    finally:
        lock.release()


def test_what_links_lead_to_is_not_touched(home, tmp_path):
    elsewhere = tmp_path / "big-disk"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (paths.models_dir() / "linked").symlink_to(elsewhere)
    assert cli.main(["uninstall", "--data", "--yes"]) == 0
    assert not home.exists()
    assert (elsewhere / "precious").exists()


def test_a_folder_that_is_itself_a_link_goes_as_a_link(home, tmp_path):
    elsewhere = tmp_path / "big-disk"
    paths.data_dir().rename(elsewhere)
    paths.data_dir().symlink_to(elsewhere)
    assert cli.main(["uninstall", "--data", "--yes"]) == 0
    assert not home.exists()
    assert (elsewhere / "takes" / "1.pcm").exists()


def test_a_home_with_other_things_in_it_is_left_alone(home, capsys):
    (home / "thesis.odt").touch()
    before = sorted(home.rglob("*"))
    assert cli.main(["uninstall", "--data", "--yes"]) == 1
    assert sorted(home.rglob("*")) == before
    assert "thesis.odt" in capsys.readouterr().err


def test_the_usual_folders_go_and_their_neighbors_stay(usual_places):
    tmp_path = usual_places
    for folder in (paths.config_dir(), paths.data_dir(), paths.log_dir(), paths.runtime_dir()):
        folder.mkdir(parents=True)
        (folder / "ours").touch()
        (folder.parent / "theirs").touch()
    (tmp_path / "STATE" / "theirs").touch()
    (tmp_path / "STATE" / "handy-qwen" / "theirs").unlink()
    assert cli.main(["uninstall", "--data", "--yes"]) == 0
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {f"{name}/theirs" for name in ("CONFIG", "DATA", "STATE", "RUN")}
    assert not (tmp_path / "STATE" / "handy-qwen").exists()


def test_nothing_there_is_nothing_to_do(app_home, capsys):
    assert cli.main(["uninstall", "--data"]) == 0
    assert "no settings" in capsys.readouterr().out
    assert not app_home.exists()
