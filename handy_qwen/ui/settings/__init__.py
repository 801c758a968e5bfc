"""The settings window: its frame, what pages share, and a module for each page."""
