"""The page Shortcut: keys are recorded, refused, tested, added and removed."""

import threading
from dataclasses import replace
from itertools import pairwise

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QAccessible, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from handy_qwen.core.events import Request
from handy_qwen.core.types import Captured, CaptureStep, Hotkey, KeyOffer, Submit
from handy_qwen.core.view import HOTKEYS, Choices, Notice, NoticeKind, View
from handy_qwen.settings import Settings, SettingsView
from handy_qwen.settings.fields import default_chord
from handy_qwen.settings.forms import Page
from handy_qwen.ui import strings
from tests.unit.ui import gallery

CTRL, GERMAN = Hotkey("ctrl_r"), Hotkey("F9", "German", Submit.ENTER)
TITLES = {"ctrl_r": "Right Ctrl"}
ALONE = gallery.REFUSED


class Shown:
    """The page, and a program that does what it is asked."""

    def __init__(self, qtbot, asked):
        self.asked, self.qtbot = asked, qtbot
        self.window = gallery.settings(asked, Page.SHORTCUT)
        qtbot.addWidget(self.window)
        self.view = View()
        self.settings = Settings()
        self.have(CTRL)
        self.window.present()
        qtbot.waitExposed(self.window)
        self.window.activateWindow()
        self.list = self.window.page(Page.SHORTCUT).hotkeys

    def have(self, *hotkeys, **more):
        """The program dictates with ``hotkeys`` now."""
        self.settings = replace(self.settings, hotkeys=hotkeys, **more)
        self.window.show_settings(SettingsView(values=self.settings))
        chords = tuple(one.chord for one in hotkeys)
        titles = tuple(TITLES.get(chord, chord) for chord in chords)
        languages = ("English", "German")
        self.see(choices=Choices(chords=chords, hotkeys=titles, languages=languages))

    def see(self, **changes):
        self.view = replace(self.view, **changes)
        self.window.show_view(self.view)

    def hear(self, step, keys="", error=None):
        """The listener heard something, on its own thread."""
        tell = self.asked.callbacks["capture_hotkey"]
        thread = threading.Thread(target=tell, args=(Captured(step, keys, error),))
        thread.start()
        thread.join()
        QApplication.processEvents()

    def record(self, place, keys):
        """Press ``keys`` as the hotkey at ``place``."""
        self.list.rows[place].cell.click()
        self.hear(CaptureStep.CHOSEN, keys)

    def answer(self, error=None):
        """The program says whether it took them."""
        asked = self.calls("use_hotkeys")[-1]
        if error is None:
            self.have(*asked[0])
        self.asked.callbacks["use_hotkeys"](error)
        QApplication.processEvents()

    def calls(self, name):
        return [call[1:] for call in self.asked.calls if isinstance(call, tuple) and call[0] == name]

    def requests(self):
        return [call for call in self.asked.calls if isinstance(call, Request)]

    def keys(self):
        return [one.cell.text() for one in self.list.rows]


@pytest.fixture
def page(qtbot, asked):
    return Shown(qtbot, asked)


def test_a_key_is_recorded_and_waits_to_be_pressed_once(page):
    cell = page.list.rows[0].cell
    assert page.keys() == ["Right Ctrl"]
    cell.click()
    assert (cell.is_recording, page.keys()) == (True, [strings.PRESS_KEY])
    page.hear(CaptureStep.HOLDING, "Ctrl+Alt+…")
    assert page.keys() == ["Ctrl+Alt+…"]
    page.hear(CaptureStep.CHOSEN, "Ctrl+Alt+D")
    assert not cell.is_recording
    assert page.calls("use_hotkeys") == [([Hotkey("Ctrl+Alt+D")], 0)]
    page.answer()
    assert page.keys() == ["Ctrl+Alt+D"]
    verdict = page.list.rows[0].verdict
    assert verdict.words == "Press Ctrl+Alt+D once to test it."
    assert page.requests() == [Request.REHEARSE]
    page.see(keys_down=frozenset({0}), is_key_down=True)
    assert cell.isDown()
    page.see(keys_down=frozenset(), is_key_down=False)
    assert verdict.words == "Ctrl+Alt+D works."
    assert page.requests() == [Request.REHEARSE, Request.PERFORM]


def test_what_a_refusal_proposes_is_one_click_away(page):
    page.have(CTRL, GERMAN)
    page.record(1, "A")
    page.answer(ALONE)
    one = page.list.rows[1]
    assert (one.trouble.words, one.proposal.text()) == (ALONE.title, "Use Ctrl+Alt+A")
    one.proposal.click()
    hotkeys = [CTRL, replace(GERMAN, chord="Ctrl+Alt+A")]
    assert page.calls("use_hotkeys")[-1] == (hotkeys, 1)
    page.answer()
    assert not one.trouble.words
    assert not one.proposal.isVisible()
    assert one.verdict.words == "Press Ctrl+Alt+A once to test it."


def test_the_first_key_comes_before_the_reset_by_tab(page, qtbot):
    page.have(GERMAN)
    page.window.list.setFocus()
    qtbot.keyClick(page.window.list, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is page.list.rows[0].cell


def test_hotkeys_are_reset_and_the_reset_is_undone(page):
    assert page.list.reset.isVisible() is (default_chord() != CTRL.chord)
    page.have(*Settings().hotkeys)
    assert not page.list.reset.isVisible()
    page.have(CTRL, GERMAN)
    page.list.add.click()
    page.list.reset.click()
    assert page.calls("use_hotkeys")[-1] == (Settings().hotkeys, None)
    page.answer()
    assert page.keys() == [default_chord()]
    assert page.list.undone.undo_button.hasFocus()
    page.list.undone.undo_button.click()
    assert page.calls("use_hotkeys")[-1] == ([CTRL, GERMAN], None)
    page.answer()
    assert page.keys() == ["Right Ctrl", "F9"]
    assert not page.list.undone.isVisible()


def test_a_refusal_stays_under_its_row_until_another_key_is_taken(page):
    page.have(CTRL, GERMAN)
    page.record(1, "A")
    page.answer(ALONE)
    refused = page.list.rows[1].trouble
    page.have(CTRL, GERMAN, sounds=True)
    page.see(is_loading=True)
    assert (refused.words, page.keys()) == (ALONE.title, ["Right Ctrl", "F9"])
    assert page.list.rows[0].trouble.words == ""
    assert page.requests() == []
    page.record(1, "F8")
    assert page.calls("use_hotkeys")[-1] == ([CTRL, replace(GERMAN, chord="F8")], 1), (
        "language and submit stay"
    )
    page.answer()
    assert refused.words == ""


@pytest.mark.parametrize("end", ["escape", "focus", "window", "page", "click", "close"])
def test_recording_ends_and_the_key_stays(page, end):
    cell = page.list.rows[0].cell
    cell.setFocus()
    cell.click()
    match end:
        case "escape":
            page.hear(CaptureStep.OVER)
        case "focus":
            page.list.add.setFocus()
        case "window":
            QApplication.sendEvent(page.window, QEvent(QEvent.Type.WindowDeactivate))
        case "page":
            page.window.go(Page.GENERAL)
        case "click":
            cell.click()
        case "close":
            page.window.close()
    assert not cell.is_recording
    assert page.calls("end capture_hotkey") == ([] if end == "escape" else [()])
    page.hear(CaptureStep.CHOSEN, "F9")
    assert page.calls("use_hotkeys") == [], "too late"
    assert page.keys() == ["Right Ctrl"]


@pytest.mark.parametrize("end", ["window", "page", "close"])
def test_no_test_begins_where_nobody_looks_any_more(page, end):
    page.record(0, "F9")
    match end:
        case "window":
            QApplication.sendEvent(page.window, QEvent(QEvent.Type.WindowDeactivate))
        case "page":
            page.window.go(Page.GENERAL)
        case "close":
            page.window.close()
    page.answer()
    assert page.requests() == [], "a hotkey that is only shown does not dictate"
    assert page.keys() == ["F9"]


@pytest.mark.parametrize("end", ["window", "page", "close", "other"])
def test_a_test_ends_with_what_it_is_tried_in(page, end):
    page.record(0, "F9")
    page.answer()
    match end:
        case "window":
            QApplication.sendEvent(page.window, QEvent(QEvent.Type.WindowDeactivate))
        case "page":
            page.window.go(Page.GENERAL)
        case "close":
            page.window.close()
        case "other":
            page.list.rows[0].cell.click()
    assert page.requests() == [Request.REHEARSE, Request.PERFORM]


def test_a_key_without_a_name_is_told_and_recording_goes_on(page):
    page.list.rows[0].cell.click()
    page.hear(CaptureStep.NAMELESS)
    assert page.list.rows[0].verdict.words == "That key can't be a hotkey. Try another one."
    assert page.list.rows[0].cell.is_recording


def test_a_desktop_that_shows_no_keys_is_told(page):
    page.list.rows[0].cell.click()
    page.hear(CaptureStep.FAILED, error=ALONE)
    assert page.list.rows[0].trouble.words == ALONE.title
    assert not page.list.rows[0].cell.is_recording


def test_while_recording_no_key_means_anything_to_the_window(page, qtbot):
    cell = page.list.rows[0].cell
    cell.click()
    cell.setFocus()
    for key in (Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Space, Qt.Key.Key_Return):
        qtbot.keyClick(cell, key)
    override = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    override.ignore()
    QApplication.sendEvent(cell, override)
    assert override.isAccepted()
    assert page.window.isVisible()
    assert cell.is_recording


@pytest.mark.parametrize(("button", "goes_on"), [("BackButton", True), ("LeftButton", False)])
def test_while_recording_a_side_button_may_be_pressed_anywhere(page, button, goes_on):
    cell, elsewhere = page.list.rows[0].cell, page.window.list
    cell.click()
    cell.setFocus()
    pointer = elsewhere.mapTo(page.window, elsewhere.rect().bottomLeft() + QPoint(20, -20))
    QTest.mouseClick(page.window.windowHandle(), Qt.MouseButton[button], pos=pointer)
    assert cell.is_recording == goes_on


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return])
def test_recording_begins_by_keyboard(page, qtbot, key):
    cell = page.list.rows[0].cell
    cell.setFocus()
    qtbot.keyClick(cell, key)
    assert cell.is_recording


def test_a_hotkey_is_added_by_its_key(page):
    page.list.add.click()
    assert page.keys() == ["Right Ctrl", strings.PRESS_KEY]
    page.hear(CaptureStep.CHOSEN, "A")
    page.answer(ALONE)
    assert page.keys() == ["Right Ctrl", "Choose a key…"], "it stays with what is wrong"
    assert page.list.rows[1].trouble.words == ALONE.title
    page.record(1, "Mouse 4")
    page.answer()
    assert page.keys() == ["Right Ctrl", "Mouse 4"]
    assert page.calls("use_hotkeys")[-1] == ([CTRL, Hotkey("Mouse 4")], 1)
    assert page.list.rows[1].verdict.words == "Press Mouse 4 once to test it."


@pytest.mark.parametrize("step", [CaptureStep.OVER, CaptureStep.CLEARED])
def test_a_new_one_without_a_key_is_gone_again(page, step):
    page.list.add.click()
    page.hear(step)
    assert page.keys() == ["Right Ctrl"]
    assert page.calls("use_hotkeys") == []
    page.list.add.click()
    assert page.keys() == ["Right Ctrl", strings.PRESS_KEY]


def test_a_removed_one_can_be_brought_back_until_something_else_changes(page):
    page.have(CTRL, GERMAN)
    page.record(1, "A")
    page.answer(ALONE)
    page.list.rows[0].remove.click()
    assert page.calls("use_hotkeys")[-1] == ([GERMAN], None)
    page.answer()
    assert page.keys() == ["F9"]
    assert page.list.rows[0].trouble.words == ALONE.title, "the others keep what they say"
    assert page.list.undone.message.words == "Right Ctrl removed."
    assert page.list.undone.undo_button.isVisible()
    page.list.undone.undo_button.click()
    assert page.calls("use_hotkeys")[-1] == ([CTRL, GERMAN], None)
    page.answer()
    assert page.keys() == ["Right Ctrl", "F9"]
    assert not page.list.undone.undo_button.isVisible()
    page.list.rows[0].remove.click()
    page.answer()
    page.have(Hotkey("F8"))
    assert not page.list.undone.undo_button.isVisible()
    assert page.list.undone.message.words == ""


def test_backspace_removes_even_the_last_one(page):
    page.list.rows[0].cell.click()
    page.hear(CaptureStep.CLEARED)
    assert page.calls("use_hotkeys") == [([], None)]
    page.answer()
    assert page.list.rows == []
    assert page.list.trouble.words == "No hotkey is set."
    assert page.list.undone.undo_button.isVisible()
    assert page.window.page(Page.SHORTCUT).first_focus() is page.list.add


def test_each_has_its_language_and_its_submit_key(page):
    page.have(CTRL, GERMAN)
    first, second = page.list.rows
    assert second.language.widget.currentText() == "Deutsch (German)"
    assert first.submit.widget.currentText() == "Default (nothing)"
    first.language.widget.activated.emit(1)
    assert page.calls("use_hotkeys")[-1] == ([replace(CTRL, language="auto"), GERMAN], None)
    second.submit.widget.activated.emit(2)
    assert page.calls("use_hotkeys")[-1] == (
        [replace(CTRL, language="auto"), replace(GERMAN, submit=Submit.ENTER)],
        None,
    ), "though the first change is not back yet"
    page.have(CTRL, GERMAN, submit=Submit.ENTER, language="English")
    assert first.submit.widget.currentText() == "Default (Enter)"
    assert first.language.widget.currentText() == "Default (English)"


def test_what_the_listener_says_is_shown(page):
    page.see(
        notices=(Notice(1, NoticeKind.FAILED, "Another program uses F9.", is_lasting=True, subject=HOTKEYS),)
    )
    assert page.list.trouble.words == "Another program uses F9."
    page.see(notices=())
    assert page.list.trouble.words == ""


def test_a_key_that_opens_menus_is_taken_with_a_warning(page):
    page.record(0, "Alt+I")
    page.answer()
    verdict = page.list.rows[0].verdict
    hints = [
        label.text() for label in verdict.findChildren(type(page.list.rows[0].number)) if label.isVisible()
    ]
    assert "Many programs use Alt+I for a menu. It won't reach them while Handy Qwen runs." in hints


def test_where_the_desktop_assigns_keys_it_is_what_it_assigned_that_is_shown(page):
    page.have(CTRL, GERMAN)
    page.see(desktop_keys=("Meta+F9", ""))
    assert page.keys() == ["Meta+F9", "No key yet"]
    assert page.list.desktop.words == "Your desktop assigns these keys."
    page.list.rows[0].cell.click()
    page.list.configure.click()
    assert page.calls("configure_hotkeys") == [(None,), (None,)]
    assert page.calls("capture_hotkey") == []
    page.list.add.click()
    assert page.calls("use_hotkeys")[-1] == ([CTRL, GERMAN, Hotkey("F8")], None), (
        "a wish that is not taken yet"
    )


def test_where_the_desktop_binds_a_key_itself_its_lines_are_shown_before_they_are_added(page):
    page.have(CTRL)
    offer = KeyOffer("~/.config/niri/config.kdl", ("    F9 { spawn … }",), is_bound=False)
    page.see(desktop_keys=("",), key_offer=offer)
    shown = page.list.own_key
    assert shown.isVisible()
    assert not page.list.configure.isVisible()
    said = " ".join(label.text() for label in shown.findChildren(QLabel))
    assert "~/.config/niri/config.kdl" in said
    assert "F9 { spawn … }" in said
    shown.button.click()
    page.see(desktop_keys=("F9",), key_offer=replace(offer, is_bound=True))
    shown.button.click()
    assert page.calls("configure_hotkeys") == [(True,), (False,)]
    page.see(key_offer=None)
    assert not shown.isVisible()


def test_a_screen_reader_finds_each_part_by_its_name(page):
    page.have(CTRL, GERMAN)

    def name_of(widget):
        """On Linux a list is called by its label, and its own name is what is chosen."""
        interface = QAccessible.queryAccessibleInterface(widget)
        labels = [other for other, _ in interface.relations(QAccessible.RelationFlag.Label)]
        return (labels or [interface])[0].text(QAccessible.Text.Name)

    for number, one in enumerate(page.list.rows, start=1):
        keys = ["Right Ctrl", "F9"][number - 1]
        for widget, name in (
            (one.cell, f"Hotkey {number}: {keys}"),
            (one.language.widget, f"Language of hotkey {number}"),
            (one.submit.widget, f"Key pressed after hotkey {number}"),
            (one.remove, f"Remove hotkey {number}, {keys}"),
        ):
            assert name_of(widget) == name


def test_tab_goes_through_the_rows_and_on(page, qtbot):
    page.have(CTRL, GERMAN)
    QApplication.processEvents()
    first, second = page.list.rows
    stops = [first.cell, first.remove, first.language.widget, first.submit.widget, second.cell]
    stops[0].setFocus()
    for before, after in pairwise(stops):
        qtbot.keyClick(before, Qt.Key.Key_Tab)
        assert QApplication.focusWidget() is after
    second.submit.widget.setFocus()
    qtbot.keyClick(second.submit.widget, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is page.list.add
