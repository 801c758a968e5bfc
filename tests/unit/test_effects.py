"""Each effect reaches its port; the sink of a take feeds the engine and listens for silence."""

import numpy as np

from handy_qwen.core import effects as fx
from handy_qwen.core.events import FocusNoted, Heard, RecordingBegan
from handy_qwen.core.ports import Method, Submit, Target
from handy_qwen.effects import Ports
from tests.fakes import FakeCues, FakeHotkeys, FakeInserter, FakeRecorder, FakeTranscriber


def desk():
    events = []
    loud, quiet = np.full(1600, 0.2, np.float32), np.full(1600, 0.0001, np.float32)
    ports = Ports(
        FakeHotkeys(),
        FakeRecorder(events.append, [quiet, loud]),
        FakeTranscriber(events.append),
        FakeInserter(events.append),
        FakeCues(),
        events.append,
    )
    return ports, events


def test_the_window_at_the_press_is_noted():
    ports, events = desk()
    ports.run(fx.NoteFocus(3))
    assert events == [FocusNoted(3, Target(1, "editor"))]


def test_a_recording_feeds_the_engine_and_tells_that_something_was_heard():
    ports, events = desk()
    ports.run(fx.StartRecording(1, "German", "Qwen"))
    assert ports.transcriber.begun == [(1, "German", "Qwen")]
    assert [take for take, _ in ports.transcriber.fed] == [1, 1]
    assert [type(event) for event in events] == [RecordingBegan, Heard]


def test_every_other_effect_reaches_its_port():
    ports, events = desk()
    for effect in [
        fx.StartRecording(1, "", ""),
        fx.StopRecording(1),
        fx.StartRecording(2, "", ""),
        fx.CancelRecording(2),
        fx.Transcribe(1),
        fx.CancelTranscription(2),
        fx.Insert(1, "Hello.", None, Method.TYPE, Submit.OFF),
        fx.Copy("Hello."),
        fx.ListenFor(()),
        fx.WatchEscape(is_wanted=True),
        fx.PlayCue(fx.Cue.STARTED),
        fx.PlayCue(fx.Cue.STOPPED),
        fx.WakeAt(1.0),
    ]:
        ports.run(effect)
    assert ports.recorder.open is None
    assert ports.transcriber.cancelled == [2]
    assert ports.inserter.texts == ["Hello."]
    assert ports.inserter.copied == ["Hello."]
    assert ports.hotkeys.is_escape_wanted
    assert ports.cues.played == ["started", "stopped"]
    assert len(events) == 8  # began and heard twice, ended twice, transcribed, delivered


def test_effects_do_not_show_the_text_they_carry():
    shown = repr([fx.Insert(1, "diary", None, Method.TYPE, Submit.OFF), fx.Copy("diary")])
    assert "diary" not in shown
