"""The connections to the X server: which keys are observed, what was received, what is grabbed.

For the thread ``hotkeys``. See x11.py.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from Xlib import X, error
from Xlib.ext import xinput
from Xlib.ext.ge import GenericEventCode
from Xlib.protocol import rq
from Xlib.xobject.drawable import Window

from handy_qwen.core.events import Event, KeyDown
from handy_qwen.core.ports import Post
from handy_qwen.core.types import Captured, OnCaptured
from handy_qwen.errors import HotkeyError, HotkeyReason, InsertError
from handy_qwen.message import Message
from handy_qwen.system.hotkeys.chord import MODIFIERS, SIDES, SINGLE_KEYS, Chord, missing_key, parse_chord
from handy_qwen.system.hotkeys.own_keys import own_keys
from handy_qwen.system.hotkeys.tracker import Binding, Capture, Tracker
from handy_qwen.system.x11.connection import XObject, connect, disconnect
from handy_qwen.system.x11.extensions import (
    Locks,
    ServerClock,
    buttons_down,
    keyboards,
    keys_down,
    select_raw,
    xtest_devices,
)
from handy_qwen.system.x11.keymap import NamedKeys
from handy_qwen.system.x11.selection import Requestor

logger = logging.getLogger(__name__)

RECONCILE_S = 0.1
CONFIRM_S = 0.02
_PATIENCE_S = 5.0  # no keyboard filter delays a press for longer; its release may have been lost
_REMAP_S = 0.1  # keyboard maps change in bursts
_SPARE_CHORDS = ("ctrl_r", "f9", "pause", "ctrl+alt+d", "ctrl+super+d", "scroll_lock", "shift+f9", "f8")

_SIDE_BUTTONS = {f"mouse{n}": n + 4 for n in range(4, 13)}  # the wheel's numbers are in between
_SIDE_BUTTONS |= {"wheel_left": 6, "wheel_right": 7}
_FIRST_SIDE_BUTTON = min(_SIDE_BUTTONS.values())

Grab = tuple[int, int]  # a keycode, or a negative button, and a modifier mask, without locks


class Session:
    """Both connections to the X display ``name``, and their state. Methods may raise ``LOST``.

    Raises HotkeyError: UNSUPPORTED_DESKTOP, no X server, or one without X Input 2.1.
    """

    def __init__(self, name: str, post: Post, was_injecting: Callable[[float], bool]) -> None:
        self._post = post
        self._was_injecting = was_injecting
        self._clock = ServerClock()
        self._sources: dict[int, set[int]] = {}  # keycode -> the devices that hold it down
        self._pending: dict[int, float] = {}  # time of the press, not yet past Slow Keys or Bounce Keys
        self._hotkey_of: dict[Grab, int] = {}
        self._chords: tuple[Chord, ...] = ()
        self._is_escape_wanted, self._lock_key = False, ""
        self._capture: Capture | None = None
        self._names: dict[int, str] = {}  # of the keys, while a new hotkey is recorded
        self._remap_at_s: float | None = None
        self._connections: list[XObject] = []
        try:
            self._open(name)
        except InsertError as exc:
            self.close()
            raise _unsupported(exc.title) from exc
        except BaseException:
            self.close()
            raise

    def _open(self, name: str) -> None:
        self._display = self._connect(name)
        # A first stamp without delay. The connection has asked for no other events yet.
        self._clock.at_s(Requestor(self._display).stamp(), time.monotonic())
        if not select_raw(self._display):
            raise _unsupported(Message("The X server has no X Input 2.1."))
        self._xtest = xtest_devices(self._display)
        self._locks = Locks(self._display)
        self._grabs = Grabs(self._connect(name), self._is_ours, self._has_caught)
        self._keys = NamedKeys(self._display)
        self._tracker = self._new_tracker(self._keys, ())

    def _connect(self, name: str) -> XObject:
        self._connections.append(connect(name, is_listening=True))
        return self._connections[-1]

    def filenos(self) -> list[int]:
        """The descriptors to select on."""
        return [connection.fileno() for connection in self._connections]

    def timeout_s(self) -> float | None:
        """How long to wait for events before calling ``check``; None: forever."""
        if self._pending:
            return CONFIRM_S
        is_busy = self._tracker.is_hotkey_down or self._remap_at_s is not None
        if self._capture is not None and not is_busy:
            return self._capture.left_s(time.monotonic())
        return RECONCILE_S if is_busy else None

    def use(self, chords: Sequence[Chord]) -> None:
        """Switch to ``chords``. Raises HotkeyError, and changes nothing: TAKEN, or no such keys."""
        self.end_capture()
        keys = NamedKeys(self._display)
        tracker = self._new_tracker(keys, chords)
        hotkey_of = {grab: place for place, chord in enumerate(chords) for grab in _grabs(keys, chord)}
        taken = self._grabs.replace(hotkey_of, keys.lock_masks())
        if taken is not None:
            raise self._taken(chords[hotkey_of[taken]], chords, keys)
        self.release_all()
        tracker.assume(self._held_modifiers(keys), time.monotonic())
        self._keys, self._tracker, self._chords, self._hotkey_of = keys, tracker, tuple(chords), hotkey_of
        self._apply_escape()

    def check_free(self, chords: Sequence[Chord]) -> None:
        """Raise a HotkeyError if ``use`` would reject ``chords``: TAKEN, or INVALID on this keyboard."""
        keys = NamedKeys(self._display)
        for place, chord in enumerate(chords):
            _binding(keys, place, chord)
            if not self._is_free(keys, chord):
                raise self._taken(chord, chords, keys)

    def watch_escape(self, is_wanted: bool, lock_key: str = "") -> None:
        """Report and swallow Escape, or not; likewise ``lock_key``."""
        self._is_escape_wanted, self._lock_key = is_wanted, lock_key
        self._apply_escape()

    @property
    def touched_s(self) -> float:
        """See ``Tracker``. Any thread."""
        return self._tracker.touched_s

    def capture(self, on_captured: OnCaptured) -> None:
        """Record the keys of a new hotkey, hidden from the focused program, instead of hotkeys."""
        self.end_capture()
        held = self._tracker.held
        self.release_all()
        self._names = self._keys.names(SINGLE_KEYS)
        self._names |= {-button: name for name, button in _SIDE_BUTTONS.items()}

        def tell(captured: Captured) -> None:
            if captured.is_last and self._capture is not None:
                self._grabs.hold_keyboard(False)  # whoever is told may press keys
            on_captured(captured)

        self._capture = Capture(tell, time.monotonic(), held)
        self._grabs.hold_keyboard(True)
        logger.info("a new hotkey is being captured")

    def end_capture(self) -> None:
        """Resume listening. Keys that are still down are ignored. Safe to call twice."""
        capture, self._capture = self._capture, None
        if capture is None:
            return
        self._grabs.hold_keyboard(False)
        self._tracker.assume(self._held_modifiers(self._keys), time.monotonic())
        capture.end()
        logger.info("the capture of a new hotkey is over")

    def drain(self) -> None:
        """Process everything that has arrived."""
        self._drain_raw()
        self._grabs.drain()

    def _drain_raw(self) -> None:
        while self._display.pending_events():
            event = self._display.next_event()
            if event.type == GenericEventCode:
                self._handle_raw(event.evtype, event.data)
                continue
            is_remapped = event.type == X.MappingNotify
            if event.type == self._locks.event_type:
                self._confirm()  # a key's events follow its acceptance
                is_remapped = self._locks.handle(event)
            if is_remapped:
                self._remap_at_s = self._remap_at_s or time.monotonic() + _REMAP_S

    def check(self) -> None:
        """Check for accepted presses, lost releases, and a changed layout."""
        self._confirm()
        now_s = time.monotonic()
        if self._tracker.is_hotkey_down and (missing := self._tracker.missing(now_s)):
            self.drain()  # the release may be on its way: it comes before the answer about the state
            self._report(self._tracker.forget(missing, now_s))
        if self._capture is not None:
            self._capture.check(now_s)
            self._end_capture_if_over()
        if self._remap_at_s is not None and now_s >= self._remap_at_s and not self._was_injecting(now_s):
            self._remap_at_s = None
            self._follow_layout()

    def release_all(self) -> None:
        """Report every hotkey that is down as released; the server may be gone."""
        for event in self._tracker.release_all(time.monotonic()):
            self._post(event)

    def close(self) -> None:
        """Close the connections; the server may be gone."""
        if (capture := self._capture) is not None:
            self._capture = None
            capture.end()
        for connection in self._connections:
            disconnect(connection)

    def _handle_raw(self, kind: int, data: rq.DictWrapper) -> None:
        code, source = int(data["detail"]), int(data["sourceid"])
        is_button = kind in (xinput.RawButtonPress, xinput.RawButtonRelease)
        at_s = self._clock.at_s(int(data["time"]), time.monotonic())
        if source in self._xtest and (self._was_injecting(at_s) or code == self._grabs.ignored_code):
            return
        key = -code if is_button else code
        sources = self._sources.setdefault(key, set())
        if kind in (xinput.RawKeyRelease, xinput.RawButtonRelease):
            sources.discard(source)
            if not sources:
                self._pending.pop(key, None)
                self._report(self._tracker.release(key, at_s))
                if self._capture is not None:
                    self._capture.release(key)
                    self._end_capture_if_over()
            return
        if sources - {source}:
            sources = self._sources[key] = {one for one in sources if self._is_down_on(key, one)}
            if source in self._xtest and sources - self._xtest:
                return  # a finger is on that key; the injecting program's release may never come
        sources.add(source)
        if not is_button and self._locks.is_filtering:
            self._pending[key] = at_s
        else:
            self._press(key, at_s)

    def _confirm(self) -> None:
        """Process presses that the server has accepted by now, and drop those it never will."""
        now_s = time.monotonic()
        for key, since_s in list(self._pending.items()):
            if self._is_down(key) and self._pending.pop(key, None) is not None:
                self._press(key, now_s)
            elif now_s - since_s > _PATIENCE_S:
                self._pending.pop(key, None)

    def _end_capture_if_over(self) -> None:
        if self._capture is not None and self._capture.is_over:
            self.end_capture()

    def _press(self, key: int, at_s: float) -> None:
        if self._capture is not None:
            if key > 0 or key <= -_FIRST_SIDE_BUTTON:
                self._locks.suppress({key})
                self._capture.press(key, self._names.get(key, ""), at_s)
            return
        if key > 0:
            self._grabs.pressed(key)  # before the event makes this program type
        events = self._tracker.press(key, at_s, self._latched_hotkey(key))
        self._locks.allow(key)
        for event in events:
            if isinstance(event, KeyDown):
                self._locks.suppress(self._tracker.down_codes(event.hotkey))
        self._report(map(_as_injected, events) if self._sources.get(key, set()) <= self._xtest else events)

    def _latched_hotkey(self, key: int) -> int | None:
        """See ``Tracker.press``."""
        latched = self._locks.in_force & ~max(self._keys.lock_masks())
        held = sum(self._keys.modifiers(self._tracker.held))
        return self._hotkey_of.get((key, latched | held), -1) if latched else None

    def _has_caught(self) -> None:
        """A grab was activated. The raw event of that press came before, on the other connection."""
        self._display.sync()
        self._drain_raw()
        self._confirm()

    def _is_ours(self, stamp_ms: int) -> bool:
        """Whether this program was typing at the server's time stamp."""
        return self._was_injecting(self._clock.at_s(stamp_ms, time.monotonic()))

    def _report(self, events: Iterable[Event]) -> None:
        events = list(events)
        if events and (self._is_escape_wanted or self._lock_key):
            self._apply_escape()
        for event in events:
            self._post(event)

    def _apply_escape(self) -> None:
        self._tracker.is_escape_watched = self._is_escape_wanted
        self._tracker.lock = self._keys.codes(self._lock_key) if self._lock_key else frozenset()
        held = {_mask(self._keys, self._chords[hotkey]) for hotkey in self._tracker.hotkeys_down}
        watched = self._keys.codes("escape") if self._is_escape_wanted else frozenset[int]()
        grabs = {(code, mask) for code in watched for mask in held | {0}}
        # Only while a hotkey is down: a Space typed right after it is text.
        grabs |= {(code, mask) for code in self._tracker.lock for mask in held}
        self._grabs.watch_escape(grabs, self._keys.lock_masks())

    def _follow_layout(self) -> None:
        """Bind the chords again if their keys have moved. Usually they have not, and nothing is disturbed."""
        try:
            if _places(NamedKeys(self._display), self._chords) != _places(self._keys, self._chords):
                self.use(self._chords)
        except HotkeyError as exc:
            logger.warning("after a change of the keyboard layout: %s", exc.title)

    def _new_tracker(self, keys: NamedKeys, chords: Sequence[Chord]) -> Tracker:
        bindings = [_binding(keys, place, chord) for place, chord in enumerate(chords)]
        escape = keys.codes("escape")
        tracker = Tracker(bindings, modifiers=_modifiers(keys), escape=escape, is_down=self._is_down)
        tracker.touched_s = time.monotonic()  # earlier keys are unknown
        return tracker

    def _is_down(self, key: int) -> bool:
        devices = self._sources.get(key) or (keyboards(self._display) if key > 0 else ())
        return any(self._is_down_on(key, device) for device in devices)

    def _is_down_on(self, key: int, device: int) -> bool:
        if key < 0:
            return -key in buttons_down(self._display, device)
        return key in keys_down(self._display, device)

    def _held_modifiers(self, keys: NamedKeys) -> frozenset[int]:
        held = (keys_down(self._display, device) for device in keyboards(self._display))
        return frozenset().union(*held) & _modifiers(keys)

    def _is_free(self, keys: NamedKeys, chord: Chord) -> bool:
        return all(self._grabs.is_free(grab, keys.lock_masks()) for grab in _grabs(keys, chord))

    def _taken(self, chord: Chord, chords: Sequence[Chord], keys: NamedKeys) -> HotkeyError:
        proposal, hint = "", Message("A modifier alone, such as Right Ctrl, always works.")
        if (free := self._free_chord(chord, chords, keys)) is not None:
            proposal = free.label("linux")
            hint = Message("{keys} is free.", keys=proposal)
        title = Message("Another program uses {keys}.", keys=chord.label("linux"))
        return HotkeyError(title, HotkeyReason.TAKEN, hint, proposal)

    def _free_chord(self, chord: Chord, chords: Sequence[Chord], keys: NamedKeys) -> Chord | None:
        """A chord that no program holds: the same key with other modifiers, or else a usual one."""
        variants = [f"{start}+{chord.key}" for start in ("ctrl+alt", "ctrl+super", "ctrl+alt+shift")]
        for proposal in map(parse_chord, (*variants, *_SPARE_CHORDS)):
            with suppress(HotkeyError):  # this keyboard has no such key
                if proposal not in chords and self._is_free(keys, proposal):
                    return proposal
        return None


class Grabs:
    """Grabs chords, and releases the keyboard at once.

    A passive grab becomes active when its key goes down, and then swallows every key until that one comes up,
    including text being typed into the focused window. So the keyboard is released as soon as the raw event
    of the press has arrived, within about a millisecond. The press is swallowed; so is each auto-repeat,
    which activates the grab again: the first is answered with the tap of a meaningless keycode, after which
    the server repeats no more. The focused program gets one release without a press, and two short
    FocusOut/FocusIn pairs. Escape stays grabbed until it comes up, since by then it may not be watched any
    more.

    GrabModeSync with replay would not even lose a key between the press and the release of the grab; but if
    this program hung then, every keyboard of the desktop would be frozen.

    ``display`` is used for nothing else. ``is_ours``: whether this program was typing at a server's time
    stamp in milliseconds. ``on_caught``: called when a press has activated a grab, to process its raw event
    first.
    """

    def __init__(
        self, display: XObject, is_ours: Callable[[int], bool], on_caught: Callable[[], None]
    ) -> None:
        self._display = display
        self._root = display.screen().root
        self._is_ours = is_ours
        self._on_caught = on_caught
        self._grabbed: dict[Grab, tuple[int, ...]] = {}
        self._escape: dict[Grab, tuple[int, ...]] = {}
        self._fresh: set[int] = set()
        self._is_held = False
        self.ignored_code = int(display.display.info.max_keycode)

    def replace(self, wanted: Iterable[Grab], lock_masks: Iterable[int]) -> Grab | None:
        """Replace our grabs by ``wanted``. If another program holds one, return that and change nothing."""
        wanted, locks = set(wanted), tuple(lock_masks)
        added = [grab for grab in sorted(wanted) if self._grabbed.get(grab) != locks]
        for place, grab in enumerate(added):
            if not self._take(grab, locks):
                for other in added[:place]:
                    self._release(other, locks)
                return grab
        for grab, old_locks in list(self._grabbed.items()):
            if grab not in wanted:
                self._release(grab, old_locks)
        self._grabbed = dict.fromkeys(wanted, locks)
        self._display.sync()
        return None

    def is_free(self, grab: Grab, lock_masks: Iterable[int]) -> bool:
        """Whether no other program holds ``grab``, determined by grabbing it for a moment."""
        locks = tuple(lock_masks)
        is_taken = self._take(grab, locks)
        if is_taken and grab not in self._grabbed:
            self._release(grab, locks)
        return is_taken

    def watch_escape(self, grabs: Iterable[Grab], lock_masks: Iterable[int]) -> None:
        """Grab these as well, or release Escape. What another program holds is observed nevertheless."""
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

    def hold_keyboard(self, is_wanted: bool) -> None:
        """Grab all keys, or release the keyboard.

        The grab is on the focused window, so that the focus returns to it immediately: toolkits that saw it
        go elsewhere would tell their window that it is no longer active. If another program has the keyboard
        just now, its keys are observed nevertheless.
        """
        self._is_held = is_wanted
        if not is_wanted:
            self._display.ungrab_keyboard(X.CurrentTime)
        else:
            focus = self._display.get_input_focus().focus
            window = focus if isinstance(focus, Window) else self._root
            answer = window.grab_keyboard(False, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime)
            if answer != X.GrabSuccess:
                logger.info("another program has the keyboard")
        self._display.sync()

    def pressed(self, code: int) -> None:
        """The key ``code`` really went down: undo the grab that this activated, and wait for that."""
        if any(code == grabbed for grabbed, _ in self._grabbed):
            self._fresh.add(code)
            self._display.ungrab_keyboard(X.CurrentTime)
            self._display.sync()

    def drain(self) -> None:
        """Process the events of the grabs."""
        while self._display.pending_events():
            event = self._display.next_event()
            is_grabbed = event.type == X.KeyPress and any(event.detail == code for code, _ in self._grabbed)
            if self._is_held or not is_grabbed:
                continue
            self._on_caught()
            if event.detail in self._fresh:  # the press already handled
                self._fresh.discard(event.detail)
                continue
            if not self._is_ours(event.time):
                self._end_repeat()
            self._display.ungrab_keyboard(X.CurrentTime)
            self._display.flush()

    def _end_repeat(self) -> None:
        if self._display.has_extension("XTEST"):
            for kind in (X.KeyPress, X.KeyRelease):
                self._display.xtest_fake_input(kind, self.ignored_code)

    def _take(self, grab: Grab, locks: tuple[int, ...]) -> bool:
        code, mask = grab
        catch = error.CatchError(error.BadAccess)
        modes = X.GrabModeAsync, X.GrabModeAsync
        for lock in locks:
            if code > 0:
                self._root.grab_key(code, mask | lock, True, *modes, onerror=catch)
            else:
                where = X.NONE, X.NONE  # neither confined nor with its own pointer
                self._root.grab_button(
                    -code, mask | lock, False, X.ButtonPressMask, *modes, *where, onerror=catch
                )
        self._display.sync()
        if catch.get_error() is None:
            return True
        if grab not in self._grabbed:
            self._release(grab, locks)
        return False

    def _release(self, grab: Grab, locks: tuple[int, ...]) -> None:
        code, mask = grab
        for lock in locks:
            if code > 0:
                self._root.ungrab_key(code, mask | lock)
            else:
                self._root.ungrab_button(-code, mask | lock)


def _codes(keys: NamedKeys, name: str) -> frozenset[int]:
    """The keycodes of ``name``, or its button; raises if this keyboard has none."""
    if name in _SIDE_BUTTONS:
        return frozenset({-_SIDE_BUTTONS[name]})
    codes = frozenset[int]().union(*(keys.codes(side) for side in SIDES.get(name, (name,))))
    if name in SIDES:  # AltGr, the right Alt of most layouts, is no Alt: AltGr+E types €
        codes -= {code for code, called in keys.names(("alt_r", "altgr")).items() if called == "altgr"}
    if not codes:
        raise missing_key(name)
    return codes


def _modifiers(keys: NamedKeys) -> frozenset[int]:
    return frozenset[int]().union(*(keys.codes(name) for name in MODIFIERS if name not in SIDES))


def _binding(keys: NamedKeys, hotkey: int, chord: Chord) -> Binding:
    modifiers = tuple(_codes(keys, name) for name in chord.modifiers)
    return Binding(hotkey, modifiers, _codes(keys, chord.key) if chord.key else frozenset())


def _mask(keys: NamedKeys, chord: Chord) -> int:
    """The modifier mask of ``chord``; raises if a modifier has none in this layout."""
    mask = 0
    for name in chord.modifiers:
        masks = keys.modifiers(_codes(keys, name))
        if not masks:
            raise missing_key(name)
        mask |= masks[0]
    return mask


def _grabs(keys: NamedKeys, chord: Chord) -> list[Grab]:
    if chord.is_lone:
        return []
    mask = _mask(keys, chord)
    return [(code, mask) for code in _codes(keys, chord.key)]


def _places(keys: NamedKeys, chords: Sequence[Chord]) -> object:
    """Everything about a keyboard map that ``chords`` depend on."""
    bindings = [_binding(keys, 0, chord) for chord in chords]
    grabs = [_grabs(keys, chord) for chord in chords]
    return bindings, grabs, _modifiers(keys), keys.codes("escape"), keys.lock_masks()


def _as_injected(event: Event) -> Event:
    return replace(event, is_injected=True) if isinstance(event, KeyDown) else event


def _unsupported(problem: Message) -> HotkeyError:
    title = Message("Hotkeys do not work here: {problem}", problem=problem)
    return HotkeyError(title, HotkeyReason.UNSUPPORTED_DESKTOP, own_keys())
