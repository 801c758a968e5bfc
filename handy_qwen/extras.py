"""Libraries that only some uses need, and how to get one that is missing."""

from __future__ import annotations

import importlib.util
import sys

from handy_qwen.message import Message
from handy_qwen.shell import command_of

EXTRAS = {"video": ("av",), "bench": ("jiwer", "whisper-normalizer")}
"""The extras of ``pyproject.toml``, and what they install."""


def how_to_get(extra: str) -> Message:
    """What the user should do to have the libraries of ``extra``, a key of ``EXTRAS``."""
    libraries = EXTRAS[extra]
    if getattr(sys, "frozen", False):  # nothing can be added to the packaged program
        names = " ".join(libraries)
        return Message(
            "This package cannot take up libraries: install from the source (README.md), and {names}.",
            names=names,
        )
    if importlib.util.find_spec("pip") is None:  # uv makes its environments without it
        command = command_of("uv", "pip", "install", "--python", sys.executable, *libraries)
    else:
        command = command_of(sys.executable, "-m", "pip", "install", *libraries)
    return Message("Install with: {command}", command=command)
