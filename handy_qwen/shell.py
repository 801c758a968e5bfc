"""Commands for people to run, quoted for the shell of their system."""

from __future__ import annotations

import os
import re
import shlex

_PLAIN = re.compile(r"[\w.:\\/+=-]+")


def quoted(word: str) -> str:
    """One word of a command.

    On Windows the shell is cmd or PowerShell. Both take double quotes, and no name of a file has one in it.
    """
    if os.name != "nt":
        return shlex.quote(word)
    return word if _PLAIN.fullmatch(word) else f'"{word}"'


def command_of(program: str, *words: str) -> str:
    """A command that begins with the path of a program."""
    command = " ".join(quoted(word) for word in (program, *words))
    is_for_cmd_only = os.name == "nt" and command.startswith('"')  # for PowerShell, that is a text
    return f"{command} (in PowerShell, with & and a space before it)" if is_for_cmd_only else command
