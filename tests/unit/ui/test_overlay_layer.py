"""The overlay on a compositor's layer: the same card, and nothing of it while it is hidden."""

import socket
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QEvent, QRect
from PySide6.QtGui import QGuiApplication, QImage

from handy_qwen.core.types import Overlay
from handy_qwen.core.view import Choices, Notice, NoticeKind, Phase, Remedy, View
from handy_qwen.system.wayland.layer import open_layer
from handy_qwen.ui.overlay import GAP_PX, LayerOverlay, OverlayWindow, has_overlay
from handy_qwen.ui.overlay_card import MARGIN_PX
from handy_qwen.ui.style import DARK
from tests.unit.system.wayland.screen import Screen

# Qt's platform without a screen says that it cannot do these; nothing of the program's.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")

IDLE = View(phase=Phase.IDLE)
RECORDING = View(phase=Phase.RECORDING, began_s=1.0, device="Desk")
FAILED = replace(IDLE, notices=(Notice(1, NoticeKind.FAILED, "Title.", "Hint.", remedy=Remedy.MODELS),))


class Surface:
    """A surface that paints at once. ``shown`` is what it was told last, ``heard`` how often it was read.

    ``opacities`` are those of its middle, picture by picture.
    """

    def __init__(self, paint, click, lose):
        self.paint, self.click, self.lose = paint, click, lose
        self.scale, self.heard, self.is_open, self.shown = 1.0, 0, True, None
        self.opacities = []
        self._reader, self.compositor = socket.socketpair()

    def fileno(self):
        return self._reader.fileno()

    def take_in(self):
        self._reader.recv(1)
        self.heard += 1

    def show(self, width, height, *, is_at_top, gap, clicks):
        assert self.is_open
        self.shown = (width, height, is_at_top, gap, clicks)
        pixels = round(width * self.scale), round(height * self.scale)
        data = self.paint(*pixels, self.scale)
        self.picture = QImage(data, *pixels, QImage.Format.Format_ARGB32_Premultiplied).copy()
        self.opacities.append(self.picture.pixelColor(self.picture.rect().center()).alpha())

    def close(self):
        self.is_open = False
        self._reader.close()
        self.compositor.close()


@pytest.fixture
def surfaces():
    return []


@pytest.fixture
def overlay(qtbot, surfaces):
    def opened(*how):
        surfaces.append(Surface(*how))
        return surfaces[-1]

    window = LayerOverlay(lambda: -20.0, opened)
    qtbot.addWidget(window)
    return window


def until_it_is_opaque(qtbot, surface):
    qtbot.waitUntil(lambda: surface.picture.pixelColor(surface.picture.rect().center()).alpha() > 240)


def test_the_picture_is_that_of_the_window(overlay, surfaces, qtbot):
    overlay.show_view(FAILED)
    (surface,) = surfaces
    window = OverlayWindow(lambda: -20.0)
    qtbot.addWidget(window)
    window.show_view(FAILED)
    expected = QImage(window.size(), QImage.Format.Format_ARGB32_Premultiplied)
    expected.fill(0)
    window.render(expected)
    qtbot.waitUntil(lambda: surface.picture == expected)


def test_it_fades_in_and_out_as_a_whole_and_is_gone(overlay, surfaces, qtbot):
    overlay.show_view(RECORDING)
    (surface,) = surfaces
    assert all(surface.picture.pixelColor(x, 40).alpha() == 0 for x in range(surface.picture.width()))
    until_it_is_opaque(qtbot, surface)
    overlay.show_view(IDLE)
    qtbot.waitUntil(lambda: not surface.is_open)
    assert not overlay.isVisible()
    assert not overlay._timer.isActive()
    overlay.show_view(RECORDING)
    assert len(surfaces) == 2
    assert surfaces[-1].is_open


def test_it_fades_without_a_flash(overlay, surfaces, qtbot):
    overlay.show_view(FAILED)
    (surface,) = surfaces
    until_it_is_opaque(qtbot, surface)
    qtbot.waitUntil(lambda: overlay._fade.state() == overlay._fade.State.Stopped)
    rising = list(surface.opacities)
    assert rising == sorted(rising)
    overlay.show_view(IDLE)
    qtbot.waitUntil(lambda: not surface.is_open)
    falling = surface.opacities[len(rising) :]
    assert falling == sorted(falling, reverse=True)


def test_it_is_where_the_settings_say(overlay, surfaces):
    for place, is_at_top in ((Overlay.TOP, True), (Overlay.BOTTOM, False)):
        overlay.show_view(replace(RECORDING, choices=Choices(overlay=place)))
        assert surfaces[-1].shown == (overlay.width(), overlay.height(), is_at_top, GAP_PX, None)


def test_the_card_takes_clicks_only_while_it_offers_something(overlay, surfaces):
    clicked = []
    overlay.clicked.connect(clicked.append)
    overlay.show_view(FAILED)
    (surface,) = surfaces
    width, height = overlay.width() - 2 * MARGIN_PX, overlay.height() - 2 * MARGIN_PX
    assert surface.shown[-1] == (MARGIN_PX, MARGIN_PX, width, height)
    surface.click()
    assert clicked == [Remedy.MODELS]
    overlay.show_view(RECORDING)
    assert surface.shown[-1] is None
    surface.click()
    assert clicked == [Remedy.MODELS]


def test_it_is_crisp_on_a_screen_of_any_scale(overlay, surfaces, qtbot):
    overlay.show_view(FAILED)
    (surface,) = surfaces
    until_it_is_opaque(qtbot, surface)
    surface.scale = 1.5
    overlay._repaint()
    assert surface.picture.width() == round(overlay.width() * 1.5)
    blurred = surface.picture.scaled(overlay.size()).scaled(surface.picture.size())
    assert surface.picture != blurred
    right = surface.picture.width() - round(1.5 * (MARGIN_PX + 20))
    assert surface.picture.pixelColor(right, surface.picture.height() // 2).alpha() > 240, "all is filled"


def test_it_follows_the_desktop_when_that_becomes_dark(overlay, surfaces, qtbot, qapp, monkeypatch):
    overlay.show_view(FAILED)
    (surface,) = surfaces
    until_it_is_opaque(qtbot, surface)
    before = surface.picture
    monkeypatch.setattr("handy_qwen.ui.overlay.desktop_scheme", lambda: DARK)
    qapp.sendEvent(overlay, QEvent(QEvent.Type.PaletteChange))
    assert surface.picture != before


def test_it_hears_the_compositor_while_it_is_shown(overlay, surfaces, qtbot):
    overlay.show_view(RECORDING)
    (surface,) = surfaces
    surface.compositor.send(b"!")
    qtbot.waitUntil(lambda: surface.heard == 1)


def test_a_surface_that_is_lost_comes_back_with_another_screen_or_the_next_time(
    overlay, surfaces, qtbot, qapp
):
    overlay.show_view(RECORDING)
    surfaces[0].lose()
    assert not surfaces[0].is_open
    overlay.show_view(replace(RECORDING, committed="Hello"))
    assert len(surfaces) == 1, "it is not tried again and again"
    qapp.screenAdded.emit(qapp.primaryScreen())
    assert surfaces[1].shown
    surfaces[1].lose()
    overlay.show_view(IDLE)
    qtbot.waitUntil(lambda: not overlay.isVisible())
    qapp.screenAdded.emit(qapp.primaryScreen())
    overlay.show_view(RECORDING)
    assert len(surfaces) == 3


@pytest.mark.parametrize("change", ["screenAdded", "screenRemoved"])
def test_it_moves_to_another_surface_when_the_screens_change(overlay, surfaces, qapp, change):
    getattr(qapp, change).emit(qapp.primaryScreen())
    assert not surfaces, "nothing is shown"
    overlay.show_view(RECORDING)
    getattr(qapp, change).emit(qapp.primaryScreen())
    assert [surface.is_open for surface in surfaces] == [False, True]
    assert surfaces[1].shown == surfaces[0].shown


def test_while_there_is_no_screen_it_keeps_its_size(overlay, surfaces, monkeypatch):
    overlay.show_view(FAILED)
    size = surfaces[0].shown[:2]
    placeholder = SimpleNamespace(geometry=QRect)
    monkeypatch.setattr(QGuiApplication, "screens", lambda: [placeholder])
    overlay.show_view(RECORDING)
    overlay.show_view(FAILED)
    assert surfaces[0].shown[:2] == size


def test_without_a_surface_nothing_is_shown_and_nothing_fails(qtbot):
    window = LayerOverlay(lambda: -20.0, lambda *_: None)
    qtbot.addWidget(window)
    window.show_view(RECORDING)
    window.show_view(IDLE)
    qtbot.waitUntil(lambda: not window.isVisible())


def test_it_tells_its_text_to_screen_readers_and_is_no_window_of_qts(overlay):
    overlay.show_view(FAILED)
    assert overlay.isVisible()
    assert overlay.accessibleDescription() == "Title. Hint. Open Models"
    assert not overlay.windowHandle().isVisible()


@pytest.mark.parametrize(("overlay_at", "is_there"), [(Overlay.TOP, True), ("bottom", True), ("off", False)])
def test_whether_there_is_an_overlay(overlay_at, is_there):
    assert has_overlay(View(choices=Choices(overlay=overlay_at))) is is_there


@pytest.mark.linux("Wayland is on Linux only")
@pytest.mark.expects_log
def test_with_a_compositor_it_is_seen_and_clicked_and_goes_with_it(qtbot, tmp_path):
    screen, clicked = Screen(tmp_path), []
    screen.scale = 180
    overlay = LayerOverlay(lambda: -20.0, partial(open_layer, screen.path))
    qtbot.addWidget(overlay)
    overlay.clicked.connect(clicked.append)
    overlay.show_view(FAILED)

    def is_opaque():
        shown = screen.shown
        if shown is None:
            return False
        picture = QImage(shown.picture, *shown.pixels, QImage.Format.Format_ARGB32_Premultiplied)
        return picture.pixelColor(picture.rect().center()).alpha() > 240

    qtbot.waitUntil(is_opaque)
    assert screen.shown.size == (overlay.width(), overlay.height())
    assert screen.shown.pixels == (int(overlay.width() * 1.5 + 0.5), int(overlay.height() * 1.5 + 0.5))
    screen.click()
    qtbot.waitUntil(lambda: clicked == [Remedy.MODELS])
    screen.drop()
    qtbot.waitUntil(lambda: overlay._surface is None)
    overlay.show_view(IDLE)
    qtbot.waitUntil(lambda: not overlay.isVisible())
    overlay.show_view(FAILED)  # it is back
    count = len(screen.namespaces)
    qtbot.waitUntil(lambda: len(screen.namespaces) > count)
    screen.close()
