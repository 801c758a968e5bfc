"""Hold, speak, let go, and the other ways to dictate."""

import time

import pytest

from tests.e2e.desk.processes import wait_until
from tests.wayland.desk import Gnome, Kwin, Sway, Target
from tests.wayland.desk.app import APP_PYTHON, SETTINGS, TARGETS

ESCAPE = "␛"  # what the window makes of the key


def phase(app, name):
    app.wait_for_phase(name)


@pytest.mark.repeated
def test_hold_speak_let_go(dictation, target):
    dictation.fill_clipboards()
    target.forget_focus()
    dictation.hold()
    assert dictation.arrives_in(target), target.text()
    assert target.has_kept_focus(), "the window keeps the focus"
    assert dictation.clipboards_are_restored()


@pytest.mark.parametrize("kind", TARGETS)
def test_into_every_kind_of_window(session, dictation, kind):
    target = Target(session, kind)
    try:
        dictation.fill_clipboards()
        target.forget_focus()
        dictation.hold()
        assert dictation.arrives_in(target), target.text()
        assert target.has_kept_focus()
        assert dictation.clipboards_are_restored()
    finally:
        target.close()


@pytest.mark.repeated
def test_tap_to_start_and_tap_to_stop(session, dictation, target):
    session.keyboard.tap("f9")
    phase(dictation.app, "recording")
    session.say(dictation.speech)
    session.keyboard.tap("f9")
    assert dictation.arrives_in(target), target.text()


@pytest.mark.repeated
def test_a_double_tap_locks_and_another_tap_ends(session, dictation, target):
    for _ in range(2):
        session.keyboard.tap("f9")
        time.sleep(0.15)  # sooner it would be taken for a bounce
    wait_until(lambda: dictation.app.status().get("is_locked"), "the lock", 5, 0.1)
    session.say(dictation.speech)
    session.keyboard.tap("f9")
    assert dictation.arrives_in(target), target.text()


@pytest.mark.repeated
def test_the_lock_key_locks_while_the_hotkey_is_held(session, dictation, target):
    if not isinstance(session, Sway):
        pytest.skip("the portal tells of no other keys")
    session.keyboard.down("f9")
    phase(dictation.app, "recording")
    time.sleep(1.0)
    session.keyboard.tap("space")
    wait_until(lambda: dictation.app.status().get("is_locked"), "the lock", 5, 0.1)
    session.keyboard.up("f9")
    session.say(dictation.speech)
    session.keyboard.tap("f9")
    assert dictation.arrives_in(target), target.text()


@pytest.mark.repeated
@pytest.mark.parametrize("is_held", [True, False])
def test_escape_cancels_and_is_the_windows_own_again(session, dictation, target, is_held):
    if isinstance(session, Gnome):
        pytest.skip("GNOME gives Escape to no program, or for good")
    session.keyboard.tap("esc")
    assert target.wait_for(ESCAPE) == ESCAPE
    session.keyboard.down("f9") if is_held else session.keyboard.tap("f9")
    phase(dictation.app, "recording")
    session.say(dictation.speech)
    session.keyboard.tap("esc")
    phase(dictation.app, "idle")
    session.keyboard.up("f9")
    assert "can_bring_back" in dictation.app.status()
    time.sleep(1)
    assert target.text() == ESCAPE, "the window has got neither the key nor a text"
    session.keyboard.tap("esc")
    assert target.wait_for(ESCAPE * 2) == ESCAPE * 2
    dictation.hold()
    assert dictation.arrives_in(target), "the next take is one"


def test_escape_is_the_windows_own_after_a_crash_in_a_take(session, dictation, target):
    if isinstance(session, Gnome):
        pytest.skip("GNOME gives Escape to no program, or for good")
    app = dictation.app
    session.keyboard.tap("f9")
    phase(app, "recording")
    time.sleep(1)
    app.process.kill()
    app.process.wait(15)
    if isinstance(session, Kwin):
        time.sleep(1)
        session.keyboard.tap("esc")
        assert target.wait_for(ESCAPE) == ESCAPE, "before the app is there again"
    app.start()
    app.wait_for_hotkeys("F9")
    target.close()
    target = Target(session, "qt")  # has the focus, which the app's window has taken
    try:
        session.keyboard.tap("esc")
        assert target.wait_for(ESCAPE) == ESCAPE, "what the crash has left is taken from no window"
    finally:
        target.close()


@pytest.mark.repeated
def test_a_second_take_while_the_first_is_transcribed(dictation, target):
    dictation.hold()
    dictation.hold()
    assert dictation.arrives_in(target, times=2), target.text()


@pytest.mark.repeated
def test_cancel(session, dictation, target):
    session.keyboard.down("f9")
    phase(dictation.app, "recording")
    session.say(dictation.speech)
    dictation.app.run("cancel")
    session.keyboard.up("f9")
    wait_until(lambda: dictation.app.status().get("phase") != "recording", "the end of the take", 20, 0.2)
    time.sleep(2)
    assert target.text() == ""


@pytest.mark.repeated
def test_start_and_stop_from_the_command_line(session, dictation, target):
    dictation.app.run("start")
    phase(dictation.app, "recording")
    session.say(dictation.speech)
    dictation.app.run("stop")
    assert dictation.arrives_in(target), target.text()


def test_a_release_that_gnome_loses_is_found(session, dictation, target):
    """Shift that is pressed while the key is held makes another chord of it."""
    if not isinstance(session, Gnome):
        pytest.skip("only GNOME loses them")
    session.keyboard.down("f9")
    time.sleep(0.4)
    session.say(dictation.speech)
    session.keyboard.down("shift")
    session.keyboard.up("f9")
    session.keyboard.up("shift")
    assert dictation.arrives_in(target), target.text()
    dictation.hold()
    assert dictation.arrives_in(target, times=2), "the next press counts"


@pytest.mark.repeated
def test_the_portal_is_restarted(session, dictation, target):
    session.restart_portal()
    wait_until(lambda: not dictation.app.notices(), "hotkeys again", 30, 0.5)
    time.sleep(2)
    dictation.hold()
    assert dictation.arrives_in(target), target.text()


@pytest.mark.repeated
def test_the_hotkey_is_changed_while_the_app_runs(session, dictation, target):
    file = dictation.app.settings_file
    before = file.read_text("utf-8")
    count = 0
    try:
        for key in ("f10", "f9"):
            file.write_text(f'{SETTINGS}[[hotkeys]]\nchord = "{key}"\n', "utf-8")
            time.sleep(3)
            if isinstance(session, Gnome):
                assert session.answer(session.answers_to_hotkeys), "for another key GNOME asks again"
                time.sleep(1)
            dictation.app.wait_for_hotkeys(key.upper())
            dictation.hold(key)
            count += 1
            assert dictation.arrives_in(target, times=count), target.text()
        if isinstance(session, Sway):  # elsewhere it would be asked for as well
            file.write_text(f'{SETTINGS}[[hotkeys]]\nchord = "ctrl+alt+d"\n', "utf-8")
            dictation.app.wait_for_hotkeys("Ctrl+Alt+D")
            session.keyboard.tap("ctrl", "alt", "d")
            phase(dictation.app, "recording")
            session.say(dictation.speech)
            session.keyboard.tap("ctrl", "alt", "d")
            assert dictation.arrives_in(target, times=3), target.text()
    finally:
        file.write_text(before, "utf-8")


def test_a_hotkey_that_was_changed_meanwhile_asks_nothing_at_login_but_when_a_window_opens(
    session, dictation
):
    if isinstance(session, Sway):
        pytest.skip("sway asks nothing")
    app = dictation.app
    before = app.settings_file.read_text("utf-8")
    try:
        for key in ("f10", "f9"):
            app.stop()
            app.settings_file.write_text(f'{SETTINGS}[[hotkeys]]\nchord = "{key}"\n', "utf-8")
            app.start("--hidden")
            assert not session.answer(session.answers_to_hotkeys, 3.0), "nobody is there"
            assert "Your new hotkey isn't set yet." in app.notices()
            assert app.status()["hotkeys"] == []
            app.run("settings")
            assert not session.answers_to_hotkeys or session.answer(session.answers_to_hotkeys), "it asks now"
            app.wait_for_hotkeys(key.upper())
    finally:
        app.settings_file.write_text(before, "utf-8")


def test_a_new_hotkey_is_recorded_in_the_settings_window(session, dictation):
    if not isinstance(session, Sway):
        pytest.skip("the desktop assigns the keys")
    file = dictation.app.settings_file
    before = file.read_text("utf-8")
    try:
        dictation.app.run("settings")
        for name in ("Shortcut", "Hotkey 1: F9"):
            assert "pressed" in session.press_button(name), name
        time.sleep(1)
        session.keyboard.tap("f10")
        dictation.app.wait_for_hotkeys("F10")
        target = Target(session, "qt")
        wait_until(lambda: not dictation.app.status()["is_rehearsing"], "the end of its test", 20, 0.3)
        dictation.hold("f10")
        assert dictation.arrives_in(target), target.text()
        target.close()
    finally:
        file.write_text(before, "utf-8")
        dictation.app.wait_for_hotkeys("F9")


@pytest.mark.repeated
def test_the_app_is_restarted_and_nothing_is_asked_again(session, dictation):
    dictation.app.stop()
    dictation.app.start("--hidden")
    time.sleep(2)
    for names in (session.answers_to_hotkeys, session.answers_to_keyboard):
        assert not names or not session.answer(names, 1.0), "it asks nothing"
    target = Target(session, "qt")
    try:
        dictation.hold()
        assert dictation.arrives_in(target), target.text()
    finally:
        target.close()


def test_the_number_of_questions(session, dictation):
    """After all of the above, and restarts: one for the hotkeys on GNOME, one for the keyboard on both."""
    assert (
        dictation.questions
        == {
            Gnome: ["hotkeys", "keyboard"],
            Kwin: ["keyboard"],
            Sway: [],
        }[type(session)]
    )


def test_a_shortcut_of_gnomes_own_is_bound_and_taken_back(session, dictation, target):
    """As on a GNOME without the portal. Its settings daemon starts the command."""
    if not isinstance(session, Gnome):
        pytest.skip("other desktops have other ways")
    daemon = session.start("gsd-media-keys", "/usr/libexec/gsd-media-keys")
    wait_until(lambda: session.has_bus_name("org.gnome.SettingsDaemon.MediaKeys"), "the daemon", 20, 0.3)

    def own_key(what):
        script = f"from handy_qwen.system.hotkeys.own_keys import own_key; print(own_key('F8').{what})"
        return session.run(APP_PYTHON, "-c", script).strip()

    try:
        own_key("bind()")
        assert own_key("is_bound()") == "True"
        time.sleep(2)
        session.keyboard.tap("f8")
        phase(dictation.app, "recording")
        session.say(dictation.speech)
        session.keyboard.tap("f8")
        assert dictation.arrives_in(target), target.text()
        own_key("unbind()")
        assert own_key("is_bound()") == "False"
        time.sleep(2)
        session.keyboard.tap("f8")
        time.sleep(3)
        assert dictation.app.status()["phase"] == "idle"
    finally:
        session.processes.stop(daemon)


@pytest.fixture(scope="module")
def panel(dictation):
    """It comes when the app has long been there."""
    dictation.session.start_panel()


@pytest.mark.repeated
@pytest.mark.usefixtures("panel")
def test_the_panel_is_restarted_and_has_the_tray_icon_again(session, dictation):
    wait_until(lambda: "StatusNotifierItem" in session.tray_items(), "the icon", 20, 0.3)
    session.restart_panel()
    wait_until(lambda: "StatusNotifierItem" in session.tray_items(), "the icon again", 30, 0.3)
    target = Target(session, "qt")
    try:
        dictation.hold()
        assert dictation.arrives_in(target), target.text()
    finally:
        target.close()


def test_doctor_says_what_is_so(dictation):
    said = dictation.app.run("doctor", timeout_s=120)
    hotkeys = said[said.index("hotkeys ") :].splitlines()[0]
    assert "PROBLEM" not in hotkeys
