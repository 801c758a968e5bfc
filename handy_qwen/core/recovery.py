"""What comes back: takes that an earlier session left behind, that failed, or that were cancelled.

    history --> unfinished --> REPLAYING --> TRANSCRIBING --> held, and offered
    RETRY, BRING_BACK    -->   REPLAYING --> TRANSCRIBING --> READY --> its window, if that has the focus

A take spoken now goes first: one that is only being rescued makes way for it, and begins again later. Of
a take begun in private there is nothing to come back from.
"""

from __future__ import annotations

from dataclasses import replace

from handy_qwen.core.delivery import HELD_HINT, give_up, hold_entry, insert_held
from handy_qwen.core.effects import Adopt, CancelTranscription, KeepCancellation, Replay, Transcribe
from handy_qwen.core.events import Kept, Recalled, Recovered, Replayed
from handy_qwen.core.state import RECENT, Stage, Take, Turn
from handy_qwen.core.types import Entry, EntryState
from handy_qwen.core.view import NoticeKind

REPLAYING_S = 60.0  # the longest wait for the sound of a take; a slow disk reads an hour of it in 10 s
TRANSCRIBING_S = 600.0
"""The longest wait for a sign of the engine, not for a text: an hour of speech may take it hours. Between two
signs it loads a model or reads a minute of sound; a slow machine needs some minutes for either.
"""


def has_recovered(turn: Turn, event: Recovered) -> None:
    """The history has looked at what earlier sessions left behind."""
    for entry in event.undelivered:
        number = turn.number_take()
        turn.do(Adopt(number, entry.id))
        hold_entry(turn, number, entry)
        _note_entry(turn, number, entry.id)
    texts = dict.fromkeys([*turn.now.recent, *(entry.text for entry in event.recent if entry.text)])
    turn.set(recent=tuple(texts)[:RECENT], unfinished=event.unfinished)
    count = len(event.undelivered)
    if count:
        title = "Recovered an unsent dictation." if count == 1 else f"Recovered {count} unsent dictations."
        turn.notify(NoticeKind.HELD, title, HELD_HINT)


def was_recalled(turn: Turn, event: Recalled) -> None:
    """The user has chosen an entry of the history: its text goes where the focus is now, or waits."""
    entry = event.entry
    if event.is_sound:
        others = (one for one in turn.now.unfinished if one.id != entry.id)
        turn.set(unfinished=(entry, *others))
        turn.notify(NoticeKind.INFO, "Transcribing it again.", "The text will wait for you.")
        return
    numbers = {number for number, one in turn.now.entries if one == entry.id}
    if not any(numbers & set(held.takes) for held in turn.now.held):
        number = turn.number_take()
        turn.do(Adopt(number, entry.id))
        hold_entry(turn, number, entry)
        _note_entry(turn, number, entry.id)
        numbers = {number}
    if event.is_here:
        insert_held(turn, [held for held in turn.now.held if numbers & set(held.takes)])
    else:
        turn.notify(NoticeKind.HELD, "Not inserted yet.", HELD_HINT)


def _note_entry(turn: Turn, number: int, entry: int) -> None:
    """Remember which entry a take has for as long as its text may be held; joined texts do not tell."""
    now = turn.now
    takes = {one for take in now.takes for one in (take.number, *take.brings)}
    takes |= {one for held in now.held for one in held.takes}
    if number in takes:
        kept = (pair for pair in now.entries if pair[0] in takes)
        turn.set(entries=(*kept, (number, entry)))


def was_kept(turn: Turn, event: Kept) -> None:
    """A take has its entry in the history, though it may have left the cycle by now."""
    _note_entry(turn, event.take, event.entry)
    if (take := turn.take(event.take)) is not None:
        turn.put(replace(take, entry=event.entry))
    for name in ("cancelled", "failed", "finished"):
        take = getattr(turn.now, name)
        if take is not None and take.number == event.take:
            turn.set(**{name: replace(take, entry=event.entry)})
    turn.tell_kept(event.take)


def rescue_next(turn: Turn) -> None:
    """Begin to transcribe what an earlier session left behind, if nothing else is to be done."""
    now = turn.now
    has_had_model = bool(now.choices.languages)
    if not now.unfinished or now.takes or now.is_loading or not has_had_model:
        return
    entry, *rest = now.unfinished
    turn.set(unfinished=tuple(rest))
    _replay(turn, _take_of(turn, entry))


def _take_of(turn: Turn, entry: Entry) -> Take:
    return Take(
        0,
        Stage.REPLAYING,
        since_s=turn.at_s,
        heard_s=turn.at_s,
        language=entry.language,
        entry=entry.id,
        is_recovered=True,
    )


def make_way(turn: Turn) -> None:
    """A take is spoken now: what is only being rescued begins again when it is done."""
    for take in turn.now.takes:
        if take.is_recovered:
            turn.do(CancelTranscription(take.number), KeepCancellation(take.number))
            turn.drop(take)
            entry = Entry(take.entry, 0.0, EntryState.WAITING, language=take.language)
            turn.set(unfinished=(entry, *turn.now.unfinished))


def retry(turn: Turn) -> None:
    """Transcribe once more what failed last, or else the last take."""
    failed, finished = turn.now.failed, turn.now.finished
    if failed is not None and failed.entry:
        turn.set(failed=None)
        _replay(turn, failed)
    elif finished is not None and finished.entry:
        _replay(turn, replace(finished, language=turn.now.rules.language))
    else:
        turn.notify(NoticeKind.INFO, "There is nothing to transcribe again.", NOTHING_HINT)


NOTHING_HINT = "Nothing was said since the start, or the history was paused."


def bring_back(turn: Turn) -> None:
    """Transcribe the take that was cancelled last."""
    cancelled = turn.now.cancelled
    if cancelled is None or not cancelled.entry:
        turn.notify(NoticeKind.INFO, "There is nothing to restore.", NOTHING_HINT)
        return
    turn.set(cancelled=None)
    _replay(turn, cancelled)


def _replay(turn: Turn, past: Take) -> None:
    """Open a new take with the sound of ``past``."""
    take = Take(
        turn.number_take(),
        Stage.REPLAYING,
        since_s=turn.at_s,
        heard_s=turn.at_s,
        language=past.language,
        submit=past.submit,
        target=past.target,
        focus_by_s=past.focus_by_s,
        entry=past.entry,
        is_recovered=past.is_recovered,
    )
    turn.put(take)
    _note_entry(turn, take.number, take.entry)
    turn.do(Replay(take.number, take.entry, take.language, turn.now.rules.context))


def was_replayed(turn: Turn, event: Replayed) -> None:
    """All the sound of a take has come from the history."""
    take = turn.take(event.take)
    if take is not None and take.stage is Stage.REPLAYING:
        turn.enter(take, Stage.TRANSCRIBING)
        turn.do(Transcribe(take.number))


def is_not_replayed(turn: Turn, take: Take) -> None:
    """The history did not answer in time."""
    title = "The sound of the dictation could not be read in time."
    turn.notify(NoticeKind.FAILED, title, "It's saved: try again later.")
    give_up(turn, take, title)


def is_not_transcribed(turn: Turn, take: Take) -> None:
    """The engine has given no sign for so long that the text will not come."""
    title = "The speech engine does not answer."
    kept_hint = "The recording is saved. Quit and start again, then transcribe it again from the menu."
    turn.notify(NoticeKind.FAILED, title, "Quit and start again.", take=take, kept_hint=kept_hint)
    give_up(turn, take, title)
