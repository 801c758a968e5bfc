"""The presenter of the microphone page.

    page --listen--> recorder --blocks, events--> here --MicrophoneTest--> page

While the page is visible the recorder listens between takes. Recordings stay in memory until the page is
left, and a dictation ends them: it has priority.

Threads: commands come on Qt's, audio and events on the microphone's, the end of playback on ``playback``.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from handy_qwen.core.events import (
    EndCause,
    Event,
    Failed,
    Heard,
    MicrophoneChanged,
    Muted,
    RecordingBegan,
    RecordingEnded,
)
from handy_qwen.core.models import Problem
from handy_qwen.core.types import RATE_HZ, Samples
from handy_qwen.core.view import Doing, MicrophoneListener, MicrophoneTest, Voice
from handy_qwen.errors import HandyError
from handy_qwen.message import Message

if TYPE_CHECKING:  # slow to import: numpy, PortAudio
    from handy_qwen.audio.playback import Player
    from handy_qwen.audio.recorder import MicrophoneRecorder

RECORD_S = 5.0
JUDGED_S = 3.0  # of audio, for a verdict: it should not change with every word
BUSY = Problem(Message("A dictation is being recorded."), Message("Try again when it's finished."))
INTERRUPTED = Problem(
    Message("The test stopped because a dictation started."), Message("Try again when it's finished.")
)
STARTING = Problem(Message("The microphone is still starting."), Message("Try again in a moment."))


class MicrophonePresenter:
    """Implements ``core.view.MicrophoneCommands``.

    Args:
        do: Runs a function on a thread of its own, once the program has started.
    """

    def __init__(self, do: Callable[[Callable[[], None]], None]) -> None:
        self._do = do
        self._recorder: MicrophoneRecorder | None = None
        self._player: Player | None = None
        self._guard = threading.RLock()  # protects what follows
        self._is_listening = False
        self._listener: MicrophoneListener = lambda _test: None
        self._test = MicrophoneTest()
        self._recent: deque[Samples] = deque()
        self._recording: list[Samples] = []

    def connect(self, recorder: MicrophoneRecorder, player: Player) -> None:
        """The parts have been created. Any thread."""
        self._recorder, self._player = recorder, player

    # --- commands ------------------------------------------------------------------------------------

    def listen(self, show: MicrophoneListener) -> None:
        """Open the microphone that a dictation would use, until ``leave``."""
        with self._guard:
            self._listener, self._is_listening = show, True
            show(self._test)
        if self._recorder is None:
            self._do(self._begin)
        else:
            self._begin()

    def leave(self) -> None:
        """Close the microphone, stop playback and forget the recording."""
        with self._guard:
            self._is_listening = False
            if self._recorder is not None:
                self._recorder.stop_listening()
            if self._player is not None:
                self._player.stop()
            self._recent.clear()
            self._recording = []
            self._show(MicrophoneTest())

    def record(self) -> None:
        """Record some seconds and play them back."""
        with self._guard:
            if self._player is not None:
                self._player.stop()
            if not self._test.device:
                is_busy = self._recorder is not None and self._recorder.is_recording()
                self._show(replace(self._test, problem=BUSY if is_busy else self._test.problem or STARTING))
                return
            self._recording = []
            self._show(replace(self._test, doing=Doing.RECORDING, has_recording=False, problem=None))

    def play(self) -> None:
        """Play the last recording again."""
        with self._guard:
            if self._recording and self._test.doing is Doing.LISTENING:
                self._play()

    def stop(self) -> None:
        """End the recording and play it, or stop playback."""
        with self._guard:
            if self._test.doing is Doing.RECORDING:
                self._play()
            elif self._player is not None:
                self._player.stop()

    # --- on other threads ----------------------------------------------------------------------------

    def _begin(self) -> None:
        with self._guard:
            if self._is_listening and self._recorder is not None:
                self._recorder.listen(self._on_block, self._on_event)

    def _on_block(self, block: Samples) -> None:
        """Called on the microphone's thread, 50 times a second."""
        with self._guard:
            self._recent.append(block)
            while sum(map(len, self._recent)) - len(self._recent[0]) >= JUDGED_S * RATE_HZ:
                self._recent.popleft()
            if self._test.doing is Doing.RECORDING:
                self._recording.append(block)
                if sum(map(len, self._recording)) >= RECORD_S * RATE_HZ:
                    self._play()

    def _on_event(self, event: Event) -> None:
        """Called on the microphone's thread."""
        with self._guard:
            if not self._is_listening:
                return
            test = self._test
            match event:
                case RecordingBegan(_, device) | MicrophoneChanged(_, device):
                    self._recent.clear()
                    problem = None if test.problem is not INTERRUPTED else INTERRUPTED
                    self._show(replace(test, device=device, voice=Voice.UNKNOWN, problem=problem))
                case Heard():
                    from handy_qwen.audio.take import judged  # numpy, imported by now

                    self._show(replace(test, voice=judged(self._recent)))
                case Muted(_, is_muted):
                    voice = Voice.SILENT if is_muted else Voice.UNKNOWN
                    self._show(replace(test, voice=voice))
                case RecordingEnded(_, cause):
                    self._end(INTERRUPTED if cause is EndCause.STOPPED else None)
                case Failed(_, error):
                    self._end(Problem(error.title, error.hint))

    def _end(self, problem: Problem | None) -> None:
        """Stop listening."""
        was_busy = self._test.doing is not Doing.LISTENING
        if self._test.doing is Doing.RECORDING:
            self._recording = []
        if self._player is not None:
            self._player.stop()
        self._show(
            MicrophoneTest(
                has_recording=bool(self._recording),
                problem=problem if was_busy or problem is not INTERRUPTED else None,
            )
        )

    def _play(self) -> None:
        if self._player is None or not self._recording:
            self._show(replace(self._test, doing=Doing.LISTENING))
            return
        recording = self._recording
        self._show(replace(self._test, doing=Doing.PLAYING, has_recording=True, problem=None))
        self._player.play(recording, lambda error: self._on_played(recording, error))

    def _on_played(self, recording: list[Samples], error: HandyError | None) -> None:
        """Called on the thread ``playback``."""
        with self._guard:
            if recording is not self._recording or self._test.doing is not Doing.PLAYING:
                return  # another one has begun, or the page was left
            problem = Problem(error.title, error.hint) if error is not None else self._test.problem
            self._show(replace(self._test, doing=Doing.LISTENING, problem=problem))

    def _show(self, test: MicrophoneTest) -> None:
        if test != self._test:
            self._test = test
            self._listener(test)
