"""The X11 backend: focus, keyboard and clipboard put together.

How text gets in was decided by trying (Xvfb, openbox; Qt 6, GTK 3, xterm; us, de, fr, ru). Ctrl+V
means nothing to a terminal and does not exist on a layout without Latin letters; Shift+Insert works
everywhere, but terminals then take PRIMARY. Typing needs keycodes for what the layout lacks, and
each change of those makes every program on the desktop read the keyboard again: it is the second
choice. A delay before the old clipboard comes back loses against a slow window, whatever the delay;
so we wait for that window's own request.

Threads: see ``Backend``. The keyboard and what fetches other programs' clipboards each have a connection
for the worker's thread, the clipboard has one for its own thread, and the focus one behind a lock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from handy_qwen.core.types import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.insert.backend import Deadline, Injection, Inserted
from handy_qwen.system.x11 import keymap as km
from handy_qwen.system.x11.clipboard import Clipboard, Offer
from handy_qwen.system.x11.connection import Pause, connect, disconnect
from handy_qwen.system.x11.keyboard import RELEASE_WAIT_S, Keyboard
from handy_qwen.system.x11.snapshot import SELECTIONS, SelectionCache, Snapshot
from handy_qwen.system.x11.windows import FocusReader, is_terminal

logger = logging.getLogger(__name__)

FETCH_WAIT_S = 4.0  # how long a window may take to fetch what is pasted
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
        """Connect to ``display`` (``:0``, say). For the other arguments see ``Keyboard``.

        Raises:
            InsertError: The X server cannot be reached, or lacks what is needed.
        """
        self._pause = pause
        self._injection = Injection()
        self._focus = FocusReader(display)
        self._connection = connect(display)
        self._keyboard = Keyboard(
            self._connection, self._injection, pause, release_wait_s=release_wait_s, may_release=may_release
        )
        self._clipboard = Clipboard(display)
        self._display = display
        self._cache: SelectionCache | None = None  # made when first needed, and anew after a failure
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
        if self._cache is not None:
            self._cache.try_again()
        self._fetch(SELECTIONS, Deadline(is_awaited))

    def type_text(self, text: str) -> Inserted:
        """See ``Backend``."""
        window = self._keyboard.wait_for_window()
        self._typed_at_s = time.monotonic()
        arrived = self._keyboard.type_text(text, window)
        self._typed_at_s = time.monotonic()
        return arrived

    def paste_text(self, text: str) -> Inserted:
        """See ``Backend``."""
        window = self._keyboard.wait_for_window()
        application = self._focus.target().application
        # A text field with marked text owns PRIMARY. If that were taken, the field would drop the mark, and
        # the text would not be replaced.
        with_primary = is_terminal(application) or not self._clipboard.primary_belongs_to(window.window)
        kept = self._fetch(SELECTIONS if with_primary else SELECTIONS[:1], Deadline())
        offer = self._clipboard.offer(text, window.window, kept)
        try:
            offer.is_armed = True
            self._keyboard.chord(km.SHIFT_L, km.INSERT, window=window)
        except InsertError:
            self._clipboard.withdraw(offer)
            raise
        offer.settled.wait(FETCH_WAIT_S)
        if not offer.is_fetched:
            try:
                self._clipboard.leave(offer)
            except InsertError as problem:  # it has been sent all the same
                logger.info("the text did not stay on the clipboard: %s", problem.reason.name)
            return Inserted(None, may_copy=not self._has_been_replaced(offer, text))
        return Inserted(len(text))

    def copy(self, text: str) -> None:
        """See ``Backend``."""
        self._clipboard.copy(text)

    def submit(self, submit: Submit) -> None:
        """See ``Backend``."""
        if submit in CHORDS:
            self._pause(SUBMIT_PAUSE_S)
            self._keyboard.chord(*CHORDS[submit], window=self._keyboard.wait_for_window())

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
        if self._cache is not None:
            self._cache.close()
        self._focus.close()
        disconnect(self._connection)

    def _fetch(self, selections: Sequence[str], deadline: Deadline) -> dict[str, Snapshot]:
        """What is on ``selections``; raises if it cannot be had in time."""
        try:
            if self._cache is None:
                self._cache = SelectionCache(connect(self._display))
            return self._cache.fetch(selections, self._clipboard.window, deadline)
        except InsertError as problem:
            if problem.reason is not InsertReason.CLIPBOARD_IN_USE and self._cache is not None:
                self._cache.close()
                self._cache = None
            raise

    def _has_been_replaced(self, offer: Offer, text: str) -> bool:
        """Whether the user has copied something instead: managers may take over the text that they see."""
        if not offer.is_lost:
            return False
        try:
            there = self._fetch(SELECTIONS[:1], Deadline())[SELECTIONS[0]]
        except InsertError:
            return True
        values = there.content.values() if there.content else ()
        return bool(there.owner) and all(value.data != text.encode() for value in values)
