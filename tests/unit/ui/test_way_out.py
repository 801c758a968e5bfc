"""The ways out of the program."""

import os
import signal
from functools import partial
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QTimer

from handy_qwen.app import desktop
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


class Restarted:
    """The program, which ends as soon as it has begun: the user has clicked on Restart."""

    starts_again, microphone = True, None

    def __init__(self, quit_app, *, is_hidden, number, folder):
        assert is_hidden
        self._number = number
        self.controller = SimpleNamespace(post=lambda _event: None)
        self.store = SimpleNamespace(path=folder / "settings.toml")
        QTimer.singleShot(0, quit_app)

    def start(self, on_view, open_window, workers, *, on_settings, has_tray):
        pass

    def level_db(self):
        return -100.0

    def close(self, _parts):
        if self._number is not None:
            signal.raise_signal(self._number)


class Windows:
    """The presenters, and all that is on the screen."""

    models = history = files = upkeep = vocabulary = permissions = None

    def __init__(self, *_given, **_more):
        pass

    def show(self, desk):
        pass

    def call(self, window):
        pass

    def workers(self):
        return {}

    def parts_to_close(self):
        return {}

    def has_tray(self):
        return True

    def show_view(self, view):
        pass

    show_settings = show_view

    def close(self):
        pass


@pytest.mark.parametrize("number", [None, signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_program_ends_to_start_again_ends_it_for_good(qapp, monkeypatch, tmp_path, number):
    """A logout, right after Restart was clicked: the program would be in its way."""
    monkeypatch.setattr(desktop, "QApplication", lambda _arguments: qapp)
    monkeypatch.setattr(desktop, "Program", partial(Restarted, number=number, folder=tmp_path))
    monkeypatch.setattr(desktop, "qInstallMessageHandler", lambda _handler: None)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")  # what it changes is as before afterwards
    monkeypatch.setattr("handy_qwen.ui.translation.use", lambda _language: None)
    monkeypatch.setattr(desktop, "ProgramWindows", Windows)
    monkeypatch.setattr("handy_qwen.ui.desk.Desk", Windows)
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    former = {one: signal.getsignal(one) for one in (getattr(signal, name, None) for name in names) if one}
    try:
        starts_again = desktop.run(is_hidden=True)
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)
        qapp.setQuitOnLastWindowClosed(True)
    assert starts_again == (number is None)
