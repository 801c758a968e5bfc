r"""Starts the program when the user logs in.

| system | module | entry |
|---|---|---|
| Linux | xdg.py | ``autostart/handy-qwen.desktop`` in XDG_CONFIG_HOME |
| Windows | windows.py | a value under ``HKCU\...\Run`` |
| macOS | macos.py | a launch agent in ``~/Library/LaunchAgents`` |

What is started is told by launch.py. All of it is the user's own: no rights are needed, and nothing else
is touched. The desktop's own switch for such entries (Task Manager, GNOME Tweaks, KDE) is respected.

Threads: reads and writes a small file or registry value; any thread.
"""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from xml.parsers.expat import ExpatError

import handy_qwen
from handy_qwen.errors import HandyError
from handy_qwen.files import replace_file
from handy_qwen.paths import user_home

__all__ = ["Autostart", "Launch", "NoAutostart", "State", "autostart_for", "launch_for"]


class NoAutostart:
    """Stands in on systems that are not known."""

    place = ""

    def state(self) -> State:
        """It is never on."""
        return State(is_on=False)

    def turn_on(self, launch: Launch) -> None:
        """Say that it cannot be done.

        Raises:
            HandyError: Always.
        """
        del launch
        raise HandyError(
            "The program cannot be started at login on this system.", "Use what your desktop offers for that."
        )

    def turn_off(self) -> None:
        """Nothing is on."""


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
    if os.name == "posix":
        told = environment.get("XDG_CONFIG_HOME", "")
        # A relative path there is to be ignored: XDG Base Directory Specification 0.8.
        folder = Path(told) if Path(told).is_absolute() else home / ".config"
        return XdgAutostart(folder / "autostart")
    return NoAutostart()


HIDDEN = "--hidden"
HOME_VARIABLE = "HANDY_QWEN_HOME"
SCRIPT = "handy-qwen"


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
    """How to start this copy hidden. A second instance (HANDY_QWEN_HOME) is started as itself."""
    home = environment.get(HOME_VARIABLE, "")
    variables = {HOME_VARIABLE: str(Path(home).expanduser().absolute())} if home else None
    if environment.get("APPIMAGE"):
        return Launch((environment["APPIMAGE"], HIDDEN), variables=variables)
    if is_frozen:
        return Launch((executable, HIDDEN), variables=variables)
    script = Path(executable).with_name(f"{SCRIPT}.exe" if platform == "win32" else SCRIPT)
    if script.is_file():
        return Launch((str(script), HIDDEN), variables=variables)
    folder = checkout if (checkout / "pyproject.toml").is_file() else None
    return Launch((executable, "-m", "handy_qwen", HIDDEN), folder, variables)


@dataclass(frozen=True, slots=True)
class State:
    """Whether the program is started at login.

    Attributes:
        is_on: It is.
        command: What is started, as far as the entry tells; () without one.
    """

    is_on: bool
    command: tuple[str, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether what is to be started is not there any more."""
        return bool(self.command) and shutil.which(self.command[0]) is None


class Autostart(Protocol):
    """An entry among what the system starts at login. ``place`` says where it is, for people."""

    @property
    def place(self) -> str:
        """Where the entry is, or would be."""

    def state(self) -> State:
        """Look at it. An entry that cannot be read counts as off."""

    def turn_on(self, launch: Launch) -> None:
        """Write it; one that is there is replaced.

        Raises:
            HandyError: It cannot be written.
        """

    def turn_off(self) -> None:
        """Remove it, if it is there.

        Raises:
            HandyError: It cannot be removed.
        """


def write_entry(path: Path, data: bytes) -> None:
    """Write ``path`` at once or not at all.

    Raises:
        HandyError: It cannot be written.
    """
    try:
        replace_file(path, data, mode=0o644)  # desktops read it for the user; nothing in it is secret
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def remove_entry(path: Path) -> None:
    """Remove ``path``, if it is there.

    Raises:
        HandyError: It cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def _unwritable(path: Path, error: OSError) -> HandyError:
    return HandyError(
        f"The autostart entry {path} cannot be changed: {error.strerror}.",
        f"Look at the permissions of {path.parent}.",
    )


FILE = "handy-qwen.desktop"
_RESERVED = re.compile(r"""[\s"'\\><~|&;$*?#()`]""")
_WORD = re.compile(r'"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<plain>[^\s"]+)')
_COMMAND = re.compile(rf"\s*((?:{_WORD.pattern})\s*)*".replace("?P<quoted>", "").replace("?P<plain>", ""))
_ESCAPES = {"n": "\n", "t": "\t", "s": " ", "r": "\r"}


class XdgAutostart:
    """The entry in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    @property
    def place(self) -> str:
        """The file."""
        return str(self._path)

    def state(self) -> State:
        """Read the file. A desktop that switches an entry off leaves it there with a mark."""
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return State(is_on=False)
        entries = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        is_off = entries.get("Hidden") == "true" or entries.get("X-GNOME-Autostart-enabled") == "false"
        return State(is_on=not is_off, command=_program_in(entries.get("Exec", "")))

    def turn_on(self, launch: Launch) -> None:
        """Write the file.

        Raises:
            HandyError: It cannot be written.
        """
        write_entry(self._path, desktop_file(launch).encode())

    def turn_off(self) -> None:
        """Remove the file.

        Raises:
            HandyError: It cannot be removed.
        """
        remove_entry(self._path)


def desktop_file(launch: Launch) -> str:
    """The text of the entry."""
    variables = [f"{name}={value}" for name, value in (launch.variables or {}).items()]
    command = [*(["env", *variables] if variables else []), *launch.command]
    lines = [
        "[Desktop Entry]",
        "Type=Application",
        "Name=Handy Qwen",
        "Comment=Hold a key, speak, release: your words appear in the focused window",
        f"Exec={_escaped(' '.join(map(_quoted, command)))}",
        *([f"Path={_escaped(str(launch.folder))}"] if launch.folder else []),
        "Icon=handy-qwen",
        "Terminal=false",
        "StartupNotify=false",
        "X-GNOME-Autostart-enabled=true",
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
    if not _COMMAND.fullmatch(line):
        return ()  # somebody has edited it
    words = [
        re.sub(r"\\(.)", r"\1", found["quoted"]) if found["plain"] is None else found["plain"]
        for found in _WORD.finditer(line)
    ]
    words = [word.replace("%%", "%") for word in words]
    if words[:1] == ["env"]:
        words = words[1:]
        while words and "=" in words[0]:
            words.pop(0)
    return tuple(words)


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
        return State(is_on=not is_switched_off, command=split_command(command))

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


def split_command(command: str) -> tuple[str, ...]:
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


LABEL = "io.github.handy_qwen"


class MacAutostart:
    """The agent in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{LABEL}.plist"

    @property
    def place(self) -> str:
        """The file."""
        return str(self._path)

    def state(self) -> State:
        """Read the file."""
        try:
            agent = plistlib.loads(self._path.read_bytes())
        except (OSError, plistlib.InvalidFileException, ExpatError, ValueError):
            return State(is_on=False)
        if not isinstance(agent, dict):
            return State(is_on=False)
        command = agent.get("ProgramArguments", [])
        is_on = agent.get("RunAtLoad") is True and agent.get("Disabled") is not True
        return State(is_on=is_on, command=tuple(map(str, command)) if isinstance(command, list) else ())

    def turn_on(self, launch: Launch) -> None:
        """Write the file.

        Raises:
            HandyError: It cannot be written.
        """
        write_entry(self._path, plistlib.dumps(agent_of(launch)))

    def turn_off(self) -> None:
        """Remove the file.

        Raises:
            HandyError: It cannot be removed.
        """
        remove_entry(self._path)


def agent_of(launch: Launch) -> dict[str, Any]:
    """What the system is told."""
    agent: dict[str, Any] = {
        "Label": LABEL,
        "ProgramArguments": list(launch.command),
        "RunAtLoad": True,
        "ProcessType": "Interactive",
        "LimitLoadToSessionType": "Aqua",
    }
    if launch.folder:
        agent["WorkingDirectory"] = str(launch.folder)
    if launch.variables:
        agent["EnvironmentVariables"] = dict(launch.variables)
    return agent
