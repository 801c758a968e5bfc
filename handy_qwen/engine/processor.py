"""The processor available to this process.

Sources: Linux, Documentation/ABI/testing/sysfs-devices-system-cpu, the PMU ``cpu_core`` of Intel, and man 7
sched (SCHED_BATCH); Apple, "Tuning your code's performance for Apple silicon" (``hw.perflevel0``); Microsoft,
GetSystemCpuSetInformation.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SYSTEM_CPUS = Path("/sys/devices/system/cpu")
_SLOW = 0.7  # of the capacity of the fastest: less is an efficiency core, more a different clock
_CPU_SET = struct.Struct("<IIIHBBBBB")  # SYSTEM_CPU_SET_INFORMATION up to EfficiencyClass


def processor_name() -> str:
    """The processor's own name, where the system reveals it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def usable_processors() -> int:
    """How many logical processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def starting_patient_threads() -> Iterator[None]:
    """Threads started by this one in the block take a free processor when woken, not one in use.

    Otherwise more threads than cores displace each other, and the one that wakes them, at every operator.
    Only Linux has such a class; elsewhere, and where it is refused, they are ordinary threads.
    """
    is_changed = False
    if sys.platform == "linux":
        with suppress(OSError):
            if is_changed := os.sched_getscheduler(0) == os.SCHED_OTHER:
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        if is_changed and sys.platform == "linux":
            with suppress(OSError):
                os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def fast_cores() -> int:
    """How many physical cores this process may use; with two kinds of cores, of the faster kind.

    All other threads would wait for one on a slower core.
    """
    import psutil

    usable = usable_processors()
    physical = psutil.cpu_count(logical=False) or usable
    return max(1, min(physical, usable, _of_the_faster_kind() or physical))


def _of_the_faster_kind() -> int:
    """Physical cores of the faster kind; 0 if the system reports no two kinds."""
    count = 0
    if sys.platform.startswith("linux"):
        count = _linux(Path("/sys/devices/cpu_core/cpus"), _SYSTEM_CPUS)
    elif sys.platform == "darwin":
        count = _apple()
    elif sys.platform == "win32":
        count = fast_of_cpu_sets(_cpu_sets())
    return count


def _linux(of_intel: Path, cpus: Path) -> int:
    try:
        fast = set(_listed(of_intel.read_text(encoding="ascii")))
    except OSError:
        files = cpus.glob("cpu*/cpu_capacity")
        capacity = {int(path.parent.name[3:]): int(path.read_text(encoding="ascii")) for path in files}
        fast = {cpu for cpu, each in capacity.items() if each >= _SLOW * max(capacity.values())}
        if len(fast) == len(capacity):
            return 0
    cores = set()
    for cpu in fast:
        try:
            cores.add((cpus / f"cpu{cpu}/topology/core_cpus_list").read_text(encoding="ascii"))
        except OSError:  # switched off
            continue
    return len(cores)


def _listed(ranges: str) -> Iterator[int]:
    """The numbers in a list such as ``0-3,8``."""
    for part in filter(None, ranges.strip().split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _apple() -> int:
    count, size = ctypes.c_int(0), ctypes.c_size_t(4)
    name = b"hw.perflevel0.physicalcpu"  # Intel Macs have no such name
    failed = ctypes.CDLL(None).sysctlbyname(name, ctypes.byref(count), ctypes.byref(size), None, 0)
    return 0 if failed else count.value


def _cpu_sets() -> bytes:
    """The result of GetSystemCpuSetInformation; empty before Windows 10."""
    data = b""
    if sys.platform == "win32":
        ask = getattr(ctypes.windll.kernel32, "GetSystemCpuSetInformation", None)
        size = ctypes.c_ulong(0)
        if ask is not None:
            ask(None, 0, ctypes.byref(size), None, 0)
            buffer = ctypes.create_string_buffer(size.value)
            if size.value and ask(buffer, size, ctypes.byref(size), None, 0):
                data = buffer.raw[: size.value]
    return data


def fast_of_cpu_sets(raw: bytes) -> int:
    """Cores of the highest efficiency class in that result; 0 if all are alike."""
    kinds: dict[tuple[int, int], int] = {}  # group and core -> class: the higher, the faster
    start = 0
    while start + _CPU_SET.size <= len(raw):
        length, _kind, _id, group, _number, core, _cache, _node, efficiency = _CPU_SET.unpack_from(raw, start)
        kinds[group, core] = efficiency
        start += max(length, _CPU_SET.size)
    fastest = max(kinds.values(), default=0)
    count = sum(1 for each in kinds.values() if each == fastest)
    return 0 if count == len(kinds) else count
