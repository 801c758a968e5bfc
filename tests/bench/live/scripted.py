"""A model that computes everything and says what a script tells it to.

Models of random weights cost what trained ones cost, but what they write never settles: a second more of
audio, and every word is another. Here each answer has as many tokens as speech of that length has, and all
but those of the last two seconds stay what they are when more is heard, as in a model that was trained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3.model import (
    TOKENS_PER_CHUNK,
    AudioEncoder,
    Float32,
    ModelParts,
    Rows,
    TextDecoder,
)
from handy_qwen.engine.qwen3.prompt import Prompt, build_prompt

TOKENS_PER_S = 3.4  # of English speech
UNSETTLED_S = 2.0
_NOTHING: Float32 = np.zeros((0, 0), np.float32)
_FIRST_WORD = 256  # before it stand single bytes, from the first marker on no words

OnRun = Callable[[str, Callable[[], Float32]], Float32]
"""Called with the stage ("encoder", "prefill", "decode") and each run of it, which it must do; for those who
keep the time. The first logits of an answer count as prefill, as they read what is recorded."""


def scripted(model: ModelParts, on_run: OnRun) -> ModelParts:
    """The same model with a script, and with every run done by ``on_run``."""
    return replace(
        model,
        encoder=_Encoder(model.encoder, on_run),
        decoder=_Decoder(model.decoder, build_prompt(model.tokenizer), on_run),
    )


def scripted_token(index: int, audio_tokens: int, prompt: Prompt) -> int:
    """Token number ``index`` of the answer to ``audio_tokens`` tokens of audio."""
    seconds = audio_tokens / TOKENS_PER_CHUNK
    if index == 2:
        return prompt.asr_text
    if index >= 3 + seconds * TOKENS_PER_S:
        return min(prompt.ends)
    is_settled = index < 3 + (seconds - UNSETTLED_S) * TOKENS_PER_S
    seed = index if is_settled or index < 3 else index + 1000 * audio_tokens
    return _FIRST_WORD + seed * 7919 % (min(prompt.ends) - _FIRST_WORD)


class _Encoder:
    """Implements ``model.AudioEncoder``."""

    def __init__(self, encoder: AudioEncoder, on_run: OnRun) -> None:
        self._encoder = encoder
        self._on_run = on_run

    def prepare(self, index: int, mel: Float32, cancel: Cancel) -> None:
        """See ``model.AudioEncoder``."""

        def run() -> Float32:
            self._encoder.prepare(index, mel, cancel)
            return _NOTHING

        self._on_run("encoder", run)

    def encode(self, mel: Float32, cancel: Cancel) -> Float32:
        """See ``model.AudioEncoder``."""
        return self._on_run("encoder", lambda: self._encoder.encode(mel, cancel))


class _Decoder:
    """Implements ``model.TextDecoder``."""

    def __init__(self, decoder: TextDecoder, prompt: Prompt, on_run: OnRun) -> None:
        self._decoder = decoder
        self._prompt = prompt
        self._on_run = on_run
        self._is_audio: list[bool] = []  # of each row
        self._has_new_audio = False  # since the last logits

    @property
    def draft_rows(self) -> int:
        """See ``model.TextDecoder``."""
        return self._decoder.draft_rows

    @property
    def length(self) -> int:
        """See ``model.TextDecoder``."""
        return self._decoder.length

    def extend(self, rows: Rows) -> None:
        """See ``model.TextDecoder``."""
        is_audio = not isinstance(rows, (list, tuple))
        self._is_audio += [is_audio] * len(rows)
        self._has_new_audio |= is_audio
        self._decoder.extend(rows)

    def flush(self, cancel: Cancel) -> None:
        """See ``model.TextDecoder``."""

        def run() -> Float32:
            self._decoder.flush(cancel)
            return _NOTHING

        self._on_run("prefill", run)

    def logits(self, count: int, cancel: Cancel) -> Float32:
        """See ``model.TextDecoder``."""
        stage = "prefill" if self._has_new_audio else "decode"
        self._has_new_audio = False
        logits = self._on_run(stage, lambda: self._decoder.logits(count, cancel))
        rows, audio = len(self._is_audio), sum(self._is_audio)
        last_audio = rows - 1 - self._is_audio[::-1].index(True)
        first = rows - count - last_audio - len(self._prompt.tail)
        for row in range(count):
            token = scripted_token(first + row, audio, self._prompt)
            logits[row, token] = logits[row].max() + 1
        return logits

    def truncate(self, length: int) -> None:
        """See ``model.TextDecoder``."""
        del self._is_audio[length:]
        self._decoder.truncate(length)

    def close(self) -> None:
        """See ``model.TextDecoder``."""
        self._decoder.close()
