"""When a draft is due: often enough for the eye, seldom enough for the machine."""

from handy_qwen.engine.qwen3.live import DraftSchedule

RATE = 16_000
FAR = 8 * RATE


def test_the_first_draft_is_due_after_a_second():
    schedule = DraftSchedule()
    assert not schedule.is_due(RATE - 1, FAR)
    assert schedule.is_due(RATE, FAR)


def test_a_fast_machine_writes_one_each_second():
    schedule = DraftSchedule()
    schedule.drafted(5 * RATE, 0.05)
    assert not schedule.is_due(6 * RATE - 1, FAR)
    assert schedule.is_due(6 * RATE, FAR)


def test_a_slow_machine_is_idle_for_most_of_the_time():
    schedule = DraftSchedule()
    schedule.drafted(5 * RATE, 3.0)
    assert not schedule.is_due(14 * RATE, FAR)
    assert schedule.is_due(16 * RATE, FAR)


def test_windows_count_too():
    schedule = DraftSchedule()
    schedule.drafted(5 * RATE, 0.05)
    schedule.delay(0.6)
    assert not schedule.is_due(7 * RATE, FAR)
    assert schedule.is_due(8 * RATE + 1, FAR)


def test_a_draft_that_would_keep_a_window_waiting_is_not_begun():
    schedule = DraftSchedule()
    schedule.drafted(2 * RATE, 1.2)
    assert not schedule.is_due(7 * RATE, RATE)
    assert schedule.is_due(7 * RATE, 2 * RATE)
