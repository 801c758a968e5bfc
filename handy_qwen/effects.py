"""What each effect of the dictation cycle does to the world, through the ports."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import assert_never

from handy_qwen.core.effects import (
    CancelRecording,
    CancelTranscription,
    Copy,
    Cue,
    Effect,
    Insert,
    ListenFor,
    NoteFocus,
    PlayCue,
    StartRecording,
    StopRecording,
    Transcribe,
    WakeAt,
    WatchEscape,
)
from handy_qwen.core.events import FocusNoted
from handy_qwen.core.loudness import Ear
from handy_qwen.core.ports import Cues, HotkeyListener, Inserter, Post, Recorder, Samples, Transcriber


@dataclass(frozen=True)
class Ports:
    """The adapters of this run. Called on the controller's thread only."""

    hotkeys: HotkeyListener
    recorder: Recorder
    transcriber: Transcriber
    inserter: Inserter
    cues: Cues
    post: Post

    def run(self, effect: Effect) -> None:  # noqa: PLR0912  one branch for each effect
        """Carry out one effect.

        Raises:
            HandyError: Whatever the port in question raises.
        """
        match effect:
            case NoteFocus(take):
                self.post(FocusNoted(take, self.inserter.focused()))
            case StartRecording(take, language, context):
                self.transcriber.begin(take, language, context)
                self.recorder.start(take, partial(_hand_over, self.transcriber, Ear(take, self.post), take))
            case StopRecording(take):
                self.recorder.stop(take)
            case CancelRecording(take):
                self.recorder.cancel(take)
            case Transcribe(take):
                self.transcriber.finish(take)
            case CancelTranscription(take):
                self.transcriber.cancel(take)
            case Insert(take, text, target, method, submit):
                self.inserter.insert(take, text, target=target, method=method, submit=submit)
            case Copy(text):
                self.inserter.copy(text)
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
                assert_never(effect)


def _hand_over(transcriber: Transcriber, ear: Ear, take: int, block: Samples) -> None:
    """The sink of a take. Called on the microphone's thread."""
    transcriber.feed(take, block)
    ear.listen(block)
