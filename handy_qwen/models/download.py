"""Downloads the files of a model, resuming partial ones, and verifies each against the hub's checksum.

    NAME.part   what was downloaded so far; only grows, so that nothing is lost when the process is killed
    NAME.anew   a download that had to start over; replaces the part once it is longer
    NAME        complete, with the right checksum

A download is finished at the commit at which it began, even if the branch has moved: files of two commits do
not belong together. Files in the cache shared with other programs (HF_HOME) are linked instead of downloaded,
and verified like the rest. ``Meter`` reports the progress of all of it, and of the rest of an installation.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from huggingface_hub import constants, try_to_load_from_cache

from handy_qwen.core.models import InstallStage, Progress
from handy_qwen.errors import DownloadError, DownloadReason
from handy_qwen.message import Message
from handy_qwen.models.catalogue import CatalogueModel, Layout
from handy_qwen.models.hub import (
    COMMIT,
    Hub,
    HubFile,
    Listing,
    Response,
    TransientError,
    choose_files,
    is_offline,
    load_listing,
    offline_error,
    open_hub,
)
from handy_qwen.models.storage import ModelPaths, check_disk, disk_errors, link_or_copy, size_of, write_all

T = TypeVar("T")
CONFIG_FILE = "config.json"
"""A checkpoint's description of itself."""
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_POLL_S = 0.1
OnProgress = Callable[[Progress], None]
"""Gets the progress. Raises CancelledError to cancel the work."""
_EVERY_S = 0.1
_WINDOW_S = 8.0  # over which a rate is averaged: longer than a hiccup, shorter than a change of network
_FIRST_RATE_S = 1.0
_SILENT_S = 3.0  # a download without data for this long is stalled


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How many fruitless attempts to make, and how long to wait between them: doubled each time."""

    tries: int = 6
    first_s: float = 1.0
    most_s: float = 30.0
    most_asked_s: float = 300.0  # if a hub asks for a longer wait, the download fails


class Meter:
    """Progress of successive stages. Used on one thread; ``clock`` gives seconds.

    Every method reports, and raises CancelledError if the work is cancelled.
    """

    def __init__(self, tell: OnProgress, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._stage = InstallStage.WAITING
        self._done = self._total = 0
        self._share: float | None = None
        self._told_s = self._began_s = self._moved_s = clock()
        self._samples: deque[tuple[float, int]] = deque()
        self._is_lost = False

    def enter(self, stage: InstallStage, total_bytes: int = 0, done_bytes: int = 0) -> None:
        """Begin a stage; ``done_bytes`` of it were there before, and do not count for the rate."""
        self._stage, self._total, self._done, self._share = stage, total_bytes, done_bytes, None
        self._began_s = self._moved_s = self._clock()
        self._samples = deque([(self._began_s, done_bytes)])
        self._is_lost = False
        self._report()

    def add(self, size_bytes: int) -> None:
        """Count ``size_bytes`` more; negative if existing data turned out to be useless."""
        self._done += size_bytes
        if size_bytes < 0:
            self._samples = deque([(self._clock(), self._done)])
        elif size_bytes:
            self._is_lost = False
            self._moved_s = self._clock()
        self.keep_alive()

    def lose(self) -> None:
        """Report at once that the connection is lost and will be retried."""
        self._is_lost = True
        self._samples = deque([(self._clock(), self._done)])
        self._report()

    def share(self, part: float) -> None:
        """``part`` (0 to 1) of a stage that is not measured in bytes is done."""
        self._share = part
        self.keep_alive()

    def keep_alive(self) -> None:
        """Report if it is time: also while nothing happens, so that the work can be cancelled."""
        if self._clock() - self._told_s >= _EVERY_S:
            self._report()

    def _report(self) -> None:
        now = self._told_s = self._clock()
        is_silent = self._stage is InstallStage.DOWNLOADING and now - self._moved_s > _SILENT_S
        is_stalled = self._is_lost or is_silent
        rate = 0.0 if is_stalled else self._rate(now)
        self._tell(
            Progress(
                self._stage,
                share=min(self._done / self._total, 1.0) if self._total else self._share,
                done_bytes=self._done if self._total else 0,
                total_bytes=self._total,
                rate_bytes_s=rate,
                remaining_s=self._remaining_s(now, rate),
                is_stalled=is_stalled,
            )
        )

    def _rate(self, now: float) -> float:
        self._samples.append((now, self._done))
        while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()
        first_s, first = self._samples[0]
        return (self._done - first) / (now - first_s) if now - first_s >= _FIRST_RATE_S else 0.0

    def _remaining_s(self, now: float, rate: float) -> float | None:
        if self._total:
            return (self._total - self._done) / rate if rate > 0 else None
        spent_s = now - self._began_s
        if self._share and spent_s >= _FIRST_RATE_S:
            return spent_s * (1 - self._share) / self._share
        return None


class Download:
    """Downloads ``model`` into ``places.source``. Used on one thread, with the model's lock held."""

    def __init__(
        self, model: CatalogueModel, places: ModelPaths, meter: Meter, policy: RetryPolicy | None = None
    ) -> None:
        self._model, self._places, self._meter = model, places, meter
        self._policy = policy or RetryPolicy()
        self._hub = open_hub(meter.keep_alive)

    def run(self, look: Callable[[Path], None] = lambda _path: None) -> tuple[Listing, tuple[HubFile, ...]]:
        """Download what is missing and check everything.

        ``look`` is called with the path of config.json as soon as that is verified, before the weights are
        downloaded; it may raise an error to save that. DownloadError: something could not be downloaded.
        InstallationError: the disk is full, or the folder cannot be written. CancelledError: the work was
        cancelled. Downloaded data is kept, unless it is corrupt.
        """
        self._meter.enter(InstallStage.DOWNLOADING)
        listing = self._listing()
        files = choose_files(self._model, listing)
        with disk_errors(self._places.source):
            self._places.source.mkdir(parents=True, exist_ok=True)
            self._delete_others(files)
            for file in files:
                self._link_cached(listing, file)
            listing.save(self._places.listing)
        needed = sum(file.size_bytes - self._here(file) for file in files)
        if self._model.layout is Layout.CHECKPOINT:
            needed += self._model.disk_bytes
        check_disk(self._places.work, needed)
        for _ in range(2):  # a bit may have flipped in transfer, or in a cache
            self._fetch(listing, files, look)
            wrong = self._check(files)
            if not wrong:
                return listing, files
        raise DownloadError(
            Message(
                "{name} comes from {host} damaged: its checksum is not that of {repository}.",
                name=wrong[0].name,
                host=self._hub.host,
                repository=listing.repository,
            ),
            DownloadReason.DAMAGED,
            Message("Nothing of it is used. Try again later, or another hub or mirror (HF_ENDPOINT)."),
        )

    def _listing(self) -> Listing:
        model, saved = self._model, load_listing(self._places.listing)
        is_ours = saved is not None and (saved.repository, saved.revision) == (
            model.repository,
            model.revision,
        )
        if saved is not None and is_ours and (self._places.partial_bytes() or is_offline()):
            return saved
        error = offline_error()
        if not is_offline():
            try:
                return retry(
                    lambda: self._hub.ask(model.repository, model.revision), self._policy, self._meter
                )
            except DownloadError as exc:
                if exc.reason is not DownloadReason.OFFLINE:
                    raise
                error = exc
        cached = self._cached_listing()
        if cached is None:
            raise error
        return cached

    def _cached_listing(self) -> Listing | None:
        """The files of the revision in the shared cache, whose blobs are named by their checksums."""
        model = self._model
        folder = Path(constants.HF_HUB_CACHE) / f"models--{model.repository.replace('/', '--')}"
        try:
            ref = folder / "refs" / model.revision
            commit = model.revision if COMMIT.fullmatch(model.revision) else ref.read_text().strip()
            blobs = {path.name: path.resolve() for path in (folder / "snapshots" / commit).iterdir()}
            files = [
                HubFile(name, blob.stat().st_size, blob.name if len(blob.name) == 64 else "", blob.name)
                for name, blob in blobs.items()
                if blob.is_file() and len(blob.name) in {40, 64}
            ]
            listing = Listing(model.repository, model.revision, commit, tuple(files))
            choose_files(model, listing)
        except (OSError, ValueError, DownloadError):
            return None
        return listing

    def _delete_others(self, files: tuple[HubFile, ...]) -> None:
        names = {name for file in files for name in (file.name, f"{file.name}.part")}
        for path in self._places.source.iterdir():
            if path.name not in names:
                path.unlink()

    def _link_cached(self, listing: Listing, file: HubFile) -> None:
        whole, part = self._paths(file)
        if whole.exists() or part.exists():
            return
        found = try_to_load_from_cache(listing.repository, file.name, revision=listing.commit)
        if isinstance(found, str) and size_of(Path(found)) == file.size_bytes:
            link_or_copy(Path(found).resolve(), whole)

    def _fetch(self, listing: Listing, files: tuple[HubFile, ...], look: Callable[[Path], None]) -> None:
        total, here = sum(file.size_bytes for file in files), sum(map(self._here, files))
        self._meter.enter(InstallStage.DOWNLOADING, total, here)
        for file in files:
            whole, part = self._paths(file)
            if not whole.exists():
                if is_offline() and size_of(part) < file.size_bytes:
                    raise offline_error(is_begun=here > 0)
                fetch = _Fetch(self._hub, listing, file, part, self._meter)
                retry(fetch.resume, self._policy, self._meter)
            if file.name == CONFIG_FILE:
                path = whole if whole.exists() else part
                if file.is_in(path, lambda _bytes: None):  # damaged files are downloaded again
                    look(path)

    def _check(self, files: tuple[HubFile, ...]) -> list[HubFile]:
        """Verify all checksums; delete and return corrupt files."""
        self._meter.enter(InstallStage.CHECKING, sum(file.size_bytes for file in files))
        wrong = []
        for file in files:
            whole, part = self._paths(file)
            with disk_errors(whole):
                path = whole if whole.exists() else part
                if not file.is_in(path, self._meter.add):
                    path.unlink()
                    wrong.append(file)
                elif path == part:
                    part.rename(whole)
        return wrong

    def _here(self, file: HubFile) -> int:
        whole, part = self._paths(file)
        return file.size_bytes if whole.exists() else min(size_of(part), file.size_bytes)

    def _paths(self, file: HubFile) -> tuple[Path, Path]:
        """The paths of the complete and of the partial file."""
        whole = self._places.source / file.name
        return whole, whole.with_name(f"{file.name}.part")


def retry(work: Callable[[], T], policy: RetryPolicy, meter: Meter) -> T:
    """Repeat ``work`` until it succeeds, or fails too often without any progress: DownloadError."""
    failures = 0
    while True:
        try:
            return work()
        except TransientError as exc:
            failures = 1 if exc.has_grown else failures + 1
            wait_s = min(policy.first_s * 2 ** (failures - 1), policy.most_s)
            if exc.wait_s is not None:
                wait_s = max(wait_s, exc.wait_s)
            if failures >= policy.tries or wait_s > max(policy.most_s, policy.most_asked_s):
                raise exc.error from exc
        meter.lose()
        never = threading.Event()
        while wait_s > 0:
            never.wait(min(wait_s, _POLL_S))
            wait_s -= _POLL_S
            meter.keep_alive()


class _Fetch:
    """Downloads the rest of a file into ``part``. It is never longer than the file."""

    def __init__(self, hub: Hub, listing: Listing, file: HubFile, part: Path, meter: Meter) -> None:
        self._hub, self._listing, self._file, self._part, self._meter = hub, listing, file, part, meter
        self._most = size_of(part)

    def resume(self) -> None:
        """Try once; keep what was downloaded.

        DownloadError: the hub refuses the file. TransientError: the transfer was interrupted; ``has_grown``
        says whether there is more than ever before. InstallationError: the disk is full, or the file cannot
        be written. CancelledError.
        """
        try:
            self._resume()
        except TransientError as exc:
            size = size_of(self._part)
            exc.has_grown = size > self._most
            self._most = max(self._most, size)
            raise

    def _resume(self) -> None:
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
                raise TransientError(self._damaged(Message("another part than was asked for")))
            if answer.status == 200:  # from the beginning, despite the range requested
                self._check_length(answer)
                self._restart(pieces, start)
            else:
                self._write(self._part, "ab", pieces)
        if size_of(self._part) < self._file.size_bytes:
            error = DownloadError(
                Message("{host} stopped in the middle of {name}.", host=self._hub.host, name=self._file.name),
                DownloadReason.OFFLINE,
                Message("What was downloaded is kept; try again."),
            )
            raise TransientError(error)

    def _restart(self, pieces: Iterator[bytes], start: int) -> None:
        """Keep the part until the new download is longer: it may be a network's login page."""
        anew = self._part.with_suffix(".anew")
        self._meter.add(-start)
        try:
            self._write(anew, "wb", pieces)
        finally:
            size = size_of(anew)
            if size > start:
                anew.replace(self._part)
            else:
                anew.unlink(missing_ok=True)
                self._meter.add(start - size)

    def _write(self, path: Path, mode: str, pieces: Iterator[bytes]) -> None:
        with disk_errors(path), path.open(mode, buffering=0) as out:
            size = out.seek(0, 2)
            for piece in pieces:
                size += len(piece)
                if size > self._file.size_bytes:
                    out.truncate(0)
                    self._meter.add(len(piece) - size)
                    raise TransientError(self._damaged(Message("more bytes than it says")))
                write_all(out, piece)
                self._meter.add(len(piece))

    def _continues(self, answer: Response, start: int) -> bool:
        found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        return found is not None and int(found[1]) == start and found[2] in {"*", str(self._file.size_bytes)}

    def _check_length(self, answer: Response) -> None:
        length = answer.headers.get("content-length", "")
        if length.isdecimal() and int(length) != self._file.size_bytes:
            raise TransientError(
                self._damaged(
                    Message(
                        "{found} bytes instead of {expected}", found=length, expected=self._file.size_bytes
                    )
                )
            )

    def _damaged(self, what: Message) -> DownloadError:
        return DownloadError(
            Message("{host} sends {what} of {name}.", host=self._hub.host, what=what, name=self._file.name),
            DownloadReason.DAMAGED,
            Message("Try again later, or another hub or mirror (HF_ENDPOINT)."),
        )
