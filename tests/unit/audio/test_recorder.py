"""Takes begin early, end late, survive their device, and never hang; all without device, thread or clock."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from handy_qwen.audio.devices import Device, FrameBuffer, Wish
from handy_qwen.audio.recorder import ALWAYS, ASK_IDLE_S, RETRY_IDLE_S, MicrophoneRecorder
from handy_qwen.audio.take import Take
from handy_qwen.core.events import (
    EndCause,
    Failed,
    Heard,
    MicrophoneChanged,
    Muted,
    RecordingBegan,
    RecordingEnded,
)
from handy_qwen.errors import MicrophoneError, MicrophoneReason

BUILT_IN = Device("Built-in", "built-in", 16_000, 1, is_default=True)
HEADSET = Device("Headset", "headset", 48_000, 2)
HEADSET_BY_DEFAULT = Device("Headset", "headset", 48_000, 2, is_default=True)
BUILT_IN_BESIDES = Device("Built-in", "built-in", 16_000, 1)
STEP_S = 0.02
ROOM = 0.01
BUSY = MicrophoneError("Another program is using the microphone.", MicrophoneReason.BUSY, "Close it.")


class FakeStream:
    def __init__(self, device):
        self.device = device
        self.rate_hz = device.rate_hz
        self.buffer = FrameBuffer(8 * device.rate_hz, device.channels)
        self.is_finished = False
        self.overflows = 0
        self.is_closed = False
        self.is_stalled = False
        self.heard = 0

    def hear(self, seconds, value):
        """Get a block in which every sample is ``value``, or counts up if that is None."""
        if self.is_stalled or self.is_finished or self.is_closed:
            return
        count = round(seconds * self.rate_hz)
        ramp = np.arange(self.heard, self.heard + count, dtype=np.float32) / 1e6
        block = ramp if value is None else np.full(count, value, np.float32)
        self.heard += count
        self.buffer.write(memoryview(np.repeat(block[:, None], self.device.channels, axis=1).tobytes()))

    def close(self):
        self.is_closed = True


class FakeBackend:
    def __init__(self):
        self.present = [BUILT_IN]
        self.streams = []
        self.error = None
        self.on_change = None
        self.playing_now = None  # nobody can tell
        self.unseen = 0
        self.news, self.asked = True, 0

    def devices(self):
        self.asked += 1
        return list(self.present)

    def has_news(self):
        return self.news

    def playing(self):
        return self.playing_now

    def open(self, device):
        if self.error is not None:
            raise self.error
        self.streams.append(FakeStream(device))
        return self.streams[-1]

    def watch(self, on_change):
        self.on_change = on_change

    def close(self):
        self.on_change = None

    @property
    def opened(self):
        return [stream for stream in self.streams if not stream.is_closed]


class Studio:
    """A recorder, its fakes, and a clock that ``run`` moves while the microphones hear ``value``."""

    def __init__(self, backend=None, **options):
        self.now_s = 100.0
        self.value = 0.1
        self.backend = backend or FakeBackend()
        self.events = []
        self.lists = []
        self.blocks = {}
        self.jobs = []
        self.is_hanging = False
        options = {"warm_s": 30.0} | options
        self.recorder = MicrophoneRecorder(
            self.events.append,
            self.backend,
            on_devices=lambda listed: self.lists.append(list(listed.devices)),
            clock=lambda: self.now_s,
            spawn=self.spawn,
            **options,
        )

    def spawn(self, job, name):
        self.jobs.append((job, name))
        return lambda _timeout_s: None

    def run(self, seconds=STEP_S):
        end_s = self.now_s + seconds - 1e-6
        while self.now_s < end_s:
            self.recorder.run_pending()
            if not self.is_hanging:
                jobs, self.jobs = self.jobs, []
                for job, _ in jobs:
                    job()
            self.now_s += STEP_S
            for stream in self.backend.streams:
                stream.hear(STEP_S, self.value)
            self.recorder.run_pending()

    def start(self, take, seconds=0.0):
        self.blocks[take] = []
        self.recorder.start(take, self.blocks[take].append)
        self.recorder.run_pending()
        if seconds:
            self.run(seconds)

    def speak(self, take):
        """Begin a take in which somebody speaks after half a second."""
        self.value = ROOM
        self.start(take, 0.5)
        self.value = 0.1
        self.run(0.5)

    def stop(self, take, seconds=0.6):
        self.recorder.stop(take)
        self.run(seconds)

    def record(self, take, seconds, more=0.6):
        """Begin take ``take``, end it after ``seconds``, and let ``more`` pass."""
        self.start(take, seconds)
        self.stop(take, more)

    def plug(self, *devices):
        """From now on these are the devices, and the system says so."""
        self.backend.present = list(devices)
        self.recorder.refresh_devices()
        self.run(0.5)

    @property
    def ended(self):
        return self.of(RecordingEnded)[0]

    def samples(self, take):
        return np.concatenate([np.zeros(0, np.float32), *self.blocks[take]])

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def studio():
    return Studio()


# --- the plain course --------------------------------------------------------------------------------


def test_a_take_has_every_sample_from_its_first_to_its_last(studio):
    studio.value = None
    studio.record(1, 1.0)
    samples = studio.samples(1)
    np.testing.assert_allclose(np.diff(samples), 1e-6, atol=1e-7)
    assert samples[0] == 0
    told = [type(event) for event in studio.events if not isinstance(event, Heard)]
    assert told == [RecordingBegan, RecordingEnded]
    ended = studio.ended
    assert ended == RecordingEnded(1, EndCause.STOPPED, len(samples) / 16_000, is_dead=False)


def test_the_beginning_is_told_with_the_first_samples_not_before(studio):
    studio.start(1)
    studio.is_hanging = True
    studio.run(1.0)
    assert studio.events == []
    studio.is_hanging = False
    studio.run(2 * STEP_S)
    assert studio.events == [RecordingBegan(1, "Built-in")]


def test_any_rate_and_number_of_channels_becomes_16_khz_mono(studio):
    studio.backend.present = [HEADSET]
    studio.record(1, 1.0)
    samples = studio.samples(1)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(studio.ended.duration_s * 16_000)
    assert len(samples) == pytest.approx(16_000 * 1.04, abs=16_000 * 0.05)
    np.testing.assert_allclose(samples[2000:-2000], 0.1, atol=1e-3)


def test_channels_beyond_the_second_may_be_what_the_speakers_play_and_are_left_out():
    stream, blocks = FakeStream(Device("Interface", "interface", 16_000, 4)), []
    take = Take(1, blocks.append, 0.0)
    take.attach(stream, is_fresh=True)
    frames = np.tile(np.array([0.1, 0.1, 0.9, 0.9], np.float32), (1600, 1))
    stream.buffer.write(memoryview(frames.tobytes()))
    take.detach(1.0)
    np.testing.assert_allclose(np.concatenate(blocks), 0.1, atol=1e-6)


def test_a_command_for_another_take_changes_nothing(studio):
    studio.start(2, 0.5)
    studio.recorder.stop(1)
    studio.recorder.cancel(3)
    studio.run(1.0)
    assert studio.of(RecordingEnded) == []


def test_every_sample_leaves_the_resampler_at_the_end():
    studio = Studio(warm_s=0.0)
    studio.backend.present = [HEADSET]
    studio.record(1, 1.0)
    assert len(studio.samples(1)) == pytest.approx(studio.backend.streams[0].heard / 3, abs=1)


def test_a_warm_stream_found_dead_at_the_key_is_tried_again_for_a_while(studio):
    studio.record(1, 0.5)
    studio.backend.streams[0].is_finished = True
    studio.backend.error = BUSY
    studio.start(2, 1.0)
    assert studio.of(Failed) == []
    studio.run(2.5)
    assert studio.of(Failed) == [Failed(2, BUSY)]


@pytest.mark.parametrize("device", [BUILT_IN, HEADSET])
def test_a_cancelled_take_gets_nothing_more(studio, device):
    studio.backend.present = [device]
    studio.start(1, 0.5)
    before = len(studio.samples(1))
    studio.backend.streams[0].hear(STEP_S, 0.1)
    studio.recorder.cancel(1)
    studio.run(0.5)
    assert len(studio.samples(1)) == before
    assert studio.ended.cause is EndCause.CANCELLED


def test_a_take_that_is_over_before_the_device_opened_ends_empty(studio):
    studio.is_hanging = True
    studio.start(1)
    studio.stop(1)
    assert studio.events == [RecordingEnded(1, EndCause.STOPPED, 0.0, is_dead=False)]


def test_the_end_of_the_program_ends_the_take_with_what_was_heard(studio):
    studio.start(1, 0.5)
    studio.recorder.close(0.0)
    studio.run()
    assert studio.ended.cause is EndCause.STOPPED
    assert len(studio.samples(1)) == 8000
    assert studio.backend.opened == []


# --- pre-roll and tail -------------------------------------------------------------------------------


def test_a_warm_stream_gives_the_half_second_before_the_key(studio):
    studio.record(1, 0.2, 2.0)
    studio.value = None
    studio.run(0.5)
    studio.record(2, 1.0)
    samples = studio.samples(2)
    assert len(samples) == pytest.approx(16_000 * 1.54, abs=16_000 * STEP_S)
    np.testing.assert_allclose(np.diff(samples), 1e-6, atol=1e-7)


def test_no_sound_belongs_to_two_takes(studio):
    studio.value = None
    studio.record(1, 0.5, 0.2)
    studio.record(2, 0.5, 0.2)
    assert studio.samples(2)[0] > studio.samples(1)[-1]


def test_sound_of_a_cancelled_take_is_not_in_the_next(studio):
    studio.value = None
    studio.start(1, 0.5)
    studio.recorder.cancel(1)
    studio.start(2, 0.1)
    assert studio.samples(2)[0] == pytest.approx(0.5 * 16_000 / 1e6)


def test_a_take_that_begins_in_the_tail_of_another_ends_that_one_without_a_gap(studio):
    studio.value = None  # ever louder, as if somebody began to speak
    studio.record(1, 0.5, 0.1)
    studio.start(2, 0.5)
    assert [event.take for event in studio.of(RecordingEnded)] == [1]
    assert studio.samples(2)[0] == pytest.approx(studio.samples(1)[-1] + 1e-6)


def test_a_stream_that_stood_still_gives_no_pre_roll(studio):
    studio.record(1, 0.5, 2.0)
    stream = studio.backend.streams[0]
    stream.is_stalled = True
    studio.run(0.8)
    studio.start(2)
    stream.is_stalled = False
    studio.run(0.1)
    assert len(studio.samples(2)) <= 0.12 * 16_000


def test_the_tail_lasts_until_speech_has_ended(studio):
    studio.speak(1)
    studio.stop(1, 0.2)
    assert studio.of(RecordingEnded) == []
    studio.value = ROOM
    studio.run(0.16)
    assert len(studio.samples(1)) == pytest.approx(16_000 * 1.32, abs=16_000 * 2 * STEP_S)


def test_the_tail_ends_although_somebody_goes_on_speaking(studio):
    studio.speak(1)
    studio.stop(1, 0.5)
    assert studio.ended.duration_s == pytest.approx(1.4, abs=2 * STEP_S)


def test_between_takes_no_more_than_the_pre_roll_is_kept_in_memory(studio):
    studio.record(1, 1.0, 5.0)
    assert 8000 <= len(studio.backend.streams[0].buffer.read()) <= 8000 + STEP_S * 16_000


# --- warm and cold -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("warm_s", "after_s", "is_open"), [(0.0, 0.1, False), (30.0, 29.0, True), (30.0, 31.0, False)]
)
def test_the_stream_is_kept_as_long_as_the_settings_say(warm_s, after_s, is_open):
    studio = Studio(warm_s=warm_s)
    studio.record(1, 0.2, 0.1)
    studio.run(after_s)
    assert bool(studio.backend.opened) is is_open


def test_an_always_warm_stream_is_open_before_the_first_take_and_opened_again_when_lost():
    studio = Studio(warm_s=ALWAYS)
    studio.run(0.5)
    first = studio.backend.streams[0]
    first.is_finished = True
    studio.run(0.5)
    assert first.is_closed
    assert len(studio.backend.opened) == 1
    studio.start(1, STEP_S)
    assert len(studio.samples(1)) > 0.4 * 16_000


def test_other_settings_take_effect_between_takes(studio):
    studio.backend.present = [BUILT_IN, HEADSET]
    studio.start(1, 0.5)
    studio.recorder.configure(Wish(("Headset",)), 30.0)
    studio.run(0.5)
    assert studio.backend.opened[0].device is BUILT_IN
    studio.stop(1, 0.5)
    assert [stream.device for stream in studio.backend.opened] == [HEADSET]
    studio.recorder.configure(Wish(("Headset",)), 0.0)
    studio.run()
    assert studio.backend.opened == []


def test_the_default_device_is_followed_while_warm(studio):
    studio.record(1, 0.5)
    studio.plug(BUILT_IN_BESIDES, HEADSET_BY_DEFAULT)
    assert [stream.device.name for stream in studio.backend.opened] == ["Headset"]
    assert [device.name for device in studio.lists[-1]] == ["Built-in", "Headset"]


class ShortSightedBackend(FakeBackend):
    """Sees what has changed only while nothing is open, as PortAudio does."""

    def __init__(self):
        super().__init__()
        self.there = [BUILT_IN]
        self.changes = self.seen = 0
        self.is_kept = False  # by something else that is open

    def devices(self):
        if not self.opened and not self.is_kept:
            self.present, self.seen = list(self.there), self.changes
        self.unseen = self.changes if self.changes != self.seen else 0
        return super().devices()

    def change(self, *devices):
        self.there, self.changes = devices, self.changes + 1
        self.on_change()


@pytest.fixture
def short_sighted():
    studio = Studio(ShortSightedBackend())
    studio.backend.watch(studio.recorder.refresh_devices)
    return studio


def test_a_warm_stream_gives_way_to_a_change_that_cannot_be_seen_under_it(short_sighted):
    studio = short_sighted
    studio.record(1, 0.5)
    studio.backend.change(BUILT_IN_BESIDES, HEADSET_BY_DEFAULT)
    studio.run(0.5)
    assert studio.lists[-1] == [BUILT_IN_BESIDES, HEADSET_BY_DEFAULT]
    assert [stream.device.name for stream in studio.backend.opened] == ["Headset"]


def test_a_take_keeps_its_stream_and_the_change_is_seen_right_after_it(short_sighted):
    studio = short_sighted
    studio.start(1, 0.5)
    studio.backend.change(BUILT_IN, HEADSET)
    studio.run(0.5)
    assert len(studio.backend.opened) == 1
    assert studio.lists == [[BUILT_IN]]
    studio.stop(1, 0.5)
    studio.run(0.5)
    assert studio.lists == [[BUILT_IN], [BUILT_IN, HEADSET]]
    assert studio.ended.cause is EndCause.STOPPED


def test_a_headset_that_changes_something_whenever_it_is_opened_is_not_opened_all_the_time(short_sighted):
    studio = short_sighted
    open_it = studio.backend.open

    def open_and_change(device):
        stream = open_it(device)
        studio.backend.change(*studio.backend.there)
        return stream

    studio.backend.open = open_and_change
    studio.recorder.configure(Wish(), ALWAYS)
    studio.run(25.0)
    assert len(studio.backend.streams) == 4


def test_for_one_change_the_stream_is_closed_once_and_looked_again_while_nothing_is_open(short_sighted):
    studio = short_sighted
    studio.recorder.configure(Wish(), ALWAYS)
    studio.record(1, 0.5)
    before = len(studio.backend.streams)
    studio.backend.is_kept = True
    studio.backend.change(BUILT_IN, HEADSET)
    studio.run(10.0)
    assert len(studio.backend.streams) == before + 1
    studio.recorder.configure(Wish(), 0.0)
    studio.run(0.5)
    assert studio.lists == [[BUILT_IN]]
    studio.backend.is_kept = False
    studio.run(5.0)
    assert studio.lists == [[BUILT_IN], [BUILT_IN, HEADSET]]


def test_what_could_not_be_seen_while_the_stream_was_kept_is_seen_when_it_is_given_back(short_sighted):
    studio = short_sighted
    studio.start(1, 0.5)
    studio.backend.change(BUILT_IN, HEADSET)
    studio.backend.is_kept = True  # by the sound that tells of the end
    studio.stop(1, 5.0)
    studio.backend.is_kept = False
    studio.run(10.0)
    assert studio.lists == [[BUILT_IN]]
    studio.run(20.0)
    assert studio.lists == [[BUILT_IN], [BUILT_IN, HEADSET]]


def test_the_devices_are_told_when_they_change_and_only_then(studio):
    studio.recorder.refresh_devices()
    studio.run(0.5)
    studio.recorder.refresh_devices()
    studio.run(0.5)
    assert studio.lists == [[BUILT_IN]]
    studio.plug(BUILT_IN, HEADSET)
    assert studio.lists[1:] == [[BUILT_IN, HEADSET]]


def test_a_listing_that_hangs_is_not_repeated_until_it_is_over(studio):
    studio.is_hanging = True
    for _ in range(5):
        studio.recorder.refresh_devices()
        studio.run(0.5)
    assert [name for _, name in studio.jobs] == ["microphone-list"]
    studio.is_hanging = False
    studio.backend.present = [HEADSET]
    studio.run(0.5)
    assert studio.lists == [[HEADSET]]


def test_a_sound_system_that_does_not_answer_is_asked_again(studio):
    def refuse():
        raise BUSY

    studio.backend.devices = refuse
    studio.recorder.refresh_devices()
    studio.run(0.5)
    assert studio.lists == []
    del studio.backend.devices
    studio.recorder.refresh_devices()
    studio.run(0.5)
    assert studio.lists == [[BUILT_IN]]


def test_a_monitor_in_use_is_kept_when_the_last_microphone_goes(studio):
    monitor = Device("Monitor", "monitor", 48_000, 2, is_default=True, is_monitor=True)
    studio.backend.present = [monitor, HEADSET]
    studio.start(1, 0.5)
    studio.plug(monitor)
    studio.stop(1)
    assert studio.ended.cause is EndCause.STOPPED


def test_the_wanted_device_is_returned_to_when_it_is_plugged_in_again():
    studio = Studio(wish=Wish(("Headset",)))
    studio.start(1, 0.5)
    assert studio.of(RecordingBegan)[0].device == "Built-in"
    studio.backend.present = [BUILT_IN, HEADSET]
    studio.recorder.refresh_devices()
    studio.stop(1)
    studio.start(2, 0.5)
    assert studio.of(RecordingBegan)[1].device == "Headset"


def test_the_first_of_the_list_that_is_connected_is_used_and_again_when_it_comes_back():
    studio = Studio(wish=Wish(("Headset", "Webcam")))
    webcam = Device("Webcam", "webcam", 16_000, 1)
    studio.backend.present = [BUILT_IN, webcam]
    studio.record(1, 0.5)
    studio.plug(BUILT_IN, webcam, HEADSET)
    studio.record(2, 0.5)
    studio.plug(BUILT_IN)
    studio.record(3, 0.5)
    assert [event.device for event in studio.of(RecordingBegan)] == ["Webcam", "Headset", "Built-in"]


def test_a_take_goes_on_with_the_next_of_the_list_when_its_microphone_vanishes():
    studio = Studio(wish=Wish(("Headset", "Webcam")))
    webcam = Device("Webcam", "webcam", 16_000, 1)
    studio.backend.present = [BUILT_IN, webcam, HEADSET]
    studio.start(1, 1.0)
    studio.plug(BUILT_IN, webcam)
    studio.run(1.0)
    studio.stop(1)
    assert studio.of(MicrophoneChanged) == [MicrophoneChanged(1, "Webcam")]
    assert studio.ended.cause is EndCause.STOPPED
    assert studio.ended.duration_s > 1.9


EARBUDS = Device("Earbuds", "earbuds", 16_000, 1, is_default=True, is_headset=True)


@pytest.fixture
def earbuds():
    """A studio with earbuds that are the default microphone, and play."""
    studio = Studio(wish=Wish(("Earbuds",), avoids_headsets=True))
    studio.backend.present = [BUILT_IN_BESIDES, EARBUDS]
    studio.backend.playing_now = {"earbuds"}
    return studio


def test_a_headset_that_plays_is_left_to_its_music(earbuds):
    earbuds.record(1, 0.5)
    assert earbuds.of(RecordingBegan)[0].device == "Built-in"


def test_a_headset_that_plays_is_used_if_there_is_no_other(earbuds):
    earbuds.backend.present = [EARBUDS]
    earbuds.record(1, 0.5)
    assert earbuds.of(RecordingBegan)[0].device == "Earbuds"


def test_a_headset_is_given_up_when_it_begins_to_play_and_used_when_it_has_ended(earbuds):
    earbuds.backend.playing_now = set()
    earbuds.recorder.refresh_devices()
    earbuds.record(1, 0.5)
    earbuds.backend.playing_now = {"earbuds"}
    earbuds.run(6.0)
    assert [stream.device.name for stream in earbuds.backend.opened] == ["Built-in"]
    earbuds.backend.playing_now = set()
    earbuds.run(6.0)
    assert [stream.device.name for stream in earbuds.backend.opened] == ["Earbuds"]


def test_a_change_of_settings_opens_no_microphone(studio):
    studio.recorder.configure(Wish(("Headset",)), 30.0)
    studio.run(1.0)
    assert studio.backend.streams == []


def test_that_there_is_no_microphone_is_told_once_it_has_lasted_and_when_it_is_over():
    told = []
    studio = Studio(on_trouble=told.append)
    studio.plug()
    assert told == []
    studio.run(3.0)
    assert [error.reason for error in told] == [MicrophoneReason.NO_DEVICE]
    studio.run(15.0)
    assert len(told) == 1
    studio.plug(BUILT_IN)
    assert told[1:] == [None]


def test_without_a_microphone_the_sound_system_is_asked_again_when_something_has_changed():
    told = []
    studio = Studio(on_trouble=told.append)
    studio.backend.news = False
    studio.plug()
    studio.run(5.0)
    asked = studio.backend.asked
    studio.run(60.0)
    assert studio.backend.asked == asked
    studio.backend.news = True
    while studio.backend.asked == asked:
        studio.run(0.5)
    studio.backend.news = False
    studio.run(60.0)
    assert studio.backend.asked == asked + 2, "a card may not be ready as soon as it is there"
    assert len(told) == 1


def test_without_a_microphone_the_sound_system_is_asked_now_and_then():
    told = []
    studio = Studio(on_trouble=told.append)
    studio.backend.news = False
    studio.plug()
    studio.run(5.0)
    studio.backend.present = [BUILT_IN]  # nobody has said so
    studio.run(ASK_IDLE_S + RETRY_IDLE_S)
    assert told[1:] == [None]


def test_a_microphone_that_changes_its_profile_is_no_trouble():
    told = []
    studio = Studio(on_trouble=told.append)
    studio.plug()
    studio.plug(BUILT_IN)
    studio.run(3.0)
    assert told == []


def test_a_sound_system_that_does_not_answer_is_told_and_asked_until_it_does():
    told = []
    studio = Studio(on_trouble=told.append)

    def refuse():
        raise BUSY

    studio.backend.devices, studio.backend.news = refuse, False
    studio.recorder.refresh_devices()
    studio.run(4.0)
    assert told == [BUSY]
    del studio.backend.devices
    studio.run(12.0)
    assert told == [BUSY, None]


# --- somebody listens --------------------------------------------------------------------------------


class Listener:
    def __init__(self, studio):
        self.blocks, self.events = [], []
        studio.recorder.listen(self.blocks.append, self.events.append)
        studio.run(0.5)

    def samples(self):
        return np.concatenate([np.zeros(0, np.float32), *self.blocks])

    @property
    def told(self):
        return [type(event) for event in self.events if not isinstance(event, Heard)]


def test_who_listens_hears_the_microphone_and_sees_its_level(studio):
    listener = Listener(studio)
    studio.run(1.0)
    assert len(listener.samples()) == pytest.approx(16_000 * 1.4, abs=1600)
    assert studio.recorder.level_db() == pytest.approx(-20, abs=0.1)
    assert listener.told[0] is RecordingBegan
    assert studio.events == [], "it is no take"
    assert not studio.recorder.is_recording()


@pytest.mark.parametrize("warm_s", [30.0, 0.0])
def test_the_microphone_is_closed_at_once_when_nobody_listens_any_more(warm_s):
    studio = Studio(warm_s=warm_s)
    Listener(studio)
    studio.recorder.stop_listening()
    studio.run(2 * STEP_S)
    assert studio.backend.opened == []
    assert studio.recorder.level_db() == -100


def test_a_microphone_that_opens_when_nobody_listens_any_more_is_closed(studio):
    studio.is_hanging = True
    Listener(studio)
    studio.recorder.stop_listening()
    studio.is_hanging = False
    studio.run(0.5)
    assert studio.backend.streams
    assert studio.backend.opened == []


def test_after_a_take_the_microphone_stays_warm_though_somebody_has_listened_meanwhile(studio):
    listener = Listener(studio)
    studio.record(1, 0.5)
    studio.recorder.stop_listening()
    studio.run(20.0)
    assert len(studio.backend.opened) == 1
    studio.run(15.0)
    assert studio.backend.opened == []
    assert listener.told == [RecordingBegan, RecordingEnded, RecordingBegan, RecordingEnded]


def test_a_take_comes_first_and_has_what_was_heard_before_the_key(studio):
    studio.value = None
    listener = Listener(studio)
    studio.run(1.0)
    studio.record(1, 0.5)
    samples = studio.samples(1)
    assert len(samples) == pytest.approx(16_000 * 1.04, abs=16_000 * 2 * STEP_S)
    np.testing.assert_allclose(np.diff(samples), 1e-6, atol=1e-7)
    assert [event.cause for event in listener.events if isinstance(event, RecordingEnded)] == [
        EndCause.STOPPED
    ]
    assert studio.of(RecordingBegan) == [RecordingBegan(1, "Built-in")]
    assert listener.told[-1] is RecordingBegan, "it goes on behind the take"


def test_sound_from_before_a_take_is_not_in_the_take_after_it(studio):
    Listener(studio)
    studio.run(1.0)
    studio.value = 0.5
    studio.record(1, 0.5)
    studio.value = 0.25
    studio.run(0.1)
    studio.record(2, 0.5, more=0.2)
    assert studio.samples(2).min() >= 0.25
    assert studio.samples(2).max() <= 0.5


def test_sound_from_before_a_failure_is_not_in_the_take_after_it(studio):
    Listener(studio)
    studio.value = 0.5
    studio.run(1.0)
    studio.backend.streams[0].is_finished = True
    studio.backend.error = BUSY
    studio.run(6.0)
    studio.backend.error, studio.value = None, 0.25
    while not studio.backend.opened:
        studio.run()
    studio.run(0.1)
    studio.record(1, 0.5)
    assert len(studio.samples(1)) >= 8000
    assert studio.samples(1).max() <= 0.25


def test_who_listens_is_told_why_nothing_is_heard_and_hears_as_soon_as_it_can_be(studio):
    studio.backend.present = []
    listener = Listener(studio)
    assert [event.error.reason for event in listener.events] == [MicrophoneReason.NO_DEVICE]
    studio.plug(HEADSET)
    assert listener.events[-1] == RecordingBegan(0, "Headset")


def test_who_listens_hears_another_microphone_as_soon_as_that_is_wanted(studio):
    studio.backend.present = [BUILT_IN, HEADSET]
    listener = Listener(studio)
    studio.recorder.configure(Wish(("Headset",)), 30.0)
    studio.run(0.5)
    assert [event.device for event in listener.events if isinstance(event, RecordingBegan)] == [
        "Built-in",
        "Headset",
    ]
    assert [stream.device.name for stream in studio.backend.opened] == ["Headset"]


def test_who_listens_is_told_of_a_muted_microphone(studio):
    studio.value = 0.0
    listener = Listener(studio)
    studio.run(2.0)
    assert listener.events[-1] == Muted(0, is_muted=True)
    assert studio.events == []


# --- trouble -----------------------------------------------------------------------------------------


def test_an_error_of_the_device_is_told_and_the_next_take_tries_again_at_once(studio):
    studio.backend.error = BUSY
    studio.start(1, 0.1)
    assert studio.events == [Failed(1, BUSY)]
    studio.backend.error = None
    studio.start(2, 0.1)
    assert studio.events[1:] == [RecordingBegan(2, "Built-in")]


def test_a_take_uses_the_next_microphone_if_one_does_not_open_and_says_so(monkeypatch):
    """It may have gone a moment ago."""
    studio = Studio(wish=Wish(("Headset", "Webcam")))
    webcam = Device("Webcam", "webcam", 16_000, 1)
    studio.backend.present = [BUILT_IN, webcam, HEADSET]
    opened, tried = studio.backend.open, []

    def open_others(device):
        tried.append(device.name)
        if device is HEADSET:
            raise BUSY
        return opened(device)

    monkeypatch.setattr(studio.backend, "open", open_others)
    studio.record(1, 0.5)
    assert studio.of(Failed) == []
    assert studio.of(MicrophoneChanged) == [MicrophoneChanged(1, "Webcam", "Headset")]
    assert studio.ended.cause is EndCause.STOPPED
    assert tried[:2] == ["Headset", "Webcam"]


def test_a_take_none_of_whose_microphones_opens_tries_each_once_and_fails(studio, monkeypatch):
    studio.plug(BUILT_IN, HEADSET)
    tried = []

    def refuse(device):
        tried.append(device.name)
        raise BUSY

    monkeypatch.setattr(studio.backend, "open", refuse)
    studio.start(1, 0.2)
    assert studio.of(Failed) == [Failed(1, BUSY)]
    assert tried == ["Built-in", "Headset"]


def test_a_take_without_any_microphone_fails_with_what_to_do(studio):
    studio.backend.present = []
    studio.start(1, 0.1)
    (failed,) = studio.of(Failed)
    assert failed.error.reason is MicrophoneReason.NO_DEVICE


def test_an_opening_that_hangs_fails_the_take_and_is_not_repeated(studio):
    studio.is_hanging = True
    studio.start(1, 6.0)
    (failed,) = studio.of(Failed)
    assert failed.error.reason is MicrophoneReason.UNRESPONSIVE
    studio.start(2, 6.0)
    assert len(studio.of(Failed)) == 2
    assert [name for _, name in studio.jobs] == ["microphone-open"]
    studio.is_hanging = False
    studio.start(3, 0.5)
    assert studio.of(RecordingBegan) == [RecordingBegan(3, "Built-in")]
    assert len(studio.backend.opened) == 1


class HangingBackend(FakeBackend):
    """Devices of ``slow`` do not open before ``release``; each opening has its own thread."""

    def __init__(self, *slow):
        super().__init__()
        self.present = [HEADSET_BY_DEFAULT, BUILT_IN_BESIDES]
        self.slow = list(slow)
        self.gate = threading.Event()
        self.tried = []

    def open(self, device):
        self.tried.append(device.name)
        if device.name in self.slow:
            assert self.gate.wait(20)
        return super().open(device)


class SlowStudio(Studio):
    """Jobs run on threads; one that is over within a moment is waited for."""

    def __init__(self, *slow, **options):
        self.threads = []
        super().__init__(HangingBackend(*slow), **options)

    def spawn(self, job, name):
        thread = threading.Thread(target=job, name=name, daemon=True)
        thread.start()
        self.threads.append(thread)
        thread.join(0.2)
        return lambda _timeout_s: None

    def release(self):
        self.backend.slow.clear()
        self.backend.gate.set()
        for thread in self.threads:
            thread.join(20)


@pytest.mark.expects_log
def test_another_device_is_used_and_told_when_one_hangs_while_opening():
    studio = SlowStudio("Headset")
    studio.record(1, 4.0)
    assert studio.events[:2] == [RecordingBegan(1, "Built-in"), MicrophoneChanged(1, "Built-in", "Headset")]
    assert studio.ended.duration_s > 1.0
    assert studio.of(Failed) == []
    studio.release()


@pytest.mark.expects_log
def test_a_device_that_hangs_is_not_tried_again_while_it_does_and_is_used_once_it_is_over():
    studio = SlowStudio("Headset")
    for take in (1, 2):
        studio.record(take, 4.0)
        studio.recorder.refresh_devices()
        studio.run(0.5)
    assert studio.backend.tried == ["Headset", "Built-in"], "the stream stays warm, the list changes nothing"
    studio.release()
    studio.run(0.5)
    studio.start(3, 0.5)
    assert studio.of(RecordingBegan)[-1] == RecordingBegan(3, "Headset")
    assert len(studio.backend.opened) == 1


@pytest.mark.expects_log
def test_a_take_without_another_device_waits_for_the_one_that_is_slow():
    studio = SlowStudio("Headset")
    studio.backend.present = [HEADSET_BY_DEFAULT]
    studio.start(1, 3.5)
    assert studio.events == []
    studio.release()
    studio.run(0.5)
    assert studio.events == [RecordingBegan(1, "Headset")]
    assert studio.backend.tried == ["Headset"]


@pytest.mark.expects_log
@pytest.mark.parametrize(
    ("devices", "title"),
    [([HEADSET_BY_DEFAULT], "Headset isn't responding."), ([HEADSET_BY_DEFAULT, BUILT_IN_BESIDES], "")],
)
def test_a_take_all_of_whose_devices_hang_tries_each_once_and_fails(devices, title):
    studio = SlowStudio("Headset", "Built-in")
    studio.backend.present = devices
    studio.start(1, 6.0)
    (failed, *_) = studio.of(Failed)
    assert failed.error.title.startswith(title)
    assert failed.error.hint
    assert studio.backend.tried == [device.name for device in devices]
    studio.release()


@pytest.mark.expects_log
def test_an_always_warm_stream_is_opened_with_another_device_if_one_hangs():
    studio = SlowStudio("Headset", warm_s=ALWAYS)
    studio.run(4.0)
    assert [stream.device.name for stream in studio.backend.opened] == ["Built-in"]
    studio.release()
    studio.run(1.0)
    assert [stream.device.name for stream in studio.backend.opened] == ["Headset"]


@pytest.mark.parametrize("how", ["ends", "callbacks stop", "gives zeros"])
def test_a_device_that_is_lost_is_replaced_by_another_and_nothing_heard_is_lost(studio, how):
    studio.backend.present = [BUILT_IN, HEADSET]
    studio.start(1, 1.0)
    lost = studio.backend.streams[0]
    studio.backend.present = [HEADSET] if how != "callbacks stop" else [BUILT_IN, HEADSET]
    studio.value = 0.0 if how == "gives zeros" else 0.1  # the sound server has moved the stream elsewhere
    lost.is_finished, lost.is_stalled = how == "ends", how == "callbacks stop"
    studio.run(2.0)
    studio.stop(1)
    assert studio.of(MicrophoneChanged) == [MicrophoneChanged(1, "Headset")]
    assert lost.is_closed
    assert studio.ended.cause is EndCause.STOPPED
    assert studio.ended.duration_s > 1.9


def test_the_same_device_is_used_again_when_the_sound_server_is_back(studio):
    studio.start(1, 1.0)
    studio.backend.streams[0].is_finished = True
    studio.backend.error = BUSY
    studio.run(1.0)
    studio.backend.error = None
    studio.run(1.0)
    studio.stop(1)
    assert studio.of(MicrophoneChanged) == []
    assert studio.ended.cause is EndCause.STOPPED
    assert studio.ended.duration_s > 1.6


def test_a_take_whose_device_is_lost_for_good_ends_with_what_was_heard(studio):
    studio.start(1, 1.0)
    studio.backend.streams[0].is_finished = True
    studio.backend.present = []
    studio.run(4.0)
    assert studio.events[-1] == RecordingEnded(1, EndCause.DEVICE_LOST, 1.0, is_dead=False)
    assert len(studio.samples(1)) == 16_000


def test_a_take_stopped_while_its_device_is_lost_says_so(studio):
    studio.start(1, 1.0)
    studio.backend.streams[0].is_finished = True
    studio.backend.present = []
    studio.run(0.5)
    studio.stop(1)
    assert studio.ended.cause is EndCause.DEVICE_LOST


@pytest.mark.parametrize(("value", "is_dead"), [(0.0, True), (1e-6, False)])
def test_a_muted_microphone_is_told_from_a_quiet_room(studio, value, is_dead):
    studio.value = value
    studio.record(1, 2.0)
    assert studio.ended.is_dead is is_dead


def test_the_level_is_that_of_the_last_moment(studio):
    assert studio.recorder.level_db() == -100
    studio.value = 0.0
    studio.start(1, 1.0)
    assert studio.recorder.level_db() == -100
    studio.value = 0.1
    studio.run(0.1)
    assert studio.recorder.level_db() == pytest.approx(-20, abs=0.1)
    studio.stop(1)
    assert studio.recorder.level_db() == -100


@pytest.mark.parametrize("room", [0.0, 0.0005, 0.05])
def test_a_steady_room_is_not_heard_however_loud(studio, room):
    studio.value = room
    studio.start(1, 3.0)
    assert studio.of(Heard) == []


def test_speech_is_heard_at_most_twice_a_second(studio):
    studio.speak(1)
    studio.run(0.5)
    times = [event.at_s for event in studio.of(Heard)]
    assert times[0] == pytest.approx(100.5, abs=3 * STEP_S)
    np.testing.assert_allclose(np.diff(times), 0.5, atol=2 * STEP_S)


def test_a_noise_that_stays_is_learned(studio):
    studio.speak(1)
    studio.run(2.0)
    count = len(studio.of(Heard))
    studio.run(3.0)
    assert len(studio.of(Heard)) == count


@pytest.mark.parametrize("value", [0.0, 0.25, -1.0])
def test_digital_silence_is_told_once_and_so_is_the_next_sound(studio, value):
    studio.value = None
    studio.start(1, 0.5)
    studio.value = value
    studio.run(1.4)
    assert studio.of(Muted) == []
    studio.run(1.0)
    assert studio.of(Muted) == [Muted(1, is_muted=True)]
    studio.value = None
    studio.run(0.1)
    assert studio.of(Muted) == [Muted(1, is_muted=True), Muted(1, is_muted=False)]


@pytest.mark.expects_log
def test_gaps_are_logged(studio, caplog):
    studio.start(1, 1.0)
    studio.backend.streams[0].overflows = 3
    studio.run()
    studio.stop(1)
    assert "3 overflows" in caplog.text


@pytest.mark.expects_log
def test_an_unexpected_error_fails_the_take_and_not_the_thread(studio, caplog):
    studio.backend.devices = lambda: 1 / 0
    studio.start(1, 0.1)
    assert isinstance(studio.events[0], Failed)
    assert "ZeroDivisionError" in caplog.text


def test_two_hundred_takes_use_one_stream_and_keep_nothing(studio):
    for take in range(1, 201):
        studio.record(take, 0.1, 0.1)
    assert len(studio.of(RecordingEnded)) == 200
    assert len(studio.backend.streams) == 1
    assert studio.recorder.level_db() == -100


# --- a process that is stopped ----------------------------------------------------------------------


@pytest.mark.parametrize("is_ending", [False, True])
def test_a_take_goes_on_after_the_whole_process_was_stopped(studio, is_ending):
    studio.speak(1)
    if is_ending:
        studio.stop(1, seconds=0.1)
    studio.now_s += 60
    studio.recorder.run_pending()
    studio.run(0.1)
    assert studio.of(RecordingEnded) == []
    assert len(studio.backend.opened) == 1
    assert len(studio.backend.streams) == 1, "the stream is the same"
    studio.value = ROOM
    studio.stop(1)
    (ended,) = studio.of(RecordingEnded)
    assert ended.cause is EndCause.STOPPED


def test_a_stream_that_stays_silent_after_the_process_was_stopped_is_given_up(studio):
    studio.start(1, seconds=1.0)
    studio.backend.streams[0].is_stalled = True
    studio.now_s += 60
    studio.run(3.0)
    assert studio.backend.streams[0].is_closed


# --- the end of the program ---------------------------------------------------------------------------

FORGETFUL = """
import threading, time
import numpy as np
from handy_qwen.audio.devices import Device
from handy_qwen.audio.recorder import MicrophoneRecorder

class Endless:
    written = dropped = 0

    def read(self):
        self.written += 3_000_000
        return np.zeros((3_000_000, 1), np.float32)

    def keep(self, frames):
        pass

class Stream:
    device = Device("Microphone", "1", 48_000, 1)
    rate_hz, buffer, is_finished, overflows = 48_000, Endless(), False, 0

class Backend:
    devices = lambda self: [Stream.device]
    open = lambda self, device: Stream()
    watch = lambda self, on_change: None
    playing = lambda self: None
    unseen = 0

heard = threading.Event()
recorder = MicrophoneRecorder(lambda event: None, Backend())
recorder.start(1, lambda block: heard.set())
recorder.launch()
assert heard.wait(60)
time.sleep(0.1)  # now the thread is in libsoxr again
"""


def test_a_program_that_forgets_to_close_ends_well_though_the_thread_is_in_native_code():
    done = subprocess.run(
        [sys.executable, "-c", FORGETFUL], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
