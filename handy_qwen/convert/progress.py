"""How far a conversion is, as one number that only grows."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Told what is being done and how much of the whole is done, 0 to 1."""

_STEP = 0.002  # told no finer than that
_PREPARATION = 0.4  # of the whole; unpacking a checkpoint takes about as long as converting it


class ProgressBar:
    """Adds up work done and tells of it. The units are the caller's, such as bytes.

    What is done before ``begin`` (looking at the source) does not count.
    """

    def __init__(self, tell: Progress) -> None:
        self._tell = tell
        self._what = ""
        self._first = 0.0
        self._total = 0.0
        self._done = 0.0
        self._told = 0.0

    def prepare(self, what: str, part: float) -> None:
        """``part`` of ``what`` is done, 0 to 1, before the work that is counted begins."""
        self._first = _PREPARATION * part
        self._tell(what, self._first)

    def begin(self, total: float) -> None:
        """The work is ``total``; nothing of it is done."""
        self._total, self._done, self._told = total, 0.0, self._first

    def enter(self, what: str, done: float = 0.0) -> None:
        """Begin with part ``what``; if ``done`` is more than was added so far, catch up with it."""
        self._what = what
        self._done = max(self._done, done)
        self._show()

    def add(self, work: float) -> None:
        """So much more is done."""
        self._done += work
        if self._total and self._share() - self._told >= _STEP:
            self._show()

    def finish(self) -> None:
        """All is done."""
        self._tell("done", 1.0)

    def _show(self) -> None:
        self._told = self._share()
        self._tell(self._what, self._told)

    def _share(self) -> float:
        """Never all: estimates may be a little too small, and only ``finish`` knows the end."""
        done = min(self._done / self._total, 0.999) if self._total else 0.0
        return self._first + (1 - self._first) * done
