"""The help pages are readable in their window."""

import re

import pytest
from PySide6.QtGui import QTextTable

from handy_qwen import manual
from handy_qwen.ui.layouts import MARGIN_PX
from handy_qwen.ui.windows.help import HelpWindow

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support"),
    pytest.mark.usefixtures("app_home"),
]


@pytest.fixture
def window(qtbot):
    made = HelpWindow()
    qtbot.addWidget(made)
    made.present()
    qtbot.waitExposed(made)
    return made


def lines(block):
    layout, text = block.layout(), block.text()
    found = (layout.lineAt(place) for place in range(layout.lineCount()))
    return [text[line.textStart() : line.textStart() + line.textLength()] for line in found]


def blocks(document):
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()


def tables(window):
    return [one for one in window.page.document().rootFrame().childFrames() if isinstance(one, QTextTable)]


def test_the_columns_of_a_table_are_as_wide_as_their_words(window):
    window.topics.setCurrentRow(manual.TOPICS.index("models"))
    (table,) = tables(window)
    cells = [table.cellAt(row, column) for row in range(table.rows()) for column in range(table.columns())]
    assert {len(lines(cell.firstCursorPosition().block())) for cell in cells} == {1}


def test_where_there_is_little_room_the_last_column_has_more_of_it(window):
    window.topics.setCurrentRow(manual.TOPICS.index("dictating"))
    table = tables(window)[0]
    first, last = (table.cellAt(1, column).firstCursorPosition() for column in (0, table.columns() - 1))
    left, right = (window.page.cursorRect(one).left() for one in (first, last))
    assert right - left < (window.page.viewport().width() - 2 * MARGIN_PX) * 0.42


def test_no_line_ends_within_a_short_word_of_a_command_and_copied_it_is_as_written(window):
    for place, topic in enumerate(manual.TOPICS):
        window.topics.setCurrentRow(place)
        for block in blocks(window.page.document()):
            within = "\n".join(lines(block))
            assert not re.search("handy-\u2060?\nqwen(?![-_])", within), topic
        window.page.selectAll()
        copied = window.page.createMimeDataFromSelection().text()
        assert "\u2060" not in copied
    assert "handy-qwen uninstall" in copied


def test_every_page_can_be_read_without_scrolling_sideways(window):
    for place, topic in enumerate(manual.TOPICS):
        window.topics.setCurrentRow(place)
        assert window.page.toPlainText().startswith(manual.title(topic))
        assert window.page.horizontalScrollBar().maximum() == 0, topic
