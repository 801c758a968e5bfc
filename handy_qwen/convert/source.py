"""What a package is made of: an official checkpoint, or a published ONNX model."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from handy_qwen.convert.expected import EMBEDDING, audio_shapes, text_shapes
from handy_qwen.convert.presets import PLAIN, Preset
from handy_qwen.convert.published_weights import PublishedWeights, is_published
from handy_qwen.convert.stored import OnRead
from handy_qwen.convert.weights import Checkpoint, Weights
from handy_qwen.engine.config import ModelConfig
from handy_qwen.engine.manifest import is_package
from handy_qwen.engine.published import read_config
from handy_qwen.engine.reading import believing, read_object
from handy_qwen.engine.tokenizer import Tokenizer, load_tokenizer
from handy_qwen.errors import ConversionError
from handy_qwen.languages import ALL_LANGUAGES

_FEWEST_BITS = 16  # that are as good as the official checkpoint's


class Source(NamedTuple):
    """An opened source. ``rounded`` names parts that were rounded before, and to how many bits."""

    config: ModelConfig
    weights: Weights
    tokenizer: Tokenizer
    rounded: dict[str, int]

    def caution(self, preset: Preset) -> str:
        """What to tell the user of keeping it as ``preset`` says, in one line; empty if nothing."""
        if not self.rounded:
            return ""
        parts = " and ".join(f"the {part} to {bits} bits" for part, bits in self.rounded.items())
        precisions = {"encoder": preset.encoder, "decoder": preset.decoder, "embedding": preset.head}
        most_bits = max(precisions[part].bits for part in self.rounded)
        is_twice = most_bits < PLAIN.bits
        cost = "rounding twice costs accuracy" if is_twice else "what was lost then does not come back"
        finer = ", or use the preset precise" if most_bits < 8 else ""
        return (
            f"The source was rounded before ({parts}), and {cost}."
            f" Better convert the float32 files or the official checkpoint{finer}."
        )

    def history(self, part: str) -> str:
        """What to add to the precision of ``part``: empty if it was not rounded before."""
        return f", of weights rounded to {self.rounded[part]} bits before" if part in self.rounded else ""


def open_source(folder: Path, given: Path, on_read: OnRead) -> Source:
    """Look at the files in ``folder``; of the weights only the places are read.

    Args:
        folder: The files.
        given: What the user calls it.
        on_read: Told after each piece of a tensor how many bytes of its file it was.

    Raises:
        ModelMissingError, ModelCorruptError: It is incomplete or of another kind.
        ConversionError: It is a package already.
    """
    if is_package(folder):
        raise ConversionError(
            f"{given} is a package already.", "Use it as it is, or convert the official checkpoint."
        )
    if is_published(folder) and not any(folder.glob("*.safetensors")):
        config, embed_type = read_config(folder / "config.json")
        weights: Weights = PublishedWeights(folder, config, embed_type, on_read)
        return Source(config, weights, load_tokenizer(folder), _rounded(weights, config))
    path, hint = folder / "config.json", "Give the folder of an official checkpoint or published ONNX model."
    with believing(path, "it does not describe a Qwen3-ASR model", hint, hint):
        config = ModelConfig.from_checkpoint(read_object(path), ALL_LANGUAGES)
    return Source(config, Checkpoint(folder, on_read), load_tokenizer(folder), {})


def _rounded(weights: Weights, config: ModelConfig) -> dict[str, int]:
    parts = {
        "encoder": set(audio_shapes(config.audio)),
        "decoder": set(text_shapes(config.text)) - {EMBEDDING},
        "embedding": {EMBEDDING},
    }
    bits = {part: min(weights.bits(name) for name in names) for part, names in parts.items()}
    return {part: count for part, count in bits.items() if count < _FEWEST_BITS}
