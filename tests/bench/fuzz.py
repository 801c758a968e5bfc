"""Damaged and hostile input for everything that reads; says what was tried and what broke.

usage: python -m tests.bench.fuzz [--examples N] [--only NAME] [--seed N] [--memory-mb N]

Each target (tests/hostile/targets.py) gets N examples, the slow ones a part of it. Only errors of our own may
come out, within the memory that each target is allowed, and nothing outside its folder may change. The whole
runs under a limit on the address space, so that a library that asks for too much fails as well; a crash in
native code ends it with a trace. The tests do the same with few examples (tests/unit/test_hostile_input.py).
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import logging
import os
import shutil
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

from handy_qwen.errors import HandyError
from tests.hostile.targets import TARGETS, Target


class Trial:
    """Tries one target, and remembers what it met."""

    def __init__(self, target: Target, place: Path) -> None:
        self.target = target
        self.tried = self.refused = self.unworded = self.peak_bytes = 0
        self._place = place
        self.errors: dict[str, int] = {}

    def once(self, data: bytes) -> None:
        """Use ``data`` in a fresh folder between two others that must stay as they are."""
        folder = self._place / "inside"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        before = around(self._place)
        tracemalloc.reset_peak()
        start_bytes = tracemalloc.get_traced_memory()[0]
        self.tried += 1
        try:
            self.target.use(folder, data)
        except HandyError as exc:
            self.unworded += not exc.title
            self.refused += 1
            self.errors[type(exc).__name__] = self.errors.get(type(exc).__name__, 0) + 1
        if os.name == "nt":
            gc.collect()  # it deletes nothing that is mapped
        peak_bytes = tracemalloc.get_traced_memory()[1] - start_bytes
        self.peak_bytes = max(self.peak_bytes, peak_bytes)
        assert peak_bytes <= self.target.most_bytes, f"{peak_bytes / 1e6:.0f} MB for {len(data)} bytes"
        assert not self.unworded, "an error without words"
        assert around(self._place) == before, "something outside of the folder was changed"


def around(place: Path) -> dict[str, bytes]:
    """All that lies beside the folder ``inside``, with its contents."""
    found = (path for path in place.rglob("*") if "inside" not in path.relative_to(place).parts)
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in found}


def run(target: Target, examples: int, number: int | None, place: Path) -> Trial:
    """Try ``target`` with ``examples`` examples; None for ``number`` is another run each time."""
    trial = Trial(target, place)

    @settings(
        max_examples=max(1, examples // target.cost),
        deadline=None,
        database=None,
        derandomize=number is None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(target.inputs)
    def all_examples(data: bytes) -> None:
        trial.once(data)

    (seed(number)(all_examples) if number is not None else all_examples)()
    return trial


def limit_memory(megabytes: int) -> None:
    """Let this process have no more address space than it has now and so much."""
    import psutil

    if sys.platform != "linux":
        return
    import resource

    size = psutil.Process().memory_info().vms + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def main() -> int:
    """Try all targets; 0 if nothing broke."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--only", default="", help="targets whose name holds this")
    parser.add_argument(
        "--seed", type=int, default=None, help="another run for each number; else always the same"
    )
    parser.add_argument("--memory-mb", type=int, default=2000)
    asked = parser.parse_args()
    faulthandler.enable()
    logging.disable(logging.CRITICAL)
    limit_memory(asked.memory_mb)
    tracemalloc.start(1)
    broken = 0
    for target in (one for one in TARGETS if asked.only in one.name):
        with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
            place = Path(name)
            (place / "outside").write_bytes(b"must stay")
            (place / "beside").mkdir()
            print(f"{target.name:20}", end=" ", flush=True)
            begin_s = time.monotonic()
            try:
                trial = run(target, asked.examples, asked.seed, place)
            except Exception as exc:  # what was looked for
                broken += 1
                print(f"BROKEN: {type(exc).__name__}: {exc}")
                logging.disable(logging.NOTSET)
                logging.getLogger().exception("in %s", target.name)
                logging.disable(logging.CRITICAL)
                continue
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(trial.errors.items()))
            print(
                f"{trial.tried:7} tried, {trial.tried - trial.refused:6} taken,"
                f" peak {trial.peak_bytes / 1e6:6.1f} MB, {time.monotonic() - begin_s:5.0f} s  {kinds}",
                flush=True,
            )
    print(f"{broken} targets broke" if broken else "nothing broke")
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main())
