"""The overlay as a window: never in the way, painted only while something moves."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QLineEdit

from handy_qwen.core.view import Choices, Notice, NoticeKind, Phase, View
from handy_qwen.ui.overlay import OverlayWindow

# Qt's platform without a screen says that it cannot do these; nothing of the program's.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")

LONG = "The meeting starts at five o'clock and we need twenty-five chairs for the office. " * 6


@pytest.fixture
def overlay(qtbot):
    window = OverlayWindow(lambda: -20.0)
    qtbot.addWidget(window)
    return window


def recording(**more):
    return View(phase=Phase.RECORDING, began_s=0.0, device="Desk", **more)


def picture(window):
    image = QImage(window.size(), QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    window.render(image)
    return image


def test_it_takes_neither_focus_nor_mouse(overlay):
    overlay.show_view(recording())
    flags = overlay.windowFlags()
    assert flags & Qt.WindowType.WindowDoesNotAcceptFocus
    assert flags & Qt.WindowType.WindowTransparentForInput
    assert overlay.testAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
    assert overlay.focusPolicy() == Qt.FocusPolicy.NoFocus


def test_it_appears_and_disappears(overlay, qtbot):
    overlay.show_view(recording())
    assert overlay.isVisible()
    overlay.show_view(View(phase=Phase.IDLE))
    qtbot.waitUntil(lambda: not overlay.isVisible())


def test_a_text_that_waits_covers_no_window_of_the_program(overlay, qtbot):
    window = QLineEdit()
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    waiting = View(phase=Phase.IDLE, held=("Good evening.",))
    overlay.show_view(waiting)
    assert not overlay.isVisible()
    overlay.show_view(replace(waiting, notices=(Notice(1, NoticeKind.HELD, "Not inserted yet."),)))
    assert overlay.isVisible(), "it has just happened"
    window.activateWindow()  # without a screen, Qt gives the focus to whatever comes up
    qtbot.waitUntil(window.isActiveWindow)
    overlay.show_view(waiting)
    qtbot.waitUntil(lambda: not overlay.isVisible())
    window.close()
    qtbot.waitUntil(overlay.isVisible)


def test_it_comes_back_while_it_disappears(overlay, qtbot):
    overlay.show_view(recording())
    overlay.show_view(View(phase=Phase.IDLE))
    overlay.show_view(recording())
    qtbot.wait(300)
    qtbot.waitUntil(lambda: overlay.windowOpacity() == 1.0)
    assert overlay.isVisible()


def test_no_timer_runs_while_nothing_moves(overlay):
    overlay.show_view(recording())
    assert overlay._timer.isActive()
    overlay.show_view(View(phase=Phase.IDLE, notices=(Notice(1, NoticeKind.COPIED, "Copied."),)))
    assert not overlay._timer.isActive()
    overlay.show_view(View(phase=Phase.IDLE))
    assert not overlay._timer.isActive()


@pytest.mark.parametrize(("where", "is_high"), [("top", True), ("bottom", False)])
def test_it_stands_where_the_settings_say(overlay, where, is_high):
    overlay.show_view(recording(choices=Choices(overlay=where)))
    area = overlay.screen().availableGeometry()
    assert area.contains(overlay.geometry())
    assert (overlay.geometry().center().y() < area.center().y()) == is_high
    assert abs(overlay.geometry().center().x() - area.center().x()) <= 1


@pytest.mark.parametrize("text", [LONG, "漢字" * 300, "x" * 900, "متن " * 300])
def test_long_text_of_any_script_fits_on_two_lines(overlay, text):
    overlay.show_view(recording(committed="One."))
    one_line = overlay.height()
    overlay.show_view(recording(committed=text, tentative=" and the end"))
    assert overlay.height() < 2 * one_line
    picture(overlay)


def test_live_text_keeps_its_height_and_width_while_it_grows(overlay):
    sizes = set()
    for length in range(200, len(LONG), 7):
        overlay.show_view(recording(committed=LONG[:length]))
        sizes.add((overlay.width(), overlay.height()))
    assert len(sizes) == 1


def test_different_states_look_different(overlay):
    pictures = []
    for view in (
        recording(),
        recording(is_locked=True),
        View(phase=Phase.TRANSCRIBING),
        *(View(phase=Phase.IDLE, notices=(Notice(1, kind, "Same.", "Same."),)) for kind in NoticeKind),
    ):
        overlay.show_view(view)
        pictures.append(picture(overlay))
    told_apart = [a for i, a in enumerate(pictures) if all(a != b for b in pictures[:i])]
    # DEAD_MICROPHONE and MICROPHONE_LOST share the silent microphone; their words differ.
    assert len(told_apart) == len(pictures) - 1


def test_it_tells_its_text_to_screen_readers(overlay):
    overlay.show_view(View(phase=Phase.IDLE, notices=(Notice(1, NoticeKind.FAILED, "Broken.", "Mend it."),)))
    assert overlay.accessibleDescription() == "Broken. Mend it."


def test_without_a_compositor_only_the_card_is_shown(qtbot):
    window = OverlayWindow(lambda: -20.0, lambda: False)
    qtbot.addWidget(window)
    window.show_view(recording())
    shape = window.mask()
    assert not shape.contains(window.rect().topLeft())
    assert shape.contains(window.rect().center())
    window._is_composited = lambda: True
    window.show_view(recording(committed="Good evening."))
    assert window.mask().isEmpty()
