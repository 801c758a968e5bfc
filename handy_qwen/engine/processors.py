"""How many processors a container's quota leaves to this process.

Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max) and scheduler/sched-bwc.rst (version 1).
"""

from __future__ import annotations

import math
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def quota(root: Path = _ROOT, own: Path = _OWN) -> float:
    """Processors that the control groups above this process leave to it; infinity if they set no limit.

    Args:
        root: Where control groups are mounted.
        own: The file that says in which ones this process is.
    """
    try:
        lines = [line.split(":", 2) for line in own.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return math.inf  # another system, or one that does not tell
    limits = [math.inf]
    for _, controllers, name in (line for line in lines if len(line) == 3):
        if not controllers:
            limits += [_unified(folder) for folder in _upwards(root, name)]
        elif "cpu" in controllers.split(","):
            limits += [_first_version(folder) for folder in _upwards(root / "cpu", name)]
    return min(limits)


def _upwards(root: Path, name: str) -> list[Path]:
    """The folder of group ``name`` and of those it lies in; inside a container it may be the root itself."""
    folder = root / name.lstrip("/")
    return [folder, *(above for above in folder.parents if above == root or root in above.parents), root]


def _unified(folder: Path) -> float:
    """Version 2: ``max 100000``, or a quota and its period."""
    return _ratio(_words(folder / "cpu.max"))


def _first_version(folder: Path) -> float:
    """Version 1: a quota, -1 for none, and its period."""
    return _ratio([*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")])


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return []


def _ratio(words: list[str]) -> float:
    try:
        quota_us, period_us = map(int, words)
    except ValueError:  # "max", or not two of them
        return math.inf
    return quota_us / period_us if quota_us > 0 and period_us > 0 else math.inf
