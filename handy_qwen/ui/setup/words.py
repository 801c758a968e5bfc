"""The words of the guide. The demo model knows the sentence, so that it works before a download."""

from __future__ import annotations

from handy_qwen.core.types import Mode
from handy_qwen.ui.translation import tr

TITLE, TITLE_OF_STEP = tr("Set up"), tr("Set up: {step}")
LATER, BACK, NEXT, SKIP, FINISH = tr("Close set&up"), tr("&Back"), tr("&Next"), tr("S&kip"), tr("&Finish")
STEP = tr("Step {number} of {count}")
STEP_DONE, STEP_HERE = tr("{title}, done"), tr("{title}, current step")
TRY_AGAIN = tr("Go back")

DEMO_SENTENCE = "The meeting starts at five o'clock."  # of the English that the demo model knows
# Translators: a sentence to read aloud into the microphone; numbers in words.
SENTENCE = tr("The meeting starts at five o'clock.")

MICROPHONE = tr("Microphone")
MICROPHONE_TITLE = tr("Test your microphone")
MICROPHONE_LEAD = tr("Choose your microphone, press Listen, read the sentence aloud, then press Stop.")
DEVICE = tr("Micro&phone:")
LISTEN, STOP = tr("&Listen"), tr("&Stop")
SAY_EXACTLY = tr("Say exactly this sentence:")
READ_THIS = tr("Read this aloud, or say something of your own:")
HEARD = tr("&Transcript:")
HEARD_EMPTY = tr("Your words will appear here.")
HEARD_WELL = tr("Every word is right. This microphone works.")
HEARD_PARTLY = tr("{right} of {total} words are right. Missed: {missed}.")
HEARD_NOTHING = tr("None of the words are right. Move closer to the microphone, or choose another one.")
HEARD_OWN = tr("Is that what you said? Then this microphone works.")
LOUD_ENOUGH = tr("We can hear you.")
TOO_QUIET = tr("We can't hear you yet. Speak up, or choose another microphone.")

HOTKEY = tr("Hotkey")
HOTKEY_TITLE = tr("Your dictation key")
HOTKEY_LEAD = tr("Press and release to test it. Nothing is recorded here.")
CHANGE, KEEP = tr("&Change…"), tr("Cancel")  # no letter: every key is a candidate meanwhile
CONFIGURE = tr("&Change in System Settings…")
CAPTURE_HINT = tr(
    "A modifier alone works best, such as Right Ctrl: it types nothing. Or a function key, or Ctrl+Alt+D."
)
NOT_A_HOTKEY = tr("That key can't be a hotkey. Try another one.")
MENU_KEY = tr("Many programs use {keys} for a menu or a button.")
MENU_KEY_HINT = tr("It won't reach them while Handy Qwen runs. Ctrl+Alt and a letter is safer.")
PRESSED = tr("Pressed. Now release it.")
HOTKEY_WORKS = {
    Mode.AUTO: tr("It works. Hold it while you talk, or tap it to start and tap again to stop."),
    Mode.HOLD: tr("It works. Hold it while you talk."),
    Mode.TOGGLE: tr("It works. Tap it to start, and tap again to stop."),
}
NOT_SEEN = tr("Nothing happens? Another program may be using the key. Choose another one.")
# Translators: no key is set; in a list at the end: "Hotkey: none".
NO_HOTKEY = tr("none")

DICTATION = tr("First text")
DICTATION_TITLE = tr("Your first text")
DICTATION_LEAD = tr("The text appears at the cursor.")
FIELD, FIELD_EMPTY = tr("Your te&xt:"), tr("Click here, then dictate.")
ALLOW_TYPING = tr("&Allow typing…")
TYPING_TITLE = tr("Your desktop wants to know whether Handy Qwen may type your texts.")
TYPING_REFUSED = tr("Handy Qwen may not type, so your texts are only copied.")
TYPING_HINT = tr(
    "It asks once. Leave “Allow Remote Interaction” switched on, then press Share. Nothing is shared with "
    "anyone: that is the desktop's name for pressing keys."
)
DICTATION_WORKS = tr("That's it. It works the same in every window.")
DEMO_MISHEARD = tr(
    "The text was inserted, but not every word is right: the demo model knows only some 300 words. "
    "Say exactly the sentence above."
)
CLEAR = tr("Cl&ear")
RELEASE = tr("Listening… Release the key when you're done.")
PRESS_AGAIN = tr("Listening… Press the key again when you're done.")
LOADING = tr("Loading the model… You can already speak.")

MODEL = tr("Model")
MODEL_TITLE = tr("Choose a model")
MODEL_LEAD = tr(
    "The built-in demo model knows some 300 words. A full model understands everything you say. "
    "You download it once."
)
MORE_MODELS = tr("&More models…")
# Translators: in a list at the end: "Model: installed".
MODEL_FULL, MODEL_DEMO = tr("installed"), tr("demo model only")
MODEL_HERE = tr("A full model is installed.")
MODEL_COMES = tr("Go on to the next step. The installation continues in the background.")

AUTOSTART = tr("At login")
AUTOSTART_TITLE = tr("Always at hand")
AUTOSTART_LEAD = tr("Handy Qwen waits in the background and uses no processor time until you press the key.")
AT_LOGIN = tr("Start Handy Qwen when I &log in")
# Translators: in a list at the end, after "Handy Qwen".
AT_LOGIN_ON, AT_LOGIN_OFF = tr("starts when you log in"), tr("starts when you open it")
AT_LOGIN_HINT = tr("Starts in the background, without a window. You can change this at any time.")

DONE = tr("Done")
DONE_TITLE = tr("You're ready")
DONE_TITLE_OPEN = tr("Almost ready")
DONE_LEAD = tr("Your words appear in the focused window.")
# Translators: in a list at the end: "First text: not done yet".
STEP_IS_OPEN = tr("not done yet")
# Translators: in a list at the end: "Microphone: works".
STEP_IS_DONE = tr("works")
FIND_AGAIN = tr("To run this guide again, choose Help → Set up again….")
