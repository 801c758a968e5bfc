"""The recorder on a real sound server: first and last words, devices that go, a server that dies or hangs.

What is played is known sample by sample, so each take is compared with it. A second listener, ``parec``,
tells when a sound really is in the air; all times are of the one monotonic clock of the machine.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from handy_qwen.audio.recorder import LOST_S
from tests.e2e.desk import require
from tests.e2e.desk.processes import Processes, wait_until
from tests.e2e.desk.sound import SINK, SOURCE, SoundServer

pytestmark = pytest.mark.desktop

RATE_HZ = 16_000
ROOT = Path(__file__).parents[2]
DEFAULT = "VirtualMicrophone"
QUICK_S = 1.5  # a restart of the sound server that a take outlasts
ATTEMPTS = 20  # at pressing a key on time, on a machine that has other things to do


def voice(seconds, seed=1):
    """Noise below 6 kHz in syllables; no part of it is like another. Shape (n,), float32, 16 kHz."""
    random = np.random.default_rng(seed)
    count = round(seconds * RATE_HZ)
    noise = soxr.resample(random.normal(0, 0.1, count * 3 // 4 + 1), 12_000, RATE_HZ)[:count]
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(len(noise)) / RATE_HZ)
    return (noise * envelope).astype(np.float32)


def likeness(heard, played):
    """The best correlation of ``played`` with a stretch of ``heard``, and where that begins, in samples.

    Sought in quarters of a sample: what is played at 48 kHz begins between two samples of 16 kHz.
    """
    size = 1 << (len(heard) + len(played)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    products = 4 * np.fft.irfft(spectrum, 4 * size)[: 4 * len(heard)]
    shift = int(np.argmax(products))
    part = heard[shift // 4 : shift // 4 + len(played)]
    return float(products[shift] / (np.linalg.norm(part) * np.linalg.norm(played) + 1e-9)), shift // 4


class Listener:
    """Knows when something is heard at the microphone."""

    def __init__(self, processes, environment, source=SOURCE):
        self._process = processes.start(
            "parec",
            ["parec", "--raw", f"--device={source}", "--rate=16000", "--channels=1", "--latency-msec=10"],
            env=environment,
            stdout=subprocess.PIPE,
        )
        self.loud_s = None
        self.is_up = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        assert self.is_up.wait(60)

    def _run(self):
        with contextlib.suppress(ValueError):  # the pipe was closed under us: the process is being ended
            while block := self._process.stdout.read1(4096):
                self.is_up.set()
                samples = np.frombuffer(block[: len(block) & ~1], np.int16)
                if self.loud_s is None and len(samples) and np.abs(samples.astype(int)).max() > 300:
                    self.loud_s = time.monotonic()

    def wait_for_sound(self):
        """The time at which the sound arrived, to some 20 ms."""
        return wait_until(lambda: self.loud_s, "a sound at the microphone", interval_s=0.002)


class Recorder:
    """The recorder's process, seen from the test."""

    def __init__(self, processes, environment, folder, *, python=(sys.executable,), begin_s=60.0):
        self._folder = folder
        self._told = queue.SimpleQueue()
        self.seen = []
        self.process = processes.start(
            "recorder",
            [*python, "-m", "tests.e2e.microphone_process", folder],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.expect("devices", begin_s)

    def _read(self):
        for line in self.process.stdout:
            self._told.put(json.loads(line))

    def send(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.expect("command", text=command)

    def expect(self, event, timeout_s=60.0, **facts):
        """Wait for an event with these facts, past those before it."""
        end_s = time.monotonic() + timeout_s
        while True:
            try:
                told = self._told.get(timeout=max(0.01, end_s - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"no {event} {facts}; seen: {self.seen}")
            self.seen.append(told)
            if told["event"] == event and facts.items() <= told.items():
                return told

    def start(self, take):
        self.send(f"start {take}")
        return self.expect("RecordingBegan", take=take)

    def stop(self, take):
        self.send(f"stop {take}")
        return self.ended(take)

    def ended(self, take):
        return self.expect("RecordingEnded", take=take)

    def samples(self, take):
        return np.load(self._folder / f"{take}.npy")

    def warm_up(self):
        """A first take, so that the stream is open and the sound before the next one is no part of it."""
        self.start(900)
        self.stop(900)
        pause(0.6)


def pause(seconds):
    """Let real time pass: sound is played in it."""
    time.sleep(seconds)


class Studio:
    """A sound server, and what a test does with it."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = Processes(folder)
        runtime, home = folder / "run", folder / "home"
        runtime.mkdir(mode=0o700)
        home.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULSE_", "XDG_"))}
        self.environment = kept | {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}
        self.server = SoundServer(self.processes, self.environment)
        self.server.start()

    def recorder(self):
        takes = self.folder / "takes"
        takes.mkdir(exist_ok=True)
        return Recorder(self.processes, self.environment, takes)

    def listener(self, source=SOURCE):
        return Listener(self.processes, self.environment, source)

    def wav(self, samples, rate_hz=48_000, channels=1):
        path = self.folder / f"{rate_hz}-{channels}-{len(samples)}.wav"
        resampled = soxr.resample(samples, RATE_HZ, rate_hz)
        soundfile.write(path, np.repeat(resampled[:, None], channels, axis=1), rate_hz)
        return path

    def play(self, samples, sink=SINK):
        return self.server.play(self.wav(samples), sink)


@pytest.fixture
def studio(tmp_path):
    require()
    place = Studio(tmp_path)
    try:
        yield place
    finally:
        place.processes.stop_all()


# --- what is heard -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate_hz", "channels"), [(48_000, 1), (44_100, 2), (16_000, 1)])
def test_a_take_is_what_was_played(studio, rate_hz, channels):
    studio.server.plug_in("usb", rate_hz, channels)
    recorder = studio.recorder()
    recorder.send("use usb")
    played = voice(2.0)
    assert recorder.start(1)["device"] == "usb"
    studio.server.play(studio.wav(played, rate_hz, channels), "usb-feed").wait(60)
    pause(0.3)
    ended = recorder.stop(1)
    assert (ended["cause"], ended["is_dead"]) == ("STOPPED", False)
    heard = recorder.samples(1)
    assert likeness(heard, played)[0] > 0.95
    assert np.abs(heard).max() == pytest.approx(np.abs(played).max(), rel=0.1)


def said_before_the_key(studio, recorder, take, word):
    """Begin ``take`` 0.3 s after ``word`` began. Returns by how much that failed, in seconds."""
    listener = studio.listener()
    studio.play(word)
    spoken_s = listener.wait_for_sound()
    pause(max(0.0, spoken_s + 0.3 - time.monotonic()))
    pressed_s = recorder.send(f"start {take}")["at_s"]
    recorder.expect("RecordingBegan", take=take)
    pause(0.3)
    recorder.stop(take)
    return abs(pressed_s - spoken_s - 0.3)


def test_a_take_on_a_warm_stream_has_what_was_said_before_the_key(studio):
    recorder, word = studio.recorder(), voice(0.25)
    recorder.warm_up()
    for take in range(1, ATTEMPTS + 1):
        if said_before_the_key(studio, recorder, take, word) < 0.05:
            break
        pause(1.0)
    correlation, at = likeness(recorder.samples(take), word)
    assert correlation > 0.95
    assert 0.05 < at / RATE_HZ < 0.35  # it began 0.2 s after the pre-roll, less what the sound server held


def said_after_the_key(studio, recorder, take, word):
    """End ``take`` 0.2 s before the end of ``word``. Returns by how much that failed, and what it cost."""
    listener = studio.listener()
    recorder.start(take)
    studio.play(word)
    spoken_s = listener.wait_for_sound()
    let_go_s = spoken_s + len(word) / RATE_HZ - 0.2
    pause(max(0.0, let_go_s - time.monotonic()))
    stopped_s = recorder.send(f"stop {take}")["at_s"]
    return abs(stopped_s - let_go_s), recorder.ended(take)["at_s"] - stopped_s


def test_a_take_has_the_end_of_a_word_that_outlasts_the_key(studio):
    recorder, word = studio.recorder(), voice(0.6)
    for take in range(1, ATTEMPTS + 1):
        late_s, tail_s = said_after_the_key(studio, recorder, take, word)
        if late_s < 0.05:
            break
    heard = recorder.samples(take)
    correlation, at = likeness(heard, word)
    assert correlation > 0.95
    assert len(heard) - at >= len(word)
    assert tail_s > 0.15


def test_a_muted_microphone_is_called_dead_afterwards(studio):
    recorder = studio.recorder()
    studio.server.control("set-source-mute", SOURCE, "1")
    recorder.start(1)
    studio.play(voice(1.5)).wait(60)
    assert recorder.stop(1)["is_dead"] is True
    studio.server.control("set-source-mute", SOURCE, "0")
    recorder.start(2)
    studio.play(voice(1.0)).wait(60)
    assert recorder.stop(2)["is_dead"] is False


def test_a_cue_is_heard_from_the_speakers_while_a_take_is_recorded(studio):
    recorder, speakers = studio.recorder(), studio.listener("speakers.monitor")
    recorder.start(1)
    asked_s = recorder.send("cue")["at_s"]
    assert speakers.wait_for_sound() > asked_s
    assert recorder.stop(1)["cause"] == "STOPPED"


# --- devices that come and go ------------------------------------------------------------------------


def test_a_microphone_unplugged_while_recording_is_replaced_by_another(studio):
    studio.server.plug_in("usb")
    recorder = studio.recorder()
    recorder.send("use usb")
    before, after = voice(1.0, seed=1), voice(1.0, seed=2)
    assert recorder.start(1)["device"] == "usb"
    studio.play(before, "usb-feed").wait(60)
    studio.server.unplug("usb")
    assert recorder.expect("MicrophoneChanged", take=1)["device"] == DEFAULT
    studio.play(after).wait(60)
    pause(0.3)
    assert recorder.stop(1)["cause"] == "STOPPED"
    heard = recorder.samples(1)
    first, second = likeness(heard, before), likeness(heard, after)
    assert min(first[0], second[0]) > 0.95
    assert first[1] < second[1]


def test_without_another_microphone_the_take_ends_with_what_was_heard(studio):
    recorder = studio.recorder()
    played = voice(1.0)
    recorder.start(1)
    studio.play(played).wait(60)
    studio.server.unplug(SOURCE)
    assert recorder.ended(1)["cause"] == "DEVICE_LOST"
    assert likeness(recorder.samples(1), played)[0] > 0.95
    recorder.send("start 2")
    assert recorder.expect("Failed", take=2)["error"] == "NO_DEVICE"


def test_the_chosen_microphone_is_used_again_once_it_is_plugged_in(studio):
    recorder = studio.recorder()
    recorder.send("use usb")
    assert recorder.start(1)["device"] == DEFAULT
    recorder.stop(1)
    studio.server.plug_in("usb")
    wait_until(lambda: "usb" in recorder.expect("devices")["names"], "the new device in the list")
    assert recorder.start(2)["device"] == "usb"


def test_the_microphones_are_used_in_their_order_whatever_comes_and_goes(studio):
    studio.server.plug_in("usb")
    studio.server.plug_in("webcam")
    recorder = studio.recorder()
    recorder.send("use usb,webcam")
    before, after = voice(1.0, seed=1), voice(1.0, seed=2)
    assert recorder.start(1)["device"] == "usb"
    studio.play(before, "usb-feed").wait(60)
    studio.server.unplug("usb")
    assert recorder.expect("MicrophoneChanged", take=1)["device"] == "webcam"
    studio.play(after, "webcam-feed").wait(60)
    pause(0.3)
    assert recorder.stop(1)["cause"] == "STOPPED"
    assert min(likeness(recorder.samples(1), played)[0] for played in (before, after)) > 0.95
    studio.server.unplug("webcam")
    wait_until(lambda: "webcam" not in recorder.expect("devices")["names"], "the device to go")
    assert recorder.start(2)["device"] == DEFAULT
    recorder.stop(2)


HEADSET = "AA_BB_CC_DD_EE_FF"


def test_a_headset_is_left_to_its_music_and_used_when_it_has_ended(studio):
    """Named as PulseAudio names those of Bluetooth: this machine has none."""
    server, source = studio.server, f"bluez_source.{HEADSET}.handsfree_head_unit"
    sink = f"bluez_sink.{HEADSET}.a2dp_sink"
    server.plug_in(source)
    server.control("load-module", "module-null-sink", f"sink_name={sink}", "norewinds=1")
    recorder = studio.recorder()
    music = studio.play(voice(30.0), sink)
    wait_until(lambda: server.control("list", "short", "sink-inputs"), "the music")
    recorder.send(f"spare {source}")
    assert recorder.start(1)["device"] == DEFAULT
    recorder.stop(1)
    music.terminate()
    wait_until(lambda: not server.control("list", "short", "sink-inputs"), "the end of the music")
    recorder.send(f"spare {source}")  # asked again; by itself it looks every few seconds
    assert recorder.start(2)["device"] == source
    recorder.stop(2)


def test_the_default_microphone_is_followed(studio):
    studio.server.plug_in("usb")
    recorder = studio.recorder()
    assert recorder.start(1)["device"] == DEFAULT
    recorder.stop(1)
    studio.server.control("set-default-source", "usb")
    recorder.expect("devices")
    assert recorder.start(2)["device"] == "usb"


# --- a sound server that dies or hangs ---------------------------------------------------------------


def test_the_sound_server_may_be_restarted_between_takes(studio):
    recorder = studio.recorder()
    recorder.warm_up()
    os.kill(studio.server.process.pid, signal.SIGKILL)
    studio.server.stop()
    recorder.send("start 1")
    recorder.expect("Failed", take=1)
    studio.server.start()
    played = voice(1.0)
    recorder.start(2)
    studio.play(played).wait(60)
    pause(0.3)
    recorder.stop(2)
    assert likeness(recorder.samples(2), played)[0] > 0.95


def test_a_take_goes_on_after_a_quick_restart_of_the_sound_server(studio):
    recorder = studio.recorder()
    before, meanwhile, after = (voice(1.0, seed) for seed in (1, 2, 3))
    for take in range(1, ATTEMPTS + 1):
        recorder.start(take)
        studio.play(before).wait(60)
        pause(0.2)
        os.kill(studio.server.process.pid, signal.SIGKILL)
        gone_s = time.monotonic()
        studio.server.stop()
        studio.server.start()
        if time.monotonic() - gone_s < QUICK_S:
            break
        recorder.stop(take)  # as long as that, a take may have ended meanwhile
    else:
        pytest.fail("the machine is too busy for this test")
    studio.play(meanwhile).wait(60)  # the recorder finds its way back somewhere in it
    pause(LOST_S)
    studio.play(after).wait(60)
    pause(0.3)
    assert recorder.stop(take)["cause"] == "STOPPED"
    assert "MicrophoneChanged" not in [told["event"] for told in recorder.seen]
    heard = recorder.samples(take)
    assert likeness(heard, before)[0] > 0.95
    assert likeness(heard, after)[0] > 0.95


def test_a_sound_server_that_hangs_hangs_nothing_here(studio):
    recorder = studio.recorder()
    played = voice(1.0)
    recorder.start(1)
    studio.play(played).wait(60)
    pause(0.2)
    os.kill(studio.server.process.pid, signal.SIGSTOP)
    assert recorder.ended(1)["cause"] == "DEVICE_LOST"
    assert likeness(recorder.samples(1), played)[0] > 0.95
    recorder.send("start 2")
    assert recorder.expect("Failed", take=2)["error"] == "UNRESPONSIVE"
    os.kill(studio.server.process.pid, signal.SIGCONT)
    pause(2.0)
    recorder.start(3)
    studio.play(played).wait(60)
    pause(0.3)
    recorder.stop(3)
    assert likeness(recorder.samples(3), played)[0] > 0.95


def test_the_program_ends_although_the_sound_server_hangs(studio):
    recorder = studio.recorder()
    recorder.start(1)
    os.kill(studio.server.process.pid, signal.SIGSTOP)
    recorder.send("close 1")
    recorder.expect("closed")
    assert recorder.process.wait(60) == 0


def test_the_program_may_end_while_it_records(studio):
    recorder = studio.recorder()
    recorder.start(1)
    recorder.send("exit")
    assert recorder.process.wait(60) == 0


# --- for a long time ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("setting", "count"), [("warm", 200), ("cold", 60)])
def test_many_takes_leave_nothing_behind(studio, setting, count):
    recorder = studio.recorder()
    recorder.send(setting)

    def takes(numbers):
        for take in numbers:
            recorder.start(take)
            assert recorder.stop(take)["cause"] == "STOPPED"
        pause(0.5)
        recorder.send("count")
        return recorder.expect("count")

    def threads():
        recorder.send("count")
        return recorder.expect("count")["threads"]

    early = takes(range(1, 21))
    late = takes(range(21, 21 + count))
    wait_until(lambda: threads() <= early["threads"], "no more threads than before", interval_s=0.1)
    assert late["memory_mb"] < early["memory_mb"] + 6
