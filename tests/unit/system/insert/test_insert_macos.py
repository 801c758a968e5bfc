"""The macOS backend against a macOS of our own."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.core.types import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert import backend as backend_module
from handy_qwen.system.insert import macos
from handy_qwen.system.insert.backend import UNKNOWN, Inserted, chunks
from handy_qwen.system.insert.macos import (
    COMMAND,
    CONTROL,
    KEY_RETURN,
    KEY_V,
    MARKS,
    TEXT_TYPE,
    MacOS,
    Quartz,
)
from handy_qwen.system.session import Kind, Session

OLD = [{TEXT_TYPE: b"old", "public.html": b"<b>old</b>"}, {"public.png": b"\x89PNG"}]


class FakeMac(Quartz):
    """A pasteboard and a keyboard; the frontmost application pastes on Cmd+V."""

    def __init__(self):
        self.content, self.count, self.marks = list(OLD), 5, ()
        self.keys, self.flags, self.front = [], 0, (77, "com.example.Editor")
        self.is_allowed, self.pastes, self.pasted = True, True, []
        self.promised = None
        self.asked, self.on_key = [], lambda: None

    def may_post(self):
        return self.is_allowed

    def key(self, code, *, is_press, flags, text):
        self.keys.append((code, is_press, flags, text))
        self.on_key()
        if is_press and code == KEY_V and flags == COMMAND and self.pastes:
            text, on_fetch = self.promised
            self.pasted.append(text)
            on_fetch()

    def held_flags(self):
        return self.flags

    def frontmost(self):
        return self.front

    def change_count(self):
        return self.count

    def kinds(self):
        return [list(item) for item in self.content]

    def data(self, item, kind):
        self.asked.append(kind)
        value = self.content[item][kind]
        return value() if callable(value) else value

    def write(self, items):
        self.content, self.promised = list(items), None
        self.count += 1
        return self.count

    def promise(self, text, marks, on_fetch):
        self.content, self.promised, self.marks = [], (text, on_fetch), tuple(marks)
        self.count += 1
        return self.count


@pytest.fixture
def fake():
    return FakeMac()


@pytest.fixture
def backend(fake, monkeypatch):
    monkeypatch.setattr(MacOS, "RELEASE_WAIT_S", 0.05)
    monkeypatch.setattr(MacOS, "FETCH_WAIT_S", 0.05)
    monkeypatch.setattr(MacOS, "RESTORE_AFTER_S", 0.02)
    return MacOS(Session(Kind.MACOS), threading.Event().wait, api=fake)


def rest(backend):
    while (wait_s := backend.rest(is_idle=True)) is not None:
        threading.Event().wait(wait_s)


@given(st.text(st.sampled_from("ab\n\té我🙂𠜎")))
def test_pieces_are_short_and_lose_nothing(text):
    cut = list(chunks(text, macos._units, macos.UNITS, alone=macos.KEYS.__contains__))
    assert "".join(cut) == text
    for piece in cut:
        assert len(piece.encode("utf-16-le")) <= 40
        assert piece in ("\n", "\t") or not set(piece) & set("\n\t")


def test_typing_stops_when_another_application_comes_to_the_front(fake, backend):
    fake.on_key = lambda: setattr(fake, "front", (77 if len(fake.keys) < 5 else 78, ""))
    assert backend.type_text("x" * 100) == Inserted(40, has_focus=False), "the piece in doubt does not count"
    fake.front = (77, "")
    fake.on_key = lambda: setattr(fake, "front", (78, ""))
    assert backend.type_text("x" * 100) == Inserted(None, has_focus=False)


def test_a_promised_item_is_made_once_in_advance_and_comes_back(fake, backend):
    fake.write([{TEXT_TYPE: lambda: b"made", "public.html": lambda: None}])
    backend.prepare(lambda: False)
    assert fake.asked == [TEXT_TYPE, "public.html"]
    backend.paste_text("said")
    assert len(fake.asked) == 2
    rest(backend)
    assert fake.content == [{TEXT_TYPE: b"made"}], "what its owner does not hand over, nobody can have"


@pytest.mark.parametrize("why", ["too large", "too slow", "changing"])
def test_a_pasteboard_that_cannot_be_kept_is_left_alone(fake, backend, monkeypatch, why):
    if why == "too large":
        monkeypatch.setattr(macos, "KEEP_BYTES", 5)
    elif why == "too slow":
        monkeypatch.setattr(backend_module, "WAIT_S", 0.0)
    else:
        read = fake.data

        def change(item, kind):
            fake.count += 1
            return read(item, kind)

        fake.data = change
    with pytest.raises(InsertError) as caught:
        backend.paste_text("said")
    assert caught.value.reason is InsertReason.CLIPBOARD_IN_USE
    assert fake.content == OLD
    assert fake.keys == []


def test_a_text_is_typed_whole_and_in_order(fake, backend):
    backend.type_text("naïve 🙂 and so on, and so on\nnext")
    pressed = [(code, text) for code, is_press, flags, text in fake.keys if is_press and not flags]
    assert "".join("\n" if code == KEY_RETURN else text for code, text in pressed) == (
        "naïve 🙂 and so on, and so on\nnext"
    )
    assert len(fake.keys) == 2 * len(pressed)


def test_the_window_gets_this_text_and_the_user_all_items_back(fake, backend):
    backend.paste_text("said")
    assert fake.pasted == ["said"]
    assert fake.marks == MARKS
    assert fake.content == []
    rest(backend)
    assert fake.content == OLD


def test_what_the_user_copies_meanwhile_stays(fake, backend):
    backend.paste_text("said")
    fake.write([{TEXT_TYPE: b"newer"}])
    rest(backend)
    assert fake.content == [{TEXT_TYPE: b"newer"}]


def test_two_pastes_in_a_row_give_back_what_was_there_before_the_first(fake, backend):
    backend.paste_text("one")
    assert backend.rest(is_idle=False) == 0.0
    backend.paste_text("two")
    backend.close()
    assert fake.pasted == ["one", "two"]
    assert fake.content == OLD


def test_a_paste_that_nobody_fetches_is_told(fake, backend):
    fake.pastes = False
    assert backend.paste_text("said") == UNKNOWN
    rest(backend)
    assert fake.promised is not None, "a slow window still gets it"


def test_what_the_user_copies_while_the_window_is_stuck_is_not_to_be_replaced(fake, backend):
    fake.pastes = False
    fake.on_key = lambda: fake.write([{TEXT_TYPE: b"newer"}])
    assert backend.paste_text("said") == Inserted(None, may_copy=False)


@pytest.mark.parametrize("method", ["type_text", "paste_text"])
def test_without_the_permission_nothing_is_sent_and_the_hint_says_where_to_give_it(fake, backend, method):
    fake.is_allowed = False
    with pytest.raises(InsertError) as caught:
        getattr(backend, method)("said")
    assert caught.value.reason is InsertReason.DENIED_BY_USER
    assert "Accessibility" in caught.value.hint
    assert fake.keys == []
    assert fake.content == OLD


def test_a_held_key_is_waited_for_but_not_for_ever(fake, backend):
    fake.flags = CONTROL
    backend.type_text("a")
    assert fake.keys[0] == (0, True, 0, "a"), "the event carries its own modifiers"


def test_a_copied_text_stays_and_is_concealed(fake, backend):
    backend.paste_text("said")
    backend.copy("kept")
    rest(backend)
    assert fake.content == [{TEXT_TYPE: b"kept", MARKS[0]: b""}]


@pytest.mark.parametrize(
    ("submit", "flags"), [(Submit.ENTER, 0), (Submit.CTRL_ENTER, CONTROL), (Submit.SUPER_ENTER, COMMAND)]
)
def test_the_key_after_the_text(fake, backend, submit, flags):
    backend.submit(submit)
    assert fake.keys == [(KEY_RETURN, True, flags, ""), (KEY_RETURN, False, flags, "")]


def test_the_active_application_is_the_target(fake, backend):
    assert backend.focused() == Target(77, "com.example.Editor")
    fake.front = (0, "")
    with pytest.raises(InsertError):
        backend.paste_text("said")
