"""Insertion on X11.

| module | idea |
|---|---|
| desktop.py | the backend: puts the others together |
| xkb.py | the five requests of the XKEYBOARD extension that python-xlib lacks |
| keymap.py | which key, with which modifiers, gives which character in the layout in force |
| spare.py | unused keycodes that lend themselves to characters the layout does not have |
| keyboard.py | keys by XTEST: text, chords |
| modifiers.py | keys the user still holds |
| focus.py | the active window, its class, its client |
| content.py | what lies on a clipboard, in all its formats |
| transfer.py | asking an owner; properties in pieces (INCR), in both directions |
| snapshot.py | what other programs have copied, fetched in advance |
| serving.py | owning a selection and answering those who ask |
| selection.py | owns CLIPBOARD and PRIMARY on a thread of its own; knows who fetched |

How text gets in was decided by trying (Xvfb, openbox; Qt 6, GTK 3, xterm; us, de, fr, ru). Ctrl+V
means nothing to a terminal and does not exist on a layout without Latin letters; Shift+Insert works
everywhere, but terminals then take PRIMARY. Typing needs keycodes for what the layout lacks, and
each change of those makes every program on the desktop read the keyboard again: it is the second
choice. A delay before the old clipboard comes back loses against a slow window, whatever the delay;
so we wait for that window's own request.
"""
