"""What goes wrong with the disk, told once and not with every block."""

from __future__ import annotations

import enum
import errno
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from handy_qwen.core.events import Failed
from handy_qwen.core.ports import Post
from handy_qwen.errors import HandyError, HistoryError

logger = logging.getLogger(__name__)

TOLD_AGAIN_S = 600.0
GOES_ON = "Dictating goes on; what is said is kept in memory and written when that is possible again."


class Kind(enum.Enum):
    """What does not work."""

    SOUND = enum.auto()
    ROWS = enum.auto()
    SLOW = enum.auto()


class Troubles:
    """Tells the user of each kind of trouble once while it lasts.

    Threads: any; each kind belongs to one of them.
    """

    def __init__(self, post: Post, clock: Callable[[], float]) -> None:
        self._post = post
        self._clock = clock
        self._lasting: set[Kind] = set()
        self._told_s: dict[str, float] = {}  # by title: two kinds may say the same

    def __contains__(self, kind: Kind) -> bool:
        return kind in self._lasting

    def begin(self, kind: Kind, error: HandyError) -> None:
        """Something of this kind does not work."""
        if kind not in self._lasting:
            logger.warning("history: %s", error)
        self.begin_quietly(kind, error)

    def begin_quietly(self, kind: Kind, error: HandyError) -> None:
        """The same without the log: that may lie on the very disk that is stuck, and hold up the caller."""
        if kind in self._lasting:
            return
        self._lasting.add(kind)
        told_s = self._told_s.get(error.title)
        if told_s is None or self._clock() - told_s >= TOLD_AGAIN_S:
            self._told_s[error.title] = self._clock()
            self._post(Failed(0, error))

    def end(self, kind: Kind) -> None:
        """It works again."""
        if kind in self._lasting:
            self._lasting.discard(kind)
            logger.info("history: trouble is over: %s", kind.name.lower())


def sound_error(exc: OSError, folder: Path) -> HistoryError:
    """What to tell when sound cannot be written."""
    if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
        return HistoryError("The disk is full.", GOES_ON)
    return HistoryError(f"What you say cannot be written to {folder}: {exc.strerror}.", GOES_ON)


def row_error(exc: sqlite3.Error | OSError, path: Path) -> HistoryError:
    """What to tell when the database cannot be written."""
    if is_locked(exc):
        return HistoryError("Another program holds the history.", GOES_ON)
    if _code(exc) == sqlite3.SQLITE_FULL or getattr(exc, "errno", None) in {errno.ENOSPC, errno.EDQUOT}:
        return HistoryError("The disk is full.", GOES_ON)
    return HistoryError(f"The history {path} cannot be written.", f"Look at its permissions. {GOES_ON}")


def slow_error() -> HistoryError:
    """What to tell when the disk does not come back."""
    return HistoryError("The disk does not answer.", GOES_ON)


def cut_error() -> HistoryError:
    """What to tell when more waits for the disk than memory should hold."""
    return HistoryError(
        "Only the beginning of this recording is kept.", "The disk does not answer. Its text will be whole."
    )


def is_locked(exc: BaseException) -> bool:
    """Whether another process was at work for too long."""
    return _code(exc) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _code(exc: BaseException) -> int:
    """SQLite's primary result code; 0 if there is none."""
    return (getattr(exc, "sqlite_errorcode", None) or 0) & 0xFF
