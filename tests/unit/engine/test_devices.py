"""Parts of a model on a device.

Standing in for one: a provider of ONNX Runtime that leaves all work to the processor.
"""

from contextlib import nullcontext

import numpy as np
import onnxruntime as ort
import pytest

from handy_qwen.audio.files import load
from handy_qwen.engine import load_model
from handy_qwen.engine.api import Cancel, ModelPart, Placement
from handy_qwen.engine.qwen3 import sessions
from handy_qwen.engine.qwen3.manifest import load_manifest
from handy_qwen.engine.qwen3.recognizer import open_parts
from handy_qwen.engine.qwen3.sessions import DEVICES, Device, devices_here, parts_for
from handy_qwen.errors import CancelledError, EngineError
from handy_qwen.models.installed import VOICE_MODEL, demo_model
from handy_qwen.paths import asset

STAND_IN = Device("AzureExecutionProvider", "a stand-in")
ALL = frozenset(ModelPart)
IDS = np.random.default_rng(3).integers(0, 500, 210).tolist()


@pytest.fixture
def failures():
    return []


@pytest.fixture
def placed(failures, monkeypatch):
    """All parts on the stand-in."""
    monkeypatch.setattr(sessions, "DEVICES", (*DEVICES, STAND_IN))
    return Placement(STAND_IN.provider, ALL, failures.append)


@pytest.fixture
def runs(monkeypatch):
    """Counts the runs on the device; those after ``runs.most`` fail as ``runs.failure`` says."""

    class Runs:
        count, most = 0, 1_000_000
        failure = EngineError("The speech engine failed while running the model.")

    real = sessions.run

    def run(session, feeds, cancel, outputs=None):
        if session.get_providers()[0] != STAND_IN.provider:
            return real(session, feeds, cancel, outputs)
        Runs.count += 1
        if Runs.count <= Runs.most:
            return real(session, feeds, cancel, outputs)
        if isinstance(Runs.failure, Exception):
            raise Runs.failure
        return [np.full_like(value, Runs.failure) for value in real(session, feeds, cancel, outputs)]

    monkeypatch.setattr(sessions, "run", run)
    return Runs


def speech_of():
    """A sentence."""
    return load(sorted(asset("speech").glob("*.flac"))[0])


def logits_of(decoder, ids, step=60):
    """Of the last row, after all were read in runs of ``step``, and of three more one by one."""
    decoder.truncate(0)
    for first in range(0, len(ids) - 3, step):
        decoder.extend(ids[first : min(first + step, len(ids) - 3)])
        decoder.flush(Cancel())
    found = []
    for token in ids[-3:]:
        decoder.extend([token])
        found.append(decoder.logits(1, Cancel())[0].copy())
    return np.stack(found)


def test_the_installed_onnx_runtime_has_the_devices_that_it_was_built_for(monkeypatch):
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "Other"])
    assert [device.title for device in devices_here()] == ["CUDA"]


def test_drivers_of_windows_are_listed_until_there_are_no_more():
    class Registry:
        HKEY_LOCAL_MACHINE = "machine"
        drivers = ("Card 31.0", "Other card 2.1")

        def OpenKey(self, root, path):  # noqa: N802  as in winreg
            if root == "machine":
                return nullcontext("displays")
            if int(path) >= len(self.drivers):
                raise FileNotFoundError
            return nullcontext(int(path))

        def QueryValueEx(self, key, name):  # noqa: N802
            description, _, version = self.drivers[key].rpartition(" ")
            return {"DriverDesc": description, "DriverVersion": version}[name], 1

    assert sessions.windows_drivers(Registry()) == ["Card 31.0", "Other card 2.1"]


def test_what_computes_in_16_bits_gets_no_part_of_the_decoder_and_none_in_8_bits(exact_package):
    rounded, exact = load_manifest(demo_model().folder), load_manifest(exact_package)
    for device in DEVICES:
        is_exact = device.title != "CoreML"
        assert parts_for(device, rounded) == (tuple(ModelPart) if is_exact else ())
        assert parts_for(device, exact) == (tuple(ModelPart) if is_exact else (ModelPart.ENCODER,))


def test_rows_read_on_a_device_are_in_the_cache_that_the_processor_goes_on_with(
    random_package, placed, runs, failures
):
    near, far = open_parts(random_package, 1), open_parts(random_package, 1, placed)
    np.testing.assert_allclose(
        logits_of(far.decoder, IDS), logits_of(near.decoder, IDS), atol=2e-4, rtol=1e-4
    )
    assert (runs.count, failures) == (4, [])  # the runs of 60 and of 27 rows, but not of single ones
    far.decoder.truncate(100)
    near.decoder.truncate(100)
    for model in (far, near):
        model.decoder.extend(IDS[:50])
    np.testing.assert_allclose(
        far.decoder.logits(1, Cancel()), near.decoder.logits(1, Cancel()), atol=2e-4, rtol=1e-4
    )


def test_a_take_is_the_same_on_a_device(placed, runs, failures):
    speech = speech_of()

    def text(placement):
        model = load_model(
            demo_model().folder, voice_model=asset(VOICE_MODEL), threads=1, placement=placement
        )
        try:
            return model.transcribe(speech)
        finally:
            model.close()

    plain = text(None)
    assert runs.count == 0
    found = text(placed)
    assert runs.count > 1
    assert (found.text, found.tokens, failures) == (plain.text, plain.tokens, [])


@pytest.mark.expects_log
@pytest.mark.parametrize("failure", [EngineError("It is gone."), np.nan], ids=["error", "nan"])
@pytest.mark.parametrize("most", [0, 1, 2, 3])
def test_what_fails_in_the_middle_of_a_take_is_done_again_on_the_processor(
    placed, runs, failures, most, failure
):
    runs.most, runs.failure, speech = most, failure, speech_of()
    model = load_model(demo_model().folder, voice_model=asset(VOICE_MODEL), threads=1, placement=placed)
    near = load_model(demo_model().folder, voice_model=asset(VOICE_MODEL), threads=1)
    assert model.transcribe(speech).tokens == near.transcribe(speech).tokens
    tried = runs.count
    assert 1 <= len(failures) <= 3  # at most once for each graph
    assert tried <= most + 3
    assert model.transcribe(speech).tokens == near.transcribe(speech).tokens
    assert runs.count <= most + 3  # what failed is not tried again
    model.close()
    near.close()


def test_a_run_given_up_is_no_failure(random_package, placed, failures):
    model, cancel = open_parts(random_package, 1, placed), Cancel()
    model.decoder.extend(IDS)
    cancel.set()
    with pytest.raises(CancelledError):
        model.decoder.logits(1, cancel)
    with pytest.raises(CancelledError):
        model.encoder.encode(np.zeros((128, 100), np.float32), cancel)
    assert failures == []
    assert np.isfinite(model.decoder.logits(1, Cancel())).all()


@pytest.mark.expects_log
def test_a_device_that_cannot_be_opened_leaves_the_model_on_the_processor(random_package, failures):
    missing = Placement("CUDAExecutionProvider", ALL, failures.append)
    model = open_parts(random_package, 1, missing)
    assert logits_of(model.decoder, IDS).shape[0] == 3
    assert len(failures) == 3
    assert "not built for CUDA" in failures[0].title


@pytest.mark.expects_log
def test_a_driver_that_is_missing_is_said(random_package, failures, monkeypatch):
    """Some providers are in the build, and cannot be started: ONNX Runtime then opens without them."""
    monkeypatch.setattr(sessions, "DEVICES", (STAND_IN,))
    monkeypatch.setattr(ort.InferenceSession, "get_providers", lambda _: ["CPUExecutionProvider"])
    open_parts(random_package, 1, Placement(STAND_IN.provider, ALL, failures.append))
    assert {error.title for error in failures} == {
        "a stand-in cannot be started: its driver or libraries are missing."
    }
