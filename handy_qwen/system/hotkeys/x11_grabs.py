"""Takes chords away from the focused program on X11, and gives the keyboard back at once.

A passive grab turns into an active one when its key goes down, and then swallows every key until that
one comes up, also those by which a text is being typed into the focused window. So the keyboard is
let go as soon as the raw event of the press has arrived, within about a millisecond. The press itself
is swallowed; so is each auto-repeat, which activates the grab anew; to spare the focused window that
flicker, the first repeat is answered with the tap of a keycode without meaning, after which the server
repeats no more. What reaches the focused program in the end is one release without a press, and two
short FocusOut/FocusIn pairs.

Decided against GrabModeSync with replay, which would not even lose a key that falls between the press
and the letting go: if this program hangs then, every keyboard of the desktop is frozen.

Escape stays grabbed until it comes up, since by then it may not be watched any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from Xlib import X, error
from Xlib.display import Display

from handy_qwen.system.hotkeys.x11_wire import tap_key

logger = logging.getLogger(__name__)

Grab = tuple[int, int]
"""A keycode and a modifier mask, without locks."""


class Grabs:
    """The grabs of one connection, which is used for nothing else.

    Args:
        display: The connection (Xlib.display.Display).
        is_ours: Whether this program was typing when the server stamped an event with these milliseconds.
        on_caught: Called when a press has activated a grab, before it is looked whether ``pressed`` was told.
    """

    def __init__(
        self, display: Display, is_ours: Callable[[int], bool], on_caught: Callable[[], None]
    ) -> None:
        self._display = display
        self._root = display.screen().root
        self._is_ours = is_ours
        self._on_caught = on_caught
        self._grabbed: dict[Grab, tuple[int, ...]] = {}
        self._escape: dict[Grab, tuple[int, ...]] = {}
        self._fresh: set[int] = set()

    def replace(self, wanted: Iterable[Grab], lock_masks: Iterable[int]) -> Grab | None:
        """Hold ``wanted`` and nothing else. If another program holds one, return that and change nothing."""
        wanted, locks = set(wanted), tuple(lock_masks)
        added: list[Grab] = []
        for grab in sorted(wanted):
            if self._grabbed.get(grab) == locks:
                continue
            if not self._take(grab, locks):
                for other in added:
                    self._release(other, locks)
                return grab
            added.append(grab)
        for grab, old_locks in list(self._grabbed.items()):
            if grab not in wanted:
                self._release(grab, old_locks)
        self._grabbed = dict.fromkeys(wanted, locks)
        self._display.sync()
        return None

    def is_free(self, grab: Grab, lock_masks: Iterable[int]) -> bool:
        """Whether no other program holds ``grab``. Found out by taking it for a moment."""
        locks = tuple(lock_masks)
        is_taken = self._take(grab, locks)
        if is_taken and grab not in self._grabbed:
            self._release(grab, locks)
        return is_taken

    def watch_escape(self, grabs: Iterable[Grab], lock_masks: Iterable[int]) -> None:
        """Take Escape with these modifiers away from the focused program; no grabs: give it back.

        A combination that another program holds is left to it: Escape is heard all the same.
        """
        wanted = dict.fromkeys(grabs, tuple(lock_masks))
        if wanted == self._escape:
            return
        for grab, locks in self._escape.items():
            if grab not in wanted and grab not in self._grabbed:
                self._release(grab, locks)
        for grab, locks in wanted.items():
            if grab not in self._escape and not self._take(grab, locks):
                logger.info("another program holds Escape with modifiers %#x", grab[1])
        self._escape = wanted
        self._display.sync()

    def pressed(self, code: int) -> None:
        """The key ``code`` really went down: undo the grab that this activated, and wait for it."""
        if any(code == grabbed for grabbed, _ in self._grabbed):
            self._fresh.add(code)
            self._display.ungrab_keyboard(X.CurrentTime)
            self._display.sync()

    def drain(self) -> None:
        """Take in what the grabs have caught.

        Raises:
            Xlib.error.ConnectionClosedError: The X server is gone.
        """
        while self._display.pending_events():
            event = self._display.next_event()
            if event.type != X.KeyPress or all(event.detail != code for code, _ in self._grabbed):
                continue
            self._on_caught()
            if event.detail in self._fresh:  # the press that has been dealt with
                self._fresh.discard(event.detail)
                continue
            if not self._is_ours(event.time):
                tap_key(self._display, self._display.display.info.max_keycode)
            self._display.ungrab_keyboard(X.CurrentTime)
            self._display.flush()

    def _take(self, grab: Grab, locks: tuple[int, ...]) -> bool:
        code, mask = grab
        catch = error.CatchError(error.BadAccess)
        for lock in locks:
            self._root.grab_key(code, mask | lock, True, X.GrabModeAsync, X.GrabModeAsync, onerror=catch)
        self._display.sync()
        if catch.get_error() is None:
            return True
        if grab not in self._grabbed:
            self._release(grab, locks)
        return False

    def _release(self, grab: Grab, locks: tuple[int, ...]) -> None:
        code, mask = grab
        for lock in locks:
            self._root.ungrab_key(code, mask | lock)
