"""X11 through python-xlib: shared by insertion and hotkeys."""
