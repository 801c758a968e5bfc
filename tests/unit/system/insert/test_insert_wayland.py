"""The Wayland backend with tools and a portal of our own."""

from types import SimpleNamespace

import pytest

pytest.importorskip("jeepney", reason="the portal's D-Bus library is installed on Linux only")

from handy_qwen.core.delivery import INSERTING_S
from handy_qwen.core.types import KeyPermission, Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system import portal
from handy_qwen.system.insert import wayland, wayland_clipboard
from handy_qwen.system.insert.backend import UNKNOWN, Inserted, Unsure
from handy_qwen.system.insert.wayland import (
    INSERT,
    KEYBOARD,
    RETURN,
    SHIFT_L,
    SUPER_L,
    Permission,
    PortalKeyboard,
    Wayland,
)
from handy_qwen.system.insert.wayland_clipboard import ToolError, run_tool
from handy_qwen.system.session import Kind, Session
from handy_qwen.system.wayland.clipboard import CLIPBOARD
from handy_qwen.system.wayland.wire import WaylandError
from tests.unit.system.bus import SESSION, FakeBus
from tests.unit.system.wayland.compositor import Compositor


class FakeTools:
    """Two clipboards with one format each, and the tools that work on them."""

    def __init__(self, *missing):
        self.missing = missing  # tools, or options that they do not know
        self.gone = ()  # keyboards that the compositor has taken away
        self.dying = ()  # tools that are killed in the middle
        self.deaf = 0  # how many calls of wl-copy the compositor does not hear, which end well
        self.offered = {False: {"text/html": b"<b>old</b>"}, True: {}}  # by whether it is PRIMARY
        self.private = {False: False, True: False}
        self.keys = []

    @property
    def data(self):
        return next(iter(self.offered[False].values()), b"")

    @property
    def primary(self):
        return next(iter(self.offered[True].values()), b"")

    def __call__(self, command, data, wait_s):
        assert wait_s > 0
        name, *options = command
        if name in self.missing or any(option in self.missing for option in options):
            raise InsertError("No.", InsertReason.UNSUPPORTED_DESKTOP)
        if name in self.dying:
            raise Unsure
        is_primary = "--primary" in options
        if name == "wl-copy" and self.deaf:
            self.deaf -= 1
        elif name == "wl-copy" and "--clear" in options:
            self.offered[is_primary] = {}
        elif name == "wl-copy":
            self.offered[is_primary] = {options[options.index("--type") + 1]: data}
            self.private[is_primary] = "--sensitive" in options
        elif name == "wl-paste" and not self.offered[is_primary]:
            raise ToolError("wl-paste", b"Nothing is copied\n")
        elif name == "wl-paste" and "--list-types" in options:
            return "".join(f"{kind}\n" for kind in self.offered[is_primary]).encode()
        elif name == "wl-paste":
            if options[-1] not in self.offered[is_primary]:
                raise ToolError("wl-paste", b"Clipboard content is not available as requested type\n")
            got = self.offered[is_primary][options[-1]]
            if isinstance(got, Exception):
                raise got
            return got
        else:
            self.keys.append((name, *options, data) if data else (name, *options))
        return b""


class OwnKeyboard:
    """Our own virtual keyboard, as one of the tools ("own")."""

    def __init__(self, tools):
        if "own" in tools.missing:
            raise WaylandError("none here")
        self.tools = tools

    def press(self, codes):
        if "own" in self.tools.dying:
            raise WaylandError("gone")
        self.tools.keys.append(("own", *codes))

    def answers(self):
        return "own" not in self.tools.gone

    def close(self):
        pass


class FakeKeyboard:
    """The portal's keyboard."""

    may_stay = False

    def __init__(self):
        self.chords, self.is_closed = [], False

    def press(self, chord):
        self.chords.append(chord)

    def answers(self):
        return True

    def close(self):
        self.is_closed = True


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    for name in ("RELEASE_PAUSE_S", "BLIND_RESTORE_AFTER_S", "SUBMIT_PAUSE_S"):
        monkeypatch.setattr(Wayland, name, 0.0)


@pytest.fixture
def backend(monkeypatch):
    """Makes the back end, with a keyboard of the portal or a user who refuses it."""

    def make(tools, keyboard=None):
        def open_keyboard(_permission):
            make.asked += 1
            if keyboard is None:
                raise InsertError("No.", InsertReason.DENIED_BY_USER)
            return keyboard

        make.asked = 0
        monkeypatch.setattr(wayland, "PortalKeyboard", open_keyboard)
        monkeypatch.setattr(wayland, "VirtualKeyboard", lambda _path: OwnKeyboard(tools))
        monkeypatch.setattr(wayland, "has_tool", lambda tool: tool not in tools.missing)
        for module in (wayland, wayland_clipboard):
            monkeypatch.setattr(module, "run_tool", tools)
        return Wayland(Session(Kind.WAYLAND, "no-such-display"), lambda _s: None)

    return make


@pytest.fixture
def tools():
    return FakeTools()


@pytest.fixture
def way(backend, tools):
    """The back end with all tools."""
    return backend(tools)


def test_paste_puts_the_text_on_both_clipboards_and_brings_back_what_was_there(tools, way):
    way.paste_text("said 🙂")
    assert (tools.data, tools.primary) == ("said 🙂".encode(),) * 2
    assert tools.keys == [("own", 42, 110)]
    assert way.rest(is_idle=True) is None
    assert tools.offered == {False: {"text/html": b"<b>old</b>"}, True: {}}


@pytest.mark.parametrize("act", [lambda way: way.paste_text("said"), lambda way: way.submit(Submit.ENTER)])
def test_keys_are_pressed_a_moment_after_the_clipboard_tools_which_may_take_the_focus(
    act, tools, way, monkeypatch
):
    steps = []
    monkeypatch.setattr(Wayland, "RELEASE_PAUSE_S", 0.15)
    tools.missing = ("own",)
    for module in (wayland, wayland_clipboard):
        monkeypatch.setattr(module, "run_tool", lambda *given: (steps.append(given[0][0]), tools(*given))[1])
    monkeypatch.setattr(way, "_pause", steps.append)
    act(way)
    assert steps[-2:] == [0.15, "ydotool"]
    assert steps.count(0.15) == 1


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        (("one", "two"), b"<b>old</b>"),
        (("one", b"newer"), b"newer"),
        (("one", b"newer", "two"), b"newer"),
    ],
)
def test_what_was_there_before_the_first_paste_comes_back_unless_the_user_copies(tools, way, steps, left):
    for step in steps:
        if isinstance(step, str):
            way.paste_text(step)
        else:
            tools.offered[False] = {"text/plain": step}
    way.close()
    assert (tools.data, tools.primary) == (left, b"")


@pytest.mark.parametrize("deaf", [1, 2, 3])
def test_what_wl_copy_has_put_back_in_vain_is_put_back_again(tools, way, deaf, monkeypatch):
    monkeypatch.setattr("handy_qwen.system.insert.pasting.DelayedRestore.AGAIN_S", 0.0)
    way.paste_text("said")
    tools.deaf = deaf
    while way.rest(is_idle=True) is not None:
        pass
    assert tools.offered == {False: {"text/html": b"<b>old</b>"}, True: {}}


def test_what_was_copied_is_not_put_back_for_ever_where_it_is_the_text_itself(tools, way):
    tools.offered[False] = {"text/plain": b"said"}
    way.paste_text("said")
    assert way.rest(is_idle=True) is None
    assert tools.data == b"said"


def test_what_a_password_manager_has_copied_comes_back_as_private_as_it_was(tools, way):
    tools.offered[False] = {"text/plain": b"password", wayland_clipboard.PRIVATE_KIND: b"secret"}
    tools.offered[True] = {"text/plain": b"marked"}
    way.paste_text("said")
    assert tools.private == {False: True, True: True}
    way.close()
    assert (tools.data, tools.primary) == (b"password", b"marked")
    assert tools.private == {False: True, True: False}


def test_an_older_wl_copy_knows_nothing_of_privacy_but_still_copies(backend):
    tools = FakeTools("--sensitive")
    backend(tools).copy("said")
    assert tools.data == b"said"


def test_a_keyboard_that_a_compositor_has_taken_away_is_made_anew_before_the_text_is_offered(backend):
    tools = FakeTools()
    way = backend(tools)
    way.paste_text("one")
    first = way._keyboard
    tools.gone = ("own",)
    way.paste_text("two")
    assert way._keyboard is not first
    assert tools.keys == [("own", 42, 110)] * 2


def test_chords_fall_from_our_own_keyboard_to_the_portal_to_ydotool(backend):
    portal = FakeKeyboard()
    way = backend(FakeTools("own"), portal)
    way.paste_text("said")
    way.submit(Submit.SUPER_ENTER)
    assert portal.chords == [(SHIFT_L, INSERT), (SUPER_L, RETURN)]
    way.close()
    assert portal.is_closed
    tools = FakeTools("own")
    backend(tools).submit(Submit.SUPER_ENTER)
    assert tools.keys == [("ydotool", "key", "125:1", "28:1", "28:0", "125:0")]


def test_the_portals_session_ends_soon_after_the_text_for_the_desktop_shows_it(backend, monkeypatch):
    portal = FakeKeyboard()
    way = backend(FakeTools("own"), portal)
    way.paste_text("said")
    assert way.rest(is_idle=True) > 0
    assert not portal.is_closed, "a key may follow"
    monkeypatch.setattr(wayland, "PORTAL_REST_S", 0.0)
    assert way.rest(is_idle=False) > 0, "another text waits"
    assert not portal.is_closed
    assert way.rest(is_idle=True) is None
    assert portal.is_closed


@pytest.mark.parametrize("has_asked", [True, False])
def test_a_keyboard_that_was_allowed_is_opened_while_the_text_is_made(backend, permission, has_asked):
    if has_asked:
        permission.keep("token")
    portal = FakeKeyboard()
    way = backend(FakeTools("own"), portal)
    way._permission = permission
    way.hasten()
    assert backend.asked == has_asked, "no question comes before there is a text"
    if has_asked:
        assert 0 < way.rest(is_idle=True) <= wayland.PORTAL_REST_S
    way.paste_text("said")
    assert backend.asked == 1
    assert portal.chords


def test_without_any_keyboard_the_clipboard_is_put_back_and_the_error_says_how_to_allow_it(backend):
    tools = FakeTools("own", "ydotool")
    with pytest.raises(InsertError, match="doesn't let") as caught:
        backend(tools).paste_text("said")
    assert caught.value.reason is InsertReason.DENIED_BY_USER
    assert "Allow it" in caught.value.hint
    assert tools.data == b"<b>old</b>"


def test_typing_hands_the_text_over_by_standard_input_where_no_process_list_shows_it(tools, way):
    way.type_text("said")
    assert tools.keys == [("wtype", "-", b"said")]


def test_nobody_tells_who_has_the_focus(backend):
    assert backend(FakeTools()).focused() == Target()
    with pytest.raises(InsertError):
        Wayland(Session(Kind.WAYLAND), lambda _s: None)


def test_a_tool_that_is_missing_or_fails_is_an_error_without_the_text():
    for command in (["no-such-tool-anywhere"], ["false"]):
        with pytest.raises(InsertError) as caught:
            run_tool(command, b"a secret", 20.0)
        assert "secret" not in str(caught.value)
    assert run_tool(["cat"], b"a text", 20.0) == b"a text"


@pytest.mark.parametrize("command", [["sh", "-c", "kill -9 $$"], ["sleep", "20"]])
def test_a_tool_that_was_killed_or_is_late_may_have_done_its_work(command):
    with pytest.raises(Unsure):
        run_tool(command, b"", 0.2)


def test_what_a_tool_says_about_an_empty_clipboard_is_heard(tmp_path, monkeypatch):
    tool = tmp_path / "wl-paste"
    tool.write_text("#!/bin/sh\necho 'Nothing is copied' >&2\nexit 1\n")
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(ToolError) as caught:
        run_tool(["wl-paste", "--list-types"], b"", 20.0)
    assert b"Nothing is copied" in caught.value.complaint


@pytest.mark.parametrize("dying", ["own", "portal", "ydotool"])
def test_keys_that_may_have_been_pressed_are_not_sent_in_another_way(dying, backend):
    tools, portal = FakeTools(), FakeKeyboard()
    way = backend(tools, portal if dying == "portal" else None)
    if dying == "portal":
        tools.missing = ("own",)

        def fail(*_):
            raise Unsure

        portal.press = fail
    else:
        tools.missing, tools.dying = (() if dying == "own" else ("own",)), (dying,)
    assert way.paste_text("said") == UNKNOWN
    assert tools.keys == []
    assert way.rest(is_idle=True) is None
    assert tools.data == b"said", "it stays where the window may still fetch it"
    with pytest.raises(InsertError):
        way.submit(Submit.ENTER)
    assert tools.keys == []


def test_the_user_is_asked_before_the_clipboard_is_touched(backend):
    """The question may stand for a minute, and the desktop's own fetches must not count."""
    tools = FakeTools("own", "ydotool")
    seen = []

    class Watching(FakeKeyboard):
        @property
        def may_stay(self):
            return True

    way = backend(tools, Watching())
    opened = wayland.PortalKeyboard
    wayland.PortalKeyboard = lambda permission: (seen.append(dict(tools.offered)), opened(permission))[1]
    way.paste_text("said")
    assert seen == [{False: {"text/html": b"<b>old</b>"}, True: {}}]
    assert tools.data == b"said"


def test_a_text_whose_typing_was_killed_may_have_arrived(backend):
    tools = FakeTools()
    tools.dying = ("wtype",)
    assert backend(tools).type_text("said") == UNKNOWN
    tools.dying = ()
    assert backend(tools).type_text("said") == Inserted(4)


@pytest.mark.parametrize(
    ("offered", "kept"),
    [
        ({"text/html": b"1", "image/png": b"2", "image/bmp": b"3"}, {"image/png": b"2"}),
        ({"text/html": b"1", "text/plain": b"2", "image/png": b"3"}, {"text/plain": b"2"}),
        ({"text/plain": b"1", "text/uri-list": b"2"}, {"text/uri-list": b"2"}),
        ({"application/x-own": b"1"}, {"application/x-own": b"1"}),
        ({"text/plain": b""}, {"text/plain": b""}),
        ({}, {}),
    ],
)
def test_what_was_there_comes_back_in_its_most_telling_format(offered, kept, backend):
    for is_primary in (False, True):
        tools = FakeTools()
        tools.offered[is_primary] = dict(offered)
        way = backend(tools)
        way.paste_text("said")
        way.close()
        assert tools.offered[is_primary] == kept


@pytest.mark.parametrize("problem", [Unsure(), ToolError("wl-paste", b"Broken pipe"), "large"])
@pytest.mark.parametrize("is_primary", [False, True])
def test_a_clipboard_that_cannot_be_had_is_left_alone(monkeypatch, problem, is_primary, backend):
    monkeypatch.setattr(wayland_clipboard, "KEEP_BYTES", 20)
    tools = FakeTools()
    offered = {"image/png": b"x" * 21 if problem == "large" else problem}
    tools.offered[is_primary] = dict(offered)
    with pytest.raises(InsertError) as caught:
        backend(tools).paste_text("said")
    assert caught.value.reason is InsertReason.CLIPBOARD_IN_USE
    assert tools.offered[is_primary] == offered
    assert tools.keys == []


def test_a_desktop_without_primary_gets_the_text_by_the_clipboard_alone(backend):
    class OneClipboard(FakeTools):
        def __call__(self, command, data, wait_s):
            if "--primary" in command:
                raise ToolError(command[0], b"The compositor does not seem to support primary selection\n")
            return super().__call__(command, data, wait_s)

    tools = OneClipboard()
    way = backend(tools)
    assert way.paste_text("said") == Inserted(4)
    assert tools.data == b"said"
    way.close()
    assert tools.data == b"<b>old</b>"


@pytest.fixture
def on_bus(monkeypatch):
    def use(bus):
        monkeypatch.setattr("handy_qwen.system.portal.connect", lambda _bus: bus)
        return bus

    return use


CHORD = (0xFFE1, 0xFF63)


@pytest.fixture
def permission(tmp_path):
    return Permission(tmp_path / "data" / "keyboard-permission")


def test_a_keyboard_of_the_portal_presses_a_chord_and_releases_the_last_key_first(on_bus, permission):
    bus = on_bus(FakeBus())
    keyboard = PortalKeyboard(permission)
    assert [member for member, _ in bus.calls] == ["CreateSession", "SelectDevices", "Start"]
    assert bus.calls[1][1][1]["types"] == ("u", KEYBOARD)
    keyboard.press(CHORD)
    sent = [body for member, body in bus.calls if member == "NotifyKeyboardKeysym"]
    assert [body[2:] for body in sent] == [(0xFFE1, 1), (0xFF63, 1), (0xFF63, 0), (0xFFE1, 0)]
    assert {handle for handle, *_ in sent} == {SESSION}
    keyboard.close()
    assert bus.is_closed


@pytest.mark.parametrize(
    ("bus", "reason"),
    [
        (FakeBus({"Start": (1, {})}), InsertReason.DENIED_BY_USER),
        (FakeBus({"Start": (0, {"devices": ("u", 2)})}), InsertReason.DENIED_BY_USER),
        (FakeBus({"Start": (0, {"devices": 1})}), InsertReason.UNSUPPORTED_DESKTOP),
        (FakeBus({"Start": (2, {})}), InsertReason.UNSUPPORTED_DESKTOP),
        (FakeBus({"Start": ()}), InsertReason.UNSUPPORTED_DESKTOP),
        (FakeBus({"Start": None}), InsertReason.UNSUPPORTED_DESKTOP),
        (FakeBus({"CreateSession": (0, {})}), InsertReason.UNSUPPORTED_DESKTOP),
        (FakeBus(refuses=("Get",)), InsertReason.UNSUPPORTED_DESKTOP),
        (FakeBus(refuses=("CreateSession",)), InsertReason.UNSUPPORTED_DESKTOP),
    ],
)
def test_a_portal_that_gives_no_keyboard_is_an_error_and_only_the_users_no_is_final(
    on_bus, bus, reason, permission
):
    on_bus(bus)
    with pytest.raises(InsertError) as caught:
        PortalKeyboard(permission)
    assert caught.value.reason is reason
    assert bus.is_closed
    assert permission.is_refused() == (reason is InsertReason.DENIED_BY_USER)
    assert permission.token() == ""


def test_the_question_is_asked_once_and_each_start_gives_the_token_for_the_next(on_bus, permission):
    given = {"devices": ("u", 1), "restore_token": ("s", "first")}
    bus = on_bus(FakeBus({"Start": (0, given)}))
    PortalKeyboard(permission).close()
    selected = dict(bus.calls)["SelectDevices"][1]
    assert selected["persist_mode"] == ("u", 2)
    assert "restore_token" not in selected
    assert permission.path.stat().st_mode & 0o77 == 0
    bus = on_bus(FakeBus({"Start": (0, {**given, "restore_token": ("s", "second")})}))
    PortalKeyboard(permission).close()
    assert dict(bus.calls)["SelectDevices"][1]["restore_token"] == ("s", "first")
    assert permission.token() == "second"


def test_who_has_said_no_is_asked_again_only_when_they_want_it(on_bus, permission):
    permission.refuse()
    bus = on_bus(FakeBus())
    with pytest.raises(InsertError) as caught:
        PortalKeyboard(permission)
    assert caught.value.reason is InsertReason.DENIED_BY_USER
    assert bus.calls == []
    permission.forget()
    PortalKeyboard(permission).close()
    assert not permission.is_refused()


@pytest.mark.parametrize("problem", [TimeoutError(), ConnectionResetError(), RuntimeError()])
@pytest.mark.parametrize("at", range(4))
def test_it_is_unsure_whether_a_chord_was_pressed_once_its_last_key_was_on_its_way(
    on_bus, permission, problem, at
):
    bus = on_bus(FakeBus())
    keyboard = PortalKeyboard(permission)
    send, sent = bus.send_and_get_reply, []

    def fail_once(message, *, timeout):
        sent.append(message.body[2:])
        if len(sent) == at + 1:
            raise problem
        return send(message, timeout=timeout)

    bus.send_and_get_reply = fail_once
    with pytest.raises(Unsure if at else InsertError):
        keyboard.press(CHORD)
    assert sent[-2:] == [(0xFF63, 0), (0xFFE1, 0)], "nothing stays down"


def test_a_modifier_comes_up_also_when_the_release_of_the_key_is_not_answered(on_bus, permission):
    bus = on_bus(FakeBus())
    keyboard = PortalKeyboard(permission)
    send, sent = bus.send_and_get_reply, []

    def leave_unanswered(message, *, timeout):
        sent.append(message.body[2:])
        if message.body[2:] == (INSERT, 0):
            raise TimeoutError
        return send(message, timeout=timeout)

    bus.send_and_get_reply = leave_unanswered
    with pytest.raises(Unsure):
        keyboard.press(CHORD)
    assert (SHIFT_L, 0) in sent


def test_a_portal_that_hangs_after_its_question_does_not_outlast_the_text(on_bus, permission, monkeypatch):
    waits = []
    bus = on_bus(FakeBus())
    keyboard = PortalKeyboard(permission)
    monkeypatch.setattr(wayland, "time", SimpleNamespace(monotonic=lambda: sum(waits)))

    def hang(_message, *, timeout):
        waits.append(timeout)
        raise TimeoutError

    bus.send_and_get_reply = hang
    with pytest.raises(InsertError):
        keyboard.press(CHORD)
    opening_s = portal.ANSWER_S + wayland.PORTAL_S + wayland.CONSENT_S
    assert opening_s + sum(waits) < INSERTING_S


def test_a_keyboard_that_was_taken_away_is_an_error(on_bus, permission):
    on_bus(FakeBus(refuses=("NotifyKeyboardKeysym",)))
    with pytest.raises(InsertError):
        PortalKeyboard(permission).press((0xFF0D,))


@pytest.fixture
def compositor(tmp_path):
    compositor = Compositor(tmp_path)
    yield compositor
    compositor.close()


@pytest.fixture
def controlled(compositor, backend):
    """The back end on a compositor with data control and a virtual keyboard, and the tools beside it."""
    tools = FakeTools()
    way = backend(tools)
    way.close()
    session = Session(Kind.WAYLAND, compositor.path)
    made = Wayland(session, lambda _s: None)
    yield made, tools
    made.close()


def test_by_data_control_a_text_counts_as_inserted_when_it_was_fetched_after_the_chord(
    compositor, controlled, monkeypatch
):
    way, tools = controlled
    compositor.copied(CLIPBOARD, {"text/plain": b"old"})
    press = OwnKeyboard.press

    def press_and_fetch(self, codes):
        press(self, codes)
        assert compositor.paste(CLIPBOARD) == b"said"

    monkeypatch.setattr(OwnKeyboard, "press", press_and_fetch)
    assert way.paste_text("said") == Inserted(4)
    assert tools.keys == [("own", 42, 110)]
    way.close()
    assert tools.data == b"old", "wl-copy goes on to serve what was there"


def test_what_the_compositor_offers_is_what_is_said_of_it(compositor, monkeypatch):
    monkeypatch.setattr(wayland, "version_of", lambda _interface: None)
    session = Session(Kind.WAYLAND, compositor.path)
    there = [way.name for way in Wayland.ways(session) if way.is_available]
    assert there[0] == "paste (data control, keys by a virtual keyboard)"
    assert there[-1] == "clipboard (data control)"
    assert Wayland.permission_in(session) is KeyPermission.NOT_NEEDED


def test_a_text_that_was_not_fetched_in_time_may_have_arrived_and_stays(compositor, controlled, monkeypatch):
    way, _ = controlled
    monkeypatch.setattr(Wayland, "FETCH_WAIT_S", 0.05)
    assert way.paste_text("said") == Inserted(None)
    assert way.rest(is_idle=True) is None
    assert compositor.paste(CLIPBOARD) == b"said"


def test_a_compositor_that_goes_after_the_chord_leaves_it_open_whether_the_text_arrived(
    compositor, controlled, monkeypatch
):
    """To insert it by another way could insert it twice."""
    way, _ = controlled
    monkeypatch.setattr(OwnKeyboard, "press", lambda _self, _codes: compositor.drop())
    assert way.paste_text("said") == Inserted(None, may_copy=False)


def test_what_is_private_is_not_handed_on(controlled):
    way, tools = controlled
    before = dict(tools.offered)
    way.copy("said")
    way.close()
    assert tools.offered == before
