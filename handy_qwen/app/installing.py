"""What the keeper of the models needs from whoever gets them, as a Protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from handy_qwen.core.shelf import ModelEntry, Progress

Tell = Callable[[Progress], None]
"""Takes how far a job is. Raises CancelledError where the job is to be given up."""


class Installer(Protocol):
    """Gets models onto this machine and takes them off it. Slow; each method is called on one thread."""

    def entries(self) -> Sequence[ModelEntry]:
        """All models, installed or not: AVAILABLE, PAUSED or INSTALLED, in the order to show them.

        Raises:
            HandyError: The folder or the catalogue cannot be read.
        """

    def install(self, name: str, tell: Tell) -> None:
        """Install ``name``, going on with what is here of it.

        Raises:
            CancelledError: ``tell`` did; what is here is kept.
            HandyError: It could not be installed; what is here is kept, unless it is wrong.
        """

    def import_from(self, source: Path, tell: Tell) -> str:
        """Install the model in a folder or archive, and return its name.

        Raises:
            CancelledError: ``tell`` did; nothing is left behind.
            HandyError: It is no model, or could not be installed; nothing is left behind.
        """

    def discard(self, name: str) -> None:
        """Delete what is here of an unfinished one.

        Raises:
            HandyError: It could not be deleted.
        """

    def remove(self, name: str) -> None:
        """Delete an installed one.

        Raises:
            HandyError: It could not be deleted.
        """

    def measure(self, name: str) -> float:
        """Seconds that ten seconds of speech take.

        Raises:
            HandyError: It cannot be loaded or run.
        """
