"""The page Vocabulary by keyboard and clipboard: what it shows, and what it asks for."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, Qt
from PySide6.QtGui import QAccessible, QGuiApplication, QKeyEvent, QTextDocument
from PySide6.QtWidgets import QFileDialog, QLineEdit, QPlainTextEdit, QWidget

from handy_qwen.core.models import Told
from handy_qwen.core.text import Replacement
from handy_qwen.core.vocabulary import Fit, ReplacementRow, Tried, VocabularyPage
from handy_qwen.settings import Settings, SettingsProblem, SettingsView
from handy_qwen.settings.forms import Page
from handy_qwen.ui import widgets
from handy_qwen.ui.settings.rule_table import CASE, HEARD, PATTERN, WRITTEN
from handy_qwen.ui.settings.window import SettingsWindow
from tests.unit.ui.gallery import buttons, labels, letters, tools

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
NAMES = ("Qwen", "Ada Lovelace", "Oslo")
SOFAS, BREAK = Replacement("chairs", "sofas"), Replacement("new line", "\n")
RULES = (ReplacementRow(SOFAS, SOFAS), ReplacementRow(BREAK, BREAK))
SHOWN = VocabularyPage(NAMES, Fit(12, 200), RULES)
KEY, NONE = Qt.Key, Qt.KeyboardModifier.NoModifier
CONTROL, ALT, SHIFT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.ShiftModifier,
)


@pytest.fixture
def window(qtbot, asked, app_home):  # noqa: ARG001  the home keeps the window's place
    made = SettingsWindow(tools(asked))
    qtbot.addWidget(made)
    made.go(Page.VOCABULARY)
    made.present()
    qtbot.waitUntil(made.isActiveWindow)
    made.show_vocabulary(SHOWN)
    asked.calls.clear()
    return made


@pytest.fixture
def page(window):
    return window.page(Page.VOCABULARY)


def press(qtbot, window, key, modifier=NONE):
    qtbot.keyClick(QGuiApplication.focusObject() or window, key, modifier)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.MetaCall)


def write(qtbot, text):
    qtbot.keyClicks(QGuiApplication.focusObject(), text)


def choose(view, *rows):
    selection = view.selectionModel()
    view.clearSelection()
    for row in rows:
        index = view.model().index(row, 0)
        selection.select(index, selection.SelectionFlag.Select | selection.SelectionFlag.Rows)
    selection.setCurrentIndex(view.model().index(rows[0], 0), selection.SelectionFlag.NoUpdate)
    view.setFocus()


def shown(view, column=0, role=Qt.ItemDataRole.DisplayRole):
    model = view.model()
    return [model.index(row, column).data(role) for row in range(model.rowCount())]


def test_a_tooltip_shows_what_was_entered_and_reads_it_as_no_markup(window, page):
    entered = Replacement("<b>x</b> & y", "<img src='a'>")
    window.show_vocabulary(VocabularyPage(rows=(ReplacementRow(entered, entered),)))
    tips = [shown(page.rules.table, column, Qt.ItemDataRole.ToolTipRole)[0] for column in (0, 1)]
    found = []
    for tip in tips:
        document = QTextDocument()
        document.setHtml(tip)
        found.append(document.toPlainText())
    assert found == [entered.heard, entered.written]


def tell(window, title, number=1, shown=SHOWN, **more):
    window.show_vocabulary(
        VocabularyPage(shown.words, shown.fit, shown.rows, Told(number, title, **more), can_undo=True)
    )


# ---- words ----------------------------------------------------------------------------------------------


def test_enter_adds_a_word_and_the_field_is_free_for_the_next(qtbot, window, page, asked):
    page.words.new.setFocus()
    write(qtbot, "Handy")
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls == [("add_words", "Handy")]
    assert page.words.new.text() == ""
    press(qtbot, window, KEY.Key_Return)
    assert len(asked.calls) == 1
    assert window.isVisible()


@pytest.mark.parametrize("where", ["new", "list"])
def test_pasted_lines_are_all_added(qtbot, window, page, asked, where):
    QGuiApplication.clipboard().setText("Lima\nRiga\n")
    getattr(page.words, where).setFocus()
    press(qtbot, window, KEY.Key_V, CONTROL)
    qtbot.waitUntil(lambda: bool(asked.calls))
    assert asked.calls == [("add_words", "Lima\nRiga\n")]
    assert page.words.new.text() == ""


def test_a_word_is_edited_in_its_place(qtbot, window, page, asked):
    choose(page.words.list, 1)
    press(qtbot, window, KEY.Key_Return)
    editor = QGuiApplication.focusObject()
    assert isinstance(editor, QLineEdit)
    assert editor.text() == "Ada Lovelace"
    editor.setText("Ada King")
    press(qtbot, window, KEY.Key_Return)
    assert ("edit_word", "Ada Lovelace", "Ada King") in asked.calls


def test_escape_gives_an_edit_up_and_leaves_the_window_open(qtbot, window, page, asked):
    choose(page.words.list, 1)
    press(qtbot, window, KEY.Key_F2)
    write(qtbot, "x")
    press(qtbot, window, KEY.Key_Escape)
    assert asked.calls == []
    assert window.isVisible()


def test_words_are_moved_copied_and_deleted_by_keys(qtbot, window, page, asked):
    choose(page.words.list, 1, 2)
    press(qtbot, window, KEY.Key_Up, ALT)
    press(qtbot, window, KEY.Key_C, CONTROL)
    press(qtbot, window, KEY.Key_Delete)
    assert asked.calls == [
        ("move_words", ["Ada Lovelace", "Oslo"], -1),
        ("copy_text", "Ada Lovelace\nOslo"),
        ("delete_words", ["Ada Lovelace", "Oslo"]),
    ]


def test_what_is_selected_stays_so_when_it_moves_and_the_next_takes_the_place_of_what_goes(window, page):
    choose(page.words.list, 1)
    window.show_vocabulary(VocabularyPage(("Ada Lovelace", "Qwen", "Oslo")))
    assert page.words.list.chosen() == ["Ada Lovelace"]
    window.show_vocabulary(VocabularyPage(("Qwen", "Oslo")))
    assert page.words.list.chosen() == ["Qwen"]


def test_what_does_not_fit_is_called_so_and_the_tokens_are_counted(window, page):
    window.show_vocabulary(VocabularyPage(NAMES, Fit(199, 200, frozenset({"Oslo"}))))
    assert shown(page.words.list) == ["Qwen", "Ada Lovelace", "Oslo (not used)"]
    assert shown(page.words.list, role=Qt.ItemDataRole.AccessibleTextRole)[2] == "Oslo (not used)"
    assert "199 of 200 tokens used. 1 word doesn't fit." in labels(page)


def test_a_long_list_is_searched_and_cannot_be_put_in_order_meanwhile(qtbot, window, page, asked):
    assert not page.words.sought.isVisible()
    window.show_vocabulary(VocabularyPage(tuple(f"name {number}" for number in range(20))))
    page.words.sought.setFocus()
    write(qtbot, "NAME 1")
    assert shown(page.words.list) == ["name 1", *(f"name {number}" for number in range(10, 20))]
    choose(page.words.list, 3)
    press(qtbot, window, KEY.Key_Up, ALT)
    assert not page.words.up_button.isEnabled()
    assert asked.calls == []
    page.words.top_button.click()
    assert asked.calls == [("move_words", ["name 12"], -20)]


def test_buttons_do_only_what_makes_sense(page):
    words_part = page.words
    enabled = [
        [one.isEnabled() for one in (words_part.up_button, words_part.down_button, words_part.edit_button)]
        for row in range(3)
        if not choose(words_part.list, row)
    ]
    assert enabled == [[False, True, True], [True, True, True], [True, False, True]]


# ---- replacements ---------------------------------------------------------------------------------------


def test_a_replacement_is_added_cell_by_cell_with_several_lines(qtbot, window, page, asked):
    page.rules.add_button.click()
    write(qtbot, "my address")
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls == []
    assert isinstance(QGuiApplication.focusObject(), QPlainTextEdit)
    write(qtbot, "Ada")
    press(qtbot, window, KEY.Key_Return, SHIFT)
    write(qtbot, "London")
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls == [("set_replacement", None, Replacement("my address", "Ada\nLondon"))]
    assert len(shown(page.rules.table)) == 2


def test_what_is_typed_right_after_enter_goes_into_the_next_cell(qtbot, page, asked):
    page.rules.add_button.click()
    for text in ("chairs", "sofas"):  # without a turn of the event loop in between
        write(qtbot, text)
        qtbot.keyClick(QGuiApplication.focusObject(), KEY.Key_Return)
    assert asked.calls == [("set_replacement", None, Replacement("chairs", "sofas"))]
    assert page.rules.table.hasFocus(), "and not a button, which Space would press"


def test_what_is_typed_right_after_enter_does_not_go_into_the_word_just_edited(qtbot, window, page, asked):
    choose(page.words.list, 0)
    press(qtbot, window, KEY.Key_Return)
    write(qtbot, "Lovelace")
    qtbot.keyClick(QGuiApplication.focusObject(), KEY.Key_Return)
    write(qtbot, "x")
    assert asked.calls == [("edit_word", page.words.list.model().index(0, 0).data(), "Lovelace")]


def test_enter_with_shift_ends_a_cell_that_has_one_line(qtbot, window, page, asked):
    choose(page.words.list, 0)
    press(qtbot, window, KEY.Key_Return)
    write(qtbot, "Lovelace")
    qtbot.keyClick(QGuiApplication.focusObject(), KEY.Key_Return, SHIFT)
    assert asked.calls == [("edit_word", NAMES[0], "Lovelace")], "at once"
    page.rules.add_button.click()
    write(qtbot, "chairs")
    qtbot.keyClick(QGuiApplication.focusObject(), KEY.Key_Enter, SHIFT)
    write(qtbot, "sofas")
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls[1:] == [("set_replacement", None, SOFAS)]


def test_enter_takes_what_an_input_method_still_composes(qtbot, window, page, asked, compose):
    choose(page.words.list, 0)
    press(qtbot, window, KEY.Key_Return)
    compose("東京")
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls == [("edit_word", NAMES[0], "東京")]
    page.rules.add_button.click()
    for text in ("京都", "大阪"):
        compose(text)
        press(qtbot, window, KEY.Key_Return)
    assert asked.calls[1:] == [("set_replacement", None, Replacement("京都", "大阪"))]


def test_an_enter_that_is_held_ends_one_cell(qtbot, page, asked):
    page.rules.add_button.click()
    write(qtbot, "um")
    for is_repeated in (False, True, True):
        event = QKeyEvent(QEvent.Type.KeyPress, KEY.Key_Return, NONE, "\r", is_repeated)
        QCoreApplication.sendEvent(QGuiApplication.focusObject(), event)
    assert isinstance(QGuiApplication.focusObject(), QPlainTextEdit)
    assert asked.calls == []


def test_what_is_being_typed_in_a_cell_stays_when_others_change(qtbot, window, page, asked):
    choose(page.words.list, 1)
    press(qtbot, window, KEY.Key_Return)
    write(qtbot, "Lovelace")
    window.show_vocabulary(replace(SHOWN, words=("Kovacs", *NAMES[1:])))
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls == [("edit_word", NAMES[1], "Lovelace")]
    choose(page.rules.table, 0)
    page.rules.table.setCurrentIndex(page.rules.table.model().index(0, WRITTEN))
    press(qtbot, window, KEY.Key_Return)
    write(qtbot, "benches")
    changed = Replacement("new line", "\n\n")
    window.show_vocabulary(replace(SHOWN, rows=(RULES[0], ReplacementRow(changed, changed))))
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls[-1] == ("set_replacement", RULES[0], Replacement("chairs", "benches"))


def test_what_is_being_typed_goes_with_its_row_when_that_moves(qtbot, window, page, asked):
    choose(page.words.list, 1)
    press(qtbot, window, KEY.Key_Return)
    write(qtbot, "Love")
    window.show_vocabulary(replace(SHOWN, words=("Kovacs", *NAMES)))
    write(qtbot, "lace")
    place = page.words.list.visualRect(page.words.list.model().index(2, 0))
    assert place.contains(QGuiApplication.focusObject().geometry().center())
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls == [("edit_word", NAMES[1], "Lovelace")]
    for column in (HEARD, WRITTEN):
        window.show_vocabulary(SHOWN)
        choose(page.rules.table, 0)
        page.rules.table.setCurrentIndex(page.rules.table.model().index(0, column))
        press(qtbot, window, KEY.Key_Return)
        write(qtbot, "benches")
        window.show_vocabulary(replace(SHOWN, rows=RULES[::-1]))
        press(qtbot, window, KEY.Key_Return)
    assert asked.calls[1:] == [
        ("set_replacement", RULES[0], Replacement("benches", "sofas")),
        ("set_replacement", RULES[0], Replacement("chairs", "benches")),
    ]


def test_what_is_being_typed_in_one_of_two_equal_words_stays(qtbot, window, page, asked):
    twice = replace(SHOWN, words=("Oslo", "Oslo", "Riga"))
    window.show_vocabulary(twice)
    choose(page.words.list, 1)
    press(qtbot, window, KEY.Key_Return)
    write(qtbot, "Ber")
    window.show_vocabulary(replace(twice, fit=Fit(13, 200)))
    write(qtbot, "gen")
    assert page.words.list.currentIndex().row() == 1
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls == [("edit_word", "Oslo", "Bergen")]


def test_a_word_is_edited_again_before_the_list_has_the_first_edit(qtbot, window, page, asked):
    choose(page.words.list, 1)
    for name in ("Lovelace", "King"):
        press(qtbot, window, KEY.Key_Return)
        write(qtbot, name)
        if name == "King":
            window.show_vocabulary(replace(SHOWN, words=("Qwen", "Lovelace", "Oslo")))
        press(qtbot, window, KEY.Key_Return)
    assert asked.calls == [("edit_word", NAMES[1], "Lovelace"), ("edit_word", "Lovelace", "King")]


@pytest.mark.parametrize("left", [NAMES[1:], (*NAMES[1:], "Kovacs")])
def test_what_is_typed_for_a_row_that_has_gone_is_not_given_to_another(qtbot, window, page, asked, left):
    window.show_vocabulary(replace(SHOWN, words=("Riga", *NAMES[1:])))
    choose(page.words.list, 0)
    press(qtbot, window, KEY.Key_Return)
    write(qtbot, "Ada")
    window.show_vocabulary(replace(SHOWN, words=left))
    assert asked.calls == []
    assert page.words.list.chosen() == [NAMES[1]], "the next one"
    assert page.words.list.hasFocus()
    press(qtbot, window, KEY.Key_Return)
    write(qtbot, "Lovelace")
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls == [("edit_word", NAMES[1], "Lovelace")]


def test_a_new_row_is_filled_in_while_others_come_and_go(qtbot, window, page, asked):
    page.rules.add_button.click()
    write(qtbot, "desks")
    window.show_vocabulary(replace(SHOWN, rows=RULES[1:]))
    press(qtbot, window, KEY.Key_Return)
    write(qtbot, "tab")
    window.show_vocabulary(SHOWN)
    write(qtbot, "les")
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls == [("set_replacement", None, Replacement("desks", "tables"))]
    assert shown(page.rules.table) == ["chairs", "new line"]


def test_the_replacement_after_one_that_goes_takes_its_place(window, page):
    choose(page.rules.table, 0)
    window.show_vocabulary(replace(SHOWN, rows=RULES[1:]))
    assert page.rules.table.chosen() == [RULES[1]]
    assert page.rules.table.currentIndex().row() == 0


def test_a_row_that_does_not_say_what_to_write_is_not_saved_and_says_so(qtbot, window, page, asked):
    page.rules.add_button.click()
    write(qtbot, "um")
    press(qtbot, window, KEY.Key_Tab)
    press(qtbot, window, KEY.Key_Escape)
    assert asked.calls == []
    assert "Row 3 isn't saved. Enter what to write." in labels(page)
    press(qtbot, window, KEY.Key_Delete)
    assert len(shown(page.rules.table)) == 2
    assert asked.calls == []


def test_an_empty_new_row_goes_away(qtbot, window, page, asked):
    page.rules.add_button.click()
    press(qtbot, window, KEY.Key_Escape)
    assert len(shown(page.rules.table)) == 2
    assert (asked.calls, window.isVisible()) == ([], True)


def test_a_cell_is_edited_in_its_place(qtbot, window, page, asked):
    choose(page.rules.table, 0)
    press(qtbot, window, KEY.Key_Return)
    QGuiApplication.focusObject().setText("desks")
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls == [("set_replacement", RULES[0], Replacement("desks", "sofas"))]


def test_space_says_whether_capitals_matter_and_whether_it_is_a_pattern(qtbot, window, page, asked):
    choose(page.rules.table, 0)
    for column in (CASE, PATTERN):
        page.rules.table.setCurrentIndex(page.rules.table.model().index(0, column))
        press(qtbot, window, KEY.Key_Space)
    assert asked.calls == [
        ("set_replacement", RULES[0], Replacement("chairs", "sofas", is_case_sensitive=True)),
        ("set_replacement", RULES[0], Replacement("chairs", "sofas", is_regex=True)),
    ]


def test_line_breaks_and_nothing_are_visible(window, page):
    nothing = Replacement("um", "")
    window.show_vocabulary(VocabularyPage(rows=(*RULES, ReplacementRow(nothing, nothing))))
    assert shown(page.rules.table, WRITTEN) == ["sofas", " ↵ ", "(nothing)"]


def test_a_row_that_is_not_saved_is_marked_in_words_for_the_eye_and_for_the_ear(window, page):
    bad = ReplacementRow(Replacement("(", "x", is_regex=True), None, "Not a valid pattern: missing ).")
    window.show_vocabulary(VocabularyPage(rows=(*RULES, bad)))
    index = page.rules.table.model().index(2, HEARD)
    assert index.data() == "⚠ ("
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "(, not saved: Not a valid pattern: missing )."
    assert "Row 3 isn't saved. Not a valid pattern: missing )." in labels(page)
    window.show_vocabulary(
        VocabularyPage(rows=(ReplacementRow(bad.entered, SOFAS, "Not a valid pattern: missing )."),))
    )
    assert "Until then, the previous one applies." in "\n".join(labels(page))
    window.show_vocabulary(SHOWN)
    assert "isn't saved" not in "\n".join(labels(page))


def test_an_editor_stays_open_when_the_tokens_are_counted(qtbot, window, page, asked):
    choose(page.rules.table, 1)
    press(qtbot, window, KEY.Key_Return)
    write(qtbot, "break")
    window.show_vocabulary(VocabularyPage(NAMES, Fit(13, 200), RULES))
    press(qtbot, window, KEY.Key_Return)
    assert asked.calls == [("set_replacement", RULES[1], Replacement("break", "\n"))]


def test_what_is_typed_is_tried_when_the_fingers_rest(qtbot, window, page, asked):
    page.rules.sample.setFocus()
    write(qtbot, "chairs new line")
    qtbot.waitUntil(lambda: ("try_text", "chairs new line") in asked.calls)
    tried = Tried("chairs new line", "sofas\n", "English", (BREAK,))
    window.show_vocabulary(VocabularyPage(NAMES, None, RULES, tried=tried))
    assert "Inserted: sofas ↵ " in labels(page)
    assert "Patterns that take too long are left out: row 2." in labels(page)
    window.show_vocabulary(SHOWN)
    assert not page.rules.result.isVisible()


# ---- what came of it ------------------------------------------------------------------------------------


def test_what_came_of_a_command_is_told_where_it_was_asked_for_and_can_be_taken_back(window, page, asked):
    choose(page.rules.table, 0)
    page.rules.delete_button.click()
    tell(window, "1 replacement deleted.")
    assert page.rules.told.message.words == "1 replacement deleted."
    assert not page.words.told.isVisible()
    page.rules.told.undo_button.click()
    assert asked.calls == [("delete_rows", [RULES[0]]), ("undo",)]


def test_ctrl_z_takes_back_but_not_what_is_only_typed(qtbot, window, page, asked):
    tell(window, "1 word added.")
    page.words.new.setFocus()
    write(qtbot, "x")
    press(qtbot, window, KEY.Key_Z, CONTROL)
    assert asked.calls == []
    page.words.list.setFocus()
    press(qtbot, window, KEY.Key_Z, CONTROL)
    assert asked.calls == [("undo",)]


def test_a_refusal_has_nothing_to_undo(window, page):
    tell(window, "picture.txt is not a text file.", is_problem=True)
    assert page.words.told.message.words == "picture.txt is not a text file."
    assert not page.words.told.undo_button.isVisible()


def test_what_was_told_before_the_page_came_up_is_not_told_again(window, page):
    tell(window, "1 word added.")
    window.close()
    window.present()
    tell(window, "1 word added.")
    assert not page.words.told.isVisible()
    tell(window, "1 word added.", number=2)
    assert page.words.told.isVisible()


def test_it_looks_while_it_is_up_and_whenever_the_settings_change(window, asked):
    window.show_settings(SettingsView(values=Settings(remove_fillers=True)))
    window.show_settings(SettingsView(values=Settings(remove_fillers=True)))
    assert asked.calls == [("look",)]
    window.close()
    window.show_settings(SettingsView())
    assert asked.calls == [("look",), ("leave",)]
    window.present()
    assert asked.calls[2:] == [("look",), ("try_text", "")]


def test_what_the_file_has_wrong_is_told_where_it_is_mended(window, page):
    problems = (
        SettingsProblem(
            "an entry of custom_words must be text in quotes", 7, "it is left out", name="custom_words"
        ),
        SettingsProblem("an entry of replacements is not a valid regular expression", 9, name="replacements"),
    )
    window.show_settings(SettingsView(problems=problems))
    said = "\n".join(labels(page))
    assert "Line 7: an entry of custom_words must be" in said
    assert "Line 9: an entry of replacements" in said
    window.show_settings(SettingsView())
    assert "an entry of" not in "\n".join(labels(page))


def test_files_are_chosen_in_dialogs_that_hold_nothing_up(window, page, asked, tmp_path):
    for button, command, name in (
        (page.files.import_button, "import_file", "in.csv"),
        (page.files.words_button, "export_words", "out.txt"),
        (page.files.rules_button, "export_replacements", "out.csv"),
    ):
        button.click()
        dialog = next(one for one in page.findChildren(QFileDialog) if one.isVisible())
        dialog.fileSelected.emit(str(tmp_path / name))
        dialog.close()
        assert asked.calls[-1] == (command, tmp_path / name)
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not page.files.handy_button.isVisible()
    window.show_vocabulary(VocabularyPage(handy=tmp_path / "settings_store.json"))
    assert not page.files.words_button.isEnabled()
    page.files.handy_button.click()
    assert asked.calls[-1] == ("import_file", tmp_path / "settings_store.json")


def test_each_letter_leads_to_one_place_and_tab_follows_the_eye(qtbot, window, page):
    tell(window, "1 word added.")
    titles = [one.text() for one in buttons(window)]
    underlined = letters([*titles, *labels(window)])
    assert len(underlined) == len(set(underlined)), sorted(underlined)
    window.order_tabs()
    page.words.new.setFocus()
    seen = []
    for _stop in range(12):
        seen.append(QGuiApplication.focusObject())
        press(qtbot, window, KEY.Key_Tab)
    places = [one.mapTo(page.inside, one.rect().topLeft()) for one in seen if page.inside.isAncestorOf(one)]
    assert len(places) >= 8
    assert [place.y() for place in places] == sorted(place.y() for place in places)


def test_a_search_finds_the_page(window):
    entry = window.list.item(list(Page).index(Page.VOCABULARY))
    for sought in ("words", "replacement", "regular expression", "import", "csv"):
        window.search.setText(sought)
        assert not entry.isHidden(), sought


def test_thousands_of_words_that_are_all_selected_are_shown_at_once(window, page):
    names = tuple(f"name {number}" for number in range(2000))
    window.show_vocabulary(VocabularyPage(names))
    page.words.list.selectAll()
    changes = []
    page.words.list.chosen_changed.connect(lambda: changes.append(1))
    window.show_vocabulary(VocabularyPage((*names[1000:], *names[:1000:2])))
    assert page.words.list.chosen() == [*names[1000:], *names[:1000:2]]
    assert len(changes) < 5  # each looks at all that are selected


def accessible(widget):
    """What a screen reader finds of ``widget`` and in it, cells included."""
    seen = [QAccessible.queryAccessibleInterface(widget)]
    for one in seen:
        seen += [child for place in range(one.childCount()) if (child := one.child(place)) is not None]
    return seen


def test_a_screen_reader_finds_a_name_and_a_value_for_everything(window, page):
    bad = ReplacementRow(Replacement("(", "x", is_regex=True), None, "Not a valid pattern: missing ).")
    window.show_vocabulary(VocabularyPage(NAMES, Fit(199, 200, frozenset({"Oslo"})), (*RULES, bad)))
    name = QAccessible.Text.Name
    stops = [
        one for one in page.inside.findChildren(QWidget) if one.isVisible() and one.focusPolicy().value & 1
    ]
    unnamed = [one for one in stops if not QAccessible.queryAccessibleInterface(one).text(name)]
    assert not unnamed
    assert {"New word", "Words, the most important first", "Replacements", "Try it"} <= {
        QAccessible.queryAccessibleInterface(one).text(name) for one in stops
    }
    words_read = {one.text(name) for one in accessible(page.words.list)}
    assert {"Qwen", "Ada Lovelace", "Oslo (not used)"} <= words_read
    cells = [one for one in accessible(page.rules.table) if one.role() == QAccessible.Role.Cell]
    assert "chairs" in {one.text(name) for one in cells}
    assert "(, not saved: Not a valid pattern: missing )." in {one.text(name) for one in cells}
    flags = [one for one in cells if one.text(name) in {"Match case", "Pattern"}]
    assert [one.state().checked for one in flags] == [False] * 5 + [True]
    assert all(one.state().checkable for one in flags)


def test_news_is_announced_once_each_time(window, monkeypatch):
    said = []
    monkeypatch.setattr(widgets, "announce", lambda _widget, *parts, **_: said.append(parts[0]))
    for number in (1, 2):
        tell(window, "1 word added.", number)
    window.show_vocabulary(
        VocabularyPage(NAMES, Fit(13, 200), RULES, Told(2, "1 word added."), can_undo=True)
    )
    assert [one for one in said if one] == ["1 word added."] * 2


def test_a_double_click_edits_and_a_click_ticks(qtbot, page, asked):
    words_list, table = page.words.list, page.rules.table
    place = words_list.visualRect(words_list.model().index(0, 0)).center()
    qtbot.mouseClick(words_list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(words_list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QGuiApplication.focusObject().setText("Qwen 3")
    page.words.add_button.setFocus()  # a click elsewhere
    QCoreApplication.sendPostedEvents(None, QEvent.Type.MetaCall)
    cell = table.visualRect(table.model().index(1, PATTERN))
    qtbot.mouseClick(
        table.viewport(), Qt.MouseButton.LeftButton, pos=cell.topLeft() + QPoint(12, cell.height() // 2)
    )
    page.files.import_button.click()
    next(one for one in page.findChildren(QFileDialog) if one.isVisible()).close()
    assert asked.calls == [
        ("edit_word", "Qwen", "Qwen 3"),
        ("set_replacement", RULES[1], Replacement("new line", "\n", is_regex=True)),
    ]
