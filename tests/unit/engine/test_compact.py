"""The graphs of a package: rows in any order and number, truncation, a cache that grows, embeddings."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handy_qwen.convert.graph import quantize_blocks
from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3 import sessions
from handy_qwen.engine.qwen3.compact import EmbeddingTable, map_array, rotary_tables
from handy_qwen.engine.qwen3.recognizer import open_parts
from handy_qwen.engine.qwen3.sessions import run
from handy_qwen.errors import CancelledError, ModelCorruptError, ModelMissingError
from tests.dequantize import dequantize_blocks

IDS = np.random.default_rng(2).integers(0, 500, 1500).tolist()


@pytest.fixture(scope="module")
def model(random_package):
    model = open_parts(random_package, 1)
    yield model
    model.decoder.close()


@pytest.fixture
def decoder(model):
    model.decoder.truncate(0)
    return model.decoder


def logits_of(decoder, ids, count=1):
    """With every row read anew."""
    decoder.truncate(0)
    decoder._kept.clear()
    decoder.extend(ids)
    return decoder.logits(count, Cancel()).copy()


def assert_close(one, other):
    np.testing.assert_allclose(one, other, atol=2e-4, rtol=1e-4)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("xflr"), st.integers(1, 40)), max_size=12))
def test_any_course_of_reading_and_going_back_ends_in_the_same_logits(decoder, course):
    decoder.truncate(0)
    read, new = [], 0
    for what, number in course:
        if what == "x":
            read += IDS[len(read) : len(read) + number]
            decoder.extend(read[-number:])
            new += number
        elif what == "f":
            decoder.flush(Cancel())
            new = 0
        elif what == "l" and new:
            decoder.logits(min(number, new), Cancel())
            new = 0
        elif what == "r":
            kept = min(number, len(read))
            new = max(0, new - (len(read) - kept))
            read = read[:kept]
            decoder.truncate(kept)
        assert decoder.length == len(read)
    read += IDS[-3:]
    decoder.extend(IDS[-3:])
    assert_close(decoder.logits(2, Cancel()), logits_of(decoder, read, 2))


def test_logits_of_the_last_rows_are_those_of_each(decoder):
    several = logits_of(decoder, IDS[:30], 5)
    for back in range(5):
        assert_close(several[4 - back], logits_of(decoder, IDS[: 30 - back])[0])


@pytest.mark.parametrize("rows", [255, 256, 257, 600, 1400])
def test_a_prompt_in_pieces_that_outgrows_the_cache_is_the_prompt_at_once(decoder, random_package, rows):
    whole = logits_of(decoder, IDS[:rows], 3)
    fresh = open_parts(random_package, 1).decoder  # whose cache is still small
    for first in range(0, rows - 3, 100):
        fresh.extend(IDS[first : min(first + 100, rows - 3)])
        fresh.flush(Cancel())
    fresh.extend(IDS[rows - 3 : rows])
    assert_close(fresh.logits(3, Cancel()), whole)
    fresh.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6), st.booleans()), min_size=1, max_size=6))
def test_rows_kept_from_the_last_prompt_never_show(decoder, prompts):
    """Each prompt shares some ids with the one before, goes on with others, and may be read in two parts."""
    ids = IDS[:12]
    for number, (shared, others, is_flushed) in enumerate(prompts):
        ids = ids[:shared] + [i + number for i in IDS[:others]] + IDS[5:8]
        features = decoder._table.rows(IDS[20:24])
        decoder.truncate(0)
        decoder.extend(ids)
        if is_flushed:
            decoder.flush(Cancel())
        decoder.extend(features)
        found = decoder.logits(2, Cancel()).copy()
        assert decoder.length == len(ids) + 4
        kept, decoder._kept = decoder._kept, []
        decoder.truncate(0)
        decoder.extend(ids)
        decoder.extend(features)
        assert_close(found, decoder.logits(2, Cancel()))
        assert kept == decoder._kept == ids


def test_a_prompt_that_was_read_is_not_read_again(decoder, monkeypatch):
    read = []
    layers = decoder._run

    def spy(rows, start, wanted, cancel):
        read.append((start, len(rows)))
        return layers(rows, start, wanted, cancel)

    monkeypatch.setattr(decoder, "_run", spy)
    decoder._kept.clear()
    for ids in (IDS[:9], IDS[:9], IDS[:5] + IDS[30:34]):
        decoder.truncate(0)
        decoder.extend(ids)
        decoder.flush(Cancel())
        decoder.extend(decoder._table.rows(IDS[20:24]))
        decoder.logits(1, Cancel())
    assert read == [(0, 9), (9, 4), (9, 4), (5, 4), (9, 4)]


def test_rows_of_a_run_that_was_given_up_are_not_kept(decoder, monkeypatch):
    expected = logits_of(decoder, IDS[:20])
    logits_of(decoder, IDS[20:40])
    layers = decoder._run

    def stopped(rows, start, _wanted, cancel):
        layers(rows[:-1], start, 1, cancel)
        raise CancelledError

    decoder.truncate(0)
    decoder.extend(IDS[:20])
    monkeypatch.setattr(decoder, "_run", stopped)
    with pytest.raises(CancelledError):
        decoder.logits(1, Cancel())
    monkeypatch.undo()
    decoder.truncate(0)
    decoder.extend(IDS[20:40])  # what was there before
    decoder.flush(Cancel())
    decoder.truncate(0)
    decoder.extend(IDS[:20])
    assert_close(decoder.logits(1, Cancel()), expected)


def test_logits_over_the_edge_of_a_piece_are_all_there(decoder):
    assert logits_of(decoder, IDS[:300], 60).shape[0] == 60
    assert_close(logits_of(decoder, IDS[:300], 60)[0], logits_of(decoder, IDS[:241])[0])


def test_more_logits_than_new_rows_are_the_callers_mistake(decoder):
    decoder.extend(IDS[:3])
    with pytest.raises(ValueError, match="4 logits asked for, but only 3 rows are new"):
        decoder.logits(4, Cancel())


def test_work_given_up_can_be_taken_up_again(decoder):
    expected = logits_of(decoder, IDS[:20])
    decoder.truncate(0)
    decoder.extend(IDS[:20])
    cancel = Cancel()
    cancel.set()
    with pytest.raises(CancelledError):
        decoder.logits(1, cancel)
    assert decoder.length == 20
    assert_close(decoder.logits(1, Cancel()), expected)


def test_rows_may_be_ids_or_embeddings(decoder):
    rows = decoder._table.rows(IDS[:10])
    expected = logits_of(decoder, IDS[:10])
    assert_close(logits_of(decoder, rows), expected)


@pytest.mark.parametrize(
    ("frames", "tokens"),
    [(1, 1), (8, 1), (9, 2), (50, 7), (99, 13), (100, 13), (101, 14), (799, 104), (800, 104)],
)
def test_tokens_of_a_window(model, frames, tokens):
    assert model.config.audio.tokens(frames) == tokens
    mel = np.random.default_rng(frames).normal(size=(128, frames)).astype(np.float32)
    assert model.encoder.encode(mel, Cancel()).shape == (tokens, model.config.text.hidden)


def test_what_the_encoder_remembers_never_shows(model):
    mel = np.random.default_rng(3).normal(size=(128, 640)).astype(np.float32)
    other = mel.copy()
    other[5, 250] += 1
    fresh = {}
    for name, window in (("mel", mel), ("other", other)):
        model.encoder._seen.clear()
        fresh[name] = model.encoder.encode(window, Cancel())
    for name, frames in (("mel", 640), ("mel", 333), ("other", 640), ("mel", 640), ("other", 640)):
        window = {"mel": mel, "other": other}[name][:, :frames]
        found = model.encoder.encode(window, Cancel())
        if frames == 640:
            np.testing.assert_array_equal(found, fresh[name])


def test_the_encoder_remembers_the_last_window_and_no_other(model, monkeypatch):
    frontend_runs = []

    def counted(session, feeds, cancel, outputs=None):
        frontend_runs.extend(["mel"] if "mel" in feeds else [])
        return run(session, feeds, cancel, outputs)

    monkeypatch.setattr(sessions, "run", counted)
    model.encoder._seen.clear()
    first, second = (np.full((128, 300), level, np.float32) for level in (0.1, 0.2))
    for mel, runs in ((first, 3), (first, 0), (second, 3), (second, 0), (first, 3)):
        frontend_runs.clear()
        model.encoder.encode(mel, Cancel())
        assert len(frontend_runs) == runs
    assert len(model.encoder._seen) == 3


def test_a_second_that_was_prepared_is_not_convolved_again(model, monkeypatch):
    window = np.random.default_rng(5).normal(size=(128, 300)).astype(np.float32)
    model.encoder._seen.clear()
    expected = model.encoder.encode(window, Cancel())
    model.encoder._seen.clear()
    model.encoder.prepare(1, window[:, 100:200].copy(), Cancel())
    np.testing.assert_array_equal(model.encoder.encode(window, Cancel()), expected)
    monkeypatch.setattr(sessions, "run", None)
    for index in range(3):  # all of them are known by now
        model.encoder.prepare(index, window[:, index * 100 :][:, :100].copy(), Cancel())


def test_positions_turn_as_the_formula_says(model):
    cosine, sine = rotary_tables(model.config.text, 50)
    half = model.config.text.head_dim // 2
    assert cosine.shape == sine.shape == (50, half)
    angle = 37 * model.config.text.rope_theta ** (-2 * 3 / model.config.text.head_dim)
    assert cosine[37, 3] == pytest.approx(np.cos(angle), abs=1e-6)
    assert sine[37, 3] == pytest.approx(np.sin(angle), abs=1e-6)


VOCAB, HIDDEN, BLOCK = 50, 96, 32  # three blocks: the zero points end with half a byte
WEIGHTS = np.random.default_rng(1).normal(size=(VOCAB, HIDDEN)).astype(np.float32)
TABLE_IDS = [0, 49, 7, 7]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_rows_of_a_plain_table_are_its_numbers(tmp_path, dtype):
    WEIGHTS.astype(dtype).tofile(tmp_path / "table")
    rows = EmbeddingTable(map_array(tmp_path / "table", (VOCAB, HIDDEN), dtype)).rows(TABLE_IDS)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, WEIGHTS[TABLE_IDS].astype(dtype))


def test_rows_of_bytes_are_what_the_codes_stand_for():
    blocks = quantize_blocks(WEIGHTS, bits=8, block=BLOCK)
    rows = EmbeddingTable(blocks.codes, blocks.scales).rows(TABLE_IDS)
    np.testing.assert_array_equal(rows, dequantize_blocks(blocks, 8)[TABLE_IDS])
    assert np.abs(rows - WEIGHTS[TABLE_IDS]).max() < np.abs(WEIGHTS).max() / 127


def test_rows_of_nibbles_are_what_the_codes_stand_for():
    blocks = quantize_blocks(WEIGHTS, bits=4, block=BLOCK)
    rows = EmbeddingTable(blocks.codes, blocks.scales, blocks.zeros).rows(TABLE_IDS)
    np.testing.assert_array_equal(rows, dequantize_blocks(blocks, 4)[TABLE_IDS])
    assert np.abs(rows - WEIGHTS[TABLE_IDS]).max() < np.ptp(WEIGHTS) / 15


def test_no_rows_have_a_shape_too():
    blocks = quantize_blocks(WEIGHTS, bits=8, block=BLOCK)
    assert EmbeddingTable(blocks.codes, blocks.scales).rows([]).shape == (0, HIDDEN)


def test_a_part_of_a_file_is_mapped_from_its_offset(tmp_path):
    (tmp_path / "table").write_bytes(b"12345678" + WEIGHTS.tobytes())
    mapped = map_array(tmp_path / "table", WEIGHTS.shape, np.float32, 8)
    np.testing.assert_array_equal(mapped, WEIGHTS)
    assert not mapped.flags.writeable


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(ModelMissingError) as caught:
        map_array(tmp_path / "table", (2, 2), np.float32)
    assert caught.value.path == tmp_path / "table"


@pytest.mark.parametrize("size", [0, 15])
def test_a_table_that_is_too_short_is_named(tmp_path, size):
    (tmp_path / "table").write_bytes(bytes(size))
    with pytest.raises(ModelCorruptError, match="it is shorter than it should be"):
        map_array(tmp_path / "table", (2, 2), np.float32)
