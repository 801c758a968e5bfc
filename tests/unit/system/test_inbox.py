"""Calls for a thread with a loop of its own, and waiting for what they return."""

import select
import threading

import pytest

from handy_qwen.errors import HandyError, InsertError
from handy_qwen.system.inbox import Inbox, SelectableInbox
from handy_qwen.system.insert import pasting
from handy_qwen.system.insert.pasting import ask, described

SELECTS = pytest.mark.unix("select takes no pipes on Windows")


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


@pytest.mark.parametrize("problem", [RuntimeError("a secret"), KeyError("a secret"), OSError("a secret")])
def test_no_exception_passes_for_an_answer_or_shows_its_message(problem):
    def run():
        with pytest.raises(type(problem)) as caught:
            inbox.run()
        assert "secret" not in described(caught.value)
        assert type(problem).__name__ in described(caught.value)

    inbox = Inbox(run)
    with pytest.raises(InsertError) as told:
        ask(inbox, lambda: fail(problem))
    assert told.value.__cause__ is None
    assert "secret" not in str(told.value)


def test_the_one_who_asks_gets_the_answer():
    class Eager(Inbox):
        def put(self, call):
            future = super().put(call)
            self.run()
            return future

    assert ask(Eager(print), lambda: 7) == 7


def test_what_was_given_up_is_not_begun_later(monkeypatch):
    monkeypatch.setattr(pasting, "ANSWER_S", 0.05)
    done = []
    inbox = Inbox(lambda: None)
    with pytest.raises(InsertError):
        ask(inbox, lambda: done.append("late"))
    inbox.run()
    assert done == []


def test_whoever_waits_for_a_thread_that_dies_gets_an_error():
    inbox = Inbox(lambda: inbox.reject(InsertError("Gone.", None)))
    with pytest.raises(InsertError, match="Gone"):
        ask(inbox, lambda: None)
