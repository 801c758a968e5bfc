"""The permissions that dictation needs on macOS, as the setup guide shows and requests them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Protocol


class Permission(enum.Enum):
    """A permission, in the order in which the guide asks. The values are Apple's names."""

    MICROPHONE = "Microphone"
    ACCESSIBILITY = "Accessibility"
    INPUT_MONITORING = "Input Monitoring"


class Consent(enum.Enum):
    """The user's decision."""

    UNASKED = enum.auto()
    GIVEN = enum.auto()
    REFUSED = enum.auto()  # the system asks no more: only its settings can change that


Consents = Mapping[Permission, Consent]

ConsentsListener = Callable[[Consents], None]
"""Shows them. Called on any thread; must neither block nor raise."""


class PermissionCommands(Protocol):
    """Commands of the guide's permissions page. Called on Qt's thread; all return at once."""

    def watch(self, show: ConsentsListener, *, have_hotkeys_failed: bool) -> None:
        """Report the permissions repeatedly until ``leave``.

        Failed hotkeys are retried as soon as their permissions are granted.
        """

    def leave(self) -> None:
        """Stop reporting."""

    def ask(self, permission: Permission) -> None:
        """Have the system ask the user; for a refused permission, open the system's settings."""
