"""The text before the cursor in Windows' own fields, and what it is for."""

import ctypes
import sys

import pytest

from handy_qwen.errors import InsertReason
from handy_qwen.system.insert import windows
from handy_qwen.system.insert.edit_controls import PASSWORD, text_before_caret
from handy_qwen.system.insert.win32 import KEYUP, Win32
from tests.unit.system.insert.fake_systems import TARGET, FakeWindows, Field, reason_of

EDIT, RICH = "Edit", "RichEdit20W"


@pytest.fixture
def fake():
    return FakeWindows()


def at_the_end(kind, text, units, **options):
    return Field(kind, text, units, units, **options)


@pytest.mark.parametrize(
    ("field", "most", "expected"),
    [
        (at_the_end(EDIT, "Mine. Said.", 11), 5, "Said."),
        (at_the_end(EDIT, "Said.", 5), 9, "Said."),
        (at_the_end(EDIT, "", 0), 5, ""),
        (Field(EDIT, "Said. And what follows.", 5, 5), 5, "Said."),
        (at_the_end(EDIT, "one\r\ntwo", 8), 5, "e\ntwo"),
        (at_the_end(RICH, "one\r\ntwo", 7), 5, "e\ntwo"),
        (at_the_end("RichEditD2DPT", "one\rtwo", 7), 5, "e\ntwo"),
        (Field(RICH, "a\r\nb\r\nc\r\nd", 3, 3), 5, "a\nb"),
        (at_the_end(EDIT, "🦊 füchse", 9), 8, "🦊 füchse"),
        (Field(EDIT, "🦊🦊", 2, 2), 5, "🦊"),
    ],
)
def test_what_stands_before_the_cursor_is_known(fake, field, most, expected):
    fake.field = field
    assert text_before_caret(fake, TARGET, most) == expected


@pytest.mark.parametrize(
    "field",
    [
        None,
        at_the_end("Chrome_RenderWidgetHostHWND", "Said.", 5),
        at_the_end(EDIT, "secret", 6, style=PASSWORD),
        Field(EDIT, "Said.", 2, 5),
        at_the_end(EDIT, "Said.", 5, answers=False),
        at_the_end(EDIT, "a" * 70_000, 70_000),
        at_the_end(EDIT, "less than it said", 30),
        at_the_end(RICH, "a picture \ufffc", 11),
    ],
)
def test_what_is_not_sure_is_not_known(fake, field):
    fake.field = field
    assert text_before_caret(fake, TARGET, 5) is None


@pytest.fixture
def backend(fake, monkeypatch):
    monkeypatch.setattr(windows, "Win32", lambda: fake)
    made = windows.Windows(None, lambda _: None)
    yield made
    made.close()


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
    for style, expected in ((multiline, "e\n🦊 füchse"), (password, None)):
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
        assert text_before_caret(api, made, 10) == expected
        user.SendMessageW(window, 0x00B1, 0, place)
        assert text_before_caret(api, made, 10) is None
        user.DestroyWindow(window)
