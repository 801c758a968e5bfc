"""What each effect of the dictation cycle does to the world, through the ports.

Nothing here keeps the dictation thread waiting. Most ports work on threads of their own and are only told;
what the desktop may take its time for is done on three more: ``focus`` asks which window has the focus,
``copy`` copies, ``hotkeys-set`` sets the hotkeys. Each has its thread, because each can hang by itself,
and to copy is the way out when a text cannot be inserted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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
from handy_qwen.core.events import Copied, Delivery, FocusNoted, HotkeysSet
from handy_qwen.core.types import (
    Cues,
    History,
    HotkeyListener,
    Inserter,
    Post,
    Recorder,
    Samples,
    Transcriber,
)
from handy_qwen.runtime.worker import Worker

Memory = Replay | Adopt | KeepSound | KeepText | KeepFailure | KeepCancellation | KeepDelivery | PauseHistory


SETTING_S = 0.5  # how long the end waits for hotkeys that are being set

Attempt = Callable[[Effect, Callable[[], None]], None]
"""Does the work of an effect and turns what goes wrong into an event. Any thread."""


@dataclass(frozen=True)
class Ports:
    """The adapters of this run. Called on the controller's thread, but for ``copy_text``: on any."""

    hotkeys: HotkeyListener
    recorder: Recorder
    transcriber: Transcriber
    inserter: Inserter
    cues: Cues
    history: History
    post: Post
    attempt: Attempt
    focus: Worker = field(default_factory=partial(Worker, "focus", is_lazy=True))
    copying: Worker = field(default_factory=partial(Worker, "copy", is_lazy=True))
    setting: Worker = field(default_factory=partial(Worker, "hotkeys-set", is_lazy=True))

    def run(self, effect: Effect) -> None:  # noqa: PLR0912  one branch for each effect
        """Carry out one effect, or hand it over to a thread that may wait.

        Raises:
            HandyError: Whatever the port in question raises.
        """
        match effect:
            case NoteFocus():
                self._later(self.focus, effect, partial(self._note_focus, effect))
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
            case Copy():
                self._later(self.copying, effect, partial(self._copy, effect))
            case ListenFor():
                self._later(self.setting, effect, partial(self._listen_for, effect))
            case WatchEscape(is_wanted):  # after the hotkeys that it goes with
                self._later(self.setting, effect, partial(self.hotkeys.watch_escape, is_wanted))
            case PlayCue(Cue.STARTED):
                self.cues.started()
            case PlayCue():
                self.cues.stopped()
            case WakeAt():
                pass  # the controller is the clock
            case _:
                self._remember(effect)

    def copy_text(self, text: str) -> None:
        """Put ``text`` on the clipboard, for a menu or a window. Any thread; never blocks."""
        self._later(self.copying, Copy(text), partial(self.inserter.copy, text))

    def stop_hotkeys(self, _timeout_s: float) -> None:
        """Stop listening. If hotkeys are being set, shortly after: else they would be listened for again."""
        self.setting.stop(SETTING_S)
        self.hotkeys.stop()

    def _later(self, worker: Worker, effect: Effect, work: Callable[[], None]) -> None:
        worker.do(partial(self.attempt, effect, work))

    def _note_focus(self, effect: NoteFocus) -> None:
        self.post(FocusNoted(effect.take, self.inserter.focused()))

    def _listen_for(self, effect: ListenFor) -> None:
        self.hotkeys.start(effect.hotkeys)
        self.post(HotkeysSet())

    def _copy(self, effect: Copy) -> None:
        self.inserter.copy(effect.text)
        for take in effect.takes:
            self.history.delivered(take, Delivery.COPIED)
        self.post(Copied(effect.takes))

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
        sink = partial(_hand_over, self.history, self.transcriber, take)
        self.recorder.start(take, sink)

    def _insert(self, effect: Insert) -> None:
        for take in (effect.take, *effect.brings):
            self.history.delivering(take)
        self.inserter.insert(
            effect.take, effect.text, target=effect.target, method=effect.method, submit=effect.submit
        )


def _hand_over(history: History, transcriber: Transcriber, take: int, block: Samples) -> None:
    """The sink of a take. Called on the microphone's thread."""
    history.feed(take, block)
    transcriber.feed(take, block)
