"""Global hotkeys on X11, through raw input events and key grabs.

    connection "ears"    raw events of all keys and buttons  -> Tracker -> post
    connection "grabs"   chords that must not reach the focused program; see x11_grabs.py

Lone modifiers are only listened to, so they still work as modifiers; chords with a key are grabbed as
well. Which hotkey is down is decided by the raw events: they come for every press, before auto-repeat, and
also while another program has grabbed the keyboard (a menu, say). A release that is not reported (the
device vanished, the console was switched) is found by asking for the state of that device every 100 ms
while a hotkey is down. Nothing is polled when none is.

A key that is down on several keyboards comes up with the last of them, as it does for the X server; a press
that a program injects while a finger is on the key means nothing.

Raw events come before the keyboard extension makes something of them (x11_locks.py), hence:

* Slow Keys and Bounce Keys: a press counts once the server has accepted it, as the state of the device tells.
* Caps Lock, Num Lock, and any modifier with Sticky Keys: what a hotkey locks is unlocked at once.
* Sticky Keys: modifiers that are latched belong to a chord as if they were held.

``was_injecting`` tells this program's own key events from the user's: what comes from the XTEST devices
and is dated at a time for which it is true is ignored, however late it is heard. It must be true from before
the first event until the server has answered a round trip made after the last one, and 50 ms more.
Other programs' injected keys (remote desktops, on-screen keyboards) count as the user's.

Threads: all X traffic is on the thread ``hotkeys``; ``post`` is called there. When the connection breaks,
the thread comes back after each of ``retry_s``; after the last it posts HotkeysFailed and ends, and
``start`` may be tried again.

Limits: a chord with a sided modifier ("ctrl_r+d") takes the other side's away as well. A screen
locker does not keep the hotkeys from being heard. Needs X Input 2.1 (2011).
"""

from __future__ import annotations

import logging
import select
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError

from handy_qwen.core.events import HotkeysDied, HotkeysFailed
from handy_qwen.core.ports import Post
from handy_qwen.core.types import Hotkey
from handy_qwen.errors import HandyError, HotkeyError, HotkeyReason
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.hotkeys.chord import Chord, chords_of
from handy_qwen.system.hotkeys.listener import Inbox
from handy_qwen.system.hotkeys.x11_session import LOST, Session

logger = logging.getLogger(__name__)

RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_ANSWER_S = 10.0


def _never(_at_s: float) -> bool:
    return False


class X11Hotkeys:
    """Listens for hotkeys on an X server. Implements HotkeyListener.

    Args:
        post: Takes the events, on the thread ``hotkeys``.
        was_injecting: Whether this program was typing into a window at a time; any thread, at once.
        display: The X display; None: that of the environment.
        retry_s: How long to wait before each attempt to come back after the connection was lost.
    """

    def __init__(
        self,
        post: Post,
        *,
        was_injecting: Callable[[float], bool] = _never,
        display: str | None = None,
        retry_s: Sequence[float] = RETRY_S,
    ) -> None:
        self._post = post
        self._was_injecting = was_injecting
        self._display = display
        self._retry_s = tuple(retry_s)
        self._inbox: Inbox | None = None
        self._thread: WatchedThread | None = None
        # Owned by the thread:
        self._session: Session | None = None
        self._chords: tuple[Chord, ...] = ()
        self._is_escape_wanted = False

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """Listen for ``hotkeys`` instead of those listened for until now. Waits until it is so.

        Raises:
            HotkeyError: INVALID, TAKEN (the hint proposes a chord that is free) or UNSUPPORTED_DESKTOP.
                What was listened for before still is.
        """
        chords = chords_of(hotkeys, knows_own_keys=False)
        self._do(self._running(), lambda: self._use(chords))

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``."""
        chords = chords_of(hotkeys, knows_own_keys=False)
        inbox = self._inbox
        if inbox is not None:
            self._do(inbox, lambda: self._check(chords))

    def _do(self, inbox: Inbox, command: Callable[[], None]) -> None:
        answer = inbox.put(command)
        try:
            answer.result(_ANSWER_S)
        except (CancelledError, TimeoutError) as exc:
            answer.cancel()  # or else it may be done after it was said that it cannot be
            raise _unresponsive() from exc
        except LOST as exc:
            raise _lost() from exc

    def watch_escape(self, is_wanted: bool) -> None:
        """Report Escape, and take it from the focused program, only while a take runs. Returns at once."""
        if self._inbox is not None:
            self._inbox.put(lambda: self._watch_escape(is_wanted))

    def stop(self) -> None:
        """Stop listening and give every key back. Safe to call twice."""
        thread, self._thread = self._thread, None
        inbox, self._inbox = self._inbox, None
        if thread is not None and inbox is not None:
            thread.may_end()
            inbox.put(_nothing)  # wakes the thread
            thread.join(5.0)
            inbox.close()

    def has_died(self) -> bool:
        """Whether the thread ended without being told to. Any thread."""
        thread = self._thread
        return thread is not None and thread.has_died()

    def piece(self) -> int | None:
        """The number of the exchange with the X server that is under way; None between them. Any thread."""
        thread = self._thread
        return thread.piece() if thread is not None else None

    def own_pieces(self) -> int:
        """How many it has begun of its own accord, in all. Any thread."""
        thread = self._thread
        return thread.own_pieces() if thread is not None else 0

    def revive(self) -> None:
        """See ``HotkeyListener``."""
        self._post(HotkeysDied())

    def _running(self) -> Inbox:
        """The inbox of the thread, which is started if it is not running."""
        inbox = self._inbox
        if inbox is not None and not inbox.is_over and self._thread is not None and self._thread.is_alive():
            return inbox
        self.stop()
        inbox = self._inbox = Inbox()
        thread = self._thread = WatchedThread("hotkeys", lambda: self._run(thread, inbox))
        thread.start()
        return inbox

    # --- the thread --------------------------------------------------------------------------------

    def _use(self, chords: Sequence[Chord]) -> None:
        if self._session is None:
            raise _unresponsive()
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

    def _run(self, thread: WatchedThread, inbox: Inbox) -> None:
        try:
            failure = self._supervise(thread, inbox)
        except Exception:
            logger.exception("the thread of the hotkeys failed")
            failure = HandyError("The hotkeys stopped working.", "Start the program again.")
            self._give_up(inbox, failure)
        inbox.reject(failure or _unresponsive())

    def _give_up(self, inbox: Inbox, failure: HandyError) -> None:
        """Whoever hears of it may start again at once, and must not get the inbox of the thread that ends."""
        inbox.reject(failure)
        self._post(HotkeysFailed(failure))

    def _supervise(self, thread: WatchedThread, inbox: Inbox) -> HandyError | None:
        """Connect, listen, and come back when the connection breaks. Returns why it gave up, if it did."""
        is_first, delays = True, iter(self._retry_s)
        while not thread.is_ending():
            thread.begin()
            failure = self._connect()
            if failure is None:
                is_first, delays = False, iter(self._retry_s)
                if self._listen(thread, inbox):
                    return None
                failure = _lost()
            if is_first:
                return failure  # whoever called start() gets it
            delay_s = next(delays, None)
            if delay_s is None:
                self._give_up(inbox, failure)
                return failure
            logger.info("connecting to the X server again in %.1f s", delay_s)
            thread.end()
            select.select([inbox.fileno()], [], [], delay_s)
            inbox.run()
        return None

    def _connect(self) -> HandyError | None:
        try:
            self._session = Session(self._display, self._post, self._was_injecting)
            self._session.use(self._chords)
            self._session.watch_escape(self._is_escape_wanted)
        except HandyError as exc:
            self._disconnect()
            return exc
        except LOST:
            self._disconnect()
            return _lost()
        return None

    def _listen(self, thread: WatchedThread, inbox: Inbox) -> bool:
        """Serve until told to stop (True) or until the connection is lost (False)."""
        session = self._session
        assert session is not None
        try:
            session.drain()
            while not thread.is_ending():
                thread.end()
                select.select([*session.filenos(), inbox.fileno()], [], [], session.timeout_s())
                thread.begin()
                session.drain()  # keys pressed before a command was given come before it
                inbox.run()
                # Once more: commands and checks leave events in python-xlib's own buffer, which select
                # does not see; and what a key has done counts before what its state is now.
                session.drain()
                session.check()
                session.drain()
        except LOST:
            return False
        else:
            return True
        finally:
            self._disconnect()

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.let_go()
            session.close()


def _nothing() -> None:
    """What is put into the inbox to wake the thread."""


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
