"""How precisely each part of a model is kept, under names that a user can choose from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Precision:
    """The form of a group of weights: ``bits`` 32 (plain), 8 or 4; ``block`` 0 means one scale per row."""

    bits: int
    block: int = 0

    def __str__(self) -> str:
        if self.bits == 32:
            return "float32"
        form = f"blocks of {self.block}" if self.block else "a scale per channel"
        return f"{self.bits}-bit, {form}"


@dataclass(frozen=True, slots=True)
class Preset:
    """A named choice. ``head`` is the embedding and output head, which are one tensor."""

    name: str
    summary: str
    encoder: Precision
    decoder: Precision
    head: Precision


PLAIN = Precision(32)
_CHANNELS, _EIGHT, _FOUR = Precision(8), Precision(8, 32), Precision(4, 32)
PRESETS = {
    preset.name: preset
    for preset in (
        Preset("balanced", "small and quick; the default", encoder=_CHANNELS, decoder=_FOUR, head=_EIGHT),
        Preset(
            "smallest", "the least memory; makes more mistakes", encoder=_CHANNELS, decoder=_FOUR, head=_FOUR
        ),
        Preset("precise", "8 bits throughout; twice the size", encoder=_EIGHT, decoder=_EIGHT, head=_EIGHT),
        Preset("exact", "float32 throughout, for comparison", encoder=PLAIN, decoder=PLAIN, head=PLAIN),
    )
}
DEFAULT_PRESET = "balanced"
