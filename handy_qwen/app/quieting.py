"""Other sound while somebody dictates: paused or lowered, and brought back afterwards.

    View --want--> thread "quieting" --> players paused, or the volume lowered --> ... and back

A press that is over at once, such as the hotkey used in a shortcut, quiets nothing: what is wanted must have
been so for ``SETTLE_S``. Only what was paused here goes on, and only a volume that is still as it was set
here is put back: later, or by the next start, if the program ended or the sound system hung in between.
Where players cannot be paused, the volume is lowered instead.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from handy_qwen.audio.volume import Lowered, Speakers, apply, plan, restore, speakers_for
from handy_qwen.core.types import WhileRecording
from handy_qwen.files import replace_file
from handy_qwen.runtime.worker import Worker

logger = logging.getLogger(__name__)

SETTLE_S = 0.15
RETURN_S = 0.6  # the end of the last word is still being recorded


class Quieting:
    """Threads: any may call; the work is done on ``quieting``, which begins with the first wish.

    Args:
        how: What the settings say.
        notes: The file that has the volume to be put back.
        speakers: The sound system.
        pause: Pauses other programs' players, and returns what lets them go on; None: that of this system.
    """

    def __init__(
        self,
        how: Callable[[], WhileRecording],
        notes: Path,
        *,
        speakers: Speakers | None = None,
        pause: Callable[[], Callable[[], None]] | None = None,
    ) -> None:
        self._how, self._notes = how, notes
        self._speakers = speakers or speakers_for()
        self._pause = pause or (_pause if sys.platform.startswith("linux") else None)
        self._is_wanted = self._is_quiet = False
        self._since_s = 0.0  # when it was wanted, or no longer
        self._undo: Callable[[], None] | None = None
        self.thread = Worker("quieting", routine=self._follow, pause_s=self._pause_s, is_lazy=True)

    def start(self) -> None:
        """Put back what a former run of the program did not."""
        if self._notes.exists():
            self.thread.do(self._recover)

    def want(self, is_wanted: bool) -> None:
        """Somebody speaks now, or no longer. Any one thread; returns at once."""
        if is_wanted == self._is_wanted or (is_wanted and self._how() is WhileRecording.OFF):
            return
        self._is_wanted, self._since_s = is_wanted, time.monotonic()
        self.thread.do(lambda: None)  # so that it looks how long to wait

    def stop(self, timeout_s: float) -> None:
        """Bring back what is quiet, and end the thread. Safe to call twice."""
        if self.thread.is_alive():
            self._is_wanted = False
            self.thread.do(self._bring_back)
        self.thread.stop(timeout_s)

    # --- on "quieting" -------------------------------------------------------------------------------

    def _pause_s(self) -> float | None:
        if self._is_wanted == self._is_quiet:
            return None
        wait_s = SETTLE_S if self._is_wanted else RETURN_S
        return max(0.0, self._since_s + wait_s - time.monotonic())

    def _follow(self) -> None:
        if self._is_wanted and not self._is_quiet:
            self._is_quiet = True
            how = self._how()
            if how is WhileRecording.PAUSE and self._pause is not None:
                self._undo = self._pause()
            elif how is not WhileRecording.OFF:
                self._lower()
        elif not self._is_wanted:
            self._bring_back()

    def _bring_back(self) -> None:
        undo, self._undo, self._is_quiet = self._undo, None, False
        if undo is not None:
            undo()

    def _lower(self) -> None:
        if self._notes.exists():  # else what is lowered already would be noted as the volume to be put back
            self._recover()
        lowered = plan(self._speakers)
        if lowered is None:
            return
        try:
            replace_file(self._notes, json.dumps(asdict(lowered)).encode())
        except OSError as exc:  # lowered for good after a crash: rather not
            logger.warning("the volume is left alone, as it cannot be noted: %s", exc.strerror)
            return
        apply(self._speakers, lowered)
        self._undo = lambda: self._restore(lowered)

    def _restore(self, lowered: Lowered) -> None:
        if restore(self._speakers, lowered):
            self._notes.unlink(missing_ok=True)

    def _recover(self) -> None:
        try:
            noted = Lowered(**json.loads(self._notes.read_bytes()))
        except (OSError, ValueError, TypeError) as exc:
            logger.warning("what was noted of the volume cannot be read: %s", type(exc).__name__)
            self._notes.unlink(missing_ok=True)
            return
        logger.info("the volume is put back: it could not be before")
        self._restore(noted)


def _pause() -> Callable[[], None]:
    from handy_qwen.system.players import pause_players, resume_players

    paused = pause_players()
    return lambda: resume_players(paused)
