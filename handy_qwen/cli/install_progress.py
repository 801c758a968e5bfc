"""How far an installation is: one line that is redrawn on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time

from handy_qwen.cli.terminal import ProgressLine, say
from handy_qwen.core.shelf import Progress, Stage
from handy_qwen.models.room import size_text

_WORDS = {
    Stage.WAITING: "waiting for another process",
    Stage.DOWNLOADING: "downloading",
    Stage.UNPACKING: "unpacking",
    Stage.CHECKING: "checking",
    Stage.CONVERTING: "converting",
    Stage.TESTING: "trying it out",
}
_STALLED = "connection lost, retrying"
_LOG_PARTS = 10  # of a stage
_LOG_EVERY_S = 30.0


class InstallProgress:
    """Takes ``Progress`` and shows it on stderr. Used on one thread."""

    def __init__(self) -> None:
        self._line = ProgressLine()
        self._is_log = not sys.stderr.isatty()
        self._stage: tuple[Stage, bool] | None = None  # with whether it is stalled
        self._logged_share = 0.0
        self._logged_s = 0.0
        self._waited = False

    def tell(self, progress: Progress) -> None:
        """Show ``progress``."""
        if self._is_log:
            self._log(progress)
        else:
            self._line.show(progress_text(progress), progress.share or 0.0)

    def clear(self) -> None:
        """Something else is to be written."""
        self._line.clear()

    def _log(self, progress: Progress) -> None:
        now, share = time.monotonic(), progress.share or 0.0
        stage = (progress.stage, progress.is_stalled)
        is_new = stage != self._stage
        if is_new and progress.stage is Stage.WAITING and not self._waited:
            self._waited = True  # nearly always over at once
            return
        is_due = int(share * _LOG_PARTS) > int(self._logged_share * _LOG_PARTS)
        is_due = is_due or now - self._logged_s >= _LOG_EVERY_S
        if is_new or is_due:
            self._stage, self._logged_share, self._logged_s = stage, share, now
            percent = f"{share:4.0%} " if progress.share is not None else ""
            say(f"{percent}{progress_text(progress)}")


def progress_text(progress: Progress) -> str:
    """What is done, how much of it, how fast, and how long it still takes."""
    parts = [_STALLED if progress.is_stalled else _WORDS[progress.stage]]
    if progress.total_bytes:
        done, total = size_text(progress.done_bytes), size_text(progress.total_bytes)
        if done[-2:] == total[-2:]:
            done = done[:-3]  # the line is to fit into 80 columns
        parts = [f"{parts[0]} {done} of {total}"]
    if progress.rate_bytes_s:
        parts.append(f"{size_text(int(progress.rate_bytes_s))}/s")
    if progress.remaining_s is not None:
        parts.append(f"{_duration(progress.remaining_s)} left")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    if seconds < 6000:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
