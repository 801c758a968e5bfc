"""What a windowing system must offer to the insertion, and how each way falls through to the next.

    TYPE  --cannot type it------> PASTE --no chord--> COPY --no clipboard--> failed
    PASTE --cannot be sent------> TYPE  --> COPY

A way that has begun is the last one: what has arrived, wholly or in part, is never inserted again.

    all of it      delivered
    a part         the rest waits if the window lost the focus, else it is copied
    nobody knows   all of it is copied as well: the window may be slow. Without the clipboard it waits,
                   and only the user inserts it again

A paste borrows the clipboard. What was there is taken before, best while the user still speaks, and
comes back afterwards; if that is not possible, nothing is pasted, and nothing copied unasked.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from handy_qwen.core.types import Method, Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.runtime.worker import WatchedThread

logger = logging.getLogger(__name__)

CHAINS = {
    Method.TYPE: (Method.TYPE, Method.PASTE, Method.COPY),
    Method.PASTE: (Method.PASTE, Method.TYPE, Method.COPY),
    Method.COPY: (Method.COPY,),
    Method.NONE: (),
}
PREPARE_S = 20.0  # how long a program may take to hand over what it has copied, while nobody waits
WAIT_S = 2.0  # and how long once a text waits to be pasted
KEEP_BYTES = 256 << 20  # what is larger cannot be kept


@dataclass(frozen=True, slots=True)
class Inserted:
    """How much of a text is in the window.

    Attributes:
        characters: How many of its characters; None: unknown, perhaps all, perhaps none.
        has_focus: Whether the window still had the focus after them.
        may_copy: Whether the clipboard may be taken: not if the user has copied something meanwhile.
    """

    characters: int | None
    has_focus: bool = True
    may_copy: bool = True


UNKNOWN = Inserted(None)


class Unsure(Exception):  # noqa: N818 (not an error: it may have worked)
    """Keys were sent, and nobody knows whether they were pressed."""


class Backend(Protocol):
    """One windowing system.

    Threads: all methods are called on the worker's thread, but ``focused``, ``copy`` and
    ``was_injecting``, which any thread may call, and ``close``, which comes last.
    """

    @property
    def clipboard_thread(self) -> WatchedThread | None:
        """The thread of its clipboard, for the watchdog, if it has one."""

    def focused(self) -> Target:
        """The window with the focus; ``Target()`` when that cannot be told."""

    def prepare(self, is_awaited: Callable[[], bool]) -> None:
        """Take what is on the clipboard: a paste may follow. Slow; hurries once ``is_awaited``."""

    def type_text(self, text: str) -> Inserted:
        """Press the keys for ``text``, while the window has the focus and the keyboard obeys.

        Raises:
            InsertError: Nothing was typed.
        """

    def paste_text(self, text: str) -> Inserted:
        """Put ``text`` on the clipboard, press the paste chord, and return when the window has fetched it.

        What was on the clipboard comes back afterwards; if it is unknown whether the window has
        fetched, the text stays there.

        Raises:
            InsertError: Nothing was sent. CLIPBOARD_IN_USE: what is there could not be kept.
        """

    def copy(self, text: str) -> None:
        """Leave ``text`` on the clipboard.

        Raises:
            InsertError: There is no clipboard to be had.
        """

    def submit(self, submit: Submit) -> None:
        """Press the key after the text.

        Raises:
            InsertError: It cannot be pressed.
        """

    def rest(self, is_idle: bool) -> float | None:
        """Tidy up between texts. Returns in how many seconds to call again; None: after the next text.

        ``is_idle`` says that nothing waits to be inserted.
        """

    def was_injecting(self, at_s: float) -> bool:
        """Whether an injected key of ``at_s`` (``time.monotonic()``) may be ours. Any thread, at once."""

    def close(self) -> None:
        """Give everything back."""


class Deadline:
    """How long something may take: long while nobody waits for it, short from then on."""

    def __init__(self, is_awaited: Callable[[], bool] = lambda: True) -> None:
        self._is_awaited = is_awaited
        self._end_s = time.monotonic() + PREPARE_S
        self._is_short = False

    def left_s(self) -> float:
        """Seconds that are left; not above 0 at the end. Ask often: somebody may have begun to wait."""
        now = time.monotonic()
        if not self._is_short and self._is_awaited():
            self._is_short = True
            self._end_s = min(self._end_s, now + WAIT_S)
        return self._end_s - now


class DelayedRestore:
    """When the clipboard gets back what was there before a paste.

    Threads: any may call ``forget``, which waits for what is being put back, so that nothing that is copied
    then is replaced. The rest is for the worker's.

    Args:
        restore: Puts it back. May raise InsertError, and is then tried again a few times.
    """

    TRIES, AGAIN_S = 5, 0.5

    def __init__(self, restore: Callable[[], None]) -> None:
        self._restore = restore
        self._due_s: float | None = None
        self._tries = 0
        self._lock = threading.RLock()

    @property
    def is_due(self) -> bool:
        """Whether something is to be put back, now or later."""
        return self._due_s is not None

    def after(self, wait_s: float) -> None:
        """Put it back in so many seconds."""
        with self._lock:
            self._due_s, self._tries = time.monotonic() + wait_s, self.TRIES

    def forget(self) -> None:
        """Put nothing back: the clipboard has another use now."""
        with self._lock:
            self._due_s = None

    def rest(self, is_idle: bool) -> float | None:
        """See ``Backend.rest``. While a text waits that would borrow it again, nothing is put back."""
        with self._lock:
            if self._due_s is None:
                return None
            left = self._due_s - time.monotonic()
            if left > 0:
                return left if is_idle else 0.0
            return self.now()

    def now(self) -> float | None:
        """Put it back, if it is due at all. Returns in how many seconds to try again."""
        with self._lock:
            if self._due_s is None:
                return None
            try:
                self._restore()
            except InsertError as problem:
                logger.info("the clipboard did not come back: %s", problem.reason.name)
                self._tries -= 1
                if self._tries > 0:
                    self._due_s = time.monotonic() + self.AGAIN_S
                    return self.AGAIN_S
            self._due_s = None
            return None


def chunks(
    text: str, size: Callable[[str], int], limit: int, *, alone: Callable[[str], bool]
) -> Iterator[str]:
    """``text`` in pieces whose characters together have at most the ``size`` ``limit``.

    Characters for which ``alone`` says so are pieces of their own.
    """
    piece, total = "", 0
    for character in text:
        is_alone = alone(character)
        if piece and (is_alone or total + size(character) > limit):
            yield piece
            piece, total = "", 0
        if is_alone:
            yield character
        else:
            piece, total = piece + character, total + size(character)
    if piece:
        yield piece


def printable(text: str) -> str:
    r"""Only what may be put into a window: no control characters but tab and line feed, no half characters.

    A terminal would obey an escape character, and half a surrogate pair cannot be sent anywhere.
    """
    whole = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-16", "surrogatepass")
    return "".join(c for c in whole.decode("utf-16", "replace") if c in "\n\t" or not _is_control(c))


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"


def unsupported(what: str, hint: str = "") -> InsertError:
    """The error for a desktop that lacks ``what``."""
    return InsertError(f"{what} is not available on this desktop.", InsertReason.UNSUPPORTED_DESKTOP, hint)


def clipboard_in_use() -> InsertError:
    """The error for a paste that would destroy what the user has copied."""
    return InsertError("What you copied could not be kept.", InsertReason.CLIPBOARD_IN_USE)


def no_focus() -> InsertError:
    """The error for a text without a window."""
    return InsertError("No window has the focus.", InsertReason.NO_FOCUS, "Click into a text field.")


LISTENER_LAG_S = 0.05
STAMP_S = 0.005  # a system's time stamps are coarse: a key may be dated a little before it was pressed
_REMEMBERED = 64  # chords and texts; a listener is not that late


class Injection:
    """When keys of ours were on their way. Safe on any thread."""

    def __init__(self, lag_s: float = LISTENER_LAG_S) -> None:
        self._lock = threading.Lock()
        self._lag_s = lag_s
        self._depth = 0
        self._since_s = 0.0
        self._past: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Keys are sent inside; before leaving, the system must have dealt with the last one."""
        with self._lock:
            if not self._depth:
                self._since_s = time.monotonic() - STAMP_S
            self._depth += 1
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if not self._depth:
                    self._past.append((self._since_s, time.monotonic() + self._lag_s))

    def was_injecting(self, at_s: float) -> bool:
        """Whether an injected key event of ``at_s`` (``time.monotonic()``) may be ours."""
        with self._lock:
            is_now = self._depth > 0 and at_s >= self._since_s
            return is_now or any(since_s <= at_s <= until_s for since_s, until_s in self._past)
