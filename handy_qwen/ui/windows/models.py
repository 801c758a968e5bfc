"""The Models window: all models as cards, and a way in for those that come by another road."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFileDialog,
    QMenu,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from handy_qwen.core.models import InstallStage, ModelCommands, ModelEntry, ModelList, ModelStatus
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import FlowLayout
from handy_qwen.ui.widgets import (
    Alert,
    Card,
    Pill,
    SecondaryText,
    Text,
    Title,
    announce,
    button,
    confirm,
)
from handy_qwen.ui.window import GAP_PX, MARGIN_PX, SMALL_GAP_PX, AppWindow
from handy_qwen.ui.windows import model_words as words


class ModelsWindow(AppWindow):
    """Shows the last shelf it was given. Lives on Qt's thread."""

    left_at_work = Signal(str)  # closed while this model (its title) is being installed

    def __init__(self, keeper: ModelCommands) -> None:
        super().__init__("models", words.TITLE, QSize(760, 720))
        self._keeper = keeper
        self._shelf = ModelList()
        self._cards: dict[str, ModelCard] = {}
        self._names: list[str] = []
        self._introduction, self._looking, self._room = (
            Text(words.INTRODUCTION),
            SecondaryText(words.LOOKING),
            SecondaryText(),
        )
        self._room.hide()
        self._column = QVBoxLayout()
        self._column.setSpacing(GAP_PX)
        self.body.addWidget(self._introduction)
        self.body.addWidget(self._looking)
        self.body.addLayout(self._column)
        self.body.addStretch()
        self.body.addWidget(self._room)
        self.import_button = button(words.IMPORT)
        self.import_button.setMenu(self._import_menu())
        self.buttons.addWidget(self.import_button)
        self.shown.connect(keeper.refresh)
        self.hidden.connect(self._on_hidden)

    def show_shelf(self, shelf: ModelList) -> None:
        """Show ``shelf``."""
        is_first = not self._shelf.entries
        self._shelf = shelf
        self._looking.hide()
        self._room.show()
        self._introduction.setText(words.INTRODUCTION if shelf.has_full_model else words.ONLY_DEMO)
        self._room.setText(
            words.PLACE.format(folder=_short(shelf.folder), free=strings.size(shelf.free_bytes))
        )
        names = [entry.name for entry in shelf.entries]
        for name in set(self._cards) - set(names):
            card = self._cards.pop(name)
            self._column.removeWidget(card)
            card.deleteLater()
        for place, entry in enumerate(shelf.entries):
            self._card(entry.name, place).show_entry(entry, shelf)
        if names != self._names:
            self._names = names
            self.order_tabs()
        if is_first and self.isVisible():  # it came up before there was anything to press
            self.first_focus().setFocus(Qt.FocusReason.ActiveWindowFocusReason)

    def first_focus(self) -> QWidget:
        """The button that does most for the user: the first one of the first card that has one.

        Before there is any, the page, on which an early Enter does nothing.
        """
        buttons = [self._cards[entry.name].primary for entry in self._shelf.entries]
        return next((button for button in buttons if not button.isHidden()), self.scrolled)

    def _on_hidden(self) -> None:
        """Tell what goes on behind the closed window."""
        busy = [one.title for one in self._shelf.entries if one.standing is ModelStatus.INSTALLING]
        if busy:
            self.left_at_work.emit(busy[0])

    def _card(self, name: str, place: int) -> ModelCard:
        """The card of ``name``, made if there is none, at its place."""
        card = self._cards.get(name)
        if card is None:
            card = self._cards[name] = ModelCard(self._keeper)
        if self._column.indexOf(card) != place:
            self._column.insertWidget(place, card)
        return card

    def _import_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction(words.IMPORT_FOLDER, self._ask_for_folder)
        menu.addAction(words.IMPORT_ARCHIVE, self._ask_for_archive)
        return menu

    def _ask_for_folder(self) -> None:
        dialog = QFileDialog(self, words.CHOOSE_FOLDER)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        self._open(dialog)

    def _ask_for_archive(self) -> None:
        dialog = QFileDialog(self, words.CHOOSE_ARCHIVE)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilter(words.ARCHIVES)
        self._open(dialog)

    def _open(self, dialog: QFileDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda chosen: self._keeper.import_from(Path(chosen)))
        dialog.open()


def _short(folder: Path) -> str:
    """A folder as people write it."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  Path's own raises where there is none
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


_BAR_STEPS = 1000
_BAR_PX = 12
_WIDEST = "0,000 MB"  # sizes below each other from card to card


class ModelCard(Card):
    """Shows an entry of the shelf and passes on what it is asked. Lives on Qt's thread.

    The buttons change their words, not their place, and keep the focus; ``DOUBLE_MS`` after such a change
    they take nothing, so that the second half of a double click does not undo the first.
    """

    DOUBLE_MS = 400

    def __init__(self, keeper: ModelCommands) -> None:
        super().__init__()
        self._keeper = keeper
        self._entry = ModelEntry("", "")
        self._since_change = QElapsedTimer()
        self.title, self._pill = Title(is_line=True), Pill()
        self.primary, self.secondary = button(do=self._on_primary), button(do=self._on_secondary)
        self._summary, self._facts, self._more = SecondaryText(), Facts(), More()
        self._facts.measure.clicked.connect(lambda: self._keeper.measure(self._entry.name))
        self._work, self._trouble, self._warning = Work(), Alert("recording"), Alert("problem")
        self._build()
        delete = QShortcut(QKeySequence.StandardKey.Delete, self, self._on_delete)
        delete.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)

    def show_entry(self, entry: ModelEntry, shelf: ModelList) -> None:
        """Show ``entry`` of ``shelf``."""
        if entry.standing is not self._entry.standing:
            self._since_change.start()
        before, self._entry = self._entry, entry
        self.setAccessibleName(entry.title)
        self.title.setText(entry.title)
        state, color = words.state(entry)
        if state != self._pill.text() and entry.name == before.name:
            announce(self, entry.title, state)
        self._pill.say(state, color)
        self._summary.setText(entry.summary)
        self._summary.setVisible(bool(entry.summary))
        self._facts.show_entry(entry)
        self._more.show_entry(entry)
        self._work.show_entry(entry)
        self._trouble.say(
            entry.problem.title if entry.problem else "", entry.problem.hint if entry.problem else ""
        )
        self._warning.say(words.warning(entry, shelf))
        self.set_accent("good" if entry.is_chosen else "")
        self._label(self.secondary, words.secondary(entry))
        self._label(self.primary, words.primary(entry))

    def _build(self) -> None:
        head = FlowLayout(GAP_PX)
        head.addWidget(self.title)
        head.addWidget(self._pill)
        head.push()
        head.addWidget(self.secondary)
        head.addWidget(self.primary)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(MARGIN_PX, 14, 14, 14)
        whole.setSpacing(SMALL_GAP_PX)
        whole.addLayout(head)
        for widget in (self._summary, self._facts, self._work, self._trouble, self._warning, self._more):
            whole.addWidget(widget)

    def _label(self, labelled: QPushButton, text: str) -> None:
        if not text and labelled.hasFocus():
            self._more.toggle.setFocus()  # not to the next card, whose button an eager Enter would press
        labelled.setVisible(bool(text))
        labelled.setText(text)
        labelled.setAccessibleName(f"{text}: {self._entry.title}")

    def _on_primary(self) -> None:
        if self._since_change.isValid() and self._since_change.elapsed() < self.DOUBLE_MS:
            return
        match self._entry.standing:
            case ModelStatus.INSTALLED if words.primary(self._entry) == words.USE:
                self._keeper.use(self._entry.name)
            case ModelStatus.INSTALLING:
                self._keeper.pause(self._entry.name)
            case _:
                self._keeper.install(self._entry.name)

    def _on_secondary(self) -> None:
        entry = self._entry
        if entry.standing is ModelStatus.PAUSED:
            detail = words.DISCARD_DETAIL.format(size=strings.size(entry.partial_bytes))
            self._ask(words.DISCARD_QUESTION, detail, words.DISCARD, self._keeper.discard)
        else:
            detail = words.REMOVE_DETAIL.format(size=words.size(entry.disk_bytes))
            self._ask(words.REMOVE_QUESTION, detail, words.REMOVE, self._keeper.remove)

    def _on_delete(self) -> None:
        if words.secondary(self._entry):
            self._on_secondary()

    def _ask(self, question: str, detail: str, yes: str, do: Callable[[str], None]) -> None:
        """Do something that cannot be undone, if the user means it."""
        name, title = self._entry.name, self._entry.title
        confirm(self, question.format(title=title), detail, yes=yes, no=words.KEEP, do=lambda: do(name))


class Facts(QWidget):
    """Sizes and speed, in columns that stand under each other from card to card if there is room."""

    def __init__(self) -> None:
        super().__init__()
        line = FlowLayout(2 * GAP_PX)
        self._values = [Text(is_line=True) for _ in range(4)]
        for head, value in zip(
            (words.DOWNLOAD, words.DISK, words.MEMORY, words.SPEED), self._values, strict=True
        ):
            label, column = SecondaryText(head, scale=0.9, is_line=True), QVBoxLayout()
            label.setBuddy(value)
            value.setMinimumWidth(value.fontMetrics().horizontalAdvance(_WIDEST))
            column.setSpacing(1)
            column.addWidget(label)
            column.addWidget(value)
            line.addLayout(column)
        self.measure = button(words.MEASURE)
        self.measure.setToolTip(words.SPEED_TIP)
        self._values[3].setToolTip(words.SPEED_TIP)
        line.push()
        line.addWidget(self.measure)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, SMALL_GAP_PX, 0, SMALL_GAP_PX)
        whole.addLayout(line)

    def show_entry(self, entry: ModelEntry) -> None:
        """Show the figures of ``entry``."""
        sizes = (entry.download_bytes, entry.disk_bytes, entry.memory_bytes)
        texts = [words.size(number) for number in sizes]
        if entry.is_permanent:
            texts[0] = words.NOTHING
        for label, text in zip(self._values, [*texts, words.speed(entry)], strict=True):
            label.setText(text)
        is_here = entry.standing is ModelStatus.INSTALLED
        self._values[3].setEnabled(is_here)
        self.measure.setVisible(is_here and entry.clip_s is None and not entry.is_measuring)


class More(QWidget):
    """Languages, licence and source: a line, and the list of languages for who opens it."""

    def __init__(self) -> None:
        super().__init__()
        self.toggle = QToolButton()
        self.toggle.setCheckable(True)
        self.toggle.setAutoRaise(True)
        self.toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggle.setArrowType(Qt.ArrowType.RightArrow)
        self.toggle.toggled.connect(self._on_toggled)
        self._origin, self._languages = SecondaryText(scale=0.9, is_line=True), SecondaryText()
        self._languages.hide()
        line = FlowLayout(GAP_PX)
        line.addWidget(self.toggle)
        line.addWidget(self._origin)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(SMALL_GAP_PX)
        whole.addLayout(line)
        whole.addWidget(self._languages)

    def show_entry(self, entry: ModelEntry) -> None:
        """Show what ``entry`` knows and where it comes from."""
        self.toggle.setText(words.languages_title(entry))
        self.toggle.setVisible(bool(entry.languages))
        self._languages.setText(words.languages_line(entry))
        self._origin.setText("  ·  ".join(filter(None, (entry.licence, entry.source))))

    def _on_toggled(self, is_open: bool) -> None:
        self.toggle.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self._languages.setVisible(is_open)


class Work(QWidget):
    """The bar and the line under it, while a model is installed or waits half-way."""

    def __init__(self) -> None:
        super().__init__()
        self.bar, self.line = QProgressBar(), SecondaryText()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(_BAR_PX)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, SMALL_GAP_PX, 0, SMALL_GAP_PX)
        whole.setSpacing(SMALL_GAP_PX)
        whole.addWidget(self.bar)
        whole.addWidget(self.line)

    def show_entry(self, entry: ModelEntry) -> None:
        """Show how far ``entry`` is."""
        self.setVisible(entry.standing in {ModelStatus.INSTALLING, ModelStatus.PAUSED})
        if entry.standing is ModelStatus.PAUSED:
            self.bar.show()
            share = entry.partial_bytes / entry.download_bytes if entry.download_bytes else 0.0
            self._fill(min(share, 1.0))
            self.line.setText(words.paused_line(entry))
        elif entry.progress is not None:
            self.bar.setHidden(entry.progress.stage is InstallStage.WAITING)
            self._fill(entry.progress.share)
            self.line.setText(words.progress_line(entry.progress))
        self.bar.setAccessibleName(f"{entry.title}: {self.line.text()}")

    def _fill(self, share: float | None) -> None:
        self.bar.setRange(0, 0 if share is None else _BAR_STEPS)
        if share is not None:
            self.bar.setValue(round(share * _BAR_STEPS))
