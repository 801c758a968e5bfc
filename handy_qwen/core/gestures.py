"""From keys going down and up to takes that begin and end: hold, tap, double tap, shortcut.

    mode     a press of the hotkey                         what ends the take
    hold     begins a take                                 letting go
    toggle   begins a take                                 the next tap
    auto     begins a take; held for ``hold_s`` or more    letting go
             begins a take; a short tap                    the next tap, or a limit on silence
             two short taps, one soon after the other      the next tap, and nothing but the user

What was decided, and why:

* A take begins when the key goes down, before it is known what the press will turn out to be, so
  that no speech is lost. Only the end of a take waits for anything.
* **Lock**: the second of two taps within ``double_tap_s`` makes the take hands-free for good: it
  yields ``Lock``, the cycle shows it and lets no limit on silence end it. One more tap ends it. If
  the second press is held for ``hold_s`` it was talk after a slip of the finger: it ends at release.
* A tap that ends a take does so when the key comes *up* (or has been down for ``hold_s``): only
  then is it certain that no other key joins it, that is, that it was no shortcut.
* **Shortcuts** (``KeyJoined``): a take that this very press began is cancelled without a word if it
  is younger than ``join_s``. An older one is speech: it goes on until the key is let go. A press
  that was about to end or lock a take only loses that meaning.
* **Bounce**: a release counts only ``bounce_s`` after it happened; if the key is down again by then
  it never happened. This is the one wait on the way to the text, and the microphone's own
  tail (which listens on until speech has ended) covers it.
* **Several hotkeys**: while the key that speaks is held, others are ignored. During a hands-free take
  another hotkey ends that take and begins its own at once.
* **Requests** (tray, command line) open and close takes like keys. Such a take is hands-free, belongs
  to no hotkey, and any hotkey's tap ends it. A key still held when its take was ended by something
  else means nothing until it is let go.
* If the listener dies, the take that a key began ends there: no key could end it any more.

``step`` takes a state and an event and returns the next state, the calls for the dictation cycle
in order, and when it wants to be woken by ``Ticked``. It reads no clock.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from handy_qwen.core.events import (
    EscapePressed,
    Event,
    HotkeysDied,
    HotkeysFailed,
    KeyDown,
    KeyJoined,
    KeyUp,
    Request,
    Requested,
    Ticked,
)
from handy_qwen.core.types import LIMITS, Limits, Mode


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a take for ``hotkey``; None: for a request, with the language of the settings."""

    hotkey: int | None


@dataclass(frozen=True, slots=True)
class End:
    """End the take and transcribe it."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Throw the take away, silently."""


@dataclass(frozen=True, slots=True)
class Lock:
    """The take is hands-free now: show it, and let no limit on silence end it."""


Call = Begin | End | Cancel | Lock


class Purpose(enum.Enum):
    """What a press that is under way will do."""

    TALK = enum.auto()  # it began the take
    LOCK = enum.auto()  # the second of two taps
    END = enum.auto()  # it ends a hands-free take


@dataclass(frozen=True, slots=True)
class Press:
    """A key that is down and means something."""

    hotkey: int
    at_s: float
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class OpenTake:
    """The take that is being recorded.

    Attributes:
        hotkey: Whose it is; None: a request began it.
        is_locked: A double tap made it hands-free for good.
        tapped_at_s: When the tap that left it open came up; None: a second tap would not belong to one.
    """

    hotkey: int | None
    is_locked: bool = False
    tapped_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Gestures:
    """What the keys have said so far.

    Attributes:
        take: The take that is open, None if there is none.
        press: The press that means something; None during a hands-free take and when nothing runs.
        down: Every hotkey that is down, whether its press means something or not.
        releases: Releases that may still turn out to be a bounce: hotkey and time.
    """

    take: OpenTake | None = None
    press: Press | None = None
    down: frozenset[int] = frozenset()
    releases: tuple[tuple[int, float], ...] = ()


Step = tuple[Gestures, tuple[Call, ...]]


def step(
    state: Gestures, event: Event, mode: Mode, limits: Limits = LIMITS
) -> tuple[Gestures, tuple[Call, ...], float | None]:
    """Take ``event`` in.

    Returns:
        The next state; what the cycle has to do, in order; when to be woken (as of ``time.monotonic()``),
        if at all.
    """
    state, calls = _let_time_pass(state, _time_of(event), mode, limits)
    state, more = _act(state, event, mode, limits)
    return state, calls + more, _wake_at_s(state, limits)


def closed(state: Gestures) -> Gestures:
    """The take is over for a reason of its own: a lost device, a limit, a failure.

    Its key, if it is still down, means nothing now.
    """
    return replace(state, take=None, press=None)


def _time_of(event: Event) -> float | None:
    match event:
        case KeyDown() | KeyUp() | KeyJoined() | EscapePressed() | Requested() | Ticked():
            return event.at_s
        case _:
            return None


def _wake_at_s(state: Gestures, limits: Limits) -> float | None:
    due = [at_s + limits.bounce_s for _, at_s in state.releases]
    if state.press is not None and state.press.purpose is Purpose.END:
        due.append(state.press.at_s + limits.hold_s)
    return min(due, default=None)


def _let_time_pass(state: Gestures, now_s: float | None, mode: Mode, limits: Limits) -> Step:
    """Do what was waiting for a time that has come."""
    calls: tuple[Call, ...] = ()
    if now_s is None:
        return state, calls
    for release in state.releases:
        hotkey, at_s = release
        if now_s >= at_s + limits.bounce_s:
            rest = tuple(other for other in state.releases if other != release)
            state, more = _let_go(replace(state, releases=rest), hotkey, at_s, mode, limits)
            calls += more
    press = state.press
    if press is not None and press.purpose is Purpose.END and now_s >= press.at_s + limits.hold_s:
        state, calls = closed(state), (*calls, End())
    return state, calls


def _act(state: Gestures, event: Event, mode: Mode, limits: Limits) -> Step:
    match event:
        case KeyDown(hotkey, at_s, _):
            return _press(state, hotkey, at_s, mode, limits)
        case KeyUp(hotkey, at_s):
            return _come_up(state, hotkey, at_s), ()
        case KeyJoined(hotkey, at_s):
            return _join(state, hotkey, at_s, limits)
        case Requested() | EscapePressed():
            return _request(state, event.what if isinstance(event, Requested) else Request.CANCEL)
        case HotkeysFailed() | HotkeysDied():
            return _lose_keys(state)
    return state, ()


def _press(state: Gestures, hotkey: int, at_s: float, mode: Mode, limits: Limits) -> Step:
    if hotkey in state.down:  # a bounce: the release that was waiting never happened
        return replace(state, releases=tuple(r for r in state.releases if r[0] != hotkey)), ()
    state = replace(state, down=state.down | {hotkey})
    take = state.take
    if take is None:
        return _begin(state, hotkey, at_s)
    if state.press is not None:
        return state, ()
    if take.hotkey not in (hotkey, None):
        state, calls = _begin(state, hotkey, at_s)
        return state, (End(), *calls)
    tap_s = take.tapped_at_s
    is_second = mode is Mode.AUTO and tap_s is not None and at_s - tap_s <= limits.double_tap_s
    return replace(state, press=Press(hotkey, at_s, Purpose.LOCK if is_second else Purpose.END)), ()


def _begin(state: Gestures, hotkey: int, at_s: float) -> Step:
    state = replace(state, take=OpenTake(hotkey), press=Press(hotkey, at_s, Purpose.TALK))
    return state, (Begin(hotkey),)


def _come_up(state: Gestures, hotkey: int, at_s: float) -> Gestures:
    is_waiting = any(other == hotkey for other, _ in state.releases)
    if hotkey not in state.down or is_waiting:
        return state
    return replace(state, releases=(*state.releases, (hotkey, at_s)))


def _let_go(state: Gestures, hotkey: int, at_s: float, mode: Mode, limits: Limits) -> Step:
    """The key came up at ``at_s``, and it was no bounce."""
    state = replace(state, down=state.down - {hotkey})
    press, take = state.press, state.take
    if press is None or take is None or press.hotkey != hotkey:
        return state, ()
    is_tap = at_s - press.at_s < limits.hold_s
    match press.purpose:
        case Purpose.TALK if mode is Mode.TOGGLE or (mode is Mode.AUTO and is_tap):
            return replace(state, take=replace(take, tapped_at_s=at_s), press=None), ()
        case Purpose.LOCK if is_tap:
            return replace(state, take=OpenTake(take.hotkey, is_locked=True), press=None), (Lock(),)
        case _:
            return closed(state), (End(),)


def _join(state: Gestures, hotkey: int, at_s: float, limits: Limits) -> Step:
    press, take = state.press, state.take
    is_up = any(other == hotkey for other, _ in state.releases)
    if press is None or take is None or press.hotkey != hotkey or is_up:
        return state, ()
    if press.purpose is not Purpose.TALK:
        return replace(state, take=replace(take, tapped_at_s=None), press=None), ()
    if at_s - press.at_s < limits.join_s:
        return closed(state), (Cancel(),)
    return state, ()


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
