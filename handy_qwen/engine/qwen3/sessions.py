"""ONNX Runtime: the only module that creates a session or runs one.

Threads: a session is run by one thread at a time; ``Cancel.set`` may be called from any.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from handy_qwen.engine.api import Cancel
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
    RuntimeError,  # all that a run on bound buffers raises
)
_LOAD_ERRORS = (
    *_RUN_ERRORS,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    UnicodeDecodeError,  # of its message, which quotes the broken file
)
# ONNX Runtime has no error of its own for this. Source: core/framework/bfc_arena.cc, the standard libraries'
# bad_alloc ("bad allocation" on Windows), and ENOMEM of mmap.
_NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Cannot allocate memory")


def open_session(path: Path, *, threads: int) -> ort.InferenceSession:
    """Load a graph for the CPU.

    Args:
        path: The .onnx file; its weights may be in files beside it.
        threads: At least 1.

    Raises:
        ModelMissingError: There is no such file.
        ModelCorruptError: It is not a graph that ONNX Runtime can load, or its weights are missing.
        OutOfMemoryError: There is not enough memory for it.
    """
    if not path.is_file():
        raise ModelMissingError(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A thread that spins takes the processor from the one it waits for, as soon as anything else runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _LOAD_ERRORS as exc:
        if _is_out_of_memory(exc):
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
        CancelledError: ``cancel`` was set before or during the run.
        EngineError: The run failed; OutOfMemoryError for lack of memory.
    """
    with _running(cancel) as options:
        return list(session.run(outputs, dict(feeds), options))


def run_bound(session: ort.InferenceSession, binding: ort.IOBinding, cancel: Cancel) -> None:
    """Run a session on bound buffers, half written if it is cancelled. Raises what ``run`` raises."""
    with _running(cancel) as options:
        session.run_with_iobinding(binding, options)


@contextmanager
def _running(cancel: Cancel) -> Iterator[ort.RunOptions]:
    options = ort.RunOptions()

    def stop() -> None:
        options.terminate = True

    with cancel.stopping(stop):
        try:
            yield options
        except _RUN_ERRORS as exc:
            raise _translated(exc, cancel) from exc


def _translated(exc: Exception, cancel: Cancel) -> EngineError:
    if cancel.is_set:
        return CancelledError()
    if _is_out_of_memory(exc):
        return OutOfMemoryError()
    logger.error("ONNX Runtime: %s", exc)  # names of operators and shapes, never values
    return EngineError(
        "The speech engine failed while running the model.", "Check it: handy-qwen model check NAME"
    )


def _is_out_of_memory(exc: Exception) -> bool:
    return any(words in str(exc) for words in _NO_MEMORY)
