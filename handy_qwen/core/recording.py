"""The first half of a take's life: from the press to the last block of sound.

At most one recording is open at a time. A press during the tail of the previous take opens the next
one as soon as that tail has ended; the recorder's pre-roll covers the gap.
"""

from __future__ import annotations

from dataclasses import replace

from handy_qwen.core import effects
from handy_qwen.core.delivery import deliver, look_around
from handy_qwen.core.events import EndCause, MicrophoneChanged, RecordingEnded
from handy_qwen.core.recovery import make_way
from handy_qwen.core.state import Stage, Take, Turn
from handy_qwen.core.view import NoticeKind
from handy_qwen.languages import AUTOMATIC
from handy_qwen.message import Message

MUTED = "muted microphone"  # subject of the notice shown while it is muted
SILENT = Message("The microphone is silent."), Message("Unmute it, or choose another microphone.")
DICTATION_S = 1.0  # a shorter cancelled take was a shortcut or an accidental press
FOCUS_S = 2.0  # a later answer may be about another window than that of the press
ENDING_S = 5.0  # the longest wait for a recorder that was asked to stop; it abandons a device after 3 s


def begin(turn: Turn, hotkey: int | None) -> None:
    """Open a take; ``hotkey`` None: in the language of the settings."""
    make_way(turn)
    waiting = next((take for take in turn.now.takes if take.stage is Stage.WAITING), None)
    if waiting is not None:  # released and pressed again before it could begin
        turn.put(replace(waiting, is_to_end=False))
        return
    rules = turn.now.rules
    key = rules.hotkey(hotkey)
    language = (key.language if key else "") or rules.language
    take = Take(
        turn.number_take(),
        Stage.WAITING,
        turn.at_s,
        turn.at_s,
        hotkey=hotkey,
        focus_by_s=turn.at_s + FOCUS_S,
        language="" if language == AUTOMATIC else language,
        submit=(key and key.submit) or rules.submit,
    )
    turn.put(take)
    turn.do(effects.PrepareInsertion(take.number, rules.method))
    start_waiting(turn)


def start_waiting(turn: Turn) -> None:
    """Begin the take that waited for the tail of the previous one."""
    waiting = next((take for take in turn.now.takes if take.stage is Stage.WAITING), None)
    if waiting is None or is_recording(turn):
        return
    take = turn.enter(replace(waiting, heard_s=turn.at_s), Stage.RECORDING)
    rules = turn.now.rules
    context = (*take.profile.words, *rules.context)  # its window may be known by now
    turn.do(effects.StartRecording(take.number, rules.spoken(take.language), context, turn.now.choices.model))
    if take.is_to_end:
        end(turn, take)


def is_recording(turn: Turn) -> bool:
    """Whether the recorder is recording."""
    return any(take.stage in {Stage.RECORDING, Stage.ENDING} for take in turn.now.takes)


def end(turn: Turn, take: Take) -> None:
    """The user has finished speaking."""
    if take.stage is Stage.WAITING:
        turn.put(replace(take, is_to_end=True))
        return
    take = turn.enter(take, Stage.ENDING)
    turn.do(effects.StopRecording(take.number), effects.PlayCue(effects.Cue.STOPPED))
    look_around(turn, take)


def has_begun(turn: Turn, number: int, device: str) -> None:
    """The first samples of a take have arrived: notices about an earlier microphone are out of date."""
    take = turn.take(number, Stage.RECORDING)
    if take is None:
        return
    old = {NoticeKind.DEAD_MICROPHONE, NoticeKind.MICROPHONE_LOST, NoticeKind.NO_SPEECH}
    turn.set(notices=tuple(notice for notice in turn.now.notices if notice.kind not in old))
    turn.put(replace(take, device=device))
    turn.do(effects.PlayCue(effects.Cue.STARTED))


def has_moved(turn: Turn, event: MicrophoneChanged) -> None:
    """A take continues with another microphone."""
    take = turn.take(event.take, Stage.RECORDING, Stage.ENDING)
    if take is not None:
        turn.put(replace(take, device=event.device))
        is_slow = bool(event.unresponsive)
        title = (
            Message("{device} isn't responding.", device=event.unresponsive)
            if is_slow
            else Message("Microphone disconnected.")
        )
        turn.notify(
            NoticeKind.MICROPHONE_LOST, title, Message("{device} is used instead.", device=event.device)
        )


def has_muted(turn: Turn, number: int, *, is_muted: bool) -> None:
    """The microphone delivers nothing but digital silence, or sound again."""
    if not is_muted:
        turn.settle(MUTED)
    elif turn.take(number, Stage.RECORDING) is not None:
        turn.notify(NoticeKind.DEAD_MICROPHONE, *SILENT, lasting=MUTED)


def has_ended(turn: Turn, event: RecordingEnded) -> None:
    """The recorder has passed on all of a take."""
    take = turn.take(event.take, Stage.RECORDING, Stage.ENDING)
    if take is None:
        return  # cancelled earlier
    turn.settle(MUTED)  # a notice about the whole take replaces it
    if event.cause is EndCause.DEVICE_LOST:
        hint = (
            Message("Nothing was recorded.")
            if event.is_dead
            else Message("What you said so far is being transcribed.")
        )
        turn.notify(NoticeKind.MICROPHONE_LOST, Message("Microphone disconnected."), hint)
    elif event.is_dead:
        turn.notify(NoticeKind.DEAD_MICROPHONE, *SILENT)
    if event.is_dead:
        turn.do(
            effects.CancelTranscription(take.number),
            effects.KeepText(take.number, "", take.language, "", ""),
        )
        turn.drop(take)
    else:
        _transcribe(turn, take)
    start_waiting(turn)
    deliver(turn)


def _transcribe(turn: Turn, take: Take) -> None:
    turn.enter(take, Stage.TRANSCRIBING)
    turn.do(effects.KeepSound(take.number), effects.Transcribe(take.number))


def cancel(turn: Turn, take: Take) -> None:
    """Give up a take that is not yet being inserted."""
    if take.stage in {Stage.RECORDING, Stage.ENDING}:
        turn.do(effects.CancelRecording(take.number))
    if Stage.RECORDING <= take.stage <= Stage.TRANSCRIBING:
        turn.do(effects.CancelTranscription(take.number))
    if not take.is_again:
        turn.do(effects.KeepCancellation(take.number))
        if take.stage is not Stage.RECORDING or turn.at_s - take.since_s >= DICTATION_S:
            turn.set(cancelled=take)
    turn.drop(take)
    start_waiting(turn)
    deliver(turn)


def deadline_s(turn: Turn, take: Take) -> float | None:
    """When the recording of ``take`` must end, or counts as ended."""
    if take.stage is Stage.ENDING:
        return take.since_s + ENDING_S
    if take.stage is not Stage.RECORDING:
        return None
    rules, keys = turn.now.rules, turn.now.gestures
    limit_s = take.since_s + rules.max_take_s
    is_locked = keys.take is not None and keys.take.is_locked
    if rules.silence_s and keys.press is None and not is_locked:
        limit_s = min(limit_s, take.heard_s + rules.silence_s)
    return limit_s


def is_overdue(turn: Turn, take: Take) -> None:
    """The deadline of ``take`` has passed."""
    if take.stage is Stage.ENDING:
        turn.notify(
            NoticeKind.MICROPHONE_LOST,
            Message("The microphone isn't responding."),
            Message("What you said is being transcribed. Reconnect it, or choose another microphone."),
        )
        turn.do(effects.CancelRecording(take.number))
        _transcribe(turn, take)
        start_waiting(turn)
        return
    if turn.at_s >= take.since_s + turn.now.rules.max_take_s:
        turn.notify(
            NoticeKind.INFO,
            Message("Maximum recording length reached."),
            Message("Transcribing what you said."),
        )
    else:
        turn.notify(
            NoticeKind.INFO, Message("Recording stopped."), Message("You hadn't said anything for a while.")
        )
    end(turn, take)
