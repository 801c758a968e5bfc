"""What is kept, how much of it, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from handy_qwen.core.entries import Keep

CANCELLED_S = 3600.0
"""For how long a cancelled take can be brought back."""
FAILED_S = 86_400.0
"""For how long a take that failed is there to be tried again, if nothing is to be kept."""
OFFERED_S = 7 * 86_400.0
"""For how long a text that was not delivered is offered again at each start; later it is in the list only."""
SHORTEST_S = 1.0
"""A cancelled take that is shorter was no dictation: the hotkey was part of a chord, or hit by mistake."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The user's settings for the history. A limit of 0 is none; starred entries are exempt from all."""

    keep: Keep = Keep.AUDIO_AND_TEXT
    most_entries: int = 1000
    longest_s: float = 90 * 86_400.0
    most_bytes: int = 2 * 10**9  # of sound
