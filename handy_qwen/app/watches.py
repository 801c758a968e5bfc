"""The threads the watchdog looks after: what they are to the user, how long each may be at one thing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from handy_qwen.app.watchdog import Watch
from handy_qwen.core.ports import Watched

CYCLE = "dictation"
CHORES = "chores"
CONTROL = "control socket"
MICROPHONE = "microphone"
INSERT = "insertion"
CLIPBOARD = "clipboard"
ENGINE = "engine"
HOTKEYS = "hotkey listener"
HISTORY = "history"
FOCUS = "focus"
COPYING = "copying"
SETTING = "setting of hotkeys"
MODELS = "models"
MODELS_WORK = "work on models"
HISTORY_WINDOW = "history window"
HISTORY_RETRY = "transcribing again"
CUES = "cues"
NAMES = {  # what the user would call it
    CYCLE: "Dictating",
    CHORES: "Changing settings",
    CONTROL: "The command line",
    MICROPHONE: "The microphone",
    INSERT: "Inserting texts",
    CLIPBOARD: "The clipboard",
    ENGINE: "The speech engine",
    HOTKEYS: "Listening for the hotkeys",
    HISTORY: "The history",
    FOCUS: "Finding the focused window",
    COPYING: "Copying texts",
    SETTING: "Setting the hotkeys",
    MODELS: "The list of models",
    MODELS_WORK: "Installing models",
    HISTORY_WINDOW: "The history window",
    HISTORY_RETRY: "Transcribing again",
    CUES: "The sounds at start and stop",
}
STUCK_S = {
    CYCLE: 10.0,  # it only hands over
    CHORES: 120.0,  # to look for models imports the engine
    CONTROL: 30.0,
    MICROPHONE: 10.0,
    INSERT: 70.0,  # beyond what the cycle allows one text
    CLIPBOARD: 30.0,  # a program may take 20 to hand over what it has copied
    ENGINE: 300.0,  # one run over a minute of sound with a large model on a slow machine takes two
    HOTKEYS: 60.0,
    HISTORY: 60.0,  # a disk that sleeps takes 20
    FOCUS: 10.0,
    COPYING: 60.0,  # on Wayland a program is started for each of some steps
    SETTING: 30.0,  # a portal has 15 s to answer
    MODELS: 120.0,  # to look at them imports the engine
    MODELS_WORK: 600.0,  # to measure one loads it and lets it run, without a sign meanwhile
    HISTORY_WINDOW: 120.0,  # an export of all
    CUES: math.inf,  # a sound system that hangs is told of by the microphone
    HISTORY_RETRY: 300.0,  # as the engine, and one model is loaded more
}
MOST_OWN = {CYCLE: 40}  # it wakes itself some times a second at most, and never more than a hundred
REMEDIES = {
    INSERT: "Copy texts from the menu, or quit and start again.",
    ENGINE: "Quit and start again: what you said is saved.",
    FOCUS: "Texts wait in the tray menu until it does.",
    COPYING: "Paste texts from the tray menu, or quit and start again.",
}


class Part(Protocol):
    """A part of the program that works on a thread of its own."""

    @property
    def thread(self) -> Watched:
        """That thread."""


def watch(subject: str, watched: Watched) -> Watch:
    """The watch over the thread ``watched``."""
    remedy, most_own = REMEDIES.get(subject, Watch.remedy), MOST_OWN.get(subject, Watch.most_own)
    return Watch(subject, watched, NAMES[subject], STUCK_S[subject], remedy, most_own)


def watches_of(parts: Mapping[str, Part | None]) -> list[Watch]:
    """The watches over the threads of ``parts``, by subject; None is not there."""
    return [watch(subject, part.thread) for subject, part in parts.items() if part is not None]
