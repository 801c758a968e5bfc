"""What every kind of model folder gives the engine: an audio encoder and a text decoder.

The two halves are the same whether the graphs are our compact ones (compact.py) or the published ones
(published.py); everything above this line knows only these Protocols.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from handy_qwen.engine.config import ModelConfig
from handy_qwen.engine.sessions import Cancel
from handy_qwen.engine.tokenizer import Tokenizer

Float32: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = "Sequence[int] | Float32"
"""What the decoder reads: token ids, or audio features of shape (rows, hidden)."""


class AudioEncoder(Protocol):
    """Mel in, audio features out, one window at a time."""

    def prepare(self, index: int, mel: Float32, cancel: Cancel) -> None:
        """Do now what can be done for a whole second of a window still filling.

        Saves work only if ``encode`` finds the same numbers there; never changes what it returns.

        Args:
            index: Which second of the window, from 0.
            mel: As for ``encode``. Shape (128, 100).
            cancel: Stops the run.

        Raises:
            CancelledError: ``cancel`` was set.
            EngineError: The run failed.
        """

    def encode(self, mel: Float32, cancel: Cancel) -> Float32:
        """Encode one window.

        Args:
            mel: Normalized log-mel. Shape (128, frames), 1 <= frames <= 800 (8 s).
            cancel: Stops the run.

        Returns:
            Shape (tokens, hidden), float32; 13 tokens for each full second, fewer for a part of one.

        Raises:
            CancelledError: ``cancel`` was set.
            EngineError: The run failed.
        """


class TextDecoder(Protocol):
    """The language model with its cache: reads rows, tells the logits of the last ones, goes back."""

    @property
    def draft_rows(self) -> int:
        """Most tokens of a draft worth checking in one run; 0 if that saves nothing over writing them."""

    @property
    def length(self) -> int:
        """Rows read so far (recorded ones included)."""

    def extend(self, rows: Rows) -> None:
        """Record the next rows. The work may wait until ``flush`` or ``logits``."""

    def flush(self, cancel: Cancel) -> None:
        """Do now what can be done for the rows recorded, so that ``logits`` has less to do.

        Raises:
            CancelledError: ``cancel`` was set; the rows stay recorded.
            EngineError: The run failed.
        """

    def logits(self, count: int, cancel: Cancel) -> Float32:
        """Logits after each of the last ``count`` rows, of those recorded since the last run.

        Returns:
            Shape (count, vocab), float32. Valid until the next call.

        Raises:
            CancelledError: ``cancel`` was set; the rows stay recorded.
            EngineError: The run failed.
        """

    def rewind(self, length: int) -> None:
        """Forget all rows after the first ``length``."""

    def close(self) -> None:
        """Give the memory back. Nothing may be called afterwards."""


@dataclass(frozen=True, slots=True)
class Model:
    """An opened model folder."""

    name: str
    config: ModelConfig
    tokenizer: Tokenizer
    encoder: AudioEncoder
    decoder: TextDecoder
    pass_s: float  # the longest clip that is read in one go
    notice: str = ""  # what a user should know before trusting its text
