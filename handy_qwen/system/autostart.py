r"""Starts the program when the user logs in.

| system | entry |
|---|---|
| Linux | ``autostart/io.github.handy_qwen.desktop`` in XDG_CONFIG_HOME |
| Windows | a value under ``HKCU\...\Run`` |
| macOS | a launch agent in ``~/Library/LaunchAgents`` |

Everything is the user's own: no rights are needed, and nothing else is touched. The desktop's own switch for
such entries (Task Manager, GNOME Tweaks, KDE) is respected.

Not run on Windows or macOS: written from the documentation, and tested with a fake registry and as a file.

Threads: reads and writes a small file or registry value; any thread.
Sources: freedesktop.org, Desktop Application Autostart 0.5 and Desktop Entry 1.5 (quoting of Exec);
learn.microsoft.com, "Run and RunOnce Registry Keys"; man launchd.plist.
"""

from __future__ import annotations

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
from handy_qwen.paths import user_home

HIDDEN = "--hidden"
HOME_VARIABLE = "HANDY_QWEN_HOME"
SCRIPT = "handy-qwen"
APP_ID = "io.github.handy_qwen"
"""Of the program, to the desktop: portals, menus and panels know it by the name of its .desktop file."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start the program.

    Attributes:
        command: Program and arguments.
        folder: Where it has to be started; None: anywhere.
        variables: What has to be in its environment besides what is there.
    """

    command: tuple[str, ...]
    folder: Path | None = None
    variables: Mapping[str, str] | None = None


def launch_for(
    environment: Mapping[str, str] = os.environ,
    *,
    platform: str = sys.platform,
    executable: str = sys.executable,
    is_frozen: bool = bool(getattr(sys, "frozen", False)),
    checkout: Path = Path(handy_qwen.__file__).parents[1],
) -> Launch:
    """How to start this copy of the program again, hidden, however it was installed.

    A second instance (HANDY_QWEN_HOME) is started as itself.
    """
    home = environment.get(HOME_VARIABLE, "")
    variables = {HOME_VARIABLE: str(Path(home).expanduser().absolute())} if home else None
    if environment.get("APPIMAGE"):  # the file itself: where it is mounted changes at every start
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
    """Whether the program is started at login.

    Attributes:
        is_on: It is.
        command: What is started, as far as the entry says; () without one.
    """

    is_on: bool
    command: tuple[str, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether what is to be started does not exist any more."""
        return bool(self.command) and shutil.which(self.command[0]) is None


class Autostart(ABC):
    """An entry in what the system starts at login.

    Attributes:
        place: Where it is, or would be, for people.
    """

    place: str

    @abstractmethod
    def state(self) -> State:
        """Read it. An entry that cannot be read counts as off."""

    @abstractmethod
    def turn_on(self, launch: Launch) -> None:
        """Write it, replacing one that is there.

        Raises:
            HandyError: It cannot be written.
        """

    @abstractmethod
    def turn_off(self) -> None:
        """Remove it, if it is there.

        Raises:
            HandyError: It cannot be removed.
        """


def autostart_for(
    environment: Mapping[str, str] = os.environ, *, platform: str = sys.platform, home: Path | None = None
) -> Autostart:
    """The autostart of this system. ``home`` is the user's folder; None: that of the environment.

    Raises:
        HandyError: The user has none.
    """
    home = home or user_home()
    if platform == "win32":
        import winreg  # on Windows only

        return WindowsAutostart(winreg)
    if platform == "darwin":
        return MacAutostart(home / "Library" / "LaunchAgents")
    told = Path(environment.get("XDG_CONFIG_HOME", ""))
    # A relative path there is to be ignored: XDG Base Directory Specification 0.8.
    return XdgAutostart((told if told.is_absolute() else home / ".config") / "autostart")


class FileAutostart(Autostart):
    """An entry that is a file. Subclasses read and write its content."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path)

    def state(self) -> State:
        """See ``Autostart``."""
        try:
            return self._read(self._path.read_bytes())
        except (OSError, ValueError, ExpatError, plistlib.InvalidFileException):
            return State(is_on=False)

    def turn_on(self, launch: Launch) -> None:
        """See ``Autostart``."""
        try:
            # Desktops read it for the user; nothing in it is secret.
            replace_file(self._path, self._content(launch), mode=0o644)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def turn_off(self) -> None:
        """See ``Autostart``."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    @abstractmethod
    def _content(self, launch: Launch) -> bytes: ...

    @abstractmethod
    def _read(self, content: bytes) -> State: ...

    def _unwritable(self, error: OSError) -> HandyError:
        return HandyError(
            Message(
                "The autostart entry {path} cannot be changed: {reason}.",
                path=self._path,
                reason=error.strerror,
            ),
            Message("Check the permissions of {folder}.", folder=self._path.parent),
        )


# --- Linux ------------------------------------------------------------------------------------------

FILE = f"{APP_ID}.desktop"
_RESERVED = re.compile(r"""[\s"'\\><~|&;$*?#()`]""")
_ESCAPES = {"n": "\n", "t": "\t", "s": " ", "r": "\r"}


class XdgAutostart(FileAutostart):
    """A .desktop file in ``folder``, which every desktop reads at login.

    It is called as the menu entry is: desktops tell portals who is asking by the file that started it.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / FILE)

    def _content(self, launch: Launch) -> bytes:
        return desktop_file(
            launch, ("Icon=handy-qwen", "StartupNotify=false", "X-GNOME-Autostart-enabled=true")
        ).encode()

    def _read(self, content: bytes) -> State:
        """A desktop that switches an entry off leaves it there with a mark."""
        entries = entries_of(content)
        is_off = entries.get("Hidden") == "true" or entries.get("X-GNOME-Autostart-enabled") == "false"
        return State(is_on=not is_off, command=_program_in(entries.get("Exec", "")))


def entries_of(content: bytes) -> dict[str, str]:
    """The keys of a .desktop file, and their values as they are written."""
    text = content.decode("utf-8", "replace")
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def desktop_file(launch: Launch, further: Sequence[str] = ()) -> str:
    """The text of a .desktop file that starts the program, with ``further`` lines."""
    variables = [f"{name}={value}" for name, value in (launch.variables or {}).items()]
    command = [*(["env", *variables] if variables else []), *launch.command]
    lines = [
        "[Desktop Entry]",
        "Type=Application",
        "Name=Handy Qwen",
        "Comment=Hold a key, speak, release: your words appear in the focused window",
        f"Exec={_escaped(' '.join(map(_quoted, command)))}",
        *([f"Path={_escaped(str(launch.folder))}"] if launch.folder else []),
        "Terminal=false",
        *further,
    ]
    return "\n".join(lines) + "\n"


def _quoted(argument: str) -> str:
    """One argument of Exec: in double quotes if it has to be, and "%" doubled, which else is a field code."""
    argument = argument.replace("%", "%%")
    if argument and not _RESERVED.search(argument):
        return argument
    return '"' + re.sub(r'(["`$\\])', r"\\\1", argument) + '"'


def _escaped(text: str) -> str:
    """A value of type string: backslashes are doubled once more, after the quoting."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def _program_in(line: str) -> tuple[str, ...]:
    """The command in a value of Exec, without ``env`` and its variables; () if it cannot be read."""
    line = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), line)
    try:
        words = shlex.split(line)
    except ValueError:
        return ()  # somebody has edited it
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
MOST_CHARACTERS = 260  # longer commands are not started


class WindowsAutostart(Autostart):
    """A value of the user's Run key. ``registry`` is the module winreg.

    Task Manager and Settings do not remove an entry that the user switches off there; they note it under
    StartupApproved, as 12 bytes of which the first is even for on and odd for off.
    """

    place = rf"HKCU\{RUN}\{NAME}"

    def __init__(self, registry: Any) -> None:  # noqa: ANN401  the module is on Windows only
        self._registry = registry

    def state(self) -> State:
        """See ``Autostart``."""
        command = self._read(RUN)
        approved = self._read(APPROVED)
        is_switched_off = isinstance(approved, bytes) and bool(approved) and approved[0] % 2 == 1
        if not isinstance(command, str) or not command:
            return State(is_on=False)
        return State(is_on=not is_switched_off, command=_split(command))

    def turn_on(self, launch: Launch) -> None:
        """See ``Autostart``. Forgets that it was switched off."""
        if launch.folder is not None or launch.variables:
            what = HOME_VARIABLE if launch.variables else Message("a checkout that is not installed")
            raise HandyError(
                Message("Windows cannot start {what} at login.", what=what),
                Message("Install the program: pip install, or its installer."),
            )
        command = subprocess.list2cmdline(launch.command)
        if len(command) > MOST_CHARACTERS:
            raise HandyError(
                Message("The program's path is too long for Windows to start it at login."),
                Message("Install it in a folder with a shorter name."),
            )
        registry = self._registry
        try:
            with registry.CreateKeyEx(registry.HKEY_CURRENT_USER, RUN, 0, registry.KEY_SET_VALUE) as key:
                registry.SetValueEx(key, NAME, 0, registry.REG_SZ, command)
        except OSError as exc:
            raise _refused() from exc
        self._delete(APPROVED)

    def turn_off(self) -> None:
        """See ``Autostart``."""
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


def _split(command: str) -> tuple[str, ...]:
    """The program and the rest of a command line, as far as it is needed to look for the program."""
    if command.startswith('"'):
        program, _, rest = command[1:].partition('"')
    else:
        program, _, rest = command.partition(" ")
    return (program, *rest.split())


def _refused() -> HandyError:
    return HandyError(
        Message("Windows won't let Handy Qwen change the startup entry."),
        Message("A policy may have locked it."),
    )


# --- macOS ------------------------------------------------------------------------------------------


class MacAutostart(FileAutostart):
    """A launch agent in ``folder``, started in the graphical session; the system lists it under Login Items.

    It is only written: loading it at once would start a second instance.
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
