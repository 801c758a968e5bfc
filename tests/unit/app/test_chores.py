"""The thread for what is not quick."""

import threading

import pytest

from handy_qwen.app.chores import Chores


def test_chores_are_done_in_order_and_the_routine_comes_round():
    done, again = [], threading.Event()
    chores = Chores(again.set, 0.001)
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
    chores = Chores(lambda: None, 60)
    chores.add({}.popitem)
    chores.add(done.set)
    chores.start()
    assert done.wait(30)
    chores.stop(30)


def test_a_thread_that_never_began_can_be_stopped():
    Chores(lambda: None, 60).stop(1)
