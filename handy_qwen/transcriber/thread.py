"""The speech engine's thread: one job after another, in the order of the takes.

    begin --> [blocks wait until the model is loaded] --> live.feed, live.advance ... --> live.finish
                             ^-- out of memory: the model is reloaded, the work done in smaller pieces

While a take is recorded its live transcription advances in pieces; between two pieces the thread handles its
inbox. An audio file is processed while there is no take; the next take interrupts that at once (jobs.py). A
live transcription that fails does not end the take: the audio is kept until its text is final, and the rest
is transcribed at the end.

Threads: ``engine`` runs the model, ``model-load`` loads it (slot.py). ``feed`` and ``cancel`` may be called
from any thread. ``load`` imports the engine's modules, which is slow, hence on ``model-load``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from handy_qwen.core.events import Failed, Previewed, Progressed, Transcribed
from handy_qwen.core.ports import Post
from handy_qwen.core.types import LiveMode, Samples
from handy_qwen.engine.api import Model, Preview
from handy_qwen.errors import CancelledError, EngineError, HandyError, ModelCorruptError, OutOfMemoryError
from handy_qwen.message import Message
from handy_qwen.runtime.worker import Worker, queued
from handy_qwen.transcriber.jobs import SEGMENTS_S, FileJob, TakeJob
from handy_qwen.transcriber.slot import ModelSlot

logger = logging.getLogger(__name__)

PREVIEW_S = 0.1  # between two previews
REST_S = 30.0  # without a take, before work that would disturb one
PROGRESS_S = 1.0  # interval of reporting progress on a complete take


class EngineTranscriber:
    """Implements the Transcriber port; ``load`` returns the model of a name, or raises HandyErrors.

    ``load`` is called on ``model-load``, for ``name`` by the first take or ``use_model``; the others on the
    engine's thread: ``live_mode``, how much to do during recording, once per take; ``idle_s``, after how many
    seconds the idle model is unloaded (None: never), after each job; ``at_work`` when the engine becomes busy
    or idle; ``on_rest`` once per model, after ``REST_S`` without a take.
    """

    def __init__(
        self,
        post: Post,
        load: Callable[[str], Model],
        *,
        name: str = "",
        live_mode: Callable[[], LiveMode] = lambda: LiveMode.FULL,
        idle_s: Callable[[], float | None] = lambda: None,
        at_work: Callable[[bool], None] = lambda _is_at_work: None,
        on_rest: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._post = post
        self._live_mode = live_mode
        self._idle_s = idle_s
        self._at_work, self._on_rest = at_work, on_rest
        self._is_at_work, self._has_rested = False, False
        self._clock = clock
        self._jobs: dict[int, TakeJob] = {}  # in the order of the takes; changed under the lock
        self._lock = threading.Lock()
        self._file: FileJob | None = None
        self._used_s = clock()
        self._has_more = False
        self._progressed_s = clock()
        self.thread = Worker(
            "engine",
            routine=self._rest,
            pause_s=self._pause_s,
            after=self._work_if_idle,
            on_revive=self._recover,
        )
        self._slot = ModelSlot(
            post, load, name, do=self.thread.do, on_ready=self._has_model, on_none=self._fail_complete
        )
        self.thread.start()

    # --- the port ------------------------------------------------------------------------------------

    def begin(self, take: int, languages: tuple[str, ...], context: tuple[str, ...]) -> None:
        """Open take ``take``; load the model if necessary."""
        with self._lock:
            self._jobs[take] = TakeJob(take, languages, context)
        if (file := self._file) is not None:
            file.give_way()
        self.thread.do(self._slot.ensure)

    @queued
    def adapt(self, take: int, languages: tuple[str, ...], context: tuple[str, ...]) -> None:
        """Change language and words of take ``take``."""
        if (job := self._jobs.get(take)) is not None:
            job.begin_again(languages, context)

    def feed(self, take: int, block: Samples) -> None:
        """Pass on the next block. Called on the microphone's thread; keeps the array."""
        job = self._jobs.get(take)
        if job is not None and not job.is_complete:
            job.audio.append(block)
            self.wake()

    def finish(self, take: int) -> None:
        """No more blocks will come."""
        if (job := self._jobs.get(take)) is not None:
            job.complete()
            self.wake()

    def cancel(self, take: int) -> None:
        """Cancel take ``take``. Any thread."""
        with self._lock:
            job = self._jobs.pop(take, None)
        if job is not None:
            job.cancel()
            self.wake()

    def transcribe_file(self, job: FileJob) -> None:
        """Process ``job``, and no other file, while nobody dictates. Any thread."""
        with self._lock:
            self._file = job
        self.wake()

    @queued
    def use_model(self, name: str) -> None:
        """Load model ``name`` while the current one stays in use."""
        self._slot.switch(name)

    def is_idle(self) -> bool:
        """Whether there is neither a take nor a file. Any thread."""
        return not self._has_work()

    @queued
    def wake(self) -> None:
        """Look for work and changed settings, as after every call. Any thread."""

    def close(self, timeout_s: float) -> None:
        """End the thread and free the memory. Safe to call twice."""
        for take in list(self._jobs):
            self.cancel(take)
        if (file := self._file) is not None:
            file.cancel()
        self.thread.do(self._slot.unload)
        self.thread.stop(timeout_s)

    # --- the engine's thread: when to do what --------------------------------------------------------

    def _pause_s(self) -> float | None:
        if self._has_more:
            return 0.0
        if self._slot.present is None or self._has_work():
            return None
        waits_s = [] if self._has_rested else [REST_S]
        if (idle_s := self._idle_s()) is not None:
            waits_s.append(idle_s)
        return max(0.0, self._used_s + min(waits_s) - self._clock()) if waits_s else None

    def _rest(self) -> None:
        """The model has not been used for a while."""
        if self._has_more or self._has_work():
            return
        idle_s = self._idle_s()
        if not self._has_rested and (idle_s is None or idle_s > REST_S):
            self._has_rested = True
            self._on_rest()
        elif idle_s is not None:
            self._slot.unload()

    def _has_model(self) -> None:
        self._used_s, self._has_rested = self._clock(), False

    def _work_if_idle(self) -> None:
        """Do one piece of work if the inbox is empty; an unexpected error costs at most the oldest take."""
        if not self.thread.is_idle():
            return
        self._note_work()
        try:
            self._has_more = self._work()
        except Exception:
            logger.exception("the engine's thread met an unexpected error")
            self._has_more = self._fail_oldest()
        self._note_work()

    def _note_work(self) -> None:
        if self._has_work() != self._is_at_work:
            self._is_at_work = not self._is_at_work
            self._at_work(self._is_at_work)

    # --- the engine's thread: the takes --------------------------------------------------------------

    def _work(self) -> bool:
        """Do one piece of work for the oldest take, or else for the file. True: there is more."""
        file = self._file
        self._slot.close_unused([job.model for job in (*list(self._jobs.values()), file) if job is not None])
        if file is not None:
            file.expect_to_work()
        job = next(iter(list(self._jobs.values())), None)
        if job is None:
            return file is not None and self._work_on_file(file)
        if not self._is_model_whole(job):
            return False
        model = job.model or self._open(job)
        if model is None:
            return False
        if job.is_complete:
            self._finish(job, model)
            return self._has_work()
        return self._advance(job)

    def _has_work(self) -> bool:
        return bool(self._jobs) or self._file is not None

    def _work_on_file(self, file: FileJob) -> bool:
        """Do one piece of the file's work. True: there is more."""
        if file.is_over:
            file.release()
            self._used_s = self._clock()
            with self._lock:
                self._file = None if self._file is file else self._file
            return False
        model = self._slot.present
        if model is None:
            self._slot.ensure()
            return False
        if not self._is_model_whole(file):
            return False
        try:
            return file.work(model, SEGMENTS_S[file.shortages], self.thread.begin)
        except CancelledError:  # a take has begun, or the file was given up
            file.release()
        except (OutOfMemoryError, MemoryError):
            self.thread.do(partial(self._save_memory, file))  # outside of the handler, as for takes
        except HandyError as exc:
            file.end(exc)
        except Exception:
            logger.exception("a file could not be transcribed")
            file.end(_failed())
        return True

    def _is_model_whole(self, job: TakeJob | FileJob) -> bool:
        """Whether the model's files are usable. If not, it is reloaded, which reports why."""
        model = job.model or self._slot.present
        if model is None:
            return True
        try:
            model.check_files()
        except ModelCorruptError as exc:
            logger.warning("the model was given up: %s", exc)
        else:
            return True
        self._unload()
        self._slot.ensure()
        return False

    def _open(self, job: TakeJob) -> Model | None:
        model = self._slot.present
        if model is None:
            if job.is_complete:
                self._slot.ensure()  # loading failed when the take began: retry
            return None
        job.model = model
        if job.live_mode is None:
            job.live_mode = self._live_mode()
        if job.live_mode is LiveMode.OFF or job.is_complete:
            return model  # all at once, at the end
        try:
            job.live = model.live(
                language=job.languages, context=job.context, drafts=job.live_mode is LiveMode.FULL
            )
        except HandyError as exc:  # the model lacks the language: reported at the end
            logger.info("no live transcription: %s", type(exc).__name__)
        else:
            job.guard(job.live.cancel)
        return model

    def _advance(self, job: TakeJob) -> bool:
        """Advance the live transcription of ``job``. True: it has more to do."""
        live = job.live
        if live is None or job.is_cancelled:
            return False
        try:
            job.audio.feed(live)
            has_more = live.advance()
            job.audio.settle(live.settled_samples)
            if job.live_mode is LiveMode.FULL:
                self._show(job, live.preview())
        except CancelledError:
            return False
        except (OutOfMemoryError, MemoryError):
            self.thread.do(partial(self._save_memory, job))  # outside of the handler: the error holds it
            job.give_up_live()
            return False
        except Exception as exc:  # whatever it was: the audio is kept and transcribed at the end
            logger.warning("live transcription gave up: %s", type(exc).__name__, exc_info=exc)
            job.give_up_live()
            return False
        return has_more

    def _show(self, job: TakeJob, preview: Preview) -> None:
        now_s = self._clock()
        if now_s >= job.next_preview_s and preview != job.shown:
            job.shown, job.next_preview_s = preview, now_s + PREVIEW_S
            self._post(Previewed(job.take, preview.committed, preview.tentative))

    def _finish(self, job: TakeJob, model: Model) -> None:
        try:
            transcript = job.text(model, partial(self._progress, job))
            transcript.check()
        except CancelledError:
            self._fail(job, _failed())  # if the user cancelled it, nothing is posted
        except (OutOfMemoryError, MemoryError):
            self.thread.do(partial(self._save_memory, job))  # outside of the handler: the error holds it
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

    def _progress(self, job: TakeJob) -> None:
        self.thread.begin()
        now_s = self._clock()
        if now_s - self._progressed_s >= PROGRESS_S:
            self._progressed_s = now_s
            self._post(Progressed(job.take))

    def _save_memory(self, job: TakeJob | FileJob) -> None:
        """Out of memory: reload the model, which may be in a bad state, and use smaller segments."""
        job.shortages += 1
        logger.warning("memory ran short for the %d. time in a take or file", job.shortages)
        job.release()
        self._unload()
        if job.shortages >= len(SEGMENTS_S):
            self._fail(job, OutOfMemoryError())
        if self._jobs:
            self._slot.ensure()

    def _unload(self) -> None:
        """Take the model from all its users, and unload it."""
        for job in (*list(self._jobs.values()), self._file):
            if job is not None and job.model is not None:
                job.release()
        self._slot.unload()

    def _fail(self, job: TakeJob | FileJob, error: HandyError) -> None:
        if isinstance(job, FileJob):
            job.end(error)
        elif self._drop(job):
            self._post(Failed(job.take, error))

    def _fail_complete(self, error: HandyError) -> None:
        """Fail complete takes. Those still being recorded are tried at their end."""
        if self._file is not None:
            self._file.end(error)
        for job in [one for one in list(self._jobs.values()) if one.is_complete]:
            self._fail(job, error)

    def _fail_oldest(self) -> bool:
        """After an unexpected error: the oldest take, or else the file, fails if it is complete.

        An incomplete take starts over.

        Returns:
            Whether there is more to do; for a take still being recorded, only when more of it comes.
        """
        job = next(iter(list(self._jobs.values())), None)
        if job is None:
            with self._lock:
                file, self._file = self._file, None
            if file is not None:
                file.end(_failed())
            return False
        if not job.is_complete:
            job.release()
            return False
        self._fail(
            job, EngineError(Message("The speech engine failed."), Message("See the log for details."))
        )
        return self._has_work()

    def _recover(self) -> None:
        """The thread was restarted: it must not wait for a call."""
        self._fail_oldest()
        if self._file is not None:
            self._file.end(_failed())
        self._has_more = False
        self.wake()

    def _drop(self, job: TakeJob) -> bool:
        """Remove a job. False: it was cancelled before, and nothing is posted."""
        self._used_s = self._clock()
        with self._lock:
            return self._jobs.pop(job.take, None) is not None


def _failed() -> EngineError:
    return EngineError(Message("The recording couldn't be transcribed."), Message("See the log for details."))
