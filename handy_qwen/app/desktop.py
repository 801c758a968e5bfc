"""Qt's side of the app: the event loop, the windows, and the ways out of it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from functools import cache
from pathlib import Path
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, Qt, QtMsgType, QUrl, Signal, qInstallMessageHandler
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication

from handy_qwen.app.closing import in_order
from handy_qwen.app.commands import AppCommands
from handy_qwen.app.program import Program
from handy_qwen.core.events import Requested
from handy_qwen.system.compositing import compositing_for

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
    """

    asked = Signal()

    def __init__(self, app: QApplication) -> None:
        super().__init__()
        self.asked.connect(app.quit, Qt.ConnectionType.QueuedConnection)
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._notifier = QSocketNotifier(self._reader.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_signal)
        self._former_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last two are not on every system
        self._numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            self._numbers.remove(signal.SIGHUP)  # nohup: it is to outlive its terminal
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
        self.ask()


def run(*, is_hidden: bool) -> int:
    """Show the tray, start the program behind it, and return when it is quit.

    Raises:
        HandyError: The program cannot start.
    """
    qInstallMessageHandler(_on_qt_message)
    if os.environ.get("WAYLAND_DISPLAY") and os.environ.get("DISPLAY"):
        # A client of Wayland can neither place the overlay nor keep it from taking the focus.
        os.environ.setdefault("QT_QPA_PLATFORM", "xcb")
    app = QApplication(sys.argv[:1])
    app.setApplicationName("Handy Qwen")
    app.setDesktopFileName("io.github.handy_qwen")  # its menu entry, which portals go by
    app.setQuitOnLastWindowClosed(False)
    way_out = WayOut(app)
    from handy_qwen.app.windows import ProgramWindows
    from handy_qwen.ui.desk import Desk
    from handy_qwen.ui.setup.guide import Guide

    program = Program(way_out.ask, is_hidden=is_hidden)
    windows = ProgramWindows(program)
    commands = AppCommands(program, _open_file, way_out.ask, windows.open)
    desk = Desk(program.controller.post, commands, program.level_db, compositing_for(os.environ))
    guide = Guide(
        lambda what: program.controller.post(Requested(what, time.monotonic())),
        commands,
        program.level_db,
        windows.models,
    )
    desk.view_changed.connect(guide.show_view)
    windows.show(desk, commands, guide)
    logger.info("the tray icon is shown")

    @cache
    def end() -> None:
        in_order(guide.close, windows.close, desk.close, lambda: program.close(windows.keepers()))

    # At the end of a session Windows ends the process right after this signal.
    app.aboutToQuit.connect(end)
    try:
        program.start(desk.on_view, guide.open, windows.workers())
        app.exec()
    finally:
        end()
        way_out.close()
    return 0


def _open_file(path: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


def _on_qt_message(kind: QtMsgType, _context: object, message: str) -> None:
    logger.log(QT_LEVELS.get(kind, logging.WARNING), "Qt: %s", message)
