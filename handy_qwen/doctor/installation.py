"""How this copy of the program got onto the machine, which decides how it is removed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import handy_qwen
from handy_qwen import paths


@dataclass(frozen=True, slots=True)
class Installation:
    """A way of installing: ``kind`` for programs, ``text`` for people, ``removal`` says how to undo it."""

    kind: str
    text: str
    removal: str


def installation(
    environment: Mapping[str, str] = os.environ,
    *,
    platform: str = sys.platform,
    executable: str = sys.executable,
    package: Path = Path(handy_qwen.__file__).parent,
    prefix: str = sys.prefix,
    is_frozen: bool = bool(getattr(sys, "frozen", False)),
) -> Installation:
    """Find out how the running copy was installed."""
    if environment.get("APPIMAGE"):
        image = environment["APPIMAGE"]
        return Installation("appimage", f"the AppImage {image}", f"Delete the file {image}.")
    if is_frozen:
        return _frozen(platform, Path(executable))
    if (package.parent / "pyproject.toml").is_file():
        return Installation("checkout", f"a checkout in {package.parent}", f"Delete {package.parent}.")
    parts = Path(prefix).parts
    if "pipx" in parts:
        return Installation("pipx", f"pipx, in {prefix}", f"Run: pipx uninstall {paths.APP_NAME}")
    if "uv" in parts and "tools" in parts:
        return Installation("uv", f"uv tool, in {prefix}", f"Run: uv tool uninstall {paths.APP_NAME}")
    return Installation("pip", f"pip, in {prefix}", f"Run: {executable} -m pip uninstall {paths.APP_NAME}")


def _frozen(platform: str, executable: Path) -> Installation:
    folder = executable.resolve().parent
    if platform == "darwin":
        bundle = next((one for one in executable.parents if one.suffix == ".app"), folder)
        return Installation("app", f"the app {bundle}", f"Move {bundle} to the Trash.")
    if platform == "win32":
        return Installation(
            "windows", f"a program in {folder}", "Settings > Apps > Installed apps > Handy Qwen > Uninstall."
        )
    if Path(f"/var/lib/dpkg/info/{paths.APP_NAME}.list").exists() and folder.parts[:2] != ("/", "home"):
        return Installation(
            "deb", f"the Debian package, in {folder}", f"Run: sudo apt remove {paths.APP_NAME}"
        )
    return Installation("folder", f"a folder, {folder}", f"Delete the folder {folder}.")
