"""A take's way through the history, in one run of the program."""

import os

import numpy as np
import pytest

from handy_qwen.core.events import Failed, Replayed
from handy_qwen.core.types import Delivery, EntryState, Keep
from handy_qwen.history import wav
from handy_qwen.history.ledger import LiveTake
from handy_qwen.history.retention import CANCELLED_S, RetentionRules
from handy_qwen.history.store import Row
from handy_qwen.history.wav import Stage


def sound(books, row):
    with wav.blocks(books.places.takes / row.file) as blocks:
        return np.concatenate([*blocks, np.zeros(0, np.float32)])


def test_a_take_has_a_row_and_its_sound_from_the_first_block(books):
    books.begin(1, language="German")
    assert books.row.state is EntryState.RECORDING
    assert books.entry_of(1) == books.row.id
    books.speak(1, 0.1)
    path = books.places.takes / books.row.file
    assert wav.look(path) == wav.Sound(books.row.created_ms, Stage.OPEN, 1600)


def test_a_take_that_goes_well_is_all_there(books):
    books.dictate(1)
    assert books.row.delivery is Delivery.NOWHERE
    books.went(1, Delivery.BEGUN)
    assert books.row.delivery is Delivery.BEGUN
    books.went(1, Delivery.TYPED)
    row = books.row
    assert (row.state, row.text, row.language, row.application) == (
        EntryState.DONE,
        "a text",
        "English",
        "xterm",
    )
    assert (row.duration_s, row.delivery) == (2.0, Delivery.TYPED)
    assert row.size_bytes == (books.places.takes / row.file).stat().st_size
    assert wav.look(books.places.takes / row.file).stage is Stage.SETTLED
    assert not books.live


@pytest.mark.unix("Windows has os.fsync alone")
def test_sound_is_synced_once_a_second_and_at_its_end(books, monkeypatch):
    calls = []
    monkeypatch.setattr(os, "fdatasync", calls.append)
    books.begin(1)
    for _ in range(30):
        books.speak(1, 0.1)
        books.later(0.1)
    assert len(calls) == 2 + (books.now_s > 103)
    books.complete(1)
    assert len(calls) in {3, 4}


def test_text_outlasts_a_power_cut_before_anything_is_done_with_it(books):
    seen = []
    books.store._connection.set_trace_callback(seen.append)
    books.dictate(1)
    update = next(at for at, statement in enumerate(seen) if "'a text'" in statement)
    assert seen[update - 1] == "PRAGMA synchronous=FULL"


def test_a_press_by_mistake_leaves_nothing(books):
    books.record(1, 0.5)
    books.cancelled(1)
    books.speak(1, 0.5)  # the microphone is not quite as quick
    assert books.rows() == []
    assert books.files() == []


def test_a_cancelled_take_stays_for_a_while_and_then_goes(books):
    books.record(1, 2.0)
    books.cancelled(1)
    books.later(CANCELLED_S - 1)
    assert books.row.state is EntryState.CANCELLED
    books.later(1000)
    assert books.rows() == []
    assert books.files() == []


def test_a_take_that_failed_is_kept_with_its_reason(books):
    books.record(1)
    books.failed(1, "The model is gone.")
    books.later(5000)
    assert (books.row.state, books.row.error) == (EntryState.FAILED, "The model is gone.")
    assert len(sound(books, books.row)) == 32_000


def test_a_failure_without_sound_leaves_nothing(books):
    books.begin(1)
    books.failed(1, "There is no microphone.")
    assert books.rows() == []


@pytest.mark.parametrize(
    ("keep", "rows", "files"), [(Keep.AUDIO_AND_TEXT, 1, 1), (Keep.TEXT, 1, 0), (Keep.NOTHING, 0, 0)]
)
def test_what_is_kept_is_what_the_user_wants(books, keep, rows, files):
    books.rules = RetentionRules(keep=keep)
    books.dictate(1)
    books.later(5000)
    assert (len(books.rows()), len(books.files())) == (1, 1)  # it was not delivered yet
    books.went(1, Delivery.PASTED)
    books.later(0)
    assert (len(books.rows()), len(books.files())) == (rows, files)


@pytest.mark.parametrize(("keep", "rows", "files"), [(Keep.TEXT, 1, 1), (Keep.NOTHING, 0, 0)])
def test_the_sound_of_a_text_in_which_words_may_be_missing_stays_for_a_day_if_the_text_is_kept(
    books, keep, rows, files
):
    books.rules = RetentionRules(keep=keep)
    books.record(1)
    books.complete(1)
    books.later(3 * 86_400)  # the model could not be loaded for some days
    books.done(1, "One […]", is_truncated=True)
    books.went(1, Delivery.PASTED)
    books.later(80_000)
    assert (len(books.rows()), len(books.files())) == (rows, files)
    books.later(10_000)
    books.tidy_soon()
    books.later(0)
    assert (len(books.rows()), len(books.files())) == (rows, 0)


def test_to_keep_nothing_from_now_on_does_not_delete_the_past(books):
    books.deliver(1)
    books.rules = RetentionRules(keep=Keep.NOTHING)
    books.tidy_soon()
    books.later(0)
    assert books.row.text == "a text"


def test_limits_are_kept_after_each_take(books):
    books.rules = RetentionRules(most_entries=3)
    for take in range(1, 8):
        books.deliver(take, text=f"text {take}")
        books.later(0)
    assert [row.text for row in books.rows()] == ["text 5", "text 6", "text 7"]
    assert len(books.files()) == 3


def test_a_replay_gives_back_what_was_said(books):
    books.deliver(1)
    heard = []
    books.replay(2, books.entry_of(1), heard.append)
    assert books.of(Replayed)
    assert np.concatenate(heard).tobytes() == np.full(32_000, 0.5, np.float32).tobytes()
    books.done(2, "a better text", "", "other", "")
    row = books.row
    assert (row.text, row.model, row.language) == ("a better text", "other", "English")


@pytest.mark.parametrize(
    "end",
    [
        lambda books: books.failed(2, "Out of memory."),
        lambda books: books.cancelled(2),
        lambda books: books.done(2, ""),
    ],
    ids=["failed", "cancelled", "nobody was heard"],
)
@pytest.mark.parametrize("how", [Delivery.TYPED, Delivery.HELD])
def test_a_retry_that_comes_to_nothing_leaves_the_text_there_was(books, end, how):
    books.deliver(1, how=how)
    before = books.row
    books.replay(2, before.id)
    end(books)
    assert books.row == before
    assert books.crashed().row == before


def test_a_cancelled_take_can_be_brought_back(books):
    books.record(1)
    books.cancelled(1)
    books.replay(2, books.entry_of(1))
    assert books.row.state is EntryState.WAITING
    books.done(2, "there it is")
    books.later(CANCELLED_S * 2)
    assert books.row.text == "there it is"


def test_what_is_still_spoken_is_not_replayed(books):
    books.record(1, 0.5)
    books.replay(2, books.entry_of(1))
    assert [event.take for event in books.of(Failed)] == [2]
    books.speak(1, 0.5)
    books.complete(1)
    assert (books.row.state, books.row.duration_s) == (EntryState.WAITING, 1.0)


@pytest.mark.parametrize("entry", [77, -1, 2**70])
def test_a_replay_of_what_is_not_there_fails(books, entry):
    books.replay(2, entry)
    assert [event.take for event in books.of(Failed)] == [2]


def test_an_entry_that_the_user_deletes_meanwhile_stays_deleted(books):
    books.record(1)
    books.complete(1)
    books.store.remove(books.entry_of(1))
    books.live[1].set(error="something to save")
    books._save(books.live[1])
    assert books.live[1].is_over
    books.done(1, "a text")
    books.went(1, Delivery.TYPED)
    assert books.rows() == []
    assert not books.live


def test_what_is_not_known_is_ignored(books):
    books.speak(9)
    books.complete(9)
    books.done(9, "a text")
    books.went(9, Delivery.TYPED)
    books.cancelled(9)
    books.failed(9, "")
    assert books.rows() == []
    assert books.complaints == []


def test_a_held_text_waits_in_the_books_until_it_is_dropped(books):
    books.deliver(1, how=Delivery.HELD)
    assert books.row.entry.is_undelivered
    books.went(1, Delivery.DROPPED)
    assert not books.row.entry.is_undelivered


def test_memory_does_not_grow_with_the_number_of_takes(books):
    for take in range(1, 30):
        books.deliver(take, seconds=0.2)
    assert not books.live
    assert books.taken_samples == books.fed_samples == 29 * 3200


def test_takes_do_not_share_a_row_when_a_new_history_counts_from_one(store):
    rows = [
        Row(
            number,
            1,
            "done",
            "text",
            file=f"take-20260101T000000Z-0000000{number}.wav",
            text=f"text {number}",
        )
        for number in (5, 1)
    ]
    for take, row in enumerate(rows, 1):
        live = LiveTake(take, row)
        live.has_new_store(store)
        live.save(store)
    assert [row.text for row in store.oldest()] == ["text 5", "text 1"]


@pytest.mark.expects_log
@pytest.mark.parametrize("left", [None, b"no sound"])
def test_sound_that_cannot_be_read_any_more_fails_its_replay(books, left):
    books.deliver(1)
    path = books.places.takes / books.row.file
    path.unlink() if left is None else path.write_bytes(left)
    books.replay(2, books.row.id)
    assert [event.take for event in books.of(Failed)] == [2]
    assert not books.of(Replayed)
