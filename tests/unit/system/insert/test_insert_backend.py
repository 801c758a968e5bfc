"""What all windowing systems share: waiting, giving the clipboard back."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert import backend
from handy_qwen.system.insert.backend import Deadline, chunks
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
