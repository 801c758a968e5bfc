"""The guide with stand-ins around it: what each page shows, asks for, and counts as done."""

import threading
from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QPushButton

from handy_qwen import paths
from handy_qwen.core.events import Request
from handy_qwen.core.gestures import Mode
from handy_qwen.core.models import InstallStage, ModelEntry, ModelList, ModelStatus, Progress
from handy_qwen.core.view import Choices, Notice, NoticeKind, Phase, View
from handy_qwen.errors import HandyError
from handy_qwen.ui import strings
from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.page import missed
from handy_qwen.ui.setup.window import SetupWindow
from handy_qwen.ui.widgets import MeterBar
from tests.e2e.shelves import SHELVES

IDLE = View(phase=Phase.IDLE, choices=Choices(hotkeys=("Right Ctrl",), microphones=("Desk", "Headset")))
RECORDING = replace(IDLE, phase=Phase.RECORDING, began_s=1.0)
MODEL, MICROPHONE, HOTKEY, DICTATION, AUTOSTART, DONE = range(6)
pytestmark = pytest.mark.usefixtures("qapp", "app_home")


@pytest.fixture
def window(asked):
    made = SetupWindow(asked, asked, lambda: -18.0, asked)
    made.show_view(IDLE)
    made.present()
    yield made
    made.close()
    made.deleteLater()


def requests(asked):
    return [call for call in asked.calls if isinstance(call, Request)]


def commands(asked, name):
    return [call[1:] for call in asked.calls if isinstance(call, tuple) and call[0] == name]


def say(window, text, *, typed=False, model="demo"):
    """Have ``text`` dictated into the page's field, or typed there."""
    page = window.page
    view = replace(IDLE, choices=replace(IDLE.choices, model=model))
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


def notice(number, kind=NoticeKind.FAILED, **more):
    return replace(IDLE, notices=(Notice(number, kind, "It broke.", "Mend it.", **more),))


# --- the window -------------------------------------------------------------------------------------


def test_every_step_can_be_skipped_and_gone_back_to(window):
    for place in range(5):
        assert window.place == place
        assert window.forward.text() == (words.SKIP if place != AUTOSTART else words.NEXT)
        window.forward.click()
    assert window.forward.text() == words.FINISH
    window.back.click()
    assert window.place == AUTOSTART
    window.steps.entries[HOTKEY].click()
    assert window.place == HOTKEY
    window.steps.entries[DONE].click()
    window.forward.click()
    assert not window.isVisible()


def test_closed_half_way_it_comes_up_where_it_was_and_finished_at_its_beginning(window):
    window.go_to(DICTATION)
    window.close()
    window.present()
    assert window.place == DICTATION
    window.go_to(DONE)
    window.forward.click()
    window.present()
    assert window.place == MODEL


def test_what_is_done_is_marked_and_named_for_who_cannot_see_it(window):
    window.go_to(DICTATION)
    say(window, words.SENTENCE)
    assert window.steps.entries[DICTATION].is_done
    assert window.steps.entries[DICTATION].accessibleName() == words.STEP_DONE.format(title=words.DICTATION)
    assert window.steps.entries[HOTKEY].accessibleName() == words.HOTKEY


def test_all_buttons_and_fields_have_names_and_no_two_a_letter(window):
    for place, page in enumerate(window.pages):
        window.go_to(place)
        shown = [one for one in window.findChildren(QAbstractButton) if one.isVisible()]
        assert all(one.accessibleName() or one.text() for one in shown), page.name
        titles = [one.text() for one in shown if "&" in one.text()]
        letters = [title[title.index("&") + 1].lower() for title in titles]
        assert len(letters) == len(set(letters)), (page.name, titles)


def test_escape_closes_and_enter_presses_what_has_the_keyboard(window, qtbot):
    window.forward.setFocus()
    qtbot.keyClick(window.forward, Qt.Key.Key_Return)
    assert window.place == MICROPHONE
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible()


def test_the_button_that_looks_like_it_is_the_one_that_enter_presses(window, asked, qtbot):
    assert default_button(window) is window.forward
    window.go_to(MICROPHONE)
    page = window.page
    assert default_button(window) is page.record
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Return)
    assert requests(asked) == [Request.START]
    window.show_view(RECORDING)
    assert default_button(window) is page.record, "Enter in the field ends the recording"
    say(window, words.SENTENCE)
    assert default_button(window) is window.forward
    window.back.setFocus()
    assert default_button(window) is window.back


def test_enter_goes_on_from_a_check_box_and_leaves_it_as_it_is(window, asked, qtbot):
    window.go_to(AUTOSTART)
    assert window.focusWidget() is window.page.box
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Return)
    assert window.place == DONE
    assert not commands(asked, "use_autostart")


def test_the_keyboard_waits_for_the_first_model_and_is_left_where_the_user_put_it(window):
    assert window.focusWidget() is window.scrolled
    window.show_models(SHELVES["empty"])
    first = window.focusWidget()
    assert first is window.page.first_focus()
    window.steps.entries[MICROPHONE].setFocus()
    window.show_models(SHELVES["downloading"])
    assert window.focusWidget() is window.steps.entries[MICROPHONE]


def test_no_page_scrolls_because_another_one_is_high(window, qtbot):
    window.show_models(SHELVES["empty"])
    bar = window.scrolled.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0)  # the models are many
    bar.setValue(bar.maximum())
    for place in range(MICROPHONE, DONE + 1):
        window.go_to(place)
        qtbot.waitUntil(lambda: bar.maximum() == 0)
    window.go_to(MODEL)
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    assert bar.value() == 0, "it begins at its top"


# --- microphone -------------------------------------------------------------------------------------


def test_listening_begins_with_the_cursor_in_the_field_and_ends_with_the_same_button(window, asked, qtbot):
    window.go_to(MICROPHONE)
    page = window.page
    page.record.click()
    assert requests(asked) == [Request.START]
    assert window.focusWidget() is page.heard
    window.show_view(RECORDING)
    assert page.record.text() == words.STOP
    qtbot.keyClick(page.heard, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: requests(asked) == [Request.START, Request.STOP])


def test_the_sentence_read_well_counts_whatever_its_punctuation(window, qtbot):
    window.go_to(MICROPHONE)
    page = say(window, "the meeting starts at five o'clock")
    assert page.verdict.words == words.HEARD_WELL
    assert page.is_done
    assert window.forward.text() == words.NEXT
    page.heard.setFocus()
    qtbot.keyClick(page.heard, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.place == HOTKEY)
    assert not window.page.cap.is_capturing, "it was one Enter, for one thing"
    repeat = QKeyEvent(DOWN, Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier, "\r", True)
    QApplication.sendEvent(window.focusWidget(), repeat)
    assert not window.page.cap.is_capturing, "and is still held"


def test_what_was_typed_proves_no_microphone(window):
    window.go_to(MICROPHONE)
    page = say(window, words.SENTENCE, typed=True)
    assert page.verdict.words == ""
    assert not page.is_done


def test_with_the_demo_model_the_sentence_is_compared_word_by_word(window):
    window.go_to(MICROPHONE)
    page = say(window, "The meeting starts at nine o'clock.")
    assert page.verdict.words == words.HEARD_PARTLY.format(right=5, total=6, missed="five")
    assert not page.is_done
    say(window, "Good evening to you.")
    assert page.verdict.words == words.HEARD_NOTHING
    assert not page.is_done


def test_with_a_full_model_the_users_own_words_count_but_a_sentence_misheard_does_not(window):
    window.go_to(MICROPHONE)
    page = say(window, "The meeting starts at nine o'clock.", model="big")
    assert page.verdict.words == words.HEARD_PARTLY.format(right=5, total=6, missed="five")
    assert not page.is_done
    say(window, "Guten Abend, lieber Computer.", model="big")
    assert page.verdict.words == words.HEARD_OWN
    assert page.is_done


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


@pytest.mark.parametrize("place", [MICROPHONE, DICTATION])
@pytest.mark.parametrize(("model", "asked_for"), [("demo", words.SAY_EXACTLY), ("big", words.READ_THIS)])
def test_only_the_demo_model_asks_for_exactly_the_sentence(window, place, model, asked_for):
    window.show_view(replace(IDLE, choices=replace(IDLE.choices, model=model)))
    assert window.pages[place].task.text() == asked_for


def test_a_second_try_does_not_begin_with_a_space(window):
    page = window.pages[MICROPHONE]
    page.heard.setText(f" {words.SENTENCE}")
    assert page.heard.text() == words.SENTENCE


def test_the_microphones_are_offered_and_one_is_chosen(window, asked):
    page = window.pages[MICROPHONE]
    assert [page.device.itemText(n) for n in range(3)] == [
        strings.without_letter(strings.DEFAULT_DEVICE),
        "Desk",
        "Headset",
    ]
    window.show_view(replace(IDLE, choices=replace(IDLE.choices, microphone="Headset")))
    assert page.device.currentText() == "Headset"
    window.show_view(replace(IDLE, choices=replace(IDLE.choices, microphone="Gone")))
    assert page.device.currentText() == "Gone (not connected)"
    page.device.activated.emit(1)
    assert commands(asked, "use_microphone") == [("Desk",)]


def test_leaving_the_page_gives_up_what_is_recorded(window, asked):
    window.go_to(MICROPHONE)
    window.show_view(RECORDING)
    window.forward.click()
    assert requests(asked)[0] is Request.CANCEL


def test_closing_the_window_does_so_too(window, asked):
    window.go_to(MICROPHONE)
    window.show_view(RECORDING)
    window.close()
    assert requests(asked) == [Request.CANCEL]


def test_a_voice_moves_the_meter_and_is_told_of(window, qtbot):
    window.go_to(MICROPHONE)
    page = window.page
    window.show_view(RECORDING)
    qtbot.waitUntil(lambda: page.meter.loudest_db == -18.0)
    window.show_view(RECORDING)
    assert page.voice.text() == words.LOUD_ENOUGH


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


def test_what_fails_is_told_until_the_next_try(window):
    window.go_to(MICROPHONE)
    page = window.page
    window.show_view(notice(3, NoticeKind.DEAD_MICROPHONE))
    assert page.trouble.isVisible()
    page.record.click()
    window.show_view(notice(3, NoticeKind.DEAD_MICROPHONE))
    assert not page.trouble.isVisible()
    window.show_view(notice(4, NoticeKind.DEAD_MICROPHONE))
    assert page.trouble.isVisible()


def test_what_lasts_is_told_on_every_page(window):
    window.show_view(notice(3, is_lasting=True))
    window.go_to(HOTKEY)
    window.show_view(notice(3, is_lasting=True))
    assert window.page.trouble.isVisible()


def test_the_demo_model_knows_the_sentence(demo_recognizer):
    from handy_qwen.audio.files import load

    samples = load(paths.asset("speech/meeting.flac"))
    assert missed(words.SENTENCE, demo_recognizer.transcribe(samples, exact=True).text) == []


# --- hotkey -----------------------------------------------------------------------------------------


def test_while_the_page_is_up_the_hotkey_only_lights_up(window, asked):
    window.go_to(HOTKEY)
    assert requests(asked) == [Request.REHEARSE]
    page = window.page
    window.show_view(replace(IDLE, is_key_down=True))
    assert page.cap.is_lit
    assert page.hint.words == words.PRESSED
    assert not page.is_done
    window.show_view(IDLE)
    assert not page.cap.is_lit
    assert page.hint.words == words.HOTKEY_WORKS[Mode.AUTO]
    assert page.is_done
    window.go_to(DICTATION)
    assert requests(asked) == [Request.REHEARSE, Request.PERFORM]


def test_closing_the_window_gives_the_hotkey_back(window, asked):
    window.go_to(HOTKEY)
    window.close()
    assert requests(asked) == [Request.REHEARSE, Request.PERFORM]
    window.present()
    assert requests(asked)[-1] is Request.REHEARSE


def test_a_window_that_is_minimized_gives_the_hotkey_back(window, asked):
    window.go_to(HOTKEY)
    window.page.change.click()
    window.showMinimized()
    assert requests(asked) == [Request.REHEARSE, Request.PERFORM]
    assert not window.page.cap.is_capturing
    window.showNormal()
    assert requests(asked) == [Request.REHEARSE, Request.PERFORM, Request.REHEARSE]
    window.showMaximized()
    window.showNormal()
    assert len(requests(asked)) == 3


def send(widget, kind, code, virtual=0):
    QApplication.sendEvent(widget, QKeyEvent(kind, code, Qt.KeyboardModifier.NoModifier, 0, virtual, 0))


DOWN, UP = QEvent.Type.KeyPress, QEvent.Type.KeyRelease


def test_another_key_is_chosen_by_pressing_it(window, asked):
    window.go_to(HOTKEY)
    page = window.page
    page.change.click()
    assert page.cap.is_capturing
    send(page.cap, DOWN, Qt.Key.Key_F8)
    assert commands(asked, "use_hotkey") == [("f8",)]
    assert not page.cap.is_capturing
    window.show_view(replace(IDLE, choices=replace(IDLE.choices, hotkeys=("F8",))))
    assert page.cap.accessibleName() == "F8"
    assert not page.is_done, "the new one has not been tried"


@pytest.mark.parametrize("code", [Qt.Key.Key_Tab, Qt.Key.Key_Return, Qt.Key.Key_Space])
def test_keys_of_the_window_itself_are_taken_as_well(window, asked, code):
    window.go_to(HOTKEY)
    window.page.change.click()
    send(window.page.cap, DOWN, code)
    assert len(commands(asked, "use_hotkey")) == 1
    assert window.place == HOTKEY


def test_escape_and_a_click_elsewhere_keep_the_key(window, asked):
    window.go_to(HOTKEY)
    page = window.page
    page.change.click()
    send(page.cap, DOWN, Qt.Key.Key_Escape)
    assert not page.cap.is_capturing
    assert window.isVisible()
    assert window.focusWidget() is page.change, "the keyboard is where it was"
    page.change.click()
    window.forward.setFocus()
    assert not page.cap.is_capturing
    assert window.focusWidget() is window.forward
    assert page.change.text() == words.CHANGE
    assert commands(asked, "use_hotkey") == []


def test_a_key_without_a_name_is_refused_and_another_can_be_pressed(window, asked):
    window.go_to(HOTKEY)
    window.page.change.click()
    send(window.page.cap, DOWN, Qt.Key.Key_Kanji)
    assert window.page.cap.is_capturing
    send(window.page.cap, DOWN, Qt.Key.Key_F8)
    assert commands(asked, "use_hotkey") == [("f8",)]


def test_a_screen_reader_reads_what_the_key_shows(window):
    window.go_to(HOTKEY)
    page = window.page
    window.show_view(replace(IDLE, choices=replace(IDLE.choices, hotkeys=("Right Ctrl",))))
    assert page.cap.accessibleName() == "Right Ctrl"
    page.change.click()
    assert page.cap.accessibleName() == strings.PRESS_KEY
    page.change.click()
    assert page.cap.accessibleName() == "Right Ctrl"


def test_the_modifier_of_a_key_without_a_name_does_not_become_the_hotkey(window, asked):
    window.go_to(HOTKEY)
    window.page.change.click()
    for kind, code, virtual in (
        (DOWN, Qt.Key.Key_Control, 0xFFE3),
        (DOWN, Qt.Key.Key_Kanji, 0),
        (UP, Qt.Key.Key_Kanji, 0),
        (UP, Qt.Key.Key_Control, 0xFFE3),
    ):
        send(window.page.cap, kind, code, virtual)
    assert commands(asked, "use_hotkey") == []
    assert window.page.cap.is_capturing


def test_while_a_key_is_taken_no_button_shows_a_letter(window):
    window.go_to(HOTKEY)
    page, buttons = window.page, window.findChildren(QAbstractButton)
    before = [one.text() for one in buttons]
    assert any("&" in title for title in before)
    page.change.click()
    assert not any("&" in one.text() for one in buttons)
    send(page.cap, DOWN, Qt.Key.Key_Escape)
    assert [one.text() for one in buttons] == before


@pytest.mark.parametrize(("modifiers", "is_menu"), [(("Alt",), True), (("Control", "Alt"), False)])
def test_a_key_that_programs_use_for_menus_is_taken_with_a_warning_that_lasts(window, modifiers, is_menu):
    window.go_to(HOTKEY)
    page = window.page
    page.change.click()
    symbols = {"Alt": 0xFFE9, "Control": 0xFFE3}
    for name in modifiers:
        send(page.cap, DOWN, getattr(Qt.Key, f"Key_{name}"), symbols[name])
    send(page.cap, DOWN, Qt.Key.Key_I)
    new = replace(IDLE, choices=replace(IDLE.choices, hotkeys=("Alt+I",)))
    window.show_view(new)
    assert page.objection.isVisible() == is_menu
    window.show_view(replace(new, is_key_down=True))
    window.show_view(new)
    assert page.is_done
    assert page.objection.isVisible() == is_menu


def test_a_refused_key_is_explained_until_another_is_chosen_and_the_tick_stays(window, asked, qtbot):
    window.go_to(HOTKEY)
    page = window.page
    window.show_view(replace(IDLE, is_key_down=True))
    window.show_view(IDLE)
    page.change.click()
    send(page.cap, DOWN, Qt.Key.Key_A)
    threading.Thread(target=asked.refuse, args=(HandyError("A alone would not do.", "Try F9."),)).start()
    qtbot.waitUntil(page.objection.isVisible)
    assert [label.text() for label in page.objection.findChildren(QLabel)] == [
        "A alone would not do.",
        "Try F9.",
    ]
    assert page.is_done
    assert page.cap.accessibleName() == "Right Ctrl"
    window.show_view(replace(IDLE, is_loading=True))
    assert page.objection.isVisible()
    assert not page.trouble.isVisible(), "once is enough"
    page.change.click()
    assert not page.objection.isVisible()


def test_the_present_key_pressed_again_ends_the_choice(window, asked):
    window.go_to(HOTKEY)
    window.page.change.click()
    window.show_view(replace(IDLE, is_key_down=True))
    assert not window.page.cap.is_capturing
    assert commands(asked, "use_hotkey") == []


# --- text, model, login, end ------------------------------------------------------------------------


def test_the_first_text_in_the_field_is_what_counts(window):
    window.go_to(DICTATION)
    page = window.page
    assert window.focusWidget() is page.field
    assert "Right Ctrl" in page.lead.text()
    say(window, words.SENTENCE)
    assert page.verdict.words == words.DICTATION_WORKS
    assert page.is_done
    page.clear.click()
    assert page.field.toPlainText() == ""
    assert window.focusWidget() is page.field
    assert page.is_done, "it has worked once"


def test_a_typed_text_is_no_dictation(window):
    window.go_to(DICTATION)
    page = say(window, "x", typed=True)
    assert not page.is_done
    assert window.forward.text() == words.SKIP
    assert page.verdict.words == ""


def test_a_text_dictated_on_another_page_does_not_count_here(window):
    window.go_to(MICROPHONE)
    say(window, words.SENTENCE)
    window.go_to(DICTATION)
    page = say(window, words.SENTENCE, typed=True)
    assert not page.is_done


def test_the_same_sentence_counts_on_every_page_it_is_said_on(window):
    window.go_to(MICROPHONE)
    say(window, words.SENTENCE)
    window.go_to(DICTATION)
    assert say(window, words.SENTENCE).is_done


def test_what_the_demo_model_makes_of_other_words_is_no_success(window):
    window.go_to(DICTATION)
    page = say(window, "Please send the chairs to Anna.")
    assert page.verdict.words == words.DEMO_MISHEARD
    assert not page.is_done
    page.clear.click()
    say(window, "Please send the chairs to Anna.", model="big")
    assert page.verdict.words == words.DICTATION_WORKS
    assert page.is_done


def test_a_text_that_continues_another_field_does_not_begin_with_a_space(window):
    field = window.pages[DICTATION].field
    field.insertPlainText(" Good evening.")
    assert field.toPlainText() == "Good evening."
    field.insertPlainText(" Good night.")
    assert field.toPlainText() == "Good evening. Good night."


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (IDLE, strings.HOLD_AND_SPEAK.format(keys="Right Ctrl")),
        (RECORDING, words.RELEASE),
        (replace(RECORDING, is_locked=True), words.PRESS_AGAIN),
        (replace(RECORDING, choices=Choices(mode="toggle")), words.PRESS_AGAIN),
        (replace(IDLE, choices=Choices(hotkeys=("F9",), mode="toggle")), "Press F9 and speak."),
        (replace(IDLE, phase=Phase.TRANSCRIBING, waiting=1), strings.TRANSCRIBING),
        (replace(IDLE, phase=Phase.LOADING, is_loading=True), words.LOADING),
    ],
)
def test_the_page_says_what_is_going_on(window, view, text):
    window.show_view(view)
    assert window.pages[DICTATION].state.text() == text


def shelf(standing):
    full = ModelEntry("big", "Big", standing=standing, is_recommended=True)
    demo = ModelEntry("demo", "Demo", standing=ModelStatus.INSTALLED, is_permanent=True)
    return ModelList((demo, full))


def test_models_are_offered_as_cards_and_installed_from_there(window, asked):
    window.go_to(MODEL)
    assert commands(asked, "refresh") == [()]
    window.show_models(shelf(ModelStatus.AVAILABLE))
    page = window.page
    assert not page.is_done
    page.first_focus().click()
    assert commands(asked, "install") == [("big",)]
    window.show_models(shelf(ModelStatus.INSTALLED))
    assert page.is_done
    assert window.forward.text() == words.NEXT
    window.show_models(ModelList())
    assert not page.is_done


def test_while_a_model_is_downloaded_the_guide_goes_on_and_says_how_far_it_is(window):
    window.go_to(MODEL)
    window.show_models(installing(0.43))
    assert window.forward.text() == words.NEXT
    assert window.page.verdict.words == words.MODEL_COMES
    assert not window.page.is_done
    window.go_to(DONE)
    row = window.page.rows[MODEL]
    assert row.state.text() == "downloading 43 %"
    assert row.again.isHidden()
    window.show_models(installing(0.44))
    assert row.state.text() == "downloading 44 %"
    window.show_models(shelf(ModelStatus.INSTALLED))
    assert row.state.text() == words.MODEL_FULL
    window.show_models(shelf(ModelStatus.PAUSED))
    assert row.state.text() == words.MODEL_DEMO
    assert not row.again.isHidden()


def installing(share):
    progress = Progress(InstallStage.DOWNLOADING, share=share, done_bytes=43, total_bytes=100)
    return ModelList((ModelEntry("big", "Big", standing=ModelStatus.INSTALLING, progress=progress),))


def test_a_model_that_is_installed_moves_to_the_top(window):
    window.go_to(MODEL)
    page = window.page

    def order(**standings):
        models = [ModelEntry(name, name, is_recommended=name == "quick") for name in ("rare", "quick")]
        window.show_models(ModelList(tuple(replace(m, standing=standings[m.name]) for m in models)))
        page.layout().activate()
        page.cards.layout().activate()
        names = sorted(page.cards.by_name, key=lambda name: page.cards.by_name[name].y())
        assert names == list(page.cards.by_name), "the first focus is that of the first card"
        return names

    assert order(rare=ModelStatus.AVAILABLE, quick=ModelStatus.AVAILABLE) == ["quick", "rare"]
    cards = dict(page.cards.by_name)
    assert order(rare=ModelStatus.INSTALLED, quick=ModelStatus.AVAILABLE) == ["rare", "quick"]
    assert page.cards.by_name == cards, "they are the same, so that what has the keyboard keeps it"
    assert order(rare=ModelStatus.INSTALLED, quick=ModelStatus.INSTALLED) == ["quick", "rare"]


def test_start_at_login_is_asked_for_and_shown(window, asked):
    window.go_to(AUTOSTART)
    window.page.box.click()
    assert commands(asked, "use_autostart") == [(True,)]
    window.show_view(replace(IDLE, choices=replace(IDLE.choices, is_autostarted=True)))
    assert window.page.box.isChecked()
    assert window.page.summary == words.AT_LOGIN_ON
    assert window.page.is_done


def test_a_start_at_login_that_nobody_asked_for_is_no_success_but_nothing_is_missing_either(window):
    window.go_to(AUTOSTART)
    assert window.forward.text() == words.NEXT
    assert not window.page.is_done
    window.go_to(DONE)
    row = window.page.rows[AUTOSTART]
    assert row.state.text() == words.AT_LOGIN_OFF
    assert row.again.isHidden()


def test_the_end_says_what_was_left_out_and_leads_back_to_it(window):
    window.go_to(DICTATION)
    say(window, words.SENTENCE)
    window.go_to(DONE)
    assert window.page.title.text() == words.DONE_TITLE_OPEN
    again = [one for one in window.page.findChildren(QAbstractButton) if one.isVisible()]
    assert [one.accessibleName().partition(": ")[2] for one in again] == [
        words.MODEL,
        words.MICROPHONE,
        words.HOTKEY,
        words.AUTOSTART,
    ]
    again[2].click()
    assert window.place == HOTKEY
