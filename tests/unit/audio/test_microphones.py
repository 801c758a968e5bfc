"""PortAudio's devices on other systems, formats that a device refuses, and errors worded for people."""

import itertools
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from handy_qwen.audio import microphones as microphones_module
from handy_qwen.audio import portaudio as portaudio_module
from handy_qwen.audio import pulse
from handy_qwen.audio.devices import Device
from handy_qwen.audio.microphones import Microphones, state_of_cards
from handy_qwen.audio.portaudio import PortAudio, worded
from handy_qwen.errors import MicrophoneError, MicrophoneReason
from tests.unit.audio.conftest import FakePortAudio, PortAudioError, host, info

ALSA = FakePortAudio(
    info("HDA Intel PCH: ALC257 Analog (hw:0,0)", 2),
    info("USB Audio Device: - (hw:1,0)", 1, 16_000.0),
    info("HDA Intel PCH: HDMI 0 (hw:0,3)", 0),
    info("default", 32, 44_100.0),
    hosts=[host("ALSA", [0, 1, 2, 3], 3)],
)
WINDOWS = FakePortAudio(
    info("Microphone (Realtek High Defini", 2),
    info("Speakers", 0),
    info("Microphone Array", 4),
    hosts=[host("MME", [0], 0), host("Windows WASAPI", [1, 2], 2)],
)


def microphones(monkeypatch, portaudio, platform="darwin"):
    monkeypatch.setitem(sys.modules, "sounddevice", portaudio)
    monkeypatch.setattr(pulse, "devices", lambda: None)
    monkeypatch.setattr(portaudio_module, "atexit", SimpleNamespace(register=id, unregister=id))
    return Microphones(PortAudio(), platform)


def test_names_of_alsa_lose_the_address_that_changes_with_the_plugging(monkeypatch):
    found = microphones(monkeypatch, ALSA, "linux")
    assert found.devices() == [
        Device("HDA Intel PCH: ALC257 Analog", "0", 48_000, 2),
        Device("USB Audio Device", "1", 16_000, 1),
        Device("default", "3", 44_100, 32, is_default=True),
    ]


def test_cards_and_sockets_that_come_or_may_be_used_are_news(tmp_path):
    snd, runtime = tmp_path / "snd", tmp_path / "run"
    (runtime / "pulse").mkdir(parents=True)

    def state():
        return state_of_cards({"XDG_RUNTIME_DIR": str(runtime)}, snd)

    def touch(path):
        path.touch()
        os.utime(path.parent, ns=(1, next(times)))  # however coarse the clock of the file system is

    seen, times = [state()], itertools.count(1)
    snd.mkdir()
    seen.append(state())
    touch(snd / "pcmC0D0c")
    seen.append(state())
    touch(runtime / "pipewire-0")
    seen.append(state())
    touch(runtime / "pulse" / "native")
    seen.append(state())
    assert len(set(seen)) == 5
    assert state() == seen[-1]


@pytest.mark.unix("modes are POSIX's")
def test_a_card_that_may_be_used_now_is_news(tmp_path):
    node = tmp_path / "pcmC0D0c"
    node.touch(mode=0o000)
    before = state_of_cards({}, tmp_path)
    for _ in range(100_000):  # clocks of file systems are coarse
        node.chmod(0o600)
        if state_of_cards({}, tmp_path) != before:
            return
    pytest.fail("nothing has changed")


def test_there_is_news_only_if_something_changed_since_the_devices_were_asked_for(monkeypatch):
    states = [1]
    monkeypatch.setattr(microphones_module, "state_of_cards", lambda _: states[-1])
    found = microphones(monkeypatch, ALSA, "linux")
    found.devices()
    assert not found.has_news()
    states.append(2)
    assert found.has_news()
    found.devices()
    assert not found.has_news()


def test_where_nobody_tells_there_may_always_be_news(monkeypatch):
    found = microphones(monkeypatch, WINDOWS, "win32")
    found.devices()
    assert found.has_news()


def test_windows_lists_the_devices_of_wasapi(monkeypatch):
    found = microphones(monkeypatch, WINDOWS, "win32")
    assert found.devices() == [Device("Microphone Array", "2", 48_000, 4, is_default=True)]


@pytest.mark.parametrize(("portaudio", "platform", "channels"), [(ALSA, "linux", 2), (WINDOWS, "win32", 4)])
def test_only_wasapi_is_asked_for_all_channels(monkeypatch, portaudio, platform, channels):
    found = microphones(monkeypatch, portaudio, platform)
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
    portaudio = FakePortAudio(info("Mic", 2, 96_000.0))
    portaudio.refused = refused
    found = microphones(monkeypatch, portaudio)
    stream = found.open(found.devices()[0])
    assert (stream.rate_hz, stream.buffer.read().shape[1]) == expected


def test_a_busy_device_is_not_asked_for_other_formats(monkeypatch):
    portaudio = FakePortAudio(info("Mic", 1))
    portaudio.refused = {(48_000, 1): -9985}
    found = microphones(monkeypatch, portaudio)
    with pytest.raises(MicrophoneError) as caught:
        found.open(found.devices()[0])
    assert caught.value.reason is MicrophoneReason.BUSY
    assert portaudio.streams == 0


def test_a_device_is_found_by_its_name_when_its_number_has_become_another(monkeypatch):
    usb, built_in = info("USB", 1), info("Built-in", 2)
    portaudio = FakePortAudio(usb, built_in)
    found = microphones(monkeypatch, portaudio)
    wanted = found.devices()[1]
    portaudio.devices[:] = [built_in, usb]
    found.open(wanted)
    assert [options["device"] for options in portaudio.opened] == [0]


def test_a_device_that_is_gone_by_now_is_not_another_one(monkeypatch):
    portaudio = FakePortAudio(info("USB", 1), info("Built-in", 2))
    found = microphones(monkeypatch, portaudio)
    wanted = found.devices()[0]
    portaudio.devices[0] = info("Webcam", 1)
    with pytest.raises(MicrophoneError) as caught:
        found.open(wanted)
    assert caught.value.reason is MicrophoneReason.NO_DEVICE


@pytest.mark.parametrize("own", [None, "mine"])
def test_the_source_of_the_sound_server_is_chosen_for_the_opening_alone(monkeypatch, own):
    if own is None:
        monkeypatch.delenv("PULSE_SOURCE", raising=False)
    else:
        monkeypatch.setenv("PULSE_SOURCE", own)
    portaudio = FakePortAudio(info("pulse", 32))
    seen = []
    make = portaudio.RawInputStream
    portaudio.RawInputStream = lambda **options: (seen.append(os.environ["PULSE_SOURCE"]), make(**options))[1]
    found = microphones(monkeypatch, portaudio, "linux")
    found.open(Device("Headset", "alsa_input.usb", 48_000, 1))
    assert seen == ["alsa_input.usb"]
    assert os.environ.get("PULSE_SOURCE") == own


def test_the_callback_fills_the_buffer_and_counts_what_the_device_dropped(monkeypatch):
    portaudio = FakePortAudio(info("Mic", 1))
    found = microphones(monkeypatch, portaudio)
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
    found = microphones(monkeypatch, ALSA, "linux")
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
