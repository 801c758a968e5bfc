"""The words of the page Apps."""

from __future__ import annotations

from handy_qwen.ui.translation import tr

PROFILES = tr("Apps")
PROFILES_HELP = tr(
    "The program that has the focus when you press the key decides. Where it has nothing of its own, your "
    "other settings apply."
)
PROFILES_ALSO = tr("per app application program profile terminal editor chat window rules")
LIST = tr("Apps with settings of their own")
ADD_LAST, ADD_LAST_NONE = tr("Add “{program}”"), tr("Add the app I used last")
ADD_LAST_TIP = tr("The program that your last dictation was for.")
ADD, NEW = tr("&Add an app"), tr("New app")
REMOVE, RESET, UNDO = tr("Re&move"), tr("Rese&t"), tr("&Undo")
REMOVED, WAS_RESET = tr("“{name}” removed."), tr("“{name}” is as it came.")
NAME, PROGRAMS = tr("Name"), tr("Programs")
PROGRAMS_HELP = tr("As the desktop calls them, with commas between: kitty, code.exe. * stands for anything.")
LANGUAGE, METHOD, SUBMIT, SPACING = (
    tr("I speak"),
    tr("Insert text by"),
    tr("Then press"),
    tr("Continue the sentence already there"),
)
SUBMIT_HELP = tr("In a terminal, Enter runs the line. In a chat, it can send the message.")
WORDS, WORDS_HELP = tr("Words"), tr("Names and terms for this app, read before your others. Commas between.")
AS_USUAL, ON, OFF = tr("As in the settings"), tr("Yes"), tr("No")
NO_NAME, NAME_TAKEN = tr("Enter a name."), tr("There is an app of that name already.")
NO_PROGRAMS = tr("Say for which programs it is.")
# Translators: the programs that these settings are for come with Handy Qwen.
SHIPPED = {
    "Terminals": tr("Terminals"),
    "Code editors": tr("Code editors"),
    "Chat": tr("Chat"),
}
UNUSABLE = tr("This can't be used: {reason}.")


def title(name: str) -> str:
    """What the app ``name`` of the settings is called: those that come with Handy Qwen are translated."""
    return SHIPPED.get(name, name)
