"""The second half of a take's life: from its text to the window.

Texts are inserted one at a time and strictly in the order of the takes. A text is held if its window has lost
the focus or was not reported in time; the next text for the same window then includes it, which keeps the
order within a window. While another program holds the key of the next take, texts wait for its release (see
``Dictation.is_key_injected``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from handy_qwen.core import effects
from handy_qwen.core.commands import last_sentence
from handy_qwen.core.corrections import corrected
from handy_qwen.core.effects import is_after
from handy_qwen.core.events import (
    Copied,
    Corrected,
    Delivered,
    FocusNoted,
    TextAroundNoted,
    Touched,
    Transcribed,
)
from handy_qwen.core.orthography import join
from handy_qwen.core.profiles import BUILT_IN, profile_of
from handy_qwen.core.state import RECENT, Stage, Take, Turn
from handy_qwen.core.text import TextRules, fit, heard, placeholders_in
from handy_qwen.core.types import Delivery, Method, Mode, Profile, Spacing, Submit, Target
from handy_qwen.core.view import CLIPBOARD, NoticeKind, Remedy
from handy_qwen.languages import AUTOMATIC
from handy_qwen.message import Message, sentences

INSERTING_S = 60.0  # the longest wait for an inserter; typing 2,000 characters slowly takes half of it
LOOKING_UP_S = 5.0  # the longest wait for the values of placeholders
MAYBE_COPIED_S = 60.0  # how long a notice stays that a text may have to be pasted by hand
MOST_THERE = 20  # texts that can be deleted again, one after the other
CONTINUES_S = 120.0  # a text inserted longer ago says nothing about what is before the cursor
TOO_SLOW = (
    Message("A replacement took too long and was skipped."),
    Message("Simplify its regular expression."),
)
UNSURE = (
    Message("The text may not have been inserted."),
    Message("If it does not appear, paste it from Handy Qwen."),
)
ON_CLIPBOARD, PASTE_IT = Message("The text is on the clipboard."), Message("Paste it where you want it.")
OUT_OF_REACH = (
    Message("Handy Qwen can't type into this window."),
    Message("It runs as administrator. Your text will be copied for you to paste."),
)
PARTLY = Message("Only the first part was inserted.")
HELD_TITLE = Message("You switched windows, so the text wasn't inserted.")
HELD_HINT = Message("Paste, copy or discard it in Handy Qwen.")
MISSING = Message("Words may be missing where it has […].")
NOT_SENT = Message("Look at it, then send it yourself.")
NOTHING_ERASED = (
    Message("Nothing was deleted."),
    Message("A text can be taken back by voice until you type or click, or it is sent."),
)
NOT_ERASED = (
    Message("The last text couldn't be taken back."),
    Message(
        "Look at it, and delete it yourself. If you switched windows meanwhile, a part of it may be gone."
    ),
)
OTHER_WINDOW = (
    Message("You switched windows, so no key was pressed."),
    Message("Go back to the window and say it again."),
)
NO_TEXT = (Message("There is no text yet."), Message("Dictate something first."))


def has_text(turn: Turn, event: Transcribed) -> None:
    """The engine has finished a take."""
    take = turn.take(event.take, Stage.TRANSCRIBING)
    if take is None:
        return  # cancelled earlier
    rules, language = _text_rules(turn, take), event.language or take.language
    if event.values is None and (names := placeholders_in(event.text, rules)):
        turn.enter(replace(take, unfilled=event), Stage.TRANSCRIBING)
        turn.do(effects.LookUp(event, names))
        return
    if event.text and not take.is_recovered:
        turn.set(heard=("", "") if turn.now.rules.is_private else (event.text, language))
    spoken = heard(
        event.text, rules, language, lambda _: turn.notify(NoticeKind.INFO, *TOO_SLOW), event.values or {}
    )
    text = spoken.text
    model, application = turn.now.choices.model, take.target.application
    known = text, language, model, application, event.is_truncated
    turn.do(effects.KeepText(take.number, *known, original="" if text.strip() else event.text))
    take = replace(take, unfilled=None)
    turn.set(finished=take)
    take = replace(
        take,
        text=text,
        language=language,
        submit=Submit.ENTER if spoken.presses_enter and take.submit is Submit.OFF else take.submit,
        scratches=0 if event.is_truncated else spoken.scratches,
        is_scratched_again=spoken.is_again,
    )
    if take.is_recovered:
        turn.drop(take)
        if text:
            _remember(turn, take)
            hold(turn, take)
            turn.notify(NoticeKind.HELD, Message("Recovered an unsent dictation."), HELD_HINT)
    elif text or take.scratches or spoken.presses_enter:
        if event.is_truncated:
            hint = MISSING if take.submit is Submit.OFF else sentences(MISSING, NOT_SENT)
            turn.notify(NoticeKind.INFO, Message("The transcript may be incomplete."), hint)
            take = replace(take, submit=Submit.OFF)
        turn.enter(take, Stage.READY)
    else:
        turn.drop(take)
        is_toggle = turn.now.rules.mode is Mode.TOGGLE
        hint = (
            Message("Press the key, speak, then press it again.")
            if is_toggle
            else Message("Hold the key while you speak.")
        )
        turn.notify(NoticeKind.NO_SPEECH, Message("Didn't catch anything."), hint)
    deliver(turn)


def has_focus(turn: Turn, event: FocusNoted) -> None:
    """The window of a take is known, unless it was reported too late: the user may have switched by then."""
    take = turn.take(event.take)
    if take is None or take.focus_by_s is None or turn.at_s > take.focus_by_s:
        return
    take = replace(take, target=event.target, focus_by_s=None, touched_s=event.touched_s)
    turn.set(application=event.target.application or turn.now.application)
    profile = profile_of(event.target.application, turn.now.rules.profiles)
    turn.put(_with_profile(turn, take, profile) if profile is not None else take)
    if event.target.is_out_of_reach and take.stage is Stage.RECORDING:
        turn.notify(NoticeKind.INFO, *OUT_OF_REACH)


def look_around(turn: Turn, take: Take) -> None:
    """Ask for the text around the cursor, unless the text of an earlier take will precede this one."""
    is_next = turn.now.takes[0].number == take.number
    is_inserted = _method(turn, take) not in {Method.COPY, Method.NONE}
    if is_next and is_inserted and take.target.window and _text_rules(turn, take).is_fitted:
        turn.do(effects.LookAround(take.number, take.target))


def has_text_around(turn: Turn, event: TextAroundNoted) -> None:
    """The text around the cursor is known before the insertion."""
    take = turn.take(event.take)
    if take is not None and all(one.stage is not Stage.INSERTING for one in turn.now.takes):
        turn.set(around=event)


def was_touched(turn: Turn, event: Touched) -> None:
    """The insertion of a text begins: what was read around the cursor may be out of date."""
    take = turn.take(event.take)
    if take is not None:
        is_stale = is_after(event.touched_s, take.seen_s)
        turn.put(replace(take, touched_s=event.touched_s, text=take.otherwise if is_stale else take.text))


def _with_profile(turn: Turn, take: Take, profile: Profile) -> Take:
    """``take`` with ``profile`` applied; what its hotkey sets takes precedence."""
    rules = turn.now.rules
    key = rules.hotkey(take.hotkey)
    language, submit = take.language, take.submit
    if profile.language and not (key and key.language):
        language = "" if profile.language == AUTOMATIC else profile.language
    if profile.submit and not (key and key.submit):
        submit = profile.submit
    if language != take.language or profile.words:
        turn.do(effects.Adapt(take.number, rules.spoken(language), (*profile.words, *rules.context)))
    return replace(take, profile=profile, language=language, submit=submit)


def _text_rules(turn: Turn, take: Take) -> TextRules:
    rules, profile = turn.now.rules.text, take.profile
    is_fitted = rules.is_fitted if profile.spacing is None else profile.spacing is Spacing.ON
    return (
        replace(rules, is_fitted=is_fitted, custom_words=(*profile.words, *rules.custom_words))
        if (profile.spacing or profile.words)
        else rules
    )


def deliver(turn: Turn) -> None:
    """Insert the next text, unless another insertion is running or something holds it back."""
    if turn.now.is_key_injected or any(take.stage is Stage.INSERTING for take in turn.now.takes):
        return
    again = [take for take in turn.now.takes if take.is_again]
    for take in again + list(turn.now.takes[:1]):
        if take.stage is not Stage.READY:
            continue
        if take.focus_by_s is None:
            _insert(turn, take)
        elif turn.at_s >= take.focus_by_s:
            turn.notify(NoticeKind.HELD, Message("Couldn't tell which window the text is for."), HELD_HINT)
            was_not_delivered(turn, take)
        return


def _insert(turn: Turn, take: Take) -> None:
    window = take.target.window
    before = [one for one in turn.now.held if window and one.target.window == window]
    rules, language, text = _text_rules(turn, take), take.language, take.text
    there, held = _untouched(turn, take), [one.text for one in before]
    waiting = list(held)
    kept, erased = _taken_back(take, [one.text for one in there], waiting, is_again=turn.now.has_scratched)
    _unhold(turn, before)
    if take.scratches and not (erased or held):
        take = replace(take, submit=Submit.OFF)  # Enter could send what was to be deleted
        turn.notify(NoticeKind.INFO, *NOTHING_ERASED)
    if not (erased or text or waiting) and take.submit is Submit.OFF:
        turn.drop(take)
        _keep_delivery(turn, _numbers(before), Delivery.DROPPED)
        turn.set(has_scratched=True)
        deliver(turn)
        return
    if waiting:
        first = join(waiting, language)
        text = join([first, fit(text, rules, first, language)], language)
    noted, seen_s, otherwise = turn.now.around, math.inf, ""
    turn.set(around=None)  # also what a later take read: this text comes in between
    if text and not take.is_again:
        previous = (kept[-1] if kept else None) if erased else _previous(turn, take.target)
        fitted = fit(text, rules, previous, language)
        if noted is not None and noted.take == take.number and not erased:
            seen_s, otherwise = noted.seen_s, fitted
            fitted = fit(text, rules, noted.around.before, language, noted.around.after)
        text = fitted
    leaves = tuple(replace(one, text=left) for one, left in zip(there, kept, strict=False))
    brings = take.brings + _numbers(before)
    take = replace(
        take, text=text, seen_s=seen_s, otherwise=otherwise, erased=erased, leaves=leaves, brings=brings
    )
    take = turn.enter(take, Stage.INSERTING)
    turn.do(
        effects.Insert(
            take.number,
            text,
            take.target if window else None,
            _method(turn, take),
            take.submit,
            brings,
            erased=erased,
            since_s=there[-1].since_s if erased else 0.0,
            otherwise=otherwise,
            seen_s=seen_s,
        )
    )


def _method(turn: Turn, take: Take) -> Method:
    """How to insert ``take``. If nothing is to be typed or pasted, only users' own profiles override it."""
    method = turn.now.rules.method
    is_kept_out = method in {Method.COPY, Method.NONE} and take.profile in BUILT_IN
    return method if is_kept_out else take.profile.method or method


def _untouched(turn: Turn, take: Take) -> tuple[Take, ...]:
    """The texts directly before the cursor in the window of ``take``, as far as that is certain.

    Any key pressed since the last insertion began makes it uncertain.
    """
    there, touched_s = turn.now.there, take.touched_s
    is_same = bool(there) and take.target.window != 0 and there[-1].target.window == take.target.window
    is_certain = is_same and touched_s is not None and touched_s <= there[-1].since_s
    return there if is_certain else ()


def _taken_back(take: Take, there: list[str], waiting: list[str], *, is_again: bool) -> tuple[list[str], str]:
    """What remains of ``there``, and what to delete of it; ``waiting``, said after it, is changed.

    The first time this is the last sentence, after that the rest of the last text.
    """
    erased, is_again = "", is_again or take.is_scratched_again
    for _ in range(take.scratches):
        texts = waiting or there
        if not texts:
            break
        last = texts.pop()
        kept = "" if is_again else last[: last_sentence(last)]
        if texts is there:
            erased = last[len(kept) :] + erased
        if kept.strip():
            texts.append(kept)
        elif texts is there:
            erased = kept + erased
        is_again = True
    return there, erased


def _previous(turn: Turn, target: Target) -> str | None:
    last = turn.now.there[-1] if turn.now.there else None
    if last is None or not target.window or last.target.window != target.window:
        return None
    return last.text if turn.at_s - last.since_s <= CONTINUES_S else None


def was_delivered(turn: Turn, event: Delivered) -> None:
    """The inserter has finished a text."""
    take = turn.take(event.take, Stage.INSERTING)
    if take is None:
        _came_late(turn, event)
        return
    turn.drop(take)
    turn.settle(CLIPBOARD)
    _remember(turn, take)
    _keep_delivery(turn, take.numbers, event.how)
    # What follows a submitted text starts afresh: the line it continued has been sent.
    is_in_place = event.how in {Delivery.TYPED, Delivery.PASTED} and take.submit is Submit.OFF
    is_certain = bool(_untouched(turn, take)) and (event.has_erased or not take.erased)
    there = (*(take.leaves if is_certain else ()), *([replace(take, leaves=())] if take.text else []))
    turn.set(
        there=there[-MOST_THERE:] if is_in_place else (),
        has_scratched=bool(take.scratches) and not take.text,
    )
    if take.erased and not event.has_erased:
        turn.notify(NoticeKind.INFO, *NOT_ERASED)
    match event.how:
        case Delivery.COPIED if event.rest:
            turn.notify(
                NoticeKind.COPIED, PARTLY, Message("The rest is on the clipboard. Paste it to continue.")
            )
        case Delivery.COPIED if event.may_have_arrived:
            turn.notify(
                NoticeKind.COPIED,
                UNSURE[0],
                event.note,
                lasting=CLIPBOARD,
                remedy=Remedy.PASTE,
                most_s=MAYBE_COPIED_S,
            )
        case Delivery.COPIED:
            turn.notify(NoticeKind.COPIED, ON_CLIPBOARD, event.note or PASTE_IT)
        case Delivery.HELD if not take.text:
            turn.notify(NoticeKind.INFO, *OTHER_WINDOW)
        case Delivery.HELD if event.rest:
            hold(turn, replace(take, text=event.rest))
            turn.notify(NoticeKind.HELD, PARTLY, event.note or HELD_HINT)
        case Delivery.HELD if event.may_have_arrived:
            hold(turn, _nowhere(take))
            turn.notify(NoticeKind.HELD, *UNSURE)
        case Delivery.HELD:
            hold(turn, take)
            title = Message("The text wasn't inserted.") if event.note else HELD_TITLE
            turn.notify(NoticeKind.HELD, title, event.note or HELD_HINT)
        case Delivery.KEPT:
            hint = event.note or Message("To copy it, choose it under Recent texts.")
            turn.notify(NoticeKind.INFO, Message("The text is saved."), hint, remedy=Remedy.COPY)
        case _:
            if event.note:
                turn.notify(NoticeKind.INFO, event.note)
    deliver(turn)


def _came_late(turn: Turn, event: Delivered) -> None:
    """A text that seemed lost has arrived after all: stop holding it."""
    late = [one for one in turn.now.held if event.take in one.numbers]
    if event.how is not Delivery.HELD:
        _unhold(turn, late)
        _keep_delivery(turn, _numbers(late), event.how)
        if late and event.how is Delivery.COPIED:
            turn.notify(NoticeKind.COPIED, ON_CLIPBOARD, PASTE_IT)
    elif event.rest:
        rest = event.rest.strip(" ")
        turn.set(held=tuple(replace(one, text=rest) if one in late else one for one in turn.now.held))


def _nowhere(take: Take) -> Take:
    """``take`` without a window, so that the next text for its window does not include it."""
    return replace(take, target=Target())


def may_be_lost(turn: Turn, take: Take) -> None:
    """The inserter did not answer in time: the text may be in its window, or arrive late."""
    turn.notify(NoticeKind.FAILED, *UNSURE, remedy=Remedy.PASTE)
    was_not_delivered(turn, _nowhere(take))


def was_not_delivered(turn: Turn, take: Take) -> None:
    """A text could not be inserted: hold it."""
    turn.drop(take)
    if take.text:
        _keep_delivery(turn, take.numbers, Delivery.HELD)
        _remember(turn, take)
        hold(turn, take)
    turn.set(there=())
    deliver(turn)


def drop_held(turn: Turn) -> None:
    """Discard the held texts."""
    _keep_delivery(turn, _numbers(turn.now.held), Delivery.DROPPED)
    turn.set(held=())


def _numbers(held: Iterable[Take]) -> tuple[int, ...]:
    return tuple(number for one in held for number in one.numbers)


def _keep_delivery(turn: Turn, takes: tuple[int, ...], how: Delivery) -> None:
    turn.do(*(effects.KeepDelivery(number, how) for number in takes))


def hold(turn: Turn, take: Take) -> None:
    """Hold the text of ``take`` until its window or the user asks for it."""
    turn.set(held=(*turn.now.held, replace(take, text=take.text.strip(" "))))


def _unhold(turn: Turn, chosen: Sequence[Take]) -> None:
    turn.set(held=tuple(one for one in turn.now.held if one not in chosen))


def was_corrected(turn: Turn, event: Corrected) -> None:
    """The user corrected a text: offer the corrected one from now on."""

    def now(text: str) -> str:
        return corrected(text, event.before, event.after) or text

    turn.set(
        recent=tuple(dict.fromkeys(map(now, turn.now.recent))),
        held=tuple(replace(one, text=now(one.text)) for one in turn.now.held),
    )


def _remember(turn: Turn, take: Take) -> None:
    text = take.text.strip()
    if take.is_again or not text:  # a line break alone is inserted, but not offered again
        return
    others = [old for old in turn.now.recent if old != text]
    turn.set(recent=(text, *others)[:RECENT])


def paste_again(turn: Turn) -> None:
    """Insert the held texts, or else the last text, into the focused window."""
    if turn.now.held:
        insert_held(turn, turn.now.held)
    elif turn.now.recent:
        _insert_again(turn, turn.now.recent[0], ())
    else:
        turn.notify(NoticeKind.INFO, *NO_TEXT)


def insert_held(turn: Turn, chosen: Sequence[Take]) -> None:
    """Insert ``chosen`` of the held texts, as one text, into the focused window."""
    _unhold(turn, chosen)
    _insert_again(turn, join(one.text for one in chosen), _numbers(chosen))


def _insert_again(turn: Turn, text: str, brings: tuple[int, ...]) -> None:
    number = turn.number_take()
    turn.put(Take(number, Stage.READY, turn.at_s, turn.at_s, is_again=True, text=text, brings=brings))
    deliver(turn)


def copy_last(turn: Turn) -> None:
    """Copy the held texts, or else the last text, to the clipboard. Held texts stay until that is done."""
    texts = [one.text for one in turn.now.held] or list(turn.now.recent[:1])
    if texts:
        turn.do(effects.Copy(join(texts), _numbers(turn.now.held)))
    else:
        turn.notify(NoticeKind.INFO, *NO_TEXT)


def was_copied(turn: Turn, event: Copied) -> None:
    """A text is on the clipboard: stop holding it."""
    _unhold(turn, [one for one in turn.now.held if set(one.numbers) <= set(event.takes)])
    turn.settle(CLIPBOARD)
    turn.notify(NoticeKind.COPIED, ON_CLIPBOARD, PASTE_IT)


def give_up(turn: Turn, take: Take, title: str) -> None:
    """Give up a take whose transcription failed with ``title``."""
    turn.do(effects.CancelTranscription(take.number), effects.KeepFailure(take.number, title))
    if take.has_sound:
        turn.set(failed=take)
    turn.drop(take)
    deliver(turn)
