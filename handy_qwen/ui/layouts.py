"""Layouts: rows and columns in one call, a row that wraps, and a scrolling body."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import (
    QBoxLayout,
    QGridLayout,
    QHBoxLayout,
    QLayout,
    QLayoutItem,
    QStyle,
    QVBoxLayout,
    QWidget,
)

MARGIN_PX, GAP_PX, SMALL_GAP_PX = 18, 12, 6
Part = QWidget | QLayout | tuple[QWidget | QLayout, int] | int | None
"""An item of a row or column: a widget or layout, one with its stretch factor, a space in pixels, or None
for a stretch."""
_Box = TypeVar("_Box", bound=QBoxLayout)


def column(*parts: Part, gap_px: int = GAP_PX, parent: QWidget | None = None) -> QVBoxLayout:
    """``parts`` below each other; as the layout of ``parent``, if given."""
    return _filled(QVBoxLayout(), parts, gap_px, parent)


def row(*parts: Part, gap_px: int = GAP_PX, parent: QWidget | None = None) -> QHBoxLayout:
    """``parts`` beside each other; as the layout of ``parent``, if given."""
    return _filled(QHBoxLayout(), parts, gap_px, parent)


def boxed(layout: QLayout) -> QWidget:
    """A widget with a filled ``layout``, to be added to the layout of another widget.

    If a filled layout is added to a widget's layout, PySide creates a wrapper for each of its items. Qt
    deletes items without telling PySide, which later takes whatever is at the same address for the old item:
    an attribute is missing, or the process crashes. Set on a widget after filling, there are no wrappers.
    """
    box = QWidget()
    layout.setContentsMargins(0, 0, 0, 0)
    box.setLayout(layout)
    return box


def form() -> QGridLayout:
    """Labels in the first column, fields in the second, which expands."""
    layout = QGridLayout()
    layout.setHorizontalSpacing(GAP_PX)
    layout.setVerticalSpacing(SMALL_GAP_PX)
    layout.setColumnStretch(1, 1)
    return layout


def _filled(layout: _Box, parts: tuple[Part, ...], gap_px: int, parent: QWidget | None) -> _Box:
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(gap_px)
    for part in parts:
        if part is None:
            layout.addStretch()
        elif isinstance(part, int):
            layout.addSpacing(part)
        else:
            item, stretch = part if isinstance(part, tuple) else (part, 0)
            layout.addWidget(item, stretch) if isinstance(item, QWidget) else layout.addLayout(item, stretch)
    if parent is not None:
        parent.setLayout(layout)
    return layout


_Line = list[tuple[int, QSize]]  # index and required size of each item in it


class FlowLayout(QLayout):
    """A row that wraps if there is no room, at any font size.

    The first expanding item of a line gets the remaining room. Items after ``push`` are right-aligned in
    their line.
    """

    def __init__(self, *widgets: QWidget, gap_px: int = GAP_PX) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._pushed: int | None = None
        self._lines_at: dict[int, list[_Line]] = {}  # by width; Qt asks often
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(gap_px)
        for widget in widgets:
            self.addWidget(widget)

    def push(self, *widgets: QWidget) -> None:
        """Right-align ``widgets`` and all later items."""
        self._pushed = len(self._items)
        for widget in widgets:
            self.addWidget(widget)

    def addLayout(self, layout: QLayout) -> None:  # noqa: N802  named as in Qt's other layouts
        """Add a layout as one item."""
        self.addChildLayout(layout)
        self.addItem(layout)

    def addItem(self, item: QLayoutItem) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt for ``addWidget``."""
        self._items.append(item)
        self.invalidate()

    def count(self) -> int:
        """Called by Qt."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # noqa: N802  the name is Qt's
        """Called by Qt; None past the end."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        item = self._items.pop(index) if 0 <= index < len(self._items) else None
        self.invalidate()
        return item

    def expandingDirections(self) -> Qt.Orientation:  # noqa: N802  the name is Qt's
        """As wide as there is room. Called by Qt."""
        return Qt.Orientation.Horizontal

    def hasHeightForWidth(self) -> bool:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        lines = self._lines(width)
        return sum(map(_height, lines)) + self.spacing() * max(0, len(lines) - 1)

    def invalidate(self) -> None:
        """Called by Qt, whenever something inside has another size."""
        self._lines_at.clear()
        super().invalidate()

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """The size in one line. Called by Qt."""
        line = next(iter(self._lines(1 << 20)), [])
        return QSize(self._width(line), _height(line))

    def minimumSize(self) -> QSize:  # noqa: N802  the name is Qt's
        """The size of the widest item. Called by Qt."""
        width = max((item.minimumSize().width() for item in self._items if not item.isEmpty()), default=0)
        return QSize(width, self.sizeHint().height())

    def setGeometry(self, area: QRect) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().setGeometry(area)
        parent = self.parentWidget()
        direction = parent.layoutDirection() if parent is not None else Qt.LayoutDirection.LeftToRight
        top = area.top()
        for line in self._lines(area.width()):
            left, height, spare = area.left(), _height(line), area.width() - self._width(line)
            for place, needed in line:
                size = QSize(needed)
                if spare > 0 and self._items[place].expandingDirections() & Qt.Orientation.Horizontal:
                    size.setWidth(size.width() + spare)
                    spare = 0
                elif spare > 0 and self._pushed is not None and place >= self._pushed:
                    left += spare
                    spare = 0
                box = QRect(QPoint(left, top + (height - size.height()) // 2), size)
                self._items[place].setGeometry(QStyle.visualRect(direction, area, box))
                left += size.width() + self.spacing()
            top += height + self.spacing()

    def _lines(self, width: int) -> list[_Line]:
        if width not in self._lines_at:
            self._lines_at[width] = self._wrapped(width)
        return self._lines_at[width]

    def _wrapped(self, width: int) -> list[_Line]:
        lines: list[_Line] = []
        for place, item in enumerate(self._items):
            if item.isEmpty():
                continue
            size = item.sizeHint()
            size.setWidth(min(size.width(), width))
            if item.hasHeightForWidth():
                size.setHeight(max(item.heightForWidth(size.width()), item.minimumSize().height()))
            if lines and self._width([*lines[-1], (place, size)]) <= width:
                lines[-1].append((place, size))
            else:
                lines.append([(place, size)])
        return lines

    def _width(self, line: _Line) -> int:
        return sum(size.width() for _, size in line) + self.spacing() * max(0, len(line) - 1)


def _height(line: _Line) -> int:
    return max((size.height() for _, size in line), default=0)
