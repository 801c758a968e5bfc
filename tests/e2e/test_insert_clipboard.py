"""Paste gives the window this text, and the user his clipboard back, whatever gets in between."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from handy_qwen.core.events import Delivered, Delivery
from handy_qwen.core.types import Method, Target
from handy_qwen.system.insert import backend
from handy_qwen.system.x11 import selection
from tests.e2e.desk import Desktop, GtkTarget, QtTarget, XtermTarget, require
from tests.e2e.desk.processes import wait_until
from tests.e2e.insertion import every_window, insertion_on

pytestmark = pytest.mark.desktop

PROGRAMS = Path(__file__).parent / "desk"
OLD = "what the user had copied"
TEXT = "what the user has said: naïve 🙂"


@pytest.fixture(scope="module")
def bench():
    """A desktop, and an inserter that gives the user no time to let go."""
    require(sound=False)
    with Desktop(tray=False, sound=False) as desk, insertion_on(desk, release_wait_s=0.0) as insertion:
        yield desk, insertion


def clipboard_becomes(desk, data, kind="UTF8_STRING", selection="clipboard"):
    """What the clipboard holds as soon as that is ``data``; what it holds instead after 30 s."""
    try:
        wait_until(lambda: desk.clipboard(kind, selection) == data, "the clipboard", 30.0, 0.05)
    except TimeoutError:
        return desk.clipboard(kind, selection)
    return data


@every_window
@pytest.mark.parametrize("delay_s", [0.05, 0.3, 2.5])
def test_a_slow_window_gets_this_text_and_the_user_his_clipboard_back(bench, window, delay_s):
    desk, insertion = bench
    desk.copy(OLD.encode())
    window.freeze()
    insertion.begin(TEXT, Method.PASTE)
    time.sleep(delay_s)
    window.thaw()
    assert insertion.result().how is Delivery.PASTED
    assert window.wait_for_text(TEXT) == TEXT
    assert clipboard_becomes(desk, OLD.encode()) == OLD.encode()


def test_a_window_that_never_takes_it_leaves_the_text_on_the_clipboard_with_a_note(
    bench, window, monkeypatch
):
    desk, insertion = bench
    monkeypatch.setattr(insertion.backend, "FETCH_WAIT_S", 1.0)
    desk.copy(OLD.encode())
    window.freeze()
    insertion.begin(TEXT, Method.PASTE)
    delivered = insertion.result()
    window.thaw()
    assert delivered.how is Delivery.COPIED
    assert delivered.note
    assert window.wait_for_text(TEXT, quiet_s=0.3) == TEXT, "late, but this text, and once"
    assert desk.clipboard() == TEXT.encode()


@pytest.fixture
def pressed(bench, monkeypatch):
    """Set as soon as the keys that paste have been pressed."""
    _, insertion = bench
    are_pressed, is_fetched = threading.Event(), insertion.backend._clipboards.is_fetched

    def tell_and_wait(wait_s):
        are_pressed.set()
        return is_fetched(wait_s)

    monkeypatch.setattr(insertion.backend._clipboards, "is_fetched", tell_and_wait)
    return are_pressed


def test_what_was_marked_comes_back_though_the_user_copies_before_the_text_was_fetched(
    bench, window, pressed
):
    desk, insertion = bench
    desk.copy(b"marked", selection="primary")
    window.freeze()
    insertion.begin(TEXT, Method.PASTE)
    assert pressed.wait(60)
    desk.copy(b"newer")
    assert insertion.result().how is Delivery.HELD
    assert clipboard_becomes(desk, b"marked", selection="primary") == b"marked"
    assert desk.clipboard() == b"newer"
    window.thaw()


def test_two_pastes_in_a_row_give_back_what_was_there_before_the_first(bench, window):
    desk, insertion = bench
    desk.copy(OLD.encode())
    insertion.begin("one ", Method.PASTE)
    insertion.begin("two ", Method.PASTE)
    assert insertion.result().how is Delivery.PASTED
    assert insertion.result().how is Delivery.PASTED
    assert window.wait_for_text("one two ") == "one two "
    assert clipboard_becomes(desk, OLD.encode()) == OLD.encode()


def test_all_formats_come_back(bench, window):
    desk, insertion = bench
    with owner(desk) as held:
        before = {
            kind: desk.clipboard(kind)
            for kind in ("UTF8_STRING", "text/html", "image/png", "x-special/gnome-copied-files")
        }
        assert all(before.values())
        assert len(before["image/png"]) > 1 << 20, "large enough to come in pieces"
        assert insertion.insert(TEXT, Method.PASTE) is Delivery.PASTED
        assert window.wait_for_text(TEXT) == TEXT
        assert clipboard_becomes(desk, before["text/html"], "text/html") == before["text/html"]
        assert {kind: desk.clipboard(kind) for kind in before} == before
        assert held.stdout.readline() == b"lost\n", "we serve it now, not its first owner"


@contextlib.contextmanager
def owner(desk, *options):
    """Another program that owns the clipboard."""
    command = (sys.executable, PROGRAMS / "clipboard_owner.py", *options)
    process = desk.start("owner", *command, stdout=subprocess.PIPE, bufsize=0)
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        desk.stop(process)


def speak(insertion):
    """A take begins, and the user speaks for as long as it takes to prepare for its text."""
    prepared = threading.Event()
    prepare = insertion.backend.prepare

    def prepare_and_tell(is_awaited):
        prepare(is_awaited)
        prepared.set()

    insertion.backend.prepare = prepare_and_tell
    insertion.inserter.prepare(Method.PASTE)
    assert prepared.wait(30)
    insertion.backend.prepare = prepare


def test_a_large_picture_comes_back_byte_by_byte(bench, window):
    desk, insertion = bench
    with owner(desk, "--picture") as process:
        before = desk.clipboard("image/png")
        assert len(before) > 5 << 20
        speak(insertion)
        assert insertion.insert(TEXT, Method.PASTE) is Delivery.PASTED
        assert window.wait_for_text(TEXT) == TEXT
        assert process.stdout.readline() == b"lost\n", "we serve it now, not its first owner"
    assert clipboard_becomes(desk, before, "image/png") == before
    assert b"PIXMAP" not in desk.clipboard("TARGETS"), "went with its owner"
    assert insertion.insert(" again", Method.PASTE) is Delivery.PASTED
    assert clipboard_becomes(desk, before, "image/png") == before


@pytest.fixture
def hurry(monkeypatch):
    """No owner has longer than this once a text waits."""
    monkeypatch.setattr(backend, "WAIT_S", 0.5)


@pytest.mark.usefixtures("hurry")
def test_what_a_slow_program_has_copied_is_fetched_while_the_user_speaks(bench, window):
    desk, insertion = bench
    with owner(desk, "--slow", "0.3"):
        speak(insertion)
        assert insertion.insert(TEXT, Method.PASTE) is Delivery.PASTED
        assert window.wait_for_text(TEXT) == TEXT
        assert clipboard_becomes(desk, b"at last") == b"at last"


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("owning", [("--slow", "0.3"), ("--mute",)])
def test_what_cannot_be_fetched_in_time_stays_where_it_is_and_the_text_is_typed(bench, window, owning):
    desk, insertion = bench
    with owner(desk, *owning) as process:
        assert insertion.insert(TEXT, Method.PASTE) is Delivery.TYPED
        assert window.wait_for_text(TEXT) == TEXT
        assert "--mute" in owning or desk.clipboard() == b"at last"
        assert process.poll() is None


def test_what_is_too_large_to_keep_stays_where_it_is(bench, window, monkeypatch):
    desk, insertion = bench
    monkeypatch.setattr(selection, "KEEP_BYTES", 1 << 20)
    with owner(desk):
        before = desk.clipboard("image/png")
        assert insertion.insert(TEXT, Method.PASTE) is Delivery.TYPED
        assert window.wait_for_text(TEXT) == TEXT
        assert desk.clipboard("image/png") == before
        unlike = "".join(chr(0x4E00 + 11 * n) for n in range(1500))  # cannot be typed
        insertion.begin(unlike, Method.PASTE)
        held = insertion.result()
        assert held.how is Delivery.HELD
        assert held.note
        assert desk.clipboard("image/png") == before
        assert window.text() == TEXT


def test_what_the_user_copies_while_he_speaks_is_what_comes_back(bench, window):
    desk, insertion = bench
    desk.copy(OLD.encode())
    speak(insertion)
    desk.copy(b"newer")
    assert insertion.insert(TEXT, Method.PASTE) is Delivery.PASTED
    assert window.wait_for_text(TEXT) == TEXT
    assert clipboard_becomes(desk, b"newer") == b"newer"


def test_an_empty_clipboard_is_empty_again(window, bench):
    desk, insertion = bench
    with owner(desk):
        pass
    assert desk.clipboard("TARGETS") == b""
    assert insertion.insert(TEXT, Method.PASTE) is Delivery.PASTED
    assert window.wait_for_text(TEXT) == TEXT
    assert clipboard_becomes(desk, b"", "TARGETS") == b""


def test_what_the_user_copies_meanwhile_stays(bench, window):
    desk, insertion = bench
    desk.copy(OLD.encode())
    assert insertion.insert(TEXT, Method.PASTE) is Delivery.PASTED
    desk.copy(b"newer")  # before the old content is due
    assert window.wait_for_text(TEXT) == TEXT
    time.sleep(0.6)
    assert desk.clipboard() == b"newer"


def test_what_the_user_copies_while_the_window_is_stuck_stays_and_the_text_waits(bench, window, pressed):
    desk, insertion = bench
    desk.copy(OLD.encode())
    window.freeze()
    insertion.begin(TEXT, Method.PASTE)
    assert pressed.wait(60)
    desk.copy(b"newer")
    delivered = insertion.result()
    window.thaw()
    window.settle()
    assert delivered == Delivered(1, Delivery.HELD, may_have_arrived=True)
    assert desk.clipboard() == b"newer"


@every_window
def test_a_clipboard_manager_that_grabs_at_once_does_not_fool_us(bench, window):
    desk, insertion = bench
    desk.copy(OLD.encode())
    manager = desk.start(
        "manager", sys.executable, PROGRAMS / "clipboard_manager.py", stdout=subprocess.PIPE, bufsize=0
    )
    try:
        assert manager.stdout.readline() == b"ready\n"
        window.freeze()
        insertion.begin(TEXT, Method.PASTE)
        assert manager.stdout.readline() == b"fetched private\n", "it sees the text, and that it is private"
        time.sleep(0.8)
        assert insertion.events.empty(), "its fetch must not count"
        window.thaw()
        assert insertion.result().how is Delivery.PASTED
        assert window.wait_for_text(TEXT) == TEXT
        assert clipboard_becomes(desk, OLD.encode()) == OLD.encode()
    finally:
        desk.stop(manager)


def test_the_selection_comes_back_as_well(bench, window):
    desk, insertion = bench
    desk.copy(b"marked with the mouse", selection="primary")
    assert insertion.insert(TEXT, Method.PASTE) is Delivery.PASTED
    assert window.wait_for_text(TEXT) == TEXT
    marked = b"marked with the mouse"
    assert clipboard_becomes(desk, marked, selection="primary") == marked


@pytest.mark.parametrize("window", [QtTarget, GtkTarget], indirect=True)
@pytest.mark.parametrize("method", [Method.PASTE, Method.TYPE])
def test_text_that_is_marked_in_the_window_is_replaced(bench, window, method):
    desk, insertion = bench
    insertion.insert("to be replaced", Method.TYPE)
    assert window.wait_for_text("to be replaced") == "to be replaced"
    desk.keys.chord("Control_L", "a")
    wait_until(lambda: desk.clipboard(selection="primary") == b"to be replaced", "the mark")
    insertion.insert(TEXT, method)
    assert window.wait_for_text(TEXT) == TEXT


@every_window
def test_a_text_too_large_for_one_request_arrives(bench, window):
    _, insertion = bench
    text = "".join(f"line {n} of many, with ümlaut\n" for n in range(12_000))  # 390 kB
    assert insertion.insert(text, Method.PASTE) is Delivery.PASTED
    assert window.wait_for_text(text) == text


def test_the_focused_window_is_known_by_its_class(windows, bench):
    _, insertion = bench
    windows[XtermTarget].focus()
    assert insertion.inserter.focused() == Target(windows[XtermTarget].window, "XTerm")


def test_a_copied_text_stays_on_the_clipboard(bench, window):
    desk, insertion = bench
    assert insertion.insert(TEXT, Method.COPY) is Delivery.COPIED
    assert desk.clipboard() == TEXT.encode()
    assert insertion.insert("another", Method.PASTE) is Delivery.PASTED
    assert window.wait_for_text("another") == "another"
    assert clipboard_becomes(desk, TEXT.encode()) == TEXT.encode()
    insertion.inserter.copy("by request")
    assert desk.clipboard() == b"by request"


@pytest.mark.parametrize("target", ["UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "TEXT"])
def test_programs_get_the_text_in_the_format_they_ask_for(bench, target):
    desk, insertion = bench
    insertion.inserter.copy(TEXT)
    assert desk.clipboard(target) == TEXT.encode()
    assert desk.clipboard("x-kde-passwordManagerHint") == b"secret"
    insertion.inserter.copy("naïve")
    assert desk.clipboard("STRING") == "naïve".encode("latin-1")
    assert desk.clipboard("image/png") == b""


def test_the_clipboard_thread_survives_windows_that_vanish_while_asking(bench, window):
    desk, insertion = bench
    text = "x" * 300_000
    insertion.inserter.copy(text)
    asking = desk.start("xclip", "xclip", "-selection", "clipboard", "-o", stdout=subprocess.PIPE)
    asking.stdout.read(1)
    asking.kill()
    asking.wait()
    assert desk.clipboard() == text.encode()
    assert insertion.insert(TEXT, Method.PASTE) is Delivery.PASTED
    assert window.wait_for_text(TEXT) == TEXT
    assert "clipboard" in {thread.name for thread in threading.enumerate()}
