"""The ways out of the program."""

import os
import signal

import pytest

from handy_qwen.app.desktop import WayOut

FORMER = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}


@pytest.mark.unix("there is none on Windows")
def test_who_was_started_to_outlive_the_terminal_does(qapp):
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        way_out = WayOut(qapp)
        handler = signal.getsignal(signal.SIGHUP)
        way_out.close()
    finally:
        signal.signal(signal.SIGHUP, former)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, FORMER[number])
    assert handler is signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_after_all_has_ended_is_no_failure(qapp, monkeypatch, number):
    never = {getattr(signal, name, None) for name in ("SIGKILL", "SIGSTOP")}  # handled; Windows has neither
    former = {one: signal.getsignal(one) for one in signal.valid_signals() - never}
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    way_out = WayOut(qapp)
    try:
        way_out.close()
        signal.raise_signal(number)
    finally:
        for one, handler in former.items():
            if handler is not None and signal.getsignal(one) is not handler:
                signal.signal(one, handler)
    assert codes == [0]
