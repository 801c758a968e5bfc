"""The windows of the running program, and what keeps that which they show."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

from handy_qwen import paths
from handy_qwen.app.closing import Close
from handy_qwen.app.history import HistoryKeeper, transcribe_file
from handy_qwen.app.installer import DiskInstaller
from handy_qwen.app.models import ModelKeeper, Speeds
from handy_qwen.app.program import Program
from handy_qwen.core.events import Noted
from handy_qwen.core.ports import Watched
from handy_qwen.core.view import Commands, Window
from handy_qwen.history.store import default_folder
from handy_qwen.ui.desk import Carrier, Desk, Guide, Windows

SPEEDS_FILE = "speeds.json"
GOES_ON = "The installation continues.", "{model}: open Models again to see its progress."


class ProgramWindows:
    """Builds the windows, connects them with what works for them, and takes them off the screen.

    Threads: Qt's; ``call`` may be called from any.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._windows: Windows | None = None
        self._openers: dict[Window, Callable[[], None]] = {}
        self._calls = Carrier()
        self._calls.carried.connect(self._open)
        self.models = ModelKeeper(
            DiskInstaller(lambda: program.store.value.threads or None),
            Speeds(paths.data_dir() / SPEEDS_FILE),
            post=program.controller.post,
            use=self._use,
            chosen=program.model_in_use,
            machine=machine,
        )
        self.past = HistoryKeeper(
            program.controller.post,
            copy=program.copy,
            transcribe=self._transcribe,
            model=program.model_in_use,
            folder=default_folder(),
        )

    def show(self, desk: Desk, commands: Commands, guide: Guide) -> None:
        """Connect all with the tray and the guide. A window itself is made when it is asked for."""
        windows = self._windows = Windows(self.models, self.past, commands)
        self.models.listener, self.past.listener = windows.on_shelf, windows.on_past
        windows.shelf_changed.connect(desk.show_shelf)
        windows.shelf_changed.connect(guide.show_shelf)
        windows.left_at_work.connect(self._tell_of_work)
        desk.view_changed.connect(windows.show_view)
        self._openers = {
            Window.MAIN: desk.open,
            Window.MODELS: partial(windows.open, Window.MODELS),
            Window.HISTORY: partial(windows.open, Window.HISTORY),
            Window.HELP: partial(windows.open, Window.HELP),
            Window.SETUP: guide.open,
            Window.SETTINGS: commands.open_settings_file,
        }

    def call(self, window: Window) -> None:
        """Bring ``window`` to the front. Any thread; returns at once."""
        self._calls.carry(window)

    def _open(self, window: Window) -> None:
        self._openers[window]()

    def close(self) -> None:
        """Take the windows off the screen."""
        if self._windows is not None:
            self._windows.close()

    def keepers(self) -> dict[str, Close]:
        """What works for the windows, to be ended: it finishes deleting and pauses installations."""
        return {"history window": self.past.close, "models": self.models.close}

    def _use(self, name: str) -> None:
        self._program.change(model=name)
        self._program.refresh()

    def workers(self) -> dict[str, Watched]:
        """The threads that work for the windows, by what ``watches`` calls them."""
        return {**self.models.workers, **self.past.workers}

    def _transcribe(
        self, path: Path, model: str, language: str, moves: Callable[[], None]
    ) -> tuple[str, str, str]:
        threads = self._program.store.value.threads or None
        return transcribe_file(path, model, language, moves, threads=threads, rules=self._program.rules)

    def _tell_of_work(self, model: str) -> None:
        title, hint = GOES_ON
        self._program.controller.post(Noted(title, hint.format(model=model)))


def machine() -> tuple[Path, int, int]:
    """The folder of the models, its free bytes, and the memory of this machine in bytes."""
    folder = paths.models_dir()
    existing = next((place for place in (folder, *folder.parents) if place.is_dir()), Path("/"))
    return folder, shutil.disk_usage(existing).free, psutil.virtual_memory().total
