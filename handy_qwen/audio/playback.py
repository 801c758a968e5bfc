"""Sound for the ears of the user: what was recorded, and the cues.

Threads: ``Player`` has one of its own, ``playback``; ``play_to_end`` blocks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import soundfile

from handy_qwen.audio.devices import Frames
from handy_qwen.audio.portaudio import PortAudio
from handy_qwen.core.types import RATE_HZ, Samples
from handy_qwen.errors import AudioFileError, HandyError
from handy_qwen.message import Message, verbatim
from handy_qwen.runtime.worker import Worker

logger = logging.getLogger(__name__)

PATIENCE_S = 2.0  # beyond the length of the sound
OnEnd = Callable[[HandyError | None], None]


class Player:
    """Plays one sound at a time. Methods return at once, on any thread.

    Args:
        library: PortAudio, shared with the recorder.
    """

    def __init__(self, library: PortAudio) -> None:
        self._library = library
        self._stop = threading.Event()  # of what is played, or waits for that, now
        self.thread = Worker("playback", is_lazy=True)

    def play(self, sound: Path | Sequence[Samples], on_end: OnEnd) -> None:
        """Play ``sound`` in place of what is being played.

        Args:
            sound: A file, or blocks of samples at 16 kHz.
            on_end: Called on the thread ``playback`` when it is over or was stopped, with what went wrong.
        """
        self.stop()
        stop = self._stop = threading.Event()
        self.thread.do(partial(self._play, sound, stop, on_end))

    def stop(self) -> None:
        """End what is being played."""
        self._stop.set()

    def close(self, timeout_s: float) -> None:
        """End what is being played, and the thread. Safe to call twice."""
        self.stop()
        self.thread.stop(timeout_s)

    def _play(self, sound: Path | Sequence[Samples], stop: threading.Event, on_end: OnEnd) -> None:
        error = None
        try:
            if not stop.is_set():
                if isinstance(sound, Path):
                    frames, rate_hz = read(sound)
                else:
                    frames, rate_hz = np.concatenate(sound)[:, None], RATE_HZ
                play_to_end(self._library, frames, rate_hz, stop)
        except HandyError as exc:
            logger.warning("a recording could not be played: %s", exc.title)
            error = exc
        on_end(error)


def read(path: Path) -> tuple[Frames, int]:
    """The frames of a sound file, and their rate in Hz.

    Raises:
        AudioFileError: It cannot be read.
    """
    try:
        frames, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioFileError(path, Message("it cannot be read")) from error
    return frames, rate_hz


def play_to_end(
    library: PortAudio, frames: Frames, rate_hz: int, stop: threading.Event | None = None
) -> None:
    """Play ``frames`` through the speakers that the system prefers, to the end or until ``stop`` is set.

    Raises:
        HandyError: The sound system is missing or cannot play.
    """
    sound = _Sound(frames, stop or threading.Event())

    def make(portaudio: ModuleType) -> Any:  # noqa: ANN401 sounddevice is untyped
        sound.end, sound.abort = portaudio.CallbackStop, portaudio.CallbackAbort
        return portaudio.RawOutputStream(
            samplerate=rate_hz,
            channels=frames.shape[1],
            dtype="float32",
            callback=sound.on_room,
            finished_callback=sound.is_over.set,
        )

    stream = library.open_stream(make, _explain)
    try:
        library.call(lambda _: stream.start(), explain=_explain)
        sound.is_over.wait(len(frames) / rate_hz + PATIENCE_S)
    finally:
        library.close_stream(stream)


class _Sound:
    """What PortAudio's thread plays: nothing else may wait while it does."""

    def __init__(self, frames: Frames, stop: threading.Event) -> None:
        self._left = memoryview(frames.tobytes())
        self._stop = stop
        self.is_over = threading.Event()
        self.end: type[Exception]  # what sounddevice wants to be raised when all was given ...
        self.abort: type[Exception]  # ... and when what was given is not to be heard any more

    def on_room(self, room: Any, _frames: int, _time: Any, _status: Any) -> None:  # noqa: ANN401 cffi's
        """Called on PortAudio's thread."""
        size = min(len(room), len(self._left))
        room[:size] = self._left[:size]
        room[size:] = bytes(len(room) - size)
        self._left = self._left[size:]
        if self._stop.is_set():
            raise self.abort
        if not self._left:
            raise self.end


def _explain(error: Exception) -> HandyError:
    return HandyError(Message("Can't use the speakers."), verbatim(str(error.args[0]) if error.args else ""))
