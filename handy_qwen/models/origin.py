"""Where an installed model comes from: ``origin.json`` in its folder, for either layout.

The manifest of our package lists its own files; a published model has none, so that this file is also what
its files can be checked against later.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from handy_qwen.engine.manifest import MANIFEST_FILE, find_damage, load_manifest, sha256_of
from handy_qwen.engine.reading import read_object
from handy_qwen.errors import ModelCorruptError, ModelMissingError

ORIGIN_FILE = "origin.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """Repository and commit, or the archive's or folder's name; ``files`` of the model's folder: SHA-256."""

    source: str
    revision: str
    commit: str
    fetched: dict[str, str]  # file as it was fetched -> SHA-256, or SHA-1 of the git blob
    files: dict[str, str]

    def save(self, folder: Path) -> None:
        """Write it into ``folder``.

        Raises:
            OSError: It cannot be written.
        """
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (folder / ORIGIN_FILE).write_text(text + "\n", encoding="utf-8")


def load_origin(folder: Path) -> Origin | None:
    """Where the model in ``folder`` comes from; None if it does not say."""
    try:
        origin = Origin(**read_object(folder / ORIGIN_FILE))
    except (OSError, ValueError, TypeError):
        return None
    texts = (origin.source, origin.revision, origin.commit)
    tables = (origin.fetched, origin.files)
    good = all(isinstance(text, str) for text in texts) and all(isinstance(table, dict) for table in tables)
    return origin if good else None


def check_files(folder: Path) -> bool:
    """Compare the checksum of every file with what was written down of it; False if nothing was.

    Raises:
        ModelMissingError: A file is not there.
        ModelCorruptError: A file is not the one that was written.
    """
    if (folder / MANIFEST_FILE).is_file():
        find_damage(folder, load_manifest(folder))
        return True
    origin = load_origin(folder)
    if origin is None or not origin.files:
        return False
    for name, sha256 in origin.files.items():
        path = folder / Path(name).name
        if not path.is_file():
            raise ModelMissingError(path)
        if sha256_of(path) != sha256:
            raise ModelCorruptError(path, "its contents have changed")
    return True
