"""Which device is used for a model: tried once, chosen by time, refused for other words, remembered."""

import dataclasses
import errno
import json
import os
import subprocess
import sys

import onnxruntime as ort
import pytest

from handy_qwen import paths
from handy_qwen.audio.files import load
from handy_qwen.engine.api import ModelPart, Timings, Transcript
from handy_qwen.engine.qwen3 import sessions
from handy_qwen.engine.qwen3.sessions import Device
from handy_qwen.errors import CheckSpeechError, EngineError
from handy_qwen.models import installed, machine, tuning
from handy_qwen.models.installed import demo_model, load_recognizer
from handy_qwen.models.machine import Choice, choice_of, placement_of
from handy_qwen.models.tuning import is_trial_due, try_devices
from handy_qwen.paths import asset

pytestmark = pytest.mark.usefixtures("app_home")
STAND_IN = Device("AzureExecutionProvider", "A stand-in")
BOTH = frozenset(ModelPart)


class FakeModel:
    """Takes a second for each part, less on the device; writes what is asked of it."""

    languages = ("English",)

    def __init__(self, place, gains, words, failure):
        self.parts = place.parts if place else frozenset()
        self.gains, self.words, self.failure, self.place = gains, words, failure, place

    def measure(self, _samples, _tokens):
        if self.failure and self.parts:
            self.place.on_failure(EngineError(self.failure))
        encoder, prefill = (1 / self.gains.get(part, 1) if part in self.parts else 1.0 for part in ModelPart)
        return Timings(encoder_s=encoder, prefill_s=prefill)

    def transcribe(self, _samples):
        text = self.words if self.parts else "Words."
        return Transcript(
            text, "English", is_language_forced=False, tokens=(), is_truncated=False, duration_s=1.0
        )

    def close(self):
        pass


@pytest.fixture
def demo():
    return demo_model().folder


@pytest.fixture(autouse=True)
def only_the_stand_in(monkeypatch):
    """It is a device, and the only one."""
    monkeypatch.setattr(sessions, "DEVICES", (STAND_IN,))


@pytest.fixture
def fake(monkeypatch):
    """Replaces models; the device is so many times as fast in each part."""

    def replace(gains=None, words="Words.", failure=""):
        monkeypatch.setattr(
            tuning,
            "load_model",
            lambda *_, placement=None, **__: FakeModel(placement, gains or {}, words, failure),
        )

    return replace


@pytest.mark.parametrize(
    ("gains", "parts"),
    [
        ({ModelPart.ENCODER: 3, ModelPart.PREFILL: 2}, BOTH),
        ({ModelPart.ENCODER: 3, ModelPart.PREFILL: 0.5}, {ModelPart.ENCODER}),
        ({ModelPart.ENCODER: 1.1, ModelPart.PREFILL: 4}, {ModelPart.PREFILL}),
        ({ModelPart.ENCODER: 1.1, ModelPart.PREFILL: 1.2}, set()),
    ],
)
def test_only_parts_that_are_clearly_quicker_are_placed(fake, demo, gains, parts):
    fake(gains)
    assert try_devices(demo, 1).parts == parts
    assert choice_of(demo).parts == parts
    place = placement_of(demo)
    assert (place.parts if place else set()) == parts


def test_what_is_gained_is_said(fake, demo):
    fake({ModelPart.ENCODER: 3, ModelPart.PREFILL: 2})
    assert try_devices(demo, 1).why == (
        "A stand-in is used: the encoder is 3.0 times as fast and reading the audio is 2.0 times as fast"
        " as on the processor."
    )


def test_a_device_that_writes_other_words_is_not_used(fake, demo):
    fake({ModelPart.ENCODER: 9}, words="Other words.")
    choice = try_devices(demo, 1)
    assert (choice.parts, choice.why) == (set(), "A stand-in writes other words than the processor.")


def test_where_nothing_is_written_nothing_is_compared(fake, demo, monkeypatch):
    fake({ModelPart.ENCODER: 9})
    monkeypatch.setattr(FakeModel, "languages", ("Klingon",))
    choice = try_devices(demo, 1)
    assert (choice.parts, choice.provider) == (set(), "")
    assert "writes nothing of the check speech" in choice.why


def test_a_device_that_fails_is_not_used_and_said(fake, demo):
    fake({ModelPart.ENCODER: 9}, failure="Its driver is too old.")
    assert try_devices(demo, 1) == choice_of(demo)
    assert (choice_of(demo).parts, choice_of(demo).why) == (set(), "Its driver is too old.")


def test_without_check_speech_no_device_is_used(fake, demo, monkeypatch, tmp_path):
    def missing():
        raise CheckSpeechError(tmp_path, "is missing")

    fake({ModelPart.ENCODER: 9})
    monkeypatch.setattr(tuning, "load_check_speech", missing)
    choice = try_devices(demo, 1)
    assert not choice.parts
    assert "is missing. Without it, no device is used." in choice.why


def test_a_trial_is_due_until_it_was_made_and_again_with_another_driver(fake, demo, monkeypatch):
    fake()
    assert is_trial_due(demo)
    try_devices(demo, 1)
    assert not is_trial_due(demo)
    monkeypatch.setattr(machine, "drivers", lambda: "a newer one")
    assert is_trial_due(demo)
    assert placement_of(demo) is None


def test_without_devices_no_trial_is_due(demo, monkeypatch):
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert not is_trial_due(demo)


def test_a_trial_that_is_interrupted_is_made_another_time(fake, demo, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    fake()
    monkeypatch.setattr(tuning._Trial, "_times", interrupt)
    with pytest.raises(KeyboardInterrupt):
        try_devices(demo, 1)
    assert is_trial_due(demo)


def test_a_device_that_ended_the_program_is_not_tried_again(fake, demo, monkeypatch):
    fake({ModelPart.ENCODER: 9})
    monkeypatch.setattr(tuning._Trial, "choice", lambda _: choice_of(demo))
    crashed = Choice("", frozenset(), "The program crashed while the device was tried.")
    assert try_devices(demo, 1) == crashed


@pytest.mark.parametrize("where", ["open_session", "run"])
def test_a_device_that_ends_the_program_is_not_used_again_until_a_driver_changes(
    fake, demo, monkeypatch, where
):
    """In a process of its own, which ends while the model is opened, or in the middle of a take."""
    fake({ModelPart.ENCODER: 9, ModelPart.PREFILL: 9})
    chosen = try_devices(demo, 1)
    code = f"""
import os, numpy, handy_qwen.models.installed as installed
from handy_qwen.engine.qwen3 import sessions
from handy_qwen.engine.qwen3.sessions import Device
sessions.DEVICES = (Device("{STAND_IN.provider}", "A stand-in"),)
def end(*_, device=None, **__):
    os.abort()
sessions.{where} = end
model = installed.load_recognizer("demo", 1, use_devices=True)
model.measure(numpy.ones(16000, numpy.float32), 2)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode not in {0, 1}, done.stderr
    assert choice_of(demo) == Choice("", frozenset(), "The program crashed while the device was used.")
    assert placement_of(demo) is None
    assert not is_trial_due(demo)
    monkeypatch.setattr(machine, "drivers", lambda: "a newer one")
    assert is_trial_due(demo)
    assert chosen.parts == BOTH


def test_a_device_in_use_has_ended_nobody(fake, demo):
    """Neither for this process nor, meanwhile, for another, which goes without a mark."""
    fake({ModelPart.ENCODER: 9})
    choice, place = try_devices(demo, 1), placement_of(demo)
    with place.in_use():
        assert choice_of(demo) == choice
        with place.in_use():
            assert choice_of(demo) == choice
        assert choice_of(demo) == choice
    with pytest.raises(EngineError), place.in_use():
        raise EngineError("It is gone.")
    assert choice_of(demo) == choice


def test_a_crash_of_another_program_is_not_written_over(fake, demo):
    fake({ModelPart.ENCODER: 9})
    try_devices(demo, 1)
    place = placement_of(demo)
    (paths.data_dir() / "device-in-use").write_text(str(demo), encoding="utf-8")
    with place.in_use():
        pass
    assert choice_of(demo).why == "The program crashed while the device was used."


@pytest.mark.parametrize("call", ["open", "write"])
def test_a_full_disk_costs_no_text(fake, demo, monkeypatch, call):
    """The device does its work; only a crash would not be noticed."""
    fake({ModelPart.ENCODER: 9})
    choice, place, done = try_devices(demo, 1), placement_of(demo), []

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(os, call, full)
            with place.in_use():
                done.append(call)
    assert done == [call, call]
    assert choice_of(demo) == choice
    with place.in_use():
        assert (paths.data_dir() / "device-in-use").stat().st_size


def test_a_use_that_ends_while_it_is_looked_at_was_no_crash(fake, demo, monkeypatch):
    fake({ModelPart.ENCODER: 9})
    choice, place, real = try_devices(demo, 1), placement_of(demo), os.fstat
    use = place.in_use()
    use.__enter__()

    def ends_then(handle):
        found = real(handle)
        use.__exit__(None, None, None)
        return found

    noted = []
    monkeypatch.setattr(machine, "keep_choice", lambda folder, _choice: noted.append(folder))
    monkeypatch.setattr(os, "fstat", ends_then)
    assert choice_of(demo) == choice
    assert noted == []


def test_a_program_that_is_quit_in_the_middle_has_not_crashed(fake, demo):
    """The thread is left behind in native code, and the process ended: also to start anew."""
    fake({ModelPart.ENCODER: 9})
    choice = try_devices(demo, 1)
    code = f"""
import os, threading
from pathlib import Path
from handy_qwen.app import _run_alone
from handy_qwen.models.device_mark import in_use
import handy_qwen.app.desktop as desktop
import handy_qwen.app as app
begun = threading.Event()
def hang():
    with in_use(Path({str(demo)!r})):
        begun.set()
        threading.Event().wait()
def run(**_):
    threading.Thread(target=hang, name="model-load", daemon=True).start()
    begun.wait()
desktop.run, app.check_display = run, lambda _: None
_run_alone(is_hidden=True, is_debug=False)
os._exit(3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert choice_of(demo) == choice


@pytest.mark.parametrize("wrong", [{"parts": ["all"]}, {"parts": 3}, {"why": None, "parts": None}])
def test_a_file_that_was_changed_means_another_trial(fake, demo, wrong):
    fake({ModelPart.ENCODER: 9})
    try_devices(demo, 1)
    (path,) = paths.data_dir().glob("machine.json")
    text = json.loads(path.read_text(encoding="utf-8"))
    for topics in text["models"].values():
        topics["device"] |= wrong
    path.write_text(json.dumps(text), encoding="utf-8")
    assert placement_of(demo) is None
    assert is_trial_due(demo)


@pytest.mark.expects_log
def test_a_model_in_use_goes_back_to_the_processor_and_stays_there(demo, monkeypatch):
    """With real models. The stand-in is taken, however slow it is, and then breaks down."""
    monkeypatch.setattr(tuning, "_QUICKER", 1e9)
    assert try_devices(demo, 1).parts == BOTH
    speech = load(asset("speech/report.flac"))
    model, real, runs = load_recognizer("demo", threads=1, use_devices=True), sessions.run, []

    def broken(session, *arguments):
        runs.append(session.get_providers()[0])
        if runs[-1] == STAND_IN.provider:
            raise EngineError("It is gone.")
        return real(session, *arguments)

    monkeypatch.setattr(sessions, "run", broken)
    model.transcribe(speech)
    model.close()
    assert STAND_IN.provider in runs
    assert choice_of(demo).why == "It failed while it was used: It is gone."
    runs.clear()
    model = load_recognizer("demo", threads=1, use_devices=True)
    assert model.transcribe(speech).text
    model.close()
    assert STAND_IN.provider not in runs


def test_a_device_is_used_only_where_it_may_be(demo, monkeypatch):
    monkeypatch.setattr(tuning, "_QUICKER", 1e9)
    try_devices(demo, 1)
    seen, real = [], installed.placement_of
    monkeypatch.setattr(installed, "placement_of", lambda folder: seen.append(folder) or real(folder))
    load_recognizer("demo", threads=1).close()
    assert not seen
    load_recognizer("demo", threads=1, use_devices=True).close()
    assert seen == [demo]


def test_a_choice_is_what_was_remembered(fake, demo):
    fake({ModelPart.ENCODER: 2})
    assert dataclasses.astuple(try_devices(demo, 1)) == dataclasses.astuple(choice_of(demo))
