"""The settings of the real program, changed by keys, mouse, command and hand, and seen in the next text."""

import pytest

from tests.e2e.app import SPOKEN, App
from tests.e2e.desk import QtTarget
from tests.e2e.desk.processes import repeat_until, wait_until
from tests.e2e.test_app_windows import leave, wait_for_window

pytestmark = pytest.mark.desktop
MEETING = SPOKEN["meeting"]
SETTINGS = """\
# mine
version = 2  # newer than this program: what it does not know is no mistake
smart_spacing = false  # each text for itself
mode = "auto"
of_the_future = 1
"""


@pytest.fixture(scope="module")
def app(desktop):
    with App(desktop, "settings", SETTINGS) as running:
        yield running


@pytest.fixture
def window(desktop, app):
    """The settings window, with the keyboard."""
    assert app.run("settings").returncode == 0
    opened = wait_for_window(desktop, "Settings")
    yield opened
    if opened in desktop.windows():
        leave(desktop, wait_for_window(desktop, "Settings"), "Escape")


def path_of(app):
    return app.home / "config" / "settings.toml"


def text_of(app):
    return path_of(app).read_text(encoding="utf-8")


def search(desktop, words):
    desktop.keys.chord("Control_L", "f")
    for letter in words:
        desktop.keys.chord("space" if letter == " " else letter)


def click(desktop, window, right_px, *, top_px=None, bottom_px=None):
    """Click so far from the edges of ``window``."""
    shell = desktop.run("xdotool", "getwindowgeometry", "--shell", str(window))
    place = dict(line.split("=") for line in shell.split())
    x = int(place["WIDTH"]) - right_px
    y = top_px if top_px is not None else int(place["HEIGHT"]) - bottom_px
    desktop.run("xdotool", "mousemove", "--window", str(window), str(x), str(y), "click", "1")


def test_what_is_changed_by_keys_and_by_mouse_is_in_the_file_and_in_the_next_text(desktop, app, window):
    search(desktop, "space after each")
    desktop.keys.chord("Return")  # to what was found
    desktop.keys.chord("space")
    wait_until(lambda: "trailing_space = true\n" in text_of(app), "the change in the file")
    search(desktop, "leave out")
    desktop.screenshot("settings-search")
    click(desktop, window, 45, top_px=68)  # the box of the only row
    wait_until(lambda: "remove_fillers = true\n" in text_of(app), "the change by mouse")
    assert text_of(app).startswith(f"set_up = true\n{SETTINGS}"), "all else is as it was"
    leave(desktop, window, "Escape")
    editor = desktop.open(QtTarget)
    app.dictate("meeting")
    assert editor.wait_for_text(f"{MEETING} ") == f"{MEETING} "
    editor.close()


@pytest.mark.usefixtures("window")
def test_a_command_changes_the_running_app_and_the_window_shows_it(desktop, app):
    assert app.run("settings", "set", "mode", "toggle").returncode == 0
    wait_until(lambda: app.status()["mode"] == "toggle", "the app to follow")
    assert app.run("settings", "get", "mode").stdout == "toggle\n"
    search(desktop, "the key works by")
    desktop.keys.chord("Return")
    desktop.keys.chord("h")  # "Holding or tapping", after "Tapping only"
    wait_until(lambda: 'mode = "auto"\n' in text_of(app), "the next entry with that letter")
    wait_until(lambda: app.status()["mode"] == "auto", "the app to follow")
    assert app.run("settings", "set", "mode", "hold").returncode == 0
    assert app.run("settings", "reset", "mode").returncode == 0
    assert app.run("settings", "get", "mode").stdout == "auto\n"


def test_a_text_can_be_dictated_into_the_window_itself(desktop, app, window):
    click(desktop, window, 200, bottom_px=29)  # the field at the foot
    app.dictate("meeting")
    app.wait_for_phase("idle")

    def copied():
        desktop.keys.chord("Control_L", "a")
        desktop.keys.chord("Control_L", "c")
        return desktop.clipboard().decode().strip() == MEETING

    wait_until(copied, "the text in the field", interval_s=0.5)


@pytest.mark.usefixtures("window")
def test_a_file_broken_by_hand_is_explained_and_mended_in_the_window(desktop, app):
    path_of(app).write_text(text_of(app).replace('mode = "auto"', 'mode = "hold'), encoding="utf-8")
    line = text_of(app).split("\n").index('mode = "hold') + 1

    def complaint():
        return [one["title"] for one in app.status()["notices"] if one["subject"] == "settings"]

    wait_until(complaint, "the complaint")
    assert complaint() == [f"Line {line} of settings.toml cannot be read: a quotation mark is missing."]
    desktop.screenshot("settings-broken")
    repeat_until(
        lambda: desktop.keys.chord("Alt_L", "s"),  # Reset "The key works by"
        lambda: '\n# mode = "hold\n' in text_of(app),
        "the line to become a comment",
    )
    wait_until(lambda: not complaint(), "the end of the complaint")
    assert "of_the_future = 1\n" in text_of(app)
    assert app.run("settings", "set", "mode", "hold").returncode == 0, "it can be read again"
