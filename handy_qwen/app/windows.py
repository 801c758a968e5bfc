"""The presenters of the windows, and their connection with the desk."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import psutil

from handy_qwen import paths
from handy_qwen.app.closing import Close
from handy_qwen.app.files import FilesPresenter
from handy_qwen.app.history import HistoryPresenter, transcribe_file
from handy_qwen.app.installer import Installer
from handy_qwen.app.models import ModelsPresenter
from handy_qwen.app.program import Program
from handy_qwen.app.upkeep import UpkeepPresenter
from handy_qwen.app.vocabulary import VocabularyPresenter
from handy_qwen.core.events import Noted
from handy_qwen.core.profiles import rules_for
from handy_qwen.core.types import Retried
from handy_qwen.core.view import Remedy, Window
from handy_qwen.history.store import default_folder
from handy_qwen.message import Message
from handy_qwen.runtime.watchdog import Watchable
from handy_qwen.system.opening import open_with_desktop
from handy_qwen.system.priority import yield_to_others
from handy_qwen.ui.desk import Desk


class ProgramWindows:
    """Builds the presenters, and connects them with the windows.

    Threads: Qt's; ``call`` may be called from any.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._desk: Desk | None = None
        self.models = ModelsPresenter(
            Installer(
                lambda: program.store.value.threads or None,
                lambda: program.store.value.use_devices,
                program.is_engine_idle,
            ),
            post=program.controller.post,
            use=self._use,
            chosen=program.model_in_use,
            machine=machine,
        )
        program.on_rest = self.models.tune
        self.history = HistoryPresenter(
            program.controller.post,
            copy=program.copy_text,
            transcribe=self._transcribe,
            model=program.model_in_use,
            player=lambda: program.parts.player if program.parts else None,
            folder=default_folder(),
        )
        self.files = FilesPresenter(
            lambda: program.parts.transcriber if program.parts else None,
            program.rules,
            program.model_in_use,
            copy=program.copy_text,
            open_file=open_with_desktop,
            post=program.controller.post,
            folder=paths.data_dir() / "files",
        )
        self.upkeep = UpkeepPresenter(
            default_folder(),
            lambda: program.parts.library if program.parts else None,
            lambda: program.store.value,
            program.revise,
        )
        self.vocabulary = VocabularyPresenter(lambda: program.store.value, program.revise, program.rules)

    def show(self, desk: Desk) -> None:
        """Connect the presenters with ``desk``."""
        self._desk = desk
        self.models.listener, self.history.listener = desk.show_models, desk.show_history
        self.upkeep.listener = desk.show_upkeep
        self.vocabulary.listener = desk.show_vocabulary
        self.files.listener = desk.show_files
        self.files.start()
        desk.left_at_work.connect(self._tell_of_work)

    def call(self, window: Window) -> None:
        """Bring ``window`` to the front. Any thread; returns at once."""
        if self._desk is not None:
            self._desk.open(window)

    def parts_to_close(self) -> dict[str, Close]:
        """The presenters: closing them finishes changes and deletions, and pauses installations."""
        return {
            "history window": self.history.close,
            "models": self.models.close,
            "files": self.files.close,
            "upkeep": self.upkeep.close,
            "vocabulary": self.vocabulary.close,
        }

    def _use(self, name: str) -> None:
        self._program.change(model=name)
        self._program.refresh_choices()

    def workers(self) -> Watchable:
        """The threads of the presenters."""
        presenters = (self.models, self.history, self.files, self.upkeep, self.vocabulary)
        return {expected: part for one in presenters for expected, part in one.workers.items()}

    def _transcribe(
        self, path: Path, application: str, model: str, language: str, moves: Callable[[], None]
    ) -> Retried:
        yield_to_others()  # the thread does nothing else
        threads = self._program.store.value.threads or None
        rules = rules_for(application, self._program.rules())
        return transcribe_file(path, model, language, moves, threads=threads, rules=rules)

    def _tell_of_work(self, model: str) -> None:
        hint = Message("{model}: open Models to see its progress.", model=model)
        self._program.controller.post(Noted(Message("The installation continues."), hint, Remedy.MODELS))


def machine() -> tuple[Path, int, int]:
    """The folder of the models, its free bytes, and the memory of this machine in bytes."""
    folder = paths.models_dir()
    existing = next((place for place in (folder, *folder.parents) if place.is_dir()), Path("/"))
    return folder, shutil.disk_usage(existing).free, psutil.virtual_memory().total
