"""Tray, menu and overlay on a real screen, with pictures to look at, and a window that is left alone."""

import json
import subprocess
import sys

import pytest

from tests.e2e.desk import QtTarget
from tests.e2e.desk.processes import wait_until

pytestmark = pytest.mark.desktop


class Shown:
    """The process with tray and overlay."""

    def __init__(self, desktop):
        self.desktop = desktop
        self.asked = []
        self.process = desktop.start(
            "ui", sys.executable, "-m", "tests.e2e.ui_process", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def show(self, state):
        """Bring it into ``state`` and return where things are."""
        self.process.stdin.write(f"{state}\n".encode())
        self.process.stdin.flush()
        while True:
            answer = json.loads(self.process.stdout.readline())
            if answer.get("state") == state:
                return answer
            self.asked.append(answer["asked"])

    def wait_asked(self):
        """The next thing the menu asks for, but for its look at the devices."""
        while True:
            answer = json.loads(self.process.stdout.readline())
            if answer["asked"] != ["refresh_choices"]:
                return answer["asked"]

    def windows(self):
        """Those of its windows that are on the screen, menus and all."""
        command = ["xdotool", "search", "--onlyvisible", "--pid", str(self.process.pid)]
        done = subprocess.run(command, env=self.desktop.env, capture_output=True, text=True, check=False)
        return set(done.stdout.split())

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0


@pytest.fixture(scope="module")
def shown(desktop):
    process = Shown(desktop)
    wait_until(lambda: process.show("idle")["tray"][2] > 0, "the tray icon")
    yield process
    process.close()


@pytest.fixture(scope="module")
def editor(desktop, shown):  # noqa: ARG001  the window comes up after the tray
    target = desktop.open(QtTarget)
    yield target
    target.close()


STATES = [
    "starting",
    "recording",
    "recording-live",
    "recording-hands-free",
    "recording-locked",
    "recording-loading",
    "recording-muted",
    "recording-muted-live",
    "transcribing",
    "no-speech",
    "silent",
    "copied",
    "held",
    "problem",
    "top",
]


@pytest.mark.parametrize("state", STATES)
def test_the_overlay_is_shown_and_leaves_the_focus_where_it_is(desktop, shown, editor, state):
    desktop.run("xsetroot", "-solid", "white")  # nothing behind the overlay may be black by accident
    before = desktop.active_window()
    place = shown.show(state)
    assert place["overlay"] is not None
    desktop.screenshot(f"overlay-{state}")
    assert desktop.active_window() == before
    editor.clear()
    desktop.keys.chord("a")
    assert editor.wait_for_text("a") == "a"


@pytest.mark.parametrize("state", ["idle", "loading", "off"])
def test_no_overlay_is_shown_when_there_is_nothing_to_tell(desktop, shown, state):
    shown.show("recording")
    assert shown.show(state)["overlay"] is None
    desktop.screenshot(f"tray-{state}")


def test_clicks_go_through_the_overlay(desktop, shown):
    x, y, width, height = shown.show("top")["overlay"]
    middle = (str(x + width // 2), str(y + height // 2))
    under = desktop.run("xdotool", "mousemove", *middle, "getmouselocation", "--shell")
    window = int(
        next(line for line in under.splitlines() if line.startswith("WINDOW=")).removeprefix("WINDOW=")
    )
    shown.show("idle")
    without = desktop.run("xdotool", "getmouselocation", "--shell")
    assert f"WINDOW={window}" in without.splitlines()


@pytest.mark.parametrize(
    ("state", "asked"), [("held", ["PASTE_AGAIN"]), ("problem", ["open_window", "Window.SETTINGS"])]
)
def test_a_click_on_the_overlay_does_what_it_offers_and_leaves_the_focus(
    desktop, shown, editor, state, asked
):
    before = desktop.active_window()
    x, y, width, height = shown.show(state)["overlay"]
    desktop.run("xdotool", "mousemove", str(x + width // 2), str(y + height // 2), "click", "1")
    assert shown.wait_asked() == asked
    assert desktop.active_window() == before
    editor.clear()
    desktop.keys.chord("a")
    assert editor.wait_for_text("a") == "a"


def test_the_menu_opens_from_the_tray_and_its_entries_work(desktop, shown):
    x, y, width, height = shown.show("idle")["tray"]
    before = shown.windows()
    desktop.run("xdotool", "mousemove", str(x + width // 2), str(y + height // 2), "click", "3")
    wait_until(lambda: shown.windows() - before, "the menu")
    desktop.run("sleep", "0.5")  # for it to be painted, and to take the keyboard
    desktop.screenshot("menu")
    desktop.keys.chord("a")  # the underlined letter of "Paste last text"
    assert shown.wait_asked() == ["PASTE_AGAIN"]


COLORS = """
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication
from handy_qwen.ui.style import use_style
app = QApplication([])
use_style()
roles = QPalette.ColorRole
print(*(app.palette().color(role).lightness() for role in (roles.Window, roles.Text)))
"""


@pytest.mark.parametrize(("scheme", "is_dark"), [("", False), ("BreezeLight", False), ("BreezeDark", True)])
def test_on_kde_windows_are_light_or_dark_though_its_colors_are_in_no_file(
    desktop, tmp_path, scheme, is_dark
):
    (tmp_path / "kdeglobals").write_text(f"[General]\nColorScheme={scheme}\n" if scheme else "", "utf-8")
    kde = {"XDG_CURRENT_DESKTOP": "KDE", "KDE_FULL_SESSION": "true", "KDE_SESSION_VERSION": "6"}
    env = desktop.env | kde | {"XDG_CONFIG_HOME": str(tmp_path)}
    window, text = map(int, desktop.run(sys.executable, "-c", COLORS, env=env).split())
    assert (window < 100) is (text > 150) is is_dark
    assert is_dark or window > 230
