"""How far an installation is: counts bytes, and reports at most ten times a second."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from handy_qwen.core.models import InstallStage, Progress

OnProgress = Callable[[Progress], None]
"""Gets how far the work is. Raises CancelledError to give it up."""

_EVERY_S = 0.1
_WINDOW_S = 8.0  # over which a rate is measured: longer than a hiccup, shorter than a change of network
_FIRST_RATE_S = 1.0
_SILENT_S = 3.0  # a download that has brought nothing for so long is stalled


class Meter:
    """Progress of one stage after the other. Used on one thread; ``clock`` gives seconds.

    Every method reports, and raises CancelledError if the work is to be given up.
    """

    def __init__(self, tell: OnProgress, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._stage = InstallStage.WAITING
        self._done = self._total = 0
        self._share: float | None = None
        self._told_s = self._began_s = self._moved_s = clock()
        self._samples: deque[tuple[float, int]] = deque()
        self._is_lost = False

    def enter(self, stage: InstallStage, total_bytes: int = 0, done_bytes: int = 0) -> None:
        """Begin a stage; ``done_bytes`` of it were there before, and say nothing about the rate."""
        self._stage, self._total, self._done, self._share = stage, total_bytes, done_bytes, None
        self._began_s = self._moved_s = self._clock()
        self._samples = deque([(self._began_s, done_bytes)])
        self._is_lost = False
        self._report()

    def add(self, size_bytes: int) -> None:
        """Count ``size_bytes`` more; fewer, if what was there turned out to be useless."""
        self._done += size_bytes
        if size_bytes < 0:
            self._samples = deque([(self._clock(), self._done)])
        elif size_bytes:
            self._is_lost = False
            self._moved_s = self._clock()
        self.keep_alive()

    def lose(self) -> None:
        """Report at once that the connection is lost, and will be tried again."""
        self._is_lost = True
        self._samples = deque([(self._clock(), self._done)])
        self._report()

    def share(self, part: float) -> None:
        """``part`` (0 to 1) of a stage that is not measured in bytes is done."""
        self._share = part
        self.keep_alive()

    def keep_alive(self) -> None:
        """Report if it is time: also while nothing happens, so that the work can be given up."""
        if self._clock() - self._told_s >= _EVERY_S:
            self._report()

    def _report(self) -> None:
        now = self._told_s = self._clock()
        is_silent = self._stage is InstallStage.DOWNLOADING and now - self._moved_s > _SILENT_S
        is_stalled = self._is_lost or is_silent
        rate = 0.0 if is_stalled else self._rate(now)
        self._tell(
            Progress(
                self._stage,
                share=min(self._done / self._total, 1.0) if self._total else self._share,
                done_bytes=self._done if self._total else 0,
                total_bytes=self._total,
                rate_bytes_s=rate,
                remaining_s=self._remaining_s(now, rate),
                is_stalled=is_stalled,
            )
        )

    def _rate(self, now: float) -> float:
        self._samples.append((now, self._done))
        while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()
        first_s, first = self._samples[0]
        return (self._done - first) / (now - first_s) if now - first_s >= _FIRST_RATE_S else 0.0

    def _remaining_s(self, now: float, rate: float) -> float | None:
        if self._total:
            return (self._total - self._done) / rate if rate > 0 else None
        spent_s = now - self._began_s
        if self._share and spent_s >= _FIRST_RATE_S:
            return spent_s * (1 - self._share) / self._share
        return None
