"""What must happen by a certain time, and what is done when it did not.

Every take has a deadline in each of its stages, or waits for one that has: if every part of the program
fell silent, time alone would bring each take to its end.
"""

from __future__ import annotations

import math
from dataclasses import replace

from handy_qwen.core.delivery import INSERTING_S, may_be_lost
from handy_qwen.core.recording import deadline_s, is_overdue
from handy_qwen.core.recovery import REPLAYING_S, TRANSCRIBING_S, is_not_replayed, is_not_transcribed
from handy_qwen.core.state import Dictation, Stage, Take, Turn
from handy_qwen.core.view import NoticeKind

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
