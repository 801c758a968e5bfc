"""How long a text takes from the release of the key to the window: printed, not judged."""

from __future__ import annotations

import re
import statistics
from datetime import datetime

TIMES = 5
STAMP = r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) .*"


def at(log: str, pattern: str) -> float:
    """When the last line with ``pattern`` was written, in seconds."""
    found = re.findall(STAMP + pattern, log, re.MULTILINE)[-1]
    return datetime.fromisoformat(found).timestamp()


def test_release_to_text(session, dictation, target, capsys):
    whole, inserting = [], []
    for count in range(1, TIMES + 1):
        released_s = dictation.hold()
        assert dictation.arrives_in(target, times=count)
        arrived_s = target.path.stat().st_mtime
        log = session.log("app")
        ended_s, text_s = at(log, "StopRecording"), at(log, "Transcribed ->")
        whole.append(1000 * (arrived_s - released_s))
        inserting.append(1000 * (arrived_s - released_s - (text_s - ended_s)))
    with capsys.disabled():
        name = session.name
        print(f"\n{name}: release to text {statistics.median(whole):.0f} ms, {TIMES} times, median")
        print(f"{name}: less the engine's time {statistics.median(inserting):.0f} ms")
