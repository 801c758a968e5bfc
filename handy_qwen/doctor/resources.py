"""Processor, memory and disk: whether there is enough for the model and for what is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from handy_qwen import paths
from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, fine, problem, warning
from handy_qwen.errors import EngineError
from handy_qwen.models.installed import find_model

GB = 1e9
MODEL_SHARE = 1.25  # memory in use over the size of a package: its weights, and copies in other layouts
WORKING_BYTES = 0.3 * GB  # the program itself, and room for a long take
SCARCE_BYTES = 0.2 * GB  # of disk: settings, log and takes may fail any moment
LOW_BYTES = 3 * GB  # of disk: no room to download and convert a model
FEW_CORES = 2


def check_memory(context: Context) -> Iterator[Finding]:
    """Look at memory against what the model needs, and at the processor."""
    memory = psutil.virtual_memory()
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    details = {"total_bytes": memory.total, "available_bytes": memory.available, "cores": cores}
    try:
        needed = find_model(context.configuration.settings.model).size_bytes * MODEL_SHARE + WORKING_BYTES
    except EngineError:
        needed = WORKING_BYTES  # the finding about the model says what is wrong with it
    details["needed_bytes"] = round(needed)
    plenty = f"{memory.available / GB:.1f} of {memory.total / GB:.1f} GB of memory are free"
    is_loaded = bool(context.running and context.running.get("is_ready"))
    if memory.available < needed and not is_loaded:
        how_bad = problem if memory.total < needed else warning
        yield how_bad(
            "memory",
            f"{plenty}; the model needs about {needed / GB:.1f} GB.",
            "Close other programs, or use a smaller model.",
            **details,
        )
    else:
        yield fine("memory", f"{plenty}; the model needs about {needed / GB:.1f} GB.", **details)
    flags = _processor_flags()
    speed = {"cores": cores, "avx2": "avx2" in flags, "vnni": bool({"avx512_vnni", "avx_vnni"} & flags)}
    if flags and not speed["avx2"]:
        yield warning(
            "processor",
            "The processor has no AVX2: recognition is several times slower than it could be.",
            "Use the smaller model, and short dictations.",
            **speed,
        )
    elif cores < FEW_CORES:
        yield warning("processor", "There is one processor core.", "Expect to wait for the text.", **speed)
    else:
        extra = ", with VNNI" if speed["vnni"] else ""
        yield fine("processor", f"{cores} cores{extra}.", **speed)


def check_disk(_context: Context) -> Iterator[Finding]:
    """Look at the disks that settings, models and log are on."""
    seen = set()
    for what, folder in (
        ("models and history", paths.data_dir()),
        ("settings", paths.config_dir()),
        ("log", paths.log_dir()),
    ):
        there = _nearest(folder)
        device = there.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = psutil.disk_usage(str(there)).free
        details = {"folder": str(folder), "free_bytes": free}
        text = f"{free / GB:.1f} GB are free for {what}, in {folder}."
        if free < SCARCE_BYTES:
            yield problem("disk", text, "Make room: what you say may not be kept.", **details)
        elif free < LOW_BYTES and what.startswith("models"):
            yield warning(
                "disk", text, "Too little to download and convert a model: make room first.", **details
            )
        else:
            yield fine("disk", text, **details)


def _nearest(folder: Path) -> Path:
    """``folder``, or the part of its path that is there already."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def _processor_flags() -> set[str]:
    """What an x86 processor can do, where Linux tells; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return set(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))
