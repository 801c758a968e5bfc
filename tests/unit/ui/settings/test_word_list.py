"""Entries of lists that the user writes, in windows of another direction."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QListWidget

from handy_qwen.ui.settings.word_list import EnterEnds, _changes

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")


@pytest.mark.parametrize("side", [Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft])
@pytest.mark.parametrize(("word", "is_last_right"), [("Heard.", True), ("أرسلها.", False)])
def test_the_full_stop_of_an_entry_is_where_its_language_has_it(qtbot, side, word, is_last_right):
    rows = QListWidget()
    qtbot.addWidget(rows)
    rows.setItemDelegate(EnterEnds(rows))
    rows.setLayoutDirection(side)
    rows.addItem(word)
    rows.show()
    image = rows.viewport().grab().toImage()
    area = rows.visualItemRect(rows.item(0))
    ground = image.pixelColor(area.center())
    columns = [
        sum(image.pixelColor(x, y) != ground for y in range(area.top(), area.bottom()))
        for x in range(area.left(), area.right())
    ]
    heights = [height for height in columns if height]
    left, right = (max(part) for part in (heights[:2], heights[-2:]))
    assert (right < left) is is_last_right


@pytest.mark.parametrize(
    ("before", "after", "moved", "gone"),
    [
        ("AAB", "AAB", {}, []),
        ("AAB", "AB", {1: 2, 2: 1}, [1]),
        ("AB", "AAB", {1: 2}, []),
        ("AAB", "ACB", {}, []),
        ("AAB", "BAA", {0: 1, 1: 2, 2: 0}, []),
    ],
)
def test_equal_rows_keep_their_places(before, after, moved, gone):
    assert _changes(before, after) == (moved, gone)
