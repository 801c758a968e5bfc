"""The threads the watchdog looks after: what they are to the user, how long each may be at one thing."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from handy_qwen.app.watchdog import Watch, Watched

CYCLE, CHORES, CONTROL, MICROPHONE, INSERT, CLIPBOARD, ENGINE, HOTKEYS, HISTORY, FOCUS, COPYING, SETTING = (
    "dictation",
    "chores",
    "control socket",
    "microphone",
    "insertion",
    "clipboard",
    "engine",
    "hotkey listener",
    "history",
    "focus",
    "copying",
    "setting of hotkeys",
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
    FOCUS: "Finding the focused window",
    COPYING: "Copying texts",
    SETTING: "Setting the hotkeys",
}
STUCK_S = {
    CYCLE: 10.0,  # it only hands over
    CHORES: 120.0,  # to look for models imports the engine
    CONTROL: 30.0,
    MICROPHONE: 10.0,
    INSERT: 70.0,  # beyond what the cycle allows one text
    CLIPBOARD: 30.0,  # a program may take 20 to hand over what it has copied
    ENGINE: 300.0,  # one run over a minute of sound with a large model on a slow machine takes two
    HISTORY: 60.0,  # a disk that sleeps takes 20
    FOCUS: 10.0,
    COPYING: 60.0,  # on Wayland a program is started for each of some steps
    SETTING: 30.0,  # a portal has 15 s to answer
}
MOST_OWN = {CYCLE: 40}  # it wakes itself some times a second at most, and never more than a hundred
REMEDIES = {
    INSERT: "Copy texts from the menu, or quit and start again.",
    ENGINE: "Quit and start again: what you said is saved.",
    FOCUS: "Texts wait in the tray menu until it does.",
    COPYING: "Paste texts from the tray menu, or quit and start again.",
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


def watch(subject: str, part: object) -> list[Watch]:
    """The watch over the thread of ``part``, or over ``part`` itself; none if neither can be looked after."""
    watched = part.thread if isinstance(part, Part) else part
    return [watch_over(subject, watched)] if isinstance(watched, Watched) else []


def watch_over(subject: str, watched: Watched) -> Watch:
    """The watch over ``watched``."""
    name = NAMES.get(subject, "Listening for the hotkeys")
    remedy = REMEDIES.get(subject, "Quit Handy Qwen and start it again.")
    most_own = MOST_OWN.get(subject, Watch.most_own)
    return Watch(subject, watched, name, STUCK_S.get(subject, 60.0), remedy, most_own)
