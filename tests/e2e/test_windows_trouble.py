"""The Windows program when it is killed, its microphone goes or another program is in its way. Under Wine."""

import time

import pytest

from tests.e2e.app import SPOKEN, TAP_S
from tests.e2e.desk.processes import wait_until
from tests.e2e.desk.wine import NotepadTarget, WineDesktop, WineQtTarget, wine_folder
from tests.e2e.killing import WineVictim
from tests.e2e.test_no_words_in_logs import WORDS

wine_folder()
pytestmark = pytest.mark.desktop
CHAIRS, MEETING, REPORT = SPOKEN["chairs"], SPOKEN["meeting"], SPOKEN["report"]
TEXT_S = 60.0
READY_S = 0.5
PRIVATE = "ExcludeClipboardContentFromMonitorProcessing"  # on the clipboard only while a text of ours is
ADAPTED = "FocusNoted -> Adapt"  # in the log: another language than the one of the settings
EMOJI = "\N{GRINNING FACE}"  # is not typed into a window of Qt
SETTINGS = f"""set_up = true
smart_spacing = false
[[hotkeys]]
chord = "ctrl_r"
[[apps]]
name = "Mine"
programs = ["notepad.exe"]
language = "German"
method = "type"
submit = "enter"
[[replacements]]
heard = "Monday"
written = "Monday {EMOJI}"
"""


@pytest.fixture(scope="module")
def desk():
    with WineDesktop() as desktop:
        yield desktop


@pytest.fixture(scope="module")
def app(desk):
    made = WineVictim(desk, "trouble")
    (made.home / "config" / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    with made as running:
        yield running


@pytest.fixture(scope="module")
def qt(desk):
    target = desk.open(WineQtTarget)
    yield target
    target.close()


@pytest.fixture
def window(app, qt):
    """The Qt window, empty, with the focus, and nothing under way."""
    wait_until(app.is_settled, "the end of what was before", timeout_s=TEXT_S)
    qt.focus()
    qt.clear()
    return qt


@pytest.fixture(autouse=True)
def no_key_stays_down(desk):
    yield
    left = desk.keys.held(), desk.ask("held")
    desk.keys.release_all()
    assert left == ([], []), "keys left down"


def taken_up(app, window, said):
    """Start the program that was killed, and have it insert what it offers."""
    app.start()
    wait_until(lambda: app.status().get("held") == 1, "the offer of what was said", timeout_s=TEXT_S)
    (row,) = [row for row in app.rows() if row["text"] == said]
    assert (app.history / "takes" / row["file"]).is_file(), "its sound"
    window.focus()
    app.ask("paste")
    assert window.wait_for_text(said, TEXT_S, quiet_s=0.5) == said


def test_a_kill_while_it_transcribes_costs_nothing_that_was_said(desk, app, window):
    desk.hardware.down("Control_R")
    app.speak("chairs")
    desk.hardware.up("Control_R")
    app.wait_for_phase("transcribing")
    app.kill()
    (row,) = app.rows_as_they_lie()
    assert row["state"] != "done", "it was too late"
    taken_up(app, window, CHAIRS)


def test_a_kill_while_it_inserts_costs_nothing_that_was_said(desk, app, window):
    desk.hardware.down("Control_R")
    app.speak("meeting")
    desk.hardware.up("Control_R")
    app.wait_for_phase("transcribing")  # the key has come to Wine by way of this window
    window.freeze()  # it does not fetch what is pasted into it
    wait_until(lambda: PRIVATE in desk.ask("formats"), "the text on the clipboard", timeout_s=TEXT_S)
    app.kill()
    window.thaw()
    window.settle()
    assert window.text() == ""
    taken_up(app, window, MEETING)


def test_a_clipboard_that_another_program_keeps_open_is_left_alone_and_the_text_is_typed(desk, app, window):
    desk.ask("copy", text="before")
    desk.ask("open_clipboard")
    try:
        app.dictate("chairs")
        assert window.wait_for_text(CHAIRS, TEXT_S, quiet_s=0.5) == CHAIRS
    finally:
        desk.ask("close_clipboard")
    assert desk.ask("clipboard") == "before"


def test_what_a_program_has_copied_that_hangs_stays_its_own_and_the_text_is_typed(desk, app, window):
    owner = desk.ask("promise")
    wait_until(lambda: desk.ask("is_hung", hwnd=owner), "a program that hangs", interval_s=0.2)
    app.dictate("meeting")
    assert window.wait_for_text(MEETING, TEXT_S, quiet_s=0.5) == MEETING
    assert desk.ask("clipboard_owner") == owner
    desk.ask("copy", text="before")


def test_a_profile_is_obeyed_in_its_program_and_in_no_other(desk, app, window):
    app.dictate("chairs")
    assert window.wait_for_text(CHAIRS, TEXT_S, quiet_s=0.5) == CHAIRS
    adapted, number = app.output().count(ADAPTED), desk.ask("clipboard_sequence")
    notepad = desk.open(NotepadTarget)
    app.dictate("chairs")
    text = wait_until(lambda: (t := notepad.text()).endswith("\n") and t, "Enter", timeout_s=TEXT_S)
    assert text != CHAIRS, "it is read as German"
    assert app.output().count(ADAPTED) == adapted + 1
    assert desk.ask("clipboard_sequence") == number, "it is typed"
    notepad.close()


@pytest.mark.parametrize("lost", ["microphone", "server"])
def test_what_was_said_before_the_sound_went_is_kept_and_the_next_take_is_heard(desk, app, window, lost):
    sound = desk.sound
    desk.hardware.down("Control_R")
    app.speak("chairs")
    if lost == "server":
        sound.stop()
    else:
        sound.unplug("mic")
    try:
        wait_until(
            lambda: app.status()["notices"] or app.status()["phase"] != "recording",
            "the loss",
            timeout_s=TEXT_S,
        )
    finally:
        desk.hardware.up("Control_R")
        if lost == "server":
            sound.start()
        else:
            sound.control("load-module", "module-remap-source", "source_name=mic", "master=virtmic.monitor")
            sound.control("set-default-source", "mic")
    assert window.wait_for_text(CHAIRS, TEXT_S) == CHAIRS
    window.clear()
    app.wait_for_phase("idle")
    app.dictate("meeting")
    assert window.wait_for_text(MEETING, TEXT_S) == MEETING


def test_a_new_hotkey_is_recorded_in_the_settings_tried_out_and_dictated_with(desk, app, window):
    assert app.run("settings").returncode == 0
    desk.find_window("Settings")
    desk.activate(desk.x_window("Settings"))
    for key in ("s", "Tab", "Return"):  # in the list of pages; to the first key; another one is wanted
        time.sleep(READY_S)  # as a person who looks first: it tells nobody that it hears keys now
        desk.hardware.tap(key, TAP_S)
    time.sleep(READY_S)
    desk.screenshot("windows-capture")
    desk.hardware.tap("F8", TAP_S)
    app.wait_for_hotkeys("F8")
    wait_until(lambda: app.status()["is_rehearsing"], "the test of the new hotkey")
    desk.hardware.tap("F8", TAP_S)
    wait_until(lambda: not app.status()["is_rehearsing"], "the end of the test")
    desk.keys.chord("Control_L", "w")
    window.focus()
    app.dictate("meeting", key="F8")
    assert window.wait_for_text(MEETING, TEXT_S) == MEETING
    desk.hardware.chord("Control_R")
    assert app.status()["phase"] == "idle", "the one before is none any more"


def test_no_log_has_a_word_of_what_was_said_though_it_could_not_be_inserted(desk, app, window):
    """Of all that the tests before this one have said, too."""
    assert app.run("settings", "set", "method", "type").returncode == 0
    wait_until(lambda: app.status()["method"] == "type", "the new settings")
    hotkey = {"F8": "F8", "Right Ctrl": "Control_R"}[app.status()["hotkeys"][0]]
    app.dictate("chairs", key=hotkey)
    assert window.wait_for_text(CHAIRS, TEXT_S) == CHAIRS
    desk.ask("open_clipboard")  # so that the emoji can be neither typed nor pasted
    try:
        app.dictate("report", key=hotkey)
        wait_until(lambda: app.status()["held"] == 1, "the text that is held", timeout_s=TEXT_S)
    finally:
        desk.ask("close_clipboard")
    assert app.run("quit").returncode == 0
    assert app.process.wait(app.end_s) == 0
    files = [path for path in (app.home / "log").rglob("*") if path.is_file()]
    written = {path.name: path.read_text("utf-8", "replace") for path in files} | {"terminal": app.output()}
    assert len(written["handy-qwen.log"]) > 5000, "there is a log to search"
    for name, content in written.items():
        assert [word for word in WORDS if word.lower() in content.lower()] == [], name
