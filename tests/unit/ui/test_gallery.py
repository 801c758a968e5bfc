"""Every window for the eye, the ear and the keyboard, with large letters and at a scale of 200 %.

To make a window takes longer than to look at it: each is made once, for all that is looked at.
"""

import gc
import re
from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLabel,
    QLayout,
    QLayoutItem,
    QProgressBar,
    QScrollArea,
    QScrollBar,
    QWidget,
)

from handy_qwen.settings.forms import Page
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import FlowLayout
from tests.unit.ui.gallery import WINDOWS, buttons, labels, letters, open_window

MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
SHOWING = (QLabel, QAbstractButton, QComboBox, QProgressBar)
INTERACTIVE = {
    QAccessible.Role.Button,
    QAccessible.Role.ButtonMenu,
    QAccessible.Role.CheckBox,
    QAccessible.Role.ComboBox,
    QAccessible.Role.EditableText,
    QAccessible.Role.List,
    QAccessible.Role.ProgressBar,
    QAccessible.Role.Slider,
}
PARTS_OF_QT = (QScrollBar,)


@pytest.fixture
def lost_letters(monkeypatch):
    """The titles whose letter was taken by another one, even one that is not seen."""
    lost = []

    def unlike(titles, find=strings.unlike):
        titles = list(titles)
        found = list(find(titles))
        lost.extend(title for title, apart in zip(titles, found, strict=True) if apart != title)
        return iter(found)

    monkeypatch.setattr(strings, "unlike", unlike)
    return lost


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.usefixtures("app_home")
@pytest.mark.qt_log_ignore("This plugin does not support")
def test_every_window_serves_the_eye_the_ear_and_the_keyboard(qtbot, asked, screen, name, lost_letters):
    before = items()
    window = open_window(qtbot, asked, name)
    check_no_item_is_kept_of_a_layout_that_deletes_its_items(window, before)
    check_every_control_has_a_name_once_and_without_marks_for_the_eye(window)
    check_tab_follows_the_eye(window)
    check_no_two_things_have_the_same_letter(window)
    window.resize(screen)
    qtbot.waitUntil(lambda: window.size() == screen)  # it can be as small as that
    for _ in range(4):  # rows in rows
        QApplication.processEvents()
    check_nothing_is_cut_off(window)
    if name == f"settings-{Page.GENERAL}":  # of the others, each page is in a window of its own
        for page in Page:
            window.go(page)
    assert lost_letters == []


def items():
    """What PySide has for the items of layouts."""
    return [one for one in gc.get_objects() if isinstance(one, QLayoutItem) and not isinstance(one, QLayout)]


def check_no_item_is_kept_of_a_layout_that_deletes_its_items(window, before):
    """What Qt puts at its address later, PySide would take for that item."""
    known = {id(item) for layout in window.findChildren(FlowLayout) for item in layout._items}
    known |= set(map(id, before))
    assert not [item for item in items() if id(item) not in known]


def tree(interface):
    """All that a screen reader finds in ``interface`` and that is to be seen."""
    for number in range(interface.childCount()):
        child = interface.child(number)
        if child is None or not child.isValid() or child.state().invisible:
            continue
        yield child
        yield from tree(child)


def name_of(interface):
    """What is said for a name: that of its label, or else its own."""
    labels = interface.relations(QAccessible.RelationFlag.Label)
    label = " ".join(one.text(QAccessible.Text.Name) for one, _ in labels)
    return label or interface.text(QAccessible.Text.Name)


def check_every_control_has_a_name_once_and_without_marks_for_the_eye(window):
    found = list(tree(QAccessible.queryAccessibleInterface(window)))
    assert found
    for one in found:
        name = name_of(one)
        assert not MARKS.search(name), name
        assert not MARKS.search(one.text(QAccessible.Text.Description)), name
        sentences = [part.strip() for part in name.split(". ") if part.strip()]
        assert len(set(sentences)) == len(sentences), name
        if one.role() in INTERACTIVE and not isinstance(one.object(), PARTS_OF_QT):
            assert name.strip(), one.object()
        if one.role() is QAccessible.Role.ComboBox:
            assert one.text(QAccessible.Text.Value).strip(), name


def stops(window):
    """The widgets that Tab leads to, in its order, from the first of the window on."""
    found, widget = [], window
    while (widget := widget.nextInFocusChain()) is not window:
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and widget.isEnabled():
            found.append(widget)
    return found


def check_tab_follows_the_eye(window):
    order = stops(window)
    assert len(order) > 1
    for before, after in pairwise(order):
        if before.parentWidget() is not after.parentWidget():
            continue  # columns beside each other: what is read first is told by each of them
        one, other = (QWidget.mapTo(w, window, QPoint(0, 0)) for w in (before, after))
        is_below = other.y() >= one.y() + before.height() / 2
        is_right_of = abs(other.y() - one.y()) < max(before.height(), after.height()) and other.x() > one.x()
        assert is_below or is_right_of, (before, after)
    assert order[-1].parentWidget() is window  # the buttons at the foot come last


def check_no_two_things_have_the_same_letter(window):
    titles = [one.text() for one in buttons(window)]
    underlined = letters([*titles, *labels(window)])
    assert len(underlined) == len(set(underlined)), titles


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


def check_nothing_is_cut_off(window):
    shown = [one for one in window.findChildren(QWidget) if isinstance(one, SHOWING) and one.isVisible()]
    assert shown
    for one in shown:
        place, room = in_viewport(one, window)
        said = one.text() if hasattr(one, "text") else one.accessibleName()
        assert room.contains(place), (type(one).__name__, said, place, room)
        if not isinstance(one, QProgressBar):
            assert is_whole(one), (type(one).__name__, said, one.size(), one.sizeHint())
