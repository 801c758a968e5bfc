"""Unit tests need no screen, and open no window on the one that is there."""

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"  # before Qt is loaded
if os.name == "nt":  # where Qt without a screen knows of no letters
    os.environ["QT_QPA_FONTDIR"] = os.path.expandvars(r"%WINDIR%\Fonts")
