"""Waiting for what a call to the clipboard's thread returns."""

import pytest

from handy_qwen.errors import InsertError
from handy_qwen.runtime.worker import Inbox
from handy_qwen.system.insert import clipboard
from handy_qwen.system.insert.clipboard import ask, described


def fail(problem):
    raise problem


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
    monkeypatch.setattr(clipboard, "ANSWER_S", 0.05)
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
