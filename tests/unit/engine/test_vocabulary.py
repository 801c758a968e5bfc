"""The file that a package keeps its tokenizer in: what it holds, and what it may not hold."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handy_qwen.engine.qwen3.official_tokenizer import read_official
from handy_qwen.engine.qwen3.tokenizer import load_tokenizer
from handy_qwen.engine.qwen3.vocabulary import VOCABULARY_FILE, build_vocabulary, load_vocabulary
from handy_qwen.errors import ModelCorruptError, ModelMissingError
from tests.conftest import CHECKPOINT

BYTES = {index: bytes([index]) for index in range(256)}


@pytest.fixture(scope="module")
def vocabulary():
    return read_official(CHECKPOINT)[0]


@pytest.fixture
def path(vocabulary, tmp_path):
    vocabulary.save(tmp_path / VOCABULARY_FILE)
    return tmp_path / VOCABULARY_FILE


def test_what_was_saved_is_read_again(vocabulary, path):
    again = load_vocabulary(path)
    assert len(again) == len(vocabulary)
    assert [again.token(i) for i in range(len(again))] == [vocabulary.token(i) for i in range(len(again))]
    assert (again.pairs == vocabulary.pairs).all()
    assert (again.ranks == vocabulary.ranks).all()
    assert (again.results == vocabulary.results).all()
    assert (again.markers, again.byte_ids) == (vocabulary.markers, vocabulary.byte_ids)


def test_the_same_tokenizer_is_the_same_file(path, tmp_path):
    load_vocabulary(path).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_ids_that_there_are_not_have_no_bytes(vocabulary):
    assert vocabulary.token(len(vocabulary)) == vocabulary.token(-1) == b""
    assert all(vocabulary.token(index) == b"" for index in vocabulary.markers.values())


def test_the_lowest_rank_is_merged_first_and_the_leftmost_of_several(tmp_path):
    a, b, c = (ord(letter) for letter in "abc")
    tokens = BYTES | {256: b"bc", 257: b"ab", 258: b"aa"}
    build_vocabulary(tokens, [(b, c, 256), (a, b, 257), (a, a, 258)], {}).save(tmp_path / VOCABULARY_FILE)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.encode("abc") == [a, 256]
    assert tokenizer.encode("abab") == [257, 257]
    assert tokenizer.encode("aaa") == [258, a]


@pytest.mark.parametrize(
    ("tokens", "merges", "markers", "named"),
    [
        ({index: bytes([index]) for index in range(255)}, [], {}, "lacks a byte"),
        (BYTES, [(97, 98, 300)], {}, "tokens that there are not"),
        (BYTES, [(97, 98, 99), (97, 98, 100)], {}, "no order"),
        (BYTES, [], {"<a>": 9_000_000}, "not numbered"),
        (BYTES | {-1: b"x"}, [], {}, "not numbered"),
    ],
)
def test_what_cannot_be_a_vocabulary_is_refused(tokens, merges, markers, named):
    with pytest.raises(ValueError, match=named):
        build_vocabulary(tokens, merges, markers)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelMissingError):
        load_vocabulary(tmp_path / VOCABULARY_FILE)


def test_a_file_that_is_too_short_or_too_long_is_refused(path):
    data = path.read_bytes()
    for cut in (*range(64), len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(ModelCorruptError, match=r"tokenizer\.data"):
            load_vocabulary(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(ModelCorruptError):
        load_vocabulary(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_refused_or_works(vocabulary, path, data):
    """Whatever is in it: one error, or a tokenizer that gives ids of the vocabulary and some text."""
    vocabulary.save(path)
    raw = np.frombuffer(path.read_bytes(), np.uint8).copy()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 40) | st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    path.write_bytes(raw.tobytes())
    try:
        tokenizer = load_tokenizer(path.parent)
    except ModelCorruptError:
        return
    ids = tokenizer.encode("chairs and tables")
    assert all(0 <= index < len(vocabulary) for index in ids)
    assert isinstance(tokenizer.decode(range(len(vocabulary) + 5)), str)
