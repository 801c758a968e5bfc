"""Which model a command works with."""

from __future__ import annotations

from pathlib import Path

from handy_qwen.errors import EngineError


def asked_or_used(asked: str) -> str:
    """``asked``; if it is empty, the model that writes the texts of the app, as the settings name it.

    The settings file is read without being made or mended. "" if neither names one.
    """
    if asked:
        return asked
    from handy_qwen.doctor.configuration import read_configuration

    return read_configuration().settings.model


def used_folder() -> Path | None:
    """The folder of the model that writes the texts; None if the settings name one that is not there."""
    from handy_qwen.models.installed import find_model

    try:
        return find_model(asked_or_used("")).folder.resolve()
    except EngineError:
        return None
