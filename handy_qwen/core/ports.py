"""What the dictation cycle needs from the outside, as Protocols.

Every method may be called from the controller's thread and returns at once, unless its
docstring says otherwise; what takes time is answered with an event.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from handy_qwen.core.events import Event

if TYPE_CHECKING:  # for the type only: core must load without numpy
    import numpy as np
    import numpy.typing as npt

Samples: TypeAlias = "npt.NDArray[np.float32]"
"""Mono audio. Shape (n,), float32 in [-1, 1], 16 kHz."""

Post = Callable[[Event], None]
"""Hands an event to the controller. May be called from any thread; never blocks."""

Sink = Callable[[Samples], None]
"""Takes the next block of a take. Called on the microphone's thread; keeps the array, never blocks."""


@dataclass(frozen=True, slots=True)
class Hotkey:
    """One key or chord that the user dictates with."""

    chord: str  # "ctrl_r", "f9", "ctrl+alt+d": names joined by "+"
    language: str = ""  # English name or ISO code; empty: the language of the settings
    submit: str = ""  # empty: that of the settings


class HotkeyListener(Protocol):
    """Reports the hotkeys, whichever window has the focus."""

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """Listen for ``hotkeys`` instead of those listened for until now. Posts KeyDown, KeyUp, KeyJoined.

        Raises:
            HotkeyError: A chord is unknown, another program holds it, or the desktop allows no listening.
        """

    def watch_escape(self, is_wanted: bool) -> None:
        """Report Escape (and swallow it) only while a take runs."""

    def stop(self) -> None:
        """Stop listening. Safe to call twice."""


class Recorder(Protocol):
    """A microphone."""

    def start(self, take: int, sink: Sink) -> None:
        """Begin take ``take``, with what was heard just before if the stream is warm.

        Posts RecordingBegan with the first samples, or Failed with a MicrophoneError.
        """

    def stop(self, take: int) -> None:
        """End take ``take`` as soon as speech has ended (0.4 s at the latest). Posts RecordingEnded."""

    def cancel(self, take: int) -> None:
        """End take ``take`` now; its sink gets nothing more. Posts RecordingEnded."""

    def close(self, timeout_s: float) -> None:
        """Give the device back. Waits; called at exit."""


class Transcriber(Protocol):
    """The speech engine, working on a thread of its own."""

    def begin(self, take: int, language: str, context: str) -> None:
        """Open take ``take``. Language "" is automatic; loads the model if it is not loaded."""

    def feed(self, take: int, block: Samples) -> None:
        """Hand over the next block of take ``take``. Any thread; never blocks; keeps the array."""

    def finish(self, take: int) -> None:
        """No more blocks will come. Transcribed or Failed follows, in the order of the takes."""

    def cancel(self, take: int) -> None:
        """Give up take ``take``; nothing more is posted for it."""

    def use_model(self, name: str) -> None:
        """Load model ``name`` behind the present one. Posts ModelLoading, then ModelReady or ModelFailed."""

    def close(self, timeout_s: float) -> None:
        """End the thread and give the memory back. Waits; called at exit."""


class Method(enum.StrEnum):
    """How text gets into a window."""

    TYPE = "type"
    PASTE = "paste"
    COPY = "copy"
    NONE = "none"


class Submit(enum.StrEnum):
    """The key pressed after the text."""

    OFF = "off"
    ENTER = "enter"
    CTRL_ENTER = "ctrl+enter"
    SUPER_ENTER = "super+enter"


@dataclass(frozen=True, slots=True)
class Target:
    """A window that had the focus. ``window`` is the system's own handle, 0 if unknown."""

    window: int = 0
    application: str = ""  # its class or executable, for the history and the spacing between takes


class Inserter(Protocol):
    """Puts text where the user's cursor is, on a thread of its own."""

    def focused(self) -> Target:
        """The window that has the focus now. Answers at once."""

    def insert(self, take: int, text: str, *, target: Target | None, method: Method, submit: Submit) -> None:
        """Put ``text`` into the focused window, trying ``method`` first and falling through to the next.

        Posts Delivered. With a ``target`` that has lost the focus, nothing is inserted and Delivered
        says HELD; ``target=None`` means "wherever the focus is".
        """

    def copy(self, text: str) -> None:
        """Put ``text`` on the clipboard, for the user to paste.

        Raises:
            InsertError: There is no clipboard to be had.
        """

    def close(self, timeout_s: float) -> None:
        """End the thread after what is under way. Waits; called at exit."""


class Cues(Protocol):
    """Short sounds that tell without a look."""

    def started(self) -> None:
        """A take began to record."""

    def stopped(self) -> None:
        """A take ended."""
