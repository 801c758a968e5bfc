"""Kills a program that writes history, at random moments, and looks what is left.

    python tests/bench/history_kill.py [COUNT] [--folder DIR]

The child dictates take after take: it feeds blocks of 50 ms in their own time, lets some takes be done,
delivered or cancelled, and logs each thing *after* it has told the history. It is killed with
SIGKILL after a random while. Then the history is opened as at the next start: every sample that was fed a
second before must be there, bit for bit; every text that was told one second before; nothing twice.
Takes fed in real time are few, so the child runs ``SPEAKERS`` of them at once.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from handy_qwen.core.effects import KeepText
from handy_qwen.core.events import Kept, Recovered
from handy_qwen.core.types import RATE_HZ, Delivery, EntryState
from handy_qwen.history import wav
from handy_qwen.history.disk import DiskHistory
from handy_qwen.history.retention import RetentionRules

BLOCK = 800
SPEAKERS = 4
SAFE_S = 1.0


def pattern(take, first, count):
    """The samples of a take, such that none is like another."""
    numbers = (np.arange(first, first + count, dtype=np.int64) * 7919 + take * 104_729) % 65_521
    return (numbers / 65_521).astype(np.float32)


def dictate(folder, seed):
    """The child: dictates until it is killed, and tells on stdout what it has told the history."""
    chance = random.Random(seed)
    kept = {}

    def post(event):
        if isinstance(event, Kept):
            kept[event.take] = event.entry

    history = DiskHistory(post, folder, RetentionRules)
    history.start()
    tell = Teller()
    takes, number, tick = {}, 0, 0
    while True:
        while len(takes) < SPEAKERS:
            number += 1
            history.begin(number)
            takes[number] = [0, chance.randint(4, 40) * BLOCK]
            tell("begin", number)
        for take, progress in list(takes.items()):
            history.feed(take, pattern(take, progress[0], BLOCK))
            progress[0] += BLOCK
            tell("feed", take, progress[0])
            if progress[0] >= progress[1]:
                end(history, tell, take, chance)
                del takes[take]
        tick += 1
        time.sleep(0.05)


def end(history, tell, take, chance):
    """One of the ways a take can end."""
    history.complete(take)
    how = chance.choice(["none", "done", "delivering", "delivered", "delivered", "cancelled"])
    if how == "none":
        return
    if how == "cancelled":
        history.cancelled(take)
    else:
        history.done(KeepText(take, f"text of take {take}", "English", "", ""))
        tell("done", take)
        if how == "delivering":
            history.delivered(take, Delivery.BEGUN)
        elif how == "delivered":
            history.delivered(take, Delivery.TYPED)
    tell(how, take)


class Teller:
    """Lines on stdout: when, what, which take, how many samples."""

    def __init__(self):
        self.begin_s = time.monotonic()

    def __call__(self, what, take, samples=0):
        line = json.dumps([time.monotonic(), what, take, samples]) + "\n"
        os.write(1, line.encode())


def kill_once(folder, seed):
    """Run the child, kill it, and return what it had told, and when it was killed."""
    chance = random.Random(seed)
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen([sys.executable, __file__, "--child", str(folder), str(seed)], stdout=told)
        try:
            while not os.fstat(told.fileno()).st_size:  # it is at work
                time.sleep(0.01)
            time.sleep(0.2 + chance.random() * 2.0)
        finally:
            child.send_signal(signal.SIGKILL)
            killed_s = time.monotonic()
            child.wait()
        told.seek(0)
        lines = [json.loads(line) for line in told.read().splitlines() if line.endswith(b"]")]
    return lines, killed_s


def look(folder, lines, killed_s):
    """Open the history as the next start does, and compare.

    Returns:
        How many milliseconds of sound were fed and are not there, at most; and how many entries there are.
    """
    posted = []
    history = DiskHistory(posted.append, folder, RetentionRules)
    history.start()
    while not any(isinstance(event, Recovered) for event in posted):
        time.sleep(0.01)
    history.close(20.0)
    recovered = next(event for event in posted if isinstance(event, Recovered))
    offered = {entry.id for entry in (*recovered.unfinished, *recovered.undelivered)}
    assert len(offered) == len(recovered.unfinished) + len(recovered.undelivered), "offered twice"
    database = sqlite3.connect(folder / "history.db")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.row_factory = sqlite3.Row
    rows = [dict(row) for row in database.execute("SELECT * FROM take")]
    database.close()
    files = {row["file"] for row in rows}
    assert len(files) == len(rows), "a take twice"
    assert files == {path.name for path in (folder / "takes").iterdir()}, "leftovers"
    found = {}
    for row in rows:
        take, samples = sound(folder / "takes" / row["file"])
        assert take not in found, "a take twice"
        found[take] = (row, samples)
    return compare(lines, killed_s, found, offered), len(rows)


def sound(path):
    """Which take a file holds, and how much of it; every sample is compared."""
    with wav.blocks(path) as blocks:
        samples = np.concatenate([*blocks, np.zeros(0, np.float32)])
    if not len(samples):
        return path.name, 0
    first = round(float(samples[0]) * 65_521)
    take = next(number for number in range(1, 5000) if number * 104_729 % 65_521 == first)
    assert np.array_equal(samples, pattern(take, 0, len(samples))), "a sample is not what was said"
    return take, len(samples)


def compare(lines, killed_s, found, offered):
    """Whether all that was told in time is there; returns the longest loss in ms."""
    fed, loss = {}, 0
    for at_s, what, take, samples in lines:
        is_safe = at_s <= killed_s - SAFE_S
        if what == "feed":
            fed[take] = samples
            has = found.get(take, (None, 0))[1]
            loss = max(loss, samples - has if take in found else 0)
            assert not is_safe or has >= samples or is_short_and_cancelled(lines, take, found)
        elif what in {"done", "delivering", "delivered"} and is_safe:
            row, _ = found[take]
            assert row["state"] == EntryState.DONE
            assert row["text"] == f"text of take {take}"
            assert (row["id"] in offered) or row["whereabouts"] == "typed"
        elif what == "cancelled" and is_safe and take in found:
            assert found[take][0]["state"] == EntryState.CANCELLED
    return loss * 1000 // RATE_HZ


def is_short_and_cancelled(lines, take, found):
    """Whether the take was cancelled before it was a second long: then nothing of it is kept."""
    return take not in found and any(what == "cancelled" and one == take for _, what, one, _ in lines)


def main():
    """Kill as often as asked, and tell what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=200)
    parser.add_argument("--child", nargs=2, metavar=("DIR", "SEED"))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.child:
        dictate(Path(options.child[0]), int(options.child[1]))
    losses, entries = [], 0
    for seed in range(options.count):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            lines, killed_s = kill_once(Path(folder) / "history", seed)
            loss, count = look(Path(folder) / "history", lines, killed_s)
        losses.append(loss)
        entries += count
    print(f"{options.count} kills, {entries} takes: the longest loss of sound was {max(losses)} ms,")
    print(f"in {sum(loss == 0 for loss in losses)} of the kills nothing that had been fed was lost")


if __name__ == "__main__":
    main()
