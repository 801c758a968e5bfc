"""X11 by python-xlib: what insertion and hotkeys share.

| module | idea |
|---|---|
| connection.py | connecting; errors |
| extensions.py | requests and events that python-xlib lacks: layouts, locks; raw keys, single devices |
| keymap.py | which key gives which character, which keys have which names |
| keyboard.py | sends keys (XTEST): text, chords; spare keycodes; modifiers the user holds |
| windows.py | the focus, and the programs behind windows |
| selection.py | selections from program to program (ICCCM), either way |
| clipboard.py | owns CLIPBOARD and PRIMARY on a thread of its own; notices who fetched |
"""
