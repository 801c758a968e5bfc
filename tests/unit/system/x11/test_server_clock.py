"""Dating of X events that were received late."""

import pytest

pytest.importorskip("Xlib", reason="python-xlib is installed on Linux only")
from handy_qwen.system.x11.extensions import MAX_LAG_S, ServerClock


def test_an_event_that_waited_is_dated_when_it_happened():
    clock = ServerClock()
    assert clock.at_s(5_000, 100.0) == pytest.approx(100.0)
    assert clock.at_s(5_200, 100.7) == pytest.approx(100.2, abs=0.001)


def test_a_faster_event_corrects_what_a_slow_first_one_taught():
    clock = ServerClock()
    clock.at_s(5_000, 100.5)  # it waited for half a second, and nobody could know
    assert clock.at_s(6_000, 101.0) == pytest.approx(101.0)
    assert clock.at_s(7_000, 102.3) == pytest.approx(102.0, abs=0.001)


@pytest.mark.parametrize("stamp_ms", [0, 2**32 - 1])
def test_stamps_that_wrap_or_jump_begin_anew(stamp_ms):
    clock = ServerClock()
    clock.at_s(1_000_000, 100.0)
    assert clock.at_s(stamp_ms, 101.0) == pytest.approx(101.0)
    assert clock.at_s((stamp_ms + 500), 101.6) == pytest.approx(101.5, abs=0.001)


def test_clocks_that_part_slowly_do_not_date_events_back_for_ever():
    clock = ServerClock()
    for hour in range(24):
        now_s = 3600.0 * hour
        stamp_ms = int(now_s * (1 - 50e-6) * 1000)  # the server's clock is slow
        assert now_s - clock.at_s(stamp_ms, now_s) < 0.01


def test_no_event_is_dated_into_the_future_or_far_into_the_past():
    clock = ServerClock()
    for stamp_ms, now_s in [(0, 0.0), (9_000, 1.0), (9_100, 30.0), (9_200, 30.1), (100, 30.2)]:
        assert now_s - MAX_LAG_S <= clock.at_s(stamp_ms, now_s) <= now_s
