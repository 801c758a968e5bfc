"""What a screen reader finds in every window, asked over AT-SPI as it does."""

import re
import subprocess
import sys

import pytest

from tests.e2e.desk import Desktop, require
from tests.e2e.desk.accessibility import ScreenReader
from tests.e2e.desk.processes import wait_until
from tests.unit.ui.gallery import WINDOWS

pytestmark = pytest.mark.desktop
MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
CONTAINERS = {"frame", "dialog", "window", "filler", "panel", "scroll pane", "split pane", "layered pane"}
VALUED = {"slider", "spin button", "progress bar", "level bar"}


class Shown:
    """The process with the windows, and what is to be found in it."""

    def __init__(self, desktop):
        self.reader = ScreenReader(desktop)
        self._process = desktop.start(
            *("accessible", sys.executable, "-m", "tests.e2e.accessible_process"),
            env=desktop.env
            | {"QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1", "HANDY_QWEN_HOME": str(desktop.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.show("idle")
        wait_until(self.reader.programs, "the program on the accessibility bus")

    def show(self, name):
        self._process.stdin.write(f"{name}\n".encode())
        self._process.stdin.flush()
        assert self._process.stdout.readline().decode().strip() == name

    def tree(self, name):
        self.show(name)
        (program,) = self.reader.programs()
        return list(self.reader.walk(program))

    def close(self):
        self.reader.close()
        self._process.stdin.close()
        assert self._process.wait(60) == 0


@pytest.fixture(scope="module")
def shown():
    require(sound=False)
    with Desktop(tray=False, sound=False) as desktop:
        made = Shown(desktop)
        yield made
        made.close()


def sentences(text):
    return [part.strip(" .") for part in re.split(r"(?<=[.!?…])\s", text) if part.strip(" .")]


@pytest.mark.parametrize("name", WINDOWS)
def test_everything_that_takes_the_keyboard_has_a_name_a_role_and_a_value(shown, name):
    nodes = shown.tree(name)
    stops = [node for node in nodes if node.is_focusable and node.role not in CONTAINERS]
    assert stops, nodes
    for node in stops:
        assert node.name.strip(), (node, nodes)
        assert node.role not in {"", "unknown", "invalid"}, node
    for node in nodes:
        assert not MARKS.search(node.name + node.description), node
        for said in (node.name, node.description):
            assert len(set(sentences(said))) == len(sentences(said)), node
        assert node.has_value or node.role not in VALUED, node


def test_what_the_overlay_says_is_announced(shown):
    shown.show("problem")
    assert shown.reader.announced(60) == "The hotkey F9 is taken. Choose another."
