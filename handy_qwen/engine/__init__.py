"""Speech recognition: samples in, text out. Independent of the app.

``api`` has the types that the rest of the program uses; each family of models is a package of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.engine.processor import fast_cores, processor_name, usable_processors

if TYPE_CHECKING:
    from handy_qwen.engine.api import Model, Placement

_THREADS_PER_CORE = 4
_MAX_THREADS = 8  # more were not measured


def load_model(
    folder: Path,
    *,
    voice_model: Path,
    threads: int | None = None,
    name: str = "",
    placement: Placement | None = None,
) -> Model:
    """Load the model in ``folder``.

    Args:
        folder: A package made by ``convert``, or a model in the published ONNX layout.
        voice_model: The file of the voice activity detector.
        threads: For each session; None for ``default_threads``.
        name: The model's name; if empty, the one in its files.
        placement: What runs on a device; None for nothing. Models in the published layout run on the
            processor.

    Raises:
        ModelMissingError: A file is missing.
        ModelCorruptError: A file is truncated, changed, or of another model.
        EngineError: The folder may not be read.
    """
    from handy_qwen.engine.qwen3.recognizer import Recognizer

    return Recognizer.load(
        folder,
        voice_model=voice_model,
        threads=threads or default_threads(),
        name=name,
        placement=placement,
    )


def default_threads() -> int:
    """Threads for one session where nothing was measured: four per physical core, at most 8.

    Each product is divided into as many parts as there are threads, and whichever thread gets to run takes
    the next part: with more parts than cores, losing a core delays only a small one. Idle threads sleep, so
    on a quiet machine the extra ones cost little. Measurements are in MODEL.md.
    """
    cores = fast_cores()
    return 1 if cores == 1 else min(_THREADS_PER_CORE * cores, _MAX_THREADS)


def machine_id() -> str:
    """Identifies what measurements depend on: the processor and ONNX Runtime."""
    import onnxruntime

    providers = "+".join(onnxruntime.get_available_providers())
    return f"{processor_name()}, {usable_processors()} x, onnxruntime {onnxruntime.__version__} {providers}"
