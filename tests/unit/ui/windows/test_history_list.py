"""How the rows of the history are painted, in windows that run from left to right and from right to left."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from handy_qwen.core.types import Delivery, Entry, EntryState
from handy_qwen.core.view import HistoryPage
from handy_qwen.ui.layouts import GAP_PX
from handy_qwen.ui.windows.history_list import EntriesList
from tests.e2e.pasts import NOW_S

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
SIDES = (Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft)
ENTRY = Entry(1, NOW_S, EntryState.DONE, 1.0, "Send it to Anna.", delivery=Delivery.PASTED)
WIDTH_PX = 400


@pytest.fixture
def painted(qtbot):
    """The pixels of one row that are neither background nor line: which columns have which kind of color."""

    def paint(entry, side):
        rows = EntriesList()
        qtbot.addWidget(rows)
        rows.setLayoutDirection(side)
        rows.resize(WIDTH_PX, 200)
        rows.show_history(HistoryPage(entries=(entry,)))
        rows.selectionModel().clear()
        picture = rows.viewport().grab().toImage()
        row = rows.visualRect(rows.model().index(0))
        ground = picture.pixelColor(row.center().x(), row.bottom() - 3)
        top = row.bottom() - 44
        return [
            [picture.pixelColor(x, y) for y in range(top, top + 20) if picture.pixelColor(x, y) != ground]
            for x in range(row.left(), row.right())
        ]

    return paint


def inked(columns, *, is_colored):
    return [
        x
        for x, colors in enumerate(columns)
        if any((color.saturation() > 100 and color.value() > 100) is is_colored for color in colors)
    ]


@pytest.mark.parametrize("side", SIDES)
def test_a_long_text_ends_before_the_star_and_begins_where_others_do(painted, side):
    entry = replace(ENTRY, text="Send it to Anna " * 20)
    plain, starred = painted(entry, side), painted(replace(entry, is_starred=True), side)
    if side is Qt.LayoutDirection.RightToLeft:
        plain.reverse()
        starred.reverse()
    star, letters = inked(starred, is_colored=True), inked(starred, is_colored=False)
    assert star
    assert max(x for x in letters if x < min(star) - 2) < min(star) - GAP_PX / 2
    assert min(star) < max(inked(plain, is_colored=False))
    assert min(letters) == pytest.approx(min(inked(plain, is_colored=False)), abs=2)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("text", "is_last_right"), [("Send it to Anna.", True), ("أرسلها إلى آنا.", False)])
def test_the_full_stop_is_where_the_language_of_the_text_has_it(painted, side, text, is_last_right):
    heights = list(filter(None, map(len, painted(replace(ENTRY, text=text), side))))
    left, right = (max(part) for part in (heights[:2], heights[-2:]))
    assert (right < left) is is_last_right
