"""Everything the user can set, and the file it is written in."""

from handy_qwen.settings.fields import MeansOfInsertion, Settings
from handy_qwen.settings.file import Configuration, Problem, change, read_configuration
from handy_qwen.settings.store import SettingsStore

__all__ = [
    "Configuration",
    "MeansOfInsertion",
    "Problem",
    "Settings",
    "SettingsStore",
    "change",
    "read_configuration",
]
