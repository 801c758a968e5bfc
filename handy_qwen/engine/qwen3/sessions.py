"""ONNX Runtime: the only file that creates a session or runs one.

Threads: a session may be run by one thread at a time here; ``Cancel.set`` may be called from any.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnxruntime as ort
import psutil
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from handy_qwen.engine.processors import quota
from handy_qwen.errors import (
    CancelledError,
    EngineError,
    ModelCorruptError,
    ModelMissingError,
    OutOfMemoryError,
)

logger = logging.getLogger(__name__)

_RUN_ERRORS = (
    ort_errors.Fail,
    ort_errors.RuntimeException,
    ort_errors.InvalidArgument,
    ort_errors.EPFail,
    ort_errors.NotImplemented,
)
_NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Cannot allocate memory")
_LOAD_ERRORS = (
    *_RUN_ERRORS,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    UnicodeDecodeError,  # of its message, which quotes the broken file
)


class Cancel:
    """A way to stop work from another thread, also in the middle of a run of a session."""

    def __init__(self) -> None:
        self._is_set = False
        self.run_options = ort.RunOptions()

    def set(self) -> None:
        """Stop whatever was given this object. Any thread; cannot be undone."""
        self._is_set = True
        self.run_options.terminate = True

    @property
    def is_set(self) -> bool:
        """Whether the work was given up."""
        return self._is_set

    def check(self) -> None:
        """Raise if the work was given up.

        Raises:
            CancelledError: ``set`` was called.
        """
        if self._is_set:
            raise CancelledError


def default_threads() -> int:
    """Threads for one session: one for each physical core that this process may use, at most 8.

    Two threads on one core share its arithmetic, and while text is written memory is what is waited for. More
    threads than the quota of a container are all stopped together, in the middle of a run.
    Source: on 8 cores with 16 threads, 6 were faster than 16 (cjpais/Handy, pull request 1120).
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or usable
    return int(max(1, min(physical, usable, 8, quota())))


def open_session(path: Path, *, threads: int) -> ort.InferenceSession:
    """Load a graph for the CPU.

    Args:
        path: The .onnx file; its weights may lie in files beside it.
        threads: At least 1.

    Raises:
        ModelMissingError: There is no such file.
        ModelCorruptError: It is not a graph that ONNX Runtime can load, or its weights are not there.
        OutOfMemoryError: There is no room for it.
    """
    if not path.is_file():
        raise ModelMissingError(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads wait actively between the operators of a run, and sleep as soon as it is over.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads > 1 else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _LOAD_ERRORS as exc:
        if is_out_of_memory(exc):
            raise OutOfMemoryError from exc
        raise ModelCorruptError(path, "ONNX Runtime cannot load it") from exc


def run(
    session: ort.InferenceSession,
    feeds: Mapping[str, npt.NDArray[Any]],
    cancel: Cancel,
    outputs: Sequence[str] | None = None,
) -> list[npt.NDArray[Any]]:
    """Run a session and return ``outputs`` (all of them if None).

    Raises:
        CancelledError: ``cancel`` was set before or meanwhile.
        EngineError: The run failed; OutOfMemoryError for want of memory.
    """
    cancel.check()
    try:
        return list(session.run(outputs, dict(feeds), cancel.run_options))
    except _RUN_ERRORS as exc:
        raise _explained(exc, cancel) from exc


def run_bound(session: ort.InferenceSession, binding: ort.IOBinding, cancel: Cancel) -> None:
    """Run a session on buffers bound before.

    Raises:
        CancelledError: ``cancel`` was set before or meanwhile. The bound buffers may be half written.
        EngineError: The run failed.
    """
    cancel.check()
    try:
        session.run_with_iobinding(binding, cancel.run_options)
    except RuntimeError as exc:  # here ONNX Runtime tells none of its errors from another
        raise _explained(exc, cancel) from exc


def is_out_of_memory(exc: Exception) -> bool:
    """Whether ONNX Runtime, which has no error of its own for it, failed for want of memory.

    Source: core/framework/bfc_arena.cc ("Failed to allocate memory for requested buffer"); what() of the
    standard libraries' bad_alloc, which is "bad allocation" on Windows; mmap's ENOMEM.
    """
    return any(words in str(exc) for words in _NO_MEMORY)


def _explained(exc: Exception, cancel: Cancel) -> EngineError:
    if cancel.is_set:
        return CancelledError()
    if is_out_of_memory(exc):
        return OutOfMemoryError()
    logger.error("ONNX Runtime: %s", exc)  # names of operators and shapes; never what the numbers stand for
    return EngineError(
        "The speech engine failed while running the model.", "Check it: handy-qwen model check NAME"
    )
