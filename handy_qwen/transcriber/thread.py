"""The speech engine at work: one thread, one job after another, in the order of the takes.

    begin --> [blocks pile up until the model is there] --> live.feed, live.advance ... --> live.finish
                             ^-- memory ran short: the model is loaded anew, the work done in smaller pieces

While a take is recorded its live transcription advances piece by piece; between two pieces the thread
looks at its inbox. A live transcription that fails is not the end of the take: the sound is kept until its
text stands, and what has none yet is transcribed at the end.

Threads: ``engine`` runs the model, ``model-load`` loads it (slot.py). ``feed`` and ``cancel`` may be called
from any thread. The engine's modules are imported by ``load``, hence on ``model-load``: they are slow to
import.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from functools import partial

from handy_qwen.core.events import Failed, Previewed, Progressed, Transcribed
from handy_qwen.core.ports import Post
from handy_qwen.core.types import LiveMode, Samples
from handy_qwen.errors import CancelledError, EngineError, HandyError, ModelCorruptError, OutOfMemoryError
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.transcriber.job import Job, LiveText, Model
from handy_qwen.transcriber.slot import ModelSlot

logger = logging.getLogger(__name__)

PREVIEW_S = 0.1  # between two previews
PROGRESS_S = 1.0  # between two signs that the text of a complete take comes on


class EngineTranscriber:
    """Implements the Transcriber port on the Recognizer that ``load`` returns for a model's name.

    Args:
        post: Where the events go.
        load: Loads a model. Called on ``model-load``; raises HandyErrors.
        name: The model to begin with; it is loaded by ``use_model`` or the first take.
        live_mode: How much to do during the recording; asked once for each take, on the engine's thread.
        idle_s: After how many idle seconds the model is unloaded, None: never; asked after each job.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        post: Post,
        load: Callable[[str], Model],
        *,
        name: str = "",
        live_mode: Callable[[], LiveMode] = lambda: LiveMode.FULL,
        idle_s: Callable[[], float | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._post = post
        self._live_mode = live_mode
        self._idle_s = idle_s
        self._clock = clock
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._jobs: dict[int, Job] = {}  # in the order of the takes; changed under the lock
        self._lock = threading.Lock()
        self._slot = ModelSlot(
            post, load, name, hand_over=self._inbox.put, on_ready=self._has_model, on_none=self._fail_complete
        )
        self._used_s = clock()
        self._has_more = False
        self._progressed_s = clock()
        self.thread = WatchedThread("engine", self._loop, on_revive=self._recover)
        self.thread.start()

    # --- the port ------------------------------------------------------------------------------------

    def begin(self, take: int, language: str, context: tuple[str, ...]) -> None:
        """Open take ``take``; the model is loaded if it is not."""
        with self._lock:
            self._jobs[take] = Job(take, language, context)
        self._inbox.put(self._slot.ensure)

    def feed(self, take: int, block: Samples) -> None:
        """Hand over the next block. Called on the microphone's thread; keeps the array."""
        job = self._jobs.get(take)
        if job is not None and not job.is_complete:
            job.heard.append(block)
            self._inbox.put(_look)

    def finish(self, take: int) -> None:
        """No more blocks will come."""
        if (job := self._jobs.get(take)) is not None:
            job.complete()
            self._inbox.put(_look)

    def cancel(self, take: int) -> None:
        """Give up take ``take``. Any thread."""
        with self._lock:
            job = self._jobs.pop(take, None)
        if job is not None:
            job.cancel()
            self._inbox.put(_look)

    def use_model(self, name: str) -> None:
        """Load model ``name`` behind the present one."""
        self._inbox.put(partial(self._slot.switch, name))

    def wake(self) -> None:
        """Look again what the settings say. Any thread."""
        self._inbox.put(_look)

    def close(self, timeout_s: float) -> None:
        """End the thread and give the memory back. Safe to call twice."""
        self.thread.may_end()
        for take in list(self._jobs):
            self.cancel(take)
        self._inbox.put(None)
        self.thread.join(timeout_s)

    # --- the engine's thread: the inbox --------------------------------------------------------------

    def _loop(self) -> None:
        is_running = True
        while is_running:
            is_running = self._turn()
        self._slot.unload()

    def _turn(self) -> bool:
        """Obey all that is in the inbox, then do one piece of work. False: the end has come."""
        self.thread.end()
        command = self._next()
        while command is not None:
            self.thread.begin(is_own=command in (_go_on, self._unload_idle))
            try:
                command()
            except Exception:  # what it left undone is tried again when a complete take needs it
                logger.exception("the engine's thread met an unexpected error")
            if self._inbox.empty():
                self._has_more = self._work_guarded()
                return True
            command = self._inbox.get()
        return False

    def _next(self) -> Callable[[], None] | None:
        timeout_s: float | None = None
        if self._has_more:
            timeout_s = 0.0
        elif self._slot.present and not self._jobs and (idle_s := self._idle_s()) is not None:
            timeout_s = max(0.0, self._used_s + idle_s - self._clock())
        try:
            return self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return _go_on if self._has_more else self._unload_idle

    def _has_model(self) -> None:
        self._used_s = self._clock()

    def _unload_idle(self) -> None:
        if not self._jobs:
            self._slot.unload()

    # --- the engine's thread: the takes --------------------------------------------------------------

    def _work_guarded(self) -> bool:
        """``_work``; an error that nobody foresaw costs the oldest take at most, and never the thread."""
        try:
            return self._work()
        except Exception:
            logger.exception("the engine's thread met an unexpected error")
            return self._stumble()

    def _work(self) -> bool:
        """Do one piece of work for the oldest take; the model takes one at a time. True: there is more."""
        self._slot.close_unused([job.model for job in list(self._jobs.values())])
        job = next(iter(list(self._jobs.values())), None)
        if job is None or not self._is_model_whole(job):
            return False
        if job.model is None and not self._open(job):
            return self._slot.present is not None and bool(self._jobs)
        if job.is_complete:
            self._finish(job)
            return bool(self._jobs)
        return self._advance(job)

    def _is_model_whole(self, job: Job) -> bool:
        """Whether the files of the model can be used. If not, it is given up, and loading it tells why."""
        model = job.model or self._slot.present
        if model is None:
            return True
        try:
            model.check_files()
        except ModelCorruptError as exc:
            logger.warning("the model was given up: %s", exc)
        else:
            return True
        for one in list(self._jobs.values()):
            one.start_over()
        self._slot.unload()
        self._slot.ensure()
        return False

    def _open(self, job: Job) -> bool:
        """Let ``job`` use the model. False: the model is not there, or does not take the job."""
        if self._slot.present is None:
            if job.is_complete:
                self._slot.ensure()  # it could not be loaded when the take began: perhaps it can now
            return False
        job.model = self._slot.present
        if job.live_mode is None:
            job.live_mode = self._live_mode()
        if job.live_mode is LiveMode.OFF or job.is_complete:
            return True  # all at once, at the end
        try:
            job.live = job.model.live(
                language=job.language or None, context=job.context, drafts=job.live_mode is LiveMode.FULL
            )
        except HandyError as exc:  # a language that this model does not know: say so when all was said
            logger.info("no live transcription: %s", type(exc).__name__)
            return True
        job.guard(job.live.cancel)
        return True

    def _advance(self, job: Job) -> bool:
        """Keep the live transcription of ``job`` going. True: it has more to do."""
        if job.live is None or job.is_cancelled:
            return False
        try:
            job.feed_live()
            has_more = job.live.advance()
            job.forget_settled()
            if job.live_mode is LiveMode.FULL:
                self._show(job, job.live)
        except CancelledError:
            return False
        except (OutOfMemoryError, MemoryError):
            self._inbox.put(partial(self._save_memory, job))  # out of here, where the error holds the model
            job.give_up_live()
            return False
        except Exception as exc:  # whatever it was: the sound is kept, and the take has another chance
            logger.warning("live transcription gave up: %s", type(exc).__name__, exc_info=exc)
            job.give_up_live()
            return False
        return has_more

    def _show(self, job: Job, live: LiveText) -> None:
        now_s = self._clock()
        if now_s < job.next_preview_s:
            return
        preview = live.preview()
        if (preview.committed, preview.tentative) != job.shown:
            job.shown = (preview.committed, preview.tentative)
            job.next_preview_s = now_s + PREVIEW_S
            self._post(Previewed(job.take, preview.committed, preview.tentative))

    def _finish(self, job: Job) -> None:
        try:
            transcript = job.text(partial(self._comes_on, job))
        except CancelledError:
            self._fail(job, _failed())  # unless it was the user, who hears no more of it
        except (OutOfMemoryError, MemoryError):
            self._inbox.put(partial(self._save_memory, job))  # out of here, where the error holds the model
        except HandyError as exc:
            self._fail(job, exc)
        except Exception:
            logger.exception("a take could not be transcribed")
            self._fail(job, _failed())
        else:
            if self._drop(job):
                self._post(
                    Transcribed(job.take, transcript.text, transcript.language, transcript.is_truncated)
                )

    def _comes_on(self, job: Job, _share: float) -> None:
        """The text of a complete take has come further."""
        self.thread.begin()
        now_s = self._clock()
        if now_s - self._progressed_s >= PROGRESS_S:
            self._progressed_s = now_s
            self._post(Progressed(job.take))

    def _save_memory(self, job: Job) -> None:
        """Memory ran short: load the model anew, which may be half changed now, and take smaller pieces."""
        logger.warning("memory ran short for the %d. time in a take", job.shortages + 1)
        has_smaller = job.begin_again()
        for other in list(self._jobs.values()):
            if other.model is not None:
                other.start_over()
        self._slot.unload()
        if not has_smaller:
            self._fail(job, OutOfMemoryError())
        if self._jobs:
            self._slot.ensure()

    def _fail(self, job: Job, error: HandyError) -> None:
        if self._drop(job):
            self._post(Failed(job.take, error))

    def _fail_complete(self, error: HandyError) -> None:
        """Fail what waits for its text. What is still being spoken goes on, and has a try at its end."""
        for job in [one for one in list(self._jobs.values()) if one.is_complete]:
            self._fail(job, error)

    def _stumble(self) -> bool:
        """Something unforeseen happened to the oldest take: it fails if it is complete, else starts over.

        Returns:
            Whether there is more to do: of one that is still being spoken, only when more of it comes.
        """
        job = next(iter(list(self._jobs.values())), None)
        if job is None:
            return False
        if not job.is_complete:
            job.start_over()
            return False
        self._fail(job, EngineError("The speech engine failed.", "The log has the details."))
        return bool(self._jobs)

    def _recover(self) -> None:
        """The thread died and is started again: it must not wait for somebody to tell it to work."""
        self._stumble()
        self._has_more = False
        self._inbox.put(_look)

    def _drop(self, job: Job) -> bool:
        """Let go of a job. False: it was cancelled before, and nobody wants to hear of it."""
        self._used_s = self._clock()
        with self._lock:
            return self._jobs.pop(job.take, None) is not None


def _failed() -> EngineError:
    return EngineError("The take could not be transcribed.", "The log has the details.")


def _look() -> None:
    """Nothing but a reason to look what there is to do."""


def _go_on() -> None:
    """Nothing but the thread's own reason to look: there is more to do."""
