"""The history as the command line and a window see it, also while the program writes."""

import csv
import io
import json
import multiprocessing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.core.types import Entry, EntryState, Retried
from handy_qwen.errors import HistoryError
from handy_qwen.history.archive import Archive
from handy_qwen.history.export import FIELDS, Format, as_json, exported, local_time
from handy_qwen.history.store import Store
from tests.unit.history.conftest import START_S, Books, held


@pytest.fixture
def archive(books):
    for take, text in [(1, "Grüße aus Köln"), (2, "second"), (3, "")]:
        books.deliver(take, text=text)
    with Archive(books.folder) as archive:
        yield archive


def test_without_a_history_there_are_no_entries_and_none_is_begun(tmp_path):
    with Archive(tmp_path / "history") as archive:
        assert list(archive.newest()) == list(archive.oldest()) == list(archive.matching(["a"])) == []
        with pytest.raises(HistoryError, match="There is no entry 1"):
            archive.entry(1)
    assert not (tmp_path / "history").exists()


def test_entries_come_newest_first(archive):
    assert [entry.text for entry in archive.newest()] == ["", "second", "Grüße aus Köln"]
    assert [entry.text for entry in archive.newest(1)] == [""]
    assert [entry.text for entry in archive.matching(["GRUSSE", "köln"])] == ["Grüße aus Köln"]


def test_what_the_program_writes_is_seen_at_once_and_the_other_way_round(archive, books):
    archive.star(2, is_starred=True)
    assert [row.is_starred for row in books.rows()] == [False, True, False]
    books.dictate(4, text="fourth")
    assert next(archive.newest(1)).text == "fourth"
    archive.delete(1)
    assert [row.id for row in books.rows()] == [2, 3, 4]
    assert len(books.files()) == 3
    archive.forget_traces()


def test_a_new_text_takes_the_place_of_the_old(archive):
    archive.transcribed(3, Retried("there is one", "English", "other"))
    entry = archive.entry(3)
    assert (entry.text, entry.model, entry.state) == ("there is one", "other", EntryState.DONE)
    assert not entry.is_undelivered


def test_a_text_in_which_words_may_be_missing_is_kept_as_one_until_there_is_a_better_one(archive, books):
    books.record(4)
    books.complete(4)
    books.done(4, "fourth… and", is_truncated=True)
    assert [entry.is_truncated for entry in archive.newest()] == [True, False, False, False]
    assert json.loads(as_json(archive.entry(4)))["truncated"] is True
    archive.transcribed(4, Retried("fourth", "English", "other"))
    assert not archive.entry(4).is_truncated
    archive.transcribed(4, Retried("fourth…", "English", "m", is_truncated=True))
    assert archive.entry(4).is_truncated


def test_no_text_replaces_none_but_leaves_one_that_is_there(archive):
    entry = archive.entry(1)
    with pytest.raises(HistoryError, match="No speech was found"):
        archive.transcribed(1, Retried("", "", "other"))
    assert archive.entry(1) == entry


def test_what_the_command_line_has_transcribed_is_not_offered_again(tmp_path):
    before = Books(tmp_path / "history")
    before.record(1)
    before.crash()
    with Archive(before.folder) as archive:
        archive.transcribed(1, Retried("there is one", "", "m"))
    now = before.again()
    assert now.recovered.unfinished == now.recovered.undelivered == ()


@pytest.mark.parametrize("number", [0, -1, 99, 2**63, 10**30])
def test_there_is_no_such_entry(archive, number):
    for ask in (archive.entry, archive.audio, archive.delete, archive.asked_language):
        with pytest.raises(HistoryError):
            ask(number)


def test_sound_that_is_gone_is_told(archive, books):
    for path in books.places.takes.iterdir():
        path.unlink()
    with pytest.raises(HistoryError, match="has no recording"):
        archive.audio(1)


def test_a_damaged_history_is_told_and_left_alone(tmp_path):
    folder = tmp_path / "history"
    folder.mkdir()
    (folder / "history.db").write_text("Dear diary, " * 100)
    with pytest.raises(HistoryError, match="damaged"):
        Archive(folder)
    assert (folder / "history.db").read_text(encoding="utf-8").startswith("Dear diary")


def test_a_history_that_is_held_is_told(books, monkeypatch):
    books.dictate(1)
    monkeypatch.setattr("handy_qwen.history.archive.BUSY_S", 0.05)
    with held(books.places.database), Archive(books.folder) as second:
        assert len(list(second.newest())) == 1  # reading goes on
        with pytest.raises(HistoryError, match="is using the history"):
            second.star(1, is_starred=True)


def test_a_deleted_text_is_nowhere_on_the_disk(archive, books):
    marker = "correct horse battery staple"
    books.dictate(5, text=marker)
    archive.delete(books.entry_of(5))
    archive.forget_traces()
    left = b"".join(path.read_bytes() for path in books.folder.rglob("*") if path.is_file())
    assert marker.encode() not in left
    assert marker.encode("utf-16") not in left


def writes(folder, first, count):
    """Another process: adds rows as fast as it can."""
    store = Store(folder / "history.db", busy_s=30.0)
    for number in range(first, first + count):
        columns = {"created_ms": int(START_S * 1000) + number, "state": EntryState.DONE, "keep": "text"}
        store.add(columns | {"text": f"text {number}"})
    store.close()


def test_two_processes_write_at_once_and_nothing_is_lost(books):
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=writes, args=(books.folder, first, 100)) for first in (1000, 2000)]
    for other in others:
        other.start()
    for take in range(1, 30):
        books.deliver(take, text=f"take {take}", seconds=0.1)
    for other in others:
        other.join(60.0)
        assert other.exitcode == 0
    books.later(5)
    texts = sorted(row.text for row in books.rows())
    expected = [f"take {take}" for take in range(1, 30)]
    expected += [f"text {first + number}" for first in (1000, 2000) for number in range(100)]
    assert texts == sorted(expected)


# --- export ------------------------------------------------------------------------------------------

ENTRIES = st.lists(
    st.builds(
        Entry,
        id=st.integers(1, 10**9),
        created_s=st.floats(0, 1e12),
        state=st.sampled_from(EntryState),
        duration_s=st.floats(0, 1e6),
        text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        application=st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    ),
    max_size=5,
)


@settings(max_examples=50)
@given(ENTRIES)
def test_what_is_exported_can_be_read_again(entries):
    table = list(csv.DictReader(io.StringIO("".join(exported(entries, Format.CSV)), newline="")))
    lines = [json.loads(line) for line in "".join(exported(entries, Format.JSONL)).split("\n") if line]
    assert [row["text"] for row in lines] == [entry.text for entry in entries]
    assert [row["text"] for row in table] == [entry.text for entry in entries]
    assert all(tuple(row) == tuple(FIELDS) for row in lines)
    assert [row["id"] for row in table] == [str(entry.id) for entry in entries]


def test_as_text_an_export_has_time_and_words():
    entries = [Entry(1, 0.0, EntryState.DONE, text="one\ntwo"), Entry(2, 60.0, EntryState.FAILED)]
    assert "".join(exported(entries, Format.TEXT)) == f"{local_time(entries[0])}\none\ntwo\n\n"


def test_json_holds_nothing_that_a_terminal_obeys():
    raw = as_json(Entry(1, 0.0, EntryState.DONE, text="a\x9b31mb\x1b[0m\x7f"))
    assert not {char for char in raw if ord(char) < 32 or 0x7F <= ord(char) < 0xA0}
    assert json.loads(raw)["text"] == "a\x9b31mb\x1b[0m\x7f"
