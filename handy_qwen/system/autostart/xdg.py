"""Autostart on Linux: a .desktop file that every desktop reads at login.

Source: freedesktop.org, Desktop Application Autostart 0.5 and Desktop Entry 1.5 (quoting of Exec).
"""

from __future__ import annotations

import re
from pathlib import Path

from handy_qwen.system.autostart.entry import State, remove, write_whole
from handy_qwen.system.autostart.launch import Launch

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
        write_whole(self._path, desktop_file(launch).encode())

    def turn_off(self) -> None:
        """Remove the file.

        Raises:
            HandyError: It cannot be removed.
        """
        remove(self._path)


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
