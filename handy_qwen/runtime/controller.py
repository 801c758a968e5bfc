"""The one thread that runs the dictation cycle.

Every other thread only puts events into this one's inbox, so no state is shared and no lock is held.
The one timer is the time until which the thread waits for the next event.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from functools import partial

from handy_qwen.core import effects
from handy_qwen.core.dictation import step
from handy_qwen.core.effects import Effect
from handy_qwen.core.events import Event, Failed, HotkeysFailed, Ticked
from handy_qwen.core.state import Dictation, view_of
from handy_qwen.core.view import Listener, View
from handy_qwen.errors import UNEXPECTED, HandyError
from handy_qwen.runtime.worker import Worker

logger = logging.getLogger(__name__)

IGNORED = effects.CancelRecording | effects.CancelTranscription | effects.PrepareInsertion
"""Their failure ends no take: the first two are about one that is gone; without its window a text is held."""
AGAIN_S = 1.0  # before the cycle is woken again after a step that failed: what was due still is


class Controller:
    """Runs ``step`` over an inbox, carries out its effects, and shows each new view.

    Threads: ``run_effect`` and ``on_view`` are called on the controller's own thread, named
    ``dictation``. Events and effects are logged by name only: they carry what the user said.
    """

    def __init__(
        self,
        run_effect: Callable[[Effect], None],
        on_view: Listener,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run_effect = run_effect
        self._on_view = on_view
        self._clock = clock
        self._now = Dictation()
        self._not_before_s = -math.inf  # no wake-up until then
        self._view: View | None = None
        # Revived, it goes on from the last state.
        self.thread = Worker("dictation", routine=self._tick, pause_s=self._until_wake_s)

    def post(self, event: Event) -> None:
        """Put an event into the inbox. Any thread; never blocks."""
        self.thread.do(partial(self._handle, event))

    def attempt(self, effect: Effect, work: Callable[[], None]) -> None:
        """Do the ``work`` of ``effect``; what goes wrong comes back as an event. Any thread."""
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
        """Whether another program holds the key of the take being spoken. Any thread."""
        return self._now.is_key_injected

    def show_again(self) -> None:
        """Show the last view again: something else was shown meanwhile. Any thread."""
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
        """Handle what is queued or due, and what that queues in turn, on the calling thread. For tests."""
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
            if not isinstance(event, Failed):  # else it is this that cannot be shown
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
