"""The program's own folders: whether they can be written, and whether nobody else can read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from handy_qwen import paths
from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, fine, problem, warning

NAME = "files"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
KEPT = ("settings", "data", "log")
NOTHING_YET = "Nothing is kept yet; what will be can be read by you only."
MOST = 5000  # files looked at; models have few, a long history may have many


def check(context: Context) -> Iterator[Finding]:
    """Look at the folders, and at the files in those that hold what was said."""
    folders = own_folders()
    locked = [folder for folder in folders.values() if not _is_writable(folder)]
    if locked:
        names = ", ".join(map(str, locked))
        yield problem(
            NAME,
            f"The program cannot write to {names}.",
            f"Take it back: sudo chown -R $USER {names} && chmod -R u+rwX {names}",
            locked=list(map(str, locked)),
        )
    kept = _kept(folders)
    if context.platform == "win32":
        yield fine(NAME, f"{kept} lie in your own profile." if kept else NOTHING_YET, open=[])
        return
    readable = [str(path) for path in _open_to_others(folders)]
    if readable:
        more = f" and {len(readable) - 3} more" if len(readable) > 3 else ""
        yield warning(
            NAME,
            f"Other users of this machine could read {', '.join(readable[:3])}{more}.",
            f"chmod -R go= {' '.join(sorted({str(_folder_of(one, folders)) for one in readable}))}",
            open=readable[:50],
        )
    elif not locked:
        yield fine(NAME, f"{kept} can be read by you only." if kept else NOTHING_YET, open=[])


def own_folders() -> dict[str, Path]:
    """What the program keeps where, by what it is."""
    return {
        "settings": paths.config_dir(),
        "data": paths.data_dir(),
        "log": paths.log_dir(),
        "runtime": paths.runtime_dir(),
    }


def _kept(folders: dict[str, Path]) -> str:
    """What of the user's there is until now: "Settings, data and log"."""
    there = [name for name in KEPT if any(path.is_file() for path in folders[name].rglob("*"))]
    return " and ".join(filter(None, (", ".join(there[:-1]), *there[-1:]))).capitalize()


def _is_writable(folder: Path) -> bool:
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return os.access(there, os.W_OK | os.X_OK)


def _open_to_others(folders: dict[str, Path]) -> Iterator[Path]:
    """Files that others may read. Inside a folder that they cannot enter there are none."""
    for folder in folders.values():
        if not _is_open(folder):
            continue
        files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        for path in islice(files, MOST):
            is_model = paths.models_dir() in path.parents  # public: nothing to hide
            if not is_model and _is_open(path):
                yield path


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & OTHERS)
    except OSError:  # not there, or not even ours to look at
        return False


def _folder_of(path: str, folders: dict[str, Path]) -> Path:
    return next(folder for folder in folders.values() if folder in Path(path).parents)
