"""ONNX Runtime: the only module that creates a session or runs one.

Threads: a session is run by one thread at a time; ``Cancel.set`` may be called from any.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from handy_qwen.engine.api import Cancel
from handy_qwen.engine.processor import starting_patient_threads
from handy_qwen.errors import (
    CancelledError,
    EngineError,
    ModelCorruptError,
    ModelMissingError,
    OutOfMemoryError,
)
from handy_qwen.message import Message

logger = logging.getLogger(__name__)

_PROCESSOR = "CPUExecutionProvider"
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


@dataclass(frozen=True, slots=True)
class Device:
    """What ONNX Runtime can run graphs on beside the processor: a provider, and how it is to be opened."""

    provider: str
    title: str  # for people
    options: Mapping[str, str] = field(default_factory=dict)
    is_exact: bool = True  # whether products stay float32


def open_session(path: Path, *, threads: int, device: Device | None = None) -> ort.InferenceSession:
    """Load the graph ``path``, whose weights may be in files beside it, for ``threads`` threads, at least 1.

    It runs on ``device``, but for operators that do not exist there; None for the processor alone.
    ModelMissingError: there is no such file. ModelCorruptError: ONNX Runtime cannot load it, or its weights
    are missing. OutOfMemoryError: there is no room for it. EngineError: the device cannot be used.
    """
    if not path.is_file():
        raise ModelMissingError(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A thread that spins takes the processor from the one it waits for, as soon as anything else runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    with starting_patient_threads():
        return _open_on(device, path, options) if device else _open_here(path, options)


def _open_here(path: Path, options: ort.SessionOptions) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(str(path), options, providers=[_PROCESSOR])
    except _LOAD_ERRORS as exc:
        if _is_out_of_memory(exc):
            raise OutOfMemoryError from exc
        raise ModelCorruptError(path, Message("ONNX Runtime cannot load it")) from exc


def _open_on(device: Device, path: Path, options: ort.SessionOptions) -> ort.InferenceSession:
    options.enable_mem_pattern = False  # DirectML has no memory patterns
    providers = [(device.provider, dict(device.options)), _PROCESSOR]
    if device.provider.startswith("CUDA") and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # finds those that pip installed
    try:  # without ONNX Runtime's own fallback, which would open the graph anew in the middle of a run
        session = ort.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    except (*_LOAD_ERRORS, ValueError) as exc:
        logger.warning("%s: %s", device.provider, exc)
        raise EngineError(Message("{title} cannot run {name}.", title=device.title, name=path.name)) from exc
    if device.provider not in session.get_providers():  # which is all that is to be seen of a missing library
        raise EngineError(
            Message("{title} cannot be started: its driver or libraries are missing.", title=device.title)
        )
    return session


def run(
    session: ort.InferenceSession,
    feeds: Mapping[str, npt.NDArray[Any]],
    cancel: Cancel,
    outputs: Sequence[str] | None = None,
) -> list[npt.NDArray[Any]]:
    """Run a session and return ``outputs``, all if None.

    CancelledError: ``cancel`` was set before or during the run. EngineError: it failed; OutOfMemoryError for
    lack of memory.
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
        Message("The speech engine failed while running the model."),
        Message("Check it: handy-qwen model check NAME"),
    )


def _is_out_of_memory(exc: Exception) -> bool:
    return any(words in str(exc) for words in _NO_MEMORY)
