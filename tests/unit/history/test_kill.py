"""A program that is killed while it writes: see ``tests/bench/history_kill.py``, which does it more often."""

import pytest

from tests.bench.history_kill import kill_once, look

pytestmark = pytest.mark.unix("SIGKILL is POSIX's")


@pytest.mark.parametrize("seed", [1001, 1002])
def test_a_kill_costs_nothing_that_was_said_a_second_before(tmp_path, seed):
    lines, killed_s = kill_once(tmp_path / "history", seed)
    assert len([line for line in lines if line[1] == "feed"]) > 10
    look(tmp_path / "history", lines, killed_s)
