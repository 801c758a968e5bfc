"""Libraries that only some uses need, and how to get one that is missing."""

from __future__ import annotations

import importlib.util
import shlex
import sys

EXTRAS = {"video": ("av",), "bench": ("jiwer", "whisper-normalizer")}
"""The extras of ``pyproject.toml``, and what they install."""


def how_to_get(extra: str) -> str:
    """What the user should do to have the libraries of ``extra``, a key of ``EXTRAS``."""
    libraries = " ".join(EXTRAS[extra])
    if getattr(sys, "frozen", False):  # nothing can be added to the packaged program
        return f"This package cannot take up libraries: install from the source (README.md), and {libraries}."
    python = shlex.quote(sys.executable)
    if importlib.util.find_spec("pip") is None:  # uv makes its environments without it
        return f"Install with: uv pip install --python {python} {libraries}"
    return f"Install with: {python} -m pip install {libraries}"
