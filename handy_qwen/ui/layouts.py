"""Layouts that Qt has not got."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem

_UNLIMITED_PX = 1 << 20


class FlowLayout(QLayout):
    """A row that goes on in the next line where there is no room, however large the letters are.

    The first of a line that expands gets the room that is left over.
    The widgets after ``push`` stand at the right end of their line.
    """

    def __init__(self, gap_px: int) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._pushed: int | None = None  # the place of the first that stands at the right
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(gap_px)

    def push(self) -> None:
        """What is added from now on stands at the right."""
        self._pushed = len(self._items)

    def addLayout(self, layout: QLayout) -> None:  # noqa: N802  named as in Qt's other layouts
        """Add a layout as one item."""
        self.addChildLayout(layout)
        self.addItem(layout)

    def addItem(self, item: QLayoutItem) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt for ``addWidget``."""
        self._items.append(item)

    def count(self) -> int:
        """Called by Qt."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # noqa: N802  the name is Qt's
        """None past the end, as Qt wants it. Called by Qt."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:  # noqa: N802  the name is Qt's
        """As wide as there is room. Called by Qt."""
        return Qt.Orientation.Horizontal

    def hasHeightForWidth(self) -> bool:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        lines = self._lines(width)
        return sum(self._height(line, width) for line in lines) + self.spacing() * max(0, len(lines) - 1)

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """All in one line. Called by Qt."""
        shown = self._shown()
        width = sum(self._items[place].sizeHint().width() for place in shown)
        return QSize(width + self.spacing() * max(0, len(shown) - 1), self._height(shown))

    def minimumSize(self) -> QSize:  # noqa: N802  the name is Qt's
        """The widest in a line of its own. Called by Qt."""
        shown = self._shown()
        width = max((self._items[place].minimumSize().width() for place in shown), default=0)
        return QSize(width, self._height(shown))

    def setGeometry(self, area: QRect) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().setGeometry(area)
        is_mirrored = self._is_mirrored()
        top = area.top()
        for line in self._lines(area.width()):
            height, left = self._height(line, area.width()), area.left()
            right = area.right() + 1 - self._width(line[self._first_pushed(line) :], area.width())
            spare = area.width() - self._width(line, area.width())
            for number, place in enumerate(line):
                if number == self._first_pushed(line):
                    left = max(left, right)
                size = self._size(place, area.width())
                if spare > 0 and self._items[place].expandingDirections() & Qt.Orientation.Horizontal:
                    size.setWidth(size.width() + spare)
                    spare = 0
                corner = QPoint(left, top + (height - size.height()) // 2)
                left += size.width() + self.spacing()
                if is_mirrored:
                    corner.setX(area.left() + area.right() + 1 - corner.x() - size.width())
                self._items[place].setGeometry(QRect(corner, size))
            top += height + self.spacing()

    def _is_mirrored(self) -> bool:
        parent = self.parentWidget()
        return parent is not None and parent.layoutDirection() is Qt.LayoutDirection.RightToLeft

    def _shown(self) -> list[int]:
        return [place for place, item in enumerate(self._items) if not item.isEmpty()]

    def _first_pushed(self, line: list[int]) -> int:
        """The number in ``line`` of the first that stands at the right; its length if none does."""
        pushed = self._pushed if self._pushed is not None else len(self._items)
        return next((number for number, place in enumerate(line) if place >= pushed), len(line))

    def _size(self, place: int, most_px: int) -> QSize:
        item = self._items[place]
        size = item.sizeHint()
        size.setWidth(min(size.width(), most_px))
        if item.hasHeightForWidth():
            size.setHeight(max(item.heightForWidth(size.width()), item.minimumSize().height()))
        return size

    def _width(self, line: list[int], most_px: int) -> int:
        return sum(self._size(place, most_px).width() for place in line) + self.spacing() * max(
            0, len(line) - 1
        )

    def _height(self, line: list[int], most_px: int = _UNLIMITED_PX) -> int:
        return max((self._size(place, most_px).height() for place in line), default=0)

    def _lines(self, width: int) -> list[list[int]]:
        lines: list[list[int]] = []
        for place in self._shown():
            if lines and self._width([*lines[-1], place], width) <= width:
                lines[-1].append(place)
            else:
                lines.append([place])
        return lines
