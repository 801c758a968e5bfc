"""How precisely each part of a model is kept, under names that a user can choose from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line knows the presets, and numpy is slow to import
    from handy_qwen.engine.qwen3.model import ModelConfig

_SMALLEST_BLOCK, _BLOCK = 16, 32  # of MatMulNBits


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
        return replace(self, block=smaller) if self.block and smaller >= _SMALLEST_BLOCK else self

    def and_finer(self, width: int) -> tuple[Precision, ...]:
        """This form, and those to take in its place where it is too coarse, for rows of ``width``.

        Whoever asks for 4 bits knows what they cost and gets them.
        """
        if self.bits != 8:
            return (self,)
        blocks = replace(self, block=_BLOCK).fitting(width)
        has_blocks = width % blocks.block == 0 and blocks.block != self.block
        return (self, *(blocks,) * has_blocks, PLAIN)

    def __str__(self) -> str:
        if self.bits == 32:
            return "float32"
        form = f"blocks of {self.block}" if self.block else "a scale per channel"
        return f"{self.bits}-bit, {form}{', symmetric' * self.is_symmetric}"


PLAIN, CHANNELS, BLOCKS = Precision(32), Precision(8), Precision(8, 32)


@dataclass(frozen=True, slots=True)
class Preset:
    """A named choice. ``head`` is the embedding and output head, which are one tensor."""

    name: str
    summary: str
    convolutions: Precision
    encoder: Precision
    decoder: Precision
    head: Precision
    cost: str = ""  # what it costs in which languages, in a sentence

    def __post_init__(self) -> None:
        """The engine looks rows of the embedding up by their zero points; convolutions have no blocks."""
        if self.head.is_symmetric:
            raise ValueError("the head needs zero points")
        if self.convolutions not in {PLAIN, CHANNELS}:
            raise ValueError("convolutions are float32 or have a scale per channel")

    @property
    def is_rounded(self) -> bool:
        """Whether any part is not float32."""
        return any(form != PLAIN for form in (self.convolutions, self.encoder, self.decoder, self.head))

    @property
    def finest(self) -> Preset:
        """The same without a form whose precision depends on how loud channels are."""
        encoder = BLOCKS if self.encoder == CHANNELS else self.encoder
        return replace(self, convolutions=PLAIN, encoder=encoder)

    def fitting(self, config: ModelConfig) -> Preset:
        """The same with smaller blocks, where these do not divide the widths of a model."""
        audio, text = config.audio, config.text
        width = math.gcd(text.hidden, text.ffn, text.heads * text.head_dim)
        return replace(
            self,
            encoder=self.encoder.fitting(math.gcd(audio.d_model, audio.ffn)),
            decoder=self.decoder.fitting(width),
            head=self.head.fitting(text.hidden),
        )


# Without zero points a step of the model takes a tenth less processor time, for an error in the logits that
# is a tenth larger; of 8 bits, larger blocks are quicker (the tables in engine/qwen3/MODEL.md).
_FOUR = Precision(4, 32, is_symmetric=True)
_LARGE, _SMALL_HEAD = Precision(8, 64), Precision(4, 32)
# Word errors of the 0.6B model with a decoder of 4 bits instead of 8, measured by others: English 6.6 instead
# of 5.6 %, German 9.5 of 6.8, French 11.4 of 8.5, Russian 16.4 of 10.5, Japanese 16.1 of 8.6, Korean 20.0 of
# 6.9, Arabic 33.5 of 20.3.
_COST = (
    "Of a hundred words, the 0.6B model gets one more wrong in English, three in German and French, six to"
    " eight in Russian and Japanese, and thirteen in Korean and Arabic; the 1.7B model suffers less."
)
PRESETS = {
    preset.name: preset
    for preset in (  # convolutions, encoder, decoder layers, head
        Preset("balanced", "8 bits, nearly as the original; the default", CHANNELS, CHANNELS, _LARGE, _LARGE),
        Preset(
            "compact", "4 bits in the decoder; smaller and quicker", CHANNELS, CHANNELS, _FOUR, _LARGE, _COST
        ),
        Preset(
            "smallest", "the least memory; more mistakes still", CHANNELS, CHANNELS, _FOUR, _SMALL_HEAD, _COST
        ),
        Preset("precise", "8 bits in finer blocks; slower", PLAIN, BLOCKS, BLOCKS, BLOCKS),
        Preset("exact", "float32 throughout, for comparison", PLAIN, PLAIN, PLAIN, PLAIN),
    )
}
DEFAULT_PRESET = "balanced"
