"""Autostart on Windows: a value of the user's own Run key.

Task Manager and Settings do not remove an entry that the user switches off there; they note it under
StartupApproved, as 12 bytes of which the first is even for on and odd for off.

Not run on Windows: written from the documentation, and tested with a stand-in for the registry.
Source: learn.microsoft.com, "Run and RunOnce Registry Keys".
"""

from __future__ import annotations

import subprocess
from typing import Any

from handy_qwen.errors import HandyError
from handy_qwen.system.autostart.entry import State
from handy_qwen.system.autostart.launch import HOME_VARIABLE, Launch

RUN = r"Software\Microsoft\Windows\CurrentVersion\Run"
APPROVED = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run"
NAME = "Handy Qwen"
MOST_CHARACTERS = 260  # longer commands are not started


class WindowsAutostart:
    """The value under Run. ``registry`` is the module winreg, or a stand-in."""

    place = rf"HKCU\{RUN}\{NAME}"

    def __init__(self, registry: Any) -> None:  # noqa: ANN401  the module is on Windows only
        self._registry = registry

    def state(self) -> State:
        """Read the value, and whether the user has switched it off elsewhere."""
        command = self._read(RUN)
        approved = self._read(APPROVED)
        is_switched_off = isinstance(approved, bytes) and bool(approved) and approved[0] % 2 == 1
        if not isinstance(command, str) or not command:
            return State(is_on=False)
        return State(is_on=not is_switched_off, command=split(command))

    def turn_on(self, launch: Launch) -> None:
        """Write the value, and forget that it was switched off.

        Raises:
            HandyError: The command cannot be written in this form, or the registry refuses.
        """
        if launch.folder is not None or launch.variables:
            what = HOME_VARIABLE if launch.variables else "a checkout that is not installed"
            raise HandyError(
                f"Windows cannot start {what} at login.",
                "Install the program: pip install, or its installer.",
            )
        command = subprocess.list2cmdline(launch.command)
        if len(command) > MOST_CHARACTERS:
            raise HandyError(
                "The program's path is too long for Windows to start it at login.",
                "Install it in a folder with a shorter name.",
            )
        registry = self._registry
        try:
            with registry.CreateKeyEx(registry.HKEY_CURRENT_USER, RUN, 0, registry.KEY_SET_VALUE) as key:
                registry.SetValueEx(key, NAME, 0, registry.REG_SZ, command)
        except OSError as exc:
            raise _refused() from exc
        self._delete(APPROVED)

    def turn_off(self) -> None:
        """Remove the value.

        Raises:
            HandyError: The registry refuses.
        """
        self._delete(RUN)
        self._delete(APPROVED)

    def _read(self, path: str) -> object:
        registry = self._registry
        try:
            with registry.OpenKey(registry.HKEY_CURRENT_USER, path) as key:
                return registry.QueryValueEx(key, NAME)[0]
        except OSError:  # no such key, or no such value
            return None

    def _delete(self, path: str) -> None:
        registry = self._registry
        try:
            with registry.OpenKey(registry.HKEY_CURRENT_USER, path, 0, registry.KEY_SET_VALUE) as key:
                registry.DeleteValue(key, NAME)
        except FileNotFoundError:  # it was not there
            return
        except OSError as exc:
            raise _refused() from exc


def split(command: str) -> tuple[str, ...]:
    """The program and the rest of a command line, as far as it is needed to look for the program."""
    if command.startswith('"'):
        program, _, rest = command[1:].partition('"')
    else:
        program, _, rest = command.partition(" ")
    return (program, *rest.split())


def _refused() -> HandyError:
    return HandyError(
        "Windows does not let the autostart entry be changed.", "Somebody may have locked it by a policy."
    )
