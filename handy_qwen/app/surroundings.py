"""What happens around dictation: the machine sleeps, wakes or is unlocked; other programs play sound.

Before sleep the recording ends, so that its text is ready when the lid opens. Afterwards the microphone is
reopened, since headsets and docks may have changed. Hotkeys are also restarted where the system may drop
their listener, as on Windows and macOS; an X server and a portal do not, and a key pressed meanwhile would
be lost.

Other sound is paused or lowered during dictation, and restored afterwards:

    View --want--> thread "quieting" --> players paused, or the volume lowered --> ... and back

A press that is over at once, such as the hotkey used in a shortcut, has no effect: the request must last
for ``SETTLE_S``. Only players paused here are resumed, and only a volume that is still as it was set here is
restored: later or at the next start, if the program ended or the sound system hung in between. At startup,
players are resumed only within ``FORGOTTEN_S``: nobody wants yesterday's music to start by itself. Where
players cannot be paused, the volume is lowered instead.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from handy_qwen import paths
from handy_qwen.audio.volume import Lowered, Speakers, apply, plan, restore, speakers_for
from handy_qwen.core.events import HotkeysDied, Request, Requested, Slept
from handy_qwen.core.ports import Post
from handy_qwen.core.types import WhileRecording
from handy_qwen.core.view import Phase, View
from handy_qwen.files import replace_file
from handy_qwen.runtime import watchdog
from handy_qwen.runtime.worker import Worker
from handy_qwen.system.power import power_watch_for, wait_while

if TYPE_CHECKING:  # slow to import
    from handy_qwen.audio.recorder import MicrophoneRecorder

logger = logging.getLogger(__name__)

ENDING_S = 1.5  # time for a recording to end before sleep
SETTLE_S = 0.15
FORGOTTEN_S = 900.0  # after a crash; wall-clock time
RETURN_S = 0.6  # the end of the last word is still being recorded


class Surroundings:
    """Threads: any may call; see ``system.power`` for those that it is called on.

    Args:
        post: Gets the events.
        recorder: The microphone.
        how: What to do with other sound during dictation.
        platform: As in ``sys``.
    """

    def __init__(
        self,
        post: Post,
        recorder: MicrophoneRecorder,
        how: Callable[[], WhileRecording],
        platform: str = sys.platform,
    ) -> None:
        self._post, self._recorder = post, recorder
        self._is_forgetful = platform in {"win32", "darwin"}
        self._power = power_watch_for(self._on_sleep, self._on_wake)
        self._quieting = Quieting(how, paths.data_dir())

    def start(self) -> None:
        """Start, once the parts exist."""
        self._power.start()
        self._quieting.start()

    def stop(self, timeout_s: float) -> None:
        """End. Safe to call twice."""
        self._quieting.stop(timeout_s)
        self._power.stop(timeout_s)

    def workers(self) -> watchdog.Watchable:
        """The threads."""
        return {watchdog.POWER: self._power.thread, watchdog.QUIETING: self._quieting.thread}

    def on_view(self, view: View) -> None:
        """Check whether a take is being recorded."""
        self._quieting.want(view.phase is Phase.RECORDING)

    def has_slept(self, for_s: float) -> None:
        """The watchdog has noticed that the machine slept."""
        self._post(Slept(for_s))
        self._on_wake()

    def _is_recording(self) -> bool:
        return self._recorder.is_recording()

    def _on_sleep(self) -> None:
        self._post(Requested(Request.STOP, time.monotonic()))
        wait_while(self._is_recording, ENDING_S)

    def _on_wake(self) -> None:
        if self._is_forgetful and not self._is_recording():  # else the key that ends it may be held
            self._post(HotkeysDied())
        self._recorder.wake()


# ---- other sound ----------------------------------------------------------------------------------------

VOLUME_FILE, PLAYERS_FILE = "volume.json", "players.json"
Paused = Sequence[Mapping[str, str]]
"""The identity of each player, for a file."""


class Players(Protocol):
    """Music and videos of other programs. Calls may wait briefly for them."""

    def pause(self, note: Callable[[Paused], None]) -> None:
        """Pause all that play, after passing them to ``note``."""

    def resume(self, paused: Paused) -> None:
        """Resume those that are still as they were paused."""


class Quieting:
    """Threads: any may call; the work is done on ``quieting``, which starts with the first request.

    Args:
        how: The setting.
        folder: Holds the files that record what to restore.
        speakers: The sound system.
        players: Other programs' players; None: those of this system.
    """

    def __init__(
        self,
        how: Callable[[], WhileRecording],
        folder: Path,
        *,
        speakers: Speakers | None = None,
        players: Players | None = None,
    ) -> None:
        self._how = how
        self._notes, self._paused_notes = folder / VOLUME_FILE, folder / PLAYERS_FILE
        self._speakers = speakers or speakers_for()
        self._players = players or (_Mpris() if sys.platform.startswith("linux") else None)
        self._is_wanted = self._is_quiet = False
        self._since_s = 0.0  # when the request last changed
        self._undo: Callable[[], None] | None = None
        self.thread = Worker("quieting", routine=self._follow, pause_s=self._pause_s, is_lazy=True)

    def start(self) -> None:
        """Restore what an earlier run of the program did not."""
        if self._notes.exists():
            self.thread.do(self._recover)
        if self._paused_notes.exists():
            self.thread.do(self._recover_players)

    def want(self, is_wanted: bool) -> None:
        """A recording has begun or ended. Always the same thread; returns at once."""
        if is_wanted == self._is_wanted or (is_wanted and self._how() is WhileRecording.OFF):
            return
        self._is_wanted, self._since_s = is_wanted, time.monotonic()
        self.thread.do(lambda: None)  # wakes it to recompute how long to wait

    def stop(self, timeout_s: float) -> None:
        """Restore other sound, and end the thread. Safe to call twice."""
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
            if how is WhileRecording.PAUSE and self._players is not None:
                self._players.pause(self._note_players)
            elif how is not WhileRecording.OFF:
                self._lower()
        elif not self._is_wanted:
            self._bring_back()

    def _bring_back(self) -> None:
        undo, self._undo, self._is_quiet = self._undo, None, False
        if undo is not None:
            undo()

    def _note_players(self, paused: Paused) -> None:
        """Record those that are about to be paused."""
        self._undo = partial(self._resume, paused)
        if paused:
            try:
                content = json.dumps({"at_s": time.time(), "paused": list(paused)})
                replace_file(self._paused_notes, content.encode())
            except OSError as exc:
                logger.warning("players that are paused stay so after a crash: %s", exc.strerror)

    def _resume(self, paused: Paused) -> None:
        if paused and self._players is not None:
            self._players.resume(paused)
        self._paused_notes.unlink(missing_ok=True)

    def _recover_players(self) -> None:
        try:
            noted = json.loads(self._paused_notes.read_bytes())
            is_recent = 0 <= time.time() - noted["at_s"] < FORGOTTEN_S
            self._resume(noted["paused"] if is_recent else ())
        except (OSError, ValueError, TypeError, KeyError) as exc:
            logger.warning("what was noted of players cannot be read: %s", type(exc).__name__)
            self._paused_notes.unlink(missing_ok=True)

    def _lower(self) -> None:
        if self._notes.exists():  # else a lowered volume would be recorded as the original
            self._recover()
        lowered = plan(self._speakers)
        if lowered is None:
            return
        try:
            replace_file(self._notes, json.dumps(asdict(lowered)).encode())
        except OSError as exc:  # do not risk a lowered volume after a crash
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


class _Mpris:
    """The implementation for Linux. See ``Players``."""

    def pause(self, note: Callable[[Paused], None]) -> None:
        from handy_qwen.system.players import pause_players

        pause_players(lambda playing: note([asdict(one) for one in playing]))

    def resume(self, paused: Paused) -> None:
        from handy_qwen.system.players import MediaPlayer, resume_players

        resume_players(MediaPlayer(one["name"], one["owner"], one["bus"]) for one in paused)
