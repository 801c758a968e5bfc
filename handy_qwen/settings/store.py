"""The settings of the running program, in step with their file.

Changes go through ``update``, which saves them; manual changes of the file are found by
``reload_if_changed``, called every ``pause_s`` (it checks the file's time and size, but no clock: that of a
network drive may be wrong). Until a broken file can be read again, the previous settings apply (at startup,
the defaults), and changes made in the program are saved afterwards.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from handy_qwen.errors import HandyError, SettingsError
from handy_qwen.message import Message
from handy_qwen.settings.document import Path as Keys
from handy_qwen.settings.fields import Settings
from handy_qwen.settings.file import (
    ChangedMeanwhileError,
    Configuration,
    SettingsProblem,
    SettingsView,
    Stamp,
    check_readable,
    fix_key,
    read_configuration,
    repair,
    save,
    stamp_of,
)

logger = logging.getLogger(__name__)

LOOK_S = 1.0  # polling interval while somebody may be writing the file
LOOK_IDLE_S = 10.0  # otherwise: systems report most changes, but not those on a network drive
_SETTLED, _COARSE = 1, 3
"""How many polls after a change was found the file is read: many editors empty it before they write, and some
file systems have a time resolution of two seconds."""
_FORMER = Message("Your previous settings stay active, and changes are not saved, until it is fixed.")
_DEFAULTS = Message("The defaults are active, and changes are not saved, until it is fixed.")


class SettingsStore:
    """Holds the settings and keeps them in step with ``path``.

    Threads: any may read ``value``; ``update`` and ``reload_if_changed`` may be called from any and call
    ``on_change`` there, after the swap. ``on_problem`` gets all problems of the file in one whenever they
    change; None: it is fine again. ``on_view`` gets the whole state whenever anything changes.
    """

    def __init__(
        self,
        path: Path,
        on_change: Callable[[Settings], None] = lambda _: None,
        on_problem: Callable[[HandyError | None], None] = lambda _: None,
        on_view: Callable[[SettingsView], None] = lambda _: None,
    ) -> None:
        self.path = path
        self.on_change = on_change
        self.on_problem = on_problem
        self.on_view = on_view
        self._lock = threading.RLock()
        self._seen: Stamp | None = None  # of the file at the last poll
        self._looks = 0  # polls with this stamp
        self._value = Settings()
        self._unsaved: dict[str, object] = {}
        self._bases: dict[str, object] = {}  # their values in the file when they were first changed
        self._until = _DEFAULTS
        self._refusal: SettingsError | None = None  # why the file could not be written
        self._told: tuple[str, str] | None = None
        self._file: tuple[SettingsProblem | None, tuple[SettingsProblem, ...]] = (
            None,
            (),
        )  # what is wrong with it
        self._view = SettingsView(path)

    @property
    def value(self) -> Settings:
        """The current settings."""
        return self._value

    @property
    def view(self) -> SettingsView:
        """The current settings, and the problems of the file."""
        return self._view

    def pause_s(self) -> float:
        """In how many seconds to poll the file again."""
        return LOOK_IDLE_S if self._looks >= _COARSE else LOOK_S

    def expect_change(self) -> None:
        """Somebody may be writing the file: poll sooner. It may be incomplete now."""
        with self._lock:
            self._looks = min(self._looks, _SETTLED)

    def load(self) -> Settings:
        """Read the file, or create it."""
        with self._lock:
            self._remember()
            found = self._read()
            if found.document is None:
                # A user with a file has seen the guide of the first start.
                self._value = replace(found.settings, set_up=True)
            else:
                self._value = found.settings
                self._until = _FORMER
                if not found.exists:
                    self._write(found)
            self._show()
        return self._value

    def reload_if_changed(self) -> None:
        """Check whether the file was edited, and load the changes."""
        with self._lock:
            seen, self._seen = self._seen, stamp_of(self.path)
            self._looks = self._looks + 1 if seen == self._seen else 0
            if self._looks in {_SETTLED, _COARSE}:
                self._catch_up(self._read())

    def update(self, **changes: object) -> Settings:
        """Change settings and save them; others are as in the file. Raises ValueError, TypeError: a name."""
        with self._lock:
            new = replace(self._value, **changes)  # type: ignore[arg-type]  # checked there
            self._note(new, changes, self._value)
            stamp = stamp_of(self.path)
            if stamp == self._seen and self._looks >= _SETTLED:
                self._catch_up(self._read())
            else:  # somebody is writing it: wait for the next polls
                self._seen, self._looks = stamp, 0
                self._swap(new)
            return self._value

    def repair(self) -> None:
        """See the function ``repair``. May take seconds. Raises SettingsError: the file is as it was."""
        repair(self.path)  # without the lock: a large file takes time
        self._take_over()

    def fix_key(self, place: Keys, *, is_meant: bool) -> None:
        """See the function ``fix_key``. Raises SettingsError: that failed; the file is unchanged."""
        fix_key(self.path, place, is_meant=is_meant)
        self._take_over()

    def revise(self, changes: Callable[[Settings], Mapping[str, object]]) -> Settings:
        """``update`` with the result of ``changes`` for the file's current settings.

        Raises the same, and a SettingsError if the current value cannot be read; nothing is changed.
        """
        with self._lock:
            found = self._read()
            if found.document is None or not found.document.text:  # many editors empty a file first
                return self.update(**changes(self._value))
            # Recent manual changes are not overwritten.
            base = replace(found.settings, **self._unsaved)  # type: ignore[arg-type]  # checked when set
            wanted = changes(base)
            check_readable(found, wanted)
            new = replace(base, **wanted)  # type: ignore[arg-type]  # checked there
            self._note(new, wanted, found.settings)
            self._remember()
            self._catch_up(found)
            return self._value

    def flush(self) -> None:
        """Save pending changes of a file that somebody was editing: the program is about to end."""
        with self._lock:
            if self._unsaved:
                self._catch_up(self._read())

    def _note(self, new: Settings, names: Iterable[str], base: Settings) -> None:
        """``names`` must be saved; ``base`` has their previous values."""
        for name in names:
            self._unsaved[name] = getattr(new, name)
            self._bases.setdefault(name, getattr(base, name))

    def _take_over(self) -> None:
        """The file has just been written."""
        with self._lock:
            self._remember()
            self._catch_up(self._read())

    def _merge(self, theirs: Settings) -> None:
        """Merge unsaved changes of lists with those made in the file meanwhile."""
        for name, ours in self._unsaved.items():
            base, other = self._bases[name], getattr(theirs, name)
            if isinstance(ours, tuple) and isinstance(base, tuple) and other != base:
                self._unsaved[name] = merged(base, ours, other)
                self._bases[name] = other

    def _catch_up(self, found: Configuration) -> None:
        """Load the file, and write unsaved changes into it."""
        base = self._value if found.document is None else found.settings
        if found.document is not None and found.document.text:
            self._merge(found.settings)
        new = replace(base, **self._unsaved)  # type: ignore[arg-type]  # checked when they were set
        if found.document is not None:
            self._until = _FORMER
            if self._unsaved:
                self._write(found)
        self._swap(new)

    def _swap(self, new: Settings) -> None:
        if new != self._value:
            self._value = new
            self.on_change(new)
        self._show()

    def _show(self) -> None:
        shown = SettingsView(self.path, self._value, *self._file, self._refusal)
        if shown != self._view:
            self._view = shown
            self.on_view(shown)

    def _read(self) -> Configuration:
        """The current file; reports its problems."""
        found = read_configuration(self.path)
        if found.exists and not self._unsaved:  # created by somebody else
            self._refusal = None
        self._tell(found)
        return found

    def _write(self, found: Configuration) -> None:
        try:
            save(found, self._unsaved)
        except ChangedMeanwhileError:
            pass  # the next poll finds the change, and unsaved changes are written then
        except OSError as exc:
            logger.warning("settings file not written: %s", type(exc).__name__)
            self._refusal = SettingsError(
                Message("The settings could not be saved."),
                Message(
                    "{path}: {reason}. They apply until Handy Qwen quits.",
                    path=self.path,
                    reason=exc.strerror,
                ),
            )
            self._tell(found)
        else:
            self._unsaved, self._bases, self._refusal = {}, {}, None
            self._remember()
            self._tell(read_configuration(self.path))

    def _remember(self) -> None:
        """Record the file as just read or written."""
        self._seen, self._looks = stamp_of(self.path), _SETTLED

    def _tell(self, found: Configuration) -> None:
        complaint = (None if found.error else self._refusal) or found.complaint(self._until)
        told = (complaint.title, complaint.hint) if complaint else None
        if told != self._told:
            if complaint and self._told is None:  # it may contain the user's text
                logger.warning(
                    "settings file: %d problems, broken: %s", len(found.problems), bool(found.error)
                )
            self._told = told
            self.on_problem(complaint)
        self._file = found.error, found.problems


def merged(base: Sequence[Any], ours: Sequence[Any], theirs: Sequence[Any]) -> tuple[Any, ...]:
    """``base`` with the changes of both ``ours`` and ``theirs``: without what either has removed."""
    if ours == base:
        return tuple(theirs)
    result = [one for one in ours if one in theirs or one not in base]
    for place, one in enumerate(theirs):
        if one not in base and one not in result:
            is_placed = place == 0 or theirs[place - 1] in result
            at = result.index(theirs[place - 1]) + 1 if place and is_placed else 0
            result.insert(at if is_placed else len(result), one)
    return tuple(result)
