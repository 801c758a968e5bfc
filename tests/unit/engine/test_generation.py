"""Greedy decoding with a draft: the same tokens whatever the draft, in fewer runs if it is good."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.engine.api import Cancel, Timings
from handy_qwen.engine.qwen3.prompt import Beginnings, End
from handy_qwen.engine.qwen3.segment import generate
from handy_qwen.errors import CancelledError

VOCAB = 50
END = 0
PROMPT = (40, 41)


class FakeDecoder:
    """Says ``text`` and then what follows from the last two tokens, so that a wrong token changes all."""

    def __init__(self, text, draft_rows=4):
        self.text, self.draft_rows = tuple(text), draft_rows
        self.rows, self.read, self.runs = list(PROMPT), 0, []

    @property
    def length(self):
        return len(self.rows)

    def extend(self, rows):
        self.rows += rows

    def truncate(self, length):
        del self.rows[length:]
        self.read = min(self.read, length)

    def logits(self, count, cancel):
        cancel.check()
        assert 1 <= count <= len(self.rows) - self.read, "logits of rows that are not new"
        self.runs.append(len(self.rows) - self.read)
        self.read = len(self.rows)
        out = np.zeros((count, VOCAB), np.float32)
        for row, end in enumerate(range(len(self.rows) - count + 1, len(self.rows) + 1)):
            out[row, self.next_token(self.rows[len(PROMPT) : end])] = 1
        return out

    def next_token(self, said):
        if tuple(said) == self.text[: len(said)]:
            return self.text[len(said)] if len(said) < len(self.text) else END
        return (said[-1] * 7 + sum(said[-2:]) + 3) % VOCAB


class Answer(NamedTuple):
    tokens: list[int]
    end: End
    runs: list[int]


def written(
    text, draft, *, limit=200, draft_rows=4, poll=lambda: None, tokens=None, cancel=None, decoder=None, **more
):
    decoder = decoder or FakeDecoder(text, draft_rows)
    tokens = [] if tokens is None else tokens
    end = generate(
        decoder,
        frozenset({END}),
        limit,
        cancel or Cancel(),
        draft=draft,
        timings=Timings(),
        written=tokens,
        poll=poll,
        **more,
    )
    return Answer(tokens, end, decoder.runs)


texts = st.lists(st.integers(1, VOCAB - 1), max_size=40)
drafts = st.lists(st.integers(0, VOCAB - 1), max_size=60)


@given(texts, drafts, st.integers(1, 60), st.integers(0, 8))
def test_no_draft_changes_the_answer(text, draft, limit, rows):
    plain = written(text, (), limit=limit)
    drafted = written(text, draft, limit=limit, draft_rows=rows)
    assert (drafted.tokens, drafted.end) == (plain.tokens, plain.end)


@given(texts, st.data())
def test_no_edit_of_the_right_draft_changes_the_answer(text, data):
    draft = list(text)
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(draft)))
        draft[place : place + data.draw(st.integers(0, 3))] = data.draw(drafts)[:3]
    assert written(text, draft).tokens == written(text, ()).tokens


@given(texts, st.integers(1, 8))
def test_the_right_draft_is_kept_whole(text, rows):
    got = written(text, text, draft_rows=rows)
    assert got.tokens == text
    assert len(got.runs) <= len(text) // (rows + 1) + 1  # each run gives one token more than it verifies


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: [*text[:10], 49, *text[11:]],  # another word
        lambda text: [*text[:10], *text[11:]],  # a word less
        lambda text: [*text[:10], 49, *text[10:]],  # a word more
    ],
)
def test_a_draft_with_one_wrong_word_is_taken_up_again_behind_it(edit):
    text = list(range(1, 41))
    got = written(text, edit(text))
    assert got.tokens == text
    assert len(got.runs) <= 12


def test_a_decoder_that_gains_nothing_by_drafts_is_asked_for_none():
    text = list(range(1, 20))
    got = written(text, text, draft_rows=0)
    assert max(got.runs[1:]) == 1
    assert got.tokens == text


def test_an_answer_at_its_limit_is_said_to_be():
    got = written(range(1, 30), range(1, 30), limit=7)
    assert (got.tokens, got.end) == (list(range(1, 8)), End.LIMIT)


@given(st.integers(0, 90))
def test_a_runaway_repetition_is_cut_the_same_with_any_part_of_it_drafted(drafted):
    text = [1, 2, 3, *[4, 5] * 40]
    got = written(text, text[:drafted], limit=500)
    assert (got.tokens, got.end) == ([1, 2, 3, 4, 5], End.LOOP)


@given(st.integers(0, 300), st.integers(11, 47))
def test_a_sentence_repeated_is_cut_at_its_fourth_copy_with_any_part_of_it_drafted(drafted, period):
    text = [49, 48, *list(range(1, period + 1)) * 6]
    got = written(text, text[:drafted], limit=500)
    assert (got.tokens, got.end) == ([49, 48, *range(1, period + 1)], End.LOOP)
    assert written(text[: 2 + 4 * period - 1], (), limit=500).end is End.MODEL


def test_what_was_written_before_a_stop_is_not_lost():
    tokens, polls = [], []

    def poll():
        polls.append(1)
        if len(polls) == 5:
            raise CancelledError

    with pytest.raises(CancelledError):
        written(range(1, 30), (), poll=poll, tokens=tokens)
    assert tokens == [1, 2, 3, 4, 5]


def test_cancelled_work_raises_at_once():
    cancel = Cancel()
    cancel.set()
    with pytest.raises(CancelledError):
        written([1], (), cancel=cancel)


# ---- an answer whose language is one of several -----------------------------------------------------------

LANGUAGE, DIVISION, GERMAN, ENGLISH, FRENCH, NONE = 1, 2, (3,), (4, 5), (4, 6), (7,)


def named(name):
    return (LANGUAGE, *name, DIVISION)


SPOKEN = Beginnings((named(GERMAN), named(ENGLISH)), named(NONE))


class WeighingDecoder(FakeDecoder):
    """Begins with ``text``; where an answer departs from that, it says ``rest`` behind the division.

    ``weights`` are the logits of the tokens that it does not choose itself.
    """

    def __init__(self, text, rest, weights, draft_rows=4):
        super().__init__(text, draft_rows)
        self.rest, self.weights = tuple(rest), weights

    def logits(self, count, cancel):
        out = super().logits(count, cancel)
        for token, weight in self.weights.items():
            out[:, token] = np.maximum(out[:, token], weight)
        return out

    def next_token(self, said):
        if tuple(said) == self.text[: len(said)] or DIVISION not in said:
            return super().next_token(said)
        place = len(said) - said.index(DIVISION) - 1
        return self.rest[place] if place < len(self.rest) else END


def chosen(text, rest=(20, 21, 22), *, weights=None, draft=(), draft_rows=4, spoken=SPOKEN):
    decoder = WeighingDecoder(text, rest, weights or {}, draft_rows)
    return written(text, draft, decoder=decoder, beginnings=spoken)


@pytest.mark.parametrize("name", [GERMAN, ENGLISH, NONE])
def test_what_may_be_spoken_is_left_to_the_model(name):
    text = (*named(name), 20, 21) if name != NONE else named(NONE)
    assert chosen(text).tokens == list(text)


@pytest.mark.parametrize(
    ("weights", "name"),
    [({3: 0.5, 4: 0.4}, GERMAN), ({3: 0.4, 4: 0.5}, ENGLISH), ({7: 0.9, 4: 0.1}, ENGLISH)],
)
def test_in_place_of_another_language_the_likeliest_of_the_list_is_written_and_its_text(weights, name):
    """Even if that nobody speaks is likelier: without the language that was heard, that is no sign."""
    assert chosen((*named((9,)), 30, 31), weights=weights).tokens == [*named(name), 20, 21, 22]


def test_languages_whose_names_begin_alike_are_told_apart_where_they_part():
    assert chosen((*named(FRENCH), 30, 31)).tokens == [*named(ENGLISH), 20, 21, 22]


def test_a_model_that_ends_at_once_or_forgets_to_name_a_language_gives_its_text_all_the_same():
    assert chosen(()).tokens == [*named(GERMAN), 20, 21, 22]
    assert chosen((20, 21)).tokens == [*named(GERMAN), 20, 21, 22]


tokens_of_names = st.lists(st.integers(3, 9), min_size=1, max_size=3)


@given(
    spoken=st.lists(tokens_of_names, min_size=2, max_size=5, unique_by=tuple),
    nobody=tokens_of_names,
    text=st.lists(st.integers(0, 12), max_size=8),
    rest=st.lists(st.integers(10, VOCAB - 1), max_size=12),
    weights=st.dictionaries(st.integers(0, 9), st.floats(0, 0.9)),
    draft=st.tuples(st.lists(st.integers(0, 30), max_size=12), st.integers(0, 8)),
)
def test_no_model_and_no_draft_writes_a_language_that_is_not_in_the_list(spoken, nobody, draft, **model):
    beginnings = Beginnings(tuple(named(one) for one in spoken), named(nobody))
    got = chosen(**model, spoken=beginnings).tokens
    tokens, rows = draft
    assert got == chosen(**model, draft=tokens, draft_rows=rows, spoken=beginnings).tokens
    beginning = tuple(got[: got.index(DIVISION) + 1])
    assert beginning in {*beginnings.languages, named(nobody)}
    free = chosen(**model, spoken=Beginnings()).tokens
    if tuple(free[: len(beginning)]) == beginning:
        assert got == free  # what is in the list anyway is as it would be without one
    else:
        forced = WeighingDecoder(**model)
        forced.rows += beginning
        said = []
        generate(
            forced,
            frozenset({END}),
            200 - len(beginning),
            Cancel(),
            draft=(),
            timings=Timings(),
            written=said,
            poll=lambda: None,
        )
        assert got[len(beginning) :] == said  # not a word is lost: as with this language forced
