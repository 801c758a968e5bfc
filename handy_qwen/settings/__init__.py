"""Everything the user can set, and the file it is written in."""

from handy_qwen.settings.fields import OPTIONS, Option, Settings
from handy_qwen.settings.file import Configuration, Problem, SettingsView, change, read_configuration, revise
from handy_qwen.settings.store import SettingsStore

__all__ = [
    "OPTIONS",
    "Configuration",
    "Option",
    "Problem",
    "Settings",
    "SettingsStore",
    "SettingsView",
    "change",
    "read_configuration",
    "revise",
]
