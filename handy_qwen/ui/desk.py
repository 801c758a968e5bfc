"""Owns everything on the screen: tray, overlay, and the windows, created on demand."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from handy_qwen.core.events import Request, Requested
from handy_qwen.core.models import ModelCommands, ModelList
from handy_qwen.core.permissions import PermissionCommands
from handy_qwen.core.ports import Post
from handy_qwen.core.sound_files import FilesCommands, FilesPage
from handy_qwen.core.types import Overlay
from handy_qwen.core.upkeep import Upkeep, UpkeepCommands
from handy_qwen.core.view import (
    Commands,
    HistoryCommands,
    HistoryPage,
    Meter,
    MicrophoneCommands,
    View,
    Window,
)
from handy_qwen.core.vocabulary import VocabularyCommands, VocabularyPage
from handy_qwen.settings import SettingsView
from handy_qwen.ui.icons import app_icon
from handy_qwen.ui.overlay import LayerOverlay, OpenSurface, OverlayWindow
from handy_qwen.ui.setup.window import SetupWindow
from handy_qwen.ui.style import use_style
from handy_qwen.ui.translation import translated
from handy_qwen.ui.tray import Tray
from handy_qwen.ui.window import AppWindow
from handy_qwen.ui.windows.correction import CorrectionWindow
from handy_qwen.ui.windows.files import FilesWindow
from handy_qwen.ui.windows.help import HelpWindow
from handy_qwen.ui.windows.history import HistoryWindow
from handy_qwen.ui.windows.main import MainWindow
from handy_qwen.ui.windows.models import ModelsWindow


class Desk(QObject):
    """Shows the latest view, model list and history page.

    A closed window costs nothing: it catches up when it is opened again.

    Threads: created and closed on Qt's; ``show_*`` and ``open`` may be called from any: a signal passes the
    call to Qt's.
    """

    left_at_work = Signal(str)  # Models was closed during the installation of the model of this title
    _called = Signal(object)  # a Callable[[], None] to run on Qt's thread

    def __init__(
        self,
        post: Post,
        commands: Commands,
        meter: Meter,
        model_commands: ModelCommands,
        history_commands: HistoryCommands,
        *,
        files_commands: FilesCommands,
        upkeep_commands: UpkeepCommands,
        vocabulary_commands: VocabularyCommands,
        microphone_commands: MicrophoneCommands,
        permission_commands: PermissionCommands | None = None,
        is_composited: Callable[[], bool] = lambda: True,
        open_surface: OpenSurface | None = None,
    ) -> None:
        super().__init__()
        QApplication.setWindowIcon(app_icon())
        use_style()
        self._post, self._commands, self._meter = post, commands, meter
        self._model_commands, self._history_commands = model_commands, history_commands
        self._files_commands = files_commands
        self._upkeep_commands = upkeep_commands
        self._vocabulary_commands = vocabulary_commands
        self._microphone_commands = microphone_commands
        self._permission_commands = permission_commands
        self._view, self._models, self._settings = View(), ModelList(), SettingsView()
        self._files = FilesPage()
        self._windows: dict[Window, AppWindow] = {}
        self._tray = Tray(self._ask, commands)
        self._overlay = (
            OverlayWindow(meter, is_composited) if open_surface is None else LayerOverlay(meter, open_surface)
        )
        self._overlay.clicked.connect(self._tray.menu.carry_out)
        self._called.connect(self._call)
        self._tray.show_view(self._view)

    @staticmethod
    def has_tray() -> bool:
        """Whether the desktop has a tray."""
        return QSystemTrayIcon.isSystemTrayAvailable()

    def show_view(self, view: View) -> None:
        """Show what the program does. Any thread."""
        self._called.emit(partial(self._show_view, translated(view)))

    def show_models(self, models: ModelList) -> None:
        """Show which models there are. Any thread."""
        self._called.emit(partial(self._show_models, translated(models)))

    def show_settings(self, shown: SettingsView) -> None:
        """Show what the settings say. Any thread."""
        self._called.emit(partial(self._show_settings, translated(shown)))

    def show_history(self, page: HistoryPage) -> None:
        """Show an answer of the history. Any thread."""
        page = translated(page)
        self._to_windows(lambda window: window.show_history(page))

    def show_files(self, page: FilesPage) -> None:
        """Show the sound files that are transcribed. Any thread."""
        self._called.emit(partial(self._show_files, translated(page)))

    def show_upkeep(self, upkeep: Upkeep) -> None:
        """Show what is known of the machine and the history as a whole. Any thread."""
        upkeep = translated(upkeep)
        self._to_windows(lambda window: window.show_upkeep(upkeep))

    def show_vocabulary(self, page: VocabularyPage) -> None:
        """Show the words and replacements. Any thread."""
        page = translated(page)
        self._to_windows(lambda window: window.show_vocabulary(page))

    def open(self, window: Window) -> None:
        """Bring ``window`` to the front. Any thread."""
        self._called.emit(partial(self._present, window))

    def close(self) -> None:
        """Remove everything from the screen, once."""
        self._called.disconnect(self._call)  # show nothing more
        for window in self._windows.values():
            window.blockSignals(True)  # the program ends: nothing should continue
            window.close()
        self._tray.close()
        self._overlay.close()

    def _to_windows(self, show: Callable[[AppWindow], None]) -> None:
        def show_all() -> None:
            for window in self._windows.values():
                show(window)

        self._called.emit(show_all)

    @Slot(object)
    def _call(self, call: Callable[[], None]) -> None:
        call()

    def _show_view(self, view: View) -> None:
        if not self._overlay.has_place():  # then the other windows show its notices
            view = replace(view, choices=replace(view.choices, overlay=Overlay.OFF))
        self._view = view
        self._tray.show_view(view)
        self._overlay.show_view(view)
        for window in self._open_windows():
            window.show_view(view)

    def _show_models(self, models: ModelList) -> None:
        self._models = models
        self._tray.menu.show_models(models)
        for window in self._open_windows():
            window.show_models(models)

    def _show_files(self, page: FilesPage) -> None:
        self._files = page
        for window in self._windows.values():
            window.show_files(page)

    def _show_settings(self, shown: SettingsView) -> None:
        self._settings = shown
        for window in self._open_windows():
            window.show_settings(shown)

    def _open_windows(self) -> list[AppWindow]:
        return [window for window in self._windows.values() if window.isVisible()]

    def _present(self, window: Window) -> None:
        if window not in self._windows:
            self._windows[window] = self._made(window)
            self._windows[window].settings_asked.connect(lambda: self._present(Window.SETTINGS))
        shown = self._windows[window]
        if not shown.isVisible():
            shown.show_settings(self._settings)
            shown.show_view(self._view)
            if self._models.entries:  # else nobody has looked yet
                shown.show_models(self._models)
        shown.present()

    def _made(self, window: Window) -> AppWindow:
        return {
            Window.MAIN: lambda: MainWindow(self._tray.menu, self._commands),
            Window.HELP: HelpWindow,
            Window.CORRECT: lambda: CorrectionWindow(self._vocabulary_commands, self._history_commands),
            Window.MODELS: self._made_models,
            Window.HISTORY: self._made_history,
            Window.SETUP: self._made_setup,
            Window.FILES: self._made_files,
            Window.SETTINGS: self._made_settings,
        }[window]()

    def _made_models(self) -> AppWindow:
        models = ModelsWindow(self._model_commands)
        models.left_at_work.connect(self.left_at_work)
        return models

    def _made_history(self) -> AppWindow:
        past = HistoryWindow(self._history_commands, self._commands)
        past.correction_asked.connect(self._correct)
        return past

    def _made_setup(self) -> AppWindow:
        setup = SetupWindow(
            self._ask, self._commands, self._meter, self._model_commands, self._permission_commands
        )
        setup.hidden.connect(self._on_setup_closed)
        return setup

    def _made_files(self) -> AppWindow:
        files = FilesWindow(self._files_commands)
        files.show_files(self._files)
        return files

    def _correct(self, text: str, selected: str, number: int) -> None:
        self._present(Window.CORRECT)
        window = self._windows[Window.CORRECT]
        assert isinstance(window, CorrectionWindow)
        window.correct(text, selected, number)

    def _made_settings(self) -> AppWindow:
        """Create the window on demand, and import its modules only then."""
        from handy_qwen.ui.settings.page import Tools
        from handy_qwen.ui.settings.window import SettingsWindow

        tools = Tools(
            self._commands,
            self._ask,
            self._meter,
            self._model_commands,
            self._upkeep_commands,
            self._vocabulary_commands,
            self._microphone_commands,
        )
        return SettingsWindow(tools)

    def _on_setup_closed(self) -> None:
        """After the first start, open the main window where there is no tray."""
        is_open = any(window.isVisible() for window in self._windows.values())
        if not (is_open or Window.MAIN in self._windows or self.has_tray()):
            self.open(Window.MAIN)

    def _ask(self, what: Request) -> None:
        self._post(Requested(what, time.monotonic()))
