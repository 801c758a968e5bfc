"""How precisely each part of a model is kept, under names that a user can choose from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

_SMALLEST_BLOCK = 16  # of MatMulNBits


@dataclass(frozen=True, slots=True)
class Precision:
    """The form of a group of weights: ``bits`` 32 (plain), 8 or 4; ``block`` 0 means one scale per row.

    4-bit blocks have zero points unless ``is_symmetric``; 8-bit ones never have.
    """

    bits: int
    block: int = 0
    is_symmetric: bool = False

    def fitting(self, width: int) -> Precision:
        """The same with smaller blocks, if these do not divide ``width``."""
        smaller = math.gcd(self.block, width)
        return replace(self, block=smaller) if smaller >= _SMALLEST_BLOCK else self

    def __str__(self) -> str:
        if self.bits == 32:
            return "float32"
        form = f"blocks of {self.block}" if self.block else "a scale per channel"
        return f"{self.bits}-bit, {form}{', symmetric' * self.is_symmetric}"


PLAIN, CHANNELS = Precision(32), Precision(8)


@dataclass(frozen=True, slots=True)
class Preset:
    """A named choice. ``head`` is the embedding and output head, which are one tensor."""

    name: str
    summary: str
    convolutions: Precision
    encoder: Precision
    decoder: Precision
    head: Precision

    def __post_init__(self) -> None:
        """The engine looks rows of the embedding up by their zero points; convolutions have no blocks."""
        if self.head.is_symmetric:
            raise ValueError("the head needs zero points")
        if self.convolutions not in {PLAIN, CHANNELS}:
            raise ValueError("convolutions are float32 or have a scale per channel")

    @property
    def parts(self) -> dict[str, str]:
        """The form of each part in words, for the manifest."""
        return {
            "convolutions": str(self.convolutions),
            "encoder": str(self.encoder),
            "decoder": str(self.decoder),
            "embedding and head": str(self.head),
        }


_EIGHT = Precision(8, 32)
# Without zero points a step of the model takes a tenth less processor time, for an error in the logits that
# is a tenth larger; of the head, larger blocks are quicker (the tables in engine/qwen3/MODEL.md).
_LAYERS = Precision(4, 32, is_symmetric=True)
_HEAD, _SMALL_HEAD = Precision(8, 64), Precision(4, 32)
PRESETS = {
    preset.name: preset
    for preset in (  # convolutions, encoder, decoder layers, head
        Preset("balanced", "small and quick; the default", CHANNELS, CHANNELS, _LAYERS, _HEAD),
        Preset("smallest", "the least memory; makes more mistakes", CHANNELS, CHANNELS, _LAYERS, _SMALL_HEAD),
        Preset("precise", "8 bits throughout; twice the size", PLAIN, _EIGHT, _EIGHT, _EIGHT),
        Preset("exact", "float32 throughout, for comparison", PLAIN, PLAIN, PLAIN, PLAIN),
    )
}
DEFAULT_PRESET = "balanced"
