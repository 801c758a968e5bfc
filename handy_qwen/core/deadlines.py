"""What must happen by a certain time, and what is done when it did not."""

from __future__ import annotations

from dataclasses import replace

from handy_qwen.core.delivery import INSERTING_S, was_not_delivered
from handy_qwen.core.recording import deadline_s, is_overdue
from handy_qwen.core.recovery import REPLAYING_S, is_not_replayed
from handy_qwen.core.state import Stage, Take, Turn
from handy_qwen.core.view import NoticeKind


def look_at_clock(turn: Turn) -> None:
    """The time to wake at has come: see to what is due."""
    for take in turn.now.takes:
        at_s = due_s(turn, take)
        if at_s is None or turn.at_s < at_s:
            continue
        if take.stage is Stage.INSERTING:
            turn.notify(
                NoticeKind.FAILED, "The text could not be inserted in time.", "Paste it again from the menu."
            )
            was_not_delivered(turn, take)
        elif take.stage is Stage.REPLAYING:
            is_not_replayed(turn, take)
        else:
            is_overdue(turn, take)


def forgive_stop(turn: Turn) -> None:
    """Nothing ran for a while, so nobody can be late: every deadline begins anew, but the longest take's."""
    for take in turn.now.takes:
        since_s = take.since_s if take.stage is Stage.RECORDING else turn.at_s
        turn.put(replace(take, heard_s=turn.at_s, since_s=since_s))


def due_s(turn: Turn, take: Take) -> float | None:
    """When something has to happen to ``take`` by itself; None: never."""
    if take.stage is Stage.INSERTING:
        return None if turn.now.is_key_injected else take.since_s + INSERTING_S
    if take.stage is Stage.REPLAYING:
        return take.since_s + REPLAYING_S
    return deadline_s(turn, take)


def restart_insertion_clock(turn: Turn) -> None:
    """A key pressed just after an insertion had begun may have made it wait until now."""
    for take in turn.now.takes:
        if take.stage is Stage.INSERTING and turn.now.is_key_injected:
            turn.enter(take, Stage.INSERTING)
