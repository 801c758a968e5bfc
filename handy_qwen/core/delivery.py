"""The second half of a take's life: from its text to the window.

Texts are inserted one at a time and strictly in the order of the takes. One whose window has lost the
focus, or was not reported in time, is held; the next text for that same window brings it along, so that the
order within a window holds as well. While another program holds the key of the next take, texts wait
until it is up (see ``Dictation.is_key_injected``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from handy_qwen.core import effects
from handy_qwen.core.events import Copied, Delivered, FocusNoted, Transcribed
from handy_qwen.core.orthography import join
from handy_qwen.core.state import RECENT, Stage, Take, Turn
from handy_qwen.core.text import clean, fit
from handy_qwen.core.types import Delivery, Mode, Submit, Target
from handy_qwen.core.view import NoticeKind, Remedy

INSERTING_S = 60.0  # the longest wait for an inserter; typing 2,000 characters slowly takes half of it
CONTINUES_S = 120.0  # a text inserted longer ago says nothing about what is before the cursor now
TOO_SLOW = ("A replacement took too long and was skipped.", "Simplify its regular expression.")
UNSURE = ("The text may not have been inserted.", "If it does not appear, paste it from Handy Qwen.")
ON_CLIPBOARD, PASTE_IT = "The text is on the clipboard.", "Paste it where you want it."
PARTLY = "Only the first part was inserted."
HELD_TITLE = "You switched windows, so the text wasn't inserted."
HELD_HINT = "Paste, copy or discard it in Handy Qwen."
MISSING, NOT_SENT = "Words may be missing where it has […].", "Look at it, then send it yourself."
NO_TEXT = ("There is no text yet.", "Dictate something first.")


def has_text(turn: Turn, event: Transcribed) -> None:
    """The engine is done with a take."""
    take = turn.take(event.take, Stage.TRANSCRIBING)
    if take is None:
        return  # cancelled before
    language = event.language or take.language
    if event.text and not take.is_recovered:
        turn.set(heard=("", "") if turn.now.rules.is_private else (event.text, language))
    text = clean(event.text, turn.now.rules.text, language, lambda _: turn.notify(NoticeKind.INFO, *TOO_SLOW))
    model, application = turn.now.choices.model, take.target.application
    turn.do(effects.KeepText(take.number, text, language, model, application, event.is_truncated))
    turn.set(finished=take)
    take = replace(take, text=text, language=language)
    if take.is_recovered:
        turn.drop(take)
        if text:
            _remember(turn, take)
            hold(turn, take)
            turn.notify(NoticeKind.HELD, "Recovered an unsent dictation.", HELD_HINT)
    elif text:
        if event.is_truncated:
            hint = MISSING if take.submit is Submit.OFF else f"{MISSING} {NOT_SENT}"
            turn.notify(NoticeKind.INFO, "The transcript may be incomplete.", hint)
            take = replace(take, submit=Submit.OFF)
        turn.enter(take, Stage.READY)
    else:
        turn.drop(take)
        is_toggle = turn.now.rules.mode is Mode.TOGGLE
        hint = "Press the key, speak, then press it again." if is_toggle else "Hold the key while you speak."
        turn.notify(NoticeKind.NO_SPEECH, "Didn't catch anything.", hint)
    deliver(turn)


def has_focus(turn: Turn, event: FocusNoted) -> None:
    """The window that a take is for; not one reported late, when the user may have switched."""
    take = turn.take(event.take)
    if take is not None and take.focus_by_s is not None and turn.at_s <= take.focus_by_s:
        turn.put(replace(take, target=event.target, focus_by_s=None))


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
            turn.notify(NoticeKind.HELD, "Couldn't tell which window the text is for.", HELD_HINT)
            was_not_delivered(turn, take)
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
    _unhold(turn, before)
    take = turn.enter(replace(take, text=text, brings=take.brings + _numbers(before)), Stage.INSERTING)
    target = take.target if window else None
    turn.do(effects.Insert(take.number, text, target, turn.now.rules.method, take.submit, take.brings))


def _previous(turn: Turn, target: Target) -> str | None:
    last = turn.now.last
    if last is None or not target.window or last.target.window != target.window:
        return None
    return last.text if turn.at_s - last.since_s <= CONTINUES_S else None


def was_delivered(turn: Turn, event: Delivered) -> None:
    """The inserter is done with a text."""
    take = turn.take(event.take, Stage.INSERTING)
    if take is None:
        _came_late(turn, event)
        return
    turn.drop(take)
    _remember(turn, take)
    _keep_delivery(turn, take.numbers, event.how)
    # What follows a submitted text begins anew: the line it continued has been sent.
    is_in_place = event.how in {Delivery.TYPED, Delivery.PASTED} and take.submit is Submit.OFF
    turn.set(last=replace(take, since_s=turn.at_s) if is_in_place else None)
    match event.how:
        case Delivery.COPIED if event.rest:
            turn.notify(NoticeKind.COPIED, PARTLY, "The rest is on the clipboard. Paste it to continue.")
        case Delivery.COPIED:
            turn.notify(NoticeKind.COPIED, ON_CLIPBOARD, event.note or PASTE_IT)
        case Delivery.HELD if event.rest:
            hold(turn, replace(take, text=event.rest))
            turn.notify(NoticeKind.HELD, PARTLY, event.note or HELD_HINT)
        case Delivery.HELD if event.may_have_arrived:
            hold(turn, _nowhere(take))
            turn.notify(NoticeKind.HELD, *UNSURE)
        case Delivery.HELD:
            hold(turn, take)
            title = "The text wasn't inserted." if event.note else HELD_TITLE
            turn.notify(NoticeKind.HELD, title, event.note or HELD_HINT)
        case Delivery.KEPT:
            hint = event.note or "To copy it, choose it under Recent texts."
            turn.notify(NoticeKind.INFO, "The text is saved.", hint, remedy=Remedy.COPY)
        case _:
            if event.note:
                turn.notify(NoticeKind.INFO, event.note)
    deliver(turn)


def _came_late(turn: Turn, event: Delivered) -> None:
    """A text that seemed lost has arrived after all: it need not wait any more."""
    late = [one for one in turn.now.held if event.take in one.numbers]
    if event.how is not Delivery.HELD:
        _unhold(turn, late)
        _keep_delivery(turn, _numbers(late), event.how)
    elif event.rest:
        rest = event.rest.strip(" ")
        turn.set(held=tuple(replace(one, text=rest) if one in late else one for one in turn.now.held))


def _nowhere(take: Take) -> Take:
    """``take`` for no window: the next text for the one it was meant for does not bring it along."""
    return replace(take, target=Target())


def may_be_lost(turn: Turn, take: Take) -> None:
    """The inserter has not answered in time: the text may be in its window, or get there late."""
    turn.notify(NoticeKind.FAILED, *UNSURE, remedy=Remedy.PASTE)
    was_not_delivered(turn, _nowhere(take))


def was_not_delivered(turn: Turn, take: Take) -> None:
    """A text could not be inserted: it is not lost, but held."""
    turn.drop(take)
    _keep_delivery(turn, take.numbers, Delivery.HELD)
    _remember(turn, take)
    hold(turn, take)
    turn.set(last=None)
    deliver(turn)


def drop_held(turn: Turn) -> None:
    """Discard the texts that wait."""
    _keep_delivery(turn, _numbers(turn.now.held), Delivery.DROPPED)
    turn.set(held=())


def _numbers(held: Iterable[Take]) -> tuple[int, ...]:
    return tuple(number for one in held for number in one.numbers)


def _keep_delivery(turn: Turn, takes: tuple[int, ...], how: Delivery) -> None:
    turn.do(*(effects.KeepDelivery(number, how) for number in takes))


def hold(turn: Turn, take: Take) -> None:
    """Let the text of ``take`` wait for its window, or for the user."""
    turn.set(held=(*turn.now.held, replace(take, text=take.text.strip(" "))))


def _unhold(turn: Turn, chosen: Sequence[Take]) -> None:
    turn.set(held=tuple(one for one in turn.now.held if one not in chosen))


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
        turn.notify(NoticeKind.INFO, *NO_TEXT)


def insert_held(turn: Turn, chosen: Sequence[Take]) -> None:
    """Insert ``chosen`` of what is held, as one text, wherever the focus is."""
    _unhold(turn, chosen)
    _insert_again(turn, join(one.text for one in chosen), _numbers(chosen))


def _insert_again(turn: Turn, text: str, brings: tuple[int, ...]) -> None:
    number = turn.number_take()
    turn.put(Take(number, Stage.READY, turn.at_s, turn.at_s, is_again=True, text=text, brings=brings))
    deliver(turn)


def copy_last(turn: Turn) -> None:
    """Put what is held, or else the last text, on the clipboard. What is held stays until it is there."""
    texts = [one.text for one in turn.now.held] or list(turn.now.recent[:1])
    if texts:
        turn.do(effects.Copy(join(texts), _numbers(turn.now.held)))
    else:
        turn.notify(NoticeKind.INFO, *NO_TEXT)


def was_copied(turn: Turn, event: Copied) -> None:
    """A text is on the clipboard: if it was held, it need not wait any more."""
    _unhold(turn, [one for one in turn.now.held if set(one.numbers) <= set(event.takes)])
    turn.notify(NoticeKind.COPIED, ON_CLIPBOARD, PASTE_IT)


def give_up(turn: Turn, take: Take, title: str) -> None:
    """End the transcription of a take that failed for the reason in ``title``."""
    turn.do(effects.CancelTranscription(take.number), effects.KeepFailure(take.number, title))
    if take.has_sound:
        turn.set(failed=take)
    turn.drop(take)
    deliver(turn)
