"""The thread of an event tap, with a stand-in for Quartz that knows only what is used of it."""

import threading

import pytest

from handy_qwen.system.hotkeys.macos import EventTap
from tests.waiting import wait_until


class Port:
    """A tap as the system has it."""

    def __init__(self, option, mask, callback, *, is_valid):
        self.option, self.mask, self.callback = option, mask, callback
        self.is_enabled = False
        self.is_valid = is_valid


class Loop:
    """The run loop of a thread: it runs as long as it has a valid source, and is not stopped."""

    def __init__(self):
        self.ports, self.changed, self.is_stopped = [], threading.Condition(), False


class FakeQuartz:
    kCGSessionEventTap, kCGHeadInsertEventTap = 1, 0  # noqa: N815
    kCGEventTapOptionDefault, kCGEventTapOptionListenOnly = 0, 1  # noqa: N815
    kCFRunLoopCommonModes = "common"  # noqa: N815

    def __init__(self, *, makes_taps=True, are_taps_valid=True):
        self.makes_taps, self.are_taps_valid = makes_taps, are_taps_valid
        self.ports, self.loops = [], threading.local()
        self.all_loops = []

    def CGEventTapCreate(self, place, where, option, mask, callback, info):  # noqa: N802, PLR0917
        assert (place, where, info) == (1, 0, None)
        if not self.makes_taps:
            return None
        self.ports.append(Port(option, mask, callback, is_valid=self.are_taps_valid))
        return self.ports[-1]

    def CFMachPortCreateRunLoopSource(self, allocator, port, order):  # noqa: N802
        assert (allocator, order) == (None, 0)
        return port if port.is_valid else None

    def CFRunLoopGetCurrent(self):  # noqa: N802
        if not hasattr(self.loops, "own"):
            self.loops.own = Loop()
            self.all_loops.append(self.loops.own)
        return self.loops.own

    def CFRunLoopAddSource(self, loop, source, mode):  # noqa: N802
        assert mode == "common"
        assert source is not None, "macOS ends the process"
        loop.ports.append(source)

    def CGEventTapEnable(self, port, is_enabled):  # noqa: N802
        port.is_enabled = is_enabled

    def CFRunLoopRun(self):  # noqa: N802
        loop = self.loops.own
        loop.is_stopped = False  # what was said before it runs is forgotten
        with loop.changed:
            loop.changed.wait_for(lambda: loop.is_stopped or not any(port.is_valid for port in loop.ports))

    def CFRunLoopStop(self, loop):  # noqa: N802
        assert isinstance(loop, Loop), "for None macOS ends the process"
        with loop.changed:
            loop.is_stopped = True
            loop.changed.notify_all()

    def CFMachPortInvalidate(self, port):  # noqa: N802
        port.is_valid = False
        for loop in self.all_loops:
            with loop.changed:
                loop.changed.notify_all()


def started(tap):
    """What ``tap`` says of its start, which must not last."""
    said = []
    starter = threading.Thread(target=lambda: said.append(tap.start()), daemon=True)
    starter.start()
    starter.join(10.0)
    assert said, "it hangs"
    return said[0]


@pytest.mark.parametrize(("can_keep", "option"), [(True, 0), (False, 1)])
def test_a_tap_shows_events_of_its_kinds_until_it_is_stopped(can_keep, option):
    quartz, seen = FakeQuartz(), []

    def hear(kind, event):
        seen.append((kind, event))
        assert tap.thread.piece() is not None
        return event if event == "a" else None

    tap = EventTap(quartz, (10, 11), hear, can_keep=can_keep)
    assert tap.start()
    assert tap.thread.piece() is None
    (port,) = quartz.ports
    assert (port.option, port.mask, port.is_enabled) == (option, 0b1100_0000_0000, True)
    assert tap.is_alive()
    assert [port.callback("proxy", 10, event, None) for event in ("a", "b")] == ["a", None]
    assert seen == [(10, "a"), (10, "b")]
    assert tap.thread.piece() is None
    tap.stop()
    tap.stop()
    assert not port.is_valid
    assert not tap.is_alive()


def test_a_tap_that_the_system_does_not_make_is_none():
    tap = EventTap(FakeQuartz(makes_taps=False), (10,), lambda _kind, event: event, can_keep=True)
    assert not tap.start()
    tap.stop()
    assert not tap.is_alive()


def test_a_tap_that_the_system_takes_away_at_once_is_none():
    tap = EventTap(FakeQuartz(are_taps_valid=False), (10,), lambda _kind, event: event, can_keep=True)
    assert not started(tap)
    tap.stop()
    assert not tap.is_alive()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_tap_that_cannot_be_listened_to_is_taken_away_again(monkeypatch):
    quartz = FakeQuartz()

    def fail(_port, _is_enabled):
        raise ValueError

    monkeypatch.setattr(quartz, "CGEventTapEnable", fail)
    tap = EventTap(quartz, (10,), lambda _kind, event: event, can_keep=True)
    assert not started(tap)
    assert not quartz.ports[0].is_valid, "all programs would wait for it"
    tap.stop()
    assert not tap.is_alive()


def test_a_tap_whose_port_the_system_takes_away_has_ended():
    quartz = FakeQuartz()
    tap = EventTap(quartz, (10,), lambda _kind, event: event, can_keep=True)
    tap.start()
    quartz.CFMachPortInvalidate(quartz.ports[0])
    wait_until(lambda: not tap.is_alive(), "its end")


@pytest.mark.expects_log
def test_an_event_that_is_not_understood_reaches_its_program():
    def fail(_kind, _event):
        raise ValueError

    quartz = FakeQuartz()
    tap = EventTap(quartz, (10,), fail, can_keep=True)
    tap.start()
    assert quartz.ports[0].callback("proxy", 10, "a", None) == "a"
    tap.stop()
