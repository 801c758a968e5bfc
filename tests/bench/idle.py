"""What the app costs while nobody dictates: processor time, wake-ups and memory, thread by thread.

usage: python -m tests.bench.idle [--settle 120] [--seconds 100] [--maps]

The real program on a virtual desktop with the demo model, once with a sound server and a microphone, and once
with neither, side by side. A wake-up is a voluntary change of context, of the program or of one that it has
started; a share is of one core. Goals: 0.03 % and 1.5 a second. Threads are in the order in which they were
made; Python names them from 3.14 on. With ``--maps``: which files and kinds of memory are resident.
"""

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from operator import sub
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.e2e.app import App
from tests.e2e.desk import Desktop

MOST_MAPS = 25
MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)")


class Count(NamedTuple):
    """What a thread has used since it began."""

    wakeups: int
    processor_s: float


Counts = dict[tuple[int, str], Count]  # by the thread's number and name


def main() -> None:
    """Let both programs do nothing, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--settle", type=float, default=120, help="seconds before it counts")
    parser.add_argument("--seconds", type=float, default=100, help="seconds that count")
    parser.add_argument("--maps", action="store_true")
    asked = parser.parse_args()
    with ExitStack() as stack:
        apps = {}
        for name, has_sound in (("with a sound server", True), ("without", False)):
            desktop = stack.enter_context(Desktop(sound=has_sound))
            apps[name] = stack.enter_context(App(desktop))
        time.sleep(asked.settle)
        before = {name: counts(app) for name, app in apps.items()}
        begun_s = time.monotonic()
        time.sleep(asked.seconds)
        after = {name: counts(app) for name, app in apps.items()}
        seconds = time.monotonic() - begun_s
        for name, app in apps.items():
            report(name, before[name], after[name], seconds, app)
            if asked.maps:
                print_maps(app.process.pid)


def counts(app: App) -> Counts:
    """What each thread of the program and of its children has used, by number and name."""
    return {(thread, name): count for pid in family(app) for thread, name, count in threads(pid)}


def family(app: App) -> list[int]:
    """The program and what it has started."""
    process = psutil.Process(app.process.pid)
    return [process.pid, *(child.pid for child in process.children(recursive=True))]


def threads(pid: int) -> Iterator[tuple[int, str, Count]]:
    """The threads of a process: number, name, and what each has used."""
    for folder in Path(f"/proc/{pid}/task").iterdir():
        try:
            status, ran = (folder / "status").read_text(), (folder / "schedstat").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        wakeups = int(fields["voluntary_ctxt_switches"])
        yield int(folder.name), fields["Name"], Count(wakeups, int(ran.split()[0]) / 1e9)


def report(name: str, before: Counts, after: Counts, seconds: float, app: App) -> None:
    """Print the sums, and a line for each thread that did anything. Threads that ended are not counted."""
    used = {key: Count(*map(sub, count, before.get(key, (0, 0.0)))) for key, count in after.items()}
    wakeups, processor_s = (sum(one[place] for one in used.values()) for place in (0, 1))
    memory = psutil.Process(app.process.pid).memory_full_info()
    print(
        f"{name}: {100 * processor_s / seconds:.3f} %, {wakeups / seconds:.2f} wake-ups/s,"
        f" {memory.rss / 1e6:.1f} MB resident, {memory.uss / 1e6:.1f} MB of it the program's own"
    )
    for (_, thread), count in sorted(used.items()):
        if count.wakeups:
            share, rate = 100 * count.processor_s / seconds, count.wakeups / seconds
            print(f"    {thread:16} {share:6.3f} % {rate:6.2f} wake-ups/s")


def print_maps(pid: int) -> None:
    """The largest mappings."""
    sizes: Counter[str] = Counter()
    name = ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if found := MAPPING.match(line):
            name = Path(found[1]).name or "anonymous"
        elif line.startswith("Rss:"):
            sizes[name] += int(line.split()[1])
    for name, size in sizes.most_common(MOST_MAPS):
        print(f"    {size / 1000:8.1f} MB  {name}")


if __name__ == "__main__":
    main()
