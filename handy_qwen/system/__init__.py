"""Adapters to the operating system: hotkeys, text insertion, the running instance, autostart."""
