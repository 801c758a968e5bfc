"""Turns hotkey presses and releases into takes: hold, tap, double tap, shortcut.

    mode     a press of the hotkey                         what ends the take
    hold     begins a take                                 releasing the key
    toggle   begins a take                                 the next tap
    auto     begins a take; held for ``hold_s`` or more    releasing the key
             begins a take; a short tap                    the next tap, or a limit on silence
             two short taps, one soon after the other      the next tap, and nothing but the user

* A take begins when the key goes down, before it is clear what kind of press it is, so that no
  speech is lost. Only the end of a take waits.
* **Lock**: the second of two taps within ``double_tap_s`` makes the take hands-free: the UI shows it,
  and no limit on silence ends it. Another tap does. If the second press is held for ``hold_s``, it was
  speech after an accidental tap: the take ends at release.
* A tap that ends a take does so when the key comes *up* (or has been down for ``hold_s``): only
  then can no other key join it and turn it into a shortcut.
* **Lock while holding**: the lock key (Space), pressed after the hotkey was held for ``hold_s``, locks
  as well; the hotkey may then be released. Before that it makes the press a shortcut.
* **Shortcuts** (``KeyJoined``): a take begun by this very press is cancelled silently if it is
  younger than ``join_s``. An older one is speech: it goes on until the key is released. A press
  that was about to end or lock a take only loses that meaning.
* **Bounce**: a release counts only after ``bounce_s``; if the key is down again by then, it is
  ignored. This is the only delay before the text, and it overlaps with the recorder's own wait for the
  end of speech.
* **Several hotkeys**: while the dictation key is held, others are ignored. During a hands-free take
  another hotkey ends that take and begins its own at once.
* **Requests** (tray, command line) open and close takes as keys do. Such a take is hands-free, belongs
  to no hotkey, and a tap of any hotkey ends it. If something else ends a take while its key is held,
  the key has no effect until it is released.
* If the listener dies, a take begun by a key ends: no key could end it any more.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace

from handy_qwen.core import events
from handy_qwen.core.events import Event, Request
from handy_qwen.core.types import Limits, Mode


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a take for ``hotkey``; None: for a request, in the language of the settings."""

    hotkey: int | None


@dataclass(frozen=True, slots=True)
class End:
    """End the take and transcribe it."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Discard the take silently."""


Action = Begin | End | Cancel


class Purpose(enum.Enum):
    """What the current press will do."""

    TALK = enum.auto()  # it began the take
    LOCK = enum.auto()  # the second of two taps
    END = enum.auto()  # it ends a hands-free take


@dataclass(frozen=True, slots=True)
class Press:
    """A key that is down and has an effect."""

    hotkey: int
    at_s: float
    purpose: Purpose
    is_injected: bool = False  # see KeyDown


@dataclass(frozen=True, slots=True)
class OpenTake:
    """The take that is being recorded."""

    hotkey: int | None  # None: begun by a request
    is_locked: bool = False  # hands-free until the next tap, regardless of silence
    tapped_at_s: float | None = None  # release of the tap that left it open; None: no double tap is possible


@dataclass(frozen=True, slots=True)
class Gestures:
    """The state of the keys."""

    take: OpenTake | None = None
    press: Press | None = None  # the press that has an effect; None during a hands-free take
    down: frozenset[int] = frozenset()  # all hotkeys that are down, whether their press has an effect or not
    releases: tuple[tuple[int, float], ...] = ()  # hotkey and time of releases that may still be a bounce

    @property
    def is_hands_free(self) -> bool:
        """Whether a take is being recorded without a key held."""
        is_held = self.press is not None and self.press.purpose is Purpose.TALK
        return self.take is not None and not is_held


Step = tuple[Gestures, tuple[Action, ...]]


def step(state: Gestures, event: Event, mode: Mode | None, limits: Limits) -> Step:
    """Advance by one event. With ``mode`` None (rehearsal) a press begins nothing.

    Returns:
        The next state, and the actions for the cycle, in order.
    """
    state, actions = _let_time_pass(state, _time_of(event), mode, limits)
    state, more = _act(state, event, mode, limits)
    return state, actions + more


def closed(state: Gestures) -> Gestures:
    """The take has ended, for whatever reason. If its key is still down, it has no effect."""
    return replace(state, take=None, press=None)


def _time_of(event: Event) -> float | None:
    if isinstance(event, events.KeyEvent | events.Requested | events.Ticked):
        return event.at_s
    return None


def wake_at_s(state: Gestures, limits: Limits) -> float | None:
    """When ``state`` needs a Ticked (``time.monotonic()``); None: never."""
    due = [at_s + limits.bounce_s for _, at_s in state.releases]
    if state.press is not None and state.press.purpose is Purpose.END:
        due.append(state.press.at_s + limits.hold_s)
    return min(due, default=None)


def lockable_at_s(state: Gestures, limits: Limits) -> float:
    """From when on the lock key locks the take (``time.monotonic()``); infinity: never."""
    is_talking = state.press is not None and state.press.purpose is Purpose.TALK
    return state.press.at_s + limits.hold_s if state.press is not None and is_talking else math.inf


def _let_time_pass(state: Gestures, now_s: float | None, mode: Mode | None, limits: Limits) -> Step:
    """Apply what was waiting for a time that has come."""
    actions: tuple[Action, ...] = ()
    if now_s is None:
        return state, actions
    for release in state.releases:
        hotkey, at_s = release
        if now_s >= at_s + limits.bounce_s:
            rest = tuple(other for other in state.releases if other != release)
            state, more = _release(replace(state, releases=rest), hotkey, at_s, mode, limits)
            actions += more
    press = state.press
    if press is not None and press.purpose is Purpose.END and now_s >= press.at_s + limits.hold_s:
        state, actions = closed(state), (*actions, End())
    return state, actions


def _act(state: Gestures, event: Event, mode: Mode | None, limits: Limits) -> Step:
    match event:
        case events.KeyDown():
            return _press(state, event, mode, limits)
        case events.KeyUp(hotkey, at_s):
            return _key_up(state, hotkey, at_s), ()
        case events.KeyJoined() | events.LockPressed():
            return _join(state, event, limits) if isinstance(event, events.KeyJoined) else _lock(state)
        case events.EscapePressed() | events.Requested():
            return _request(state, event.what if isinstance(event, events.Requested) else Request.CANCEL)
        case events.HotkeysFailed() | events.HotkeysDied():
            return _lose_keys(state)
    return state, ()


def _press(state: Gestures, event: events.KeyDown, mode: Mode | None, limits: Limits) -> Step:
    hotkey, at_s = event.hotkey, event.at_s
    if hotkey in state.down:  # a bounce: ignore the pending release
        return replace(state, releases=tuple(r for r in state.releases if r[0] != hotkey)), ()
    state = replace(state, down=state.down | {hotkey})
    take, press = state.take, Press(hotkey, at_s, Purpose.TALK, event.is_injected)
    if mode is None or state.press is not None:
        return state, ()
    if take is None or take.hotkey not in (hotkey, None):
        began = replace(state, take=OpenTake(hotkey), press=press), (Begin(hotkey),)
        return began if take is None else (began[0], (End(), *began[1]))
    tap_s = take.tapped_at_s
    is_second = mode is Mode.AUTO and tap_s is not None and at_s - tap_s <= limits.double_tap_s
    return replace(state, press=replace(press, purpose=Purpose.LOCK if is_second else Purpose.END)), ()


def _key_up(state: Gestures, hotkey: int, at_s: float) -> Gestures:
    is_waiting = any(other == hotkey for other, _ in state.releases)
    if hotkey not in state.down or is_waiting:
        return state
    return replace(state, releases=(*state.releases, (hotkey, at_s)))


def _release(state: Gestures, hotkey: int, at_s: float, mode: Mode | None, limits: Limits) -> Step:
    """The key came up at ``at_s``, and it was not a bounce."""
    state = replace(state, down=state.down - {hotkey})
    press, take = state.press, state.take
    if press is None or take is None or press.hotkey != hotkey:
        return state, ()
    is_tap = at_s - press.at_s < limits.hold_s
    match press.purpose:
        case Purpose.TALK if mode is Mode.TOGGLE or (mode is Mode.AUTO and is_tap):
            return replace(state, take=replace(take, tapped_at_s=at_s), press=None), ()
        case Purpose.LOCK if is_tap:
            return replace(state, take=OpenTake(take.hotkey, is_locked=True), press=None), ()
        case _:
            return closed(state), (End(),)


def _join(state: Gestures, event: events.KeyJoined, limits: Limits) -> Step:
    press, take, hotkey, at_s = state.press, state.take, event.hotkey, event.at_s
    is_up = any(other == hotkey for other, _ in state.releases)
    if press is None or take is None or press.hotkey != hotkey or is_up:
        return state, ()
    if press.purpose is not Purpose.TALK:
        return replace(state, take=replace(take, tapped_at_s=None), press=None), ()
    if at_s - press.at_s < limits.join_s:
        return closed(state), (Cancel(),)
    return state, ()


def _lock(state: Gestures) -> Step:
    press, take = state.press, state.take
    if press is None or take is None or press.purpose is not Purpose.TALK:
        return state, ()
    return replace(state, take=OpenTake(take.hotkey, is_locked=True), press=None), ()


def _request(state: Gestures, what: Request) -> Step:
    is_open = state.take is not None
    if what in (Request.START, Request.TOGGLE) and not is_open:
        return replace(state, take=OpenTake(None), press=None), (Begin(None),)
    if what in (Request.STOP, Request.TOGGLE) and is_open:
        return closed(state), (End(),)
    if what is Request.CANCEL and is_open:
        return closed(state), (Cancel(),)
    return state, ()


def _lose_keys(state: Gestures) -> Step:
    take = state.take
    if take is None or take.hotkey is None:
        return Gestures(take=take), ()
    return Gestures(), (End(),)
