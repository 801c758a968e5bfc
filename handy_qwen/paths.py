"""Where things are kept on this machine.

HANDY_QWEN_HOME moves all of them into one folder, which makes a second instance
that shares nothing with the first (for tests, or to try a setting).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

from handy_qwen.errors import HandyError

APP_NAME = "handy-qwen"
HOME_VARIABLE = "HANDY_QWEN_HOME"


def _home() -> Path | None:
    home = os.environ.get(HOME_VARIABLE)
    if not home:
        return None
    if home.startswith("~"):
        _require_home()
    return Path(home).expanduser().absolute()


def user_home() -> Path:
    """The user's own folder. Without one, paths in it would begin with a plain ``~``, wherever that is.

    Raises:
        HandyError: There is none.
    """
    told = None if os.name == "nt" else os.environ.get("HOME")
    home = Path(os.path.expanduser("~") if told is None else told)  # noqa: PTH111  Path's own raises
    if not home.is_absolute():
        raise HandyError(
            "This user has no home directory.",
            f"Set HOME or {HOME_VARIABLE} to a folder for settings and models.",
        )
    return home


def _require_home(instead: str = "") -> None:
    """See that there is one, unless the variable ``instead`` names another place."""
    if not (instead and Path(os.environ.get(instead, "")).is_absolute()):
        user_home()


def config_dir() -> Path:
    """The folder of the settings file.

    Raises:
        HandyError: The user has no home directory. So do all functions here that lead to the user's folders.
    """
    if home := _home():
        return home / "config"
    _require_home("XDG_CONFIG_HOME")
    return platformdirs.user_config_path(APP_NAME, appauthor=False)


def settings_file() -> Path:
    """The file of the user's settings."""
    return config_dir() / "settings.toml"


def data_dir() -> Path:
    """The folder of what must not be lost: takes, history, the user's own model catalogue."""
    if home := _home():
        return home / "data"
    _require_home("XDG_DATA_HOME")
    return platformdirs.user_data_path(APP_NAME, appauthor=False)


def models_dir() -> Path:
    """The folder with one folder for each installed model."""
    return data_dir() / "models"


def log_dir() -> Path:
    """The folder of the log files."""
    if home := _home():
        return home / "log"
    _require_home("XDG_STATE_HOME")
    return platformdirs.user_log_path(APP_NAME, appauthor=False)


def runtime_dir() -> Path:
    """The folder of the socket through which the running program is reached.

    Where the system gives the user none of his own, it lies with the data: never in a folder that
    others can write to.
    """
    home = _home()
    if home:
        return home / "run"
    if sys.platform.startswith("linux") and not os.environ.get("XDG_RUNTIME_DIR"):
        return data_dir() / "run"
    _require_home("XDG_RUNTIME_DIR")
    return platformdirs.user_runtime_path(APP_NAME, appauthor=False)


def asset(name: str) -> Path:
    """A file or folder that ships with the program, such as ``icons/tray-idle.svg``.

    In an installed program the assets lie inside the package; in a checkout beside it.
    """
    inside = Path(__file__).parent / "assets"
    return (inside if inside.is_dir() else Path(__file__).parents[1] / "assets") / name


def make_private(folder: Path) -> Path:
    """Create ``folder`` readable by its owner only, and return it.

    Raises:
        OSError: The folder cannot be created.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.name == "posix":
        folder.chmod(0o700)
    return folder
