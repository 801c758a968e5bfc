"""Two hundred dictations in a row: no take is lost, and memory, threads and open files stay what they are.

usage: python -m tests.bench.soak [TAKES]

The real program on a virtual desktop, with the demo model; about three seconds a take. The tests do the
same with fewer (tests/e2e/test_app_trouble.py).
"""

import sys

from tests.e2e.app import App
from tests.e2e.desk import Desktop, QtTarget
from tests.e2e.many_takes import dictate_many

EVERY = 10


def main(takes: int) -> None:
    """Dictate, and print what it costs."""
    settings = 'smart_spacing = false\n[[hotkeys]]\nchord = "ctrl_r"\n'
    with Desktop() as desktop, App(desktop, settings=settings) as app:
        editor = desktop.open(QtTarget)
        print("takes  memory MB  threads  files")
        costs = dictate_many(app, editor, takes, every=EVERY, tell=_tell)
    settled, last = costs[min(2, len(costs) - 1)], costs[-1]
    growth_mb = (last.memory_bytes - settled.memory_bytes) / 1e6
    span = f"between takes {settled.takes} and {takes}"
    print(f"{takes} takes, none lost; memory grew by {growth_mb:+.1f} MB {span}")


def _tell(cost: object) -> None:
    print(f"{cost.takes:5}  {cost.memory_bytes / 1e6:9.1f}  {cost.threads:7}  {cost.files:5}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
