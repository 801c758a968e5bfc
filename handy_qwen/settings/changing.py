"""Changes settings in the file, for a command: the running program finds them there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from handy_qwen.errors import SettingsError
from handy_qwen.message import Message
from handy_qwen.settings.fields import Settings
from handy_qwen.settings.file import (
    ChangedMeanwhileError,
    Configuration,
    check_readable,
    read_configuration,
    save,
)

_TRIES = 5  # while others write the file


def change(path: Path, **changes: object) -> Settings:
    """Change nothing but these, and nothing in a file that is broken.

    Raises:
        SettingsError: The file cannot be read as it is, or cannot be written; it is as it was.
        ValueError: A value does not pass its check.
    """
    return _changed(path, lambda _found: changes)


def revise(path: Path, changes: Callable[[Settings], Mapping[str, object]]) -> Settings:
    """``change`` to what ``changes`` makes of the settings, for what is added to a list.

    Raises:
        SettingsError: As ``change`` does; or the file has something in its place that cannot be read.
        ValueError: A value does not pass its check.
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
            raise SettingsError(
                Message("{path} cannot be written: {reason}.", path=path, reason=exc.strerror),
                Message("Check its permissions."),
            ) from exc
        return new
    raise AssertionError  # the last try ends above
