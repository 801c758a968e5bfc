"""The Models and History windows on a real screen, by keyboard, with pictures to look at.

The pictures come to ``tests/e2e/screenshots``: ``models-*.png`` and ``history-*.png``.
"""

import json
import queue
import subprocess
import sys
import threading

import pytest

from tests.e2e.desk.processes import wait_until
from tests.e2e.shelves import SHELVES

pytestmark = pytest.mark.desktop
WAIT_S = 60.0


class Shown:
    """The process with the windows."""

    def __init__(self, desktop, *arguments, **env):
        self.desktop = desktop
        self.asked = []
        self.process = desktop.start(
            f"windows{'-'.join(arguments)}{len(env)}",
            *(sys.executable, "-m", "tests.e2e.windows_process", *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=desktop.env | {"HANDY_QWEN_HOME": str(desktop.folder / "windows-home")} | env,
        )
        self._lines = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def show(self, kind, state):
        """Show that, and wait until it has the keyboard."""
        self._write(f"{kind} {state}")
        answer = self._read_state(state)
        wait_until(lambda: self.desktop.active_window() == answer["window"], "the window's focus")
        return answer

    def wait_asked(self, name):
        """What the windows ask for next under this name."""
        while True:
            asked = self.asked.pop(0) if self.asked else self._read()["asked"]
            if asked[0] == name:
                return asked

    def focus(self):
        """The widget that has the keyboard, and its text."""
        self._write("focus")
        return self._read_state("focus")["focus"]

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self._listener.join(10)
        self.process.stdout.close()

    def _write(self, line):
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def _read_state(self, state):
        while (answer := self._read()).get("state") != state:
            self.asked.append(answer["asked"])
        return answer

    def _read(self):
        return json.loads(self._lines.get(timeout=WAIT_S))

    def _listen(self):
        for line in self.process.stdout:
            self._lines.put(line)


@pytest.fixture(scope="module")
def shown(silent_desktop):
    process = Shown(silent_desktop)
    yield process
    process.close()


@pytest.mark.parametrize("state", SHELVES)
def test_the_models_are_shown(silent_desktop, shown, state):
    assert shown.show("models", state)["title"].startswith("Models")
    silent_desktop.screenshot(f"models-{state}")


@pytest.mark.parametrize("state", ["full", "open", "empty", "no-hits"])
def test_the_history_is_shown(silent_desktop, shown, state):
    assert shown.show("history", state)["title"].startswith("History")
    silent_desktop.screenshot(f"history-{state}")


def test_the_main_window_is_shown(silent_desktop, shown):
    assert shown.show("main", "idle")["title"] == "Handy Qwen"
    silent_desktop.screenshot("main-idle")


@pytest.mark.parametrize(
    ("name", "arguments", "env"),
    [("dark", ["dark"], {}), ("large", ["large"], {}), ("200", [], {"QT_SCALE_FACTOR": "2"})],
)
def test_all_are_shown_in_dark_and_enlarged(silent_desktop, name, arguments, env):
    process = Shown(silent_desktop, *arguments, **env)
    shown = (("models", "downloading"), ("models", "failed"), ("history", "full"), ("main", "idle"))
    for kind, state in shown:
        process.show(kind, state)
        silent_desktop.screenshot(f"{kind}-{state}-{name}")
    process.close()


def test_enter_installs_and_escape_closes(silent_desktop, shown):
    shown.show("history", "empty")
    window = shown.show("models", "empty")["window"]
    silent_desktop.keys.chord("Return")
    assert shown.wait_asked("install") == ["install", "qwen3-asr-0.6b"]
    silent_desktop.keys.chord("Escape")
    wait_until(lambda: window not in silent_desktop.windows(), "the window to close")


def test_keys_search_delete_and_take_back(silent_desktop, shown):
    shown.show("history", "full")
    silent_desktop.keys.chord("Delete")
    assert shown.wait_asked("delete") == ["delete", "[9]"]
    shown.show("history", "deleted")
    silent_desktop.keys.chord("Control_L", "z")
    assert shown.wait_asked("undo_delete") == ["undo_delete"]
    silent_desktop.keys.chord("Control_L", "f")
    silent_desktop.keys.chord("a")
    wait_until(lambda: shown.focus() == ["SearchField", "a"], "the search")
