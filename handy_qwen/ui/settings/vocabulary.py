"""The page Vocabulary: words for the model, and replacements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QLineEdit, QWidget

from handy_qwen.core.models import Told
from handy_qwen.core.text import Replacement
from handy_qwen.core.vocabulary import Fit, ReplacementRow, Tried, VocabularyCommands
from handy_qwen.core.vocabulary import VocabularyPage as Vocabulary
from handy_qwen.settings import Settings, SettingsProblem, SettingsView
from handy_qwen.settings.forms import sentence
from handy_qwen.ui.layouts import SMALL_GAP_PX, FlowLayout, Part, column, row
from handy_qwen.ui.settings.page import Row, SettingsPage, Tools
from handy_qwen.ui.settings.rule_table import RuleTable, on_one_line
from handy_qwen.ui.settings.word_list import LinesField, WordList
from handy_qwen.ui.strings import whole, without_letter
from handy_qwen.ui.translation import ntr, tr, translated
from handy_qwen.ui.widgets import Button, Message, Outcome, SecondaryText, Text, announce, labelled
from handy_qwen.ui.window import ask_what_to_open, ask_where_to_save

_TYPING_MS = 150  # of pause before a test text is processed
_MANY = 8  # words before a search is offered
_WORDS = tr("Words")
_WORDS_ALSO = tr("custom words vocabulary dictionary names terms spelling")
_REPLACEMENTS = tr("Replacements")
_REPLACEMENTS_ALSO = tr("replace snippets text blocks regular expression pattern autocorrect abbreviation")
_TRY = tr("Tr&y it")
_FILES = tr("Import and export")
_FILES_ALSO = tr("csv txt handy backup file")
_EXPORT_WORDS, _EXPORT_RULES = tr("Export &words…"), tr("Export replaceme&nts…")
_IMPORT_KINDS = (
    tr("Words, tables and Handy's settings (*.txt *.csv *.tsv *.json)"),
    tr("All files (*)"),
)
# Translators: names of files, without spaces.
_WORDS_NAME, _RULES_NAME = tr("words"), tr("replacements")
_WORDS_KINDS = {".txt": tr("Text (*.txt)"), ".csv": tr("Table (*.csv)")}
_RULES_KINDS = {".csv": tr("Table (*.csv)"), ".tsv": tr("Table with tabs (*.tsv)")}
_UNDO = tr("Und&o")


class VocabularyPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._vocabulary = tools.vocabulary
        self._shown = Vocabulary()
        self._settings: Settings | None = None
        self._is_entered = False
        self._told: Told | None = None  # None: the next page has an outcome from before this one was shown
        self.words, self.rules, self.files = (
            _Words(self._act, tools.commands.copy_text),
            _Rules(self._act),
            _Files(self._act),
        )
        self._parts = (self.words, self.rules, self.files)
        self._acting: _Part = self.words
        self.rules.typed.connect(tools.vocabulary.try_text)
        self.add_section(_WORDS, self.words)
        self.add_section(_REPLACEMENTS, self.rules)
        self.add_section(_FILES, self.files)
        in_page = Qt.ShortcutContext.WidgetWithChildrenShortcut
        QShortcut(QKeySequence.StandardKey.Undo, self, self._undo, context=in_page)
        for part in self._parts:
            part.told.undo_button.clicked.connect(lambda _checked: self._undo())

    def enter(self) -> None:
        """Follow the lists, and count tokens, while the page is shown."""
        self._is_entered, self._told = True, None
        self._vocabulary.look()
        self._vocabulary.try_text(self.rules.sample.text())

    def leave(self) -> None:
        """Stop everything while the page is not shown."""
        self._is_entered = False
        self.rules.rest()
        for part in self._parts:
            part.told.say("")
        self._vocabulary.leave()

    def show_settings(self, shown: SettingsView) -> None:
        """Refresh when settings have changed that the lists, or the test text, depend on."""
        super().show_settings(shown)
        if self._is_entered and shown.values != self._settings:
            self._vocabulary.look()
        self._settings = shown.values

    def show_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Show the words and replacements."""
        self._shown = vocabulary
        for part in self._parts:
            part.show_vocabulary(vocabulary)
        is_new = self._told is not None and vocabulary.told.number > self._told.number
        self._told = vocabulary.told
        if is_new and self._is_entered:
            for part in self._parts:
                told = vocabulary.told if part is self._acting else Told()
                part.told.say(told.title, told.hint, is_problem=told.is_problem, can_undo=vocabulary.can_undo)

    def _act(self, part: _Part) -> VocabularyCommands:
        """Mark ``part`` as the place for the outcome of the next command."""
        self._acting = part
        return self._vocabulary

    def _undo(self) -> None:
        if self._shown.can_undo:
            for part in self._parts:
                if part.told.undo_button.hasFocus():
                    (part.first_focus() or self).setFocus(Qt.FocusReason.OtherFocusReason)
            self._vocabulary.undo()


Act = Callable[["_Part"], VocabularyCommands]


class _Part(Row):
    """A section: something wide, and ``told``, the outcome of the last command."""

    told: Outcome

    def __init__(
        self,
        act: Act,
        below: Sequence[Part],
        focus: QWidget,
        *,
        help: str,  # noqa: A002
        also: str,
        setting_name: str = "",
    ) -> None:
        whole = column(*below, gap_px=SMALL_GAP_PX)
        super().__init__("", help=help, also=also, below=whole, focus=focus, setting_name=setting_name)
        self._act = partial(act, self)

    def show_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Show the words and replacements."""


class _Words(_Part):
    """The words: a field for a new one, the list, and how much of it the model reads."""

    def __init__(self, act: Act, copy: Callable[[str], None]) -> None:
        self.told = Outcome(_UNDO)
        self.new, self.add_button = LinesField(), Button(tr("&Add"), self._add)
        self.new.setPlaceholderText(tr("Type a word, or paste a list"))
        self.new.setAccessibleName(tr("New word"))
        self.new.lines.connect(self._add_lines)
        self.new.returnPressed.connect(self._add)
        self.sought = QLineEdit()
        self.sought.setPlaceholderText(tr("Find a word"))
        self.sought.setAccessibleName(tr("Find a word"))
        self.sought.setClearButtonEnabled(True)
        self.list = WordList(
            edit=self._edit, add=self._add_lines, copy=copy, delete=self._delete, move=self._move
        )
        self.sought.textChanged.connect(self.list.seek)
        self.edit_button = Button(tr("&Edit"), self.list.edit_chosen)
        self.up_button = Button(tr("Move &up"), lambda: self._move(-1))
        self.down_button = Button(tr("Move &down"), lambda: self._move(1))
        self.up_button.setToolTip(tr("Alt+Up"))
        self.down_button.setToolTip(tr("Alt+Down"))
        self.top_button = Button(tr("To &top"), lambda: self._move(-len(self._all)))
        self.delete_button = Button(tr("De&lete"), self._delete)
        self.counter = SecondaryText(is_line=True)
        self._empty = SecondaryText(tr("No words yet. Add the names that come out wrong."))
        self._all: tuple[str, ...] = ()
        buttons = FlowLayout(
            self.edit_button,
            self.up_button,
            self.down_button,
            self.top_button,
            self.delete_button,
            gap_px=SMALL_GAP_PX,
        )
        below: list[Part] = [
            row((self.new, 1), self.add_button, gap_px=SMALL_GAP_PX),
            self._empty,
            self.sought,
            self.list,
            self.counter,
            buttons,
            self.told,
        ]
        also = f"{_WORDS} {_WORDS_ALSO}"
        super().__init__(
            act,
            below,
            self.new,
            help=tr(
                "Names and terms you use, spelled your way, the most important first. The model reads as "
                "many as fit."
            ),
            also=also,
            setting_name="custom_words",
        )
        self.list.chosen_changed.connect(self._update_buttons)
        self._update_buttons()

    def show_vocabulary(self, vocabulary: Vocabulary) -> None:
        """See ``_Part``."""
        self._all = vocabulary.words
        fit = vocabulary.fit
        self.list.show_words(vocabulary.words, fit.left_out if fit else frozenset())
        self.counter.setText(_tokens(fit) if fit else "")
        self._update_buttons()

    def _add(self) -> None:
        if self.new.text().strip():
            self._add_lines(self.new.text())
            self.new.clear()

    def _add_lines(self, text: str) -> None:
        self._act().add_words(text)

    def _edit(self, word: str, text: str) -> None:
        self._act().edit_word(word, text)

    def _delete(self) -> None:
        if chosen := self.list.chosen():
            self._act().delete_words(chosen)

    def _move(self, by: int) -> None:
        if (chosen := self.list.chosen()) and (abs(by) > 1 or not self.sought.text()):
            self._act().move_words(chosen, by)

    def _update_buttons(self) -> None:
        chosen = self.list.chosen()
        is_first = chosen == [*self._all[: len(chosen)]]
        is_last = chosen == [*self._all[len(self._all) - len(chosen) :]]
        may_step = bool(chosen) and not self.sought.text()
        self.edit_button.setEnabled(len(chosen) == 1)
        self.up_button.setEnabled(may_step and not is_first)
        self.down_button.setEnabled(may_step and not is_last)
        self.top_button.setEnabled(bool(chosen) and not is_first)
        self.delete_button.setEnabled(bool(chosen))
        for widget in (self.list, self.counter):
            widget.setVisible(bool(self._all))
        self.sought.setVisible(len(self._all) >= _MANY or bool(self.sought.text()))
        self._empty.setVisible(not self._all)


class _Rules(_Part):
    """The replacements, and a line to try them."""

    typed = Signal(str)  # the text to try

    def __init__(self, act: Act) -> None:
        self.told = Outcome(_UNDO)
        self._problem = ""  # from the settings file
        self.table = RuleTable(change=self._change, delete=self._delete)
        self.add_button = Button(tr("Add &replacement"), self.table.add)
        self.snippet_button = Button(tr("Add sni&ppet"), lambda: self.table.add(is_alone=True))
        self.delete_button = Button(tr("Delete replace&ment"), self.table.delete_chosen)
        self.sample = QLineEdit()
        self.sample.setPlaceholderText(tr("Type or dictate a sentence"))
        self.sample.setAccessibleName(without_letter(_TRY))
        self.sample.setAccessibleDescription(
            tr("Shows what would be inserted, with all text settings applied.")
        )
        self.sample.setClearButtonEnabled(True)
        self.result, self._slow = Text(), Message()
        self.result.hide()
        self._typing = QTimer(self.sample, singleShot=True, interval=_TYPING_MS)
        buttons = FlowLayout(self.add_button, self.snippet_button, self.delete_button, gap_px=SMALL_GAP_PX)
        label = labelled(_TRY, self.sample)
        below: list[Part] = [
            self.table,
            buttons,
            self.told,
            row(label, (self.sample, 1), gap_px=SMALL_GAP_PX),
            self.result,
            self._slow,
        ]
        also = f"{_REPLACEMENTS} {_REPLACEMENTS_ALSO}"
        super().__init__(
            act,
            below,
            self.table,
            help=tr(
                "Write something other than what you say: “Kovács” for “Kovach”. A snippet is written only "
                "when you say its name by itself: your address for “my address”, the date for {date}. "
                "Shift+Enter starts a new line."
            ),
            also=also,
            setting_name="replacements",
        )
        self._typing.timeout.connect(lambda: self.typed.emit(self.sample.text()))
        self.sample.textChanged.connect(lambda _text: self._typing.start())
        self.table.chosen_changed.connect(self._update)
        self._update()

    def show_vocabulary(self, vocabulary: Vocabulary) -> None:
        """See ``_Part``."""
        self.table.show_rows(vocabulary.rows)
        self._show_tried(vocabulary.tried)
        self._update()

    def show_problem(self, problem: SettingsProblem | None) -> None:
        """See ``Row``."""
        self._problem = sentence(translated(problem.told)) if problem else ""
        self._update()

    def rest(self) -> None:
        """Stop processing the test text."""
        self._typing.stop()

    def _show_tried(self, tried: Tried | None) -> None:
        said, slow = "", ""
        if tried is not None:
            said = tr("Inserted: {text}").format(text=on_one_line(tried.written))
            said = said if tried.written else tr("Nothing would be inserted.")
            said = tr("Inserted unchanged.") if tried.written == tried.text else said
            if rows := ", ".join(map(whole, sorted(self.table.row_of(one) for one in tried.slow))):
                slow = tr("Patterns that take too long are left out: row {rows}.").format(rows=rows)
        if said != self.result.text():
            self.result.setText(said)
            self.result.setVisible(bool(said))
            announce(self.result, said)
        self._slow.say(slow)

    def _change(self, rule: ReplacementRow | None, entered: Replacement) -> None:
        self._act().set_replacement(rule, entered)

    def _delete(self) -> None:
        self._act().delete_rows(self.table.chosen())

    def _update(self) -> None:
        self.delete_button.setEnabled(bool(self.table.selectedIndexes()))
        self.refuse(self.table.trouble or self._problem)


class _Files(_Part):
    """Import and export of words and replacements."""

    def __init__(self, act: Act) -> None:
        self.told = Outcome(_UNDO)
        self.import_button = Button(tr("&Import…"), self._ask_what_to_import)
        self.handy_button = Button(tr("Import from &Handy"), self._import_handy)
        self.words_button = Button(_EXPORT_WORDS, self._export_words)
        self.rules_button = Button(_EXPORT_RULES, self._export_rules)
        self._handy: Path | None = None
        buttons = FlowLayout(
            self.import_button, self.handy_button, self.words_button, self.rules_button, gap_px=SMALL_GAP_PX
        )
        also = f"{_FILES} {_FILES_ALSO}"
        super().__init__(
            act,
            [buttons, self.told],
            self.import_button,
            help=tr(
                "From a text file with a word on each line, from a table (heard, written and, if wanted, "
                "regex, case and alone), or from Handy."
            ),
            also=also,
        )
        self.handy_button.hide()

    def show_vocabulary(self, vocabulary: Vocabulary) -> None:
        """See ``_Part``."""
        self._handy = vocabulary.handy
        self.handy_button.setVisible(self._handy is not None)
        self.words_button.setEnabled(bool(vocabulary.words))
        self.rules_button.setEnabled(any(rule.saved is not None for rule in vocabulary.rows))

    def _ask_what_to_import(self) -> None:
        title = tr("Import words or replacements")
        ask_what_to_open(self, title, _IMPORT_KINDS, lambda path: self._act().import_file(path))

    def _import_handy(self) -> None:
        if self._handy is not None:
            self._act().import_file(self._handy)

    def _export_words(self) -> None:
        title = without_letter(_EXPORT_WORDS)
        ask_where_to_save(self, title, _WORDS_NAME, _WORDS_KINDS, lambda path: self._act().export_words(path))

    def _export_rules(self) -> None:
        title = without_letter(_EXPORT_RULES)
        ask_where_to_save(
            self,
            title,
            _RULES_NAME,
            _RULES_KINDS,
            lambda path: self._act().export_replacements(path),
        )


def _tokens(fit: Fit) -> str:
    """How much of the model's limit is used."""
    used, count = tr("{tokens} of {limit} tokens used."), len(fit.left_out)
    said = used.format(tokens=whole(fit.tokens), limit=whole(fit.limit))
    if not count:
        return said
    left_out = ntr("{count} word doesn't fit.", "{count} words don't fit.", count)
    return f"{said} {left_out.format(count=whole(count))}"
