"""A surface above all windows: what the compositor is told, and what becomes of a compositor that fails."""

import logging
import select
import sys

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("Wayland is on Linux only", allow_module_level=True)

from handy_qwen.system.wayland import layer
from handy_qwen.system.wayland.layer import LAYER_SHELL, open_layer
from handy_qwen.system.wayland.wire import offers
from tests.unit.system.wayland.compositor import Compositor
from tests.unit.system.wayland.screen import BOTTOM, OFFERS, TOP, Screen
from tests.waiting import wait_until

RIGHT_BUTTON = 0x111


class Client:
    """What has a surface. ``painted`` are the pictures it was asked for."""

    def __init__(self, path):
        self.painted, self.clicks, self.losses = [], 0, 0
        self.surface = open_layer(path, self._paint, self._on_click, self._on_loss)

    def show(self, width=100, height=40, *, is_at_top=False, clicks=None):
        self.surface.show(width, height, is_at_top=is_at_top, gap=30, clicks=clicks)

    def until(self, condition):
        """Take in what comes, until ``condition``."""

        def holds():
            if not self.losses and select.select([self.surface], [], [], 0.01)[0]:
                self.surface.take_in()
            return condition()

        wait_until(holds, "the surface")

    def _paint(self, width, height, scale):
        self.painted.append((width, height, scale))
        return bytes([len(self.painted)]) * (width * height * 4)

    def _on_click(self):
        self.clicks += 1

    def _on_loss(self):
        self.losses += 1
        self.surface.close()


@pytest.fixture
def screen(tmp_path):
    made = Screen(tmp_path)
    yield made
    made.close()


@pytest.fixture
def client(screen):
    made = Client(screen.path)
    yield made
    made.surface.close()


def test_a_picture_is_shown_where_it_is_wanted_and_lets_clicks_through(screen, client):
    client.show()
    client.until(lambda: screen.shown)
    assert screen.commits[0].picture == b"", "the compositor says first where it will be"
    shown = screen.shown
    assert (shown.size, shown.anchor, shown.margin) == ((100, 40), BOTTOM, (30, 0, 30, 0))
    assert (shown.pixels, shown.picture) == ((100, 40), b"\1" * 16_000)
    assert shown.clicks == []
    assert screen.namespaces == [layer.PURPOSE]


def test_it_moves_and_grows_with_its_next_picture(screen, client):
    client.show()
    client.until(lambda: screen.shown)
    client.show(200, 60, is_at_top=True, clicks=(10, 10, 180, 40))
    client.until(lambda: screen.shown.size == (200, 60) and len(screen.acknowledged) == 2)
    assert screen.shown.anchor == TOP
    assert screen.shown.clicks == [(10, 10, 180, 40)]
    assert screen.shown.pixels == (200, 60)
    assert len(client.painted) == 2, "no picture is painted for the compositor's answer alone"


@pytest.mark.parametrize(("scale", "pixels"), [(150, (125, 50)), (240, (200, 80)), (90, (75, 30))])
def test_it_has_as_many_pixels_as_the_screen(screen, client, scale, pixels):
    screen.scale = scale
    client.show()
    client.until(lambda: screen.shown)
    assert screen.shown.pixels == pixels
    assert screen.shown.destination == (100, 40)
    assert client.painted == [(*pixels, scale / 120)]
    screen.scale_to(120)  # it comes to another screen
    client.until(lambda: screen.shown.pixels == (100, 40))


def test_without_scales_a_pixel_is_a_unit(tmp_path):
    screen = Screen(tmp_path, {name: OFFERS[name] for name in OFFERS if name != layer.SCALES.name})
    client = Client(screen.path)
    client.show()
    client.until(lambda: screen.shown)
    assert (screen.shown.pixels, screen.shown.destination) == ((100, 40), ())
    client.surface.close()
    screen.close()


def test_no_picture_is_painted_over_while_the_compositor_reads_it(screen, client):
    screen.keeps_pictures = True
    client.show()
    client.until(lambda: screen.shown)
    for _ in range(5):
        client.show()
    client.until(lambda: len(client.painted) == 2)
    assert [one.picture[:1] for one in screen.commits if one.picture] == [b"\1", b"\2"]
    screen.release()
    client.until(lambda: len(client.painted) == 3)
    client.until(lambda: screen.shown.picture[:1] == b"\3")


def test_the_left_button_is_a_click(screen, client):
    client.show(clicks=(0, 0, 100, 40))
    client.until(lambda: screen.shown and screen._pointer)
    screen.click(RIGHT_BUTTON)
    screen.click()
    client.until(lambda: client.clicks)
    assert client.clicks == 1
    wait_until(lambda: screen.cursors == [(7, 4)] * 2, "the hand")


def test_a_finger_that_is_lifted_is_a_click(screen, client):
    client.show(clicks=(0, 0, 100, 40))
    client.until(lambda: screen.shown and screen._touch)
    screen.touch()
    client.until(lambda: client.clicks == 1)


def test_a_seat_without_a_mouse_is_asked_for_none(tmp_path):
    screen = Screen(tmp_path, has=0)
    client = Client(screen.path)
    client.show()
    client.until(lambda: screen.shown)
    assert screen._pointer is screen._touch is None
    client.surface.close()
    screen.close()


@pytest.mark.expects_log
@pytest.mark.parametrize("loss", ["drop", "take_away"])
def test_what_is_lost_is_said_once_and_nothing_goes_on(screen, client, caplog, loss):
    client.show()
    client.until(lambda: screen.shown)
    with caplog.at_level(logging.INFO):
        getattr(screen, loss)()
        client.until(lambda: client.losses)
    assert client.losses == 1
    assert [record.message.partition(":")[0] for record in caplog.records] == ["the overlay is lost"]


def test_a_compositor_that_hangs_keeps_nobody_waiting(screen, client):
    client.show()
    client.until(lambda: screen.shown)
    screen.keeps_pictures = screen.is_deaf = True
    for width in range(1000):
        client.show(100 + width)
    assert len(client.painted) == 2, "as many as there are buffers"
    assert not client.losses


@pytest.mark.expects_log
def test_where_there_is_no_such_layer_there_is_no_surface(tmp_path, caplog):
    compositor = Compositor(tmp_path)
    assert not offers(compositor.path, LAYER_SHELL)
    client = Client(compositor.path)
    client.show()
    client.until(lambda: client.losses)
    assert "offers no" in caplog.text
    compositor.close()
    assert open_layer(str(tmp_path / "none"), lambda *_: b"", lambda: None, lambda: None) is None


def test_the_layer_is_seen(screen):
    assert offers(screen.path, LAYER_SHELL)
