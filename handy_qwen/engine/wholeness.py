"""Whether the files of a loaded model still are what they were.

Weights are mapped into memory, not read: a file that is cut short while it is in use ends the whole process
(SIGBUS) as soon as the part that is missing is touched. A file that was deleted, or replaced by another,
does no harm: what was mapped stays. So this is looked at before each piece of work, which costs a few
microseconds.
"""

from __future__ import annotations

import stat
from pathlib import Path


class MappedFiles:
    """The files of a folder, as they were when this was made."""

    def __init__(self, folder: Path) -> None:
        self._files: list[tuple[Path, int, int]] = []  # with inode and size
        for path in sorted(folder.rglob("*")):
            try:
                found = path.stat()
            except OSError:  # a temporary file of somebody else's, gone by now; what is mapped stays
                continue
            if stat.S_ISREG(found.st_mode):
                self._files.append((path, found.st_ino, found.st_size))

    def cut_short(self) -> Path | None:
        """A file that has become shorter, None if there is none."""
        for path, inode, size in self._files:
            try:
                found = path.stat()
            except OSError:  # deleted: what is mapped stays
                continue
            if found.st_ino == inode and found.st_size < size:
                return path
        return None
