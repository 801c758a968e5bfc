"""Each effect reaches its port; the sink of a take feeds the engine and listens for silence."""

import numpy as np
import pytest

from handy_qwen.core import effects as fx
from handy_qwen.core.events import Copied, Delivery, FocusNoted, Heard, Kept, RecordingBegan, Replayed
from handy_qwen.core.ports import Method, Submit, Target
from handy_qwen.effects import Ports
from handy_qwen.errors import InsertError, InsertReason
from tests.fakes import FakeCues, FakeHistory, FakeHotkeys, FakeInserter, FakeRecorder, FakeTranscriber


def desk():
    events = []
    loud, quiet = np.full(1600, 0.2, np.float32), np.full(1600, 0.0001, np.float32)
    ports = Ports(
        FakeHotkeys(),
        FakeRecorder(events.append, [quiet, loud]),
        FakeTranscriber(events.append),
        FakeInserter(events.append),
        FakeCues(),
        FakeHistory(events.append),
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
    assert [type(event) for event in events] == [Kept, RecordingBegan, Heard]
    assert ports.history.told == ["1 begun"]
    assert ports.history.fed == [1, 1]


def test_every_other_effect_reaches_its_port():
    ports, events = desk()
    for effect in [
        fx.PrepareInsertion(Method.PASTE),
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
    assert ports.inserter.prepared == [Method.PASTE]
    assert ports.inserter.texts == ["Hello."]
    assert ports.inserter.copied == ["Hello."]
    assert ports.hotkeys.is_escape_wanted
    assert ports.cues.played == ["started", "stopped"]
    told = [event for event in events if not isinstance(event, Kept)]
    assert len(told) == 9  # began and heard twice, ended twice, transcribed, delivered, copied


def test_what_the_history_is_to_keep_reaches_it():
    ports, events = desk()
    for effect in [
        fx.KeepSound(1),
        fx.KeepText(1, "diary", "English", "demo", "editor"),
        fx.Insert(1, "diary", None, Method.TYPE, Submit.OFF, (7,)),
        fx.KeepDelivery(1, Delivery.TYPED),
        fx.KeepDelivery(2, None),
        fx.KeepFailure(3, "It broke."),
        fx.KeepCancellation(4),
        fx.Adopt(5, 50),
        fx.Copy("diary", (6,)),
        fx.PauseHistory(is_paused=True),
    ]:
        ports.run(effect)
    assert ports.history.told == [
        "1 complete",
        "1 done",
        "1 delivering",
        "7 delivering",
        "1 typed",
        "2 dropped",
        "3 failed: It broke.",
        "4 cancelled",
        "5 is entry 50",
        "6 copied",
        "private",
    ]
    assert ports.history.texts == ["diary"]
    assert "diary" not in repr(events)


def test_a_text_that_could_not_be_copied_is_not_kept_as_copied():
    ports, events = desk()
    copy = ports.inserter.copy

    def fail(_text):
        raise InsertError("There is no clipboard.", InsertReason.NO_FOCUS)

    ports.inserter.copy = fail
    with pytest.raises(InsertError):
        ports.run(fx.Copy("diary", (6,)))
    assert (ports.history.told, events) == ([], [])
    ports.inserter.copy = copy
    ports.run(fx.Copy("diary", (6,)))
    assert events == [Copied((6,))]


def test_a_replay_goes_from_the_history_to_the_engine():
    ports, events = desk()
    ports.history.blocks = [np.zeros(160, np.float32)]
    ports.run(fx.Replay(3, 30, "German", "Qwen"))
    assert ports.transcriber.begun == [(3, "German", "Qwen")]
    assert [take for take, _ in ports.transcriber.fed] == [3]
    assert events == [Replayed(3, 1.0)]


def test_effects_do_not_show_the_text_they_carry():
    keep = fx.KeepText(1, "diary", "", "", "")
    shown = repr([fx.Insert(1, "diary", None, Method.TYPE, Submit.OFF), fx.Copy("diary"), keep])
    assert "diary" not in shown
