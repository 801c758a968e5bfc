"""Which microphone is used, and how the sound server's list is read."""

import pytest

from handy_qwen.audio import pulse
from handy_qwen.audio.devices import Device, pick, tell_apart
from handy_qwen.errors import MicrophoneError, MicrophoneReason

BUILT_IN = Device("Built-in", "alsa_input.pci", 48_000, 2, is_default=True)
HEADSET = Device("Headset", "alsa_input.usb", 16_000, 1)
MONITOR = Device("Monitor of Speakers", "alsa_output.monitor", 48_000, 2, is_monitor=True)
MONITOR_BY_DEFAULT = Device(
    "Monitor of Speakers", "alsa_output.monitor", 48_000, 2, is_default=True, is_monitor=True
)


@pytest.mark.parametrize(
    ("devices", "wanted", "avoid", "expected"),
    [
        ([HEADSET, BUILT_IN], "", (), BUILT_IN),
        ([HEADSET, BUILT_IN], "Headset", (), HEADSET),
        ([HEADSET, BUILT_IN], "alsa_input.usb", (), HEADSET),
        ([BUILT_IN], "Headset", (), BUILT_IN),
        ([HEADSET], "", (), HEADSET),
        ([MONITOR, HEADSET], "", (), HEADSET),
        ([MONITOR, HEADSET], "Monitor of Speakers", (), MONITOR),
        ([MONITOR_BY_DEFAULT, HEADSET], "", (), MONITOR_BY_DEFAULT),
        ([HEADSET, BUILT_IN], "", ("alsa_input.pci",), HEADSET),
        ([HEADSET, BUILT_IN], "Headset", ("alsa_input.usb",), BUILT_IN),
        ([MONITOR, BUILT_IN], "", ("alsa_input.pci",), BUILT_IN),
    ],
)
def test_the_wanted_microphone_is_used_if_it_is_there_otherwise_the_default(devices, wanted, avoid, expected):
    assert pick(devices, wanted, avoid) == expected


@pytest.mark.parametrize("devices", [[], [MONITOR], [MONITOR_BY_DEFAULT]])
def test_what_the_speakers_play_is_no_microphone(devices):
    with pytest.raises(MicrophoneError) as caught:
        pick(devices)
    assert caught.value.reason is MicrophoneReason.NO_DEVICE
    assert caught.value.hint


def test_two_of_one_make_are_told_apart():
    assert tell_apart(["USB Mic", "Webcam", "USB Mic"]) == ["USB Mic", "Webcam", "USB Mic (2)"]


LISTED = """Source #0
\tState: IDLE
\tName: speakers.monitor
\tDescription: Monitor of Null Output
\tSample Specification: s16le 2ch 48000Hz
\tMonitor of Sink: speakers
\tProperties:
\t\tName: not this one

Source #1
\tState: RUNNING
\tName: alsa_input.usb
\tDescription: Mikrofon: Größe M
\tSample Specification: float32le 1ch 16000Hz
\tVolume: mono: 65536 / 100% / 0.00 dB
\t        balance 0.00
\tMonitor of Sink: n/a

Source #2
\tName: broken
\tSample Specification: n/a
"""


def test_the_list_of_the_sound_server_is_read():
    assert pulse.parse(LISTED, "alsa_input.usb") == [
        Device("Monitor of Null Output", "speakers.monitor", 48_000, 2, is_monitor=True),
        Device("Mikrofon: Größe M", "alsa_input.usb", 16_000, 1, is_default=True),
    ]
    assert pulse.parse("", "") == []


def put_pactl(folder, monkeypatch, script):
    program = folder / "pactl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize("script", ["echo Connection refused >&2; exit 1", None])
def test_without_a_sound_server_or_the_tool_there_is_no_list(tmp_path, monkeypatch, script):
    if script:
        put_pactl(tmp_path, monkeypatch, script)
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    assert pulse.devices() is None


def test_a_sound_server_that_hangs_is_told_from_one_that_is_not_there(tmp_path, monkeypatch):
    put_pactl(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(pulse, "TIMEOUT_S", 0.05)
    with pytest.raises(MicrophoneError) as caught:
        pulse.devices()
    assert caught.value.reason is MicrophoneReason.UNRESPONSIVE
