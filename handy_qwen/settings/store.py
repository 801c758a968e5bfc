"""The settings of the running program: one value that is swapped whole, and the file behind it.

Changes go through ``update``, which saves them; changes made by hand in the file are found by
``reload_if_changed``, which the program calls every second (a look at the file's time and size).

The file is the user's, who may be in the middle of editing it: one that cannot be read is never moved or
replaced. Until it can be read again, the former settings hold (at the start, the defaults), and what is
changed in the program waits to be written into it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from handy_qwen.errors import HandyError, SettingsError
from handy_qwen.settings.fields import Settings
from handy_qwen.settings.file import Configuration, edited, read_configuration, save

logger = logging.getLogger(__name__)

Stamp = tuple[int, int, int] | None
SETTLED_S = 0.5
"""A file changed less than this ago may be half written: many editors empty it first. It is read later."""
_FORMER = "Your previous settings stay active until you fix it. Until then, changes are not saved."
_DEFAULTS = "The defaults are active until you fix it. Until then, changes are not saved."


class SettingsStore:
    """Holds the settings and keeps them in step with ``path``.

    Threads: any may read ``value``; ``update`` and ``reload_if_changed`` may be called from any and
    call ``on_change`` there, after the swap. ``on_problem`` gets what is wrong with the file, all of it in
    one, whenever that changes; None: it is right again.
    """

    def __init__(
        self,
        path: Path,
        on_change: Callable[[Settings], None] = lambda _: None,
        on_problem: Callable[[HandyError | None], None] = lambda _: None,
    ) -> None:
        self.path = path
        self.on_change = on_change
        self.on_problem = on_problem
        self._lock = threading.RLock()
        self._stamp: Stamp = None  # of the file as it was read last
        self._seen: Stamp = None  # of the file as it was looked at last
        self._value = Settings()
        self._unsaved: dict[str, object] = {}
        self._until = _DEFAULTS
        self._told: tuple[str, str] | None = None

    @property
    def value(self) -> Settings:
        """The settings now."""
        return self._value

    def load(self) -> Settings:
        """Read the file, or create it."""
        with self._lock:
            found = self._read()
            if found.document is None:
                # Whoever has a file has seen the guide of the first start.
                self._value = replace(found.settings, set_up=True)
            else:
                self._value = found.settings
                self._until = _FORMER
                if not found.exists:
                    self._write(found)
        return self._value

    def reload_if_changed(self) -> None:
        """Look whether the file was changed by hand, and take the changes over."""
        with self._lock:
            stamp = self._look()
            has_settled = self._has_settled(stamp)
            self._seen = stamp
            if stamp != self._stamp and has_settled:
                self._catch_up(self._read())

    def update(self, **changes: object) -> Settings:
        """Change settings and save them. Those that are not named keep what the file says.

        Raises:
            ValueError: A value does not pass its check.
            TypeError: There is no such setting.
        """
        with self._lock:
            new = replace(self._value, **changes)  # type: ignore[arg-type]  # checked there
            self._unsaved |= {name: getattr(new, name) for name in changes}
            stamp = self._look()
            if stamp == self._stamp or self._has_settled(stamp):
                self._catch_up(self._read())
            else:
                self._swap(new)
            return self._value

    def _catch_up(self, found: Configuration) -> None:
        """Take over what the file says, and write into it what is not saved yet."""
        base = self._value if found.document is None else found.settings
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

    def _read(self) -> Configuration:
        """The file as it is now; remembers its stamp, and tells what is wrong with it."""
        self._stamp = self._seen = self._look()
        found = read_configuration(self.path)
        complaint = found.complaint(self._until)
        if complaint and self._told is None:  # its text may be the user's
            logger.warning("settings file: %d problems, broken: %s", len(found.problems), bool(found.error))
        self._tell(complaint)
        return found

    def _write(self, found: Configuration) -> None:
        assert found.document is not None
        try:
            save(edited(found.document, self._unsaved), self.path)
        except OSError as exc:
            logger.warning("settings file not written: %s", type(exc).__name__)
            self._tell(
                SettingsError(
                    "The settings could not be saved.",
                    f"{self.path}: {exc.strerror}. They hold until Handy Qwen quits.",
                )
            )
        else:
            if self._unsaved:
                self._tell(read_configuration(self.path).complaint(self._until))
            self._unsaved = {}
        self._stamp = self._seen = self._look()

    def _tell(self, complaint: HandyError | None) -> None:
        told = (complaint.title, complaint.hint) if complaint else None
        if told != self._told:
            self._told = told
            self.on_problem(complaint)

    def _look(self) -> Stamp:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _has_settled(self, stamp: Stamp) -> bool:
        """Whether nobody is writing the file: it was so at the last look, or is for some time already."""
        if stamp == self._seen:
            return True
        return stamp is not None and abs(time.time() - stamp[0] / 1e9) > SETTLED_S
