"""The second half of a take's life: from its text to the window.

Texts are inserted one at a time and strictly in the order of the takes. One whose window has lost the
focus, or was not told in time, is held; the next text for that same window brings it along, so that the
order within a window holds as well. While the key of the next take is held by another program, texts wait
until it is up (see ``Dictation.is_key_injected``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from handy_qwen.core.effects import CancelTranscription, Copy, Insert, KeepDelivery, KeepFailure, KeepText
from handy_qwen.core.events import Copied, Delivered, Transcribed
from handy_qwen.core.orthography import join
from handy_qwen.core.state import RECENT, Held, Insertion, Stage, Take, Turn
from handy_qwen.core.text import clean, fit
from handy_qwen.core.types import Delivery, Entry, Mode, Submit, Target
from handy_qwen.core.view import NoticeKind

INSERTING_S = 60.0  # the longest wait for an inserter; typing 2,000 characters slowly takes half of it
TOO_SLOW = ("A replacement took too long and was left out.", "Simplify its regular expression.")
NO_SPEECH_HINTS = {
    Mode.AUTO: "Hold the key while you speak.",
    Mode.HOLD: "Hold the key while you speak.",
    Mode.TOGGLE: "Press the key, speak, then press it again.",
}
CONTINUES_S = 120.0  # a text inserted longer ago says nothing about what stands before the cursor now


def has_text(turn: Turn, event: Transcribed) -> None:
    """The engine is done with a take."""
    take = turn.take(event.take)
    if take is None or take.stage is not Stage.TRANSCRIBING:
        return  # cancelled before
    language = event.language or take.language
    text = clean(event.text, turn.now.rules.text, language, lambda _: turn.notify(NoticeKind.INFO, *TOO_SLOW))
    model, application = turn.now.choices.model, take.target.application
    turn.do(KeepText(take.number, text, language, model, application))
    turn.set(finished=take)
    take = replace(take, text=text, language=language)
    if take.is_recovered:
        turn.drop(take)
        if text:
            offer(turn, take)
    elif text:
        turn.enter(take, Stage.READY)
        if event.is_truncated:
            turn.notify(
                NoticeKind.INFO, "The transcript may be incomplete.", "The model stopped before the end."
            )
    else:
        turn.drop(take)
        turn.notify(NoticeKind.NO_SPEECH, "Didn't catch anything.", NO_SPEECH_HINTS[turn.now.rules.mode])
    deliver(turn)


def deliver(turn: Turn) -> None:
    """Insert the next text, if it is there, none is under way, and nothing holds it back."""
    if turn.now.is_key_injected or any(take.stage is Stage.INSERTING for take in turn.now.takes):
        return
    again = [take for take in turn.now.takes if take.is_again]
    for take in again + list(turn.now.takes[:1]):
        if take.stage is not Stage.READY:
            continue
        if take.focus_by_s is None:
            _insert(turn, take)
        elif turn.at_s >= take.focus_by_s:
            _withhold(turn, take)
        return


def known_at(take: Take, target: Target, at_s: float) -> Take:
    """``take`` with the window it is for, if that is told in time: later the user may be somewhere else."""
    is_in_time = take.focus_by_s is not None and at_s <= take.focus_by_s
    return replace(take, target=target, focus_by_s=None) if is_in_time else take


def _withhold(turn: Turn, take: Take) -> None:
    """Nobody knows the window that ``take`` is for. It must not go into any other."""
    turn.notify(NoticeKind.HELD, "Couldn't tell which window the text is for.", HELD_HINT)
    was_not_delivered(turn, take)


def _insert(turn: Turn, take: Take) -> None:
    window = take.target.window
    before = [one for one in turn.now.held if window and one.target.window == window]
    rules, language, text = turn.now.rules.text, take.language, take.text
    waiting = join((one.text for one in before), language)
    if waiting:
        text = join([waiting, fit(text, rules, waiting, language)], language)
    if not take.is_again:
        text = fit(text, rules, _previous(turn, take.target), language)
    turn.set(held=tuple(one for one in turn.now.held if one not in before))
    brings = (*take.brings, *(number for one in before for number in one.takes))
    turn.enter(replace(take, text=text, brings=brings), Stage.INSERTING)
    target = take.target if window else None
    turn.do(Insert(take.number, text, target, turn.now.rules.method, take.submit, brings))


def _previous(turn: Turn, target: Target) -> str | None:
    last = turn.now.last
    if last is None or not target.window or last.target.window != target.window:
        return None
    return last.text if turn.at_s - last.at_s <= CONTINUES_S else None


def was_delivered(turn: Turn, event: Delivered) -> None:
    """The inserter is done with a text."""
    take = turn.take(event.take)
    if take is None or take.stage is not Stage.INSERTING:
        _came_late(turn, event)
        return
    turn.drop(take)
    _remember(turn, take)
    _keep_delivery(turn, (take.number, *take.brings), event.how)
    # What follows a submitted text begins anew: the line it continued has been sent.
    is_in_place = event.how in {Delivery.TYPED, Delivery.PASTED} and take.submit is Submit.OFF
    turn.set(last=Insertion(take.text, take.target, turn.at_s) if is_in_place else None)
    match event.how:
        case Delivery.TYPED | Delivery.PASTED:
            if event.note:
                turn.notify(NoticeKind.INFO, event.note)
        case Delivery.COPIED if event.rest:
            turn.notify(NoticeKind.COPIED, PARTLY, "The rest is on the clipboard. Paste it to continue.")
        case Delivery.COPIED:
            turn.notify(
                NoticeKind.COPIED,
                "The text is on the clipboard.",
                event.note or "Paste it where you want it.",
            )
        case Delivery.HELD if event.rest:
            _hold(turn, take, event.rest)
            turn.notify(NoticeKind.HELD, PARTLY, event.note or HELD_HINT)
        case Delivery.HELD if event.may_have_arrived:
            _hold(turn, _nowhere(take))
            turn.notify(NoticeKind.HELD, *UNSURE)
        case Delivery.HELD:
            _hold(turn, take)
            title = "The text was not inserted." if event.note else HELD_TITLE
            turn.notify(NoticeKind.HELD, title, event.note or HELD_HINT)
        case Delivery.KEPT:
            turn.notify(NoticeKind.INFO, "The text is saved.", event.note or "Copy it from the menu.")
    deliver(turn)


def _came_late(turn: Turn, event: Delivered) -> None:
    """A text that was taken for lost has gone somewhere after all: what has arrived waits no more."""
    late = [one for one in turn.now.held if event.take in one.takes]
    if event.how is Delivery.HELD:
        if event.rest:
            rests = [
                replace(one, text=event.rest.strip(" ")) if one in late else one for one in turn.now.held
            ]
            turn.set(held=tuple(rests))
        return
    turn.set(held=tuple(one for one in turn.now.held if one not in late))
    for one in late:
        _keep_delivery(turn, one.takes, event.how)


def _nowhere(take: Take) -> Take:
    """``take`` for no window: the next text for the one it was meant for does not bring it along."""
    return replace(take, target=Target())


UNSURE = ("The text may not have been inserted.", "If it does not appear, paste it from the tray menu.")
HELD_TITLE = "You switched windows, so the text wasn't inserted."
PARTLY = "Only the first part was inserted."
HELD_HINT = "Use the tray menu to paste, copy or discard it."


def may_be_lost(turn: Turn, take: Take) -> None:
    """The inserter has not answered in time: the text may be in its window, or get there late."""
    turn.notify(NoticeKind.FAILED, *UNSURE)
    was_not_delivered(turn, _nowhere(take))


def was_not_delivered(turn: Turn, take: Take) -> None:
    """A text could not be inserted: it is not lost, but held."""
    turn.drop(take)
    _remember(turn, take)
    _keep_delivery(turn, (take.number, *take.brings), Delivery.HELD)
    _hold(turn, take)
    turn.set(last=None)
    deliver(turn)


def offer(turn: Turn, take: Take) -> None:
    """Let the text of a take from an earlier session wait: nobody knows what has the focus now."""
    _remember(turn, take)
    _hold(turn, take)
    turn.notify(NoticeKind.HELD, "Recovered an unsent dictation.", HELD_HINT)


def drop_held(turn: Turn) -> None:
    """Let go of the texts that wait."""
    _keep_delivery(turn, _held_takes(turn), None)
    turn.set(held=())


def _held_takes(turn: Turn) -> tuple[int, ...]:
    return tuple(number for one in turn.now.held for number in one.takes)


def _keep_delivery(turn: Turn, takes: tuple[int, ...], how: Delivery | None) -> None:
    turn.do(*(KeepDelivery(number, how) for number in takes))


def _hold(turn: Turn, take: Take, rest: str = "") -> None:
    """Let the text of ``take`` wait, or what is left of it."""
    takes = take.brings if take.is_again else (take.number, *take.brings)
    turn.set(held=(*turn.now.held, Held((rest or take.text).strip(" "), take.target, takes)))


def _remember(turn: Turn, take: Take) -> None:
    text = take.text.strip()
    if take.is_again or not text:  # a line break alone is inserted, but not offered again
        return
    others = [old for old in turn.now.recent if old != text]
    turn.set(recent=(text, *others)[:RECENT])


def paste_again(turn: Turn) -> None:
    """Insert what is held, or else the last text, wherever the focus is."""
    if turn.now.held:
        insert_held(turn, turn.now.held)
    elif turn.now.recent:
        _insert_again(turn, turn.now.recent[0], ())
    else:
        turn.notify(NoticeKind.INFO, "There is no text yet.", "Dictate something first.")


def insert_held(turn: Turn, chosen: Sequence[Held]) -> None:
    """Insert ``chosen`` of what is held, as one text, wherever the focus is."""
    turn.set(held=tuple(one for one in turn.now.held if one not in chosen))
    _insert_again(
        turn, join([one.text for one in chosen]), tuple(number for one in chosen for number in one.takes)
    )


def _insert_again(turn: Turn, text: str, brings: tuple[int, ...]) -> None:
    take = Take(
        turn.number_take(),
        Stage.READY,
        since_s=turn.at_s,
        heard_s=turn.at_s,
        submit=Submit.OFF,
        is_again=True,
        text=text,
        brings=brings,
    )
    turn.put(take)
    deliver(turn)


def copy_last(turn: Turn) -> None:
    """Put what is held, or else the last text, on the clipboard. What is held stays until it is there."""
    texts = [one.text for one in turn.now.held] or list(turn.now.recent[:1])
    if not texts:
        turn.notify(NoticeKind.INFO, "There is no text yet.", "Dictate something first.")
        return
    turn.do(Copy(join(texts), _held_takes(turn)))


def was_copied(turn: Turn, event: Copied) -> None:
    """A text is on the clipboard: if it was held, it need not wait any more."""
    turn.set(held=tuple(one for one in turn.now.held if not set(one.takes) <= set(event.takes)))
    turn.notify(NoticeKind.COPIED, "The text is on the clipboard.", "Paste it where you want it.")


def give_up(turn: Turn, take: Take, title: str) -> None:
    """Leave the transcription of a take that failed because of what ``title`` says."""
    turn.do(CancelTranscription(take.number), KeepFailure(take.number, title))
    turn.set(failed=take)
    turn.drop(take)
    deliver(turn)


def hold_entry(turn: Turn, number: int, entry: Entry) -> None:
    """Let a text that an earlier session could not deliver wait once more."""
    turn.set(held=(*turn.now.held, Held(entry.text, Target(), (number,))))
