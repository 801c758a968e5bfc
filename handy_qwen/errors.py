"""Every error this program raises on purpose: HandyErrors, with a title and a hint.

Kept free of heavy imports so that the tray can show an error even when the engine could not be imported. No
message ever holds what the user said, a prompt, or the contents of the clipboard.
"""

from __future__ import annotations

import enum
from pathlib import Path

from handy_qwen.message import Message


class HandyError(Exception):
    """Base class. ``title`` says what failed, ``hint`` what the user can do about it."""

    def __init__(self, title: Message, hint: Message = Message()) -> None:
        super().__init__(f"{title} {hint}".strip())
        self.title = title
        self.hint = hint


UNEXPECTED = Message("Something went wrong."), Message("See the log for details.")
"""Title and hint for what nobody foresaw."""


class EngineError(HandyError):
    """The speech engine could not be loaded or run."""


class ModelMissingError(EngineError):
    """A model folder, or a file that belongs in it, is not on disk."""

    def __init__(self, path: Path, hint: Message = Message("Install or convert the model again.")) -> None:
        super().__init__(Message("The model file {path} is missing.", path=path), hint)
        self.path = path


class ModelCorruptError(EngineError):
    """A file of a model is not what it should be: truncated, changed, or something else."""

    def __init__(
        self, path: Path, problem: Message, hint: Message = Message("Install or convert the model again.")
    ) -> None:
        super().__init__(
            Message("The model file {path} cannot be used: {problem}.", path=path, problem=problem), hint
        )
        self.path = path


class OutOfMemoryError(EngineError):
    """The machine, or a limit set for this program, has no memory left for the engine."""

    def __init__(self, hint: Message = Message("Close other programs or choose a smaller model.")) -> None:
        super().__init__(Message("There is not enough memory for the speech model."), hint)


class AudioFormatError(EngineError, ValueError):
    """The caller handed the engine audio it does not take."""


class LanguageError(EngineError, ValueError):
    """A language the model does not know. ``guess`` is what may have been meant, "" if nothing is near."""

    def __init__(self, title: Message, hint: Message = Message(), guess: str = "") -> None:
        super().__init__(title, hint)
        self.guess = guess


class CancelledError(EngineError):
    """The caller gave the work up."""

    def __init__(self) -> None:
        super().__init__(Message("Cancelled."))


class ConversionError(HandyError):
    """A checkpoint could not be turned into a package; nothing was left behind."""


class CheckSpeechError(HandyError):
    """The recordings to check a conversion with, which ship with the program, are missing or damaged."""

    def __init__(self, path: Path, problem: Message) -> None:
        super().__init__(
            Message("The check speech {path} {problem}.", path=path, problem=problem),
            Message("Install Handy Qwen again to check conversions."),
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

    def __init__(self, title: Message, reason: DownloadReason, hint: Message = Message()) -> None:
        super().__init__(title, hint)
        self.reason = reason


class AudioFileError(HandyError):
    """A sound file could not be read."""

    def __init__(self, path: Path, problem: Message, hint: Message = Message()) -> None:
        super().__init__(Message("{path}: {problem}.", path=path, problem=problem), hint)
        self.path = path


class MicrophoneReason(enum.Enum):
    """Why no sound can be recorded."""

    NO_DEVICE = enum.auto()
    DENIED_BY_USER = enum.auto()
    BUSY = enum.auto()
    UNRESPONSIVE = enum.auto()


class MicrophoneError(HandyError):
    """Recording could not start or stopped early."""

    def __init__(self, title: Message, reason: MicrophoneReason, hint: Message = Message()) -> None:
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

    def __init__(
        self, title: Message, reason: HotkeyReason, hint: Message = Message(), proposal: str = ""
    ) -> None:
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

    def __init__(self, title: Message, reason: InsertReason, hint: Message = Message()) -> None:
        super().__init__(title, hint)
        self.reason = reason


class HistoryError(HandyError):
    """The history could not be read or written, or it has not what is asked for."""


class SettingsError(HandyError):
    """The settings file cannot be read, written, or used as it is written; it is as it was."""


class ControlError(HandyError):
    """The running program could not be reached, or refused what was asked of it."""
