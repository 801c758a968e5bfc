"""The errors this program raises: HandyErrors, with a title and a hint.

No heavy imports, so that the tray can show an error even if the engine could not be imported. Messages never
contain what the user said, a prompt, or the contents of the clipboard.
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
"""Title and hint for unexpected errors."""


class EngineError(HandyError):
    """The speech engine could not be loaded or run."""


class ModelMissingError(EngineError):
    """A model folder, or one of its files, is missing."""

    def __init__(self, path: Path, hint: Message = Message("Install or convert the model again.")) -> None:
        super().__init__(Message("The model file {path} is missing.", path=path), hint)
        self.path = path


class ModelCorruptError(EngineError):
    """A model file is truncated, changed, or something else."""

    def __init__(
        self, path: Path, problem: Message, hint: Message = Message("Install or convert the model again.")
    ) -> None:
        super().__init__(
            Message("The model file {path} cannot be used: {problem}.", path=path, problem=problem), hint
        )
        self.path = path


class OutOfMemoryError(EngineError):
    """The machine, or a limit for this program, has no memory left for the engine."""

    def __init__(self, hint: Message = Message("Close other programs or choose a smaller model.")) -> None:
        super().__init__(Message("There is not enough memory for the speech model."), hint)


class AudioFormatError(EngineError, ValueError):
    """The engine got audio in an unsupported format."""


class LanguageError(EngineError, ValueError):
    """The model does not know the language. ``guess`` is a similar one, or ""."""

    def __init__(self, title: Message, hint: Message = Message(), guess: str = "") -> None:
        super().__init__(title, hint)
        self.guess = guess


class CancelledError(EngineError):
    """The work was cancelled."""

    def __init__(self) -> None:
        super().__init__(Message("Cancelled."))


class ConversionError(HandyError):
    """A checkpoint could not be converted; nothing was left behind."""


class CheckSpeechError(HandyError):
    """The shipped recordings for checking conversions are missing or damaged."""

    def __init__(self, path: Path, problem: Message) -> None:
        super().__init__(
            Message("The check speech {path} {problem}.", path=path, problem=problem),
            Message("Install Handy Qwen again to check conversions."),
        )
        self.path = path


class InstallationError(HandyError):
    """A model could not be installed, imported or removed; an existing one is unchanged."""


class DownloadReason(enum.Enum):
    """Why a model could not be downloaded."""

    OFFLINE = enum.auto()  # the hub cannot be reached, or must not be
    REFUSED = enum.auto()  # the hub denies access
    BUSY = enum.auto()  # the hub has internal errors, or is asked too often
    UNTRUSTED = enum.auto()  # the server does not prove to be the hub
    DAMAGED = enum.auto()  # the data does not match the hub's checksum


class DownloadError(InstallationError):
    """A model could not be downloaded; partial downloads are kept."""

    def __init__(self, title: Message, reason: DownloadReason, hint: Message = Message()) -> None:
        super().__init__(title, hint)
        self.reason = reason


class AudioFileError(HandyError):
    """A sound file could not be read."""

    def __init__(self, path: Path, problem: Message, hint: Message = Message()) -> None:
        super().__init__(Message("{path}: {problem}.", path=path, problem=problem), hint)
        self.path = path


class MicrophoneReason(enum.Enum):
    """Why nothing can be recorded."""

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
    """Why a hotkey cannot be registered."""

    TAKEN = enum.auto()
    INVALID = enum.auto()
    DENIED_BY_USER = enum.auto()
    UNSUPPORTED_DESKTOP = enum.auto()


class HotkeyError(HandyError):
    """A hotkey could not be registered. ``proposal`` is an alternative, "" if none is known."""

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
    """A text could not be inserted."""

    def __init__(self, title: Message, reason: InsertReason, hint: Message = Message()) -> None:
        super().__init__(title, hint)
        self.reason = reason


class HistoryError(HandyError):
    """The history could not be read or written, or lacks what was requested."""


class SettingsError(HandyError):
    """The settings file cannot be read, written, or used as it is; it is unchanged."""


class ControlError(HandyError):
    """The running program could not be reached, or refused the request."""
