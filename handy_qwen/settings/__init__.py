"""Everything the user can set, and the file it is written in."""

from handy_qwen.settings.fields import Settings
from handy_qwen.settings.file import Configuration, Problem, SettingsStore, change, read_configuration

__all__ = [
    "Configuration",
    "Problem",
    "Settings",
    "SettingsStore",
    "change",
    "read_configuration",
]
