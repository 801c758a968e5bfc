"""Tests of a take of the running program: its row in a history that was begun anew."""

from pathlib import Path

from handy_qwen.history.ledger import LiveTake
from handy_qwen.history.store import Row, Store


def test_takes_do_not_share_a_row_when_a_new_history_counts_from_one(tmp_path: Path) -> None:
    rows = [
        Row(
            number,
            1,
            "done",
            "text",
            file=f"take-20260101T000000Z-0000000{number}.wav",
            text=f"text {number}",
        )
        for number in (5, 1)
    ]
    store = Store(tmp_path / "history.db", busy_s=1.0)
    for take, row in enumerate(rows, 1):
        live = LiveTake(take, row)
        live.has_new_store(store)
        live.save(store)
    assert [row.text for row in store.oldest()] == ["text 5", "text 1"]
    store.close()
