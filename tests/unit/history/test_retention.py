"""What has to go, and what may not."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.core.types import Delivery, EntryState, Keep
from handy_qwen.history.retention import CANCELLED_S, FAILED_S, Removal, RetentionRules, plan
from handy_qwen.history.store import Row

NOW_S = 1_800_000_000.0
NOW_MS = int(NOW_S * 1000)
DAY_MS = 86_400_000
NAME = "take-20260101T000000Z-0123abcd.wav"
DONE = Row(
    1,
    NOW_MS,
    EntryState.DONE,
    Keep.AUDIO_AND_TEXT,
    NAME,
    1.0,
    64_000,
    "text",
    delivery=Delivery.TYPED,
)


def going(row, rules=None, now_s=NOW_S):
    return next((how for _, how in plan([row], rules or RetentionRules(), now_s)), None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"created_ms": NOW_MS - 91 * DAY_MS}, Removal.ENTRY),
        ({"created_ms": NOW_MS - 91 * DAY_MS, "is_starred": True}, None),
        ({"created_ms": NOW_MS + 400 * DAY_MS}, None),  # the clock was set back since
        ({"keep": Keep.TEXT}, Removal.AUDIO),
        ({"keep": Keep.TEXT, "delivery": Delivery.HELD}, None),
        ({"keep": Keep.TEXT, "text": ""}, Removal.ENTRY),
        ({"keep": Keep.NOTHING}, Removal.ENTRY),
        ({"keep": Keep.TEXT, "is_truncated": True, "settled_ms": NOW_MS - 1000}, None),
        (  # words may be in the sound alone, however late it was transcribed
            {
                "keep": Keep.TEXT,
                "is_truncated": True,
                "created_ms": NOW_MS - 9 * DAY_MS,
                "settled_ms": NOW_MS - 1000,
            },
            None,
        ),
        (
            {"keep": Keep.TEXT, "is_truncated": True, "settled_ms": NOW_MS - int(FAILED_S * 1001)},
            Removal.AUDIO,
        ),
        ({"keep": Keep.NOTHING, "is_truncated": True, "settled_ms": NOW_MS - 1000}, Removal.ENTRY),
        ({"keep": Keep.NOTHING, "delivery": Delivery.BEGUN}, None),
        ({"keep": Keep.NOTHING, "delivery": Delivery.DROPPED}, Removal.ENTRY),
        ({"keep": Keep.NOTHING, "state": EntryState.WAITING, "text": ""}, None),
        ({"keep": Keep.NOTHING, "state": EntryState.FAILED, "settled_ms": NOW_MS - 1000}, None),
        (
            {"keep": Keep.NOTHING, "state": EntryState.FAILED, "settled_ms": NOW_MS - int(FAILED_S * 1001)},
            Removal.ENTRY,
        ),
        ({"state": EntryState.CANCELLED, "settled_ms": NOW_MS - 1000}, None),
        ({"state": EntryState.CANCELLED, "settled_ms": NOW_MS - int(CANCELLED_S * 1001)}, Removal.ENTRY),
        ({"state": EntryState.CANCELLED, "settled_ms": NOW_MS + 1000}, None),  # the clock was put right
        ({"state": EntryState.CANCELLED, "settled_ms": NOW_MS + DAY_MS}, Removal.ENTRY),  # it was all wrong
        ({"state": EntryState.CANCELLED, "settled_ms": NOW_MS, "keep": Keep.NOTHING}, Removal.ENTRY),
        ({"state": EntryState.FAILED, "file": "", "text": ""}, Removal.ENTRY),
    ],
)
def test_one_entry(changes, expected):
    assert going(replace(DONE, **changes)) is expected


ROWS = st.lists(
    st.builds(
        replace,
        st.just(DONE),
        created_ms=st.integers(NOW_MS - 200 * DAY_MS, NOW_MS),
        state=st.sampled_from(EntryState),
        keep=st.sampled_from(Keep),
        delivery=st.sampled_from(Delivery),
        text=st.sampled_from(["", "text"]),
        file=st.sampled_from(["", NAME]),
        size_bytes=st.integers(0, 1000),
        settled_ms=st.integers(NOW_MS - 2 * DAY_MS, NOW_MS),
        is_starred=st.booleans(),
    ),
    max_size=30,
)


@settings(max_examples=200)
@given(
    rows=ROWS,
    rules=st.builds(
        RetentionRules,
        most_entries=st.integers(0, 5),
        longest_s=st.sampled_from([0.0, 86_400.0 * 100]),
        most_bytes=st.integers(0, 3000),
    ),
)
def test_limits_hold_and_spare_what_they_must(rows, rules):
    rows = [replace(row, id=100 - at) for at, row in enumerate(rows)]
    planned = {row.id: how for row, how in plan(rows, rules, NOW_S)}
    for row in rows:
        if row.is_starred or row.state in {EntryState.RECORDING, EntryState.WAITING}:
            assert row.id not in planned
        if row.entry.is_undelivered and row.id in planned:
            assert rules.longest_s
            assert NOW_S - row.created_ms / 1000 > rules.longest_s
        if planned.get(row.id) is Removal.AUDIO:
            assert row.file
            assert row.text
    counted = [
        row
        for row in rows
        if planned.get(row.id) is not Removal.ENTRY
        and not (
            row.is_starred
            or row.state in {EntryState.RECORDING, EntryState.WAITING}
            or row.entry.is_undelivered
        )
    ]
    assert not rules.most_entries or len(counted) <= rules.most_entries
    kept_bytes = sum(row.size_bytes for row in counted if row.file and row.id not in planned)
    assert not rules.most_bytes or kept_bytes <= rules.most_bytes
    unlimited = RetentionRules(most_entries=0, longest_s=0, most_bytes=0)
    assert {row.id for row, _ in plan(rows, unlimited, NOW_S)} <= set(planned)


@settings(max_examples=50)
@given(count=st.integers(1, 40), limit=st.integers(1, 40))
def test_the_newest_stay(count, limit):
    rows = [replace(DONE, id=count - at) for at in range(count)]
    gone = [row.id for row, _ in plan(rows, RetentionRules(most_entries=limit), NOW_S)]
    assert sorted(gone) == list(range(1, count - limit + 1))
