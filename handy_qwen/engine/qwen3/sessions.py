"""ONNX Runtime: the only module that creates or runs sessions, here or on a graphics card and the like.

A driver may be missing, run out of memory, or vanish with a laptop's dock. None of that loses a word: work
that failed on a device is repeated on the processor, and so is all that follows.

Operators that a provider lacks run on the processor in the middle of the graph, with copies to and fro. For
the forms of our packages, DirectML has all operators; CUDA those of blocks, but no attention for a decoder in
float32 (ONNX Runtime 1.32, docs/OperatorKernels.md). Nothing is decided by that: parts are placed after
measuring.

Nothing that affects words is computed in 16 bits: CUDA's products would otherwise be TF32, with the 10 bits
of float16, and OpenVINO's float16. CoreML computes in either as it likes, so it gets no part of the decoder,
nor of an 8-bit encoder, for which it has no product: it would compile the rest into some hundred models.

Threads: a session is run by one thread at a time; ``Cancel.set`` may be called from any.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from handy_qwen.engine.api import Cancel, ModelPart, Placement
from handy_qwen.engine.processor import starting_patient_threads
from handy_qwen.engine.qwen3.manifest import Manifest
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
    RuntimeError,  # the only error of a run on bound buffers
)
_LOAD_ERRORS = (
    *_RUN_ERRORS,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    UnicodeDecodeError,  # of its message, which quotes the broken file
)
# ONNX Runtime has no error class for this. Source: core/framework/bfc_arena.cc, the standard libraries'
# bad_alloc ("bad allocation" on Windows), and ENOMEM of mmap.
_NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Cannot allocate memory")


@dataclass(frozen=True, slots=True)
class Device:
    """A device that ONNX Runtime can use beside the processor: a provider, and how to open it."""

    provider: str
    title: str  # for people
    options: Mapping[str, str] = field(default_factory=dict)
    is_exact: bool = True  # whether products stay float32


def open_session(path: Path, *, threads: int, device: Device | None = None) -> ort.InferenceSession:
    """Load the graph ``path``, whose weights may be in files beside it, for ``threads`` threads, at least 1.

    It runs on ``device``, except operators that do not exist there; None for the processor alone.
    ModelMissingError: there is no such file. ModelCorruptError: ONNX Runtime cannot load it, or its weights
    are missing. OutOfMemoryError: it does not fit. EngineError: the device cannot be used.
    """
    if not path.is_file():
        raise ModelMissingError(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A spinning thread takes the processor from the one it waits for, as soon as anything else runs.
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
    options.enable_mem_pattern = False  # not supported by DirectML
    providers = [(device.provider, dict(device.options)), _PROCESSOR]
    if device.provider.startswith("CUDA") and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # finds those installed by pip
    try:  # without ONNX Runtime's own fallback, which would reopen the graph in the middle of a run
        session = ort.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    except (*_LOAD_ERRORS, ValueError) as exc:
        logger.warning("%s: %s", device.provider, exc)
        raise EngineError(Message("{title} cannot run {name}.", title=device.title, name=path.name)) from exc
    if device.provider not in session.get_providers():  # the only sign of a missing library
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

    CancelledError: ``cancel`` was set before or during the run. EngineError: it failed; OutOfMemoryError if
    out of memory.
    """
    with _running(cancel) as options:
        return list(session.run(outputs, dict(feeds), options))


def run_bound(session: ort.InferenceSession, binding: ort.IOBinding, cancel: Cancel) -> None:
    """Run a session on bound buffers, half written if it is cancelled. Raises as ``run``."""
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


# ---- devices --------------------------------------------------------------------------------------------

DEVICES = (
    Device("CUDAExecutionProvider", "CUDA", {"use_tf32": "0"}),
    Device("DmlExecutionProvider", "DirectML"),
    Device("OpenVINOExecutionProvider", "OpenVINO", {"device_type": "GPU", "precision": "ACCURACY"}),
    Device(
        "CoreMLExecutionProvider",
        "CoreML",
        {"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndGPU"},
        is_exact=False,
    ),
)
_DISPLAYS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
_FLOAT32 = "float32"  # as in a manifest
_NVIDIA = Path("/proc/driver/nvidia/version")
Values = Mapping[str, npt.NDArray[Any]]


def devices_here() -> list[Device]:
    """The devices that the installed ONNX Runtime supports, whether or not they work on this machine."""
    built = ort.get_available_providers()
    return [device for device in DEVICES if device.provider in built]


def drivers() -> str:
    """A string that changes with hardware and drivers, as far as the system reveals them."""
    found = []
    with suppress(OSError):
        found.append(_NVIDIA.read_text(encoding="utf-8").partition("\n")[0])
    if sys.platform == "win32":
        import winreg

        found += windows_drivers(winreg)
    for place in getattr(ort, "get_ep_devices", list)():
        device = place.device
        ids = f"{device.vendor_id:x}:{device.device_id:x}"
        found.append(f"{place.ep_name} {ids} {sorted(device.metadata.items())}")
    return "; ".join(found)


def windows_drivers(registry: Any) -> list[str]:  # noqa: ANN401  winreg, or a stand-in for it
    """Name and version of each display driver.

    Source: Microsoft, "System-Defined Device Setup Classes Available to Vendors" (class Display).
    """
    found: list[str] = []
    with suppress(OSError), registry.OpenKey(registry.HKEY_LOCAL_MACHINE, _DISPLAYS) as displays:
        for number in count():  # ends at the first missing one
            with registry.OpenKey(displays, f"{number:04}") as display:
                values = [registry.QueryValueEx(display, name)[0] for name in ("DriverDesc", "DriverVersion")]
            found.append(" ".join(map(str, values)))
    return found


def parts_for(device: Device, manifest: Manifest) -> tuple[ModelPart, ...]:
    """The parts of a package that may run on ``device``."""
    if device.is_exact:
        return tuple(ModelPart)
    return (ModelPart.ENCODER,) if manifest.precision.get("encoder") == _FLOAT32 else ()


class FarGraph:
    """A graph on a device, until it fails there."""

    def __init__(self, path: Path, threads: int, part: ModelPart, placement: Placement | None) -> None:
        """Open it if ``placement`` has ``part``. Failures are reported, not raised."""
        self._placement = placement
        self._session: ort.InferenceSession | None = None
        if placement is None or part not in placement.parts:
            return
        try:
            device = next(device for device in devices_here() if device.provider == placement.provider)
            self._session = open_session(path, threads=threads, device=device)
        except StopIteration:
            self._fail(
                EngineError(
                    Message("This ONNX Runtime was not built for {provider}.", provider=placement.provider)
                )
            )
        except EngineError as exc:
            self._fail(exc)

    @property
    def is_open(self) -> bool:
        """Whether ``run`` can be used."""
        return self._session is not None

    def run(
        self, feeds: Values, cancel: Cancel, outputs: Sequence[str] | None = None
    ) -> list[npt.NDArray[Any]] | None:
        """As the function ``run``; None if the graph is not (or no longer) there or its output is not finite.

        Raises:
            CancelledError: ``cancel`` was set before or during the run.
        """
        if self._session is None:
            return None
        assert self._placement is not None
        try:
            with self._placement.in_use():
                found = run(self._session, feeds, cancel, outputs)
        except CancelledError:
            raise
        except EngineError as exc:
            self._fail(exc)
            return None
        if not np.isfinite(found[0]).all():
            self._fail(EngineError(Message("The device gives numbers that make no sense.")))
            return None
        return found

    def close(self) -> None:
        """Free the memory."""
        self._session = None

    def _fail(self, error: EngineError) -> None:
        assert self._placement is not None
        logger.warning("%s failed and is not used: %s", self._placement.provider, error.title)
        self._session = None
        self._placement.on_failure(error)


class PlacedGraph:
    """A graph on a device if it is placed there and works, else on the processor."""

    def __init__(self, path: Path, threads: int, part: ModelPart, placement: Placement | None) -> None:
        """Raises what ``open_session`` raises for the processor."""
        self._path, self._threads = path, threads
        self._far = FarGraph(path, threads, part, placement)
        self._near = None if self._far.is_open else open_session(path, threads=threads)

    def run(self, feeds: Values, cancel: Cancel) -> list[npt.NDArray[Any]]:
        """As the function ``run``. Opens the graph on the processor if the device fails now."""
        found = self._far.run(feeds, cancel)
        if found is not None:
            return found
        if self._near is None:
            self._near = open_session(self._path, threads=self._threads)
        return run(self._near, feeds, cancel)
