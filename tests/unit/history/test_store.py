"""The rows: what goes in comes out, strange ones do no harm, and every schema can be brought up to date."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import handy_qwen
from handy_qwen.core.types import Delivery, EntryState, Keep
from handy_qwen.history.store import (
    MIGRATIONS,
    DamagedError,
    NewerError,
    Row,
    Store,
    column_of,
    is_file_name,
    migrate,
    new_file_name,
)
from tests.conftest import is_private

FIRST = {
    "created_ms": 5,
    "state": EntryState.DONE,
    "keep": Keep.TEXT,
    "text": "Grüße aus Köln",
    "application": "xterm",
}


def test_a_row_comes_back_as_it_was_written(store):
    number = store.add(FIRST)
    row = store.row(number)
    assert (row.text, row.state, row.keep, row.delivery) == (
        "Grüße aus Köln",
        EntryState.DONE,
        Keep.TEXT,
        Delivery.NOWHERE,
    )
    assert store.change(number, {"delivery": Delivery.TYPED, "is_starred": 1}, is_durable=True)
    assert store.row(number).entry.is_starred
    assert not store.change(number + 1, {"text": ""})


def test_a_second_connection_takes_no_lock_from_the_first(store):
    """The History window opens the database beside the history's thread; then a command comes and goes."""
    path = store.path
    number = store.add(FIRST)
    Store(path, busy_s=1.0).close()
    log = path.with_name(f"{path.name}-wal")
    before = log.stat().st_ino
    code = (
        "import sys, pathlib; from handy_qwen.history.store import Store;"
        "Store(pathlib.Path(sys.argv[1]), busy_s=5.0).close()"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert log.stat().st_ino == before, "the first goes on writing to it"
    store.change(number, {"text": "later"})
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT text FROM take").fetchall() == [("later",)]
    other.close()


def test_an_id_is_never_used_twice(store):
    first = store.add(FIRST)
    store.remove(first)
    assert store.add(FIRST) == first + 1


def test_the_order_is_that_of_the_ids_also_if_the_clock_was_set_back(store):
    for created_ms in (3000, 2000, 1000):
        store.add(FIRST | {"created_ms": created_ms})
    assert [row.created_ms for row in store.newest()] == [1000, 2000, 3000]


def test_nobody_else_may_read_the_database(store):
    store.add(FIRST)
    files = sorted(store.path.parent.glob("history.db*"))
    assert [path.name for path in files] == ["history.db", "history.db-shm", "history.db-wal"]
    assert all(map(is_private, files))


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        (["köln"], True),
        (["KOLN"], True),
        (["GRÜSSE"], True),
        (["grusse", "xter"], True),
        (["Köln", "Bonn"], False),
        (["%"], False),
        (["_"], False),
        (['"'], False),
    ],
)
def test_a_search_knows_no_case_and_no_accents(store, words, is_found):
    store.add(FIRST)
    assert bool(list(store.matching(words))) is is_found


def test_a_search_finds_words_within_others_and_between_no_spaces(store):
    store.add(FIRST | {"text": "Donaudampfschifffahrt"})
    store.add(FIRST | {"text": "今天天气很好我们去公园"})
    assert len(list(store.matching(["schiff"]))) == len(list(store.matching(["天气"]))) == 1


def test_an_application_of_any_bytes_is_stored(store):
    number = store.add(FIRST | {"application": "caf\udce9"})
    assert store.row(number).application == "caf?"


ANYTHING = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(), st.binary(max_size=20)
)


@settings(max_examples=100)
@given(
    column=st.sampled_from(sorted({column_of(one.name) for one in fields(Row)} - {"id", "is_deleting"})),
    value=ANYTHING,
)
def test_a_strange_row_is_read_without_harm(memory_folders, column, value):
    store = Store(memory_folders.mktemp("strange") / "history.db", busy_s=1.0)
    try:
        number = store.add(FIRST)
        try:
            store._connection.execute(f"UPDATE take SET {column} = ? WHERE id = ?", (value, number))
        except (sqlite3.IntegrityError, UnicodeEncodeError):
            return  # the database itself refuses
        row = store.row(number)
        assert row.entry.created_s >= 0
        assert row.file == ""
        assert row.state in set(EntryState)
        assert list(store.matching(["xterm"])) in ([], [row])
    finally:
        store.close()


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "take-20260101T000000Z-0123abcd.wav/..", "", "take-.wav", "x\0.wav"],
)
def test_only_names_of_our_own_files_are_taken_from_a_row(store, name):
    assert not is_file_name(name)
    assert store.row(store.add(FIRST | {"file": name})).file == ""


@settings(max_examples=30)
@given(st.integers(0, 253_402_300_799_000))
def test_our_own_names_are_known_again(created_ms):
    assert is_file_name(new_file_name(created_ms))


def test_a_migration_runs_once_and_keeps_the_rows(tmp_path):
    store = Store(tmp_path / "history.db", busy_s=1.0)
    number = store.add(FIRST)
    more = [*MIGRATIONS, "ALTER TABLE take ADD COLUMN mood TEXT NOT NULL DEFAULT 'fine'"]
    migrate(store._connection, more)
    migrate(store._connection, more)
    assert store._connection.execute("SELECT mood FROM take").fetchall() == [("fine",)]
    assert store.row(number).text == FIRST["text"]
    store.close()
    with pytest.raises(NewerError):
        Store(tmp_path / "history.db", busy_s=1.0)


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_history_of_a_former_version_is_read_and_brought_up_to_date(tmp_path, version):
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[:version])
        connection.execute(
            "INSERT INTO take (created_ms, state, keep, text) VALUES (1, 'done', 'text', 'old')"
        )
    store = Store(path, busy_s=1.0)
    assert (store.row(1).text, store.row(1).original, store.row(1).is_truncated) == ("old", "", False)
    store.change(1, {"is_truncated": True, "original": "older"})
    assert (store.row(1).entry.original, store.row(1).entry.is_truncated) == ("older", True)
    store.close()


def test_a_migration_that_fails_changes_nothing(store):
    store.add(FIRST)
    broken = [*MIGRATIONS, "ALTER TABLE take ADD COLUMN mood TEXT; INSERT INTO nowhere VALUES (1)"]
    with pytest.raises(sqlite3.OperationalError):
        migrate(store._connection, broken)
    assert store.row(1).text == FIRST["text"]
    migrate(store._connection)


def test_a_database_of_another_program_is_damaged_in_our_eyes(tmp_path):
    path = tmp_path / "history.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE take (name TEXT)")
    connection.execute("PRAGMA user_version=1")
    connection.commit()
    connection.close()
    with pytest.raises(DamagedError):
        Store(path, busy_s=1.0)


def test_what_was_deleted_is_overwritten(store):
    marker = "correct horse battery staple"
    number = store.add(FIRST | {"text": marker})
    store.change(number, {"text": ""})
    store.remove(number)
    store.checkpoint()
    left = b"".join(path.read_bytes() for path in store.path.parent.glob("history.db*"))
    assert marker.encode() not in left
    assert store._connection.execute("PRAGMA secure_delete").fetchone() == (1,)


@pytest.mark.parametrize("name", ["history", "history.db"])
def test_no_other_module_spells_out_the_way_to_the_history(name):
    root = Path(handy_qwen.__file__).parent
    spelled = [path for path in root.rglob("*.py") if f'/ "{name}"' in path.read_text(encoding="utf-8")]
    assert spelled == [root / "history" / "store.py"]
