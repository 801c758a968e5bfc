"""The controls of settings, created from their descriptions: a check box, a list, a number.

The wheel has no effect unless the control has the focus: it scrolls the page.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QWidget

from handy_qwen.core.view import Choices
from handy_qwen.message import reason_of
from handy_qwen.settings.checks import number
from handy_qwen.settings.fields import Option
from handy_qwen.settings.forms import Amount, Switch, Worded, sentence
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import SMALL_GAP_PX, row
from handy_qwen.ui.translation import tr, translated

Choose = Callable[[object], None]
"""Called with the user's choice, not validated yet."""
_LEAST_CHARACTERS = 12  # shown of a closed list, however narrow the window is
_PLURALS = (0, 1, 2, 3, 11, 100)  # counts with different plural forms in various languages
_BEYOND = 1e9  # above all limits: a number that is too large is refused with a reason, not corrected
# Translators: {unit} is "s", "min", "days", "GB", ...
_MUST_BE = tr("Must be from {low} to {high} {unit}.")
# Translators: beside a box before a number: "Number of dictations: at most".
_LIMITED = tr("At most")
DETECT = tr("Detect automatically")


class Control(abc.ABC):
    """Shows the value of a setting and lets the user choose another one.

    ``widget`` gets the name of the setting, and the focus.
    """

    def __init__(self, widget: QWidget) -> None:
        self.widget = widget

    @property
    def words(self) -> str:
        """Search words besides the label: those of its values."""
        return ""

    @abc.abstractmethod
    def connect(self, choose: Choose) -> None:
        """Call ``choose`` for every choice of the user."""

    @abc.abstractmethod
    def show_value(self, value: Any) -> None:  # noqa: ANN401  of any setting
        """Show ``value`` without reporting it as a choice."""

    def reason(self, error: ValueError) -> str:
        """Why a value was refused, in terms of what is shown."""
        return sentence(translated(reason_of(error)))


def control_for(option: Option) -> Control:
    """The control for the description of ``option``."""
    form = option.described.form
    if isinstance(form, Switch):
        return SwitchControl()
    if isinstance(form, Amount) and isinstance(option.read, number):
        return AmountControl(form, option.read)
    assert isinstance(form, Worded), f"{option.name} needs a control of its own"
    return ChoiceControl(
        [(value, translated(title)) for value, title in form.values.items()],
        lambda value: translated(form.worded(value)),
    )


def line_up(controls: Iterable[Control]) -> None:
    """Make the numbers of ``controls`` equally wide, so that the boxes before them line up."""
    numbers = [one.number for one in controls if isinstance(one, AmountControl)]
    widest = max(one.sizeHint().width() for one in numbers)
    for one in numbers:
        one.setMinimumWidth(widest)


def language_entries(choices: Choices) -> list[tuple[str, str]]:
    """The languages of the model and their titles, recent ones first."""
    names = dict.fromkeys([*choices.recent_languages, *choices.languages])
    return [(name, strings.language_title(name)) for name in names]


class SwitchControl(Control):
    """On or off."""

    def __init__(self) -> None:
        self._box = QCheckBox()
        super().__init__(self._box)

    def connect(self, choose: Choose) -> None:
        """See ``Control``."""
        self._box.clicked.connect(choose)

    def show_value(self, value: bool) -> None:
        """See ``Control``."""
        self._box.setChecked(value)


class ChoiceControl(Control):
    """One of several values. One that is not among ``entries`` gets a temporary entry while it is chosen.

    Args:
        entries: Values and their titles.
        other: The title of a value that is not among them.
    """

    def __init__(self, entries: Sequence[tuple[Any, str]] = (), other: Callable[[Any], str] = str) -> None:
        self._list = _ComboBox()
        super().__init__(self._list)
        self._entries, self._other = list(entries), other
        self._shown: list[tuple[Any, str]] = []
        self._value: Any = None
        self.show_value(entries[0][0] if entries else None)

    @property
    def words(self) -> str:
        """See ``Control``."""
        return " ".join(title for _value, title in self._entries)

    def connect(self, choose: Choose) -> None:
        """See ``Control``."""
        self._list.activated.connect(lambda place: choose(self._shown[place][0]))

    def set_entries(self, entries: Sequence[tuple[Any, str]]) -> None:
        """Replace the entries, but keep the choice."""
        if list(entries) != self._entries:
            self._entries = list(entries)
            self.show_value(self._value)

    def show_value(self, value: Any) -> None:  # noqa: ANN401  see Control
        """See ``Control``."""
        self._value = value
        known = any(value == one for one, _title in self._entries)
        shown = self._entries if known else [*self._entries, (value, self._other(value))]
        if shown != self._shown:
            self._shown = shown
            with QSignalBlocker(self._list):
                self._list.clear()
                self._list.addItems([strings.without_letter(title) for _value, title in shown])
        self._list.setCurrentIndex([one for one, _title in shown].index(value))


class AmountControl(Control):
    """A number with its unit; if 0 has a special meaning, with a box that is off for 0."""

    def __init__(self, form: Amount, check: number) -> None:
        self._form, self._check = form, check
        self._box = QCheckBox() if form.zero else None
        self.number = _SpinBox()
        self.number.setRange(-_BEYOND, _BEYOND)
        self.number.limit(check.low / form.scale, check.high / form.scale)
        self.number.setDecimals(form.decimals)
        self.number.setSingleStep(form.step)
        self.number.count(self._unit)
        self.number.setKeyboardTracking(False)
        self.number.setGroupSeparatorShown(True)
        super().__init__(_Together(self._box, self.number) if self._box else self.number)

    @property
    def words(self) -> str:
        """See ``Control``."""
        return f"{translated(self._form.zero)} {self._unit(self._check.high / self._form.scale)}"

    def connect(self, choose: Choose) -> None:
        """See ``Control``."""
        self.number.valueChanged.connect(lambda shown: choose(self._raw(shown)))
        if self._box is not None:

            def switch(is_on: bool) -> None:
                choose(self._form.first if is_on else 0)
                self.show_value(self._form.first if is_on else 0)

            self._box.clicked.connect(switch)

    def show_value(self, value: float) -> None:
        """See ``Control``."""
        with QSignalBlocker(self.number):
            self.number.setValue((value or self._form.first) / self._form.scale)
        if self._box is not None:
            self._box.setChecked(bool(value))
            self.number.setEnabled(bool(value))

    def reason(self, _error: ValueError) -> str:
        """See ``Control``."""
        steps = 10**self._form.decimals
        low = math.ceil(self._check.low / self._form.scale * steps) / steps
        high = math.floor(self._check.high / self._form.scale * steps) / steps
        limits = [self.number.textFromValue(limit) for limit in (low, high)]
        return _MUST_BE.format(low=limits[0], high=limits[1], unit=self._unit(high))

    def _unit(self, shown: float) -> str:
        return translated(self._form.unit.short(shown))

    def _raw(self, shown: float) -> float:
        raw = round(shown * self._form.scale, 9)
        return int(raw) if raw.is_integer() else raw


class _Together(QWidget):
    """A box and the number that it enables."""

    def __init__(self, box: QCheckBox, amount: QDoubleSpinBox) -> None:
        super().__init__()
        self._box, self._amount = box, amount
        row(box, amount, gap_px=SMALL_GAP_PX, parent=self)
        self.setFocusProxy(box)

    def setAccessibleName(self, name: str) -> None:  # noqa: N802  the name is Qt's
        """Name both: the box by what it limits."""
        super().setAccessibleName(name)
        self._box.setAccessibleName(f"{name}: {_LIMITED}")
        self._amount.setAccessibleName(name)

    def setAccessibleDescription(self, text: str) -> None:  # noqa: N802  the name is Qt's
        """Describe both."""
        super().setAccessibleDescription(text)
        self._box.setAccessibleDescription(text)
        self._amount.setAccessibleDescription(text)


class _ComboBox(QComboBox):
    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.currentIndexChanged.connect(self._show_whole)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Possibly narrower than its longest entry. Called by Qt."""
        hint = super().minimumSizeHint()
        return QSize(
            min(hint.width(), _LEAST_CHARACTERS * self.fontMetrics().averageCharWidth()), hint.height()
        )

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().resizeEvent(event)
        self._show_whole()

    def _show_whole(self) -> None:
        """Show the full text in a tooltip if it is cut off."""
        is_cut = self.width() < self.sizeHint().width()
        self.setToolTip(strings.tip(self.currentText()) if is_cut else "")

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class _SpinBox(QDoubleSpinBox):
    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._low, self._high = 0.0, 0.0
        self._unit: Callable[[float], str] = str
        self.valueChanged.connect(self._show_unit)

    def count(self, unit: Callable[[float], str]) -> None:
        """Set the suffix for ``unit``."""
        self._unit = unit
        self._show_unit()

    def limit(self, low: float, high: float) -> None:
        """Limit the arrows to this range, but not what is typed."""
        self._low, self._high = low, high

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Wide enough for valid values, not for all that can be typed. Called by Qt."""
        numbers = [self.textFromValue(value) for value in (self._low, self._high)]
        units = {f" {self._unit(value)}" for value in (*_PLURALS, self._high)}
        height = super().sizeHint().height()
        widest = sum(max(map(self.fontMetrics().horizontalAdvance, texts)) for texts in (numbers, units))
        return QSize(widest + 2 * height, height)  # the arrows, and the edges

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return self.sizeHint()

    def stepBy(self, steps: int) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        self.setValue(min(max(self.value() + steps * self.singleStep(), self._low), self._high))

    def textFromValue(self, value: float) -> str:  # noqa: N802  the name is Qt's
        """Without trailing zeros. Called by Qt."""
        text = super().textFromValue(value)
        point, zero = self.locale().decimalPoint(), self.locale().zeroDigit()
        return text.rstrip(zero).removesuffix(point) if point in text else text

    def setValue(self, value: float) -> None:  # noqa: N802  the name is Qt's
        """Show ``value`` with its unit, even while signals are blocked."""
        super().setValue(value)
        self._show_unit()

    def _show_unit(self) -> None:
        if (suffix := f" {self._unit(self.value())}") != self.suffix():
            self.setSuffix(suffix)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()
