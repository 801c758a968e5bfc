"""The interfaces to the outside that the dictation cycle needs, as Protocols.

Methods may be called from the controller's thread and return at once, unless their docstring says that they
may wait: those are called on threads of their own (runtime/controller.py). Slow results arrive as events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from handy_qwen.core.effects import KeepText
from handy_qwen.core.events import Event
from handy_qwen.core.types import Delivery, Hotkey, Method, OnCaptured, Samples, Submit, Target, TextAround

Post = Callable[[Event], None]
"""Passes an event to the controller. May be called from any thread; never blocks."""

Sink = Callable[[Samples], None]
"""Takes the next block of a take. Called on the microphone's thread; keeps the array, never blocks."""


class Watched(Protocol):
    """A thread as the watchdog sees it. Any thread may call; nothing waits."""

    def has_died(self) -> bool:
        """Whether it ended unexpectedly."""

    def piece(self) -> int | None:
        """The number of the current piece of work; None while it waits."""

    def own_pieces(self) -> int:
        """How many pieces of work it has started without being asked, in total."""

    def revive(self) -> None:
        """Restart it; its current work is abandoned.

        Raises:
            HandyError: It cannot be started.
        """


class HotkeyListener(Watched, Protocol):
    """Reports the hotkeys, whichever window has the focus. ``revive`` posts HotkeysDied."""

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """Listen for ``hotkeys`` and no others. Posts KeyDown, KeyUp, KeyJoined.

        May wait for the desktop, some seconds at most.

        Raises:
            HotkeyError: A chord is unknown, another program has it, or the desktop does not allow hotkeys.
        """

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        """Raise what ``start`` would, as far as known, and change nothing. May wait."""

    def watch_escape(self, is_wanted: bool, lock_key: str = "") -> None:
        """Report Escape (and swallow it) only while a take runs. Called on the same thread as ``start``.

        Also report ``lock_key`` ("space") while a hotkey is held, as LockPressed; "" for none.
        """

    def touched_s(self) -> float | None:
        """When the user last pressed a key or mouse button other than hotkeys and a watched Escape.

        None: unknown here. Any thread; at once.
        """

    def configure(self) -> None:
        """Have the desktop show its hotkey settings, where it posts HotkeysAssigned. May wait.

        Raises:
            HotkeyError: It has none that a program can open; the hint says where they are.
        """

    def bind_own_key(self, is_wanted: bool) -> None:
        """Add the binding of ``KeyOffer`` to the desktop's settings, or remove it. May wait.

        Raises:
            HotkeyError: That failed.
        """

    def allow_questions(self) -> None:
        """The user is present: the desktop may ask about the hotkeys from now on. Any thread; at once."""

    def capture(self, on_captured: OnCaptured) -> None:
        """Record the keys of a new hotkey, hidden from other programs where possible.

        No hotkey is reported meanwhile. Ends with the last step; with ``end_capture``, ``start`` or ``stop``;
        and when no key comes for ``tracker.PATIENCE_S``. Called on the same thread as ``start``; may wait.

        Raises:
            HotkeyError: The desktop does not allow hotkeys, or shows no keys to programs.
        """

    def end_capture(self) -> None:
        """Resume listening. Safe to call twice. Called on the same thread as ``start``."""

    def stop(self) -> None:
        """Stop listening. Safe to call twice."""


class Recorder(Protocol):
    """A microphone."""

    def start(self, take: int, sink: Sink) -> None:
        """Begin take ``take``, including the pre-roll if the stream is already open.

        Posts RecordingBegan with the first samples, or Failed with a MicrophoneError.
        """

    def stop(self, take: int) -> None:
        """End take ``take`` as soon as speech has ended (0.4 s at the latest). Posts RecordingEnded."""

    def cancel(self, take: int) -> None:
        """End take ``take`` now; its sink gets nothing more. Posts RecordingEnded."""

    def close(self, timeout_s: float) -> None:
        """Release the device. Waits; called at exit."""


class Transcriber(Protocol):
    """The speech engine on a thread of its own."""

    def begin(self, take: int, languages: tuple[str, ...], context: tuple[str, ...]) -> None:
        """Open take ``take``; load the model if necessary.

        ``languages`` are the possible ones; (): any. ``context`` are the user's words, the most important
        first.
        """

    def adapt(self, take: int, languages: tuple[str, ...], context: tuple[str, ...]) -> None:
        """Change language and words of take ``take``; text that is already settled stays."""

    def feed(self, take: int, block: Samples) -> None:
        """Pass on the next block of take ``take``. Any thread; keeps the array."""

    def finish(self, take: int) -> None:
        """No more blocks will come. Transcribed or Failed follows, in the order of the takes."""

    def cancel(self, take: int) -> None:
        """Give up take ``take``; nothing more is posted for it."""

    def use_model(self, name: str) -> None:
        """Load model ``name`` beside the current one. Posts ModelLoading, then ModelReady or ModelFailed."""

    def close(self, timeout_s: float) -> None:
        """End the thread and free the memory. Waits; called at exit."""


class Inserter(Protocol):
    """Inserts text at the user's cursor, on a thread of its own."""

    @property
    def thread(self) -> Watched:
        """Its thread."""

    @property
    def clipboard_thread(self) -> Watched | None:
        """The thread of its clipboard, if it has one."""

    def focused(self) -> Target:
        """The focused window. May wait for the desktop, forever if that hangs."""

    def text_around(self, target: Target, most: int) -> TextAround | None:
        """Up to ``most`` characters on either side of the cursor in ``target``. May wait for the desktop.

        None: ``target`` has lost the focus, or does not expose its text.
        """

    def prepare(self, method: Method) -> None:
        """A take begins whose text will be inserted by ``method``: prepare what takes time."""

    def hasten(self) -> None:
        """The recording has ended: the text will come soon. Any thread; returns at once."""

    def allow_keys(self) -> None:
        """Have the desktop ask the user for permission to press keys. Posts KeysPermitted."""

    def insert(
        self,
        take: int,
        text: str,
        *,
        target: Target | None,
        method: Method,
        submit: Submit,
        erased: str = "",
        may_erase: Callable[[], bool] = lambda: True,
    ) -> None:
        """Insert ``text`` into the focused window, trying ``method`` first, then the next ones.

        ``erased`` is directly before the cursor and is deleted first, if ``may_erase`` still allows it just
        before the keys are pressed. ``text`` may be empty. Posts Delivered: HELD, with nothing done, if
        ``target`` has lost the focus; None is any window.
        """

    def read_clipboard(self, on_read: Callable[[str], None]) -> None:
        """Call ``on_read`` with the text on the clipboard; "" if there is none or it cannot be read."""

    def copy(self, text: str) -> None:
        """Copy ``text`` to the clipboard for the user to paste. May wait for the desktop.

        Raises:
            InsertError: No clipboard is available.
        """

    def close(self, timeout_s: float) -> None:
        """End the thread after its current work. Waits; called at exit."""


class Cues(Protocol):
    """Short sounds."""

    def started(self) -> None:
        """Play the start sound."""

    def stopped(self) -> None:
        """Play the stop sound."""


class History(Protocol):
    """Stores what was said, from its first block on, by a thread of its own.

    Nothing here raises or waits for the disk: a failure is reported once by ``Failed(0, error)``, and what
    could not be written is written later. Takes that it does not know are ignored.

    The order for a take: begin, feed ..., complete, then one of done, failed, cancelled; after done,
    delivered. A take may be cancelled at any time, and failed instead of complete.
    """

    def begin(self, take: int, *, language: str = "", model: str = "") -> None:
        """Take ``take`` begins. ``language`` as requested, "" is automatic. Posts Kept, unless private."""

    def feed(self, take: int, block: Samples) -> None:
        """The next block of take ``take``. Called on the microphone's thread; keeps the array."""

    def complete(self, take: int) -> None:
        """The recording has ended; the text is awaited."""

    def done(self, kept: KeepText) -> None:
        """The text to be delivered; an empty one does not replace an earlier text."""

    def failed(self, take: int, title: str) -> None:
        """There is no text, for the reason in ``title``. A take that is DONE keeps its text."""

    def cancelled(self, take: int) -> None:
        """The user cancelled it. Cancelling a replay leaves its entry unchanged."""

    def delivered(self, take: int, how: Delivery) -> None:
        """How the text was delivered: BEGUN when its insertion begins, then the outcome. Any thread."""

    def adopt(self, take: int, entry: int) -> None:
        """From now on take ``take`` stands for ``entry``: an earlier text that is offered again."""

    def replay(self, take: int, entry: int, sink: Sink) -> None:
        """Adopt ``entry`` as take ``take`` and pass its audio to ``sink`` to be transcribed again.

        ``sink`` is called on the history's thread. Posts Replayed after the last block, or Failed with this
        take's number if there is no audio.
        """

    def set_private(self, is_private: bool) -> None:
        """Store nothing, not even until delivery, of the takes that begin while this is on."""

    def close(self, timeout_s: float) -> None:
        """Write what is left and end the thread. Waits; called at exit. Safe to call twice."""
