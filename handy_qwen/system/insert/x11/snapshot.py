"""Takes what another program offers as a selection, in all its formats; and hands ours over at the end.

The owner may be slow, hang, or hold pictures of many megabytes in ten formats: there is a limit of
time and of size, and what is most worth keeping is asked for first.
"""

from __future__ import annotations

import struct
import time

from Xlib import X

from handy_qwen.system.insert.x11.content import PRIVATE_FORMAT, Content, Value, worth_keeping
from handy_qwen.system.insert.x11.serving import Server
from handy_qwen.system.insert.x11.transfer import take

SNAPSHOT_S = 0.7  # for all formats together: the text waits for it
SNAPSHOT_BYTES = 64 << 20
HAND_OVER_S = 1.0
RECEIVERS = 16  # properties used in turn, so that a late answer does not pass for the next one


class Unknown(Exception):  # noqa: N818 (not an error: the owner just did not answer)
    """The selection has an owner that does not answer."""


def snapshot(server: Server, selection: str) -> Content | None:
    """Everything that the owner of ``selection`` offers; None if nobody owns it or there is nothing.

    Raises:
        Unknown: The owner does not answer.
    """
    if not server.owner_of(selection):
        return None
    deadline_s = time.monotonic() + SNAPSHOT_S
    offered = _convert(server, selection, "TARGETS", deadline_s, SNAPSHOT_BYTES)
    if offered is None:
        raise Unknown
    atoms = struct.unpack(f"={len(offered.data) // 4}I", offered.data) if offered.bits == 32 else ()
    values: dict[str, Value] = {}
    left = SNAPSHOT_BYTES
    for name in worth_keeping([server.atoms.name(atom) for atom in atoms]):
        value = _convert(server, selection, name, deadline_s, left)
        if value is not None:
            values[name] = value
            left -= len(value.data)
    return Content(values) if values else None


def hand_over(server: Server) -> None:
    """Let a clipboard manager take CLIPBOARD over, because we are about to end."""
    content = server.owned("CLIPBOARD")
    if content is None or PRIVATE_FORMAT in content.values or not server.owner_of("CLIPBOARD_MANAGER"):
        return
    _convert(server, "CLIPBOARD_MANAGER", "SAVE_TARGETS", time.monotonic() + HAND_OVER_S, SNAPSHOT_BYTES)


def _convert(server: Server, selection: str, target: str, deadline_s: float, limit: int) -> Value | None:
    """Ask the owner of ``selection`` for ``target``; None if it refuses, is too slow, or sends too much."""
    stamp = server.stamp()
    wanted, chosen = server.atoms.atom(selection), server.atoms.atom(target)
    prop = server.atoms.atom(f"_HANDY_QWEN_{stamp % RECEIVERS}")
    server.window.convert_selection(wanted, chosen, prop, stamp)
    answer = server.await_event(
        lambda e: e.type == X.SelectionNotify and e.selection == wanted and e.target == chosen, deadline_s
    )
    if answer is None or answer.property == X.NONE:
        return None
    got = take(server.window, prop, limit)
    if got is not None and server.atoms.name(got[0]) == "INCR":
        got = _collect(server, prop, deadline_s, limit)
    if got is None:
        return None
    kind, bits, data = got
    return Value(server.atoms.name(kind), bits, data)


def _collect(server: Server, prop: int, deadline_s: float, limit: int) -> tuple[int, int, bytes] | None:
    pieces: list[bytes] = []
    size = 0
    while True:
        arrived = server.await_event(
            lambda e: e.type == X.PropertyNotify and e.atom == prop and e.state == X.PropertyNewValue,
            deadline_s,
        )
        got = take(server.window, prop, limit - size) if arrived is not None else None
        if got is None:
            return None
        kind, bits, piece = got
        if not piece:
            return kind, bits, b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
