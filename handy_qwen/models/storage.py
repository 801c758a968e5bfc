"""Where a model stands, and where one is made ready.

    models/NAME/                     an installed one: appears by renaming, when it is complete and has run
    models/.incoming/NAME.lock       held by the process that works on it
    models/.incoming/NAME/source/    what has been fetched, kept until the model stands
                          package/   the model being made; deleted when the work begins again
                          old/       the one it replaces, for the moment between two renames
                          listing.json

All of it lies on one disk, so that moving is renaming.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from handy_qwen import paths
from handy_qwen.errors import InstallationError
from handy_qwen.files import sync_folder, sync_tree, try_lock
from handy_qwen.models.fetching import disk_error

INCOMING = ".incoming"


@dataclass(frozen=True, slots=True)
class ModelPaths:
    """The folders of the model ``name``.

    Raises:
        InstallationError: ``name`` is a path: all of this is deleted at times, and must lie where it belongs.
    """

    name: str

    def __post_init__(self) -> None:
        """Refuse what would lead elsewhere."""
        if self.name != Path(self.name).name or self.name[:1] in {"", "."}:
            raise InstallationError(
                f"A model cannot be called {self.name!r}.",
                "Give its name, as handy-qwen model list tells it.",
            )

    @property
    def final(self) -> Path:
        """Where it stands in the end."""
        return paths.models_dir() / self.name

    @property
    def work(self) -> Path:
        """All that is unfinished."""
        return paths.models_dir() / INCOMING / self.name

    @property
    def lock(self) -> Path:
        """The file to lock."""
        return paths.models_dir() / INCOMING / f"{self.name}.lock"

    @property
    def source(self) -> Path:
        """What has been fetched."""
        return self.work / "source"

    @property
    def package(self) -> Path:
        """The model being made."""
        return self.work / "package"

    @property
    def listing(self) -> Path:
        """What the hub said."""
        return self.work / "listing.json"

    def make(self) -> None:
        """Make the folders above; call it before locking.

        Raises:
            InstallationError: They cannot be made.
        """
        try:
            paths.make_private(paths.models_dir() / INCOMING)
        except OSError as exc:
            raise disk_error(paths.models_dir(), exc) from exc

    def begin(self) -> None:
        """Tidy up after whoever was killed here; call it with the lock held.

        Raises:
            InstallationError: The folder cannot be written.
        """
        try:
            self.source.mkdir(parents=True, exist_ok=True)
            old = self.work / "old"
            if old.exists() and not self.final.exists():
                old.rename(self.final)
            for path in self.work.iterdir():
                if path not in {self.source, self.listing}:
                    _delete(path)
        except OSError as exc:
            raise disk_error(self.work, exc) from exc

    def put_in_place(self) -> None:
        """Let ``package`` be the model; an older one is moved aside first, and back if that fails.

        Raises:
            InstallationError: The folder cannot be renamed.
        """
        old = self.work / "old"
        try:
            sync_tree(self.package)  # what it was made of will be deleted
            had_one = self.final.exists()
            if had_one:
                self.final.rename(old)
            try:
                self.package.rename(self.final)
            except BaseException:
                if had_one:
                    old.rename(self.final)
                raise
            sync_folder(self.final.parent)
        except OSError as exc:
            raise InstallationError(
                f"The model could not be put into {self.final}: {exc.strerror}.",
                "If it is in use, choose another model for a moment, and try again.",
            ) from exc

    def finish(self, keep: Path | None = None) -> None:
        """Delete what is no longer needed; the source goes to ``keep`` if that is given.

        Raises:
            InstallationError: The source could not be kept.
        """
        if keep is not None:
            try:
                keep.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(self.source, keep)
            except (OSError, shutil.Error) as exc:
                raise InstallationError(
                    f"The model is installed, but its source could not be moved to {keep}.",
                    f"It is in {self.source}.",
                ) from exc
        shutil.rmtree(self.work, ignore_errors=True)  # what remains is found at the next installation

    def partial_bytes(self) -> int:
        """How much of a download is here, and would be gone on with."""
        if not self.listing.exists():
            return 0
        return sum(path.stat().st_size for path in self.source.iterdir()) if self.source.is_dir() else 0


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


_POLL_S = 0.2


@contextmanager
def locked(path: Path, poll: Callable[[], None]) -> Iterator[None]:
    """Hold the lock ``path``; wait for it as long as ``poll`` lets us.

    Raises:
        InstallationError: The file cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise disk_error(path, exc) from exc
    never = threading.Event()
    try:
        while not try_lock(handle):
            never.wait(_POLL_S)
            poll()
        yield
    finally:
        os.close(handle)


SPARE_BYTES = 256 << 20
"""What stays free: a disk that is full to the last byte is no place to work."""


def check_disk(folder: Path, needed_bytes: int) -> None:
    """Complain if the disk of ``folder`` has no room for ``needed_bytes`` more.

    Raises:
        InstallationError: It has not, or may not be looked at.
    """
    try:
        free_bytes = shutil.disk_usage(folder).free
    except OSError as exc:
        raise disk_error(folder, exc) from exc
    if free_bytes < needed_bytes + SPARE_BYTES:
        raise InstallationError(
            f"{size_text(needed_bytes)} of disk space are needed, and {size_text(SPARE_BYTES)} to spare; "
            f"{size_text(free_bytes)} are free on the disk of {folder}.",
            "Free some space.",
        )


def check_memory(needed_bytes: int) -> None:
    """Complain if the machine could not run a model that takes ``needed_bytes``, even with nothing else.

    Raises:
        InstallationError: It could not.
    """
    total_bytes = psutil.virtual_memory().total
    if total_bytes < needed_bytes:
        raise InstallationError(
            f"The model needs {size_text(needed_bytes)} of memory; this machine has "
            f"{size_text(total_bytes)}.",
            "Choose a smaller model.",
        )


def size_text(size_bytes: int) -> str:
    """A size for people."""
    return f"{size_bytes / 1e9:.2f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"
