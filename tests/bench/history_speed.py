"""What the history costs: feeding a block, adding rows, opening and searching a long history.

python tests/bench/history_speed.py [ROWS]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from handy_qwen.core.events import Recovered
from handy_qwen.core.types import Delivery, EntryState, Keep
from handy_qwen.history.archive import Archive
from handy_qwen.history.disk import DiskHistory
from handy_qwen.history.retention import RetentionRules
from handy_qwen.history.store import Places, Store, new_file_name

TEXT = "Please send the report to Anna on Monday, and tell her that the garden is finished. " * 3


def feeding(folder):
    """Microseconds for one block of 10 ms on the microphone's thread, while the disk is written to."""
    history = DiskHistory(lambda _: None, folder, RetentionRules)
    history.start()
    history.begin(1)
    block = np.zeros(160, np.float32)
    costs = []
    for _ in range(20_000):
        begin = time.perf_counter()
        history.feed(1, block)
        costs.append((time.perf_counter() - begin) * 1e6)
        if len(costs) % 200 == 0:
            time.sleep(0.01)
    begin = time.perf_counter()
    history.close(60.0)
    drained_s = time.perf_counter() - begin
    costs.sort()
    print(f"feed: median {costs[10_000]:.1f} µs, 99 % {costs[19_800]:.1f} µs, worst {costs[-1]:.0f} µs; "
          f"the rest of 200 s of sound written {drained_s:.2f} s later")  # fmt: skip


def filled(folder, count):
    """A history of ``count`` entries, each with a (short) file."""
    places = Places(folder)
    places.make()
    store = Store(places.database, busy_s=1.0)
    begin = time.perf_counter()
    for number in range(count):
        name = new_file_name(number * 1000)
        (places.takes / name).touch()
        columns = {
            "created_ms": int(time.time() * 1000),
            "state": EntryState.DONE,
            "keep": Keep.AUDIO_AND_TEXT,
        }
        columns |= {"file": name, "text": f"{number} {TEXT}", "delivery": Delivery.TYPED}
        store.add(columns | {"duration_s": 5.0, "size_bytes": 320_000})
    rate = count / (time.perf_counter() - begin)
    begin = time.perf_counter()
    for number in range(1, 101):
        store.change(number, {"delivery": Delivery.PASTED}, is_durable=True)
    durable = 100 / (time.perf_counter() - begin)
    store.close()
    print(f"rows: {rate:.0f} added per second (with a file each), {durable:.0f} changed per second, durably")


def opening(folder, count):
    """How long the start takes, and a look or a search through all of it."""
    posted = []
    begin = time.perf_counter()
    history = DiskHistory(posted.append, folder, lambda: RetentionRules(most_entries=0, most_bytes=0))
    history.start()
    while not any(isinstance(event, Recovered) for event in posted):
        time.sleep(0.002)
    print(f"start with {count} entries: {time.perf_counter() - begin:.3f} s, on the history's own thread")
    history.close(30.0)
    with Archive(folder) as archive:
        begin = time.perf_counter()
        list(archive.newest(20))
        print(f"the last 20: {(time.perf_counter() - begin) * 1000:.1f} ms")
        begin = time.perf_counter()
        assert not list(archive.matching(["Würzburg"]))
        print(f"a search that finds nothing: {(time.perf_counter() - begin) * 1000:.0f} ms")


def main():
    """Measure, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=10_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        feeding(Path(folder) / "one")
        filled(Path(folder) / "many", rows)
        opening(Path(folder) / "many", rows)


if __name__ == "__main__":
    main()
