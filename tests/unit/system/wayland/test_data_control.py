"""The clipboards by data control, in front of a compositor of our own."""

import sys

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("Wayland is on Linux only", allow_module_level=True)

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert import backend
from handy_qwen.system.insert.backend import Deadline
from handy_qwen.system.wayland import clipboard
from handy_qwen.system.wayland.clipboard import CLIPBOARD, MANAGERS, PRIMARY, DataControl
from handy_qwen.system.wayland.wire import offers
from tests.unit.system.wayland.compositor import PROTOCOL, Compositor
from tests.waiting import wait_until

OLD = {"text/html": b"<b>old</b>", "text/plain": b"old"}
SAID = "said 🙂"


@pytest.fixture
def compositor(tmp_path):
    compositor = Compositor(tmp_path)
    yield compositor
    compositor.close()


@pytest.fixture
def control(compositor):
    control = DataControl(compositor.path)
    yield control
    control.close(10)


def pasted(compositor):
    return [compositor.paste(selection) for selection in (CLIPBOARD, PRIMARY)]


def lent(compositor, control, marked=None):
    """A text on both clipboards, of which one at least had something before."""
    compositor.copied(CLIPBOARD, OLD)
    there = control.save(Deadline())
    assert there == {CLIPBOARD: OLD, PRIMARY: marked}
    return control.offer(SAID, there)


def test_a_text_is_lent_and_what_was_there_comes_back_in_all_its_kinds(compositor, control):
    offer = lent(compositor, control)
    assert pasted(compositor) == [SAID.encode()] * 2
    assert clipboard.PRIVATE_KIND in compositor.offered(CLIPBOARD)
    control.withdraw(offer)
    wait_until(lambda: pasted(compositor) == [b"old", None], "what was there")
    assert compositor.offered(CLIPBOARD) == list(OLD)
    assert control.save(Deadline())[CLIPBOARD] == OLD, "it is ours to serve now"


def test_only_a_fetch_of_the_text_after_the_chord_counts(compositor, control):
    offer = lent(compositor, control)
    assert compositor.paste(CLIPBOARD) == SAID.encode()
    assert not offer.is_fetched, "a clipboard manager"
    offer.is_armed = True
    assert compositor.paste(CLIPBOARD, clipboard.PRIVATE_KIND) == b"secret"
    assert not offer.is_fetched, "still one"
    compositor.paste(PRIMARY)
    assert offer.settled.wait(10)
    assert offer.is_fetched


def test_what_the_user_copies_meanwhile_stays(compositor, control):
    offer = lent(compositor, control)
    compositor.copied(CLIPBOARD, {"text/plain": b"newer"})
    assert offer.settled.wait(10)
    assert offer.is_lost
    assert not offer.is_fetched
    control.withdraw(offer)
    wait_until(lambda: pasted(compositor) == [b"newer", None], "what was there")


def test_what_was_marked_comes_back_though_the_user_copies_before_the_text_was_fetched(compositor, control):
    compositor.copied(PRIMARY, {"text/plain": b"marked"})
    offer = lent(compositor, control, marked={"text/plain": b"marked"})
    compositor.copied(CLIPBOARD, {"text/plain": b"newer"})
    assert offer.settled.wait(10)
    control.leave(offer)
    wait_until(lambda: pasted(compositor) == [b"newer", b"marked"], "what was there")


def test_a_text_that_follows_before_the_first_was_given_back_brings_back_what_was_there_first(
    compositor, control
):
    first = lent(compositor, control)
    second = control.offer("more", control.save(Deadline()))
    control.withdraw(first)
    wait_until(lambda: pasted(compositor) == [b"more"] * 2, "the first is over")
    control.withdraw(second)
    wait_until(lambda: pasted(compositor) == [b"old", None], "what was there")


def test_a_text_that_was_not_fetched_is_left_there_and_one_is_copied_for_good(compositor, control):
    control.leave(lent(compositor, control))
    control.withdraw(clipboard.Offer())
    assert compositor.paste(CLIPBOARD) == SAID.encode()
    control.copy("copied")
    assert compositor.paste(CLIPBOARD) == b"copied"


def test_a_large_text_arrives_whole(compositor, control):
    text = "多" * 300_000  # more than a pipe holds
    control.copy(text)
    assert compositor.paste(CLIPBOARD) == text.encode()


def test_what_cannot_be_had_is_not_replaced(compositor, control, monkeypatch):
    monkeypatch.setattr(backend, "WAIT_S", 0.1)
    compositor.copied(CLIPBOARD, {"image/png": None})  # by a program that hangs
    with pytest.raises(InsertError) as caught:
        control.save(Deadline())
    assert caught.value.reason is InsertReason.CLIPBOARD_IN_USE
    monkeypatch.setattr(clipboard, "KEEP_BYTES", 10)
    compositor.copied(CLIPBOARD, {"image/png": b"x" * 11})
    with pytest.raises(InsertError) as caught:
        control.save(Deadline())
    assert caught.value.reason is InsertReason.CLIPBOARD_IN_USE


def test_of_a_picture_the_lossless_kind_is_kept(compositor, control):
    kinds = {"image/bmp": b"1", "image/png": b"2", "TARGETS": b"3", "text/html": b"4"}
    compositor.copied(CLIPBOARD, kinds)
    assert control.save(Deadline())[CLIPBOARD] == {"image/png": b"2", "text/html": b"4"}


def test_what_is_due_comes_back_at_the_end(compositor):
    control = DataControl(compositor.path)
    lent(compositor, control)
    control.close(10)
    assert compositor.offered(CLIPBOARD) == list(OLD), "what came last"
    with pytest.raises(InsertError):
        control.copy("more")


def test_a_compositor_that_ends_is_an_error_and_the_next_one_is_used(compositor, control):
    offer = lent(compositor, control)
    compositor.drop()
    assert offer.settled.wait(10)
    wait_until(control.thread.has_died, "the end of the thread")
    with pytest.raises(InsertError):
        control.copy("lost")
    control.thread.revive()
    control.copy("again")
    assert compositor.paste(CLIPBOARD) == b"again"


def test_without_data_control_there_is_none(tmp_path):
    compositor = Compositor(tmp_path, offers={"wl_seat": 1})
    with pytest.raises(InsertError):
        DataControl(compositor.path)
    assert not offers(compositor.path, *MANAGERS)
    compositor.close()
    with pytest.raises(InsertError):
        DataControl(compositor.path)


def test_an_older_protocol_has_no_primary(tmp_path):
    compositor = Compositor(tmp_path, offers={"wl_seat": 1, PROTOCOL.manager.name: 1})
    assert offers(compositor.path, *MANAGERS)
    control = DataControl(compositor.path)
    assert control.save(Deadline()) == {CLIPBOARD: None}
    control.close(10)
    compositor.close()
