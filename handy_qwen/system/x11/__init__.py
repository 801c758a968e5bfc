"""X11 by python-xlib: what insertion and hotkeys share."""
