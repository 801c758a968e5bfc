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
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from handy_qwen.engine.api import Timings
from handy_qwen.engine.qwen3 import features
from handy_qwen.engine.qwen3.features import (
    CHUNK_FRAMES,
    MIN_SAMPLES,
    SAMPLE_RATE,
    frame_count,
    samples_needed,
)
from handy_qwen.engine.qwen3.generation import Generated, generate
from handy_qwen.engine.qwen3.model import Float32, ModelParts
from handy_qwen.engine.qwen3.prompt import Prompt
from handy_qwen.engine.qwen3.sessions import Cancel

_TOKENS_PER_S = 12.0
_SPARE_TOKENS = 32
_LEAST_LIMIT = 128
_LOOK_SAMPLES = SAMPLE_RATE // 4
_PIECE_ROWS = 40  # of a draft that may have to give way: a quarter of a second on two slow cores


def token_limit(samples: int) -> int:
    """The most tokens an answer to ``samples`` samples may have: well above what the fastest speech gives.

    Source: mlx-qwen3-asr's rule, 12 a second and 32 to spare, at least 128.
    """
    return max(_LEAST_LIMIT, math.ceil(_TOKENS_PER_S * samples / SAMPLE_RATE) + _SPARE_TOKENS)


class _Mark(NamedTuple):
    """Where a final window ends: rows of the decoder, and the loudest bin up to there."""

    rows: int
    top: float


class Segment:
    """Owns the decoder's cache from its making until the next one is made.

    Work that is stopped leaves it as it was before: whatever is called next begins at the last final window.
    """

    def __init__(self, model: ModelParts, prompt: Prompt, timings: Timings, *, is_exact: bool) -> None:
        """``timings`` receives what the final windows cost."""
        self._model = model
        self._prompt = prompt
        self._timings = timings
        self._is_exact = is_exact
        self._chunks_per_window = model.config.audio.window_frames // model.config.audio.chunk_frames
        self._raw: dict[int, Float32] = {}  # chunks of the window still filling that are final themselves
        self._prepared = 0  # chunks that the encoder has prepared, for this loudest bin:
        self._prepared_top = -math.inf
        self._next_look = 0  # samples
        model.decoder.rewind(0)
        model.decoder.extend(prompt.head)
        self._marks = [_Mark(model.decoder.length, -math.inf)]  # of the prompt's head, then of each window

    @property
    def windows(self) -> int:
        """Final windows read so far."""
        return len(self._marks) - 1

    def read_head(self, cancel: Cancel) -> None:
        """Read what comes before the audio, while there is none: names and terms take their time.

        Raises:
            CancelledError: ``cancel`` was set. Calling again goes on.
            EngineError: A run failed.
        """
        with self._timings.add_to("prefill_s"):
            self._model.decoder.flush(cancel)

    def advance(self, samples: Float32, cancel: Cancel) -> bool:
        """Read the next window, if ``samples`` (all of the passage so far) make it final.

        Returns:
            Whether there was one.

        Raises:
            CancelledError: ``cancel`` was set. Calling again goes on.
            EngineError: A run failed.
        """
        if self.missing_samples(samples) > 0:
            return False
        cancel.check()
        raw = self._raw_chunks(samples, self._timings)
        top = max(self._marks[-1].top, float(raw.max()))
        rows = self._encoded(raw, top, cancel, self._timings)
        decoder = self._model.decoder
        decoder.rewind(self._marks[-1].rows)
        decoder.extend(rows)
        with self._timings.add_to("prefill_s"):
            decoder.flush(cancel)
        self._marks.append(_Mark(decoder.length, top))
        self._raw.clear()
        return True

    def missing_samples(self, samples: Float32) -> int:
        """How many more than ``samples`` make the next window final; 0 or less if they do."""
        return samples_needed((self.windows + 1) * self._chunks_per_window - 1) - len(samples)

    def prepare(self, samples: Float32, cancel: Cancel) -> bool:
        """Let the encoder do what it can for one whole second of the window still filling.

        A louder sound raises the floor of the seconds before it: those that it changes are done again.

        Returns:
            Whether there was one.

        Raises:
            CancelledError: ``cancel`` was set.
            EngineError: A run failed.
        """
        first = self.windows * self._chunks_per_window
        if len(samples) >= self._next_look:
            self._next_look = len(samples) + _LOOK_SAMPLES
            raw = self._raw_chunks(samples, self._timings)
            top = max(self._marks[-1].top, float(raw.max(initial=-math.inf)))
            if top != self._prepared_top:
                self._prepared, self._prepared_top = first, top
        chunk = max(first, self._prepared)
        if chunk not in self._raw:
            return False
        with self._timings.add_to("encoder_s"):
            mel = np.ascontiguousarray(features.normalize(self._raw[chunk], self._prepared_top).T)
            self._model.encoder.prepare(chunk - first, mel, cancel)
        self._prepared = chunk + 1
        return True

    def answer(
        self,
        samples: Float32,
        draft: Sequence[int],
        cancel: Cancel,
        *,
        written: list[int],
        timings: Timings,
        poll: Callable[[], None],
        is_in_pieces: bool = False,
    ) -> Generated:
        """Write what was said in ``samples``, all of the passage.

        Args:
            samples: Shape (n,), n >= 1; may be fewer than ``advance`` had. In exact mode ``advance`` must not
                have been called.
            draft: Tokens to try first.
            cancel: Stops the work.
            written: Receives the tokens as they come, so that they are not lost when the work is stopped.
            timings: Receives what the window still filling and the writing cost.
            poll: Called between two runs, when ``samples`` are not needed any more.
            is_in_pieces: Read the window still filling in several runs, so that ``poll`` is called sooner.

        Raises:
            CancelledError: ``cancel`` was set.
            EngineError: A run failed.
        """
        limit = token_limit(len(samples))
        if len(samples) < MIN_SAMPLES:
            samples = np.pad(samples, (0, MIN_SAMPLES - len(samples)))
        if self._is_exact:
            self._marks[0] = self._marks[0]._replace(top=self._loudest(samples, cancel))
        self._forget_windows_after(len(samples))
        while self.advance(samples, cancel):
            pass
        decoder = self._model.decoder
        decoder.rewind(self._marks[-1].rows)
        raw = self._raw_chunks(samples, timings)
        if len(raw):
            rows = self._encoded(raw, max(self._marks[-1].top, float(raw.max())), cancel, timings)
            poll()
            for first in range(0, len(rows), _PIECE_ROWS) if is_in_pieces else ():
                decoder.extend(rows[first : first + _PIECE_ROWS])
                with timings.add_to("prefill_s"):
                    decoder.flush(cancel)
                poll()
            if not is_in_pieces:
                decoder.extend(rows)
        decoder.extend(self._prompt.tail)
        return generate(
            decoder,
            self._prompt.ends,
            limit,
            cancel,
            draft=draft,
            timings=timings,
            written=written,
            poll=poll,
        )

    def _forget_windows_after(self, samples: int) -> None:
        """A passage may be closed before the end of what has been read: at a quiet place found later."""
        while self.windows and samples < samples_needed(self.windows * self._chunks_per_window - 1):
            self._marks.pop()
            self._raw.clear()

    def _loudest(self, samples: Float32, cancel: Cancel) -> float:
        """The loudest bin of the whole passage, a chunk at a time."""
        loudest = -math.inf
        for chunk in range(-(-frame_count(len(samples)) // CHUNK_FRAMES)):
            cancel.check()
            with self._timings.add_to("features_s"):
                loudest = max(loudest, float(features.log_mel_chunk(samples, chunk).max()))
        return loudest

    def _raw_chunks(self, samples: Float32, timings: Timings) -> Float32:
        """Raw mel of the window still filling, as far as ``samples`` go. Shape (frames, 128)."""
        first = self.windows * self._chunks_per_window
        end = min(-(-frame_count(len(samples)) // CHUNK_FRAMES), first + self._chunks_per_window)
        parts = [np.zeros((0, features.N_MELS), np.float32)]
        with timings.add_to("features_s"):
            for chunk in range(first, end):
                is_final = len(samples) >= samples_needed(chunk)
                raw = self._raw.get(chunk) if is_final else None
                if raw is None:
                    raw = features.log_mel_chunk(samples, chunk)
                if is_final:
                    self._raw[chunk] = raw
                parts.append(raw)
            return np.concatenate(parts)

    def _encoded(self, raw: Float32, top: float, cancel: Cancel, timings: Timings) -> Float32:
        """Encode one window. Shape (tokens, hidden)."""
        with timings.add_to("features_s"):
            mel = np.ascontiguousarray(features.normalize(raw, top).T)
        with timings.add_to("encoder_s"):
            return self._model.encoder.encode(mel, cancel)
