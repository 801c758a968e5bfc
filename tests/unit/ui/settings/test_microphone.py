"""The page Microphone: an order that keys, buttons and the mouse change; open only while it is seen."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, QModelIndex, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from handy_qwen.core.models import Problem
from handy_qwen.core.view import Doing, MicrophoneTest, Phase, Voice
from handy_qwen.settings import Settings, SettingsView
from handy_qwen.settings import SettingsProblem as FileProblem
from handy_qwen.settings.forms import Page
from handy_qwen.ui.settings import microphone
from handy_qwen.ui.settings.window import SettingsWindow
from handy_qwen.ui.widgets import MeterBar
from tests.unit.ui.gallery import VIEW, tools

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support"),
    pytest.mark.usefixtures("app_home"),
]
CHOICES = replace(VIEW.choices, microphones=("Built-in", "Desk", "Headset"), default_microphone="Built-in")
IDLE = replace(VIEW, phase=Phase.IDLE, choices=CHOICES)
HEARD = MicrophoneTest("Desk", Voice.GOOD, has_recording=True)


def order(*names):
    return SettingsView(Path("settings.toml"), values=Settings(microphones=names))


@pytest.fixture
def level():
    return [-20.0]


@pytest.fixture
def window(qtbot, asked, level):
    window = SettingsWindow(tools(asked, lambda: level[0]))
    qtbot.addWidget(window)
    window.show_settings(order("Gone", "Desk"))
    window.show_view(IDLE)
    window.go(Page.MICROPHONE)
    window.present()
    qtbot.waitExposed(window)
    return window


@pytest.fixture
def page(window, asked):
    page = window.page(Page.MICROPHONE)
    asked.calls.clear()
    return page


@pytest.mark.parametrize("can_pause", [True, False])
def test_other_sound_is_paused_only_where_that_is_possible(qtbot, page, monkeypatch, can_pause):
    monkeypatch.setattr(microphone, "_CAN_PAUSE", can_pause)
    row = page._other_sound()
    qtbot.addWidget(row)
    titles = [row.control.itemText(place) for place in range(row.control.count())]
    assert (
        ("Pauses" in titles)
        == ("Other programs can't be paused on this system." not in row.help.text())
        == can_pause
    )
    row.show_settings(SettingsView(Path("s.toml"), Settings(while_recording="pause")))
    assert row.control.currentText() == ("Pauses" if can_pause else "Gets quieter")


def rows(page):
    return [page.list.rows.item(n).text() for n in range(page.list.rows.count())]


def spoken_rows(page):
    role = Qt.ItemDataRole.AccessibleTextRole
    return [page.list.rows.item(n).data(role) for n in range(page.list.rows.count())]


def orders(asked):
    changes = [call[1] for call in asked.calls if call[0] == "change"]
    return [Settings(**change).microphones for change in changes]


def show(page, test):
    page._show_test(test)


# --- the order ---------------------------------------------------------------------------------------


def test_the_order_is_shown_with_the_default_behind_and_what_is_known_of_each(page):
    show(page, HEARD)
    assert rows(page) == ["Gone", "Desk", "System default (Built-in)"]
    assert spoken_rows(page) == [
        "Gone, Not connected, 1 of 3",
        "Desk, In use, 2 of 3",
        "System default (Built-in), 3 of 3",
    ]


def test_a_headset_that_is_left_to_its_music_says_so(window, page):
    window.show_settings(order("Headset", "Desk"))
    window.show_view(replace(IDLE, choices=replace(CHOICES, spared_microphones=("Headset",))))
    show(page, HEARD)
    assert spoken_rows(page)[:2] == ["Headset, Playing music, 1 of 3", "Desk, In use, 2 of 3"]
    show(page, MicrophoneTest("Headset"))
    assert spoken_rows(page)[0] == "Headset, In use, 1 of 3", "there is no other"


def test_without_an_order_the_system_s_default_is_used(window, page):
    window.show_settings(order())
    show(page, MicrophoneTest("Built-in"))
    assert spoken_rows(page) == ["System default (Built-in), In use, 1 of 1"]
    assert not page.list.remove.isEnabled()


def test_a_microphone_that_is_not_in_the_order_but_used_is_named(page):
    show(page, MicrophoneTest("Headset"))
    assert page.instead.isVisible()
    assert page.instead.text() == "In use for now: Headset"
    show(page, HEARD)
    assert not page.instead.isVisible()


@pytest.mark.parametrize(
    ("row", "key", "expected"),
    [
        (1, Qt.Key.Key_Up, ("Desk", "Gone")),
        (0, Qt.Key.Key_Down, ("Desk", "Gone")),
        (1, Qt.Key.Key_Down, ("Gone", "", "Desk")),
        (2, Qt.Key.Key_Up, ("Gone", "", "Desk")),
        (0, Qt.Key.Key_Up, None),
        (2, Qt.Key.Key_Down, None),
    ],
)
def test_alt_and_an_arrow_move_a_row(page, asked, row, key, expected):
    page.list.rows.setCurrentRow(row)
    moved = rows(page)[row]
    QTest.keyClick(page.list.rows, key, Qt.KeyboardModifier.AltModifier)
    assert orders(asked) == ([expected] if expected else [])
    assert rows(page)[page.list.rows.currentRow()] == moved, "the row that was moved stays chosen"


def test_an_arrow_alone_only_chooses(page, asked):
    page.list.rows.setCurrentRow(0)
    QTest.keyClick(page.list.rows, Qt.Key.Key_Down)
    assert page.list.rows.currentRow() == 1
    assert orders(asked) == []


def test_the_buttons_move_and_remove_and_give_the_keyboard_back(page, asked):
    page.list.rows.setCurrentRow(1)
    page.list.up.setFocus()
    page.list.up.click()
    assert rows(page)[0] == "Desk"
    assert not page.list.up.isEnabled()
    assert page.list.rows.hasFocus()
    page.list.down.click()
    page.list.rows.setCurrentRow(0)
    page.list.remove.click()
    assert orders(asked) == [("Desk", "Gone"), ("Gone", "Desk"), ("Desk",)]
    page.list.rows.setCurrentRow(1)
    assert not page.list.remove.isEnabled(), "the default stays"
    QTest.keyClick(page.list.rows, Qt.Key.Key_Delete)
    assert len(orders(asked)) == 3


def test_a_row_that_was_dragged_is_asked_for(qtbot, page, asked):
    model: QAbstractItemModel = page.list.rows.model()
    assert model.moveRows(QModelIndex(), 1, 1, QModelIndex(), 0)
    qtbot.waitUntil(lambda: orders(asked) == [("Desk", "Gone")])


def test_connected_microphones_that_are_not_in_the_list_can_be_added(page, asked):
    page.list._menu.aboutToShow.emit()
    assert [action.text() for action in page.list._menu.actions()] == ["Built-in", "Headset"]
    page.list._menu.actions()[1].trigger()
    assert orders(asked) == [("Gone", "Desk", "Headset")]
    assert rows(page)[page.list.rows.currentRow()] == "Headset"


def test_with_all_in_the_list_there_is_nothing_to_add(window, page):
    window.show_settings(order("Built-in", "Desk", "Headset"))
    page.list._menu.aboutToShow.emit()
    (action,) = page.list._menu.actions()
    assert (action.text(), action.isEnabled()) == ("All connected microphones are in the list", False)


def test_what_the_file_has_wrong_in_the_order_is_said_there(window, page):
    problem = FileProblem("microphones must be a list", 3, name="microphones")
    window.show_settings(SettingsView(Path("settings.toml"), problems=(problem,)))
    order = next(row for row in page.rows if row.setting_name == "microphones")
    assert order.trouble.words == "Line 3: microphones must be a list."


# --- the microphone is open while the page is seen ---------------------------------------------------


def listening(asked):
    """Whether the microphone is wanted, by what was asked for last."""
    last = [call[0] for call in asked.calls if call[0] in {"listen", "leave"}]
    return bool(last) and last[-1] == "listen"


def leave_for_another_page(window):
    window.go(Page.TEXT)


def close(window):
    window.close()


def minimize(window):
    window.setWindowState(Qt.WindowState.WindowMinimized)  # as the title bar does
    QApplication.processEvents()


def come_back(window):
    window.present()
    window.go(Page.MICROPHONE)
    QApplication.processEvents()


@pytest.mark.parametrize("go", [leave_for_another_page, close, minimize])
def test_the_microphone_is_open_only_while_the_page_is_seen(window, asked, qtbot, go):
    page = window.page(Page.MICROPHONE)
    assert listening(asked)
    show(page, HEARD)
    qtbot.waitUntil(lambda: page.meter.value() > 0)
    go(window)
    qtbot.waitUntil(lambda: not listening(asked))
    assert page.meter.value() == 0
    show(page, HEARD)
    assert not page.verdict.words, "what comes late is not shown"
    come_back(window)
    assert listening(asked)


def test_a_page_that_is_only_made_for_a_search_opens_no_microphone(qtbot, asked):
    window = SettingsWindow(tools(asked))
    qtbot.addWidget(window)
    window.present()
    qtbot.waitExposed(window)
    window.search.setText("log in")
    assert window.chosen is Page.GENERAL
    assert not window.page(Page.MICROPHONE).isVisible()
    window.close()
    assert not [call for call in asked.calls if call[0] == "listen"]


# --- how well one is heard ---------------------------------------------------------------------------


def test_how_a_voice_arrives_is_said_in_words(page):
    for voice in Voice:
        show(page, replace(HEARD, voice=voice))
        title, hint, _color = microphone.VERDICTS[voice]
        assert page.verdict.words == title
        assert page.verdict._hint.text() == hint


@pytest.fixture
def said(monkeypatch):
    events = []
    monkeypatch.setattr(QAccessible, "isActive", lambda: True)
    monkeypatch.setattr(QAccessible, "updateAccessibility", lambda event: events.append(event.message()))
    return events


def test_a_verdict_is_announced_when_it_changes_and_not_before_anybody_has_spoken(page, said):
    for voice in (Voice.UNKNOWN, Voice.GOOD, Voice.GOOD, Voice.SILENT, Voice.GOOD):
        show(page, replace(HEARD, voice=voice))
    good, silent = microphone.VERDICTS[Voice.GOOD][0], microphone.VERDICTS[Voice.SILENT]
    assert said == [good, f"{silent[0]} {silent[1]}", good]


def test_a_row_that_moves_is_announced_with_its_place(page, said):
    page.list.rows.setCurrentRow(1)
    page.list.up.click()
    assert said == ["Desk: 1 of 3"]


def test_the_level_is_that_of_a_dictation_while_one_runs(window, page, qtbot, level):
    level[0] = -100.0
    show(page, HEARD)
    show(page, MicrophoneTest())
    window.show_view(replace(IDLE, phase=Phase.RECORDING, device="Desk"))
    level[0] = -20.0
    qtbot.waitUntil(lambda: page.meter.value() > 0)
    window.show_view(IDLE)
    assert page.meter.value() == 0


def test_the_marks_are_where_the_meter_turns():
    first, last = MeterBar.zones()
    assert 0 < first < last < 1


def test_one_button_records_ends_and_stops(page, asked):
    show(page, HEARD)
    page.record.click()
    show(page, replace(HEARD, doing=Doing.RECORDING))
    assert page.record.text() == "St&op and play"
    page.record.click()
    show(page, replace(HEARD, doing=Doing.PLAYING))
    assert not page.again.isEnabled()
    page.record.click()
    show(page, HEARD)
    page.again.click()
    assert [call[0] for call in asked.calls] == ["record", "stop", "stop", "play"]


def test_a_refusal_is_said_in_words(page):
    show(page, MicrophoneTest(problem=Problem("A dictation is being recorded.", "Try again.")))
    assert page.verdict.words == "A dictation is being recorded."


def test_tab_goes_from_the_list_over_its_buttons_to_what_follows(page):
    show(page, HEARD)
    page.list.rows.setCurrentRow(1)
    page.list.rows.setFocus()
    visited = []
    for _ in range(7):
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        visited.append(QApplication.focusWidget())
    expected = [page.list.up, page.list.down, page.list.add, page.list.remove]
    assert visited[:4] == expected
    assert visited[-2:] == [page.record, page.again]
