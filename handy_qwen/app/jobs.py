"""Long work on models, one after the other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from handy_qwen.core.shelf import Progress, Stage
from handy_qwen.errors import UNEXPECTED, CancelledError, HandyError
from handy_qwen.runtime.worker import Worker

logger = logging.getLogger(__name__)

Tell = Callable[[Progress], None]


@dataclass(eq=False)
class Job:
    """One installation, import or measurement of the model ``name``."""

    name: str
    work: Callable[[Tell], None]
    progress: Progress = field(default_factory=lambda: Progress(Stage.WAITING))
    is_cancelled: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """Runs jobs in their order.

    Threads: the methods may be called from any; jobs run on that of ``worker``, and so does ``on_end``.

    Args:
        on_end: Told of each job that has ended, with what went wrong: a CancelledError if it was given up.
    """

    def __init__(self, on_end: Callable[[Job, HandyError | None], None]) -> None:
        self._on_end = on_end
        self._lock = threading.Lock()
        self._waiting: list[Job] = []
        self._running: Job | None = None
        self.worker = Worker("models-work", is_lazy=True)

    def add(self, job: Job) -> None:
        """Run ``job`` after those before it."""
        with self._lock:
            self._waiting.append(job)
        try:
            self.worker.do(partial(self._run, job))
        except RuntimeError:  # the system gives no more threads
            logger.exception("work on a model could not begin")
            if self._took(job):
                self._on_end(job, HandyError(*UNEXPECTED))

    def cancel(self, job: Job) -> None:
        """Give ``job`` up: at once if it waits, else as soon as it tells how far it is."""
        job.is_cancelled.set()
        if self._took(job):
            self._on_end(job, CancelledError())

    def stop(self, timeout_s: float) -> None:
        """Give up all jobs and wait for the thread."""
        with self._lock:
            self._waiting.clear()
            running = self._running
        if running is not None:
            running.is_cancelled.set()
        self.worker.stop(timeout_s)

    def _took(self, job: Job, *, is_to_run: bool = False) -> bool:
        """Take ``job`` from those that wait. False: it is not among them any more."""
        with self._lock:
            if job not in self._waiting:
                return False
            self._waiting.remove(job)
            if is_to_run:
                self._running = job
            return True

    # --- on "models-work" ----------------------------------------------------------------------------

    def _run(self, job: Job) -> None:
        if not self._took(job, is_to_run=True):
            return
        error: HandyError | None = HandyError(*UNEXPECTED)  # also if it ends the thread
        try:
            job.work(partial(self._tell, job))
            error = None
        except HandyError as exc:
            error = exc
        except Exception:
            logger.exception("work on a model failed unexpectedly")
        finally:
            with self._lock:
                self._running = None
            self._on_end(job, error)

    def _tell(self, job: Job, progress: Progress) -> None:
        """Note how far ``job`` is.

        Raises:
            CancelledError: It is to be given up.
        """
        self.worker.begin()  # it moves
        if job.is_cancelled.is_set():
            raise CancelledError
        job.progress = progress
