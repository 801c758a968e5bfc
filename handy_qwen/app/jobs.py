"""Long work on models, one after the other, on a thread that is there only while there is any."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from handy_qwen.core.shelf import Progress, Stage
from handy_qwen.errors import UNEXPECTED, CancelledError, HandyError

logger = logging.getLogger(__name__)

Tell = Callable[[Progress], None]


@dataclass(eq=False)
class Job:
    """One installation, import or measurement of the model ``name``."""

    name: str
    work: Callable[[Tell], None]
    progress: Progress = field(default_factory=lambda: Progress(Stage.WAITING))
    is_cancelled: threading.Event = field(default_factory=threading.Event)

    def tell(self, progress: Progress) -> None:
        """Note how far it is. Called on the job's thread.

        Raises:
            CancelledError: It is to be given up.
        """
        if self.is_cancelled.is_set():
            raise CancelledError
        self.progress = progress


class Jobs:
    """Runs jobs in their order.

    Threads: the methods may be called from any; jobs run on ``models-work``, and so does ``on_end``.

    Args:
        on_end: Told of each job that has ended, with what went wrong: a CancelledError if it was given up.
    """

    def __init__(self, on_end: Callable[[Job, HandyError | None], None]) -> None:
        self._on_end = on_end
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._thread: threading.Thread | None = None

    def add(self, job: Job) -> None:
        """Run ``job`` after those before it."""
        with self._lock:
            self._waiting.append(job)
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._loop, name="models-work", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system gives no more threads
                logger.exception("work on a model could not begin")
                self._waiting.remove(job)
            else:
                self._thread = thread
                return
        self._on_end(job, HandyError(*UNEXPECTED))

    def cancel(self, job: Job) -> None:
        """Give ``job`` up: at once if it waits, else as soon as it tells how far it is."""
        job.is_cancelled.set()
        with self._lock:
            if job not in self._waiting:
                return
            self._waiting.remove(job)
        self._on_end(job, CancelledError())

    def stop(self, timeout_s: float) -> None:
        """Give up all jobs and wait for the thread."""
        with self._lock:
            self._waiting.clear()
            thread, running = self._thread, self._running
        if running is not None:
            running.is_cancelled.set()
        if thread is not None:
            thread.join(timeout_s)

    def _loop(self) -> None:
        while (job := self._next()) is not None:
            error: HandyError | None = None
            try:
                job.work(job.tell)
            except HandyError as exc:
                error = exc
            except Exception:  # the top of this thread
                logger.exception("work on a model failed unexpectedly")
                error = HandyError(*UNEXPECTED)
            with self._lock:
                self._running = None
            self._on_end(job, error)

    def _next(self) -> Job | None:
        with self._lock:
            self._running = self._waiting.popleft() if self._waiting else None
            if self._running is None:
                self._thread = None
            return self._running
