"""Adapters to the operating system: hotkeys, text insertion, which desktop this is, autostart."""
