"""The words of the History window, and how what it shows is put into them."""

from __future__ import annotations

from PySide6.QtCore import QDateTime, QLocale

from handy_qwen.core.types import Delivery, Entry, EntryState
from handy_qwen.core.view import Choices, HistoryFilter, HistoryQuery
from handy_qwen.ui.strings import clock, how_to_dictate
from handy_qwen.ui.translation import ntr, tr

TITLE = tr("History")
SEARCH, SEARCH_HINT = tr("&Search"), tr("Words in the text or the application (Ctrl+F)")
CLEAR, SHOW = tr("Clear the search"), tr("Sh&ow")
STARRED = tr("Starred")
ONLY = {
    HistoryFilter.ALL: tr("Everything"),
    HistoryFilter.STARRED: STARRED,
    HistoryFilter.OPEN: tr("Not delivered, failed, cancelled"),
}
PAUSE, PAUSE_TIP = tr("&Pause history"), tr("Nothing you say from now on is saved")
LIST, TEXT = tr("Dictations"), tr("Text of the dictation")

COPY, INSERT = tr("Cop&y"), tr("&Insert again")
PLAY, STOP = tr("P&lay"), tr("Stop p&laying")
INSERT_TIP = tr("Closes this window and inserts the text where you were before")
RETRY, BRING_BACK = tr("&Transcribe again"), tr("&Restore")
CORRECT, CORRECT_TIP = tr("Correct a&nd add…"), tr("Select what came out wrong first")
STAR, UNSTAR = tr("St&ar"), tr("Unst&ar")
DELETE, EXPORT, UNDO = tr("&Delete"), tr("&Export…"), tr("&Undo")
LIKE_BEFORE, WITH_MODEL, IN_LANGUAGE = tr("As before"), tr("With another &model"), tr("In another &language")
AUTOMATIC = tr("Detect automatically")

NOTHING_YET = tr("Nothing here yet")
NOTHING_YET_HINT = tr("What you say is saved here, on this computer only.")
NOTHING_FOUND = tr("Nothing found")
NOTHING_FOUND_HINT = tr("No dictation contains all of these words: {words}")
NOTHING_OF_KIND = tr("No such dictations")
NOTHING_OF_KIND_HINT = tr("Choose “Everything” to see the rest.")
NOTHING_CHOSEN = tr("Select a dictation to read all of it.")
EXPORT_ALL, EXPORT_CHOSEN = tr("Export history"), tr("Export the selected dictations")
EXPORT_NAME = tr("dictations")
EXPORT_KINDS = {
    ".txt": tr("Text (*.txt)"),
    ".csv": tr("Table (*.csv)"),
    ".jsonl": tr("JSON Lines (*.jsonl)"),
}
EXPORTED = tr("Exported to {path}.")
NOTHING_LEFT = tr("Nothing to insert: “{said}”")
ORIGINAL, RESTORE = tr("Corrected. It was: “{text}”"), tr("Undo correct&ion")
RETRIED, NO_TEXT = tr("Transcribing again…"), tr("No speech")

STATES = {  # what a row says instead of a text
    EntryState.RECORDING: tr("Recording…"),
    EntryState.WAITING: tr("Not transcribed yet"),
    EntryState.FAILED: tr("Transcription failed"),
    EntryState.CANCELLED: tr("Cancelled"),
}
PLACES = {  # of a text that the user may want to do something about
    Delivery.NOWHERE: tr("Not delivered"),
    Delivery.BEGUN: tr("Perhaps not delivered"),
    Delivery.HELD: tr("Not inserted yet"),
}
INCOMPLETE = tr("May be incomplete")
TODAY, YESTERDAY = tr("Today"), tr("Yesterday")


def headline(entry: Entry) -> str:
    """One line: the text, or why there is none."""
    if entry.state is EntryState.DONE:
        said = " ".join(entry.original.split())
        return " ".join(entry.text.split()) or (NOTHING_LEFT.format(said=said) if said else NO_TEXT)
    return " ".join((entry.text or STATES[entry.state]).split())


def remark(entry: Entry, *, is_retried: bool) -> tuple[str, str]:
    """A remark on the entry and its color; both empty for one that needs none."""
    if is_retried:
        return RETRIED, "working"
    if entry.state is EntryState.DONE:
        parts = [PLACES[entry.delivery]] if entry.is_undelivered else []
        parts += [INCOMPLETE] if entry.is_truncated else []
        return ". ".join(parts), "problem" if parts else ""
    colors = {EntryState.FAILED: "recording", EntryState.CANCELLED: "quiet"}
    return STATES[entry.state], colors.get(entry.state, "working")


def facts(entry: Entry, when: str) -> list[str]:
    """When, how long, in which language, by which model, for which application."""
    length = clock(entry.duration_s) if entry.duration_s else ""
    return [part for part in (when, length, entry.language, entry.model, entry.application) if part]


def moment(created_s: float, now: QDateTime) -> str:
    """A time as people say it: "Today 14:32", "Yesterday 09:10", and the date before."""
    return f"{day(created_s, now)} {time_of_day(created_s)}"


def day(created_s: float, now: QDateTime) -> str:
    """A day as people say it: "Today", "Yesterday", "Monday, 3 June 2024"."""
    date = _local(created_s).date()
    known = {0: TODAY, 1: YESTERDAY}.get(date.daysTo(now.date()))
    return known or QLocale().toString(date, QLocale.FormatType.LongFormat)


def time_of_day(created_s: float) -> str:
    """The time, without the day."""
    return QLocale().toString(_local(created_s).time(), QLocale.FormatType.ShortFormat)


def _local(created_s: float) -> QDateTime:
    return QDateTime.fromSecsSinceEpoch(int(min(max(created_s, 0.0), 2**40)))


def empty(query: HistoryQuery, choices: Choices) -> tuple[str, str]:
    """The two lines of an empty list."""
    if query.words.strip():
        return NOTHING_FOUND, NOTHING_FOUND_HINT.format(words=query.words.strip())
    if query.only is not HistoryFilter.ALL:
        return NOTHING_OF_KIND, NOTHING_OF_KIND_HINT
    return NOTHING_YET, f"{how_to_dictate(choices)} {NOTHING_YET_HINT}".strip()


def deleted(count: int) -> str:
    """How much an undo would bring back."""
    return ntr("{count} dictation deleted.", "{count} dictations deleted.", count).format(count=count)


def chosen(count: int) -> str:
    """How many are chosen."""
    return ntr("{count} dictation selected", "{count} dictations selected", count).format(count=count)


def shown(count: int, *, has_more: bool) -> str:
    """How many are shown."""
    if has_more:
        return tr("The newest {count}; scroll down for more").format(count=count)
    return ntr("{count} dictation", "{count} dictations", count).format(count=count)
