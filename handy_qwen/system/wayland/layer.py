"""A surface above all windows, even full-screen ones, which never gets the keyboard.

Compositors with the layer shell support it: KDE, wlroots, Hyprland, niri, COSMIC; not GNOME. They center it
at an edge of the current screen, beside panels.

It is painted into memory shared with the compositor, which reports when it has read a picture. There are two
pictures: one is shown while the other is painted.

Source: wayland.xml, wlr-layer-shell-unstable-v1, viewporter, fractional-scale-v1, cursor-shape-v1.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from handy_qwen.system.wayland.wire import SEAT, Connection, Interface, Thing, WaylandError

logger = logging.getLogger(__name__)

COMPOSITOR = Interface("wl_compositor", ("create_surface n", "create_region n"))
SURFACE = Interface(
    "wl_surface",
    (
        "destroy",
        "attach oii",
        "damage iiii",
        "frame n",
        "set_opaque_region o",
        "set_input_region o",
        "commit",
    ),
    ("enter o", "leave o"),
)
REGION = Interface("wl_region", ("destroy", "add iiii"))
SHARED = Interface("wl_shm", ("create_pool nhi",), ("format u",))
POOL = Interface("wl_shm_pool", ("create_buffer niiiiu", "destroy"))
BUFFER = Interface("wl_buffer", ("destroy",), ("release",))
POINTER = Interface(
    "wl_pointer", ("set_cursor uoii",), ("enter uoff", "leave uo", "motion uff", "button uuuu", "axis uuf")
)
TOUCH = Interface("wl_touch", (), ("down uuoiff", "up uui", "motion uiff", "frame", "cancel"))
LAYER_SHELL = Interface("zwlr_layer_shell_v1", ("get_layer_surface noous",))
LAYER_SURFACE = Interface(
    "zwlr_layer_surface_v1",
    (
        "set_size uu",
        "set_anchor u",
        "set_exclusive_zone i",
        "set_margin iiii",
        "set_keyboard_interactivity u",
        "get_popup o",
        "ack_configure u",
    ),
    ("configure uuu", "closed"),
)
VIEWPORTER = Interface("wp_viewporter", ("destroy", "get_viewport no"))
VIEWPORT = Interface("wp_viewport", ("destroy", "set_source ffff", "set_destination ii"))
SCALES = Interface("wp_fractional_scale_manager_v1", ("destroy", "get_fractional_scale no"))
SCALE = Interface("wp_fractional_scale_v1", ("destroy",), ("preferred_scale u",))
CURSORS = Interface("wp_cursor_shape_manager_v1", ("destroy", "get_pointer no"))
CURSOR = Interface("wp_cursor_shape_device_v1", ("destroy", "set_shape uu"))

PURPOSE = "on-screen-display"  # KWin treats any other name as a window: in its overview, with animations
_OVERLAY = 3  # the highest layer
_TOP, _BOTTOM = 1, 2
_ARGB = 0  # 8 bits each in a native word, premultiplied: QImage's ARGB32_Premultiplied
_PIXEL_BYTES = 4
_SCALE_UNITS = 120
_HAS_POINTER, _HAS_TOUCH = 1, 4
_LEFT_BUTTON, _RELEASED = 0x110, 0
_HAND = 4
_MOST_BUFFERS = 2

Area = tuple[int, int, int, int]
"""Left, top, width, height."""
Paint = Callable[[int, int, float], bytes]
"""Paints a picture of that width and height in pixels, at that many pixels per unit of the surface."""


@dataclass(frozen=True, slots=True)
class _Look:
    """The surface's placement, and its clickable area. In units that the compositor scales."""

    width: int
    height: int
    is_at_top: bool
    gap: int
    clicks: Area | None


class LayerSurface:
    """A surface at the compositor that listens at ``path``, until it is closed. For one thread.

    It never blocks its thread: ``take_in`` is called when there is something to read.

    Args:
        path: See ``socket_path``.
        paint: Called when a picture is needed and the compositor can take one.
        clicked: Called when the left button was released on it, or a finger was lifted.
        lost: Called when the compositor has closed the surface, refuses one, or is gone. It must then be
            closed; another one can be tried later.

    Raises:
        WaylandError: The compositor cannot be reached.
    """

    def __init__(
        self, path: str, paint: Paint, clicked: Callable[[], object], lost: Callable[[], object]
    ) -> None:
        self._paint, self._clicked, self._lost = paint, clicked, lost
        self._wanted: _Look | None = None
        self._told: _Look | None = None  # the state known to the compositor
        self._is_known = False  # whether the compositor's globals are known
        self._layer: Thing | None = None
        self._is_configured = False  # no picture may be shown before that
        self._is_stale = False  # a new picture is needed
        self._scale = _SCALE_UNITS
        self._buffers: list[_Buffer] = []
        self._connection = Connection(path, waits=False)
        try:
            self._connection.after(self._on_known)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Readable when ``take_in`` has something to do."""
        return self._connection.fileno()

    def take_in(self) -> None:
        """Process the compositor's events."""
        with self._minding_loss():
            self._connection.take_in()

    def show(self, width: int, height: int, *, is_at_top: bool, gap: int, clicks: Area | None) -> None:
        """Show it in that size, ``gap`` away from the edge, with a new picture. ``clicks`` is clickable.

        The picture is painted at once or, if the compositor still reads the others, as soon as possible.
        """
        self._wanted, self._is_stale = _Look(width, height, is_at_top, gap, clicks), True
        with self._minding_loss():
            self._go_on()

    def close(self) -> None:
        """Remove it from the screen. Safe to call twice."""
        self._connection.close()
        for buffer in self._buffers:
            buffer.memory.close()
        self._buffers.clear()

    @contextlib.contextmanager
    def _minding_loss(self) -> Iterator[None]:
        try:
            yield
        except (WaylandError, OSError) as problem:
            logger.warning("the overlay is lost: %s", problem)
            self._lost()

    def _go_on(self) -> None:
        """Do the next possible step: create the surface, or have it painted and show the picture."""
        if self._wanted is None or not self._is_known:
            return
        if self._layer is None:
            self._make(self._wanted)
        elif self._is_configured and self._is_stale:
            self._draw(self._wanted)

    # --- making it ------------------------------------------------------------------------------------

    def _on_known(self) -> None:
        self._is_known = True
        self._go_on()

    def _make(self, look: _Look) -> None:
        connection = self._connection
        self._compositor, self._shared = connection.bind(COMPOSITOR, 1), connection.bind(SHARED, 1)
        self._surface = self._compositor.ask("create_surface", made=SURFACE)
        shell = connection.bind(LAYER_SHELL, 1)
        self._layer = shell.ask(
            "get_layer_surface", self._surface, None, _OVERLAY, PURPOSE, made=LAYER_SURFACE
        )
        self._layer.on |= {"configure": self._on_configured, "closed": self._on_closed}
        self._viewport: Thing | None = None
        if VIEWPORTER.name in connection.offered and SCALES.name in connection.offered:
            viewporter, scales = connection.bind(VIEWPORTER, 1), connection.bind(SCALES, 1)
            self._viewport = viewporter.ask("get_viewport", self._surface, made=VIEWPORT)
            scale = scales.ask("get_fractional_scale", self._surface, made=SCALE)
            scale.on["preferred_scale"] = self._on_scaled
        self._pointer: Thing | None = None
        self._touch: Thing | None = None
        self._seat = connection.bind(SEAT, 1)
        self._seat.on["capabilities"] = self._on_capabilities
        self._tell(look, self._layer)
        self._surface.ask("commit")

    def _on_configured(self, serial: int, _width: int, _height: int) -> None:
        """The compositor has placed the surface. It has the requested size."""
        assert self._layer is not None
        self._layer.ask("ack_configure", serial)
        self._is_configured = True
        if self._is_stale:
            self._go_on()
        else:
            self._surface.ask("commit")

    def _on_closed(self) -> None:
        raise WaylandError("the compositor has closed the surface, maybe with its screen")

    def _on_scaled(self, scale: int) -> None:
        if scale != self._scale:
            self._scale, self._is_stale = scale, True
            self._go_on()

    # --- showing it -----------------------------------------------------------------------------------

    def _tell(self, look: _Look, layer: Thing) -> None:
        """Set the surface's placement, effective with the next picture."""
        layer.ask("set_size", look.width, look.height)
        layer.ask("set_anchor", _TOP if look.is_at_top else _BOTTOM)
        layer.ask("set_margin", look.gap, 0, look.gap, 0)  # the margin at the other edge has no effect
        region = self._compositor.ask("create_region", made=REGION)
        if look.clicks is not None:
            region.ask("add", *look.clicks)
        self._surface.ask("set_input_region", region)
        region.destroy()
        if self._viewport is not None:
            self._viewport.ask("set_destination", look.width, look.height)
        self._told = look

    def _draw(self, look: _Look) -> None:
        assert self._layer is not None
        scale = self._scale / _SCALE_UNITS
        width, height = int(look.width * scale + 0.5), int(look.height * scale + 0.5)
        buffer = self._free_buffer(width, height)
        if buffer is None:
            return
        self._is_stale = False
        buffer.memory[:] = self._paint(width, height, scale)
        if look != self._told:
            self._tell(look, self._layer)
        self._surface.ask("attach", buffer.thing, 0, 0)
        self._surface.ask("damage", 0, 0, look.width, look.height)
        self._surface.ask("commit")
        buffer.is_free = False

    def _free_buffer(self, width: int, height: int) -> _Buffer | None:
        """A buffer of this size that the compositor does not read; None: it reads all of them."""
        free = [buffer for buffer in self._buffers if buffer.is_free]
        for buffer in free:
            if (buffer.width, buffer.height) == (width, height):
                return buffer
        if free:
            self._buffers.remove(free[0])
            free[0].destroy()
        elif len(self._buffers) == _MOST_BUFFERS:
            return None
        made = _Buffer(self._shared, width, height, self._go_on)
        self._buffers.append(made)
        return made

    # --- mouse and touch screen -----------------------------------------------------------------------

    def _on_capabilities(self, capabilities: int) -> None:
        """Mice and touch screens come and go; one object serves all of a kind."""
        if self._pointer is None and capabilities & _HAS_POINTER:
            self._pointer = self._seat.ask("get_pointer", made=POINTER)
            self._pointer.on["button"] = self._on_button
            if CURSORS.name in self._connection.offered:
                cursors = self._connection.bind(CURSORS, 1)
                cursor = cursors.ask("get_pointer", self._pointer, made=CURSOR)
                self._pointer.on["enter"] = lambda serial, *_: cursor.ask("set_shape", serial, _HAND)

        if self._touch is None and capabilities & _HAS_TOUCH:
            self._touch = self._seat.ask("get_touch", made=TOUCH)
            self._touch.on["up"] = lambda *_: self._clicked()

    def _on_button(self, _serial: int, _time: int, button: int, state: int) -> None:
        if (button, state) == (_LEFT_BUTTON, _RELEASED):
            self._clicked()


class _Buffer:
    """Memory for a picture. ``is_free``: the compositor does not read it."""

    def __init__(self, shared: Thing, width: int, height: int, on_free: Callable[[], object]) -> None:
        self.width, self.height, self._on_free = width, height, on_free
        self.is_free = True
        size = width * height * _PIXEL_BYTES
        file = os.memfd_create("overlay")  # type: ignore[attr-defined,unused-ignore]  # on Linux only
        try:
            os.ftruncate(file, size)
            self.memory = mmap.mmap(file, size)
            pool = shared.ask("create_pool", file, size, made=POOL)
        finally:
            os.close(file)
        self.thing = pool.ask("create_buffer", 0, width, height, width * _PIXEL_BYTES, _ARGB, made=BUFFER)
        self.thing.on["release"] = self._on_release
        pool.destroy()

    def destroy(self) -> None:
        """Free the memory."""
        self.thing.destroy()
        self.memory.close()

    def _on_release(self) -> None:
        self.is_free = True
        self._on_free()


def open_layer(
    path: str, paint: Paint, clicked: Callable[[], object], lost: Callable[[], object]
) -> LayerSurface | None:
    """A ``LayerSurface``; None: the compositor cannot be reached."""
    try:
        return LayerSurface(path, paint, clicked, lost)
    except WaylandError as problem:
        logger.warning("there is no overlay: %s", problem)
        return None
