"""The page Vocabulary: words that the model should know, and what is written for what was said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QLineEdit, QWidget

from handy_qwen.core.models import Told
from handy_qwen.core.text import Replacement
from handy_qwen.core.vocabulary import Row as Rule
from handy_qwen.core.vocabulary import Tried, VocabularyCommands
from handy_qwen.core.vocabulary import VocabularyPage as Vocabulary
from handy_qwen.settings import Problem, Settings, SettingsView
from handy_qwen.settings.forms import sentence
from handy_qwen.ui.layouts import SMALL_GAP_PX, FlowLayout, Part, column, row
from handy_qwen.ui.saving import ask_where_to_save
from handy_qwen.ui.settings import vocabulary_words as words
from handy_qwen.ui.settings.page import SettingsPage, Tools
from handy_qwen.ui.settings.row import Row
from handy_qwen.ui.settings.rule_table import RuleTable
from handy_qwen.ui.settings.word_list import LinesField, WordList
from handy_qwen.ui.strings import without_letter
from handy_qwen.ui.translation import translated
from handy_qwen.ui.widgets import Button, Message, Outcome, SecondaryText, Text, announce, labelled

_TYPING_MS = 150  # a text is tried when the fingers rest
_MANY = 8  # words, among which one is looked for


class VocabularyPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._vocabulary = tools.vocabulary
        self._shown = Vocabulary()
        self._settings: Settings | None = None
        self._is_entered = False
        self._told: Told | None = None  # None: the next page has what was told before this one came up
        self.words, self.rules, self.files = _Words(self._act), _Rules(self._act), _Files(self._act)
        self._parts = (self.words, self.rules, self.files)
        self._acting: _Part = self.words
        self.rules.typed.connect(tools.vocabulary.try_text)
        self.add_section(words.WORDS, self.words)
        self.add_section(words.REPLACEMENTS, self.rules)
        self.add_section(words.FILES, self.files)
        in_page = Qt.ShortcutContext.WidgetWithChildrenShortcut
        QShortcut(QKeySequence.StandardKey.Undo, self, self._undo, context=in_page)
        for part in self._parts:
            part.told.undo_button.clicked.connect(lambda _checked: self._undo())

    def enter(self) -> None:
        """Look at the lists, and count tokens, while the page is up."""
        self._is_entered, self._told = True, None
        self._vocabulary.look()
        self._vocabulary.try_text(self.rules.sample.text())

    def leave(self) -> None:
        """Nothing goes on behind a page that is not up."""
        self._is_entered = False
        self.rules.rest()
        for part in self._parts:
            part.told.say("")
        self._vocabulary.leave()

    def show_settings(self, shown: SettingsView) -> None:
        """Look again when something was changed that the lists, or what is tried, depend on."""
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
        """For a command of ``part``, where what comes of it is told."""
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
    """A section: something wide, and in it ``told``, what came of the last command."""

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

    def __init__(self, act: Act) -> None:
        self.told = Outcome(words.UNDO)
        self.new, self.add_button = LinesField(), Button(words.ADD_WORD, self._add)
        self.new.setPlaceholderText(words.NEW_WORD_HINT)
        self.new.setAccessibleName(words.NEW_WORD)
        self.new.lines.connect(self._add_lines)
        self.new.returnPressed.connect(self._add)
        self.sought = QLineEdit()
        self.sought.setPlaceholderText(words.FILTER_HINT)
        self.sought.setAccessibleName(words.FILTER)
        self.sought.setClearButtonEnabled(True)
        self.list = WordList(edit=self._edit, add=self._add_lines, delete=self._delete, move=self._move)
        self.sought.textChanged.connect(self.list.seek)
        self.edit_button = Button(words.EDIT, self.list.edit_chosen)
        self.up_button, self.down_button = (
            Button(words.UP, lambda: self._move(-1)),
            Button(words.DOWN, lambda: self._move(1)),
        )
        self.up_button.setToolTip(words.UP_TIP)
        self.down_button.setToolTip(words.DOWN_TIP)
        self.top_button = Button(words.TO_TOP, lambda: self._move(-len(self._all)))
        self.delete_button = Button(words.DELETE, self._delete)
        self.counter = SecondaryText(is_line=True)
        self._empty = SecondaryText(words.NO_WORDS)
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
        also = f"{words.WORDS} {words.WORDS_ALSO}"
        super().__init__(act, below, self.new, help=words.WORDS_HELP, also=also, setting_name="custom_words")
        self.list.chosen_changed.connect(self._update_buttons)
        self._update_buttons()

    def show_vocabulary(self, vocabulary: Vocabulary) -> None:
        """See ``_Part``."""
        self._all = vocabulary.words
        fit = vocabulary.fit
        self.list.show_words(vocabulary.words, fit.left_out if fit else frozenset())
        self.counter.setText(words.tokens(fit) if fit else "")
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
        is_first, is_last = (
            chosen == [*self._all[: len(chosen)]],
            chosen == [*self._all[len(self._all) - len(chosen) :]],
        )
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
    """The replacements, and a line to try them with."""

    typed = Signal(str)  # what to try

    def __init__(self, act: Act) -> None:
        self.told = Outcome(words.UNDO)
        self._problem = ""  # of the settings file
        self.table = RuleTable(change=self._change, delete=self._delete)
        self.add_button = Button(words.ADD_RULE, self.table.add)
        self.snippet_button = Button(words.ADD_SNIPPET, lambda: self.table.add(is_alone=True))
        self.delete_button = Button(words.DELETE_RULES, self.table.delete_chosen)
        self.sample = QLineEdit()
        self.sample.setPlaceholderText(words.TRY_HINT)
        self.sample.setAccessibleName(without_letter(words.TRY))
        self.sample.setAccessibleDescription(words.TRY_HELP)
        self.sample.setClearButtonEnabled(True)
        self.result, self._slow = Text(), Message()
        self.result.hide()
        self._typing = QTimer(self.sample, singleShot=True, interval=_TYPING_MS)
        buttons = FlowLayout(self.add_button, self.snippet_button, self.delete_button, gap_px=SMALL_GAP_PX)
        label = labelled(words.TRY, self.sample)
        below: list[Part] = [
            self.table,
            buttons,
            self.told,
            row(label, (self.sample, 1), gap_px=SMALL_GAP_PX),
            self.result,
            self._slow,
        ]
        also = f"{words.REPLACEMENTS} {words.REPLACEMENTS_ALSO}"
        super().__init__(
            act, below, self.table, help=words.REPLACEMENTS_HELP, also=also, setting_name="replacements"
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

    def show_problem(self, problem: Problem | None) -> None:
        """See ``Row``."""
        self._problem = sentence(translated(problem.told)) if problem else ""
        self._update()

    def rest(self) -> None:
        """Ask for nothing any more."""
        self._typing.stop()

    def _show_tried(self, tried: Tried | None) -> None:
        said, slow = "", ""
        if tried is not None:
            said = words.BECOMES.format(text=words.on_one_line(tried.written))
            said = said if tried.written else words.BECOMES_NOTHING
            said = words.UNCHANGED if tried.written == tried.text else said
            rows = sorted(self.table.row_of(one) for one in tried.slow)
            slow = words.SLOW.format(rows=", ".join(map(str, rows))) if rows else ""
        if said != self.result.text():
            self.result.setText(said)
            self.result.setVisible(bool(said))
            announce(self.result, said)
        self._slow.say(slow)

    def _change(self, rule: Rule | None, entered: Replacement) -> None:
        self._act().set_replacement(rule, entered)

    def _delete(self) -> None:
        self._act().delete_rows(self.table.chosen())

    def _update(self) -> None:
        self.delete_button.setEnabled(bool(self.table.selectedIndexes()))
        self.refuse(self.table.trouble or self._problem)


class _Files(_Part):
    """Words and replacements from files and to files."""

    def __init__(self, act: Act) -> None:
        self.told = Outcome(words.UNDO)
        self.import_button = Button(words.IMPORT, self._ask_what_to_import)
        self.handy_button = Button(words.IMPORT_HANDY, self._import_handy)
        self.words_button = Button(words.EXPORT_WORDS, self._export_words)
        self.rules_button = Button(words.EXPORT_RULES, self._export_rules)
        self._handy: Path | None = None
        buttons = FlowLayout(
            self.import_button, self.handy_button, self.words_button, self.rules_button, gap_px=SMALL_GAP_PX
        )
        also = f"{words.FILES} {words.FILES_ALSO}"
        super().__init__(act, [buttons, self.told], self.import_button, help=words.FILES_HELP, also=also)
        self.handy_button.hide()

    def show_vocabulary(self, vocabulary: Vocabulary) -> None:
        """See ``_Part``."""
        self._handy = vocabulary.handy
        self.handy_button.setVisible(self._handy is not None)
        self.words_button.setEnabled(bool(vocabulary.words))
        self.rules_button.setEnabled(any(rule.saved is not None for rule in vocabulary.rows))

    def _ask_what_to_import(self) -> None:
        dialog = QFileDialog(self, words.IMPORT_TITLE)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters(list(words.IMPORT_KINDS))
        dialog.fileSelected.connect(lambda path: self._act().import_file(Path(path)))
        dialog.open()

    def _import_handy(self) -> None:
        if self._handy is not None:
            self._act().import_file(self._handy)

    def _export_words(self) -> None:
        title = without_letter(words.EXPORT_WORDS)
        ask_where_to_save(
            self, title, words.WORDS_NAME, words.WORDS_KINDS, lambda path: self._act().export_words(path)
        )

    def _export_rules(self) -> None:
        title = without_letter(words.EXPORT_RULES)
        ask_where_to_save(
            self,
            title,
            words.RULES_NAME,
            words.RULES_KINDS,
            lambda path: self._act().export_replacements(path),
        )
