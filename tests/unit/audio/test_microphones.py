"""PortAudio's devices on other systems, formats that a device refuses, and errors worded for people."""

import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from handy_qwen.audio import portaudio as library_module
from handy_qwen.audio import pulse
from handy_qwen.audio.devices import Device
from handy_qwen.audio.microphones import Microphones
from handy_qwen.audio.portaudio import PortAudio, worded
from handy_qwen.errors import MicrophoneError, MicrophoneReason


class PortAudioError(Exception):
    pass


def info(name, inputs, rate=48_000.0):
    return {"name": name, "max_input_channels": inputs, "default_samplerate": rate}


class FakePortAudio:
    """The parts of sounddevice that are used; ``refused`` are the formats its devices do not take."""

    PortAudioError = PortAudioError
    default = SimpleNamespace(hostapi=0)

    def __init__(self, hosts, devices):
        self._hosts, self._devices = hosts, devices
        self.refused = {}
        self.opened = []
        self.starts = 1

    def query_hostapis(self):
        return tuple(self._hosts)

    def query_devices(self, index=None):
        return self._devices if index is None else self._devices[index]

    def _terminate(self):
        self.starts -= 1

    def _initialize(self):
        self.starts += 10

    def RawInputStream(self, **options):  # noqa: N802 sounddevice's name
        form = options["samplerate"], options["channels"]
        if form in self.refused:
            raise PortAudioError("no", self.refused[form])
        self.opened.append(options)
        return SimpleNamespace(
            samplerate=float(form[0]), start=lambda: None, abort=lambda: None, close=lambda: None
        )

    def _exit_handler(self):  # sounddevice's own
        raise AssertionError("it waits for streams that hang")


def host(name, devices, default):
    return {"name": name, "devices": devices, "default_input_device": default}


ALSA = FakePortAudio(
    [host("ALSA", [0, 1, 2, 3], 3)],
    [
        info("HDA Intel PCH: ALC257 Analog (hw:0,0)", 2),
        info("USB Audio Device: - (hw:1,0)", 1, 16_000.0),
        info("HDA Intel PCH: HDMI 0 (hw:0,3)", 0),
        info("default", 32, 44_100.0),
    ],
)
WINDOWS = FakePortAudio(
    [host("MME", [0], 0), host("Windows WASAPI", [1, 2], 2)],
    [info("Microphone (Realtek High Defini", 2), info("Speakers", 0), info("Microphone Array", 4)],
)


def microphones(monkeypatch, portaudio, platform):
    monkeypatch.setitem(sys.modules, "sounddevice", portaudio)
    monkeypatch.setattr(pulse, "devices", lambda: None)
    monkeypatch.setattr(library_module, "atexit", SimpleNamespace(register=id, unregister=id))
    library = PortAudio()
    return Microphones(library, platform), library


def test_names_of_alsa_lose_the_address_that_changes_with_the_plugging(monkeypatch):
    found, _ = microphones(monkeypatch, ALSA, "linux")
    assert found.devices() == [
        Device("HDA Intel PCH: ALC257 Analog", "0", 48_000, 2),
        Device("USB Audio Device", "1", 16_000, 1),
        Device("default", "3", 44_100, 32, is_default=True),
    ]


def test_windows_lists_the_devices_of_wasapi(monkeypatch):
    found, _ = microphones(monkeypatch, WINDOWS, "win32")
    assert found.devices() == [Device("Microphone Array", "2", 48_000, 4, is_default=True)]


@pytest.mark.parametrize(("portaudio", "platform", "channels"), [(ALSA, "linux", 2), (WINDOWS, "win32", 4)])
def test_only_wasapi_is_asked_for_all_channels(monkeypatch, portaudio, platform, channels):
    found, _ = microphones(monkeypatch, portaudio, platform)
    stream = found.open(next(device for device in found.devices() if device.is_default))
    assert stream.buffer.read().shape[1] == channels


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        ({}, (96_000, 2)),
        ({(96_000, 2): -9998}, (96_000, 1)),
        ({(96_000, 2): -9997, (96_000, 1): -9997}, (48_000, 2)),
    ],
)
def test_a_format_the_device_refuses_is_followed_by_another(monkeypatch, refused, expected):
    portaudio = FakePortAudio([host("Core Audio", [0], 0)], [info("Mic", 2, 96_000.0)])
    portaudio.refused = refused
    found, _ = microphones(monkeypatch, portaudio, "darwin")
    stream = found.open(found.devices()[0])
    assert (stream.rate_hz, stream.buffer.read().shape[1]) == expected


def test_a_busy_device_is_not_asked_for_other_formats(monkeypatch):
    portaudio = FakePortAudio([host("Core Audio", [0], 0)], [info("Mic", 1)])
    portaudio.refused = {(48_000, 1): -9985}
    found, library = microphones(monkeypatch, portaudio, "darwin")
    with pytest.raises(MicrophoneError) as caught:
        found.open(found.devices()[0])
    assert caught.value.reason is MicrophoneReason.BUSY
    assert library.call(lambda _: library.refresh()), "no stream is left"


def test_devices_are_looked_for_anew_only_while_no_stream_is_open(monkeypatch):
    portaudio = FakePortAudio([host("Core Audio", [0], 0)], [info("Mic", 1)])
    found, _ = microphones(monkeypatch, portaudio, "darwin")
    monkeypatch.setattr("handy_qwen.audio.microphones.LIST_FRESH_S", 0.0)
    stream = found.open(found.devices()[0])
    starts = portaudio.starts
    found.devices()
    assert portaudio.starts == starts
    stream.close()
    found.devices()
    assert portaudio.starts > starts


def test_a_device_is_found_by_its_name_when_its_number_has_become_another(monkeypatch):
    usb, built_in = info("USB", 1), info("Built-in", 2)
    portaudio = FakePortAudio([host("Core Audio", [0, 1], 0)], [usb, built_in])
    found, _ = microphones(monkeypatch, portaudio, "darwin")
    wanted = found.devices()[1]
    portaudio._devices[:] = [built_in, usb]
    found.open(wanted)
    assert [options["device"] for options in portaudio.opened] == [0]


def test_a_device_that_is_gone_by_now_is_not_another_one(monkeypatch):
    portaudio = FakePortAudio([host("Core Audio", [0, 1], 0)], [info("USB", 1), info("Built-in", 2)])
    found, _ = microphones(monkeypatch, portaudio, "darwin")
    wanted = found.devices()[0]
    portaudio._devices[0] = info("Webcam", 1)
    with pytest.raises(MicrophoneError) as caught:
        found.open(wanted)
    assert caught.value.reason is MicrophoneReason.NO_DEVICE


@pytest.mark.parametrize("own", [None, "mine"])
def test_the_source_of_the_sound_server_is_chosen_for_the_opening_alone(monkeypatch, own):
    if own is None:
        monkeypatch.delenv("PULSE_SOURCE", raising=False)
    else:
        monkeypatch.setenv("PULSE_SOURCE", own)
    portaudio = FakePortAudio([host("ALSA", [0], 0)], [info("pulse", 32)])
    seen = []
    make = portaudio.RawInputStream
    portaudio.RawInputStream = lambda **options: (seen.append(os.environ["PULSE_SOURCE"]), make(**options))[1]
    found, _ = microphones(monkeypatch, portaudio, "linux")
    found.open(Device("Headset", "alsa_input.usb", 48_000, 1))
    assert seen == ["alsa_input.usb"]
    assert os.environ.get("PULSE_SOURCE") == own


def test_the_callback_fills_the_buffer_and_counts_what_the_device_dropped(monkeypatch):
    portaudio = FakePortAudio([host("Core Audio", [0], 0)], [info("Mic", 1)])
    found, _ = microphones(monkeypatch, portaudio, "darwin")
    stream = found.open(found.devices()[0])
    options = portaudio.opened[0]
    block = np.arange(5, dtype=np.float32)
    options["callback"](block.tobytes(), 5, None, SimpleNamespace(input_overflow=True))
    options["callback"](block.tobytes(), 5, None, SimpleNamespace(input_overflow=False))
    np.testing.assert_array_equal(stream.buffer.read()[:, 0], np.tile(block, 2))
    assert stream.overflows == 1
    options["finished_callback"]()
    assert stream.is_finished
    options["callback"](block.tobytes(), 5, None, SimpleNamespace(input_overflow=False))
    stream.close()
    assert not len(stream.buffer.read())


def test_a_missing_portaudio_is_named_with_its_package(monkeypatch):
    class Absent:
        def find_spec(self, name, _path=None, _target=None):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(MicrophoneError, match="libportaudio2"):
        Microphones(PortAudio(), "darwin").devices()


def test_once_there_was_a_sound_server_its_absence_is_an_error(monkeypatch):
    found, _ = microphones(monkeypatch, ALSA, "linux")
    answers = [[Device("Mic", "mic", 48_000, 1)], None]
    monkeypatch.setattr(pulse, "devices", lambda: answers.pop(0))
    assert found.devices()[0].handle == "mic"
    with pytest.raises(MicrophoneError) as caught:
        found.devices()
    assert caught.value.reason is MicrophoneReason.UNRESPONSIVE


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (("no", -9985), MicrophoneReason.BUSY),
        (("no", -9999, (13, -2147024891, "Access is denied.")), MicrophoneReason.DENIED_BY_USER),
        (("no", -9999, (13, -1, "?")), MicrophoneReason.UNRESPONSIVE),
        (("Error querying device -1",), MicrophoneReason.UNRESPONSIVE),
    ],
)
def test_errors_say_what_to_do(args, reason):
    error = worded(PortAudioError(*args))
    assert error.reason is reason
    assert error.hint
