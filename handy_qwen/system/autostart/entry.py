"""What the three systems have in common."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from handy_qwen.durable import replace_file
from handy_qwen.errors import HandyError
from handy_qwen.system.autostart.launch import Launch


@dataclass(frozen=True, slots=True)
class State:
    """Whether the program is started at login.

    Attributes:
        is_on: It is.
        command: What is started, as far as the entry tells; () without one.
    """

    is_on: bool
    command: tuple[str, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether what is to be started is not there any more."""
        return bool(self.command) and shutil.which(self.command[0]) is None


class Autostart(Protocol):
    """An entry among what the system starts at login. ``place`` says where it is, for people."""

    @property
    def place(self) -> str:
        """Where the entry is, or would be."""

    def state(self) -> State:
        """Look at it. An entry that cannot be read counts as off."""

    def turn_on(self, launch: Launch) -> None:
        """Write it; one that is there is replaced.

        Raises:
            HandyError: It cannot be written.
        """

    def turn_off(self) -> None:
        """Remove it, if it is there.

        Raises:
            HandyError: It cannot be removed.
        """


def write_whole(path: Path, data: bytes) -> None:
    """Write ``path`` at once or not at all.

    Raises:
        HandyError: It cannot be written.
    """
    try:
        replace_file(path, data, mode=0o644)  # desktops read it for the user; nothing in it is secret
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def remove(path: Path) -> None:
    """Remove ``path``, if it is there.

    Raises:
        HandyError: It cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def _unwritable(path: Path, error: OSError) -> HandyError:
    return HandyError(
        f"The autostart entry {path} cannot be changed: {error.strerror}.",
        f"Look at the permissions of {path.parent}.",
    )
