"""The first half of a take's life: from the press to the last block of sound.

At most one recording is open at a time. A press during the tail of the take before opens the next
one as soon as that tail has ended; the recorder's pre-roll covers the gap.
"""

from __future__ import annotations

from dataclasses import replace

from handy_qwen.core.delivery import deliver
from handy_qwen.core.effects import (
    CancelRecording,
    CancelTranscription,
    Cue,
    KeepCancellation,
    KeepSound,
    KeepText,
    NoteFocus,
    PlayCue,
    PrepareInsertion,
    StartRecording,
    StopRecording,
    Transcribe,
)
from handy_qwen.core.events import EndCause, RecordingEnded
from handy_qwen.core.recovery import make_way
from handy_qwen.core.state import Stage, Take, Turn
from handy_qwen.core.view import NoticeKind
from handy_qwen.languages import AUTOMATIC

MUTED = "muted microphone"  # subject of the notice that lasts as long as it is
SILENT = "The microphone is silent.", "Unmute it, or choose another one in the tray menu."
DICTATION_S = 1.0  # a take cancelled before was no dictation, but a shortcut or a slip of the finger
FOCUS_S = 2.0  # an answer that took longer may be about another window than that of the press
ENDING_S = 5.0  # the longest wait for a recorder that was told to stop; it gives up a device after 3 s


def begin(turn: Turn, hotkey: int | None) -> None:
    """Open a take; None: with the language of the settings."""
    make_way(turn)
    waiting = next((take for take in turn.now.takes if take.stage is Stage.WAITING), None)
    if waiting is not None:  # let go and pressed again before it could begin
        turn.put(replace(waiting, is_to_end=False))
        return
    is_busy = any(take.stage is Stage.ENDING for take in turn.now.takes)
    rules = turn.now.rules
    key = rules.hotkeys[hotkey] if hotkey is not None and hotkey < len(rules.hotkeys) else None
    language = (key.language if key else "") or rules.language
    take = Take(
        turn.number_take(),
        Stage.WAITING,
        since_s=turn.at_s,
        heard_s=turn.at_s,
        hotkey=hotkey,
        focus_by_s=turn.at_s + FOCUS_S,
        language="" if language == AUTOMATIC else language,
        submit=type(rules.submit)((key.submit if key else "") or rules.submit),
    )
    turn.put(take)
    turn.do(NoteFocus(take.number), PrepareInsertion(rules.method))
    if not is_busy:
        _start(turn, take)


def _start(turn: Turn, take: Take) -> None:
    take = turn.enter(replace(take, heard_s=turn.at_s), Stage.RECORDING)
    now = turn.now
    turn.do(StartRecording(take.number, take.language, now.rules.context, now.choices.model))
    if take.is_to_end:
        end(turn, take)


def end(turn: Turn, take: Take) -> None:
    """The user has finished speaking."""
    if take.stage is Stage.WAITING:
        turn.put(replace(take, is_to_end=True))
        return
    turn.enter(take, Stage.ENDING)
    turn.do(StopRecording(take.number), PlayCue(Cue.STOPPED))


def has_begun(turn: Turn, number: int, device: str) -> None:
    """The first samples of a take are there: what was said of the microphone before is no news any more."""
    take = turn.take(number)
    if take is None or take.stage is not Stage.RECORDING:
        return
    old = {NoticeKind.DEAD_MICROPHONE, NoticeKind.MICROPHONE_LOST, NoticeKind.NO_SPEECH}
    turn.set(shown=tuple(one for one in turn.now.shown if one.notice.kind not in old))
    turn.put(replace(take, device=device))
    turn.do(PlayCue(Cue.STARTED))


def has_muted(turn: Turn, number: int, *, is_muted: bool) -> None:
    """The microphone gives nothing but digital silence, or sound again."""
    take = turn.take(number)
    if not is_muted:
        turn.settle(MUTED)
    elif take is not None and take.stage is Stage.RECORDING:
        turn.notify(NoticeKind.DEAD_MICROPHONE, *SILENT, lasting=MUTED)


def has_ended(turn: Turn, event: RecordingEnded) -> None:
    """The recorder has handed over all of a take."""
    take = turn.take(event.take)
    if take is None or take.stage not in {Stage.RECORDING, Stage.ENDING}:
        return  # cancelled before
    turn.settle(MUTED)  # what is said of the whole take takes its place
    if event.cause is EndCause.DEVICE_LOST:
        turn.notify(
            NoticeKind.MICROPHONE_LOST,
            "Microphone disconnected.",
            "What you said so far is being transcribed." if not event.is_dead else "Nothing was recorded.",
        )
    elif event.is_dead:
        turn.notify(NoticeKind.DEAD_MICROPHONE, *SILENT)
    if event.is_dead:
        turn.do(CancelTranscription(take.number), KeepText(take.number, "", take.language, "", ""))
        turn.drop(take)
    else:
        _transcribe(turn, take)
    start_waiting(turn)
    deliver(turn)


def _transcribe(turn: Turn, take: Take) -> None:
    turn.enter(take, Stage.TRANSCRIBING)
    turn.do(KeepSound(take.number), Transcribe(take.number))


def start_waiting(turn: Turn) -> None:
    """Begin the take that waited for the tail of the one before."""
    if any(take.stage in {Stage.RECORDING, Stage.ENDING} for take in turn.now.takes):
        return
    for take in turn.now.takes:
        if take.stage is Stage.WAITING:
            _start(turn, take)
            return


def cancel(turn: Turn, take: Take) -> None:
    """Give up a take that is not yet being inserted."""
    if take.stage in {Stage.RECORDING, Stage.ENDING}:
        turn.do(CancelRecording(take.number))
    if take.stage in {Stage.RECORDING, Stage.ENDING, Stage.REPLAYING, Stage.TRANSCRIBING}:
        turn.do(CancelTranscription(take.number))
    if not take.is_again:
        turn.do(KeepCancellation(take.number))
        if take.stage is not Stage.RECORDING or turn.at_s - take.since_s >= DICTATION_S:
            turn.set(cancelled=take)
    turn.drop(take)
    start_waiting(turn)
    deliver(turn)


def deadline_s(turn: Turn, take: Take) -> float | None:
    """When the recording of ``take`` must end by itself, or be taken as ended."""
    if take.stage is Stage.ENDING:
        return take.since_s + ENDING_S
    if take.stage is not Stage.RECORDING:
        return None
    rules = turn.now.rules
    limit_s = take.since_s + rules.max_take_s
    is_held = turn.now.gestures.press is not None
    if rules.silence_s and not is_held and not take.is_locked:
        limit_s = min(limit_s, take.heard_s + rules.silence_s)
    return limit_s


def is_overdue(turn: Turn, take: Take) -> None:
    """The deadline of ``take`` has come."""
    if take.stage is Stage.ENDING:
        turn.notify(
            NoticeKind.MICROPHONE_LOST,
            "The microphone does not answer.",
            "What you said is being transcribed. Reconnect it or choose another one in the menu.",
        )
        turn.do(CancelRecording(take.number))
        _transcribe(turn, take)
        start_waiting(turn)
        return
    if turn.at_s >= take.since_s + turn.now.rules.max_take_s:
        turn.notify(NoticeKind.INFO, "Maximum recording length reached.", "Transcribing what you said.")
    else:
        turn.notify(NoticeKind.INFO, "Recording stopped.", "You hadn't said anything for a while.")
    end(turn, take)
