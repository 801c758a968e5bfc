"""Opening a file with what the desktop has for it."""

import pytest

from handy_qwen.system import opening
from handy_qwen.system.opening import open_with_desktop

pytestmark = pytest.mark.unix("programs are scripts here")


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes the only program there is: it writes down what it was asked to open, and ends as told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name, end):
        script = folder / name
        script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n{end}\n')
        script.chmod(0o755)
        return tmp_path / "asked"

    return make


@pytest.mark.parametrize(("end", "is_open"), [("exit 0", True), ("exit 3", False), ("exit 4", False)])
def test_the_desktop_says_whether_a_program_opened_it(program, tmp_path, end, is_open):
    asked = program("xdg-open", end)
    assert open_with_desktop(tmp_path / "settings.toml", "linux") is is_open
    assert asked.read_text(encoding="utf-8") == f"{tmp_path / 'settings.toml'}\n"


def test_an_editor_that_is_waited_for_has_opened_it(program, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "PATIENCE_S", 0.1)
    program("xdg-open", "/bin/sleep 1")
    assert open_with_desktop(tmp_path / "settings.toml", "linux") is True


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.usefixtures("program")
def test_without_any_program_it_is_not_opened(tmp_path, platform):
    assert open_with_desktop(tmp_path, platform) is False


def test_on_macos_a_file_is_opened_in_the_text_editor_and_a_folder_is_shown(program, tmp_path):
    asked = program("open", "exit 0")
    file = tmp_path / "settings.toml"
    file.write_text("")
    assert open_with_desktop(file, "darwin") is True
    assert asked.read_text(encoding="utf-8") == f"-t {file}\n"
    assert open_with_desktop(tmp_path, "darwin") is True
    assert asked.read_text(encoding="utf-8") == f"{tmp_path}\n"
