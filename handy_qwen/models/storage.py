"""Where models are stored and prepared, and whether this machine has room for one.

    models/NAME/                     an installed model: renamed into place once it is complete and has run
    models/.incoming/.removed-…      a removed model of which a file is still open somewhere, on Windows
                     NAME.lock       held by the process that works on it
    models/.incoming/NAME/source/    what was downloaded, kept until the model is in place
                          package/   the model being made; deleted when the work starts again
                          old/       the one it replaces, for the moment between two renames
                          listing.json

All of it is on one disk, so that moving is renaming.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from handy_qwen import paths
from handy_qwen.engine.json_files import read_object
from handy_qwen.errors import InstallationError
from handy_qwen.files import is_in_use, replace_folder, sync_tree, try_lock
from handy_qwen.message import Message, Size

SPARE_BYTES = 256 << 20
"""Disk space to leave free."""
_INCOMING, _LISTING = ".incoming", "listing.json"
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
_REMOVED = ".removed-"  # not a valid name of a model
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class ModelPaths:
    """The folders of the model ``name``; InstallationError for a path, or a name not allowed on Windows."""

    name: str

    def __post_init__(self) -> None:
        if self.name != Path(self.name).name or self.name[:1] in {"", "."} or is_reserved(self.name):
            raise InstallationError(
                Message("A model cannot be called {name}.", name=repr(self.name)),
                Message("Give its name, as handy-qwen model list shows it."),
            )

    @property
    def final(self) -> Path:
        """The installed model."""
        return paths.models_dir() / self.name

    @property
    def work(self) -> Path:
        """Everything unfinished."""
        return paths.models_dir() / _INCOMING / self.name

    @property
    def source(self) -> Path:
        """The downloaded files."""
        return self.work / "source"

    @property
    def package(self) -> Path:
        """The model being made."""
        return self.work / "package"

    @property
    def listing(self) -> Path:
        """The hub's listing for the download."""
        return self.work / _LISTING

    @contextmanager
    def locked(self, poll: Callable[[], None]) -> Iterator[None]:
        """Lock the model against other processes; ``poll`` may raise to stop waiting for them.

        InstallationError: the folder of models cannot be written.
        """
        incoming = paths.models_dir() / _INCOMING
        with disk_errors(incoming):
            paths.make_private(incoming)
            handle = os.open(incoming / f"{self.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        never = threading.Event()
        try:
            while not try_lock(handle):
                never.wait(_POLL_S)
                poll()
            yield
        finally:
            os.close(handle)

    def begin(self) -> None:
        """Clean up after a killed process, with the lock held; InstallationError if that fails."""
        old = self.work / "old"
        with disk_errors(self.work):
            self.source.mkdir(parents=True, exist_ok=True)
            for left in self.work.parent.glob(f"{_REMOVED}*"):
                shutil.rmtree(left, ignore_errors=True)
            if old.exists() and not self.final.exists():
                old.rename(self.final)
            for path in self.work.iterdir():
                if path in {self.source, self.listing}:
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def remove(self) -> None:
        """Delete the installed model and unfinished work, with the lock held.

        InstallationError: that failed; it is unchanged, unless some of its files cannot be deleted.
        """
        self.begin()
        removed = self.work.with_name(f"{_REMOVED}{secrets.token_hex(8)}")
        try:
            self.final.rename(removed)  # hide it first: half a model is none
            with left_for_later():
                shutil.rmtree(removed)
            shutil.rmtree(self.work)
        except OSError as exc:
            if is_in_use(exc):
                raise InstallationError(
                    Message("{name} is in use.", name=self.name),
                    Message(
                        "Choose another model, or quit Handy Qwen and what else has it open, and try again."
                    ),
                ) from exc
            raise InstallationError(
                Message("{folder} couldn't be deleted: {reason}.", folder=self.final, reason=exc.strerror),
                Message("Check its permissions."),
            ) from exc

    def put_in_place(self) -> None:
        """Install ``package``; on an InstallationError, an older model is back in place."""
        try:
            sync_tree(self.package)  # its source is about to be deleted
            replace_folder(self.package, self.final, self.work / "old")
        except OSError as exc:
            raise InstallationError(
                Message(
                    "The model could not be put into {folder}: {reason}.",
                    folder=self.final,
                    reason=exc.strerror,
                ),
                Message("If it is in use, choose another model for a moment, and try again."),
            ) from exc

    def finish(self, keep: Path | None = None) -> None:
        """Delete leftovers; the source goes to ``keep`` if given, or InstallationError says why not."""
        if keep is not None:
            try:
                keep.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(self.source, keep)
            except (OSError, shutil.Error) as exc:
                raise InstallationError(
                    Message(
                        "The model is installed, but its source could not be moved to {folder}.", folder=keep
                    ),
                    Message("It is in {source}.", source=self.source),
                ) from exc
        shutil.rmtree(self.work, ignore_errors=True)  # leftovers are deleted by the next installation

    def partial_bytes(self) -> int:
        """The size of a partial download that can be resumed."""
        if not self.listing.exists() or not self.source.is_dir():
            return 0
        return sum(path.stat().st_size for path in self.source.iterdir())


def is_reserved(name: str) -> bool:
    """Whether Windows does not allow a folder of that name; names of models are the same everywhere.

    Source: "Naming Files, Paths, and Namespaces", learn.microsoft.com.
    """
    return name.endswith((".", " ")) or _RESERVED.fullmatch(name) is not None


def unfinished_downloads() -> dict[str, str]:
    """Names of models with a partial download, and their repositories."""
    folder = paths.models_dir() / _INCOMING
    found = {}
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            if place.is_dir() and ModelPaths(place.name).partial_bytes():
                found[place.name] = str(read_object(place / _LISTING)["repository"])
        except (InstallationError, OSError, ValueError, LookupError):
            continue  # not a name of a model; or the next installation asks the hub again
    return found


def check_disk(folder: Path, needed_bytes: int) -> None:
    """Raise InstallationError if the disk of ``folder`` has less than ``needed_bytes`` free."""
    with disk_errors(folder):
        free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes + SPARE_BYTES:
        raise InstallationError(
            Message(
                "{needed} of disk space is needed, and {spare} to spare; {free} is free on "
                "the disk of {folder}.",
                needed=Size(needed_bytes),
                spare=Size(SPARE_BYTES),
                free=Size(free_bytes),
                folder=folder,
            ),
            Message("Free some space."),
        )


def check_memory(needed_bytes: int) -> None:
    """Raise InstallationError if the machine has less than ``needed_bytes`` of memory in total."""
    total_bytes = psutil.virtual_memory().total
    if total_bytes < needed_bytes:
        raise InstallationError(
            Message(
                "The model needs {needed} of memory; this machine has {total}.",
                needed=Size(needed_bytes),
                total=Size(total_bytes),
            ),
            Message("Choose a smaller model."),
        )


def size_text(size_bytes: int) -> str:
    """A size worded for people."""
    return f"{Size(size_bytes)}"


@contextmanager
def left_for_later() -> Iterator[None]:
    """Leave files that are open, or being deleted by another process, to the next removal."""
    try:
        yield
    except FileNotFoundError:
        pass
    except OSError as exc:
        if not is_in_use(exc):
            raise


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError inside into an InstallationError about ``path``, which is being written."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise InstallationError(
                Message("The disk of {folder} is full.", folder=path.parent),
                Message("Free some space; what was downloaded is kept."),
            ) from exc
        raise InstallationError(
            Message("{path} cannot be written: {reason}.", path=path, reason=exc.strerror),
            Message("Check the permissions of its folder."),
        ) from exc


def size_of(path: Path) -> int:
    """Its size in bytes; 0 if it does not exist."""
    return path.stat().st_size if path.exists() else 0


def write_all(out: IO[bytes], data: bytes) -> None:
    """Write all of ``data``: an unbuffered file may take less at a time. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[out.write(view) :]


def link_or_copy(found: Path, target: Path) -> None:
    """Hard-link ``target`` to ``found``, or copy it where that is impossible. Raises OSError."""
    try:
        os.link(found, target)
    except OSError:  # another disk, another owner, or a file system without links
        try:
            shutil.copyfile(found, target)
        except BaseException:
            target.unlink(missing_ok=True)  # an incomplete copy would be taken for the whole
            raise
