"""How many threads suit a processor: cores of both kinds, hyperthreads, and what this process may use."""

import struct
import sys

import pytest

from handy_qwen.engine import default_threads, processor


@pytest.mark.parametrize(
    ("physical", "usable", "fast", "threads"),
    [
        (1, 1, 0, 1),
        (2, 2, 0, 8),
        (4, 8, 0, 8),
        (4, 2, 0, 8),
        (None, 6, 0, 8),
        (64, 128, 0, 8),
        (10, 12, 2, 8),  # two fast ones with two threads each, eight slow ones
        (8, 1, 4, 1),
    ],
)
def test_there_are_four_threads_for_each_fast_core(monkeypatch, physical, usable, fast, threads):
    monkeypatch.setattr("psutil.cpu_count", lambda logical: None if logical else physical)
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: set(range(usable)), raising=False)
    monkeypatch.setattr(processor, "_of_the_faster_kind", lambda: fast)
    assert default_threads() == threads


def test_this_machine_has_a_core():
    assert processor.fast_cores() >= 1


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


def test_intel_names_the_faster_kind(tmp_path):
    """Cores 0 and 1 with two threads each; the others are slow, and not asked about."""
    write(tmp_path / "cpu_core/cpus", "0-3\n")
    for cpu, core in enumerate(["0-1", "0-1", "2-3", "2-3", "4", "5"]):
        write(tmp_path / f"cpus/cpu{cpu}/topology/core_cpus_list", core)
    assert processor._linux(tmp_path / "cpu_core/cpus", tmp_path / "cpus") == 2


@pytest.mark.parametrize(
    ("capacities", "fast"), [([250] * 4 + [800] * 3 + [1024], 4), ([1024] * 4, 0), ([1024, 980], 0), ([], 0)]
)
def test_arm_tells_how_much_each_can_do(tmp_path, capacities, fast):
    for cpu, capacity in enumerate(capacities):
        write(tmp_path / f"cpu{cpu}/cpu_capacity", f"{capacity}\n")
        write(tmp_path / f"cpu{cpu}/topology/core_cpus_list", f"{cpu}\n")
    assert processor._linux(tmp_path / "missing", tmp_path) == fast


def cpu_sets(*cores, length=32):
    """What Windows writes for logical processors on ``cores``: (group, core, efficiency class)."""
    sets = (
        struct.pack("<IIIHBBBBB", length, 0, 256 + i, group, i, core, 0, 0, efficiency)
        for i, (group, core, efficiency) in enumerate(cores)
    )
    return b"".join(each.ljust(length, b"\0") for each in sets)


@pytest.mark.parametrize(
    ("raw", "fast"),
    [
        (cpu_sets((0, 0, 1), (0, 0, 1), (0, 2, 1), (0, 2, 1), (0, 4, 0), (0, 5, 0)), 2),
        (cpu_sets((0, 0, 0), (0, 1, 0)), 0),
        (cpu_sets((0, 0, 1), (1, 0, 1), (1, 1, 0), length=48), 2),
        (b"", 0),
        (bytes(64), 0),
    ],
)
def test_windows_tells_the_class_of_each_core(raw, fast):
    assert processor.fast_of_cpu_sets(raw) == fast


@pytest.mark.skipif(sys.platform != "win32", reason="asks Windows")
def test_windows_answers():
    raw = processor._cpu_sets()
    assert len(raw) % struct.unpack_from("<I", raw)[0] == 0
