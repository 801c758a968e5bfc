"""Global hotkeys on X11: one connection listens to raw input events, another grabs chords.

Lone modifiers are only listened to, so they still work as modifiers; chords with a key are grabbed as
well. Which hotkey is down is decided by the raw events: they come for every press, before auto-repeat, and
also while another program has grabbed the keyboard (a menu, say). A release that is not reported (the
device vanished, the console was switched) is found by asking for the state of that device every 100 ms
while a hotkey is down. A key that is down on several keyboards comes up with the last of them, as it does
for the X server; a press that a program injects while a finger is on the key means nothing.

Raw events come before the keyboard extension makes something of them, hence:

* Slow Keys and Bounce Keys: a press counts once the server has accepted it, by the state of the device.
* Caps Lock, Num Lock, and any modifier with Sticky Keys: what a hotkey locks is unlocked at once.
* Sticky Keys: modifiers that are latched belong to a chord as if they were held.

``was_injecting`` tells this program's own key events from the user's: what comes from the XTEST devices
and is dated at a time for which it is true is ignored, however late it is heard. Other programs' injected
keys (remote desktops, on-screen keyboards) count as the user's.

Limits: a chord with a sided modifier ("ctrl_r+d") takes the other side's away as well. A screen
locker does not keep the hotkeys from being heard. Needs X Input 2.1 (2011).
"""

from __future__ import annotations

import logging
import select
from collections.abc import Callable, Sequence
from contextlib import suppress

from handy_qwen.core.types import Hotkey, Post
from handy_qwen.errors import HandyError, HotkeyError, HotkeyReason
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.hotkeys.chord import Chord, chords_of
from handy_qwen.system.hotkeys.listener import Inbox, ListenerThread
from handy_qwen.system.hotkeys.x11_session import Session
from handy_qwen.system.x11.connection import LOST

logger = logging.getLogger(__name__)

RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_ANSWER_S = 10.0


class X11Hotkeys(ListenerThread):
    """Listens for hotkeys on an X server. Implements HotkeyListener. See ``hotkeys_for`` for the arguments.

    When the connection breaks, the thread tries again after each of ``RETRY_S``; after the last it posts
    HotkeysFailed and ends, and ``start`` may be tried again.
    """

    def __init__(
        self, post: Post, *, display: str, was_injecting: Callable[[float], bool] = lambda _at_s: False
    ) -> None:
        super().__init__(post)
        self._was_injecting = was_injecting
        self._display = display
        # Owned by the thread:
        self._session: Session | None = None
        self._chords: tuple[Chord, ...] | None = None  # None: not started
        self._is_escape_wanted = False

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """Listen for ``hotkeys`` instead of those listened for until now. Waits until it is so.

        Raises:
            HotkeyError: INVALID, TAKEN (the hint proposes a chord that is free) or UNSUPPORTED_DESKTOP.
                What was listened for before still is.
        """
        chords = chords_of(hotkeys, knows_own_keys=False)
        self._ask(lambda: self._use(chords))

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``."""
        chords = chords_of(hotkeys, knows_own_keys=False)
        if self._inbox is not None:
            self._ask(lambda: self._check(chords))

    def watch_escape(self, is_wanted: bool) -> None:
        """Report Escape, and take it from the focused program, only while a take runs. Returns at once."""
        if self._inbox is not None:
            self._inbox.put(lambda: self._watch_escape(is_wanted))

    def _ask(self, command: Callable[[], None]) -> None:
        try:
            self._do(command, _ANSWER_S, _unresponsive())
        except LOST as exc:
            raise _lost() from exc

    # --- the thread --------------------------------------------------------------------------------

    def _use(self, chords: Sequence[Chord]) -> None:
        if self._session is None:
            self._connect(chords)
        else:
            self._session.use(chords)
        self._chords = tuple(chords)

    def _check(self, chords: Sequence[Chord]) -> None:
        if self._session is None:
            raise _unresponsive()
        self._session.check_free(chords)

    def _watch_escape(self, is_wanted: bool) -> None:
        self._is_escape_wanted = is_wanted
        if self._session is not None:
            self._session.watch_escape(is_wanted)

    def _serve(self, thread: WatchedThread, inbox: Inbox) -> None:
        delays = iter(RETRY_S)
        while not thread.is_ending():
            session = self._session
            sources = [inbox.fileno()]
            timeout_s = None
            if session is not None:
                sources += session.filenos()
                timeout_s = session.timeout_s()
            elif self._chords is not None:
                timeout_s = next(delays, None)
                if timeout_s is None:
                    raise _lost()
                logger.info("connecting to the X server again in %.1f s", timeout_s)
            thread.end()
            select.select(sources, [], [], timeout_s)
            thread.begin()
            try:
                if session is not None:
                    session.drain()  # keys pressed before a command was given come before it
                inbox.run()
                if self._session is None and self._chords is not None and not thread.is_ending():
                    with suppress(HandyError):
                        self._connect(self._chords)
                        delays = iter(RETRY_S)
                if self._session is not None:
                    # Once more: commands and checks leave events in python-xlib's own buffer, which select
                    # does not see; and what a key has done counts before what its state is now.
                    self._session.drain()
                    self._session.check()
                    self._session.drain()
            except LOST:
                self._disconnect()

    def _connect(self, chords: Sequence[Chord]) -> None:
        """Listen for ``chords`` on a new connection.

        Raises:
            HotkeyError: See ``start``.
        """
        self._session = Session(self._display, self._post, self._was_injecting)
        try:
            self._session.use(chords)
            self._session.watch_escape(self._is_escape_wanted)
        except BaseException:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.let_go()
            session.close()


def _lost() -> HotkeyError:
    return HotkeyError(
        "Hotkeys stopped working: the connection to the X server was lost.",
        HotkeyReason.UNSUPPORTED_DESKTOP,
        "Start the program again.",
    )


def _unresponsive() -> HotkeyError:
    return HotkeyError(
        "The hotkeys could not be set up: the X server does not answer.",
        HotkeyReason.UNSUPPORTED_DESKTOP,
        "Try again, or start the program again.",
    )
