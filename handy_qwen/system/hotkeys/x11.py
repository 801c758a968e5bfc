"""Global hotkeys on X11: one connection listens to raw input events, another grabs chords.

Lone modifiers are only observed, so they still work as modifiers; chords with a key are also grabbed. The raw
events decide which hotkey is down: they come for every press, before auto-repeat, and also while another
program has grabbed the keyboard (a menu, say). A release that is not reported (the device vanished, the
console was switched) is detected by querying the state of that device every 100 ms while a hotkey is down. A
key that is down on several keyboards comes up with the last of them, as for the X server; a press injected by
a program while a finger is on the key is ignored.

Raw events come before the keyboard extension processes them, hence:

* Slow Keys and Bounce Keys: a press counts once the server has accepted it, by the state of the device.
* Caps Lock, Num Lock, and any modifier with Sticky Keys: what a hotkey locks is unlocked at once.
* Sticky Keys: latched modifiers count for a chord as if they were held.

Mouse buttons are negative keys here: the server's 8 and 9, "back" and "forward", are -8 and -9. A grabbed
button keeps the pointer until it comes up.

Events of the XTEST devices from a time for which ``was_injecting`` is true are our own, and ignored, however
late they arrive. Other programs' injected keys (remote desktops) count as the user's.

Limits: a chord with a sided modifier ("ctrl_r+d") also swallows the other side's. A screen locker does not
stop the hotkeys. Needs X Input 2.1 (2011).
"""

from __future__ import annotations

from collections.abc import Sequence

from handy_qwen.core.ports import Post
from handy_qwen.core.types import Hotkey, OnCaptured
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.message import Message
from handy_qwen.system.hotkeys.chord import Chord, chords_of
from handy_qwen.system.hotkeys.listener import ConnectedListener, WasInjecting, never
from handy_qwen.system.hotkeys.x11_session import Session
from handy_qwen.system.x11.connection import LOST


class X11Hotkeys(ConnectedListener[Session]):
    """Listens for hotkeys on the X server ``display``, and posts on the thread ``hotkeys``."""

    NAME = "X11"
    LOST = LOST

    def __init__(self, post: Post, was_injecting: WasInjecting = never, *, display: str) -> None:
        super().__init__(post)
        self._was_injecting = was_injecting
        self._display = display
        # Owned by the thread:
        self._chords: tuple[Chord, ...] | None = None  # None: not started
        self._is_escape_wanted = False

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``. Waits until it is done.

        Raises HotkeyError: INVALID, TAKEN (the hint suggests a free chord) or UNSUPPORTED_DESKTOP; nothing
        has changed.
        """
        chords = chords_of(hotkeys, knows_own_keys=False)
        self._call(lambda: self._use(chords), is_start=True)

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``."""
        chords = chords_of(hotkeys, knows_own_keys=False)
        self._call(lambda: self._check(chords))

    def watch_escape(self, is_wanted: bool, lock_key: str = "") -> None:
        """Report and swallow Escape only while a take runs. Returns at once."""
        if self._inbox is not None:
            self._inbox.put(lambda: self._watch_escape(is_wanted, lock_key))

    def touched_s(self) -> float | None:
        """See ``HotkeyListener``."""
        connection = self._connection
        return connection.touched_s if connection is not None else None

    def capture(self, on_captured: OnCaptured) -> None:
        """See ``HotkeyListener``. Mouse buttons reach the window under the pointer as well."""
        self._call(lambda: self._capture(on_captured), is_start=True)

    def end_capture(self) -> None:
        """See ``HotkeyListener``."""
        self._call(self._end_capture)

    # --- the thread ----------------------------------------------------------------------------------

    def _capture(self, on_captured: OnCaptured) -> None:
        if self._connection is None:
            self._use(self._chords or ())
        assert self._connection is not None, "it has just been made"
        self._connection.capture(on_captured)

    def _end_capture(self) -> None:
        if self._connection is not None:
            self._connection.end_capture()

    def _use(self, chords: Sequence[Chord]) -> None:
        if self._connection is not None:
            self._connection.use(chords)
            self._chords = tuple(chords)
            return
        before, self._chords = self._chords, tuple(chords)
        try:
            self._connection = self._connect()
        except BaseException:
            self._chords = before
            raise

    def _check(self, chords: Sequence[Chord]) -> None:
        if self._connection is None:
            raise self._unresponsive()
        self._connection.check_free(chords)

    def _watch_escape(self, is_wanted: bool, lock_key: str) -> None:
        self._is_escape_wanted = is_wanted
        if self._connection is not None:
            self._connection.watch_escape(is_wanted, lock_key)

    def _is_wanted(self) -> bool:
        return self._chords is not None

    def _connect(self) -> Session:
        session = Session(self._display, self._post, self._was_injecting)
        try:
            session.use(self._chords or ())
            session.watch_escape(self._is_escape_wanted)
        except BaseException:
            session.close()
            raise
        return session

    def _hear(self, connection: Session) -> None:
        connection.drain()
        connection.check()  # a key's events must be processed before its current state
        connection.drain()  # checks leave events in python-xlib's own buffer, invisible to select

    def _release_keys(self, connection: Session) -> None:
        connection.release_all()

    def _lost(self) -> HotkeyError:
        title = Message("Hotkeys stopped working: the connection to the X server was lost.")
        hint = Message("Restart Handy Qwen.")
        return _error(title, hint)

    def _unresponsive(self) -> HotkeyError:
        title = Message("Can't set up hotkeys: the X server isn't responding.")
        return _error(title, Message("Try again, or restart Handy Qwen."))


def _error(title: Message, hint: Message) -> HotkeyError:
    return HotkeyError(title, HotkeyReason.UNSUPPORTED_DESKTOP, hint)
