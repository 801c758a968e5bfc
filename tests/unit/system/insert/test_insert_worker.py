"""The order of ways in, what is posted, and what is never logged."""

import queue
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.core.events import Delivered, Failed
from handy_qwen.core.types import Delivery, Method, Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.backend import UNKNOWN, Inserted
from handy_qwen.system.insert.inserter import COPIED_NOTE, IN_USE_NOTE, UNKNOWN_NOTE, DesktopInserter

HERE = Target(7, "Editor")


class FakeBackend:
    """Does what the test says and remembers what it was asked."""

    def __init__(self, *, arrives=None, **fails):
        self.fails = fails  # method -> what to raise
        self.arrives = arrives  # what of a text arrives, if not all
        self.prepared = []
        self.calls = []
        self.window = HERE
        self.rests = []
        self.is_closed = threading.Event()

    def _do(self, name, value):
        self.calls.append((name, value))
        if name in self.fails:
            raise self.fails[name]

    def focused(self):
        return self.window

    def prepare(self, is_awaited):
        self.prepared.append(is_awaited())

    def type_text(self, text):
        self._do("type", text)
        return self.arrives or Inserted(len(text))

    def paste_text(self, text):
        self._do("paste", text)
        return self.arrives or Inserted(len(text))

    def copy(self, text):
        self._do("copy", text)

    def submit(self, submit):
        self._do("submit", submit)

    def rest(self, is_idle):
        self.rests.append(is_idle)
        if "rest" in self.fails:
            raise self.fails["rest"]
        return 0.01 if len(self.rests) < 3 else None

    def was_injecting(self, _at_s):
        return False

    def close(self):
        self.is_closed.set()


def failing(reason):
    return InsertError("No.", reason)


@pytest.fixture
def run():
    """Runs one insertion and returns what was posted."""
    opened = []

    def one(backend, method, *, target=None, submit=Submit.OFF, text="said", last_resort=None):
        posted = queue.Queue()
        worker = DesktopInserter(
            posted.put, backend, stopping=threading.Event(), last_resort=last_resort or pytest.fail
        )
        opened.append(worker)
        worker.insert(3, text, target=target, method=method, submit=submit)
        return posted.get(timeout=10)

    yield one
    for worker in opened:
        worker.close(10)


@pytest.mark.parametrize(
    ("method", "how"),
    [
        (Method.TYPE, Delivery.TYPED),
        (Method.PASTE, Delivery.PASTED),
        (Method.COPY, Delivery.COPIED),
    ],
)
def test_the_method_asked_for_is_the_first_one_tried(run, method, how):
    backend = FakeBackend()
    assert run(backend, method) == Delivered(3, how)
    assert backend.calls == [(method.value, "said")]


def test_method_none_only_keeps_the_text(run):
    backend = FakeBackend()
    assert run(backend, Method.NONE) == Delivered(3, Delivery.KEPT)
    assert backend.calls == []


def test_typing_falls_through_to_paste_and_paste_to_copying(run):
    backend = FakeBackend(
        type=failing(InsertReason.NOT_TYPEABLE), paste=failing(InsertReason.UNSUPPORTED_DESKTOP)
    )
    assert run(backend, Method.TYPE) == Delivered(3, Delivery.COPIED, COPIED_NOTE)
    assert [name for name, _ in backend.calls] == ["type", "paste", "copy"]


def test_a_paste_that_could_not_be_sent_is_typed(run):
    backend = FakeBackend(paste=failing(InsertReason.UNSUPPORTED_DESKTOP))
    assert run(backend, Method.PASTE) == Delivered(3, Delivery.TYPED)


@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE])
def test_a_text_that_may_have_arrived_is_copied_and_not_inserted_again(run, method):
    backend = FakeBackend(arrives=UNKNOWN)
    assert run(backend, method, submit=Submit.ENTER) == Delivered(3, Delivery.COPIED, UNKNOWN_NOTE)
    assert backend.calls == [(method.value, "said"), ("copy", "said")]


@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE])
def test_of_a_text_that_arrived_in_part_only_the_rest_is_copied(run, method):
    backend = FakeBackend(arrives=Inserted(6))
    delivered = run(backend, method, text="Hello world again", submit=Submit.ENTER)
    assert delivered == Delivered(3, Delivery.COPIED, rest="world again")
    assert backend.calls == [(method.value, "Hello world again"), ("copy", "world again")]
    assert "again" not in repr(delivered)


def test_the_rest_of_a_text_whose_window_lost_the_focus_waits(run):
    backend = FakeBackend(arrives=Inserted(6, has_focus=False))
    delivered = run(backend, Method.TYPE, text="Hello world", submit=Submit.ENTER)
    assert delivered == Delivered(3, Delivery.HELD, rest="world")
    assert backend.calls == [("type", "Hello world")]


def test_the_rest_waits_when_it_cannot_be_copied(run):
    def refuse(_):
        raise failing(InsertReason.UNSUPPORTED_DESKTOP)

    backend = FakeBackend(arrives=Inserted(6), copy=failing(InsertReason.UNSUPPORTED_DESKTOP))
    assert run(backend, Method.TYPE, text="Hello world", last_resort=refuse) == Delivered(
        3, Delivery.HELD, rest="world"
    )


def test_a_text_of_which_nobody_knows_is_copied_also_when_the_window_lost_the_focus(run):
    backend = FakeBackend(arrives=Inserted(None, has_focus=False))
    assert run(backend, Method.TYPE) == Delivered(3, Delivery.COPIED, UNKNOWN_NOTE)
    assert backend.calls == [("type", "said"), ("copy", "said")]


@given(
    st.text(st.sampled_from("ab \n"), min_size=1, max_size=12),
    st.one_of(st.none(), st.integers(1, 12)),
    st.booleans(),
    st.sampled_from([Method.TYPE, Method.PASTE]),
)
def test_no_part_of_a_text_that_has_arrived_is_inserted_or_copied_again(text, count, has_focus, method):
    count = None if count is None else min(count, len(text))
    backend = FakeBackend(arrives=Inserted(count, has_focus=has_focus))
    posted = queue.Queue()
    worker = DesktopInserter(posted.put, backend, stopping=threading.Event(), last_resort=pytest.fail)
    worker.insert(3, text, target=None, method=method, submit=Submit.OFF)
    delivered = posted.get(timeout=10)
    worker.close(10)
    assert backend.calls[0] == (method.value, text)
    assert [name for name, _ in backend.calls[1:]] in ([], ["copy"])
    missing = text if count is None else text[count:]
    if delivered.how in {Delivery.TYPED, Delivery.PASTED}:
        assert count is not None
        assert not missing.strip()
    else:
        assert delivered.rest == ("" if count is None else missing)
    assert all(copied == missing for _, copied in backend.calls[1:])


def test_when_neither_the_clipboard_nor_the_keys_can_be_had_the_text_waits_and_nothing_is_copied(run):
    backend = FakeBackend(
        paste=failing(InsertReason.CLIPBOARD_IN_USE), type=failing(InsertReason.NOT_TYPEABLE)
    )
    for method in (Method.PASTE, Method.TYPE):
        assert run(backend, method) == Delivered(3, Delivery.HELD, IN_USE_NOTE)
    assert "copy" not in dict(backend.calls)


def test_a_text_for_a_clipboard_that_cannot_be_borrowed_is_typed(run):
    backend = FakeBackend(paste=failing(InsertReason.CLIPBOARD_IN_USE))
    assert run(backend, Method.PASTE) == Delivered(3, Delivery.TYPED)


def test_the_next_way_is_not_tried_in_another_window(run):
    backend = FakeBackend(paste=failing(InsertReason.NO_FOCUS))
    do = backend.paste_text

    def lose_focus(text):
        backend.window = Target(8)
        return do(text)

    backend.paste_text = lose_focus
    assert run(backend, Method.PASTE, target=HERE) == Delivered(3, Delivery.HELD)
    assert backend.calls == [("paste", "said")]


def test_the_key_after_the_text_is_not_pressed_in_another_window(run):
    backend = FakeBackend()
    do = backend.type_text

    def lose_focus(text):
        backend.window = Target(8)
        return do(text)

    backend.type_text = lose_focus
    delivered = run(backend, Method.TYPE, submit=Submit.ENTER)
    assert delivered.how is Delivery.TYPED
    assert delivered.note
    assert backend.calls == [("type", "said")]


def test_preparing_comes_before_the_text_and_only_for_a_paste():
    posted = queue.Queue()
    backend = FakeBackend()
    worker = DesktopInserter(posted.put, backend, stopping=threading.Event(), last_resort=pytest.fail)
    for method in Method:
        worker.prepare(method)
    worker.insert(3, "said", target=None, method=Method.PASTE, submit=Submit.OFF)
    assert posted.get(timeout=10) == Delivered(3, Delivery.PASTED)
    worker.close(10)
    assert len(backend.prepared) == 1


@pytest.mark.expects_log
@pytest.mark.parametrize("problem", [failing(InsertReason.CLIPBOARD_IN_USE), RuntimeError("boom")])
def test_preparing_that_fails_does_not_end_the_thread(problem):
    def fail(_):
        raise problem

    backend = FakeBackend()
    backend.prepare = fail
    posted = queue.Queue()
    worker = DesktopInserter(posted.put, backend, stopping=threading.Event(), last_resort=pytest.fail)
    worker.prepare(Method.PASTE)
    worker.insert(3, "said", target=None, method=Method.PASTE, submit=Submit.OFF)
    assert posted.get(timeout=10) == Delivered(3, Delivery.PASTED)
    worker.close(10)


def test_the_last_resort_copies_when_nothing_else_can(run):
    nothing = dict.fromkeys(("type", "paste", "copy"), failing(InsertReason.UNSUPPORTED_DESKTOP))
    copied = []
    delivered = run(FakeBackend(**nothing), Method.PASTE, last_resort=copied.append)
    assert delivered == Delivered(3, Delivery.COPIED, COPIED_NOTE)
    assert copied == ["said"]


def test_a_text_that_cannot_even_be_copied_is_reported_as_failed(run):
    error = failing(InsertReason.UNSUPPORTED_DESKTOP)

    def refuse(_):
        raise error

    backend = FakeBackend(type=error, paste=error, copy=error)
    assert run(backend, Method.TYPE, last_resort=refuse) == Failed(3, error)


def test_a_text_is_held_when_another_window_has_the_focus(run):
    backend = FakeBackend()
    assert run(backend, Method.PASTE, target=Target(8)) == Delivered(3, Delivery.HELD)
    assert backend.calls == []


@pytest.mark.parametrize("target", [None, HERE, Target(0)])
def test_a_text_is_inserted_when_the_focus_has_not_moved_or_is_unknown(run, target):
    assert run(FakeBackend(), Method.PASTE, target=target).how is Delivery.PASTED


def test_copying_does_not_mind_where_the_focus_is(run):
    assert run(FakeBackend(), Method.COPY, target=Target(8)).how is Delivery.COPIED


def test_the_key_after_the_text_is_pressed_when_the_text_has_arrived(run):
    backend = FakeBackend()
    run(backend, Method.PASTE, submit=Submit.CTRL_ENTER)
    assert backend.calls == [("paste", "said"), ("submit", Submit.CTRL_ENTER)]


def test_the_key_after_the_text_is_not_pressed_when_the_text_was_only_copied(run):
    backend = FakeBackend(
        paste=failing(InsertReason.UNSUPPORTED_DESKTOP), type=failing(InsertReason.NOT_TYPEABLE)
    )
    assert run(backend, Method.PASTE, submit=Submit.ENTER).how is Delivery.COPIED
    assert ("submit", Submit.ENTER) not in backend.calls


def test_a_note_says_that_the_key_after_the_text_did_not_work(run):
    backend = FakeBackend(submit=failing(InsertReason.UNSUPPORTED_DESKTOP))
    delivered = run(backend, Method.TYPE, submit=Submit.ENTER)
    assert delivered.how is Delivery.TYPED
    assert delivered.note


@pytest.mark.parametrize("text", ["", "\x1b\x07"])
def test_a_text_without_anything_to_insert_is_kept(run, text):
    backend = FakeBackend()
    assert run(backend, Method.TYPE, text=text) == Delivered(3, Delivery.KEPT)


@pytest.mark.expects_log
def test_a_surprise_is_logged_and_reported_and_the_next_text_is_inserted(caplog):
    posted = queue.Queue()
    backend = FakeBackend(type=RuntimeError("boom"))
    worker = DesktopInserter(posted.put, backend, stopping=threading.Event(), last_resort=pytest.fail)
    worker.insert(1, "a secret", target=None, method=Method.TYPE, submit=Submit.OFF)
    worker.insert(2, "a secret", target=None, method=Method.PASTE, submit=Submit.OFF)
    assert posted.get(timeout=10) == Delivered(1, Delivery.COPIED, UNKNOWN_NOTE), "it may have been typed"
    assert posted.get(timeout=10) == Delivered(2, Delivery.PASTED)
    worker.close(10)
    assert "boom" in caplog.text
    assert "secret" not in caplog.text


def test_each_step_that_falls_through_is_logged_without_the_text(run, caplog):
    backend = FakeBackend(
        type=failing(InsertReason.NOT_TYPEABLE), paste=failing(InsertReason.UNSUPPORTED_DESKTOP)
    )
    with caplog.at_level("DEBUG"):
        run(backend, Method.TYPE, text="a secret")
    assert "type fell through: NOT_TYPEABLE" in caplog.text
    assert "paste fell through: UNSUPPORTED_DESKTOP" in caplog.text
    assert "secret" not in caplog.text


def test_texts_are_inserted_in_the_order_they_came_also_while_closing():
    posted = queue.Queue()
    backend = FakeBackend()
    worker = DesktopInserter(posted.put, backend, stopping=threading.Event(), last_resort=pytest.fail)
    for take in range(20):
        worker.insert(take, f"text {take}", target=None, method=Method.TYPE, submit=Submit.OFF)
    worker.close(10)
    worker.close(10)  # twice does no harm
    assert [posted.get_nowait().take for _ in range(20)] == list(range(20))
    assert [text for _, text in backend.calls] == [f"text {take}" for take in range(20)]
    assert backend.is_closed.is_set()


def test_the_backend_may_rest_between_texts_as_often_as_it_wants(run):
    backend = FakeBackend()
    run(backend, Method.TYPE)
    for _ in range(500):
        if len(backend.rests) == 3:
            break
        threading.Event().wait(0.01)
    assert backend.rests == [True, True, True]


def test_a_failure_to_tidy_up_does_not_end_the_thread(run):
    backend = FakeBackend(rest=failing(InsertReason.UNSUPPORTED_DESKTOP))
    assert run(backend, Method.TYPE).how is Delivery.TYPED
    assert run(backend, Method.TYPE).how is Delivery.TYPED


def test_copying_by_request_falls_through_to_the_last_resort():
    copied = []
    backend = FakeBackend(copy=failing(InsertReason.UNSUPPORTED_DESKTOP))
    worker = DesktopInserter(print, backend, stopping=threading.Event(), last_resort=copied.append)
    worker.copy("by request")
    worker.close(10)
    assert copied == ["by request"]


@pytest.mark.expects_log
def test_tidying_up_that_fails_unexpectedly_does_not_end_the_thread():
    posted = queue.Queue()
    backend = FakeBackend(rest=RuntimeError("boom"))
    worker = DesktopInserter(posted.put, backend, stopping=threading.Event(), last_resort=pytest.fail)
    for take in (1, 2):
        worker.insert(take, "said", target=None, method=Method.TYPE, submit=Submit.OFF)
        assert posted.get(timeout=10) == Delivered(take, Delivery.TYPED)
    worker.close(10)
    assert backend.is_closed.is_set()


def test_the_watchdog_sees_tidying_up_that_hangs():
    backend, hanging, go_on = FakeBackend(), threading.Event(), threading.Event()
    backend.rest = lambda _: (hanging.set(), go_on.wait(10), None)[-1]
    worker = DesktopInserter(lambda _: None, backend, stopping=threading.Event(), last_resort=pytest.fail)
    worker.insert(1, "said", target=None, method=Method.TYPE, submit=Submit.OFF)
    assert hanging.wait(10)
    assert worker.thread.piece() is not None
    go_on.set()
    worker.close(10)


SURPRISES = [RuntimeError("boom"), failing(InsertReason.UNSUPPORTED_DESKTOP)]


@pytest.mark.expects_log
@pytest.mark.parametrize("problem", SURPRISES)
@pytest.mark.parametrize("place", ["focused", "submit"])
def test_a_text_that_has_arrived_stays_delivered_whatever_happens_afterwards(run, problem, place):
    backend = FakeBackend()
    do = backend.type_text

    def fail(*_):
        raise problem

    def type_text(text):
        setattr(backend, place, fail)
        return do(text)

    backend.type_text = type_text
    delivered = run(backend, Method.TYPE, submit=Submit.ENTER)
    assert delivered.how is Delivery.TYPED
    assert delivered.note


@pytest.mark.expects_log
@pytest.mark.parametrize("problem", SURPRISES)
@pytest.mark.parametrize("arrived", [UNKNOWN, Inserted(6)])
def test_a_text_that_may_have_arrived_is_never_failed_when_it_cannot_be_copied(run, problem, arrived):
    def refuse(_):
        raise problem

    backend = FakeBackend(arrives=arrived, copy=problem)
    delivered = run(backend, Method.PASTE, text="Hello world", last_resort=refuse)
    assert delivered.how is Delivery.HELD
    assert (delivered.may_have_arrived, delivered.rest) == (
        (True, "") if arrived is UNKNOWN else (False, "world")
    )


def test_what_the_user_copied_during_a_paste_is_not_replaced_by_its_text(run):
    backend = FakeBackend(arrives=Inserted(None, may_copy=False))
    assert run(backend, Method.PASTE) == Delivered(3, Delivery.HELD, may_have_arrived=True)
    assert backend.calls == [("paste", "said")]
