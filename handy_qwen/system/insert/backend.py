"""What a windowing system must offer to the insertion, and how each way falls through to the next.

    TYPE  --cannot type it------> PASTE --nobody fetched it, no chord--> COPY --no clipboard--> failed
    PASTE --cannot be sent------> TYPE  --> COPY

A paste that was sent but not fetched goes straight to COPY: the window may be slow, and typing as
well would put the text there twice.
"""

from __future__ import annotations

from typing import Protocol

from handy_qwen.core.ports import Method, Submit, Target
from handy_qwen.errors import InsertError, InsertReason

CHAINS = {
    Method.TYPE: (Method.TYPE, Method.PASTE, Method.COPY),
    Method.PASTE: (Method.PASTE, Method.TYPE, Method.COPY),
    Method.COPY: (Method.COPY,),
    Method.NONE: (),
}


class Backend(Protocol):
    """One windowing system.

    Threads: all methods are called on the worker's thread, but ``focused``, ``copy`` and
    ``was_injecting``, which any thread may call, and ``close``, which comes last.
    """

    def focused(self) -> Target:
        """The window with the focus; ``Target()`` when that cannot be told."""

    def type_text(self, text: str) -> None:
        """Press the keys for ``text``.

        Raises:
            InsertError: Nothing was typed.
        """

    def paste_text(self, text: str) -> None:
        """Put ``text`` on the clipboard, press the paste chord, and return when the window has fetched it.

        What was on the clipboard comes back afterwards.

        Raises:
            InsertError: NOT_FETCHED: sent, but not seen to be taken, and the text still is on the
                clipboard; any other reason: nothing was sent.
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
