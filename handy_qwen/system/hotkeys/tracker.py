"""Turns key events into hotkey events. The same on every system.

Keys are numbers here (keycodes, virtual keys; mouse buttons are negative); there is no clock and no system
call. A hotkey goes down with the press that completes it:

* a chord with a key: that key goes down while exactly its modifiers are held;
* a lone chord (modifiers only): its last modifier goes down while no other modifier and no mouse
  button is held. Ordinary keys may still be down: fast typists overlap.

It comes up with the first of its members. While a lone one is down, any other key or button that goes down
*joins* it. Releases that were not reported are detected by querying the real state: regularly while a hotkey
is down, and when a key that seems to be held blocks another one. The latter ignores recent presses: when
events are late, the state is ahead of them. A modifier whose press was not reported is detected where the
system can tell that it was pressed before the chord's key.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from handy_qwen.core.events import EscapePressed, Event, KeyDown, KeyJoined, KeyUp, LockPressed
from handy_qwen.core.types import Captured, CaptureStep, OnCaptured
from handy_qwen.system.hotkeys.chord import MODIFIERS, Chord

STALE_S = 1.0

IsDown = Callable[[int], bool]  # whether the key with this code is really down


def _nobody_knows(_code: int) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Binding:
    """Hotkey number ``hotkey`` in the codes of this system."""

    hotkey: int
    modifiers: tuple[frozenset[int], ...]  # for each modifier of the chord, the possible codes
    key: frozenset[int] = frozenset()  # the codes of the key; empty for a lone chord

    @property
    def codes(self) -> frozenset[int]:
        """All codes that belong to it."""
        return self.key.union(*self.modifiers)


class Tracker:
    """Tracks held keys and derives hotkey events. For one thread.

    ``modifiers`` and ``escape`` are codes; ``is_down`` queries the real state of a key. ``was_missed``:
    whether the user held a key before the current press, though its own press was not reported; False where
    that is unknown.
    """

    def __init__(
        self,
        bindings: Sequence[Binding],
        *,
        modifiers: frozenset[int],
        escape: frozenset[int],
        is_down: IsDown,
        was_missed: IsDown = _nobody_knows,
    ) -> None:
        self.is_escape_watched = False
        self.lock: frozenset[int] = frozenset()  # the codes of the key that locks a take, while it is watched
        self.touched_s = -math.inf  # when a key or button other than ours last went down
        self._bindings = tuple(bindings)
        self._modifiers = modifiers
        self._escape = escape
        self._is_down, self._was_missed = is_down, was_missed
        self._held: dict[int, float] = {}  # since when
        self._down: dict[int, Binding] = {}
        self._joined: set[int] = set()

    @property
    def is_hotkey_down(self) -> bool:
        """Whether any hotkey is down."""
        return bool(self._down)

    @property
    def hotkeys_down(self) -> tuple[int, ...]:
        """Those that are down, the first pressed first."""
        return tuple(self._down)

    def down_codes(self, hotkey: int) -> frozenset[int]:
        """All codes that belong to a hotkey; empty if it is not down."""
        return self._down[hotkey].codes if hotkey in self._down else frozenset()

    @property
    def held(self) -> frozenset[int]:
        """Keys reported down and not up since."""
        return frozenset(self._held)

    def is_held(self, code: int) -> bool:
        """Whether the key was reported down and not up since."""
        return code in self._held

    def assume(self, codes: Iterable[int], at_s: float) -> None:
        """These keys were down before listening began; they have no effect."""
        self._held.update(dict.fromkeys(codes, at_s))

    def press(self, code: int, at_s: float, latched: int | None = None) -> list[Event]:
        """A key or button went down. Repeats are ignored.

        ``latched``: if modifiers are active that nobody holds (Sticky Keys), the hotkey that they make with
        this key, or -1 for none. It is down as long as its key is.
        """
        if code in self._held:
            return []
        events: list[Event] = []
        self._held[code] = at_s
        self._add_missed(code, at_s)
        if self._is_blocked(code):
            events += self.reconcile(at_s, older_s=STALE_S)
        is_lock = code in self.lock and bool(self._down) and not self._foreign()
        for hotkey, binding in self._down.items() if not is_lock else ():
            if not binding.key and code not in binding.codes and hotkey not in self._joined:
                self._joined.add(hotkey)
                events.append(KeyJoined(hotkey, at_s))
        if is_lock:
            events.append(LockPressed(at_s))
        if self._is_cancel(code):
            events.append(EscapePressed(at_s))
        for binding in self._bindings:
            if latched is not None and binding.key:
                if binding.hotkey == latched:
                    self._down[latched] = Binding(latched, (), binding.key)
                    events.append(KeyDown(latched, at_s))
            elif self._would_complete(binding, code) and not self._is_disturbed(binding):
                self._down[binding.hotkey] = binding
                events.append(KeyDown(binding.hotkey, at_s))
        if code not in self._modifiers and all(isinstance(one, KeyJoined) for one in events):
            self.touched_s = at_s
        return events

    def release(self, code: int, at_s: float) -> list[Event]:
        """A key or button came up."""
        self._held.pop(code, None)
        up = [hotkey for hotkey, binding in self._down.items() if not self._is_satisfied(binding)]
        return [event for hotkey in up for event in self._come_up(hotkey, at_s)]

    def missing(self, at_s: float, *, older_s: float = 0.0) -> dict[int, float]:
        """Keys pressed at least ``older_s`` ago that are really up, and since when they seem to be down."""
        old = {code: since_s for code, since_s in self._held.items() if at_s - since_s >= older_s}
        return {code: since_s for code, since_s in old.items() if not self._is_down(code)}

    def forget(self, missing: Mapping[int, float], at_s: float) -> list[Event]:
        """Release what is ``missing``, unless it was released or pressed again meanwhile."""
        lost = [code for code, since_s in missing.items() if self._held.get(code) == since_s]
        return [event for code in lost for event in self.release(code, at_s)]

    def reconcile(self, at_s: float, *, older_s: float = 0.0) -> list[Event]:
        """Release all missing keys."""
        return self.forget(self.missing(at_s, older_s=older_s), at_s)

    def release_all(self, at_s: float) -> list[Event]:
        """Listening ends or restarts: release every hotkey that is down."""
        self._held.clear()
        return [event for hotkey in list(self._down) for event in self._come_up(hotkey, at_s)]

    def _come_up(self, hotkey: int, at_s: float) -> list[Event]:
        del self._down[hotkey]
        self._joined.discard(hotkey)
        return [KeyUp(hotkey, at_s)]

    def _add_missed(self, code: int, at_s: float) -> None:
        """If a chord with the key ``code`` lacks only one modifier, count it as held if it was missed."""
        for binding in self._bindings:
            lacking = [member for member in binding.modifiers if not self._held.keys() & member]
            if code in binding.key and len(lacking) == 1:
                self._held.update({one: at_s for one in lacking[0] if self._was_missed(one)})

    def _is_blocked(self, code: int) -> bool:
        """Whether this press would have an effect but for other keys that seem to be held."""
        if self.is_escape_watched and code in self._escape and not self._is_cancel(code):
            return True
        return any(
            self._would_complete(binding, code) and self._is_disturbed(binding) for binding in self._bindings
        )

    def _is_cancel(self, code: int) -> bool:
        """Escape with no modifier but those of the held hotkeys; Alt+Escape is not ours."""
        return self.is_escape_watched and code in self._escape and not self._foreign()

    def _foreign(self) -> frozenset[int]:
        """Held modifiers that belong to no hotkey that is down."""
        own: frozenset[int] = frozenset().union(*(binding.codes for binding in self._down.values()))
        return frozenset(self._held.keys() & self._modifiers) - own

    def _would_complete(self, binding: Binding, code: int) -> bool:
        """Whether the press of ``code`` is the last that ``binding`` needs."""
        is_member = code in (binding.key or binding.codes)
        return is_member and binding.hotkey not in self._down and self._is_satisfied(binding)

    def _is_disturbed(self, binding: Binding) -> bool:
        """Whether keys are held that make it another chord, or a drag with the mouse."""
        foreign = (self._held.keys() & self._modifiers) - binding.codes
        return bool(foreign) or (not binding.key and any(held < 0 for held in self._held))

    def _is_satisfied(self, binding: Binding) -> bool:
        members = (*binding.modifiers, binding.key) if binding.key else binding.modifiers
        return all(self._held.keys() & member for member in members)


# --- a new hotkey -----------------------------------------------------------------------------------

PATIENCE_S = 15.0  # without any key; then the keyboard is released, whatever happened to the window


class Capture:
    """Records the keys of a new hotkey, from the first press until all are up again.

    A modifier alone keeps its side ("ctrl_r"); with others either side will do ("ctrl+alt+d"). Keys count
    when they come up: until then they, and their auto-repeat, are swallowed. Keys ``held`` at ``at_s``, when
    it begins, are ignored until they come up. For one thread, or under one lock.
    """

    def __init__(self, on_captured: OnCaptured, at_s: float, held: Iterable[int] = ()) -> None:
        self._tell = on_captured
        self._before = set(held)
        self._until_s = at_s + PATIENCE_S
        self._held: dict[int, str] = {}
        self._chosen: tuple[str, ...] = ()  # the result if all keys come up now
        self.is_over = False

    def press(self, code: int, name: str, at_s: float) -> bool:
        """A key or button went down, "" has no name; return whether it is recorded. Repeats are ignored."""
        if self.is_over or code in self._held or code in self._before:
            return code in self._held
        self._until_s = at_s + PATIENCE_S
        self._held[code] = name
        modifiers = [one for one in self._held.values() if one in MODIFIERS]
        if not name:
            self._chosen = ()  # held keys belong to that, and are no hotkey when they come up
            self._tell(Captured(CaptureStep.NAMELESS))
        elif name not in MODIFIERS:
            self._chosen = (*modifiers, name)
            self._tell(Captured(CaptureStep.HOLDING, _label(self._chosen)))
        elif all(one in MODIFIERS for one in self._held.values()):
            self._chosen = tuple(modifiers)
            self._tell(Captured(CaptureStep.HOLDING, f"{_label(self._chosen)}+…"))
        return True

    def release(self, code: int) -> None:
        """A key or mouse button came up; one that was down before this began is ignored."""
        self._before.discard(code)
        if self.is_over or self._held.pop(code, None) is None or self._held:
            return
        chosen, self._chosen = self._chosen, ()
        if chosen == ("escape",):
            self.end()
        elif chosen == ("backspace",):
            self._finish(Captured(CaptureStep.CLEARED))
        elif chosen:
            self._finish(Captured(CaptureStep.CHOSEN, _label(chosen)))

    def check(self, at_s: float) -> None:
        """End it if no key came for too long."""
        if at_s >= self._until_s:
            self.end()

    def left_s(self, at_s: float) -> float:
        """How long until ``check`` would end it."""
        return max(0.0, self._until_s - at_s)

    def end(self) -> None:
        """End it without a new hotkey. Safe to call twice."""
        if not self.is_over:
            self._finish(Captured(CaptureStep.OVER))

    def _finish(self, last: Captured) -> None:
        self.is_over = True
        self._tell(last)


def _label(names: tuple[str, ...]) -> str:
    """``names`` as a hotkey worded for people."""
    modifiers = [name for name in names if name in MODIFIERS]
    key = next((name for name in names if name not in MODIFIERS), "")
    families = list(dict.fromkeys(name.partition("_")[0] for name in modifiers))
    if not key and len(families) < len(modifiers):
        modifiers = modifiers[:1]  # two Ctrl keys make no chord
    elif len(names) > 1:
        modifiers = families
    return Chord(tuple(name for name in MODIFIERS if name in modifiers), key).label(sys.platform)
