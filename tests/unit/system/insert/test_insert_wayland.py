"""The Wayland backend with tools and a portal of our own."""

import threading

import pytest

from handy_qwen.core.ports import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert import wayland
from handy_qwen.system.insert.wayland import INSERT, RETURN, SHIFT_L, SUPER_L, Wayland, run_tool

ENVIRONMENT = {"WAYLAND_DISPLAY": "wayland-0"}


class FakeTools:
    """A clipboard with one format, and the tools that work on it."""

    def __init__(self, *missing):
        self.missing = missing
        self.kind, self.data, self.primary = "text/html", b"<b>old</b>", b""
        self.keys = []

    def __call__(self, command, data):
        name, *options = command
        if name in self.missing or any(option in self.missing for option in options):
            raise InsertError("No.", InsertReason.UNSUPPORTED_DESKTOP)
        if name == "wl-copy" and "--clear" in options:
            self.kind, self.data = "", b""
        elif name == "wl-copy" and "--primary" in options:
            self.primary = data
        elif name == "wl-copy":
            self.kind, self.data = options[options.index("--type") + 1], data
        elif name == "wl-paste" and "--list-types" in options:
            return self.kind.encode() + b"\n"
        elif name == "wl-paste":
            assert options[-1] == self.kind
            return self.data
        else:
            self.keys.append((name, *options, data) if data else (name, *options))
        return b""


class FakePortal:
    def __init__(self):
        self.chords, self.is_closed = [], False

    def chord(self, *keysyms):
        self.chords.append(keysyms)

    def close(self):
        self.is_closed = True


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    for name in ("RELEASE_PAUSE_S", "RESTORE_AFTER_S", "SUBMIT_PAUSE_S"):
        monkeypatch.setattr(wayland, name, 0.0)


def backend(tools, portal=None):
    def open_portal():
        if portal is None:
            raise InsertError("No.", InsertReason.DENIED_BY_USER)
        return portal

    return Wayland(ENVIRONMENT, threading.Event().wait, run=tools, open_portal=open_portal)


def test_paste_puts_the_text_on_both_clipboards_and_brings_back_what_was_there():
    tools = FakeTools()
    way = backend(tools)
    way.paste_text("said 🙂")
    assert (tools.data, tools.primary) == ("said 🙂".encode(),) * 2
    assert tools.keys == [("wtype", "-M", "shift", "-k", "Insert", "-m", "shift")]
    assert way.rest(is_idle=True) is None
    assert (tools.kind, tools.data) == ("text/html", b"<b>old</b>")


def test_what_the_user_copies_meanwhile_stays():
    tools = FakeTools()
    way = backend(tools)
    way.paste_text("said")
    tools.kind, tools.data = "text/plain", b"newer"
    way.close()
    assert tools.data == b"newer"


def test_two_pastes_in_a_row_give_back_what_was_there_before_the_first():
    tools = FakeTools()
    way = backend(tools)
    way.paste_text("one")
    way.paste_text("two")
    way.close()
    assert tools.data == b"<b>old</b>"


def test_an_empty_clipboard_is_empty_again():
    tools = FakeTools()
    tools.kind, tools.data = "", b""
    way = backend(tools)
    way.paste_text("said")
    way.rest(is_idle=True)
    assert tools.data == b""


def test_an_older_wl_copy_knows_nothing_of_privacy_but_still_copies():
    tools = FakeTools("--sensitive")
    backend(tools).copy("said")
    assert tools.data == b"said"


def test_chords_fall_from_wtype_to_the_portal_to_ydotool():
    portal = FakePortal()
    way = backend(FakeTools("wtype"), portal)
    way.paste_text("said")
    way.submit(Submit.SUPER_ENTER)
    assert portal.chords == [(SHIFT_L, INSERT), (SUPER_L, RETURN)]
    way.close()
    assert portal.is_closed
    tools = FakeTools("wtype")
    backend(tools).submit(Submit.SUPER_ENTER)
    assert tools.keys == [("ydotool", "key", "125:1", "28:1", "28:0", "125:0")]


def test_a_user_who_said_no_to_the_portal_is_not_asked_again():
    asked = []

    def refuse():
        asked.append(1)
        raise InsertError("No.", InsertReason.DENIED_BY_USER)

    tools = FakeTools("wtype")
    way = Wayland(ENVIRONMENT, threading.Event().wait, run=tools, open_portal=refuse)
    way.submit(Submit.ENTER)
    way.submit(Submit.ENTER)
    assert asked == [1]
    assert len(tools.keys) == 2


def test_without_any_key_tool_the_clipboard_is_put_back_and_the_error_says_what_to_install():
    tools = FakeTools("wtype", "ydotool")
    with pytest.raises(InsertError) as caught:
        backend(tools).paste_text("said")
    assert caught.value.reason is InsertReason.UNSUPPORTED_DESKTOP
    assert "wtype" in caught.value.hint
    assert tools.data == b"<b>old</b>"


def test_typing_hands_the_text_over_by_standard_input_where_no_process_list_shows_it():
    tools = FakeTools()
    backend(tools).type_text("said")
    assert tools.keys == [("wtype", "-", b"said")]


def test_nobody_tells_who_has_the_focus():
    assert backend(FakeTools()).focused() == Target()
    with pytest.raises(InsertError):
        Wayland({}, threading.Event().wait)


def test_a_tool_that_is_missing_or_fails_is_an_error_without_the_text():
    for command in (["no-such-tool-anywhere"], ["false"]):
        with pytest.raises(InsertError) as caught:
            run_tool(command, b"a secret")
        assert "secret" not in str(caught.value)
    assert run_tool(["cat"], b"a text") == b"a text"
