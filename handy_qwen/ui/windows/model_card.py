"""One model as a card: what it is, what it costs, where it stands, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QElapsedTimer, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from handy_qwen.core.shelf import ModelEntry, Shelf, ShelfKeeper, Stage, Standing
from handy_qwen.ui.spoken import announce
from handy_qwen.ui.windows import figures
from handy_qwen.ui.windows import model_words as words
from handy_qwen.ui.windows.parts import Flow, Panel, Pill, Quiet, Text, Title, Trouble, button
from handy_qwen.ui.windows.question import ask
from handy_qwen.ui.windows.window import GAP_PX, MARGIN_PX, SMALL_GAP_PX

_BAR_STEPS = 1000
_BAR_PX = 12
_WIDEST = "0,000 MB"  # sizes below each other from card to card


class ModelCard(Panel):
    """Shows an entry of the shelf and passes on what it is asked. Lives on Qt's thread.

    The buttons change their words, not their place, and keep the focus; ``DOUBLE_MS`` after such a change
    they take nothing, so that the second half of a double click does not undo the first.
    """

    DOUBLE_MS = 400

    def __init__(self, keeper: ShelfKeeper) -> None:
        super().__init__()
        self._keeper = keeper
        self._entry = ModelEntry("", "")
        self._since_change = QElapsedTimer()
        self.title, self._pill = Title(is_line=True), Pill()
        self.primary, self.secondary = button(do=self._on_primary), button(do=self._on_secondary)
        self._summary, self._facts, self._more = Quiet(), Facts(), More()
        self._facts.measure.clicked.connect(lambda: self._keeper.measure(self._entry.name))
        self._work, self._trouble, self._warning = Work(), Trouble("recording"), Trouble("problem")
        self._build()
        delete = QShortcut(QKeySequence.StandardKey.Delete, self, self._on_delete)
        delete.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)

    def show_entry(self, entry: ModelEntry, shelf: Shelf) -> None:
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
        head = Flow(GAP_PX)
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
            case Standing.INSTALLED if words.primary(self._entry) == words.USE:
                self._keeper.use(self._entry.name)
            case Standing.INSTALLING:
                self._keeper.pause(self._entry.name)
            case _:
                self._keeper.install(self._entry.name)

    def _on_secondary(self) -> None:
        entry = self._entry
        if entry.standing is Standing.PAUSED:
            detail = words.DISCARD_DETAIL.format(size=figures.size(entry.partial_bytes))
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
        ask(self, question.format(title=title), detail, yes=yes, no=words.KEEP, do=lambda: do(name))


class Facts(QWidget):
    """Sizes and speed, in columns that stand under each other from card to card if there is room."""

    def __init__(self) -> None:
        super().__init__()
        line = Flow(2 * GAP_PX)
        self._values = [Text(is_line=True) for _ in range(4)]
        for head, value in zip(
            (words.DOWNLOAD, words.DISK, words.MEMORY, words.SPEED), self._values, strict=True
        ):
            label, column = Quiet(head, scale=0.9, is_line=True), QVBoxLayout()
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
        is_here = entry.standing is Standing.INSTALLED
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
        self._origin, self._languages = Quiet(scale=0.9, is_line=True), Quiet()
        self._languages.hide()
        line = Flow(GAP_PX)
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
        self.bar, self.line = QProgressBar(), Quiet()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(_BAR_PX)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, SMALL_GAP_PX, 0, SMALL_GAP_PX)
        whole.setSpacing(SMALL_GAP_PX)
        whole.addWidget(self.bar)
        whole.addWidget(self.line)

    def show_entry(self, entry: ModelEntry) -> None:
        """Show how far ``entry`` is."""
        self.setVisible(entry.standing in {Standing.INSTALLING, Standing.PAUSED})
        if entry.standing is Standing.PAUSED:
            self.bar.show()
            share = entry.partial_bytes / entry.download_bytes if entry.download_bytes else 0.0
            self._fill(min(share, 1.0))
            self.line.setText(words.paused_line(entry))
        elif entry.progress is not None:
            self.bar.setHidden(entry.progress.stage is Stage.WAITING)
            self._fill(entry.progress.share)
            self.line.setText(words.progress_line(entry.progress))
        self.bar.setAccessibleName(f"{entry.title}: {self.line.text()}")

    def _fill(self, share: float | None) -> None:
        self.bar.setRange(0, 0 if share is None else _BAR_STEPS)
        if share is not None:
            self.bar.setValue(round(share * _BAR_STEPS))
