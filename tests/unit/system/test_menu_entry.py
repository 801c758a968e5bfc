"""The menu entry that portals know the program by."""

import pytest

from handy_qwen.errors import HandyError
from handy_qwen.system.entries import FILE, MenuEntry

pytestmark = pytest.mark.linux("the entry is one of XDG")


@pytest.fixture
def environment(tmp_path):
    return {"XDG_DATA_HOME": str(tmp_path / "home"), "XDG_DATA_DIRS": f"{tmp_path}/local:{tmp_path}/share"}


def test_it_is_written_where_there_is_none_and_goes_again(environment):
    entry = MenuEntry(environment)
    assert not entry.is_there()
    assert entry.write()
    assert entry.place.name == "io.github.handy_qwen.desktop"
    text = entry.place.read_text("utf-8")
    assert "\nExec=" in text
    assert "--hidden" not in text, "a click in the menu shows the app"
    assert not entry.write(), "there it is"
    assert entry.remove()
    assert not entry.is_there()
    assert not entry.remove()


def test_one_that_starts_another_copy_is_replaced_if_it_is_ours(environment):
    entry = MenuEntry(environment)
    entry.write()
    whole = entry.place.read_text("utf-8")
    entry.place.write_text(whole.replace("Exec=", "Exec=/gone"), "utf-8")
    assert entry.write()
    assert entry.place.read_text("utf-8") == whole


def test_a_second_instance_leaves_the_first_ones(environment):
    entry = MenuEntry(environment)
    entry.write()
    whole = entry.place.read_text("utf-8")
    assert not MenuEntry({**environment, "HANDY_QWEN_HOME": "/tmp/second"}).write()
    assert entry.place.read_text("utf-8") == whole


@pytest.mark.parametrize("folder", ["home", "local", "share"])
def test_one_that_a_package_or_the_user_has_put_there_is_left_alone(environment, tmp_path, folder):
    there = tmp_path / folder / "applications" / FILE
    there.parent.mkdir(parents=True)
    there.write_text("[Desktop Entry]\nExec=handy-qwen\n", "utf-8")
    entry = MenuEntry(environment)
    assert entry.is_there()
    assert not entry.write()
    assert not entry.remove()
    assert there.read_text("utf-8") == "[Desktop Entry]\nExec=handy-qwen\n"


def test_a_folder_that_cannot_be_written_is_an_error_that_says_what_is_lost(environment, tmp_path):
    (tmp_path / "home").write_text("not a folder", "utf-8")
    with pytest.raises(HandyError, match="cannot be written") as refused:
        MenuEntry(environment).write()
    assert "hotkey" in refused.value.hint
