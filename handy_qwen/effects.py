"""What each effect of the dictation cycle does to the world, through the ports."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import assert_never

from handy_qwen.core.effects import (
    Adopt,
    CancelRecording,
    CancelTranscription,
    Copy,
    Cue,
    Effect,
    Insert,
    KeepCancellation,
    KeepDelivery,
    KeepFailure,
    KeepSound,
    KeepText,
    ListenFor,
    NoteFocus,
    PauseHistory,
    PlayCue,
    PrepareInsertion,
    Replay,
    StartRecording,
    StopRecording,
    Transcribe,
    WakeAt,
    WatchEscape,
)
from handy_qwen.core.events import Copied, Delivery, FocusNoted
from handy_qwen.core.loudness import Ear
from handy_qwen.core.ports import (
    Cues,
    History,
    HotkeyListener,
    Inserter,
    Post,
    Recorder,
    Samples,
    Transcriber,
)

Memory = Replay | Adopt | KeepSound | KeepText | KeepFailure | KeepCancellation | KeepDelivery | PauseHistory


@dataclass(frozen=True)
class Ports:
    """The adapters of this run. Called on the controller's thread only."""

    hotkeys: HotkeyListener
    recorder: Recorder
    transcriber: Transcriber
    inserter: Inserter
    cues: Cues
    history: History
    post: Post

    def run(self, effect: Effect) -> None:  # noqa: PLR0912  one branch for each effect
        """Carry out one effect.

        Raises:
            HandyError: Whatever the port in question raises.
        """
        match effect:
            case NoteFocus(take):
                self.post(FocusNoted(take, self.inserter.focused()))
            case PrepareInsertion(method):
                self.inserter.prepare(method)
            case StartRecording():
                self._start_recording(effect)
            case StopRecording(take):
                self.recorder.stop(take)
            case CancelRecording(take):
                self.recorder.cancel(take)
            case Transcribe(take):
                self.transcriber.finish(take)
            case CancelTranscription(take):
                self.transcriber.cancel(take)
            case Insert():
                self._insert(effect)
            case Copy(text, takes):
                self.inserter.copy(text)
                for take in takes:
                    self.history.delivered(take, Delivery.COPIED)
                self.post(Copied(takes))
            case ListenFor(hotkeys):
                self.hotkeys.start(hotkeys)
            case WatchEscape(is_wanted):
                self.hotkeys.watch_escape(is_wanted)
            case PlayCue(Cue.STARTED):
                self.cues.started()
            case PlayCue():
                self.cues.stopped()
            case WakeAt():
                pass  # the controller is the clock
            case _:
                self._remember(effect)

    def _remember(self, effect: Memory) -> None:
        """Carry out one of the effects that are about the history."""
        match effect:
            case Replay(take, entry, language, context):
                self.transcriber.begin(take, language, context)
                self.history.replay(take, entry, partial(self.transcriber.feed, take))
            case Adopt(take, entry):
                self.history.adopt(take, entry)
            case KeepSound(take):
                self.history.complete(take)
            case KeepText(take, text, language, model, application):
                self.history.done(take, text, language=language, model=model, application=application)
            case KeepFailure(take, title):
                self.history.failed(take, title)
            case KeepCancellation(take):
                self.history.cancelled(take)
            case KeepDelivery(take, how):
                if how is None:
                    self.history.dropped(take)
                else:
                    self.history.delivered(take, how)
            case PauseHistory(is_paused):
                self.history.set_private(is_paused)
            case _:
                assert_never(effect)

    def _start_recording(self, effect: StartRecording) -> None:
        take = effect.take
        self.history.begin(take, language=effect.language, model=effect.model)
        self.transcriber.begin(take, effect.language, effect.context)
        sink = partial(_hand_over, self.history, self.transcriber, Ear(take, self.post), take)
        self.recorder.start(take, sink)

    def _insert(self, effect: Insert) -> None:
        for take in (effect.take, *effect.brings):
            self.history.delivering(take)
        self.inserter.insert(
            effect.take, effect.text, target=effect.target, method=effect.method, submit=effect.submit
        )


def _hand_over(history: History, transcriber: Transcriber, ear: Ear, take: int, block: Samples) -> None:
    """The sink of a take. Called on the microphone's thread."""
    history.feed(take, block)
    transcriber.feed(take, block)
    ear.listen(block)
