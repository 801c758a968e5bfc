"""Libraries that only some uses need, and how to get one that is missing."""

from __future__ import annotations

import importlib.util
import sys

from handy_qwen.shell import command_of

EXTRAS = {"video": ("av",), "bench": ("jiwer", "whisper-normalizer")}
"""The extras of ``pyproject.toml``, and what they install."""


def how_to_get(extra: str) -> str:
    """What the user should do to have the libraries of ``extra``, a key of ``EXTRAS``."""
    libraries = EXTRAS[extra]
    if getattr(sys, "frozen", False):  # nothing can be added to the packaged program
        names = " ".join(libraries)
        return f"This package cannot take up libraries: install from the source (README.md), and {names}."
    if importlib.util.find_spec("pip") is None:  # uv makes its environments without it
        return f"Install with: {command_of('uv', 'pip', 'install', '--python', sys.executable, *libraries)}"
    return f"Install with: {command_of(sys.executable, '-m', 'pip', 'install', *libraries)}"
