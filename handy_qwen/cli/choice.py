"""Which model a command works with."""

from __future__ import annotations


def asked_or_used(asked: str) -> str:
    """``asked``; if it is empty, the model that writes the texts of the app, as the settings name it.

    The settings file is read without being made or mended. "" if neither names one.
    """
    if asked:
        return asked
    from handy_qwen.doctor.configuration import read_configuration

    return read_configuration().settings.model
