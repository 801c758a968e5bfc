"""Clipboard data larger than one request, in both directions (INCR, ICCCM 2.7.2).

The sender announces INCR, and writes a piece whenever the receiver has deleted the one before; a
piece of no bytes ends it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from Xlib import X

from handy_qwen.system.insert.x11.connection import XObject

PIECE_BYTES = 1 << 16  # four pieces fit the smallest maximum request (262,140 bytes)
STALE_S = 10.0  # a receiver that has not asked for the next piece in this time is gone
_ITEMS = {16: "H", 32: "I"}


def put(window: XObject, prop: int, kind: int, bits: int, data: bytes) -> None:
    """Write ``data``, at most one piece long, to property ``prop`` of ``window``, with type ``kind``."""
    items = data if bits == 8 else list(struct.unpack(f"={len(data) * 8 // bits}{_ITEMS[bits]}", data))
    window.change_property(prop, kind, bits, items)


def take(window: XObject, prop: int, limit_bytes: int) -> tuple[int, int, bytes] | None:
    """Read property ``prop`` of our ``window`` and delete it: type, bits, data.

    Returns:
        None if there is none, or more than ``limit_bytes``.
    """
    pieces: list[bytes] = []
    at, size = 0, 0
    while True:
        # In pieces: python-xlib's time for one answer grows with the square of its length.
        answer = window.get_property(prop, X.AnyPropertyType, at, PIECE_BYTES // 4, delete=True)
        if answer is None:
            return None
        piece = bytes(answer.value) if answer.format == 8 else answer.value.tobytes()
        size += len(piece)
        if size + answer.bytes_after > limit_bytes:
            window.delete_property(prop)
            return None
        pieces.append(piece)
        at += PIECE_BYTES // 4
        if not answer.bytes_after:
            return int(answer.property_type), int(answer.format), b"".join(pieces)


@dataclass
class Outgoing:
    """One transfer in pieces to another program's window."""

    window: XObject
    prop: int
    kind: int
    bits: int
    data: bytes
    on_done: Callable[[], None]
    touched_s: float
    sent: int = 0

    def begin(self, incr: int) -> None:
        """Announce it. SelectionNotify has to follow."""
        self.window.change_attributes(event_mask=X.PropertyChangeMask)
        self.window.change_property(self.prop, incr, 32, [len(self.data)])

    def go_on(self, now_s: float) -> bool:
        """Write the next piece. Returns False when that was the last one, the empty one."""
        self.touched_s = now_s
        piece = self.data[self.sent : self.sent + PIECE_BYTES]
        self.sent += len(piece)
        put(self.window, self.prop, self.kind, self.bits, piece)
        return bool(piece)

    def end(self) -> None:
        """Stop listening to the window."""
        self.window.change_attributes(event_mask=X.NoEventMask)
