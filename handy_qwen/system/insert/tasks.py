"""Work for a thread with a loop of its own (the clipboard's), handed over by threads that wait for it."""

from __future__ import annotations

import logging
import queue
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.backend import Deadline, unsupported

logger = logging.getLogger(__name__)

ANSWER_S = 5.0  # how long the loop may take for what is done at once
POLL_S = 0.05
Result = TypeVar("Result")


@dataclass
class _Task:
    run: Callable[[], Any]
    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    problem: InsertError | None = None
    is_given_up: bool = False

    def work_off(self) -> None:
        """Run it. Whatever goes wrong is the problem of the one who waits, never a success."""
        try:
            if not self.is_given_up:
                self.result = self.run()
        except InsertError as problem:
            self.problem = problem
        except Exception as problem:
            logger.error("the clipboard failed: %s", described(problem))  # noqa: TRY400 (see there)
            self.problem = InsertError("The clipboard refused.", InsertReason.UNSUPPORTED_DESKTOP)
        finally:
            self.done.set()


def described(problem: Exception) -> str:
    """What went wrong and where, for the log; without the message, which may quote the clipboard."""
    return type(problem).__name__ + "\n" + "".join(traceback.format_tb(problem.__traceback__))


class Tasks:
    """What is to be done on the thread. ``wake`` makes its loop call ``work_off``."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._queue: queue.SimpleQueue[_Task] = queue.SimpleQueue()

    # --- any thread --------------------------------------------------------------------------------

    def do(self, run: Callable[[], Result], patience: Deadline | None = None) -> Result:
        """Have ``run`` called on the thread, and return what it returns.

        What is not done in time is given up: it will not be begun later.

        Raises:
            InsertError: It failed, or took too long.
        """
        task = _Task(run)
        self._queue.put(task)
        self._wake()
        if patience is None:
            task.done.wait(ANSWER_S)
        else:
            while not task.done.wait(POLL_S) and patience.left_s() > 0:
                pass
        if not task.done.is_set():
            task.is_given_up = True
            raise unsupported("An answering clipboard")
        if task.problem is not None:
            raise task.problem
        result: Result = task.result
        return result

    def post(self, run: Callable[[], None]) -> None:
        """Have ``run`` called soon; what goes wrong is logged only."""
        self._queue.put(_Task(run))
        self._wake()

    def give_up(self) -> None:
        """The thread has died: all that waits fails."""
        while (task := self._next()) is not None:
            task.problem = unsupported("The clipboard")
            task.done.set()

    # --- the thread --------------------------------------------------------------------------------

    def work_off(self) -> None:
        """Do all that waits."""
        while (task := self._next()) is not None:
            task.work_off()

    def _next(self) -> _Task | None:
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None
