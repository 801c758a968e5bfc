"""What the commands share: complaints, progress, and work that can be interrupted."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from handy_qwen.errors import HandyError

if TYPE_CHECKING:
    from handy_qwen.engine.sessions import Cancel

INTERRUPTED = 130
_BAR_CHARS = 24
T = TypeVar("T")


def complain(error: HandyError) -> None:
    """Tell what failed and what to do about it."""
    print(f"handy-qwen: {error}", file=sys.stderr)  # noqa: T201


def say(text: str) -> None:
    """Tell something that is not a result."""
    print(text, file=sys.stderr)  # noqa: T201


def write(text: str) -> None:
    """Write a result to stdout, at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


class ProgressLine:
    """A line on the terminal that shows how far the work is; silent where stderr is no terminal."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._last = ""

    def show(self, what: str, part: float) -> None:
        """Show that ``part`` (0 to 1) of ``what`` is done."""
        filled = round(part * _BAR_CHARS)
        self._draw(f"{'█' * filled}{'░' * (_BAR_CHARS - filled)} {part:4.0%}  {what}")

    def clear(self) -> None:
        """Remove the line: something else is to be written."""
        self._draw("")

    def _draw(self, line: str) -> None:
        if self._is_shown and line != self._last:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
            self._last = line


def interruptible(work: Callable[[], T], cancel: Cancel) -> T:
    """Do ``work`` on another thread; Ctrl-C sets ``cancel``, waits for the thread and goes on up.

    A long run of the model cannot be interrupted from within: Python looks at signals only between its own
    instructions, and on the main thread.

    Raises:
        KeyboardInterrupt: The user pressed Ctrl-C; the work has ended.
        Exception: Whatever ``work`` raised.
    """
    future: Future[T] = Future()
    thread = threading.Thread(target=_settle, args=(future, work), name="work", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.1)  # with a timeout, so that signals are looked at on every system
    except KeyboardInterrupt:
        cancel.set()
        thread.join()
        raise
    return future.result()


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as exc:  # raised again where the result is asked for
        future.set_exception(exc)
