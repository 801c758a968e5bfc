"""Kills the real program at random moments of a dictation, and looks what its next start makes of it.

usage: python -m tests.bench.kills [COUNT] [--seed N] [--windows]

The whole program on a virtual desktop, with the demo model and a virtual microphone: the key is held, a
recording is played, the key is let go, and at some time from the press to well after the insertion the
process gets SIGKILL. At the next start the sound must be there up to a second before the kill, the text must
be offered (or stand in the window, once), the database be whole, and nothing be there twice. About nine
seconds each.
With ``--windows``, the Windows program, under Wine (packaging/wine.py), by TerminateProcess.
The tests do the same with fewer (tests/e2e/test_kills.py); tests/bench/history_kill.py compares every sample.
"""

import argparse
import collections
import contextlib
import random
import sys
import time
import traceback

from tests.e2e.desk import Desktop, QtTarget
from tests.e2e.desk.wine import WineDesktop, WineQtTarget
from tests.e2e.killing import Victim, WineVictim, kill_once, told


def main() -> int:
    """Kill, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", nargs="?", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--windows", action="store_true")
    asked = parser.parse_args()
    surroundings = (WineDesktop, WineVictim, WineQtTarget) if asked.windows else (Desktop, Victim, QtTarget)
    of_desktop, of_victim, of_window = surroundings
    moments: collections.Counter[str] = collections.Counter()
    worst_s, offered, failed, begin_s = 0.0, 0, 0, time.monotonic()
    with of_desktop() as desktop, contextlib.ExitStack() as stack:
        victim = stack.enter_context(of_victim(desktop))
        editor = desktop.open(of_window)
        for number in range(asked.count):
            try:
                outcome = kill_once(victim, editor, random.Random(asked.seed * 100_000 + number))
            except (AssertionError, TimeoutError) as exc:  # count it, and go on
                failed += 1
                print(f"{number}: FAILED: {exc}")
                traceback.print_exc()
                if victim.process.poll() is None:
                    victim.kill()
                victim = stack.enter_context(of_victim(desktop, f"victim-{number}"))
                editor.clear()
                continue
            moments[outcome.moment] += 1
            worst_s = max(worst_s, outcome.lost_s)
            offered += bool(outcome.text)
            print(f"{number}: {told(outcome)}", flush=True)
    took_s = time.monotonic() - begin_s
    for moment, count in moments.most_common():
        print(f"{count:5} killed when the take was: {moment}")
    print(f"{asked.count} kills in {took_s:.0f} s: {failed} failed, {offered} texts offered or inserted,")
    print(f"at most {worst_s:.2f} s of what was said between press and kill is not there")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
