"""Qt's side of the app: the event loop, the windows, and the ways out of it."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
from functools import cache, partial
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, Qt, QtMsgType, Signal, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from handy_qwen.app.choices import chord_title
from handy_qwen.app.closing import in_order
from handy_qwen.app.file_watch import FileWatch
from handy_qwen.app.program import Program
from handy_qwen.core.types import Mode
from handy_qwen.paths import APP_ID
from handy_qwen.settings import Settings
from handy_qwen.settings.file import read_configuration
from handy_qwen.system.session import Kind, Session, compositing_for, displays_of, session_of
from handy_qwen.system.wayland.layer import LayerSurface, has_layer_shell, open_layer
from handy_qwen.system.wayland.wire import socket_path
from handy_qwen.ui import translation

logger = logging.getLogger(__name__)


QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


class WayOut(QObject):
    """Ends the event loop, whoever asks: a menu, the control socket, a signal of the system.

    Python runs the handler of a signal only when it gets its turn, and Qt's loop does not give it one.
    So signals are written to a socket as well, which wakes the loop.

    Attributes:
        was_signalled: Whether the system has asked, for good: nothing is to be started again.
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
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last two are not on every system
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        # One that is ignored at the start stays so: that is how nohup works.
        self._numbers = [one for one in numbers if signal.getsignal(one) is not signal.SIG_IGN]
        for number in self._numbers:
            signal.signal(number, self._on_python_signal)

    def ask(self) -> None:
        """End the program. Any thread."""
        self.asked.emit()

    def close(self) -> None:
        """Stop waking the loop. All has ended: another signal ends the process at once, and well."""
        signal.set_wakeup_fd(self._former_fd)
        for number in self._numbers:
            signal.signal(number, lambda *_: os._exit(0))
        self._notifier.setEnabled(False)
        self._reader.close()
        self._writer.close()

    def _on_signal(self) -> None:
        self._reader.recv(64)  # now Python has its turn and calls the handler

    def _on_python_signal(self, number: int, _frame: FrameType | None) -> None:
        logger.info("ended by %s", signal.Signals(number).name)
        self.was_signalled = True
        self.ask()


def run(*, is_hidden: bool) -> bool:
    """Show the tray, start the program behind it, and return when it is quit: whether to start it again.

    Raises:
        HandyError: The program cannot start.
    """
    qInstallMessageHandler(_on_qt_message)
    session = displays_of(os.environ)
    if session.kind is Kind.X11:
        os.environ.pop("WAYLAND_DISPLAY", None)  # left over: clipboard tools would go by it
    if session.display:
        # A client of Wayland cannot place its windows, and has an overlay on some desktops only.
        os.environ.setdefault("QT_QPA_PLATFORM", "xcb")
    elif session.wayland:
        os.environ.setdefault("QT_QPA_PLATFORM", "wayland")  # a DISPLAY that is dead would end the process
        os.environ["WAYLAND_DISPLAY"] = session.wayland
    if sys.platform == "win32":  # one icon on the taskbar, whichever Python shows it, and a name for notices
        ctypes.windll.shell32.SetCurrentProcessExplicitAppUserModelID(APP_ID)
    app = QApplication(sys.argv[:1])
    app.setApplicationName("Handy Qwen")
    app.setDesktopFileName(APP_ID)  # its menu entry, which portals go by
    app.setQuitOnLastWindowClosed(False)
    way_out = WayOut(app)
    translation.use(read_configuration().settings.interface_language)
    from handy_qwen.app.windows import ProgramWindows
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
        is_composited=is_composited,
        open_surface=layer_of(session) if app.platformName().startswith("wayland") else None,
    )
    windows.show(desk)
    logger.info("tray and overlay are there")

    @cache
    def end() -> None:
        in_order(desk.close, lambda: program.close(windows.parts_to_close()))

    # At the end of a session Windows ends the process right after this signal.
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
    """How the overlay is shown above all windows; None: the compositor has no such layer."""
    path = socket_path(session.wayland)
    return partial(open_layer, path) if has_layer_shell(path) else None


def greeting(settings: Settings, *, has_tray: bool) -> str:
    """What a start in a terminal says: that it runs, how to dictate, and where the rest is."""
    keys = " or ".join(chord_title(hotkey.chord) for hotkey in settings.hotkeys)
    verb = "Press" if settings.mode is Mode.TOGGLE else "Hold"
    how = f"{verb} {keys} to dictate" if keys else "No hotkey is set; use handy-qwen toggle to dictate"
    where = "the menu is in the tray" if has_tray else "there is no tray here; to quit, run handy-qwen quit"
    return f"Handy Qwen is running. {how}; {where}."


def _on_qt_message(kind: QtMsgType, _context: object, message: str) -> None:
    logger.log(QT_LEVELS.get(kind, logging.WARNING), "Qt: %s", message)
