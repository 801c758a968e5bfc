"""Threads the watchdog sees: their pieces of work, their end and their death; workers and their inboxes."""

import queue
import select
import threading
import weakref
from functools import partial

import pytest

from handy_qwen.errors import UNEXPECTED, HandyError
from handy_qwen.runtime.worker import SelectableInbox, WatchedThread, Worker, queued

SELECTS = pytest.mark.unix("select takes no pipes on Windows")


def test_one_that_was_never_started_is_not_dead_and_not_waited_for():
    thread = WatchedThread("idle", lambda: None)
    thread.join(30)
    assert not thread.has_died()
    assert not thread.is_alive()


@pytest.mark.parametrize("was_told", [True, False])
def test_an_end_is_a_death_unless_it_was_told_to_end(was_told):
    goes_on = threading.Event()
    thread = WatchedThread("x", lambda: goes_on.wait(30))
    thread.start()
    assert thread.is_alive()
    if was_told:
        thread.may_end()
    goes_on.set()
    thread.join(30)
    assert thread.has_died() is not was_told
    assert thread.is_ending() is was_told


def test_it_is_started_once_and_does_not_wait_for_itself():
    ran = []

    def run():
        thread.join(30)
        ran.append(threading.current_thread().name)

    thread = WatchedThread("x", run)
    thread.start()
    thread.join(30)
    thread.start()
    assert ran == ["x"]


def test_every_piece_of_work_has_another_number_and_waiting_has_none():
    thread = WatchedThread("x", lambda: None)
    assert thread.piece() is None
    thread.begin()
    first = thread.piece()
    thread.begin()
    assert None is not first != thread.piece() is not None
    thread.end()
    assert thread.piece() is None


def test_what_it_was_at_is_put_in_order_before_it_starts_again():
    said = []
    thread = WatchedThread("x", lambda: said.append("run"), on_revive=lambda: said.append("order"))
    thread.start()
    thread.join(30)
    thread.begin()
    thread.revive()
    thread.join(30)
    assert said == ["run", "order", "run"]
    assert thread.piece() is None


def test_pieces_that_nobody_asked_for_are_counted():
    thread = WatchedThread("x", lambda: None)
    thread.begin()
    thread.begin(is_own=True)
    assert thread.own_pieces() == 1


class Inbox(queue.SimpleQueue):
    """One that has ``thread`` revived while it is being waited at, and gives something out only then."""

    def __init__(self, thread):
        super().__init__()
        self.thread = thread
        self.reviving = threading.Thread(target=thread.revive, daemon=True)

    def get(self):
        if self.reviving.ident is None:
            self.reviving.start()
            while self.thread._leaving is None:
                self.reviving.join(0.001)
        return super().get()


def test_nothing_that_was_asked_for_is_lost_when_a_thread_that_spins_is_replaced():
    done = []

    def run():
        while (item := inbox.get()) is not None:
            thread.begin()
            done.append(item)
            thread.end()

    thread = WatchedThread("x", run)
    inbox = Inbox(thread)
    for item in (1, 2, 3, None):
        inbox.put(item)
    thread.start()
    thread.join(30)
    inbox.reviving.join(30)
    thread.join(30)
    assert done == [1, 2, 3]


def test_a_thread_that_cannot_be_started_again_is_still_dead(monkeypatch):
    thread = WatchedThread("x", lambda: None)
    thread.start()
    thread.join(30)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(HandyError):
            thread.revive()
    assert thread.has_died()
    thread.revive()
    thread.join(30)


def refuse(_thread):
    """The system has no thread left."""
    raise RuntimeError("can't start new thread")


def test_one_that_was_told_to_end_meanwhile_is_not_started_again():
    ran = []
    thread = WatchedThread("x", lambda: ran.append(True))
    thread.start()
    thread.join(30)
    thread.may_end()
    thread.revive()
    thread.join(30)
    assert ran == [True]


def test_a_thread_that_does_not_come_to_its_next_piece_is_not_doubled(monkeypatch):
    monkeypatch.setattr("handy_qwen.runtime.worker.LEAVE_S", 0.01)
    gate, ran = threading.Event(), []

    def run():
        ran.append(True)
        gate.wait(30)
        thread.end()
        ran.append(True)

    thread = WatchedThread("x", run)
    thread.start()
    with pytest.raises(HandyError):
        thread.revive()
    gate.set()
    thread.join(30)
    assert ran == [True, True]


def test_a_start_while_it_is_started_again_makes_no_second_thread(monkeypatch):
    ran, is_starting = [], threading.Event()
    thread = WatchedThread("worker", lambda: ran.append(True))
    thread.start()
    thread.join(30)
    start = threading.Thread.start

    def start_slowly(self):
        if self.name == "worker":
            is_starting.set()
            other.join(0.2)  # the moment at which another start could come in
        start(self)

    other = threading.Thread(target=lambda: (is_starting.wait(30), thread.start()))
    monkeypatch.setattr(threading.Thread, "start", start_slowly)
    other.start()
    thread.revive()
    other.join(30)
    thread.join(30)
    assert len(ran) == 2


def test_calls_are_done_in_order_and_the_routine_comes_round():
    done, again = [], threading.Event()
    worker = Worker("worker", routine=again.set, pause_s=lambda: 0.001)
    worker.do(lambda: done.append(1))
    worker.do(lambda: done.append(2))
    assert not worker.is_idle()
    worker.start()
    assert again.wait(30)
    worker.stop(30)
    worker.stop(30)
    assert done == [1, 2]
    assert worker.own_pieces() > 0
    assert not any(thread.name == "worker" for thread in threading.enumerate())


def test_what_comes_after_comes_after_each_call_and_each_routine():
    said, pause_s = [], [0.0]

    def routine():
        said.append("routine")
        pause_s[0] = None

    worker = Worker("x", routine=routine, pause_s=lambda: pause_s[0], after=lambda: said.append("after"))
    worker.do(lambda: said.append("call"))
    worker.run_pending()
    assert said == ["call", "after", "routine", "after"]


def test_a_lazy_worker_starts_with_its_first_call_and_others_do_not():
    worker, done = Worker("x"), threading.Event()
    worker.do(done.set)
    assert not worker.is_alive()
    worker.stop(1)
    lazy = Worker("x", is_lazy=True)
    lazy.do(done.set)
    assert done.wait(30)
    lazy.stop(30)
    assert not lazy.has_died()


def test_a_call_that_a_lazy_worker_has_no_thread_for_is_not_done_later(monkeypatch):
    worker, done = Worker("x", is_lazy=True), []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            worker.do(lambda: done.append("first"))
    worker.do(lambda: done.append("second"))
    worker.stop(30)
    assert done == ["second"]


def test_a_worker_that_waits_keeps_nothing_of_its_last_call_alive():
    class Large:
        pass

    large, worker = Large(), Worker("x", is_lazy=True)
    gone = threading.Event()
    weakref.finalize(large, gone.set)
    worker.do(partial(id, large))
    del large
    assert gone.wait(30)
    worker.stop(30)


def test_a_queued_method_is_done_in_turn_on_the_thread_of_its_object():
    class Owner:
        def __init__(self):
            self.thread, self.done = Worker("x"), []

        @queued
        def note(self, what, *, loudly=False):
            self.done.append((what, loudly))

    owner = Owner()
    owner.thread.do(lambda: owner.note("inside"))
    owner.note("outside", loudly=True)
    assert owner.done == []
    owner.thread.run_pending()
    assert owner.done == [("outside", True), ("inside", False)]


@pytest.mark.expects_log
def test_a_call_that_fails_does_not_end_the_thread():
    done = threading.Event()
    worker = Worker("x", is_lazy=True)
    worker.do({}.popitem)
    worker.do(done.set)
    assert done.wait(30)
    worker.stop(30)


@pytest.mark.expects_log
@pytest.mark.parametrize(
    ("error", "title", "logged"),
    [(HandyError("No."), "No.", 0), (ZeroDivisionError(), UNEXPECTED[0], 1)],
)
def test_why_a_call_failed_is_told_and_what_nobody_foresaw_is_logged(error, title, logged, caplog):
    def fail():
        raise error

    told = []
    worker = Worker("x", on_error=told.append, is_lazy=True)
    worker.do(fail)
    worker.do(fail)
    worker.stop(30)
    assert [one.title for one in told] == [title] * 2
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 2 * logged


@pytest.fixture
def inbox():
    inbox = SelectableInbox()
    yield inbox
    inbox.close()
    inbox.close()


def fail(problem):
    raise problem


@SELECTS
def test_a_call_wakes_the_thread_and_runs_there(inbox):
    def serve():
        select.select([inbox], [], [], 20)
        inbox.run()

    thread = threading.Thread(target=serve)
    thread.start()
    assert inbox.put(threading.current_thread).result(20) is thread
    thread.join()
    assert not select.select([inbox], [], [], 0)[0], "it sleeps again"


@SELECTS
def test_an_error_of_ours_goes_to_who_made_the_call_and_any_other_to_the_thread_as_well(inbox):
    ours, other = inbox.put(lambda: fail(HandyError("No."))), inbox.put(lambda: 1 / 0)
    after = inbox.put(lambda: None)
    with pytest.raises(ZeroDivisionError):
        inbox.run()
    assert isinstance(ours.exception(0), HandyError)
    assert isinstance(other.exception(0), ZeroDivisionError)
    assert not inbox.is_over
    inbox.reject(HandyError("Gone."))
    late = inbox.put(lambda: None)
    assert all(isinstance(future.exception(0), HandyError) for future in (after, late))
    assert inbox.is_over


@SELECTS
def test_a_call_that_fails_does_not_keep_the_thread_from_those_after_it(inbox):
    inbox.put(lambda: 1 / 0)
    after = inbox.put(lambda: 7)
    with pytest.raises(ZeroDivisionError):
        inbox.run()
    assert select.select([inbox], [], [], 0)[0]
    inbox.run()
    assert after.result(0) == 7


@SELECTS
def test_a_thread_that_does_not_look_is_not_waited_for(inbox):
    futures = [inbox.put(lambda: None) for _ in range(100_000)]  # more than the pipe holds
    inbox.run()
    assert all(future.done() for future in futures)


@SELECTS
def test_a_closed_inbox_does_no_harm(inbox):
    waiting = inbox.put(lambda: None)
    waiting.cancel()
    inbox.close()
    inbox.put(lambda: None)
    inbox.run()
