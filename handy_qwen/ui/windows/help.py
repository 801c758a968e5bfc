"""The help pages: topics at the left, the page at the right."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QTextBlock, QTextCursor, QTextDocument, QTextFormat
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QSplitter, QTextBrowser, QWidget

from handy_qwen import manual
from handy_qwen.ui.layouts import MARGIN_PX
from handy_qwen.ui.translation import tr
from handy_qwen.ui.window import AppWindow

TITLE, TOPICS = tr("Help"), tr("Topics")
_SIZE_PX = QSize(820, 560)
_GAP_PX, _HANGING_PX = 8, 32


class HelpWindow(AppWindow):
    """Made and used on Qt's thread."""

    def __init__(self) -> None:
        super().__init__("help", TITLE, _SIZE_PX)
        self.topics, self.page = QListWidget(), QTextBrowser()
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
        self.page.setMarkdown(manual.page(item.data(Qt.ItemDataRole.UserRole)))
        _lay_out(self.page.document())
        self.page.setAccessibleName(item.text())


def _lay_out(document: QTextDocument) -> None:
    """Wrap commands that are wider than the page, and keep them and tables off what is around them."""
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
    for table in document.rootFrame().childFrames():
        frame = table.frameFormat()
        frame.setTopMargin(_GAP_PX)
        frame.setBottomMargin(_GAP_PX)
        table.setFrameFormat(frame)


def _is_command(block: QTextBlock) -> bool:
    return block.blockFormat().hasProperty(QTextFormat.Property.BlockCodeFence)
