"""The entry point of the frozen program.

``--self-test`` imports every module of the program, here and beside the interpreter (``python entry.py
--self-test``); frozen.py compares the two, to find missing lazy imports.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import pkgutil
import sys

SELF_TEST = "--self-test"
MUTEX = "HandyQwen"  # as in product.py, which is not frozen


def main() -> int:
    """Run the program."""
    multiprocessing.freeze_support()
    give_back_library_path()
    tell_installer()
    if sys.argv[1:2] == [SELF_TEST]:
        return self_test()
    from handy_qwen.cli import main as run

    return run()


def give_back_library_path() -> None:
    """Make programs started by ours (an editor, a file manager) load their own libraries.

    PyInstaller's loader sets LD_LIBRARY_PATH for this process, which has used it by now.
    Source: PyInstaller 6 manual, "LD_LIBRARY_PATH / LIBPATH considerations".
    """
    if not getattr(sys, "frozen", False) or not sys.platform.startswith("linux"):
        return
    original = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    if original is None:
        os.environ.pop("LD_LIBRARY_PATH", None)
    else:
        os.environ["LD_LIBRARY_PATH"] = original


def tell_installer() -> None:
    """Let the Windows installer see that the program runs, here or in another user's session.

    The mutexes end with the process. Source: Inno Setup's help, "AppMutex".
    """
    if getattr(sys, "frozen", False) and sys.platform == "win32":
        import ctypes

        for name in (MUTEX, f"Global\\{MUTEX}"):
            ctypes.windll.kernel32.CreateMutexW(None, False, name)


def self_test() -> int:
    """Import all modules and print the results as JSON: {name: "" or the error}."""
    import handy_qwen

    found = {}
    for module in pkgutil.walk_packages(handy_qwen.__path__, "handy_qwen.", onerror=lambda _name: None):
        if module.name.endswith(".__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except (ImportError, AttributeError, OSError) as exc:  # for another system
            found[module.name] = f"{type(exc).__name__}: {exc}"
        else:
            found[module.name] = ""
    print(json.dumps(found, indent=1, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
