"""Modifiers that the user still holds when the text is ready, or presses while it is put in.

They are waited for: the hotkey is usually being let go at this very moment. What is still down after
that is released by XTEST, and never pressed again: the user may let go at any time, and a key that
was pressed for him then stays down for good. His own release, when it comes, finds the key up and
changes nothing. One exception: the key of a take that is being spoken, held not by a keyboard but by
another program's XTEST (a remote desktop). To release that is to end the take; it is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from Xlib import X

from handy_qwen.system.insert.x11.keyboard import Keyboard, Pause

POLL_S = 0.01
MENUS = X.Mod1Mask | X.Mod4Mask  # Alt and Super: alone they open a menu when they are let go


class Modifiers:
    """All keys that are modifiers but Num Lock, which changes no character of ours. For one text."""

    def __init__(self, keyboard: Keyboard, may_release: Callable[[], bool]) -> None:
        self._keyboard = keyboard
        self._may_release = may_release
        self._masks = {code: mask for code, mask in keyboard.modifier_codes().items() if mask != X.Mod2Mask}

    def let_go(self, wait_s: float, pause: Pause) -> None:
        """Return with no modifier down: those the user does not release within ``wait_s`` we release.

        While ``may_release`` forbids that, the wait goes on, until the program ends.
        """
        end = time.monotonic() + wait_s
        while self._held() and (time.monotonic() < end or not self._may_release()):
            if pause(POLL_S):
                break
        self._release(self._held())

    def are_up(self) -> bool:
        """Release what is down now, at once. Returns False if that may not be."""
        held = self._held()
        if held and not self._may_release():
            return False
        self._release(held)
        return True

    def _held(self) -> set[int]:
        return self._keyboard.held() & self._masks.keys()

    def _release(self, held: set[int]) -> None:
        """Release ``held`` by XTEST, so that no menu opens."""
        if not held:
            return
        controls = {code for code, mask in self._masks.items() if mask == X.ControlMask}
        with self._keyboard.sending():
            if controls and any(self._masks[code] & MENUS for code in held) and not held & controls:
                # A tap on Control in between makes it a chord, which nobody takes for a call of the menu.
                tapped = min(controls)
                self._keyboard.send(tapped, is_press=True)
                self._keyboard.send(tapped, is_press=False)
            for code in sorted(held):
                self._keyboard.send(code, is_press=False)
