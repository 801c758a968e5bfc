"""What the listeners of Windows and macOS have in common: a hook, a tracker, and a second look at the keys.

Threads: the system calls ``saw`` on the hook's thread, which must return at once; a thread of our own,
``hotkeys``, compares with the real key state every 100 ms while a hotkey is down, and sleeps
otherwise. Both go through one lock.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from handy_qwen.core.events import Event, HotkeysFailed
from handy_qwen.core.ports import Post
from handy_qwen.core.types import Hotkey
from handy_qwen.errors import HandyError
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.hotkeys.chord import MODIFIERS, SIDES, Chord, chords_of, missing_key
from handy_qwen.system.hotkeys.tracker import Binding, IsDown, Tracker

logger = logging.getLogger(__name__)

RECONCILE_S = 0.1
Codes = Callable[[str], frozenset[int]]
"""The codes of the key with this name on this system; none if it has no such key."""


class HookedKeys:
    """The hotkeys of a system that shows every key to a hook.

    Args:
        post: Takes the events.
        codes: Translates names of keys.
        is_down: Asks the system for the real state of a key.
        knows_swallowed: Whether that state includes keys which the focused program did not get.
    """

    def __init__(self, post: Post, codes: Codes, is_down: IsDown, *, knows_swallowed: bool) -> None:
        self._post = post
        self._codes = codes
        self._system_is_down = is_down
        self._knows_swallowed = knows_swallowed
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._masked: set[int] = set()
        self._swallowed: set[int] = set()
        self._bindings: tuple[Binding, ...] = ()
        self._is_escape_wanted = False
        self._tracker = self._new_tracker()
        self._thread = WatchedThread("hotkeys", self._run)

    def use(self, hotkeys: Sequence[Hotkey]) -> None:
        """Listen for ``hotkeys`` instead of those listened for until now.

        Raises:
            HotkeyError: INVALID: no such key here, or one hotkey twice.
        """
        bindings = self.bindings(hotkeys)
        with self._lock:
            self._report(self._tracker.let_go(time.monotonic()))
            self._bindings = bindings
            self._tracker = self._new_tracker()
            self._tracker.is_escape_watched = self._is_escape_wanted

    def bindings(self, hotkeys: Sequence[Hotkey]) -> tuple[Binding, ...]:
        """``hotkeys`` in the codes of this system.

        Raises:
            HotkeyError: INVALID: no such key here, or one hotkey twice.
        """
        chords = chords_of(hotkeys, knows_own_keys=True)
        return tuple(self._binding(place, chord) for place, chord in enumerate(chords))

    def watch_escape(self, is_wanted: bool) -> None:
        """Report Escape and swallow it, or no longer."""
        with self._lock:
            self._is_escape_wanted = is_wanted
            self._tracker.is_escape_watched = is_wanted

    def saw(self, code: int, *, is_press: bool, is_ours: bool) -> bool:
        """The hook saw a key or a mouse button (a negative code). Called on the hook's thread.

        Args:
            code: The key.
            is_press: Down, as opposed to up; a repeat counts as down.
            is_ours: This program sent it. It is not the user's, and from now on the system's idea of
                this key is not the finger's, until the user moves that.

        Returns:
            Whether the focused program must not get it.
        """
        now_s = time.monotonic()
        with self._lock:
            if is_ours:
                self._masked.add(code)
                return False
            self._masked.discard(code)
            if not is_press:
                self._report(self._tracker.release(code, now_s))
                is_swallowed = code in self._swallowed
                self._swallowed.discard(code)
                return is_swallowed
            is_repeat = self._tracker.is_held(code)
            events = self._tracker.press(code, now_s)
            if not is_repeat and self._must_swallow(code, events):
                self._swallowed.add(code)
            self._report(events)
            return code in self._swallowed

    def watch(self) -> None:
        """Begin to look at the real key state while a hotkey is down."""
        if not self._thread.is_alive():
            self._thread = WatchedThread("hotkeys", self._run)
            self._thread.start()

    def has_died(self) -> bool:
        """Whether the thread ended without being told to. Any thread."""
        return self._thread.has_died()

    def piece(self) -> int | None:
        """The number of the look at the keys that is under way; None between looks. Any thread."""
        return self._thread.piece()

    def own_pieces(self) -> int:
        """How many it has begun of its own accord, in all. Any thread."""
        return self._thread.own_pieces()

    def stop(self) -> None:
        """Let every hotkey go and end the thread. Safe to call twice."""
        with self._lock:
            self._report(self._tracker.let_go(time.monotonic()))
            self._thread.may_end()
            self._changed.notify_all()
        self._thread.join(2.0)

    def _run(self) -> None:
        try:
            while self._look_again():
                pass
        except Exception:
            logger.exception("the thread of the hotkeys failed")
            problem = HandyError("The hotkeys stopped working.", "Start the program again.")
            self._post(HotkeysFailed(problem))

    def _look_again(self) -> bool:
        thread = self._thread
        with self._lock:
            self._changed.wait_for(lambda: thread.is_ending() or self._tracker.is_hotkey_down)
            self._changed.wait_for(thread.is_ending, timeout=RECONCILE_S)
            thread.begin()
            if not thread.is_ending():
                self._report(self._tracker.reconcile(time.monotonic()))
            thread.end()
            return not thread.is_ending()

    def _report(self, events: Sequence[Event]) -> None:
        """Post ``events``. The lock is held; ``post`` never blocks."""
        for event in events:
            self._post(event)
        if events:
            self._changed.notify_all()

    def _must_swallow(self, code: int, events: Sequence[Event]) -> bool:
        """Whether this press was a hotkey with a key, or the Escape that cancels: nobody else's business."""
        fired = {event.hotkey for event in events if hasattr(event, "hotkey")}
        is_chord = any(binding.hotkey in fired and code in binding.key for binding in self._bindings)
        return is_chord or (code in self._codes("escape") and any(not hasattr(e, "hotkey") for e in events))

    def _is_down(self, code: int) -> bool:
        is_unknown = code in self._masked or (code in self._swallowed and not self._knows_swallowed)
        return is_unknown or self._system_is_down(code)

    def _new_tracker(self) -> Tracker:
        modifiers = frozenset[int]().union(*(self._all_codes(name) for name in MODIFIERS))
        escape = self._codes("escape")
        return Tracker(self._bindings, modifiers=modifiers, escape=escape, is_down=self._is_down)

    def _all_codes(self, name: str) -> frozenset[int]:
        return frozenset[int]().union(*(self._codes(side) for side in SIDES.get(name, (name,))))

    def _binding(self, place: int, chord: Chord) -> Binding:
        members = {name: self._all_codes(name) for name in chord.names}
        for name, codes in members.items():
            if not codes:
                raise missing_key(name)
        modifiers = tuple(members[name] for name in chord.modifiers)
        return Binding(place, modifiers, members[chord.key] if chord.key else frozenset())
