"""What the commands share: progress, output that fails, work that is interrupted."""

import io
import os
import signal
import threading
from types import SimpleNamespace

import pytest

from handy_qwen.cli import terminal as terminal_module
from handy_qwen.cli.terminal import (
    ProgressLine,
    StoppedError,
    complain,
    exit_status,
    interruptible,
    open_streams,
    stoppable,
    write,
)
from handy_qwen.engine.api import Cancel
from handy_qwen.errors import HandyError


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("handy_qwen.cli.terminal.sys", SimpleNamespace(stderr=terminal))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    return terminal


def test_the_name_of_a_file_does_nothing_to_the_terminal(terminal):
    ProgressLine().show("a\x1b[2J\r.wav", 0.5)
    assert terminal.getvalue().endswith("a\ufffd[2J\ufffd.wav")
    complain(HandyError("\x1b]0;title\x07\n\udc80.wav: there is no such file.", "Try again."))
    said = terminal.getvalue().partition("handy-qwen: ")[2]
    assert said == "\ufffd]0;title\ufffd\ufffd\udc80.wav: there is no such file. Try again.\n"


def test_progress_is_one_line_that_goes_away(terminal):
    line = ProgressLine()
    line.show("a.wav", 0.5)
    line.show("a.wav", 0.5)  # nothing new: nothing is drawn
    line.clear()
    assert terminal.getvalue() == "\r\x1b[K████████████░░░░░░░░░░░░  50%  a.wav\r\x1b[K"
    terminal.truncate(0)
    terminal.seek(0)
    line.show("x" * 200, 1.0)
    assert 50 < len(terminal.getvalue().removeprefix("\r\x1b[K")) < 60, "a second line could not be redrawn"


@pytest.mark.parametrize("term", ["dumb", None])
def test_progress_is_not_drawn_where_a_line_cannot_be_redrawn(terminal, monkeypatch, term):
    if term:
        monkeypatch.setenv("TERM", term)
    else:
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    line = ProgressLine()
    line.show("a.wav", 0.5)
    line.clear()
    assert terminal.getvalue() == ""


def test_a_result_is_written_at_once(monkeypatch):
    read, written = os.pipe()
    with os.fdopen(read, "rb", buffering=0) as reader, os.fdopen(written, "w", encoding="ascii") as stdout:
        streams = {"stdin": stdout, "stdout": stdout, "stderr": stdout}
        monkeypatch.setattr("handy_qwen.cli.terminal.sys", SimpleNamespace(**streams))
        open_streams()
        write("tëxt\n")
        assert reader.read(100) == "tëxt\n".encode(), "the same on every system"


def test_work_gives_its_result_or_its_error():
    assert interruptible(lambda: 7, Cancel()) == 7

    def fail():
        raise HandyError("It failed.")

    with pytest.raises(HandyError, match="It failed"):
        interruptible(fail, Cancel())


@pytest.fixture
def ctrl_c():
    """Ctrl-C counts, also where the tests were started in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupt_stops_the_work_and_waits_for_it():
    begun, ended, cancel = threading.Event(), threading.Event(), Cancel()

    def work():
        begun.set()
        while not cancel.is_set:
            threading.Event().wait(0.01)
        ended.set()

    def interrupt():
        begun.wait()
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        interruptible(work, cancel)
    assert ended.is_set()


def test_a_second_interrupt_leaves_the_process_at_once(monkeypatch):
    release, statuses = threading.Event(), []
    interrupts = iter((KeyboardInterrupt(), KeyboardInterrupt()))

    def interrupted(_futures, _timeout_s):
        raise next(interrupts)

    monkeypatch.setattr(terminal_module, "wait", interrupted)
    monkeypatch.setattr(os, "_exit", lambda status: (statuses.append(status), release.set()))
    with pytest.raises(KeyboardInterrupt):
        interruptible(release.wait, Cancel())
    assert statuses == [130]


@pytest.mark.parametrize(
    "name", ["SIGTERM", pytest.param("SIGHUP", marks=pytest.mark.unix("there is none on Windows"))]
)
def test_a_request_to_end_is_an_interrupt_meanwhile_and_then_what_it_was(name):
    number = getattr(signal, name)
    before = signal.signal(number, signal.default_int_handler)  # the tests may run under nohup
    try:
        with pytest.raises(StoppedError) as caught, stoppable():
            signal.raise_signal(number)
        assert exit_status(caught.value) == 128 + number
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with stoppable():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_status_after_ctrl_c():
    assert exit_status(KeyboardInterrupt()) == 130
