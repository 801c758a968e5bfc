"""The models for the windows: what is installed, what is in progress, and what was requested.

Qt --install, use, remove ...--> inbox --> thread "models" --> ModelList --> Qt
                                             |    ^ ten times a second while something is done
                                             v    |
                            jobs, on thread "models-work": install, import, measure
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from handy_qwen.app.installer import Installer, Tell
from handy_qwen.core.events import Failed, Noted
from handy_qwen.core.models import (
    InstallStage,
    ModelEntry,
    ModelList,
    ModelListener,
    ModelStatus,
    Problem,
    Progress,
)
from handy_qwen.core.ports import Post
from handy_qwen.core.view import Remedy
from handy_qwen.errors import UNEXPECTED, CancelledError, EngineError, HandyError, OutOfMemoryError
from handy_qwen.message import Message
from handy_qwen.runtime import watchdog
from handy_qwen.runtime.worker import Worker, queued

logger = logging.getLogger(__name__)

TELL_S = 0.1
"""The interval between two lists while something is in progress."""
_IMPORTED = "import:"  # prefix of a model's name in here until its real name is known


class ModelsPresenter:
    """Implements ``core.models.ModelCommands``.

    Threads: the methods may be called on any; ``listener`` is on the thread ``models``.

    Args:
        installer: Installs models on this machine.
        post: To the dictation cycle, for notices that need no window.
        use: Switches to a model. Any thread.
        chosen: The name of the one in use.
        machine: Folder of the models, its free bytes, and the machine's memory in bytes.
    """

    def __init__(
        self,
        installer: Installer,
        *,
        post: Post,
        use: Callable[[str], None],
        chosen: Callable[[], str],
        machine: Callable[[], tuple[Path, int, int]],
    ) -> None:
        self.listener: ModelListener = lambda _models: None  # until there is one
        self._installer, self._post = installer, post
        self._use, self._chosen, self._machine = use, chosen, machine
        self._found: Sequence[ModelEntry] = ()  # as on disk
        self._problems: dict[str, Problem] = {}
        self._damaged: set[str] = set()  # of those on disk
        self._imports: dict[str, Path] = {}  # the sources of current and failed imports
        self._installing: dict[str, ModelJob] = {}
        self._measuring: dict[str, ModelJob] = {}
        self._shown = ModelList()
        self.thread = Worker(
            "models",
            routine=self._show,
            pause_s=lambda: TELL_S if self._installing or self._measuring else None,
            is_lazy=True,
            on_error=lambda error: post(Failed(0, error)),
        )
        self._is_closing = False
        self._work = Worker("models-work", is_lazy=True)
        self.workers: watchdog.Watchable = {
            watchdog.MODELS: self.thread,
            watchdog.MODELS_WORK: self._work,
        }

    def close(self, timeout_s: float) -> None:
        """Pause work in progress, and end the threads. Safe to call twice."""
        end_s = time.monotonic() + timeout_s
        self._is_closing = True
        self._work.stop(timeout_s)
        self.thread.stop(max(0.0, end_s - time.monotonic()))

    # --- done on "models" ----------------------------------------------------------------------------

    @queued
    def refresh(self) -> None:
        """Rescan the models; forget failed imports."""
        for name in set(self._imports) - set(self._installing):
            del self._imports[name]
            self._problems.pop(name, None)
        self._look()

    @queued
    def look(self) -> None:
        """Update the list of models and the one in use."""
        self._look()

    def _look(self) -> None:
        self._found = self._installer.entries()
        self._show()

    def _show(self) -> None:
        folder, free, memory = self._machine()
        imports = [ModelEntry(name, source.name) for name, source in self._imports.items()]
        models = ModelList(tuple(map(self._as_it_is, (*imports, *self._found))), folder, free, memory)
        if models != self._shown:
            self._shown = models
            self.listener(models)

    def _as_it_is(self, entry: ModelEntry) -> ModelEntry:
        """``entry`` with its progress, last problem and measured speed."""
        job = self._installing.get(entry.name)
        if job is not None:
            return replace(entry, status=ModelStatus.INSTALLING, progress=job.progress, problem=None)
        is_here = entry.status is ModelStatus.INSTALLED
        return replace(
            entry,
            problem=self._problems.get(entry.name, entry.problem),
            is_damaged=is_here and entry.name in self._damaged,
            is_chosen=is_here and entry.name == self._chosen(),
            is_measuring=entry.name in self._measuring,
        )

    @queued
    def install(self, name: str, preset: str = "") -> None:
        """Install ``name`` in the form ``preset``."""
        if name in self._imports:
            self._import(self._imports[name])
        elif name not in self._installing:
            self._begin(name, partial(self._installer.install, name, preset))

    @queued
    def import_from(self, source: Path) -> None:
        """Install the model in ``source``."""
        self._import(source)

    def _import(self, source: Path) -> None:
        name = f"{_IMPORTED}{source}"
        if name not in self._installing:
            self._imports[name] = source
            self._begin(name, partial(self._import_now, name, source))

    def _begin(self, name: str, work: Callable[[Tell], None]) -> None:
        self._problems.pop(name, None)
        self._damaged.discard(name)
        if not self._found:
            self._found = self._installer.entries()
        job = self._installing[name] = ModelJob(name, work)
        self._add(job)
        logger.info("the model %s is to be installed", name)
        self._show()

    def _import_now(self, alias: str, source: Path, tell: Tell) -> None:
        """Called on ``models-work``. From now on the model is known by its own name."""
        name = self._installer.import_from(source, tell)
        self._installing[alias].name = name

    @queued
    def pause(self, name: str) -> None:
        """Stop installing ``name`` and keep the partial download."""
        job = self._installing.get(name)
        if job is not None:
            job.is_cancelled = True
            if not job.has_begun:  # else its next progress report ends it
                self._has_ended(job, CancelledError())

    @queued
    def _has_ended(self, job: ModelJob, error: HandyError | None) -> None:
        if job in self._measuring.values():
            self._has_measured(job, error)
            return
        alias = next((name for name, one in self._installing.items() if one is job), None)
        if alias is None:  # cancelled before it began, or only tuned
            return
        del self._installing[alias]
        had_one = self._shown.has_full_model
        if error is None or isinstance(error, CancelledError):
            self._imports.pop(alias, None)
        else:
            self._problems[alias] = Problem(error.title, error.hint)
            self._post(Failed(0, error))
        self._found = self._installer.entries()
        if error is None:
            self._welcome(job.name, is_first=not had_one)
        else:
            self._show()

    def _welcome(self, name: str, *, is_first: bool) -> None:
        """A model was installed: use it if it is the first, notify the user, and measure it."""
        title = next((entry.title for entry in self._found if entry.name == name), name)
        if is_first:
            self._use(name)
        hint = Message("To use it, choose it in the Models window.")
        if is_first:
            hint = Message("It is now in use.")
        said = Message("{model} is installed.", model=title)
        self._post(Noted(said, hint, None if is_first else Remedy.MODELS))
        self._measure(name)

    @queued
    def use(self, name: str) -> None:
        """Switch to ``name``."""
        self._use(name)
        self._show()

    @queued
    def discard(self, name: str) -> None:
        """Delete the partial download of ``name``."""
        self._change(name, self._installer.discard)

    @queued
    def remove(self, name: str) -> None:
        """Delete the installed ``name``."""
        if name == self._chosen():
            others = [one for one in self._found if one.status is ModelStatus.INSTALLED and one.name != name]
            best = min(others, key=lambda one: one.is_permanent, default=None)  # the demo is the last resort
            self._use(best.name if best else "")
        self._change(name, self._installer.remove)

    def _change(self, name: str, change: Callable[[str], None]) -> None:
        """Change what is on disk; a failure is shown in the entry."""
        self._problems.pop(name, None)
        try:
            change(name)
        except HandyError as exc:
            self._problems[name] = Problem(exc.title, exc.hint)
        self._look()

    @queued
    def measure(self, name: str) -> None:
        """Measure the speed of ``name``."""
        self._measure(name)

    def _measure(self, name: str) -> None:
        if name not in self._measuring:
            job = self._measuring[name] = ModelJob(name, partial(self._installer.measure, name))
            self._add(job)
        self._show()

    @queued
    def tune(self) -> None:
        """Find the best number of threads for the current model, if unknown."""
        name = self._chosen()
        self._add(ModelJob(name, partial(self._installer.tune, name)))

    def _has_measured(self, job: ModelJob, error: HandyError | None) -> None:
        del self._measuring[job.name]
        self._damaged.discard(job.name)
        self._problems.pop(job.name, None)
        if error is not None and not isinstance(error, CancelledError):
            self._problems[job.name] = Problem(error.title, error.hint)
            if isinstance(error, EngineError) and not isinstance(error, OutOfMemoryError):
                self._damaged.add(job.name)
        self._look()

    def _add(self, job: ModelJob) -> None:
        """Run ``job`` after the previous ones."""
        try:
            self._work.do(partial(self._run, job))
        except RuntimeError:  # the system allows no more threads
            logger.exception("work on a model could not begin")
            self._has_ended(job, HandyError(*UNEXPECTED))

    # --- on "models-work" ----------------------------------------------------------------------------

    def _run(self, job: ModelJob) -> None:
        job.has_begun = True
        error: HandyError | None = HandyError(*UNEXPECTED)  # also if it ends the thread
        try:
            self._tell(job, job.progress)
            job.work(partial(self._tell, job))
            error = None
        except HandyError as exc:
            error = exc
        except Exception:
            logger.exception("work on a model failed unexpectedly")
        finally:
            self._has_ended(job, error)

    def _tell(self, job: ModelJob, progress: Progress) -> None:
        """Note the progress of ``job``.

        Raises:
            CancelledError: It was cancelled.
        """
        self._work.begin()  # alive
        if job.is_cancelled or self._is_closing:
            raise CancelledError
        job.progress = progress


@dataclass(eq=False)
class ModelJob:
    """An installation, import or measurement of the model ``name``."""

    name: str
    work: Callable[[Tell], None]
    progress: Progress = field(default_factory=lambda: Progress(InstallStage.WAITING))
    has_begun: bool = False
    is_cancelled: bool = False
