"""Disks that are full, slow, read-only or held by somebody else: no take is lost, and nobody waits."""

import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import numpy as np
import pytest

from handy_qwen.core.effects import KeepText
from handy_qwen.core.events import Failed, Recovered
from handy_qwen.core.types import Delivery, EntryState
from handy_qwen.history import disk, wav
from handy_qwen.history.disk import DiskHistory
from handy_qwen.history.retention import RetentionRules
from handy_qwen.history.store import MIGRATIONS, Store, error_code, migrate
from tests.unit.history.conftest import Books, held

BLOCK = np.linspace(-1, 1, 1600, dtype=np.float32)


class Posted(list):
    """What was posted, from any thread."""

    def of(self, kind):
        return [event for event in self if isinstance(event, kind)]

    def wait_for(self, kind, seconds=20.0):
        end_s = time.monotonic() + seconds
        while not (found := self.of(kind)):
            assert time.monotonic() < end_s, f"no {kind.__name__} came"
            threading.Event().wait(0.01)
        return found[0]


@pytest.fixture
def start(tmp_path):
    """Starts histories with a thread of their own."""
    started = []

    def start(folder=tmp_path / "history", *, is_ready=False):
        posted = Posted()
        history = DiskHistory(posted.append, folder, RetentionRules)
        history.start()
        started.append(history)
        if is_ready:
            posted.wait_for(Recovered)
        return history, posted

    yield start
    for history in started:
        history.close(10.0)


@pytest.fixture
def mount(tmp_path):
    """Mounts a small file system of its own; only root may."""
    mounted = []

    def mount(options):
        folder = tmp_path / "mounted"
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("nothing may be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


def rows(folder):
    with closing(Store(folder / "history.db", busy_s=1.0)) as store:
        return list(store.oldest())


def samples(path):
    with wav.blocks(path) as blocks:
        return np.concatenate([*blocks])


def test_a_whole_take_by_the_port(start, tmp_path):
    history, _ = start()
    history.begin(1, language="German", model="m")
    for _ in range(20):
        history.feed(1, BLOCK)
    history.complete(1)
    history.done(KeepText(1, "a text", "German", "", "xterm"))
    history.delivered(1, Delivery.BEGUN)
    history.delivered(1, Delivery.PASTED)
    history.close(10.0)
    history.close(10.0)
    (row,) = rows(tmp_path / "history")
    assert (row.state, row.text, row.delivery) == (EntryState.DONE, "a text", Delivery.PASTED)
    assert samples(tmp_path / "history" / "takes" / row.file).tobytes() == np.tile(BLOCK, 20).tobytes()
    assert not history.thread.has_died()


@pytest.mark.parametrize("how", Delivery)
def test_each_delivery_has_its_word(start, tmp_path, how):
    history, _ = start()
    history.begin(1)
    history.done(KeepText(1, "a text", "", "", ""))
    history.delivered(1, how)
    history.close(10.0)
    (row,) = rows(tmp_path / "history")
    assert row.delivery.name == how.name


def test_in_private_nothing_is_written(start, tmp_path):
    history, _ = start(is_ready=True)
    history.set_private(True)
    before = sorted(path.name for path in (tmp_path / "history").rglob("*"))
    history.begin(1)
    for _ in range(20):
        history.feed(1, BLOCK)
    history.done(KeepText(1, "a secret", "", "", ""))
    history.set_private(False)
    history.begin(2)
    history.feed(2, BLOCK)
    history.done(KeepText(2, "no secret", "", "", ""))
    history.close(10.0)
    assert [row.text for row in rows(tmp_path / "history")] == ["no secret"]
    assert len(before) <= 4


@pytest.mark.linux("mounts file systems")
@pytest.mark.expects_log
def test_a_full_disk_costs_nothing_once_there_is_space(mount, start):
    folder = mount("size=1m")
    filler = folder / "filler"
    filler.write_bytes(bytes(500_000))
    history, posted = start(folder / "history")
    history.begin(1)
    for _ in range(100):  # ten seconds: 640 kB
        history.feed(1, BLOCK)
    error = posted.wait_for(Failed).error
    assert error.title == "The disk is full."
    history.complete(1)
    history.done(KeepText(1, "a text", "", "", ""))
    filler.unlink()
    history.close(20.0)
    assert len(posted.of(Failed)) == 1
    (row,) = rows(folder / "history")
    assert row.text == "a text"
    assert samples(folder / "history" / "takes" / row.file).tobytes() == np.tile(BLOCK, 100).tobytes()


@pytest.mark.linux("mounts file systems")
@pytest.mark.expects_log
def test_a_disk_that_is_full_from_the_start_costs_nothing_once_there_is_space(mount):
    folder = mount("size=200k")
    (folder / "filler").write_bytes(bytes(204_800))
    books = Books(folder / "history")
    books.record(1, 0.5)
    books.complete(1)
    books.done(1, "a text")
    books.later(5)
    assert [error.title for error in books.complaints] == ["The disk is full."]
    (folder / "filler").unlink()
    books.later(5)
    row = books.row
    assert row.text == "a text"
    assert len(samples(books.places.takes / row.file)) == 8000
    assert not books.live[1].journal.waiting_samples


@pytest.mark.linux("mounts file systems")
def test_a_history_that_a_full_disk_keeps_from_being_brought_up_to_date_is_not_damaged(mount):
    folder = mount("size=256k")
    codes = set()
    for pages in range(16):
        path = folder / f"{pages}.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            migrate(connection, MIGRATIONS[:1])
        file_system = os.statvfs(folder)
        (folder / "filler").write_bytes(bytes(file_system.f_bavail * file_system.f_frsize - pages * 4096))
        try:
            Store(path, busy_s=1.0).close()
        except sqlite3.Error as exc:
            codes.add(error_code(exc))
        for file in folder.iterdir():
            file.unlink()
    assert sqlite3.SQLITE_FULL in codes


@pytest.mark.linux("mounts file systems")
@pytest.mark.expects_log
def test_a_read_only_home_is_told_and_dictating_goes_on(mount):
    folder = mount("size=1m")
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    books = Books(folder / "history")
    for take in range(1, 4):
        books.deliver(take)
        books.later(3)
    assert 1 <= len(books.complaints) <= 2
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    books.later(5)
    assert [row.text for row in books.rows()] == ["a text"] * 3
    assert len(books.files()) == 3
    assert not books.live


@pytest.mark.expects_log
def test_a_locked_database_is_waited_for_without_losing_a_take(books):
    with held(books.places.database):
        books.deliver(1)
        books.later(2)
        assert [error.title for error in books.complaints] == ["Another program is using the history."]
        assert len(books.files()) == 1  # the sound does not wait for the rows
    books.later(2)
    row = books.row
    assert (row.text, row.delivery) == ("a text", Delivery.TYPED)
    assert not books.live


def stick(monkeypatch):
    """From now on no write to the disk returns until the event is set."""
    goes_on, real = threading.Event(), os.write

    def write(descriptor, view):
        goes_on.wait(30.0)
        return real(descriptor, view)

    monkeypatch.setattr("handy_qwen.history.wav.os.write", write)
    return goes_on


def test_a_stuck_disk_holds_up_neither_microphone_nor_controller(start, monkeypatch):
    history, posted = start(is_ready=True)
    monkeypatch.setattr(disk, "SLOW_S", 0.05)
    goes_on = stick(monkeypatch)
    history.begin(1)
    end_s = time.monotonic() + 20.0
    while not posted.of(Failed):
        assert time.monotonic() < end_s
        history.feed(1, BLOCK)  # returns, although nothing can be written
        threading.Event().wait(0.01)
    assert posted.wait_for(Failed).error.title == "The disk isn't responding."
    assert history.thread.piece() is not None
    history.complete(1)
    history.done(KeepText(1, "a text", "", "", ""))
    goes_on.set()
    history.close(20.0)
    assert len(posted.of(Failed)) == 1


@pytest.mark.expects_log
def test_sound_that_waits_for_a_stuck_disk_has_a_limit(start, monkeypatch, tmp_path):
    history, posted = start(is_ready=True)
    monkeypatch.setattr(disk, "MOST_WAITING_S", 1.0)
    goes_on = stick(monkeypatch)
    history.begin(1)
    for _ in range(50):
        history.feed(1, BLOCK)
    told = [event.error.title for event in posted.of(Failed)]
    assert told.count("Only the start of this recording is saved.") == 1
    goes_on.set()
    history.begin(2)
    while not history.thread.is_idle():
        threading.Event().wait(0.01)
    history.feed(2, BLOCK)
    history.complete(1)
    history.complete(2)
    assert not history._cut
    history.close(20.0)
    lengths = sorted(wav.look(path).samples for path in (tmp_path / "history" / "takes").iterdir())
    assert lengths[0] == 1600
    assert 16_000 <= lengths[1] <= 19_200  # its beginning, without a gap


@pytest.mark.expects_log
def test_an_unexpected_error_is_told_and_the_thread_lives_on(start, monkeypatch, tmp_path):
    history, posted = start(is_ready=True)
    with monkeypatch.context() as patch:
        patch.setattr(history._ledger, "complete", lambda _: 1 / 0)
        history.complete(1)
    posted.wait_for(Failed)
    history.begin(2)
    history.feed(2, BLOCK)
    history.done(KeepText(2, "a text", "", "", ""))
    history.close(10.0)
    assert len(list((tmp_path / "history" / "takes").iterdir())) == 1


def test_a_history_that_died_goes_on_where_it_was(start, tmp_path):
    history, _ = start(is_ready=True)
    history.begin(1)
    history.feed(1, BLOCK)
    history.thread.do(sys.exit)  # stands for whatever could end the thread
    history.thread.join(10.0)
    assert history.thread.has_died()
    history.feed(1, BLOCK)
    history.thread.revive()
    history.done(KeepText(1, "a text", "", "", ""))
    history.close(10.0)
    (path,) = (tmp_path / "history" / "takes").iterdir()
    assert wav.look(path).samples == 3200


def test_what_was_said_is_in_no_log_and_no_complaint(tmp_path, caplog):
    marker = "correct horse battery staple"
    caplog.set_level(logging.DEBUG)
    books = Books(tmp_path / "history")
    books.deliver(1, text=marker, how=Delivery.HELD)
    again = books.crashed()
    books.store = None
    events = [*books.posted, *again.posted]
    assert marker not in caplog.text
    assert marker not in repr(events)


OTHER_USER = """
import os, sys
os.setgid(65534)
os.setuid(65534)
import pathlib
folder = pathlib.Path(sys.argv[1])
for path in [folder, folder / "takes", folder / "history.db", folder / "takes" / sys.argv[2]]:
    for flags in (os.O_RDONLY, os.O_RDWR):
        try:
            os.open(path, flags)
        except PermissionError:
            continue
        except IsADirectoryError:  # told before anybody looks at the permissions
            continue
        sys.exit(f"{path} can be opened")
"""


def test_another_user_can_neither_read_nor_write_a_take(tmp_path):
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can become another user")
    books = Books(tmp_path / "history")
    books.dictate(1)
    done = subprocess.run(
        ["/usr/bin/env", "python3", "-c", OTHER_USER, books.folder, books.files()[0]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.expects_log
def test_no_take_keeps_the_number_of_an_old_history_if_the_new_one_is_held_by_somebody(books, monkeypatch):
    books.dictate(1, "one")
    books.dictate(2, "two")
    books.crash()
    books.places.database.unlink()
    books.store = None
    real, asked = Store.row, []

    def row(store, number):
        asked.append(number)
        if len(asked) == 2:  # the first take is asked after, the second is not
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        return real(store, number)

    monkeypatch.setattr(Store, "row", row)
    books.open()
    assert len(asked) == 2
    books.later(2)
    assert [row.text for row in books.rows()] == ["one", "two"]


@pytest.mark.expects_log
def test_a_press_by_mistake_is_not_rescued_if_the_database_was_held_when_it_was_to_go(books):
    books.record(1, 0.3)
    with held(books.places.database):
        books.cancelled(1)
    books.later(2)
    assert (books.rows(), books.files(), books.live) == ([], [], {})
    again = books.again()
    assert again.recovered.unfinished == ()


@pytest.mark.expects_log
def test_what_could_not_be_written_at_the_end_is_not_tried_again_after_it(books):
    """That would open the database again, and nobody would close it."""
    books.record(1)
    with held(books.places.database):
        books.complete(1)
        books.close()
    books.later(5)
    assert books.store is None
