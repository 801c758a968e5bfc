"""Threads for what is not quick."""

import threading

import pytest

from handy_qwen.errors import UNEXPECTED, HandyError
from handy_qwen.runtime.worker import Chores


def test_chores_are_done_in_order_and_the_routine_comes_round():
    done, again = [], threading.Event()
    chores = Chores(again.set, lambda: 0.001)
    chores.add(lambda: done.append(1))
    chores.add(lambda: done.append(2))
    chores.start()
    assert again.wait(30)
    chores.stop(30)
    chores.stop(30)
    assert done == [1, 2]
    assert not any(thread.name == "chores" for thread in threading.enumerate())


@pytest.mark.expects_log
def test_a_chore_that_fails_does_not_end_the_thread():
    done = threading.Event()
    chores = Chores(lambda: None, lambda: 60)
    chores.add({}.popitem)
    chores.add(done.set)
    chores.start()
    assert done.wait(30)
    chores.stop(30)


def test_a_thread_that_never_began_can_be_stopped():
    Chores(lambda: None, lambda: 60).stop(1)


@pytest.mark.expects_log
@pytest.mark.parametrize(
    ("error", "title", "logged"),
    [(HandyError("No."), "No.", 0), (ZeroDivisionError(), UNEXPECTED[0], 1)],
)
def test_why_a_chore_failed_is_told_and_what_nobody_thought_of_is_logged(error, title, logged, caplog):
    def fail():
        raise error

    told = []
    chores = Chores(lambda: None, lambda: None, name="x", on_error=told.append)
    chores.do(fail)
    chores.do(fail)
    chores.stop(30)
    assert [one.title for one in told] == [title] * 2
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 2 * logged
