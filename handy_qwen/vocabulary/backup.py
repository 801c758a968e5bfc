"""A backup: all settings in one file, to be imported on another machine, in parts.

It has the format of the settings file, with all explanations. Imported words and replacements are added to
the existing lists; other settings are replaced. Settings files of other machines, and that of Handy, can be
imported as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handy_qwen.core.types import BackupPart
from handy_qwen.errors import HandyError, SettingsError
from handy_qwen.files import explained, replace_file
from handy_qwen.message import Message, messages
from handy_qwen.settings.document import Document, TomlError
from handy_qwen.settings.fields import OPTIONS, Settings
from handy_qwen.settings.file import edited, new_document, values_in
from handy_qwen.vocabulary import handy
from handy_qwen.vocabulary.exchange import text_of
from handy_qwen.vocabulary.lists import Item, Vocabulary, added, listed, replacements_added, words_added

HEAD = "A backup of Handy Qwen. To read it: Settings → General → Import, or handy-qwen settings import FILE."
ENDING = ".toml"
_PART_OF = {
    "apps": BackupPart.APPS,
    "custom_words": BackupPart.WORDS,
    "replacements": BackupPart.REPLACEMENTS,
}
_NOT_SET_UP = {"set_up", "recent_languages"}  # the program's own state
CheckChord = Callable[[str], object]  # raises a HandyError for an invalid hotkey


def names_of(parts: Collection[BackupPart]) -> list[str]:
    """The settings in ``parts``, in the order of the file."""
    return [name for name in OPTIONS if name not in _NOT_SET_UP and part_of(name) in parts]


def part_of(name: str) -> BackupPart:
    """The part that the setting ``name`` belongs to."""
    return _PART_OF.get(name, BackupPart.SETTINGS)


def write_backup(path: Path, settings: Settings, parts: Collection[BackupPart]) -> None:
    """Write ``parts`` of ``settings``, all or nothing, readable by the user only. Raises HandyError."""
    names = names_of(parts)
    document = edited(new_document(names, HEAD), {name: getattr(settings, name) for name in names})
    with explained(path):
        replace_file(path, document.text.encode())


@dataclass(frozen=True, slots=True)
class Backup:
    """The importable contents of a file, by names of settings; how much of it is invalid."""

    values: dict[str, Any] = field(repr=False)
    unusable: int = 0

    def changes(self, now: Settings, parts: Collection[BackupPart]) -> tuple[dict[str, object], Message]:
        """The settings that importing into ``now`` changes, and a sentence about it."""
        wanted = {name: self.values[name] for name in names_of(parts) if name in self.values}
        old = Vocabulary.of(now)
        outcome = added(old, _items(wanted))
        changes = outcome.vocabulary.changes_from(old)
        replaced = {BackupPart.SETTINGS, BackupPart.APPS}
        others = {name: value for name, value in wanted.items() if part_of(name) in replaced}
        changes |= {name: value for name, value in others.items() if value != getattr(now, name)}
        changed, unusable = sum(name in others for name in changes), self.unusable + len(outcome.skipped)
        told = listed(
            messages("{count} setting changed", "{count} settings changed", changed),
            words_added(outcome.words),
            replacements_added(outcome.replacements),
            messages("{count} entry can't be used", "{count} entries can't be used", unusable),
        )
        if not told:
            return changes, Message("Everything in it is set already.")
        return changes, Message("{changes}.", changes=told)


def read_backup(path: Path, check_chord: CheckChord) -> Backup:
    """Read a backup, a settings file, or Handy's settings. Raises SettingsError: it is none of these."""
    text = text_of(path)
    if path.suffix.lower() == ".json":
        return _checked(path, handy.values_of(stored := handy.stored(text)), stored, check_chord)
    try:
        values, problems = values_in(Document(text))
    except TomlError as exc:
        raise SettingsError(
            Message(
                "Line {line} of {name} cannot be read: {reason}.",
                line=exc.line,
                name=path.name,
                reason=exc.reason,
            ),
            Message("Choose a backup of Handy Qwen."),
        ) from exc
    usable = {name: value for name, value in values.items() if value is not None}
    if not usable:
        title = Message("{name} has no settings.", name=path.name)
        hint = Message("Choose a backup of Handy Qwen, or Handy's.")
        raise SettingsError(title, hint)
    return Backup(usable, len(problems))


def _checked(path: Path, values: dict[str, object], stored: Any, check_chord: CheckChord) -> Backup:  # noqa: ANN401
    """The valid ones of Handy's settings; its words are checked when they are added."""
    usable: dict[str, Any] = {}
    for name, value in values.items():
        try:
            usable[name] = OPTIONS[name].read(value)
            if name == "hotkeys":
                check_chord(usable[name][0].chord)
        except (ValueError, HandyError):
            usable.pop(name, None)
    words = stored.get("custom_words")
    if isinstance(words, list):
        usable["custom_words"] = tuple(word for word in words if isinstance(word, str))
    if not usable:
        title = Message("{name} has no settings of Handy's.", name=path.name)
        hint = Message("Choose its settings_store.json.")
        raise SettingsError(title, hint)
    return Backup(usable, len(values) - sum(name in usable for name in values))


def _items(wanted: dict[str, Any]) -> Iterator[Item]:
    for name in ("custom_words", "replacements"):
        yield from (Item(number, value) for number, value in enumerate(wanted.get(name, ()), 1))
