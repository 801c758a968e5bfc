"""Sound at any rate to 16 kHz, block by block, through libsoxr.

What comes out is what the whole recording resampled at once would give, bit for bit, however it was cut:
the filter's state is carried from block to block, and its delay is taken off the beginning. The price is
that some sound stays inside until more comes or ``flush`` is called. Most that was ever held back, in ms
(soxr 1.1.0, fed with blocks of 10 ms):

    rate in     8 000   22 050   44 100   48 000   96 000   192 000
    LQ             61       22       22       20       20        20
    MQ            118       40       41       38       38        37
    HQ            115       40       40       37       79        79
    VHQ           111       84       84       76       77        77

HQ is what the model's own code resamples with (librosa's ``soxr_hq``). Audio that has 16 kHz already
passes through untouched and at once.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import soxr

from handy_qwen.core.ports import RATE_HZ, Samples

Quality = Literal["QQ", "LQ", "MQ", "HQ", "VHQ"]


class Resampler:
    """One recording's way to 16 kHz.

    Threads: belongs to one thread. ``feed`` allocates, so it is not for PortAudio's callback; a second of
    sound at 48 kHz takes it 0.2 ms.
    """

    def __init__(self, rate_in_hz: int, quality: Quality = "HQ") -> None:
        if rate_in_hz <= 0:
            raise ValueError(f"no such sample rate: {rate_in_hz} Hz")
        self._is_flushed = False
        self._stream = None
        if rate_in_hz != RATE_HZ:
            self._stream = soxr.ResampleStream(
                rate_in_hz, RATE_HZ, num_channels=1, dtype="float32", quality=quality
            )

    def feed(self, block: Samples) -> Samples:
        """Take the next samples and return what is ready.

        Args:
            block: Mono, at the rate given to the constructor. Shape (n,), float32; any n.

        Returns:
            Shape (m,), float32, 16 kHz; m may be 0. Never shares memory with ``block``.
        """
        if self._is_flushed:
            raise ValueError("the resampler is flushed")
        if block.ndim != 1 or block.dtype != np.float32:
            raise TypeError(f"one channel of float32 is resampled, not {block.dtype} {block.shape}")
        if self._stream is None:
            return block.copy()
        return self._run(block)

    def flush(self) -> Samples:
        """Return what is still inside; no more samples may follow. Shape (m,), float32, 16 kHz.

        All that was returned is then ``n * 16000 / rate_in_hz`` samples long, rounded to the one or the
        other side, for n samples that were fed.
        """
        if self._is_flushed:
            raise ValueError("the resampler is flushed")
        self._is_flushed = True
        nothing = np.zeros(0, np.float32)
        return nothing if self._stream is None else self._run(nothing, is_last=True)

    def _run(self, block: Samples, *, is_last: bool = False) -> Samples:
        assert self._stream is not None
        out: Samples = self._stream.resample_chunk(np.ascontiguousarray(block), last=is_last)
        return out
