"""The pulse of a thread: what it is at, for whoever watches it."""

from __future__ import annotations


class Pulse:
    """Counts the pieces of work of one thread.

    Threads: ``begin`` and ``end`` belong to the thread that works; any may read ``piece``. There is no
    clock in it: who watches sees that the same piece is under way again and again.
    """

    def __init__(self) -> None:
        self._count = 0
        self.piece: int | None = None  # the number of the one under way; None while the thread waits

    def begin(self) -> None:
        """A piece of work begins, or goes on after a step that could have been its last."""
        self._count += 1
        self.piece = self._count

    def end(self) -> None:
        """The thread waits for more."""
        self.piece = None
