"""Other sound while somebody dictates: paused or lowered once, and brought back as it was found."""

import json
import time

import pytest

from handy_qwen.app import surroundings
from handy_qwen.app.surroundings import Quieting
from handy_qwen.core.types import WhileRecording

MUSIC = {"name": "music", "owner": ":1.2", "bus": "b"}


class FakeSpeakers:
    def __init__(self, volume=(("desk", [80.0, 60.0]))):
        self.device, self.channels = volume

    def volume(self):
        return (self.device, list(self.channels)) if self.device else None

    def set_volume(self, device, channels):
        if device == self.device:
            self.channels = list(channels)
        return device == self.device


class Bench:
    """Quieting with fakes; ``see`` does what its thread would."""

    def __init__(self, folder):
        self.how, self.calls, self.folder = WhileRecording.LOWER, [], folder
        self.notes, self.paused = folder / "volume.json", folder / "players.json"
        self.speakers, self.players = FakeSpeakers(), self
        self.quieting = self.new()

    def new(self):
        return Quieting(lambda: self.how, self.folder, speakers=self.speakers, players=self.players)

    def pause(self, note):
        note([MUSIC])
        self.calls.append("pause")

    def resume(self, paused):
        assert paused == [MUSIC]
        self.calls.append("resume")

    def see(self, is_recording):
        self.quieting.want(is_recording)
        self.quieting.thread.run_pending()


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(surroundings, "SETTLE_S", 0.0)
    monkeypatch.setattr(surroundings, "RETURN_S", 0.0)
    monkeypatch.setattr(surroundings.Worker, "start", lambda _self: None)
    return Bench(tmp_path)


def test_nothing_is_done_unless_the_settings_ask_for_it(bench):
    bench.how = WhileRecording.OFF
    bench.see(True)
    assert (bench.calls, bench.speakers.channels) == ([], [80, 60])


def test_players_pause_once_and_go_on_once_whatever_the_settings_say_by_then(bench):
    bench.how = WhileRecording.PAUSE
    bench.see(True)
    bench.see(True)
    bench.how = WhileRecording.OFF
    bench.see(False)
    bench.see(False)
    assert bench.calls == ["pause", "resume"]


def test_players_that_a_crash_left_paused_go_on_at_the_next_start(bench):
    bench.how = WhileRecording.PAUSE
    bench.see(True)
    assert json.loads(bench.paused.read_text())["paused"] == [MUSIC]
    bench.how = WhileRecording.OFF
    for expected in (["pause", "resume"], ["pause", "resume"]):
        after = bench.new()
        after.start()
        after.thread.run_pending()
        assert bench.calls == expected, "once, not at every start"
        assert not bench.paused.exists()


def test_players_that_go_on_are_noted_no_more(bench):
    bench.how = WhileRecording.PAUSE
    bench.see(True)
    bench.see(False)
    assert not bench.paused.exists()


def test_players_are_noted_before_they_are_paused(bench):
    bench.how = WhileRecording.PAUSE
    bench.pause = lambda note: (note([MUSIC]), bench.calls.append(bench.paused.exists()))
    bench.see(True)
    assert bench.calls == [True]


def test_music_of_long_ago_does_not_begin_by_itself(bench):
    for at_s in (time.time() - surroundings.FORGOTTEN_S - 1, time.time() + 1000):
        bench.paused.write_text(json.dumps({"at_s": at_s, "paused": [MUSIC]}))
        bench.quieting.start()
        bench.quieting.thread.run_pending()
        assert bench.calls == []
        assert not bench.paused.exists()


@pytest.mark.expects_log
def test_players_are_paused_also_where_nothing_can_be_noted(bench):
    bench.paused.mkdir()
    bench.how = WhileRecording.PAUSE
    bench.see(True)
    bench.paused.rmdir()
    bench.see(False)
    assert bench.calls == ["pause", "resume"]


def test_a_press_that_is_over_at_once_quiets_nothing(bench, monkeypatch):
    monkeypatch.setattr(surroundings, "SETTLE_S", 60.0)
    bench.how = WhileRecording.PAUSE
    bench.see(True)
    bench.see(False)
    assert bench.calls == []


def test_the_volume_is_noted_before_it_is_lowered_and_put_back(bench):
    bench.see(True)
    assert bench.speakers.channels == [20, 15]
    assert json.loads(bench.notes.read_text())["before"] == [80, 60]
    bench.see(False)
    assert bench.speakers.channels == [80, 60]
    assert not bench.notes.exists()


def test_what_a_crash_left_is_put_back_by_the_next_start(bench):
    bench.see(True)
    after = bench.new()
    after.start()
    after.thread.run_pending()
    assert bench.speakers.channels == [80, 60]
    assert not bench.notes.exists()


def test_a_volume_that_the_user_has_changed_meanwhile_stays(bench):
    bench.see(True)
    bench.speakers.channels = [50, 50]
    bench.see(False)
    assert bench.speakers.channels == [50, 50]
    assert not bench.notes.exists()


def test_another_device_that_plays_by_then_is_left_alone(bench):
    bench.see(True)
    bench.speakers.device, bench.speakers.channels = "headset", [70]
    bench.see(False)
    assert bench.speakers.channels == [70]


def test_what_could_not_be_put_back_is_before_it_is_lowered_again(bench):
    bench.see(True)
    bench.speakers.device = ""  # the sound system hangs
    bench.see(False)
    assert bench.notes.exists()
    bench.speakers.device = "desk"
    bench.see(True)
    assert bench.speakers.channels == [20, 15]
    bench.see(False)
    assert bench.speakers.channels == [80, 60]
    assert not bench.notes.exists()


def test_where_players_cannot_be_paused_the_volume_is_lowered(bench, monkeypatch):
    monkeypatch.setattr(surroundings.sys, "platform", "win32")
    bench.how, bench.players = WhileRecording.PAUSE, None
    bench.quieting = bench.new()
    bench.see(True)
    assert bench.speakers.channels == [20, 15]
    bench.see(False)
    assert bench.speakers.channels == [80, 60]


@pytest.mark.expects_log
def test_a_volume_that_cannot_be_noted_is_not_lowered(bench):
    bench.notes.mkdir()
    bench.see(True)
    assert bench.speakers.channels == [80, 60]
    bench.see(False)
    assert bench.speakers.channels == [80, 60]


@pytest.mark.parametrize("noted", ["", "{}", "[1]", '{"device": "desk"}'])
@pytest.mark.expects_log
def test_notes_that_make_no_sense_are_dropped(bench, noted):
    bench.notes.write_text(noted)
    bench.paused.write_text(noted)
    bench.quieting.start()
    bench.quieting.thread.run_pending()
    assert (bench.speakers.channels, bench.calls) == ([80, 60], [])
    assert not bench.notes.exists()
    assert not bench.paused.exists()


def test_silence_and_unknown_volumes_are_left_alone(bench):
    bench.speakers.channels = [0.0, 0.0]
    bench.see(True)
    bench.see(False)
    bench.speakers.device = ""
    bench.see(True)
    assert not bench.notes.exists()
