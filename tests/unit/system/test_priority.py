"""What is told to the system about work that somebody waits for, and work that can wait."""

import ctypes
import os
import sys
import threading
import types

import pytest

from handy_qwen.system import priority
from handy_qwen.system.priority import PerformanceBoost, in_background

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="nice of a thread is Linux's")


def nice_of_this_thread():
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@linux
def test_background_work_is_nicer_and_so_are_the_threads_it_starts():
    def look():
        inner = []
        helper = threading.Thread(target=lambda: inner.append(nice_of_this_thread()))
        helper.start()
        helper.join()
        return nice_of_this_thread(), inner[0], threading.current_thread().name

    usual = nice_of_this_thread()
    assert in_background("models-convert", look) == (priority.NICE, priority.NICE, "models-convert")
    assert nice_of_this_thread() == usual


def test_what_background_work_raises_arrives():
    def fail():
        raise KeyboardInterrupt("stop")

    with pytest.raises(KeyboardInterrupt, match="stop"):
        in_background("models-convert", fail)


def test_a_system_that_refuses_does_not_stop_the_work(monkeypatch):
    def refuse(*_args):
        raise PermissionError

    monkeypatch.setattr("os.setpriority", refuse, raising=False)
    assert in_background("models-convert", lambda: 3) == 3


def test_haste_on_macos_begins_and_ends_one_activity(monkeypatch):
    calls = []
    info = types.SimpleNamespace(
        beginActivityWithOptions_reason_=lambda options, _reason: calls.append(options) or "token",
        endActivity_=calls.append,
    )
    appkit = types.SimpleNamespace(NSProcessInfo=types.SimpleNamespace(processInfo=lambda: info))
    library = types.SimpleNamespace(pthread_set_qos_class_self_np=lambda kind, _: calls.append(kind))
    monkeypatch.setattr(priority.sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "AppKit", appkit)
    monkeypatch.setattr(priority.ctypes, "CDLL", lambda _name: library)
    boost = PerformanceBoost()
    for is_waiting in (True, True, False, False):
        boost(is_waiting)
    assert calls == [0x19, 0x00EFFFFF, "token"]


class Kernel:
    """kernel32, and what it was told."""

    def __init__(self, answer):
        self.answer, self.told = answer, []
        self.GetCurrentProcess = lambda: 7
        self.GetCurrentProcess.restype = None

    def SetProcessInformation(self, process, kind, state, size):  # noqa: N802
        self.told.append((process.value, kind, list(state), size))
        return self.answer


def test_haste_on_windows_ends_the_throttling_and_leaves_it_to_the_system_again(monkeypatch):
    kernel = Kernel(1)
    monkeypatch.setattr(priority.sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_a, **_k: kernel, raising=False)
    boost = PerformanceBoost()
    boost(True)
    boost(False)
    assert kernel.told == [(7, 4, [1, 1, 0], 12), (7, 4, [1, 0, 0], 12)]


def test_a_windows_that_knows_no_throttling_is_no_error(monkeypatch):
    kernel = Kernel(0)
    monkeypatch.setattr(priority.sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_a, **_k: kernel, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: 87, raising=False)
    monkeypatch.setattr(ctypes, "WinError", lambda _code: OSError("87"), raising=False)
    boost = PerformanceBoost()
    boost(True)
    boost(False)
    assert len(kernel.told) == 1, "it is not asked again and again"


@pytest.mark.skipif(sys.platform != "win32", reason="asks Windows")
def test_windows_accepts_both():
    for is_waiting in (True, False):
        priority._throttle(is_waiting)


@linux
def test_haste_on_linux_changes_nothing():
    usual = nice_of_this_thread()
    PerformanceBoost()(True)
    assert nice_of_this_thread() == usual
