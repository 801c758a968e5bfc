"""What only the first days need: whether the guide is to be shown, the key chosen in it, the start at login.

Slow or fallible parts of ``Program`` that its windows ask for; called on ``chores``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from handy_qwen.core.ports import Hotkey
from handy_qwen.core.shelf import DEMO
from handy_qwen.settings import Settings
from handy_qwen.system.autostart import autostart_for, launch_for
from handy_qwen.system.hotkeys.chord import parse_chord

logger = logging.getLogger(__name__)


def is_guide_due(settings: Settings, models: Sequence[str], *, is_hidden: bool) -> bool:
    """Whether to show the guide unasked: once, where nobody has brought a model yet, and not at login."""
    return not (is_hidden or settings.set_up or any(name != DEMO for name in models))


def hotkeys_with(settings: Settings, chord: str) -> tuple[Hotkey, ...]:
    """The hotkeys with ``chord`` in place of the first one, whose language and submit key stay.

    Raises:
        HotkeyError: INVALID: no such key, or one that programs need for themselves.
    """
    first = Hotkey(str(parse_chord(chord)))
    if settings.hotkeys:
        first = replace(settings.hotkeys[0], chord=first.chord)
    return (first, *(other for other in settings.hotkeys[1:] if other.chord != first.chord))


def is_autostarted() -> bool:
    """Whether the program starts at login. Reads a small file or registry value."""
    return autostart_for().state().is_on


def set_autostart(is_on: bool) -> None:
    """Start this copy of the program at login, or not.

    Raises:
        HandyError: It cannot be done here.
    """
    autostart = autostart_for()
    if is_on:
        autostart.turn_on(launch_for())
    else:
        autostart.turn_off()
    logger.info("start at login is %s", "on" if is_on else "off")
