"""What grows with the letters, and fits all the same; that nothing is cut off is in ``test_gallery``."""

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QFont, QPainter, QPixmap
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox

from handy_qwen.ui.style import use_style
from handy_qwen.ui.widgets import Icon
from tests.unit.ui.gallery import open_window

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")


@pytest.mark.usefixtures("screen")
def test_a_closed_list_that_is_too_narrow_shows_both_ends_of_its_entry(qtbot):
    box, option, picture = QComboBox(), QStyleOptionComboBox(), QPixmap(400, 60)
    qtbot.addWidget(box)
    box.initStyleOption(option)
    option.rect, option.currentText = QRect(0, 0, 400, 60), "Audio Controller, Digital Stereo, Microphone" * 2
    with QPainter(picture) as painter:
        box.style().drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option, painter, box)
    begin, _, end = option.currentText.partition("…")
    assert begin.startswith("Audio")
    assert end.endswith("phone")


@pytest.mark.parametrize("name", ["main", "history-full"])
@pytest.mark.usefixtures("app_home", "screen")
def test_a_window_with_large_letters_takes_the_room_there_is_and_no_more(qtbot, asked, name):
    window = open_window(qtbot, asked, name)
    room = window.screen().availableGeometry()
    assert room.contains(window.geometry())
    if window.fontMetrics().height() > 30:
        assert window.width() > 0.95 * room.width()


@pytest.mark.usefixtures("screen")
def test_a_mark_is_as_large_as_the_letters_beside_it(qtbot):
    mark = Icon()
    qtbot.addWidget(mark)
    assert mark.height() >= mark.fontMetrics().height()


@pytest.mark.parametrize("name", ["main", "history-full", "models-downloading"])
def test_what_has_the_keyboard_is_scrolled_into_view(qtbot, asked, app_home, screen, name):  # noqa: ARG001
    window = open_window(qtbot, asked, name)
    window.resize(screen)
    qtbot.waitUntil(window.isActiveWindow)
    for _ in range(12):
        qtbot.keyClick(window.focusWidget() or window, Qt.Key.Key_Tab)
        focused = window.focusWidget()
        shown = QRect(focused.mapTo(window, QPoint(0, 0)), focused.size())
        assert shown.intersects(window.rect()), focused


def test_the_arrow_of_a_closed_list_grows_with_the_letters(qtbot):
    def inked(points):
        choice = QComboBox()
        qtbot.addWidget(choice)
        font = QFont(choice.font())
        font.setPointSize(points)
        choice.setFont(font)
        choice.resize(choice.sizeHint())
        option = QStyleOptionComboBox()
        option.initFrom(choice)
        field = QStyle.SubControl.SC_ComboBoxArrow
        area = choice.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, choice)
        picture = choice.grab(area.adjusted(3, 5, -3, -5)).toImage()
        places = [(x, y) for x in range(picture.width()) for y in range(picture.height())]
        return sum(picture.pixelColor(x, y).lightness() < 100 for x, y in places)

    use_style()
    assert inked(24) > 2 * inked(10) > 0
