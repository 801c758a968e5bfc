"""The audio of a take in a file that is valid up to its last block, however its writer ended.

    RIFF  fmt (float32, mono, 16 kHz)  fact  hqtk (ours)  data  samples ...

Samples are the exact float32 values that the engine got, so that the same model gives the same text again;
16 bits would round and clip them. It costs 64 kB/s, and every common player reads it.

During recording the sizes in the header are unknown (0xFFFFFFFF, as in a stream); the length of the file
counts. The header is completed when the recording ends, or by ``repair`` after a crash. Our own chunk has the
stage of the take, so that rows can be rebuilt from the files.

Source: Multimedia Programming Interface and Data Specifications 1.0 (RIFF WAVE), format tag 3.
"""

from __future__ import annotations

import enum
import os
import struct
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from handy_qwen.core.types import RATE_HZ, Samples
from handy_qwen.errors import HistoryError
from handy_qwen.files import sync_folder
from handy_qwen.message import Message

SAMPLE_BYTES = 4
BYTES_PER_S = RATE_HZ * SAMPLE_BYTES
BLOCK_SAMPLES = RATE_HZ  # one read

_UNKNOWN = 0xFFFFFFFF
_LARGEST = 0xFFFFFFF0  # limit of the format: 18 hours
_HEADER = struct.Struct("<4sI4s 4sIHHIIHHH 4sII 4sIBB q 52x 4sI")
_NAMES = (b"RIFF", b"WAVE", b"fmt ", b"fact", b"hqtk", b"data")
_VERSION = 1
HEADER_BYTES = _HEADER.size
_STAGE_AT = 59


class Stage(enum.IntEnum):
    """The stage of a file's take."""

    OPEN = 0
    COMPLETE = 1  # completely recorded; its text is awaited
    SETTLED = 2  # finished: not to be offered again
    CANCELLED = 3


class NotATakeError(HistoryError):
    """The file is not one of ours, or empty."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            Message("Can't read the recording {name}.", name=path.name),
            Message("It's damaged, or isn't a recording."),
        )


@dataclass(frozen=True, slots=True)
class Sound:
    """What a file contains."""

    created_ms: int
    stage: Stage
    samples: int

    @property
    def duration_s(self) -> float:
        """Its length."""
        return self.samples / RATE_HZ


def header(created_ms: int, stage: Stage, samples: int | None) -> bytes:
    """The first ``HEADER_BYTES`` of a file; ``samples`` None: not known yet."""
    size = _UNKNOWN if samples is None else min(samples * SAMPLE_BYTES, _LARGEST)
    riff = _UNKNOWN if samples is None else min(size + HEADER_BYTES - 8, _LARGEST)
    count = _UNKNOWN if samples is None else size // SAMPLE_BYTES
    riff_, wave, fmt, fact, ours, data = _NAMES
    ours_bytes = 1 + 1 + 8 + 52
    return _HEADER.pack(
        *(riff_, riff, wave),
        *(fmt, 18, 3, 1, RATE_HZ, BYTES_PER_S, SAMPLE_BYTES, 8 * SAMPLE_BYTES, 0),
        *(fact, 4, count),
        *(ours, ours_bytes, _VERSION, stage, created_ms),
        *(data, size),
    )


def note_stage(path: Path, stage: Stage) -> None:
    """Store the stage in the file, and nothing else. Raises OSError: it cannot be written."""
    with path.open("r+b") as file:
        file.seek(_STAGE_AT)
        file.write(bytes([stage]))


def look(path: Path) -> Sound:
    """What the file contains, by its length, not its header. Raises NotATakeError: not ours; OSError."""
    with path.open("rb") as file:
        return _read_header(path, file)


def repair(path: Path, stage: Stage) -> Sound:
    """Complete the header, cut off a partial sample, store ``stage``. Raises NotATakeError, OSError."""
    with path.open("r+b") as file:
        sound = _read_header(path, file)
        file.truncate(HEADER_BYTES + sound.samples * SAMPLE_BYTES)
        file.seek(0)
        file.write(header(sound.created_ms, stage, sound.samples))
    return Sound(sound.created_ms, stage, sound.samples)


@contextmanager
def blocks(path: Path) -> Iterator[Iterator[Samples]]:
    """Samples in blocks of a second: (n,), float32, 16 kHz; one at a time. Raises NotATakeError, OSError."""
    with path.open("rb") as file:
        sound = _read_header(path, file)
        file.seek(HEADER_BYTES)
        yield _blocks(file, sound.samples)


def _blocks(file: BinaryIO, samples: int) -> Iterator[Samples]:
    while samples > 0:
        raw = file.read(min(samples, BLOCK_SAMPLES) * SAMPLE_BYTES)
        block = np.frombuffer(raw[: len(raw) // SAMPLE_BYTES * SAMPLE_BYTES], "<f4").astype(np.float32)
        if not len(block):
            return  # it was shortened meanwhile
        # Only a damaged disk yields values that no microphone gave.
        yield block if np.isfinite(block).all() else np.clip(np.nan_to_num(block, copy=False), -1.0, 1.0)
        samples -= len(block)


def _read_header(path: Path, file: BinaryIO) -> Sound:
    first = file.read(HEADER_BYTES)
    if len(first) < HEADER_BYTES:
        raise NotATakeError(path)
    found = _HEADER.unpack(first)
    names = (found[0], found[2], found[3], found[12], found[15], found[20])
    version, stage, created_ms = found[17:20]
    if names != _NAMES or version != _VERSION or stage not in set(Stage):
        raise NotATakeError(path)
    size = os.fstat(file.fileno()).st_size - HEADER_BYTES
    return Sound(created_ms, Stage(stage), size // SAMPLE_BYTES)


class Journal:
    """The file of a take that is being recorded.

    Blocks that cannot be written wait in memory. Writes go straight to the system, so every written block
    survives if the process is killed; ``sync`` makes them survive a power cut.
    """

    def __init__(self, path: Path, created_ms: int = 0, *, is_of_before: bool = False) -> None:
        self.path = path
        self.samples = 0  # received; all of them are in the file or wait
        self.is_synced = True  # whether what was written is on disk
        self.is_of_before = is_of_before  # recorded in an earlier session: only its stage can change
        self._created_ms = created_ms
        self._descriptor: int | None = None
        self._waiting: deque[memoryview] = deque()
        self._waiting_bytes = 0
        self._stage = self._noted = Stage.COMPLETE if is_of_before else Stage.OPEN
        self._is_new = True
        self._is_gone = False

    @property
    def duration_s(self) -> float:
        """The length so far."""
        return self.samples / RATE_HZ

    @property
    def is_written(self) -> bool:
        """Whether no block waits."""
        return self._is_gone or (not self._waiting and self._noted is self._stage)

    @property
    def waiting_samples(self) -> int:
        """How many samples wait."""
        return self._waiting_bytes // SAMPLE_BYTES

    def add(self, block: Samples) -> None:
        """Add a block, keeping the array. Blocks after the end are ignored."""
        if self._is_gone or self._stage is not Stage.OPEN or not len(block):
            return
        self.samples += len(block)
        little = block.astype("<f4", copy=False) if sys.byteorder == "big" else block
        self._waiting_bytes += little.nbytes
        self._waiting.append(memoryview(little).cast("B"))  # type: ignore[arg-type,unused-ignore]  # an array

    def write(self) -> None:
        """Write what waits. Raises OSError: not all of it could be written; the rest waits."""
        if self._is_gone:
            return
        is_due = bool(self._waiting) or self._noted is not self._stage
        if self._descriptor is None and self._noted is Stage.OPEN and is_due:
            self._descriptor = _create(self.path, self._created_ms)
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
        """Make what was written survive a power cut. Waits for the disk. Raises OSError: it failed."""
        self.is_synced = True  # even if it fails: retrying would not help
        if self._descriptor is None:
            return
        (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(self._descriptor)
        if self._is_new:
            self._is_new = False
            sync_folder(self.path.parent)

    def finish(self, stage: Stage) -> None:
        """The take has ended or reached another stage. Takes effect with the next ``write``."""
        self._stage = stage

    def abandon(self) -> None:
        """Write nothing more: the file will be deleted."""
        self._is_gone = True
        self._waiting.clear()
        self._waiting_bytes = 0
        self.close()

    def close(self) -> None:
        """Close the file as it is."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _end(self) -> None:
        """All blocks are written: complete the header, once; later only the stage changes."""
        if self._noted is Stage.OPEN and self._descriptor is not None:
            first = header(self._created_ms, self._stage, self.samples)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            _write_all(self._descriptor, first)  # overwrites: it needs no space
            self.sync()
            self.close()
        else:
            with suppress(FileNotFoundError):  # only its text was kept
                note_stage(self.path, self._stage)
        self._noted = self._stage


def _create(path: Path, created_ms: int) -> int:
    """Create the file of a new take, readable by its owner only, and return its descriptor."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        _write_all(descriptor, header(created_ms, Stage.OPEN, None))
    except OSError:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise
    return descriptor


def _write_all(descriptor: int, raw: bytes) -> None:
    while raw:  # the system may take less at a time
        raw = raw[os.write(descriptor, raw) :]
