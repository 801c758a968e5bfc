"""The program is ended or killed in the middle of dictations: what was said is there, and its text.

The same two hundred times: tests/bench/kills.py.
"""

import random
import signal

import pytest

from tests.e2e.app import SPOKEN
from tests.e2e.desk import QtTarget
from tests.e2e.desk.processes import wait_until
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


def test_the_end_of_the_session_in_the_middle_of_a_dictation_keeps_all_that_was_said(desktop):
    with Victim(desktop, "ended") as victim:
        desktop.hardware.down("Control_R")
        try:
            victim.speak("chairs")
            victim.process.send_signal(signal.SIGTERM)
            assert victim.process.wait(30) == 0
        finally:
            desktop.hardware.up("Control_R")
        victim.start()
        wait_until(victim.is_settled, "the end of the rescue", timeout_s=60)
        (row,) = victim.rows()
        assert row["text"] == SPOKEN["chairs"]
        assert "did not end in" not in victim.output()
