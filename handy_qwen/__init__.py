"""Handy Qwen: hold a key, speak, let go, and the words stand where the cursor is."""

__version__ = "0.1.0"
