"""Fetches files, going on with what is here of each, as patiently as it makes sense.

NAME.part   what has come so far; only ever grows, so that a kill loses nothing
NAME.anew   of an answer that begins anew; takes the place of the part once it is longer than that
NAME        complete, and of the right checksum (see ``download.py``)
"""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from handy_qwen.errors import DownloadError, DownloadReason, InstallationError
from handy_qwen.models.hub import Hub, HubFile, Listing, Response, TransientError
from handy_qwen.models.meter import Meter

T = TypeVar("T")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_POLL_S = 0.1
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try in vain, and how long to wait between; twice as long each time."""

    tries: int = 6
    first_s: float = 1.0
    most_s: float = 30.0
    most_asked_s: float = 300.0  # a hub that asks for more is told of instead


def retry(work: Callable[[], T], patience: RetryPolicy, meter: Meter) -> T:
    """Do ``work`` until it goes well; ``meter`` tells of each failure at once.

    Raises:
        DownloadError: It failed too often without having got any further.
    """
    failures = 0
    while True:
        try:
            return work()
        except TransientError as exc:
            failures = 1 if exc.has_grown else failures + 1
            wait_s = min(patience.first_s * 2 ** (failures - 1), patience.most_s)
            if exc.wait_s is not None:
                wait_s = max(wait_s, exc.wait_s)
            if failures >= patience.tries or wait_s > max(patience.most_s, patience.most_asked_s):
                raise exc.error from exc
        meter.lose()
        _pause(wait_s, meter.keep_alive)


def fetch(
    hub: Hub, listing: Listing, file: HubFile, part: Path, *, meter: Meter, patience: RetryPolicy
) -> None:
    """Fetch what ``part`` lacks of ``file``. What is in it afterwards has the right length, no more.

    Raises:
        DownloadError: The hub does not give it; what has come is kept.
        InstallationError: It cannot be written.
        CancelledError: The meter was told to give up; what has come is kept.
    """
    retry(_Fetch(hub, listing, file, part, meter).go_on, patience, meter)


class _Fetch:
    """One file. Of tries that begin anew again and again only the longest counts as having got further."""

    def __init__(self, hub: Hub, listing: Listing, file: HubFile, part: Path, meter: Meter) -> None:
        self._hub, self._listing, self._file, self._part, self._meter = hub, listing, file, part, meter
        self._most = size_of(part)

    def go_on(self) -> None:
        """One try.

        Raises:
            TransientError: It broke off; ``has_grown`` tells whether more is here than ever before.
        """
        try:
            self._go_on()
        except TransientError as exc:
            size = size_of(self._part)
            exc.has_grown = size > self._most
            self._most = max(self._most, size)
            raise

    def _go_on(self) -> None:
        start = size_of(self._part)
        if start > self._file.size_bytes:
            self._part.unlink()
            start = 0
        if start == self._file.size_bytes and self._part.exists():
            return
        with self._hub.read(self._listing, self._file.name, start) as (answer, pieces):
            if answer.status == 416 or (answer.status == 206 and not self._continues(answer, start)):
                self._part.unlink(missing_ok=True)
                self._meter.add(-start)
                raise TransientError(self._damaged("another part than was asked for"))
            if answer.status == 200:  # from the beginning, whatever was asked for
                self._check_length(answer)
                self._begin_anew(pieces, start)
            else:
                with writing(self._part, "ab") as out:
                    self._write(out, pieces)
        if size_of(self._part) < self._file.size_bytes:
            error = DownloadError(
                f"{self._hub.host} stopped in the middle of {self._file.name}.",
                DownloadReason.OFFLINE,
                "What has come so far is kept; try again.",
            )
            raise TransientError(error)

    def _begin_anew(self, pieces: Iterator[bytes], start: int) -> None:
        """What comes may be no part of the file, but the page of a network that wants a login."""
        anew = self._part.with_suffix(".anew")
        self._meter.add(-start)
        try:
            with writing(anew, "wb") as out:
                self._write(out, pieces)
        finally:
            size = size_of(anew)
            if size > start:
                anew.replace(self._part)
            else:
                anew.unlink(missing_ok=True)
                self._meter.add(start - size)

    def _write(self, out: IO[bytes], pieces: Iterator[bytes]) -> None:
        size = out.seek(0, 2)
        for piece in pieces:
            size += len(piece)
            if size > self._file.size_bytes:
                out.truncate(0)
                self._meter.add(len(piece) - size)
                raise TransientError(self._damaged("more bytes than it says"))
            write_all(out, piece)
            self._meter.add(len(piece))

    def _continues(self, answer: Response, start: int) -> bool:
        found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        return found is not None and int(found[1]) == start and found[2] in {"*", str(self._file.size_bytes)}

    def _check_length(self, answer: Response) -> None:
        length = answer.headers.get("content-length", "")
        if length.isdecimal() and int(length) != self._file.size_bytes:
            raise TransientError(self._damaged(f"{length} bytes instead of {self._file.size_bytes}"))

    def _damaged(self, what: str) -> DownloadError:
        return DownloadError(
            f"{self._hub.host} sends {what} of {self._file.name}.",
            DownloadReason.DAMAGED,
            "Try again later, or another hub or mirror (HF_ENDPOINT).",
        )


def size_of(path: Path) -> int:
    """Its size; 0 if it is not there."""
    return path.stat().st_size if path.exists() else 0


class writing:  # noqa: N801  used like a function
    """``open`` without a buffer; errors of the disk become ours. A context manager.

    Raises:
        InstallationError: The disk is full, or may not be written to.
    """

    def __init__(self, path: Path, mode: str) -> None:
        self._path, self._mode = path, mode
        self._file: IO[bytes] | None = None

    def __enter__(self) -> IO[bytes]:
        """Open it."""
        try:
            self._file = self._path.open(self._mode, buffering=0)
        except OSError as exc:
            raise disk_error(self._path, exc) from exc
        return self._file

    def __exit__(self, _kind: object, exc: BaseException | None, _trace: object) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()
        if isinstance(exc, OSError):
            raise disk_error(self._path, exc) from exc


def write_all(out: IO[bytes], data: bytes) -> None:
    """Write all of ``data``: without a buffer, a file may take less at a time.

    Raises:
        OSError: It cannot be written.
    """
    view = memoryview(data)
    while view:
        view = view[out.write(view) :]


def disk_error(path: Path, exc: OSError) -> InstallationError:
    """What to say of a file that could not be written."""
    if exc.errno in _FULL:
        return InstallationError(
            f"The disk of {path.parent} is full.", "Free some space; what has come so far is kept."
        )
    return InstallationError(
        f"{path} cannot be written: {exc.strerror}.", "Look at the permissions of its folder."
    )


def _pause(seconds: float, poll: Callable[[], None]) -> None:
    """Wait, as long as nobody gives up."""
    never, left = threading.Event(), seconds
    while left > 0:
        never.wait(min(left, _POLL_S))
        left -= _POLL_S
        poll()
