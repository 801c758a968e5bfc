"""Whether this machine has the disk space and the memory for a model, said in numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil

from handy_qwen.errors import InstallationError
from handy_qwen.models.fetching import disk_error

SPARE_BYTES = 256 << 20
"""What stays free: a disk that is full to the last byte is no place to work."""


def check_disk(folder: Path, needed_bytes: int) -> None:
    """Complain if the disk of ``folder`` has no room for ``needed_bytes`` more.

    Raises:
        InstallationError: It has not, or may not be looked at.
    """
    try:
        free_bytes = shutil.disk_usage(folder).free
    except OSError as exc:
        raise disk_error(folder, exc) from exc
    if free_bytes < needed_bytes + SPARE_BYTES:
        raise InstallationError(
            f"{size_text(needed_bytes)} of disk space are needed, and {size_text(SPARE_BYTES)} to spare; "
            f"{size_text(free_bytes)} are free on the disk of {folder}.",
            "Free some space.",
        )


def check_memory(needed_bytes: int) -> None:
    """Complain if the machine could not run a model that takes ``needed_bytes``, even with nothing else.

    Raises:
        InstallationError: It could not.
    """
    total_bytes = psutil.virtual_memory().total
    if total_bytes < needed_bytes:
        raise InstallationError(
            f"The model needs {size_text(needed_bytes)} of memory; this machine has "
            f"{size_text(total_bytes)}.",
            "Choose a smaller model.",
        )


def size_text(size_bytes: int) -> str:
    """A size for people."""
    return f"{size_bytes / 1e9:.2f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"
