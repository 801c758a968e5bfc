"""The Qt side of the app: the event loop and how it ends, what wakes it, and the windows."""

from __future__ import annotations

import ctypes
import logging
import math
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QFileSystemWatcher,
    QObject,
    QSocketNotifier,
    Qt,
    QtMsgType,
    Signal,
    qInstallMessageHandler,
)
from PySide6.QtWidgets import QApplication

from handy_qwen import paths
from handy_qwen.app.choices import chord_title
from handy_qwen.app.files import FilesPresenter
from handy_qwen.app.history import HistoryPresenter, transcribe_file
from handy_qwen.app.installer import Installer
from handy_qwen.app.models import ModelsPresenter
from handy_qwen.app.permissions import PermissionsPresenter
from handy_qwen.app.program import Program
from handy_qwen.app.upkeep import UpkeepPresenter
from handy_qwen.app.vocabulary import VocabularyPresenter
from handy_qwen.core.events import HotkeysDied, Noted
from handy_qwen.core.profiles import rules_for
from handy_qwen.core.types import Mode, Retried
from handy_qwen.core.view import Remedy, Window
from handy_qwen.history.store import default_folder
from handy_qwen.message import Message
from handy_qwen.paths import APP_ID
from handy_qwen.runtime.watchdog import Watchable
from handy_qwen.runtime.worker import Close, in_order
from handy_qwen.settings import Settings
from handy_qwen.settings.file import read_configuration
from handy_qwen.system.opening import open_with_desktop
from handy_qwen.system.priority import yield_to_others
from handy_qwen.system.session import Kind, Session, compositing_for, displays_of, session_of
from handy_qwen.system.wayland.layer import LAYER_SHELL, LayerSurface, open_layer
from handy_qwen.system.wayland.wire import offers, socket_path
from handy_qwen.ui import translation

if TYPE_CHECKING:  # it has translated sentences: the language must be set before it is imported
    from handy_qwen.ui.desk import Desk

logger = logging.getLogger(__name__)

QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


class WayOut(QObject):
    """Ends the event loop, on behalf of a menu, the control socket or a signal.

    Python runs signal handlers only between its own instructions, and Qt's loop executes none. So signals
    are also written to a socket, which wakes the loop.

    Attributes:
        was_signalled: Whether a signal asked for it: do not restart.
    """

    asked = Signal()

    def __init__(self, app: QApplication) -> None:
        super().__init__()
        self.was_signalled = False
        self.asked.connect(app.quit, Qt.ConnectionType.QueuedConnection)
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._notifier = QSocketNotifier(self._reader.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_signal)
        self._former_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last two do not exist everywhere
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        # A signal ignored at startup stays ignored: nohup relies on it.
        self._numbers = [one for one in numbers if signal.getsignal(one) is not signal.SIG_IGN]
        for number in self._numbers:
            signal.signal(number, self._on_python_signal)

    def ask(self) -> None:
        """End the program. Any thread."""
        self.asked.emit()

    def close(self) -> None:
        """Stop waking the loop. Everything has ended: another signal ends the process immediately."""
        signal.set_wakeup_fd(self._former_fd)
        for number in self._numbers:
            signal.signal(number, lambda *_: os._exit(0))
        self._notifier.setEnabled(False)
        self._reader.close()
        self._writer.close()

    def _on_signal(self) -> None:
        self._reader.recv(64)  # gives Python a chance to call the handler

    def _on_python_signal(self, number: int, _frame: FrameType | None) -> None:
        logger.info("ended by %s", signal.Signals(number).name)
        self.was_signalled = True
        self.ask()


class QtPause(QObject):
    """Pauses Qt's thread between two events: see ``server_grab``.

    Threads: created on Qt's; pauses come from other threads, one at a time.
    """

    PATIENCE_S = 0.3
    AFTER_REFUSAL_S = 5.0  # text is typed in hundreds of pieces: only the first may wait in vain

    _wanted = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._not_before_s = -math.inf
        self._wanted.connect(self._stop, Qt.ConnectionType.QueuedConnection)

    @contextmanager
    def __call__(self) -> Iterator[bool]:
        """Whether Qt's thread is paused inside; False if it is busy, or was a moment ago."""
        if time.monotonic() < self._not_before_s:
            yield False
            return
        stopped, over = threading.Event(), threading.Event()
        self._wanted.emit(stopped, over)
        try:
            is_paused = stopped.wait(self.PATIENCE_S)
            if not is_paused:
                logger.info("Qt is busy: for %.0f s the X server is not grabbed", self.AFTER_REFUSAL_S)
                self._not_before_s = time.monotonic() + self.AFTER_REFUSAL_S
            yield is_paused
        finally:
            over.set()

    def _stop(self, stopped: threading.Event, over: threading.Event) -> None:
        stopped.set()
        over.wait()  # lets other Python threads run


class FileWatch(QObject):
    """Calls ``on_change`` whenever ``path`` may have been written, created or replaced.

    Its folder is watched as well: most editors write a new file and rename it. Changes made on network file
    systems by other machines are not reported.

    Threads: Qt's, on which ``on_change`` is called, too.
    """

    def __init__(self, path: Path, on_change: Callable[[], None]) -> None:
        super().__init__()
        self._paths = [str(path), str(path.parent)]
        self._on_change = on_change
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(self._tell)
        self._watcher.directoryChanged.connect(self._tell)
        self._watch()

    def close(self) -> None:
        """Stop watching. Safe to call twice."""
        self._watcher.blockSignals(True)

    def _tell(self) -> None:
        self._watch()
        self._on_change()

    def _watch(self) -> None:
        """Watch the current file, which may be a new one."""
        watched = {*self._watcher.files(), *self._watcher.directories()}
        missing = [path for path in self._paths if path not in watched]
        if missing:
            self._watcher.addPaths(missing)


class ProgramWindows:
    """Creates the presenters and connects them with the windows.

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
        self.permissions = (
            PermissionsPresenter(lambda: program.controller.post(HotkeysDied()))
            if sys.platform == "darwin"
            else None
        )

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
        """The presenters: closing them completes changes and deletions, and pauses installations."""
        return {
            "history window": self.history.close,
            "models": self.models.close,
            "files": self.files.close,
            "upkeep": self.upkeep.close,
            "vocabulary": self.vocabulary.close,
            **({"permissions": self.permissions.close} if self.permissions else {}),
        }

    def _use(self, name: str) -> None:
        self._program.change(model=name)
        self._program.refresh_choices()

    def workers(self) -> Watchable:
        """The threads of the presenters."""
        presenters = (self.models, self.history, self.files, self.upkeep, self.vocabulary)
        others = self.permissions.workers if self.permissions else {}
        return {expected: part for one in presenters for expected, part in one.workers.items()} | others

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
    import psutil  # slow to import, and the tray does not need it

    folder = paths.models_dir()
    existing = next((place for place in (folder, *folder.parents) if place.is_dir()), Path("/"))
    return folder, shutil.disk_usage(existing).free, psutil.virtual_memory().total


def run(*, is_hidden: bool) -> bool:
    """Show the tray, start the program behind it, and return when it is quit: whether to start it again.

    Raises:
        HandyError: The program cannot start.
    """
    qInstallMessageHandler(_on_qt_message)
    session = displays_of(os.environ)
    if session.kind is Kind.X11:
        os.environ.pop("WAYLAND_DISPLAY", None)  # left over: clipboard tools would use it
    if session.display:
        # A Wayland client cannot position its windows; the overlay works on some desktops only.
        os.environ.setdefault("QT_QPA_PLATFORM", "xcb")
    elif session.wayland:
        os.environ.setdefault("QT_QPA_PLATFORM", "wayland")  # a dead DISPLAY would end the process
        os.environ["WAYLAND_DISPLAY"] = session.wayland
    if sys.platform == "win32":  # one taskbar icon, whichever Python shows it, and a name for notices
        ctypes.windll.shell32.SetCurrentProcessExplicitAppUserModelID(APP_ID)
    app = QApplication(sys.argv[:1])
    app.setApplicationName("Handy Qwen")
    app.setDesktopFileName(APP_ID)  # its menu entry, which portals rely on
    app.setQuitOnLastWindowClosed(False)
    way_out = WayOut(app)
    translation.use(read_configuration().settings.interface_language)
    from handy_qwen.ui.desk import Desk

    program = Program(way_out.ask, is_hidden=is_hidden)
    windows = ProgramWindows(program)
    is_composited = compositing_for(lambda: session_of(os.environ))
    desk = Desk(
        program.controller.post,
        program,
        program.level_db,
        windows.models,
        windows.history,
        files_commands=windows.files,
        upkeep_commands=windows.upkeep,
        vocabulary_commands=windows.vocabulary,
        microphone_commands=program.microphone,
        permission_commands=windows.permissions,
        is_composited=is_composited,
        open_surface=layer_of(session) if app.platformName().startswith("wayland") else None,
    )
    windows.show(desk)
    logger.info("tray and overlay are there")
    if app.platformName() == "xcb":
        from handy_qwen.system.x11.connection import use_pause

        use_pause(QtPause(app))

    @cache
    def end() -> None:
        in_order(desk.close, lambda: program.close(windows.parts_to_close()))

    # At the end of a session, Windows ends the process right after this signal.
    app.aboutToQuit.connect(end)
    try:
        has_tray = desk.has_tray()
        program.start(
            desk.show_view,
            windows.call,
            windows.workers(),
            on_settings=desk.show_settings,
            has_tray=has_tray,
        )
        file_watch = FileWatch(program.store.path, lambda: program.chores.do(program.store.expect_change))
        app.aboutToQuit.connect(file_watch.close)
        if not is_hidden and sys.stderr.isatty():
            print(greeting(program.store.value, has_tray=has_tray), file=sys.stderr)  # noqa: T201
        app.exec()
    finally:
        end()
        way_out.close()
    return program.starts_again and not way_out.was_signalled


def layer_of(session: Session) -> partial[LayerSurface | None] | None:
    """How the overlay stays above all windows; None: the compositor has no such layer."""
    path = socket_path(session.wayland)
    return partial(open_layer, path) if offers(path, LAYER_SHELL) else None


def greeting(settings: Settings, *, has_tray: bool) -> str:
    """The message of a start in a terminal: that it runs, how to dictate, and where the rest is."""
    keys = " or ".join(chord_title(hotkey.chord) for hotkey in settings.hotkeys)
    verb = "Press" if settings.mode is Mode.TOGGLE else "Hold"
    how = f"{verb} {keys} to dictate" if keys else "No hotkey is set; use handy-qwen toggle to dictate"
    where = "the menu is in the tray" if has_tray else "there is no tray here; to quit, run handy-qwen quit"
    return f"Handy Qwen is running. {how}; {where}."


def _on_qt_message(kind: QtMsgType, _context: object, message: str) -> None:
    logger.log(QT_LEVELS.get(kind, logging.WARNING), "Qt: %s", message)
