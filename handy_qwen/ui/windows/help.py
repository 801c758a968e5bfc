"""The help pages: topics at the left, the page at the right."""

from __future__ import annotations

import re

from PySide6.QtCore import QMimeData, QSize, Qt
from PySide6.QtGui import (
    QFont,
    QFontMetricsF,
    QResizeEvent,
    QTextBlock,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextLength,
    QTextTable,
    QTextTableCell,
)
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QSplitter, QTextBrowser, QWidget

from handy_qwen import manual
from handy_qwen.ui.layouts import MARGIN_PX
from handy_qwen.ui.translation import tr
from handy_qwen.ui.window import AppWindow

TITLE, TOPICS = tr("Help"), tr("Topics")
_SIZE_PX = QSize(820, 560)
_GAP_PX, _HANGING_PX = 8, 32
_MOST_SHARE = 0.4  # of a table's width, for all columns but the last
_JOINER, _LONGEST_TIED = "\N{WORD JOINER}", 24  # longer words must be broken somewhere


class HelpWindow(AppWindow):
    """Made and used on Qt's thread."""

    def __init__(self) -> None:
        super().__init__("help", TITLE, _SIZE_PX)
        self.topics, self.page = QListWidget(), _Page()
        self.topics.setAccessibleName(TOPICS)
        self.topics.setSpacing(2)
        self.page.setOpenExternalLinks(True)
        self.page.document().setDocumentMargin(MARGIN_PX)
        for topic in manual.TOPICS:
            item = QListWidgetItem(manual.title(topic).partition(":")[0])
            item.setData(Qt.ItemDataRole.UserRole, topic)
            self.topics.addItem(item)
        self.topics.currentItemChanged.connect(self._show)
        self.topics.setCurrentRow(0)
        halves = QSplitter()
        halves.setChildrenCollapsible(False)
        halves.addWidget(self.topics)
        halves.addWidget(self.page)
        halves.setStretchFactor(1, 1)
        halves.setSizes([0, _SIZE_PX.width()])  # the list as narrow as its words allow
        self.topics.setMinimumWidth(self.topics.sizeHintForColumn(0) + 2 * self.fontMetrics().height())
        self.body.addWidget(halves, 1)

    def first_focus(self) -> QWidget:
        """The list."""
        return self.topics

    def _show(self, item: QListWidgetItem) -> None:
        self.page.setMarkdown(_unbroken(manual.page(item.data(Qt.ItemDataRole.UserRole))))
        _lay_out(self.page.document())
        self.page.share_out()
        self.page.setAccessibleName(item.text())


class _Page(QTextBrowser):
    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().resizeEvent(event)
        self.share_out()

    def share_out(self) -> None:
        """Distribute the available width among the columns of the tables."""
        for table in _tables(self.document()):
            _share_out(table, self.document().defaultFont(), self.viewport().width())

    def createMimeDataFromSelection(self) -> QMimeData:  # noqa: N802  the name is Qt's
        """Commands are copied to be run. Called by Qt."""
        copied = super().createMimeDataFromSelection()
        clean = QMimeData()
        clean.setText(copied.text().replace(_JOINER, ""))
        clean.setHtml(copied.html().replace(_JOINER, ""))
        return clean


def _unbroken(page: str) -> str:
    """``page`` with hyphens in commands tied to the next character: no line breaks after them."""

    def tied(code: re.Match[str]) -> str:
        return " ".join(
            word.replace("-", f"-{_JOINER}") if len(word) <= _LONGEST_TIED else word
            for word in code[0].split(" ")
        )

    return re.sub("(?<!`)`[^`\n]+`(?!`)", tied, page)


def _lay_out(document: QTextDocument) -> None:
    """Wrap commands that are wider than the page, and add margins to them and to tables."""
    block = document.begin()
    while block.isValid():
        if _is_command(block):
            shape = block.blockFormat()
            shape.setNonBreakableLines(False)
            shape.setLeftMargin(_HANGING_PX)
            shape.setTextIndent(-_HANGING_PX)
            shape.setTopMargin(0 if _is_command(block.previous()) else _GAP_PX)
            shape.setBottomMargin(0 if _is_command(block.next()) else _GAP_PX)
            QTextCursor(block).setBlockFormat(shape)
        block = block.next()
    for table in _tables(document):
        frame = table.frameFormat()
        frame.setTopMargin(_GAP_PX)
        frame.setBottomMargin(_GAP_PX)
        table.setFrameFormat(frame)


def _tables(document: QTextDocument) -> list[QTextTable]:
    return [frame for frame in document.rootFrame().childFrames() if isinstance(frame, QTextTable)]


def _share_out(table: QTextTable, font: QFont, width_px: int) -> None:
    """Make each column but the last as wide as its words, if they leave it enough room."""
    form = table.format()
    edges = 2 * (form.cellPadding() + form.border()) + form.cellSpacing() + 1
    needed = [
        max(_needed_px(table.cellAt(row, column), font) for row in range(table.rows())) + edges
        for column in range(table.columns())
    ]
    most_px = width_px - 2.0 * MARGIN_PX
    if sum(needed) > most_px:
        most_px *= _MOST_SHARE / max(1, table.columns() - 1)
    lengths = [QTextLength(QTextLength.Type.FixedLength, min(most_px, px)) for px in needed[:-1]]
    form.setColumnWidthConstraints([*lengths, QTextLength()])
    form.setWidth(QTextLength(QTextLength.Type.PercentageLength, 100))
    table.setFormat(form)


def _needed_px(cell: QTextTableCell, font: QFont) -> float:
    """The width of ``cell`` in one line."""
    needed = 0.0
    block = cell.firstCursorPosition().block()
    place = block.begin()
    while not place.atEnd():
        part = place.fragment()
        metrics = QFontMetricsF(part.charFormat().font().resolve(font))
        needed += metrics.horizontalAdvance(part.text())
        place += 1
    return needed


def _is_command(block: QTextBlock) -> bool:
    return block.blockFormat().hasProperty(QTextFormat.Property.BlockCodeFence)
