"""The History window by keyboard: what it shows, and what it asks for."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QDateTime, Qt
from PySide6.QtGui import QContextMenuEvent, QCursor, QGuiApplication, QTextCursor
from PySide6.QtWidgets import QFileDialog, QMenu, QMessageBox, QWidget

from handy_qwen.core.types import Delivery, Entry, EntryState
from handy_qwen.core.view import HistoryFilter, HistoryPage, HistoryQuery, Phase
from handy_qwen.ui import strings
from handy_qwen.ui import window as window_module
from handy_qwen.ui.style import blended, scheme
from handy_qwen.ui.windows import history_words as words
from handy_qwen.ui.windows.history import HistoryWindow
from handy_qwen.ui.windows.history_list import DAY
from tests.e2e.pasts import ENTRIES, FULL, NOW_S, PASTS, PRIVATE, VIEW
from tests.unit.ui.gallery import buttons, labels, letters

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
NOW = QDateTime.currentDateTime()
STARRED, HELD, FAILED, CANCELLED = 1, 2, 3, 4  # rows of FULL
CONTROL = Qt.KeyboardModifier.ControlModifier
MANY = tuple(Entry(number, NOW_S, EntryState.DONE, 1.0, "Hello.") for number in range(200, 0, -1))


@pytest.fixture
def window(qtbot, asked, app_home):  # noqa: ARG001  the home keeps the window's place
    made = HistoryWindow(asked.history, asked)
    qtbot.addWidget(made)
    made.show_view(VIEW)
    made.present()
    made.show_history(FULL)
    qtbot.waitUntil(made.isActiveWindow)
    asked.calls.clear()
    return made


def press(qtbot, window, key, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.keyClick(window.focusWidget() or window, key, modifier)


def choose(window, *rows):
    selection = window.list.selectionModel()
    window.list.clearSelection()
    if len(rows) == 1:
        window.list.setCurrentIndex(window.list.model().index(rows[0]))
    for row in rows:
        selection.select(window.list.model().index(row), selection.SelectionFlag.Select)


def said(window):
    return "\n".join(labels(window))


def read_out(window, row):
    return window.list.model().index(row).data(Qt.ItemDataRole.AccessibleTextRole)


def test_it_asks_for_all_when_it_comes_up_and_forgets_what_was_deleted_when_it_closes(window, asked):
    window.close()
    window.present()
    assert asked.calls == [("leave",), ("look", HistoryQuery())]
    assert window.focusWidget() is window.list


def test_the_arrow_keys_show_one_text_after_the_other(qtbot, window):
    press(qtbot, window, Qt.Key.Key_Home)
    for row in (STARRED, HELD):
        press(qtbot, window, Qt.Key.Key_Down)
        assert window.detail.text.toPlainText() == ENTRIES[row].text


def test_ctrl_c_copies_the_text(qtbot, window, asked):
    choose(window, STARRED)
    press(qtbot, window, Qt.Key.Key_C, CONTROL)
    assert asked.calls == [("copy", ENTRIES[STARRED])]


def test_enter_gives_the_focus_back_and_inserts_the_text_there(qtbot, window, asked):
    choose(window, STARRED)
    press(qtbot, window, Qt.Key.Key_Return)
    assert not window.isVisible()
    qtbot.waitUntil(lambda: ("insert", ENTRIES[STARRED], {"is_here": True}) in asked.calls)


def test_where_another_window_of_the_program_takes_the_focus_the_text_waits(
    qtbot, window, asked, monkeypatch
):
    monkeypatch.setattr(window_module, "_FOCUS_S", 0.01)
    other = QWidget()
    qtbot.addWidget(other)
    other.show()
    other.activateWindow()
    qtbot.waitUntil(other.isActiveWindow)
    choose(window, STARRED)
    window.detail.insert_button.click()
    qtbot.waitUntil(lambda: ("insert", ENTRIES[STARRED], {"is_here": False}) in asked.calls)


def test_what_has_no_text_is_neither_inserted_nor_copied(qtbot, window, asked):
    choose(window, FAILED)
    press(qtbot, window, Qt.Key.Key_Return)
    press(qtbot, window, Qt.Key.Key_C, CONTROL)
    assert asked.calls == []
    assert ENTRIES[FAILED].error in said(window)


def test_delete_deletes_what_is_chosen_and_ctrl_z_takes_it_back(qtbot, window, asked):
    choose(window, HELD)
    press(qtbot, window, Qt.Key.Key_Delete)
    assert asked.calls == [("delete", [ENTRIES[HELD].id])]
    assert not window.undo_button.isVisible()
    window.show_history(PASTS["deleted"])
    assert "1 dictation deleted." in said(window)
    assert window.list.chosen() == [ENTRIES[FAILED]]  # the next one took its place
    press(qtbot, window, Qt.Key.Key_Z, CONTROL)
    assert asked.calls[-1] == ("undo_delete",)


def test_several_are_deleted_and_starred_at_once_and_one_is_unstarred(window, asked):
    choose(window, STARRED, HELD)
    window.detail.star_button.click()
    window.detail.delete_button.click()
    ids = [ENTRIES[STARRED].id, ENTRIES[HELD].id]
    assert asked.calls == [("star", ids, {"is_starred": True}), ("delete", ids)]
    assert words.chosen(2) in window.detail.text.placeholderText()
    choose(window, STARRED)
    assert window.detail.star_button.text() == "Unst&ar"
    window.detail.star_button.click()
    assert asked.calls[2:] == [("star", ids[:1], {"is_starred": False})]


def test_ctrl_f_searches_while_typing_and_the_arrow_leads_into_the_hits(qtbot, window, asked):
    press(qtbot, window, Qt.Key.Key_F, CONTROL)
    assert window.focusWidget() is window.search
    qtbot.keyClicks(window.search, "abend")
    qtbot.waitUntil(lambda: asked.calls != [])
    assert asked.calls == [("look", HistoryQuery("abend"))]
    window.show_history(HistoryPage(HistoryQuery("aben"), ENTRIES[:1]))
    assert window.list.model().entries == ENTRIES, "an answer to an older query is not shown"
    window.show_history(HistoryPage(HistoryQuery("abend"), (ENTRIES[HELD],)))
    press(qtbot, window, Qt.Key.Key_Down)
    assert window.focusWidget() is window.list
    assert window.list.chosen() == [ENTRIES[HELD]]


def test_escape_empties_the_search_and_then_closes(qtbot, window):
    window.search.setFocus()
    qtbot.keyClicks(window.search, "abend")
    press(qtbot, window, Qt.Key.Key_Escape)
    assert window.search.text() == ""
    assert window.isVisible()
    press(qtbot, window, Qt.Key.Key_Escape)
    assert not window.isVisible()


@pytest.mark.parametrize(
    ("delivery", "said"),
    [
        (Delivery.TYPED, "May be incomplete"),
        (Delivery.HELD, "Not inserted yet. May be incomplete"),
    ],
)
def test_a_text_in_which_words_may_be_missing_says_so(window, delivery, said):
    entry = Entry(1, NOW_S, EntryState.DONE, 1.0, "One… two.", delivery=delivery, is_truncated=True)
    window.show_history(HistoryPage(entries=(entry,)))
    assert words.remark(entry, is_retried=False) == (said, "problem")
    assert said.rstrip(".") in read_out(window, 0)
    assert words.remark(replace(entry, is_truncated=False, delivery=Delivery.TYPED), is_retried=False) == (
        "",
        "",
    )


def test_a_search_without_hits_and_an_empty_history_say_so(window):
    window.search.setText("chairs qwertz")
    window.show_history(PASTS["no-hits"])
    assert "Nothing found" in said(window)
    assert "chairs qwertz" in said(window)
    window.search.clear()
    window.show_history(HistoryPage())
    assert "Nothing here yet" in said(window)
    assert f"Hold Right Ctrl and speak. {words.NOTHING_YET_HINT}" in said(window)
    window.show_view(replace(VIEW, choices=replace(VIEW.choices, hotkeys=())))
    assert "What you say is saved here, on this computer only." in labels(window), "there is no key to hold"
    assert not window.detail.isVisible()


def test_only_what_is_open_or_starred_is_asked_for(window, asked):
    for only in (HistoryFilter.OPEN, HistoryFilter.STARRED):
        window.only.setCurrentIndex(window.only.findData(only))
        assert asked.calls.pop() == ("look", HistoryQuery(only=only))
    window.show_history(HistoryPage(HistoryQuery(only=HistoryFilter.STARRED)))
    assert "No such dictations" in said(window)


def test_open_are_those_that_the_user_may_still_want():
    assert [entry.id for entry in ENTRIES if HistoryFilter.OPEN.admits(entry)] == [9, 7, 6, 5]
    assert [entry.id for entry in ENTRIES if HistoryFilter.STARRED.admits(entry)] == [8]


def entry_of(menu, title):
    menu.aboutToShow.emit()
    return next(action for action in menu.actions() if action.text() == title)


def test_a_take_is_tried_again_as_before_with_another_model_or_in_another_language(window, asked):
    choose(window, FAILED)
    menu = window.detail.retry_menu
    entry_of(menu, "As before").trigger()
    with_model = entry_of(
        menu, "With another &model"
    )  # kept: older versions of Qt's binding end the menu with it
    entry_of(with_model.menu(), "Qwen3-ASR 1.7B").trigger()
    in_language = entry_of(menu, "In another &language")
    languages = in_language.menu()
    entry_of(languages, "Detect automatically").trigger()
    entry_of(languages, "Deutsch (German)").trigger()
    retry = ("retry", ENTRIES[FAILED])
    assert asked.calls == [
        retry,
        (*retry, {"model": "qwen3-asr-1.7b"}),
        (*retry, {"language": ""}),
        (*retry, {"language": "German"}),
    ]


def test_a_cancelled_take_is_brought_back_and_one_without_sound_is_not_tried_again(window):
    choose(window, CANCELLED)
    assert window.detail.retry_button.text() == "&Restore"
    assert window.detail.retry_button.isEnabled()
    choose(window, HELD)
    assert not window.detail.retry_button.isEnabled()


def test_the_sound_is_played_and_stopped(window, asked):
    choose(window, HELD)
    assert not window.detail.play_button.isEnabled(), "it has no sound"
    choose(window, FAILED)
    window.detail.play_button.click()
    assert asked.calls == [("play", ENTRIES[FAILED])]
    window.show_history(replace(FULL, played=ENTRIES[FAILED].id))
    assert window.detail.play_button.text() == "Stop p&laying"
    window.detail.play_button.click()
    assert asked.calls[1:] == [("stop_playing",)]
    choose(window, STARRED)
    assert window.detail.play_button.text() == "P&lay", "it is another one that is played"


def test_nothing_is_played_while_something_is_recorded(window, asked):
    recording = replace(VIEW, phase=Phase.RECORDING)
    window.show_view(recording)
    assert asked.calls == []
    window.show_view(VIEW)
    window.show_history(replace(FULL, played=ENTRIES[FAILED].id))
    window.show_view(recording)
    assert asked.calls == [("stop_playing",)]


def days(window):
    model = window.list.model()
    return [model.index(row).data(DAY) for row in range(model.rowCount())]


def test_entries_are_grouped_by_day(window):
    shown = days(window)
    assert len([day for day in shown if day]) == len({words.day(one.created_s, NOW) for one in ENTRIES})
    assert shown[0] == words.day(ENTRIES[0].created_s, NOW)
    heights = [window.list.sizeHintForIndex(window.list.model().index(row)).height() for row in range(9)]
    assert {height > min(heights) for day, height in zip(shown, heights, strict=True) if day} == {True}
    assert {height for day, height in zip(shown, heights, strict=True) if not day} == {min(heights)}


def marked(window):
    return [one.cursor.selectedText() for one in window.detail.text.extraSelections()]


def ink(window, row):
    """The pixels of a row that have the color of a mark."""
    rect = window.list.visualRect(window.list.model().index(row))
    image = window.list.viewport().grab(rect).toImage()
    base = window.palette().base().color()
    mark = blended(scheme().color("problem", 90), base).name()
    return sum(
        image.pixelColor(x, y).name() == mark for x in range(image.width()) for y in range(image.height())
    )


def test_what_is_looked_for_is_marked_in_the_list_and_in_the_text(window):
    assert marked(window) == []
    window.search.setText("MONDAY anna")
    choose(window, HELD)  # in its own color, a selected row has no marks to count
    window.show_history(replace(FULL, query=HistoryQuery("MONDAY anna")))
    assert ink(window, STARRED) > 20, "although they are at the end of a long text"
    assert ink(window, FAILED) == 0
    choose(window, STARRED)
    assert marked(window) == ["Anna", "Monday"]
    window.search.clear()
    window.show_history(FULL)
    assert marked(window) == []


def test_marks_are_where_the_words_are_also_behind_letters_of_two_units(window):
    window.search.setText("anna")
    entry = replace(ENTRIES[STARRED], text="🎧 😀 Anna")
    window.show_history(HistoryPage(HistoryQuery("anna"), (entry,)))
    choose(window, 0)
    assert marked(window) == ["Anna"]


def test_rows_can_be_read_aloud(window):
    for part in ("twenty-five chairs", "Today", "English", "thunderbird", "Starred"):
        assert part in read_out(window, STARRED)
    assert words.PLACES[Delivery.HELD] in read_out(window, HELD)
    window.show_history(replace(FULL, retried=frozenset({6})))
    assert "Transcribing again…" in read_out(window, FAILED)


def test_the_history_is_paused_and_says_so(window, asked):
    window.pause.click()
    assert asked.calls == [("change", {"private": True})]
    window.show_view(PRIVATE)
    assert window.pause.isChecked()
    assert strings.HISTORY_PAUSED in said(window)


def test_more_is_asked_for_once_near_the_end(window, asked):
    window.show_history(HistoryPage(entries=MANY, has_more=True))
    asked.calls.clear()
    bar = window.list.verticalScrollBar()
    bar.setValue(bar.maximum())
    bar.setValue(bar.maximum() - 1)
    assert asked.calls == [("look", HistoryQuery(most=400))]


def test_scrolling_and_choice_outlast_an_answer(window):
    window.show_history(HistoryPage(entries=MANY))
    choose(window, 100)
    window.list.verticalScrollBar().setValue(4000)
    newer = Entry(201, NOW_S, EntryState.DONE, 1.0, "New.")
    window.show_history(HistoryPage(entries=(newer, *MANY)))
    assert [entry.id for entry in window.list.chosen()] == [100]
    assert window.list.verticalScrollBar().value() == 4000


def export(window, name, kind=".txt", *rows):
    """Choose a file in the dialog that the button opens."""
    choose(window, *rows or [0])
    window.export_button.click()
    (dialog,) = window.findChildren(QFileDialog)
    dialog.selectNameFilter(words.EXPORT_KINDS[kind])
    dialog.fileSelected.emit(str(name))
    dialog.setParent(None)
    dialog.close()


@pytest.mark.parametrize(
    ("name", "kind", "written"),
    [("a.csv", ".txt", "a.csv"), ("a", ".jsonl", "a.jsonl"), ("v1.2", ".csv", "v1.2.csv")],
)
def test_the_ending_of_an_export_says_what_is_written(window, asked, name, kind, written):
    export(window, f"/nowhere/{name}", kind)
    assert asked.calls == [("export", Path("/nowhere") / written, None)]


def test_several_chosen_ones_are_exported_alone(window, asked):
    export(window, "/tmp/some.txt", ".txt", STARRED, HELD)
    assert asked.calls == [("export", Path("/tmp/some.txt"), [8, 7])]


@pytest.mark.parametrize("answer", ["&Keep it", "&Replace"])
def test_a_file_that_the_dialog_did_not_ask_about_is_not_overwritten_unasked(window, asked, tmp_path, answer):
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    export(window, tmp_path / "thesis")
    assert asked.calls == []
    (box,) = window.findChildren(QMessageBox)
    assert "thesis.txt" in box.text()
    assert box.defaultButton().text() == "&Keep it"
    next(button for button in box.buttons() if button.text() == answer).click()
    assert asked.calls == [("export", tmp_path / "thesis.txt", None)] * (answer == "&Replace")


def test_where_there_is_no_text_its_place_says_why(window):
    for row, entry in enumerate(FULL.entries):
        choose(window, row)
        if not entry.text:
            assert window.detail.text.toPlainText() == ""
            assert window.detail.text.placeholderText() == words.headline(entry)
    assert {words.STATES[EntryState.WAITING], "No speech"} <= {words.headline(one) for one in FULL.entries}


def test_problems_and_exports_are_told(window):
    window.show_history(PASTS["problem"])
    assert "Another program is using the history. Try again in a moment." in said(window)
    window.show_history(PASTS["exported"])
    assert str(Path("/home/anna/dictations.csv")) in said(window)


def test_times_are_told_as_people_do():
    now = QDateTime.fromString("2026-03-10T12:00:00", Qt.DateFormat.ISODate)
    at_s = now.toSecsSinceEpoch()
    assert words.moment(at_s, now).startswith("Today")
    assert words.moment(at_s - 86_400, now).startswith("Yesterday")
    assert words.day(at_s - 86_400, now) == "Yesterday"
    fifth = words.day(at_s - 5 * 86_400, now)
    assert {"5", "2026"} <= set(fifth.replace(",", "").split())
    assert words.moment(at_s - 5 * 86_400, now) == f"{fifth} {words.time_of_day(at_s)}"
    assert words.moment(1e300, now)  # a damaged row


def test_every_button_has_a_letter_of_its_own(window):
    underlined = letters([one.text() for one in buttons(window)] + labels(window) + ["&Undo"])
    assert len(underlined) == len(set(underlined)) >= 10


def test_the_words_selected_are_to_be_corrected_in_the_whole_text(window):
    choose(window, STARRED)
    text, asked_for = ENTRIES[STARRED].text, []
    window.correction_asked.connect(lambda *what: asked_for.append(what))
    cursor = window.detail.text.textCursor()
    cursor.setPosition(0)
    cursor.setPosition(len(text.split()[0]) + 1, QTextCursor.MoveMode.KeepAnchor)
    window.detail.text.setTextCursor(cursor)
    window.detail.correct_button.click()
    assert asked_for == [(text, text.split()[0], window.list.chosen()[0].id)]


def test_words_are_selected_by_keys_and_corrected_from_the_menu(qtbot, window):
    choose(window, STARRED)
    text = window.detail.text
    text.setFocus()
    text.moveCursor(QTextCursor.MoveOperation.Start)
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(text, Qt.Key.Key_Right, keys)
    assert text.selected() == ENTRIES[STARRED].text.split()[0]
    QGuiApplication.sendEvent(text, context_menu(text))
    (menu,) = text.findChildren(QMenu)
    asked_for = []
    window.correction_asked.connect(lambda *what: asked_for.append(what))
    next(one for one in menu.actions() if one.text() == "Correct a&nd add…").trigger()
    assert asked_for == [(ENTRIES[STARRED].text, text.selected(), ENTRIES[STARRED].id)]


def test_a_corrected_text_says_what_it_was_and_can_be_that_again(window, asked):
    entry = replace(ENTRIES[STARRED], original="twenty file chairs")
    window.show_history(replace(FULL, entries=tuple(entry if one.id == entry.id else one for one in ENTRIES)))
    choose(window, FAILED)
    assert not window.detail.restore_button.isVisible()
    choose(window, STARRED)
    assert "twenty file chairs" in window.detail.original.text()
    window.detail.restore_button.click()
    assert asked.calls == [("correct", entry.text, "twenty file chairs", entry.id)]
    assert window.detail.text.hasFocus()


def test_no_break_spaces_are_handed_on_and_a_line_break_alone_is_no_correction(window):
    entry = replace(ENTRIES[STARRED], text="12\u00a0000 €")
    blank = replace(ENTRIES[FAILED], state=EntryState.DONE, text="\n", original="New line.", error="")
    changed = {one.id: one for one in (entry, blank)}
    window.show_history(replace(FULL, entries=tuple(changed.get(one.id, one) for one in ENTRIES)))
    asked_for = []
    window.correction_asked.connect(lambda *what: asked_for.append(what))
    choose(window, STARRED)
    window.detail.correct_button.click()
    assert asked_for == [("12\u00a0000 €", "12", entry.id)]
    choose(window, FAILED)
    assert not window.detail.restore_button.isVisible()
    assert not window.detail.original.isVisible()


def test_a_take_of_commands_only_is_not_called_silence():
    entry = Entry(1, 0.0, EntryState.DONE, original="Hello. Scratch that.")
    assert words.headline(entry) == "Nothing to insert: “Hello. Scratch that.”"
    assert words.headline(replace(entry, text="\n", original="New line.")).count("New line.") == 1
    assert words.headline(replace(entry, original="")) == "No speech"


def context_menu(text, reason=QContextMenuEvent.Reason.Keyboard, place=None):
    return QContextMenuEvent(reason, place or text.rect().center(), QCursor.pos())


def test_the_menu_is_about_the_word_under_the_mouse(window):
    choose(window, STARRED)
    text, written = window.detail.text, ENTRIES[STARRED].text
    cursor = text.textCursor()
    cursor.setPosition(written.index("chairs") + 2)
    place = text.cursorRect(cursor).center()
    QGuiApplication.sendEvent(text.viewport(), context_menu(text, QContextMenuEvent.Reason.Mouse, place))
    assert text.selected() == "chairs"


def test_without_a_text_there_is_nothing_to_correct(window):
    choose(window, FAILED)
    assert not window.detail.correct_button.isEnabled()
