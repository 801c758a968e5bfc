"""All files of a model in one folder, each checked against what the hub says of it at one commit.

A download that was begun is finished at its commit, even if the branch has gone on since: files of two
commits do not belong together. What lies in the cache that other programs share (HF_HOME) is not fetched
again, but linked, and checked like the rest.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from huggingface_hub import constants, try_to_load_from_cache

from handy_qwen.core.models import InstallStage
from handy_qwen.errors import DownloadError, DownloadReason
from handy_qwen.models.catalogue import CatalogueModel, Layout
from handy_qwen.models.fetching import RetryPolicy, disk_error, fetch, retry, size_of
from handy_qwen.models.hub import (
    COMMIT,
    Hub,
    HubFile,
    Listing,
    choose_files,
    is_offline,
    load_listing,
    offline_error,
    open_hub,
)
from handy_qwen.models.meter import Meter
from handy_qwen.models.storage import ModelPaths, check_disk


class Download:
    """Fetches ``model`` into ``places.source``. Used on one thread, with the model's lock held."""

    def __init__(
        self, model: CatalogueModel, places: ModelPaths, meter: Meter, patience: RetryPolicy
    ) -> None:
        self._model, self._places, self._meter, self._patience = model, places, meter, patience
        self._hub: Hub = open_hub(meter.keep_alive)

    def run(self) -> tuple[Listing, tuple[HubFile, ...]]:
        """Fetch what is missing, and check everything.

        Raises:
            DownloadError: Not all could be had; what is here is kept, unless it is wrong.
            InstallationError: There is no room, or the folder cannot be written.
            CancelledError: The meter's listener gives up; what is here is kept.
        """
        self._meter.enter(InstallStage.DOWNLOADING)
        listing = self._listing()
        files = choose_files(self._model, listing)
        try:
            self._places.source.mkdir(parents=True, exist_ok=True)
            self._tidy(files)
            for file in files:
                self._reuse(listing, file)
            listing.save(self._places.listing)
        except OSError as exc:
            raise disk_error(self._places.source, exc) from exc
        self._check_room(files)
        self._fetch(listing, files)
        wrong = self._check(files)
        if wrong:  # once more: a bit may have turned over on the way, or in a cache
            self._fetch(listing, files)
            wrong = self._check(files)
        if wrong:
            raise DownloadError(
                f"{wrong[0].name} comes from {self._hub.host} damaged: its checksum is not that of "
                f"{listing.repository}.",
                DownloadReason.DAMAGED,
                "Nothing of it is used. Try again later, or another hub or mirror (HF_ENDPOINT).",
            )
        return listing, files

    def _listing(self) -> Listing:
        model = self._model
        saved = load_listing(self._places.listing)
        is_ours = saved is not None and (saved.repository, saved.revision) == (
            model.repository,
            model.revision,
        )
        if saved is not None and is_ours and (self._places.partial_bytes() or is_offline()):
            return saved
        if is_offline():
            return self._cached_listing() or _raise(offline_error())
        try:
            return retry(
                lambda: self._hub.ask(model.repository, model.revision),
                self._patience,
                self._meter,
            )
        except DownloadError as exc:
            if exc.reason is not DownloadReason.OFFLINE:
                raise
            return self._cached_listing() or _raise(exc)

    def _cached_listing(self) -> Listing | None:
        """What the shared cache has of the revision. Its blobs are named by their checksums."""
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

    def _tidy(self, files: tuple[HubFile, ...]) -> None:
        """Delete what belongs to another commit."""
        names = {name for file in files for name in (file.name, f"{file.name}.part")}
        for path in self._places.source.iterdir():
            if path.name not in names:
                path.unlink()

    def _reuse(self, listing: Listing, file: HubFile) -> None:
        """Link ``file`` from the shared cache, if it is there and not yet here."""
        whole, part = self._whole(file), self._part(file)
        if whole.exists() or part.exists():
            return
        found = try_to_load_from_cache(listing.repository, file.name, revision=listing.commit)
        if isinstance(found, str) and size_of(Path(found)) == file.size_bytes:
            link_or_copy(Path(found).resolve(), whole)

    def _check_room(self, files: tuple[HubFile, ...]) -> None:
        needed = sum(file.size_bytes - self._here(file) for file in files)
        if self._model.layout is Layout.CHECKPOINT:
            needed += self._model.disk_bytes
        check_disk(self._places.work, needed)

    def _fetch(self, listing: Listing, files: tuple[HubFile, ...]) -> None:
        total, here = sum(file.size_bytes for file in files), sum(self._here(file) for file in files)
        self._meter.enter(InstallStage.DOWNLOADING, total, here)
        for file in files:
            whole, part = self._whole(file), self._part(file)
            if whole.exists():
                continue
            if is_offline() and size_of(part) < file.size_bytes:
                raise offline_error()
            fetch(self._hub, listing, file, part, meter=self._meter, patience=self._patience)

    def _check(self, files: tuple[HubFile, ...]) -> list[HubFile]:
        """Compare all checksums; what is wrong is deleted and returned."""
        self._meter.enter(InstallStage.CHECKING, sum(file.size_bytes for file in files))
        wrong = []
        for file in files:
            whole, part = self._whole(file), self._part(file)
            try:
                path = whole if whole.exists() else part
                if not file.is_in(path, self._meter.add):
                    path.unlink()
                    wrong.append(file)
                elif path == part:
                    part.rename(whole)
            except OSError as exc:
                raise disk_error(whole, exc) from exc
        return wrong

    def _here(self, file: HubFile) -> int:
        return (
            file.size_bytes if self._whole(file).exists() else min(size_of(self._part(file)), file.size_bytes)
        )

    def _whole(self, file: HubFile) -> Path:
        return self._places.source / file.name

    def _part(self, file: HubFile) -> Path:
        return self._places.source / f"{file.name}.part"


def link_or_copy(found: Path, target: Path) -> None:
    """Let ``target`` be the same file as ``found``, or a copy of it where the disk cannot do that.

    Raises:
        OSError: It cannot be copied either.
    """
    try:
        os.link(found, target)
    except OSError:  # another disk, another owner, or a file system without links
        try:
            shutil.copyfile(found, target)
        except BaseException:
            target.unlink(missing_ok=True)  # a part of it would be taken for all
            raise


def _raise(error: DownloadError) -> Listing:
    raise error
