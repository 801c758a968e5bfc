"""What all windowing systems share: waiting, giving the clipboard back, what may be inserted at all."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert import backend
from handy_qwen.system.insert.backend import Deadline, Injection, chunks, printable
from handy_qwen.system.insert.pasting import DelayedRestore
from tests.fakes import FakeClock


@pytest.fixture
def clock(monkeypatch):
    made = FakeClock()
    monkeypatch.setattr(backend.time, "monotonic", made)
    return made


def test_patience_is_long_while_nobody_waits_and_short_from_then_on(clock):
    waiting = []
    patience = Deadline(lambda: bool(waiting))
    clock.now_s += 10.0
    assert patience.left_s() == backend.PREPARE_S - 10.0
    waiting.append(True)
    assert patience.left_s() == backend.WAIT_S
    waiting.clear()
    clock.now_s += backend.WAIT_S
    assert patience.left_s() <= 0


def test_patience_does_not_grow_when_somebody_waits(clock):
    patience = Deadline(lambda: clock.now_s > 100.0)
    clock.now_s += backend.PREPARE_S - 0.5
    assert patience.left_s() == 0.5


def test_the_clipboard_is_given_back_once_it_is_time(clock):
    given = []
    due = DelayedRestore(lambda: given.append(clock.now_s))
    assert due.rest(is_idle=True) is None
    due.after(0.3)
    assert due.rest(is_idle=True) == pytest.approx(0.3)
    assert due.rest(is_idle=False) == 0.0, "the next text borrows it again"
    clock.now_s += 0.4
    assert due.rest(is_idle=True) is None
    assert due.rest(is_idle=True) is None
    assert len(given) == 1
    due.after(0.3)
    due.forget()
    clock.now_s += 1.0
    assert due.rest(is_idle=True) is None
    assert len(given) == 1


def test_what_is_copied_while_the_clipboard_is_given_back_comes_after_it():
    order = []

    def restore():
        copying.start()
        copying.join(0.2)  # it has to wait
        order.append("given back")

    def copy():
        due.forget()
        order.append("copied")

    copying = threading.Thread(target=copy)
    due = DelayedRestore(restore)
    due.after(0.0)
    assert due.now() is None
    copying.join(30)
    assert order == ["given back", "copied"]


@pytest.mark.parametrize("failures", [1, DelayedRestore.TRIES - 1, DelayedRestore.TRIES + 3])
def test_giving_back_is_tried_a_few_times(clock, failures):
    tries = []

    def restore():
        tries.append(True)
        if len(tries) <= failures:
            raise InsertError("Open.", InsertReason.UNSUPPORTED_DESKTOP)

    due = DelayedRestore(restore)
    due.after(0.0)
    while (wait_s := due.rest(is_idle=True)) is not None:
        clock.now_s += wait_s
    assert len(tries) == min(failures + 1, DelayedRestore.TRIES)
    assert not due.is_due


@given(st.text(st.sampled_from("ab\n🙂")), st.integers(1, 9))
def test_pieces_lose_nothing_and_are_no_longer_than_allowed(text, limit):
    cut = list(chunks(text, len, limit, alone="\n".__eq__))
    assert "".join(cut) == text
    assert all(piece and len(piece) <= limit for piece in cut)
    assert all("\n" not in piece or piece == "\n" for piece in cut)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_characters_that_can_be_seen_are_left_as_they_are(text):
    assert printable(text) == text


@given(st.text(st.characters()))
def test_nothing_that_a_terminal_would_obey_gets_through(text):
    shown = printable(text)
    shown.encode()  # no halves of characters
    assert not any(c < " " and c not in "\n\t" for c in shown)
    assert printable(shown) == shown


def test_line_ends_of_other_systems_become_line_feeds():
    assert printable("a\r\nb\rc\nd\te") == "a\nb\nc\nd\te"
    assert printable("\x1b[31mred\x00\x9b") == "[31mred"
    assert printable("\ud83d half") == "\ufffd half"


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
