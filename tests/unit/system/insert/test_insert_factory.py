"""Which inserter is made where, and that there always is one."""

import queue
import subprocess
import sys
import threading
import time

import pytest

from handy_qwen.core.permissions import Consent
from handy_qwen.core.types import Delivery, KeyPermission, Method, Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system import insert
from handy_qwen.system.insert import backend_for, describe, inserter_for, key_permission
from handy_qwen.system.insert.backend import Backend
from handy_qwen.system.insert.inserter import DesktopInserter, copy_with_pyperclip
from handy_qwen.system.session import Kind, Session

ON_LINUX = pytest.mark.linux("its library is installed on Linux only")


def test_without_a_display_texts_are_only_copied():
    inserter = inserter_for(print, Session(Kind.NONE))
    inserter.close(30)
    assert type(inserter._backend) is Backend


@ON_LINUX
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
        pytest.param(
            Session(Kind.WAYLAND, wayland="w", display=":1"), ("wayland", "Wayland"), marks=ON_LINUX
        ),
        pytest.param(Session(Kind.X11, display="far.example:0"), ("x11", "X11"), marks=ON_LINUX),
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
            Session(Kind.WAYLAND, "wayland-0", ":0", "ubuntu:GNOME"),
            ["paste (XWayland, keys by the portal)", "clipboard (XWayland)"],
            [
                "paste (XWayland, keys by a virtual keyboard)",
                "paste (XWayland, keys by ydotool)",
                "typing (wtype)",
            ],
        ),
        (
            Session(Kind.WAYLAND, "wayland-0"),
            ["paste (wl-copy, keys by the portal)", "clipboard (wl-copy)"],
            [
                "paste (wl-copy, keys by a virtual keyboard)",
                "paste (wl-copy, keys by ydotool)",
                "typing (wtype)",
            ],
        ),
    ],
)
def test_a_back_end_says_which_ways_there_are_and_which_are_missing(
    monkeypatch, tmp_path, session, ways, missing
):
    if session.kind is Kind.WAYLAND:
        wayland = pytest.importorskip("handy_qwen.system.insert.wayland")
        monkeypatch.setattr(wayland, "version_of", lambda _interface: 2)
        for tool in ("wl-copy", "wl-paste"):
            (tmp_path / tool).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    described = describe(session)
    assert set(ways) <= {way.name for way in described.ways if way.is_available}
    assert [way.name for way in described.ways if not way.is_available] == missing
    assert described.remedy


def test_a_desktop_is_tried_out_by_connecting_to_it(monkeypatch):
    ends = []

    class Connected(Backend):
        def close(self):
            ends.append(self)

    monkeypatch.setattr(insert, "_backend_class", lambda _session: Connected)
    insert.try_out(Session(Kind.X11))
    assert len(ends) == 1


def test_a_mac_that_has_allowed_nothing_is_no_place_to_insert_before_anything_is_inserted(monkeypatch):
    monkeypatch.setattr(f"{insert.__name__}.macos.consent", lambda _permission: Consent.UNASKED)
    with pytest.raises(InsertError) as caught:
        insert.try_out(Session(Kind.MACOS))
    assert caught.value.reason is InsertReason.DENIED_BY_USER


@ON_LINUX
@pytest.mark.usefixtures("app_home")
@pytest.mark.parametrize("has_own", [True, False])
def test_a_compositor_with_a_keyboard_for_programs_need_not_be_asked(monkeypatch, has_own):
    wayland = pytest.importorskip("handy_qwen.system.insert.wayland")
    monkeypatch.setattr(wayland, "offers", lambda path, _keyboard: has_own and path == "/run/w")
    expected = KeyPermission.NOT_NEEDED if has_own else KeyPermission.UNASKED
    assert key_permission(Session(Kind.WAYLAND, "/run/w")) is expected
    assert key_permission(Session(Kind.NONE)) is KeyPermission.NOT_NEEDED


@pytest.mark.parametrize("module", ["windows", "macos"])
def test_each_module_can_be_imported_on_any_system(module):
    code = f"import handy_qwen.system.insert.{module}, sys; sys.exit('Xlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE, Method.COPY])
def test_without_a_way_in_every_text_is_copied_and_a_note_says_so(method):
    copied, posted = [], queue.SimpleQueue()
    nowhere = Backend(Session(Kind.NONE), print)
    inserter = DesktopInserter(posted.put, nowhere, stopping=threading.Event(), last_resort=copied.append)
    inserter.prepare(method)
    inserter.insert(4, "said\x1b", target=None, method=method, submit=Submit.ENTER)
    delivered = posted.get(timeout=30)
    inserter.close(30)
    assert copied == ["said"]
    assert delivered.how is Delivery.COPIED
    assert bool(delivered.note) == (method is not Method.COPY)
    assert inserter.focused() == Target()
    assert not inserter.was_injecting(time.monotonic())
    with pytest.raises(InsertError):
        nowhere.submit(Submit.ENTER)


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
