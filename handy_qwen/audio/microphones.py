"""The microphones of this machine: PortAudio opens them, and lists them where it can.

    Linux with PulseAudio or PipeWire   listed by pactl, opened as PortAudio's ``pulse`` + PULSE_SOURCE
    Linux without, Windows, macOS       listed and opened by PortAudio

On Windows the devices are those of WASAPI: MME, PortAudio's default there, cuts names at 31 characters.

PulseAudio, PipeWire, Windows and macOS report changes. PortAudio notices them only while no stream is open:
until then they are ``unseen``. Asking pactl starts a process, and makes PortAudio open every device, so on
Linux the files of sound cards and sound servers tell whether there may be changes.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

from handy_qwen.audio import coreaudio, pulse
from handy_qwen.audio.devices import Device, FrameBuffer, HungError, no_microphone, tell_apart
from handy_qwen.audio.endpoints import Endpoints
from handy_qwen.audio.hotplug import SystemSubscription
from handy_qwen.audio.portaudio import PortAudio
from handy_qwen.audio.pulse import PactlSubscription
from handy_qwen.core.ports import Watched
from handy_qwen.errors import HandyError, MicrophoneError

logger = logging.getLogger(__name__)

BUFFER_S = 8.0  # how late the microphone's thread may be before samples are lost
LATENCY_S = 0.04  # at most 25 wake-ups a second; less would cost CPU time even while idle
LIST_FRESH_S = 2.0
LIST_S = 3.0  # for PortAudio to list; after this the previous list is used
START_S = 5.0  # for PortAudio to start, from a cold disk
CARDS = Path("/dev/snd")  # of Linux
PULSE_SOURCE = "PULSE_SOURCE"  # the source that libpulse records from
_OTHER_RATES_HZ = (48_000, 44_100, 16_000)
_WRONG_FORMAT = (-9997, -9998)  # paInvalidSampleRate, paInvalidChannelCount
Place = Callable[[ModuleType, Device], "int | None"]
"""PortAudio's index of a device, None if it is gone."""
_HANDS_FREE = "Hands-Free"  # in Windows' name for the microphone of a headset that leaves the music profile
_ALSA_ADDRESS = re.compile(r"[\s:-]*\(hw:\d+,\d+\)$")  # changes with the order of plugging in


class Microphones:
    """The sound system. Methods may block, so call them on threads that can be abandoned.

    Only ``watch`` and ``has_news`` return at once.
    """

    def __init__(self, library: PortAudio, platform: str = sys.platform) -> None:
        self._library = library
        self._platform = platform
        self._subscription = _subscription(platform, self._changed)
        self._on_change: Callable[[], None] | None = None
        self._known: list[Device] | None = None  # pactl's answer, until something changes
        self._changes = 0  # reported so far
        self._seen = 0  # how many of them PortAudio has seen
        self.unseen = 0  # number of the last change that PortAudio has not seen yet; 0: none
        self._cards: object = None  # as of the last listing
        self._has_server = False  # pactl has answered once: this machine has a sound server
        self._listed_s = float("-inf")
        self._listed: Sequence[Device] = ()  # PortAudio's last answer
        self._own_source = os.environ.get(PULSE_SOURCE)
        self._guard = threading.Lock()

    def devices(self) -> Sequence[Device]:
        """The microphones now, or when PortAudio last answered. Raises MicrophoneError."""
        if self._platform.startswith("linux"):
            self._cards = state_of_cards(os.environ)
            found = self._pulse_devices()
            if found is not None:
                self._library.load(START_S)  # at startup, so that it need not be done at a key press
                return found
        else:
            self._subscribe()
        try:
            self._library.call(self._look, patience_s=LIST_S if self._listed else START_S)
        except HungError:
            if not self._listed:
                raise
            logger.info("PortAudio does not answer; the list of microphones is the last one")
        return self._listed

    def has_news(self) -> bool:
        """Whether ``devices`` may return something new; True where only calling it tells."""
        if self._platform.startswith("linux"):
            return self._cards != state_of_cards(os.environ)
        return not self._subscription.is_alive or self._changes != self._seen

    def _look(self, portaudio: ModuleType) -> None:
        """Store PortAudio's list; rescan first if that is needed and possible."""
        changes = self._changes
        is_due = changes != self._seen or time.monotonic() - self._listed_s > LIST_FRESH_S
        if is_due and self._library.refresh():
            self._listed_s = time.monotonic()
            self._seen = changes
        self.unseen = changes if changes != self._seen else 0
        found = _listed(portaudio, _host(portaudio, self._platform))
        headsets = coreaudio.headsets() if self._platform == "darwin" else frozenset()
        self._listed = [
            replace(one, is_headset=one.name in headsets or _HANDS_FREE in one.name) for one in found
        ]

    def _pulse_devices(self) -> list[Device] | None:
        with self._guard:
            known, changes = self._known, self._changes
            is_subscribed = self._subscription.is_alive
        if known is not None and is_subscribed:
            return known
        found = pulse.devices()
        if found is None and self._has_server:
            raise HungError  # PortAudio's own list is useless without the server
        self._has_server = found is not None
        if found is not None and not is_subscribed and self._subscribe():
            found = pulse.devices()  # changes before the subscription were not reported
        with self._guard:
            if changes == self._changes:
                self._known = found
        return found

    def _subscribe(self) -> bool:
        """Subscribe to changes, of a sound server once it has answered: without one it ends at once."""
        with self._guard:
            if self._on_change is None:
                return False
            if not self._subscription.is_alive:
                self._subscription.begin()
        return True

    def _changed(self) -> None:
        """Called on the thread of the subscription."""
        with self._guard:
            self._known = None
            self._changes += 1
            on_change = self._on_change
        if on_change is not None:
            on_change()

    def open(self, device: Device) -> InputStream:
        """Open a stream for ``device``. MicrophoneError: that failed, or PortAudio is missing."""
        if device.handle.isdecimal():
            return self._open(device, self._place_of)
        self._library.call(self._reach_server)
        try:
            return self._open(device, _place_on_server)
        finally:
            self._library.call(lambda _: self._restore_source())

    def _reach_server(self, portaudio: ModuleType) -> None:
        if _pulse_index(portaudio) is None:  # the server was not running when PortAudio looked
            self._library.refresh()

    def _restore_source(self) -> None:
        if self._own_source is None:
            os.environ.pop(PULSE_SOURCE, None)
        else:
            os.environ[PULSE_SOURCE] = self._own_source

    def _place_of(self, portaudio: ModuleType, device: Device) -> int | None:
        """PortAudio's index for ``device``; the handle may have been reused since it was listed."""
        found = _listed(portaudio, _host(portaudio, self._platform))
        return next((int(other.handle) for other in found if other.name == device.name), None)

    def _open(self, device: Device, place: Place) -> InputStream:
        # WASAPI, the only one used on Windows, accepts no fewer channels than there are.
        channels = device.channels if self._platform == "win32" else min(device.channels, 2)
        rates = dict.fromkeys((device.rate_hz, *_OTHER_RATES_HZ))
        *others, last = product(rates, dict.fromkeys((channels, 1)))
        for form in others:
            try:
                return InputStream(self._library, device, place, form)
            except MicrophoneError as error:
                if not _is_wrong_format(error):
                    raise
        return InputStream(self._library, device, place, last)

    def watch(self, on_change: Callable[[], None]) -> None:
        """Call ``on_change``, on any thread, when devices or the default may have changed.

        Starts with the next ``devices``; not all sound systems report changes.
        """
        with self._guard:
            self._on_change = on_change

    def close(self) -> None:
        """Stop watching."""
        with self._guard:
            self._on_change = None
        self._subscription.stop()  # its thread may want the guard

    @property
    def hotplug(self) -> Watched:
        """The thread that gets the changes; it runs where the sound system reports them."""
        return self._subscription.thread

    def playing(self) -> Collection[str] | None:
        """Handles of the headsets that play another program's sound; None if unknown.

        Raises MicrophoneError.
        """
        if self._platform.startswith("linux"):
            return pulse.playing(device.handle for device in self.devices() if device.is_headset)
        if self._platform == "darwin":
            names = coreaudio.playing_headsets()
            return None if names is None else {one.handle for one in self._listed if one.name in names}
        return None


class InputStream:
    """An open microphone that fills its buffer."""

    def __init__(self, library: PortAudio, device: Device, place: Place, form: tuple[int, int]) -> None:
        rate_hz, channels = form
        self.device = device
        self.buffer = FrameBuffer(int(BUFFER_S * rate_hz), channels)
        self.is_finished = False  # it ended by itself: the device or the sound server is gone
        self.overflows = 0  # how often the system dropped samples that were not read in time
        self._is_closed = False
        self._library = library

        def make(portaudio: ModuleType) -> Any:  # noqa: ANN401 sounddevice is untyped
            index = place(portaudio, device)
            if index is None:
                raise no_microphone()
            return portaudio.RawInputStream(
                device=index,
                samplerate=rate_hz,
                channels=channels,
                dtype="float32",
                latency=LATENCY_S,
                callback=self._on_block,
                finished_callback=self._on_finished,
            )

        self._stream = library.open_stream(make)
        self.rate_hz = round(self._stream.samplerate)
        try:
            library.call(lambda _: self._stream.start())
        except HandyError:
            library.close_stream(self._stream)
            raise

    def close(self) -> None:
        """Stop and drop unread samples. Blocks as long as the sound server hangs, but records no more."""
        self._is_closed = True
        self._library.close_stream(self._stream)
        self.buffer.keep(0)

    # --- on PortAudio's thread ---------------------------------------------------------------------------

    def _on_block(self, block: Any, _frames: int, _time: Any, status: Any) -> None:  # noqa: ANN401 cffi's
        self.overflows += bool(status.input_overflow)
        if not self._is_closed:
            self.buffer.write(memoryview(block))

    def _on_finished(self) -> None:
        self.is_finished = True


def _subscription(platform: str, on_change: Callable[[], None]) -> SystemSubscription | PactlSubscription:
    if platform == "win32":
        return SystemSubscription(on_change, Endpoints())
    if platform == "darwin":
        return SystemSubscription(on_change, coreaudio.DeviceListener())
    return PactlSubscription(on_change)


def state_of_cards(environment: Mapping[str, str], cards: Path = CARDS) -> tuple[tuple[str, int], ...]:
    """A value that changes when a card is plugged in or becomes usable, or a sound server creates its socket.

    A server on another machine has no effect on it.
    """
    return tuple(_stamps(environment, cards))


def _stamps(environment: Mapping[str, str], cards: Path) -> Iterator[tuple[str, int]]:
    places = [cards]
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        places += [Path(runtime), Path(runtime, "pulse")]
    for place in places:
        try:
            yield str(place), place.stat().st_mtime_ns
        except OSError:  # there is none
            continue
    try:
        with os.scandir(cards) as nodes:
            yield from sorted((node.name, node.stat().st_ctime_ns) for node in nodes)
    except OSError:  # or it has just gone
        return


def _host(portaudio: ModuleType, platform: str) -> dict[str, Any]:
    hosts: tuple[dict[str, Any], ...] = portaudio.query_hostapis()
    wasapi = [host for host in hosts if "WASAPI" in host["name"]] if platform == "win32" else []
    chosen: dict[str, Any] = (wasapi or [hosts[portaudio.default.hostapi]])[0]
    return chosen


def _listed(portaudio: ModuleType, host: dict[str, Any]) -> list[Device]:
    infos = [(index, portaudio.query_devices(index)) for index in host["devices"]]
    inputs = [(index, info) for index, info in infos if info["max_input_channels"] > 0]
    names = tell_apart([_ALSA_ADDRESS.sub("", info["name"]) for _, info in inputs])
    return [
        Device(
            name,
            str(index),
            round(info["default_samplerate"]),
            info["max_input_channels"],
            index == host["default_input_device"],
        )
        for name, (index, info) in zip(names, inputs, strict=True)
    ]


def _is_wrong_format(error: MicrophoneError) -> bool:
    reason = error.__cause__  # a PortAudioError, if PortAudio refused
    return reason is not None and len(reason.args) > 1 and reason.args[1] in _WRONG_FORMAT


def _place_on_server(portaudio: ModuleType, device: Device) -> int | None:
    """PortAudio's index for the sound server, set up to record from ``device``."""
    os.environ[PULSE_SOURCE] = device.handle  # restored by ``Microphones.open``
    return _pulse_index(portaudio)


def _pulse_index(portaudio: ModuleType) -> int | None:
    """PortAudio's index of the device for the sound server."""
    inputs = {
        info["name"]: index
        for index, info in enumerate(portaudio.query_devices())
        if info["max_input_channels"] > 0
    }
    return inputs.get("pulse", inputs.get("default"))
