"""PortAudio, through sounddevice: loaded when first needed, one call at a time, its errors as ours.

PortAudio keeps its lists without a lock, so opening, closing and listing take turns. But any of
them may hang together with the sound server; after ``TURN_S`` the next one goes on regardless.
It sees new devices only when it is started anew, which is possible only while no stream is open.

Threads: everything here may block; call it on threads that can be given up.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

from handy_qwen.errors import HandyError, MicrophoneError, MicrophoneReason

logger = logging.getLogger(__name__)

TURN_S = 2.0
_UNAVAILABLE = -9985  # paDeviceUnavailable: another program has it for itself
_ACCESS_DENIED = -2147024891  # HRESULT E_ACCESSDENIED, from WASAPI when the privacy settings forbid it


class Library:
    """The one PortAudio of this process, shared by what records and what plays."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._module: ModuleType | None = None
        self._open_streams = 0
        self._closing_streams = 0
        self._count = threading.Lock()

    @contextmanager
    def turn(self, explain: Callable[[Exception], HandyError] | None = None) -> Iterator[ModuleType]:
        """PortAudio's module, for one call.

        Args:
            explain: Makes the error to be raised out of a PortAudioError; by default ``worded``.

        Raises:
            MicrophoneError: PortAudio is missing.
            HandyError: The call failed.
        """
        has_turn = self._turn.acquire(timeout=TURN_S)
        if not has_turn:
            logger.warning("a call into the sound system hangs; going on without waiting for it")
        try:
            module = self._load()
            try:
                yield module
            except module.PortAudioError as error:
                raise (explain or worded)(error) from error
        finally:
            if has_turn:
                self._turn.release()

    def _load(self) -> ModuleType:
        if self._module is None:
            try:
                import sounddevice  # starts PortAudio, which looks for devices: 40 ms and more
            except OSError as error:
                raise MicrophoneError(
                    "PortAudio, the library that records sound, is missing or does not start.",
                    MicrophoneReason.NO_DEVICE,
                    "Install it (Debian, Ubuntu: libportaudio2; Fedora: portaudio) and try again.",
                ) from error
            atexit.unregister(sounddevice._exit_handler)  # it would wait for a sound server that hangs
            atexit.register(self._at_exit)
            self._module = sounddevice
        return self._module

    def opened(self) -> None:
        """A stream was opened: no fresh start until it is closed."""
        with self._count:
            self._open_streams += 1

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Around the closing of a stream, which may hang."""
        with self._count:
            self._closing_streams += 1
        try:
            yield
        finally:
            with self._count:
                self._closing_streams -= 1
                self._open_streams -= 1

    def _at_exit(self) -> None:
        """Stop the callbacks before Python is gone, unless it is known that this would hang."""
        if self._module is not None and not self._closing_streams:
            self._module._terminate()

    @property
    def is_busy(self) -> bool:
        """Whether a stream is open, or hangs in its closing."""
        return self._open_streams > 0

    def refresh(self) -> None:
        """Look for devices anew, unless a stream is open. Call it within ``turn``."""
        if self._module is not None and not self.is_busy:
            self._module._terminate()
            self._module._initialize()


def worded(error: Exception) -> MicrophoneError:
    """A PortAudioError as one that tells what to do.

    Source: ``PaErrorCode`` in portaudio.h, v19.7; args are (text, code, (host API, its code, its text)).
    """
    code = error.args[1] if len(error.args) > 1 else 0
    host_code = error.args[2][1] if len(error.args) > 2 else 0
    if host_code == _ACCESS_DENIED:
        return MicrophoneError(
            "The microphone may not be used.",
            MicrophoneReason.DENIED_BY_USER,
            "Allow desktop apps to use the microphone in the system's privacy settings.",
        )
    if code == _UNAVAILABLE:
        return MicrophoneError(
            "The microphone is used by another program.",
            MicrophoneReason.BUSY,
            "Close that program, or choose another microphone.",
        )
    return MicrophoneError(
        f"The microphone cannot be opened (PortAudio error {code}).",
        MicrophoneReason.UNRESPONSIVE,
        "Check that it is plugged in and that the sound system works, or choose another microphone.",
    )
