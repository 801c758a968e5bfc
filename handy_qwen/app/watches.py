"""The threads the watchdog looks after: what they are to the user, how long each may be at one thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from handy_qwen.app.watchdog import Watch, Watched

CYCLE, CHORES, CONTROL, MICROPHONE, INSERT, CLIPBOARD, ENGINE, HOTKEYS, HISTORY = (
    "dictation",
    "chores",
    "control socket",
    "microphone",
    "insertion",
    "clipboard",
    "engine",
    "hotkey listener",
    "history",
)
NAMES = {  # what the user would call it
    CYCLE: "Dictating",
    CHORES: "Changing settings",
    CONTROL: "The command line",
    MICROPHONE: "The microphone",
    INSERT: "Inserting texts",
    CLIPBOARD: "The clipboard",
    ENGINE: "The speech engine",
    HISTORY: "The history",
}
STUCK_S = {
    CYCLE: 30.0,  # to set hotkeys may take 10 s
    CHORES: 120.0,  # to look for models imports the engine
    CONTROL: 30.0,
    MICROPHONE: 10.0,
    INSERT: 70.0,  # beyond what the cycle allows one text
    CLIPBOARD: 30.0,  # a program may take 20 to hand over what it has copied
    ENGINE: 300.0,  # one run over a minute of sound with a large model on a slow machine takes two
    HISTORY: 60.0,  # a disk that sleeps takes 20
}
REMEDIES = {
    INSERT: "Copy texts from the menu, or quit and start again.",
    ENGINE: "Quit and start again: what was said is kept.",
}


@runtime_checkable
class Part(Protocol):
    """A part of the program that works on a thread of its own."""

    @property
    def thread(self) -> Watched:
        """That thread."""


@runtime_checkable
class Borrower(Protocol):
    """An inserter whose clipboard may have a thread of its own."""

    @property
    def clipboard_thread(self) -> Watched | None:
        """That thread."""


@runtime_checkable
class Mortal(Protocol):
    """A listener for hotkeys whose thread can die."""

    def has_died(self) -> bool:
        """Whether it ended without being told to."""


class HotkeyWatch:
    """The listener as the watchdog sees it: it is the cycle that has to start it again."""

    def __init__(self, listener: Mortal, revive: Callable[[], None]) -> None:
        self._listener = listener
        self.revive = revive

    def has_died(self) -> bool:
        """Whether its thread ended without being told to."""
        return self._listener.has_died()

    def piece(self) -> int | None:
        """It is never busy for long."""
        return None


def watch(subject: str, part: object) -> list[Watch]:
    """The watch over the thread of ``part``, or over ``part`` itself; none if neither can be looked after."""
    watched = part.thread if isinstance(part, Part) else part
    if not isinstance(watched, Watched):
        return []
    name = NAMES.get(subject, "Listening for the hotkeys")
    remedy = REMEDIES.get(subject, "Quit Handy Qwen and start it again.")
    return [Watch(subject, watched, name, STUCK_S.get(subject, 60.0), remedy)]
