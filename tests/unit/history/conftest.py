"""Fixtures: a history without a thread, whose clocks stand until they are set."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from handy_qwen.core.effects import KeepText
from handy_qwen.core.events import Event, Failed, Kept, Recovered
from handy_qwen.core.types import Delivery
from handy_qwen.history.ledger import ErrorReporter, Ledger
from handy_qwen.history.retention import RetentionRules
from handy_qwen.history.store import Store

START_S = 1_800_000_000.0


class Books(Ledger):
    """The history of one run of the program, on the test's own thread."""

    started: ClassVar[list[Books]] = []

    def __init__(self, folder, rules=None, wall_s=START_S):
        self.folder = folder
        self.rules = rules or RetentionRules()
        self.posted: list[Event] = []
        self.now_s = 100.0
        self.wall_s = wall_s
        self.started.append(self)
        super().__init__(
            self.posted.append,
            folder,
            lambda: self.rules,
            ErrorReporter(self.posted.append, lambda: self.now_s),
            clock=lambda: self.now_s,
            wall_s=lambda: self.wall_s,
        )
        self.open()

    def begin(self, take, created_ms=None, language="", model="m"):
        super().begin(take, created_ms or int(self.wall_s * 1000), language, model)

    def speak(self, take, seconds=2.0, value=0.5):
        for _ in range(round(seconds * 10)):
            self.feed(take, np.full(1600, value, np.float32))

    def done(self, take, text="a text", language="", model="", application="", *, is_truncated=False):
        super().done(KeepText(take, text, language, model, application, is_truncated))

    def record(self, take, seconds=2.0):
        self.begin(take)
        self.speak(take, seconds)

    def dictate(self, take, text="a text", seconds=2.0):
        self.record(take, seconds)
        self.complete(take)
        self.done(take, text, "English", "m", "xterm")

    def deliver(self, take, text="a text", seconds=2.0, how=Delivery.TYPED):
        self.dictate(take, text, seconds)
        self.went(take, how)

    def replay(self, take, entry, sink=lambda _: None):
        """Have it read, and wait for the end: on a busy machine the thread for it would outlive the test."""
        super().replay(take, entry, sink)
        for thread in threading.enumerate():
            if thread.name == "history-read":
                thread.join(30)

    def later(self, seconds=1.0):
        """Let time pass, and what is due be done."""
        self.now_s += seconds
        self.wall_s += seconds
        while not self.pause_s():
            self.work()

    def crash(self):
        """End without a word, as SIGKILL would: nothing more is written, the system closes the files."""
        for live in self.live.values():
            if live.journal is not None:
                live.journal.close()
        if self.store is not None:
            self.store.close()

    def crashed(self):
        """The next start after a crash."""
        self.crash()
        return self.again()

    def again(self):
        """The next start of the program."""
        return Books(self.folder, self.rules, self.wall_s)

    def of(self, kind):
        return [event for event in self.posted if isinstance(event, kind)]

    @property
    def recovered(self):
        (one,) = self.of(Recovered)
        return one

    @property
    def complaints(self):
        return [event.error for event in self.of(Failed) if not event.take]

    def entry_of(self, take):
        return next(event.entry for event in self.of(Kept) if event.take == take)

    @property
    def row(self):
        (row,) = self.rows()
        return row

    def rows(self):
        assert self.store is not None
        return list(self.store.oldest())

    def files(self):
        return sorted(path.name for path in self.places.takes.iterdir())


@contextmanager
def held(path):
    """Another program holds the database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("COMMIT")


class MemoryFolders:
    """Hands out folders that cost no disk: a thousand small databases are slow to sync on a busy one."""

    def __init__(self):
        memory = Path("/dev/shm")
        self.base = Path(tempfile.mkdtemp(prefix="history-", dir=memory if memory.is_dir() else None))
        self.base.chmod(0o755)  # it is the history itself that has to keep others out
        self._numbers = itertools.count()

    def mktemp(self, name):
        folder = self.base / f"{name}-{next(self._numbers)}"
        folder.mkdir(mode=0o755)
        return folder


@pytest.fixture(scope="session")
def memory_folders():
    folders = MemoryFolders()
    yield folders
    shutil.rmtree(folders.base)


@pytest.fixture
def tmp_path(memory_folders):
    folder = memory_folders.mktemp("test")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)  # what is still mounted there goes with the session's


@pytest.fixture
def books(tmp_path):
    books = Books(tmp_path / "history")
    yield books
    books.close()


@pytest.fixture(autouse=True)
def no_book_stays_open():
    """Python complains of databases that are left open."""
    yield
    while Books.started:
        Books.started.pop().close()


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "history.db", busy_s=1.0)
    yield store
    store.close()
