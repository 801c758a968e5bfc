"""The clipboards of a compositor with data control: accessed without a window, so without the focus.

    offer: own, with the saved content -> (chord is pressed) -> a program fetches the text -> the saved
           content is restored, if the text is still ours to replace

"Restored" means that we continue to serve it. Readers are anonymous; clipboard managers fetch as soon as
something is offered, so only a fetch after the chord counts, and not that of the mark for private texts.

Threads: ``clipboard`` runs the loop and is the only one to use the connection; the public methods of
``DataControl`` pass it tasks and may be called from any thread. If the thread dies, waiting callers get an
error, and the watchdog restarts it with a new connection.

Source: ext-data-control-v1 (Plasma 6.2, sway 1.11, niri, COSMIC), wlr-data-control-unstable-v1 (the others).
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from handy_qwen.errors import InsertError
from handy_qwen.message import Message
from handy_qwen.runtime.worker import Result, SelectableInbox, WatchedThread
from handy_qwen.system.insert.backend import KEEP_BYTES, Deadline, clipboard_in_use, unsupported
from handy_qwen.system.insert.pasting import ask, described
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


@dataclass
class Offer:
    """A text offered for one paste."""

    is_armed: bool = False  # earlier fetches do not count
    is_fetched: bool = False
    is_lost: bool = False  # another program has taken the clipboard, or we can no longer serve it
    settled: threading.Event = field(default_factory=threading.Event)  # either of them


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


class DataControl:
    """The selections of the compositor at ``path``.

    Attributes:
        thread: For the watchdog.
        left: Our content of CLIPBOARD when it was closed, which nobody serves any more; None: none.

    Raises:
        InsertError: It cannot be reached, or has no data control.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.left: Content | None = None
        self._inbox = SelectableInbox()
        self._connect()
        self.thread = WatchedThread("clipboard", self._run, on_revive=self._connect)
        self.thread.start()

    def _connect(self) -> None:
        """Start empty; what was owned on an earlier connection is lost. Not on the thread."""
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
        self._saved: dict[str, Content | None] = {}  # to be restored; None: it was empty
        self._offer: Offer | None = None
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
        if self._inbox.is_over:  # only now: calls queued on a dead thread would wait
            self._inbox.close()
            self._inbox = SelectableInbox()

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

    def withdraw(self, offer: Offer) -> None:
        """Restore the content where the selection is still ours."""
        self._do(lambda: self._restore() if self._offer is offer else None)

    def leave(self, offer: Offer) -> None:
        """Keep the text of ``offer``; if the user has copied since, also restore their PRIMARY."""

        def settle() -> None:
            if self._offer is offer:
                self._restore() if offer.is_lost else self._forget()

        self._do(settle)

    def copy(self, text: str) -> None:
        """Own CLIPBOARD with ``text`` permanently."""
        self._do(lambda: self._keep(text_content(text)))

    def close(self, timeout_s: float) -> None:
        """Restore what is due, and end the thread. Our content is lost with it."""
        if self.thread.is_ending():
            return
        self.thread.may_end()
        self._inbox.put(lambda: None)  # wakes the thread
        self.thread.join(timeout_s)
        if not self.thread.is_alive():
            self._inbox.close()

    def _do(self, call: Callable[[], Result], deadline: Deadline | None = None) -> Result:
        def guardedly() -> Result:
            try:
                return call()
            except WaylandError as exc:
                raise unsupported(Message("The clipboard of this compositor")) from exc

        return ask(self._inbox, guardedly, deadline)

    # --- the thread "clipboard" --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self.thread.is_ending():
                self._step()
            self._restore()
            if (own := self._ours.get(CLIPBOARD)) is not None:
                self.left = own.content
            self._connection.roundtrip()
        except WaylandError as exc:
            logger.info("the clipboard is lost: %s", exc)
        except Exception as problem:
            logger.error("the clipboard's thread ended: %s", described(problem))  # noqa: TRY400 (see there)
        finally:
            self._lose_offer()
            for descriptor in list(self._sendings):
                self._end_sending(descriptor)
            self._connection.close()
            self._inbox.reject(unsupported(Message("The clipboard")))

    def _step(self) -> None:
        """Wait for an event and handle it."""
        self.thread.end()
        wait_s = 1.0 if self._sendings else None
        sources = [self._connection.fileno(), self._inbox.fileno()]
        readable, writable, _ = select.select(sources, list(self._sendings), [], wait_s)
        self.thread.begin()
        if self._connection.fileno() in readable:
            self._connection.take_in()
        self._send_on(writable)
        if self._inbox.fileno() in readable:
            try:
                self._inbox.run()
            except Exception as problem:  # the caller gets it, too
                logger.error("the clipboard failed: %s", described(problem))  # noqa: TRY400 (see there)

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

    def _keep(self, content: Content) -> None:
        self._saved.pop(CLIPBOARD, None)
        self._own(CLIPBOARD, content)
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

    def _lose_offer(self) -> None:
        if self._offer is not None:
            self._offer.is_lost = True
            self._offer.settled.set()

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


def has_data_control(path: str) -> bool:
    """Whether the compositor at ``path`` offers its clipboards to programs without a window."""
    try:
        connection = Connection(path)
    except WaylandError:
        return False
    try:
        return any(names.manager.name in connection.offered for names in PROTOCOLS)
    finally:
        connection.close()
