"""Shared by the commands: error messages, progress, and interruptible work."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import sys
import textwrap
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from itertools import zip_longest
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TextIO, TypeVar

from handy_qwen.core.models import InstallStage, Progress
from handy_qwen.errors import HandyError
from handy_qwen.message import Message
from handy_qwen.models.device_mark import no_crash

if TYPE_CHECKING:
    from handy_qwen.engine.api import Cancel

SIGNALED = 128  # added to a signal's number, the exit status of a program that the signal ended
_STOP_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
_GRACE_S = 3.0
_BAR_CHARS = 24
_BAR_LINE_CHARS = _BAR_CHARS + 8
_LEAST_COLUMNS, _LEAST_CELL = 40, 8
_BETWEEN, _INDENT = "  ", "  "  # columns of a table, lines of a cell
_WORDS = {
    InstallStage.WAITING: "waiting for another process",
    InstallStage.DOWNLOADING: "downloading",
    InstallStage.UNPACKING: "unpacking",
    InstallStage.CHECKING: "checking",
    InstallStage.CONVERTING: "converting",
    InstallStage.TESTING: "trying it out",
}
_STALLED = "connection lost, retrying"
_LOG_PARTS = 10  # of a stage
_LOG_EVERY_S = 30.0
T = TypeVar("T")


class UsageError(HandyError):
    """The command was called in a wrong way; nothing was done."""


class StoppedError(KeyboardInterrupt):
    """The system asked the program to terminate. ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


@contextmanager
def stoppable() -> Iterator[None]:
    """Treat a termination signal like Ctrl-C inside, so that unfinished work is cleaned up."""

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        raise StoppedError(number)

    # A signal that is ignored stays ignored: nohup relies on it.
    numbers = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def open_streams() -> None:
    """Make standard input, output and error usable, in UTF-8, even if they are closed.

    Otherwise the next files opened would get their descriptors, and messages would go into them. Writing to a
    closed standard output fails, as in other programs; messages are dropped.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = number
            if not _is_open(number):  # the next descriptor is the lowest free one
                descriptor = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # the system's legacy encoding may not have the characters
            # File names may be any bytes. Lines end in the same way on every system, as in our files.
            stream.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def complain(error: HandyError) -> None:
    """Print an error and its hint."""
    say(f"handy-qwen: {error}")


def say(text: str) -> None:
    """Print a message that is not a result, on its own line."""
    tell(f"{_harmless(text)}\n")


def tell(text: str) -> None:
    """Write ``text`` to stderr unchanged. If nobody can read it, the work continues."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        _abandon(sys.stderr)


def agrees(question: str) -> bool:
    """Ask the user; anything but a plain yes is no. Raises UsageError: not a terminal."""
    if not sys.stdin.isatty():
        raise UsageError(Message("Can't ask here."), Message("Pass --yes to delete without a question."))
    tell(f"{question} [y/N] ")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _harmless(text: str) -> str:
    """``text`` without control characters: file names may contain any."""
    return "".join("\ufffd" if unicodedata.category(char) == "Cc" else char for char in text)


def write(text: str) -> None:
    """Write a result to stdout and flush. Raises HandyError; BrokenPipeError: the reader is gone."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon(sys.stdout)
        raise
    except OSError as exc:
        _abandon(sys.stdout)
        if exc.errno == errno.EBADF:  # closed by the parent process: see ``open_streams``
            raise HandyError(
                Message("There is no standard output."), Message("Redirect it to a file or a terminal.")
            ) from exc
        title = Message("Can't write to standard output: {reason}.", reason=exc.strerror)
        hint = Message("Redirect it somewhere else.")
        raise HandyError(title, hint) from exc


def write_json(value: object) -> None:
    """Write a result as JSON."""
    write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def width() -> int:
    """The width of the terminal; 80 if unknown."""
    return max(_LEAST_COLUMNS, shutil.get_terminal_size().columns)


def wrapped(text: str, indent: str = "", *, first: str | None = None, room: int = 0) -> list[str]:
    """``text`` in lines of at most ``room`` columns, or those of the terminal.

    ``indent`` is before each, ``first`` before the first if that is another.
    """
    return textwrap.wrap(
        text,
        room or width(),
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def columns(rows: Sequence[Sequence[str]], room: int) -> list[str]:
    """A table of at most ``room`` columns; further lines of a cell are indented."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = room - len(_BETWEEN) * (len(widths) - 1)
    while sum(widths) > left and max(widths) > _LEAST_CELL:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in rows:
        cells = [
            wrapped(cell, _INDENT, first="", room=size) if len(cell) > size else [cell]
            for cell, size in zip(row, widths, strict=True)
        ]
        lines += [
            _BETWEEN.join(map(str.ljust, parts, widths)).rstrip()
            for parts in zip_longest(*cells, fillvalue="")
        ]
    return lines


def _abandon(stream: TextIO) -> None:
    """Discard what is buffered, or Python would try and fail again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class ProgressLine:
    """A progress line on the terminal; silent if stderr is not one."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._last = ""

    def show(self, what: str, part: float) -> None:
        """Show that ``part`` (0 to 1) of ``what`` is done."""
        filled = round(part * _BAR_CHARS)
        room = max(0, shutil.get_terminal_size().columns - _BAR_LINE_CHARS)  # a longer one cannot be redrawn
        self._draw(f"{'█' * filled}{'░' * (_BAR_CHARS - filled)} {part:4.0%}  {_harmless(what)[:room]}")

    def clear(self) -> None:
        """Remove the line before other output."""
        self._draw("")

    def _draw(self, line: str) -> None:
        if self._is_shown and line != self._last:
            tell(f"\r\x1b[K{line}")
            self._last = line


def interruptible(work: Callable[[], T], cancel: Cancel | None = None) -> T:
    """Run ``work`` on another thread; return its result or raise its error. Ctrl-C sets ``cancel`` and waits.

    A long run of the model cannot be interrupted from within: Python handles signals only between its own
    instructions, and on the main thread. And an interrupted import of native code is an ImportError.

    Work that does not end (waiting for a pipe without a writer) cannot be stopped from here, and Python would
    wait for it at exit: the process is then ended without it, as after a second Ctrl-C, since the model must
    not be closed while the thread still runs it.
    """
    future: Future[T] = Future()

    def settle() -> None:
        try:
            future.set_result(work())
        except BaseException as exc:  # raised again for the caller
            future.set_exception(exc)

    try:
        threading.Thread(target=settle, name="work", daemon=True).start()
        while not future.done():
            wait([future], 0.1)  # with a timeout, so that signals are handled on every system
    except KeyboardInterrupt as exc:
        if cancel is not None:
            cancel.set()
        try:
            has_ended = wait([future], _GRACE_S).done
        except KeyboardInterrupt:  # again: the user will not wait
            has_ended = set()
        if not has_ended:
            no_crash()
            os._exit(exit_status(exc))
        raise
    return future.result()


def exit_status(interrupt: KeyboardInterrupt) -> int:
    """The exit status of a program ended by ``interrupt``."""
    return SIGNALED + (interrupt.number if isinstance(interrupt, StoppedError) else signal.SIGINT)


class InstallProgress:
    """Shows ``Progress`` on stderr: one line redrawn on a terminal, some lines in a log. For one thread."""

    def __init__(self) -> None:
        self._line = ProgressLine()
        self._logged: tuple[InstallStage, bool, int] | None = None  # stage, whether it is stalled, its tenth
        self._logged_s = 0.0
        self._has_waited = False

    def tell(self, progress: Progress) -> None:
        """Show ``progress``."""
        share = progress.share or 0.0
        if sys.stderr.isatty():
            self._line.show(progress_text(progress), share)
            return
        if progress.stage is InstallStage.WAITING and not self._has_waited:
            self._has_waited = True  # nearly always over at once
            return
        now_s, step = time.monotonic(), (progress.stage, progress.is_stalled, int(share * _LOG_PARTS))
        if step != self._logged or now_s - self._logged_s >= _LOG_EVERY_S:
            self._logged, self._logged_s = step, now_s
            percent = f"{share:4.0%} " if progress.share is not None else ""
            say(f"{percent}{progress_text(progress)}")

    def clear(self) -> None:
        """Remove the line before other output."""
        self._line.clear()


def progress_text(progress: Progress) -> str:
    """What is done, how much of it, how fast, and the time left."""
    from handy_qwen.models.storage import size_text  # slow to import

    parts = [_STALLED if progress.is_stalled else _WORDS[progress.stage]]
    if progress.total_bytes:
        done, total = size_text(progress.done_bytes), size_text(progress.total_bytes)
        if done[-2:] == total[-2:]:
            done = done[:-3]  # to fit into 80 columns
        parts = [f"{parts[0]} {done} of {total}"]
    if progress.rate_bytes_s:
        parts.append(f"{size_text(int(progress.rate_bytes_s))}/s")
    if progress.remaining_s is not None:
        parts.append(f"{_duration(progress.remaining_s)} left")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    if seconds < 6000:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
