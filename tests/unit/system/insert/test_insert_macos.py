"""The macOS back end against a macOS of our own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.core.permissions import Consent, Permission
from handy_qwen.core.types import Submit
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert import macos
from handy_qwen.system.insert.backend import Inserted, chunks
from handy_qwen.system.insert.macos import COMMAND, CONTROL, KEY_RETURN, KEY_V, OPTION, TEXT_TYPE
from tests.unit.system.insert.fake_mac import OLD
from tests.unit.system.insert.fake_systems import reason_of, rest


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

        def change():
            fake.pasteboard.count += 1

        fake.on_read = change
    assert reason_of(backend.paste_text, "said") is InsertReason.CLIPBOARD_IN_USE
    assert (fake.content, fake.sent) == (OLD, [])


def test_a_text_is_typed_whole_and_in_order(fake, backend):
    fake.flags = OPTION  # held: the events have modifiers of their own
    backend.type_text("naïf 🙂🙂🙂🙂🙂🙂🙂🙂🙂 and so on, and so on\nnext")
    presses, releases = fake.sent[::2], fake.sent[1::2]
    assert [(code, text) for code, _, _, text in presses] == [
        (0, "naïf 🙂🙂🙂🙂🙂🙂🙂"),
        (0, "🙂🙂 and so on, and "),
        (0, "so on"),
        (KEY_RETURN, ""),
        (0, "next"),
    ]
    assert [(is_press, flags) for _, is_press, flags, _ in presses] == [(True, 0)] * 5
    assert releases == [(code, False, flags, text) for code, _, flags, text in presses], "a release for each"


def test_the_chord_has_its_modifier_and_its_letter_and_nothing_else(fake, backend):
    backend.paste_text("said")
    assert fake.sent == [(KEY_V, True, COMMAND, "v"), (KEY_V, False, COMMAND, "v")]


@pytest.mark.parametrize("method", ["type_text", "paste_text"])
def test_without_the_permission_nothing_is_sent_and_the_hint_says_where_to_give_it(fake, backend, method):
    fake.consents[Permission.ACCESSIBILITY] = Consent.UNASKED
    with pytest.raises(InsertError) as caught:
        getattr(backend, method)("said")
    assert "Permissions" in caught.value.hint
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
