"""The second half of a take's life: from its text to the window.

Texts are inserted one at a time and strictly in the order of the takes. One whose window has lost the
focus is held; the next text for that same window brings it along, so that the order within a window
holds as well. While the key of the next take is held by another program, texts wait until it is up
(see ``Dictation.is_key_injected``).
"""

from __future__ import annotations

from dataclasses import replace

from handy_qwen.core.effects import CancelTranscription, Copy, Insert, KeepDelivery, KeepFailure, KeepText
from handy_qwen.core.entries import Entry
from handy_qwen.core.events import Copied, Delivered, Delivery, Transcribed
from handy_qwen.core.ports import Submit, Target
from handy_qwen.core.spacing import join
from handy_qwen.core.state import RECENT, Held, Insertion, Stage, Take, Turn
from handy_qwen.core.text import clean, fit
from handy_qwen.core.view import NoticeKind

INSERTING_S = 60.0  # the longest wait for an inserter; typing 2,000 characters slowly takes half of it
TOO_SLOW = ("A replacement took too long and was left out.", "Simplify its regular expression.")
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
        turn.notify(NoticeKind.NO_SPEECH, "No speech was heard.", "Speak while the recording runs.")
    deliver(turn)


def deliver(turn: Turn) -> None:
    """Insert the next text, if it is there, none is under way, and nothing holds it back."""
    if turn.now.is_key_injected or any(take.stage is Stage.INSERTING for take in turn.now.takes):
        return
    again = [take for take in turn.now.takes if take.is_again]
    for take in again + list(turn.now.takes[:1]):
        if take.stage is Stage.READY:
            _insert(turn, take)
            return


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
        return  # taken as lost before
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
        case Delivery.COPIED:
            turn.notify(
                NoticeKind.COPIED,
                "The text is on the clipboard.",
                event.note or "Paste it where you want it.",
            )
        case Delivery.HELD:
            _hold(turn, take)
            turn.notify(
                NoticeKind.HELD, "The text waits: another window has the focus.", event.note or HELD_HINT
            )
        case Delivery.KEPT:
            turn.notify(NoticeKind.INFO, "The text is kept.", event.note or "Copy it from the menu.")
    deliver(turn)


HELD_HINT = "Paste it here, copy it or drop it from the menu."


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
    turn.notify(NoticeKind.HELD, "A text from before has been rescued.", HELD_HINT)


def drop_held(turn: Turn) -> None:
    """Let go of the texts that wait."""
    _keep_delivery(turn, _held_takes(turn), None)
    turn.set(held=())


def _held_takes(turn: Turn) -> tuple[int, ...]:
    return tuple(number for one in turn.now.held for number in one.takes)


def _keep_delivery(turn: Turn, takes: tuple[int, ...], how: Delivery | None) -> None:
    turn.do(*(KeepDelivery(number, how) for number in takes))


def _hold(turn: Turn, take: Take) -> None:
    takes = take.brings if take.is_again else (take.number, *take.brings)
    turn.set(held=(*turn.now.held, Held(take.text.strip(" "), take.target, takes)))


def _remember(turn: Turn, take: Take) -> None:
    text = take.text.strip()
    if take.is_again or not text:  # a line break alone is inserted, but not offered again
        return
    others = [old for old in turn.now.recent if old != text]
    turn.set(recent=(text, *others)[:RECENT])


def paste_again(turn: Turn) -> None:
    """Insert what is held, or else the last text, wherever the focus is."""
    texts = [one.text for one in turn.now.held] or list(turn.now.recent[:1])
    if not texts:
        turn.notify(NoticeKind.INFO, "There is no text yet.", "Dictate something first.")
        return
    brings = _held_takes(turn)
    turn.set(held=())
    take = Take(
        turn.number_take(),
        Stage.READY,
        since_s=turn.at_s,
        heard_s=turn.at_s,
        submit=Submit.OFF,
        is_again=True,
        text=join(texts),
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
