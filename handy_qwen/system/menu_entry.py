"""The program's entry in the menu of a Linux desktop, written where no package has put one.

Portals know a program of the host by this file alone: without it GNOME 48 refuses global shortcuts and asks
nothing, and KDE files them under a name that the next start does not have.

Threads: any; reads and writes small files.
Source: freedesktop.org, Desktop Entry Specification 1.5, "Desktop File ID"; XDG Base Directory
Specification 0.8.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from handy_qwen.errors import HandyError
from handy_qwen.files import replace_file
from handy_qwen.message import Message
from handy_qwen.paths import asset, user_home
from handy_qwen.system.autostart import (
    FILE,
    HIDDEN,
    HOME_VARIABLE,
    Launch,
    desktop_file,
    entries_of,
    launch_for,
)

logger = logging.getLogger(__name__)

MARK = "X-HandyQwen-Written"
_DATA_DIRS = "/usr/local/share:/usr/share"


class MenuEntry:
    """The entry of the user of ``environment``.

    Attributes:
        place: Where ours is, or would be.

    Raises:
        HandyError: The user has no home directory.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        told = Path(environment.get("XDG_DATA_HOME", ""))
        home = told if told.is_absolute() else user_home() / ".local" / "share"
        folders = (environment.get("XDG_DATA_DIRS") or _DATA_DIRS).split(":")
        self.place = home / "applications" / FILE
        self._others = [Path(folder) / "applications" / FILE for folder in folders if folder]
        self._environment = environment

    def is_there(self) -> bool:
        """Whether there is one, by whomever."""
        return any(path.is_file() for path in (self.place, *self._others))

    def is_ours(self) -> bool:
        """Whether the one in ``place`` was written by the program itself."""
        return MARK in entries_of(_content_of(self.place))

    def write(self) -> bool:
        """Write it where there is none, or where ours starts another copy of the program. False: it is fine.

        Raises:
            HandyError: It cannot be written.
        """
        is_second = bool(self._environment.get(HOME_VARIABLE))  # of which there is one entry as well
        if self.is_there() and (is_second or not self.is_ours()):
            return False
        launch = launch_for(self._environment)
        command = tuple(word for word in launch.command if word != HIDDEN)
        is_mounted = bool(self._environment.get("APPIMAGE"))  # elsewhere at each start
        icon = "handy-qwen" if is_mounted else asset("icons/handy-qwen.svg")
        further = (f"Icon={icon}", "Categories=Utility;Accessibility;", "StartupNotify=false", f"{MARK}=true")
        content = desktop_file(Launch(command, launch.folder, launch.variables), further).encode()
        if content == _content_of(self.place):
            return False
        try:
            replace_file(self.place, content, mode=0o644)  # desktops read it for the user
        except OSError as exc:
            raise HandyError(
                Message(
                    "The menu entry {path} cannot be written: {reason}.",
                    path=self.place,
                    reason=exc.strerror,
                ),
                Message(
                    "Without it, GNOME and KDE on Wayland don't give the app a hotkey. Check the "
                    "folder's permissions."
                ),
            ) from exc
        logger.info("the menu entry was written")
        return True

    def remove(self) -> bool:
        """Remove it if it is ours. False: there is none of ours.

        Raises:
            HandyError: It cannot be removed.
        """
        if not self.is_ours():
            return False
        try:
            self.place.unlink()
        except OSError as exc:
            raise HandyError(
                Message("{path} cannot be deleted: {reason}.", path=self.place, reason=exc.strerror)
            ) from exc
        return True


def _content_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # none
        return b""
