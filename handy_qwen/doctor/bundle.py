"""The support archive: report, versions, logs, settings without the user's words.

Settings are included by type (numbers, switches, choices), so that a new one is left out until it is known to
be harmless. The home folder and the user's name are replaced in every file.
"""

from __future__ import annotations

import enum
import getpass
import io
import json
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from handy_qwen import __version__, paths
from handy_qwen.core.types import Hotkey
from handy_qwen.doctor.findings import Context, Report
from handy_qwen.doctor.program import versions
from handy_qwen.errors import HandyError, HotkeyError
from handy_qwen.files import creating, replacing
from handy_qwen.message import Message
from handy_qwen.settings import Settings
from handy_qwen.system.hotkeys.chord import parse_chord

LOGS = ("*.log", "*.log.*")
MOST_LOG_BYTES = 1_500_000  # the end of each
PRIVATE = 0o600

CONTENTS = """Support archive of Handy Qwen {version}

doctor.json    what handy-qwen doctor found: desktop, names of microphones, model, memory, folders
versions.json  the libraries of the program and their versions
settings.json  settings that are numbers, switches or choices, and the hotkeys; of all others only whether or
               how many there are. Your custom words and replacements are not in it.
log/           what the program did and what failed. It never holds what you said, pasted or typed;
               names of microphones and of programs you dictated into may be in it.

Your home folder is written as ~ and your user name as "user". No text, no audio and no history is in it.
It is plain text: have a look before you send it.
"""


def write_bundle(
    place: Path, context: Context, report: Report, *, may_replace: bool = False
) -> dict[str, int]:
    """Write the archive, readable by its owner only; return its contents. Raises HandyError."""
    contents = {name: scrubbed(text) for name, text in _contents(context, report).items()}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in contents.items():
            entry = zipfile.ZipInfo(f"handy-qwen-support/{name}")
            entry.external_attr = PRIVATE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    writing = replacing if may_replace else creating
    try:
        with writing(place, mode=PRIVATE) as file:
            file.write(data.getvalue())
    except FileExistsError as exc:
        title, hint = Message("{path} is there already.", path=place), Message("Give another name.")
        raise HandyError(title, hint) from exc
    except OSError as exc:
        title = Message("{path} cannot be written: {reason}.", path=place, reason=exc.strerror)
        hint = Message("Choose another place.")
        raise HandyError(title, hint) from exc
    return {name: len(text.encode()) for name, text in contents.items()}


def _contents(context: Context, report: Report) -> dict[str, str]:
    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n"

    settings = {"error": str(context.configuration.error or ""), **harmless(context.configuration.settings)}
    return {
        "CONTENTS.txt": CONTENTS.format(version=__version__),
        "doctor.json": text(report.as_dict()),
        "versions.json": text(versions()),
        "settings.json": text(settings),
        **{f"log/{path.name}": _end_of(path) for path in _logs()},
    }


def harmless(settings: Settings) -> dict[str, Any]:
    """The settings that may be shown to others."""
    return {one.name: _harmless(getattr(settings, one.name)) for one in fields(settings)}


def _harmless(value: object) -> object:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple) and value and all(isinstance(one, Hotkey) for one in value):
        return [_hotkey(one) for one in value]
    if isinstance(value, tuple):
        return {"entries": len(value)}
    return {"is_set": bool(value)}


def _hotkey(hotkey: Hotkey) -> Mapping[str, str]:
    """A hotkey, with known key names only: in the file it may be anything."""
    try:
        chord = str(parse_chord(hotkey.chord))
    except HotkeyError:
        chord = "(unknown)"
    return {"chord": chord, "language": hotkey.language, "submit": "(set)" if hotkey.submit else ""}


def _logs() -> list[Path]:
    folder = paths.log_dir()
    found = {path for pattern in LOGS for path in folder.glob(pattern)} if folder.is_dir() else set()
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MOST_LOG_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError as exc:
        return f"(could not be read: {exc.strerror})\n"


def scrubbed(text: str) -> str:
    """``text`` with the home folder replaced by "~" and the user's name, in any case, by "user"."""
    own = os.path.expanduser("~")  # noqa: PTH111  Path's own raises where there is none
    homes = {own, json.dumps(own)[1:-1]}  # as text, and in JSON
    for home in sorted(homes, key=len, reverse=True):
        if len(home) > 1:
            text = re.sub(rf"(?i){re.escape(home)}(?!\w)", "~", text)
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name
        return text
    ordinary = len(name) < 3 or name in {"root", "user"}  # would match other words, or reveals nothing
    return text if ordinary else re.sub(rf"(?i)(?<![\w]){re.escape(name)}(?![\w])", "user", text)
