"""The program itself: its version, how it was installed, and the libraries it stands on."""

from __future__ import annotations

import platform as machine
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from handy_qwen import __version__, paths
from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, fine, problem
from handy_qwen.doctor.installation import installation

NAME = "program"
OLDEST_PYTHON = (3, 11)
ASSETS = (
    "demo-model/manifest.json",
    "vad/silero_vad_16k_op15.onnx",
    "icons/handy-qwen.svg",
    "sounds/start.wav",
)


def check(context: Context) -> Iterator[Finding]:
    """Versions; what was not shipped or not installed."""
    where = installation(context.environment, platform=context.platform)
    system = _system()
    yield fine(
        NAME,
        f"Handy Qwen {__version__}, Python {machine.python_version()}, {system}; installed by {where.text}.",
        version=__version__,
        python=machine.python_version(),
        system=system,
        machine=machine.machine(),
        installation=where.kind,
        libraries=versions(),
    )
    if sys.version_info < OLDEST_PYTHON or sys.maxsize < 2**32:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        yield problem(
            NAME, "This Python is too old, or of 32 bits.", f"Use Python {oldest} of 64 bits or newer."
        )
    missing = [name for name in ASSETS if not paths.asset(name).is_file()]
    if missing:
        yield problem(
            NAME, f"Files that ship with the program are missing: {', '.join(missing)}.", "Install it again."
        )


def versions() -> dict[str, str]:
    """The libraries that the program needs, and their versions; "" for one that is missing."""
    try:
        required = metadata.requires(paths.APP_NAME) or []
    except metadata.PackageNotFoundError:  # run from a checkout, or frozen without its own metadata
        required = [
            "numpy",
            "onnxruntime",
            "PySide6-Essentials",
            "sounddevice",
            "soxr",
            "regex",
        ]
    found = {}
    for line in required:
        name = re.split(r"[ ;<>=!~\[(]", line, maxsplit=1)[0]
        version = _version(name)
        if version or ";" not in line:  # what has a condition may be for another system
            found[name] = version
    return found


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _system() -> str:
    kernel = f"{machine.system()} {machine.release()}"
    try:
        return f"{machine.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
    except (OSError, KeyError):  # not on Linux, or without that line
        return kernel
