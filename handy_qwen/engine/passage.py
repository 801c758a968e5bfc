"""One pass of the model over up to some minutes of audio: features, encoder, decoder.

    samples --chunks of 1 s--> raw mel --windows of 8 s--> encoder --> rows in the decoder's cache
                                                       `- the one still filling: anew for each answer

A window whose 8 s have been heard is final: it is encoded and read once. An answer rewinds the decoder to the
end of the final windows, reads the window still filling and the prompt's tail, and writes.

The features' floor hangs on the loudest bin of the clip. With ``is_exact`` that is the loudest of the whole
clip, as in the reference; otherwise the loudest up to the end of each window, which can be known while the
speaker goes on. Up to 8 s the two are the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from handy_qwen.engine import features
from handy_qwen.engine.backend import Float32, Model
from handy_qwen.engine.features import CHUNK_SAMPLES, MIN_SAMPLES, SAMPLE_RATE, samples_needed
from handy_qwen.engine.generation import Generated, generate
from handy_qwen.engine.prompt import Prompt
from handy_qwen.engine.sessions import Cancel
from handy_qwen.engine.transcript import Timings

_TOKENS_PER_S = 12.0
_SPARE_TOKENS = 32
_LEAST_LIMIT = 128


def token_limit(samples: int) -> int:
    """The most tokens an answer to ``samples`` samples may have: well above what the fastest speech gives.

    Source: mlx-qwen3-asr's rule, 12 a second and 32 to spare, at least 128.
    """
    return max(_LEAST_LIMIT, math.ceil(_TOKENS_PER_S * samples / SAMPLE_RATE) + _SPARE_TOKENS)


class Passage:
    """Owns the decoder's cache from its making until the next one is made."""

    def __init__(self, model: Model, prompt: Prompt, timings: Timings, *, is_exact: bool) -> None:
        self._model = model
        self._prompt = prompt
        self._timings = timings
        self._is_exact = is_exact
        self._chunks_per_window = model.config.audio.window_frames // model.config.audio.chunk_frames
        self._raw: dict[int, Float32] = {}  # chunks of the window still filling that are final themselves
        self._top = -math.inf  # loudest bin up to the last final window
        self._windows = 0  # final windows read
        model.decoder.rewind(0)
        model.decoder.extend(prompt.head)
        self._base = model.decoder.length  # rows up to and with the last final window

    def advance(self, samples: Float32, cancel: Cancel) -> bool:
        """Read the next window, if ``samples`` (all of the passage so far) make it final.

        Returns:
            Whether there was one.

        Raises:
            CancelledError: ``cancel`` was set. Calling again goes on.
            EngineError: A run failed.
        """
        last = (self._windows + 1) * self._chunks_per_window - 1
        if len(samples) < samples_needed(last):
            return False
        raw = self._raw_chunks(samples, last + 1)
        top = max(self._top, float(raw.max()))
        self._read(raw, top, cancel)
        decoder = self._model.decoder
        with self._timings.add_to("prefill_s"):
            decoder.flush(cancel)
        self._top, self._base = top, decoder.length
        self._windows += 1
        self._raw.clear()
        return True

    def answer(self, samples: Float32, draft: Sequence[int], cancel: Cancel, written: list[int]) -> Generated:
        """Write what was said in ``samples``, all of the passage.

        Args:
            samples: Shape (n,), n >= 1. In exact mode ``advance`` must not have been called.
            draft: Tokens to try first.
            cancel: Stops the work.
            written: Receives the tokens as they come, so that they are not lost when the work is stopped.

        Raises:
            CancelledError: ``cancel`` was set.
            EngineError: A run failed.
        """
        limit = token_limit(len(samples))
        if len(samples) < MIN_SAMPLES:
            samples = np.pad(samples, (0, MIN_SAMPLES - len(samples)))
        top = self._read_all(samples, cancel)
        first = self._windows * self._chunks_per_window
        count = -(-len(samples) // CHUNK_SAMPLES)
        decoder = self._model.decoder
        decoder.rewind(self._base)
        if features.frame_count(len(samples)) > first * features.CHUNK_FRAMES:
            raw = self._raw_chunks(samples, count)
            self._read(raw, max(top, float(raw.max())), cancel)
        decoder.extend(self._prompt.tail)
        return generate(
            decoder,
            self._prompt.ends,
            limit,
            cancel,
            draft=draft,
            timings=self._timings,
            written=written,
        )

    def _read_all(self, samples: Float32, cancel: Cancel) -> float:
        """Read all windows that are final; return the loudest bin that counts for the one still filling."""
        if self._is_exact:
            self._top = self._loudest(samples)
        while self.advance(samples, cancel):
            pass
        return self._top

    def _loudest(self, samples: Float32) -> float:
        """The loudest bin of the whole passage, a chunk at a time."""
        frames = features.frame_count(len(samples))
        with self._timings.add_to("features_s"):
            return max(
                float(features.raw_chunk(samples, chunk).max())
                for chunk in range(-(-frames // features.CHUNK_FRAMES))
            )

    def _raw_chunks(self, samples: Float32, end: int) -> Float32:
        """Raw mel of the chunks from the window still filling up to chunk ``end``. Shape (frames, 128)."""
        first = self._windows * self._chunks_per_window
        with self._timings.add_to("features_s"):
            parts = []
            for chunk in range(first, end):
                if features.frame_count(len(samples)) <= chunk * features.CHUNK_FRAMES:
                    break
                raw = self._raw.get(chunk)
                if raw is None:
                    raw = features.raw_chunk(samples, chunk)
                    if len(samples) >= samples_needed(chunk):
                        self._raw[chunk] = raw
                parts.append(raw)
            return np.concatenate(parts)

    def _read(self, raw: Float32, top: float, cancel: Cancel) -> None:
        """Encode one window and record its rows behind the final ones."""
        with self._timings.add_to("features_s"):
            mel = np.ascontiguousarray(features.normalized(raw, top).T)
        with self._timings.add_to("encoder_s"):
            rows = self._model.encoder.encode(mel, cancel)
        self._model.decoder.rewind(self._base)
        self._model.decoder.extend(rows)
