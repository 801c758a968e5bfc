"""A package says what its checkpoint says, also with loud channels; its conversion finds out how nearly."""

import dataclasses
import json
from itertools import pairwise
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen import paths
from handy_qwen.audio.files import load
from handy_qwen.bench.accuracy import answer, compare, with_model
from handy_qwen.convert import package, trial
from handy_qwen.convert.check_speech import load_check_speech
from handy_qwen.convert.checkpoint import Checkpoint
from handy_qwen.convert.encoder import write_encoder
from handy_qwen.convert.graph import Graph
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import BLOCKS, CHANNELS, DEFAULT_PRESET, PLAIN, PRESETS, ROWS
from handy_qwen.convert.trial import Case, FoldedTensors, relative_error
from handy_qwen.engine.qwen3 import names
from handy_qwen.engine.qwen3.features import log_mel, windows
from handy_qwen.engine.qwen3.manifest import MANIFEST_FILE, Fidelity, load_manifest
from handy_qwen.engine.qwen3.recognizer import Recognizer
from handy_qwen.errors import CheckSpeechError, ConversionError
from tests.conftest import CHECKPOINT, VOICE_MODEL
from tests.loud_channels import change, write_loud

DETAILS = Details("test", pass_s=8.0)
SPEECH = sorted(paths.asset("speech").glob("*.flac"))
SENTENCES = [
    "We need twenty-five chairs for the office.",
    "The meeting starts at five o'clock.",
    "Please send the report to Anna on Monday.",
]


@pytest.fixture(scope="module")
def mels():
    return [list(windows(log_mel(load(path)))) for path in SPEECH]


@pytest.fixture(scope="module")
def expected(exact_package, mels):
    return with_model(exact_package, 1, lambda model: [answer(model, mel, 24) for mel in mels])


@pytest.fixture
def one_sentence(monkeypatch):
    """Conversions listen to one sentence of the check speech: for tests of what they do with it."""
    clip = next(clip for clip in load_check_speech() if clip.language == "German")
    monkeypatch.setitem(convert.__kwdefaults__, "speech", lambda: [clip])


def texts(folder):
    recognizer = Recognizer.load(folder, voice_model=VOICE_MODEL, threads=1)
    found = [recognizer.transcribe(load(path), exact=True).text for path in SPEECH]
    recognizer.close()
    return found


# ---- loud channels --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "seed"), [(16, 1), (256, 3)])
def test_loud_channels_cost_the_default_package_nothing(tmp_path, mels, expected, factor, seed):
    """These channels made features 12 % and logits 26 % off as long as activations shared one scale as is."""
    source = write_loud(CHECKPOINT, tmp_path / "loud", factor=factor, seed=seed)
    manifest = convert(source, tmp_path / "package", PRESETS[DEFAULT_PRESET], DETAILS)
    found = with_model(tmp_path / "package", 1, lambda model: compare("", "", model, mels, expected))
    assert found.features < 0.015
    assert found.logits < 0.02
    assert texts(tmp_path / "package") == SENTENCES
    assert manifest.precision["encoder"] == str(CHANNELS)  # still the quick form
    assert manifest.precision["decoder"] == f"{ROWS}; 3 of 18 products {BLOCKS}"
    assert manifest.fidelity.choices_same >= 0.98 * manifest.fidelity.choices


@pytest.mark.usefixtures("one_sentence")
def test_only_the_product_whose_input_is_too_loud_takes_a_finer_form(tmp_path):
    """Behind a GELU nothing can be folded: the bias of fc1 makes one of the channels that fc2 reads loud."""

    def shout(tensors):
        tensors["thinker.audio_tower.layers.1.fc1.bias"][5] = 500
        tensors["thinker.audio_tower.layers.1.fc2.weight"][:, 5] = 0

    source = change(CHECKPOINT, tmp_path / "shouting", shout)
    manifest = convert(source, tmp_path / "package", PRESETS[DEFAULT_PRESET], DETAILS)
    others = manifest.precision["encoder"].removeprefix(f"{CHANNELS}; ")
    assert others.startswith("1 of ")
    assert manifest.fidelity.features < 0.02


@pytest.mark.usefixtures("one_sentence")
def test_a_product_that_a_scale_for_each_row_does_not_suit_takes_a_finer_form(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "ROWS_LIMIT", 0.0)
    manifest = convert(CHECKPOINT, tmp_path / "package", PRESETS[DEFAULT_PRESET], DETAILS)
    assert manifest.precision["decoder"] == str(BLOCKS)
    assert manifest.fidelity.notes == ()  # for each product, not because all of it was too far off


def test_a_product_is_judged_as_it_is_written(tmp_path):
    """Rows have no bias that could take up what is off: here that is all of it, and in each row the same."""
    weights = np.random.default_rng(4).normal(size=(24, 96)).astype(np.float32)
    weights[:, 0] = 0
    x = np.full((1, 20, 96), 0.3, np.float32)
    x[..., 0] = 100
    tensors, preset = FoldedTensors(Stored({"w.weight": weights})), PRESETS[DEFAULT_PRESET]
    with Graph(tmp_path / "product.onnx", tensors.read) as graph:
        judged = trial.Trial(graph, tensors, preset, [Case({"x": x}, {"x": x})])
        judged.part(lambda graph, preset: [graph.linear("x", "w", preset.decoder)])
        assert set(graph.forms) == {BLOCKS}


@pytest.mark.usefixtures("one_sentence")
def test_a_decoder_that_rows_do_not_suit_is_what_it_was_with_blocks(tmp_path, monkeypatch):
    """Each product is near enough, but not what they make together: after the first layer, or at the end."""
    blocks = dataclasses.replace(PRESETS[DEFAULT_PRESET], decoder=BLOCKS)
    expected = convert(CHECKPOINT, tmp_path / "blocks", blocks, DETAILS)
    written = Mock(wraps=package.error_of)
    monkeypatch.setattr(package, "error_of", written)
    for limit, whole in ((0.001, 1), (0.021, 2)):
        written.reset_mock()
        monkeypatch.setattr(package, "ROWS_LOGITS_LIMIT", limit)
        assert convert(CHECKPOINT, tmp_path / f"rows {limit}", PRESETS[DEFAULT_PRESET], DETAILS) == expected
        values = [call.args[1] for call in written.mock_calls]
        assert values.count(names.HIDDEN) == whole, "so many decoders were written to their end"


class Stored:
    """Tensors by name, as of a checkpoint."""

    def __init__(self, tensors):
        self.tensors, self.reads = tensors, []

    def read(self, name):
        self.reads.append(name)
        return self.tensors[name]


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(1, 1), (4, 4), (4, 2), (6, 1)]),
    st.floats(-20, 20),
)
def test_folding_changes_nothing_in_float32(seed, heads, loudness):
    """x, of (heads written, each read several times), goes through two matrices, before and after."""
    rng = np.random.default_rng(seed)
    readers, written = heads
    size = 5
    first = rng.standard_normal((written * size, 7), np.float32)
    first *= np.exp2(rng.integers(-8, 8, (written * size, 1))).astype(np.float32)
    tensors = {
        "first": first,
        "bias": rng.standard_normal(written * size, np.float32) * np.float32(2**loudness),
        "second": rng.standard_normal((3, readers * size), np.float32),
        "second.bias": rng.standard_normal(3, np.float32),
    }
    x = rng.standard_normal((9, 7), np.float32)

    def run(read):
        hidden = x @ read("first").T + read("bias")
        hidden = hidden.reshape(9, written, 1, size).repeat(readers // written, axis=2).reshape(9, -1)
        return hidden, hidden @ read("second").T + read("second.bias")

    folded = FoldedTensors(Stored(tensors))
    hidden, exact = run(folded.plain)
    if readers == written:
        folded.shift(hidden.mean(axis=0), "bias", [("second", "second.bias")])
    factors = folded.fold(np.abs(hidden).max(axis=0), ["first", "bias"], ["second"], (readers, written))
    assert (np.frexp(factors)[0] == 0.5).all()  # powers of two
    scale = np.abs(hidden) @ np.abs(tensors["second"]).T + np.abs(tensors["second.bias"])
    assert (np.abs(run(folded.read)[1] - exact) <= 1e-5 * scale).all()


def test_silent_channels_and_weights_are_left_alone():
    tensors = {"gain": np.float32([1, 2, 0]), "weight": np.float32([[1, 0, 3]])}
    factors = FoldedTensors(Stored(tensors)).fold(np.float32([0, 2, 0]), ["gain"], ["weight"])
    assert factors.tolist() == [1, 1, 1]


def test_a_whole_encoder_is_the_same_after_folding(tmp_path, exact_package):
    """In float32: what rounding would add, is not there."""
    config = load_manifest(exact_package).config.audio
    hidden = np.random.default_rng(4).standard_normal((1, 40, config.d_model)).astype(np.float32)
    case = Case({names.HIDDEN: hidden}, {names.HIDDEN: hidden})
    source = write_loud(CHECKPOINT, tmp_path / "loud")
    tensors = FoldedTensors(Checkpoint(source))
    write_encoder(tmp_path / "encoder.onnx", tensors, config, PRESETS["exact"], cases=[case])
    gain = "audio_tower.layers.0.final_layer_norm.weight"
    assert not np.array_equal(tensors.read(gain), tensors.plain(gain))  # something was folded
    assert relative_error([(case.quantized[names.FEATURES], case.exact[names.FEATURES])]) < 1e-5


# ---- what conversion finds out ----------------------------------------------------------------------------


def test_what_the_conversion_measures_is_what_the_package_does(tmp_path, exact_package):
    """Layer by layer, with the text given, and as a whole, as the engine runs it: the same figures."""
    manifest = convert(CHECKPOINT, tmp_path / "package", PRESETS["compact"], DETAILS)
    clips = [clip for clip in load_check_speech() if clip.language in {"English", "German"}]
    mels = [list(windows(log_mel(clip.samples))) for clip in clips]
    exact = with_model(exact_package, 1, lambda model: [answer(model, mel, 4) for mel in mels])
    found = with_model(tmp_path / "package", 1, lambda model: compare("", "", model, mels, exact))
    assert manifest.fidelity.clips == len(clips)
    assert manifest.fidelity.features == pytest.approx(found.features, rel=0.01)
    assert 0.05 < manifest.fidelity.logits < 0.2  # 4 bits
    assert manifest.fidelity.notes == (), "which is what was asked for"
    assert manifest.fidelity.choices_same < manifest.fidelity.choices
    assert load_manifest(tmp_path / "package") == manifest


@pytest.mark.usefixtures("one_sentence")
def test_a_model_of_zeros_converts(tmp_path):
    def silence(tensors):
        for values in tensors.values():
            values[:] = 0

    source = change(CHECKPOINT, tmp_path / "zeros", silence)
    manifest = convert(source, tmp_path / "package", PRESETS[DEFAULT_PRESET], DETAILS)
    assert (manifest.fidelity.features, manifest.fidelity.logits) == (0, 0)
    assert manifest.fidelity.clips_same == manifest.fidelity.clips > 0
    assert manifest.precision["encoder"] == str(CHANNELS)


@pytest.mark.usefixtures("one_sentence")
def test_a_checkpoint_whose_layers_overflow_is_refused(tmp_path):
    """All its weights are finite."""

    def overflow(tensors):
        tensors["thinker.audio_tower.layers.1.fc1.bias"][5] = 3e38
        tensors["thinker.audio_tower.layers.1.fc2.weight"][:, 5] = 1e3

    source = change(CHECKPOINT, tmp_path / "damaged", overflow)
    with pytest.raises(
        ConversionError, match="even in full precision, speech becomes infinite values or NaN"
    ):
        convert(source, tmp_path / "package", PRESETS[DEFAULT_PRESET], DETAILS)
    assert [path.name for path in tmp_path.iterdir()] == ["damaged"]


@pytest.mark.usefixtures("one_sentence")
def test_progress_goes_on_while_a_part_is_written_again(tmp_path, monkeypatch):
    """Nothing is near enough: the encoder is written in both of its forms."""
    stage, value, _limit = package._LIMITS["encoder"]
    monkeypatch.setitem(package._LIMITS, "encoder", (stage, value, 0.0))
    steps = []
    convert(
        CHECKPOINT,
        tmp_path / "package",
        PRESETS[DEFAULT_PRESET],
        DETAILS,
        progress=lambda *step: steps.append(step),
    )
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert max(after - before for before, after in pairwise(shares)) < 0.15
    assert len([share for share in shares if share > 0.99]) < 0.1 * len(shares)
    spent = {what: sum(name == what for name, _ in steps) for what in ("audio encoder", "text decoder")}
    assert min(spent.values()) > 10


@pytest.mark.parametrize("problem", ["is missing", "is damaged"])
def test_without_check_speech_the_most_precise_form_is_taken_and_said(tmp_path, problem):
    def no_speech():
        raise CheckSpeechError(tmp_path / "index.json", problem)

    manifest = convert(CHECKPOINT, tmp_path / "package", PRESETS[DEFAULT_PRESET], DETAILS, speech=no_speech)
    assert manifest.precision["convolutions"] == str(PLAIN)
    assert manifest.precision["encoder"] == manifest.precision["decoder"] == str(BLOCKS)
    assert manifest.fidelity.clips == 0
    (note,) = manifest.fidelity.notes
    assert problem in note
    assert note.endswith("Nothing was compared, and the most precise form was taken.")
    assert load_manifest(tmp_path / "package") == manifest


def test_float32_is_not_compared_with_itself(tmp_path):
    def no_speech():
        raise AssertionError

    manifest = convert(CHECKPOINT, tmp_path / "package", PRESETS["exact"], DETAILS, speech=no_speech)
    assert manifest.fidelity is None


@pytest.mark.usefixtures("one_sentence")
def test_no_more_than_a_layer_is_in_memory(tmp_path, monkeypatch):
    most = []

    class Watched(trial.FoldedTensors):
        def plain(self, name):
            values = super().plain(name)
            layers = {seen.split(".layers.")[1].split(".")[0] for seen in self._seen if ".layers." in seen}
            most.append(len(layers))
            return values

    monkeypatch.setattr("handy_qwen.convert.package.FoldedTensors", Watched)
    convert(CHECKPOINT, tmp_path / "package", PRESETS[DEFAULT_PRESET], DETAILS)
    assert max(most) == 1


def test_speech_in_the_models_languages_is_listened_to_and_no_more_than_enough():
    clips = load_check_speech()
    chosen = trial._chosen(clips, ["Korean", "Russian"])
    assert {clip.language for clip in chosen} == {"Korean", "Russian"}
    assert trial._chosen(clips, []) == trial._chosen(clips, [c.language for c in clips])
    seconds = sum(len(clip.samples) for clip in trial._chosen(clips, [])) / 16_000
    assert 40 <= seconds < 60


# ---- the manifest ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("symbolic_links")
def test_a_manifest_without_fidelity_still_loads(exact_package, tmp_path):
    raw = json.loads((exact_package / MANIFEST_FILE).read_text(encoding="utf-8"))
    del raw["fidelity"]
    for path in exact_package.iterdir():
        (tmp_path / path.name).symlink_to(path) if path.name != MANIFEST_FILE else None
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(raw), encoding="utf-8")
    assert load_manifest(tmp_path).fidelity is None


@pytest.mark.parametrize(
    "change",
    [
        {"clips": 1, "clips_same": 2},
        {"clips": True},
        {"features": -1.0},
        {"logits": float("nan")},
        {"logits": "none"},
        {"notes": [1]},
        {"unknown": 1},
    ],
)
def test_impossible_figures_are_refused(change):
    with pytest.raises((TypeError, ValueError)):
        Fidelity.from_dict(dataclasses.asdict(Fidelity()) | change)
