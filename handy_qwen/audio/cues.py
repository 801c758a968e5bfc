"""Short sounds when a take begins and ends. Off by default.

A sound is worth something only at its moment: one that finds the thread still busy with another is
left out, and so is every one while the sound server hangs. Failure is logged once until a sound
plays again: a computer without speakers is no reason for a line of log at every key.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from handy_qwen.audio.playback import play_to_end, read
from handy_qwen.audio.portaudio import PortAudio
from handy_qwen.errors import HandyError
from handy_qwen.runtime.worker import Worker

logger = logging.getLogger(__name__)

START, STOP = "start.wav", "stop.wav"


class SoundCues:
    """Implements ``core.ports.Cues``; plays on a thread of its own. Methods return at once, on any thread.

    Args:
        library: PortAudio, shared with the recorder.
        folder: Where ``start.wav`` and ``stop.wav`` are.
        is_on: Whether to play at all; may be changed at any time.
    """

    def __init__(self, library: PortAudio, folder: Path, *, is_on: bool = False) -> None:
        self.is_on = is_on
        self._library = library
        self._folder = folder
        self._has_failed = False
        self.thread = Worker("cues", is_lazy=True, on_error=self._note_failure)

    def started(self) -> None:
        """A take began to record."""
        self._play(START)

    def stopped(self) -> None:
        """A take ended."""
        self._play(STOP)

    def preview(self) -> None:
        """Play both, one after the other, also while they are off."""
        if self.thread.is_idle():
            for name in (START, STOP):
                self.thread.do(partial(self._sound, name))

    def stop(self, timeout_s: float) -> None:
        """End the thread after the sound that is playing. Safe to call twice."""
        self.thread.stop(timeout_s)
        if self.thread.is_alive():
            logger.info("the sound system hangs; its thread is left behind")

    def _play(self, name: str) -> None:
        if not self.is_on:
            return
        if self.thread.is_idle():
            self.thread.do(partial(self._sound, name))
        else:
            logger.debug("a cue is left out: the one before is not over")

    def _sound(self, name: str) -> None:
        """Play one file to its end.

        Raises:
            HandyError: The file cannot be read, or the sound system is missing or cannot play.
        """
        play_to_end(self._library, *read(self._folder / name))
        self._has_failed = False

    def _note_failure(self, error: HandyError) -> None:
        level = logging.DEBUG if self._has_failed else logging.WARNING
        logger.log(level, "no sound could be played: %s", error)
        self._has_failed = True
