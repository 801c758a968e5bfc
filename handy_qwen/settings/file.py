"""The settings file: TOML with a comment for each setting, written and read with tomlkit.

The user's own comments, order and unknown keys survive every save. A key that is absent has its
default. ``version`` counts changes of the layout; ``MIGRATIONS[n]`` brings a file from version n to
n + 1 in place. A file of a newer version is read as far as it is understood and keeps its number.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT
from tomlkit.toml_document import TOMLDocument

from handy_qwen.core.ports import Hotkey
from handy_qwen.core.text import Replacement
from handy_qwen.settings.fields import Settings

logger = logging.getLogger(__name__)

VERSION = 1
MIGRATIONS: dict[int, Callable[[TOMLDocument], None]] = {}
MOST_BYTES = 1 << 20  # two thousand words take 0.05 MB; reading as much as this takes seconds
HEAD = "The settings of Handy Qwen. Changes are picked up within two seconds."


def parse(path: Path) -> TOMLDocument:
    """The document in the file ``path``.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no TOML in UTF-8, or too large to be a settings file.
    """
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ValueError("it is too large")
    try:
        return tomlkit.parse(raw.decode("utf-8-sig"))
    except (TOMLKitError, LookupError, TypeError, RecursionError) as exc:
        raise ValueError("it is no TOML") from exc


def read(document: TOMLDocument) -> Settings:
    """The settings in ``document``. What is wrong falls back to its default, with a warning in the log."""
    values: dict[str, Any] = {}
    raw = document.unwrap()
    for one in fields(Settings):
        if one.name in raw:
            try:
                values[one.name] = _read_field(one, raw[one.name])
            except ValueError as exc:  # the value is the user's: the log gets the name only
                logger.warning("setting %s %s; its default is used", one.name, exc)
    return Settings(**values)


def _read_field(one: Field[Any], raw: object) -> object:
    read_item = one.metadata["item"]
    if read_item is None or not isinstance(raw, list):
        return one.metadata["read"](raw)
    kept = []
    for place, item in enumerate(raw, 1):
        try:
            kept.append(read_item(item))
        except ValueError as exc:
            logger.warning("setting %s: entry %d %s; it is left out", one.name, place, exc)
    return one.metadata["read"](kept)


def migrate(document: TOMLDocument) -> None:
    """Bring ``document`` to the present version, in place."""
    version = document.unwrap().get("version", VERSION)
    if isinstance(version, bool) or not isinstance(version, int):
        version = VERSION
    for step in range(version, VERSION):
        if step in MIGRATIONS:
            MIGRATIONS[step](document)
        document["version"] = step + 1


def new_document() -> TOMLDocument:
    """A document with all defaults and their meanings."""
    document = tomlkit.document()
    document.add(tomlkit.comment(HEAD))
    document.add("version", tomlkit.item(VERSION))
    defaults = Settings()
    for one in fields(Settings):
        document.add(tomlkit.nl())
        for line in one.metadata["meaning"].splitlines():
            document.add(tomlkit.comment(line))
        value = getattr(defaults, one.name)
        if value or not _is_list_of_tables(one):
            document.add(one.name, _item(value))
    return document


def write(document: TOMLDocument, name: str, value: object) -> None:
    """Set one setting in ``document``, leaving the rest as it stands."""
    item, old = _item(value), document.get(name)
    if isinstance(item, AoT) and isinstance(old, AoT):
        while old:
            old.pop()
        for table in item:
            old.append(table)
        return
    if isinstance(item, AoT) or isinstance(old, AoT):
        document.pop(name, None)  # tables stand at the end: what follows them would belong to them
    document[name] = item


def _is_list_of_tables(one: Field[Any]) -> bool:
    return one.name in {"hotkeys", "replacements"}


def _item(value: object) -> Any:  # noqa: ANN401  tomlkit's
    if isinstance(value, tuple) and value and isinstance(value[0], Hotkey | Replacement):
        tables = tomlkit.aot()
        for entry in value:
            table = tomlkit.table()
            table.update(_plain(entry))
            tables.append(table)
        return tables
    if isinstance(value, tuple):
        return tomlkit.item(list(value))
    if isinstance(value, str):
        return tomlkit.item(str(value))  # also of an enumeration
    if isinstance(value, float) and value == int(value):
        return tomlkit.item(int(value))
    return tomlkit.item(value)


def _plain(entry: Hotkey | Replacement) -> Mapping[str, object]:
    if isinstance(entry, Hotkey):
        more = {"language": entry.language, "submit": entry.submit}
        return {"chord": entry.chord} | {name: text for name, text in more.items() if text}
    flags = {"regex": entry.is_regex, "case": entry.is_case_sensitive}
    return {"heard": entry.heard, "written": entry.written} | {name: True for name, on in flags.items() if on}


def save(document: TOMLDocument, path: Path) -> None:
    """Write atomically, readable by the owner only: a crash leaves the old file, never half of a new one.

    Raises:
        OSError: The file cannot be written.
    """
    path = path.resolve()  # of a link, the file it names is replaced
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(tomlkit.dumps(document))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
