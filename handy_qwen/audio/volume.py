"""The volume of the speakers: lowered during dictation, and restored.

    Linux     ``pactl``, as for the microphones
    macOS     ``osascript``, which needs no permission for it
    Windows   IAudioEndpointVolume

Sources: https://learn.microsoft.com/windows/win32/api/endpointvolume/; method indexes follow endpointvolume.h
and mmdeviceapi.h.
"""

from __future__ import annotations

import ctypes
import logging
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Protocol

from handy_qwen.audio import com, pulse
from handy_qwen.audio.endpoints import ENUMERATOR, ENUMERATOR_CLASS, MULTIMEDIA
from handy_qwen.errors import HandyError

logger = logging.getLogger(__name__)

SHARE = 0.25  # of the volume that remains
TIMEOUT_S = 2.0
_VOLUME = re.compile(r":\s*(\d+)\s*/")  # of a channel, in ``Volume: front-left: 65536 / 100% / 0.00 dB``


class Speakers(Protocol):
    """An output device. Calls may wait for the sound system."""

    def volume(self) -> tuple[str, list[float]] | None:
        """The current device, and the volume of its channels in a unit of its own; None: unknown."""

    def set_volume(self, device: str, channels: list[float]) -> bool:
        """Set it. False: ``device`` is gone, or the sound system does not answer."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """What was lowered, and how to restore it: stored in a file, in case the program ends before."""

    device: str
    before: list[float]
    now: list[float]


def plan(speakers: Speakers) -> Lowered | None:
    """What to lower; ``apply`` does so once this is stored. None: nothing can be lowered."""
    found = speakers.volume()
    if found is None or not any(found[1]):
        return None
    device, before = found
    return Lowered(device, before, [round(one * SHARE, 4) for one in before])


def apply(speakers: Speakers, lowered: Lowered) -> None:
    """Lower it."""
    speakers.set_volume(lowered.device, lowered.now)


def restore(speakers: Speakers, lowered: Lowered) -> bool:
    """Restore the volume, unless somebody else has changed it. False: try again later.

    This includes a device that no longer plays, such as a headset that was taken off, if the system still has
    it.
    """
    found = speakers.volume()
    if found is not None and found[0] == lowered.device:
        is_ours = len(found[1]) == len(lowered.now) and all(
            abs(a - b) <= max(0.02 * abs(b), 0.02) for a, b in zip(found[1], lowered.now, strict=True)
        )
        if not is_ours:
            return True
    return speakers.set_volume(lowered.device, lowered.before)


def speakers_for() -> Speakers:
    """The implementation for this system."""
    if sys.platform == "win32":
        return WindowsSpeakers()
    return MacSpeakers() if sys.platform == "darwin" else PulseSpeakers()


class PulseSpeakers:
    """The default sink of PulseAudio or PipeWire."""

    def volume(self) -> tuple[str, list[float]] | None:
        """See ``Speakers``."""
        sink = (self._pactl("get-default-sink") or "").strip()
        channels = _VOLUME.findall(self._pactl("get-sink-volume", sink) or "") if sink else []
        return (sink, [float(one) for one in channels]) if channels else None

    def set_volume(self, device: str, channels: list[float]) -> bool:
        """See ``Speakers``."""
        return self._pactl("set-sink-volume", device, *(str(round(one)) for one in channels)) is not None

    def _pactl(self, *command: str) -> str | None:
        try:
            return pulse.pactl(*command)
        except HandyError as exc:  # the server hangs
            logger.info("the volume cannot be asked or set: %s", type(exc).__name__)
            return None


class MacSpeakers:
    """The output of macOS, from 0 to 100."""

    def volume(self) -> tuple[str, list[float]] | None:
        """See ``Speakers``."""
        told = self._osascript("output volume of (get volume settings)") or ""
        return ("output", [float(told)]) if told.isdecimal() else None  # some devices have none

    def set_volume(self, _device: str, channels: list[float]) -> bool:
        """See ``Speakers``."""
        return self._osascript(f"set volume output volume {round(channels[0])}") is not None

    def _osascript(self, line: str) -> str | None:
        try:
            done = subprocess.run(
                ["osascript", "-e", line], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            logger.info("the volume cannot be asked or set: %s", type(exc).__name__)
            return None
        return None if done.returncode else done.stdout.strip()


class WindowsSpeakers:
    """The default multimedia endpoint of Windows, from 0 to 1."""

    def volume(self) -> tuple[str, list[float]] | None:
        """See ``Speakers``."""
        level = ctypes.c_float()
        is_known = self._call(_GET_SCALAR, ctypes.byref(level))
        return ("default", [float(level.value)]) if is_known else None

    def set_volume(self, _device: str, channels: list[float]) -> bool:
        """See ``Speakers``."""
        return self._call(_SET_SCALAR, channels[0], None)

    def _call(self, place: int, *arguments: Any) -> bool:  # noqa: ANN401  of ctypes
        """Call a method of IAudioEndpointVolume. Returns whether it succeeded."""
        com.join_apartment()
        try:
            with com.Objects() as objects:
                enumerator = objects.make(ENUMERATOR_CLASS, ENUMERATOR)
                device = objects.get(enumerator, _GET_DEFAULT, _RENDER, MULTIMEDIA)
                endpoint = objects.get(device, _ACTIVATE, com.guid(_ENDPOINT), com.CLSCTX_ALL, None)
                com.call(endpoint, place, *arguments)
        except OSError as exc:  # no speakers
            logger.info("the volume cannot be asked or set: %s", exc)
            return False
        return True


_ENDPOINT = "{5CDF2C82-841E-4546-9722-0CF74078229A}"  # IAudioEndpointVolume
_RENDER = 0
_GET_DEFAULT, _ACTIVATE, _SET_SCALAR, _GET_SCALAR = 4, 3, 7, 9  # indexes in the tables
