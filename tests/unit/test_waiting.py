"""Doing something until it has come."""

import pytest

from tests.waiting import repeat_until


def test_what_comes_with_the_second_try_is_not_an_error_but_is_told():
    tries = []
    with pytest.warns(UserWarning, match="done again until it comes: 2 times"):
        assert repeat_until(lambda: tries.append(1), lambda: len(tries) == 2, "it comes", again_s=0.01)
    assert len(tries) == 2


def test_a_test_that_had_to_do_something_again_passes():
    tries = []
    assert repeat_until(lambda: tries.append(1), lambda: len(tries) == 2, "it comes", again_s=0.01)
