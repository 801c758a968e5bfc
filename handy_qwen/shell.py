"""Shell commands for people to run, with the right quoting; how to install missing libraries."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import sys

from handy_qwen.message import Message

_PLAIN = re.compile(r"[\w.:\\/+=-]+")


def quoted(word: str) -> str:
    """A quoted word of a command. Both Windows shells accept double quotes, which no file name contains."""
    if os.name != "nt":
        return shlex.quote(word)
    return word if _PLAIN.fullmatch(word) else f'"{word}"'


def command_of(program: str, *words: str) -> str:
    """A command that begins with the path of a program."""
    command = " ".join(quoted(word) for word in (program, *words))
    is_for_cmd_only = os.name == "nt" and command.startswith('"')  # in PowerShell, that is a string
    return f"{command} (in PowerShell, with & and a space before it)" if is_for_cmd_only else command


EXTRAS = {"video": ("av",), "bench": ("jiwer", "whisper-normalizer")}
"""The extras of ``pyproject.toml``, and what they install."""


def how_to_get(extra: str) -> Message:
    """How the user can install the libraries of ``extra``, a key of ``EXTRAS``."""
    libraries = EXTRAS[extra]
    if getattr(sys, "frozen", False):  # nothing can be added to the packaged program
        names = " ".join(libraries)
        return Message(
            "Libraries can't be added to this package: install from source (README.md), then install "
            "{names}.",
            names=names,
        )
    if importlib.util.find_spec("pip") is None:  # uv creates its environments without it
        command = command_of("uv", "pip", "install", "--python", sys.executable, *libraries)
    else:
        command = command_of(sys.executable, "-m", "pip", "install", *libraries)
    return Message("Install with: {command}", command=command)
