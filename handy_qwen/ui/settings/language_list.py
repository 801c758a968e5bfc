"""Some languages of all: a button that says which, and a list to search and tick below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QListWidget, QListWidgetItem, QWidget

from handy_qwen.languages import ALL_LANGUAGES, code_of
from handy_qwen.settings import OPTIONS
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import SMALL_GAP_PX, column
from handy_qwen.ui.settings import words
from handy_qwen.ui.settings.controls import Choose, Control
from handy_qwen.ui.translation import translated
from handy_qwen.ui.widgets import Button, spoken

_ROWS = 7
_NAME = Qt.ItemDataRole.UserRole


class LanguagesControl(Control):
    """The setting ``languages``. ``widget`` opens and closes ``panel``, which belongs below it."""

    def __init__(self) -> None:
        self._button = Button(do=self._toggle)
        self._button.setObjectName("languages")
        self._button.setCheckable(True)
        super().__init__(self._button)
        self.panel = _Panel(self._button.click)
        self.panel.hide()
        self._known: tuple[str, ...] = ALL_LANGUAGES
        self._value: tuple[str, ...] = ()
        self.show_value(())

    @property
    def words(self) -> str:
        """See ``Control``."""
        return " ".join(map(strings.language_title, self._known))

    def connect(self, choose: Choose) -> None:
        """See ``Control``."""

        def on_ticked() -> None:
            ticked = self.panel.ticked()
            kept = [name for name in self._value if name in ticked]
            chosen = (*kept, *(name for name in ticked if name not in kept))
            self.show_value(chosen)
            choose(chosen)

        self.panel.rows.itemChanged.connect(on_ticked)

    def set_languages(self, known: Sequence[str]) -> None:
        """Offer ``known``; before it is known what the model knows, all."""
        known = tuple(known) or ALL_LANGUAGES
        if known != self._known:
            self._known = known
            self.panel.offer(self._offered(), self._value)

    def show_value(self, value: tuple[str, ...]) -> None:
        """See ``Control``."""
        self._value = value
        said = strings.languages(value) or words.ANY_LANGUAGE
        label, opens = translated(OPTIONS["languages"].described.label), words.OPENS.format(what=said)
        self._button.setText(strings.literal(opens))
        self._button.setToolTip(", ".join(map(strings.language_title, value)))
        self._button.setAccessibleName(spoken(f"{label}: {opens}"))
        if not self.panel.tick(value):
            self.panel.offer(self._offered(), value)

    def _offered(self) -> list[str]:
        """Those that are chosen first, as the list may be long; also those that the model does not know."""
        return list(dict.fromkeys([*self._value, *self._known]))

    def _toggle(self) -> None:
        is_open = self._button.isChecked()
        if is_open:
            self.panel.offer(self._offered(), self._value)
        self.panel.setVisible(is_open)
        (self.panel.search if is_open else self._button).setFocus(Qt.FocusReason.OtherFocusReason)


class _Panel(QWidget):
    """The search field and the list; Escape closes it, Down leads from the field into the list."""

    def __init__(self, close: Callable[[], None]) -> None:
        super().__init__()
        self._close = close
        self.search, self.rows = QLineEdit(), _List()
        self.search.setPlaceholderText(words.FIND_LANGUAGE)
        self.search.setAccessibleName(words.FIND_LANGUAGE)
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._seek)
        self.rows.setAccessibleName(translated(OPTIONS["languages"].described.label))
        column(self.search, self.rows, gap_px=SMALL_GAP_PX, parent=self)

    def offer(self, names: Sequence[str], ticked: Sequence[str]) -> None:
        """Show ``names`` in this order."""
        with QSignalBlocker(self.rows):
            self.rows.clear()
            for name in names:
                item = QListWidgetItem(strings.language_title(name))
                item.setData(_NAME, name)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked if name in ticked else Qt.CheckState.Unchecked)
                self.rows.addItem(item)
            self.rows.setCurrentRow(0)
        self._seek(self.search.text())

    def tick(self, names: Sequence[str]) -> bool:
        """Tick ``names`` and nothing else, in place; False if one of them is not there."""
        with QSignalBlocker(self.rows):
            for item in self._items():
                is_ticked = item.data(_NAME) in names
                item.setCheckState(Qt.CheckState.Checked if is_ticked else Qt.CheckState.Unchecked)
        return set(names) <= {item.data(_NAME) for item in self._items()}

    def ticked(self) -> list[str]:
        """What is ticked, in the order of the list."""
        return [one.data(_NAME) for one in self._items() if one.checkState() is Qt.CheckState.Checked]

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if event.key() == Qt.Key.Key_Escape:
            self._close()
        elif event.key() == Qt.Key.Key_Down and self.search.hasFocus():
            for first in (item for item in self._items()[::-1] if not item.isHidden()):
                self.rows.setCurrentItem(first)
            self.rows.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            super().keyPressEvent(event)

    def _items(self) -> list[QListWidgetItem]:
        return [self.rows.item(place) for place in range(self.rows.count())]

    def _seek(self, text: str) -> None:
        """Show only what holds ``text``, or has it as its code."""
        sought = text.strip().casefold()
        for item in self._items():
            is_found = sought in item.text().casefold() or sought == code_of(item.data(_NAME))
            item.setHidden(not is_found)


class _List(QListWidget):
    """Some rows high, whatever is found."""

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        line = max(self.sizeHintForRow(0), self.fontMetrics().height())
        return QSize(super().sizeHint().width(), _ROWS * line + 2 * self.frameWidth())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return QSize(super().minimumSizeHint().width(), self.sizeHint().height())
