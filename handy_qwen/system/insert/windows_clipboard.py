"""The Windows clipboard with delayed rendering, so that we see who fetches.

    own: save what is there -> promise text -> WM_RENDERFORMAT: who has the clipboard open?
         the target's process -> fetched; somebody else -> rendered for him, then promised anew

A promise can be kept once only: after a clipboard manager has had it, the target's own fetch would
go unseen, so the text is promised again, a few times at most. Formats that keep the text out of the
history and off the cloud come with it; well-behaved managers then do not fetch at all.

Threads: ``clipboard`` owns the window and makes all clipboard calls.
Not run on Windows.
Source: "Clipboard Operations" and "Clipboard Formats", learn.microsoft.com (Win32, dataxchg).
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.backend import unsupported
from handy_qwen.system.insert.win32 import WM_APP, WM_RENDERALLFORMATS, WM_RENDERFORMAT, Api

logger = logging.getLogger(__name__)

CF_UNICODETEXT = 13
NOT_MEMORY = frozenset((2, 3, 9, 14, 0x80, 0x82, 0x83, 0x8E))  # bitmaps, metafiles, palettes, owner-drawn
PRIVATE_RANGE = range(0x200, 0x400)  # private formats and GDI objects: mean nothing without their owner
CONCEAL = {
    "ExcludeClipboardContentFromMonitorProcessing": b"\0\0\0\0",
    "CanIncludeInClipboardHistory": b"\0\0\0\0",
    "CanUploadToCloudClipboard": b"\0\0\0\0",
    "Clipboard Viewer Ignore": b"\0\0\0\0",
}
OPEN_TRIES, OPEN_PAUSE_S = 25, 0.02
RENEWALS = 3
SAVE_BYTES = 64 << 20
ANSWER_S = 5.0


@dataclass
class Promise:
    """A text promised for one paste."""

    text: str = field(repr=False)
    process: int
    renewals: int = RENEWALS
    fetched: threading.Event = field(default_factory=threading.Event)


@dataclass
class _Task:
    run: Callable[[], None]
    done: threading.Event = field(default_factory=threading.Event)
    problem: InsertError | None = None


class WindowsClipboard:
    """The clipboard, through a message-only window of our own."""

    def __init__(self, api: Api) -> None:
        """Start the thread.

        Raises:
            InsertError: The window cannot be made.
        """
        self._api = api
        self._window = 0
        self._ready = threading.Event()
        self._pausing = threading.Event()
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._promise: Promise | None = None
        self._saved: dict[int, bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="clipboard", daemon=True)
        self._thread.start()
        if not self._ready.wait(ANSWER_S) or not self._window:
            raise unsupported("The clipboard")

    # --- any thread --------------------------------------------------------------------------------

    def promise(self, text: str, process: int) -> Promise:
        """Save what is there and promise ``text`` to ``process``.

        Raises:
            InsertError: Another program keeps the clipboard open.
        """
        promise = Promise(text, process)
        self._do(lambda: self._begin(promise))
        return promise

    def restore(self, promise: Promise) -> None:
        """Put back what was there, if the clipboard still is ours."""
        self._do(lambda: self._restore(promise))

    def keep(self, text: str) -> None:
        """Put ``text`` on the clipboard for good.

        Raises:
            InsertError: Another program keeps the clipboard open.
        """
        self._do(lambda: self._keep(text))

    def close(self, timeout_s: float) -> None:
        """End the thread. What we promised is rendered before."""
        self._tasks.put(None)
        self._api.wake(self._window)
        self._thread.join(timeout_s)

    def _do(self, run: Callable[[], None]) -> None:
        task = _Task(run)
        self._tasks.put(task)
        self._api.wake(self._window)
        if not task.done.wait(ANSWER_S):
            raise unsupported("An answering clipboard")
        if task.problem is not None:
            raise task.problem

    # --- the thread "clipboard" --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._api.run_window(self._on_ready, self._on_message)
        except Exception:
            logger.exception("the clipboard's thread ended")
        finally:
            self._ready.set()

    def _on_ready(self, window: int) -> None:
        self._window = window
        self._ready.set()

    def _on_message(self, message: int, format_id: int) -> None:
        if message == WM_RENDERFORMAT and format_id == CF_UNICODETEXT:
            self._render()
        elif message == WM_RENDERALLFORMATS:
            self._render_all()
        elif message == WM_APP:
            self._work_off()

    def _work_off(self) -> None:
        while not self._tasks.empty():
            task = self._tasks.get()
            if task is None:
                self._api.quit()
                return
            try:
                task.run()
            except InsertError as problem:
                task.problem = problem
            finally:
                task.done.set()

    def _open(self) -> None:
        for _ in range(OPEN_TRIES):
            if self._api.open_clipboard(self._window):
                return
            self._pausing.wait(OPEN_PAUSE_S)  # never set: other programs hold it for moments only
        raise InsertError(
            "Another program keeps the clipboard open.", InsertReason.UNSUPPORTED_DESKTOP, "Try again."
        )

    def _begin(self, promise: Promise) -> None:
        self._open()
        try:
            if self._promise is None or self._api.owner() != self._window:
                self._saved = self._save()  # else a paste is still waiting for its end: keep what it saved
            self._put(None)
            self._promise = promise
        finally:
            self._api.close_clipboard()

    def _save(self) -> dict[int, bytes]:
        saved: dict[int, bytes] = {}
        left = SAVE_BYTES
        for format_id in self._api.formats():
            if format_id in NOT_MEMORY or format_id in PRIVATE_RANGE:
                continue
            data = self._api.get(format_id)
            if data is not None and len(data) <= left:
                saved[format_id] = data
                left -= len(data)
        return saved

    def _put(self, data: bytes | None) -> None:
        """Fill the open clipboard with the text's bytes, or the promise of them, and the marks of privacy."""
        self._api.empty_clipboard()
        for name, value in CONCEAL.items():
            self._api.set(self._api.register(name), value)
        self._api.set(CF_UNICODETEXT, data)

    def _render(self) -> None:
        """Another program has the clipboard open and asks; it must not be opened here."""
        promise = self._promise
        if promise is None:
            return
        reader = self._api.reader()
        self._api.set(CF_UNICODETEXT, encoded(promise.text))
        # Some programs open it for no window: then nobody is known, and the target is as likely as any.
        if not reader or self._api.process(reader) == promise.process:
            promise.fetched.set()
        elif promise.renewals > 0:
            promise.renewals -= 1
            self._tasks.put(_Task(lambda: self._renew(promise)))
            self._api.wake(self._window)

    def _render_all(self) -> None:
        """Our window goes: whoever pastes later must still get the text."""
        promise = self._promise
        if promise is not None and self._api.open_clipboard(self._window):
            if self._api.owner() == self._window:
                self._api.set(CF_UNICODETEXT, encoded(promise.text))
            self._api.close_clipboard()

    def _renew(self, promise: Promise) -> None:
        if promise is self._promise and not promise.fetched.is_set() and self._api.owner() == self._window:
            self._open()
            self._put(None)
            self._api.close_clipboard()

    def _restore(self, promise: Promise) -> None:
        if promise is not self._promise:
            return  # a later paste has taken over, and what was saved with it
        self._promise = None
        if self._api.owner() != self._window:
            return
        self._open()
        try:
            self._api.empty_clipboard()
            for format_id, data in (self._saved or {}).items():
                self._api.set(format_id, data)
        finally:
            self._saved = None
            self._api.close_clipboard()

    def _keep(self, text: str) -> None:
        self._open()
        try:
            self._promise, self._saved = None, None
            self._put(encoded(text))
        finally:
            self._api.close_clipboard()


def encoded(text: str) -> bytes:
    """As CF_UNICODETEXT wants it: UTF-16, lines ended by CR LF, a zero at the end."""
    return text.replace("\n", "\r\n").encode("utf-16-le") + b"\0\0"
