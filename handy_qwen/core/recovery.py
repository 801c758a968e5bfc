"""Takes that come back: left behind by an earlier session, failed, or cancelled.

    history --> unfinished --> REPLAYING --> TRANSCRIBING --> held, and offered
    RETRY, BRING_BACK    -->   REPLAYING --> TRANSCRIBING --> READY --> its window, if that has the focus

A new take has priority: a take that is only being recovered is cancelled and restarted later. A take
begun in private mode cannot come back.
"""

from __future__ import annotations

from dataclasses import replace

from handy_qwen.core import effects
from handy_qwen.core.delivery import HELD_HINT, give_up, hold, insert_held
from handy_qwen.core.events import Kept, Recalled, Recovered, Replayed
from handy_qwen.core.profiles import profile_of
from handy_qwen.core.state import NO_PROFILE, RECENT, Stage, Take, Turn
from handy_qwen.core.types import Entry, EntryState, Target
from handy_qwen.core.view import NoticeKind
from handy_qwen.languages import AUTOMATIC
from handy_qwen.message import Message, messages

REPLAYING_S = 60.0  # the longest wait for the audio of a take; a slow disk reads an hour of it in 10 s
TRANSCRIBING_S = 600.0
"""The longest wait for any progress of the engine, not for a text: an hour of speech may take it hours.
Between two reports it loads a model or reads a minute of audio; a slow machine needs minutes for either.
"""
NOTHING_HINT = Message("You haven't dictated anything since the app started, or the history was paused.")


def has_recovered(turn: Turn, event: Recovered) -> None:
    """The history has listed what earlier sessions left behind."""
    for entry in event.undelivered:
        _hold_entry(turn, entry)
    texts = dict.fromkeys([*turn.now.recent, *(entry.text for entry in event.recent if entry.text)])
    turn.set(recent=tuple(texts)[:RECENT], unfinished=event.unfinished)
    count = len(event.undelivered)
    if count:
        title = messages("Recovered an unsent dictation.", "Recovered {count} unsent dictations.", count)
        turn.notify(NoticeKind.HELD, title, HELD_HINT)


def _hold_entry(turn: Turn, entry: Entry) -> int:
    """Hold the text of ``entry``. Returns its new take."""
    number = turn.number_take()
    turn.do(effects.Adopt(number, entry.id))
    hold(turn, Take(number, Stage.READY, turn.at_s, turn.at_s, text=entry.text))
    turn.note_entry(number, entry.id)
    return number


def was_recalled(turn: Turn, event: Recalled) -> None:
    """The user has chosen an entry of the history: insert its text into the focused window, or hold it."""
    entry = event.entry
    if event.is_sound:
        others = (one for one in turn.now.unfinished if one.id != entry.id)
        turn.set(unfinished=(entry, *others))
        turn.notify(
            NoticeKind.INFO, Message("Transcribing it again."), Message("The text will wait for you.")
        )
        return
    numbers = {number for number, one in turn.now.entries.items() if one == entry.id}
    if not any(numbers & set(held.numbers) for held in turn.now.held):
        numbers = {_hold_entry(turn, entry)}
    if event.is_here:
        insert_held(turn, [held for held in turn.now.held if numbers & set(held.numbers)])
    else:
        turn.notify(NoticeKind.HELD, Message("Not inserted yet."), HELD_HINT)


def was_kept(turn: Turn, event: Kept) -> None:
    """A take is stored in the history, though it may have left the cycle by now."""
    turn.note_entry(event.take, event.entry)
    turn.tell_kept(event.take)


def recover_next(turn: Turn) -> None:
    """Start transcribing what an earlier session left behind, if the engine is free."""
    now = turn.now
    has_had_model = bool(now.choices.languages)
    if not now.unfinished or now.takes or now.is_loading or not has_had_model:
        return
    entry, *rest = now.unfinished
    turn.set(unfinished=tuple(rest))
    target = Target(application=entry.application)
    profile = profile_of(entry.application, now.rules.profiles) or NO_PROFILE
    language, at_s = entry.language, turn.at_s
    past = Take(
        0, Stage.WAITING, at_s, at_s, language=language, profile=profile, target=target, is_recovered=True
    )
    _replay(turn, past, entry.id)


def make_way(turn: Turn) -> None:
    """A new take begins: restart what is being recovered after it."""
    for take in turn.now.takes:
        if take.is_recovered:
            turn.do(effects.CancelTranscription(take.number), effects.KeepCancellation(take.number))
            turn.drop(take)
            number, application = turn.now.entry_of(take), take.target.application
            entry = Entry(number, 0.0, EntryState.WAITING, language=take.language, application=application)
            turn.set(unfinished=(entry, *turn.now.unfinished))


def retry(turn: Turn) -> None:
    """Transcribe again what failed last, or else the last take."""
    now = turn.now
    if now.failed is not None and now.entry_of(now.failed):
        turn.set(failed=None)
        _replay(turn, now.failed, now.entry_of(now.failed))
    elif now.finished is not None and now.entry_of(now.finished):
        key = now.rules.hotkey(now.finished.hotkey)
        language = (key and key.language) or now.finished.profile.language or now.rules.language
        language = "" if language == AUTOMATIC else language
        _replay(turn, replace(now.finished, language=language), now.entry_of(now.finished))
    else:
        turn.notify(NoticeKind.INFO, Message("There is nothing to transcribe again."), NOTHING_HINT)


def bring_back(turn: Turn) -> None:
    """Transcribe the take that was cancelled last."""
    cancelled = turn.now.cancelled
    if cancelled is None or not turn.now.entry_of(cancelled):
        turn.notify(NoticeKind.INFO, Message("There is nothing to restore."), NOTHING_HINT)
        return
    turn.set(cancelled=None)
    _replay(turn, cancelled, turn.now.entry_of(cancelled))


def _replay(turn: Turn, past: Take, entry: int) -> None:
    """Open a new take for ``past``, with the audio of ``entry``."""
    take = Take(
        turn.number_take(),
        Stage.REPLAYING,
        turn.at_s,
        turn.at_s,
        language=past.language,
        hotkey=past.hotkey,
        submit=past.submit,
        profile=past.profile,
        target=past.target,
        focus_by_s=past.focus_by_s,
        is_recovered=past.is_recovered,
    )
    turn.put(take)
    turn.note_entry(take.number, entry)
    rules = turn.now.rules
    context = (*take.profile.words, *rules.context)
    turn.do(effects.Replay(take.number, entry, rules.spoken(take.language), context))


def was_replayed(turn: Turn, event: Replayed) -> None:
    """All audio of a take has come from the history."""
    take = turn.take(event.take, Stage.REPLAYING)
    if take is not None:
        turn.enter(take, Stage.TRANSCRIBING)
        turn.do(effects.Transcribe(take.number))


def is_not_replayed(turn: Turn, take: Take) -> None:
    """The history did not answer in time."""
    title = Message("The recording couldn't be read in time.")
    turn.notify(NoticeKind.FAILED, title, Message("It's saved: try again later."))
    give_up(turn, take, title)


def is_not_transcribed(turn: Turn, take: Take) -> None:
    """The engine has reported no progress for too long."""
    title = Message("The speech engine isn't responding.")
    kept_hint = Message(
        "The recording is saved. Quit and restart, then choose Transcribe last recording again."
    )
    turn.notify(NoticeKind.FAILED, title, Message("Quit and start again."), take=take, kept_hint=kept_hint)
    give_up(turn, take, title)
