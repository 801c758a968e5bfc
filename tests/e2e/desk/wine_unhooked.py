"""The program, whose hooks are taken from it while it runs, as Windows does with hooks that answer late.

Run by Windows Python, with the program's arguments. They go when a file ``unhook`` is in the program's home,
which is then removed; the program is not told, and may set others.
"""

import ctypes
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pynput._util import win32

from handy_qwen.cli import main

LOOK_S = 0.02


def main_unhooked() -> int:
    """Run the program; its exit status."""
    hooks: list[ctypes.c_void_p] = []
    set_hook = win32.SystemHook.__enter__

    def remember(self: Any) -> Any:
        entered = set_hook(self)
        hooks.append(ctypes.c_void_p(self._hook))
        return entered

    def wait() -> None:
        order = Path(os.environ["HANDY_QWEN_HOME"]) / "unhook"
        user: Any = ctypes.WinDLL("user32")  # type: ignore[attr-defined,unused-ignore]
        while True:
            if order.exists():
                gone = [user.UnhookWindowsHookEx(hook) for hook in hooks]
                print("unhooked", gone, flush=True)  # noqa: T201 (for the log of the test)
                hooks.clear()
                order.unlink()
            time.sleep(LOOK_S)

    win32.SystemHook.__enter__ = remember
    threading.Thread(target=wait, daemon=True).start()
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main_unhooked())
