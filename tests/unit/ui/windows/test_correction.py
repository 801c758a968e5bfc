"""A corrected text: each change is offered, what is chosen is learned at once and can be taken back."""

import pytest
from PySide6.QtCore import Qt

from handy_qwen.core.corrections import MOST_CHARACTERS, Correction
from handy_qwen.core.models import Told
from handy_qwen.core.view import Choices, View
from handy_qwen.core.vocabulary import VocabularyPage
from handy_qwen.ui import strings
from handy_qwen.ui.windows.correction import CorrectionWindow, Kind

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support"),
    pytest.mark.usefixtures("app_home"),
]
LAST = "Ask Kovach about quen three and, um, soon."


@pytest.fixture
def window(qtbot, asked):
    made = CorrectionWindow(asked.vocabulary, asked.history)
    qtbot.addWidget(made)
    made.show_view(View(recent=(LAST, "older")))
    made.present()
    qtbot.waitExposed(made)
    return made


def edit(qtbot, window, text, count):
    window.text.setPlainText(text)
    qtbot.waitUntil(lambda: len(window.rows) == count)
    return window.rows


def choose(row, kind):
    row.choice.setCurrentIndex(row.choice.findData(kind))


def test_nothing_is_learned_before_something_is_changed_and_chosen(qtbot, window, asked):
    assert window.text.toPlainText() == LAST
    assert window.text.hasFocus()
    assert not window.add_button.isEnabled()
    assert window._none.text() == "No word is changed yet."
    (row,) = edit(qtbot, window, LAST.replace(" um,", ""), 1)
    assert row.kind is Kind.NOTHING, "words left out are not learned unless that is chosen"
    qtbot.keyClick(window.text, Qt.Key.Key_Escape)
    assert asked.calls == []


def test_what_is_chosen_is_learned_as_one_change_that_can_be_taken_back(qtbot, window, asked):
    text = "Ask Kovács about Qwen3 and, soon."
    name, model, hesitation = edit(qtbot, window, text, 3)
    assert (name.kind, model.kind, hesitation.kind) == (Kind.WORD, Kind.WORD, Kind.NOTHING)
    choose(model, Kind.REPLACEMENT)
    assert model.choice.toolTip() == "Replaces what was heard, every time."
    window.add_button.click()
    learned = [Correction("Kovach", "Kovács", True), Correction("quen three", "Qwen3", False)]
    assert asked.calls == [("correct", LAST, text, 0), ("learn", learned)]
    window.show_vocabulary(VocabularyPage(told=Told(1, "1 word, 1 replacement added."), can_undo=True))
    assert window.told.isVisible()
    assert window.rows == [], "the rest of the text can be corrected further"
    window.told.undo_button.click()
    assert asked.calls[2:] == [("correct", text, LAST, 0), ("undo",)]
    window.show_vocabulary(VocabularyPage(told=Told(2, "Undone.")))
    assert not window.told.undo_button.isVisible()
    assert len(window.rows) == 3, "the corrections are still there, to be chosen otherwise"


def test_a_correction_is_kept_also_when_nothing_is_learned_from_it(qtbot, window, asked):
    window.correct(LAST, "um", 7)
    text = LAST.replace(" um,", "")
    edit(qtbot, window, text, 1)
    window.add_button.click()
    assert asked.calls == [("correct", LAST, text, 7)]
    assert window.told.message.words == "The corrected text is in History."
    assert not window.add_button.isEnabled()
    window.told.undo_button.click()
    assert asked.calls[1:] == [("correct", text, LAST, 7)]
    assert not window.told.undo_button.isVisible()
    window.text.setPlainText("  ")
    qtbot.waitUntil(lambda: not window.add_button.isEnabled())


def test_no_break_spaces_are_no_change_and_stay(qtbot, window, asked):
    window.correct("12\u00a0000\u202f€ for Kovach", number=7)
    assert not window.add_button.isEnabled()
    edit(qtbot, window, "12\u00a0000\u202f€ for Kovács", 1)
    window.add_button.click()
    assert asked.calls[0] == ("correct", "12\u00a0000\u202f€ for Kovach", "12\u00a0000\u202f€ for Kovács", 7)


def test_what_a_paused_history_has_not_is_not_said_to_be_there(qtbot, window):
    window.show_view(View(recent=(LAST,), choices=Choices(is_private=True)))
    for number, told in ((0, strings.HISTORY_PAUSED), (7, "The corrected text is in History.")):
        window.correct(LAST, number=number)
        edit(qtbot, window, LAST.replace(" um,", ""), 1)
        window.add_button.click()
        assert window.told.message.words == told


def test_what_was_chosen_stays_while_more_is_corrected_and_only_own_changes_are_told(qtbot, window, asked):
    (row,) = edit(qtbot, window, LAST.replace("Kovach", "Kovács"), 1)
    choose(row, Kind.NOTHING)
    rows = edit(qtbot, window, LAST.replace("Kovach", "Kovács").replace("quen three", "Qwen3"), 2)
    assert [row.kind for row in rows] == [Kind.NOTHING, Kind.WORD]
    window.show_vocabulary(VocabularyPage(told=Told(1, "1 word added."), can_undo=True))
    assert not window.told.isVisible()
    assert asked.calls == []


def test_a_text_of_the_history_comes_with_the_word_that_is_wrong(window):
    window.correct("We need chairs. Many chairs.", "chairs")
    cursor = window.text.textCursor()
    assert (cursor.selectedText(), cursor.selectionStart()) == ("chairs", 8)
    window.hide()
    window.present()
    assert window.text.toPlainText() == LAST


def test_what_only_came_can_be_a_word_and_what_only_went_a_replacement(qtbot, window):
    came, went = edit(qtbot, window, "Well, Ask Kovach about quen three and soon.", 2)
    kinds = [[row.choice.itemData(place) for place in range(row.choice.count())] for row in (came, went)]
    assert kinds[0] == [Kind.WORD, Kind.NOTHING]
    assert kinds[1] == [Kind.REPLACEMENT, Kind.NOTHING]


def test_of_many_changes_the_first_are_shown_and_the_rest_counted(qtbot, window):
    window.correct(" ".join(f"a{number} same" for number in range(20)))
    edit(qtbot, window, " ".join(f"b{number} same" for number in range(20)), 12)
    assert window._none.text() == "And 8 more. Correct less at a time to see them."


def test_an_open_window_has_the_text_dictated_since_unless_one_is_being_corrected(window):
    window.show_view(View(recent=("A second text.", LAST)))
    window.present()
    assert window.text.toPlainText() == "A second text."
    window.text.setPlainText("The second text.")
    window.show_view(View(recent=("A third text.", "A second text.", LAST)))
    window.present()
    assert window.text.toPlainText() == "The second text."


def test_a_text_that_is_too_long_is_said_to_be(window):
    window.correct("Good " * MOST_CHARACTERS)
    assert (
        window._none.text()
        == "This text is too long to look for changes. Add its words under Settings → Vocabulary."
    )
    window.correct(LAST)
    assert window._none.text() == "No word is changed yet."
