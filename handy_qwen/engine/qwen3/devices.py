"""Graphics cards and the like: which there are, and graphs that run on one until it fails.

A driver may be missing, run out of memory, or vanish with a laptop's dock. None of that costs a word: what
failed on a device is done again on the processor, and so is all that follows.

What a provider has no operator for runs on the processor in the middle of the graph, with copies to and fro.
Of the forms of our packages, DirectML has all operators; CUDA those of blocks, but no attention of the
decoder in float32 (ONNX Runtime 1.32, docs/OperatorKernels.md). Nothing is decided by that: whoever places a
part measures first.

Nothing that decides on words is computed in 16 bits: CUDA's products would otherwise be TF32, with the 10
bits of float16, and OpenVINO's float16. CoreML computes in either as it likes, so it gets no part of the
decoder; and none of an encoder in 8 bits, of which it has no product: it would compile what is left between
them into some hundred models of its own.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from handy_qwen.engine.api import Cancel, Part, Placement
from handy_qwen.engine.qwen3.manifest import Manifest
from handy_qwen.engine.qwen3.sessions import Device, open_session, run
from handy_qwen.errors import CancelledError, EngineError
from handy_qwen.message import Message

logger = logging.getLogger(__name__)

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
_FLOAT32 = "float32"  # in words, as a manifest has it
_NVIDIA = Path("/proc/driver/nvidia/version")
Values = Mapping[str, npt.NDArray[Any]]


def devices_here() -> list[Device]:
    """What the installed ONNX Runtime was built for, whether or not it works on this machine."""
    built = ort.get_available_providers()
    return [device for device in DEVICES if device.provider in built]


def drivers() -> str:
    """Changes with what is behind the devices: hardware and drivers, as far as the system tells."""
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
        for number in count():  # the first that is not there ends it
            with registry.OpenKey(displays, f"{number:04}") as display:
                values = [registry.QueryValueEx(display, name)[0] for name in ("DriverDesc", "DriverVersion")]
            found.append(" ".join(map(str, values)))
    return found


def parts_for(device: Device, manifest: Manifest) -> tuple[Part, ...]:
    """The parts of a package that may run on ``device``."""
    if device.is_exact:
        return tuple(Part)
    return (Part.ENCODER,) if manifest.precision.get("encoder") == _FLOAT32 else ()


class FarGraph:
    """A graph on a device, until it fails there."""

    def __init__(self, path: Path, threads: int, part: Part, placement: Placement | None) -> None:
        """Open it if ``placement`` has ``part``. What goes wrong is told, not raised."""
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
        """Whether ``run`` is of any use."""
        return self._session is not None

    def run(
        self, feeds: Values, cancel: Cancel, outputs: Sequence[str] | None = None
    ) -> list[npt.NDArray[Any]] | None:
        """As ``sessions.run``; None if the graph is not there (any more), or its first output is not finite.

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

    def __init__(self, path: Path, threads: int, part: Part, placement: Placement | None) -> None:
        """Raises what ``open_session`` raises for the processor."""
        self._path, self._threads = path, threads
        self._far = FarGraph(path, threads, part, placement)
        self._near = None if self._far.is_open else open_session(path, threads=threads)

    def run(self, feeds: Values, cancel: Cancel) -> list[npt.NDArray[Any]]:
        """As ``sessions.run``. Opens the graph on the processor first if the device fails now."""
        found = self._far.run(feeds, cancel)
        if found is not None:
            return found
        if self._near is None:
            self._near = open_session(self._path, threads=self._threads)
        return run(self._near, feeds, cancel)
