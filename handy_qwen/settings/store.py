"""The settings of the running program: one value that is swapped whole, and the file behind it.

Changes go through ``update``, which saves them; changes made by hand in the file are found by
``reload_if_changed``, which the program calls every two seconds (a look at the file's time and size).
A file that is no TOML: at the start it is set aside and defaults are used; later, while somebody may
be in the middle of editing, the former settings stay until it can be read again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path

from tomlkit.toml_document import TOMLDocument

from handy_qwen.errors import HandyError
from handy_qwen.settings import file as settings_file
from handy_qwen.settings.fields import Settings

logger = logging.getLogger(__name__)

Stamp = tuple[int, int] | None


class SettingsStore:
    """Holds the settings and keeps them in step with ``path``.

    Threads: any may read ``value``; ``update`` and ``reload_if_changed`` may be called from any and
    call ``on_change`` there, after the swap. ``on_problem`` gets what the user should know.
    """

    def __init__(
        self,
        path: Path,
        on_change: Callable[[Settings], None] = lambda _: None,
        on_problem: Callable[[HandyError], None] = lambda _: None,
    ) -> None:
        self.path = path
        self.on_change = on_change
        self.on_problem = on_problem
        self._lock = threading.RLock()
        self._stamp: Stamp = None
        self._value = Settings()

    @property
    def value(self) -> Settings:
        """The settings now."""
        return self._value

    def load(self) -> Settings:
        """Read the file, or create it. A file that cannot be read is set aside, and the user is told."""
        with self._lock:
            document = self._read()
            if document is None:
                self._set_aside()
            if document is None or not self.path.exists():
                document = settings_file.new_document()
                self._save(document)
            self._value = settings_file.read(document)
        return self._value

    def reload_if_changed(self) -> None:
        """Look whether the file was changed by hand, and take the changes over."""
        with self._lock:
            if self._stamp == self._look():
                return
            document = self._read()
            if document is None:
                self.on_problem(
                    HandyError(
                        "The settings file cannot be read.", "Mend it; until then the former settings hold."
                    )
                )
                return
            self._swap(settings_file.read(document))

    def update(self, **changes: object) -> Settings:
        """Change settings and save them. Those that are not named keep what the file says.

        Raises:
            ValueError: A value does not pass its check.
            TypeError: There is no such setting.
        """
        with self._lock:
            document = self._read()
            if document is None:
                self._set_aside()
                document = settings_file.new_document()
                self._write_all(document, self._value)
            new = replace(settings_file.read(document), **changes)  # type: ignore[arg-type]  # checked there
            for name in changes:
                settings_file.write(document, name, getattr(new, name))
            self._save(document)
            self._swap(new)
        return new

    def _swap(self, new: Settings) -> None:
        if new != self._value:
            self._value = new
            self.on_change(new)

    def _read(self) -> TOMLDocument | None:
        """The file as a document; a new one if there is none; None if it is broken. Remembers its stamp."""
        self._stamp = self._look()
        if self._stamp is None:
            return settings_file.new_document()
        try:
            document = settings_file.parse(self.path)
        except (OSError, ValueError) as exc:
            logger.warning("settings file not read: %s", type(exc).__name__)  # its text may be the user's
            return None
        settings_file.migrate(document)
        return document

    def _look(self) -> Stamp:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size

    def _set_aside(self) -> None:
        aside = self.path.with_name(f"{self.path.name}.broken-{datetime.now():%Y%m%d-%H%M%S}")
        try:
            self.path.replace(aside)
        except OSError as exc:
            logger.warning("settings file not set aside: %s", type(exc).__name__)
        self.on_problem(
            HandyError(
                "The settings file could not be read.",
                f"It was set aside as {aside.name}; defaults are used.",
            )
        )

    def _save(self, document: TOMLDocument) -> None:
        try:
            settings_file.save(document, self.path)
        except OSError as exc:
            logger.warning("settings file not written: %s", type(exc).__name__)
            self.on_problem(HandyError("The settings could not be saved.", f"Look at {self.path}."))
        self._stamp = self._look()

    @staticmethod
    def _write_all(document: TOMLDocument, settings: Settings) -> None:
        for one in fields(settings):
            settings_file.write(document, one.name, getattr(settings, one.name))
