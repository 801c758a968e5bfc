"""Converts the channels of a microphone or file to one channel at 16 kHz."""

from __future__ import annotations

import math

import numpy as np
import soxr

from handy_qwen.audio.devices import Frames
from handy_qwen.core.types import RATE_HZ, Samples

STEP_S = 0.04
FADE_S = 0.005
MEMORY_S = 1.0
DEAD_RATIO = 1e-4  # -40 dB: a channel this much weaker than the loudest carries crosstalk, not a voice
CANCELLED_RATIO = 0.2  # the mean of n equal channels has the energy of one, of n unrelated ones 1/n of it


class Downmix:
    """Mixes blocks of frames to mono, depending on earlier blocks. Belongs to one thread.

    The mean of all channels has the least noise, and is what the model's own code uses, but two kinds of
    recording spoil it: in those with silent channels it loses level, in those with one channel of inverted
    polarity it cancels out. Both are detected from the energies of the last second and of the current block;
    then the louder channels are used, or the loudest alone. Changes are faded, to avoid clicks.
    """

    def __init__(self, rate_hz: int) -> None:
        self._step = max(1, round(STEP_S * rate_hz))
        self._fade = FADE_S * rate_hz  # in frames
        self._memory = MEMORY_S * rate_hz  # in frames
        self._energies: Frames | None = None  # per channel. Shape (channels,)
        self._mean_energy = 0.0
        self._weights: Frames | None = None  # per channel. Shape (channels,)

    def __call__(self, frames: Frames) -> Samples:
        """Mix a block, shape (n, channels), with a constant number of channels, to shape (n,), float32."""
        if frames.shape[1] == 1 or not len(frames):
            return np.ascontiguousarray(frames[:, 0])
        steps = [self._mix(frames[at : at + self._step]) for at in range(0, len(frames), self._step)]
        return steps[0] if len(steps) == 1 else np.concatenate(steps)

    def _mix(self, frames: Frames) -> Samples:
        now = np.einsum("ij,ij->j", frames, frames)  # energies. (channels,)
        kept = math.exp(-len(frames) / self._memory)
        self._energies = energies = now if self._energies is None else now + kept * self._energies
        loudest = float(energies.max())
        is_live = energies >= DEAD_RATIO * loudest
        live = int(np.count_nonzero(is_live))
        weights = is_live.astype(np.float32) / np.float32(max(1, live))
        mixed: Samples = frames @ weights
        mean_now = float(mixed @ mixed)
        self._mean_energy = mean_now + kept * self._mean_energy
        ratio = CANCELLED_RATIO / max(1, live)
        if mean_now < ratio * float(now.max()) or self._mean_energy < ratio * loudest:
            weights = np.zeros(len(energies), np.float32)
            weights[int(energies.argmax())] = 1.0
            mixed = frames @ weights
        before, self._weights = self._weights, weights
        if before is None or np.array_equal(before, weights):
            return mixed
        fade = np.minimum(np.arange(len(frames), dtype=np.float32) / self._fade, 1)  # (n,)
        faded: Samples = (frames @ before) * (1 - fade) + mixed * fade
        return faded


class Resampler:
    """Resamples one recording to 16 kHz, block by block, through libsoxr. Belongs to one thread.

    The result is bit for bit that of resampling the whole recording at once, however it was divided: the
    filter's state is carried from block to block, and its delay is removed from the beginning. So up to 41 ms
    of audio (79 ms from 96 kHz up) stay inside until more comes or ``flush`` is called. The quality is that
    of the model's own code (librosa's ``soxr_hq``). Audio at 16 kHz passes unchanged.
    """

    def __init__(self, rate_in_hz: int) -> None:
        self._stream = None
        if rate_in_hz != RATE_HZ:
            self._stream = soxr.ResampleStream(
                rate_in_hz, RATE_HZ, num_channels=1, dtype="float32", quality="HQ"
            )

    def feed(self, block: Samples) -> Samples:
        """Add mono samples, shape (n,), float32, any n; return what is ready, a copy at 16 kHz."""
        return block.copy() if self._stream is None else self._run(block)

    def flush(self) -> Samples:
        """Return the rest; no more samples may follow. Shape (m,), float32, 16 kHz."""
        nothing = np.zeros(0, np.float32)
        return nothing if self._stream is None else self._run(nothing, is_last=True)

    def _run(self, block: Samples, *, is_last: bool = False) -> Samples:
        assert self._stream is not None
        out: Samples = self._stream.resample_chunk(np.ascontiguousarray(block), last=is_last)
        return out
