"""The precision of each part of a model, under names that a user can choose from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line knows the presets, and numpy is slow to import
    from handy_qwen.engine.qwen3.model import ModelConfig

_SMALLEST_BLOCK = 16  # of MatMulNBits


@dataclass(frozen=True, slots=True)
class Precision:
    """The form of a group of weights: ``bits`` 32 (plain), 8 or 4; ``block`` 0 means one scale per channel.

    4-bit blocks have zero points unless ``is_symmetric``; 8-bit ones never have. With a scale per channel,
    activations have one scale for all of them, or one per row (``is_by_row``).
    """

    bits: int
    block: int = 0
    is_symmetric: bool = False
    is_by_row: bool = False

    def fitting(self, width: int) -> Precision:
        """The same form with smaller blocks if these do not divide ``width``."""
        smaller = math.gcd(self.block, width)
        return replace(self, block=smaller) if self.block and smaller >= _SMALLEST_BLOCK else self

    def and_finer(self, width: int) -> tuple[Precision, ...]:
        """This form, and the finer ones to try when it is too coarse, for rows of ``width``."""
        if self.bits != 8:
            return (self,)
        blocks = BLOCKS.fitting(width)
        is_coarser = not self.block or self.block > blocks.block
        has_blocks = is_coarser and width % blocks.block == 0
        return (self, *(blocks,) * has_blocks, PLAIN)

    def __str__(self) -> str:
        if self.bits == 32:
            return "float32"
        form = "a scale per channel" + " and row" * self.is_by_row
        if self.block:
            form = f"blocks of {self.block}"
        return f"{self.bits}-bit, {form}{', symmetric' * self.is_symmetric}"


PLAIN, CHANNELS, BLOCKS = Precision(32), Precision(8), Precision(8, 32)
ROWS = Precision(8, is_by_row=True)


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of forms. ``head`` is the embedding and output head, which are one tensor."""

    name: str
    summary: str
    convolutions: Precision
    encoder: Precision
    decoder: Precision
    head: Precision

    def __post_init__(self) -> None:
        """The engine needs zero points to look up rows of the embedding; convolutions have no blocks."""
        if self.head.is_symmetric:
            raise ValueError("the head needs zero points")
        if self.convolutions not in {PLAIN, CHANNELS}:
            raise ValueError("convolutions are float32 or have a scale per channel")

    @property
    def is_quantized(self) -> bool:
        """Whether any part is not float32."""
        return any(form != PLAIN for form in (self.convolutions, self.encoder, self.decoder, self.head))

    @property
    def finest(self) -> Preset:
        """The same without forms whose error depends on how loud channels are."""
        encoder, decoder = (
            BLOCKS if form in {CHANNELS, ROWS} else form for form in (self.encoder, self.decoder)
        )
        return replace(self, convolutions=PLAIN, encoder=encoder, decoder=decoder)

    def fitting(self, config: ModelConfig) -> Preset:
        """The same with smaller blocks where these do not divide the widths of a model."""
        audio, text = config.audio, config.text
        width = math.gcd(text.hidden, text.ffn, text.heads * text.head_dim)
        return replace(
            self,
            encoder=self.encoder.fitting(math.gcd(audio.d_model, audio.ffn)),
            decoder=self.decoder.fitting(width),
            head=self.head.fitting(text.hidden),
        )


# Without zero points, a 4-bit step takes a tenth less processor time, for a tenth more error in the logits
# (the tables in engine/qwen3/MODEL.md).
_FOUR, _FOUR_HEAD = Precision(4, 32, is_symmetric=True), Precision(4, 32)
PRESETS = {
    preset.name: preset
    for preset in (  # convolutions, encoder, decoder layers, head
        Preset(
            "balanced",
            "8 bits, nearly as accurate as the original; the default",
            CHANNELS,
            CHANNELS,
            ROWS,
            BLOCKS,
        ),
        Preset("compact", "4 bits in the decoder; smaller and quicker", CHANNELS, CHANNELS, _FOUR, BLOCKS),
        Preset("smallest", "the least memory; more mistakes still", CHANNELS, CHANNELS, _FOUR, _FOUR_HEAD),
        Preset("precise", "finer 8 bits in the encoder, too; slower", PLAIN, BLOCKS, BLOCKS, BLOCKS),
        Preset("exact", "float32 throughout, for comparison", PLAIN, PLAIN, PLAIN, PLAIN),
    )
}
DEFAULT_PRESET = "balanced"
