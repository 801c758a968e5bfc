"""The published layout: the right file for each graph, exact logits by either way, one clear error each.

The packages are built from the checkpoint in ``tests/data``. What their graphs should give is known from our
own package of the same checkpoint and from the golden values of the reference implementation.
"""

import contextlib
import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.engine.api import Cancel, Timings
from handy_qwen.engine.qwen3 import published
from handy_qwen.engine.qwen3.compact import CompactEncoder
from handy_qwen.engine.qwen3.features import log_mel
from handy_qwen.engine.qwen3.prompt import End, build_prompt
from handy_qwen.engine.qwen3.published import check_files, choose_graphs, is_published_layout, open_published
from handy_qwen.engine.qwen3.segment import Segment
from handy_qwen.engine.qwen3.tokenizer import load_tokenizer
from handy_qwen.errors import CancelledError, ModelCorruptError, ModelMissingError
from tests.golden.random_checkpoint import write_random_checkpoint
from tests.golden.reference import encoder_cases, samples_of, token_cases
from tests.published_layout import read_safetensors, write_published_layout

CHECKPOINT = Path(__file__).parents[2] / "data" / "demo-checkpoint"
HEAD, TAIL = [634, 5, 6, 7, 636], [637, 635, 8, 634, 9]  # any ids will do here
FILES = {
    "config.json",
    "embed_tokens.bin",
    "encoder.onnx",
    "decoder_init.onnx",
    "decoder_step.onnx",
    "decoder_weights.data",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return write_published_layout(CHECKPOINT, tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def model(package):
    return open_published(package, threads=1)


@pytest.fixture
def decoder(package):
    """A decoder that has read nothing yet."""
    return open_published(package, threads=1).decoder


@pytest.fixture
def runs(monkeypatch):
    """What was run since the fixture was asked for: "init" or "step", in order."""
    seen = []

    def spy(session, binding, cancel):
        run_bound(session, binding, cancel)
        seen.append("step" if "past_keys" in {port.name for port in session.get_inputs()} else "init")

    run_bound = published.run_bound
    monkeypatch.setattr(published, "run_bound", spy)
    return seen


@pytest.fixture
def folder(package, tmp_path):
    """A copy of the package, to be damaged."""
    return Path(shutil.copytree(package, tmp_path / "copy"))


@pytest.fixture
def nothing_opened(monkeypatch):
    """Fails a test that opens a session: damage must be found before."""

    def refuse(path, **_):
        pytest.fail(f"{path} was opened")

    monkeypatch.setattr(published, "open_session", refuse)


def features(rows, seed=0):
    """Something of the size of audio features. Shape (rows, 192)."""
    table = read_safetensors(CHECKPOINT)["thinker.model.embed_tokens.weight"]
    noise = np.random.default_rng(seed).standard_normal((rows, table.shape[1]))
    return (noise * table.std()).astype(np.float32)


@pytest.fixture(scope="module")
def at_once(package):
    """Gives the logits of the last row, with all parts read as one prompt. Shape (1, vocab)."""
    decoder = open_published(package, threads=1).decoder

    def logits(*parts):
        decoder.truncate(0)
        read(decoder, *parts)
        return decoder.logits(1, Cancel())

    return logits


def read(decoder, *parts):
    for rows in parts:
        decoder.extend(rows)


def assert_close(found, expected, tolerance=2e-4):
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


# --- What the graphs give ---


@pytest.mark.parametrize("frames", [1, 8, 9, 57, 99, 100, 101, 399, 799, 800])
def test_the_encoder_gives_what_that_of_our_package_gives(model, exact_package, frames):
    mel = np.random.default_rng(frames).uniform(-1, 1.5, (128, frames)).astype(np.float32)
    compact = CompactEncoder(exact_package, model.config.audio, 1)
    assert_close(model.encoder.encode(mel, Cancel()), compact.encode(mel, Cancel()))


def test_an_encoder_that_gives_another_number_of_tokens_is_another_models(model, monkeypatch):
    monkeypatch.setattr(published, "run", lambda *_: [np.zeros((1, 14, 192), np.float32)])
    with pytest.raises(ModelCorruptError, match=r"encoder\.onnx .* \(1, 14, 192\) of 100 frames"):
        model.encoder.encode(np.zeros((128, 100), np.float32), Cancel())


def test_single_steps_give_what_a_prompt_gives(decoder, at_once, runs):
    audio, answer = features(30), [11, 500, 12]
    read(decoder, HEAD, audio, TAIL)
    decoder.logits(1, Cancel())
    found = []
    for token in answer:
        decoder.extend([token])
        found.append(decoder.logits(1, Cancel()))
    assert runs == ["init", "step", "step", "step"]
    for count, logits in enumerate(found, start=1):
        assert_close(logits, at_once(HEAD, audio, TAIL, answer[:count]))


@pytest.mark.parametrize("dtype", ["fp32", "int4"])
def test_a_draft_gives_to_the_bit_what_writing_gives(tmp_path, runs, dtype):
    """In 4 bits the two graphs differ in their output head, so that it matters which one judges a word."""
    write_published_layout(CHECKPOINT, tmp_path, dtype=dtype)
    written, drafted = (open_published(tmp_path, threads=1).decoder for _ in range(2))
    audio, answer = features(40), [11, 500, 12, 13, 14, 15, 16, 17]
    read(written, HEAD, audio, TAIL)
    expected = [written.logits(1, Cancel())]
    for token in answer:
        written.extend([token])
        expected.append(written.logits(1, Cancel()))
    read(drafted, HEAD, features(9, seed=1), TAIL)  # an earlier, shorter attempt
    drafted.logits(1, Cancel())
    drafted.truncate(len(HEAD))
    runs.clear()
    read(drafted, audio, TAIL)
    found = [drafted.logits(1, Cancel())]
    for wrong, token in enumerate(answer):
        drafted.extend([600 + wrong])
        drafted.logits(1, Cancel())
        drafted.truncate(len(HEAD) + 40 + len(TAIL) + wrong)
        drafted.extend([token])
        found.append(drafted.logits(1, Cancel()))
    assert np.array_equal(np.concatenate(found), np.concatenate(expected))
    assert runs == ["init"] + ["step"] * 2 * len(answer)


def test_a_prompt_read_again_as_it_was_is_not_run_again(decoder, runs):
    audio = features(40)
    read(decoder, HEAD, audio, TAIL)
    first = decoder.logits(1, Cancel())
    read(decoder, [11, 12])
    decoder.logits(1, Cancel())
    decoder.truncate(len(HEAD))
    read(decoder, audio.copy(), list(TAIL))
    assert np.array_equal(decoder.logits(1, Cancel()), first)
    assert runs == ["init", "step", "step"]


def test_an_answer_made_part_of_the_prompt_is_read_as_prompt(decoder, at_once, runs):
    """As when the language that was found out before is given from the start."""
    audio = features(30)
    read(decoder, HEAD, audio, TAIL)
    decoder.logits(1, Cancel())
    read(decoder, [11])
    decoder.logits(1, Cancel())
    decoder.truncate(len(HEAD))
    read(decoder, audio, TAIL, [11, 12])
    found = decoder.logits(1, Cancel())
    assert runs == ["init", "step", "init"]
    assert_close(found, at_once(HEAD, audio, TAIL, [11, 12]))


def test_rows_that_differ_are_read(decoder, at_once, runs):
    audio, other = features(40), features(40, seed=1)
    read(decoder, HEAD, audio, TAIL)
    decoder.logits(1, Cancel())
    decoder.truncate(len(HEAD))
    read(decoder, other, TAIL)
    found = decoder.logits(1, Cancel())
    assert runs == ["init", "init"]
    assert_close(found, at_once(HEAD, other, TAIL))


def test_audio_in_pieces_is_the_audio_in_one(decoder, runs):
    audio = features(25)
    read(decoder, HEAD, audio, TAIL)
    whole = decoder.logits(1, Cancel())
    decoder.truncate(0)
    read(decoder, HEAD, audio[:10], audio[10:11], audio[11:], TAIL[:1], TAIL[1:])
    assert decoder.length == len(HEAD) + 25 + len(TAIL)
    assert np.array_equal(decoder.logits(1, Cancel()), whole)
    assert runs == ["init"]


def test_nothing_is_read_ahead(decoder, runs):
    read(decoder, HEAD, features(500))
    decoder.flush(Cancel())
    assert runs == []
    cancel = Cancel()
    cancel.set()
    with pytest.raises(CancelledError):
        decoder.flush(cancel)


def test_a_long_answer_outgrows_the_first_buffer(decoder, at_once):
    audio, answer = features(250), list(range(10, 30))
    read(decoder, HEAD, audio, TAIL)
    decoder.logits(1, Cancel())
    for token in answer:
        decoder.extend([token])
        last = decoder.logits(1, Cancel())
    assert_close(last, at_once(HEAD, audio, TAIL, answer))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4), st.booleans()), min_size=1, max_size=6))
def test_any_course_of_reading_and_truncating_ends_in_the_same_logits(model, at_once, course):
    decoder, rng = model.decoder, np.random.default_rng(0)
    decoder.truncate(0)
    start = [HEAD, features(3), TAIL]
    read(decoder, *start)
    tokens, prompt = [], decoder.length
    for back, count, is_asked in course:
        del tokens[max(len(tokens) - back, 0) :]
        decoder.truncate(prompt + len(tokens))
        new = [int(i) for i in rng.integers(0, 600, count)]
        decoder.extend(new)
        tokens += new
        if is_asked:
            decoder.logits(1, Cancel())
    assert decoder.length == prompt + len(tokens)
    assert_close(decoder.logits(1, Cancel()), at_once(*start, tokens))


@pytest.mark.parametrize(("rows", "count"), [(HEAD, 0), (HEAD, 2), ([], 1)])
def test_only_the_logits_of_the_last_row_can_be_had(decoder, rows, count):
    decoder.extend(rows)
    with pytest.raises(ValueError, match="asked for"):
        decoder.logits(count, Cancel())


def test_features_of_another_width_are_refused(decoder):
    with pytest.raises(ValueError, match="width 192"):
        decoder.extend(np.zeros((3, 191), np.float32))


def test_work_given_up_between_steps_can_be_taken_up_again(decoder, at_once, runs, monkeypatch):
    audio = features(60)
    read(decoder, HEAD, audio, TAIL)
    decoder.logits(1, Cancel())
    cancel, spy = Cancel(), published.run_bound

    def set_after_two(session, binding, given):
        spy(session, binding, given)
        if runs.count("step") == 2:
            cancel.set()

    monkeypatch.setattr(published, "run_bound", set_after_two)
    decoder.extend([11, 12, 13, 14])
    with pytest.raises(CancelledError):
        decoder.logits(1, cancel)
    monkeypatch.setattr(published, "run_bound", spy)
    found = decoder.logits(1, Cancel())
    assert runs == ["init"] + ["step"] * 4
    assert_close(found, at_once(HEAD, audio, TAIL, [11, 12, 13, 14]))


def test_nothing_runs_for_work_given_up_before(decoder, model):
    cancel = Cancel()
    cancel.set()
    decoder.extend(HEAD)
    with pytest.raises(CancelledError):
        decoder.logits(1, cancel)
    with pytest.raises(CancelledError):
        model.encoder.encode(np.zeros((128, 100), np.float32), cancel)
    assert decoder.length == len(HEAD)


class LateCancel(Cancel):
    """Is set as soon as somebody has looked whether it is."""

    def check(self):
        super().check()
        self.set()


def test_a_run_given_up_in_its_middle_leaves_all_as_it_was(decoder, at_once, runs):
    audio = features(30)
    read(decoder, HEAD, audio, TAIL)
    for _ in range(2):
        with pytest.raises(CancelledError):
            decoder.logits(1, LateCancel())
    decoder.logits(1, Cancel())
    decoder.extend([11])
    with pytest.raises(CancelledError):
        decoder.logits(1, LateCancel())
    found = decoder.logits(1, Cancel())
    assert runs == ["init", "step"]
    assert_close(found, at_once(HEAD, audio, TAIL, [11]))


def test_encoding_can_be_given_up_in_its_middle(model):
    with pytest.raises(CancelledError):
        model.encoder.encode(np.zeros((128, 800), np.float32), LateCancel())


# --- What the reference implementation gives ---


@pytest.fixture(scope="module", params=["demo", "random"])
def known(request, package, tmp_path_factory):
    """A model that there is golden data for: its name, the package opened, its tokenizer."""
    folder = package
    if request.param == "random":
        checkpoint, folder = (tmp_path_factory.mktemp(name) for name in ("checkpoint", "random"))
        write_random_checkpoint(checkpoint)
        write_published_layout(checkpoint, folder)
    return request.param, open_published(folder, threads=1), load_tokenizer(folder)


LONGEST = 330_000  # samples: three windows are enough


def encoded(model, samples):
    mel = log_mel(samples)
    windows = [mel[:, first : first + 800] for first in range(0, mel.shape[1], 800)]
    return np.concatenate([model.encoder.encode(window, Cancel()) for window in windows])


def synthetic(cases):
    """Those whose samples are given by a formula and which are not too long."""
    return [c for c in cases if not c.source.is_recording and c.source.samples <= LONGEST]


def test_audio_features_are_those_of_the_reference(known):
    name, model, _ = known
    cases = synthetic(encoder_cases(name))
    assert len(cases) >= 5
    for case in cases:
        found = encoded(model, samples_of(case.source))
        assert len(found) == case.tokens
        assert_close(found[case.rows], case.values, 1e-3)


def test_texts_are_those_of_the_reference_token_by_token(known):
    name, model, tokenizer = known
    cases = synthetic(token_cases(name))
    assert len(cases) >= 9
    for case in cases:
        prompt = build_prompt(tokenizer, language=case.language, context=case.context)
        model.decoder.truncate(0)
        read(model.decoder, prompt.head, encoded(model, samples_of(case.source)), prompt.tail)
        assert model.decoder.length == case.prompt_tokens
        for step, token in enumerate(case.ids):
            logits = model.decoder.logits(1, Cancel())[0]
            assert int(logits.argmax()) == token, case.source.name
            if case.logit_ids is not None and step < len(case.logit_ids):
                assert_close(logits[case.logit_ids[step]], case.logit_values[step], 1e-3)
            model.decoder.extend([token])


def test_a_look_whether_anybody_speaks_changes_no_token(known):
    _, model, tokenizer = known
    prompt = build_prompt(tokenizer, language="German")
    samples, answers = samples_of(synthetic(token_cases("demo"))[-1].source), []
    for is_unsure in (False, True, True):  # the last finds its prompt read
        answers.append([])
        end = Segment(model, prompt, Timings(), is_exact=True).answer(
            samples, (), Cancel(), written=answers[-1], poll=lambda: None, is_unsure=is_unsure
        )
        assert end is not End.NOBODY
    assert answers[0] == answers[1] == answers[2]


# --- The forms a package comes in ---


@pytest.mark.parametrize("embed_dtype", ["float32", "float16"])
@pytest.mark.parametrize("shared_data", [True, False])
def test_either_form_of_table_and_data_file_gives_the_same(tmp_path, at_once, embed_dtype, shared_data):
    write_published_layout(CHECKPOINT, tmp_path, embed_dtype=embed_dtype, shared_data=shared_data)
    assert (tmp_path / "decoder_weights.data").exists() == shared_data
    assert (tmp_path / "decoder_step.onnx.data").exists() != shared_data
    decoder = open_published(tmp_path, threads=1).decoder
    audio = features(30)
    read(decoder, HEAD, audio, TAIL)
    decoder.logits(1, Cancel())
    decoder.extend([11])
    tolerance = 2e-4 if embed_dtype == "float32" else 5e-3
    assert_close(decoder.logits(1, Cancel()), at_once(HEAD, audio, TAIL, [11]), tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [("int8", 0.01), ("int4", 0.12)])
def test_a_quantized_package_gives_nearly_the_same(tmp_path, at_once, dtype, tolerance):
    write_published_layout(CHECKPOINT, tmp_path, dtype=dtype, suffix=dtype)
    decoder = open_published(tmp_path, threads=1).decoder
    audio = features(30)
    read(decoder, HEAD, audio, TAIL)
    found = [decoder.logits(1, Cancel())]
    decoder.extend([11])
    found.append(decoder.logits(1, Cancel()))
    for count, logits in enumerate(found):
        assert_close(logits, at_once(HEAD, audio, TAIL, [11][:count]), tolerance)


@pytest.mark.parametrize(
    ("present", "expected"),
    [({"", "int4"}, "int4"), ({"", "int8"}, "int8"), ({"fp16", "int8"}, "int8"), ({"", "fp16"}, "fp16")],
)
def test_the_smallest_precision_is_used(tmp_path, present, expected):
    for infix in present:
        for name in published.GRAPHS:
            (tmp_path / f"{name}{infix and '.'}{infix}.onnx").touch()
    chosen = choose_graphs(tmp_path)
    assert {path.name for path in chosen.values()} == {f"{name}.{expected}.onnx" for name in published.GRAPHS}


def test_each_graph_falls_back_on_its_own(tmp_path):
    for name in ("encoder.onnx", "decoder_init.onnx", "decoder_init.int4.onnx", "decoder_step.int8.onnx"):
        (tmp_path / name).touch()
    assert [path.name for path in choose_graphs(tmp_path).values()] == [
        "encoder.onnx",
        "decoder_init.int4.onnx",
        "decoder_step.int8.onnx",
    ]


def test_a_missing_graph_is_named_in_the_precision_of_the_others(tmp_path):
    (tmp_path / "encoder.int4.onnx").touch()
    (tmp_path / "decoder_init.int4.onnx").touch()
    with pytest.raises(ModelMissingError, match=r"decoder_step\.int4\.onnx"):
        choose_graphs(tmp_path)


def test_the_layout_is_told_by_its_two_decoders(package, tmp_path):
    assert is_published_layout(package)
    assert not is_published_layout(tmp_path)
    (tmp_path / "encoder.onnx").touch()
    (tmp_path / "decoder.onnx").touch()
    assert not is_published_layout(tmp_path)
    (tmp_path / "decoder_step.int4.onnx").touch()
    assert is_published_layout(tmp_path)


@pytest.mark.usefixtures("symbolic_links")
def test_a_package_of_links_works_as_download_caches_have_them(package, tmp_path):
    links, blobs = tmp_path / "snapshot", tmp_path / "blobs"
    links.mkdir()
    blobs.mkdir()
    for number, path in enumerate(package.iterdir()):
        shutil.copy(path, blobs / str(number))
        (links / path.name).symlink_to(Path(os.path.relpath(blobs / str(number), links)))
    decoder = open_published(links, threads=1).decoder
    decoder.extend(HEAD)
    assert decoder.logits(1, Cancel()).shape == (1, 640)


# --- Folders that are not what they should be ---


@pytest.mark.usefixtures("nothing_opened")
@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelMissingError) as caught:
        open_published(folder, threads=1)
    assert caught.value.path == folder / name
    assert caught.value.hint


@pytest.mark.usefixtures("nothing_opened")
@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("part", [0, 0.01, 0.5, 0.999])
def test_a_file_cut_short_is_named(folder, name, part):
    path = folder / name
    os.truncate(path, int(path.stat().st_size * part))
    with pytest.raises(ModelCorruptError) as caught:
        open_published(folder, threads=1)
    assert caught.value.path == path
    assert caught.value.hint


@pytest.mark.usefixtures("nothing_opened")
@pytest.mark.parametrize("name", sorted(FILES - {"decoder_weights.data"}))
@pytest.mark.parametrize(
    "content",
    [
        b"<html><body>Not found</body></html>",
        b"\x00" * 5000,
        b"\xff" * 5000,
        b"[]",
        b"{}",
        bytes(range(256)) * 9,
    ],
    ids=["html", "zeros", "ones", "list", "object", "bytes"],
)
def test_a_file_of_something_else_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ModelCorruptError) as caught:
        open_published(folder, threads=1)
    assert caught.value.path == folder / name


@pytest.mark.usefixtures("nothing_opened")
def test_a_pointer_instead_of_the_file_is_explained(folder):
    (folder / "encoder.onnx").write_bytes(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    )
    with pytest.raises(ModelCorruptError, match=r"encoder\.onnx .*Git LFS pointer"):
        open_published(folder, threads=1)


@pytest.mark.parametrize(
    ("name", "other"), [("decoder_step.onnx", "decoder_init.onnx"), ("encoder.onnx",) * 2]
)
def test_a_graph_in_the_place_of_another_is_named(folder, name, other):
    wrong = folder / (other if other != name else "decoder_step.onnx")
    shutil.copy(wrong, folder / name)
    with pytest.raises(ModelCorruptError, match="input") as caught:
        open_published(folder, threads=1)
    assert caught.value.path == folder / name


@pytest.mark.parametrize(
    ("section", "key", "number", "named"),
    [
        ("decoder", "num_layers", 4, "decoder_init.onnx"),
        ("decoder", "head_dim", 64, "decoder_init.onnx"),
        ("decoder", "vocab_size", 641, "embed_tokens.bin"),
        ("decoder", "hidden_size", 191, "config.json"),
        ("encoder", "num_mel_bins", 80, "config.json"),
        ("mel", "hop_length", 320, "config.json"),
        ("decoder", "num_layers", "many", "config.json"),
        ("decoder", "num_layers", None, "config.json"),
        ("decoder", "num_layers", math.inf, "config.json"),
    ],
)
def test_files_of_different_models_are_told_apart(folder, section, key, number, named):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config[section][key] = number
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelCorruptError) as caught:
        open_published(folder, threads=1)
    assert caught.value.path == folder / named


@pytest.mark.usefixtures("nothing_opened")
@pytest.mark.parametrize("wrong", [{"mel": None}, {"mel": "whisper"}, {"embed_tokens_dtype": ["float32"]}])
def test_a_configuration_of_another_form_is_named(folder, wrong):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | wrong), encoding="utf-8")
    with pytest.raises(ModelCorruptError) as caught:
        open_published(folder, threads=1)
    assert caught.value.path == folder / "config.json"


@pytest.mark.usefixtures("nothing_opened")
@pytest.mark.parametrize(("stated", "named"), [("bfloat16", "config.json"), ("float16", "embed_tokens.bin")])
def test_a_table_in_another_type_than_stated_is_refused(folder, stated, named):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"embed_tokens_dtype": stated}), encoding="utf-8")
    with pytest.raises(ModelCorruptError) as caught:
        open_published(folder, threads=1)
    assert caught.value.path == folder / named


def test_a_table_of_unstated_type_is_float32(folder):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config["embed_tokens_dtype"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    open_published(folder, threads=1).decoder.close()


@pytest.mark.parametrize(
    ("output", "dtype", "words"),
    [
        ("features", onnx.TensorProto.FLOAT, "it has no output audio_features, so it is another kind"),
        ("audio_features", onnx.TensorProto.DOUBLE, "its input mel has the type tensor(double) and not"),
    ],
)
def test_a_graph_with_other_ports_is_named(folder, output, dtype, words):
    ports = [onnx.helper.make_tensor_value_info(name, dtype, [1, 128, "time"]) for name in ("mel", output)]
    node = onnx.helper.make_node("Identity", ["mel"], [output])
    graph = onnx.helper.make_graph([node], "other", ports[:1], ports[1:])
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, ir_version=8, opset_imports=[opset]), folder / "encoder.onnx")
    with pytest.raises(ModelCorruptError) as caught:
        open_published(folder, threads=1)
    assert words in caught.value.title


def test_an_export_of_the_early_form_is_explained(folder):
    ports = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", "seq_len", 192])
        for name in ("input_embeds", "logits")
    ]
    node = onnx.helper.make_node("Identity", ["input_embeds"], ["logits"])
    graph = onnx.helper.make_graph([node], "early", ports[:1], ports[1:])
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(
        onnx.helper.make_model(graph, ir_version=8, opset_imports=[opset]), folder / "decoder_init.onnx"
    )
    with pytest.raises(ModelCorruptError, match="early export") as caught:
        open_published(folder, threads=1)
    assert "andrewleech/qwen3-asr-0.6b-onnx" in caught.value.hint


@pytest.mark.usefixtures("nothing_opened")
@pytest.mark.parametrize("location", ["../decoder_weights.data", "/etc/hostname", ""])
def test_weights_outside_the_folder_are_not_looked_for(folder, location):
    graph = onnx.load(folder / "decoder_step.onnx", load_external_data=False)
    tensor = next(t for t in graph.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL)
    next(entry for entry in tensor.external_data if entry.key == "location").value = location
    (folder / "decoder_step.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(ModelCorruptError, match="outside its own folder"):
        open_published(folder, threads=1)


def test_a_graph_that_onnx_runtime_refuses_is_named_too(folder):
    graph = onnx.load(folder / "decoder_step.onnx", load_external_data=False)
    graph.graph.node[0].op_type = "NoSuchOperator"
    (folder / "decoder_step.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(ModelCorruptError) as caught:
        open_published(folder, threads=1)
    assert caught.value.path == folder / "decoder_step.onnx"


def test_a_large_graph_is_left_to_onnx_runtime(folder, monkeypatch):
    monkeypatch.setattr(published, "_MOST_BYTES", 1000)
    monkeypatch.setattr(onnx, "load", lambda *_args, **_options: pytest.fail("read twice"))
    open_published(folder, threads=1).decoder.close()
    path = folder / "encoder.onnx"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ModelCorruptError) as caught:
        open_published(folder, threads=1)
    assert caught.value.path == path


@settings(max_examples=200)
@given(st.data())
def test_no_damage_to_a_graph_gives_anything_but_our_errors(package, tmp_path_factory, data):
    content = bytearray((package / "decoder_init.onnx").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "decoder_init.onnx"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(ModelMissingError, ModelCorruptError):
        check_files(path)


@pytest.mark.parametrize(
    ("data_type", "size"),
    [(onnx.TensorProto.FLOAT, 12), (onnx.TensorProto.UINT8, 3), (onnx.TensorProto.INT4, 2)],
)
def test_weights_of_unstated_length_have_that_of_their_numbers(tmp_path, data_type, size):
    tensor = onnx.TensorProto(data_type=data_type, dims=[3], name="weights")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.data")
    graph = onnx.helper.make_graph([], "graph", [], [], [tensor])
    path, data = tmp_path / "graph.onnx", tmp_path / "weights.data"
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    data.write_bytes(bytes(size))
    check_files(path)
    data.write_bytes(bytes(size - 1))
    with pytest.raises(ModelCorruptError, match=f"it has {size - 1} bytes where graph.onnx needs {size}"):
        check_files(path)
