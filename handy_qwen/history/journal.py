"""The sound of the take being recorded, on its way to its file.

Blocks that cannot be written wait here, in memory, until they can. Writing goes straight to the system,
so a process that is killed leaves every block behind that was written; ``sync`` brings them through a
power cut.

Threads: the history's.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path

from handy_qwen.core.ports import RATE_HZ, Samples
from handy_qwen.durable import sync_folder
from handy_qwen.history import wav
from handy_qwen.history.wav import Stage


class Journal:
    """One take's file.

    Attributes:
        samples: How many were fed; all of them are in the file or wait.
        is_synced: What was written is on the disk.
        is_of_before: It was recorded in an earlier session.
    """

    def __init__(self, path: Path, created_ms: int) -> None:
        self.path = path
        self.samples = 0
        self.is_synced = True
        self._created_ms = created_ms
        self._descriptor: int | None = None
        self._waiting: deque[memoryview] = deque()
        self._waiting_bytes = 0
        self._stage = Stage.OPEN
        self._noted = Stage.OPEN
        self._is_new = True
        self._is_gone = False
        self.is_of_before = False

    @classmethod
    def of_before(cls, path: Path) -> Journal:
        """The file of a take that was recorded in an earlier session: only its stage can change."""
        journal = cls(path, 0)
        journal._stage = journal._noted = Stage.COMPLETE
        journal.is_of_before = True
        return journal

    @property
    def duration_s(self) -> float:
        """How long it is so far."""
        return self.samples / RATE_HZ

    @property
    def is_written(self) -> bool:
        """Whether nothing waits."""
        return self._is_gone or (not self._waiting and self._noted is self._stage)

    @property
    def waiting_samples(self) -> int:
        """How many wait."""
        return self._waiting_bytes // wav.SAMPLE_BYTES

    def add(self, block: Samples) -> None:
        """Take over the next block, keeping the array. One that comes after the end is left out."""
        if self._is_gone or self._stage is not Stage.OPEN or not len(block):
            return
        self.samples += len(block)
        little = block.astype("<f4", copy=False) if sys.byteorder == "big" else block
        self._waiting_bytes += little.nbytes
        self._waiting.append(memoryview(little).cast("B"))  # type: ignore[arg-type,unused-ignore]  # an array

    def write(self) -> None:
        """Write what waits.

        Raises:
            OSError: Not all of it could be written; the rest waits.
        """
        if self._is_gone:
            return
        if self._descriptor is None and (self._waiting or self._noted is not self._stage):
            self._open()
        while self._waiting and self._descriptor is not None:
            view = self._waiting[0]
            written = os.write(self._descriptor, view)
            self._waiting_bytes -= written
            self.is_synced = False
            if written == len(view):
                self._waiting.popleft()
            else:
                self._waiting[0] = view[written:]
        if self._noted is not self._stage:
            self._end()

    def sync(self) -> None:
        """See that what was written outlasts a power cut. Waits for the disk.

        Raises:
            OSError: The disk failed.
        """
        self.is_synced = True  # also if it fails: to try again says nothing new
        if self._descriptor is None:
            return
        (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(self._descriptor)
        if self._is_new:
            self._is_new = False
            sync_folder(self.path.parent)

    def finish(self, stage: Stage) -> None:
        """No more blocks will come, or the take has come further. Takes effect with the next ``write``."""
        self._stage = stage

    def abandon(self) -> None:
        """Write nothing more: the file is to be deleted."""
        self._is_gone = True
        self._waiting.clear()
        self._waiting_bytes = 0
        self._close()

    def close(self) -> None:
        """Let go of the file as it is."""
        self._close()

    def _open(self) -> None:
        if self._noted is Stage.OPEN:
            self._descriptor = wav.create(self.path, self._created_ms)

    def _end(self) -> None:
        """All blocks are written: complete the header, once; later only the stage changes."""
        if self._noted is Stage.OPEN and self._descriptor is not None:
            first = wav.header(self._created_ms, self._stage, self.samples)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            wav.write_all(self._descriptor, first)  # over what is there: it needs no space
            self.sync()
            self._close()
        else:
            with suppress(FileNotFoundError):  # only its text was kept
                wav.note_stage(self.path, self._stage)
        self._noted = self._stage

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
