"""The program is killed in the middle of dictations: what was said a second before is there, and its text.

The same two hundred times: tests/bench/kills.py.
"""

import random

import pytest

from tests.e2e.desk import QtTarget
from tests.e2e.killing import Victim, kill_once

pytestmark = pytest.mark.desktop


def test_no_kill_costs_what_was_said_a_second_before(desktop):
    with Victim(desktop) as victim:
        editor = desktop.open(QtTarget)
        moments = [
            kill_once(victim, editor, random.Random(seed)).moment for seed in (1, 3, 10)
        ]  # of these, the last is killed while it records
        editor.close()
    assert len(set(moments)) > 1, "the moments should differ"
