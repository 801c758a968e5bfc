"""What the user must allow on macOS before the program can dictate: what the guide shows and asks for."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Protocol


class Permission(enum.Enum):
    """What has to be allowed, in the order in which the guide asks. The values are Apple's names."""

    MICROPHONE = "Microphone"
    ACCESSIBILITY = "Accessibility"
    INPUT_MONITORING = "Input Monitoring"


class Consent(enum.Enum):
    """What the user has said."""

    UNASKED = enum.auto()
    GIVEN = enum.auto()
    REFUSED = enum.auto()  # the system asks no more: only its settings can change that


Consents = Mapping[Permission, Consent]

ConsentsListener = Callable[[Consents], None]
"""Shows them. Called on any thread; must neither block nor raise."""


class PermissionCommands(Protocol):
    """What the guide's page of permissions asks for. Called on Qt's thread; all return at once."""

    def watch(self, show: ConsentsListener, *, have_hotkeys_failed: bool) -> None:
        """Tell what is allowed, now and again and again, until ``leave``.

        Hotkeys that have failed are tried again as soon as what they need is given: at once if it is by now.
        """

    def leave(self) -> None:
        """Tell nothing more."""

    def ask(self, permission: Permission) -> None:
        """Have the system ask the user; what was refused is opened in the system's settings instead."""
