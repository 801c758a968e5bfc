"""A console program that writes what is typed into its console to a file. Run by wine.py as Windows Python.

usage: wine_console.py TITLE FILE

The console is in raw mode: characters come as they are typed or pasted, not when a line is ended.
"""

import ctypes
import sys
from pathlib import Path
from typing import Any

STD_INPUT_HANDLE = -10
ENABLE_EXTENDED_FLAGS, ENABLE_QUICK_EDIT_MODE = 0x80, 0x40


def main() -> None:
    title, file = sys.argv[1:]
    load: Any = getattr(ctypes, "WinDLL", None)
    kernel = load("kernel32")
    kernel.GetStdHandle.restype = ctypes.c_void_p
    kernel.ReadConsoleW.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_uint] + [ctypes.c_void_p] * 2
    console = ctypes.c_void_p(kernel.GetStdHandle(STD_INPUT_HANDLE))
    kernel.SetConsoleMode(console, ENABLE_EXTENDED_FLAGS | ENABLE_QUICK_EDIT_MODE)
    kernel.SetConsoleTitleW(title)
    buffer, count = ctypes.create_unicode_buffer(1), ctypes.c_uint()
    with Path(file).open("wb", buffering=0) as out:
        # One code unit at a time: half a pair is written as it comes.
        while kernel.ReadConsoleW(console, buffer, 1, ctypes.byref(count), None):
            if count.value:
                out.write(bytes(buffer)[:2])


if __name__ == "__main__":
    main()
