"""Opens a file or folder with the desktop's program for it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

PATIENCE_S = 3.0
"""A desktop without such a program fails by then; one that waits for the editor to close takes longer."""


def open_with_desktop(path: Path, platform: str = sys.platform) -> bool:
    """Open ``path``, a text file or a folder; False if nothing can. Any thread; takes some seconds."""
    if platform == "win32":
        return _start(path)
    if platform == "darwin":
        return run("open", *(["-t"] if path.is_file() else []), str(path))  # -t: the text editor
    return run("xdg-open", str(path))


def _start(path: Path) -> bool:
    try:
        os.startfile(path)  # type: ignore[attr-defined,unused-ignore]  # Windows only
    except OSError:  # nothing is registered for it
        return path.is_file() and run("notepad.exe", str(path))
    return True


def run(*command: str) -> bool:
    """Start a graphical program; False if it cannot be started, or fails immediately."""
    nothing = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
        )
    except OSError:
        return False
    try:
        return process.wait(PATIENCE_S) == 0
    except subprocess.TimeoutExpired:
        threading.Thread(target=process.wait, name="editor", daemon=True).start()  # avoids a zombie
        return True
