"""What the dictation cycle needs from the outside, as Protocols.

Every method may be called from the controller's thread and returns at once, unless its docstring says that it
may wait: those are called on threads of their own (runtime/controller.py). Slow results arrive as events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from handy_qwen.core.effects import KeepText
from handy_qwen.core.events import Event
from handy_qwen.core.types import Delivery, Hotkey, Method, OnCaptured, Samples, Submit, Target, TextAround

Post = Callable[[Event], None]
"""Hands an event to the controller. May be called from any thread; never blocks."""

Sink = Callable[[Samples], None]
"""Takes the next block of a take. Called on the microphone's thread; keeps the array, never blocks."""


class Watched(Protocol):
    """A thread as the watchdog sees it. Any thread may call; nothing waits."""

    def has_died(self) -> bool:
        """Whether it ended without being asked to."""

    def piece(self) -> int | None:
        """The number of the piece of work it is at; None while it waits."""

    def own_pieces(self) -> int:
        """How many pieces of work it has begun of its own accord, in all."""

    def revive(self) -> None:
        """Start it again; what it was doing is given up.

        Raises:
            HandyError: It cannot be started.
        """


class HotkeyListener(Watched, Protocol):
    """Reports the hotkeys, whichever window has the focus. ``revive`` posts HotkeysDied."""

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """Listen for ``hotkeys`` instead of those before. Posts KeyDown, KeyUp, KeyJoined.

        May wait for the desktop, some seconds at most.

        Raises:
            HotkeyError: A chord is unknown, another program has it, or the desktop allows no listening.
        """

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        """Raise what ``start`` would, as far as that is known beforehand, and change nothing. May wait."""

    def watch_escape(self, is_wanted: bool, lock_key: str = "") -> None:
        """Report Escape (and swallow it) only while a take runs. Called on the same thread as ``start``.

        As well as ``lock_key`` ("space"), while a hotkey is held, by LockPressed; "" is none.
        """

    def touched_s(self) -> float | None:
        """When the user last pressed a key or a mouse button, but for hotkeys and Escape while it is watched.

        None: such keys are not seen here. Any thread; at once.
        """

    def configure(self) -> None:
        """Have the desktop show its settings of the hotkeys, where it posts HotkeysAssigned. May wait.

        Raises:
            HotkeyError: It has none that a program could bring up; the hint says where they are.
        """

    def bind_own_key(self, is_wanted: bool) -> None:
        """Write the binding of ``KeyOffer`` into the desktop's settings, or take it back. May wait.

        Raises:
            HotkeyError: It is not done.
        """

    def allow_questions(self) -> None:
        """The user is there, and the desktop may ask about the hotkeys from now on. Any thread; at once."""

    def capture(self, on_captured: OnCaptured) -> None:
        """Hear the keys of a new hotkey, which reach no other program where that can be helped.

        No hotkey is reported meanwhile. Ends with the last step; with ``end_capture``, ``start`` or ``stop``;
        and when no key comes for ``tracker.PATIENCE_S``. Called on the same thread as ``start``; may wait.

        Raises:
            HotkeyError: The desktop allows no listening, or shows no keys to programs.
        """

    def end_capture(self) -> None:
        """Listen for the hotkeys again. Safe to call twice. Called on the same thread as ``start``."""

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
    """The speech engine on a thread of its own."""

    def begin(self, take: int, languages: tuple[str, ...], context: tuple[str, ...]) -> None:
        """Open take ``take``; load the model if it is not loaded.

        One of ``languages`` is spoken, any if there are none. ``context`` are the user's words, the most
        important first.
        """

    def adapt(self, take: int, languages: tuple[str, ...], context: tuple[str, ...]) -> None:
        """Transcribe take ``take`` as if it had begun with these; what was settled by now stays."""

    def feed(self, take: int, block: Samples) -> None:
        """Hand over the next block of take ``take``. Any thread; keeps the array."""

    def finish(self, take: int) -> None:
        """No more blocks will come. Transcribed or Failed follows, in the order of the takes."""

    def cancel(self, take: int) -> None:
        """Give up take ``take``; nothing more is posted for it."""

    def use_model(self, name: str) -> None:
        """Load model ``name`` beside the present one. Posts ModelLoading, then ModelReady or ModelFailed."""

    def close(self, timeout_s: float) -> None:
        """End the thread and give the memory back. Waits; called at exit."""


class Inserter(Protocol):
    """Puts text where the user's cursor is, on a thread of its own."""

    @property
    def thread(self) -> Watched:
        """That thread."""

    @property
    def clipboard_thread(self) -> Watched | None:
        """The thread of its clipboard, if that has one of its own."""

    def focused(self) -> Target:
        """The window that has the focus now. May wait for the desktop, for ever if that hangs."""

    def text_around(self, target: Target, most: int) -> TextAround | None:
        """Up to ``most`` characters to either side of the cursor in ``target``. May wait for the desktop.

        None: ``target`` has lost the focus, or tells nobody.
        """

    def prepare(self, method: Method) -> None:
        """A take has begun whose text will be inserted by ``method``: do now what would take time then."""

    def hasten(self) -> None:
        """The recording of that take is over: its text comes soon. Any thread; returns at once."""

    def allow_keys(self) -> None:
        """Have the desktop ask the user for the permission to press keys. Posts KeysPermitted."""

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
        """Put ``text`` into the focused window, trying ``method`` first and falling through to the next.

        ``erased`` is right before the cursor and is deleted first, if ``may_erase``, asked when the keys are
        about to be pressed, still says so. ``text`` may be empty. Posts Delivered: HELD, with nothing done,
        if ``target`` has lost the focus. None is any window.
        """

    def read_clipboard(self, on_read: Callable[[str], None]) -> None:
        """Call ``on_read`` with the text on the clipboard; "" if there is none, or it can't be had."""

    def copy(self, text: str) -> None:
        """Put ``text`` on the clipboard, for the user to paste. May wait for the desktop.

        Raises:
            InsertError: No clipboard is available.
        """

    def close(self, timeout_s: float) -> None:
        """End the thread after what is under way. Waits; called at exit."""


class Cues(Protocol):
    """Short sounds."""

    def started(self) -> None:
        """A take began to record."""

    def stopped(self) -> None:
        """A take ended."""


class History(Protocol):
    """What was said, written to disk from its first block by a thread of its own.

    Nothing here raises or waits for the disk: what goes wrong is reported once by ``Failed(0, error)``, and
    what could not be written is written when it can be. Takes that it does not keep are ignored.

    The order for a take: begin, feed ..., complete, then one of done, failed, cancelled; after done,
    delivered. A take may be cancelled at any time, and failed instead of complete.
    """

    def begin(self, take: int, *, language: str = "", model: str = "") -> None:
        """Take ``take`` begins. ``language`` as asked for, "" is automatic. Posts Kept, unless private."""

    def feed(self, take: int, block: Samples) -> None:
        """The next block of take ``take``. Called on the microphone's thread; keeps the array."""

    def complete(self, take: int) -> None:
        """The recording has ended; the text is awaited."""

    def done(self, kept: KeepText) -> None:
        """The text as it is to be delivered is there; "" if there is none, and an earlier one then stays."""

    def failed(self, take: int, title: str) -> None:
        """There is no text, for the reason in ``title``. A take that is DONE keeps its text."""

    def cancelled(self, take: int) -> None:
        """The user cancelled it. A replay that is cancelled leaves its entry as it was."""

    def delivered(self, take: int, how: Delivery) -> None:
        """What became of the text: BEGUN when its insertion begins, then how that ended. Any thread."""

    def adopt(self, take: int, entry: int) -> None:
        """From now on take ``take`` means entry ``entry``: a text from before that is offered again."""

    def replay(self, take: int, entry: int, sink: Sink) -> None:
        """Adopt ``entry`` as take ``take`` and hand its sound to ``sink``, to be transcribed (again).

        ``sink`` is called on the history's thread. Posts Replayed after the last block, or Failed with this
        take's number if there is no sound.
        """

    def set_private(self, is_private: bool) -> None:
        """Keep nothing, not even until delivery, of the takes that begin while this is on."""

    def close(self, timeout_s: float) -> None:
        """Write what is left and end the thread. Waits; called at exit. Safe to call twice."""
