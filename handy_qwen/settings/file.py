"""The settings file: TOML with a comment for each setting.

``read_configuration`` reads it and never writes; ``edited`` changes single settings in its text, and ``save``
writes that. A missing key has its default. A file of a newer layout ``version`` is read as far as possible
and keeps its number. The file is the user's, who may be editing it: one that cannot be read is never moved or
replaced. ``SettingsStore`` keeps the running program in step with it.
"""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from handy_qwen import paths
from handy_qwen.errors import SettingsError
from handy_qwen.files import replace_file
from handy_qwen.languages import AUTOMATIC
from handy_qwen.message import Message, messages, reason_of, sentences
from handy_qwen.settings.checks import Reader, Several, item_of
from handy_qwen.settings.document import Document, TomlError, dump, name_at, repaired
from handy_qwen.settings.document import Path as Keys
from handy_qwen.settings.fields import OPTIONS, Settings

VERSION = 1
MOST_BYTES = 1 << 20  # two thousand words take 0.05 MB; reading this much takes seconds
HEAD = "The settings of Handy Qwen. Changes are picked up within two seconds."
T = TypeVar("T")
Stamp = tuple[int, int, int]
_TABLES = {
    name: tuple(one.read.keys)
    for name, one in OPTIONS.items()
    if isinstance(one.read, Several) and one.read.keys
}
_SHOWN_PROBLEMS = 3  # in a notice
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")  # an unknown key that may be shown


class ChangedMeanwhileError(OSError):
    """Somebody else has written the file since it was read; it was left unchanged."""


def stamp_of(path: Path) -> Stamp | None:
    """A value that changes when the file ``path`` is written: time, size, and inode. None: no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """Something in the file that cannot be used: one sentence, without any value of the user's."""

    text: Message = Message()
    line: int = 0  # from 1; 0: unknown
    effect: Message = Message()  # what is done instead
    name: str = ""  # of the setting; "" if it is about the file, or an unknown key
    place: Keys = field(default=(), repr=False)  # of an unknown key, for ``fix_key``
    meant: str = ""  # the intended name, or the name of a misplaced setting

    @property
    def told(self) -> Message:
        """All of it in one line, without a capital and a full stop: see ``forms.sentence``."""
        text = (
            Message("{problem}; {effect}", problem=self.text, effect=self.effect)
            if self.effect
            else self.text
        )
        return Message("line {line}: {problem}", line=self.line, problem=text) if self.line else text

    def __str__(self) -> str:
        return str(self.told)


@dataclass(frozen=True, slots=True)
class SettingsView:
    """The complete state of the settings for display."""

    path: Path = Path()  # the file
    # The current settings
    values: Settings = field(default_factory=Settings, repr=False)  # include the user's words
    # Why the file cannot be read as a whole: changes are not saved meanwhile. None if it can.
    error: SettingsProblem | None = None
    problems: tuple[SettingsProblem, ...] = ()  # parts of the file that cannot be used
    refusal: SettingsError | None = None  # why the file cannot be written; None if it can

    def problem_of(self, name: str) -> SettingsProblem | None:
        """The problem of the setting ``name`` in the file, or None."""
        return next((one for one in self.problems if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The contents of a settings file."""

    path: Path = field(default_factory=paths.settings_file)  # the file
    document: Document | None = None  # its text; that of a new file if there is none, None if it is broken
    exists: bool = False  # else defaults apply
    stamp: Stamp | None = None  # distinguishes this state from later ones; None without a file
    # Its bytes: on Windows, two states written at one moment may have the same stamp
    raw: bytes = field(default=b"", repr=False)
    error: SettingsProblem | None = None  # why it cannot be read as a whole; None if it can
    problems: tuple[SettingsProblem, ...] = ()  # parts that cannot be used, in the order of the file
    # The settings; defaults if it is broken
    settings: Settings = field(default_factory=Settings)

    def complaint(self, until: Message = Message()) -> SettingsError | None:
        """The message for the user; None if the file is fine. ``until``: what applies while it is broken."""
        if self.error:
            title = Message("{file} {problem}.", file=self.path.name, problem=self.error.text)
            if self.error.line:
                title = Message(
                    "Line {line} of {file} cannot be read: {reason}.",
                    line=self.error.line,
                    file=self.path.name,
                    reason=self.error.text,
                )
            if until and self.error.line:
                how = Message("Reset the line in the Settings window, or fix it in {path}.", path=self.path)
            else:
                how = Message("Fix it in {path}.", path=self.path)
            return SettingsError(title, sentences(until, how))
        if not self.problems:
            return None
        if len(self.problems) == 1:
            (one,) = self.problems
            hint = Message("Fix it in {path}.", path=self.path)
            if one.effect:
                hint = Message("Fix it in {path}. Until then, {effect}.", effect=one.effect, path=self.path)
            title = Message(
                "Line {line} of {file}: {problem}.", line=one.line, file=self.path.name, problem=one.text
            )
            return SettingsError(title, hint)
        told = [
            Message("Line {line}: {problem}.", line=one.line, problem=one.text)
            for one in self.problems[:_SHOWN_PROBLEMS]
        ]
        if more := len(self.problems) - len(told):
            told.append(
                messages(
                    "And {count} more: run handy-qwen doctor.",
                    "And {count} more: run handy-qwen doctor.",
                    more,
                )
            )
        title = messages(
            "{count} problem in {file}.",
            "{count} problems in {file}.",
            len(self.problems),
            file=self.path.name,
        )
        return SettingsError(title, sentences(*told))


def read_configuration(path: Path | None = None) -> Configuration:
    """Read the settings file. Never raises, never writes."""
    path = path or paths.settings_file()
    try:
        stamp, raw = stamp_of(path), _bytes_of(path)
        if len(raw) > MOST_BYTES:
            return Configuration(path, exists=True, error=SettingsProblem(Message("is too large")))
        document = _renamed(Document(raw.decode()))
    except FileNotFoundError:
        return Configuration(path, new_document())
    except OSError as exc:
        return Configuration(
            path,
            exists=True,
            error=SettingsProblem(Message("cannot be opened: {reason}", reason=exc.strerror)),
        )
    except UnicodeError:
        return Configuration(path, exists=True, error=SettingsProblem(Message("is not UTF-8 text")))
    except TomlError as exc:
        name = name_at(raw.decode(), exc.line)
        error = SettingsProblem(exc.reason, exc.line, name=name if name in OPTIONS else "")
        return Configuration(path, exists=True, stamp=stamp, raw=raw, error=error)
    settings, problems = read(document)
    return Configuration(path, document, True, stamp, raw, problems=problems, settings=settings)


def _renamed(document: Document) -> Document:
    """``document`` with keys of former versions renamed."""
    former = document.values.get("microphone")
    if isinstance(former, str) and "microphones" not in document.values:
        return document.with_name(("microphone",), "microphones", [former] if former else [])
    return document


def _bytes_of(path: Path) -> bytes:
    if path.exists() and not path.is_file():  # opening a pipe would wait for its other end
        raise OSError(errno.EINVAL, "it is not a file")
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def read(document: Document) -> tuple[Settings, tuple[SettingsProblem, ...]]:
    """The settings in ``document``; invalid ones have their default, and are reported."""
    values, problems = values_in(document)
    return Settings(**{name: value for name, value in values.items() if value is not None}), problems


def values_in(document: Document) -> tuple[dict[str, Any], tuple[SettingsProblem, ...]]:
    """The values in ``document`` by name; None for invalid ones, which are reported."""
    reader = _Reader(document)
    values = {name: reader.field(name) for name in OPTIONS if name in document.values}
    reader.look_for_strangers()
    return values, tuple(sorted(reader.problems, key=lambda one: one.line))


class _Reader:
    """Reads fields one by one and collects problems."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[SettingsProblem] = []

    def field(self, name: str) -> Any:  # noqa: ANN401  of any setting
        """Its value; None if its default is to be used."""
        raw, read = self._document.values[name], OPTIONS[name].read
        if isinstance(raw, Mapping) and name in _TABLES:
            self._tell(Message("write [[{name}]], with two brackets", name=name), (name,))
            raw = [raw]
        if isinstance(raw, list) and raw and isinstance(read, Several):
            raw = [item for at in range(len(raw)) if (item := self.entry(name, at, raw[at])) is not None]
            if not raw:
                return None
        return self._checked(read, raw, name, (name,), _default_used(name))

    def entry(self, name: str, at: int, entry: object) -> Any:  # noqa: ANN401  of any list
        """The usable part of a list entry; None if there is none."""
        place: Keys = (name, at)
        called = Message("entry {number} of {name}", number=at + 1, name=name)
        if place in self._document.lines:
            called = Message("an entry of {name}", name=name)
        read, before = OPTIONS[name].read, len(self.problems)
        assert isinstance(read, Several)
        if read.keys and isinstance(entry, Mapping):

            def is_good(key: str, value: object) -> bool:
                found = self._checked(
                    read.keys[key],
                    value,
                    Message("{key} of {name}", key=key, name=name),
                    (*place, key),
                    Message("it is not used"),
                )
                return found is not None

            entry = {key: value for key, value in entry.items() if key in read.keys and is_good(key, value)}
        explained = len(self.problems)
        found = self._checked(read.item, entry, called, place, Message("it is left out"))
        if explained > before:  # one of its keys was bad, which explains it
            del self.problems[explained:]
        return found

    def look_for_strangers(self) -> None:
        """Report unknown keys: misspelled, or below the header of a table."""
        values = self._document.values
        version = values.get("version", VERSION)
        is_newer = isinstance(version, int) and version > VERSION
        for name, raw in values.items():
            if name == "version":
                continue
            if name not in OPTIONS and not is_newer:
                guess = _nearest(name, OPTIONS)
                told = Message("this key is not a setting")
                if guess:
                    told = Message(
                        "{key} is not a setting (did you mean {name}?)", key=_shown(name), name=guess
                    )
                self._tell_stranger(told, (name,), guess)
            for at, entry in enumerate(raw if isinstance(raw, list) else [raw]):
                if isinstance(entry, Mapping):
                    self._look_in_table(name, (name, at) if isinstance(raw, list) else (name,), entry)

    def _look_in_table(self, name: str, place: Keys, entry: Mapping[str, object]) -> None:
        known = _TABLES.get(name, ())
        header = f"[[{name}]]" if len(place) > 1 else f"[{name}]"
        for key in entry:
            if key in known:
                continue
            if key in OPTIONS:
                line = self._document.first_table_line
                told = Message("{key} is inside {table} and not used", key=key, table=name)
                if line:
                    told = Message(
                        "{key} is inside {table} and not used; move it above line {line}",
                        key=key,
                        table=header,
                        line=line,
                    )
                self._tell_stranger(told, (*place, key), key)
            elif known:
                guess = _nearest(key, known)
                told = Message(  # without its name, which may be anything the user says
                    "a key is not known in {table}; known are {names}", table=header, names=", ".join(known)
                )
                if guess:
                    told = Message(
                        "{key} is not known in {table} (did you mean {name}?)",
                        key=_shown(key),
                        table=header,
                        name=guess,
                    )
                self._tell_stranger(told, (*place, key), guess)

    def _checked(self, read: Reader[T], value: object, called: str, place: Keys, effect: Message) -> T | None:
        try:
            return read(value)
        except ValueError as exc:
            self._tell(Message("{setting} {problem}", setting=called, problem=reason_of(exc)), place, effect)
            return None

    def _tell(self, text: Message, place: Keys, effect: Message = Message()) -> None:
        name = place[0] if place[0] in OPTIONS else ""
        self.problems.append(SettingsProblem(text, self._document.line_of(place), effect, str(name)))

    def _tell_stranger(self, text: Message, place: Keys, meant: str) -> None:
        """Report an unknown key and, if it has its own line, what it may have been meant to be."""
        self._tell(text, place)
        if place in self._document.lines:
            is_moved = meant == place[-1]
            is_plain = isinstance(self._value(place), str | int | float | list)
            is_free = meant not in (self._document.values if is_moved else self._value(place[:-1]))
            can_be = is_plain and is_free and self._document.is_key(place)
            last = self.problems.pop()
            self.problems.append(replace(last, place=place, meant=meant if can_be else ""))

    def _value(self, place: Keys) -> Any:  # noqa: ANN401  of any kind
        found: Any = self._document.values
        for key in place:
            found = found[key]
        return found


def _shown(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else Message("a key")


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name.lower().replace("-", "_"), list(known), n=1)
    return found[0] if found else ""


def _default_used(name: str) -> Message:
    default = OPTIONS[name].default
    if default == "" or isinstance(default, tuple):
        return Message("the default is used")
    return Message("the default, {value}, is used", value=dump(_plain(default)))


def new_document(names: Iterable[str] = tuple(OPTIONS), head: str = HEAD) -> Document:
    """A document with the defaults of ``names`` and their explanations."""
    defaults = Settings()
    lines = [f"# {head}", f"version = {VERSION}"]
    for name in names:
        lines += ["", *(f"# {line}" for line in OPTIONS[name].described.comment())]
        if name not in _TABLES:
            lines.append(f"{name} = {dump(_plain(getattr(defaults, name)))}")
        for entry in getattr(defaults, name) if name in _TABLES else ():
            lines += [f"[[{name}]]", *(f"{key} = {dump(value)}" for key, value in item_of(entry).items())]
    return Document("\n".join([*lines, ""]))


def edited(document: Document, changes: Mapping[str, Any]) -> Document:
    """``document`` with changed settings; the rest stays, including unreadable entries, unless reset."""
    for name, value in changes.items():
        raw = document.values.get(name)
        entries = raw if isinstance(raw, list) and isinstance(OPTIONS[name].read, Several) else []
        reader, is_reset = _Reader(document), value == OPTIONS[name].default
        read = [reader.entry(name, at, entry) for at, entry in enumerate(entries)]
        unread = [at for at, entry in enumerate(read) if entry is None and not is_reset]
        if name in _TABLES:
            old = [item_of(entry) if entry else {} for entry in read]
            new = [item_of(entry) for entry in value]
            kept = unread if (name, 0) in document.lines else []
            document = document.with_tables(name, old, _with(new, {at: {} for at in kept}), _TABLES[name])
        elif entries:
            kept_values = {at: entries[at] for at in unread if isinstance(entries[at], str | int | float)}
            document = document.with_value(name, _with(value, kept_values))
        else:
            document = document.with_value(name, _plain(value))
    return document


def _with(entries: Iterable[T], more: Mapping[int, T]) -> list[T]:
    """``entries`` with ``more`` at their positions."""
    found = list(entries)
    for place, entry in more.items():
        found.insert(place, entry)
    return found


def _plain(value: object) -> object:
    return AUTOMATIC if value is None else value


def save(found: Configuration, changes: Mapping[str, object]) -> None:
    """Write ``changes`` to the file that was ``found`` (or its link target), atomically, for the owner only.

    Raises ChangedMeanwhileError: it has changed since; OSError: it cannot be written, or would be too large.
    """
    assert found.document is not None
    document = edited(found.document, changes)
    raw = f"{document.mark}{document.text}".encode()
    if len(raw) > MOST_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    _replace(found, raw)


def _replace(found: Configuration, raw: bytes) -> None:
    """Replace the file, unless it has changed since ``found``."""

    def check() -> None:
        if stamp_of(found.path) != found.stamp or (found.stamp and _bytes_of(found.path) != found.raw):
            raise ChangedMeanwhileError(errno.EAGAIN, "another program is writing it")

    replace_file(found.path, raw, check=check)


def repair(path: Path) -> None:
    """Comment out what keeps a file from being TOML. Raises SettingsError: it is broken otherwise."""
    found = read_configuration(path)
    if found.document is not None:
        return
    try:
        _replace(found, repaired(path.read_bytes().decode()).encode())
    except (OSError, ValueError) as exc:  # including TomlError and UnicodeError
        title = Message("{name} cannot be repaired here.", name=path.name)
        hint = Message("Open {path} in a text editor.", path=path)
        raise SettingsError(title, hint) from exc


def fix_key(path: Path, place: Keys, *, is_meant: bool) -> None:
    """Rename or move an unknown key as it was meant, or comment it out. Raises SettingsError."""
    found = read_configuration(path)
    problem = next((one for one in found.problems if place and one.place == place), None)
    if found.document is None or problem is None:
        raise SettingsError(Message("{name} has changed.", name=path.name), Message("Look at it again."))
    document = found.document
    if not is_meant or not problem.meant:
        document = document.without(place)
    elif problem.meant == place[-1]:
        value = _Reader(document)._value(place)
        document = document.without(place).with_value(problem.meant, value)
    else:
        document = document.with_name(place, problem.meant)
    try:
        _replace(found, f"{document.mark}{document.text}".encode())
    except OSError as exc:
        title = Message("{path} cannot be written: {reason}.", path=path, reason=exc.strerror)
        hint = Message("Check its permissions.")
        raise SettingsError(title, hint) from exc


def check_readable(found: Configuration, names: Iterable[str]) -> None:
    """Refuse to overwrite unreadable settings."""
    for name in names:
        document = found.document
        if document and name in document.values and _Reader(document).field(name) is None:
            title = Message(
                "{name} in {file} cannot be read, and would be lost.", name=name, file=found.path.name
            )
            hint = Message("Fix or reset it first.")
            raise SettingsError(title, hint)


# --- changes by a command, which the running program finds in the file ------------------------------

_TRIES = 5  # while others write the file


def change(path: Path, **changes: object) -> Settings:
    """Change only these settings, and nothing in a broken file.

    Raises SettingsError: the file cannot be read or written; ValueError: a value is invalid.
    """
    return _changed(path, lambda _found: changes)


def revise(path: Path, changes: Callable[[Settings], Mapping[str, object]]) -> Settings:
    """``change``, with the result of ``changes`` for the current settings, to add to lists.

    Raises the same, and a SettingsError if the current value cannot be read.
    """

    def wanted(found: Configuration) -> Mapping[str, object]:
        made = changes(found.settings)
        check_readable(found, made)
        return made

    return _changed(path, wanted)


def _changed(path: Path, wanted: Callable[[Configuration], Mapping[str, object]]) -> Settings:
    for left in reversed(range(_TRIES)):
        found = read_configuration(path)
        if found.document is None:
            raise found.complaint() or SettingsError(Message("{path} cannot be read.", path=path))
        changes = wanted(found)
        new = replace(found.settings, **changes)  # type: ignore[arg-type]  # checked there
        try:
            save(found, {name: getattr(new, name) for name in changes})
        except OSError as exc:
            if isinstance(exc, ChangedMeanwhileError) and left:
                continue
            title = Message("{path} cannot be written: {reason}.", path=path, reason=exc.strerror)
            hint = Message("Check its permissions.")
            raise SettingsError(title, hint) from exc
        return new
    raise AssertionError  # the last try ends above
