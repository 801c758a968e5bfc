"""The user's settings, and their file."""

from handy_qwen.settings.fields import OPTIONS, Option, Settings
from handy_qwen.settings.file import (
    Configuration,
    SettingsProblem,
    SettingsView,
    change,
    read_configuration,
    revise,
)
from handy_qwen.settings.store import SettingsStore

__all__ = [
    "OPTIONS",
    "Configuration",
    "Option",
    "Settings",
    "SettingsProblem",
    "SettingsStore",
    "SettingsView",
    "change",
    "read_configuration",
    "revise",
]
