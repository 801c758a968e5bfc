r"""The program's entries in the system: at login, and in the menu if no package has added one (Linux).

    Linux     ``autostart/io.github.handy_qwen.desktop`` in XDG_CONFIG_HOME
    Flatpak   written by the portal on request
    Windows   a value under ``HKCU\...\Run``
    macOS     a launch agent in ``~/Library/LaunchAgents``

All are the user's own: no privileges are needed. The desktop's own switch for such entries (Task Manager,
GNOME Tweaks, KDE) is respected. Not run on Windows or macOS: written from the documentation, and tested with
a fake registry and as a file. Any thread; reads and writes a small file or registry value.

Sources: freedesktop.org, Desktop Application Autostart 0.5, Desktop Entry 1.5 (quoting of Exec, Desktop File
ID), XDG Base Directory 0.8; learn.microsoft.com, "Run and RunOnce Registry Keys"; man launchd.plist.
"""

from __future__ import annotations

import logging
import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import handy_qwen
from handy_qwen.errors import HandyError
from handy_qwen.files import replace_file
from handy_qwen.message import Message
from handy_qwen.paths import APP_ID, asset, is_flatpak, user_home

logger = logging.getLogger(__name__)

HIDDEN = "--hidden"
HOME_VARIABLE = "HANDY_QWEN_HOME"
SCRIPT = "handy-qwen"


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start the program."""

    command: tuple[str, ...]  # program and arguments
    folder: Path | None = None  # working directory; None: any
    variables: Mapping[str, str] | None = None  # to be added to the environment

    def words(self) -> list[str]:
        """The command, with the prefix that sets ``variables`` on Linux."""
        variables = [f"{name}={value}" for name, value in (self.variables or {}).items()]
        return [*(["env", *variables] if variables else []), *self.command]


def launch_for(
    environment: Mapping[str, str] = os.environ,
    *,
    platform: str = sys.platform,
    executable: str = sys.executable,
    is_frozen: bool = bool(getattr(sys, "frozen", False)),
    checkout: Path = Path(handy_qwen.__file__).parents[1],
) -> Launch:
    """How to start this copy of the program hidden; a second instance (HANDY_QWEN_HOME) as itself."""
    home = environment.get(HOME_VARIABLE, "")
    variables = {HOME_VARIABLE: str(Path(home).expanduser().absolute())} if home else None
    if is_flatpak(environment):  # its interpreter is the runtime's; APPIMAGE would be the terminal's
        return Launch((f"/app/bin/{SCRIPT}", HIDDEN), variables=variables)
    if environment.get("APPIMAGE"):  # the image itself: its mount point changes at every start
        return Launch((environment["APPIMAGE"], HIDDEN), variables=variables)
    if is_frozen:  # .deb, .exe, .app
        return Launch((executable, HIDDEN), variables=variables)
    script = Path(executable).with_name(f"{SCRIPT}.exe" if platform == "win32" else SCRIPT)
    if script.is_file():  # venv, pipx, uv
        return Launch((str(script), HIDDEN), variables=variables)
    folder = checkout if (checkout / "pyproject.toml").is_file() else None
    return Launch((executable, "-m", "handy_qwen", HIDDEN), folder, variables)


@dataclass(frozen=True, slots=True)
class State:
    """Whether the program starts at login."""

    is_on: bool  # it is
    command: tuple[str, ...] = ()  # the entry's command, as far as known; () without one

    @property
    def is_broken(self) -> bool:
        """Whether the command no longer exists."""
        return bool(self.command) and shutil.which(self.command[0]) is None


def autostart_for(
    environment: Mapping[str, str] = os.environ, *, platform: str = sys.platform, home: Path | None = None
) -> FileAutostart | WindowsAutostart:
    """The autostart of this system. ``home`` is the user's folder; None: from the environment."""
    home = home or user_home()
    if platform == "win32":
        import winreg  # on Windows only

        return WindowsAutostart(winreg)
    if platform == "darwin":
        return MacAutostart(home / "Library" / "LaunchAgents")
    told = Path(environment.get("XDG_CONFIG_HOME", ""))
    # Relative paths must be ignored: XDG Base Directory Specification 0.8.
    kind = FlatpakAutostart if is_flatpak(environment) else XdgAutostart
    return kind((told if told.is_absolute() else home / ".config") / "autostart")


def set_autostart(is_on: bool) -> None:
    """Start this copy of the program at login, or not. Raises HandyError: it cannot be done here."""
    autostart = autostart_for()
    if is_on:
        autostart.turn_on(launch_for())
    else:
        autostart.turn_off()
    logger.info("start at login is %s", "on" if is_on else "off")


class FileAutostart(ABC):
    """An entry that is a file. Subclasses read and write its content.

    ``place`` is its path, for people, even if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path)

    def state(self) -> State:
        """Read it. An unreadable entry counts as off."""
        try:
            return self._read(self._path.read_bytes())
        except (OSError, ValueError, ExpatError, plistlib.InvalidFileException):
            return State(is_on=False)

    def turn_on(self, launch: Launch) -> None:
        """Write it, replacing an existing one. Raises HandyError: it cannot be written."""
        try:
            # Desktops read it for the user; nothing in it is secret.
            replace_file(self._path, self._content(launch), mode=0o644)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def turn_off(self) -> None:
        """Remove it if it exists. Raises HandyError: it cannot be removed."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    @abstractmethod
    def _content(self, launch: Launch) -> bytes: ...

    @abstractmethod
    def _read(self, content: bytes) -> State: ...

    def _unwritable(self, error: OSError) -> HandyError:
        title = Message(
            "The autostart entry {path} cannot be changed: {reason}.", path=self._path, reason=error.strerror
        )
        hint = Message("Check the permissions of {folder}.", folder=self._path.parent)
        return HandyError(title, hint)


# --- Linux ------------------------------------------------------------------------------------------

FILE = f"{APP_ID}.desktop"
_RESERVED = re.compile(r"""[\s"'\\><~|&;$*?#()`]""")
_ESCAPES = {"n": "\n", "t": "\t", "s": " ", "r": "\r"}


class XdgAutostart(FileAutostart):
    """A .desktop file in ``folder``, which every desktop reads at login.

    It is named like the menu entry: desktops identify a program to portals by the file that started it.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / FILE)

    def _content(self, launch: Launch) -> bytes:
        return desktop_file(
            launch, ("Icon=handy-qwen", "StartupNotify=false", "X-GNOME-Autostart-enabled=true")
        ).encode()

    def _read(self, content: bytes) -> State:
        """Parse it. A desktop that disables an entry leaves it there with a mark."""
        entries = entries_of(content)
        is_off = entries.get("Hidden") == "true" or entries.get("X-GNOME-Autostart-enabled") == "false"
        return State(is_on=not is_off, command=_program_in(entries.get("Exec", "")))


class FlatpakAutostart(XdgAutostart):
    """The portal's entry for a sandbox, which cannot see it. The file records it.

    Source: https://flatpak.github.io/xdg-desktop-portal/docs/doc-org.freedesktop.portal.Background.html.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.place = "org.freedesktop.portal.Background"

    def turn_on(self, launch: Launch) -> None:
        """See ``FileAutostart``. May take ``ASKED_S``.

        The record is written first: without one, the portal's entry would never be removed.
        """
        was_on = self._path.exists()
        super().turn_on(launch)
        try:
            self._ask(launch.words(), is_on=True)
        except HandyError:
            if not was_on:
                super().turn_off()
            raise

    def turn_off(self) -> None:
        """See ``FileAutostart``. May take ``ASKED_S``. Without a record the user is not bothered."""
        if self._path.exists():
            self._ask([], is_on=False)
            super().turn_off()

    def _ask(self, command: Sequence[str], *, is_on: bool) -> None:
        from handy_qwen.system.portal import (  # on Linux only
            DeniedError,
            PortalError,
            PortalSession,
            value_in,
        )

        options = {"autostart": ("b", is_on), **({"commandline": ("as", list(command))} if command else {})}
        try:
            portal = PortalSession("Background", has_sessions=False)
            try:
                results = portal.ask("RequestBackground", "sa{sv}", ("",), options, wait_s=ASKED_S)
                reason = "" if value_in(results, "autostart", default=False) or not is_on else "refused"
            finally:
                portal.close()
        except DeniedError as exc:  # without permission to run in the background it is not started either
            reason = str(exc) if is_on else ""
        except PortalError as exc:
            reason = str(exc)
        if not reason:
            return
        logger.info("start at login cannot be turned %s: %s", "on" if is_on else "off", reason)
        if is_on:
            raise HandyError(
                Message("Your desktop doesn't let Handy Qwen start at login."),
                Message("Allow it to run in the background in your desktop's settings for apps."),
            )
        raise HandyError(
            Message("Start at login could not be turned off."), Message("Try again in a moment.")
        )


ASKED_S = 120.0  # the user may be asked; a desktop may take an abandoned question for a no


def entries_of(content: bytes) -> dict[str, str]:
    """The keys and raw values of a .desktop file."""
    text = content.decode("utf-8", "replace")
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def desktop_file(launch: Launch, further: Sequence[str] = ()) -> str:
    """The text of a .desktop file that starts the program, with ``further`` lines."""
    lines = [
        "[Desktop Entry]",
        "Type=Application",
        "Name=Handy Qwen",
        "Comment=Hold a key, speak, release: your words appear in the focused window",
        f"Exec={_escaped(' '.join(map(_quoted, launch.words())))}",
        *([f"Path={_escaped(str(launch.folder))}"] if launch.folder else []),
        "Terminal=false",
        *further,
    ]
    return "\n".join(lines) + "\n"


def _quoted(argument: str) -> str:
    """An argument of Exec: in double quotes if necessary, with "%" doubled, which else is a field code."""
    argument = argument.replace("%", "%%")
    if argument and not _RESERVED.search(argument):
        return argument
    return '"' + re.sub(r'(["`$\\])', r"\\\1", argument) + '"'


def _escaped(text: str) -> str:
    """A value of type string: backslashes are doubled once more, after quoting."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def _program_in(line: str) -> tuple[str, ...]:
    """The command in a value of Exec, without ``env`` and its variables; () if it cannot be parsed."""
    line = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), line)
    try:
        words = shlex.split(line)
    except ValueError:
        return ()  # edited by hand
    words = [re.sub(r"\\([`$])", r"\1", word).replace("%%", "%") for word in words]  # unlike a shell's
    if words[:1] == ["env"]:
        words = words[1:]
        while words and "=" in words[0]:
            words.pop(0)
    return tuple(words)


# --- Windows ----------------------------------------------------------------------------------------

RUN = r"Software\Microsoft\Windows\CurrentVersion\Run"
APPROVED = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run"
NAME = "Handy Qwen"
MOST_CHARACTERS = 260  # Windows does not run longer commands


class WindowsAutostart:
    """A value of the user's Run key. ``registry`` is the module winreg.

    Task Manager and Settings do not remove an entry that the user disables; they record it under
    StartupApproved, as 12 bytes of which the first is even for on and odd for off.
    """

    place = rf"HKCU\{RUN}\{NAME}"

    def __init__(self, registry: Any) -> None:  # noqa: ANN401  the module is on Windows only
        self._registry = registry

    def state(self) -> State:
        """See ``FileAutostart``."""
        command = self._read(RUN)
        approved = self._read(APPROVED)
        is_switched_off = isinstance(approved, bytes) and bool(approved) and approved[0] % 2 == 1
        if not isinstance(command, str) or not command:
            return State(is_on=False)
        return State(is_on=not is_switched_off, command=_split(command))

    def turn_on(self, launch: Launch) -> None:
        """See ``FileAutostart``. Also removes the record that it was disabled."""
        if launch.folder is not None or launch.variables:
            what = HOME_VARIABLE if launch.variables else Message("a checkout that is not installed")
            title = Message("Windows cannot start {what} at login.", what=what)
            hint = Message("Install the program: pip install, or its installer.")
            raise HandyError(title, hint)
        command = subprocess.list2cmdline(launch.command)
        if len(command) > MOST_CHARACTERS:
            title = Message("The program's path is too long for Windows to start it at login.")
            hint = Message("Install it in a folder with a shorter name.")
            raise HandyError(title, hint)
        registry = self._registry
        try:
            with registry.CreateKeyEx(registry.HKEY_CURRENT_USER, RUN, 0, registry.KEY_SET_VALUE) as key:
                registry.SetValueEx(key, NAME, 0, registry.REG_SZ, command)
        except OSError as exc:
            raise _refused() from exc
        self._delete(APPROVED)

    def turn_off(self) -> None:
        """See ``FileAutostart``."""
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
        except FileNotFoundError:  # it did not exist
            return
        except OSError as exc:
            raise _refused() from exc


def _split(command: str) -> tuple[str, ...]:
    """The program and the rest of a command line, enough to check that the program exists."""
    if command.startswith('"'):
        program, _, rest = command[1:].partition('"')
    else:
        program, _, rest = command.partition(" ")
    return (program, *rest.split())


def _refused() -> HandyError:
    title = Message("Windows won't let Handy Qwen change the startup entry.")
    hint = Message("A policy may have locked it.")
    return HandyError(title, hint)


# --- macOS ------------------------------------------------------------------------------------------


class MacAutostart(FileAutostart):
    """A launch agent in ``folder``, started in the graphical session; the system lists it under Login Items.

    It is only written: loading it immediately would start a second instance.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / f"{APP_ID}.plist")

    def _content(self, launch: Launch) -> bytes:
        agent: dict[str, Any] = {
            "Label": APP_ID,
            "ProgramArguments": list(launch.command),
            "RunAtLoad": True,
            "ProcessType": "Interactive",
            "LimitLoadToSessionType": "Aqua",
        }
        if launch.folder:
            agent["WorkingDirectory"] = str(launch.folder)
        if launch.variables:
            agent["EnvironmentVariables"] = dict(launch.variables)
        return plistlib.dumps(agent)

    def _read(self, content: bytes) -> State:
        agent = plistlib.loads(content)
        if not isinstance(agent, dict):
            return State(is_on=False)
        command = agent.get("ProgramArguments", [])
        is_on = agent.get("RunAtLoad") is True and agent.get("Disabled") is not True
        return State(is_on=is_on, command=tuple(map(str, command)) if isinstance(command, list) else ())


# --- the menu ---------------------------------------------------------------------------------------
#
# Portals identify a program of the host by this file alone: without it GNOME 48 refuses global shortcuts
# without asking, and KDE files them under a name that the next start does not have.

MARK = "X-HandyQwen-Written"
_DATA_DIRS = "/usr/local/share:/usr/share"


class MenuEntry:
    """A user's menu entry; ours is at ``place``. Raises HandyError: no home directory."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        told = Path(environment.get("XDG_DATA_HOME", ""))
        home = told if told.is_absolute() else user_home() / ".local" / "share"
        folders = (environment.get("XDG_DATA_DIRS") or _DATA_DIRS).split(":")
        self.place = home / "applications" / FILE
        self._others = [Path(folder) / "applications" / FILE for folder in folders if folder]
        self._environment = environment

    def is_there(self) -> bool:
        """Whether there is one, whoever wrote it."""
        return any(path.is_file() for path in (self.place, *self._others))

    def is_ours(self) -> bool:
        """Whether the one in ``place`` was written by this program."""
        return MARK in entries_of(_content_of(self.place))

    def write(self) -> bool:
        """Write it if there is none, or ours is outdated. False: nothing to do. Raises HandyError."""
        is_second = bool(self._environment.get(HOME_VARIABLE))  # there is one entry for all homes
        if self.is_there() and (is_second or not self.is_ours()):
            return False
        launch = launch_for(self._environment)
        command = tuple(word for word in launch.command if word != HIDDEN)
        is_mounted = bool(self._environment.get("APPIMAGE"))  # at a different path at each start
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
                    "The menu entry {path} cannot be written: {reason}.", path=self.place, reason=exc.strerror
                ),
                Message(
                    "Without it, GNOME and KDE on Wayland don't give the app a hotkey. Check the "
                    "folder's permissions."
                ),
            ) from exc
        logger.info("the menu entry was written")
        return True

    def remove(self) -> bool:
        """Remove it if it is ours. False: there is none of ours. Raises HandyError: it cannot be removed."""
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
