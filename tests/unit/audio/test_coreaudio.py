"""Bluetooth headsets of macOS, asked of a CoreAudio that answers as its headers say."""

import ctypes
import queue
import sys
from types import SimpleNamespace

import pytest

from handy_qwen.audio import coreaudio, pulse
from handy_qwen.audio import portaudio as portaudio_module
from handy_qwen.audio.devices import Device, Wish, pick, spared
from handy_qwen.audio.hotplug import SystemSubscription
from handy_qwen.audio.microphones import Microphones
from handy_qwen.audio.portaudio import PortAudio
from tests.unit.audio.conftest import FakePortAudio, host, info

LONG_S = 20.0
NOT_THERE = 2003332927  # kAudioHardwareUnknownPropertyError, "who?"


def code(text):
    return int.from_bytes(text.encode(), "big")


class CoreAudio:
    """Devices by their number: name, transport, which streams they have, and whether they run."""

    def __init__(self, devices):
        self.devices = devices
        self.released = []
        self.listeners = {}  # by what they hear of
        self.refused = ""

    # --- as CoreAudio's functions ---

    def AudioObjectGetPropertyDataSize(self, number, address, _n, _qualifier, size):  # noqa: N802
        asked, size = address._obj, size._obj
        if number == 1 and asked.selector == code("dev#"):
            size.value = 4 * len(self.devices)
        elif asked.selector == code("stm#"):
            size.value = 4 * (asked.scope in [code(scope) for scope in self.devices[number]["streams"]])
        else:
            return NOT_THERE
        return 0

    def AudioObjectGetPropertyData(self, number, address, _n, _qualifier, size, into):  # noqa: N802
        asked, into = address._obj, into._obj
        assert (asked.scope, asked.element) == (code("glob"), 0)
        assert size._obj.value == ctypes.sizeof(into)
        device = self.devices.get(number, {})
        if number == 1 and asked.selector == code("dev#"):
            into[:] = list(self.devices)
        elif asked.selector == code("tran") and "transport" in device:
            into.value = code(device["transport"])
        elif asked.selector == code("gone"):
            into.value = device["runs"]
        elif asked.selector == code("lnam"):
            into.value = 1000 + number
        else:
            return NOT_THERE
        return 0

    def AudioObjectAddPropertyListener(self, number, address, listener, data):  # noqa: N802
        asked = address._obj
        assert (number, asked.scope, asked.element, data) == (1, code("glob"), 0, None)
        if asked.selector == code(self.refused or "none"):
            return NOT_THERE
        self.listeners[asked.selector] = listener
        return 0

    def AudioObjectRemovePropertyListener(self, _number, address, listener, _data):  # noqa: N802
        assert self.listeners.pop(address._obj.selector) is listener
        return 0

    # --- as CoreFoundation's ---

    def CFStringGetCString(self, text, buffer, size, encoding):  # noqa: N802
        assert (size, encoding) == (len(buffer), 0x08000100)
        buffer.value = self.devices[text.value - 1000]["name"].encode()
        return 1

    def CFRelease(self, text):  # noqa: N802
        self.released.append(text.value)


def device(name, transport, *streams, runs=False):
    return {"name": name, "transport": transport, "streams": streams, "runs": runs}


@pytest.fixture
def system(monkeypatch):
    fake = CoreAudio(
        {
            41: device("Eingebautes Mikrofon", "bltn", "inpt", runs=True),
            42: device("AirPods", "blue", "inpt"),
            43: device("AirPods", "blue", "outp", runs=True),
            44: device("Ohrhörer", "blea", "inpt", "outp"),
            45: device("Lautsprecher", "blue", "outp", runs=True),
            46: {"name": "Aggregate", "streams": ["inpt"], "runs": True},
        }
    )
    monkeypatch.setattr(coreaudio, "_libraries", lambda: (fake, fake))
    return fake


def test_headsets_are_the_bluetooth_devices_with_a_microphone(system):
    assert coreaudio.headsets() == {"AirPods", "Ohrhörer"}
    assert len(system.released) == 2, "every name is given back"


def test_a_headset_plays_if_its_other_half_runs(system):
    assert coreaudio.playing_headsets() == {"AirPods", "Lautsprecher"}
    system.devices[43]["runs"] = False
    assert coreaudio.playing_headsets() == {"Lautsprecher"}


def test_without_coreaudio_nothing_is_known(monkeypatch):
    monkeypatch.setattr(coreaudio, "_libraries", lambda: None)
    assert coreaudio.headsets() == set()
    assert coreaudio.playing_headsets() is None


@pytest.mark.parametrize("what", ["dev#", "dIn "])
def test_devices_that_come_or_go_and_another_default_are_reported(system, what):
    changes = queue.SimpleQueue()
    subscription = SystemSubscription(lambda: changes.put(None), coreaudio.DeviceListener())
    subscription.begin()
    assert subscription.is_alive
    assert system.listeners[code(what)](1, 1, None, None) == 0
    changes.get(timeout=LONG_S)
    subscription.stop(LONG_S)
    assert system.listeners == {}


def test_where_coreaudio_refuses_nothing_is_left_behind(system):
    system.refused = "dIn "
    subscription = SystemSubscription(lambda: None, coreaudio.DeviceListener())
    subscription.begin()
    subscription.thread.join(LONG_S)
    assert (subscription.is_alive, subscription.thread.has_died()) == (False, False)
    assert system.listeners == {}


@pytest.mark.usefixtures("system")
def test_the_microphones_of_macos_are_watched(monkeypatch):
    changes = queue.SimpleQueue()
    found = microphones(monkeypatch, FakePortAudio(info("Built-in", 1)), "darwin")
    found.watch(lambda: changes.put(None))
    found.devices()
    assert found.hotplug.is_alive()
    found.close()
    assert not found.hotplug.is_alive()


@pytest.mark.skipif(sys.platform != "darwin", reason="asks macOS")
def test_macos_itself_answers():
    assert coreaudio.playing_headsets() is not None
    assert all(coreaudio.headsets())


def microphones(monkeypatch, portaudio, platform):
    monkeypatch.setitem(sys.modules, "sounddevice", portaudio)
    monkeypatch.setattr(pulse, "devices", lambda: None)
    monkeypatch.setattr(portaudio_module, "atexit", SimpleNamespace(register=id, unregister=id))
    return Microphones(PortAudio(), platform)


@pytest.mark.usefixtures("system")
def test_on_macos_a_headset_that_plays_is_spared(monkeypatch):
    found = microphones(monkeypatch, FakePortAudio(info("AirPods", 1), info("Built-in", 1)), "darwin")
    devices = found.devices()
    assert [one.is_headset for one in devices] == [True, False]
    wish = Wish(("AirPods",), avoids_headsets=True)
    assert pick(devices, wish.names, spare=spared(found.playing, devices, wish)).name == "Built-in"


def test_on_windows_a_headset_is_known_by_its_telephone_profile_and_used_if_it_is_wanted(monkeypatch):
    earbuds, built_in = "Headset (Buds Hands-Free AG Audio)", "Microphone Array"
    wasapi = host("Windows WASAPI", [0, 1], 0)
    portaudio = FakePortAudio(info(earbuds, 1, 16_000.0), info(built_in, 2), hosts=[wasapi])
    found = microphones(monkeypatch, portaudio, "win32")
    devices = found.devices()
    assert devices[0] == Device(earbuds, "0", 16_000, 1, is_default=True, is_headset=True)
    for names, expected in (((), built_in), ((earbuds,), earbuds)):
        wish = Wish(names, avoids_headsets=True)
        assert pick(devices, names, spare=spared(found.playing, devices, wish)).name == expected
