"""A compositor of a few lines with a screen for pictures, a mouse, and fingers that touch it."""

import mmap
import os
import struct
from dataclasses import dataclass, field, replace

from handy_qwen.system.wayland import layer, wire
from tests.unit.system.wayland.compositor import KINDS, MADE, Compositor

OFFERS = {
    "wl_seat": 7,
    layer.COMPOSITOR.name: 6,
    layer.SHARED.name: 1,
    layer.LAYER_SHELL.name: 4,
    layer.VIEWPORTER.name: 1,
    layer.SCALES.name: 1,
    layer.CURSORS.name: 1,
}
LEFT_BUTTON = 0x110
MOUSE, TOUCH_SCREEN = 1, 4
TOP, BOTTOM = 1, 2


@dataclass(frozen=True)
class Shown:
    """What a surface has told: units but for the picture, whose size is in pixels, as it is in memory."""

    size: tuple[int, ...] = (0, 0)
    anchor: int = 0
    margin: tuple[int, ...] = ()
    destination: tuple[int, ...] = ()
    clicks: list[tuple[int, ...]] = field(default_factory=list)
    pixels: tuple[int, ...] = (0, 0)
    picture: bytes = b""


class Screen(Compositor):
    """``commits`` are the surface's states, in order; ``namespaces`` the surfaces that were made.

    ``keeps_pictures``: it goes on reading them until ``release``. ``cursors`` are the shapes that were set.
    """

    kinds = KINDS | {
        one.name: one
        for one in (
            layer.COMPOSITOR, layer.SHARED, layer.LAYER_SHELL, layer.VIEWPORTER, layer.SCALES, layer.CURSORS
        )
    }  # fmt: skip
    made = MADE | {
        ("wl_compositor", "create_surface"): layer.SURFACE,
        ("wl_compositor", "create_region"): layer.REGION,
        ("wl_shm", "create_pool"): layer.POOL,
        ("wl_shm_pool", "create_buffer"): layer.BUFFER,
        ("wl_seat", "get_pointer"): layer.POINTER,
        ("wl_seat", "get_touch"): layer.TOUCH,
        (layer.LAYER_SHELL.name, "get_layer_surface"): layer.LAYER_SURFACE,
        (layer.VIEWPORTER.name, "get_viewport"): layer.VIEWPORT,
        (layer.SCALES.name, "get_fractional_scale"): layer.SCALE,
        (layer.CURSORS.name, "get_pointer"): layer.CURSOR,
    }

    def __init__(self, folder, offers=None, *, keeps_pictures=False, has=MOUSE | TOUCH_SCREEN):
        self.keeps_pictures, self.has = keeps_pictures, has
        self.commits, self.namespaces, self.cursors, self.acknowledged = [], [], [], []
        self.scale = 0  # 120ths, told to the next surface; 0: nothing is told
        self._pending, self._regions, self._pools, self._buffers = Shown(), {}, {}, {}
        self._attached = self._pointer = self._touch = self._scale = None
        self._read = []
        super().__init__(folder, offers=offers or OFFERS)

    @property
    def shown(self):
        """The newest state of the surface that has a picture; None: there is none."""
        return next((one for one in reversed(self.commits) if one.picture), None)

    def release(self):
        """Read no picture any more but the one that is shown."""
        with self._lock:
            for buffer in self._read[:-1]:
                self._tell(buffer, 0, b"")
            del self._read[:-1]

    def scale_to(self, scale):
        """Tell the surface another scale, in 120ths."""
        self._tell(self._scale, 0, struct.pack("=I", scale))

    def click(self, button=LEFT_BUTTON):
        """Come to the surface, press and release."""
        self._tell(self._pointer, 0, struct.pack("=IIii", 7, self._surface, 256, 256))
        for state in (1, 0):
            self._tell(self._pointer, 3, struct.pack("=IIII", 8, 0, button, state))

    def touch(self):
        """Touch the surface with a finger and lift it."""
        self._tell(self._touch, 0, struct.pack("=IIIiii", 7, 0, self._surface, 0, 256, 256))
        self._tell(self._touch, 1, struct.pack("=IIi", 8, 0, 0))

    def take_away(self):
        """Close the surface, as when its screen goes."""
        self._tell(self._layer, 1, b"")

    # --- requests ---

    def _bind(self, number, place, name, version, made):
        if name == "wl_seat":
            self._tell(made, 0, struct.pack("=I", self.has))
        else:
            super()._bind(number, place, name, version, made)

    def _create_surface(self, _number, made):
        self._surface, self._is_configured = made, False

    def _create_region(self, _number, made):
        self._regions[made] = []

    def _add(self, region, *area):
        self._regions[region].append(area)

    def _set_input_region(self, _number, region):
        self._pending = replace(self._pending, clicks=list(self._regions[region]))

    def _get_layer_surface(self, _number, made, _surface, output, layer, namespace):
        assert (output, layer) == (0, 3)
        self._layer = made
        self.namespaces.append(namespace)

    def _set_size(self, _number, *size):
        self._pending = replace(self._pending, size=size)

    def _set_anchor(self, _number, anchor):
        self._pending = replace(self._pending, anchor=anchor)

    def _set_margin(self, _number, *margin):
        self._pending = replace(self._pending, margin=margin)

    def _set_destination(self, _number, *size):
        self._pending = replace(self._pending, destination=size)

    def _get_viewport(self, *_):
        pass

    def _get_fractional_scale(self, _number, made, _surface):
        self._scale = made
        if self.scale:
            self.scale_to(self.scale)

    def _ack_configure(self, _number, serial):
        self.acknowledged.append(serial)

    def _get_pointer(self, number, made, *_):
        if self._objects[number] is wire.SEAT:
            assert self.has & MOUSE
            self._pointer = made

    def _get_touch(self, _number, made):
        assert self.has & TOUCH_SCREEN
        self._touch = made

    def _set_shape(self, _number, serial, shape):
        self.cursors.append((serial, shape))

    def _create_pool(self, _number, made, file, size):
        with os.fdopen(file, "rb") as stream:
            self._pools[made] = mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ)

    def _create_buffer(self, pool, made, *form):
        _offset, width, height, _stride, _format = form
        assert form == (0, width, height, 4 * width, 0)
        self._buffers[made] = self._pools[pool], (width, height)

    def _attach(self, _number, buffer, *_):
        self._attached = buffer

    def _damage(self, *_):
        pass

    def _commit(self, _number):
        state, buffer, self._attached = self._pending, self._attached, None
        if buffer:
            assert self._is_configured
            memory, size = self._buffers[buffer]
            state = replace(state, pixels=size, picture=bytes(memory))
            self._read.append(buffer)
            if not self.keeps_pictures:
                self.release()
        if not self._is_configured or state.size != self.commits[-1].size:
            self._is_configured = True
            self._tell(self._layer, 0, struct.pack("=III", len(self.commits) + 1, *state.size))
        self.commits.append(state)
