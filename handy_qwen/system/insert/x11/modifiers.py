"""Modifiers that the user still holds when the text is ready.

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
LOCKS = X.LockMask | X.Mod2Mask  # Caps Lock and Num Lock: holding the key is no different from a tap
MENUS = X.Mod1Mask | X.Mod4Mask  # Alt and Super: alone they open a menu when they are let go


def let_go(keyboard: Keyboard, *, wait_s: float, pause: Pause, may_release: Callable[[], bool]) -> None:
    """Return with no modifier down: those the user does not release within ``wait_s`` we release.

    While ``may_release`` forbids that, the wait goes on.
    """
    masks = {code: mask for code, mask in keyboard.modifier_codes().items() if not mask & LOCKS}
    end = time.monotonic() + wait_s
    while (held := keyboard.held() & masks.keys()) and (time.monotonic() < end or not may_release()):
        if pause(POLL_S):
            break  # the program ends
    if held:
        release(keyboard, masks, held)


def release(keyboard: Keyboard, masks: dict[int, int], held: set[int]) -> None:
    """Release ``held`` by XTEST, so that no menu opens."""
    with keyboard.sending():
        _release(keyboard, masks, held)


def _release(keyboard: Keyboard, masks: dict[int, int], held: set[int]) -> None:
    controls = [code for code, mask in masks.items() if mask == X.ControlMask]
    if controls and any(masks[code] & MENUS for code in held) and not held & set(controls):
        # A tap on Control in between makes it a chord, which desktops and programs do not take for a call.
        keyboard.send(controls[0], is_press=True)
        keyboard.send(controls[0], is_press=False)
    for code in sorted(held):
        keyboard.send(code, is_press=False)


class Watch:
    """Keeps modifiers up while text is being typed: the user may already hold the key for the next take."""

    def __init__(self, keyboard: Keyboard) -> None:
        self._keyboard = keyboard
        self._masks = {code: mask for code, mask in keyboard.modifier_codes().items() if not mask & LOCKS}

    def __call__(self) -> None:
        """Release what is down now."""
        held = self._keyboard.held() & self._masks.keys()
        if held:
            release(self._keyboard, self._masks, held)
