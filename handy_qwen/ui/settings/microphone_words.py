"""The words of the page Microphone."""

from __future__ import annotations

from handy_qwen.core.view import Doing, Voice
from handy_qwen.ui.translation import tr

ORDER = tr("Microphones")
ORDER_HELP = tr(
    "The first one that is connected is used, and used again when it comes back. Drag to reorder, or press "
    "Alt+Up and Alt+Down."
)
ORDER_ALSO = tr("device input order priority headset")
LIST_NAME = tr("Microphones, most wanted first")
DEFAULT, DEFAULT_IS = tr("System default"), tr("System default ({device})")
IN_USE, AWAY, PLAYS = tr("In use"), tr("Not connected"), tr("Playing music")
PLACE = tr("{place} of {count}")
UP, DOWN, ADD, REMOVE = tr("Move u&p"), tr("Move &down"), tr("&Add"), tr("&Remove")
UP_NAME, DOWN_NAME = tr("Move {device} up"), tr("Move {device} down")
REMOVE_NAME, ADD_NAME = tr("Remove {device} from the list"), tr("Add a microphone to the list")
NOTHING_TO_ADD = tr("All connected microphones are in the list")
MOVED = tr("{device}: {place} of {count}")
INSTEAD = tr("In use for now: {device}")
NO_PAUSING = tr("Other programs can't be paused on this system.")

LEVEL = tr("How well you are heard")
LEVEL_ALSO = tr("level meter test loud quiet muted record play")
MARKS = tr("Too quiet"), tr("Good"), tr("Too loud")
RECORD, PLAY_AGAIN = tr("Rec&ord 5 seconds"), tr("Play a&gain")
RECORD_HELP = tr(
    "Plays back what you say. It is kept in memory only, and forgotten when you leave this page."
)
BUTTONS = {
    Doing.LISTENING: RECORD,
    Doing.RECORDING: tr("St&op and play"),
    Doing.PLAYING: tr("St&op playing"),
}
VERDICTS = {
    Voice.UNKNOWN: (tr("Say something."), "", "quiet"),
    Voice.SILENT: (
        tr("No sound at all. Is the microphone muted?"),
        tr("Look for a mute switch or key on it, or unmute it in the system's sound settings."),
        "problem",
    ),
    Voice.QUIET: (
        tr("We can hear you, but you are too quiet."),
        tr("Move closer, or raise the input level in the system's sound settings."),
        "problem",
    ),
    Voice.GOOD: (tr("We can hear you well."), "", "good"),
    Voice.CLIPPING: (
        tr("Too loud: the sound is distorted."),
        tr("Lower the input level in the system's sound settings, or move back a little."),
        "problem",
    ),
}
