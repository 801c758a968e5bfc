"""Adapters to the operating system: hotkeys, text insertion, desktop detection, autostart."""
