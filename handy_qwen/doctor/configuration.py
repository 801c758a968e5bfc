"""The settings as they stand in the file, read without setting a broken one aside or writing a new one."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from handy_qwen import paths
from handy_qwen.settings import Settings
from handy_qwen.settings import file as settings_file

_WARNED = logging.getLogger(settings_file.__name__)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings, and what is wrong with their file.

    Attributes:
        path: The file.
        exists: It is there; else the defaults hold.
        error: Why it cannot be read as a whole; "" if it can.
        warnings: Settings that do not pass their check, by name and reason, never by value.
        settings: What the program works with.
    """

    path: Path = field(default_factory=paths.settings_file)
    exists: bool = False
    error: str = ""
    warnings: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)


def read_configuration(path: Path | None = None) -> Configuration:
    """Read the settings file. Never raises, never writes."""
    path = path or paths.settings_file()
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return Configuration(path)
    except OSError as exc:
        return Configuration(path, exists=True, error=f"it cannot be read: {exc.strerror}")
    except UnicodeError:
        return Configuration(path, exists=True, error="it is no text in UTF-8")
    except TOMLKitError as exc:  # its message quotes what stands there
        line = getattr(exc, "line", None)
        return Configuration(path, exists=True, error="it is no TOML" + (f", line {line}" if line else ""))
    settings_file.migrate(document)
    with _Warnings() as warnings:
        settings = settings_file.read(document)
    return Configuration(path, exists=True, warnings=tuple(warnings.told), settings=settings)


class _Warnings(logging.Handler):
    """What the reader of the settings has to say, kept instead of shown."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())

    def __enter__(self) -> _Warnings:
        self._was_passed_on, _WARNED.propagate = _WARNED.propagate, False
        _WARNED.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        _WARNED.removeHandler(self)
        _WARNED.propagate = self._was_passed_on
