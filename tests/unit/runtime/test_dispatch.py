"""Each effect reaches its port; the sink of a take feeds the engine and listens for silence."""

import queue
import threading
from dataclasses import replace
from functools import partial
from typing import get_args

import numpy as np
import pytest

from handy_qwen import paths
from handy_qwen.audio.connection import spawn
from handy_qwen.audio.microphones import Microphones
from handy_qwen.audio.playback import SoundCues
from handy_qwen.audio.portaudio import PortAudio
from handy_qwen.audio.recorder import MicrophoneRecorder
from handy_qwen.core import effects as fx
from handy_qwen.core.events import (
    Copied,
    Delivered,
    EndCause,
    Failed,
    FocusNoted,
    HotkeysSet,
    Kept,
    RecordingBegan,
    RecordingEnded,
    Replayed,
    Transcribed,
)
from handy_qwen.core.ports import HotkeyListener, Inserter
from handy_qwen.core.types import (
    Captured,
    CaptureStep,
    Delivery,
    Hotkey,
    LiveMode,
    Method,
    Submit,
    Target,
    TextAround,
)
from handy_qwen.core.view import View
from handy_qwen.errors import HandyError, HotkeyError, HotkeyReason, InsertError, InsertReason
from handy_qwen.history.disk import DiskHistory
from handy_qwen.history.retention import RetentionRules
from handy_qwen.message import Message
from handy_qwen.runtime.controller import Controller, Ports
from handy_qwen.system.insert.backend import Backend
from handy_qwen.system.insert.inserter import DesktopInserter
from handy_qwen.transcriber.thread import EngineTranscriber
from tests.fakes import FakeHistory, FakeInserter, fake_ports


def desk():
    events = []
    loud, quiet = np.full(1600, 0.2, np.float32), np.full(1600, 0.0001, np.float32)
    return fake_ports(events.append, blocks=[quiet, loud]), events


def test_the_window_at_the_press_is_noted():
    ports, events = desk()
    ports.run(fx.PrepareInsertion(3, Method.PASTE))
    assert events == [FocusNoted(3, Target(1, "editor"))]


def test_what_stands_around_the_cursor_is_noted_if_it_is_known():
    ports, events = desk()
    ports.run(fx.LookAround(3, Target(1, "editor")))
    assert events == []
    ports.inserter.around = TextAround("diary", "")
    ports.run(fx.LookAround(3, Target(1, "editor")))
    ports.run(fx.LookAround(3, Target(2, "another")))
    (noted,) = events
    assert (noted.take, noted.around) == (3, TextAround("diary", ""))
    assert "diary" not in repr(events)
    ports.hotkeys.touched = noted.seen_s
    ports.run(fx.Insert(3, " Dear", None, Method.PASTE, Submit.OFF, otherwise="Dear", seen_s=noted.seen_s))
    ports.hotkeys.touched = noted.seen_s + 1
    ports.run(fx.Insert(3, " Dear", None, Method.PASTE, Submit.OFF, otherwise="Dear", seen_s=noted.seen_s))
    assert ports.inserter.texts == [" Dear", "Dear"]


def test_a_recording_feeds_the_engine_and_the_history():
    ports, events = desk()
    ports.run(fx.StartRecording(1, ("German",), ("Qwen",)))
    assert ports.transcriber.begun == [(1, ("German",), ("Qwen",))]
    assert [take for take, _ in ports.transcriber.fed] == [1, 1]
    assert [type(event) for event in events] == [Kept, RecordingBegan]
    assert ports.history.told == ["1 begun"]
    assert ports.history.fed == [1, 1]


def test_the_desktop_shows_its_settings_or_binds_a_key_itself_and_says_if_it_does_not():
    ports, events = desk()
    for bind in (None, True, False):
        ports.configure_hotkeys(bind)
    assert (ports.hotkeys.configured, ports.hotkeys.own_keys) == (1, [True, False])
    ports.hotkeys.error = HotkeyError(Message("No."), HotkeyReason.UNSUPPORTED_DESKTOP)
    ports.configure_hotkeys(True)
    assert events == [Failed(0, ports.hotkeys.error)]


def everything(take):
    """Each effect there is."""
    return [
        fx.PrepareInsertion(take, Method.PASTE),
        fx.StartRecording(take, (), ()),
        fx.Adapt(take, ("German",), ("kubectl",)),
        fx.LookUp(Transcribed(take, "diary", "English", is_truncated=False), frozenset({"clipboard"})),
        fx.StopRecording(take),
        fx.LookAround(take, Target(1, "editor")),
        fx.CancelRecording(take),
        fx.Transcribe(take),
        fx.CancelTranscription(take),
        fx.Insert(take, "diary", None, Method.PASTE, Submit.ENTER, (7,)),
        fx.Copy("diary", (take,)),
        fx.Replay(take, 1, (), ()),
        fx.Adopt(take, 1),
        fx.KeepSound(take),
        fx.KeepText(take, "diary", "", "", "", is_truncated=True),
        fx.KeepFailure(take, "It broke."),
        fx.KeepCancellation(take),
        fx.KeepDelivery(take, Delivery.TYPED),
        fx.PauseHistory(is_paused=True),
        fx.ListenFor((Hotkey("ctrl_r"),)),
        fx.WatchEscape(is_wanted=True),
        fx.PlayCue(fx.Cue.STARTED),
        fx.PlayCue(fx.Cue.STOPPED),
    ]


def test_every_effect_reaches_its_port():
    ports, events = desk()
    for effect in [fx.StartRecording(9, "", ""), fx.CancelRecording(9), *everything(1)]:
        ports.run(effect)
    ends = [event.cause for event in events if isinstance(event, RecordingEnded)]
    assert ends == [EndCause.CANCELLED, EndCause.STOPPED]
    assert ports.transcriber.cancelled == [1]
    assert (ports.inserter.prepared, ports.inserter.hastened) == ([Method.PASTE], 1)
    assert ports.inserter.texts == ports.inserter.copied == ports.history.texts == ["diary"]
    assert ports.history.truncated == [1]
    assert (ports.hotkeys.hotkeys, ports.hotkeys.is_escape_wanted) == ((Hotkey("ctrl_r"),), True)
    assert ports.cues.played == ["started", "stopped"]
    before = "9 begun, 1 begun, 1 begun, 7 begun, 1 copied, 1 replays entry 1, 1 is entry 1"
    after = "1 complete, 1 done, 1 failed: It broke., 1 cancelled, 1 typed, private"
    assert ", ".join(ports.history.told) == f"{before}, {after}"
    answers = {FocusNoted, Transcribed, Delivered, Copied, HotkeysSet, Replayed}
    assert answers <= {type(event) for event in events}
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


def test_placeholders_are_looked_up_and_the_clipboard_only_if_it_is_asked_for():
    ports, events = desk()
    ports = replace(ports, moment=lambda: {"date": "Monday"})
    ports.inserter.clipboard = "copied"
    asked = Transcribed(1, "diary", "English", is_truncated=False)
    ports.run(fx.LookUp(asked, frozenset({"date"})))
    ports.run(fx.LookUp(asked, frozenset({"clipboard"})))
    assert [event.values["clipboard"] for event in events] == ["", "copied"]
    assert events[0].values["date"] == "Monday"


@pytest.mark.parametrize(("touched_s", "erased"), [(None, []), (9.0, ["old"]), (11.0, [])])
def test_nothing_is_deleted_once_the_user_has_touched_anything(touched_s, erased):
    ports, events = desk()
    ports.hotkeys.touched = touched_s
    ports.run(fx.Insert(1, "new", None, Method.TYPE, Submit.OFF, erased="old", since_s=10.0))
    assert (ports.inserter.erased, ports.inserter.texts) == (erased, ["new"])
    assert events[-1].has_erased is bool(erased)
    ports.run(fx.PrepareInsertion(3, Method.PASTE))
    assert events[-1].touched_s == touched_s


def test_a_replay_goes_from_the_history_to_the_engine():
    ports, events = desk()
    ports.history.blocks = [np.zeros(160, np.float32)]
    ports.run(fx.Replay(3, 30, "German", ("Qwen",)))
    assert ports.transcriber.begun == [(3, "German", ("Qwen",))]
    assert [take for take, _ in ports.transcriber.fed] == [3]
    assert events == [Replayed(3, 1.0)]


def test_effects_do_not_show_the_text_they_carry():
    keep = fx.KeepText(1, "diary", "", "", "")
    shown = repr([fx.Insert(1, "diary", None, Method.TYPE, Submit.OFF), fx.Copy("diary"), keep])
    assert "diary" not in shown


def test_a_view_does_not_show_the_text_it_carries():
    view = View(committed="diary", tentative="diary", held=("diary",), recent=("diary",), heard=("diary", ""))
    assert "diary" not in repr(view)


# --- ports that keep whoever calls them waiting -------------------------------------------------------


class Blocked:
    """Whatever is asked of it takes until the gate is open, and ends its thread then.

    It has the methods of ``kinds``. ``called`` tells what was asked, and on which thread.
    """

    def __init__(self, gate, *kinds):
        self.gate = gate
        self.called = queue.SimpleQueue()
        for name in {name for kind in kinds for name in dir(kind) if not name.startswith("_")}:
            setattr(self, name, partial(self.block, name))

    def block(self, name, *_args, **_more):
        self.called.put((name, threading.current_thread().name))
        self.gate.is_open.wait(60)
        if threading.current_thread() is not threading.main_thread():
            raise SystemExit


class Gate:
    """Closed until the test is over."""

    def __init__(self):
        self.is_open = threading.Event()
        self.parts = []  # to be ended then


@pytest.fixture
def gate():
    """One that is opened when the test is over."""
    made = Gate()
    yield made
    made.is_open.set()
    for part in made.parts:
        part(30)


def run_in_time(ports, effect):
    """Carry ``effect`` out on a thread of its own, which has to come back while the gate is closed."""
    thread = threading.Thread(target=ports.run, args=(effect,), daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), f"{type(effect).__name__} keeps the dictation thread waiting"


def test_no_effect_is_forgotten_here():
    assert {type(effect) for effect in everything(1)} == set(get_args(fx.Effect))


def test_no_effect_keeps_the_dictation_thread_waiting_whatever_hangs(gate, tmp_path):
    hangs, events = Blocked(gate, HotkeyListener, PortAudio, Microphones, Backend), queue.SimpleQueue()
    hangs.touched_s = hangs.key_permission = lambda: None  # which ask nobody

    def live_mode():
        hangs.block("live mode")
        return LiveMode.OFF

    history = DiskHistory(events.put, tmp_path, RetentionRules)
    history._ledger.open = partial(hangs.block, "open")
    history.start()
    recorder = MicrophoneRecorder(events.put, hangs, spawn=spawn)
    recorder.thread.start()
    transcriber = EngineTranscriber(events.put, partial(hangs.block, "load"), live_mode=live_mode)
    cues = SoundCues(hangs, paths.asset("sounds"), is_on=True)
    inserter = DesktopInserter(events.put, hangs, stopping=threading.Event(), last_resort=hangs.copy)
    ports = Ports(
        hangs, recorder, transcriber, inserter, cues, history, events.put, lambda _effect, work: work()
    )
    gate.parts += [recorder.close, transcriber.close, cues.stop, inserter.close, history.close]
    gate.parts += [part.stop for part in (ports.focus, ports.looking, ports.copying, ports.setting)]
    for effect in everything(1) + everything(2):
        run_in_time(ports, effect)
    assert not gate.is_open.is_set()


@pytest.mark.parametrize(
    ("effect", "asked", "thread"),
    [
        (fx.PrepareInsertion(1, Method.PASTE), "focused", "focus"),
        (fx.LookAround(1, Target(1)), "text_around", "look-around"),
        (fx.Copy("diary"), "copy", "copy"),
        (fx.ListenFor(()), "start", "hotkeys-set"),
        (fx.WatchEscape(is_wanted=True), "watch_escape", "hotkeys-set"),
    ],
)
def test_what_the_desktop_may_keep_waiting_is_asked_on_another_thread(gate, effect, asked, thread):
    hangs, events = Blocked(gate, HotkeyListener, Inserter), []
    hangs.prepare = lambda _method: None
    ports = Ports(*[hangs] * 6, events.append, lambda _effect, work: work())
    gate.parts += [part.stop for part in (ports.focus, ports.looking, ports.copying, ports.setting)]
    run_in_time(ports, effect)
    assert hangs.called.get(timeout=30) == (asked, thread)
    assert events == [], "it is told when it has happened, and no sooner"


def test_texts_are_copied_while_the_focus_and_the_hotkeys_hang(gate):
    hangs, events = Blocked(gate, HotkeyListener, Inserter), queue.SimpleQueue()
    well = FakeInserter(events.put)
    well.focused = hangs.focused
    history = FakeHistory(events.put)
    ports = Ports(hangs, hangs, hangs, well, hangs, history, events.put, lambda _effect, work: work())
    gate.parts += [part.stop for part in (ports.focus, ports.looking, ports.copying, ports.setting)]
    for effect in (fx.PrepareInsertion(1, Method.PASTE), fx.ListenFor(()), fx.Copy("diary", (6,))):
        ports.run(effect)
    assert events.get(timeout=30) == Copied((6,))
    assert history.told == ["6 copied"]


@pytest.mark.parametrize("effect", [fx.Copy("diary", (6,)), fx.ListenFor(())])
@pytest.mark.expects_log
def test_a_failure_on_another_thread_comes_as_an_event(effect):
    error = HandyError("The desktop refused.")

    def fail(_what):
        raise error

    views = queue.SimpleQueue()
    controller = Controller(pytest.fail, views.put)
    ports = fake_ports(controller.post, controller.attempt, workers={})
    ports.hotkeys.error = error
    ports.inserter.copy = fail
    ports.run(effect)
    controller.start()
    (notice,) = views.get(timeout=30).notices
    controller.stop(30)
    for lane in (ports.copying, ports.setting):
        lane.stop(30)
    assert (notice.title, notice.is_lasting) == (error.title, isinstance(effect, fx.ListenFor))


# --- a new hotkey -------------------------------------------------------------------------------------


def captured(ports):
    steps = []
    end = ports.capture_hotkey(lambda one: steps.append(one.step))
    return steps, end


def test_a_new_hotkey_is_captured_until_it_is_chosen():
    ports, _ = desk()
    steps, end = captured(ports)
    ports.hotkeys.hear(Captured(CaptureStep.HOLDING, "Ctrl+…"))
    ports.hotkeys.hear(Captured(CaptureStep.CHOSEN, "Ctrl+D"))
    end()
    assert steps == [CaptureStep.HOLDING, CaptureStep.CHOSEN]


def test_a_capture_is_ended_by_who_began_it_and_by_the_next_one():
    ports, _ = desk()
    steps, end = captured(ports)
    end()
    assert steps == [CaptureStep.OVER]
    more, _ = captured(ports)
    end()
    assert more == []
    assert ports.hotkeys.on_captured is not None, "that is another's"


def test_a_desktop_that_shows_no_keys_says_so():
    ports, events = desk()
    ports.hotkeys.error = HotkeyError("No.", HotkeyReason.UNSUPPORTED_DESKTOP, "Elsewhere.")
    steps = []
    ports.capture_hotkey(steps.append)
    assert [(one.step, one.error) for one in steps] == [(CaptureStep.FAILED, ports.hotkeys.error)]
    assert events == [], "who asked shows it"
