"""Reads audio files, and audio from standard input, as 16 kHz mono blocks.

    file --decoder--> (n, channels) at its own rate --downmix--> soxr --> clip to [-1, 1]

A file is read as it is used, some thousand frames at a time, so its length does not affect memory.

Samples are scaled as in the model's own code, as far as a stream allows. Integers are divided by what their
width holds, int16 by 32768. That code then divides the whole recording by its peak if that exceeds 1, which
requires the whole recording. Here, files of float samples, which may have any scale, are read twice: first
for their peak, then divided by it. In other files, values above 1 are the ripple of a codec or of resampling,
which is clipped.

Nothing is dropped silently. A truncated file yields what it has, and sets ``is_truncated``. A file that holds
several recordings, as ``cat`` makes it, yields them all.

Source: qwen_asr 0.0.6, normalize_audio_input.
"""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self, cast

import numpy as np

from handy_qwen.audio.conversion import Downmix, Resampler
from handy_qwen.audio.decoders import Decoder, open_decoder, parts_of
from handy_qwen.audio.take import SILENCE_DB, loudest_db
from handy_qwen.core.sound_files import SUFFIXES
from handy_qwen.core.types import RATE_HZ, Samples
from handy_qwen.errors import AudioFileError
from handy_qwen.message import Message

log = logging.getLogger(__name__)

STDIN = "-"
_STDIN_NAME = Path("standard input")
_SPOOL_BYTES = 32 << 20  # kept in memory; more goes to a temporary file that only the user can read
_RATES_HZ = range(1_000, 1_000_001)
_SHORT_S = 0.3  # no word is shorter
_SILENT_DB = -85.0  # less than one step of 16 bits
_QUIET_DB = -60.0


class AudioFile:
    """An audio file being read: iterate over it, once, for its blocks.

    Each block has the shape (n,), n >= 1 and mostly some thousand, float32 in [-1, 1], 16 kHz. Iterating
    raises AudioFileError for samples that are NaN or infinite. The file is closed at the end of the
    iteration, or by ``close`` or ``with``. Belongs to one thread at a time.

    ``total_samples``: the number of samples at 16 kHz, None if unknown, as for several recordings. From the
    header: within one for WAV and FLAC, approximate for others, too many if the file is truncated.
    ``is_truncated``: it was cut off, or damaged from there on; valid after the last block.
    """

    def __init__(self, path: Path, stream: BinaryIO, *, is_piped: bool = False) -> None:
        self.path = path
        self.is_truncated = False
        self._stream = stream
        first, *self._further = parts_of(stream, is_piped=is_piped)
        self._decoder: Decoder = open_decoder(stream, first, path)
        rate_hz = self._decoder.rate_hz
        if rate_hz not in _RATES_HZ:
            raise AudioFileError(
                path,
                Message("its sample rate of {rate} Hz makes no sense", rate=rate_hz),
                Message("Convert it to WAV."),
            )
        frames = None if self._further else self._decoder.announced_frames
        self.total_samples = None if frames is None else round(frames * RATE_HZ / rate_hz)
        self._blocks = self._decoded()
        block = next(self._blocks)  # most problems of a file show here
        self._unread = itertools.chain([block], self._blocks)

    def __iter__(self) -> Iterator[Samples]:
        return self._unread

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; no more blocks follow. Safe to call twice."""
        self._unread = itertools.chain()
        self._blocks.close()
        self._release()

    def _release(self) -> None:
        self._decoder.close()
        self._stream.close()

    def _decoded(self) -> Generator[Samples]:
        is_empty = True
        for block in self._resampled():
            if block.size:
                is_empty = False
                yield np.clip(block, -1, 1, out=block)
        self._release()
        if is_empty:
            problem = Message("it holds no sound (0 samples)")
            if self.is_truncated:
                problem = Message("it is damaged, or breaks off before its first sound")
            raise AudioFileError(self.path, problem, Message("Copy or record it again."))

    def _resampled(self) -> Iterator[Samples]:
        """Blocks at 16 kHz, some of them empty."""
        yield from self._resampled_part()
        for part in self._further:
            self._decoder.close()
            try:
                self._decoder = open_decoder(self._stream, part, self.path)
            except AudioFileError as error:
                log.info("the file goes on with something else: %s", error.hint)
                self.is_truncated = True
                return
            yield from self._resampled_part()

    def _resampled_part(self) -> Iterator[Samples]:
        peak = self._peak() if self._decoder.has_free_scale else 1.0
        resampler = Resampler(self._decoder.rate_hz)
        for mono in self._mono():
            yield resampler.feed(mono / np.float32(peak) if peak > 1 else mono)
        yield resampler.flush()
        self.is_truncated |= self._decoder.is_truncated

    def _mono(self) -> Iterator[Samples]:
        """The channels mixed, at the file's rate, not scaled."""
        position = 0
        downmix = Downmix(self._decoder.rate_hz)
        for block in self._decoder.blocks():
            with np.errstate(invalid="ignore", over="ignore"):  # NaN or infinite values raise the error below
                mono = downmix(block)
            if not np.isfinite(mono).all():
                at_s = (position + int(np.argmin(np.isfinite(mono)))) / self._decoder.rate_hz
                problem = Message("the sample at {seconds} s is not a number", seconds=f"{at_s:.3f}")
                raise AudioFileError(
                    self.path, problem, Message("Export it again from the program that made it.")
                )
            position += len(mono)
            yield mono

    def _peak(self) -> float:
        return max((float(np.abs(mono).max()) for mono in self._mono()), default=0.0)


def read(path: Path | str, stdin: BinaryIO | None = None) -> AudioFile:
    """Open an audio file and read its beginning; AudioFileError if it does not exist or is not one.

    ``path`` is a file or a named pipe; ``"-"`` is ``stdin``, or this process's own, which is read to its end
    first. Pipes carry the bytes of a file in any format, not raw samples.
    """
    if str(path) == STDIN:
        name, is_piped = _STDIN_NAME, True
        stream = _spooled(name, stdin or getattr(sys.stdin, "buffer", None))
    else:
        name = Path(path)
        stream, is_piped = _opened(name)
    try:
        _refuse_if_empty(name, stream)
        return AudioFile(name, stream, is_piped=is_piped)
    except BaseException:
        stream.close()
        raise


def load(path: Path | str, stdin: BinaryIO | None = None) -> Samples:
    """Read a whole audio file. A truncated file is logged as a warning; ``read`` reports it.

    Returns:
        Shape (n,), n >= 1, float32 in [-1, 1], 16 kHz.

    Raises:
        AudioFileError: As for ``read``, and for samples that are NaN or infinite.
    """
    with read(path, stdin) as file:
        samples = np.concatenate(list(file))
        if file.is_truncated:
            log.warning("%s breaks off or is damaged after %.1f s", file.path, samples.size / RATE_HZ)
        return samples


def files_in(folder: Path) -> list[Path]:
    """The audio files and videos below ``folder``, in order, without hidden ones. Raises OSError."""

    def refuse(error: OSError) -> None:
        raise error

    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        shown = sorted(name for name in names if not name.startswith("."))
        found += [Path(place, name) for name in shown if Path(name).suffix.lower() in SUFFIXES]
    return found


def check(path: Path | str) -> None:
    """Raise AudioFileError if ``path`` is not a file for ``read``, or is empty, without decoding it."""
    if str(path) == STDIN:
        return
    name = Path(path)
    with _explained(name):
        if _is_pipe(name):
            return
        with name.open("rb") as stream:
            _refuse_if_empty(name, stream)


def _opened(path: Path) -> tuple[BinaryIO, bool]:
    """The stream at ``path``, and whether it came through a pipe."""
    with _explained(path):
        if _is_pipe(path):
            with path.open("rb") as pipe:
                return _spooled(path, pipe), True
        return path.open("rb"), False


def _is_pipe(path: Path) -> bool:
    """Whether it is a named pipe. AudioFileError: not a file. OSError, ValueError: it does not exist."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise AudioFileError(
            path,
            Message("this is a folder, not a sound file"),
            Message("Name the files in it, or use --recursive."),
        )
    if not stat.S_ISFIFO(mode) and not stat.S_ISREG(mode):
        raise AudioFileError(
            path, Message("this is a device, not a sound file"), Message("Give the path of a file.")
        )
    return stat.S_ISFIFO(mode)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Raise an AudioFileError for a system error about ``path``."""
    try:
        yield
    except FileNotFoundError as exc:
        raise AudioFileError(
            path, Message("there is no such file"), Message("Check the spelling of the path.")
        ) from exc
    except PermissionError as exc:
        hint = Message("Change its permissions, or copy it to a folder of yours.")
        raise AudioFileError(path, Message("you may not read this file"), hint) from exc
    except (OSError, ValueError) as exc:  # ValueError: a path with a null character
        reason = getattr(exc, "strerror", None) or "the path is not valid"
        raise AudioFileError(
            path,
            Message("the file cannot be opened ({reason})", reason=reason),
            Message("Copy it to another place."),
        ) from exc


def _spooled(name: Path, pipe: BinaryIO | None) -> BinaryIO:
    """All data from a pipe, as a seekable stream, which decoders need."""
    if pipe is None or pipe.isatty():  # on Windows, a program without a console has no standard input
        raise AudioFileError(
            name,
            Message("no sound is piped into it"),
            Message("Such as: handy-qwen transcribe - < speech.wav"),
        )
    # Open until AudioFile.close; the system removes it even if the program is killed.
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115
    try:
        shutil.copyfileobj(pipe, spool)
    except OSError as exc:
        spool.close()
        problem = Message("what it carries cannot be kept ({reason})", reason=exc.strerror)
        raise AudioFileError(
            name, problem, Message("Free some space on the disk of temporary files.")
        ) from exc
    spool.seek(0)
    return cast("BinaryIO", spool)


def _refuse_if_empty(name: Path, stream: BinaryIO) -> None:
    if not stream.seek(0, os.SEEK_END):
        raise AudioFileError(name, Message("it is empty (0 bytes)"), Message("Copy or record it again."))
    stream.seek(0)


class Loudness:
    """Measures the level of a recording, to explain why it gave no text."""

    def __init__(self) -> None:
        self._samples = 0
        self._loudest_db = SILENCE_DB

    def feed(self, block: Samples) -> None:
        """Measure the next block, of any length; it is not kept."""
        self._samples += len(block)
        self._loudest_db = max(self._loudest_db, loudest_db(block))

    def why_no_text(self) -> Message:
        """Why nothing was recognized in it, as the end of a sentence."""
        duration_s = self._samples / RATE_HZ
        if duration_s < _SHORT_S:
            return Message("the recording is too short ({seconds} s)", seconds=f"{duration_s:.2f}")
        if self._loudest_db < _SILENT_DB:
            return Message("the recording is silent")
        if self._loudest_db < _QUIET_DB:
            return Message(
                "the recording is too quiet ({level} dBFS at its loudest)", level=f"{self._loudest_db:.0f}"
            )
        return Message("no speech was found")
