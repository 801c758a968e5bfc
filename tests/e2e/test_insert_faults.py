"""The clipboard's thread when the X server, or our own code, lets it down at any request."""

import threading
import time

import pytest
from Xlib import display, error
from Xlib.protocol import display as protocol

from handy_qwen.core.events import Delivery
from handy_qwen.core.ports import Method
from handy_qwen.errors import InsertError
from handy_qwen.system.insert import worker
from handy_qwen.system.insert.x11.selection import Clipboard
from handy_qwen.system.insert.x11.serving import Server
from handy_qwen.system.insert.x11.snapshot import Kept
from handy_qwen.system.insert.x11.transfer import Requestor
from tests.e2e.desk import Desktop, QtTarget, require
from tests.e2e.insertion import insertion_on

pytestmark = [pytest.mark.desktop, pytest.mark.expects_log]


@pytest.fixture(scope="module")
def desk():
    require(sound=False)
    with Desktop(tray=False, sound=False) as opened:
        yield opened


@pytest.fixture
def reader(desk):
    """Another program."""
    opened = Requestor(display.Display(desk.display))
    yield opened
    opened.close()


def read(reader):
    end_s = time.monotonic() + 1.0
    answer = reader.convert("CLIPBOARD", "UTF8_STRING", lambda: time.monotonic() > end_s, 1 << 20)
    return answer.value.data.decode() if answer and answer.value else None


def is_served(clipboard, reader, text):
    """Whether others get ``text``: one answer may fall to the fault, or the thread may have died of it."""
    return text in (read(reader), read(reader)) or not clipboard.thread.is_alive()


class Fault:
    """Raises at the so-manieth request of the thread ``clipboard`` from now on, once."""

    def __init__(self, problem, number):
        self.problem, self.left = problem, number

    def __call__(self):
        if threading.current_thread().name == "clipboard":
            self.left -= 1
            if self.left == -1:
                raise self.problem


@pytest.mark.parametrize(
    ("kind", "step"), [(error.BadWindow, 2), (RuntimeError, 3), (error.ConnectionClosedError, 7)]
)
def test_a_fault_at_any_request_is_never_a_success_and_never_the_end(desk, reader, monkeypatch, kind, step):
    fault = Fault(None, -1)
    send = protocol.Display.send_request

    def send_or_fail(self, *arguments):
        fault()  # the one of this round
        send(self, *arguments)

    monkeypatch.setattr(protocol.Display, "send_request", send_or_fail)
    number = 0
    has_come = True
    while has_come:
        clipboard = Clipboard(desk.display)
        if issubclass(kind, error.XError):
            problem = kind(reader.connection.display, bytes(32))
        else:
            problem = kind("a secret")
        fault = Fault(problem, number)
        use(clipboard, reader, f"text {number}")
        has_come, fault.left = fault.left < 0, -1
        if not clipboard.thread.is_alive():
            assert clipboard.thread.has_died()
            clipboard.thread.revive()
        clipboard.copy(f"again {number}")
        assert read(reader) == f"again {number}"
        clipboard.close(10)
        assert not clipboard.thread.is_alive()
        number += step
    assert number > 20


def use(clipboard, reader, text):
    """Copy, serve, offer and withdraw; what does not fail must be true."""
    try:
        clipboard.copy(text)
        assert is_served(clipboard, reader, text)
        offer = clipboard.offer("offered", 0, {"CLIPBOARD": Kept(clipboard.window, None)})
        assert is_served(clipboard, reader, "offered")
        clipboard.withdraw(offer)
        assert is_served(clipboard, reader, text)
        assert not clipboard.primary_belongs_to(reader.window.id)
    except InsertError:
        return


def test_a_paste_may_begin_at_the_moment_when_the_one_before_is_given_back(desk, reader):
    clipboard = Clipboard(desk.display)
    looked = {"CLIPBOARD": Kept(clipboard.window, None)}  # the text before was there, and now is not
    offer = clipboard.offer("next", 0, looked)
    assert read(reader) == "next"
    clipboard.withdraw(offer)
    assert read(reader) is None
    clipboard.close(10)


def test_a_paste_fails_visibly_when_the_clipboards_thread_dies_under_it(desk, monkeypatch):
    with insertion_on(desk) as insertion:
        window = desk.open(QtTarget)
        deal_with = Server.deal_with

        def die(*_):
            raise RuntimeError("a secret")

        copied = []
        monkeypatch.setattr(insertion.inserter, "_last_resort", copied.append)
        monkeypatch.setattr(Server, "deal_with", die)
        insertion.begin("said", Method.PASTE)
        delivered = insertion.result()
        monkeypatch.setattr(Server, "deal_with", deal_with)
        assert (delivered.how, delivered.note) == (Delivery.COPIED, worker.UNKNOWN_NOTE)
        assert insertion.backend.clipboard_thread.has_died()
        assert insertion.inserter.clipboard_thread is insertion.backend.clipboard_thread
        assert copied == ["said"]
        insertion.backend.clipboard_thread.revive()
        window.clear()
        assert insertion.insert("again", Method.PASTE) is Delivery.PASTED
        assert window.wait_for_text("again") == "again"
        window.close()
