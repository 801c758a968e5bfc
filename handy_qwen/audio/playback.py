"""Plays recordings and cues.

Threads: ``Player`` and ``SoundCues`` have one each; ``play_to_end`` blocks.
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

PATIENCE_S = 2.0  # on top of the length of the sound
OnEnd = Callable[[HandyError | None], None]
START, STOP = "start.wav", "stop.wav"


class Player:
    """Plays one sound at a time.

    Methods return at once, on any thread. ``library`` is shared with the recorder.
    """

    def __init__(self, library: PortAudio) -> None:
        self._library = library
        self._stop = threading.Event()  # of the current or pending sound
        self.thread = Worker("playback", is_lazy=True)

    def play(self, sound: Path | Sequence[Samples], on_end: OnEnd) -> None:
        """Play a file, or blocks of samples at 16 kHz, replacing what is playing.

        ``on_end`` is called on the thread ``playback`` when it ends or is stopped, with the error if any.
        """
        self.stop()
        stop = self._stop = threading.Event()
        self.thread.do(partial(self._play, sound, stop, on_end))

    def stop(self) -> None:
        """Stop playback."""
        self._stop.set()

    def close(self, timeout_s: float) -> None:
        """Stop playback, and end the thread. Safe to call twice."""
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
    """The frames of a sound file, and their rate in Hz. AudioFileError: it cannot be read."""
    try:
        frames, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioFileError(path, Message("it cannot be read")) from error
    return frames, rate_hz


def play_to_end(
    library: PortAudio, frames: Frames, rate_hz: int, stop: threading.Event | None = None
) -> None:
    """Play ``frames`` to the end, or until ``stop`` is set; HandyError if that fails."""
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
    """The data for PortAudio's callback, which must not wait for anything else."""

    def __init__(self, frames: Frames, stop: threading.Event) -> None:
        self._left = memoryview(frames.tobytes())
        self._stop = stop
        self.is_over = threading.Event()
        self.end: type[Exception]  # raised to tell sounddevice that the data is complete ...
        self.abort: type[Exception]  # ... and that the rest should not be heard

    def on_room(self, room: Any, _frames: int, _time: Any, _status: Any) -> None:  # noqa: ANN401 cffi's
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


class SoundCues:
    """Short sounds when a take begins and ends; implements ``core.ports.Cues``. Any thread; returns at once.

    A cue is only useful at its moment: it is skipped if the thread ``cues`` is busy, and always while the
    sound server hangs. A failure is logged once until a cue plays again: a computer without speakers should
    not fill the log. ``folder`` has ``start.wav`` and ``stop.wav``; ``is_on`` may be changed at any time.
    """

    def __init__(self, library: PortAudio, folder: Path, *, is_on: bool = False) -> None:
        self.is_on = is_on
        self._library = library
        self._folder = folder
        self._has_failed = False
        self.thread = Worker("cues", is_lazy=True, on_error=self._note_failure)

    def started(self) -> None:
        """Play the start sound."""
        self._play(START)

    def stopped(self) -> None:
        """Play the stop sound."""
        self._play(STOP)

    def preview(self) -> None:
        """Play both, even while they are off."""
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
        """Play one file to its end; HandyError if it cannot be read or played."""
        play_to_end(self._library, *read(self._folder / name))
        self._has_failed = False

    def _note_failure(self, error: HandyError) -> None:
        level = logging.DEBUG if self._has_failed else logging.WARNING
        logger.log(level, "no sound could be played: %s", error)
        self._has_failed = True
