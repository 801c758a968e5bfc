"""The Windows program, under Wine, as its user meets it: keys, microphone, engine, insertion and commands.

What the tests of X11 beside this one show, and where it is shown of the Windows program:

| modules | on Windows |
|---|---|
| app, app_history, command_line, doctor | here, most once; bad input and Ctrl-C by unit tests |
| app_commands, insert_limits | profiles: windows_trouble; deletion: windows_insert; else unit tests |
| app_faults, app_models | not: a full or slow disk and a download cannot be had in Wine; unit tests |
| app_files, app_start, app_vocabulary | paths here, installation: windows_installed; the pages are Qt's |
| app_settings, app_shortcut | a hotkey recorded: windows_trouble; other pages are Qt's and the same code |
| app_surroundings | not: Wine neither sleeps nor has players |
| app_trouble, microphone, microphone_page | sound lost: windows_trouble; the default: windows_microphone |
| app_windows, ui_windows, ui_screens | opened here; size: windows_first_run; not the dark ones: see there |
| first_run | windows_first_run |
| hotkeys, hotkeys_capture | here and windows_trouble; what X11 alone has (grabs, XTEST) has no counterpart |
| insert_matrix, insert_keys | windows_insert, with layouts; locked keys and Sticky Keys by unit tests |
| insert_clipboard, insert_faults | here and windows_trouble; selections and managers of X11 not |
| kills, no_words_in_logs | windows_trouble; tests/bench/kills.py --windows has many more |
| accessible, other_user, private | not: no screen reader, one user and one network in Wine |
| desk, hotkeys_portal | not: they are about the desktop of Linux |
"""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.e2e.app import SPOKEN
from tests.e2e.desk import XtermTarget
from tests.e2e.desk.processes import wait_until
from tests.e2e.desk.wine import NotepadTarget, WineApp, WineDesktop, WineQtTarget, windows_path, wine_folder

wine_folder()
pytestmark = pytest.mark.desktop
HERE = Path(__file__).parent
CHAIRS, MEETING = SPOKEN["chairs"], SPOKEN["meeting"]
TEXT_S = 60.0
QT_ESCAPE, QT_D = 0x01000000, 0x44
VK_CONTROL, VK_RCONTROL = 0x11, 0xA3
PRIVATE = {
    "ExcludeClipboardContentFromMonitorProcessing",
    "CanIncludeInClipboardHistory",
    "CanUploadToCloudClipboard",
}


def settings(method="paste", chord="ctrl_r", more=""):
    return f'smart_spacing = false\nmethod = "{method}"\n{more}[[hotkeys]]\nchord = "{chord}"\n'


def replaced(written):
    return f'[[replacements]]\nheard = "chairs"\nwritten = {json.dumps(written, ensure_ascii=False)}\n'


@pytest.fixture(scope="module")
def desk():
    with WineDesktop() as desktop:
        yield desktop


@pytest.fixture(scope="module")
def running(desk):
    # The home of a user who is called so: settings, models and recordings are under it.
    with WineApp(desk, "Jörg Łukasz 漢字", settings()) as app:
        yield app


@pytest.fixture
def app(running):
    """The program with its settings as they were at first, and nothing under way."""
    change(running, settings())
    wait_until(lambda: running.status()["phase"] == "idle", "the end of what was before", timeout_s=TEXT_S)
    return running


@pytest.fixture(scope="module")
def qt(desk):
    target = desk.open(WineQtTarget)
    yield target
    target.close()


@pytest.fixture
def window(qt):
    """The Qt window, empty, with the focus."""
    qt.focus()
    qt.clear()
    qt.keys.clear()
    return qt


@pytest.fixture
def notepad(desk):
    target = desk.open(NotepadTarget)
    yield target
    target.close()


@pytest.fixture(autouse=True)
def no_key_stays_down(desk):
    yield
    left = desk.keys.held(), desk.ask("held")
    desk.keys.release_all()
    assert left == ([], []), "keys left down"


def change(app, text):
    """Write the settings file, as a user does, and wait until the program goes by it."""
    method, chord = (text.split(f'{name} = "')[1].split('"')[0] for name in ("method", "chord"))
    path = app.home / "config" / "settings.toml"
    text = f"set_up = true\n{text}"
    if path.read_text(encoding="utf-8") == text:
        return
    # Another value in between: so it is seen that the file was read again, whatever is changed in it.
    between = "copy" if method != "copy" else "type"
    for now, expected in ((text.replace(f'"{method}"', f'"{between}"', 1), between), (text, method)):
        path.write_text(now, encoding="utf-8")
        wait_until(lambda e=expected: app.status().get("method") == e, "the new settings")
    count = chord.count("+")

    def is_listened_for():
        status = app.status()
        return status.get("is_ready") and status["hotkeys"][0].count("+") == count

    wait_until(is_listened_for, "the new hotkey")


def test_the_text_is_pasted_and_the_clipboard_is_as_before(desk, app, window):
    before = {"13": "vorher ä€\0".encode("utf-16-le").hex(), "HTML Format": b"<b>before</b>\0".hex()}
    desk.ask("copy", formats=before)
    app.dictate("chairs")
    assert window.wait_for_text(CHAIRS, TEXT_S, quiet_s=0.5) == CHAIRS
    wait_until(lambda: desk.ask("clipboard") == "vorher ä€", "what was on the clipboard")
    assert desk.ask("clipboard_bytes", kind="HTML Format") == before["HTML Format"]


def test_copied_files_and_pictures_come_back(desk, app, window):
    names = "C:\\one.txt\0C:\\zwei.txt\0\0".encode("utf-16-le")
    files = b"\x14\0\0\0" + bytes(12) + b"\1\0\0\0" + names  # DROPFILES: pFiles, pt, fNC, fWide
    picture = (40).to_bytes(4, "little") + b"\1\0\0\0\1\0\0\0\1\0\x18\0" + bytes(24) + b"\xff\0\0\0"
    for kind, data in (("15", files), ("8", picture)):  # CF_HDROP, CF_DIB
        window.clear()
        desk.ask("copy", formats={kind: data.hex()})
        app.dictate("meeting")
        assert window.wait_for_text(MEETING, TEXT_S, quiet_s=0.5) == MEETING
        wait_until(lambda k=kind: desk.ask("clipboard_bytes", kind=k), "the copy")
        assert desk.ask("clipboard_bytes", kind=kind).startswith(data.hex())


def test_a_text_is_put_into_notepad(app, notepad):
    app.dictate("chairs")
    assert notepad.wait_for_text(CHAIRS, TEXT_S) == CHAIRS


def test_a_sentence_that_the_user_has_typed_is_continued(desk, app, notepad):
    change(app, settings().replace("smart_spacing = false\n", ""))
    app.dictate("chairs")
    assert notepad.wait_for_text(CHAIRS, TEXT_S) == CHAIRS
    desk.run("xdotool", "key", "ctrl+Home")
    desk.run("xdotool", "type", "--delay", "30", "It was him who")
    before = "It was him who"
    assert notepad.wait_for_text(before + CHAIRS, TEXT_S) == before + CHAIRS
    app.dictate("meeting")
    whole = f"{before} {MEETING[:1].lower()}{MEETING[1:]} {CHAIRS}"
    assert notepad.wait_for_text(whole, TEXT_S) == whole


def test_two_takes_come_in_their_order(app, window):
    app.dictate("chairs")
    app.dictate("meeting")
    assert window.wait_for_text(CHAIRS + MEETING, TEXT_S, quiet_s=0.5) == CHAIRS + MEETING


def test_two_taps_around_the_speech_and_a_double_tap_before_it(app, window):
    app.tap()
    app.speak("meeting")
    app.tap()
    assert window.wait_for_text(MEETING, TEXT_S) == MEETING
    window.clear()
    app.tap(times=2)
    wait_until(lambda: app.status()["is_locked"], "the lock")
    app.speak("meeting")
    app.tap()
    assert window.wait_for_text(MEETING, TEXT_S) == MEETING


def test_escape_gives_the_take_up_and_reaches_no_window(desk, app, window):
    desk.hardware.down("Control_R")
    app.speak("chairs")
    desk.hardware.chord("Escape")
    desk.hardware.up("Control_R")
    app.wait_for_phase("idle")
    app.dictate("meeting")
    assert window.wait_for_text(MEETING, TEXT_S, quiet_s=0.5) == MEETING
    assert QT_ESCAPE not in window.keys


def test_a_shortcut_with_the_same_key_is_no_take(desk, app, window):
    desk.hardware.chord("h")
    desk.hardware.down("Control_R")
    desk.hardware.chord("a")
    desk.hardware.up("Control_R")
    desk.hardware.chord("x")
    assert window.wait_for_text("x", quiet_s=1.0) == "x", "Ctrl+A selected, x replaced"
    assert app.status()["waiting"] == 0


def test_commands_of_a_second_process(desk, app, window):
    assert app.run("stop").returncode == 1, "nothing is recorded"
    assert app.run("start").returncode == 0
    app.speak("chairs")
    assert app.run("stop").returncode == 0
    assert window.wait_for_text(CHAIRS, TEXT_S) == CHAIRS
    assert app.run("last").stdout == f"{CHAIRS}\n"
    app.run("toggle")
    app.speak("chairs")
    assert app.run("cancel").returncode == 0
    second = app.run()
    assert second.returncode == 0
    assert "running already" in second.stdout
    desk.find_window("Handy Qwen")
    desk.screenshot("windows-main")


def test_a_text_waits_for_its_window(desk, app, window, notepad):
    window.focus()
    desk.hardware.down("Control_R")
    app.speak("chairs")
    notepad.focus()
    desk.hardware.up("Control_R")
    wait_until(lambda: app.status()["held"] == 1, "the text to be held", timeout_s=TEXT_S)
    assert (notepad.text(), window.text()) == ("", "")
    window.focus()
    app.dictate("meeting")
    both = f"{CHAIRS} {MEETING}"
    assert window.wait_for_text(both, TEXT_S) == both


@pytest.mark.parametrize("written", ["Stühle ß € 漢字\nnew\tend", "a 😀 b 👩‍👩‍👧"])
def test_what_no_key_of_the_layout_makes_is_typed(app, window, written):
    change(app, settings("type") + replaced(written))
    expected = CHAIRS.replace("chairs", written)
    app.dictate("chairs")
    assert window.wait_for_text(expected, TEXT_S, quiet_s=0.5) == expected


def test_what_is_only_copied_stays_out_of_the_history_of_the_clipboard(desk, app, window):
    change(app, settings("copy"))
    app.dictate("meeting")
    wait_until(lambda: desk.ask("clipboard") == MEETING, "the copy", timeout_s=TEXT_S)
    assert window.text() == ""
    assert set(desk.ask("formats")) >= PRIVATE


def test_enter_comes_after_the_text(app, window):
    change(app, settings(more='submit = "enter"\n'))
    app.dictate("meeting")
    assert window.wait_for_text(f"{MEETING}\n", TEXT_S) == f"{MEETING}\n"


def test_a_chord_is_the_hotkey_and_reaches_no_window(desk, app, window):
    change(app, settings(chord="ctrl+alt+d"))
    desk.hardware.down("Control_L", "Alt_L", "d")
    app.speak("meeting")
    desk.hardware.up("d", "Alt_L", "Control_L")
    assert window.wait_for_text(MEETING, TEXT_S) == MEETING
    assert QT_D not in window.keys


def test_altgr_is_not_ctrl_and_alt(desk, app, window):
    change(app, settings(chord="ctrl+alt+e"))
    desk.set_layout("de")
    try:
        desk.hardware.down("Alt_R")  # AltGr: Windows adds a left Ctrl
        desk.hardware.chord("e")
        desk.hardware.up("Alt_R")
        wait_until(lambda: "€" in window.text(), "the euro sign")
        assert app.status()["phase"] == "idle"
    finally:
        desk.set_layout("us")


def test_a_release_that_no_hook_sees_ends_the_take_and_leaves_no_key_down(desk, app, window):
    """As on the secure desktop, after Win+L or for a UAC prompt: no program there hears what is let go of."""
    elsewhere = desk.open(XtermTarget)  # no window of Wine: its keys are none that Wine hears
    window.focus()
    desk.hardware.down("Control_R")
    app.speak("meeting")
    elsewhere.focus()
    desk.hardware.up("Control_R")
    window.focus()
    assert window.wait_for_text(MEETING, TEXT_S) == MEETING
    elsewhere.close()


def test_a_take_ends_on_release_though_windows_has_removed_the_hooks(desk, app, window):
    """Held is a key that the hook has kept from Windows, which so cannot tell that it is up."""
    change(app, settings(chord="ctrl+alt+d"))
    unhooked = WineApp(desk, "unhooked", settings(chord="f9"))
    unhooked.command = desk.python(HERE / "desk" / "wine_unhooked.py")
    order = unhooked.home / "unhook"
    with unhooked:
        for _ in range(2):  # the second time with the hooks that were set since
            window.focus()
            desk.hardware.down("F9")
            unhooked.speak("meeting")
            order.touch()
            wait_until(lambda: not order.exists(), "the end of the hooks", interval_s=0.02)
            desk.hardware.up("F9")
            assert window.wait_for_text(MEETING, TEXT_S) == MEETING
            window.clear()


def test_no_menu_opens_after_alt_was_the_hotkey(desk, app, notepad):
    change(app, settings(chord="alt_r"))
    desk.hardware.down("Alt_R")
    app.speak("meeting")
    desk.hardware.up("Alt_R")
    assert notepad.wait_for_text(MEETING, TEXT_S) == MEETING
    desk.hardware.chord("x")
    assert notepad.wait_for_text(f"{MEETING}x") == f"{MEETING}x"


def test_a_mouse_button_is_a_hotkey(desk, app, window):
    change(app, settings(chord="mouse4"))
    desk.run("xdotool", "mousemove", "--window", str(window.window), "200", "100", "mousedown", "8")
    app.speak("meeting")
    desk.run("xdotool", "mouseup", "8")
    assert window.wait_for_text(MEETING, TEXT_S) == MEETING


def test_a_model_is_imported_used_and_removed(app, window):
    checkpoint = windows_path(ROOT / "tests" / "data" / "demo-checkpoint")
    imported = app.run("model", "import", checkpoint, "--name", "mine")
    assert imported.returncode == 0, imported.stdout
    assert app.run("model", "use", "mine").returncode == 0
    wait_until(lambda: app.status()["model"] == "mine" and app.status()["is_ready"], "the model")
    app.dictate("meeting")
    assert window.wait_for_text(MEETING, TEXT_S) == MEETING
    assert app.run("model", "use", "demo").returncode == 0
    wait_until(lambda: app.status()["model"] == "demo" and app.status()["is_ready"], "the other model")
    removed = app.run("model", "remove", "mine", "--yes")
    assert removed.returncode == 0, removed.stdout
    assert not (app.home / "data" / "models" / "mine").exists()


def test_a_file_on_a_server_is_transcribed_beside_it(desk, app):
    folder, called = desk.prefix / "dosdevices/unc/server/Jörg 漢字", r"\\server\Jörg 漢字"
    folder.mkdir(parents=True)
    shutil.copy(app.wav("meeting"), folder / "nul-taste.wav")
    done = app.run("transcribe", rf"{called}\nul-taste.wav", "--output", rf"{called}\texts")
    assert done.returncode == 0, done.stdout
    assert (folder / "texts" / "nul-taste.wav.txt").read_text("utf-8").strip() == MEETING


def test_a_file_whose_path_is_longer_than_260_characters_is_transcribed(desk, app):
    """Wine takes such paths from all programs, Windows from those that say so, where it is turned on."""
    folder = desk.folder.joinpath(*["ein langer Name " + "é" * 40] * 6)
    folder.mkdir(parents=True)
    wav = Path(shutil.copy(app.wav("meeting"), folder))
    assert len(windows_path(wav)) > 260
    done = app.run("transcribe", windows_path(wav))
    assert done.returncode == 0, done.stdout
    assert MEETING in done.stdout


def test_the_history_is_exported_and_the_doctor_is_content(desk, app, window):
    app.dictate("meeting")
    assert window.wait_for_text(MEETING, TEXT_S) == MEETING
    table = desk.folder / "all.csv"
    done = app.run("history", "export", "--format", "csv", "--output", windows_path(table))
    assert done.returncode == 0, done.stdout
    assert MEETING in table.read_text(encoding="utf-8")
    report = app.run("doctor").stdout
    assert {"hotkeys", "tray"} <= {line.split()[0] for line in report.splitlines() if " ok " in line}, report


def test_a_kill_while_recording_costs_nothing_that_was_said(desk, app):
    change(app, settings(chord="ctrl+alt+d"))  # it would hear the key, too
    with WineApp(desk, "killed", settings()) as killed:
        window = desk.open(WineQtTarget)
        desk.hardware.down("Control_R")
        killed.speak("chairs")
        desk.ask("kill", pid=killed.status()["pid"])
        desk.hardware.up("Control_R")
        killed.process.wait(TEXT_S)
        assert killed.run("status").returncode == 1
        killed.__enter__()
        wait_until(lambda: killed.status().get("held") == 1, "what was left", timeout_s=TEXT_S)
        window.focus()
        killed.run("paste")
        assert window.wait_for_text(CHAIRS, TEXT_S) == CHAIRS
        window.close()


def test_what_lasts_is_told_by_windows_where_the_overlay_is_off(desk, app):
    def balloons():
        return [one for one in desk.ask("windows") if one["class"] == "tooltips_class32"]

    change(app, settings(more='overlay = "off"\n'))
    assert not balloons()
    with (app.home / "config" / "settings.toml").open("a", encoding="utf-8") as file:
        file.write('mode = "hol')
    wait_until(balloons, "the message")
    desk.screenshot("windows-message")


def test_the_tray_has_a_menu_and_the_guide_comes_up(desk, app):
    desk.run("xdotool", "mousemove", "1268", "784", "click", "3")  # the tray's only icon
    wait_until(lambda: [one for one in desk.ask("windows") if "Popup" in one["class"]], "the menu")
    desk.screenshot("windows-tray")
    desk.run("xdotool", "key", "Escape")
    assert app.run("setup").returncode == 0
    desk.find_window("Set up")
    desk.screenshot("windows-guide")


QUOTED = """
import subprocess, sys
from handy_qwen.shell import command_of
code = "import sys; print(ascii(sys.argv[1:]))"
command = command_of(sys.executable, "-c", code, *sys.argv[1:])
subprocess.run(f'cmd /d /s /c "{command}"', check=True)
"""


def test_a_command_that_is_told_means_to_cmd_what_it_says(desk):
    words = [r"C:\R&D (old)\Jörg 漢字", "100% of it", "a^b|c", "plain"]
    assert desk.run(*desk.python("-c", QUOTED, *words)).strip() == ascii(words)
