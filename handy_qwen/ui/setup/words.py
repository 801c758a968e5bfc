"""The words of the guide. The demo model knows the sentence, so that it works before a download."""

from __future__ import annotations

from handy_qwen.ui.strings import tr

TITLE, TITLE_OF_STEP = tr("Set up"), tr("Set up: {step}")
LATER, BACK, NEXT, SKIP, FINISH = tr("Not no&w"), tr("&Back"), tr("&Next"), tr("S&kip"), tr("&Finish")
STEP = tr("Step {number} of {count}")
STEP_DONE = tr("{title}, done")
TRY_AGAIN = tr("Go &back to it")

SENTENCE = tr("The meeting starts at five o'clock.")

MICROPHONE = tr("Microphone")
MICROPHONE_TITLE = tr("Can you be heard?")
MICROPHONE_LEAD = tr("Choose your microphone, press Listen, read the sentence aloud, and press Stop.")
DEVICE, DEFAULT_DEVICE = tr("Micro&phone:"), tr("System default")
LISTEN, STOP = tr("&Listen"), tr("&Stop")
LEVEL = tr("Level")
READ_THIS = tr("Read this aloud:")
HEARD = tr("What was &heard:")
HEARD_EMPTY = tr("The text appears here.")
HEARD_WELL = tr("Every word was understood. This microphone is fine.")
HEARD_OTHER = tr("Not every word was understood. Try again closer to the microphone, or choose another one.")
LOUD_ENOUGH = tr("Your voice arrives.")
TOO_QUIET = tr("Nothing is heard yet. Speak, or choose another microphone.")

HOTKEY = tr("Hotkey")
HOTKEY_TITLE = tr("Your dictation key")
HOTKEY_LEAD = tr("Press and release to test it. Nothing is recorded here.")
CHANGE, KEEP = tr("&Change…"), tr("Cancel")  # no letter: every key is a candidate meanwhile
PRESS_NEW = tr("Press the new key, or several together")
CAPTURE_HINT = tr(
    "A modifier alone works best, such as Right Ctrl: it types nothing. Or a function key, or Ctrl+Alt+D."
)
NOT_A_HOTKEY = tr("That key can't be a hotkey. Try another one.")
MENU_KEY = tr("Many programs use {keys} for a menu or a button.")
MENU_KEY_HINT = tr("It won't reach them while Handy Qwen runs. Ctrl+Alt and a letter is safer.")
WENT_DOWN, CAME_UP = tr("Pressed"), tr("Released")
HOTKEY_WORKS = tr("It works. Hold it while you talk, or tap it to start and tap again to stop.")
NOT_SEEN = tr(
    "Nothing happens? Another program may be using the key. Choose another one; on Wayland, set it in your "
    "desktop's keyboard settings."
)
NO_HOTKEY = tr("none")

DICTATION = tr("First text")
DICTATION_TITLE = tr("Your first text")
DICTATION_LEAD = tr("The cursor is in the field. Hold {keys}, say the sentence or your own, and let go.")
FIELD = tr("Your &text:")
FIELD_EMPTY = tr("Click here, hold {keys} and speak.")
DICTATION_WORKS = tr("That is all there is to it. It works like this in every window.")
CLEAR = tr("Cl&ear")
READY, LISTENING = tr("Ready: hold {keys}."), tr("Listening… let go when you have finished.")
WRITING, LOADING = tr("Writing…"), tr("The model is being loaded; you can speak already.")

MODEL = tr("Model")
MODEL_TITLE = tr("The model that writes")
MODEL_LEAD = tr("The demo model knows some 300 words. A full one writes whatever you say, and is got once.")
MODEL_FULL, MODEL_DEMO = tr("a full one is here"), tr("only the demo model")
MODEL_HERE = tr("A full model is here.")
NO_SHELF = tr("Models are being looked for…")

AUTOSTART = tr("At login")
AUTOSTART_TITLE = tr("Always at hand")
AUTOSTART_LEAD = tr("Handy Qwen waits in the tray and uses no processor time until you press the key.")
AT_LOGIN = tr("Start Handy Qwen when I &log in")
AT_LOGIN_ON, AT_LOGIN_OFF = tr("it starts by itself"), tr("you start it yourself")
AT_LOGIN_HINT = tr("It starts without a window. You can change this in the tray's menu at any time.")

DONE = tr("Done")
DONE_TITLE = tr("You are ready")
DONE_TITLE_OPEN = tr("Nearly ready")
DONE_LEAD = tr("Hold {keys}, speak, let go: the words stand where your cursor is.")
STEP_IS_OPEN = tr("not tried yet")
STEP_IS_DONE = tr("works")
FIND_AGAIN = tr("Find this guide again in the tray's menu under “Set up…”, or with: handy-qwen setup")
