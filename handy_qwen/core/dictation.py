"""The dictation cycle as a pure state machine.

    keys, requests --gestures--> begin, end, cancel, lock
                                   |
    take 1   RECORDING --> ENDING --> TRANSCRIBING --> READY --> INSERTING --> delivered
    take 2                     RECORDING --> ENDING --> TRANSCRIBING --> ...

Recording and transcribing are independent: a take may be recorded while those before it are
transcribed; texts are inserted in the order of the takes, and one that fails or is given up does not
hold up the next. Whatever a press cannot do at once, the user sees why: the take that runs, the model
that loads, or a notice.

``step`` takes a state, an event and the time, and returns the next state and the effects that the
controller must carry out, in order. It reads no clock and starts no thread. Results that come late
are told from present ones by the take's number. See state.py for the state, recording.py and
delivery.py for the two halves of a take's life, gestures.py for what the keys mean.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import assert_never

from handy_qwen.core import gestures
from handy_qwen.core.delivery import (
    INSERTING_S,
    copy_last,
    deliver,
    drop_held,
    give_up,
    has_text,
    known_at,
    may_be_lost,
    paste_again,
    was_copied,
    was_delivered,
    was_not_delivered,
)
from handy_qwen.core.effects import (
    CancelRecording,
    CancelTranscription,
    Effect,
    KeepFailure,
    ListenFor,
    PauseHistory,
    WakeAt,
    WatchEscape,
)
from handy_qwen.core.events import (
    Configured,
    Copied,
    Delivered,
    EscapePressed,
    Event,
    Failed,
    FocusNoted,
    Heard,
    HotkeysDied,
    HotkeysFailed,
    HotkeysSet,
    Kept,
    KeyDown,
    KeyJoined,
    KeyUp,
    MicrophoneChanged,
    ModelFailed,
    ModelLoading,
    ModelReady,
    ModelUnloaded,
    Muted,
    Noted,
    Previewed,
    Progressed,
    Recalled,
    RecordingBegan,
    RecordingEnded,
    Recovered,
    Replayed,
    Request,
    Requested,
    Slept,
    Ticked,
    Transcribed,
    Trouble,
)
from handy_qwen.core.recording import (
    MUTED,
    begin,
    cancel,
    deadline_s,
    end,
    has_begun,
    has_ended,
    has_muted,
    is_overdue,
    start_waiting,
)
from handy_qwen.core.recovery import (
    REPLAYING_S,
    TRANSCRIBING_S,
    bring_back,
    has_recovered,
    is_not_replayed,
    is_not_transcribed,
    rescue_next,
    retry,
    was_kept,
    was_recalled,
    was_replayed,
)
from handy_qwen.core.state import Dictation, Stage, Take, Turn
from handy_qwen.core.types import Mode
from handy_qwen.core.view import HOTKEYS, NoticeKind
from handy_qwen.errors import HandyError

TRY_AGAIN = "It's saved: transcribe it again from the menu."


def step(now: Dictation, event: Event, at_s: float) -> tuple[Dictation, tuple[Effect, ...]]:
    """Advance the cycle by one event, handled at ``at_s`` (``time.monotonic()``).

    An event that makes no sense in the present state changes nothing; what comes late for a take that
    was cancelled is such an event.
    """
    turn = Turn(now, at_s)
    forgive_stop(turn)
    _note_engine(turn, event)
    _note_keys(turn, event)
    _read_gestures(turn, event)
    _handle(turn, event)
    _tidy(turn)
    return turn.now, tuple(turn.effects)


def _note_keys(turn: Turn, event: Event) -> None:
    """Remember which hotkeys are held, whatever comes of it."""
    match event:
        case KeyDown(hotkey):
            turn.set(down=turn.now.down | {hotkey})
        case KeyUp(hotkey):
            turn.set(down=turn.now.down - {hotkey})
        case HotkeysFailed() | HotkeysDied():
            turn.set(down=frozenset())
        case _:
            return


def _note_engine(turn: Turn, event: Event) -> None:
    """Remember when the engine was last seen to be at work, whatever it was on."""
    if isinstance(event, ModelLoading | ModelReady | Previewed | Progressed | Transcribed):
        turn.set(engine_s=turn.at_s)


def _read_gestures(turn: Turn, event: Event) -> None:
    if turn.now.is_rehearsing and isinstance(event, KeyDown):
        return
    state, calls, wake_s = gestures.step(turn.now.gestures, event, turn.now.rules.mode, turn.now.rules.limits)
    turn.set(gestures=state, gestures_wake_s=wake_s)
    for call in calls:
        if isinstance(call, gestures.Begin):
            begin(turn, call.hotkey)
            continue
        take = turn.recorded()
        assert take is not None, "gestures speak only of the take that is open"
        match call:
            case gestures.End():
                end(turn, take)
            case gestures.Cancel():
                cancel(turn, take)
            case gestures.Lock():
                turn.put(replace(take, is_locked=True))


def _handle(turn: Turn, event: Event) -> None:  # noqa: PLR0912, PLR0915  one line for each event
    match event:
        case KeyDown(hotkey, _, is_injected):
            turn.set(injected=turn.now.injected - {hotkey} | ({hotkey} if is_injected else set()))
        case KeyUp():
            restart_insertion_clock(turn)
        case KeyJoined():
            pass  # gestures have read it
        case EscapePressed():
            _cancel(turn)
        case HotkeysSet():
            turn.set(is_listening=True)
        case HotkeysFailed(error, asked):
            if asked in (None, turn.now.rules.hotkeys):  # else others are being set already
                turn.set(is_listening=True)
                turn.notify(NoticeKind.FAILED, error.title, error.hint, lasting=HOTKEYS)
        case HotkeysDied():
            turn.settle(HOTKEYS)
            turn.do(ListenFor(turn.now.rules.hotkeys))
        case RecordingBegan(number, device):
            has_begun(turn, number, device)
        case RecordingEnded():
            has_ended(turn, event)
        case MicrophoneChanged(number, device, unresponsive):
            _has_moved(turn, number, device, unresponsive)
        case Heard(number, at_s):
            if (take := turn.take(number)) is not None:
                turn.put(replace(take, heard_s=at_s))
        case Muted(number, is_muted):
            has_muted(turn, number, is_muted=is_muted)
        case ModelLoading() | ModelReady() | ModelFailed() | ModelUnloaded():
            _tell_model(turn, event)
        case Previewed(number, committed, tentative):
            if (take := turn.take(number)) is not None:
                turn.put(replace(take, committed=committed, tentative=tentative))
        case Progressed():
            pass  # it was noted
        case Transcribed():
            has_text(turn, event)
        case Failed(number, error):
            _has_failed(turn, number, error)
        case Delivered():
            was_delivered(turn, event)
        case Copied():
            was_copied(turn, event)
        case FocusNoted(number, target):
            if (take := turn.take(number)) is not None:
                turn.put(known_at(take, target, turn.at_s))
        case Recovered():
            has_recovered(turn, event)
        case Kept():
            was_kept(turn, event)
        case Replayed():
            was_replayed(turn, event)
        case Requested(what):
            _answer(turn, what)
        case Recalled():
            was_recalled(turn, event)
        case Configured():
            _configure(turn, event)
        case Noted(title, hint):
            turn.notify(NoticeKind.INFO, title, hint)
        case Trouble(subject, error):
            _tell_trouble(turn, subject, error)
        case Ticked():
            look_at_clock(turn)
        case Slept(for_s):
            age(turn, for_s)
        case _:
            assert_never(event)


def _has_moved(turn: Turn, number: int, device: str, unresponsive: str) -> None:
    take = turn.take(number)
    if take is not None and take.stage in {Stage.RECORDING, Stage.ENDING}:
        turn.put(replace(take, device=device))
        title = f"{unresponsive} does not respond." if unresponsive else "Microphone disconnected."
        turn.notify(NoticeKind.MICROPHONE_LOST, title, f"Recording continues with {device}.")


def _tell_model(turn: Turn, event: ModelLoading | ModelReady | ModelFailed | ModelUnloaded) -> None:
    match event:
        case ModelLoading():
            turn.set(is_loading=True)
            turn.settle(MODEL)
        case ModelReady(_, languages):
            choices = replace(turn.now.choices, languages=tuple(sorted(languages)))
            turn.set(has_model=True, is_loading=False, choices=choices)
            turn.settle(MODEL)
        case ModelFailed(_, error):
            turn.set(is_loading=False)
            turn.notify(
                NoticeKind.FAILED, error.title, error.hint, lasting="" if turn.now.has_model else MODEL
            )
        case ModelUnloaded():
            turn.set(has_model=False)


def _tell_trouble(turn: Turn, subject: str, error: HandyError | None) -> None:
    if error is None:
        turn.settle(subject)
    else:
        turn.notify(NoticeKind.FAILED, error.title, error.hint, lasting=subject)


def _has_failed(turn: Turn, number: int, error: HandyError) -> None:
    take = turn.take(number)
    if number and take is None:
        return  # it was given up, or delivered, before
    has_sound = take is not None and not (take.stage is Stage.RECORDING and not take.device)
    lost = take if take is not None and has_sound and take.stage < Stage.READY else None
    kept_hint = f"{TRY_AGAIN} {error.hint}".strip()
    turn.notify(NoticeKind.FAILED, error.title, error.hint, take=lost, kept_hint=kept_hint)
    if take is None:
        return
    match take.stage:
        case Stage.INSERTING:
            was_not_delivered(turn, take)
        case Stage.RECORDING | Stage.ENDING:
            turn.do(CancelRecording(number), CancelTranscription(number), KeepFailure(number, error.title))
            if has_sound:
                turn.set(failed=take)
            turn.drop(take)
            start_waiting(turn)
            deliver(turn)
        case Stage.WAITING | Stage.REPLAYING | Stage.TRANSCRIBING:
            give_up(turn, take, error.title)
        case Stage.READY:
            pass  # its text is here: nothing that failed can hurt it


def _cancel(turn: Turn) -> None:
    """Give up the take being recorded, which gestures have done; with none, those not yet inserted."""
    before = turn.before.cancelled
    if not turn.was_open:
        waiting = [take for take in turn.now.takes if can_be_cancelled(take)]
        if not waiting:
            return
        for take in reversed(waiting):  # so that none of them begins because the one before has gone
            cancel(turn, take)
    cancelled = turn.now.cancelled
    kept = cancelled if cancelled != before else None
    turn.notify(NoticeKind.INFO, "Cancelled.", take=kept, kept_hint="You can restore it from the menu.")


def can_be_cancelled(take: Take) -> bool:
    """Whether Escape gives ``take`` up: not what is only being rescued, of which the user sees nothing."""
    return take.stage is not Stage.INSERTING and not take.is_recovered


def _answer(turn: Turn, what: Request) -> None:
    match what:
        case Request.START | Request.STOP | Request.TOGGLE:
            pass  # gestures have read them
        case Request.CANCEL:
            _cancel(turn)
        case Request.PASTE_AGAIN:
            paste_again(turn)
        case Request.COPY_LAST:
            copy_last(turn)
        case Request.DROP_HELD:
            drop_held(turn)
        case Request.RETRY:
            retry(turn)
        case Request.BRING_BACK:
            bring_back(turn)
        case Request.REHEARSE | Request.PERFORM:
            turn.set(is_rehearsing=what is Request.REHEARSE)
        case Request.SHOW:
            keys = " or ".join(turn.now.choices.hotkeys)
            verb = "Press" if turn.now.rules.mode is Mode.TOGGLE else "Hold"
            hint = f"{verb} {keys} and speak." if keys else ""
            turn.notify(NoticeKind.INFO, "Handy Qwen is running.", hint)
        case _:
            assert_never(what)


def _configure(turn: Turn, event: Configured) -> None:
    old, new = turn.now.rules, event.rules
    languages = event.choices.languages or turn.now.choices.languages
    if new.is_private != old.is_private:
        turn.do(PauseHistory(new.is_private))
    turn.set(is_listening=turn.now.is_listening or not new.hotkeys)  # else ListenFor is answered
    turn.set(is_configured=True, rules=new, choices=replace(event.choices, languages=languages))
    if (new.hotkeys, new.mode) == (old.hotkeys, old.mode):
        return
    take = turn.recorded()
    if take is not None and take.hotkey is not None:
        end(turn, take)  # the key that would end it may be none any more
    turn.set(gestures=gestures.Gestures(take=turn.now.gestures.take))
    if new.hotkeys != old.hotkeys:
        turn.settle(HOTKEYS)
        turn.do(ListenFor(new.hotkeys))


def _tidy(turn: Turn) -> None:
    """Keep gestures, texts, notices, Escape and the timer in step with the rest, after every event."""
    if turn.recorded() is None and turn.now.gestures.take is not None:
        turn.set(gestures=gestures.closed(turn.now.gestures))
    if not any(take.stage in {Stage.RECORDING, Stage.ENDING} for take in turn.now.takes):
        turn.settle(MUTED)
    deliver(turn)  # what was held back until the key came up
    rescue_next(turn)
    note_turn_at_engine(turn)
    now = turn.now
    turn.set(shown=tuple(one for one in now.shown if one.until_s > turn.at_s))
    is_wanted = any(can_be_cancelled(take) for take in now.takes)
    is_new_listener = any(isinstance(effect, ListenFor) for effect in turn.effects)  # it does not know yet
    if is_new_listener or is_wanted != now.is_escape_watched:
        turn.set(is_escape_watched=is_wanted)
        turn.do(WatchEscape(is_wanted))
    wake_at_s = next_wake_s(turn)
    if wake_at_s != now.wake_at_s:
        turn.set(wake_at_s=wake_at_s)
        turn.do(WakeAt(wake_at_s))


MODEL = "model"  # subject of lasting notices
NOT_LOADED = "The speech model does not load.", "Check the disk that it is on, then quit and start again."
LATE_S = 2.0  # no machine is so busy that a thread gets no turn for so long
AT_ENGINE = {Stage.RECORDING, Stage.ENDING, Stage.REPLAYING, Stage.TRANSCRIBING}
"""The engine has a take in these stages. It works on the first one only, also while that comes in."""
SOON_S = 0.01  # the shortest time to the next wake-up, however long something has been due


def look_at_clock(turn: Turn) -> None:
    """The time to wake at has come: see to what is due."""
    loaded_by_s = _loaded_by_s(turn)
    if loaded_by_s is not None and turn.at_s >= loaded_by_s:
        turn.set(is_loading=False)
        turn.notify(NoticeKind.FAILED, *NOT_LOADED, lasting=MODEL)
    for number in [take.number for take in turn.now.takes]:
        take = turn.take(number)  # as it is now: what became of those before may have changed it
        at_s = due_s(turn, take) if take is not None else None
        if take is None or at_s is None or turn.at_s < at_s:
            continue
        if take.stage is Stage.INSERTING:
            may_be_lost(turn, take)
        elif take.stage is Stage.REPLAYING:
            is_not_replayed(turn, take)
        elif take.stage is Stage.TRANSCRIBING:
            is_not_transcribed(turn, take)
        else:
            is_overdue(turn, take)


def forgive_stop(turn: Turn) -> None:
    """After a time in which nothing ran nobody is late: every deadline begins anew, but the longest take's.

    The process was stopped then, or the machine slept: the time to wake at is long gone.
    """
    wake_at_s = turn.now.wake_at_s
    if wake_at_s is None or turn.at_s - wake_at_s <= LATE_S:
        return
    turn.set(engine_s=turn.at_s)
    for take in turn.now.takes:
        since_s = take.since_s if take.stage is Stage.RECORDING else turn.at_s
        turn.put(replace(take, heard_s=turn.at_s, since_s=since_s))


def age(turn: Turn, by_s: float) -> None:
    """A recording has lasted longer by a sleep of the machine: nobody may find the microphone open later."""
    for take in turn.now.takes:
        if take.stage is Stage.RECORDING:
            turn.put(replace(take, since_s=take.since_s - by_s))


def due_s(turn: Turn, take: Take) -> float | None:
    """When something has to happen to ``take`` by itself; None: never."""
    if take.stage is Stage.INSERTING:
        return None if turn.now.is_key_injected else take.since_s + INSERTING_S
    if take.stage is Stage.REPLAYING:
        return take.since_s + REPLAYING_S
    if take.stage is Stage.READY:  # until its window is told; from then on it waits for its turn only
        is_awaited = take.focus_by_s is not None and take.focus_by_s > turn.at_s
        return take.focus_by_s if is_awaited else None
    if take.stage is Stage.TRANSCRIBING:
        queue = [one for one in turn.now.takes if one.number <= take.number and one.stage in AT_ENGINE]
        if any(one.stage is not Stage.TRANSCRIBING for one in queue):
            return None
        return max(turn.now.engine_s, *(one.since_s for one in queue)) + TRANSCRIBING_S
    return deadline_s(turn, take)


def note_turn_at_engine(turn: Turn) -> None:
    """A take that was coming in, and kept the engine from those behind it, is gone: their time begins now."""
    before, first = _first_at_engine(turn.before), _first_at_engine(turn.now)
    if before is None or first is None or before.stage is Stage.TRANSCRIBING:
        return
    if first.number != before.number:
        turn.set(engine_s=turn.at_s)


def _first_at_engine(now: Dictation) -> Take | None:
    return next((take for take in now.takes if take.stage in AT_ENGINE), None)


def _loaded_by_s(turn: Turn) -> float | None:
    """When the model that is being loaded should have been."""
    return turn.now.engine_s + TRANSCRIBING_S if turn.now.is_loading else None


def next_wake_s(turn: Turn) -> float | None:
    """When to be woken: never now, so that what stays due cannot keep the cycle from everything else."""
    now = turn.now
    due = [now.gestures_wake_s, _loaded_by_s(turn), *(due_s(turn, take) for take in now.takes)]
    due += [one.until_s for one in now.shown]
    soonest_s = min((at_s for at_s in due if at_s is not None), default=math.inf)
    return None if soonest_s == math.inf else max(soonest_s, turn.at_s + SOON_S)


def restart_insertion_clock(turn: Turn) -> None:
    """A key pressed just after an insertion had begun may have made it wait until now."""
    for take in turn.now.takes:
        if take.stage is Stage.INSERTING and turn.now.is_key_injected:
            turn.enter(take, Stage.INSERTING)
