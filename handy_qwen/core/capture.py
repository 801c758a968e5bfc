"""What is heard while the user presses the keys of a new hotkey."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from handy_qwen.errors import HandyError


class CaptureStep(enum.Enum):
    """What happened. After the last four nothing more follows."""

    HOLDING = enum.auto()  # these keys are down; more may come
    NAMELESS = enum.auto()  # a key went down that cannot be named, and so is no hotkey
    CHOSEN = enum.auto()  # the keys were let go
    CLEARED = enum.auto()  # Backspace alone
    OVER = enum.auto()  # Escape alone, nothing for too long, or the listener ended
    FAILED = enum.auto()  # this desktop does not show keys to a program; ``error`` says more


@dataclass(frozen=True, slots=True)
class Captured:
    """One step.

    Attributes:
        step: What happened.
        keys: Worded for people: "Ctrl+Alt+…" while only modifiers are down; for CHOSEN the hotkey, as the
            settings take it ("Right Ctrl").
        error: Why it failed.
    """

    step: CaptureStep
    keys: str = ""
    error: HandyError | None = None

    @property
    def is_last(self) -> bool:
        """Whether nothing more follows."""
        return self.step not in {CaptureStep.HOLDING, CaptureStep.NAMELESS}


OnCaptured = Callable[[Captured], None]
"""Hears each step. Called on a thread of the listener's; must neither block nor raise."""
