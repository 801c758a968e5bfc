"""What can go wrong with the graphs of a published model, found and named before one is run.

A package of two gigabytes is put together by hand or by an interrupted download often enough: a data file is
missing, cut short, or that of another model. ONNX Runtime says this late and in its own words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from handy_qwen.errors import ModelCorruptError, ModelMissingError

DOWNLOAD_AGAIN = "Download the package again, with all of its files."
FLOAT, INT64 = "tensor(float)", "tensor(int64)"
_LFS = b"version https://git-lfs"
_MOST_BYTES = 64 << 20  # a larger graph has its weights inside, and would be in memory twice


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph: its type as ONNX Runtime spells it, and its shape, None where free."""

    dtype: str
    shape: tuple[int | None, ...]


def check_files(path: Path) -> None:
    """Check that a graph and the files with its weights are there and long enough.

    Raises:
        ModelMissingError: One is not there.
        ModelCorruptError: One is too short or something else, or weights are outside the graph's folder.
    """
    if not path.is_file():
        raise ModelMissingError(path, DOWNLOAD_AGAIN)
    size = path.stat().st_size
    if size == 0:
        raise ModelCorruptError(path, "it is empty", DOWNLOAD_AGAIN)
    with path.open("rb") as file:
        if file.read(len(_LFS)) == _LFS:
            raise ModelCorruptError(
                path,
                "it is a Git LFS pointer, not the file itself",
                "Run `git lfs pull` there, or download it.",
            )
    for location, needed in ({} if size > _MOST_BYTES else _weights(path)).items():
        data = path.parent / location
        if not location or Path(location).name != location:
            raise ModelCorruptError(path, "it looks for weights outside its own folder", DOWNLOAD_AGAIN)
        if not data.is_file():
            raise ModelMissingError(data, DOWNLOAD_AGAIN)
        found = data.stat().st_size
        if found < needed:
            problem = f"it has {found} bytes where {path.name} needs {needed}"
            raise ModelCorruptError(data, problem, DOWNLOAD_AGAIN)


def _weights(path: Path) -> dict[str, int]:
    """The files beside the graph ``path`` that it has weights in, and the bytes each must have."""
    import onnx  # takes a while, and our own packages do without
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    needed: dict[str, int] = {}
    try:
        graph = onnx.load(path, load_external_data=False).graph
        for tensor in filter(uses_external_data, graph.initializer):
            info = ExternalDataInfo(tensor)
            item_bytes = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
            size = info.length or math.prod(tensor.dims) * item_bytes
            needed[info.location] = max(needed.get(info.location, 0), (info.offset or 0) + size)
    except Exception as exc:  # protobuf has errors of its own
        raise ModelCorruptError(path, "it is not an ONNX graph, or cut short", DOWNLOAD_AGAIN) from exc
    return needed


def check_ports(
    path: Path, session: ort.InferenceSession, inputs: Mapping[str, Port], outputs: Mapping[str, Port]
) -> None:
    """Check that the graph ``path`` has the inputs and outputs expected of it, in their types and sizes.

    Raises:
        ModelCorruptError: It has not: it is another kind of graph, or that of another model.
    """
    found_inputs = {port.name: port for port in session.get_inputs()}
    found_outputs = {port.name: port for port in session.get_outputs()}
    for name in sorted(found_inputs.keys() - inputs.keys()):
        raise ModelCorruptError(path, f"it wants an input {name} that is not known here", DOWNLOAD_AGAIN)
    for kind, expected, found in (("input", inputs, found_inputs), ("output", outputs, found_outputs)):
        for name, port in expected.items():
            if name not in found:
                problem = f"it has no {kind} {name}, so it is another kind of graph"
            elif found[name].type != port.dtype:
                problem = f"its {kind} {name} has the type {found[name].type} and not {port.dtype}"
            elif not _fits(found[name].shape, port.shape):
                problem = f"its {kind} {name} has sizes that are not those of config.json"
            else:
                continue
            raise ModelCorruptError(path, problem, DOWNLOAD_AGAIN)


def _fits(found: list[int | str | None], expected: tuple[int | None, ...]) -> bool:
    """Whether the sizes that both state are equal; a graph need not state any."""
    pairs = zip(found, expected, strict=False)
    is_equal = all(size == wanted for size, wanted in pairs if isinstance(size, int) and wanted is not None)
    return not found or (len(found) == len(expected) and is_equal)
