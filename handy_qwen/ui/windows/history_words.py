"""The wording of the History window."""

from __future__ import annotations

from PySide6.QtCore import QDateTime, QLocale

from handy_qwen.core.types import Delivery, Entry, EntryState
from handy_qwen.core.view import Choices, HistoryFilter, HistoryQuery
from handy_qwen.ui.strings import clock, how_to_dictate, whole
from handy_qwen.ui.translation import ntr, tr

STARRED = tr("Starred")
ONLY = {
    HistoryFilter.ALL: tr("Everything"),
    HistoryFilter.STARRED: STARRED,
    HistoryFilter.OPEN: tr("Not delivered, failed, cancelled"),
}
PLAY = tr("P&lay")
RETRY = tr("&Transcribe again")
CORRECT = tr("Correct a&nd add…")
STAR = tr("St&ar")
NOTHING_YET_HINT = tr("What you say is saved here, on this computer only.")
EXPORT_KINDS = {
    ".txt": tr("Text (*.txt)"),
    ".csv": tr("Table (*.csv)"),
    ".jsonl": tr("JSON Lines (*.jsonl)"),
}
STATES = {  # shown in a row instead of a text
    EntryState.RECORDING: tr("Recording…"),
    EntryState.WAITING: tr("Not transcribed yet"),
    EntryState.FAILED: tr("Transcription failed"),
    EntryState.CANCELLED: tr("Cancelled"),
}
PLACES = {  # of a text that the user may want to act on
    Delivery.NOWHERE: tr("Not delivered"),
    Delivery.BEGUN: tr("Perhaps not delivered"),
    Delivery.HELD: tr("Not inserted yet"),
}


def headline(entry: Entry) -> str:
    """One line: the text, or why there is none."""
    if entry.state is EntryState.DONE:
        said = " ".join(entry.original.split())
        return " ".join(entry.text.split()) or (
            tr("Nothing to insert: “{said}”").format(said=said) if said else tr("No speech")
        )
    return " ".join((entry.text or STATES[entry.state]).split())


def remark(entry: Entry, *, is_retried: bool) -> tuple[str, str]:
    """A remark on the entry and its color; both empty if none is needed."""
    if is_retried:
        return tr("Transcribing again…"), "working"
    if entry.state is EntryState.DONE:
        parts = [PLACES[entry.delivery]] if entry.is_undelivered else []
        parts += [tr("May be incomplete")] if entry.is_truncated else []
        return ". ".join(parts), "problem" if parts else ""
    colors = {EntryState.FAILED: "recording", EntryState.CANCELLED: "quiet"}
    return STATES[entry.state], colors.get(entry.state, "working")


def facts(entry: Entry, when: str) -> list[str]:
    """When, how long, language, model, application."""
    length = clock(entry.duration_s) if entry.duration_s else ""
    return [part for part in (when, length, entry.language, entry.model, entry.application) if part]


def moment(created_s: float, now: QDateTime) -> str:
    """A time in words: "Today 14:32", "Yesterday 09:10", earlier the date."""
    return f"{day(created_s, now)} {time_of_day(created_s)}"


def day(created_s: float, now: QDateTime) -> str:
    """A day in words: "Today", "Yesterday", "Monday, 3 June 2024"."""
    date = _local(created_s).date()
    known = {0: tr("Today"), 1: tr("Yesterday")}.get(date.daysTo(now.date()))
    return known or QLocale().toString(date, QLocale.FormatType.LongFormat)


def time_of_day(created_s: float) -> str:
    """The time, without the day."""
    return QLocale().toString(_local(created_s).time(), QLocale.FormatType.ShortFormat)


def _local(created_s: float) -> QDateTime:
    return QDateTime.fromSecsSinceEpoch(int(min(max(created_s, 0.0), 2**40)))


def empty(query: HistoryQuery, choices: Choices) -> tuple[str, str]:
    """The two lines of an empty list."""
    if query.words.strip():
        return tr("Nothing found"), tr("No dictation contains all of these words: {words}").format(
            words=query.words.strip()
        )
    if query.only is not HistoryFilter.ALL:
        return tr("No such dictations"), tr("Choose “Everything” to see the rest.")
    return tr("Nothing here yet"), f"{how_to_dictate(choices)} {NOTHING_YET_HINT}".strip()


def deleted(count: int) -> str:
    """How much an undo would restore."""
    return ntr("{count} dictation deleted.", "{count} dictations deleted.", count).format(count=whole(count))


def chosen(count: int) -> str:
    """How many are selected."""
    return ntr("{count} dictation selected", "{count} dictations selected", count).format(count=whole(count))


def shown(count: int, *, has_more: bool) -> str:
    """How many are shown."""
    if has_more:
        return tr("The newest {count}; scroll down for more").format(count=whole(count))
    return ntr("{count} dictation", "{count} dictations", count).format(count=whole(count))
