"""The words of the window in which a text is corrected."""

from __future__ import annotations

from handy_qwen.core.corrections import Change
from handy_qwen.ui.translation import tr

TITLE = tr("Correct and add")
HELP = tr(
    "Correct the text, and choose what to learn from each change. Nothing is learned by itself. The "
    "corrected text is in History; it is not inserted again."
)
TEXT = tr("&Text")
NO_TEXT = tr("Nothing was dictated yet.")
NO_CHANGES = tr("No word is changed yet.")
TOO_LONG = tr("This text is too long to look for changes. Add its words under Settings → Vocabulary.")
CHANGES = tr("Changes")
CHANGED, ADDED, REMOVED = tr("“{heard}” → “{written}”"), tr("new: “{written}”"), tr("gone: “{heard}”")
LEARN_FROM = tr("What to learn from {change}")
AS_WORD, AS_REPLACEMENT, NOTHING = tr("Word for the model"), tr("Replacement"), tr("Learn nothing")
AS_WORD_TIP = tr("The model will expect this word, spelled this way.")
AS_REPLACEMENT_TIP = tr("Replaces what was heard, every time.")
ADD, UNDO = tr("&Save"), tr("&Undo")
KEPT, TAKEN_BACK = tr("The corrected text is in History."), tr("Undone.")
MORE = tr("And {count} more. Correct less at a time to see them.")


def said(change: Change) -> str:
    """A change in words."""
    if not change.heard:
        return ADDED.format(written=change.written)
    form = CHANGED if change.written else REMOVED
    return form.format(heard=change.heard, written=change.written)
