"""The clipboards of a compositor with data control: accessed without a window, so without the focus.

Readers are anonymous; clipboard managers fetch as soon as something is offered, so only a fetch after the
chord counts, and not that of the mark for private texts.

Source: ext-data-control-v1 (Plasma 6.2, sway 1.11, niri, COSMIC), wlr-data-control-unstable-v1 (the others).
"""

from __future__ import annotations

import logging
import os
import select
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from handy_qwen.errors import InsertError
from handy_qwen.message import Message
from handy_qwen.system.insert.backend import KEEP_BYTES, Deadline, clipboard_in_use, unsupported
from handy_qwen.system.insert.clipboard import ClipboardServer, Offer
from handy_qwen.system.wayland.wire import SEAT, Connection, Interface, Thing, WaylandError

logger = logging.getLogger(__name__)

CLIPBOARD, PRIMARY = "selection", "primary_selection"
SELECTIONS = (CLIPBOARD, PRIMARY)
TEXT_KINDS = ("text/plain;charset=utf-8", "text/plain", "UTF8_STRING", "TEXT", "STRING")
PRIVATE_KIND = "x-kde-passwordManagerHint"  # of password managers; honored by Klipper and others
PICTURE_KIND = "image/png"
_NOT_CONTENT = {"TARGETS", "TIMESTAMP", "MULTIPLE", "SAVE_TARGETS", "DELETE", ""}
_PIPE_BYTES = 1 << 16
STALE_S = 10.0  # a reader that has taken nothing in this time is gone

Content = Mapping[str, bytes]
"""Values by kind (MIME type)."""


@dataclass(frozen=True)
class _Names:
    """One of the two protocols, which differ only in names."""

    manager: Interface
    device: Interface
    source: Interface
    most: int


def _names(prefix: str, most: int) -> _Names:
    offer = Interface(f"{prefix}_offer_v1", ("receive sh", "destroy"), ("offer s",))
    source = Interface(f"{prefix}_source_v1", ("offer s", "destroy"), ("send sh", "cancelled"))
    device = Interface(
        f"{prefix}_device_v1",
        ("set_selection o", "destroy", "set_primary_selection o"),
        ("data_offer n", "selection o", "finished", "primary_selection o"),
        {"data_offer": offer},
    )
    manager = Interface(f"{prefix}_manager_v1", ("create_data_source n", "get_data_device no", "destroy"))
    return _Names(manager, device, source, most)


PROTOCOLS = (_names("ext_data_control", 1), _names("zwlr_data_control", 2))
MANAGERS = tuple(names.manager for names in PROTOCOLS)


class _Source:
    """What we own of one selection."""

    def __init__(self, thing: Thing, content: Content) -> None:
        self.thing, self.content = thing, content
        self.offer: Offer | None = None


@dataclass
class _Sending:
    """A value being sent into another program's pipe."""

    rest: memoryview
    end_s: float


class DataControl(ClipboardServer):
    """The selections of the compositor at ``path``.

    Attributes:
        left: What CLIPBOARD held of ours when it was closed, which nobody serves any more; None: nothing.
    """

    LOST = (WaylandError,)

    def __init__(self, path: str) -> None:
        self._path = path
        self.left: Content | None = None
        super().__init__()

    def _open(self) -> None:
        try:
            connection = Connection(self._path)
        except WaylandError as exc:
            raise unsupported(Message("A Wayland compositor that answers")) from exc
        names = next((one for one in PROTOCOLS if one.manager.name in connection.offered), None)
        if names is None:
            connection.close()
            raise unsupported(Message("A clipboard without a window"))
        self._names, self._connection = names, connection
        self._there: dict[str, Thing | None] = dict.fromkeys(SELECTIONS)  # offered by others
        self._kinds: dict[int, list[str]] = {}  # of each of these
        self._ours: dict[str, _Source] = {}
        self._saved: dict[str, Content | None] = {}  # what comes back; None: it was empty
        self._sendings: dict[int, _Sending] = {}  # by descriptor
        try:
            self._manager = connection.bind(names.manager, names.most)
            self._has_primary = names.most == 1 or connection.offered[names.manager.name][1] >= 2
            self._device = self._manager.ask("get_data_device", connection.bind(SEAT, 1), made=names.device)
            self._device.on["data_offer"] = self._on_data_offer
            self._device.on["selection"] = lambda offer: self._on_selection(CLIPBOARD, offer)
            self._device.on["primary_selection"] = lambda offer: self._on_selection(PRIMARY, offer)
            connection.roundtrip()
        except WaylandError as exc:
            connection.close()
            raise unsupported(Message("The clipboard of this compositor")) from exc

    # --- any thread --------------------------------------------------------------------------------

    def save(self, deadline: Deadline) -> dict[str, Content | None]:
        """The content of each selection; None: empty.

        Raises:
            InsertError: CLIPBOARD_IN_USE: it is not available in time, or too large.
        """
        try:
            return self._do(lambda: {one: self._read(one, deadline) for one in self._selections()}, deadline)
        except InsertError as problem:
            if deadline.left_s() <= 0:  # whoever noticed first
                raise clipboard_in_use() from problem
            raise

    def offer(self, text: str, there: Mapping[str, Content | None]) -> Offer:
        """Own the selections in ``there`` with ``text``; their current content will be restored."""
        offer = Offer()
        self._do(lambda: self._begin(offer, text_content(text), there))
        return offer

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except WaylandError as exc:
            raise unsupported(Message("The clipboard of this compositor")) from exc

    # --- the thread "clipboard" --------------------------------------------------------------------

    def _step(self) -> None:
        self.thread.end()
        wait_s = 1.0 if self._sendings else None
        sources = [self._connection.fileno(), self._inbox.fileno()]
        readable, writable, _ = select.select(sources, list(self._sendings), [], wait_s)
        self.thread.begin()
        if self._connection.fileno() in readable:
            self._connection.take_in()
        self._send_on(writable)
        if self._inbox.fileno() in readable:
            self._take_calls()

    def _selections(self) -> Sequence[str]:
        return SELECTIONS if self._has_primary else SELECTIONS[:1]

    def _begin(self, offer: Offer, content: Content, there: Mapping[str, Content | None]) -> None:
        self._connection.roundtrip()  # all changes up to now are known afterwards
        for selection, before in there.items():
            # If an earlier paste was not undone yet, its saved content counts.
            if selection not in self._ours or selection not in self._saved:
                self._saved[selection] = before
        self._offer = offer
        for selection in there:
            self._own(selection, content).offer = offer
        self._connection.roundtrip()

    def _keep(self, text: str) -> None:
        self._saved.pop(CLIPBOARD, None)
        self._own(CLIPBOARD, text_content(text))
        self._connection.roundtrip()

    def _restore(self) -> None:
        for selection, content in list(self._saved.items()):
            if selection in self._ours:
                if content is None:
                    self._set(selection, None)
                    self._ours.pop(selection)
                else:
                    self._own(selection, content)
        self._forget()
        self._connection.roundtrip()  # anyone told of the restoration must find it

    def _forget(self) -> None:
        self._offer = None
        self._saved.clear()

    def _hand_over(self) -> None:
        """Leave it to the caller: no clipboard manager takes it over by itself."""
        if (own := self._ours.get(CLIPBOARD)) is not None:
            self.left = own.content
        self._connection.roundtrip()

    def _disconnect(self) -> None:
        for descriptor in list(self._sendings):
            self._end_sending(descriptor)
        self._connection.close()

    def _own(self, selection: str, content: Content) -> _Source:
        source = _Source(self._manager.ask("create_data_source", made=self._names.source), content)
        source.thing.on["send"] = lambda kind, file: self._on_send(source, kind, file)
        source.thing.on["cancelled"] = lambda: self._on_cancelled(selection, source)
        for kind in content:
            source.thing.ask("offer", kind)
        self._ours[selection] = source
        self._set(selection, source.thing)
        return source

    def _set(self, selection: str, thing: Thing | None) -> None:
        self._device.ask(f"set_{selection}", thing)

    def _on_data_offer(self, offer: Thing) -> None:
        kinds = self._kinds[offer.number] = []
        offer.on["offer"] = kinds.append

    def _on_selection(self, selection: str, offer: Thing | None) -> None:
        before = self._there[selection]
        self._there[selection] = offer
        if before is not None and before not in self._there.values():
            self._kinds.pop(before.number, None)
            before.destroy()

    def _on_send(self, source: _Source, kind: str, file: int) -> None:
        data = source.content.get(kind, b"")
        os.set_blocking(file, False)  # type: ignore[attr-defined,unused-ignore]  # not on Windows
        self._sendings[file] = _Sending(memoryview(data), time.monotonic() + STALE_S)
        offer = source.offer
        if offer is not None and offer.is_armed and kind != PRIVATE_KIND:
            offer.is_fetched = True
            self._send_on([file])
            offer.settled.set()

    def _on_cancelled(self, selection: str, source: _Source) -> None:
        """Another program has the selection now; or we have replaced it. KWin says so twice."""
        source.thing.destroy()
        if self._ours.get(selection) is source:
            del self._ours[selection]
            self._saved.pop(selection, None)
            if selection == CLIPBOARD:
                self._lose_offer()

    def _send_on(self, ready: Sequence[int]) -> None:
        for descriptor in ready:
            sending = self._sendings.get(descriptor)
            if sending is None:
                continue
            try:
                sending.rest = sending.rest[os.write(descriptor, sending.rest) :]
                sending.end_s = time.monotonic() + STALE_S
            except BlockingIOError:
                continue
            except OSError:  # the reader has stopped
                sending.rest = sending.rest[:0]
            if not sending.rest:
                self._end_sending(descriptor)
        for descriptor, sending in list(self._sendings.items()):
            if time.monotonic() > sending.end_s:
                self._end_sending(descriptor)

    def _end_sending(self, descriptor: int) -> None:
        del self._sendings[descriptor]
        os.close(descriptor)

    def _read(self, selection: str, deadline: Deadline) -> Content | None:
        self._connection.roundtrip()
        if (own := self._ours.get(selection)) is not None:
            # A text of a paste is not content: what it replaced is.
            return self._saved.get(selection) if own.offer is not None else own.content
        offer = self._there[selection]
        if offer is None:
            return None
        content: dict[str, bytes] = {}
        size = 0
        for kind in worth_keeping(self._kinds.get(offer.number, [])):
            content[kind] = self._receive(offer, kind, KEEP_BYTES - size, deadline)
            size += len(content[kind])
        return content

    def _receive(self, offer: Thing, kind: str, limit: int, deadline: Deadline) -> bytes:
        reader, writer = os.pipe()
        data = bytearray()
        try:
            try:
                offer.ask("receive", kind, writer)
            finally:
                os.close(writer)
            while (left_s := deadline.left_s()) > 0 and len(data) <= limit:
                if not select.select([reader], [], [], min(left_s, 0.05))[0]:
                    continue
                piece = os.read(reader, _PIPE_BYTES)
                if not piece:
                    return bytes(data)
                data += piece
            raise clipboard_in_use()
        finally:
            os.close(reader)


def text_content(text: str) -> Content:
    """``text`` in every kind that programs request for text, marked as private."""
    return {**dict.fromkeys(TEXT_KINDS, text.encode()), PRIVATE_KIND: b"secret"}


def worth_keeping(kinds: Sequence[str]) -> list[str]:
    """The kinds to save: of a picture, which programs offer in up to twenty, the lossless one."""
    kept = [kind for kind in dict.fromkeys(kinds) if kind not in _NOT_CONTENT]
    if PICTURE_KIND in kept:
        kept = [kind for kind in kept if kind == PICTURE_KIND or not kind.startswith("image/")]
    return kept
