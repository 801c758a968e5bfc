"""The next start: what was left is found, once, and what is damaged is saved as far as it goes."""

import os
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.core.types import Delivery, EntryState
from handy_qwen.history import recovery, retention, wav
from handy_qwen.history.store import new_file_name
from handy_qwen.history.wav import Stage
from tests.conftest import is_private
from tests.unit.history.conftest import Books


@pytest.fixture
def before(tmp_path):
    """A run of the program that will not end in order."""
    return Books(tmp_path / "history")


def test_nothing_is_told_as_well(books):
    assert books.recovered.unfinished == books.recovered.undelivered == books.recovered.recent == ()


def test_folders_are_the_owners_only(books):
    assert is_private(books.places.folder)
    assert is_private(books.places.takes)


def test_a_take_that_was_being_recorded_is_found_with_all_its_sound(before):
    before.record(1, 3.0)
    now = before.crashed()
    (entry,) = now.recovered.unfinished
    assert (entry.state, entry.duration_s) == (EntryState.WAITING, 3.0)
    assert wav.look(now.places.takes / now.rows()[0].file).stage is Stage.COMPLETE
    heard = []
    now.replay(1, entry.id, heard.append)
    now.done(1, "found again")
    now.went(1, Delivery.TYPED)
    now.close()
    assert before.again().recovered.unfinished == ()


def test_a_text_that_was_not_delivered_is_offered_until_it_is(before):
    before.deliver(1, how=Delivery.BEGUN)
    second = before.crashed()
    (entry,) = second.recovered.undelivered
    assert (entry.text, entry.delivery) == ("a text", Delivery.BEGUN)
    second.adopt(5, entry.id)
    second.went(5, Delivery.HELD)
    third = second.crashed()
    assert len(third.recovered.undelivered) == 1
    third.adopt(1, entry.id)
    third.went(1, Delivery.PASTED)
    assert third.crashed().recovered.undelivered == ()


def test_a_text_is_offered_for_a_week_and_then_only_listed(before):
    before.dictate(1)
    before.wall_s += 7 * 86_400 - 1
    second = before.crashed()
    assert len(second.recovered.undelivered) == 1
    second.wall_s += 2
    third = second.crashed()
    assert third.recovered.undelivered == ()
    assert third.rows()[0].entry.is_undelivered


def test_a_delivered_text_is_not_offered_again_but_recent(before):
    before.deliver(1)
    recovered = before.crashed().recovered
    assert recovered.unfinished == recovered.undelivered == ()
    assert [entry.text for entry in recovered.recent] == ["a text"]


def test_a_take_that_ends_the_program_is_given_up_after_two_tries(before):
    before.record(1)
    before.crash()
    run = before
    for _ in range(recovery.MOST_REPLAYS):
        run = run.again()
        (entry,) = run.recovered.unfinished
        run.replay(1, entry.id)
        last = run.crashed()
    assert last.recovered.unfinished == ()
    assert [row.state for row in last.rows()] == [EntryState.FAILED]
    assert len(last.complaints) == 1
    assert last.files()


def test_a_rescue_that_made_way_does_not_count_as_a_try(before):
    before.record(1)
    run = before.crashed()
    for take in range(1, 6):
        run.replay(take, run.recovered.unfinished[0].id)
        run.cancelled(take)
    assert len(run.crashed().recovered.unfinished) == 1


def test_sound_without_a_row_gets_one(before):
    before.record(1)
    before.crash()
    for path in before.places.folder.glob("history.db*"):
        path.unlink()
    now = before.again()
    (entry,) = now.recovered.unfinished
    assert entry.duration_s == 2.0
    assert int(entry.created_s) == int(before.wall_s)


@pytest.mark.parametrize(
    ("stage", "state"),
    [
        (Stage.SETTLED, EntryState.FAILED),
        (Stage.CANCELLED, EntryState.CANCELLED),
        (Stage.OPEN, EntryState.WAITING),
    ],
)
def test_only_sound_whose_text_is_awaited_is_transcribed_again(before, stage, state):
    path = before.places.takes / new_file_name(5000)
    path.write_bytes(wav.header(5000, stage, 4) + bytes(16))
    now = before.crashed()
    assert [row.state for row in now.rows()] == [state]
    assert len(now.recovered.unfinished) == (state is EntryState.WAITING)


@pytest.mark.usefixtures("symbolic_links")
def test_other_files_among_the_recordings_are_left_alone(before, tmp_path):
    (before.places.takes / "notes.txt").write_text("mine")
    (before.places.takes / new_file_name(1)).write_text("no sound " * 100)
    (before.places.takes / new_file_name(2)).symlink_to(tmp_path / "elsewhere")
    now = before.crashed()
    assert now.rows() == []
    assert len(now.files()) == 3


@pytest.mark.parametrize("has_row", [True, False])
def test_a_take_killed_before_its_first_block_leaves_nothing(before, has_row):
    before.begin(1)
    row = before.row
    (before.places.takes / row.file).write_bytes(b"RIFF")
    if not has_row:
        before.store.remove(row.id)
    now = before.crashed()
    assert now.rows() == []
    assert now.files() == []
    assert now.recovered.unfinished == ()


def test_an_unfinished_recording_that_is_damaged_is_kept_for_whoever_can_read_it(before):
    before.record(1)
    before.crash()
    (path,) = before.places.takes.iterdir()
    path.write_bytes(bytes(1000))
    now = before.again()
    assert [(row.state, row.error) for row in now.rows()] == [(EntryState.FAILED, recovery.UNREADABLE)]
    assert len(now.complaints) == 1
    assert now.files()


def test_a_row_whose_sound_is_gone_keeps_its_text_or_goes(before):
    before.deliver(1)
    before.record(2)
    before.failed(2, "No model.")
    before.crash()
    for path in before.places.takes.iterdir():
        path.unlink()
    now = before.again()
    assert [(row.text, row.file) for row in now.rows()] == [("a text", "")]


@pytest.mark.parametrize("has_file", [True, False])
def test_a_deletion_that_was_begun_is_finished(before, has_file):
    before.deliver(1)
    row = before.row
    before.store.change(row.id, {"is_deleting": 1})
    if not has_file:
        (before.places.takes / row.file).unlink()
    now = before.crashed()
    assert now.rows() == []
    assert now.files() == []
    assert row.file not in now.store.files()


def test_a_file_that_cannot_be_deleted_is_deleted_later(before, monkeypatch):
    before.dictate(1)
    row = before.row

    def refuse(*_, **__):
        raise PermissionError(13, "no")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", refuse)
        assert not retention.delete(before.store, before.places.takes, row)
    assert before.rows() == []
    assert before.files()
    assert before.crashed().files() == []


# --- damage ------------------------------------------------------------------------------------------


def many(before, count=60):
    for take in range(1, count + 1):
        before.deliver(take, text=f"text {take} " + "word " * 80, seconds=0.1)
    before.close()
    return before.places.database


@pytest.mark.expects_log
@pytest.mark.parametrize("damage", ["noise", "truncated", "a text file", "a hole"])
def test_a_damaged_database_is_set_aside_and_what_can_be_is_saved(before, damage):
    path = many(before)
    raw = path.read_bytes()
    path.write_bytes(
        {
            "noise": os.urandom(len(raw)),
            "truncated": raw[: len(raw) // 2],
            "a text file": b"Dear diary",
            "a hole": raw[:12_288] + bytes(8192) + raw[20_480:],
        }[damage]
    )
    now = before.again()
    assert [error.title for error in now.complaints] == ["The history was damaged."]
    (aside,) = now.places.folder.glob("history.broken-*.db")
    assert aside.name in now.complaints[0].hint
    rows = now.rows()
    assert len({row.file for row in rows}) == len(rows) == 60  # each take once, with text or as sound alone
    with_text = [row for row in rows if row.text]
    assert all(row.text == f"text {row.id} " + "word " * 80 for row in with_text)
    assert (len(with_text) > 5) is (damage in {"a hole", "truncated"})
    assert now.recovered.unfinished == ()  # all of them had been delivered
    now.dictate(1, text="it goes on")
    now.close()
    assert len(now.again().rows()) == 61


@pytest.mark.expects_log
def test_damage_in_the_middle_of_a_run_does_not_cost_the_take(books):
    books.dictate(1, text="the first " * 200)
    books.record(2)
    books.store.checkpoint()
    path = books.places.database
    path.write_bytes(os.urandom(path.stat().st_size))
    books.complete(2)
    books.done(2, "the second")
    for _ in range(5):
        books.later(2)
    assert "the second" in {row.text for row in books.rows()}
    assert len(books.files()) == 2


@pytest.mark.unix("Windows keeps a database that is open")
@pytest.mark.expects_log
def test_a_database_taken_away_is_begun_anew(books):
    books.dictate(1)
    for path in books.places.folder.glob("history.db*"):
        path.unlink()
    books.dictate(2, text="after")
    assert "after" in [row.text for row in books.rows()]


@pytest.mark.expects_log
def test_with_a_newer_database_takes_go_on_into_files(before):
    before.dictate(1)
    before.store._connection.execute("PRAGMA user_version=99")
    before.close()
    raw = before.places.database.read_bytes()
    now = before.again()
    assert "newer version" in now.complaints[0].title
    now.record(2)
    now.later(3)
    now.crash()
    assert before.places.database.read_bytes() == raw
    assert len(now.files()) == 2
    assert len(now.complaints) == 1


# --- any order of things, a kill anywhere ---------------------------------------------------------------

WHAT = [
    *("begin", "speak", "complete", "done", "delivering", "typed", "held", "cancel", "fail"),
    *("crash", "quit", "tidy", "delete", "rescue", "rescue"),
]
STEPS = st.lists(st.tuples(st.sampled_from(WHAT), st.integers(0, 3)), max_size=40)


class Model:
    """What the history must know, kept in the simplest way."""

    def __init__(self):
        self.samples = {}
        self.texts = {}
        self.settled = set()
        self.gone = set()
        self.tries = {}  # by entry: how often it was replayed without an end


@pytest.mark.expects_log  # a replay may find that its sound was deleted
@settings(max_examples=80)
@given(steps=STEPS)
def test_no_order_of_things_and_no_kill_loses_a_take_or_offers_it_twice(memory_folders, steps):
    run = Books(memory_folders.mktemp("any") / "history")
    model, open_takes, number = Model(), {}, 0
    try:
        for what, which in steps:
            number += 1
            takes = list(open_takes)
            take = takes[which % len(takes)] if takes else None
            if what == "begin":
                run.record(number, 1.0)
                entry = run.entry_of(number)
                open_takes[number] = entry
                model.samples[entry] = 16_000
            elif what in {"crash", "quit"}:
                run.crash() if what == "crash" else run.close()
                run = run.again()
                check(run, model)
                open_takes = {}
            elif what == "tidy":
                run.tidy_soon()
                run.later(0)
            elif what == "rescue":
                rescue(run, model, open_takes, number)
            elif take is not None:
                act(run, model, open_takes, what, take)
        run = run.crashed()
        check(run, model)
    finally:
        run.close()


def rescue(run, model, open_takes, number):
    known = {*open_takes.values(), *model.settled, *model.gone, *model.texts}
    left = [entry.id for entry in run.recovered.unfinished if entry.id not in known]
    if left:
        run.replay(number, left[0])
        open_takes[number] = left[0]
        model.tries[left[0]] = model.tries.get(left[0], 0) + 1


def act(run, model, open_takes, what, take):
    entry = open_takes[take]
    if what == "cancel" and model.tries.get(entry) and entry not in model.texts:
        run.cancelled(take)  # the rescue made way
        model.tries[entry] -= 1
        del open_takes[take]
        return
    row = run.store.row(entry)
    state = row.state if row else None
    if what == "speak" and state is EntryState.RECORDING:
        run.speak(take, 0.1)
        model.samples[entry] += 1600
    elif what == "complete":
        run.complete(take)
    elif what == "done" and state in {EntryState.RECORDING, EntryState.WAITING}:
        run.done(take, f"text of {entry}")
        model.texts[entry] = f"text of {entry}"
    elif what == "delivering":
        run.went(take, Delivery.BEGUN)
    elif what == "typed" and state is EntryState.DONE:
        run.went(take, Delivery.TYPED)
        model.settled.add(entry)
        del open_takes[take]
    elif what == "held":
        run.went(take, Delivery.HELD)
    elif what in {"cancel", "fail"} and state in {EntryState.RECORDING, EntryState.WAITING}:
        run.cancelled(take) if what == "cancel" else run.failed(take, "It failed.")
        model.settled.add(entry)
        del open_takes[take]
    elif what == "delete" and row is not None and state is not EntryState.RECORDING:
        retention.delete(run.store, run.places.takes, row)
        model.gone.add(entry)


def check(run, model):
    model.settled |= {
        entry
        for entry, tries in model.tries.items()
        if tries >= recovery.MOST_REPLAYS and entry not in model.texts
    }
    rows = {row.id: row for row in run.rows()}
    assert set(rows) == set(model.samples) - model.gone
    assert len(run.files()) == len(rows)
    for number, row in rows.items():
        assert wav.look(run.places.takes / row.file).samples == model.samples[number]
        assert row.text == model.texts.get(number, "")
    offered = [entry.id for entry in (*run.recovered.unfinished, *run.recovered.undelivered)]
    assert sorted(offered) == sorted(set(rows) - model.settled)
    check_integrity(run)


def check_integrity(run):
    other = sqlite3.connect(run.places.database)
    assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    other.close()
