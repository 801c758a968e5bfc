"""Where Linux's libraries are not installed, only the back ends for Linux cannot be imported."""

import subprocess
import sys

FOR_LINUX = (
    "system.accessibility",
    "system.players",
    "system.portal",
    "system.x11",
    "system.hotkeys.kde",
    "system.hotkeys.portal",
    "system.hotkeys.x11",
    "system.insert.wayland",
    "system.insert.x11",
)
IMPORT_ALL = """
import importlib, pkgutil, sys
import handy_qwen

sys.modules |= dict.fromkeys(("jeepney", "Xlib"))
for module in pkgutil.walk_packages(handy_qwen.__path__, "handy_qwen."):
    name = module.name.removeprefix("handy_qwen.")
    if not name.startswith(tuple(sys.argv[1:])) and name != "__main__":
        importlib.import_module(module.name)
"""


def test_all_but_the_back_ends_for_linux_can_be_imported_without_its_libraries():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *FOR_LINUX], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
