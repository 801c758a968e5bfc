"""Inserts texts one after the other, on its own thread, falling back from one method to the next.

Threads: ``insert`` does the work and posts Delivered or Failed; any thread may call the public methods, which
return at once, except ``copy`` and ``close``. Neither texts nor details of errors, which could contain them,
are logged: each step is named by its method and reason only.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from handy_qwen.core.events import Delivered, Failed, KeysPermitted
from handy_qwen.core.ports import Post
from handy_qwen.core.types import Delivery, KeyPermission, Method, Submit, Target, TextAround
from handy_qwen.errors import HandyError, InsertError, InsertReason
from handy_qwen.message import Message
from handy_qwen.runtime.worker import WatchedThread, Worker
from handy_qwen.system.insert.backend import (
    CHAINS,
    UNKNOWN,
    Backend,
    Inserted,
    Way,
    always,
    has_tool,
    no_focus,
    printable,
)
from handy_qwen.system.session import Kind, Session

logger = logging.getLogger(__name__)

MOST_READ = 100_000  # characters of the clipboard
DELIVERIES = {Method.TYPE: Delivery.TYPED, Method.PASTE: Delivery.PASTED}
COPIED_NOTE = Message("It couldn't be inserted. Paste it where you want it.")
_KEYS = "Cmd+V" if sys.platform == "darwin" else "Ctrl+V"
UNKNOWN_NOTE = Message("If it doesn't appear, press {keys}: it is on the clipboard.", keys=_KEYS)
IN_USE_NOTE = Message("It would replace what you copied. Copy it from the Handy Qwen menu.")
NO_KEY_NOTE = Message("The key couldn't be pressed.")
KEY_NOTE = Message("The text was inserted, but the key after it wasn't pressed.")


@dataclass(frozen=True, slots=True)
class _Job:
    take: int
    text: str = field(repr=False)
    target: Target | None
    method: Method
    submit: Submit
    erased: str = field(default="", repr=False)
    may_erase: Callable[[], bool] = always


class DesktopInserter:
    """Implements ``Inserter`` with a ``Backend``. Starts its thread.

    ``close`` sets ``stopping``, which ends the pauses of the back end. ``last_resort`` copies when that
    cannot.
    """

    def __init__(
        self,
        post: Post,
        backend: Backend,
        *,
        stopping: threading.Event,
        last_resort: Callable[[str], None] | None = None,
    ) -> None:
        self._post = post
        self._backend = backend
        self._stopping = stopping
        self._last_resort = last_resort or copy_with_pyperclip
        self._job: _Job | None = None  # the current one
        self._rest_s: float | None = None
        self._is_paste_expected = False
        self._told = KeyPermission.NOT_NEEDED
        self.thread = Worker(
            "insert", pause_s=lambda: self._rest_s, after=self._rest, on_revive=self._give_up
        )
        self._tell_permission()
        self.thread.start()

    @property
    def clipboard_thread(self) -> WatchedThread | None:
        """The thread of the clipboard, if it has one."""
        return self._backend.clipboard_thread

    def focused(self) -> Target:
        """The focused window."""
        return self._backend.focused()

    def text_around(self, target: Target, most: int) -> TextAround | None:
        """See ``Inserter``."""
        return self._backend.text_around(target.window, most)

    def prepare(self, method: Method) -> None:
        """See ``Inserter``."""
        self._is_paste_expected = method is Method.PASTE
        if self._is_paste_expected:
            self.thread.do(self._prepare)

    def hasten(self) -> None:
        """See ``Inserter``."""
        if self._is_paste_expected:
            self.thread.do(self._hasten)

    def allow_keys(self) -> None:
        """See ``Inserter``."""
        self.thread.do(self._ask_permission)

    def insert(
        self,
        take: int,
        text: str,
        *,
        target: Target | None,
        method: Method,
        submit: Submit,
        erased: str = "",
        may_erase: Callable[[], bool] = always,
    ) -> None:
        """See ``Inserter``."""
        job = _Job(take, printable(text), target, method, submit, printable(erased), may_erase)
        self.thread.do(partial(self._work_off, job))

    def read_clipboard(self, on_read: Callable[[str], None]) -> None:
        """See ``Inserter``."""
        self.thread.do(partial(self._read_clipboard, on_read))

    def copy(self, text: str) -> None:
        """Copy ``text`` to the clipboard. Raises InsertError: there is no clipboard."""
        self._copy(printable(text))

    def was_injecting(self, at_s: float) -> bool:
        """Whether an injected key of ``at_s`` (``time.monotonic()``) may be ours. Any thread, at once."""
        return self._backend.was_injecting(at_s)

    def close(self, timeout_s: float) -> None:
        """End the thread after the texts already queued, and close the back end. Waits."""
        if self.thread.is_ending():
            return
        self.thread.may_end()
        self.thread.do(self._close_backend)
        self.thread.stop(timeout_s)
        self._stopping.set()
        if self.thread.is_alive():
            logger.warning("the insertion did not end in time")

    def _give_up(self) -> None:
        """The thread died: it is unknown how much of its text arrived."""
        job, self._job = self._job, None
        if job is not None:
            self._post(Delivered(job.take, Delivery.HELD, may_have_arrived=True))

    # --- the thread "insert" -------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._try("preparing", lambda: self._backend.prepare(lambda: not self.thread.is_idle()))

    def _hasten(self) -> None:
        self._try("getting ready", self._backend.hasten)

    def _close_backend(self) -> None:
        self._try("closing", self._backend.close)

    def _rest(self) -> None:
        self._rest_s = None
        if not self.thread.is_ending():
            self._tell_permission()
            self._try("tidying up", self._let_rest)

    def _ask_permission(self) -> None:
        self._try("asking for the keyboard", self._backend.ask_permission)

    def _tell_permission(self) -> None:
        permission = self._backend.key_permission()
        if permission is not self._told:
            self._told = permission
            self._post(KeysPermitted(permission))

    def _let_rest(self) -> None:
        self._rest_s = self._backend.rest(self.thread.is_idle())

    def _work_off(self, job: _Job) -> None:
        """Post the outcome of ``job``. Failed means that nothing of it has arrived."""
        self._job = job
        try:
            outcome: Delivered | Failed = self._deliver(job)
        except HandyError as problem:
            outcome = Failed(job.take, problem)
        except Exception:
            logger.exception("an insertion failed")
            outcome = Failed(job.take, _failed())
        self._job = None
        self._post(outcome)

    def _read_clipboard(self, on_read: Callable[[str], None]) -> None:
        found: list[str] = []
        self._try("reading the clipboard", lambda: found.append(self._backend.clipboard_text()))
        on_read(printable(found[0])[:MOST_READ] if found else "")

    def _deliver(self, job: _Job) -> Delivered:
        if not (job.erased or (job.submit is not Submit.OFF and not job.text)):
            return self._deliver_text(job)
        window = self._backend.focused().window
        if job.target is not None and self._has_lost_focus(job.target.window):
            return Delivered(job.take, Delivery.HELD)
        erase = partial(self._backend.erase, job.erased, job.may_erase)
        has_erased = bool(job.erased) and self._try("erasing", erase)
        if job.erased and not has_erased:  # Enter could send what was to be deleted
            job = replace(job, submit=Submit.OFF)
        if job.text:
            return replace(self._deliver_text(job), has_erased=has_erased)
        is_pressed = job.submit is Submit.OFF or self._try(
            "submitting", partial(self._press, job.submit, window)
        )
        return Delivered(
            job.take, Delivery.TYPED, Message() if is_pressed else NO_KEY_NOTE, has_erased=has_erased
        )

    def _deliver_text(self, job: _Job) -> Delivered:
        if job.method is Method.NONE or not job.text:
            return Delivered(job.take, Delivery.KEPT)
        if job.method is Method.COPY:
            self._copy(job.text)
            return Delivered(job.take, Delivery.COPIED)
        window = self._backend.focused().window
        may_copy = True
        for method in CHAINS[job.method]:
            if job.target is not None and self._has_lost_focus(job.target.window):
                return Delivered(job.take, Delivery.HELD)
            if method is Method.COPY:
                break
            try:
                arrived = self._insert_by(method, job.text)
            except InsertError as problem:
                logger.info("inserting by %s fell through: %s", method, problem.reason.name)
                may_copy = may_copy and problem.reason is not InsertReason.CLIPBOARD_IN_USE
                continue
            except Exception:
                logger.exception("inserting by %s failed", method)
                arrived = UNKNOWN
            return self._delivered(job, DELIVERIES[method], arrived, window)
        if not may_copy:
            return Delivered(job.take, Delivery.HELD, IN_USE_NOTE)
        self._copy(job.text)
        return Delivered(job.take, Delivery.COPIED, COPIED_NOTE)

    def _insert_by(self, method: Method, text: str) -> Inserted:
        return self._backend.type_text(text) if method is Method.TYPE else self._backend.paste_text(text)

    def _delivered(self, job: _Job, how: Delivery, arrived: Inserted, window: int) -> Delivered:
        """The delivery of a text that has arrived wholly, partly, or possibly. Raises nothing."""
        if arrived.characters is None:
            logger.info("it is unknown whether the text arrived")
            if arrived.may_copy and self._has_copied(job.text):
                return Delivered(job.take, Delivery.COPIED, UNKNOWN_NOTE, may_have_arrived=True)
            return Delivered(job.take, Delivery.HELD, may_have_arrived=True)
        rest = job.text[arrived.characters :]
        if not rest.strip():
            return Delivered(job.take, how, self._submit(job.submit, window, has_focus=arrived.has_focus))
        logger.info("a text arrived in part; the window %s", "is there" if arrived.has_focus else "has gone")
        is_copied = arrived.has_focus and self._has_copied(rest)
        return Delivered(job.take, Delivery.COPIED if is_copied else Delivery.HELD, rest=rest)

    def _copy(self, text: str) -> None:
        try:
            self._backend.copy(text)
        except InsertError as problem:
            logger.info("copying fell through: %s", problem.reason.name)
            self._last_resort(text)

    def _has_copied(self, text: str) -> bool:
        return self._try("copying", partial(self._copy, text))

    def _submit(self, submit: Submit, window: int, *, has_focus: bool) -> Message:
        """Press the key after the text, if ``window`` still has the focus; return a note if not."""
        if submit is Submit.OFF:
            return Message()
        is_pressed = has_focus and self._try("submitting", partial(self._press, submit, window))
        return Message() if is_pressed else KEY_NOTE

    def _press(self, submit: Submit, window: int) -> None:
        if self._has_lost_focus(window):
            raise no_focus()
        self._backend.submit(submit)

    def _try(self, what: str, step: Callable[[], None]) -> bool:
        """Whether ``step`` worked. Failures are only logged."""
        try:
            step()
        except InsertError as problem:
            logger.info("%s fell through: %s", what, problem.reason.name)
        except Exception:
            logger.exception("%s failed", what)
        else:
            return True
        return False

    def _has_lost_focus(self, window: int) -> bool:
        """Whether another window has it; False if it is unknown which one had it."""
        return bool(window) and self._backend.focused().window != window


def _failed() -> InsertError:
    title = Message("The text couldn't be inserted.")
    hint = Message("Copy it from Recent texts in Handy Qwen's menu.")
    return InsertError(title, InsertReason.UNSUPPORTED_DESKTOP, hint)


def copy_with_pyperclip(text: str) -> None:
    """Copy ``text``, permanently and unmarked. Raises InsertError: there is no tool for it."""
    import pyperclip  # slow: searches for programs when imported

    try:
        pyperclip.copy(text)
    except (pyperclip.PyperclipException, OSError) as problem:
        # Not "from problem": a tool's message may quote its input.
        kind = type(problem).__name__
    else:
        return
    title = Message("The text couldn't be copied ({kind}).", kind=kind)
    hint = Message("On Linux, install xclip or wl-clipboard.")
    raise InsertError(title, InsertReason.UNSUPPORTED_DESKTOP, hint)


def last_resort_way(session: Session) -> Way:
    """The tool of ``copy_with_pyperclip``, as far as known without importing pyperclip."""
    if session.kind in (Kind.WINDOWS, Kind.MACOS):
        return Way(Method.COPY, "clipboard (the system's)")
    tools = ("wl-copy",) if session.kind is Kind.WAYLAND else ("xclip", "xsel")
    found = [tool for tool in tools if has_tool(tool)]
    name = f"clipboard ({found[0] if found else ' or '.join(tools)})"
    return Way(Method.COPY, name, bool(found) and session.kind is not Kind.NONE)
