"""How precisely each part of a model is kept, under names that a user can choose from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Precision:
    """The form of a group of weights: ``bits`` 32 (plain), 8 or 4; ``block`` 0 means one scale per row.

    4-bit blocks have zero points unless ``is_symmetric``; 8-bit ones never have.
    """

    bits: int
    block: int = 0
    is_symmetric: bool = False

    def __str__(self) -> str:
        if self.bits == 32:
            return "float32"
        form = f"blocks of {self.block}" if self.block else "a scale per channel"
        return f"{self.bits}-bit, {form}{', symmetric' * self.is_symmetric}"


@dataclass(frozen=True, slots=True)
class Preset:
    """A named choice. ``head`` is the embedding and output head, which are one tensor."""

    name: str
    summary: str
    encoder: Precision
    decoder: Precision
    head: Precision

    def __post_init__(self) -> None:
        """The engine looks rows of the embedding up by their zero points."""
        if self.head.is_symmetric:
            raise ValueError("the head needs zero points")


PLAIN = Precision(32)
_CHANNELS, _EIGHT = Precision(8), Precision(8, 32)
# Without zero points a step of the model takes a tenth less processor time, for an error in the logits that
# is a tenth larger (the table in engine/MODEL.md).
_LAYERS = Precision(4, 32, is_symmetric=True)
_TABLE = Precision(4, 32)
PRESETS = {
    preset.name: preset
    for preset in (
        Preset("balanced", "small and quick; the default", encoder=_CHANNELS, decoder=_LAYERS, head=_EIGHT),
        Preset(
            "smallest",
            "the least memory; makes more mistakes",
            encoder=_CHANNELS,
            decoder=_LAYERS,
            head=_TABLE,
        ),
        Preset("precise", "8 bits throughout; twice the size", encoder=_EIGHT, decoder=_EIGHT, head=_EIGHT),
        Preset("exact", "float32 throughout, for comparison", encoder=PLAIN, decoder=PLAIN, head=PLAIN),
    )
}
DEFAULT_PRESET = "balanced"
