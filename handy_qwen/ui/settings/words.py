"""The words of the settings window. Those of a single setting are in ``settings.fields``, see ``said``."""

from __future__ import annotations

from handy_qwen.core.models import ModelEntry
from handy_qwen.core.types import Part
from handy_qwen.settings.forms import Page
from handy_qwen.ui import strings
from handy_qwen.ui.translation import tr

TITLE = tr("Settings")
PAGES = {
    Page.GENERAL: tr("General"),
    Page.SHORTCUT: tr("Shortcut"),
    Page.MICROPHONE: tr("Microphone"),
    Page.LANGUAGE: tr("Language and model"),
    Page.TEXT: tr("Text"),
    Page.VOCABULARY: tr("Vocabulary"),
    Page.APPS: tr("Apps"),
    Page.HISTORY: tr("History and privacy"),
    Page.ABOUT: tr("Help and about"),
}
PAGE_LIST = tr("Pages")
SEARCH = tr("Search (Ctrl+F)")
SEARCH_NAME = tr("Search settings")
NOTHING_FOUND = tr("No setting matches.")
# Translators: a button that sets a setting back to its default.
RESET_TO = tr("Reset {setting} to {value}")
# Translators: {unit} is "s", "min", "days", "GB", ...
MUST_BE = tr("Must be from {low} to {high} {unit}.")
# Translators: beside a box before a number: "Number of dictations: at most".
LIMITED = tr("At most")
FOUND_BY = {  # what else a setting is searched by; translators: words that people may search for
    "autostart": tr("autostart startup boot background"),
    "overlay": tr("popup indicator"),
    "sounds": tr("beep cue tone"),
    "mode": tr("push to talk toggle"),
    "model": tr("accuracy speed"),
    "live": tr("streaming preview speed"),
    "live_on_battery": tr("streaming preview speed"),
    "threads": tr("cpu cores speed"),
    "idle_unload_min": tr("ram"),
    "method": tr("clipboard ctrl+v keystrokes"),
    "submit": tr("return send chat"),
    "smart_spacing": tr("capital lowercase punctuation"),
    "remove_fillers": tr("filler hesitation"),
    "say_new_line": tr("voice command line break"),
    "say_new_paragraph": tr("voice command line break"),
    "say_scratch_that": tr("voice command undo delete backspace"),
    "say_press_enter": tr("voice command return send"),
    "private": tr("incognito record"),
}
TRY_HERE, TRY_KEYS = tr("Try it here"), tr("Try it here: {how}")
OPEN_FILE, SHOW_IT = tr("Open the &file"), tr("&Show it")
BROKEN_LINE, BROKEN = tr("Line {line} of {file} cannot be read: {reason}."), tr("{file} {reason}.")
BROKEN_HINT = tr(
    "Until it is fixed, your changes work but are not saved. Resetting turns the line into a comment: what "
    "you wrote stays in the file."
)
BROKEN_HINT_OTHER = tr("Until it is fixed, your changes work but are not saved.")
MEND, MEND_LINE = tr("Re&set “{setting}”"), tr("Re&set this line")
RENAME_KEY, MOVE_KEY = tr("Rename to “{name}”"), tr("Move line {line} to its place")
REMOVE_LINE, REMOVE_TIP = tr("Remove line {line}"), tr("It becomes a comment.")
MEND_TIP = tr("The line becomes a comment, and its setting goes back to the default.")


RESTART, RESTART_HINT = tr("&Restart Handy Qwen"), tr("The new language shows after a restart.")
AUTOSTART = tr("Start when I log in")
AUTOSTART_HELP = tr("Starts in the background, without a window.")
PLAY, PLAY_NAME = tr("▶ Play"), tr("Play the sounds")
SETUP, RUN_SETUP = tr("Set up again"), tr("Run setup…")
SETUP_HELP = tr("Test the microphone, choose a key and a model, step by step.")
BACKUP, BACKUP_HELP = tr("Backup"), tr("What you have set up, in one file that you can read.")
BACKUP_ALSO = tr("export import restore transfer migrate handy another computer")
PARTS = {
    Part.SETTINGS: tr("Settings"),
    Part.APPS: tr("Apps"),
    Part.WORDS: tr("Words"),
    Part.REPLACEMENTS: tr("Replacements"),
}
EXPORT, IMPORT, IMPORT_HANDY = tr("&Export…"), tr("&Import…"), tr("Import from &Handy")
UNDO, BACKUP_NAME, BACKUP_KIND = tr("Und&o"), "handy-qwen", tr("Backup (*.toml)")
IMPORT_TITLE = tr("Import a backup")
IMPORT_KINDS = (tr("Backups and Handy's settings (*.toml *.json)"), tr("All files (*)"))
# Translators: heading above settings about how long things take.
TIMES = tr("Times")
DETECT, MANAGE_MODELS = tr("Detect automatically"), tr("Manage models…")
ANY_LANGUAGE, FIND_LANGUAGE, OPENS = tr("Any language"), tr("Find a language"), "{what}…"
WORK, RESOURCES = tr("Live transcription"), tr("Memory and processor")
INSERTION, WORDING, COMMANDS = tr("Insertion"), tr("Wording"), tr("Spoken commands")

HELP_PAGES, SETTINGS_FILE = tr("Open manual…"), tr("Settings file")
COMMANDS_HELP = tr("Pause before and after a command. In a sentence, the same words are only words.")
SAID_IN = tr("Languages of spoken commands")
SAY_IN = tr("{language}: {phrases}")
EXAMPLE, LAST = tr("Example"), tr("Your last dictation")
EXAMPLE_HELP = tr("What these settings make of it.")
EXAMPLE_BEFORE, EXAMPLE_HEARD = (
    "Please send it to Anna",
    "If you can, um, today.",
)  # the rules are for English
EXAMPLE_SHOWN = tr("Already there: {before}\nYou say: {heard}\nThe result: {result}")
LAST_SHOWN = tr("You said: {heard}\nThe result: {result}")
MODEL_DISK, MODEL_MEMORY = tr("{amount} on disk"), tr("about {amount} of memory in use")
MODEL_SPEED = tr("{amount}x real time on this computer")


def model_facts(model: ModelEntry) -> str:
    """What a model takes, and how fast it is here, as far as that is known."""
    known = {
        MODEL_DISK: model.disk_bytes and strings.size(model.disk_bytes),
        MODEL_MEMORY: model.memory_bytes and strings.size(model.memory_bytes),
        MODEL_SPEED: model.clip_s and strings.number(10.0 / max(model.clip_s, 0.01)),
    }
    return " · ".join(words.format(amount=amount) for words, amount in known.items() if amount)
