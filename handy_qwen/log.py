"""The log: a small rotating file that only its owner can read.

Uncaught errors of threads and destructors are logged here, and native crashes in ``crash.log``. What the user
said, pasted or typed is never logged: events and effects only by name, errors by title.
"""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import os
import sys
import threading
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import TextIO

from handy_qwen.paths import make_private

logger = logging.getLogger(__name__)

FILE = "handy-qwen.log"
CRASH_FILE = "crash.log"
MAX_BYTES = 500_000
KEPT = 2  # older files
LINE = "%(asctime)s.%(msecs)03d %(levelname)-7s %(threadName)s %(name)s: %(message)s"


class _PrivateFileHandler(logging.handlers.RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        return _open_private(Path(self.baseFilename))


class _ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes to a copy of the console's descriptor.

    The original is redirected while sounddevice starts PortAudio, and while mpg123 reads an MP3.
    """

    def __init__(self, console: TextIO) -> None:
        try:
            descriptor = os.dup(console.fileno())
        except OSError:  # a stream without a file, or too many open files
            self._copy = None
        else:
            self._copy = os.fdopen(
                descriptor, "w", buffering=1, encoding=console.encoding, errors=console.errors
            )
        super().__init__(self._copy or console)

    def close(self) -> None:
        super().close()
        if self._copy is not None:
            self._copy.close()


def _open_private(path: Path) -> TextIOWrapper:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if sys.platform != "win32":
        os.fchmod(handle, 0o600)  # of a file created under another umask
    return os.fdopen(handle, "a", encoding="utf-8")


class Log:
    """The log of this run. ``close`` restores everything; for tests, and at exit."""

    def __init__(self, folder: Path, *, is_debug: bool = False, console: TextIO | None = None) -> None:
        make_private(folder)
        self.path = folder / FILE
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(logging.DEBUG if is_debug else logging.INFO)
        self._handlers: list[logging.Handler] = [
            _PrivateFileHandler(self.path, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8")
        ]
        if console is not None:
            self._handlers.append(_ConsoleHandler(console))
        for handler in self._handlers:
            handler.setFormatter(logging.Formatter(LINE, "%Y-%m-%d %H:%M:%S"))
            root.addHandler(handler)
        self._crash_file = _open_private(folder / CRASH_FILE)
        faulthandler.enable(self._crash_file)
        self._hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
        sys.excepthook = _log_uncaught
        threading.excepthook = _log_uncaught_of_thread
        sys.unraisablehook = _log_unraisable

    def close(self) -> None:
        """Close the files and remove the hooks. Safe to call twice."""
        root = logging.getLogger()
        for handler in self._handlers:
            root.removeHandler(handler)
            handler.close()
        if self._handlers:
            root.setLevel(self._level)
            sys.excepthook, threading.excepthook, sys.unraisablehook = self._hooks
            faulthandler.disable()
            self._crash_file.close()
        self._handlers = []


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logger.critical("uncaught error", exc_info=(kind, error, traceback))


def _log_uncaught_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        name = args.thread.name if args.thread else "a thread that is gone"
        logger.critical(
            "uncaught error in %s", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
        )


def _log_unraisable(args: sys.UnraisableHookArgs) -> None:
    if args.exc_value is not None:
        logger.error(
            "error that could not be raised", exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
        )
