"""The History window by keyboard: what it shows, and what it asks for."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QDateTime, Qt
from PySide6.QtWidgets import QFileDialog, QLabel, QMessageBox, QWidget

from handy_qwen.core.types import Delivery, Entry, EntryState
from handy_qwen.core.view import HistoryFilter, HistoryPage, HistoryQuery
from handy_qwen.ui import strings
from handy_qwen.ui import window as window_module
from handy_qwen.ui.windows import history_words as words
from handy_qwen.ui.windows.history import HistoryWindow
from tests.e2e.pasts import ENTRIES, FULL, NOW_S, PASTS, PRIVATE, VIEW

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
STARRED, HELD, FAILED, CANCELLED = 1, 2, 3, 4  # rows of FULL


class Pausing:
    """Keeps whether the history is to be paused."""

    def __init__(self):
        self.calls = []

    def pause_history(self, is_paused):
        self.calls.append(is_paused)


class Keeper:
    """Keeps what it was asked for."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *a, **k: self.calls.append((name, *a, *([k] if k else [])))


@pytest.fixture
def pausing():
    return Pausing()


@pytest.fixture
def keeper():
    return Keeper()


@pytest.fixture
def window(qtbot, keeper, pausing, app_home):  # noqa: ARG001  the home keeps the window's place
    made = HistoryWindow(keeper, pausing)
    qtbot.addWidget(made)
    made.show_view(VIEW)
    made.present()
    made.show_history(FULL)
    qtbot.waitUntil(made.isActiveWindow)
    keeper.calls.clear()
    return made


def press(qtbot, window, key, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.keyClick(window.focusWidget() or window, key, modifier)


def choose(window, *rows):
    window.list.clearSelection()
    for row in rows:
        window.list.setCurrentIndex(window.list.model().index(row)) if len(rows) == 1 else None
        window.list.selectionModel().select(
            window.list.model().index(row), window.list.selectionModel().SelectionFlag.Select
        )


def said(window):
    return "\n".join(label.text() for label in window.findChildren(QLabel) if label.isVisible())


def test_it_asks_for_all_when_it_comes_up_and_the_list_has_the_keyboard(window, keeper):
    window.close()
    keeper.calls.clear()
    window.present()
    assert keeper.calls == [("look", HistoryQuery())]
    assert window.focusWidget() is window.list


def test_the_arrow_keys_show_one_text_after_the_other(qtbot, window):
    press(qtbot, window, Qt.Key.Key_Home)
    press(qtbot, window, Qt.Key.Key_Down)
    assert window.detail.text.toPlainText() == ENTRIES[STARRED].text
    press(qtbot, window, Qt.Key.Key_Down)
    assert window.detail.text.toPlainText() == ENTRIES[HELD].text


def test_ctrl_c_copies_the_text(qtbot, window, keeper):
    choose(window, STARRED)
    press(qtbot, window, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert keeper.calls == [("copy", ENTRIES[STARRED])]


def test_enter_gives_the_focus_back_and_inserts_the_text_there(qtbot, window, keeper):
    choose(window, STARRED)
    press(qtbot, window, Qt.Key.Key_Return)
    assert not window.isVisible()
    qtbot.waitUntil(lambda: ("insert", ENTRIES[STARRED], {"is_here": True}) in keeper.calls)


def test_where_another_window_of_the_program_takes_the_focus_the_text_waits(
    qtbot, window, keeper, monkeypatch
):
    monkeypatch.setattr(window_module, "_FOCUS_S", 0.01)
    other = QWidget()
    qtbot.addWidget(other)
    other.show()
    other.activateWindow()
    qtbot.waitUntil(other.isActiveWindow)
    choose(window, STARRED)
    window.detail.insert_button.click()
    qtbot.waitUntil(lambda: ("insert", ENTRIES[STARRED], {"is_here": False}) in keeper.calls)


def test_what_has_no_text_is_neither_inserted_nor_copied(qtbot, window, keeper):
    choose(window, FAILED)
    press(qtbot, window, Qt.Key.Key_Return)
    press(qtbot, window, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert keeper.calls == []
    assert ENTRIES[FAILED].error in said(window)


def test_delete_deletes_what_is_chosen_and_ctrl_z_takes_it_back(qtbot, window, keeper):
    choose(window, HELD)
    press(qtbot, window, Qt.Key.Key_Delete)
    assert keeper.calls == [("delete", [ENTRIES[HELD].id])]
    assert not window.undo_button.isVisible()
    window.show_history(PASTS["deleted"])
    assert "1 dictation deleted." in said(window)
    assert window.list.chosen() == [ENTRIES[FAILED]]  # the next one took its place
    press(qtbot, window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert keeper.calls[-1] == ("undo_delete",)


def test_several_are_deleted_and_starred_at_once(window, keeper):
    choose(window, STARRED, HELD)
    window.detail.star_button.click()
    window.detail.delete_button.click()
    ids = [ENTRIES[STARRED].id, ENTRIES[HELD].id]
    assert keeper.calls == [("star", ids, {"is_starred": True}), ("delete", ids)]
    assert words.chosen(2) in window.detail.text.placeholderText()


def test_a_starred_one_is_unstarred(window, keeper):
    choose(window, STARRED)
    assert window.detail.star_button.text() == words.UNSTAR
    window.detail.star_button.click()
    assert keeper.calls == [("star", [ENTRIES[STARRED].id], {"is_starred": False})]


def test_deleting_is_final_when_the_window_closes(window, keeper):
    window.close()
    assert keeper.calls == [("leave",)]


def test_ctrl_f_searches_while_typing_and_the_arrow_leads_into_the_hits(qtbot, window, keeper):
    press(qtbot, window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert window.focusWidget() is window.search
    qtbot.keyClicks(window.search, "abend")
    qtbot.waitUntil(lambda: keeper.calls != [])
    assert keeper.calls == [("look", HistoryQuery("abend"))]
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


def test_an_answer_to_an_older_question_is_not_shown(window):
    window.search.setText("abend")
    window.show_history(HistoryPage(HistoryQuery("aben"), ENTRIES[:1]))
    assert window.list.model().entries == ENTRIES


def test_a_search_without_hits_and_an_empty_history_say_so(window):
    window.search.setText("chairs qwertz")
    window.show_history(PASTS["no-hits"])
    assert words.NOTHING_FOUND in said(window)
    assert "chairs qwertz" in said(window)
    window.search.clear()
    window.show_history(HistoryPage())
    assert words.NOTHING_YET in said(window)
    assert "Right Ctrl" in said(window)
    window.show_view(replace(VIEW, choices=replace(VIEW.choices, hotkeys=("F9",))))
    assert f"{strings.HOLD_AND_SPEAK.format(keys='F9')} {words.NOTHING_YET_HINT}" in said(window)
    window.show_view(replace(VIEW, choices=replace(VIEW.choices, hotkeys=())))
    assert said(window).endswith(f"\n{words.NOTHING_YET_HINT}\n"), "there is no key to hold"
    assert not window.detail.isVisible()


def test_only_what_is_open_or_starred_is_asked_for(window, keeper):
    window.only.setCurrentIndex(window.only.findData(HistoryFilter.OPEN))
    window.only.setCurrentIndex(window.only.findData(HistoryFilter.STARRED))
    assert keeper.calls == [
        ("look", HistoryQuery(only=HistoryFilter.OPEN)),
        ("look", HistoryQuery(only=HistoryFilter.STARRED)),
    ]
    window.show_history(HistoryPage(HistoryQuery(only=HistoryFilter.STARRED)))
    assert words.NOTHING_OF_KIND in said(window)


def test_open_are_those_that_the_user_may_still_want():
    assert [entry.id for entry in ENTRIES if HistoryFilter.OPEN.admits(entry)] == [9, 7, 6, 5]
    assert [entry.id for entry in ENTRIES if HistoryFilter.STARRED.admits(entry)] == [8]


def retry_menu(window):
    menu = window.detail.retry_menu
    menu.aboutToShow.emit()
    return menu


def entry_of(menu, title):
    return next(action for action in menu.actions() if action.text() == title)


def test_a_take_is_tried_again_as_before_with_another_model_or_in_another_language(window, keeper):
    choose(window, FAILED)
    entry = ENTRIES[FAILED]
    entry_of(retry_menu(window), words.LIKE_BEFORE).trigger()
    models = entry_of(retry_menu(window), words.WITH_MODEL).menu()
    entry_of(models, "Qwen3-ASR 1.7B").trigger()
    languages = entry_of(retry_menu(window), words.IN_LANGUAGE).menu()
    entry_of(languages, words.AUTOMATIC).trigger()
    entry_of(languages, "Deutsch (German)").trigger()
    assert keeper.calls == [
        ("retry", entry),
        ("retry", entry, {"model": "qwen3-asr-1.7b"}),
        ("retry", entry, {"language": ""}),
        ("retry", entry, {"language": "German"}),
    ]


def test_a_cancelled_take_is_brought_back_and_one_without_sound_is_not_tried_again(window):
    choose(window, CANCELLED)
    assert window.detail.retry_button.text() == words.BRING_BACK
    assert window.detail.retry_button.isEnabled()
    choose(window, HELD)
    assert not window.detail.retry_button.isEnabled()


def test_one_that_is_tried_again_says_so(window):
    window.show_history(replace(FULL, retried=frozenset({6})))
    index = window.list.model().index(FAILED)
    assert words.RETRIED in index.data(Qt.ItemDataRole.AccessibleTextRole)


def test_rows_can_be_read_aloud(window):
    text = window.list.model().index(STARRED).data(Qt.ItemDataRole.AccessibleTextRole)
    for part in ("twenty-five chairs", "Today", "English", "thunderbird", words.STARRED):
        assert part in text
    assert words.PLACES[Delivery.HELD] in window.list.model().index(HELD).data(
        Qt.ItemDataRole.AccessibleTextRole
    )


def test_the_history_is_paused_and_says_so(window, pausing):
    window.pause.click()
    assert pausing.calls == [True]
    window.show_view(PRIVATE)
    assert window.pause.isChecked()
    assert strings.HISTORY_PAUSED in said(window)


def test_more_is_asked_for_once_near_the_end(window, keeper):
    many = tuple(Entry(number, NOW_S, EntryState.DONE, 1.0, "Hello.") for number in range(200, 0, -1))
    window.show_history(HistoryPage(entries=many, has_more=True))
    keeper.calls.clear()
    bar = window.list.verticalScrollBar()
    bar.setValue(bar.maximum())
    bar.setValue(bar.maximum() - 1)
    assert keeper.calls == [("look", HistoryQuery(most=400))]


def test_scrolling_and_choice_outlast_an_answer(window):
    many = tuple(Entry(number, NOW_S, EntryState.DONE, 1.0, "Hello.") for number in range(200, 0, -1))
    window.show_history(HistoryPage(entries=many))
    choose(window, 100)
    window.list.verticalScrollBar().setValue(4000)
    newer = Entry(201, NOW_S, EntryState.DONE, 1.0, "New.")
    window.show_history(HistoryPage(entries=(newer, *many)))
    assert [entry.id for entry in window.list.chosen()] == [100]
    assert window.list.verticalScrollBar().value() == 4000


@pytest.mark.parametrize(
    ("name", "kind", "written"),
    [
        ("a.csv", words.EXPORT_KINDS[".txt"], "a.csv"),
        ("a", words.EXPORT_KINDS[".jsonl"], "a.jsonl"),
        ("v1.2", words.EXPORT_KINDS[".csv"], "v1.2.csv"),
    ],
)
def test_the_ending_of_an_export_says_what_is_written(window, keeper, name, kind, written):
    window._export(f"/nowhere/{name}", kind, None)
    assert keeper.calls == [("export", Path("/nowhere") / written, None)]


def test_a_file_that_the_dialog_did_not_ask_about_is_not_overwritten_unasked(window, keeper, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    kind = words.EXPORT_KINDS[".txt"]
    for answer, calls in (
        (words.KEEP_IT, []),
        (words.REPLACE_IT, [("export", tmp_path / "thesis.txt", None)]),
    ):
        window._export(str(tmp_path / "thesis"), kind, None)
        assert keeper.calls == []
        (box,) = window.findChildren(QMessageBox)
        assert "thesis.txt" in box.text()
        assert box.defaultButton().text() == words.KEEP_IT
        next(button for button in box.buttons() if button.text() == answer).click()
        assert keeper.calls == calls
        box.setParent(None)


def test_where_there_is_no_text_its_place_says_why(window):
    for row, entry in enumerate(FULL.entries):
        choose(window, row)
        if not entry.text:
            assert window.detail.text.toPlainText() == ""
            assert window.detail.text.placeholderText() == words.headline(entry)
    assert {words.STATES[EntryState.WAITING], words.NO_TEXT} <= {words.headline(one) for one in FULL.entries}


def test_several_chosen_ones_are_exported_alone(window, keeper):
    choose(window, STARRED, HELD)
    window.export_button.click()
    (dialog,) = window.findChildren(QFileDialog)
    dialog.fileSelected.emit("/tmp/some.txt")
    dialog.close()
    assert keeper.calls == [("export", Path("/tmp/some.txt"), [8, 7])]


def test_problems_and_exports_are_told(window):
    window.show_history(PASTS["problem"])
    assert "Another program holds the history. Try again in a moment." in said(window)
    window.show_history(PASTS["exported"])
    assert "/home/anna/dictations.csv" in said(window)


def test_times_are_told_as_people_do():
    now = QDateTime.fromString("2026-03-10T12:00:00", Qt.DateFormat.ISODate)
    at_s = now.toSecsSinceEpoch()
    assert words.moment(at_s, now).startswith(words.TODAY)
    assert words.moment(at_s - 86_400, now).startswith(words.YESTERDAY)
    assert "2026" in words.moment(at_s - 5 * 86_400, now) or "26" in words.moment(at_s - 5 * 86_400, now)
    assert words.moment(1e300, now)  # a damaged row


def test_every_button_has_a_letter_of_its_own(window):
    from PySide6.QtWidgets import QAbstractButton

    titles = [one.text() for one in window.findChildren(QAbstractButton) if one.isVisible()]
    titles += [label.text() for label in window.findChildren(QLabel) if label.buddy()] + [words.UNDO]
    letters = [title[title.index("&") + 1].lower() for title in titles if "&" in title]
    assert len(letters) >= 10
    assert len(set(letters)) == len(letters)
