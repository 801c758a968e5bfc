"""The one thread that runs the dictation cycle, and the execution of each effect on the ports.

Every other thread only puts events into this one's inbox, so no state is shared and no lock is held.
The only timer is the timeout of waiting for the next event.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import assert_never

from handy_qwen.core import effects
from handy_qwen.core.dictation import step
from handy_qwen.core.effects import Effect
from handy_qwen.core.events import (
    Copied,
    Event,
    Failed,
    FocusNoted,
    HotkeysFailed,
    HotkeysSet,
    TextAroundNoted,
    Ticked,
    Touched,
)
from handy_qwen.core.ports import Cues, History, HotkeyListener, Inserter, Post, Recorder, Transcriber
from handy_qwen.core.state import Dictation, view_of
from handy_qwen.core.text import TAIL
from handy_qwen.core.types import Captured, CaptureStep, Delivery, OnCaptured, Samples
from handy_qwen.core.view import View, ViewListener
from handy_qwen.errors import UNEXPECTED, HandyError
from handy_qwen.runtime import watchdog
from handy_qwen.runtime.watchdog import Watchable
from handy_qwen.runtime.worker import Worker

logger = logging.getLogger(__name__)

IGNORED = (
    effects.CancelRecording | effects.CancelTranscription | effects.PrepareInsertion | effects.LookAround
)
"""Their failure ends no take: two are about one that is gone, without its window a text is held, and without
the text around the cursor it continues what was inserted last."""
AGAIN_S = 1.0  # before the cycle is woken again after a failed step: what was due still is
SETTING_S = 0.5  # how long shutdown waits while hotkeys are being set
Attempt = Callable[[Effect, Callable[[], None]], None]
"""Does the work of an effect and turns errors into events. Any thread."""


class Controller:
    """Runs ``step`` over an inbox, carries out its effects, and shows each new view.

    Threads: ``run_effect`` and ``on_view`` are called on the controller's own thread, named
    ``dictation``. Events and effects are logged by name only: they carry what the user said.
    """

    def __init__(
        self,
        run_effect: Callable[[Effect], None],
        on_view: ViewListener,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run_effect = run_effect
        self._on_view = on_view
        self._clock = clock
        self._now = Dictation()
        self._not_before_s = -math.inf  # no wake-up until then
        self._view: View | None = None
        # Revived, it continues with the last state.
        self.thread = Worker("dictation", routine=self._tick, pause_s=self._until_wake_s)

    def post(self, event: Event) -> None:
        """Put an event into the inbox. Any thread; never blocks."""
        self.thread.do(partial(self._handle, event))

    def attempt(self, effect: Effect, work: Callable[[], None]) -> None:
        """Do the ``work`` of ``effect``; errors come back as events. Any thread."""
        try:
            work()
        except HandyError as exc:
            logger.warning("%s failed: %s", type(effect).__name__, exc)
            error = exc
        except Exception:
            logger.exception("%s failed unexpectedly", type(effect).__name__)
            error = HandyError(*UNEXPECTED)
        else:
            return
        if isinstance(effect, effects.ListenFor):
            self.post(HotkeysFailed(error, effect.hotkeys))
        elif not isinstance(effect, IGNORED):
            self.post(Failed(getattr(effect, "take", 0), error))

    def is_key_injected(self) -> bool:
        """Whether another program holds the key of the take being recorded. Any thread."""
        return self._now.is_key_injected

    def show_again(self) -> None:
        """Show the last view again, replacing something else. Any thread."""
        self._view = None
        self.post(Ticked(self._clock()))

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the thread once the events already queued are handled. Safe to call twice."""
        self.thread.stop(timeout_s)

    def is_running(self) -> bool:
        """Whether events are handled. Any thread."""
        return self.thread.is_alive()

    def run_pending(self) -> None:
        """Handle what is queued or due, and what follows from it, on the calling thread. For tests."""
        self.thread.run_pending()

    def _tick(self) -> None:
        self._handle(Ticked(self._clock()))

    def _until_wake_s(self) -> float | None:
        wake_at_s = self._now.wake_at_s
        if wake_at_s is None:
            return None
        return max(0.0, max(wake_at_s, self._not_before_s) - self._clock())

    def _handle(self, event: Event) -> None:
        try:
            self._now, asked = step(self._now, event, self._clock())
        except Exception:
            logger.exception("%s could not be handled", type(event).__name__)
            self._not_before_s = self._clock() + AGAIN_S
            if not isinstance(event, Failed):  # else this event cannot be shown
                self.post(Failed(0, HandyError(*UNEXPECTED)))
            return
        logger.debug(
            "%s -> %s", type(event).__name__, ", ".join(type(e).__name__ for e in asked) or "nothing"
        )
        for effect in asked:
            self.attempt(effect, partial(self._run_effect, effect))
        self._show()

    def _show(self) -> None:
        view = view_of(self._now)
        if view == self._view:
            return
        self._view = None  # until it is shown: else the next event tries again
        try:
            self._on_view(view)
        except Exception:
            logger.exception("the view could not be shown")
        else:
            self._view = view


@dataclass(frozen=True)
class Ports:
    """The adapters of this run. Called on the controller's thread, except ``copy_text``: on any.

    Nothing here keeps the dictation thread waiting. Most ports have their own threads; what may wait for the
    desktop runs on four more: any of them can hang, and copying is the way out when inserting fails.
    ``focus`` asks for the focused window, ``look-around`` for its text, ``copy`` copies, ``hotkeys-set`` sets
    the hotkeys.
    """

    hotkeys: HotkeyListener
    recorder: Recorder
    transcriber: Transcriber
    inserter: Inserter
    cues: Cues
    history: History
    post: Post
    attempt: Attempt
    moment: Callable[[], Mapping[str, str]] = field(default=dict)  # today's "date" and the "time", worded
    focus: Worker = field(default_factory=partial(Worker, "focus", is_lazy=True))
    looking: Worker = field(default_factory=partial(Worker, "look-around", is_lazy=True))
    copying: Worker = field(default_factory=partial(Worker, "copy", is_lazy=True))
    setting: Worker = field(default_factory=partial(Worker, "hotkeys-set", is_lazy=True))
    on_captured: list[OnCaptured] = field(default_factory=list, init=False)  # of a running capture

    def watchable(self) -> Watchable:
        """The threads that may wait for the desktop."""
        return {
            watchdog.HOTKEYS: self.hotkeys,
            watchdog.INSERT: self.inserter.thread,
            watchdog.CLIPBOARD: self.inserter.clipboard_thread,
            watchdog.FOCUS: self.focus,
            watchdog.LOOKING: self.looking,
            watchdog.COPYING: self.copying,
            watchdog.SETTING: self.setting,
        }

    def run(self, effect: Effect) -> None:  # noqa: PLR0912  one branch for each effect
        """Execute an effect, or pass it to a thread that may wait. Raises HandyError."""
        match effect:
            case effects.ListenFor():
                self._later(self.setting, effect, partial(self._listen_for, effect))
            case effects.WatchEscape(is_wanted, lock_key):  # after the hotkeys that it belongs to
                self._later(self.setting, effect, partial(self.hotkeys.watch_escape, is_wanted, lock_key))
            case effects.PlayCue(effects.Cue.STARTED):
                self.cues.started()
            case effects.PlayCue():
                self.cues.stopped()
            case effects.StartRecording():
                self._start_recording(effect)
            case effects.Adapt(take, languages, context):
                self.transcriber.adapt(take, languages, context)
            case effects.StopRecording(take):
                self.recorder.stop(take)
                self.inserter.hasten()
            case effects.CancelRecording(take):
                self.recorder.cancel(take)
            case effects.Replay(take, entry, languages, context):
                self.transcriber.begin(take, languages, context)
                self.history.replay(take, entry, partial(self.transcriber.feed, take))
            case effects.Transcribe(take):
                self.transcriber.finish(take)
            case effects.CancelTranscription(take):
                self.transcriber.cancel(take)
            case effects.LookUp():
                self._look_up(effect)
            case effects.PrepareInsertion(_, method):
                self._later(self.focus, effect, partial(self._note_focus, effect))
                self.inserter.prepare(method)
            case effects.LookAround():
                self._later(self.looking, effect, partial(self._look_around, effect))
            case effects.Insert():
                self._insert(effect)
            case effects.Copy():
                self._later(self.copying, effect, partial(self._copy, effect))
            case effects.Adopt(take, entry):
                self.history.adopt(take, entry)
            case effects.KeepSound(take):
                self.history.complete(take)
            case effects.KeepText():
                self.history.done(effect)
            case effects.KeepFailure(take, title):
                self.history.failed(take, title)
            case effects.KeepCancellation(take):
                self.history.cancelled(take)
            case effects.KeepDelivery(take, how):
                self.history.delivered(take, how)
            case effects.PauseHistory(is_paused):
                self.history.set_private(is_paused)
            case _:
                assert_never(effect)

    def copy_text(self, text: str) -> None:
        """Copy ``text`` to the clipboard, for a menu or a window. Any thread; never blocks."""
        self._later(self.copying, effects.Copy(text), partial(self.inserter.copy, text))

    def capture_hotkey(self, on_captured: OnCaptured) -> Callable[[], None]:
        """See ``core.view.Commands``. Any thread; never blocks."""

        def tell(captured: Captured) -> None:
            if captured.is_last:
                self.setting.do(end)  # the calling thread has no time for it
            on_captured(captured)

        def begin() -> None:
            self.on_captured[:] = [tell]
            try:
                self.hotkeys.capture(tell)
            except HandyError as exc:
                on_captured(Captured(CaptureStep.FAILED, error=exc))

        def end() -> None:
            if self.on_captured == [tell]:  # else another recording has begun, which ended this one
                self.on_captured.clear()
                self.hotkeys.end_capture()

        self.setting.do(begin)
        return lambda: self.setting.do(end)

    def configure_hotkeys(self, bind: bool | None) -> None:
        """See ``core.view.Commands``. Any thread; never blocks."""

        def configure() -> None:
            try:
                self.hotkeys.configure() if bind is None else self.hotkeys.bind_own_key(bind)
            except HandyError as exc:
                self.post(Failed(0, exc))

        self.setting.do(configure)

    def stop_hotkeys(self, _timeout_s: float) -> None:
        """Stop listening. If hotkeys are being set, shortly after: else they would be activated again."""
        self.setting.stop(SETTING_S)
        self.hotkeys.stop()

    def _later(self, worker: Worker, effect: Effect, work: Callable[[], None]) -> None:
        worker.do(partial(self.attempt, effect, work))

    def _note_focus(self, effect: effects.PrepareInsertion) -> None:
        self.post(FocusNoted(effect.take, self.inserter.focused(), self.hotkeys.touched_s()))

    def _look_around(self, effect: effects.LookAround) -> None:
        seen_s = time.monotonic()
        around = self.inserter.text_around(effect.target, TAIL)
        if around is not None:
            self.post(TextAroundNoted(effect.take, around, seen_s))

    def _look_up(self, effect: effects.LookUp) -> None:
        def answer(clipboard: str) -> None:
            values = {**self.moment(), "clipboard": clipboard}
            self.post(replace(effect.transcribed, values=values))

        if "clipboard" in effect.names:
            self.inserter.read_clipboard(answer)
        else:
            answer("")

    def _listen_for(self, effect: effects.ListenFor) -> None:
        self.hotkeys.start(effect.hotkeys)
        self.post(HotkeysSet(effect.hotkeys))

    def _copy(self, effect: effects.Copy) -> None:
        self.inserter.copy(effect.text)
        for take in effect.takes:
            self.history.delivered(take, Delivery.COPIED)
        self.post(Copied(effect.takes))

    def _start_recording(self, effect: effects.StartRecording) -> None:
        take = effect.take

        def sink(block: Samples) -> None:
            """Called on the microphone's thread."""
            self.history.feed(take, block)
            self.transcriber.feed(take, block)

        asked = effect.languages[0] if len(effect.languages) == 1 else ""
        self.history.begin(take, language=asked, model=effect.model)
        self.transcriber.begin(take, effect.languages, effect.context)
        self.recorder.start(take, sink)

    def _insert(self, effect: effects.Insert) -> None:
        for take in (effect.take, *effect.brings):
            self.history.delivered(take, Delivery.BEGUN)
        touched_s = self.hotkeys.touched_s()
        self.post(Touched(effect.take, touched_s))

        def is_untouched() -> bool:
            touched_s = self.hotkeys.touched_s()
            return touched_s is not None and touched_s <= effect.since_s

        self.inserter.insert(
            effect.take,
            effect.text_after(touched_s),
            target=effect.target,
            method=effect.method,
            submit=effect.submit,
            erased=effect.erased,
            may_erase=is_untouched,
        )
