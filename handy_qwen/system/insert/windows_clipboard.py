"""The Windows clipboard with delayed rendering, which reveals who fetches.

    save the content -> own: promise text -> WM_RENDERFORMAT: who has the clipboard open?
                        the target's process -> fetched; any other -> rendered for it, then promised again

A promise can be kept only once: after a clipboard manager has fetched it, the target's own fetch would go
unnoticed, so the text is promised again, a few times at most. It comes with formats that keep it out of the
history and the cloud; well-behaved managers then do not fetch at all.

The content may itself be promised, and its owner slow or hung: it is saved in advance, and stays valid until
the clipboard's number changes. A format that its owner does not deliver is not available to anybody, so
nothing is lost with it.

Source: "Clipboard Operations" and "Clipboard Formats", learn.microsoft.com (Win32, dataxchg).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message
from handy_qwen.runtime.worker import Inbox, WatchedThread
from handy_qwen.system.insert.backend import KEEP_BYTES, Deadline, clipboard_in_use, unsupported
from handy_qwen.system.insert.clipboard import ANSWER_S, CLOSE_S, Clipboards, ask, described
from handy_qwen.system.insert.win32 import WM_APP, WM_RENDERALLFORMATS, WM_RENDERFORMAT, NotMemory, Win32

logger = logging.getLogger(__name__)

CF_UNICODETEXT = 13
# Windows converts between the formats of a line, and lists them all: the first one is the original.
SAME = (
    (8, 17, 2),  # CF_DIB, CF_DIBV5, CF_BITMAP
    (CF_UNICODETEXT, 1, 7),  # CF_TEXT, CF_OEMTEXT
    (14, 3),  # CF_ENHMETAFILE, CF_METAFILEPICT
)
NOT_BYTES = frozenset((2, 3))  # formats that cannot be saved as bytes: another one of the line can
LEFT_OUT = frozenset((9, 0x80, 0x81, 0x82, 0x83, 0x8E))  # palettes, and owner-drawn formats
PRIVATE_RANGE = range(0x200, 0x400)  # private formats and GDI objects: meaningless without their owner
# Files that are not on a disk (in a mail, in an archive): only their owner delivers them, in pieces.
LENT = ("FileGroupDescriptorW", "FileContents")
CONCEAL = {
    "ExcludeClipboardContentFromMonitorProcessing": b"\0\0\0\0",
    "CanIncludeInClipboardHistory": b"\0\0\0\0",
    "CanUploadToCloudClipboard": b"\0\0\0\0",
    "Clipboard Viewer Ignore": b"\0\0\0\0",
}
OPEN_TRIES, OPEN_PAUSE_S = 25, 0.02
RENEWALS = 3


@dataclass
class Promise:
    """A text promised for one paste."""

    text: str = field(repr=False)
    process: int
    renewals: int = RENEWALS
    fetched: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Saved:
    """The content of the clipboard when its number was ``sequence``, by format."""

    sequence: int
    formats: dict[int, bytes] = field(repr=False)


class WindowsClipboard(Clipboards[int]):
    """The clipboard, through a message-only window of our own. Raises InsertError: it cannot be created.

    Threads: ``clipboard``, which it starts, owns the window and makes all clipboard calls, received
    through an inbox. If it dies, waiting callers get an error, and the watchdog restarts it.
    """

    thread: WatchedThread

    def __init__(self, api: Win32) -> None:
        self._api = api
        self._window = 0
        self._ready = threading.Event()
        self._promise: Promise | None = None  # what is there
        self._last: Promise | None = None  # what was offered last
        self._taken: Saved | None = None  # what is there now, saved in advance
        self._saved: Saved | None = None  # what comes back after the paste
        self._inbox = self._new_inbox()
        self.thread = WatchedThread("clipboard", self._run, on_revive=self._revive)
        self.thread.start()
        if not self._ready.wait(ANSWER_S) or not self._window:
            raise unsupported(Message("The clipboard"))

    # --- any thread ----------------------------------------------------------------------------------

    def save(self, deadline: Deadline, _focus: int | None, *, is_lent: bool) -> None:  # noqa: ARG002 (it knows itself)
        """See ``Clipboards``."""
        try:
            ask(self._inbox, lambda: self._take(deadline), deadline)
        except InsertError as problem:
            raise clipboard_in_use() from problem

    def offer(self, text: str, focus: int) -> None:
        """See ``Clipboards``."""
        promise = Promise(text, self._api.process(focus))
        ask(self._inbox, lambda: self._make(promise))
        self._last = promise

    def is_fetched(self, wait_s: float) -> bool:
        """See ``Clipboards``."""
        return self._last is not None and self._last.fetched.wait(wait_s)

    def is_ours(self) -> bool:
        """See ``Clipboards``."""
        return self._api.owner() == self._window

    def restore(self) -> None:
        """See ``Clipboards``."""
        if (promise := self._last) is not None:
            ask(self._inbox, lambda: self._give_back(promise))

    def keep(self, text: str) -> None:
        """See ``Clipboards``."""
        ask(self._inbox, lambda: self._leave(text))

    def close(self) -> None:
        """End the thread. What we promised is rendered before."""
        self.thread.may_end()
        self._api.wake(self._window)
        self.thread.join(CLOSE_S)

    def _new_inbox(self) -> Inbox:
        return Inbox(lambda: self._api.wake(self._window))

    def _revive(self) -> None:
        """The thread died, and its window with it. Called on the watchdog's thread."""
        self._promise, self._taken, self._saved = None, None, None
        self._inbox = self._new_inbox()

    # --- the thread "clipboard" ----------------------------------------------------------------------

    def _take(self, deadline: Deadline) -> None:
        """Take what is there, so that it can come back. Raises InsertError: not to be had, or not in time."""
        if self._is_lent() or (self._taken and self._taken.sequence == self._api.sequence()):
            return  # the previous text is there, or nothing has changed since
        self._taken = None
        owner = self._api.owner()
        if owner and owner != self._window and self._api.is_hung(owner):
            raise clipboard_in_use()  # querying it would hang us as well, with the clipboard open
        with self._opened():
            formats: dict[int, bytes] = {}
            left = KEEP_BYTES
            there = self._api.formats()
            if any(self._api.register(name) in there for name in LENT):
                raise clipboard_in_use()
            for format_id in worth_keeping(there):
                data = self._get(format_id)
                left -= len(data or b"")
                if left < 0 or deadline.left_s() <= 0:
                    raise clipboard_in_use()
                if data is not None:
                    formats[format_id] = data
            self._taken = Saved(self._api.sequence(), formats)  # it changes when promises are kept

    def _make(self, promise: Promise) -> None:
        """Replace all, saved before, by ``promise``. Raises InsertError: in use, or changed since."""
        with self._opened():
            if not self._is_lent():
                if self._taken is None or self._taken.sequence != self._api.sequence():
                    raise clipboard_in_use()  # copied just now
                self._saved, self._taken = self._taken, None
            try:
                self._put(None)
            except InsertError:
                self._put_back()
                raise
            self._promise = promise

    def _give_back(self, promise: Promise) -> None:
        """Put back what was there, if ``promise`` still is. Raises InsertError: in use; try again."""
        if promise is not self._promise:
            return  # a later paste has taken over the saved content
        if self.is_ours():
            with self._opened():
                self._put_back()
        self._promise, self._saved = None, None

    def _leave(self, text: str) -> None:
        """Put ``text`` on the clipboard for good. Raises InsertError: another program keeps it open."""
        with self._opened():
            self._promise, self._saved = None, None
            self._put(encoded(text))

    def _run(self) -> None:
        try:
            self._api.run_window(self._on_ready, self._on_message)
        except Exception as problem:
            logger.error("the clipboard's thread ended: %s", described(problem))  # noqa: TRY400 (see there)
        finally:
            self._inbox.reject(unsupported(Message("The clipboard")))
            self._ready.set()

    def _on_ready(self, window: int) -> None:
        self._window = window
        self._ready.set()
        self._api.wake(window)  # for calls queued while there was none

    def _on_message(self, message: int, format_id: int) -> None:
        self.thread.begin()
        try:
            if message == WM_RENDERFORMAT and format_id == CF_UNICODETEXT:
                self._render()
            elif message == WM_RENDERALLFORMATS:
                self._render_all()
            elif message == WM_APP:
                self._inbox.run()
                if self.thread.is_ending():
                    self._api.quit()
        except Exception as problem:  # called by Windows: an exception could not propagate
            logger.error("the clipboard did not answer: %s", described(problem))  # noqa: TRY400 (see there)
        finally:
            self.thread.end()

    @contextmanager
    def _opened(self) -> Iterator[None]:
        """The clipboard is open inside."""
        for _ in range(OPEN_TRIES):
            if self._api.open_clipboard(self._window):
                break
            time.sleep(OPEN_PAUSE_S)  # other programs hold it for moments only
        else:
            title = Message("Another program keeps the clipboard open.")
            hint = Message("Try again.")
            raise InsertError(title, InsertReason.UNSUPPORTED_DESKTOP, hint)
        try:
            yield
        finally:
            self._api.close_clipboard()

    def _is_lent(self) -> bool:
        """Whether our text is there and will be replaced by the saved content."""
        return self._promise is not None and self.is_ours()

    def _get(self, format_id: int) -> bytes | None:
        try:
            return self._api.get(format_id)
        except NotMemory:
            raise clipboard_in_use() from None

    def _put(self, data: bytes | None) -> None:
        """Put the text, or its promise, and the privacy marks on the open clipboard."""
        self._api.empty_clipboard()
        for name, value in CONCEAL.items():
            self._api.set(self._api.register(name), value)
        if not self._api.set(CF_UNICODETEXT, data):
            raise InsertError(Message("Windows refused the text."), InsertReason.UNSUPPORTED_DESKTOP)

    def _put_back(self) -> None:
        self._api.empty_clipboard()
        for format_id, data in (self._saved.formats if self._saved else {}).items():
            if not self._api.set(format_id, data):
                logger.warning("a format of the clipboard did not come back")

    def _render(self) -> None:
        """Another program has the clipboard open and asks; it must not be opened here."""
        promise = self._promise
        if promise is None:
            return
        reader = self._api.reader()
        self._api.set(CF_UNICODETEXT, encoded(promise.text))
        # Some programs open it without a window: then the reader is unknown, and may well be the target.
        if not reader or self._api.process(reader) == promise.process:
            promise.fetched.set()
        elif promise.renewals > 0:
            promise.renewals -= 1
            self._inbox.put(lambda: self._renew(promise))

    def _render_all(self) -> None:
        """Our window is being destroyed: later pastes must still get the text."""
        promise = self._promise
        if promise is not None and self._api.open_clipboard(self._window):
            if self.is_ours():
                self._api.set(CF_UNICODETEXT, encoded(promise.text))
            self._api.close_clipboard()

    def _renew(self, promise: Promise) -> None:
        if promise is self._promise and not promise.fetched.is_set() and self.is_ours():
            with self._opened():
                self._put(None)


def worth_keeping(formats: list[int]) -> list[int]:
    """The formats from which Windows derives the others, in the order of their owner."""
    kept: list[int] = []
    for format_id in formats:
        if format_id in LEFT_OUT or format_id in PRIVATE_RANGE or format_id in NOT_BYTES:
            continue
        line = next((line for line in SAME if format_id in line), ())
        if not set(line) & set(kept):
            kept.append(format_id)
    return kept


def encoded(text: str) -> bytes:
    """In the form of CF_UNICODETEXT: UTF-16, CR LF line ends, zero-terminated."""
    return text.replace("\n", "\r\n").encode("utf-16-le") + b"\0\0"
