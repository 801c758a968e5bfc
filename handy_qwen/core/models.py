"""What the windows show of the models, and the commands they offer.

The UI gets a new ``ModelList`` after every change, at most ten times a second. Each one is complete.

    AVAILABLE --install--> INSTALLING --done--> INSTALLED --remove--> AVAILABLE
        ^                     |   ^
        `---- discard --- PAUSED -' install

``ModelEntry.problem`` is the last failure, whatever the status: of an installation (which can be retried),
a removal, or loading a model on disk (``is_damaged``).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from handy_qwen.message import Message

DEMO = "demo"
"""The name of the model that ships with the program."""


class InstallStage(enum.Enum):
    """What an installation is doing, in this order."""

    WAITING = enum.auto()  # another installation is under way
    DOWNLOADING = enum.auto()
    UNPACKING = enum.auto()
    CHECKING = enum.auto()
    CONVERTING = enum.auto()
    TESTING = enum.auto()


class ModelStatus(enum.Enum):
    """Where a model is between the catalogue and this machine."""

    AVAILABLE = enum.auto()  # nothing of it is on this machine
    PAUSED = enum.auto()  # partly downloaded
    INSTALLING = enum.auto()
    INSTALLED = enum.auto()


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of an installation. ``share`` is that of the current stage, None if unknown."""

    stage: InstallStage
    share: float | None = None  # 0 to 1
    done_bytes: int = 0
    total_bytes: int = 0  # 0: this stage is not measured in bytes
    rate_bytes_s: float = 0.0  # 0: not known yet
    remaining_s: float | None = None
    is_stalled: bool = False  # no data arrives: the connection is retried


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, and what the user can do about it."""

    title: Message
    hint: Message = Message()


@dataclass(frozen=True, slots=True)
class Told:
    """The outcome of the last command. ``number`` grows: a higher one has not been shown yet."""

    number: int = 0
    title: Message = Message()
    hint: Message = Message()
    is_problem: bool = False


@dataclass(frozen=True, slots=True)
class ModelForm:
    """A quantization in which a model can be installed. Sizes of 0 are unknown."""

    preset: str  # for the commands
    cost: Message = Message()  # what quality it costs, in a sentence
    disk_bytes: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model, installed or not. Sizes of 0 are unknown."""

    name: str  # for the commands
    title: str  # for people
    summary: Message = Message()  # its strengths, in a sentence
    languages: tuple[str, ...] = ()  # English names
    licence: str = ""
    source: str = ""  # where it comes from: an address, or a repository's name
    download_bytes: int = 0
    disk_bytes: int = 0
    room_bytes: int = 0  # disk space needed to install it, source and result together
    memory_bytes: int = 0
    forms: tuple[ModelForm, ...] = ()  # to choose from, the usual one first; (): only one exists
    status: ModelStatus = ModelStatus.AVAILABLE
    is_recommended: bool = False  # the best one to start with on this machine
    is_chosen: bool = False  # in use
    is_imported: bool = False  # it came from a folder or archive, and cannot be downloaded again
    preset: str = ""  # the installed form, where there is a choice
    is_damaged: bool = False  # installed, but could not be run
    is_permanent: bool = False  # it ships with the program and cannot be removed
    is_other: bool = False  # another maker's conversion of a model that is listed as well
    fidelity: tuple[Message, ...] = ()  # sentences: how close the installed one comes to full precision
    progress: Progress | None = None  # while INSTALLING
    partial_bytes: int = 0  # of the download, while PAUSED
    problem: Problem | None = None
    clip_s: float | None = None  # time for ten seconds of speech on this machine; None: not measured
    is_measuring: bool = False


@dataclass(frozen=True, slots=True)
class ModelList:
    """All models, and the machine they are for."""

    entries: tuple[ModelEntry, ...] = ()
    folder: Path = Path()  # where models are kept
    free_bytes: int = 0  # on the disk of that folder
    memory_bytes: int = 0  # of the machine

    @property
    def has_full_model(self) -> bool:
        """Whether a model is installed that did not ship with the program."""
        return any(one.status is ModelStatus.INSTALLED and not one.is_permanent for one in self.entries)


_MOST_SHARE = 0.8  # of a machine's memory; the rest is for the system and other programs


def is_short(machine_bytes: int, needed_bytes: int) -> bool:
    """Whether a model that needs this much memory would be slow on the machine, or fail."""
    return 0 < machine_bytes * _MOST_SHARE < needed_bytes


def fitting_form(forms: Sequence[ModelForm], machine_bytes: int) -> ModelForm | None:
    """The first of ``forms`` that fits into the machine's memory; None if none does."""
    return next((form for form in forms if not is_short(machine_bytes, form.memory_bytes)), None)


ModelListener = Callable[[ModelList], None]
"""Shows a list. Called on any thread; must neither block nor raise."""


class ModelCommands(Protocol):
    """Commands of the windows. Called on Qt's thread; every method returns at once.

    The result is a new ``ModelList``; failures are in the entry's ``problem``.
    """

    def refresh(self) -> None:
        """Rescan models and free space; failed imports are forgotten."""

    def look(self) -> None:
        """Update the list: the model in use or the set of models has changed."""

    def install(self, name: str, preset: str = "") -> None:
        """Install ``name``, resuming a partial download. One at a time; others wait their turn.

        ``preset`` is that of one of its forms; "" is the usual one, or another maker's only one.
        """

    def pause(self, name: str) -> None:
        """Stop installing ``name`` and keep the partial download."""

    def discard(self, name: str) -> None:
        """Delete the partial download of ``name``."""

    def use(self, name: str) -> None:
        """Transcribe with ``name`` from now on."""

    def remove(self, name: str) -> None:
        """Delete the installed ``name``."""

    def import_from(self, source: Path) -> None:
        """Install the model in the folder or archive ``source``, as an entry of its own."""

    def measure(self, name: str) -> None:
        """Measure how fast the installed ``name`` is on this machine."""
