"""The interface of an insertion back end, and what all back ends share.

    TYPE  --cannot type it------> PASTE --no chord--> COPY --no clipboard--> failed
    PASTE --cannot be sent------> TYPE  --> COPY

Once a method has begun, no other is tried: a text that arrived, wholly or partly, is never inserted again.

    all of it      delivered
    a part         the rest is held if the window lost the focus, and copied otherwise
    unknown        all of it is copied as well, because the window may be slow; if that fails, it is held, and
                   only the user inserts it again

A paste borrows the clipboard. Its content is saved beforehand, preferably while the user is still speaking,
and restored afterwards. If it cannot be saved, nothing is pasted, and nothing is copied unasked.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from handy_qwen.core.types import KeyPermission, Method, Submit, Target, TextAround
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.session import Session

CHAINS = {
    Method.TYPE: (Method.TYPE, Method.PASTE, Method.COPY),
    Method.PASTE: (Method.PASTE, Method.TYPE, Method.COPY),
    Method.COPY: (Method.COPY,),
    Method.NONE: (),
}
PREPARE_S = 20.0  # how long a program may take to deliver what it has copied, while nobody waits
WAIT_S = 2.0  # the same once a text waits to be pasted
KEEP_BYTES = 256 << 20  # a larger clipboard cannot be saved
LISTENER_LAG_S = 0.05
STAMP_S = 0.005  # time stamps are coarse: a key may be dated a little before it was pressed
_REMEMBERED = 64  # chords and texts; a listener is never that late

Pause = Callable[[float], object]  # waits for that many seconds, or until the program ends

MayRelease = Callable[[], bool]
"""Whether keys that the user still holds may be released. Called on the inserter's thread."""


def always() -> bool:
    """Keys may be released at any time."""
    return True


@dataclass(frozen=True, slots=True)
class Inserted:
    """How much of a text was inserted."""

    characters: int | None  # how many of its characters; None: unknown, from none to all
    has_focus: bool = True  # whether the window still had the focus afterwards
    may_copy: bool = True  # whether the text may be copied: not if the user has copied something meanwhile


UNKNOWN = Inserted(None)


@dataclass(frozen=True, slots=True)
class Way:
    """A named way to insert text, and whether it is available on this desktop."""

    method: Method
    name: str
    is_available: bool = True


class Unsure(Exception):  # noqa: N818 (not an error: it may have worked)
    """Keys were sent, but may not have been processed."""


class Backend:
    """One windowing system. The class itself is for desktops where nothing can be inserted.

    Threads: every method is called on the inserter's thread, except ``focused``, ``text_around``,
    ``copy`` and ``was_injecting``, which any thread may call, and ``close``, which comes last.
    """

    NAME: ClassVar = "none"  # its mechanism, for people: "X11"
    # What the user can do without any way to insert text
    REMEDY: ClassVar[Message] = Message("Start the app in a desktop session.")

    def __init__(self, session: Session, pause: Pause, may_release: MayRelease = always) -> None:
        """Connect. Raises InsertError: the desktop cannot be reached, or lacks a requirement.

        ``pause`` waits for that many seconds, or until the program ends; ``may_release``: whether keys that
        the user still holds may be released.
        """

    @classmethod
    def ways(cls, session: Session) -> tuple[Way, ...]:  # noqa: ARG003 (for subclasses)
        """How it inserts text here, as far as that can be seen without trying. May take some seconds."""
        return ()

    @classmethod
    def permission_in(cls, session: Session) -> KeyPermission:  # noqa: ARG003 (for subclasses)
        """As ``key_permission``, of one that is not connected."""
        return KeyPermission.NOT_NEEDED

    @classmethod
    def require_permission(cls) -> None:
        """Raise InsertError if the user has not allowed us to press keys, and only inserting would tell."""

    @property
    def clipboard_thread(self) -> WatchedThread | None:
        """The thread that serves its clipboard, for the watchdog, if it has one."""
        return None

    def focused(self) -> Target:
        """The focused window; ``Target()`` if unknown."""
        return Target()

    def text_around(self, window: int, most: int) -> TextAround | None:  # noqa: ARG002 (for subclasses)
        """Up to ``most`` characters on either side of the cursor in ``window``; None: unknown."""
        return None

    def key_permission(self) -> KeyPermission:
        """Whether the desktop lets this program press keys, as far as known without asking."""
        return KeyPermission.NOT_NEEDED

    def ask_permission(self) -> None:
        """Have the desktop ask the user for it, and wait. Raises InsertError: refused, or not supported."""

    def prepare(self, is_awaited: Callable[[], bool]) -> None:
        """Save the clipboard: a paste may follow. Slow; hurries once ``is_awaited``."""

    def hasten(self) -> None:
        """Prepare what takes a while, unless the user would be asked: a paste probably follows soon.

        Raises:
            InsertError: It is not available.
        """

    def type_text(self, text: str) -> Inserted:  # noqa: ARG002 (for subclasses)
        """Press the keys for ``text`` while the window has the focus. Raises InsertError: nothing typed."""
        raise unsupported(Message("Typing"))

    def paste_text(self, text: str) -> Inserted:  # noqa: ARG002 (for subclasses)
        """Put ``text`` on the clipboard, press the paste chord, and return when the window has fetched it.

        The previous content is restored; if it is unknown whether it was fetched, the text stays. Raises
        InsertError: nothing was sent; CLIPBOARD_IN_USE: the clipboard could not be saved.
        """
        raise unsupported(Message("Pasting"))

    def copy(self, text: str) -> None:  # noqa: ARG002 (for subclasses)
        """Leave ``text`` on the clipboard. Raises InsertError: there is no clipboard."""
        raise unsupported(Message("A clipboard"))

    def erase(self, text: str, may_erase: Callable[[], bool]) -> None:  # noqa: ARG002 (for subclasses)
        """Delete ``text``, directly before the cursor, by Backspace, if ``may_erase`` allows it by then.

        Raises InsertError: it cannot be deleted reliably; nothing, or only part of it, was.
        """
        raise unsupported(Message("Deleting"))

    def clipboard_text(self) -> str:
        """The text on the clipboard; "" if there is none. Raises InsertError: it cannot be read."""
        import pyperclip  # slow: searches for programs when imported

        try:
            return str(pyperclip.paste())
        except (pyperclip.PyperclipException, OSError):
            raise unsupported(
                Message("Reading the clipboard")
            ) from None  # a tool's error message may quote the clipboard

    def submit(self, submit: Submit) -> None:  # noqa: ARG002 (for subclasses)
        """Press the key after the text. Raises InsertError: it cannot be pressed."""
        raise unsupported(Message("Pressing keys"))

    def rest(self, is_idle: bool) -> float | None:  # noqa: ARG002 (for subclasses)
        """Clean up between texts; ``is_idle``: none waits. Seconds to the next call; None: after a text."""
        return None

    def was_injecting(self, at_s: float) -> bool:  # noqa: ARG002 (for subclasses)
        """Whether an injected key of ``at_s`` (``time.monotonic()``) may be ours. Any thread, at once."""
        return False

    def close(self) -> None:
        """Restore the clipboard and release everything."""


class Deadline:
    """A time limit: long while nobody waits, short from then on."""

    def __init__(self, is_awaited: Callable[[], bool] = lambda: True) -> None:
        self._is_awaited = is_awaited
        self._end_s = time.monotonic() + PREPARE_S
        self._is_short = False

    def left_s(self) -> float:
        """Seconds left; 0 or less when over. Ask often: somebody may have begun to wait."""
        now = time.monotonic()
        if not self._is_short and self._is_awaited():
            self._is_short = True
            self._end_s = min(self._end_s, now + WAIT_S)
        return self._end_s - now


class Injection:
    """When we pressed keys, so that hotkey listeners can tell them from the user's. Any thread.

    The listener sees our keys as well, on its own thread and on a busy machine much later. So it asks about
    the time at which a key was pressed. The answer is also yes for a short time after the system has
    confirmed the last key, since that time is not known to the millisecond.
    """

    def __init__(self, lag_s: float = LISTENER_LAG_S) -> None:
        self._lock = threading.Lock()
        self._lag_s = lag_s
        self._depth = 0
        self._since_s = 0.0
        self._past: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Keys are sent inside; on leaving, the system must have processed the last one."""
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
        """Whether an injected key of ``at_s`` (``time.monotonic()``) may be ours."""
        with self._lock:
            is_now = self._depth > 0 and at_s >= self._since_s
            return is_now or any(since_s <= at_s <= until_s for since_s, until_s in self._past)


def chunks(
    text: str, size: Callable[[str], int], limit: int, *, alone: Callable[[str], bool] = lambda _: False
) -> Iterator[str]:
    """``text`` in pieces whose total ``size`` is at most ``limit``; what is ``alone`` is its own piece."""
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
    r"""``text`` without control characters (except tab and line feed) and lone surrogates.

    A terminal would obey an escape character, and half a surrogate pair cannot be sent at all.
    """
    whole = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-16", "surrogatepass")
    return "".join(c for c in whole.decode("utf-16", "replace") if c in "\n\t" or not _is_control(c))


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"


def is_deletable(text: str) -> bool:
    """Whether a Backspace per character deletes exactly ``text``, in every program.

    Of letters with combining marks and of emoji of several characters some programs delete a part, others the
    whole. Text that programs autocorrect while it is typed may have become shorter: an arrow, a fraction, a
    smiley, Markdown. Relying on its length could delete what was there before.
    """
    return not _REPLACED.search(text) and all(
        one == "\n" or (one <= "\uffff" and unicodedata.category(one)[0] in "LNPSZ" and one.isprintable())
        for one in text
    )


_REPLACED = re.compile(
    r"--|\.\.\.|[-=<]>|<[-=<]|>>|\d/\d|\([A-Za-z]{1,2}\)"  # dash, dots, arrows, fraction, (c)
    r"|[:;][-']?[()\[\]DPpOo/\\|*](?![^\W_]|/)|:[A-Za-z][\w+-]*:"  # smileys, and their names
    r"|[*_`~]|^[ ]*(?:[-+#>]+|(?:\d{1,3}|[A-Za-z])[.)])[ ]",  # Markdown, and list items
    re.MULTILINE,
)


def has_tool(tool: str) -> bool:
    """Whether the program ``tool`` is installed."""
    return shutil.which(tool) is not None


def unsupported(what: Message, hint: Message = Message()) -> InsertError:
    """The error for a desktop that lacks ``what``."""
    return InsertError(
        Message("{what} is not available on this desktop.", what=what), InsertReason.UNSUPPORTED_DESKTOP, hint
    )


def clipboard_in_use() -> InsertError:
    """The error for a paste that would destroy what the user has copied."""
    return InsertError(Message("What you had copied couldn't be preserved."), InsertReason.CLIPBOARD_IN_USE)


def no_focus() -> InsertError:
    """The error for a text without a window."""
    return InsertError(
        Message("No window has the focus."), InsertReason.NO_FOCUS, Message("Click into a text field.")
    )
