"""One connection to the X server: what is listened for, and what was heard. See x11.py.

Threads: everything here is for the thread ``hotkeys``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from Xlib import X, error
from Xlib.display import Display
from Xlib.ext import xinput
from Xlib.ext.ge import GenericEventCode
from Xlib.protocol import rq

from handy_qwen.core.events import Event, KeyDown
from handy_qwen.core.ports import Post
from handy_qwen.errors import HotkeyError, HotkeyReason, InsertError
from handy_qwen.system.hotkeys.chord import Chord, parse_chord
from handy_qwen.system.hotkeys.tracker import Tracker
from handy_qwen.system.x11.keymap import NamedKeys
from handy_qwen.system.x11.xinput import (
    ServerClock,
    keyboards,
    keys_down,
    select_raw,
    server_time_ms,
    tap_key,
    xtest_devices,
)
from handy_qwen.system.x11.xkb import Locks

logger = logging.getLogger(__name__)

LOST = (error.ConnectionClosedError, OSError)
"""What python-xlib raises when the server is gone."""

RECONCILE_S = 0.1
CONFIRM_S = 0.02
_PATIENCE_S = 5.0  # no keyboard filter holds a press back for longer; its release may have been lost
_REMAP_S = 0.1  # keyboard mappings change in bursts
_SPARE_CHORDS = ("ctrl_r", "f9", "pause", "ctrl+alt+d", "ctrl+super+d", "scroll_lock", "shift+f9", "f8")


class Session:
    """Both connections, and all that lasts no longer than they do.

    Args:
        name: The X display; None: that of the environment.
        post: Takes the events.
        was_injecting: Whether this program was typing into a window at a time (``time.monotonic()``).

    Raises:
        HotkeyError: UNSUPPORTED_DESKTOP: there is no X server, or one without X Input 2.1.
    """

    def __init__(self, name: str | None, post: Post, was_injecting: Callable[[float], bool]) -> None:
        self._post = post
        self._was_injecting = was_injecting
        self._clock = ServerClock()
        self._sources: dict[int, set[int]] = {}  # keycode -> the devices it is down on
        self._pending: dict[int, float] = {}  # pressed at, and not accepted by Slow Keys or Bounce Keys yet
        self._hotkey_of: dict[Grab, int] = {}
        self._chords: tuple[Chord, ...] = ()
        self._is_escape_wanted = False
        self._remap_at_s: float | None = None
        self._ears, self._mouth = _connect(name)
        try:
            self._clock.at_s(server_time_ms(self._ears), time.monotonic())
            self._select()
            self._ignored = self._mouth.display.info.max_keycode
            self._xtest = xtest_devices(self._ears)
            self._locks = _locks(self._ears)
            self._grabs = Grabs(self._mouth, self._is_ours, self._has_caught)
            self._keymap = NamedKeys(self._ears)
            self._tracker = self._new_tracker(self._keymap, ())
        except BaseException:
            self.close()
            raise

    def _select(self) -> None:
        if not select_raw(self._ears):
            raise _unsupported("The X server has no X Input 2.1.")

    def filenos(self) -> list[int]:
        """What to select on."""
        return [self._ears.fileno(), self._mouth.fileno()]

    def timeout_s(self) -> float | None:
        """How long to wait for events before calling ``check``; None: for ever."""
        if self._pending:
            return CONFIRM_S
        is_busy = self._tracker.is_hotkey_down or self._remap_at_s is not None
        return RECONCILE_S if is_busy else None

    def use(self, chords: Sequence[Chord]) -> None:
        """Listen for ``chords`` instead of those listened for until now.

        Raises:
            HotkeyError: TAKEN, or INVALID on this keyboard. What was listened for before still is.
        """
        keymap = NamedKeys(self._ears)
        tracker = self._new_tracker(keymap, chords)
        owner = {grab: chord for chord in chords for grab in _grabs(keymap, chord)}
        taken = self._grabs.replace(owner, keymap.lock_masks())
        if taken is not None:
            raise self._taken(owner[taken], chords, keymap)
        self.let_go()
        tracker.assume(self._held_modifiers(keymap), time.monotonic())
        self._keymap, self._tracker, self._chords = keymap, tracker, tuple(chords)
        self._hotkey_of = {grab: chords.index(chord) for grab, chord in owner.items()}
        self._apply_escape()

    def check_free(self, chords: Sequence[Chord]) -> None:
        """See whether ``use`` would take ``chords``.

        Raises:
            HotkeyError: TAKEN, or INVALID on this keyboard.
        """
        keymap = NamedKeys(self._ears)
        locks = keymap.lock_masks()
        for place, chord in enumerate(chords):
            keymap.binding(place, chord)
            if not all(self._grabs.is_free(grab, locks) for grab in _grabs(keymap, chord)):
                raise self._taken(chord, chords, keymap)

    def watch_escape(self, is_wanted: bool) -> None:
        """Report Escape and take it away from the focused program, or no longer."""
        self._is_escape_wanted = is_wanted
        self._apply_escape()

    def drain(self) -> None:
        """Take in everything that has come.

        Raises:
            Xlib.error.ConnectionClosedError: The X server is gone.
        """
        self._drain_ears()
        self._grabs.drain()

    def _drain_ears(self) -> None:
        while self._ears.pending_events():
            event = self._ears.next_event()
            if event.type == X.MappingNotify:
                self._remap_at_s = self._remap_at_s or time.monotonic() + _REMAP_S
            elif event.type == GenericEventCode:
                self._hear(event.evtype, event.data)
            elif self._locks is not None and event.type == self._locks.event_code:
                self._confirm()  # what a key has done it has done after it was accepted
                if self._locks.hear(event):
                    self._remap_at_s = self._remap_at_s or time.monotonic() + _REMAP_S

    def check(self) -> None:
        """Look for presses that were accepted, releases that were lost, and a layout that changed."""
        self._confirm()
        now_s = time.monotonic()
        if self._tracker.is_hotkey_down:
            missing = self._tracker.missing(now_s)
            if missing:
                self.drain()  # the release may be under way: it came before the answer about the state
                self._report(self._tracker.forget(missing, now_s))
        if self._remap_at_s is not None and now_s >= self._remap_at_s and not self._was_injecting(now_s):
            self._remap_at_s = None
            self._follow_layout()

    def let_go(self) -> None:
        """Report every hotkey that is down as up."""
        self._report(self._tracker.let_go(time.monotonic()))

    def close(self) -> None:
        """Give the connections back."""
        for display in (self._ears, self._mouth):
            try:
                display.close()
            except LOST:
                logger.debug("the connection was closed already")

    def _hear(self, kind: int, data: rq.DictWrapper) -> None:
        code, source = int(data["detail"]), int(data["sourceid"])
        is_button = kind in (xinput.RawButtonPress, xinput.RawButtonRelease)
        at_s = self._clock.at_s(int(data["time"]), time.monotonic())
        if source in self._xtest and (self._was_injecting(at_s) or code == self._ignored):
            return
        key = -code if is_button else code
        sources = self._sources.setdefault(key, set())
        if kind in (xinput.RawKeyRelease, xinput.RawButtonRelease):
            sources.discard(source)
            if not sources:
                self._pending.pop(key, None)
                self._report(self._tracker.release(key, at_s))
            return
        if sources - {source}:
            sources = self._sources[key] = {one for one in sources if key in keys_down(self._ears, one)}
            if source in self._xtest and sources - self._xtest:
                return  # a finger is on that key; the release of the program that pressed it may never come
        sources.add(source)
        if not is_button and self._locks is not None and self._locks.is_filtering:
            self._pending[key] = at_s
        else:
            self._press(key, at_s)

    def _confirm(self) -> None:
        """Take in the presses that the server has accepted by now, and forget those it never will."""
        now_s = time.monotonic()
        for key, since_s in list(self._pending.items()):
            if self._is_down(key) and self._pending.pop(key, None) is not None:
                self._press(key, now_s)
            elif now_s - since_s > _PATIENCE_S:
                self._pending.pop(key, None)

    def _press(self, key: int, at_s: float) -> None:
        if key > 0:
            self._grabs.pressed(key)  # before anybody hears of it and types
        events = self._tracker.press(key, at_s, self._latched_hotkey(key))
        if self._locks is not None:
            self._locks.leave(key)
            for event in events:
                if isinstance(event, KeyDown):
                    self._locks.undo(self._tracker.down_codes(event.hotkey))
        self._report(map(_as_injected, events) if self._sources.get(key, set()) <= self._xtest else events)

    def _latched_hotkey(self, key: int) -> int | None:
        """See ``Tracker.press``."""
        latched = self._locks.in_force & ~max(self._keymap.lock_masks()) if self._locks is not None else 0
        if not latched:
            return None
        return self._hotkey_of.get((key, latched | self._keymap.held_mask(self._tracker.held)), -1)

    def _has_caught(self) -> None:
        """A grab was activated. The raw event of that press came before, on the other connection."""
        self._ears.sync()
        self._drain_ears()
        self._confirm()

    def _is_ours(self, stamp_ms: int) -> bool:
        """Whether this program was typing when the server stamped an event so."""
        return self._was_injecting(self._clock.at_s(stamp_ms, time.monotonic()))

    def _report(self, events: Iterable[Event]) -> None:
        events = list(events)
        if events and self._is_escape_wanted:
            self._apply_escape()
        for event in events:
            self._post(event)

    def _apply_escape(self) -> None:
        self._tracker.is_escape_watched = self._is_escape_wanted
        masks = {0} | {self._keymap.mask(self._chords[hotkey]) for hotkey in self._tracker.hotkeys_down}
        grabs = {(code, mask) for code in self._keymap.escape for mask in masks}
        self._grabs.watch_escape(grabs if self._is_escape_wanted else (), self._keymap.lock_masks())

    def _follow_layout(self) -> None:
        """Go where the keys are now. Mostly nothing that matters here has moved, and nothing is disturbed."""
        try:
            if _places(NamedKeys(self._ears), self._chords) != _places(self._keymap, self._chords):
                self.use(self._chords)
        except HotkeyError as exc:
            logger.warning("after a change of the keyboard layout: %s", exc.title)

    def _new_tracker(self, keymap: NamedKeys, chords: Sequence[Chord]) -> Tracker:
        bindings = [keymap.binding(place, chord) for place, chord in enumerate(chords)]
        return Tracker(bindings, modifiers=keymap.modifiers, escape=keymap.escape, is_down=self._is_down)

    def _is_down(self, key: int) -> bool:
        if key < 0:  # a button; the core protocol tells the state of the first five
            mask = self._ears.screen().root.query_pointer().mask
            return bool(key >= -5 and mask & (X.Button1Mask << (-key - 1)))
        devices = self._sources.get(key) or keyboards(self._ears)
        return any(key in keys_down(self._ears, device) for device in devices)

    def _held_modifiers(self, keymap: NamedKeys) -> frozenset[int]:
        held = (keys_down(self._ears, device) for device in keyboards(self._ears))
        return frozenset().union(*held) & keymap.modifiers

    def _taken(self, chord: Chord, chords: Sequence[Chord], keymap: NamedKeys) -> HotkeyError:
        free = self._free_chord(chord, chords, keymap)
        hint = (
            f"{free.label('linux')} is free."
            if free
            else "A modifier alone, such as Right Ctrl, always works."
        )
        return HotkeyError(f"Another program uses {chord.label('linux')}.", HotkeyReason.TAKEN, hint)

    def _free_chord(self, chord: Chord, chords: Sequence[Chord], keymap: NamedKeys) -> Chord | None:
        """One that no program holds: the same key with other modifiers, or else a usual one."""
        variants = [f"{start}+{chord.key}" for start in ("ctrl+alt", "ctrl+super", "ctrl+alt+shift")]
        for proposal in map(parse_chord, (*variants, *_SPARE_CHORDS)):
            try:
                grabs = _grabs(keymap, proposal)
            except HotkeyError:
                continue  # this keyboard has no such key
            locks = keymap.lock_masks()
            if proposal not in chords and all(self._grabs.is_free(grab, locks) for grab in grabs):
                return proposal
        return None


def _connect(name: str | None) -> tuple[Display, Display]:
    displays: list[Display] = []
    try:
        for _ in range(2):
            display = Display(name)
            display.set_error_handler(_log_error)
            displays.append(display)
    except (error.DisplayError, *LOST) as exc:
        for display in displays:
            display.close()
        raise _unsupported("The X server cannot be reached.") from exc
    return displays[0], displays[1]


def _locks(display: Display) -> Locks | None:
    try:
        return Locks(display)
    except InsertError:  # a server for thin clients; it has none of what the extension brings
        logger.info("the X server has no keyboard extension")
        return None


def _log_error(problem: error.XError, _request: rq.Request) -> None:
    logger.debug("the X server refused: %s", type(problem).__name__)


def _grabs(keymap: NamedKeys, chord: Chord) -> list[Grab]:
    if chord.is_lone:
        return []
    mask = keymap.mask(chord)
    return [(code, mask) for code in keymap.binding(0, chord).key]


def _places(keymap: NamedKeys, chords: Sequence[Chord]) -> object:
    """Everything about a keyboard mapping that ``chords`` depend on."""
    bindings = [keymap.binding(0, chord) for chord in chords]
    grabs = [_grabs(keymap, chord) for chord in chords]
    return bindings, grabs, keymap.modifiers, keymap.escape, keymap.lock_masks()


def _as_injected(event: Event) -> Event:
    return replace(event, is_injected=True) if isinstance(event, KeyDown) else event


def _unsupported(problem: str) -> HotkeyError:
    return HotkeyError(
        f"Hotkeys do not work here: {problem}",
        HotkeyReason.UNSUPPORTED_DESKTOP,
        'Let your desktop run "handy-qwen start" and "handy-qwen stop" on a key of its own.',
    )


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
