"""Every error this program raises on purpose: HandyErrors, with a title and a hint.

Kept free of heavy imports so that the tray can show an error even when the engine could not be imported. No
message ever holds what the user said, a prompt, or the contents of the clipboard.
"""

from __future__ import annotations

import enum
from pathlib import Path


class HandyError(Exception):
    """Base class. ``title`` says what failed, ``hint`` what the user can do about it."""

    def __init__(self, title: str, hint: str = "") -> None:
        super().__init__(f"{title} {hint}".strip())
        self.title = title
        self.hint = hint


UNEXPECTED = "Something went wrong.", "See the log for details."  # title and hint for what nobody foresaw


class EngineError(HandyError):
    """The speech engine could not be loaded or run."""


class ModelMissingError(EngineError):
    """A model folder, or a file that belongs in it, is not on disk."""

    def __init__(self, path: Path, hint: str = "Install or convert the model again.") -> None:
        super().__init__(f"The model file {path} is missing.", hint)
        self.path = path


class ModelCorruptError(EngineError):
    """A file of a model is not what it should be: truncated, changed, or something else."""

    def __init__(self, path: Path, problem: str, hint: str = "Install or convert the model again.") -> None:
        super().__init__(f"The model file {path} cannot be used: {problem}.", hint)
        self.path = path


class OutOfMemoryError(EngineError):
    """The machine, or a limit set for this program, has no memory left for the engine."""

    def __init__(self, hint: str = "Close other programs or choose a smaller model.") -> None:
        super().__init__("There is not enough memory for the speech model.", hint)


class AudioFormatError(EngineError, ValueError):
    """The caller handed the engine audio it does not take."""


class LanguageError(EngineError, ValueError):
    """A language the model does not know."""


class CancelledError(EngineError):
    """The caller gave the work up."""

    def __init__(self) -> None:
        super().__init__("Cancelled.")


class ConversionError(HandyError):
    """A checkpoint could not be turned into a package; nothing was left behind."""


class CheckSpeechError(HandyError):
    """The recordings to check a conversion with, which ship with the program, are missing or damaged."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"The check speech {path} {problem}.", "Install Handy Qwen again to check conversions."
        )
        self.path = path


class InstallationError(HandyError):
    """A model could not be installed, imported or removed; what was in use is as it was."""


class DownloadReason(enum.Enum):
    """Why a model could not be fetched."""

    OFFLINE = enum.auto()  # the hub cannot be reached, or must not be
    REFUSED = enum.auto()  # the hub does not give it to us
    BUSY = enum.auto()  # the hub has errors of its own, or is asked too often
    UNTRUSTED = enum.auto()  # whoever answers does not prove to be the hub
    DAMAGED = enum.auto()  # what came is not what the hub says it is


class DownloadError(InstallationError):
    """A model could not be fetched; what was downloaded is kept."""

    def __init__(self, title: str, reason: DownloadReason, hint: str = "") -> None:
        super().__init__(title, hint)
        self.reason = reason


class AudioFileError(HandyError):
    """A sound file could not be read."""

    def __init__(self, path: Path, problem: str, hint: str = "") -> None:
        super().__init__(f"{path}: {problem}.", hint)
        self.path = path


class MicrophoneReason(enum.Enum):
    """Why no sound can be recorded."""

    NO_DEVICE = enum.auto()
    DENIED_BY_USER = enum.auto()
    BUSY = enum.auto()
    UNRESPONSIVE = enum.auto()


class MicrophoneError(HandyError):
    """Recording could not start or stopped early."""

    def __init__(self, title: str, reason: MicrophoneReason, hint: str = "") -> None:
        super().__init__(title, hint)
        self.reason = reason


class HotkeyReason(enum.Enum):
    """Why a hotkey cannot be listened for."""

    TAKEN = enum.auto()
    INVALID = enum.auto()
    DENIED_BY_USER = enum.auto()
    UNSUPPORTED_DESKTOP = enum.auto()


class HotkeyError(HandyError):
    """A hotkey could not be set up. ``proposal`` is one that could be instead, "" if none is known."""

    def __init__(self, title: str, reason: HotkeyReason, hint: str = "", proposal: str = "") -> None:
        super().__init__(title, hint)
        self.reason, self.proposal = reason, proposal


class InsertReason(enum.Enum):
    """Why a text did not reach the focused window."""

    NO_FOCUS = enum.auto()
    DENIED_BY_USER = enum.auto()
    UNSUPPORTED_DESKTOP = enum.auto()
    NOT_TYPEABLE = enum.auto()
    CLIPBOARD_IN_USE = enum.auto()  # a paste would destroy what the user has copied


class InsertError(HandyError):
    """A text could not be put into the focused window."""

    def __init__(self, title: str, reason: InsertReason, hint: str = "") -> None:
        super().__init__(title, hint)
        self.reason = reason


class HistoryError(HandyError):
    """The history could not be read or written, or it has not what is asked for."""


class SettingsError(HandyError):
    """The settings file cannot be read, written, or used as it is written; it is as it was."""


class ControlError(HandyError):
    """The running program could not be reached, or refused what was asked of it."""
