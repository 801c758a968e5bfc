"""The settings window: its frame, shared parts, and a module for each page."""
