"""What goes on around the dictations: the machine sleeps, wakes up and is unlocked; other programs play.

Before a sleep the recording ends, so that its text is on its way when the lid opens. After it the microphone
is opened anew: headsets and docks may be others. So are hotkeys where the system may forget who listens, as
Windows and macOS do; an X server and a portal do not, and a key that is pressed meanwhile would be lost.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from handy_qwen import paths
from handy_qwen.app.quieting import Quieting
from handy_qwen.core.events import HotkeysDied, Request, Requested, Slept
from handy_qwen.core.ports import Post, Watched
from handy_qwen.core.types import WhileRecording
from handy_qwen.core.view import Phase, View
from handy_qwen.runtime import watchdog
from handy_qwen.system.power import power_watch_for, wait_while

if TYPE_CHECKING:  # slow to import
    from handy_qwen.audio.recorder import MicrophoneRecorder

ENDING_S = 1.5  # for a recording to end before a sleep


class Surroundings:
    """Threads: any may call; see ``system.power`` for those that it is called on.

    Args:
        post: Gets the events.
        recorder: The microphone; None before it is there.
        how: What is to become of other sound while somebody speaks.
        platform: As in ``sys``.
    """

    def __init__(
        self,
        post: Post,
        recorder: Callable[[], MicrophoneRecorder | None],
        how: Callable[[], WhileRecording],
        platform: str = sys.platform,
    ) -> None:
        self._post, self._recorder = post, recorder
        self._is_forgetful = platform in {"win32", "darwin"}
        self._power = power_watch_for(self._on_sleep, self._on_wake)
        self._quieting = Quieting(how, paths.data_dir())

    def start(self) -> None:
        """Begin; the parts are there."""
        self._power.start()
        self._quieting.start()

    def stop(self, timeout_s: float) -> None:
        """End. Safe to call twice."""
        self._quieting.stop(timeout_s)
        self._power.stop(timeout_s)

    def workers(self) -> dict[str, Watched | None]:
        """The threads, by their subjects in ``runtime.watchdog``."""
        return {watchdog.POWER: self._power.thread, watchdog.QUIETING: self._quieting.thread}

    def on_view(self, view: View) -> None:
        """See whether somebody speaks."""
        self._quieting.want(view.phase is Phase.RECORDING)

    def has_slept(self, for_s: float) -> None:
        """The watchdog has seen that the machine slept."""
        self._post(Slept(for_s))
        self._on_wake()

    def _is_recording(self) -> bool:
        recorder = self._recorder()
        return recorder is not None and recorder.is_recording()

    def _on_sleep(self) -> None:
        self._post(Requested(Request.STOP, time.monotonic()))
        wait_while(self._is_recording, ENDING_S)

    def _on_wake(self) -> None:
        if self._is_forgetful and not self._is_recording():  # else the key that ends it may be held
            self._post(HotkeysDied())
        if (recorder := self._recorder()) is not None:
            recorder.wake()
