"""The engine's thread with a model that does as it is told. No model is loaded, no time is measured."""

import queue
import threading
import time
import weakref
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.core.events import (
    Failed,
    ModelFailed,
    ModelLoading,
    ModelReady,
    ModelUnloaded,
    Previewed,
    Progressed,
    Transcribed,
)
from handy_qwen.core.types import LiveMode
from handy_qwen.engine.api import Preview, Transcript
from handy_qwen.errors import CancelledError, EngineError, LanguageError, ModelCorruptError, OutOfMemoryError
from handy_qwen.transcriber.jobs import FileJob, TakeJob
from handy_qwen.transcriber.thread import EngineTranscriber
from tests.fakes import FakeClock
from tests.waiting import wait_until

BLOCK = np.full(160, 0.1, np.float32)


def transcript(text, *, is_truncated=False):
    return Transcript(
        text, "English", is_language_forced=False, tokens=(), is_truncated=is_truncated, duration_s=1.0
    )


class FakeLive:
    """Counts its blocks; a preview for each; fails or waits where told. Of each ten, nine are settled."""

    def __init__(self, model):
        self.model = model
        self.blocks = 0
        self.settled_samples = 0
        self.gone = threading.Event()
        self.has_stopped_drafting = False

    def feed(self, _block):
        self.blocks += 1

    def advance(self):
        self.model.has_advanced.set()
        if self.model.advance_error:
            raise self.model.advance_error
        self.settled_samples = self.blocks // 10 * 9 * len(BLOCK)
        return False

    def settled(self):
        text = f"{self.settled_samples} settled" if self.settled_samples else ""
        return replace(transcript(text), duration_s=self.settled_samples / 16_000)

    def preview(self):
        return Preview(f"{self.blocks} blocks", "more")

    def stop_drafting(self):
        self.has_stopped_drafting = True

    def finish(self, _on_step):
        self.model.is_finishing.set()
        if self.model.finish_error:
            raise self.model.finish_error
        if self.model.waits_for_cancel:
            assert self.gone.wait(30)
            raise CancelledError
        return transcript(f"{self.model.name}: {self.blocks} live")

    def cancel(self):
        self.gone.set()


class FakeFileText(FakeLive):
    """Of a file: one piece for each second, which begins when it may."""

    def __init__(self, model, segment_s, cancel):
        super().__init__(model)
        self.passes, self.cancel_work = segment_s, cancel
        self.samples = 0

    def feed(self, block):
        self.samples += len(block)

    def advance(self):
        self.cancel_work.check()
        if self.passes > self.model.enough_s:
            raise OutOfMemoryError
        if self.settled_samples + 16_000 > self.samples:
            return False
        while self.model.is_slow.is_set():
            self.model.has_advanced.set()
            self.cancel_work.check()
            time.sleep(0.001)
        self.settled_samples += 16_000
        return True

    def settled(self):
        second = self.settled_samples // 16_000
        return replace(transcript("s" * second), duration_s=second)

    def finish(self, on_step):
        on_step()
        if self.model.error:
            raise self.model.error
        return self.settled()


class FakeModel:
    languages = ("English", "German")

    def __init__(self, name="m", **told):
        self.name = name
        self.advance_error = told.get("advance_error")
        self.finish_error = told.get("finish_error")
        self.error = told.get("error")
        self.waits_for_cancel = told.get("waits_for_cancel", False)
        self.enough_s = told.get("enough_s", 60.0)  # there is memory for passes of that length
        self.passes = []
        self.is_cut = False
        self.is_finishing = threading.Event()
        self.has_advanced = threading.Event()
        self.is_closed = threading.Event()
        self.is_slow = threading.Event()  # a piece of a file ends when it is cleared, or is stopped
        self.asked = []

    def live(self, *, language, context, drafts, segment_s=60.0, cancel=None):
        assert not self.is_closed.is_set()
        if cancel is not None:  # a file's
            return FakeFileText(self, segment_s, cancel)
        self.asked.append((language, context, drafts))
        if language == ("Klingon",):
            raise LanguageError("The model does not know it.")
        return FakeLive(self)

    def transcribe(self, samples, *, language, context, segment_s, cancel, on_step):
        self.passes.append(segment_s)
        on_step()
        if segment_s > self.enough_s:
            raise OutOfMemoryError
        if self.error:
            raise self.error
        assert not cancel.is_set
        self.asked.append((language, context))
        return transcript(f"{self.name}: {len(samples)} at once")

    def check_files(self):
        if self.is_cut:
            raise ModelCorruptError(Path("decoder.data"), "it was cut short")

    def close(self):
        self.is_closed.set()


class Bench:
    """A transcriber and the events it posts, one after the other."""

    def __init__(self, *models, live=LiveMode.FULL, idle_s=None):
        self.events = queue.SimpleQueue()
        self.models = {model.name: model for model in models}
        self.gates = {}
        self.loaded = []
        self.clock = FakeClock()
        self.idle_s = idle_s
        self.noted = queue.SimpleQueue()  # at work, not at work, at rest
        self.transcriber = EngineTranscriber(
            self.events.put,
            self.load,
            name=models[0].name if models else "absent",
            live_mode=lambda: live,
            idle_s=lambda: self.idle_s,
            at_work=self.noted.put,
            on_rest=lambda: self.noted.put("rest"),
            clock=self.clock,
        )

    def load(self, name):
        self.loaded.append(name)
        if name in self.gates:
            assert self.gates[name].wait(30)
        model = self.models.get(name)
        if model is None:
            raise EngineError("There is no such model.")
        if isinstance(model, BaseException):
            raise model
        model.is_closed.clear()
        return model

    def expect(self, *kinds):
        """The next event, which must be one of ``kinds``; events of other kinds before it are an error."""
        event = self.events.get(timeout=30)
        assert isinstance(event, kinds), event
        return event

    def skip_to(self, kind):
        while not isinstance(event := self.events.get(timeout=30), kind):
            pass
        return event

    def ready(self):
        self.transcriber.use_model(next(iter(self.models), "absent"))
        self.expect(ModelLoading)
        self.expect(ModelReady)
        return self

    def say(self, take, blocks=3, languages=()):
        self.transcriber.begin(take, languages, ("Qwen",))
        for _ in range(blocks):
            self.transcriber.feed(take, BLOCK)
        return self

    def text_of(self, take):
        """A whole take, and its text."""
        self.say(take).transcriber.finish(take)
        event = self.skip_to(Transcribed)
        assert event.take == take
        return event.text


@pytest.fixture
def bench():
    made = []

    def make(*models, **told):
        made.append(Bench(*models, **told))
        return made[-1]

    yield make
    for one in made:
        for gate in one.gates.values():
            gate.set()
        one.transcriber.close(30)
        one.transcriber.close(30)
    assert not any(thread.name == "engine" for thread in threading.enumerate())


def test_a_take_is_transcribed_while_it_is_spoken(bench):
    desk = bench(FakeModel()).ready().say(1)
    preview = desk.expect(Previewed)
    assert preview.take == 1
    desk.transcriber.finish(1)
    assert desk.skip_to(Transcribed).text == "m: 3 live"
    assert desk.models["m"].asked == [((), ("Qwen",), True)]


@pytest.mark.expects_log
@pytest.mark.parametrize("live", [LiveMode.FULL, LiveMode.OFF])
def test_a_take_that_ends_as_if_cancelled_though_nobody_cancelled_it_fails_and_is_not_silent(bench, live):
    model = FakeModel(finish_error=CancelledError(), error=CancelledError())
    desk = bench(model, live=live).ready().say(1)
    desk.transcriber.finish(1)
    assert desk.skip_to(Failed).take == 1


@pytest.mark.expects_log
def test_a_model_that_cannot_be_closed_keeps_no_other_from_being_loaded(bench):
    old, new = FakeModel("old"), FakeModel("new")
    desk = bench(old, new)
    old.close = new.close = lambda: 1 / 0
    desk.gates["old"] = threading.Event()
    desk.transcriber.use_model("old")
    desk.expect(ModelLoading)
    desk.transcriber.use_model("new")
    desk.gates["old"].set()
    assert desk.skip_to(ModelReady).name == "new"
    assert desk.text_of(1).startswith("new")
    desk.idle_s = 0.0
    desk.transcriber.wake()
    desk.skip_to(ModelUnloaded)


def test_a_text_in_which_words_may_be_missing_says_so(bench, monkeypatch):
    desk = bench(FakeModel()).ready().say(1)
    desk.expect(Previewed)  # it is live
    monkeypatch.setattr(FakeLive, "finish", lambda *_: transcript("One… two.", is_truncated=True))
    desk.transcriber.finish(1)
    found = desk.skip_to(Transcribed)
    assert (found.text, found.is_truncated) == ("One… two.", True)


@pytest.mark.parametrize("live", [LiveMode.FULL, LiveMode.OFF])
def test_a_take_of_which_the_model_makes_nothing_fails_and_does_not_count_as_silence(
    bench, live, monkeypatch
):
    desk = bench(FakeModel(), live=live).ready().say(1)
    lost = transcript("", is_truncated=True)
    monkeypatch.setattr(FakeLive, "finish", lambda *_: lost)
    monkeypatch.setattr(FakeModel, "transcribe", lambda *_, **__: lost)
    desk.transcriber.finish(1)
    failed = desk.skip_to(Failed)
    assert (failed.take, failed.error.title) == (1, "The recording could not be transcribed.")
    monkeypatch.undo()
    assert desk.text_of(2)


def test_previews_come_at_most_ten_times_a_second(bench):
    desk = bench(FakeModel()).ready().say(1, blocks=1)
    desk.expect(Previewed)
    for _ in range(20):
        desk.transcriber.feed(1, BLOCK)
    desk.transcriber.finish(1)
    assert desk.expect(Transcribed).text == "m: 21 live"


def test_live_text_can_be_switched_off(bench):
    desk = bench(FakeModel(), live=LiveMode.OFF).ready().say(1)
    desk.transcriber.finish(1)
    assert desk.expect(Transcribed).text == "m: 480 at once"


def test_windows_alone_give_no_preview(bench):
    desk = bench(FakeModel(), live=LiveMode.FINAL_WINDOWS_ONLY).ready().say(1)
    assert desk.models["m"].has_advanced.wait(30)
    desk.transcriber.finish(1)
    desk.expect(Transcribed)
    assert desk.models["m"].asked == [((), ("Qwen",), False)]


def test_a_take_begun_before_the_model_is_there_is_answered_when_it_is(bench):
    desk = bench(FakeModel())
    desk.gates["m"] = threading.Event()
    desk.say(1, languages=("German",))
    desk.transcriber.finish(1)
    desk.expect(ModelLoading)
    desk.gates["m"].set()
    desk.expect(ModelReady)
    assert desk.expect(Transcribed).text == "m: 480 at once"
    assert desk.models["m"].asked == [(("German",), ("Qwen",))]


def test_texts_come_in_the_order_of_the_takes(bench):
    desk = bench(FakeModel(), live=LiveMode.OFF)
    desk.say(1, 1).say(2, 2).say(3, 3)
    for take in (3, 2, 1):
        desk.transcriber.finish(take)
    assert [desk.skip_to(Transcribed).take for _ in range(3)] == [1, 2, 3]


def test_a_take_can_be_cancelled_while_its_text_is_written(bench):
    model = FakeModel(waits_for_cancel=True)
    desk = bench(model).ready().say(1)
    desk.skip_to(Previewed)
    desk.transcriber.finish(1)
    assert model.is_finishing.wait(30)
    desk.transcriber.cancel(1)
    model.waits_for_cancel = False
    assert desk.text_of(2)


def test_a_take_can_be_cancelled_while_the_model_loads(bench):
    desk = bench(FakeModel(), live=LiveMode.OFF)
    desk.gates["m"] = threading.Event()
    desk.say(1).say(2)
    desk.transcriber.cancel(1)
    desk.transcriber.finish(2)
    desk.gates["m"].set()
    assert desk.skip_to(Transcribed).take == 2


@pytest.mark.parametrize("stage", ["advance_error", "finish_error"])
@pytest.mark.expects_log
def test_live_transcription_that_fails_is_made_up_for_at_the_end(bench, stage):
    desk = bench(FakeModel(**{stage: EngineError("broken")})).ready().say(1)
    assert desk.models["m"].has_advanced.wait(30)
    desk.transcriber.finish(1)
    assert desk.skip_to(Transcribed).text == "m: 480 at once"


@pytest.mark.parametrize("error", [EngineError("broken"), OutOfMemoryError(), RuntimeError("odd")])
@pytest.mark.parametrize("stage", ["advance_error", "finish_error"])
@pytest.mark.expects_log
def test_what_is_settled_stays_when_the_live_transcription_fails(bench, stage, error):
    model = FakeModel()
    model.close = lambda: None
    desk = bench(model).ready().say(1, blocks=25)
    while desk.expect(Previewed).committed != "25 blocks":
        desk.clock.now_s += 1.0
        desk.transcriber.wake()
    setattr(model, stage, error)
    model.has_advanced.clear()
    desk.transcriber.feed(1, BLOCK)
    assert model.has_advanced.wait(30)
    desk.transcriber.finish(1)
    settled = 18 * len(BLOCK)
    assert desk.skip_to(Transcribed).text == f"{settled} settled m: {26 * len(BLOCK) - settled} at once"


def test_sound_is_let_go_of_as_soon_as_its_text_stands():
    job, blocks = TakeJob(1, "", "", LiveMode.FULL), []
    job.live = FakeLive(FakeModel())
    for _ in range(1000):
        block = BLOCK.copy()
        blocks.append(weakref.ref(block))
        job.audio.append(block)
        job.audio.feed(job.live)
        job.live.advance()
        job.audio.settle(job.live.settled_samples)
    del block
    alive = [one() is not None for one in blocks]
    assert sum(alive) == 1000 - 900
    assert all(alive[900:])


@pytest.mark.parametrize("error", [EngineError("broken"), RuntimeError("odd")])
@pytest.mark.expects_log
def test_an_error_of_the_engine_fails_the_take_and_not_the_next(bench, error):
    model = FakeModel(error=error)
    desk = bench(model, live=LiveMode.OFF).ready().say(1)
    desk.transcriber.finish(1)
    assert desk.expect(Failed).take == 1
    model.error = None
    assert desk.text_of(2)


def test_a_language_the_model_does_not_know_fails_the_take_when_all_was_said(bench):
    model = FakeModel(error=LanguageError("The model does not know it."))
    desk = bench(model).ready().say(1, languages=("Klingon",))
    desk.transcriber.finish(1)
    assert isinstance(desk.expect(Failed).error, LanguageError)


def test_a_take_without_samples_has_no_text(bench):
    desk = bench(FakeModel(), live=LiveMode.OFF).ready().say(1, blocks=0)
    desk.transcriber.finish(1)
    assert desk.expect(Transcribed).text == ""


@pytest.mark.parametrize("error", [None, MemoryError(), RuntimeError("odd")])
@pytest.mark.expects_log
def test_a_model_that_cannot_be_loaded_fails_the_takes_that_wait_for_it(bench, error):
    desk = bench()
    desk.models["absent"] = error
    desk.say(1)
    desk.transcriber.finish(1)
    assert desk.skip_to(Failed).take == 1


@pytest.mark.expects_log
def test_a_take_is_heard_to_its_end_though_the_model_cannot_be_loaded_and_has_another_try_then(bench):
    desk = bench(live=LiveMode.OFF).say(1)
    desk.expect(ModelLoading)
    desk.expect(ModelFailed)
    desk.models["absent"] = FakeModel("late")
    desk.transcriber.feed(1, BLOCK)
    desk.transcriber.finish(1)
    assert desk.skip_to(Transcribed).text == "late: 640 at once"


def test_another_model_is_loaded_behind_the_present_one(bench):
    old, new = FakeModel("old"), FakeModel("new")
    desk = bench(old, new, live=LiveMode.OFF).ready()
    desk.gates["new"] = threading.Event()
    desk.transcriber.use_model("new")
    desk.expect(ModelLoading)
    assert desk.text_of(1).startswith("old")
    desk.gates["new"].set()
    assert desk.expect(ModelReady).name == "new"
    assert desk.text_of(2).startswith("new")
    assert old.is_closed.is_set()


class Mapped:
    """What a load that fails had opened already."""


@pytest.mark.expects_log
def test_what_a_failed_load_had_opened_is_closed_though_its_error_is_kept(bench, monkeypatch):
    kept = []

    def load(_self, _name):
        mapped = Mapped()
        kept.append(weakref.ref(mapped))
        try:
            Path().read_bytes()
        except OSError as exc:
            raise EngineError("It is damaged.") from exc

    monkeypatch.setattr(Bench, "load", load)
    desk = bench(live=LiveMode.OFF)
    desk.transcriber.use_model("damaged")
    failed = desk.skip_to(ModelFailed)
    wait_until(lambda: kept[0]() is None, "the file to be closed")
    assert failed.error.title == "It is damaged."


@pytest.mark.expects_log
def test_a_model_that_cannot_be_loaded_leaves_the_present_one(bench):
    desk = bench(FakeModel("old"), live=LiveMode.OFF).ready()
    desk.transcriber.use_model("absent")
    desk.expect(ModelLoading)
    desk.expect(ModelFailed)
    assert desk.text_of(1).startswith("old")


@pytest.mark.parametrize("first", ["m", "absent"])
def test_of_two_models_asked_for_in_a_row_the_last_is_used(bench, first):
    desk = bench(FakeModel(), FakeModel("n"))
    desk.gates[first] = threading.Event()
    desk.transcriber.use_model(first)
    desk.expect(ModelLoading)
    desk.transcriber.use_model("n")
    desk.gates[first].set()
    assert desk.expect(ModelLoading).name == "n"
    assert desk.expect(ModelReady).name == "n"


def test_an_idle_model_gives_its_memory_back_and_comes_again(bench):
    model = FakeModel()
    desk = bench(model, live=LiveMode.OFF, idle_s=0.001)
    desk.say(1)
    desk.expect(ModelLoading)
    desk.expect(ModelReady)
    desk.clock.now_s += 10
    desk.transcriber.finish(1)
    desk.skip_to(Transcribed)
    desk.expect(ModelUnloaded)
    assert model.is_closed.is_set()
    desk.models["m"] = FakeModel()
    assert desk.text_of(2)


def test_no_model_is_unloaded_under_a_take(bench):
    model = FakeModel()
    desk = bench(model, live=LiveMode.OFF, idle_s=0.0).say(1)
    desk.expect(ModelLoading)
    desk.expect(ModelReady)
    assert not model.is_closed.is_set()
    desk.transcriber.finish(1)
    desk.expect(Transcribed)
    desk.expect(ModelUnloaded)
    assert model.is_closed.is_set()


def test_a_shorter_idle_time_counts_at_once(bench):
    desk = bench(FakeModel()).ready()
    desk.idle_s = 0.0
    desk.transcriber.wake()
    desk.expect(ModelUnloaded)


def test_the_system_is_told_while_there_are_takes(bench):
    desk = bench(FakeModel()).ready()
    assert desk.transcriber.is_idle()
    desk.say(1).say(2)
    assert desk.noted.get(timeout=30) is True
    assert not desk.transcriber.is_idle()
    desk.transcriber.finish(1)
    desk.skip_to(Transcribed)
    desk.transcriber.cancel(2)
    assert desk.noted.get(timeout=30) is False
    assert desk.transcriber.is_idle()
    assert desk.noted.empty()


def test_a_model_at_rest_is_told_of_once(bench, monkeypatch):
    monkeypatch.setattr("handy_qwen.transcriber.thread.REST_S", 0.0)
    desk = bench(FakeModel(), idle_s=3600.0).ready()
    assert desk.noted.get(timeout=30) == "rest"
    assert desk.text_of(1)
    assert [desk.noted.get(timeout=30) for _ in range(2)] == [True, False]
    desk.transcriber.wake()
    desk.ready()  # the model was loaded anew
    assert desk.noted.get(timeout=30) == "rest"


@pytest.mark.parametrize(("enough_s", "passes"), [(20.0, [60.0, 20.0]), (8.0, [60.0, 20.0, 8.0])])
@pytest.mark.expects_log
def test_when_memory_runs_short_the_model_is_loaded_anew_and_the_take_read_in_smaller_pieces(
    bench, enough_s, passes
):
    desk = bench(FakeModel(enough_s=enough_s), live=LiveMode.OFF).ready().say(1)
    model = desk.models["m"]
    model.close = lambda: desk.loaded.append("closed")
    desk.transcriber.finish(1)
    assert desk.skip_to(Transcribed).text == "m: 480 at once"
    assert model.passes == passes
    assert desk.loaded == ["m"] + ["closed", "m"] * (len(passes) - 1)


@pytest.mark.expects_log
def test_a_take_for_which_memory_never_suffices_fails_with_advice_and_the_next_works(bench):
    model = FakeModel(enough_s=1.0)
    model.close = lambda: None
    desk = bench(model, live=LiveMode.OFF).ready().say(1).say(2)
    desk.transcriber.finish(1)
    failed = desk.skip_to(Failed)
    assert (failed.take, type(failed.error)) == (1, OutOfMemoryError)
    model.enough_s = 60.0
    desk.transcriber.finish(2)
    assert desk.skip_to(Transcribed).take == 2


@pytest.mark.parametrize("stage", ["advance_error", "finish_error"])
@pytest.mark.parametrize("error", [MemoryError(), OutOfMemoryError()])
@pytest.mark.expects_log
def test_memory_that_runs_short_while_somebody_speaks_costs_no_sound(bench, stage, error):
    model = FakeModel(enough_s=20.0, **{stage: error})
    model.close = lambda: None
    desk = bench(model).ready().say(1)
    assert model.has_advanced.wait(30)
    desk.transcriber.finish(1)
    assert desk.skip_to(Transcribed).text == "m: 480 at once"
    assert model.passes == [20.0]


@pytest.mark.expects_log
def test_without_memory_to_load_the_model_again_the_take_fails_with_advice(bench):
    model = FakeModel(enough_s=1.0)
    desk = bench(model, live=LiveMode.OFF).ready().say(1)
    desk.models["m"] = MemoryError()
    desk.transcriber.finish(1)
    assert desk.skip_to(ModelFailed).error.hint
    assert isinstance(desk.expect(Failed).error, OutOfMemoryError)


@pytest.mark.parametrize("is_spoken", [True, False])
@pytest.mark.expects_log
def test_a_model_whose_file_is_cut_short_is_given_up_before_it_is_touched(bench, is_spoken):
    model = FakeModel()
    desk = bench(model).ready()
    if is_spoken:
        desk.say(1)
        desk.skip_to(Previewed)
    model.is_cut = True
    desk.models["m"] = ModelCorruptError(Path("decoder.data"), "it is too short")
    if not is_spoken:
        desk.say(1)
    desk.transcriber.finish(1)
    desk.skip_to(ModelUnloaded)
    assert model.is_closed.is_set()
    assert isinstance(desk.skip_to(ModelFailed).error, ModelCorruptError)
    assert desk.skip_to(Failed).take == 1


def die():
    raise SystemExit  # which ends a thread without a word, as nothing of ours does


@pytest.mark.parametrize("is_complete", [True, False])
def test_a_thread_that_died_can_be_started_again_and_at_most_the_take_it_was_at_is_lost(bench, is_complete):
    desk = bench(FakeModel(waits_for_cancel=True)).ready().say(1)
    desk.skip_to(Previewed)
    desk.say(2)
    if is_complete:
        desk.transcriber._jobs[1].complete()
    assert not desk.transcriber.thread.has_died()
    desk.transcriber.thread.do(die)
    desk.transcriber.thread.join(30)
    assert desk.transcriber.thread.has_died()
    desk.transcriber.thread.revive()
    desk.models["m"].waits_for_cancel = False
    if is_complete:
        assert desk.skip_to(Failed).take == 1
    else:
        desk.transcriber.finish(1)
        assert desk.skip_to(Transcribed).text == "m: 480 at once"
    desk.transcriber.finish(2)
    assert desk.skip_to(Transcribed).take == 2
    assert not desk.transcriber.thread.has_died()


def test_a_thread_that_is_stuck_is_seen_to_be(bench):
    model = FakeModel(waits_for_cancel=True)
    desk = bench(model).ready().say(1)
    desk.skip_to(Previewed)
    desk.transcriber.finish(1)
    assert model.is_finishing.wait(30)
    piece = desk.transcriber.thread.piece()
    assert piece is not None
    assert desk.transcriber.thread.piece() == piece
    desk.transcriber.cancel(1)


@pytest.mark.expects_log
def test_a_loading_that_ends_in_whatever_way_is_heard_of(bench):
    desk = bench()
    desk.models["absent"] = SystemExit()
    desk.say(1)
    desk.transcriber.finish(1)
    desk.expect(ModelLoading)
    desk.expect(ModelFailed)
    assert desk.skip_to(Failed).take == 1


def test_work_that_begins_after_its_take_was_given_up_is_stopped_at_once():
    stopped = []
    job = TakeJob(1, "", "", LiveMode.FULL)
    job.cancel()
    job.guard(lambda: stopped.append(True))
    assert stopped == [True]


def test_what_is_said_about_an_unknown_take_is_ignored(bench):
    desk = bench(FakeModel(), live=LiveMode.OFF).ready()
    desk.transcriber.feed(7, BLOCK)
    desk.transcriber.finish(7)
    desk.transcriber.cancel(7)
    assert desk.text_of(1)


@pytest.mark.expects_log
def test_an_error_that_nobody_foresaw_fails_the_takes_and_the_thread_goes_on(bench):
    model = FakeModel()
    desk = bench(model).ready()
    working = model.live
    model.live = None  # calling it raises TypeError
    model.error = RuntimeError("odd")
    desk.say(1)
    desk.transcriber.finish(1)
    assert desk.skip_to(Failed).take == 1
    model.live, model.error = working, None
    assert desk.text_of(2)


@pytest.mark.expects_log
def test_an_unforeseen_error_before_a_complete_take_has_its_model_fails_it_and_not_the_next(bench):
    model = FakeModel()
    desk = bench(model, live=LiveMode.OFF).ready()
    check, model.check_files = model.check_files, lambda: 1 / 0
    desk.say(1)
    desk.transcriber.finish(1)
    assert desk.expect(Failed).take == 1
    model.check_files = check
    assert desk.text_of(2)


@pytest.mark.expects_log
def test_every_complete_take_is_answered_though_nothing_works_any_more(bench):
    model = FakeModel()
    desk = bench(model, live=LiveMode.OFF).ready().say(1).say(2).say(3)
    for take in (3, 2):
        desk.transcriber.finish(take)
    model.check_files = lambda: 1 / 0
    desk.transcriber.finish(1)
    assert [desk.expect(Failed).take for _ in range(3)] == [1, 2, 3]


@pytest.mark.expects_log
def test_a_take_is_answered_when_there_is_no_thread_to_load_its_model_on(bench, monkeypatch):
    desk = bench(FakeModel(), live=LiveMode.OFF)

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("handy_qwen.transcriber.slot.threading.Thread.start", refuse)
        desk.say(1)
        desk.expect(ModelLoading)
        desk.expect(ModelFailed)
    desk.transcriber.finish(1)
    assert desk.skip_to(Transcribed).take == 1


def test_a_long_take_gives_a_sign_of_life_once_a_second(bench):
    model = FakeModel()
    desk = bench(model, live=LiveMode.OFF).ready().say(1)

    def transcribe(_samples, *, on_step, **_more):
        for _ in range(8):
            desk.clock.now_s += 0.25
            on_step()
        return transcript("long")

    model.transcribe = transcribe
    desk.transcriber.finish(1)
    assert [desk.expect(Progressed).take for _ in range(2)] == [1, 1]
    assert desk.expect(Transcribed).text == "long"


def test_the_end_of_a_live_take_gives_signs_of_life_as_well(bench, monkeypatch):
    desk = bench(FakeModel()).ready().say(1)
    desk.expect(Previewed)  # it is live

    def finish(_live, on_step):
        for _ in range(8):
            desk.clock.now_s += 0.25
            on_step()
        return transcript("long")

    monkeypatch.setattr(FakeLive, "finish", finish)
    desk.transcriber.finish(1)
    assert [desk.expect(Progressed).take for _ in range(2)] == [1, 1]
    assert desk.expect(Transcribed).text == "long"


def test_how_much_to_do_meanwhile_is_asked_on_the_engines_thread_whatever_that_takes(bench):
    asked, gate = [], threading.Event()
    model = FakeModel()
    desk = bench(model).ready()

    def ask():
        asked.append(threading.current_thread().name)
        gate.wait(30)
        return LiveMode.OFF

    desk.transcriber._live_mode = ask
    desk.say(1)
    desk.transcriber.finish(1)
    gate.set()
    assert desk.expect(Transcribed).text == "m: 480 at once"
    assert set(asked) <= {"engine"}


# --- whatever goes wrong, and in whatever order -------------------------------------------------------

ERRORS = [
    EngineError("No."),
    ZeroDivisionError("odd"),
    CancelledError(),
    OutOfMemoryError(),
    MemoryError(),
    ModelCorruptError(Path("x"), "it was cut short"),
    SystemExit(),
]
PLACES = ["load", "live", "feed", "advance", "preview", "settled", "finish"]
PLACES += ["transcribe", "check_files", "close"]
FAULTS = st.dictionaries(
    st.sampled_from(PLACES), st.lists(st.sampled_from([None, *ERRORS]), max_size=4), max_size=4
)


def faulty(one, faults):
    """``one``, whose methods may fail first, as often as ``faults`` says, as may those of what it makes."""
    for name in PLACES:
        if (method := getattr(one, name, None)) is not None:
            setattr(one, name, partial(attempt, faults, name, method))
    return one


def attempt(faults, name, method, *given, **named):
    fail(faults, name)
    made = method(*given, **named)
    return faulty(made, faults) if name == "live" else made


def fail(faults, name):
    if faults.get(name) and (error := faults[name].pop()) is not None:
        raise error


@pytest.mark.expects_log
@settings(max_examples=60)
@given(FAULTS, st.sampled_from(LiveMode), st.lists(st.booleans(), min_size=1, max_size=3))
def test_every_complete_take_is_answered_once_whatever_fails_on_its_way(told, live, cancelled):
    faults = {name: list(errors) for name, errors in told.items()}
    events = queue.SimpleQueue()

    def load(_name):
        fail(faults, "load")
        return faulty(FakeModel(), faults)

    transcriber = EngineTranscriber(events.put, load, name="m", live_mode=lambda: live)
    takes = dict(enumerate(cancelled, 1))
    for take, is_cancelled in takes.items():
        transcriber.begin(take, (), ())
        for _ in range(12):
            transcriber.feed(take, BLOCK)
        if is_cancelled:
            transcriber.cancel(take)
        else:
            transcriber.finish(take)
    awaited = {take for take, is_cancelled in takes.items() if not is_cancelled}
    looks = 0
    while awaited:
        try:
            event = events.get(timeout=0.01)
        except queue.Empty:
            looks += 1
            assert looks < 3000, f"no answer to {awaited}"
            if transcriber.thread.has_died():
                transcriber.thread.revive()
            continue
        if isinstance(event, Failed | Transcribed):
            awaited.remove(event.take)  # a KeyError: it was answered before, or nobody asked
    transcriber.close(30)
    rest = [events.get() for _ in range(events.qsize())]
    assert not [event for event in rest if isinstance(event, Failed | Transcribed)]


# ---- files ------------------------------------------------------------------------------------------------


def file_of(seconds):
    """A job that has been read."""
    job = FileJob((), ())
    for _ in range(seconds):
        job.feed(np.zeros(16_000, np.float32), 0.0)
    job.complete()
    return job


def letters(found):
    return found.text.count("s")


def test_a_file_is_transcribed_while_nobody_dictates_and_needs_no_model_before(bench):
    desk, job = bench(FakeModel()), file_of(5)
    desk.transcriber.transcribe_file(job)
    desk.expect(ModelLoading)
    desk.expect(ModelReady)
    assert letters(job.wait(30)) == 5
    second = file_of(3)
    desk.transcriber.transcribe_file(second)
    assert letters(second.wait(30)) == 3


def test_a_dictation_stops_the_piece_of_the_file_that_is_being_worked_on_and_goes_first(bench):
    model, job = FakeModel(), file_of(5)
    desk = bench(model).ready()
    model.is_slow.set()
    desk.transcriber.transcribe_file(job)
    assert model.has_advanced.wait(30)
    assert desk.text_of(1), "although the piece would never have ended"
    assert not job.is_over
    model.is_slow.clear()
    assert letters(job.wait(30)) == 5, "each second is there once"


@pytest.mark.expects_log
def test_an_unforeseen_error_ends_a_file_and_the_next_is_transcribed(bench):
    model = FakeModel()
    desk = bench(model).ready()
    check, model.check_files = model.check_files, lambda: 1 / 0
    job = file_of(5)
    desk.transcriber.transcribe_file(job)
    with pytest.raises(EngineError):
        job.wait(30)
    model.check_files = check
    second = file_of(3)
    desk.transcriber.transcribe_file(second)
    assert letters(second.wait(30)) == 3


def test_a_file_waits_as_long_as_anybody_speaks(bench):
    model, job = FakeModel(), file_of(5)
    desk = bench(model).ready().say(1)
    desk.transcriber.transcribe_file(job)
    desk.expect(Previewed)
    assert job.wait(0.0) is None
    desk.transcriber.cancel(1)
    assert letters(job.wait(30)) == 5


def test_a_file_keeps_its_model_loaded_and_lets_it_go_afterwards(bench):
    model, job = FakeModel(), FileJob((), ())
    desk = bench(model, idle_s=0.0)
    job.feed(np.zeros(16_000, np.float32), 0.0)
    desk.transcriber.transcribe_file(job)
    desk.skip_to(ModelReady)
    job.complete()
    desk.transcriber.wake()
    assert letters(job.wait(30)) == 1
    desk.skip_to(ModelUnloaded)
    assert model.is_closed.wait(30)


@pytest.mark.expects_log
def test_a_file_for_which_memory_does_not_suffice_is_done_in_smaller_pieces_or_fails_in_words(bench):
    desk, job = bench(FakeModel(enough_s=10.0)).ready(), file_of(4)
    desk.transcriber.transcribe_file(job)
    assert letters(job.wait(30)) == 4
    desk, job = bench(FakeModel(enough_s=1.0)).ready(), file_of(4)
    desk.transcriber.transcribe_file(job)
    with pytest.raises(OutOfMemoryError):
        job.wait(30)
    desk.models["m"].enough_s = 60.0
    assert desk.text_of(1), "the next dictation works"


@pytest.mark.expects_log
@pytest.mark.parametrize("error", [EngineError("No."), ValueError("No.")])
def test_a_file_that_fails_says_so_and_the_next_is_worked_on(bench, error):
    model, job = FakeModel(error=error), file_of(2)
    desk = bench(model).ready()
    desk.transcriber.transcribe_file(job)
    with pytest.raises(EngineError):
        job.wait(30)
    model.error = None
    job = file_of(2)
    desk.transcriber.transcribe_file(job)
    assert letters(job.wait(30)) == 2


@pytest.mark.expects_log
def test_without_a_model_a_file_fails_with_the_reason(bench):
    desk, job = bench(), file_of(2)
    desk.transcriber.transcribe_file(job)
    with pytest.raises(EngineError, match="no such model"):
        job.wait(30)


def test_a_file_that_is_given_up_stops_at_once_and_the_next_is_worked_on(bench):
    model, job = FakeModel(), file_of(2)
    desk = bench(model).ready()
    model.is_slow.set()
    desk.transcriber.transcribe_file(job)
    assert model.has_advanced.wait(30)
    job.cancel()
    second = file_of(2)
    desk.transcriber.transcribe_file(second)
    model.is_slow.clear()
    assert letters(second.wait(30)) == 2


def test_a_take_is_transcribed_in_the_language_that_its_program_has(bench):
    model = FakeModel()
    one = bench(model).ready().say(1, blocks=2)
    assert model.has_advanced.wait(30)
    one.transcriber.adapt(1, ("German",), ("kubectl", "Qwen"))
    one.transcriber.feed(1, BLOCK)
    one.transcriber.finish(1)
    text = one.skip_to(Transcribed).text
    assert text in {"m: 3 live", "m: 480 at once"}, "nothing that was heard before is lost or doubled"
    assert model.asked[0] == ((), ("Qwen",), True)
    assert model.asked[-1][:2] == (("German",), ("kubectl", "Qwen"))


def test_a_take_whose_beginning_is_settled_goes_on_in_the_other_language(bench):
    model = FakeModel()
    one = bench(model).ready().say(1, blocks=20)
    one.skip_to(Previewed)
    one.transcriber.adapt(1, ("German",), ())
    one.transcriber.finish(1)
    assert one.skip_to(Transcribed).text.endswith("at once")
    assert model.asked[-1] == (("German",), ())
