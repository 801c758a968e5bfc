"""The macOS back end against a macOS of our own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.core.types import Submit
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert import macos
from handy_qwen.system.insert.backend import Inserted, chunks
from handy_qwen.system.insert.macos import COMMAND, CONTROL, KEY_RETURN, TEXT_TYPE
from tests.unit.system.insert.fake_systems import OLD, reason_of, rest


@given(st.text(st.sampled_from("ab\n\té我🙂𠜎")))
def test_pieces_are_short_and_lose_nothing(text):
    cut = list(chunks(text, macos._units, macos.UNITS, alone=macos.KEYS.__contains__))
    assert "".join(cut) == text
    for piece in cut:
        assert len(piece.encode("utf-16-le")) <= 40
        assert piece in ("\n", "\t") or not set(piece) & set("\n\t")


def test_typing_stops_when_another_application_comes_to_the_front(fake, backend):
    fake.on_send = lambda: setattr(fake, "front", (77 if len(fake.sent) < 5 else 78, ""))
    assert backend.type_text("x" * 100) == Inserted(40, has_focus=False), "the piece in doubt does not count"
    fake.front = (77, "")
    fake.on_send = lambda: setattr(fake, "front", (78, ""))
    assert backend.type_text("x" * 100) == Inserted(None, has_focus=False)


def test_a_promised_item_is_made_once_in_advance_and_comes_back(fake, backend):
    fake.write([{TEXT_TYPE: lambda: b"made", "public.html": lambda: None}])
    backend.prepare(lambda: False)
    assert fake.asked == [TEXT_TYPE, "public.html"]
    backend.paste_text("said")
    assert len(fake.asked) == 2
    rest(backend)
    assert fake.content == [{TEXT_TYPE: b"made"}], "what its owner does not hand over, nobody can have"


@pytest.mark.parametrize("why", ["too large", "changing"])
def test_a_pasteboard_that_cannot_be_kept_is_left_alone(fake, backend, monkeypatch, why):
    if why == "too large":
        monkeypatch.setattr(macos, "KEEP_BYTES", 5)
    else:
        read = fake.data

        def change(item, kind):
            fake.count += 1
            return read(item, kind)

        fake.data = change
    assert reason_of(backend.paste_text, "said") is InsertReason.CLIPBOARD_IN_USE
    assert (fake.content, fake.sent) == (OLD, [])


def test_a_text_is_typed_whole_and_in_order(fake, backend):
    backend.type_text("naïve 🙂 and so on, and so on\nnext")
    pressed = [(code, text) for code, is_press, flags, text in fake.sent if is_press and not flags]
    assert "".join("\n" if code == KEY_RETURN else text for code, text in pressed) == (
        "naïve 🙂 and so on, and so on\nnext"
    )
    assert len(fake.sent) == 2 * len(pressed)


@pytest.mark.parametrize("method", ["type_text", "paste_text"])
def test_without_the_permission_nothing_is_sent_and_the_hint_says_where_to_give_it(fake, backend, method):
    fake.is_allowed = False
    with pytest.raises(InsertError, match="Accessibility") as caught:
        getattr(backend, method)("said")
    assert caught.value.reason is InsertReason.DENIED_BY_USER
    assert (fake.content, fake.sent) == (OLD, [])


def test_a_held_key_is_waited_for_but_not_for_ever(fake, backend):
    fake.flags = CONTROL
    backend.type_text("a")
    assert fake.sent[0] == (0, True, 0, "a"), "the event carries its own modifiers"


@pytest.mark.parametrize(
    ("submit", "flags"), [(Submit.ENTER, 0), (Submit.CTRL_ENTER, CONTROL), (Submit.SUPER_ENTER, COMMAND)]
)
def test_the_key_after_the_text(fake, backend, submit, flags):
    backend.submit(submit)
    assert fake.sent == [(KEY_RETURN, True, flags, ""), (KEY_RETURN, False, flags, "")]
