"""The log: private, small, and the end of every error that nobody caught."""

import io
import logging
import os
import stat
import sys
import threading

import pytest

from handy_qwen import log as log_module
from handy_qwen.log import CRASH_FILE, KEPT, Log

logger = logging.getLogger("handy_qwen.test")


@pytest.fixture
def log(tmp_path):
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    level = logging.getLogger().level
    one = Log(tmp_path / "log")
    yield one
    one.close()
    one.close()
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook) == hooks
    assert logging.getLogger().level == level


def test_what_happens_is_written_with_time_and_thread(log):
    logger.info("model loaded")
    logger.debug("details")
    text = log.path.read_text(encoding="utf-8")
    assert "INFO    MainThread handy_qwen.test: model loaded" in text
    assert "details" not in text
    assert (log.path.parent / CRASH_FILE).is_file(), "crashes in native code have a file"


def test_debug_says_more_and_also_to_the_terminal(tmp_path):
    terminal = io.StringIO()
    log = Log(tmp_path, is_debug=True, console=terminal)
    try:
        logger.debug("details")
        assert "details" in log.path.read_text(encoding="utf-8")
        assert "details" in terminal.getvalue()
    finally:
        log.close()


def test_the_terminal_gets_every_line_also_while_a_library_turns_stderr_off(tmp_path):
    with (tmp_path / "terminal").open("w+") as terminal:
        kept = os.dup(terminal.fileno())
        log = Log(tmp_path / "log", is_debug=True, console=terminal)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, terminal.fileno())  # what sounddevice does while it starts PortAudio
            logger.info("the hotkeys are set")
            os.dup2(kept, terminal.fileno())
        finally:
            os.close(nowhere)
            os.close(kept)
            log.close()
        assert "the hotkeys are set" in (tmp_path / "terminal").read_text(encoding="utf-8")
        terminal.write("still open")  # the console is not the log's to close


@pytest.mark.unix("modes are POSIX's")
def test_only_the_owner_can_read_the_log_also_after_it_was_rotated(log, monkeypatch):
    log.path.chmod(0o644)
    monkeypatch.setattr(log._handlers[0], "maxBytes", 1000)
    for n in range(200):
        logger.info("line %d with some words", n)
    files = sorted(log.path.parent.iterdir())
    assert len(files) == 1 + KEPT + 1, "the log, the older ones, the crash file"
    assert {stat.S_IMODE(path.stat().st_mode) for path in files if path.suffix != ".2"} == {0o600}
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700


@pytest.mark.expects_log
def test_uncaught_errors_of_main_and_threads_and_destructors_are_logged(log, capsys):
    def fail():
        raise RuntimeError("in a thread")

    class Fragile:
        def __del__(self):
            raise RuntimeError("in a destructor")

    # pytest has hooks of its own in place while a test runs: ours are called as Python would.
    thread = threading.Thread(target=fail, name="worker")
    threading.excepthook = log_module._log_uncaught_of_thread
    thread.start()
    thread.join()
    sys.unraisablehook = log_module._log_unraisable
    Fragile()
    sys.excepthook(RuntimeError, RuntimeError("in main"), None)
    text = log.path.read_text(encoding="utf-8")
    assert "uncaught error in worker" in text
    for place in ("in a thread", "in a destructor", "in main"):
        assert f"RuntimeError: {place}" in text
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert log.path.read_text(encoding="utf-8") == text, "an interrupt is no error"
    assert "KeyboardInterrupt" in capsys.readouterr().err
