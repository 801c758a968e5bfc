"""Leaving: what is deleted, what is only named, and what is never touched."""

import sys

import pytest

from handy_qwen import paths
from handy_qwen.control import InstanceLock
from handy_qwen.system.entries import MenuEntry

DELETE = ("uninstall", "--data", "--yes")


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


@pytest.fixture
def usual_places(tmp_path, monkeypatch):
    """The folders of the desktop, in a folder of the test's."""
    if not sys.platform.startswith("linux"):  # never to be deleted by a test
        pytest.skip("elsewhere no variables move the user's own folders")
    monkeypatch.delenv("HANDY_QWEN_HOME", raising=False)
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "RUN"))
    (tmp_path / "RUN").mkdir(mode=0o700)
    return tmp_path


def test_without_data_everything_stays_and_the_way_out_is_named(run, home):
    before = sorted(home.rglob("*"))
    status, out, _ = run("uninstall")
    assert (status, sorted(home.rglob("*"))) == (0, before)
    assert "a checkout" in out
    assert "uninstall --data" in out


@pytest.mark.parametrize("text", [None, 'Exec="no end\n'])
def test_the_autostart_entry_goes(run, usual_places, text):
    assert run("autostart", "on").status == 0
    entry = usual_places / "CONFIG" / "autostart" / "io.github.handy_qwen.desktop"
    assert entry.exists()
    if text is not None:
        entry.write_text(text, encoding="utf-8")
    assert "Removed the autostart entry" in run("uninstall").out
    assert not entry.exists()
    assert run("autostart").out == "off\n"


@pytest.mark.linux("menu entries of this kind are Linux's")
def test_the_menu_entry_goes_if_the_app_wrote_it(run, usual_places):
    assert "menu entry" not in run("uninstall").out
    assert MenuEntry().write()
    assert "Removed the menu entry" in run("uninstall").out
    assert not (usual_places / "DATA" / "applications" / "io.github.handy_qwen.desktop").exists()


@pytest.mark.linux("the entry is one of XDG")
@pytest.mark.usefixtures("home")
def test_a_second_instance_leaves_the_entry_which_may_be_the_first_ones(run, tmp_path):
    assert run("autostart", "on").status == 0
    assert "autostart off" in run("uninstall").out
    assert (tmp_path / "xdg" / "autostart" / "io.github.handy_qwen.desktop").exists()


def test_data_goes_with_yes_and_its_sizes_are_shown_once(run, home):
    shown = run(*DELETE).out
    assert not home.exists()
    lines = {line[:26].strip(): line[26:].strip() for line in shown.splitlines()}
    for what in ("settings", "models", "history and other data", "logs"):
        assert lines[what].startswith("1.5 MB"), what
    assert "no settings" in run(*DELETE).out, "there is nothing left to do"
    assert not home.exists()


@pytest.mark.parametrize(
    ("answer", "status"), [("y", 0), ("Yes ", 0), ("", 1), ("n", 1), (None, 2)], ids=repr
)
def test_the_user_is_asked_and_nobody_there_to_ask_means_no(run, home, answers, answer, status):
    if answer is not None:
        answers(answer)
    result = run("uninstall", "--data")
    assert result.status == status
    assert (home / "config" / "settings.toml").exists() is (status != 0)
    assert answer is not None or "--yes" in result.err


def test_it_refuses_while_the_app_runs(run, home):
    lock = InstanceLock(paths.runtime_dir())
    assert lock.acquire()
    try:
        before = sorted(home.rglob("*"))
        assert "handy-qwen quit" in run(*DELETE).err
        assert sorted(home.rglob("*")) == before
    finally:
        lock.release()


@pytest.mark.usefixtures("symbolic_links")
@pytest.mark.parametrize("is_folder_itself", [False, True])
def test_a_link_goes_and_what_it_leads_to_is_not_touched(run, home, tmp_path, is_folder_itself):
    elsewhere = tmp_path / "big-disk"
    if is_folder_itself:
        paths.data_dir().rename(elsewhere)
        paths.data_dir().symlink_to(elsewhere)
    else:
        elsewhere.mkdir()
        (paths.models_dir() / "linked").symlink_to(elsewhere)
    (elsewhere / "precious").touch()
    assert run(*DELETE).status == 0
    assert not home.exists()
    assert (elsewhere / "precious").exists()


def test_a_home_with_other_things_in_it_is_left_alone(run, home):
    (home / "thesis.odt").touch()
    before = sorted(home.rglob("*"))
    status, _, err = run(*DELETE)
    assert (status, "thesis.odt" in err) == (1, True)
    assert sorted(home.rglob("*")) == before


def test_the_usual_folders_go_and_their_neighbours_stay(run, usual_places):
    for folder in (paths.config_dir(), paths.data_dir(), paths.log_dir(), paths.runtime_dir()):
        folder.mkdir(parents=True)
        (folder / "ours").touch()
        (folder.parent / "theirs").touch()
    (usual_places / "STATE" / "theirs").touch()
    (usual_places / "STATE" / "handy-qwen" / "theirs").unlink()
    assert run(*DELETE).status == 0
    left = {str(path.relative_to(usual_places)) for path in usual_places.rglob("*") if path.is_file()}
    assert left == {f"{name}/theirs" for name in ("CONFIG", "DATA", "STATE", "RUN")}
    assert not (usual_places / "STATE" / "handy-qwen").exists()
