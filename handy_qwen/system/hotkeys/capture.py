"""Gathers the keys of a new hotkey, from the first that goes down until all are up again.

The same on every system: keys are codes here, whose names the system's own module knows. A modifier alone
keeps its side ("ctrl_r"); with others either side will do ("ctrl+alt+d"). Everything counts when it comes
up: until then the keys are still being kept from other programs, their auto-repeat as well.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from handy_qwen.core.capture import Captured, CaptureStep, OnCaptured
from handy_qwen.system.hotkeys.chord import MODIFIERS, Chord

PATIENCE_S = 15.0  # without any key; then the keyboard is the user's again, whatever happened to the window


class Capture:
    """One new hotkey. For one thread, or under one lock.

    Args:
        on_captured: Hears each step.
        at_s: When it begins (``time.monotonic()``).
        held: The keys that are down already, which mean nothing until they come up: they may repeat.
    """

    def __init__(self, on_captured: OnCaptured, at_s: float, held: Iterable[int] = ()) -> None:
        self._tell = on_captured
        self._before = set(held)
        self._until_s = at_s + PATIENCE_S
        self._held: dict[int, str] = {}
        self._chosen: tuple[str, ...] = ()  # the keys that count if all come up now
        self.is_over = False

    def press(self, code: int, name: str, at_s: float) -> bool:
        """A key or mouse button went down; ``name`` is "" if it has none. Repeats are folded away.

        Returns:
            Whether it is one of the keys that are being gathered.
        """
        if self.is_over or code in self._held or code in self._before:
            return code in self._held
        self._until_s = at_s + PATIENCE_S
        self._held[code] = name
        modifiers = [one for one in self._held.values() if one in MODIFIERS]
        if not name:
            self._chosen = ()  # what is held belongs to that, and is no hotkey when it comes up
            self._tell(Captured(CaptureStep.NAMELESS))
        elif name not in MODIFIERS:
            self._chosen = (*modifiers, name)
            self._tell(Captured(CaptureStep.HOLDING, _label(self._chosen)))
        elif all(one in MODIFIERS for one in self._held.values()):
            self._chosen = tuple(modifiers)
            self._tell(Captured(CaptureStep.HOLDING, f"{_label(self._chosen)}+…"))
        return True

    def release(self, code: int) -> None:
        """A key or mouse button came up; one that was down before this began means nothing."""
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
        """The hotkey stays as it was. Safe to call twice."""
        if not self.is_over:
            self._finish(Captured(CaptureStep.OVER))

    def _finish(self, last: Captured) -> None:
        self.is_over = True
        self._tell(last)


def _label(names: tuple[str, ...]) -> str:
    """``names`` as a hotkey is written for people."""
    modifiers = [name for name in names if name in MODIFIERS]
    key = next((name for name in names if name not in MODIFIERS), "")
    families = list(dict.fromkeys(name.partition("_")[0] for name in modifiers))
    if not key and len(families) < len(modifiers):
        modifiers = modifiers[:1]  # both Ctrl keys make no chord
    elif len(names) > 1:
        modifiers = families
    return Chord(tuple(name for name in MODIFIERS if name in modifiers), key).label(sys.platform)
