"""Which model a command works with, and with which settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.errors import EngineError

if TYPE_CHECKING:
    from handy_qwen.settings import Settings


def read_settings() -> Settings:
    """The user's settings, which no command writes unasked.

    Raises:
        SettingsError: The file cannot be read: nobody can know which model and which words are wanted.
    """
    from handy_qwen.settings import read_configuration

    found = read_configuration()
    if found.error and (complaint := found.complaint()):
        raise complaint
    return found.settings


def asked_or_used(asked: str) -> str:
    """``asked``; if it is empty, the model that writes the texts of the app, as the settings name it.

    "" if neither names one.

    Raises:
        SettingsError: Nothing was asked for, and the settings file cannot be read.
    """
    return asked or read_settings().model


def used_folder() -> Path | None:
    """The folder of the model that writes the texts; None if the settings name one that is not there.

    Of settings that cannot be read, the model that the app would start with now.
    """
    from handy_qwen.models.installed import find_model
    from handy_qwen.settings import read_configuration

    try:
        return find_model(read_configuration().settings.model).folder.resolve()
    except EngineError:
        return None
