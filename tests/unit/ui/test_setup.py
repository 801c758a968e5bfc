"""The guide with stand-ins around it: what each page shows, asks for, and counts as done."""

import threading
from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QPushButton, QWidget

from handy_qwen import paths
from handy_qwen.core.events import Request
from handy_qwen.core.models import InstallStage, ModelEntry, ModelList, ModelStatus, Progress
from handy_qwen.core.permissions import Consent, Permission
from handy_qwen.core.types import Captured, CaptureStep, Hotkey, KeyOffer, KeyPermission, Mode, Submit
from handy_qwen.core.view import HOTKEYS, Choices, Notice, NoticeKind, Phase, View, Window
from handy_qwen.errors import HandyError
from handy_qwen.settings import Settings, SettingsView
from handy_qwen.ui import strings
from handy_qwen.ui.setup import pages, reading
from handy_qwen.ui.setup.reading import missed
from handy_qwen.ui.setup.window import SetupWindow
from handy_qwen.ui.widgets import MeterBar
from tests.e2e.shelves import SHELVES
from tests.unit.ui.gallery import labels, letters

CHOICES = Choices(hotkeys=("Right Ctrl",), microphones=("Desk", "Headset"))
IDLE = View(phase=Phase.IDLE, choices=CHOICES)
RECORDING = replace(IDLE, phase=Phase.RECORDING, began_s=1.0)
PRESSED = replace(IDLE, is_key_down=True)
MODEL, MICROPHONE, HOTKEY, DICTATION, AUTOSTART, DONE = range(6)
DOWN = QEvent.Type.KeyPress
pytestmark = pytest.mark.usefixtures("qapp", "app_home")


def choosing(**choices):
    return replace(IDLE, choices=replace(CHOICES, **choices))


@pytest.fixture
def window(asked):
    made = SetupWindow(asked, asked, lambda: -18.0, asked.models)
    made.show_view(IDLE)
    made.present()
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def page_of(window, asked):
    """Brings a page up; nothing has been asked for then."""

    def made(place):
        window.go_to(place)
        asked.calls.clear()
        return window.page

    return made


def requests(asked):
    return [call for call in asked.calls if isinstance(call, Request)]


def commands(asked, name):
    return [call[1:] for call in asked.calls if isinstance(call, tuple) and call[0] == name]


def say(window, text, *, typed=False, model="demo"):
    """Have ``text`` dictated into the page's field, or typed there."""
    page, view = window.page, choosing(model=model)
    if not typed:
        window.show_view(replace(view, phase=Phase.RECORDING, began_s=1.0))
        window.show_view(replace(view, phase=Phase.TRANSCRIBING))
    page.heard.setText(text) if window.place == MICROPHONE else page.field.insertPlainText(text)
    window.show_view(view if typed else replace(view, recent=(text.strip(),)))
    return page


def default_button(window):
    """The button that looks like the one that Enter presses."""
    (found,) = [one for one in window.findChildren(QPushButton) if one.isDefault() and one.isVisible()]
    return found


def notice(number, kind=NoticeKind.DEAD_MICROPHONE, **more):
    return replace(IDLE, notices=(Notice(number, kind, "It broke.", "Mend it.", **more),))


def send(widget, kind, code):
    QApplication.sendEvent(widget, QKeyEvent(kind, code, Qt.KeyboardModifier.NoModifier))


def hear(asked, step, keys="", error=None):
    """What the program's listener tells of a new hotkey."""
    asked.callbacks["capture_hotkey"](Captured(step, keys, error))
    QApplication.processEvents()


# --- the window -------------------------------------------------------------------------------------


def test_every_step_can_be_skipped_and_gone_back_to(window):
    for place in range(5):
        assert window.place == place
        assert window.forward.text() == ("S&kip" if place != AUTOSTART else "&Next")
        window.forward.click()
    assert window.forward.text() == "&Finish"
    window.back.click()
    assert window.place == AUTOSTART
    window.steps.entries[HOTKEY].click()
    assert window.place == HOTKEY
    window.steps.entries[DONE].click()
    window.forward.click()
    assert not window.isVisible()


@pytest.mark.parametrize(("left", "found"), [(DICTATION, DICTATION), (DONE, MODEL)])
def test_closed_half_way_it_comes_up_where_it_was_and_finished_at_its_beginning(window, left, found):
    window.go_to(left)
    window.close()
    window.present()
    assert window.place == found


def test_what_is_done_is_marked_and_named_for_who_cannot_see_it(window, page_of):
    page_of(DICTATION)
    say(window, "The meeting starts at five o'clock.")
    assert window.steps.entries[DICTATION].accessibleName().startswith("First text, done")
    assert window.steps.entries[HOTKEY].accessibleName() == "Hotkey"


def test_no_letter_is_lost_to_a_page_that_is_not_seen(window):
    texts = [one.text() for page in window.pages for one in page.findChildren(QAbstractButton)]
    assert {"Start Handy Qwen when I &log in", "&Listen"} <= set(texts)


def test_escape_closes_and_enter_presses_what_has_the_keyboard(window, qtbot):
    window.forward.setFocus()
    qtbot.keyClick(window.forward, Qt.Key.Key_Return)
    assert window.place == MICROPHONE
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible()


def test_the_button_that_looks_like_it_is_the_one_that_enter_presses(window, asked, page_of, qtbot):
    assert default_button(window) is window.forward
    page = page_of(MICROPHONE)
    assert default_button(window) is page.record
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Return)
    assert requests(asked) == [Request.START]
    window.show_view(RECORDING)
    assert default_button(window) is page.record, "Enter in the field ends the recording"
    say(window, "The meeting starts at five o'clock.")
    assert default_button(window) is window.forward
    window.back.setFocus()
    assert default_button(window) is window.back


def test_enter_goes_on_from_a_check_box_and_leaves_it_as_it_is(window, asked, page_of, qtbot):
    assert page_of(AUTOSTART).box is window.focusWidget()
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Return)
    assert window.place == DONE
    assert not commands(asked, "use_autostart")


def test_the_keyboard_waits_for_the_first_model_and_is_left_where_the_user_put_it(window):
    assert window.focusWidget() is window.scrolled
    window.show_models(SHELVES["empty"])
    assert window.focusWidget() is window.page.first_focus()
    window.steps.entries[MICROPHONE].setFocus()
    window.show_models(SHELVES["downloading"])
    assert window.focusWidget() is window.steps.entries[MICROPHONE]


def test_no_page_scrolls_because_another_one_is_high(window, qtbot):
    many = [replace(SHELVES["empty"].entries[0], name=str(number)) for number in range(5)]
    window.show_models(ModelList(tuple(many)))
    bar = window.scrolled.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    bar.setValue(bar.maximum())
    for place in range(MICROPHONE, DONE + 1):
        window.go_to(place)
        qtbot.waitUntil(lambda: bar.maximum() == 0)
    window.go_to(MODEL)
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    assert bar.value() == 0, "it begins at its top"


def test_what_fails_is_told_until_the_next_try_and_what_lasts_on_every_page(window, page_of):
    page = page_of(MICROPHONE)
    window.show_view(notice(3))
    assert page.trouble.isVisible()
    page.record.click()
    window.show_view(notice(3))
    assert not page.trouble.isVisible()
    window.show_view(notice(4))
    assert page.trouble.isVisible()
    page = page_of(HOTKEY)
    window.show_view(notice(4))
    assert not page.trouble.isVisible()
    window.show_view(notice(4, NoticeKind.FAILED, is_lasting=True))
    assert page.trouble.isVisible()
    page = page_of(MICROPHONE)
    assert page.trouble.isVisible(), "at once, whatever is shown next"
    page.record.click()
    assert page.trouble.isVisible(), "a try does not mend it"


# --- microphone -------------------------------------------------------------------------------------


def test_listening_begins_with_the_cursor_in_the_field_and_ends_with_the_same_button(
    window, asked, page_of, qtbot
):
    page = page_of(MICROPHONE)
    page.record.click()
    assert window.focusWidget() is page.heard
    window.show_view(RECORDING)
    assert page.record.text() == "&Stop"
    qtbot.keyClick(page.heard, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: requests(asked) == [Request.START, Request.STOP])


def test_the_sentence_read_well_counts_whatever_its_punctuation(window, page_of, qtbot):
    page_of(MICROPHONE)
    page = say(window, "the meeting starts at five o'clock")
    assert page.verdict.words == "Every word is right. This microphone works."
    assert page.is_done
    assert window.forward.text() == "&Next"
    page.heard.setFocus()
    qtbot.keyClick(page.heard, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.place == HOTKEY)
    assert not window.page.cap.is_capturing, "it was one Enter, for one thing"
    repeat = QKeyEvent(DOWN, Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier, "\r", True)
    QApplication.sendEvent(window.focusWidget(), repeat)
    assert not window.page.cap.is_capturing, "and is still held"


ALMOST = "5 of 6 words are right. Missed: five."


@pytest.mark.parametrize(
    ("place", "model", "text", "verdict"),
    [
        (MICROPHONE, "demo", "The meeting starts at nine o'clock.", ALMOST),
        (
            MICROPHONE,
            "demo",
            "Good evening to you.",
            "None of the words are right. Move closer to the microphone, or choose another one.",
        ),
        (MICROPHONE, "big", "The meeting starts at nine o'clock.", ALMOST),
        (
            MICROPHONE,
            "big",
            "Guten Abend, lieber Computer.",
            "Is that what you said? Then this microphone works.",
        ),
        (
            DICTATION,
            "demo",
            "The meeting starts at five o'clock.",
            "That's it. It works the same in every window.",
        ),
        (
            DICTATION,
            "demo",
            "Please send the chairs to Anna.",
            "The text was inserted, but not every word is right: the demo model knows only some 300 words. "
            "Say exactly the sentence above.",
        ),
        (
            DICTATION,
            "big",
            "Please send the chairs to Anna.",
            "That's it. It works the same in every window.",
        ),
    ],
)
def test_with_the_demo_model_the_sentence_counts_and_with_a_full_one_the_users_own_words(
    window, place, model, text, verdict
):
    window.go_to(place)
    page = say(window, text, model=model)
    assert page.verdict.words == verdict
    assert page.is_done is (
        verdict
        in {
            "Is that what you said? Then this microphone works.",
            "That's it. It works the same in every window.",
        }
    )
    assert page.task.text() == (
        "Say exactly this sentence:" if model == "demo" else "Read this aloud, or say something of your own:"
    )


@pytest.mark.parametrize("place", [MICROPHONE, DICTATION])
def test_what_was_typed_proves_nothing(window, page_of, place):
    page_of(place)
    page = say(window, "The meeting starts at five o'clock.", typed=True)
    assert page.verdict.words == ""
    assert not page.is_done


@pytest.mark.parametrize(
    ("text", "not_there"),
    [
        ("The meeting starts at five o'clock.", []),
        ("the meeting starts at five", ["o'clock"]),
        ("Well, the meeting starts at about five o'clock", []),
        ("five o'clock", ["the", "meeting", "starts", "at"]),
        ("", ["the", "meeting", "starts", "at", "five", "o'clock"]),
    ],
)
def test_the_words_that_were_missed_are_named(text, not_there):
    assert missed("The meeting starts at five o'clock.", text) == not_there


@pytest.mark.parametrize(
    ("sentence", "text", "not_there"),
    [
        ("会议五点开始。", "会议5点开始", ["五"]),
        ("बैठक पाँच बजे शुरू होती है।", "बैठक बजे शुरू होती है", ["पाँच"]),
        ("L\u2019incontro inizia alle cinque.", "l'incontro inizia alle cinque", []),
    ],
)
def test_words_are_those_of_the_script(sentence, text, not_there):
    assert missed(sentence, text) == not_there


def test_a_text_that_continues_another_field_does_not_begin_with_a_space(window):
    heard, field = window.pages[MICROPHONE].heard, window.pages[DICTATION].field
    heard.setText(f" {reading.SENTENCE}")
    assert heard.text() == "The meeting starts at five o'clock."
    field.insertPlainText(" Good evening.")
    field.insertPlainText(" Good night.")
    assert field.toPlainText() == "Good evening. Good night."


def test_the_microphones_are_offered_and_one_is_chosen(window, asked):
    device = window.pages[MICROPHONE].device
    assert [device.itemText(n) for n in range(3)] == ["System default", "Desk", "Headset"]
    window.show_view(choosing(microphone="Headset"))
    assert device.currentText() == "Headset"
    window.show_view(choosing(microphone="Gone"))
    assert device.currentText() == "Gone (not connected)"
    device.activated.emit(1)
    assert commands(asked, "use_microphone") == [("Desk",)]


@pytest.mark.parametrize("leave", [lambda window: window.forward.click(), lambda window: window.close()])
def test_leaving_the_page_gives_up_what_is_recorded(window, asked, page_of, leave):
    page_of(MICROPHONE)
    window.show_view(RECORDING)
    leave(window)
    assert requests(asked)[0] is Request.CANCEL


def test_a_voice_moves_the_meter_and_is_told_of(window, page_of, qtbot):
    page = page_of(MICROPHONE)
    window.show_view(RECORDING)
    assert page.voice.text() == "We can't hear you yet. Speak up, or choose another microphone."
    qtbot.waitUntil(lambda: page.meter.loudest_db == -18.0)
    window.show_view(RECORDING)
    assert page.voice.text() == "We can hear you."


def test_the_meter_asks_for_the_level_only_while_it_runs(qtbot):
    asked = []
    bar = MeterBar(lambda: asked.append(True) or -30.0)
    qtbot.addWidget(bar)
    bar.show()
    bar.run(True)
    qtbot.waitUntil(lambda: len(asked) > 2)
    bar.hide()
    count = len(asked)
    qtbot.wait(150)
    assert len(asked) == count


def test_the_demo_model_knows_the_sentence(demo_recognizer):
    from handy_qwen.audio.files import load

    samples = load(paths.asset("speech/meeting.flac"))
    assert (
        missed("The meeting starts at five o'clock.", demo_recognizer.transcribe(samples, exact=True).text)
        == []
    )


# --- hotkey -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", Mode)
def test_while_the_page_is_up_the_hotkey_only_lights_up(window, asked, mode):
    window.go_to(HOTKEY)
    page, released = window.page, choosing(mode=mode)
    window.show_view(replace(released, is_key_down=True))
    assert page.cap.is_lit
    assert page.hint.words == "Pressed. Now release it."
    assert not page.is_done
    window.show_view(released)
    assert not page.cap.is_lit
    assert page.hint.words == pages.HOTKEY_WORKS[mode]
    assert page.is_done
    window.go_to(DICTATION)
    assert requests(asked) == [Request.REHEARSE, Request.PERFORM]


def test_closing_or_minimizing_the_window_gives_the_hotkey_back(window, asked, page_of):
    page = page_of(HOTKEY)
    window.close()
    window.present()
    page.change.click()
    state = Qt.WindowState  # set as the title bar does: a dialog of Qt 6.8 takes showNormal() for coming up
    window.setWindowState(state.WindowMinimized)
    assert not page.cap.is_capturing
    window.setWindowState(state.WindowNoState)
    window.setWindowState(state.WindowMaximized)
    window.setWindowState(state.WindowNoState)
    assert requests(asked) == [Request.PERFORM, Request.REHEARSE] * 2


def test_a_window_that_is_open_comes_to_the_front_as_large_as_it_was(window):
    shown = []
    window.shown.connect(lambda: shown.append(1))
    maximized = Qt.WindowState.WindowMaximized
    for state in (maximized, maximized | Qt.WindowState.WindowMinimized):
        window.setWindowState(state)
        window.present()
        assert (window.isMinimized(), window.isMaximized(), shown) == (False, True, [])


def test_another_key_is_chosen_by_pressing_it(window, asked, page_of):
    page = page_of(HOTKEY)
    window.show_view(PRESSED)
    window.show_view(IDLE)
    page.change.click()
    assert page.cap.accessibleName() == strings.PRESS_KEY
    hear(asked, CaptureStep.HOLDING, "F8")
    assert page.cap.accessibleName() == "F8"
    hear(asked, CaptureStep.CHOSEN, "F8")
    assert commands(asked, "use_hotkeys") == [([Hotkey("F8")], 0)]
    assert not page.cap.is_capturing
    window.show_view(choosing(hotkeys=("F8",)))
    assert page.cap.accessibleName() == "F8"
    assert not page.is_done, "the new one has not been tried"


def test_a_new_key_takes_the_place_of_the_first_and_keeps_its_language(window, asked, page_of):
    page, german, other = page_of(HOTKEY), Hotkey("F9", "German", Submit.ENTER), Hotkey("Right Ctrl")
    window.show_settings(SettingsView(values=Settings(hotkeys=(german, other))))
    page.change.click()
    hear(asked, CaptureStep.CHOSEN, "F8")
    assert commands(asked, "use_hotkeys") == [([Hotkey("F8", "German", Submit.ENTER), other], 0)]
    asked.callbacks["use_hotkeys"](None)
    QApplication.processEvents()
    assert not page.objection.isVisible()


@pytest.mark.parametrize("code", [Qt.Key.Key_Tab, Qt.Key.Key_Return, Qt.Key.Key_Space, Qt.Key.Key_Escape])
def test_while_a_key_is_taken_none_means_anything_to_the_window(window, page_of, code):
    """Where the listener cannot keep them from it."""
    page = page_of(HOTKEY)
    page.change.click()
    send(page.cap, DOWN, code)
    assert page.cap.is_capturing
    assert window.place == HOTKEY
    assert window.isVisible()


def test_escape_and_a_click_elsewhere_keep_the_key(window, asked, page_of):
    page = page_of(HOTKEY)
    page.change.click()
    hear(asked, CaptureStep.OVER)
    assert not page.cap.is_capturing
    assert window.focusWidget() is page.change, "the keyboard is where it was"
    for end in (window.forward.setFocus, page.change.click, lambda: hear(asked, CaptureStep.CLEARED)):
        page.change.click()
        assert page.cap.is_capturing
        end()
        assert not page.cap.is_capturing
        assert page.change.text() == "&Change…"
        assert page.cap.accessibleName() == "Right Ctrl"
    assert commands(asked, "use_hotkeys") == []
    assert len(commands(asked, "end capture_hotkey")) == 2, "the others had ended by themselves"


def test_a_key_without_a_name_is_told_and_another_can_be_pressed(asked, page_of):
    page = page_of(HOTKEY)
    page.change.click()
    hear(asked, CaptureStep.NAMELESS)
    assert page.hint.words == "That key can't be a hotkey. Try another one."
    assert page.cap.is_capturing
    hear(asked, CaptureStep.CHOSEN, "F8")
    assert commands(asked, "use_hotkeys") == [([Hotkey("F8")], 0)]


def test_where_the_desktop_assigns_the_key_it_is_changed_there(window, asked, page_of):
    page = page_of(HOTKEY)
    window.show_view(replace(IDLE, desktop_keys=("Meta+F9",)))
    assert page.cap.accessibleName() == "Meta+F9"
    assert page.change.text() == "&Change in System Settings…"
    page.change.click()
    assert commands(asked, "configure_hotkeys") == [(None,)]
    assert not page.cap.is_capturing
    window.show_view(replace(IDLE, desktop_keys=("",)))
    assert page.cap.accessibleName() == "none"


def test_where_the_desktop_binds_a_key_itself_the_guide_offers_that(window, asked, page_of):
    page = page_of(HOTKEY)
    offer = KeyOffer("here", ("a line",), is_bound=False)
    window.show_view(replace(IDLE, desktop_keys=("",), key_offer=offer))
    assert page.own_key.isVisible()
    assert not page.change.isVisible()
    page.own_key.button.click()
    assert commands(asked, "configure_hotkeys") == [(True,)]


def test_a_desktop_that_shows_no_keys_is_explained(asked, page_of):
    page = page_of(HOTKEY)
    page.change.click()
    refusal = HandyError("No.", "Elsewhere.")
    hear(asked, CaptureStep.FAILED, error=refusal)
    assert labels(page.objection) == ["No.", "Elsewhere."]
    assert not page.cap.is_capturing


def test_a_side_button_of_the_mouse_may_be_pressed_anywhere_while_a_key_is_taken(
    qtbot, window, asked, page_of
):
    page = page_of(HOTKEY)
    qtbot.waitExposed(window)
    page.change.click()
    pointer = page.change.mapTo(window, page.change.rect().center())
    QTest.mousePress(window.windowHandle(), Qt.MouseButton.BackButton, pos=pointer)
    assert page.cap.is_capturing
    hear(asked, CaptureStep.CHOSEN, "Mouse 4")
    QTest.mouseRelease(window.windowHandle(), Qt.MouseButton.BackButton, pos=pointer)
    assert commands(asked, "use_hotkeys") == [([Hotkey("Mouse 4")], 0)]


def test_while_a_key_is_taken_no_button_shows_a_letter(window, asked, page_of):
    page, found = page_of(HOTKEY), window.findChildren(QAbstractButton)
    before = [one.text() for one in found]
    assert letters(before)
    page.change.click()
    assert not letters(one.text() for one in found)
    hear(asked, CaptureStep.OVER)
    assert [one.text() for one in found] == before


@pytest.mark.parametrize(("keys", "is_menu"), [("Alt+I", True), ("Ctrl+Alt+I", False), ("Alt+F9", False)])
def test_a_key_that_programs_use_for_menus_is_taken_with_a_warning_that_lasts(
    window, asked, page_of, keys, is_menu
):
    page = page_of(HOTKEY)
    page.change.click()
    hear(asked, CaptureStep.CHOSEN, keys)
    new = choosing(hotkeys=(keys,))
    window.show_view(new)
    assert page.objection.isVisible() == is_menu
    window.show_view(replace(new, is_key_down=True))
    window.show_view(new)
    assert page.is_done
    assert page.objection.isVisible() == is_menu


def test_a_refused_key_is_explained_until_another_is_chosen_and_the_tick_stays(window, asked, page_of, qtbot):
    page = page_of(HOTKEY)
    window.show_view(PRESSED)
    window.show_view(IDLE)
    page.change.click()
    hear(asked, CaptureStep.CHOSEN, "A")
    refusal = HandyError("A alone would not do.", "Try F9.")
    threading.Thread(target=asked.callbacks["use_hotkeys"], args=(refusal,)).start()
    qtbot.waitUntil(page.objection.isVisible)
    assert labels(page.objection) == ["A alone would not do.", "Try F9."]
    assert page.is_done
    window.show_view(replace(IDLE, is_loading=True))
    assert page.objection.isVisible()
    assert not page.trouble.isVisible(), "once is enough"
    page.change.click()
    assert not page.objection.isVisible()


# --- text, model, login, end ------------------------------------------------------------------------


def test_the_first_text_in_the_field_is_what_counts_and_the_field_can_be_cleared(window, page_of):
    page = page_of(DICTATION)
    assert window.focusWidget() is page.field
    assert page.lead.text() == f"Hold Right Ctrl and speak. {reading._DICTATION_LEAD}"
    say(window, "The meeting starts at five o'clock.")
    page.clear.click()
    assert page.field.toPlainText() == ""
    assert window.focusWidget() is page.field
    assert page.is_done, "it has worked once"


def test_a_text_dictated_on_another_page_does_not_count_here_until_it_is_said_again(window, page_of):
    page_of(MICROPHONE)
    say(window, "The meeting starts at five o'clock.")
    page_of(DICTATION)
    assert not say(window, "The meeting starts at five o'clock.", typed=True).is_done
    assert say(window, "The meeting starts at five o'clock.").is_done


def test_the_page_says_what_is_going_on(window):
    for view, text in (
        (IDLE, "Hold Right Ctrl and speak."),
        (choosing(mode="toggle"), "Press Right Ctrl and speak."),
        (RECORDING, "Listening… Release the key when you're done."),
        (replace(RECORDING, is_hands_free=True), "Listening… Press the key again when you're done."),
        (
            replace(RECORDING, choices=Choices(mode="toggle")),
            "Listening… Press the key again when you're done.",
        ),
        (replace(IDLE, phase=Phase.TRANSCRIBING, waiting=1), strings.TRANSCRIBING),
        (replace(IDLE, phase=Phase.LOADING, is_loading=True), "Loading the model… You can already speak."),
    ):
        window.show_view(view)
        assert window.pages[DICTATION].state.text() == text


def models(status, **more):
    full = ModelEntry("big", "Big", status=status, is_recommended=True, **more)
    demo = ModelEntry("demo", "Demo", status=ModelStatus.INSTALLED, is_permanent=True)
    return ModelList((demo, full))


def downloading(share):
    progress = Progress(InstallStage.DOWNLOADING, share=share, done_bytes=43, total_bytes=100)
    return models(ModelStatus.INSTALLING, progress=progress)


def test_models_are_offered_as_cards_and_installed_from_there(window, asked):
    assert commands(asked, "refresh") == [()]
    window.show_models(models(ModelStatus.AVAILABLE))
    assert list(window.page.cards.by_name) == ["big"]
    window.page.first_focus().click()
    assert commands(asked, "install") == [("big",)]
    window.show_models(models(ModelStatus.INSTALLED))
    assert window.page.is_done
    assert window.forward.text() == "&Next"
    window.show_models(ModelList())
    assert not window.page.is_done


def test_models_of_other_makers_are_in_the_window_of_the_models_alone_until_they_are_here(window, asked):
    mine, other = ModelEntry("mine", "Mine"), ModelEntry("other", "Other", is_other=True)
    window.show_models(ModelList((other, mine)))
    assert list(window.page.cards.by_name) == ["mine"]
    window.page.more.click()
    assert commands(asked, "open_window") == [(Window.MODELS,)]
    progress = Progress(InstallStage.DOWNLOADING)
    for status in (ModelStatus.INSTALLING, ModelStatus.INSTALLED):
        window.show_models(ModelList((replace(other, status=status, progress=progress), mine)))
        assert set(window.page.cards.by_name) == {"mine", "other"}


def test_while_a_model_is_downloaded_the_guide_goes_on_and_says_how_far_it_is(window):
    window.show_models(downloading(0.43))
    assert window.forward.text() == "&Next"
    assert (
        window.page.verdict.words == "Go on to the next step. The installation continues in the background."
    )
    assert not window.page.is_done
    window.go_to(DONE)
    row = window.page.rows[MODEL]
    for shown, said, is_settled in (
        (downloading(0.43), "downloading 43%", True),
        (downloading(0.44), "downloading 44%", True),
        (models(ModelStatus.INSTALLED), "installed", True),
        (models(ModelStatus.PAUSED), "demo model only", False),
    ):
        window.show_models(shown)
        assert row.state.text() == said
        assert row.again.isHidden() is is_settled


def test_a_model_that_is_installed_moves_to_the_top(window):
    def order(**statuses):
        entries = [ModelEntry(name, name, is_recommended=name == "quick") for name in ("rare", "quick")]
        window.show_models(ModelList(tuple(replace(one, status=statuses[one.name]) for one in entries)))
        return list(window.page.cards.by_name)

    available, installed = ModelStatus.AVAILABLE, ModelStatus.INSTALLED
    assert order(rare=available, quick=available) == ["quick", "rare"]
    assert order(rare=installed, quick=available) == ["rare", "quick"]
    assert order(rare=installed, quick=installed) == ["quick", "rare"]


def test_start_at_login_is_asked_for_and_shown(window, asked, page_of):
    page = page_of(AUTOSTART)
    page.box.click()
    assert commands(asked, "use_autostart") == [(True,)]
    window.show_view(choosing(is_autostarted=True))
    assert page.box.isChecked()
    assert page.summary == "starts when you log in"
    assert page.is_done


def test_a_start_at_login_that_nobody_asked_for_is_no_success_but_nothing_is_missing_either(window, page_of):
    assert not page_of(AUTOSTART).is_done
    assert window.forward.text() == "&Next"
    row = page_of(DONE).rows[AUTOSTART]
    assert row.state.text() == "starts when you open it"
    assert row.again.isHidden()


def test_the_end_says_what_was_left_out_and_leads_back_to_it(window, page_of):
    page_of(DICTATION)
    say(window, "The meeting starts at five o'clock.")
    page = page_of(DONE)
    assert page.title.text() == "Almost ready"
    again = [one for one in page.findChildren(QAbstractButton) if one.isVisible()]
    open_steps = ["Model", "Microphone", "Hotkey", "At login"]
    assert [one.accessibleName().partition(": ")[2] for one in again] == open_steps
    again[2].click()
    assert window.place == HOTKEY


@pytest.mark.parametrize(
    ("permission", "title"),
    [
        (KeyPermission.NOT_NEEDED, ""),
        (KeyPermission.GIVEN, ""),
        (KeyPermission.UNASKED, "Your desktop wants to know whether Handy Qwen may type your texts."),
        (KeyPermission.REFUSED, "Handy Qwen may not type, so your texts are only copied."),
    ],
)
def test_where_the_desktop_must_allow_typing_the_guide_explains_it_and_asks(window, asked, permission, title):
    page = window.pages[DICTATION]
    window.go_to(DICTATION)
    window.show_view(View(key_permission=permission))
    assert page.typing.isVisible() == bool(title)
    if title:
        assert page.typing.message.words == title
        page.typing.allow.click()
        assert commands(asked, "allow_keys") == [()]
    window.show_view(View(key_permission=KeyPermission.GIVEN))
    assert not page.typing.isVisible()


# --- permissions, on macOS ----------------------------------------------------------------------------

MAY_RECORD, MAY_TYPE, MAY_LISTEN = Permission


@pytest.fixture
def permitted(asked):
    """The guide of macOS at its first page, and what its system says, given one after the other."""
    made = SetupWindow(asked, asked, lambda: -18.0, asked.models, asked.permissions)
    made.show_view(IDLE)
    made.present()

    def tell(*consents):
        asked.permissions.callbacks["watch"](dict(zip(Permission, consents, strict=True)))
        QApplication.processEvents()
        return made.page

    yield made, tell
    made.close()
    made.deleteLater()


def allow_buttons(page):
    """What can be pressed, by the words on it."""
    return {
        permission: line.button.text()
        for permission, line in page.rows.items()
        if line.button.isVisible() and line.button.isEnabled()
    }


@pytest.fixture
def question():
    """A window that has the focus when it is shown, as that of macOS's question has."""
    made = QWidget()

    def show(window):
        made.show()
        made.activateWindow()
        QTest.qWaitForWindowActive(made)
        assert not window.isActiveWindow()

    yield show
    made.deleteLater()


def get_the_focus_back(window):
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)


def test_permissions_are_asked_for_one_after_the_other(asked, permitted, question):
    window, tell = permitted
    page = tell(Consent.UNASKED, Consent.UNASKED, Consent.UNASKED)
    assert allow_buttons(page) == {MAY_RECORD: "Allow…"}
    assert page.rows[MAY_RECORD].button.hasFocus()
    assert default_button(window) is page.rows[MAY_RECORD].button
    page.rows[MAY_RECORD].button.click()
    assert commands(asked, "ask") == [(MAY_RECORD,)]
    tell(Consent.GIVEN, Consent.UNASKED, Consent.UNASKED)
    assert page.rows[MAY_RECORD].state.isVisible()
    assert allow_buttons(page) == {MAY_TYPE: "Allow…"}
    assert page.rows[MAY_TYPE].button.hasFocus()
    page.rows[MAY_TYPE].button.click()
    question(window)
    tell(Consent.GIVEN, Consent.REFUSED, Consent.UNASKED)
    assert allow_buttons(page) == {MAY_TYPE: "Open System Settings…"}, "macOS still shows its question"
    get_the_focus_back(window)
    assert allow_buttons(page) == {MAY_TYPE: "Open System Settings…", MAY_LISTEN: "Allow…"}
    page.rows[MAY_LISTEN].button.click()
    tell(Consent.GIVEN, Consent.GIVEN, Consent.GIVEN)
    assert allow_buttons(page) == {}
    assert page.is_done
    assert default_button(window) is window.forward
    assert window.scrolled.hasFocus(), "Enter goes on, and no button is pressed by chance"


def test_a_denied_microphone_leads_to_the_next_before_the_window_has_the_focus_again(permitted, question):
    window, tell = permitted
    page = tell(Consent.UNASKED, Consent.UNASKED, Consent.UNASKED)
    page.rows[MAY_RECORD].button.click()
    question(window)
    tell(Consent.UNASKED, Consent.UNASKED, Consent.UNASKED)
    assert allow_buttons(page) == {MAY_RECORD: "Allow…"}, "macOS still shows its question"
    tell(Consent.REFUSED, Consent.UNASKED, Consent.UNASKED)
    assert allow_buttons(page) == {MAY_RECORD: "Open System Settings…", MAY_TYPE: "Allow…"}


def test_what_is_allowed_is_looked_at_only_while_the_page_is_up(asked, permitted):
    window, tell = permitted
    tell(Consent.GIVEN, Consent.GIVEN, Consent.GIVEN)
    assert len(commands(asked, "watch")) == 1
    assert commands(asked, "leave") == []
    window.go_to(1)
    assert commands(asked, "leave") == [()]
    window.go_to(0)
    assert len(commands(asked, "watch")) == 2
    window.close()
    assert commands(asked, "leave") == [(), ()]


def test_hotkeys_that_failed_before_the_page_came_up_are_tried_again(asked, permitted):
    window, _ = permitted
    window.go_to(1)
    window.show_view(notice(1, NoticeKind.FAILED, is_lasting=True, subject=HOTKEYS))
    window.go_to(0)
    assert [asked_with["have_hotkeys_failed"] for (asked_with,) in commands(asked, "watch")] == [False, True]


def test_a_restart_is_offered_where_macos_wants_one_and_brings_the_guide_back(asked, permitted):
    window, tell = permitted
    page = tell(Consent.GIVEN, Consent.REFUSED, Consent.GIVEN)
    assert not page.restart.isVisible(), "nobody has done anything about it yet"
    page.rows[MAY_TYPE].button.click()
    assert page.restart.isVisible()
    tell(Consent.GIVEN, Consent.GIVEN, Consent.GIVEN)
    assert not page.restart.isVisible(), "the key works"
    window.show_view(notice(1, NoticeKind.FAILED, is_lasting=True, subject=HOTKEYS))
    assert page.restart.isVisible()
    assert "after a restart" in page.advice.words
    assert page.trouble.words == "", "it is said once"
    asked.calls.clear()
    page.restart.click()
    assert asked.calls == [("change", {"set_up": False}), ("quit", {"and_again": True})]


def test_who_cannot_see_them_hears_which_permission_a_button_is_for(permitted):
    _, tell = permitted
    page = tell(Consent.REFUSED, Consent.UNASKED, Consent.UNASKED)
    names = [line.button.accessibleName() for line in page.rows.values()]
    assert names == ["Open System Settings…: Microphone", "Allow…: Accessibility", "Allow…: Input Monitoring"]


def test_other_systems_ask_for_no_permissions(window):
    assert window.pages[0].name == "Model"
