"""Everything the user can set, and the file it stands in."""

from handy_qwen.settings.fields import LiveWork, MeansOfInsertion, Overlay, Settings
from handy_qwen.settings.store import SettingsStore

__all__ = ["LiveWork", "MeansOfInsertion", "Overlay", "Settings", "SettingsStore"]
