"""The X11 backend: focus, keyboard and clipboard put together.

Threads: see ``Backend``. The keyboard has a connection of its own for the worker's thread, and so has
what fetches other programs' clipboards; ours has one for its own thread, and the focus one behind a lock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from handy_qwen.core.types import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.insert.backend import Deadline, Injection, Inserted, no_focus
from handy_qwen.system.x11 import keymap as km
from handy_qwen.system.x11 import windows
from handy_qwen.system.x11.clipboard import Clipboard, Offer
from handy_qwen.system.x11.connection import connect, guarded
from handy_qwen.system.x11.keyboard import HeldModifiers, Keyboard, Pause
from handy_qwen.system.x11.snapshot import SELECTIONS, SelectionCache, Snapshot
from handy_qwen.system.x11.windows import FocusedWindow, FocusReader, is_terminal

logger = logging.getLogger(__name__)

RELEASE_WAIT_S = 1.0  # how long the user may take to let go of the hotkey
FETCH_WAIT_S = 4.0  # how long a window may take to fetch what is pasted
POLL_S = 0.05
SUBMIT_PAUSE_S = 0.04  # programs of several processes hand text and key on by different ways
REST_AFTER_S = 10.0  # a window that was stuck for a while still finds the characters on their keys
CHORDS = {
    Submit.ENTER: (km.RETURN,),
    Submit.CTRL_ENTER: (km.CONTROL_L, km.RETURN),
    Submit.SUPER_ENTER: (km.SUPER_L, km.RETURN),
}


class X11:
    """One X server. Implements ``Backend``."""

    def __init__(
        self,
        display: str,
        pause: Pause,
        *,
        release_wait_s: float = RELEASE_WAIT_S,
        may_release: Callable[[], bool] = lambda: True,
    ) -> None:
        """Connect to ``display``.

        Args:
            display: ``:0``, say.
            pause: Waits for so many seconds, or until the program ends.
            release_wait_s: How long the user is given to let modifiers go.
            may_release: Whether those still held then may be released; while not, they are waited for.

        Raises:
            InsertError: The X server cannot be reached, or lacks what is needed.
        """
        self._pause = pause
        self._release_wait_s = release_wait_s
        self._may_release = may_release
        self._injection = Injection()
        self._focus = FocusReader(display)
        self._connection = connect(display)
        self._keyboard = Keyboard(self._connection, self._injection, pause)
        self._clipboard = Clipboard(display)
        self._display = display
        self._keeper: SelectionCache | None = None  # made when first needed, and anew after a failure
        self._typed_at_s = 0.0

    @property
    def clipboard_thread(self) -> WatchedThread:
        """The thread that serves the clipboard."""
        return self._clipboard.thread

    def focused(self) -> Target:
        """The window with the focus."""
        return self._focus.target()

    def prepare(self, is_awaited: Callable[[], bool]) -> None:
        """Fetch what is on the clipboard."""
        if self._keeper is not None:
            self._keeper.try_again()
        self._fetch(SELECTIONS, Deadline(is_awaited))

    def type_text(self, text: str) -> Inserted:
        """Type ``text`` into the focused window.

        Raises:
            InsertError: Nothing was typed.
        """
        place, held = self._place()
        self._typed_at_s = time.monotonic()
        arrived = self._keyboard.type_text(
            text,
            is_there=place.still_is,
            let_go=lambda: held.let_go(self._release_wait_s, self._pause),
            keep_up=held.are_up,
            barrier=lambda: windows.wait_for_window(self._connection, place.window, self._pause),
        )
        self._typed_at_s = time.monotonic()
        return arrived

    def paste_text(self, text: str) -> Inserted:
        """Paste ``text`` into the focused window.

        Raises:
            InsertError: Nothing was sent.
        """
        place, held = self._place()
        window = place.window
        application = self._focus.target().application
        with_primary = is_terminal(application) or not self._clipboard.primary_belongs_to(window)
        kept = self._fetch(SELECTIONS if with_primary else SELECTIONS[:1], Deadline())
        offer = self._clipboard.offer(text, window, kept)
        try:
            offer.is_armed = True
            self._keyboard.chord(km.SHIFT_L, km.INSERT, is_there=place.still_is, keep_up=held.are_up)
        except InsertError:
            self._clipboard.withdraw(offer)
            raise
        if not self._is_fetched(offer):
            try:
                self._clipboard.leave(offer)
            except InsertError as problem:  # it has been sent all the same
                logger.info("the text did not stay on the clipboard: %s", problem.reason.name)
            return Inserted(None, may_copy=not self._has_been_replaced(offer, text))
        return Inserted(len(text))

    def copy(self, text: str) -> None:
        """Leave ``text`` on the clipboard.

        Raises:
            InsertError: The clipboard cannot be had.
        """
        self._clipboard.copy(text)

    def submit(self, submit: Submit) -> None:
        """Press the key after the text.

        Raises:
            InsertError: It cannot be pressed.
        """
        if submit in CHORDS:
            self._pause(SUBMIT_PAUSE_S)
            place, held = self._place()
            self._keyboard.chord(*CHORDS[submit], is_there=place.still_is, keep_up=held.are_up)

    def rest(self, is_idle: bool) -> float | None:
        """Take the characters off the spare keycodes when typing is long over."""
        if self._keyboard.is_resting:
            return None
        left = self._typed_at_s + REST_AFTER_S - time.monotonic()
        if left > 0 or not is_idle:
            return max(left, 1.0)
        self._keyboard.rest()
        return None

    def was_injecting(self, at_s: float) -> bool:
        """Whether an XTEST event of ``at_s`` may be ours."""
        return self._injection.was_injecting(at_s)

    def close(self) -> None:
        """Give the connections back, the clipboard's last."""
        try:
            self._keyboard.rest()
        except InsertError as problem:
            logger.debug("spare keys were not freed: %s", problem.reason.name)
        self._clipboard.close(3.0)
        if self._keeper is not None:
            self._keeper.close()
        self._focus.close()
        with guarded("Closing the connection"):
            self._connection.close()

    def _place(self) -> tuple[FocusedWindow, HeldModifiers]:
        """Where the keys go, once the user has let go of his own; and how to keep those up.

        Raises:
            InsertError: No window has the focus, or another one since.
        """
        with guarded("Looking at the keyboard"):
            place = FocusedWindow(self._connection)
            if not place.window:
                raise no_focus()
            held = HeldModifiers(self._keyboard, self._may_release)
            held.let_go(self._release_wait_s, self._pause)
            if not place.still_is():
                raise no_focus()
        return place, held

    def _fetch(self, selections: Sequence[str], patience: Deadline) -> dict[str, Snapshot]:
        """What is on ``selections``.

        Raises:
            InsertError: It cannot be had, or not in time.
        """
        try:
            if self._keeper is None:
                self._keeper = SelectionCache(connect(self._display))
            return self._keeper.fetch(selections, self._clipboard.window, patience)
        except InsertError as problem:
            if problem.reason is not InsertReason.CLIPBOARD_IN_USE and self._keeper is not None:
                self._keeper.close()
                self._keeper = None
            raise

    def _has_been_replaced(self, offer: Offer, text: str) -> bool:
        """Whether the user has copied something instead: managers may take over the text that they see."""
        if not offer.lost.is_set():
            return False
        try:
            there = self._fetch(SELECTIONS[:1], Deadline())[SELECTIONS[0]]
        except InsertError:
            return True
        values = there.content.values.values() if there.content else ()
        return bool(there.owner) and all(value.data != text.encode() for value in values)

    def _is_fetched(self, offer: Offer) -> bool:
        end = time.monotonic() + FETCH_WAIT_S
        while not offer.fetched.wait(POLL_S):
            if offer.lost.is_set() or time.monotonic() > end:
                return offer.fetched.is_set()
        return True
