"""What must be seen can be seen: measured in rendered pixels, in light, dark and high contrast."""

from dataclasses import fields

import pytest
from PySide6 import QtWidgets
from PySide6.QtCore import QItemSelectionModel, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPalette

from handy_qwen.ui import style
from handy_qwen.ui.style import DARK, LIGHT, Scheme, contrast, outline, readable, scheme, use_style
from handy_qwen.ui.widgets import Card, Pill, Text
from handy_qwen.ui.windows.history_list import EntriesList
from tests.e2e.pasts import FULL

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
TEXT, OUTLINE = 4.5, 3.0


ROLE = QPalette.ColorRole
ROLES = (ROLE.Base, ROLE.Text, ROLE.Highlight, ROLE.HighlightedText, ROLE.WindowText, ROLE.ButtonText)


def palette(window, base, ink, *highlight):
    made = QPalette(QColor(window), QColor(window))
    for role, color in zip(ROLES, (base, ink, *highlight, ink, ink), strict=True):
        made.setColor(role, QColor(color))
    placeholder = QColor(ink)
    placeholder.setAlpha(128)
    made.setColor(ROLE.PlaceholderText, placeholder)
    return made


PALETTES = {
    "Fusion": palette("#efefef", "#ffffff", "#000000", "#308cc6", "#ffffff"),
    "Breeze": palette("#eff0f1", "#fcfcfc", "#232629", "#3daee9", "#fcfcfc"),
    "Breeze Dark": palette("#2a2e32", "#1b1e20", "#fcfcfc", "#3daee9", "#fcfcfc"),
    "Adwaita Dark": palette("#353535", "#2d2d2d", "#eeeeec", "#15539e", "#ffffff"),
    "high contrast, black": palette("#000000", "#000000", "#ffffff", "#ffff00", "#000000"),
    "high contrast, white": palette("#ffffff", "#ffffff", "#000000", "#000000", "#ffffff"),
}


@pytest.fixture(scope="module", params=PALETTES)
def grounds(qapp, request):
    """The colors of windows and fields on a desktop that looks so."""
    use_style()
    before = QPalette(qapp.palette())
    desktops = QPalette(PALETTES[request.param])
    qapp.style().polish(desktops)  # as Qt does with what a desktop says
    QtWidgets.QApplication.setPalette(desktops)
    look = qapp.palette()
    yield look.color(ROLE.Window), look.color(ROLE.Base)
    QtWidgets.QApplication.setPalette(before)


def picture(qtbot, widget, size=None):
    """``widget`` in a window, without the focus, as it is painted."""
    widget.around = window = QtWidgets.QWidget()  # which else would be gone with the end of this function
    qtbot.addWidget(window)
    column = QtWidgets.QVBoxLayout(window)
    first = QtWidgets.QPushButton("has the focus")
    column.addWidget(first)
    column.addWidget(widget, 0, Qt.AlignmentFlag.AlignLeft)
    if size:
        widget.setFixedSize(size)
    window.show()
    first.setFocus()
    QtWidgets.QApplication.processEvents()
    return widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)


def first_pixels(image, area=None, depth=3):
    """The pixels from the left edge of ``area`` inwards, half-way down."""
    area = area or image.rect()
    return [image.pixelColor(area.left() + x, area.center().y()) for x in range(depth)]


def best(colors, ground):
    return max(contrast(color, ground) for color in colors)


def empty_bar():
    bar = QtWidgets.QProgressBar()
    bar.setTextVisible(False)
    bar.setRange(0, 100)
    bar.setValue(0)
    return bar


FIELDS = (
    *(QtWidgets.QLineEdit, QtWidgets.QPlainTextEdit, QtWidgets.QListView, EntriesList),
    *(QtWidgets.QComboBox, QtWidgets.QDoubleSpinBox, empty_bar, Card),
)


@pytest.mark.parametrize("make", [*FIELDS, QtWidgets.QPushButton])
def test_fields_lists_bars_cards_and_buttons_have_an_outline(qtbot, grounds, make):
    pixels = first_pixels(picture(qtbot, make(), QSize(160, 60)))
    on = grounds if make in FIELDS else grounds[:1]  # no button is in a field
    assert min(best(pixels, ground) for ground in on) >= OUTLINE


@pytest.mark.parametrize("make", [QtWidgets.QPushButton, QtWidgets.QLineEdit])
def test_what_has_the_focus_has_an_outline_of_two_pixels_in_its_color(qtbot, grounds, make):
    without = first_pixels(picture(qtbot, make(), QSize(160, 60)))
    widget = make()
    picture(qtbot, widget, QSize(160, 60))
    widget.setFocus()
    qtbot.waitUntil(widget.hasFocus)
    edge, inner = first_pixels(widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32))[:2]
    assert edge == inner != without[1]
    assert min(contrast(inner, ground) for ground in grounds) >= OUTLINE


CHECK_BOX = QtWidgets.QCheckBox, QtWidgets.QStyle.SubElement.SE_CheckBoxIndicator
RADIO_BUTTON = QtWidgets.QRadioButton, QtWidgets.QStyle.SubElement.SE_RadioButtonIndicator


@pytest.mark.parametrize("is_checked", [False, True])
@pytest.mark.parametrize(("make", "indicator"), [CHECK_BOX, RADIO_BUTTON])
def test_a_check_box_has_an_outline_and_its_mark_is_seen(qtbot, grounds, make, indicator, is_checked):
    box = make("Start at login")
    box.setAutoExclusive(False)
    box.setChecked(is_checked)
    image = picture(qtbot, box)
    option = QtWidgets.QStyleOptionButton()
    box.initStyleOption(option)
    area = box.style().subElementRect(indicator, option, box)
    assert min(best(first_pixels(image, area), ground) for ground in grounds) >= OUTLINE
    inner = area.adjusted(3, 3, -3, -3)
    inside = [
        image.pixelColor(x, y)
        for x in range(inner.left(), inner.right())
        for y in range(inner.top(), inner.bottom())
    ]
    assert (max(contrast(a, b) for a in inside for b in inside[:1]) >= OUTLINE) is is_checked


def test_a_check_box_is_as_large_as_its_letters(qtbot, grounds):  # noqa: ARG001
    box = QtWidgets.QCheckBox("Start at login")
    qtbot.addWidget(box)
    width = QtWidgets.QStyle.PixelMetric.PM_IndicatorWidth
    small_px = box.style().pixelMetric(width, None, box)
    font = QFont(box.font())
    font.setPointSize(28)
    box.setFont(font)
    assert (
        box.style().pixelMetric(QtWidgets.QStyle.PixelMetric.PM_IndicatorWidth, None, box) >= 1.5 * small_px
    )


def test_what_is_done_of_a_bar_is_seen_against_the_rest(qtbot, grounds):
    bar = empty_bar()
    bar.setValue(50)
    image = picture(qtbot, bar, QSize(200, 20))
    assert contrast(image.pixelColor(40, 10), image.pixelColor(160, 10)) >= OUTLINE
    assert contrast(image.pixelColor(160, 10), grounds[1]) < OUTLINE


@pytest.mark.parametrize("shape", [QtWidgets.QFrame.Shape.HLine, QtWidgets.QFrame.Shape.VLine])
def test_lines_between_parts_are_seen(qtbot, grounds, shape):
    line = QtWidgets.QFrame()
    line.setFrameShape(shape)
    line.setFrameShadow(QtWidgets.QFrame.Shadow.Sunken)
    image = picture(qtbot, line, QSize(30, 30))
    pixels = [image.pixelColor(15, y) for y in range(30)] + [image.pixelColor(x, 15) for x in range(30)]
    assert best(pixels, grounds[0]) >= OUTLINE


def test_the_edge_of_a_menu_and_the_lines_and_boxes_in_it_are_seen(qtbot, grounds):
    menu = QtWidgets.QMenu()
    qtbot.addWidget(menu)
    menu.addAction("Pause history").setCheckable(True)
    menu.addSeparator()
    menu.addAction("Quit")
    menu.popup(menu.pos())
    image = menu.grab().toImage()
    box, line, _ = (menu.actionGeometry(action) for action in menu.actions())
    base = image.pixelColor(menu.width() - 4, line.top() - 4)  # beside the words
    assert min(contrast(base, ground) for ground in grounds) < 1.2
    assert best([image.pixelColor(x, line.top() - 4) for x in range(2)], base) >= OUTLINE
    upright = [image.pixelColor(menu.width() // 2, y) for y in range(line.top(), line.bottom() + 1)]
    assert best(upright, base) >= OUTLINE
    assert best(first_pixels(image, box, depth=14)[4:], base) >= OUTLINE
    menu.close()


def test_what_is_moved_with_the_mouse_is_seen(qtbot, grounds):
    bar = QtWidgets.QScrollBar(Qt.Orientation.Vertical)
    bar.setRange(0, 100)
    bar.setPageStep(50)
    image = picture(qtbot, bar, QSize(16, 200))
    column = [image.pixelColor(8, y) for y in range(18, 182)]
    assert best(column, grounds[0]) >= OUTLINE
    splitter = QtWidgets.QSplitter(Qt.Orientation.Vertical)
    for _ in range(2):
        splitter.addWidget(QtWidgets.QWidget())
    image = picture(qtbot, splitter, QSize(200, 100))
    middle = [image.pixelColor(100, y) for y in range(100)]
    assert best(middle, grounds[0]) >= OUTLINE


@pytest.mark.parametrize("color", [one.name for one in fields(Scheme) if one.type == "str"][2:])
def test_text_of_every_color_is_readable_on_windows_and_cards(qtbot, grounds, color):
    label = Text("Words", color=color)
    qtbot.addWidget(label)
    ink = label.palette().color(ROLE.WindowText)
    assert all(contrast(ink, ground) >= TEXT for ground in grounds)
    pill = Pill()
    font = QFont(pill.font())
    font.setPointSize(40)  # so that there are pixels that are ink and nothing else
    pill.setFont(font)
    pill.setParent(label)
    pill.say("II", color)
    image = picture(qtbot, pill)
    row = [image.pixelColor(x, image.height() // 2) for x in range(image.width())]
    assert best(row, image.pixelColor(image.width() // 2, 4)) >= TEXT


def test_the_hint_in_an_empty_field_is_readable(qtbot, grounds):
    field = QtWidgets.QLineEdit()
    qtbot.addWidget(field)
    assert contrast(field.palette().color(ROLE.PlaceholderText), grounds[1]) >= TEXT


def test_a_chosen_row_is_readable(qtbot, grounds):
    rows = EntriesList()
    font = QFont(rows.font())
    font.setPointSize(40)
    rows.setFont(font)
    rows.show_history(FULL)
    # Not by the list, which asks which modifiers are held.
    rows.selectionModel().select(rows.model().index(0), QItemSelectionModel.SelectionFlag.Select)
    image = picture(qtbot, rows, QSize(500, 200))
    area = rows.visualRect(rows.model().index(0))
    heading_px = area.height() - rows.sizeHintForIndex(rows.model().index(1)).height()
    heading = [
        image.pixelColor(x, y) for x in range(20, 200) for y in range(area.top(), area.top() + heading_px)
    ]
    assert best(heading, grounds[1]) >= TEXT
    area.setTop(area.top() + heading_px)
    ground = image.pixelColor(area.right() - 4, area.top() + 4)
    assert contrast(ground, grounds[1]) > 1.2
    row = [image.pixelColor(x, y) for x in range(20, 300) for y in range(area.top() + 20, area.top() + 60)]
    assert best(row, ground) >= TEXT


def test_what_is_chosen_in_any_list_or_menu_is_readable(qtbot, grounds):  # noqa: ARG001
    entries = QtWidgets.QListWidget()
    entries.addItem("Words")
    entries.setCurrentRow(0)
    for group in (QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive):
        ink, ground = (entries.palette().color(group, r) for r in (ROLE.HighlightedText, ROLE.Highlight))
        assert contrast(ink, ground) >= TEXT
    font = QFont(entries.font())
    font.setPointSize(40)
    entries.setFont(font)
    image = picture(qtbot, entries, QSize(300, 90))
    area = entries.visualRect(entries.model().index(0, 0))
    ground = image.pixelColor(area.right() - 6, area.center().y())
    inks = [image.pixelColor(x, area.center().y()) for x in range(area.left() + 8, area.right() - 20)]
    assert best(inks, ground) >= TEXT


@pytest.mark.parametrize("colors", [LIGHT, DARK])
def test_the_overlay_is_readable(colors):
    inks = ("text", "quiet", "recording", "working", "good", "problem")
    assert all(contrast(colors.color(ink), colors.color("ground")) >= TEXT for ink in inks)


def test_colors_are_moved_no_further_than_they_must_be():
    black, white = QColor("#000000"), QColor("#ffffff")
    assert contrast(black, white) == pytest.approx(21.0)
    assert readable(QColor("#595959"), white) == QColor("#595959")
    moved = readable(QColor("#aaaaaa"), white)
    assert TEXT <= contrast(moved, white) < TEXT + 1.0
    assert OUTLINE <= contrast(outline(PALETTES["Breeze Dark"]), QColor("#2a2e32")) < OUTLINE + 1.0


@pytest.mark.parametrize("is_desktop_dark", [True, False])
def test_colors_suit_the_windows_also_where_those_stay_light_on_a_dark_desktop(
    grounds, is_desktop_dark, monkeypatch
):
    monkeypatch.setattr(style, "is_dark", lambda: is_desktop_dark)
    assert min(contrast(QColor(scheme().text), ground) for ground in grounds) >= TEXT
