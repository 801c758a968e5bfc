"""The program's folders and files.

HANDY_QWEN_HOME moves all of them into one folder, which makes a second, independent instance (for tests, or
to try a setting).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import platformdirs

from handy_qwen.errors import HandyError
from handy_qwen.message import Message

APP_NAME = "handy-qwen"
APP_ID = "io.github.handy_qwen"
"""The program's desktop id: portals, menus and panels know it by the name of its .desktop file."""
HOME_VARIABLE = "HANDY_QWEN_HOME"


def is_flatpak(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this is the program's own Flatpak; in another sandbox the answer is no."""
    return environment.get("FLATPAK_ID") == APP_ID


def user_home() -> Path:
    """The user's home. Raises HandyError: none, so that paths in it would begin with a plain ``~``."""
    named = None if os.name == "nt" else os.environ.get("HOME")
    home = Path(os.path.expanduser("~") if named is None else named)  # noqa: PTH111  Path's own raises
    if not home.is_absolute():
        title = Message("This user has no home directory.")
        hint = Message("Set HOME or {variable} to a folder for settings and models.", variable=HOME_VARIABLE)
        raise HandyError(title, hint)
    return home


def _folder(name: str, variable: str, usual: Callable[[str, Literal[False]], Path]) -> Path:
    """The folder ``name`` of HANDY_QWEN_HOME; else the ``usual`` one, unless ``variable`` overrides it."""
    if home := os.environ.get(HOME_VARIABLE):
        if home.startswith("~"):
            user_home()
        return Path(home).expanduser().absolute() / name
    if not Path(os.environ.get(variable, "")).is_absolute():
        user_home()
    return usual(APP_NAME, False)


def config_dir() -> Path:
    """The folder of the settings file. Raises HandyError, like the others: there is no home directory."""
    return _folder("config", "XDG_CONFIG_HOME", platformdirs.user_config_path)


def settings_file() -> Path:
    """The user's settings file."""
    return config_dir() / "settings.toml"


def data_dir() -> Path:
    """The folder of valuable data: takes, history, the user's own model catalogue."""
    return _folder("data", "XDG_DATA_HOME", platformdirs.user_data_path)


def models_dir() -> Path:
    """The folder with one subfolder per installed model."""
    return data_dir() / "models"


def log_dir() -> Path:
    """The folder of the log files."""
    return _folder("log", "XDG_STATE_HOME", platformdirs.user_log_path)


def runtime_dir() -> Path:
    """The folder of the control socket, with the data if necessary: never one that others can write to.

    Each start of a Flatpak has its own XDG_RUNTIME_DIR, in which only ``app`` is shared.
    """
    is_linux, names = sys.platform.startswith("linux"), (HOME_VARIABLE, "XDG_RUNTIME_DIR")
    if is_linux and not any(map(os.environ.get, names)):
        return data_dir() / "run"
    if is_flatpak() and not os.environ.get(HOME_VARIABLE):
        return Path(os.environ["XDG_RUNTIME_DIR"]) / "app" / APP_ID / APP_NAME
    return _folder("run", "XDG_RUNTIME_DIR", platformdirs.user_runtime_path)


def asset(name: str) -> Path:
    """A shipped file or folder, inside the package or, in a checkout, beside it."""
    inside = Path(__file__).parent / "assets"
    return (inside if inside.is_dir() else Path(__file__).parents[1] / "assets") / name


def make_private(folder: Path) -> Path:
    """Create ``folder`` readable by its owner only, and return it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.name == "posix":
        folder.chmod(0o700)
    return folder
