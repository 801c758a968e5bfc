"""Which inserter is made where, and that there always is one."""

import queue
import subprocess
import sys
import threading
import time

import pytest

from handy_qwen.core.events import Delivered, Failed
from handy_qwen.core.types import Delivery, Method, Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system import insert
from handy_qwen.system.insert import backend_for, describe, inserter_for
from handy_qwen.system.insert.backend import Backend, Injection
from handy_qwen.system.insert.inserter import COPIED_NOTE, DesktopInserter, copy_with_pyperclip
from handy_qwen.system.session import Kind, Session


def test_without_a_display_texts_are_only_copied():
    inserter = inserter_for(print, Session(Kind.NONE))
    inserter.close(30)
    assert type(inserter._backend) is Backend


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="python-xlib is installed on Linux only")
def test_with_a_display_that_is_not_there_texts_are_only_copied(caplog, monkeypatch):
    from Xlib import display, error

    def refuse(name):
        raise error.DisplayConnectionError(name, b"nobody listens")

    monkeypatch.setattr(display, "Display", refuse)
    with caplog.at_level("INFO"):
        inserter = inserter_for(print, Session(Kind.X11, display="far.example:9"))
    inserter.close(30)
    assert type(inserter._backend) is Backend
    assert "UNSUPPORTED_DESKTOP" in caplog.text


@pytest.mark.parametrize(
    ("session", "adapter"),
    [
        (Session(Kind.WINDOWS), ("windows", "Windows")),
        (Session(Kind.MACOS), ("macos", "MacOS")),
        (Session(Kind.WAYLAND, wayland="w", display=":1"), ("wayland", "Wayland")),
        (Session(Kind.X11, display="far.example:0"), ("x11", "X11")),
    ],
)
def test_each_system_has_its_backend(monkeypatch, session, adapter):
    made, (module, name) = object(), adapter
    monkeypatch.setattr(f"{insert.__name__}.{module}.{name}", lambda *_, **__: made)
    assert backend_for(session, threading.Event().wait) is made


@pytest.mark.parametrize(
    ("session", "ways", "missing"),
    [
        (Session(Kind.WINDOWS), ["paste (SendInput, Ctrl+V)", "clipboard (the system's)"], []),
        (Session(Kind.MACOS), ["typing (Quartz)"], []),
        (Session(Kind.NONE), [], ["clipboard (xclip or xsel)"]),
        (
            Session(Kind.WAYLAND, "wayland-0"),
            ["paste (wl-copy, keys by portal)", "clipboard (wl-copy)"],
            ["paste (wl-copy, keys by wtype)", "paste (wl-copy, keys by ydotool)", "typing (wtype)"],
        ),
    ],
)
def test_a_back_end_says_which_ways_there_are_and_which_are_missing(
    monkeypatch, tmp_path, session, ways, missing
):
    if session.kind is Kind.WAYLAND:
        wayland = pytest.importorskip("handy_qwen.system.insert.wayland")
        monkeypatch.setattr(wayland, "version_of", lambda _interface: 2)
        (tmp_path / "wl-copy").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    described = describe(session)
    assert set(ways) <= {way.name for way in described.ways if way.is_available}
    assert [way.name for way in described.ways if not way.is_available] == missing
    assert described.remedy


@pytest.mark.parametrize("module", ["windows", "macos"])
def test_each_module_can_be_imported_on_any_system(module):
    code = f"import handy_qwen.system.insert.{module}, sys; sys.exit('Xlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def nowhere():
    """Makes an inserter without a desktop, and the queue of what it posts."""
    made = []

    def make(copy):
        posted = queue.SimpleQueue()
        made.append(
            DesktopInserter(
                posted.put,
                Backend(Session(Kind.NONE), print),
                stopping=threading.Event(),
                last_resort=copy,
            )
        )
        return made[-1], posted

    yield make
    for inserter in made:
        inserter.close(30)


@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE, Method.COPY])
def test_without_a_way_in_every_text_is_copied_and_a_note_says_so(nowhere, method):
    copied = []
    inserter, posted = nowhere(copied.append)
    inserter.insert(4, "said\x1b", target=None, method=method, submit=Submit.ENTER)
    delivered = posted.get(timeout=30)
    assert copied == ["said"]
    assert delivered.how is Delivery.COPIED
    assert bool(delivered.note) == (method is not Method.COPY)
    assert inserter.focused() == Target()
    assert not inserter.was_injecting(time.monotonic())


def test_without_a_way_in_none_is_none_and_a_failure_is_reported(nowhere):
    error = InsertError("No.", InsertReason.UNSUPPORTED_DESKTOP)

    def refuse(_):
        raise error

    inserter, posted = nowhere(refuse)
    inserter.insert(4, "said", target=None, method=Method.NONE, submit=Submit.OFF)
    inserter.insert(5, "said", target=None, method=Method.PASTE, submit=Submit.OFF)
    assert posted.get(timeout=30) == Delivered(4, Delivery.KEPT)
    assert posted.get(timeout=30) == Failed(5, error)
    with pytest.raises(InsertError):
        inserter.copy("said")


def test_without_a_way_in_the_caller_does_not_wait_for_the_clipboard(nowhere):
    gate = threading.Event()
    inserter, posted = nowhere(lambda _text: gate.wait(30))
    inserter.insert(4, "said", target=None, method=Method.PASTE, submit=Submit.OFF)
    assert posted.empty()
    gate.set()
    assert posted.get(timeout=30) == Delivered(4, Delivery.COPIED, COPIED_NOTE)


def test_the_last_resort_says_what_to_install_and_nothing_of_the_text(monkeypatch):
    import pyperclip

    def refuse(text):
        raise pyperclip.PyperclipException(f"cannot copy {text}")

    monkeypatch.setattr(pyperclip, "copy", refuse)
    with pytest.raises(InsertError) as caught:
        copy_with_pyperclip("a secret")
    assert "xclip" in caught.value.hint
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_the_last_resort_copies(monkeypatch):
    import pyperclip

    copied = []
    monkeypatch.setattr(pyperclip, "copy", copied.append)
    copy_with_pyperclip("said")
    assert copied == ["said"]


def test_injection_is_told_by_the_time_of_the_keys_however_late_one_asks():
    injection = Injection(lag_s=3.0)
    before_s = time.monotonic()
    assert not injection.was_injecting(before_s)
    with injection.under_way(), injection.under_way():
        during_s = time.monotonic()
        assert injection.was_injecting(during_s)
        assert not injection.was_injecting(before_s - 1.0)
    assert injection.was_injecting(during_s)
    assert injection.was_injecting(during_s + 2.9), "nobody knows the time of the last key exactly"
    assert not injection.was_injecting(time.monotonic() + 3.1)
    for _ in range(3):
        with injection.under_way():
            pass
    assert injection.was_injecting(during_s), "those before are remembered"
    assert not injection.was_injecting(before_s - 1.0)
