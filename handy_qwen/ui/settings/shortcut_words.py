"""The words of the page Shortcut."""

from __future__ import annotations

from handy_qwen.ui.translation import tr

HOTKEYS = tr("Hotkeys")
HOTKEYS_HELP = tr("Click a key to change it. A second hotkey can have its own language.")
ALSO = tr("key keyboard shortcut mouse button record")

LANGUAGE, SUBMIT = tr("Language"), tr("Then press")
KEY_NAME = tr("Hotkey {number}: {keys}")
LANGUAGE_NAME, SUBMIT_NAME = tr("Language of hotkey {number}"), tr("Key pressed after hotkey {number}")
NO_KEY = tr("Choose a key…")
DEFAULT = tr("Default ({what})")
# Translators: in "Default (nothing)": no key is pressed after a text.
NOTHING = tr("nothing")
# Translators: in "Default (automatic)": the language is detected.
AUTOMATIC = tr("automatic")
REMOVE, REMOVE_NAME = tr("Remove"), tr("Remove hotkey {number}, {keys}")
ADD, UNDO = tr("A&dd a hotkey"), tr("Und&o")
REMOVED, RESET_DONE = tr("{keys} removed."), tr("Hotkeys reset.")
USE_KEYS = tr("Use {keys}")
NONE_SET = tr("No hotkey is set.")
NONE_SET_HINT = tr("You can still choose Start recording. Add a hotkey to dictate with a key.")

PRESS_HINT = tr("Release it to save. Esc keeps {keys}, Backspace removes it.")
PRESS_HINT_NEW = tr("Release it to save. Esc cancels.")
NAMELESS = tr("That key can't be a hotkey. Try another one.")
TEST = tr("Press {keys} once to test it.")
TEST_DOWN = tr("{keys} is pressed. Now release it.")
TEST_DONE = tr("{keys} works.")
MENU_KEY = tr("Many programs use {keys} for a menu. It won't reach them while Handy Qwen runs.")

BY_DESKTOP = tr("Your desktop assigns these keys.")
BY_DESKTOP_HINT = tr("Change them in its settings; they show up here at once.")
CONFIGURE = tr("Change in System &Settings…")
NO_DESKTOP_KEY = tr("No key yet")
DESKTOP_KEY_NAME = tr("Hotkey {number}: {keys}. Set by your desktop.")
