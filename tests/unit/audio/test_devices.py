"""Which microphone is used, and how the sound server's list is read."""

import os
import queue
from pathlib import Path

import pytest

from handy_qwen.audio import pulse
from handy_qwen.audio.devices import Device, Wish, in_order, pick, spared, tell_apart
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
    assert pick(devices, (wanted,), avoid) == expected


WEBCAM = Device("Webcam", "alsa_input.webcam", 48_000, 1)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), [BUILT_IN, WEBCAM, HEADSET]),
        (("Headset", "Webcam"), [HEADSET, WEBCAM, BUILT_IN]),
        (("Gone", "Webcam"), [WEBCAM, BUILT_IN, HEADSET]),
        (("Webcam", "", "Headset"), [WEBCAM, BUILT_IN, HEADSET]),
        (("", "Headset"), [BUILT_IN, HEADSET, WEBCAM]),
    ],
)
def test_microphones_are_used_in_the_order_of_the_settings_then_the_default_then_any(names, expected):
    assert in_order([WEBCAM, HEADSET, BUILT_IN], names) == expected
    assert pick([WEBCAM, HEADSET, BUILT_IN], names) == expected[0]


@pytest.mark.parametrize(
    ("avoid", "spare", "expected"),
    [
        ((), ("alsa_input.usb",), BUILT_IN),
        (("alsa_input.pci",), ("alsa_input.usb",), HEADSET),  # it plays, but it works
        (("alsa_input.pci", "alsa_input.usb"), (), HEADSET),
    ],
)
def test_a_headset_that_plays_comes_after_the_others_but_before_those_that_give_nothing(
    avoid, spare, expected
):
    assert pick([BUILT_IN, HEADSET], ("Headset",), avoid, spare) == expected


class Server:
    def __init__(self, playing):
        self.answer, self.asked = playing, 0

    def playing(self):
        self.asked += 1
        return self.answer


EARBUDS = Device("Earbuds", "bluez_input.1", 16_000, 1, is_headset=True)


@pytest.mark.parametrize(
    ("playing", "names", "expected"),
    [
        (set(), (), set()),
        ({"bluez_input.1"}, ("Earbuds",), {"bluez_input.1"}),
        (None, (), {"bluez_input.1"}),
        (None, ("Earbuds",), set()),  # the user asked for it
        (None, ("Webcam", "bluez_input.1"), set()),
    ],
)
def test_a_headset_is_spared_while_it_plays_or_where_nobody_can_tell_unless_it_is_wanted(
    playing, names, expected
):
    assert spared(Server(playing).playing, [BUILT_IN, EARBUDS], Wish(names, avoids_headsets=True)) == expected


def test_nobody_is_asked_what_plays_without_a_headset_or_if_it_does_not_matter():
    server = Server({"bluez_input.1"})
    assert not spared(server.playing, [BUILT_IN, HEADSET], Wish(avoids_headsets=True))
    assert not spared(server.playing, [BUILT_IN, EARBUDS], Wish())
    assert server.asked == 0


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


@pytest.mark.parametrize(
    ("handle", "is_headset"),
    [
        ("bluez_source.04_52_C7_11_22_33.handsfree_head_unit", True),  # PulseAudio
        ("bluez_input.04:52:C7:11:22:33", True),  # PipeWire
        ("bluez_input.04_52_C7_11_22_33.0", True),
        ("bluez_sink.04_52_C7_11_22_33.a2dp_sink.monitor", False),
        ("alsa_input.usb-bluez_input", False),
    ],
)
def test_a_bluetooth_headset_is_known_by_what_the_servers_call_it(handle, is_headset):
    monitor = "bluez_sink.04_52_C7_11_22_33.a2dp_sink" if "monitor" in handle else "n/a"
    listed = LISTED.split("\n\n")[1].replace("alsa_input.usb", handle).replace("n/a", monitor)
    (device,) = pulse.parse(listed, "")
    assert device.is_headset is is_headset


STREAMS = """Sink Input #7
\tSink: 3
\tCorked: no
\tProperties:
\t\tapplication.process.id = "4242"

Sink Input #8
\tSink: 4
\tCorked: yes
\tProperties:
\t\tapplication.process.id = "4243"

Sink Input #9
\tSink: 5
\tCorked: no
\tProperties:
\t\tapplication.process.id = "99"

Sink Input #10
\tSink: 6
\tCorked: no
\tProperties:
\t\tmedia.role = "event"
"""


def test_music_is_neither_paused_nor_a_sound_of_a_message_nor_our_own():
    assert pulse.used_sinks(STREAMS, own_pid=99) == {"3"}
    assert pulse.used_sinks("", own_pid=99) == set()


def test_in_a_sandbox_another_program_may_have_our_number():
    streams = STREAMS.replace('"99"', '"2"\n\t\tapplication.process.binary = "player"')
    assert pulse.used_sinks(streams, own_pid=2, own_program="python3") == {"3", "5"}
    assert pulse.used_sinks(streams, own_pid=2, own_program="player") == {"3"}


@pytest.mark.linux("PulseAudio is on Linux only")
def test_in_its_own_sandbox_the_program_is_known_by_its_file_too(tmp_path, monkeypatch):
    ours = Path("/proc/self/exe").resolve().name
    streams = STREAMS.replace("4242", f'{os.getpid()}"\n\t\tapplication.process.binary = "player')
    streams = streams.replace("4243", f'{os.getpid()}"\n\t\tapplication.process.binary = "{ours}')
    (tmp_path / "streams").write_text(streams.replace("Corked: yes", "Corked: no"))
    (tmp_path / "sinks").write_text(
        "3\tbluez_output.AA_BB_CC_00_11_22.1\tx\n4\tbluez_output.AA_BB_CC_00_11_33.1\tx\n"
    )
    lists = f'case "$*" in *sink-inputs) cat {tmp_path}/streams;; *) cat {tmp_path}/sinks;; esac'
    put_pactl(tmp_path, monkeypatch, lists)
    wanted = ["bluez_input.AA:BB:CC:00:11:22", "bluez_input.AA:BB:CC:00:11:33"]
    assert pulse.playing(wanted) == set()
    monkeypatch.setenv("FLATPAK_ID", "io.github.handy_qwen")
    assert pulse.playing(wanted) == {"bluez_input.AA:BB:CC:00:11:22"}


@pytest.mark.linux("PulseAudio is on Linux only")
def test_the_headset_that_plays_is_the_one_whose_address_the_sink_has(tmp_path, monkeypatch):
    (tmp_path / "sinks").write_text("3\tbluez_output.AA_BB_CC_00_11_22.1\tx\n4\talsa_output.pci\tx\n")
    (tmp_path / "streams").write_text(STREAMS)
    lists = f'case "$*" in *sink-inputs) cat {tmp_path}/streams;; *) cat {tmp_path}/sinks;; esac'
    put_pactl(tmp_path, monkeypatch, lists)
    wanted = ["bluez_input.AA:BB:CC:00:11:22", "bluez_input.AA:BB:CC:00:11:33"]
    assert pulse.playing(wanted) == {"bluez_input.AA:BB:CC:00:11:22"}


@pytest.mark.linux("PulseAudio is on Linux only")
@pytest.mark.expects_log
def test_a_dead_listener_for_changes_is_known_to_be_and_started_again(tmp_path, monkeypatch):
    put_pactl(tmp_path, monkeypatch, "echo \"Event 'new' on source #1\"; exec cat")
    heard = queue.SimpleQueue()

    def hear():
        heard.put(1)
        if is_faulty:
            raise SystemExit

    is_faulty = True
    subscription = pulse.PactlSubscription(hear)
    try:
        subscription.begin()
        heard.get(timeout=10)
        subscription.thread.join(10)
        assert subscription.thread.has_died()
        is_faulty = False
        subscription.thread.revive()
        heard.get(timeout=10)
        subscription.begin()
        heard.get(timeout=10)
        assert not subscription.thread.has_died()
    finally:
        subscription.stop()
    assert not subscription.thread.has_died()


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


@pytest.mark.linux("PulseAudio is on Linux only")
def test_a_sound_server_that_hangs_is_told_from_one_that_is_not_there(tmp_path, monkeypatch):
    put_pactl(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(pulse, "TIMEOUT_S", 0.05)
    with pytest.raises(MicrophoneError) as caught:
        pulse.devices()
    assert caught.value.reason is MicrophoneReason.UNRESPONSIVE
