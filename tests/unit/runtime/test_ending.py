"""The end of the program: whatever hangs or breaks, what was said is on the disk, and soon."""

import threading
import time

import numpy as np
import pytest

from handy_qwen.app import program
from handy_qwen.app.program import Program
from handy_qwen.core import effects as fx
from handy_qwen.core.events import Request, Requested
from handy_qwen.core.types import EntryState
from handy_qwen.history.archive import Archive
from handy_qwen.history.disk import DiskHistory
from handy_qwen.history.retention import RetentionRules
from handy_qwen.runtime.controller import Ports
from handy_qwen.runtime.worker import Ending, in_order
from tests.fakes import FakeCues, FakeHistory, FakeHotkeys, FakeInserter, FakeRecorder, FakeTranscriber
from tests.unit.app.test_program import parts_of

BLOCK = np.full(1600, 0.1, np.float32)
GENEROUS_S = 60.0  # far more than anything here takes that does not hang


@pytest.mark.expects_log
def test_a_step_that_fails_skips_none_of_the_others():
    done = []
    in_order(lambda: done.append(1), lambda: 1 / 0, lambda: done.append(2))
    assert done == [1, 2]


@pytest.mark.expects_log
def test_parts_are_ended_side_by_side_and_those_that_hang_or_break_are_left(caplog):
    gate, ended = threading.Event(), []
    ending = Ending(0.2)
    begun = ending.begin(
        {"stuck": lambda _: gate.wait(GENEROUS_S), "broken": lambda _: 1 / 0, "well": ended.append}
    )
    ending.wait(begun, 0.1)
    ending.leave()
    assert not gate.is_set()
    assert len(ended) == 1
    assert 0 <= ended[0] <= 0.2, "it was told how long it may take"
    assert "did not end in time: stuck" in caplog.text
    gate.set()


@pytest.mark.expects_log
def test_parts_are_ended_here_when_the_system_gives_no_more_threads(monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    ended = []
    ending = Ending(GENEROUS_S)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        begun = ending.begin({"broken": lambda _: 1 / 0, "history": ended.append})
        ending.wait(begun, GENEROUS_S)
        ending.leave()
    assert len(ended) == 1


class Parts:
    """A program of stand-ins whose ends are as the test says, with takes going on for real."""

    def __init__(self, history=None):
        self.ended = []
        made = self.program = Program(lambda: None, is_hidden=True)
        post = made.controller.post
        recorder, transcriber, inserter = FakeRecorder(post), FakeTranscriber(post), FakeInserter(post)
        transcriber.finish = lambda _take: None  # its text does not come any more
        cues, kept = FakeCues(), history(post) if history else FakeHistory(post)
        ports = Ports(
            FakeHotkeys(), recorder, transcriber, inserter, cues, kept, post, made.controller.attempt
        )
        made.parts = parts_of(ports)
        self.ends = {
            "hotkeys": (ports.hotkeys, "stop"),
            "microphone": (recorder, "close"),
            "insertion": (inserter, "close"),
            "engine": (transcriber, "close"),
            "cues": (cues, "stop"),
            "chores": (made.chores, "stop"),
            "copying": (ports.copying, "stop"),
        }

    def replace(self, end, name):
        """Let the part ``name`` end by ``end``."""
        part, method = self.ends[name]
        setattr(part, method, end)

    def dictate(self):
        """Begin a take that goes on, on the program's own thread."""
        self.program.controller.start()
        self.program.controller.post(Requested(Request.START, time.monotonic()))


def closed_in_time(parts, also=None):
    thread = threading.Thread(target=parts.program.close, args=(also,), daemon=True)
    thread.start()
    thread.join(GENEROUS_S)
    assert not thread.is_alive()


@pytest.mark.expects_log
@pytest.mark.parametrize("how", ["hangs", "breaks"])
def test_the_history_is_closed_though_every_other_part_hangs_or_breaks(app_home, monkeypatch, how):
    del app_home
    monkeypatch.setattr(program, "CLOSE_S", 1.0)
    monkeypatch.setattr(program, "TAKES_S", 0.2)
    gate, parts, asked = threading.Event(), Parts(), []

    def end(*_timeout):
        asked.append(True)
        if how == "breaks":
            raise OSError("odd")
        gate.wait(GENEROUS_S)

    monkeypatch.setattr(program.ControlServer, "close", end)
    for name in parts.ends:
        parts.replace(end, name)
    closed_in_time(parts, {"windows": end})
    assert not gate.is_set()
    assert parts.program.parts.history.told == ["closed"]
    assert len(asked) == len(parts.ends) + 2
    gate.set()
    monkeypatch.undo()
    parts.program.close()


def test_hotkeys_that_are_being_set_are_not_set_after_their_end(app_home):
    del app_home
    parts, order, begun = Parts(), [], threading.Event()
    hotkeys = parts.program.parts.ports.hotkeys

    def set_slowly(_hotkeys):
        begun.set()
        order.append("set" if not asked.wait(0.3) else "set too late")

    def stop():
        asked.set()
        order.append("stopped")

    asked, hotkeys.start, hotkeys.stop = threading.Event(), set_slowly, stop
    parts.program.parts.ports.run(fx.ListenFor(()))
    assert begun.wait(GENEROUS_S)
    closed_in_time(parts)
    assert order == ["set", "stopped"]


@pytest.mark.expects_log
@pytest.mark.parametrize("how", ["ends well", "hangs"])
def test_a_take_that_is_being_recorded_is_kept_when_the_program_is_quit(app_home, monkeypatch, how):
    monkeypatch.setattr(program, "CLOSE_S", 5.0 if how == "ends well" else 1.0)
    monkeypatch.setattr(program, "TAKES_S", 0.2)
    folder = app_home / "history"

    def history(post):
        made = DiskHistory(post, folder, RetentionRules)
        made.start()
        return made

    gate, parts = threading.Event(), Parts(history)
    recorder, fed = parts.program.parts.recorder, threading.Event()
    start = recorder.start

    def speak(take, sink):
        start(take, sink)
        for _ in range(20):
            sink(BLOCK)
        parts.last_words = lambda: sink(BLOCK)
        fed.set()

    def hear_the_end(_timeout_s):
        parts.last_words()
        if how == "hangs":
            gate.wait(GENEROUS_S)
        recorder.stop(1)

    recorder.start = speak
    recorder.close = hear_the_end
    parts.dictate()
    assert fed.wait(GENEROUS_S)
    closed_in_time(parts)
    with Archive(folder) as archive:
        (entry,) = archive.newest()
    assert entry.state in {EntryState.RECORDING, EntryState.WAITING}
    found = []
    again = DiskHistory(found.append, folder, RetentionRules)
    again.start()
    again.close(GENEROUS_S)
    (recovered,) = found
    assert [one.duration_s for one in recovered.unfinished] == [pytest.approx(2.1)]
    gate.set()


@pytest.mark.expects_log
def test_a_question_of_the_desktop_about_the_autostart_keeps_no_setting_waiting(app_home, monkeypatch):
    del app_home
    monkeypatch.setattr(program, "CLOSE_S", 2.0)
    monkeypatch.setattr(program, "TAKES_S", 0.2)
    gate, parts = threading.Event(), Parts()
    monkeypatch.setattr(program, "set_autostart", lambda _is_on: gate.wait(GENEROUS_S))
    made = parts.program
    made.store.load()
    made.chores.start()
    made.use_autostart(True)
    made.change(private=True)
    closed_in_time(parts)
    assert "private = true" in made.store.path.read_text(encoding="utf-8")
    assert not gate.is_set()
    gate.set()
