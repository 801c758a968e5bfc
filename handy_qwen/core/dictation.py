"""The dictation cycle as a pure state machine.

    keys, requests --gestures--> begin, end, cancel
                                   |
    take 1   RECORDING --> ENDING --> TRANSCRIBING --> READY --> INSERTING --> delivered
    take 2                     RECORDING --> ENDING --> TRANSCRIBING --> ...

Recording and transcribing are independent: a take may be recorded while earlier ones are
transcribed. Texts are inserted in the order of the takes; a take that fails or is cancelled does not
hold up the next. If a press cannot take effect at once, the user sees why: the running take, the
loading model, or a notice.

``step`` takes a state, an event and the time, and returns the next state and the effects that the
controller must carry out, in order. It reads no clock and starts no thread. The take's number
identifies late results.

Every take has a deadline in each stage, or waits for one that has: even if every other part of the
program hung, time alone would end each take.

See state.py for the state, recording.py and delivery.py for the two halves of a take's life, recovery.py
for takes that come back, gestures.py for what the keys mean.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import assert_never

from handy_qwen.core import delivery, effects, events, gestures, recording, recovery
from handy_qwen.core.effects import Effect
from handy_qwen.core.events import Event, Request
from handy_qwen.core.state import Dictation, Stage, Take, Turn
from handy_qwen.core.types import Hotkey, Mode
from handy_qwen.core.view import CLIPBOARD, HOTKEYS, Notice, NoticeKind, Remedy
from handy_qwen.errors import (
    EngineError,
    HandyError,
    HotkeyError,
    InstallationError,
    LanguageError,
    MicrophoneError,
    SettingsError,
)
from handy_qwen.message import Message, sentences

MODEL = "model"  # subject of lasting notices
NOT_LOADED = (
    Message("The speech model won't load."),
    Message("Check its disk, then quit and restart Handy Qwen."),
)
TRY_AGAIN = Message("It's saved: choose Transcribe last recording again.")
LATE_S = 2.0  # no thread waits this long for the processor
SIGNS_OF_LIFE = (
    events.ModelLoading | events.ModelReady | events.Previewed | events.Progressed | events.Transcribed
)
"""Events that show that the engine is working."""
SOON_S = 0.01  # the shortest time to the next wake-up, however long something has been due


def step(now: Dictation, event: Event, at_s: float) -> tuple[Dictation, tuple[Effect, ...]]:
    """Advance the cycle by one event, handled at ``at_s`` (``time.monotonic()``).

    Events that make no sense in the current state are ignored, such as late ones of a cancelled take.
    """
    turn = Turn(now, at_s)
    _forgive_stop(turn)
    if isinstance(event, SIGNS_OF_LIFE):
        turn.set(engine_s=at_s)
    _read_gestures(turn, event)
    _handle(turn, event)
    _tidy(turn)
    return turn.now, tuple(turn.effects)


def _read_gestures(turn: Turn, event: Event) -> None:
    rules = turn.now.rules
    mode = None if turn.now.is_rehearsing else rules.mode
    state, actions = gestures.step(turn.now.gestures, event, mode, rules.limits)
    turn.set(gestures=state)
    for action in actions:
        if isinstance(action, gestures.Begin):
            recording.begin(turn, action.hotkey)
            continue
        take = turn.now.recorded
        assert take is not None, "gestures speak only of the take that is open"
        if isinstance(action, gestures.End):
            recording.end(turn, take)
        else:
            recording.cancel(turn, take)


def _handle(turn: Turn, event: Event) -> None:  # noqa: PLR0912, PLR0915  one line for each event
    match event:
        case events.KeyDown() | events.KeyJoined() | events.LockPressed() | events.Progressed():
            pass  # already noted
        case events.KeyUp():
            _restart_insertion_clock(turn)
        case events.EscapePressed():
            _cancel(turn)
        case events.HotkeysSet(hotkeys):
            _note_answer(turn, hotkeys)
        case events.HotkeysFailed(error, asked):
            if asked in (None, turn.now.rules.hotkeys):  # else others are being set already
                _note_answer(turn, asked)
                turn.notify(
                    NoticeKind.FAILED, error.title, error.hint, lasting=HOTKEYS, remedy=Remedy.SETTINGS
                )
        case events.HotkeysAssigned(keys, cancel, offer):
            turn.set(desktop_keys=keys, cancel_key=cancel, key_offer=offer)
        case events.KeysPermitted(permission):
            turn.set(key_permission=permission)
        case events.HotkeysDied():
            turn.settle(HOTKEYS)
            _listen_for(turn, turn.now.rules.hotkeys)
        case events.RecordingBegan(number, device):
            recording.has_begun(turn, number, device)
        case events.RecordingEnded():
            recording.has_ended(turn, event)
        case events.MicrophoneChanged():
            recording.has_moved(turn, event)
        case events.Heard(number, at_s):
            if (take := turn.take(number)) is not None:
                turn.put(replace(take, heard_s=at_s))
        case events.Muted(number, is_muted):
            recording.has_muted(turn, number, is_muted=is_muted)
        case events.ModelLoading():
            turn.set(is_loading=True)
            turn.settle(MODEL)
        case events.ModelReady(_, languages):
            choices = replace(turn.now.choices, languages=tuple(sorted(languages)))
            turn.set(has_model=True, is_loading=False, choices=choices)
            turn.settle(MODEL)
        case events.ModelFailed(_, error):
            turn.set(is_loading=False)
            lasting = "" if turn.now.has_model else MODEL
            turn.notify(NoticeKind.FAILED, error.title, error.hint, lasting=lasting, remedy=Remedy.MODELS)
        case events.ModelUnloaded():
            turn.set(has_model=False)
        case events.Previewed(number, committed, tentative):
            if (take := turn.take(number)) is not None:
                turn.put(replace(take, committed=committed, tentative=tentative))
        case events.Transcribed():
            delivery.has_text(turn, event)
        case events.Failed(number, error):
            _has_failed(turn, number, error)
        case events.Touched():
            delivery.was_touched(turn, event)
        case events.Delivered():
            delivery.was_delivered(turn, event)
        case events.Copied():
            delivery.was_copied(turn, event)
        case events.FocusNoted():
            delivery.has_focus(turn, event)
        case events.TextAroundNoted():
            delivery.has_text_around(turn, event)
        case events.Recovered():
            recovery.has_recovered(turn, event)
        case events.Kept():
            recovery.was_kept(turn, event)
        case events.Replayed():
            recovery.was_replayed(turn, event)
        case events.Requested(what):
            _answer(turn, what)
        case events.Corrected():
            delivery.was_corrected(turn, event)
        case events.Recalled():
            recovery.was_recalled(turn, event)
        case events.Configured():
            _configure(turn, event)
        case events.Noted(title, hint, remedy):
            turn.notify(NoticeKind.INFO, title, hint, remedy=remedy)
        case events.Trouble(subject, error) if error is not None:
            remedy = _remedy_for(error)
            turn.notify(NoticeKind.FAILED, error.title, error.hint, lasting=subject, remedy=remedy)
        case events.Trouble(subject):
            turn.settle(subject)
        case events.Ticked():
            _look_at_clock(turn)
        case events.Slept(for_s):
            _age(turn, for_s)
        case _:
            assert_never(event)


def _has_failed(turn: Turn, number: int, error: HandyError) -> None:
    take = turn.take(number)
    if number and take is None:
        return  # given up or delivered earlier
    lost = take if take is not None and take.has_sound and take.stage < Stage.READY else None
    kept_hint = sentences(TRY_AGAIN, error.hint)
    remedy = Remedy.RETRY if lost else _remedy_for(error)
    turn.notify(NoticeKind.FAILED, error.title, error.hint, take=lost, kept_hint=kept_hint, remedy=remedy)
    if take is None:
        return
    match take.stage:
        case Stage.INSERTING:
            delivery.was_not_delivered(turn, take)
        case Stage.RECORDING | Stage.ENDING:
            turn.do(effects.CancelRecording(number))
            delivery.give_up(turn, take, error.title)
            recording.start_waiting(turn)
        case Stage.WAITING | Stage.REPLAYING | Stage.TRANSCRIBING:
            delivery.give_up(turn, take, error.title)
        case Stage.READY:
            pass  # it has its text: no failure can hurt it


def _remedy_for(error: HandyError) -> Remedy | None:
    """Where the user can fix this."""
    match error:
        case SettingsError() | HotkeyError() | MicrophoneError() | LanguageError():
            return Remedy.SETTINGS
        case EngineError() | InstallationError():
            return Remedy.MODELS
        case _:
            return None


def _cancel(turn: Turn) -> None:
    """Cancel the take being recorded (gestures closed it already); with none, the takes not yet inserted."""
    before = turn.before.cancelled
    if turn.before.recorded is None:
        waiting = [take for take in turn.now.takes if can_be_cancelled(take)]
        if not waiting:
            return
        for take in reversed(waiting):  # last one first, so that cancelling one does not start the next
            recording.cancel(turn, take)
    cancelled = turn.now.cancelled
    kept = cancelled if cancelled != before else None
    turn.notify(
        NoticeKind.INFO,
        Message("Cancelled."),
        take=kept,
        kept_hint=Message("To get it back, choose Restore cancelled dictation."),
        remedy=Remedy.RESTORE,
    )


def can_be_cancelled(take: Take) -> bool:
    """Whether Escape cancels ``take``: not a recovered one, which the user does not see."""
    return take.stage is not Stage.INSERTING and not take.is_recovered


def _answer(turn: Turn, what: Request) -> None:
    # A lasting notice is settled by its subject, except one that only waits for the user.
    lasts = {one for one in turn.now.notices if one.is_lasting and one.subject != CLIPBOARD}
    turn.set(notices=tuple(one for one in turn.now.notices if one in lasts or not _offers(one, what)))
    match what:
        case Request.START | Request.STOP | Request.TOGGLE:
            pass  # handled by gestures
        case Request.CANCEL:
            _cancel(turn)
        case Request.PASTE_AGAIN:
            delivery.paste_again(turn)
        case Request.COPY_LAST:
            delivery.copy_last(turn)
        case Request.DROP_HELD:
            delivery.drop_held(turn)
        case Request.RETRY:
            recovery.retry(turn)
        case Request.BRING_BACK:
            recovery.bring_back(turn)
        case Request.REHEARSE | Request.PERFORM:
            turn.set(is_rehearsing=what is Request.REHEARSE)
        case Request.SHOW:
            keys = " / ".join(turn.now.choices.hotkeys)
            hint = Message()
            if keys and turn.now.rules.mode is Mode.TOGGLE:
                hint = Message("Press {keys} and speak.", keys=keys)
            elif keys:
                hint = Message("Hold {keys} and speak.", keys=keys)
            turn.notify(NoticeKind.INFO, Message("Handy Qwen is running."), hint)
        case _:
            assert_never(what)


def _offers(notice: Notice, what: Request) -> bool:
    return events.REQUESTS.get(notice.remedy) is what


def _configure(turn: Turn, event: events.Configured) -> None:
    old, new = turn.now.rules, event.rules
    languages = event.choices.languages or turn.now.choices.languages
    if new.is_private != old.is_private:
        turn.do(effects.PauseHistory(new.is_private))
    if not new.hotkeys:
        turn.set(were_hotkeys_answered=True)  # else the answer to ListenFor sets it
    turn.set(rules=new, choices=replace(event.choices, languages=languages))
    if (new.hotkeys, new.mode) == (old.hotkeys, old.mode):
        return
    take = turn.now.recorded
    if take is not None and take.hotkey is not None:
        recording.end(turn, take)  # the key that would end it may no longer be a hotkey
    turn.set(gestures=gestures.Gestures(take=turn.now.gestures.take))
    if new.hotkeys != old.hotkeys:
        turn.settle(HOTKEYS)
        _listen_for(turn, new.hotkeys)


def _listen_for(turn: Turn, hotkeys: tuple[Hotkey, ...]) -> None:
    turn.set(hotkeys_asked=hotkeys)
    turn.do(effects.ListenFor(hotkeys))


def _note_answer(turn: Turn, hotkeys: tuple[Hotkey, ...] | None) -> None:
    """Whether ``hotkeys`` work is known; None: the listener has ended. Others may have been set since."""
    asked = turn.now.hotkeys_asked
    turn.set(were_hotkeys_answered=True, hotkeys_asked=None if asked == hotkeys else asked)


def _tidy(turn: Turn) -> None:
    """Bring gestures, texts, notices, Escape and the timer up to date after every event."""
    if turn.now.recorded is None and turn.now.gestures.take is not None:
        turn.set(gestures=gestures.closed(turn.now.gestures))
    if not recording.is_recording(turn):
        turn.settle(recording.MUTED)
    delivery.deliver(turn)  # held back until the key was released
    recovery.recover_next(turn)
    _note_turn_at_engine(turn)
    now = turn.now
    left = (one for one in now.notices if one.until_s > turn.at_s)
    turn.set(
        notices=tuple(one if one.news_until_s > turn.at_s else replace(one, news_until_s=0.0) for one in left)
    )
    is_wanted = any(can_be_cancelled(take) for take in now.takes)
    is_new_listener = any(isinstance(one, effects.ListenFor) for one in turn.effects)  # it does not know yet
    lock_key = now.rules.lock_key if turn.at_s >= _lockable_at_s(turn) else ""
    if is_new_listener or (is_wanted, lock_key) != (now.is_escape_watched, now.watched_lock):
        turn.set(is_escape_watched=is_wanted, watched_lock=lock_key)
        turn.do(effects.WatchEscape(is_wanted, lock_key))
    turn.set(wake_at_s=_next_wake_s(turn))


# --- deadlines ---------------------------------------------------------------------------------------


def _look_at_clock(turn: Turn) -> None:
    """The wake-up time has come: do what is due."""
    loaded_by_s = _loaded_by_s(turn)
    if loaded_by_s is not None and turn.at_s >= loaded_by_s:
        turn.set(is_loading=False)
        turn.notify(NoticeKind.FAILED, *NOT_LOADED, lasting=MODEL, remedy=Remedy.MODELS)
    for number in [take.number for take in turn.now.takes]:
        take = turn.take(number)  # re-read: handling an earlier one may have changed it
        at_s = _due_s(turn, take) if take is not None else None
        if take is None or at_s is None or turn.at_s < at_s:
            continue
        if take.stage is Stage.INSERTING:
            delivery.may_be_lost(turn, take)
        elif take.stage is Stage.REPLAYING:
            recovery.is_not_replayed(turn, take)
        elif take.unfilled is not None:
            delivery.has_text(turn, replace(take.unfilled, values={}))
        elif take.stage is Stage.TRANSCRIBING:
            recovery.is_not_transcribed(turn, take)
        else:
            recording.is_overdue(turn, take)


def _forgive_stop(turn: Turn) -> None:
    """Restart every deadline after a period in which nothing ran, except the limit on recording.

    The process was suspended or the machine slept, so the wake-up time is long past.
    """
    wake_at_s = turn.now.wake_at_s
    if wake_at_s is None or turn.at_s - wake_at_s <= LATE_S:
        return
    turn.set(engine_s=turn.at_s)
    for take in turn.now.takes:
        since_s = take.since_s if take.stage is Stage.RECORDING else turn.at_s
        turn.put(replace(take, heard_s=turn.at_s, since_s=since_s))


def _age(turn: Turn, by_s: float) -> None:
    """Count sleep as recording time: otherwise the microphone could stay open for hours."""
    for take in turn.now.takes:
        if take.stage is Stage.RECORDING:
            turn.put(replace(take, since_s=take.since_s - by_s))


def _due_s(turn: Turn, take: Take) -> float | None:
    """When ``take`` times out in its stage; None: never."""
    match take.stage:
        case Stage.INSERTING:
            return None if turn.now.is_key_injected else take.since_s + delivery.INSERTING_S
        case Stage.REPLAYING:
            return take.since_s + recovery.REPLAYING_S
        case Stage.READY:  # until its window is reported; after that it only waits for its turn
            is_awaited = take.focus_by_s is not None and take.focus_by_s > turn.at_s
            return take.focus_by_s if is_awaited else None
        case Stage.TRANSCRIBING:
            return _transcribed_by_s(turn, take)
        case _:
            return recording.deadline_s(turn, take)


def _transcribed_by_s(turn: Turn, take: Take) -> float | None:
    if take.unfilled is not None:
        return take.since_s + delivery.LOOKING_UP_S
    queue = [one for one in turn.now.takes if one.number <= take.number and _is_at_engine(one)]
    if any(one.stage is not Stage.TRANSCRIBING for one in queue):
        return None
    return max(turn.now.engine_s, *(one.since_s for one in queue)) + recovery.TRANSCRIBING_S


def _is_at_engine(take: Take) -> bool:
    """Whether the engine works on ``take``: the first one only, even while that is still recorded."""
    return Stage.RECORDING <= take.stage <= Stage.TRANSCRIBING and take.unfilled is None


def _note_turn_at_engine(turn: Turn) -> None:
    """The take that blocked the engine is gone: restart the deadlines of those behind it."""
    before, first = (next(filter(_is_at_engine, one.takes), None) for one in (turn.before, turn.now))
    if before is None or first is None or before.stage is Stage.TRANSCRIBING:
        return
    if first.number != before.number:
        turn.set(engine_s=turn.at_s)


def _loaded_by_s(turn: Turn) -> float | None:
    """When loading the model times out."""
    return turn.now.engine_s + recovery.TRANSCRIBING_S if turn.now.is_loading else None


def _lockable_at_s(turn: Turn) -> float:
    return gestures.lockable_at_s(turn.now.gestures, turn.now.rules.limits)


def _next_wake_s(turn: Turn) -> float | None:
    """The next wake-up time: never now, so that something that stays due cannot starve the cycle."""
    now = turn.now
    due = [
        gestures.wake_at_s(now.gestures, now.rules.limits),
        _loaded_by_s(turn),
        *(_due_s(turn, take) for take in now.takes),
    ]
    if now.rules.lock_key and (lockable_at_s := _lockable_at_s(turn)) > turn.at_s:
        due.append(lockable_at_s)
    due += [one.news_until_s or one.until_s for one in now.notices]
    soonest_s = min((at_s for at_s in due if at_s is not None), default=math.inf)
    return None if soonest_s == math.inf else max(soonest_s, turn.at_s + SOON_S)


def _restart_insertion_clock(turn: Turn) -> None:
    """A key pressed just after an insertion began may have delayed it until now."""
    for take in turn.now.takes:
        if take.stage is Stage.INSERTING and turn.now.is_key_injected:
            turn.enter(take, Stage.INSERTING)
