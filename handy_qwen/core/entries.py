"""What the history knows of one take: the words it shares with the rest of the program.

    RECORDING --> WAITING --> DONE       its text is there
                         `--> FAILED     it could not be transcribed; its sound is kept
                         `--> CANCELLED  given up; can be brought back for a while

A take of the running program is known by its number, which begins at 1 in each session. What is in the
history is known by the ``id`` of its entry, which is never used twice.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class State(enum.StrEnum):
    """How far the history saw a take come."""

    RECORDING = "recording"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Whereabouts(enum.StrEnum):
    """What is known of where a text went."""

    NOWHERE = ""
    BEGUN = "begun"  # its insertion began, and how it ended was not seen: it may stand in the window
    TYPED = "typed"
    PASTED = "pasted"
    COPIED = "copied"
    HELD = "held"  # it waits for its window
    KEPT = "kept"  # the user wants texts nowhere but in the history
    DROPPED = "dropped"  # the user let go of it
    PRINTED = "printed"  # written by the command line

    @property
    def is_settled(self) -> bool:
        """Whether the user has the text, or does not want it: it need not be offered again."""
        return self not in {Whereabouts.NOWHERE, Whereabouts.BEGUN, Whereabouts.HELD}


class Keep(enum.StrEnum):
    """What stays of a take once its text was delivered."""

    AUDIO_AND_TEXT = "audio_and_text"
    TEXT = "text"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Entry:
    """One take in the history."""

    id: int
    created_s: float  # seconds since 1970 in UTC, by a clock that may have been set back: order by ``id``
    state: State
    duration_s: float = 0.0
    text: str = field(default="", repr=False)
    language: str = ""  # English name: what was found out, or what was asked for
    model: str = ""
    application: str = ""
    whereabouts: Whereabouts = Whereabouts.NOWHERE
    error: str = ""  # the title of what went wrong
    is_starred: bool = False
    has_audio: bool = False

    @property
    def is_undelivered(self) -> bool:
        """Whether there is a text that the user may never have got."""
        return self.state is State.DONE and bool(self.text) and not self.whereabouts.is_settled
