"""What tells of sleep on systems that no test runs on: their interfaces, faked."""

import ctypes
import sys
from types import ModuleType, SimpleNamespace

import pytest

from handy_qwen.system import power
from handy_qwen.system.power import LogindPower, MacPower, WindowsPower, power_watch_for


@pytest.fixture
def heard():
    return []


def watch(kind, heard):
    return kind(lambda: heard.append("sleep"), lambda: heard.append("wake"))


@pytest.mark.parametrize(
    ("platform", "kind"), [("linux", LogindPower), ("win32", WindowsPower), ("darwin", MacPower)]
)
def test_each_system_has_its_own(platform, kind):
    assert type(power_watch_for(lambda: None, lambda: None, platform)) is kind


def test_windows_calls_back_at_suspend_and_resume_until_it_is_told_to_stop(heard, monkeypatch):
    registered = []

    def register(flags, parameters, handle):
        assert flags == 2, "DEVICE_NOTIFY_CALLBACK"
        registered.append(parameters._obj)
        handle._obj.value = 7
        return 0

    powrprof = SimpleNamespace(
        PowerRegisterSuspendResumeNotification=register,
        PowerUnregisterSuspendResumeNotification=lambda handle: registered.append(handle.value),
    )
    monkeypatch.setattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE, raising=False)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(powrprof=powrprof), raising=False)
    watching = watch(WindowsPower, heard)
    watching.start()
    for event in (0x4, 0x7, 0x12, 0xA):  # suspend, resumed by the user, resumed, another status
        assert registered[0].callback(None, event, None) == 0
    assert heard == ["sleep", "wake"]
    watching.stop(1.0)
    watching.stop(1.0)
    assert registered[1:] == [7]


def test_macos_notifies_until_it_is_told_to_stop(heard, monkeypatch):
    observed = {}

    class Center:
        def addObserverForName_object_queue_usingBlock_(self, name, _of, _queue, block):  # noqa: N802
            observed[name] = block
            return name

        def removeObserver_(self, name):  # noqa: N802
            del observed[name]

    center = Center()
    appkit = ModuleType("AppKit")
    appkit.NSWorkspace = SimpleNamespace(
        sharedWorkspace=lambda: SimpleNamespace(notificationCenter=lambda: center)
    )
    monkeypatch.setitem(sys.modules, "AppKit", appkit)
    watching = watch(MacPower, heard)
    watching.start()
    for name in ("WillSleep", "DidWake", "SessionDidBecomeActive"):
        observed[f"NSWorkspace{name}Notification"](None)
    assert heard == ["sleep", "wake", "wake"]
    watching.stop(1.0)
    assert not observed


@pytest.mark.linux("D-Bus is on Linux only")
def test_without_a_system_bus_nothing_happens_and_the_end_is_quick(heard, tmp_path):
    watching = LogindPower(
        lambda: heard.append("sleep"), lambda: heard.append("wake"), f"unix:path={tmp_path}/none"
    )
    watching.start()
    watching.stop(20.0)
    assert not watching.thread.is_alive()
    assert heard == []


def test_a_wait_ends_with_its_reason_or_its_time():
    answers = iter([True, True, False])
    power.wait_while(lambda: next(answers), 20.0)
    power.wait_while(lambda: True, 0.0)
