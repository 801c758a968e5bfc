"""The Windows back end against a Windows of our own: keys, clipboard, text fields, and in which order."""

import ctypes
import os
import sys
import threading

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from handy_qwen.core.types import Submit, TextAround
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert import windows, windows_clipboard
from handy_qwen.system.insert.backend import UNKNOWN, Inserted
from handy_qwen.system.insert.pasting import DelayedRestore
from handy_qwen.system.insert.win32 import KEYUP, UNICODE, Input, KeyEvent, Win32
from handy_qwen.system.insert.windows import PASSWORD, Windows, strokes, text_around_caret
from handy_qwen.system.insert.windows_clipboard import CF_UNICODETEXT, encoded
from handy_qwen.system.session import Kind, Session
from tests.unit.system.insert.fake_systems import (
    BITMAP,
    DIB,
    DIBV5,
    EMF,
    HTML,
    MANAGER,
    METAFILE,
    TARGET,
    TARGET_PROCESS,
    FakeWindows,
    Field,
    reason_of,
    rest,
)
from tests.waiting import wait_until

EDIT, RICH = "Edit", "RichEdit20W"


def test_a_character_is_typed_as_its_utf16_units():
    assert [e.unit for e in strokes("é")] == [0xE9, 0xE9]
    assert [(e.unit, e.flags) for e in strokes("🙂")] == [
        (0xD83D, UNICODE),
        (0xD83D, UNICODE | KEYUP),
        (0xDE42, UNICODE),
        (0xDE42, UNICODE | KEYUP),
    ]
    assert [e.key for e in strokes("\n")] == [windows.VK_RETURN] * 2
    assert [e.key for e in strokes("\t")] == [windows.VK_TAB] * 2


def test_a_text_is_typed_whole_and_in_order(fake, backend):
    text = "naïve 🙂\tand so on " * 20
    backend.type_text(text)
    units = [e for e in fake.sent if not e.flags & KEYUP]
    raw = b"".join((9 if e.key == windows.VK_TAB else e.unit).to_bytes(2, "little") for e in units)
    assert raw.decode("utf-16-le") == text
    assert len(units) * 2 == len(fake.sent)


def test_windows_that_refuse_keys_are_an_error(fake, backend):
    fake.refuses = True
    with pytest.raises(InsertError) as caught:
        backend.type_text("said")
    assert caught.value.reason is InsertReason.DENIED_BY_USER
    with pytest.raises(InsertError):
        backend.paste_text("said")
    assert fake.text() == "old", "what was there is back"


OLD = {CF_UNICODETEXT: encoded("old")}


def test_a_promised_picture_is_made_and_comes_back(fake, backend):
    picture = b"pixels" * 1000
    fake.copies({DIB: lambda: picture, BITMAP: None, DIBV5: lambda: picture + b"5", METAFILE: None, 9: None})
    backend.prepare(lambda: False)
    backend.paste_text("said")
    rest(backend)
    assert fake.pasted == ["said"]
    assert fake.content == {DIB: picture}, "Windows makes the others from it again"


def test_a_drawing_comes_back_as_its_metafile(fake, backend):
    fake.copies({METAFILE: None, EMF: b"lines"})
    backend.paste_text("said")
    rest(backend)
    assert fake.content == {EMF: b"lines"}


@pytest.mark.parametrize("why", ["unreadable", "too large", "hung", "kept open"])
def test_what_cannot_be_kept_is_left_alone(fake, backend, monkeypatch, why):
    monkeypatch.setattr(windows_clipboard, "OPEN_PAUSE_S", 0.0)
    content = {CF_UNICODETEXT: encoded("old"), HTML: b"<b>old</b>"}
    fake.copies(dict(content))
    if why == "unreadable":
        fake.unreadable = {HTML}
    elif why == "too large":
        monkeypatch.setattr(windows_clipboard, "KEEP_BYTES", 9)
    elif why == "hung":
        fake.hung = {901}
    else:
        fake.opener = MANAGER
    assert reason_of(backend.paste_text, "said") is InsertReason.CLIPBOARD_IN_USE
    assert reason_of(backend.prepare, lambda: True) is InsertReason.CLIPBOARD_IN_USE
    fake.opener = 0
    assert fake.content == content
    assert fake.sent == []


def test_a_format_that_its_owner_does_not_hand_over_is_nobodys_loss(fake, backend):
    fake.copies({HTML: lambda: None, CF_UNICODETEXT: encoded("old")})
    backend.paste_text("said")
    rest(backend)
    assert fake.content == OLD


def test_a_clipboard_that_is_open_when_the_old_content_is_due_is_tried_again(fake, backend, monkeypatch):
    monkeypatch.setattr(windows_clipboard, "OPEN_PAUSE_S", 0.0)
    monkeypatch.setattr(DelayedRestore, "AGAIN_S", 0.01)
    backend.paste_text("said")
    fake.opener = MANAGER
    backend.rest(is_idle=True)
    threading.Event().wait(0.1)
    assert backend.rest(is_idle=True) is not None
    fake.opener = 0
    rest(backend)
    assert fake.text() == "old"


def test_a_text_that_windows_refuses_on_the_clipboard_costs_nothing(fake, backend):
    put = fake.set

    def refuse(format_id, data):
        return False if data is None else put(format_id, data)

    fake.set = refuse
    with pytest.raises(InsertError):
        backend.paste_text("said")
    assert fake.text() == "old"


@pytest.mark.expects_log
def test_an_exception_on_the_clipboards_thread_is_no_success(fake, backend):
    def fail():
        raise RuntimeError("old")

    fake.empty_clipboard = fail
    with pytest.raises(InsertError):
        backend.copy("said")
    with pytest.raises(InsertError):
        backend.paste_text("said")
    wait_until(lambda: backend.clipboard_thread.piece() is None, "the end of its work")
    del fake.empty_clipboard
    backend.copy("said")
    assert fake.text() == "said"


@pytest.mark.expects_log
def test_a_clipboard_thread_that_dies_is_seen_and_can_be_started_again(fake, backend):
    def die():
        raise SystemError

    fake.post(die)
    backend.clipboard_thread.join(5)
    assert backend.clipboard_thread.has_died()
    with pytest.raises(InsertError):
        backend.copy("said")
    backend.clipboard_thread.revive()
    wait_until(backend.clipboard_thread.is_alive, "the thread")
    backend.copy("said")
    assert fake.text() == "said"


def typed(fake):
    """The characters whose keys went down."""
    units = [
        e.unit or {windows.VK_RETURN: 10, windows.VK_TAB: 9}[e.key] for e in fake.sent if not e.flags & KEYUP
    ]
    return b"".join(unit.to_bytes(2, "little") for unit in units).decode("utf-16-le", "replace")


@given(st.text(st.sampled_from("ab\té🙂\n"), min_size=1, max_size=90), st.integers(1, 400))
def test_what_windows_took_is_what_counts_as_typed(text, room):
    assume(text[0] != "🙂" or room > 2)  # half a character is none
    fake = FakeWindows()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "Win32", lambda: fake)
        backend = Windows(Session(Kind.WINDOWS), lambda _: None)
    fake.room = room
    arrived = backend.type_text(text)
    fake.room = None
    backend.close()
    assert arrived.has_focus
    everything = typed(fake) == text
    assert (arrived.characters == len(text)) == everything
    ok = text[: arrived.characters]
    assert len(typed_units(fake)) - len(ok.encode("utf-16-le")) // 2 in (0, 1), (
        "at most half a character more"
    )
    downs = [e for e in fake.sent if not e.flags & KEYUP]
    assert len(fake.sent) - len(downs) >= len(downs) - 1


def typed_units(fake):
    return [e for e in fake.sent if not e.flags & KEYUP]


def test_typing_stops_when_another_window_gets_the_focus(fake, backend):
    text = "x" * 200
    fake.on_send = lambda: setattr(fake, "front", TARGET if len(fake.sent) < 100 else MANAGER)
    arrived = backend.type_text(text)
    assert arrived == Inserted(2 * windows.CHUNK, has_focus=False), "what came when it moved does not count"
    fake.on_send, fake.front = (lambda: setattr(fake, "front", MANAGER)), TARGET
    assert backend.type_text(text) == Inserted(None, has_focus=False)


def test_a_paste_does_not_go_to_a_window_that_came_while_a_key_was_held(fake, backend):
    fake.held = {windows.VK_RCONTROL}
    fake.on_send = lambda: setattr(fake, "front", MANAGER)
    assert reason_of(backend.paste_text, "said") is InsertReason.NO_FOCUS
    assert fake.text() == "old"


def test_a_modifier_pressed_while_a_text_is_typed_is_released(fake, backend):
    fake.on_send = lambda: fake.held.update({windows.VK_LSHIFT} if len(fake.sent) == 64 else ())
    assert backend.type_text("x" * 100) == Inserted(100)
    releases = [e for e in fake.sent if e.key == windows.VK_LSHIFT]
    assert [e.flags & KEYUP for e in releases] == [KEYUP]


@pytest.mark.parametrize("insert", ["type_text", "paste_text"])
def test_a_locked_modifier_keeps_the_text_back(fake, backend, insert):
    fake.held = fake.locked = {windows.VK_LCONTROL}
    assert reason_of(getattr(backend, insert), "said") is InsertReason.NOT_TYPEABLE
    assert typed_units(fake) == []
    assert fake.text() == "old"


def test_with_filter_keys_nothing_is_typed(fake, backend):
    fake.filters = True
    assert reason_of(backend.type_text, "said") is InsertReason.NOT_TYPEABLE
    assert fake.sent == []


@pytest.mark.parametrize(("kind", "is_typed"), [("Qt683QWindowIcon", False), ("Notepad", True)])
def test_a_window_of_qt_is_typed_no_character_that_it_would_misplace(fake, backend, kind, is_typed):
    fake.kinds[TARGET] = kind
    backend.type_text("ab")
    if is_typed:
        assert backend.type_text("ab🙂cd") == Inserted(5)
        return
    with pytest.raises(InsertError) as caught:
        backend.type_text("ab🙂cd")
    assert caught.value.reason is InsertReason.NOT_TYPEABLE  # so it is pasted
    assert len(fake.sent) == 4


@pytest.mark.parametrize("room", [1, 2, 3])
def test_a_chord_that_windows_takes_in_part_leaves_no_key_down(fake, backend, room):
    fake.room = room
    fake.on_send = lambda: setattr(fake, "room", None if fake.sent else room)
    if room == 1:
        with pytest.raises(InsertError):
            backend.submit(Submit.CTRL_ENTER)
    else:
        backend.submit(Submit.CTRL_ENTER)
    down = set()
    for event in fake.sent:
        (down.discard if event.flags & KEYUP else down.add)(event.key)
    assert down == set()


def test_a_clipboard_manager_does_not_pass_for_the_window(fake, backend):
    fake.manager_reads = True
    backend.paste_text("said")
    assert fake.reads_by_manager == 1
    assert fake.pasted == ["said"]
    fake.pastes = False
    assert backend.paste_text("said again") == UNKNOWN


@pytest.mark.parametrize("name", ["FileGroupDescriptorW", "FileContents"])
def test_files_that_only_their_owner_can_hand_over_are_left_alone(fake, backend, name):
    """Copied in a mail or an archive: they are on no disk."""
    fake.content = {fake.register(name): b"a list", CF_UNICODETEXT: encoded("names")}
    before = dict(fake.content)
    with pytest.raises(InsertError) as caught:
        backend.paste_text("said")
    assert caught.value.reason is InsertReason.CLIPBOARD_IN_USE
    assert (fake.content, fake.sent) == (before, [])


def test_a_key_pressed_while_the_clipboard_is_taken_does_not_get_into_the_chord(fake, backend):
    def made_slowly():
        fake.held = {windows.VK_RCONTROL}
        return b"<b>old</b>"

    fake.content[HTML] = made_slowly
    assert backend.paste_text("said") == Inserted(4)
    assert fake.sent[0] == windows.key_event(windows.VK_RCONTROL, is_press=False)
    assert fake.held == set()


@pytest.mark.parametrize("method", ["type_text", "paste_text"])
def test_a_window_of_an_administrator_gets_no_keys_and_nobody_believes_that_it_did(fake, backend, method):
    """SendInput returns the full count: what it sends is dropped."""
    fake.elevated = {TARGET_PROCESS}
    with pytest.raises(InsertError) as caught:
        getattr(backend, method)("said")
    assert caught.value.reason is InsertReason.DENIED_BY_USER
    assert fake.sent == []
    assert fake.text() == "old"
    assert backend.focused().is_out_of_reach
    fake.elevated.add(os.getpid())  # as we are
    assert not backend.focused().is_out_of_reach
    getattr(backend, method)("said")
    assert fake.sent


def test_a_promise_is_kept_when_the_program_ends(fake, backend):
    fake.pastes = False
    assert backend.paste_text("said") == UNKNOWN
    assert fake.text() is None, "only promised"
    backend.close()
    assert fake.text() == "said"


def test_a_clipboard_that_another_program_keeps_open_is_an_error(fake, backend, monkeypatch):
    monkeypatch.setattr(windows_clipboard, "OPEN_PAUSE_S", 0.0)
    fake.opener = MANAGER
    with pytest.raises(InsertError):
        backend.copy("said")
    fake.opener = 0
    backend.copy("said")
    assert fake.text() == "said"


def test_terminals_with_another_paste_key_get_that(fake, backend):
    fake.kinds[TARGET] = "mintty"
    backend.paste_text("said")
    assert fake.pasted == ["said"]
    assert fake.sent[0].key == windows.VK_LSHIFT


def test_held_modifiers_are_released_once_and_no_menu_opens(fake, backend):
    fake.held = {windows.VK_LWIN, windows.VK_RSHIFT}
    backend.type_text("a")
    assert fake.sent[:2] == windows.presses((windows.VK_LCONTROL,)), "Win alone would open the menu"
    assert {e.key for e in fake.sent[2:4]} == {windows.VK_LWIN, windows.VK_RSHIFT}
    assert all(e.flags & KEYUP for e in fake.sent[2:4])
    assert [e.unit for e in fake.sent[4:]] == [ord("a")] * 2
    assert fake.held == set()


def test_keys_let_go_in_time_are_only_waited_for(fake, backend, monkeypatch):
    monkeypatch.setattr(Windows, "RELEASE_WAIT_S", 30.0)
    fake.held = {windows.VK_RCONTROL}
    threading.Timer(0.05, fake.held.clear).start()
    backend.type_text("a")
    assert len(fake.sent) == 2


@pytest.mark.parametrize(
    ("submit", "keys"),
    [
        (Submit.ENTER, [windows.VK_RETURN]),
        (Submit.CTRL_ENTER, [windows.VK_LCONTROL, windows.VK_RETURN]),
        (Submit.SUPER_ENTER, [windows.VK_LWIN, windows.VK_RETURN]),
        (Submit.OFF, []),
    ],
)
def test_the_key_after_the_text(fake, backend, submit, keys):
    backend.submit(submit)
    assert [e.key for e in fake.sent if not e.flags & KEYUP] == keys


def test_the_structure_for_sendinput_has_the_size_that_windows_expects():
    assert ctypes.sizeof(Input) == (40 if ctypes.sizeof(ctypes.c_void_p) == 8 else 28)
    assert KeyEvent() == KeyEvent(0, 0, 0)


# --- its own fields ----------------------------------------------------------------------


def at_the_end(kind, text, units, **options):
    return Field(kind, text, units, units, **options)


@pytest.mark.parametrize(
    ("field", "most", "around"),
    [
        (at_the_end(EDIT, "Mine. Said.", 11), 5, ("Said.", "")),
        (at_the_end(EDIT, "Said.", 5), 9, ("Said.", "")),
        (at_the_end(EDIT, "", 0), 5, ("", "")),
        (Field(EDIT, "Said. And what follows.", 5, 5), 5, ("Said.", " And ")),
        (at_the_end(EDIT, "one\r\ntwo", 8), 5, ("e\ntwo", "")),
        (at_the_end(RICH, "one\r\ntwo", 7), 5, ("e\ntwo", "")),
        (at_the_end("RichEditD2DPT", "one\rtwo", 7), 5, ("e\ntwo", "")),
        (Field(RICH, "a\r\nb\r\nc\r\nd", 3, 3), 5, ("a\nb", "\nc\nd")),
        (at_the_end(EDIT, "🦊 füchse", 9), 8, ("🦊 füchse", "")),
        (Field(EDIT, "🦊🦊", 2, 2), 5, ("🦊", "🦊")),
    ],
)
def test_what_stands_around_the_cursor_is_known(fake, backend, field, most, around):
    fake.field = field
    assert backend.text_around(TARGET, most) == TextAround(*around)
    assert backend.text_around(TARGET + 1, most) is None, "another window has the focus"


def test_what_is_marked_will_be_replaced_and_is_not_deleted(fake, backend):
    fake.field = Field(EDIT, "Said twice. More", 5, 11)
    assert backend.text_around(TARGET, 5) == TextAround("Said ", " More", is_marked=True)
    assert reason_of(backend.erase, "Said ", lambda: True) is InsertReason.NOT_TYPEABLE
    assert backspaces(fake) == 0, "a key would delete what is marked"


@pytest.mark.parametrize(
    "field",
    [
        None,
        at_the_end("Chrome_RenderWidgetHostHWND", "Said.", 5),
        at_the_end(EDIT, "secret", 6, style=PASSWORD),
        at_the_end(EDIT, "Said.", 5, answers=False),
        at_the_end(EDIT, "a" * 70_000, 70_000),
        at_the_end(EDIT, "less than it said", 30),
        at_the_end(RICH, "a picture \ufffc", 11),
    ],
)
def test_what_is_not_sure_is_not_known(fake, backend, field):
    fake.field = field
    assert backend.text_around(TARGET, 5) is None


def backspaces(fake):
    return sum(one.key == windows.VK_BACK and not one.flags & KEYUP for one in fake.sent)


def test_a_text_that_the_field_has_cut_or_changed_is_not_deleted(fake, backend):
    fake.field = at_the_end(EDIT, "Mine. And what wa", 17)
    assert reason_of(backend.erase, "And what was said.", lambda: True) is InsertReason.NOT_TYPEABLE
    assert backspaces(fake) == 0


@pytest.mark.parametrize("field", [at_the_end(EDIT, "Mine. Said.\r\nMore.", 18), None])
def test_the_text_is_deleted_where_it_stands_and_where_nobody_knows(fake, backend, field):
    fake.field = field
    backend.erase("Said.\nMore.", lambda: True)
    assert backspaces(fake) == 11


@pytest.mark.skipif(sys.platform != "win32", reason="asks Windows")
@pytest.mark.parametrize("kind", [EDIT, RICH])
def test_windows_itself_tells_what_stands_there(kind):
    user = ctypes.WinDLL("user32")
    ctypes.WinDLL("riched20")
    api = Win32()
    user.CreateWindowExW.restype = ctypes.c_void_p
    multiline, password = 0x0004 | 0x0040, PASSWORD
    known = TextAround("e\n🦊 füchse", " and more")
    for style, expected in ((multiline, known), (password, None)):
        made = user.CreateWindowExW(
            0, ctypes.c_wchar_p(kind), None, 0x10CF0000 | style, 0, 0, 300, 200, None, None, None, None
        )
        assert made
        window = ctypes.c_void_p(made)
        user.SetFocus(window)
        user.SendMessageW(window, 0x000C, 0, ctypes.c_wchar_p("one\r\n🦊 füchse and more"))  # WM_SETTEXT
        place = len("one\n") + len("🦊 füchse".encode("utf-16-le")) // 2 + (kind == EDIT)
        user.SendMessageW(window, 0x00B1, place, place)  # EM_SETSEL
        assert api.focused_control(made) == made
        assert text_around_caret(api, made, 10) == expected
        user.SendMessageW(window, 0x00B1, 0, place)
        marked = text_around_caret(api, made, 10)
        assert (marked and marked.is_marked) == (expected and True)
        user.DestroyWindow(window)
