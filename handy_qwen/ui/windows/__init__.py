"""The program's windows: ``window.py`` is what all are built on, ``parts.py`` what they are built of."""
