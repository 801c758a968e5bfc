"""The command that starts this copy of the program again, however it was installed.

AppImage                        $APPIMAGE: the file itself; where it is mounted changes at every start
frozen (.deb, .exe, .app)       the executable
installed (venv, pipx, uv)      the script ``handy-qwen`` beside the interpreter
a checkout without that script  the interpreter with ``-m handy_qwen``, in the checkout
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import handy_qwen

HIDDEN = "--hidden"
HOME_VARIABLE = "HANDY_QWEN_HOME"
SCRIPT = "handy-qwen"


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start the program.

    Attributes:
        command: Program and arguments.
        folder: Where it has to be started; None: anywhere.
        variables: What has to be in its environment besides what is there.
    """

    command: tuple[str, ...]
    folder: Path | None = None
    variables: Mapping[str, str] | None = None


def launch_for(
    environment: Mapping[str, str] = os.environ,
    *,
    platform: str = sys.platform,
    executable: str = sys.executable,
    is_frozen: bool = bool(getattr(sys, "frozen", False)),
    checkout: Path = Path(handy_qwen.__file__).parents[1],
) -> Launch:
    """How to start this copy hidden. A second instance (HANDY_QWEN_HOME) is started as itself."""
    home = environment.get(HOME_VARIABLE, "")
    variables = {HOME_VARIABLE: str(Path(home).expanduser().absolute())} if home else None
    if environment.get("APPIMAGE"):
        return Launch((environment["APPIMAGE"], HIDDEN), variables=variables)
    if is_frozen:
        return Launch((executable, HIDDEN), variables=variables)
    script = Path(executable).with_name(f"{SCRIPT}.exe" if platform == "win32" else SCRIPT)
    if script.is_file():
        return Launch((str(script), HIDDEN), variables=variables)
    folder = checkout if (checkout / "pyproject.toml").is_file() else None
    return Launch((executable, "-m", "handy_qwen", HIDDEN), folder, variables)
