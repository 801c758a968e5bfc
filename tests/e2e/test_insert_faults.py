"""Insertion when the X server, our own code or another program lets it down at the worst moment."""

import contextlib
import json
import select
import subprocess
import sys
import threading
import time

import pytest
from Xlib import X, Xatom, display, error
from Xlib.protocol import display as protocol

from handy_qwen.core.types import Delivery, Method
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert import backend, inserter
from handy_qwen.system.insert.backend import Deadline
from handy_qwen.system.x11.clipboard import Clipboard
from handy_qwen.system.x11.connection import connect
from handy_qwen.system.x11.selection import (
    SELECTIONS,
    NotFetchedError,
    Requestor,
    SelectionCache,
    SelectionOwner,
    Snapshot,
    text_content,
)
from tests.e2e.desk import Desktop, QtTarget, require
from tests.e2e.desk.processes import wait_until
from tests.e2e.insertion import insertion_on

pytestmark = pytest.mark.desktop


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


def read(reader, within_s=1.0):
    end_s = time.monotonic() + within_s
    with contextlib.suppress(NotFetchedError):
        value = reader.convert("CLIPBOARD", "UTF8_STRING", lambda: time.monotonic() > end_s, 1 << 20)
        return value.data.decode() if value else None


def is_served(clipboard, reader, text):
    """Whether others get ``text``: one answer may fall to the fault, or the thread may have died of it."""
    return read(reader) == text or not clipboard.thread.is_alive() or read(reader) == text


class Fault:
    """Raises at the so-manieth request of the thread ``clipboard`` from now on, once."""

    def __init__(self, problem, number):
        self.problem, self.left = problem, number

    def __call__(self):
        if threading.current_thread().name == "clipboard":
            self.left -= 1
            if self.left == -1:
                raise self.problem


@pytest.mark.expects_log
@pytest.mark.parametrize(
    ("kind", "step"), [(error.BadWindow, 3), (RuntimeError, 5), (error.ConnectionClosedError, 7)]
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
        if clipboard._inbox.is_over:  # it may not quite have ended when the caller gets its error
            clipboard.thread.join(10)
        if not clipboard.thread.is_alive():
            assert clipboard.thread.has_died()
            clipboard.thread.revive()
        clipboard.copy(f"again {number}")
        assert read(reader, 30.0) == f"again {number}"
        clipboard.close(10)
        assert not clipboard.thread.is_alive()
        number += step
    assert number > 20


def use(clipboard, reader, text):
    """Copy, serve, offer and withdraw; what does not fail must be true."""
    try:
        clipboard.copy(text)
        assert is_served(clipboard, reader, text)
        offer = clipboard.offer("offered", 0, {"CLIPBOARD": Snapshot(clipboard.window, None)})
        assert is_served(clipboard, reader, "offered")
        clipboard.withdraw(offer)
        assert is_served(clipboard, reader, text)
        assert not clipboard.primary_belongs_to(reader.window.id)
    except InsertError:
        return


def test_a_paste_may_begin_at_the_moment_when_the_one_before_is_given_back(desk, reader):
    clipboard = Clipboard(desk.display)
    looked = {"CLIPBOARD": Snapshot(clipboard.window, None)}  # the text before was there, and now is not
    offer = clipboard.offer("next", 0, looked)
    assert read(reader, 30.0) == "next"
    clipboard.withdraw(offer)
    assert read(reader) is None
    clipboard.close(10)


@pytest.mark.expects_log
def test_while_a_clipboard_cannot_come_back_callers_get_their_error_at_once(desk, monkeypatch):
    def fail(*_, **_more):
        raise InsertError("No.", InsertReason.UNSUPPORTED_DESKTOP)

    clipboard = Clipboard(desk.display)
    with monkeypatch.context() as patch:
        patch.setattr(SelectionOwner, "process_events", fail)
        patch.setattr("handy_qwen.system.x11.clipboard.connect", fail)
        clipboard._inbox.put(lambda: None)  # wakes the thread, which dies
        clipboard.thread.join(10)
        with pytest.raises(InsertError, match="No"):
            clipboard.thread.revive()
        assert clipboard._inbox.is_over
        with pytest.raises(InsertError):
            clipboard.copy("said")
    clipboard.thread.revive()
    clipboard.copy("said")
    clipboard.close(10)


@pytest.mark.expects_log
def test_a_paste_fails_visibly_when_the_clipboards_thread_dies_under_it(desk, monkeypatch):
    with insertion_on(desk) as insertion:
        window = desk.open(QtTarget)
        handle = SelectionOwner.handle

        def die(owner, happened):
            """When the text is asked for; a window may ask for its formats before the paste."""
            if happened.type == X.SelectionRequest and happened.target != owner.atom("TARGETS"):
                raise RuntimeError("a secret")
            handle(owner, happened)

        copied = []
        monkeypatch.setattr(insertion.inserter, "_last_resort", copied.append)
        monkeypatch.setattr(SelectionOwner, "handle", die)
        insertion.begin("said", Method.PASTE)
        delivered = insertion.result()
        monkeypatch.setattr(SelectionOwner, "handle", handle)
        assert (delivered.how, delivered.note) == (Delivery.COPIED, inserter.UNKNOWN_NOTE)
        assert insertion.backend.clipboard_thread.has_died()
        assert insertion.inserter.clipboard_thread is insertion.backend.clipboard_thread
        assert copied == ["said"]
        insertion.backend.clipboard_thread.revive()
        window.clear()
        assert insertion.insert("again", Method.PASTE) is Delivery.PASTED
        assert window.wait_for_text("again") == "again"
        window.close()


class Program:
    """Another program that owns selections."""

    def __init__(self, desk):
        self.server = SelectionOwner(connect(desk.display, is_listening=True))
        self._lock = threading.RLock()
        self._is_over = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def own(self, selection, text):
        with self._lock:
            self.server.own(selection, text_content(text))

    def before_its_next_answer(self, action):
        give = self.server._give

        def act_and_give(*request):
            self.server._give = give
            action()
            return give(*request)

        self.server._give = act_and_give

    def close(self):
        self._is_over = True
        self._thread.join(10)
        self.server.close()

    def _run(self):
        while not self._is_over:
            with self._lock:
                self.server.process_events()
            select.select([self.server.connection], [], [], 0.01)


@pytest.fixture
def programs(desk):
    """Two other programs."""
    opened = Program(desk), Program(desk)
    yield opened
    for program in opened:
        program.close()


@pytest.fixture
def keeper(desk, monkeypatch):
    monkeypatch.setattr(backend, "WAIT_S", 3.0)
    opened = SelectionCache(connect(desk.display, is_listening=True))
    yield opened
    opened.close()


def test_what_is_copied_while_the_other_selection_is_slow_is_what_is_kept(keeper, programs):
    """By the same window: the owner tells nothing."""
    one, slow = programs
    one.own("CLIPBOARD", "older")
    slow.own("PRIMARY", "marked")
    slow.before_its_next_answer(lambda: one.own("CLIPBOARD", "newer"))
    kept = keeper.fetch(SELECTIONS, 0, Deadline())
    values = [kept[selection].content["UTF8_STRING"].data for selection in SELECTIONS]
    assert values == [b"newer", b"marked"]


def test_a_program_that_copies_without_end_cannot_be_kept_and_holds_nothing_up(keeper, programs):
    one, restless = programs
    one.own("PRIMARY", "marked")

    def again():
        restless.before_its_next_answer(again)
        # The server may be too busy to tell the time; who waits for it answers meanwhile, and waits again.
        with contextlib.suppress(InsertError, RecursionError):
            restless.own("CLIPBOARD", "again")

    restless.own("CLIPBOARD", "at first")
    again()
    with pytest.raises(InsertError):
        keeper.fetch(SELECTIONS, 0, Deadline())


def test_what_says_that_it_is_too_large_is_not_fetched(reader, programs):
    program, _ = programs
    program.own("CLIPBOARD", "x" * (1 << 20))
    program.server._go_on = lambda *_: None  # it never sends a piece
    end_s = time.monotonic() + 5
    with pytest.raises(NotFetchedError) as problem:
        reader.convert("CLIPBOARD", "UTF8_STRING", lambda: time.monotonic() > end_s, 1 << 19)
    assert problem.value.is_too_large


@contextlib.contextmanager
def busy(clipboard):
    """The clipboard's thread is busy inside, and has not seen what happened meanwhile when it goes on."""
    is_busy, go_on = threading.Event(), threading.Event()
    clipboard._inbox.put(lambda: (is_busy.set(), go_on.wait(10)))
    assert is_busy.wait(10)
    try:
        yield
    finally:
        go_on.set()


def test_what_is_copied_between_the_look_and_the_paste_is_not_destroyed(desk, reader, programs):
    clipboard = Clipboard(desk.display)
    clipboard.copy("ours")
    looked = {"CLIPBOARD": Snapshot(clipboard.window, None)}
    problems = []

    def offer():
        try:
            clipboard.offer("said", 0, looked)
        except InsertError as problem:
            problems.append(problem.reason)

    with busy(clipboard):
        paste = threading.Thread(target=offer)
        paste.start()
        programs[0].own("CLIPBOARD", "copied")
        wait_until(lambda: len(clipboard._inbox._calls) == 1, "the offer to wait")
    paste.join(10)
    assert problems == [InsertReason.CLIPBOARD_IN_USE]
    assert read(reader, 30.0) == "copied"
    clipboard.close(10)


def test_a_stall_in_the_middle_of_a_transfer_leaves_the_owner_alone(keeper, programs, monkeypatch):
    program, _ = programs
    program.own("CLIPBOARD", "x" * (1 << 20))
    go_on, pieces = program.server._go_on, []

    def stall(*property_):
        pieces.append(property_)
        if len(pieces) < 4:
            go_on(*property_)

    program.server._go_on = stall
    with pytest.raises(InsertError) as problem:
        keeper.fetch(SELECTIONS[:1], 0, Deadline())
    assert problem.value.reason is InsertReason.CLIPBOARD_IN_USE
    program.server._go_on = go_on
    monkeypatch.setattr(backend, "WAIT_S", 10.0)
    keeper.try_again()
    kept = keeper.fetch(SELECTIONS[:1], 0, Deadline())
    assert len(kept["CLIPBOARD"].content["UTF8_STRING"].data) == 1 << 20


def test_an_owner_that_ends_while_it_is_asked_leaves_nothing_to_keep(desk, keeper):
    ending = Requestor(connect(desk.display, is_listening=True))
    ending.window.set_selection_owner(ending.atom("CLIPBOARD"), ending.stamp())
    ending.connection.sync()
    end = threading.Timer(0.3, ending.close)
    end.start()
    assert keeper.fetch(SELECTIONS[:1], 0, Deadline()) == {"CLIPBOARD": Snapshot(0, None)}
    end.join()


def test_keys_that_are_pressed_while_qt_asks_the_x_server_do_not_stop_the_desktop(desk):
    """Killed at the latest: until then nobody on the desktop would be answered."""
    command = [sys.executable, "-m", "tests.e2e.grab_process"]
    with subprocess.Popen(command, env=desk.env, stdout=subprocess.PIPE, text=True) as process:
        try:
            said, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert said == "done\n"


def test_what_this_program_has_copied_is_pasted_into_its_own_windows(desk):
    command = [sys.executable, "-m", "tests.e2e.own_clipboard_process", "Lima"]
    done = subprocess.run(command, env=desk.env, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == {"words": ["Lima"], "search": "Lima"}


def test_a_connection_that_only_asks_does_not_grow_with_events_that_nobody_reads(desk):
    changes = 500
    asking, other = connect(desk.display), display.Display(desk.display)
    with contextlib.closing(asking), contextlib.closing(other):
        asking.screen().root.change_attributes(event_mask=X.PropertyChangeMask)
        asking.sync()
        name = other.intern_atom("HANDY_QWEN_TEST")
        for number in range(changes):
            other.screen().root.change_property(name, Xatom.INTEGER, 32, [number])
        other.screen().root.delete_property(name)
        other.sync()
        asking.sync()
        assert 0 < asking.pending_events() < changes
