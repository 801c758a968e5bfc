"""Nothing is cut off: not with large letters on a small screen, and not at a scale of 200 %."""

import pytest
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLabel,
    QProgressBar,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
    QWidget,
)

from handy_qwen.ui.style import use_style
from handy_qwen.ui.widgets import Icon
from tests.unit.ui.gallery import WINDOWS, open_window

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
SCREENS = {  # letters in points, and the room for a window, without title bar and panel
    "large letters at 1024x600": (24, QSize(1004, 540)),
    "200 % at 1280x800": (10, QSize(620, 350)),
}


@pytest.fixture(scope="module", params=SCREENS)
def screen(qapp, request):
    """The room for a window, with letters of that size."""
    use_style()
    points, size = SCREENS[request.param]
    before = qapp.font()
    font = QFont(before)
    font.setPointSize(points)
    QApplication.setFont(font)
    yield size
    QApplication.setFont(before)


def in_viewport(widget, window):
    """Where ``widget`` is, and the room it has: what scrolls has all the height it wants."""
    parent = widget.parentWidget()
    while parent is not window:
        if isinstance(parent.parentWidget(), QWidget) and isinstance(
            area := parent.parentWidget().parentWidget(), QScrollArea
        ):
            return QRect(widget.mapTo(parent, QPoint(0, 0)), widget.size()), QRect(
                0, 0, area.viewport().width(), parent.height()
            )
        parent = parent.parentWidget()
    return QRect(widget.mapTo(window, QPoint(0, 0)), widget.size()), window.rect()


def is_whole(widget):
    """Whether all of what a label or button says is to be seen in it."""
    if isinstance(widget, QLabel) and widget.wordWrap():
        flags = int(Qt.TextFlag.TextWordWrap.value)
        area = widget.contentsRect()
        needed = widget.fontMetrics().boundingRect(QRect(0, 0, area.width(), 1 << 20), flags, widget.text())
        return needed.width() <= area.width() + 1 and needed.height() <= area.height() + 1
    if isinstance(widget, QComboBox):
        text = widget.fontMetrics().horizontalAdvance(widget.currentText())
        is_said = text < widget.width() or widget.toolTip() == widget.currentText()
        return is_said and widget.height() >= widget.fontMetrics().height()
    if isinstance(widget, QAbstractButton) and not widget.text():
        return True  # a picture that Qt has put into a field
    hint = widget.sizeHint()
    return widget.width() >= hint.width() and widget.height() >= hint.height() - 1


SHOWING = (QLabel, QAbstractButton, QComboBox, QProgressBar)


@pytest.mark.parametrize("name", WINDOWS)
def test_nothing_is_cut_off(qtbot, asked, app_home, screen, name):  # noqa: ARG001
    window = open_window(qtbot, asked, name)
    window.resize(screen)
    qtbot.waitUntil(lambda: window.size() == screen)  # it can be as small as that
    for _ in range(4):  # rows in rows
        QApplication.processEvents()
    shown = [one for one in window.findChildren(QWidget) if isinstance(one, SHOWING) and one.isVisible()]
    assert shown
    for one in shown:
        place, room = in_viewport(one, window)
        said = one.text() if hasattr(one, "text") else one.accessibleName()
        assert room.contains(place), (type(one).__name__, said, place, room)
        if not isinstance(one, QProgressBar):
            assert is_whole(one), (type(one).__name__, said, one.size(), one.sizeHint())


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
