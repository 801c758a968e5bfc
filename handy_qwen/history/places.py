"""Where the history lies: one folder that only its owner may look into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from handy_qwen import paths


@dataclass(frozen=True, slots=True)
class Places:
    """The files of a history in ``folder``."""

    folder: Path

    @property
    def database(self) -> Path:
        """The rows. Beside it lie SQLite's own -wal and -shm."""
        return self.folder / "history.db"

    @property
    def takes(self) -> Path:
        """The folder of the sound, one file for each take."""
        return self.folder / "takes"

    def make(self) -> None:
        """Create the folders.

        Raises:
            OSError: That is not possible.
        """
        paths.make_private(self.folder)
        paths.make_private(self.takes)


def default_folder() -> Path:
    """The user's history."""
    return paths.data_dir() / "history"
