"""What the hub says a repository holds at one commit: the files, their sizes and their checksums.

Large files have a SHA-256 there (LFS), small ones the SHA-1 that git gives a blob. Both are taken from the
hub's own answer about the commit and from nowhere else; a file without either is not believed.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from handy_qwen.engine.reading import read_object
from handy_qwen.errors import DownloadError, DownloadReason
from handy_qwen.models.catalogue import CatalogueModel

COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file at a commit. ``sha256`` or, if that is empty, ``git_sha1`` is known; both are hexadecimal."""

    name: str
    size_bytes: int
    sha256: str = ""
    git_sha1: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be checked or would lie elsewhere.

        Raises:
            ValueError: A field is out of range.
        """
        is_known = _SHA256.fullmatch(self.sha256) or COMMIT.fullmatch(self.git_sha1)
        if not is_known or self.size_bytes < 0 or Path(self.name).name != self.name or self.name[:1] == ".":
            raise ValueError("a file without size or checksum")

    def is_in(self, path: Path, on_read: Callable[[int], None]) -> bool:
        """Whether ``path`` holds this file, to the last bit. ``on_read`` is told the bytes of each piece.

        Raises:
            OSError: It cannot be read.
        """
        size = path.stat().st_size
        if size != self.size_bytes:
            return False
        if self.sha256:
            digest = hashlib.sha256()
        else:
            digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
                on_read(len(piece))
        return digest.hexdigest() == (self.sha256 or self.git_sha1)


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of ``repository`` at ``commit``, to which ``revision`` pointed."""

    repository: str
    revision: str
    commit: str
    files: tuple[HubFile, ...]

    def save(self, path: Path) -> None:
        """Keep it, so that a download can be finished, and checked, without asking the hub again."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def load_listing(path: Path) -> Listing | None:
    """What ``save`` kept; None if there is nothing, or nothing sensible (it is then asked for again)."""
    try:
        raw = read_object(path)
        files = tuple(HubFile(**entry) for entry in raw.pop("files"))
        return Listing(**raw, files=files)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def parse_listing(repository: str, revision: str, raw: dict[str, Any]) -> Listing:
    """The hub's answer to ``/api/models/REPOSITORY/revision/REVISION?blobs=true``.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: It is none.
    """
    commit = raw["sha"]
    if not COMMIT.fullmatch(commit):
        raise ValueError("no commit")
    files = []
    for entry in raw["siblings"]:
        name, lfs = str(entry["rfilename"]), entry.get("lfs") or {}
        if "/" in name or "\\" in name or name.startswith("."):
            continue  # none of these is ever fetched
        files.append(
            HubFile(
                name,
                int(lfs.get("size", entry["size"])),
                str(lfs.get("sha256", "")),
                "" if lfs else str(entry["blobId"]),
            )
        )
    return Listing(repository, revision, commit, tuple(files))


def choose_files(model: CatalogueModel, listing: Listing) -> tuple[HubFile, ...]:
    """The files of ``listing`` that ``model`` wants, the smallest first: what is wrong shows early.

    Raises:
        DownloadError: One that it cannot do without is not there.
    """
    wanted: dict[str, HubFile] = {}
    for entry in (*model.files, *model.optional):
        found: list[HubFile] = []
        for pattern in entry.split("|"):
            found = [file for file in listing.files if fnmatch.fnmatchcase(file.name, pattern.strip())]
            if found:
                break
        if not found and entry in model.files:
            raise DownloadError(
                f"{listing.repository} has no file {entry} at {listing.revision} ({listing.commit[:8]}).",
                DownloadReason.REFUSED,
                "It may have been rearranged: choose another model or revision.",
            )
        wanted |= {file.name: file for file in found}
    return tuple(sorted(wanted.values(), key=lambda file: (file.size_bytes, file.name)))
