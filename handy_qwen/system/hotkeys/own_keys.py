"""Binds a key to the program in the desktop's own settings, where programs cannot register any.

| desktop | what is written | checked by |
|---|---|---|
| Hyprland | hyprland.conf: a press starts, the release stops | ``hyprctl keyword``, bound until it reloads |
| niri | config.kdl: each press starts or stops | ``niri validate``, before it is in place |
| GNOME 47 or older | a custom shortcut, by gsettings: as on niri | gsettings itself |

A missing file is not created: the desktop runs with another one, which ours would replace. Sway does not need
this, see sway.py. GNOME's was run, the others were written from their documentation.

Sources: wiki.hypr.land, "Binds" and "Using hyprctl"; niri's wiki, "Configuration: Key Bindings"; the schema
org.gnome.settings-daemon.plugins.media-keys.
"""

from __future__ import annotations

import ast
import json
import logging
import os
import shlex
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from handy_qwen.core.types import KeyOffer
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.files import replace_file
from handy_qwen.message import Message
from handy_qwen.paths import APP_ID, is_flatpak, user_home
from handy_qwen.system.entries import SCRIPT, launch_for

logger = logging.getLogger(__name__)

OFFERED = Message("Settings → Shortcut can add a key of your desktop's for it.")
TOOL_S = 5.0
_BEGIN, _END = "begin: Handy Qwen", "end: Handy Qwen"


class OwnKey(ABC):
    """The binding of one key in one desktop. Any thread; may take some seconds.

    Args:
        trigger: The key, as in ``chord.trigger``.
        command: The program and its arguments.
    """

    WHERE: ClassVar[str]  # for people

    def __init__(self, trigger: str, command: Sequence[str]) -> None:
        *self._modifiers, self._key = trigger.split("+")
        self._command = tuple(command)

    def offer(self) -> KeyOffer:
        """What would be written where, and whether it is bound."""
        return KeyOffer(self.WHERE, self.lines(), self.is_bound())

    @abstractmethod
    def lines(self) -> tuple[str, ...]:
        """The lines to write."""

    @abstractmethod
    def is_bound(self) -> bool:
        """Whether it is bound, with this key and command.

        Raises:
            HotkeyError: It cannot be read.
        """

    @abstractmethod
    def bind(self) -> None:
        """Write the binding.

        Raises:
            HotkeyError: The desktop rejects it; nothing has changed.
        """

    @abstractmethod
    def unbind(self) -> None:
        """Remove the binding.

        Raises:
            HotkeyError: It cannot be written.
        """


class _InFile(OwnKey):
    """A block of lines in a settings file, between two comments."""

    COMMENT: ClassVar[str]

    def __init__(self, trigger: str, command: Sequence[str], path: Path) -> None:
        super().__init__(trigger, command)
        self._path = path

    def is_bound(self) -> bool:
        """See ``OwnKey``."""
        return self._path.exists() and _stripped(self._block()) in _stripped(self._text().splitlines())

    def bind(self) -> None:
        """See ``OwnKey``."""
        text = self._with(self._without(), self._block())
        self._check(text)
        self._write(text)

    def unbind(self) -> None:
        """See ``OwnKey``."""
        self._write(self._without())

    def _block(self) -> list[str]:
        return [f"{self.COMMENT} {_BEGIN}", *self.lines(), f"{self.COMMENT} {_END}"]

    @abstractmethod
    def _with(self, text: str, block: Sequence[str]) -> str:
        """``text`` with ``block`` in its place."""

    @abstractmethod
    def _check(self, text: str) -> None:
        """Raise HotkeyError if the desktop would reject ``text``."""

    def _text(self) -> str:
        try:
            return self._path.read_bytes().decode()  # keeps its line endings
        except (OSError, ValueError) as exc:
            raise self._unreadable(type(exc).__name__) from exc

    def _without(self) -> str:
        kept, is_ours = [], False
        for line in self._text().splitlines(keepends=True):
            is_ours = is_ours or _BEGIN in line
            if not is_ours:
                kept.append(line)
            is_ours = is_ours and _END not in line
        if is_ours:  # what follows may be the user's
            raise self._unreadable(f"no “{_END}”")
        return "".join(kept)

    def _unreadable(self, problem: str) -> HotkeyError:
        return _not_written(Message("{file} can't be read ({problem}).", file=self._path, problem=problem))

    def _unwritable(self, exc: OSError) -> HotkeyError:
        problem = type(exc).__name__
        return _not_written(Message("{file} can't be written ({problem}).", file=self._path, problem=problem))

    def _write(self, text: str) -> None:
        try:
            replace_file(self._path, text.encode(), mode=0o666)  # unchanged if it allows less
        except OSError as exc:
            raise self._unwritable(exc) from exc


class HyprlandKey(_InFile):
    """Hyprland: hyprland.conf."""

    WHERE, COMMENT = "~/.config/hypr/hyprland.conf", "#"

    def lines(self) -> tuple[str, ...]:
        """See ``OwnKey``."""
        return tuple(
            f"{how} = {self._keys()}, exec, {shlex.join((*self._command, what))}"
            for how, what in (("bind", "start"), ("bindr", "stop"))
        )

    def bind(self) -> None:
        """See ``OwnKey``."""
        try:
            super().bind()
        finally:
            self._reload()  # the trial binding is gone, instead of doubled

    def unbind(self) -> None:
        """See ``OwnKey``."""
        super().unbind()
        self._reload()

    def _reload(self) -> None:
        _said("hyprctl", "reload", "config-only")

    def _keys(self) -> str:
        names = {"LOGO": "SUPER"}
        return f"{' '.join(names.get(one, one) for one in self._modifiers)}, {self._key}"

    def _with(self, text: str, block: Sequence[str]) -> str:
        return _behind(text, block)

    def _check(self, _text: str) -> None:
        for line in self.lines():
            how, _, what = line.partition(" = ")
            if _said("hyprctl", "keyword", how, what) != "ok":
                raise _not_written(Message("Hyprland doesn't take this key."))


class NiriKey(_InFile):
    """niri: config.kdl."""

    WHERE, COMMENT = "~/.config/niri/config.kdl", "//"

    def lines(self) -> tuple[str, ...]:
        """See ``OwnKey``."""
        names = {"LOGO": "Super"}
        keys = "+".join((*(names.get(one, one.capitalize()) for one in self._modifiers), self._key))
        # KDL quotes text like JSON.
        command = " ".join(json.dumps(one, ensure_ascii=False) for one in (*self._command, "toggle"))
        return (f"    {keys} repeat=false {{ spawn {command}; }}",)

    def _with(self, text: str, block: Sequence[str]) -> str:
        lines = text.splitlines(keepends=True)
        for place, line in enumerate(lines):
            if line.split() == ["binds", "{"]:
                return "".join((*lines[: place + 1], *(f"{one}\n" for one in block), *lines[place + 1 :]))
        return _behind(text, ["binds {", *block, "}"])

    def _check(self, text: str) -> None:
        try:
            with tempfile.NamedTemporaryFile(suffix=".kdl", dir=self._path.parent) as file:
                file.write(text.encode())
                file.flush()
                is_valid = _said("niri", "validate", "--config", file.name) is not None
        except OSError as exc:
            raise self._unwritable(exc) from exc
        if not is_valid:
            raise _not_written(Message("niri doesn't take this key."))


class GnomeKey(OwnKey):
    """GNOME 47 or older: a custom shortcut, as in its settings."""

    WHERE = "Settings → Keyboard → View and Customize Shortcuts → Custom Shortcuts"
    _SCHEMA, _LIST = "org.gnome.settings-daemon.plugins.media-keys", "custom-keybindings"
    _PATH = "/org/gnome/settings-daemon/plugins/media-keys/custom-keybindings/handy-qwen/"
    _OURS = f"{_SCHEMA}.custom-keybinding:{_PATH}"

    def lines(self) -> tuple[str, ...]:
        """See ``OwnKey``."""
        return (f"Handy Qwen: {self._keys()} -> {self._called()}",)

    def is_bound(self) -> bool:
        """See ``OwnKey``."""
        wanted = {"command": self._called(), "binding": self._keys()}
        return self._PATH in self._listed() and all(
            self._get(self._OURS, name) == value for name, value in wanted.items()
        )

    def bind(self) -> None:
        """See ``OwnKey``."""
        listed = self._listed()
        values = {"name": "Handy Qwen", "command": self._called(), "binding": self._keys()}
        for name, value in values.items():
            self._set(self._OURS, name, json.dumps(value, ensure_ascii=False))
        if self._PATH not in listed:
            self._set(self._SCHEMA, self._LIST, str([*listed, self._PATH]))

    def unbind(self) -> None:
        """See ``OwnKey``."""
        left = [path for path in self._listed() if path != self._PATH]
        self._set(self._SCHEMA, self._LIST, str(left))
        _said("gsettings", "reset-recursively", self._OURS)

    def _called(self) -> str:
        return shlex.join((*self._command, "toggle"))

    def _keys(self) -> str:
        names = {"CTRL": "<Control>", "ALT": "<Alt>", "SHIFT": "<Shift>", "LOGO": "<Super>"}
        return "".join(names[one] for one in self._modifiers) + self._key

    def _listed(self) -> list[str]:
        return list(map(str, self._get(self._SCHEMA, self._LIST)))

    def _get(self, schema: str, name: str) -> Any:  # noqa: ANN401  of whatever type
        said = _said("gsettings", "get", schema, name) or ""
        try:
            return ast.literal_eval(said.removeprefix("@as "))  # strings and lists are written as in Python
        except (ValueError, SyntaxError) as exc:
            raise _not_written(Message("GNOME doesn't say which shortcuts there are.")) from exc

    def _set(self, schema: str, name: str, value: str) -> None:
        if _said("gsettings", "set", schema, name, value) is None:
            raise _not_written(Message("GNOME doesn't take this shortcut."))


def own_key(trigger: str, environment: Mapping[str, str] = os.environ) -> OwnKey | None:
    """The binding of ``trigger`` in the desktop of this session; None: not supported here."""
    if is_flatpak(environment):  # it has settings of its own
        return None
    command = _command(environment)
    home = Path(environment.get("XDG_CONFIG_HOME") or user_home() / ".config")
    for desktop in environment.get("XDG_CURRENT_DESKTOP", "").split(":"):
        if desktop == "Hyprland" and shutil.which("hyprctl"):
            return HyprlandKey(trigger, command, home / "hypr" / "hyprland.conf")
        if desktop == "niri" and shutil.which("niri") and not environment.get("NIRI_CONFIG"):
            return NiriKey(trigger, command, home / "niri" / "config.kdl")
        if desktop == "GNOME" and shutil.which("gsettings"):
            return GnomeKey(trigger, command)
    return None


def own_keys(environment: Mapping[str, str] = os.environ) -> Message:
    """What the user can do where programs cannot register keys."""
    if own_key("F9", environment) is not None:
        return OFFERED
    return Message(
        'Let your desktop run "{command} start" when a key of your choice goes down and "{command} stop" '
        'when it comes up, or "{command} toggle" on a key.',
        command=shlex.join(_command(environment)),
    )


def _command(environment: Mapping[str, str]) -> tuple[str, ...]:
    if is_flatpak(environment):
        return ("flatpak", "run", APP_ID)
    return (SCRIPT,) if shutil.which(SCRIPT) else launch_for(environment).command[:-1]  # not hidden


def _behind(text: str, lines: Sequence[str]) -> str:
    end = "" if not text or text.endswith("\n") else "\n"
    return text + end + "\n".join((*lines, ""))


def _stripped(lines: Iterable[str]) -> str:
    """``lines`` without indentation and line endings."""
    return "\n".join(line.strip() for line in lines)


def _said(*command: str) -> str | None:
    """The output of one of the desktop's programs; None: it failed, or is missing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_S, check=True)
    except (OSError, subprocess.SubprocessError) as exc:
        logger.info("%s %s: %s", command[0], command[1], type(exc).__name__)
        return None
    return done.stdout.strip()


def _not_written(title: Message) -> HotkeyError:
    hint = Message("Nothing was changed. You can bind a key by hand: see Help → Wayland.")
    return HotkeyError(title, HotkeyReason.UNSUPPORTED_DESKTOP, hint)
