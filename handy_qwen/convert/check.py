"""Measures how faithful a package is while it is made: what the check speech becomes in it and in float32.

    chunks  -> frontend, both forms side by side (trial.py) -> windows -> encoder -> features
    prompt, features and the text that was spoken -> embeddings -> decoder -> hidden -> head -> logits

The text is read along with the audio, as if the model had written it, so that one pass over the layers shows
what would be the first choice at each of its tokens: in float32, and in the package. Where all first choices
of a sentence are the same, so are the words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handy_qwen.convert.check_speech import RATE_HZ, CheckClip
from handy_qwen.convert.checkpoint import EMBEDDING, Checkpoint, Float32
from handy_qwen.convert.trial import Case, Values, check_is_finite
from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3 import names
from handy_qwen.engine.qwen3.compact import EmbeddingTable, rotary_tables
from handy_qwen.engine.qwen3.features import log_mel, windows
from handy_qwen.engine.qwen3.manifest import Fidelity
from handy_qwen.engine.qwen3.model import ModelConfig
from handy_qwen.engine.qwen3.prompt import build_prompt
from handy_qwen.engine.qwen3.sessions import open_session, run
from handy_qwen.engine.qwen3.tokenizer import Tokenizer

_ENOUGH_S = 40.0
"""Speech that is listened to, about."""


class Check:
    """The check speech on its way through a model. Its methods are called in their order."""

    def __init__(self, clips: Sequence[CheckClip], config: ModelConfig, tokenizer: Tokenizer) -> None:
        """Begin with those of ``clips`` that are in the model's languages, and as many as are enough."""
        self._config, self._tokenizer = config, tokenizer
        clips = _chosen(clips, config.languages)
        self._mels = [windows(log_mel(clip.samples), config.audio.window_frames) for clip in clips]
        self._answers = [self._answer(clip) for clip in clips]

    def chunks(self) -> list[Case]:
        """What the frontend reads: each second of each window."""
        frames = self._config.audio.chunk_frames
        cases = []
        for mel in (mel for mels in self._mels for mel in mels):
            count = -(-mel.shape[1] // frames)
            padded = np.zeros((mel.shape[0], count * frames), np.float32)  # as the engine fills it up
            padded[:, : mel.shape[1]] = mel
            for first in range(0, padded.shape[1], frames):
                values = {names.MEL: padded[None, None, :, first : first + frames]}
                cases.append(Case(dict(values), dict(values)))
        return cases

    def windows(self, chunks: list[Case]) -> list[Case]:
        """What the encoder reads, of what the frontend made of ``chunks``."""
        config, cases, rest = self._config.audio, [], iter(chunks)
        for mel in (mel for mels in self._mels for mel in mels):
            frames = mel.shape[1]
            own = [next(rest) for _ in range(-(-frames // config.chunk_frames))]
            tokens = config.tokens(frames)
            exact = np.concatenate([case.exact[names.TOKENS][0] for case in own])[None, :tokens]
            rounded = np.concatenate([case.rounded[names.TOKENS][0] for case in own])[None, :tokens]
            cases.append(Case({names.HIDDEN: exact}, {names.HIDDEN: rounded}))
        return cases

    def sentences(self, windows: list[Case], weights: Checkpoint, table: EmbeddingTable) -> list[Case]:
        """What the decoder reads, of ``windows`` with their ``names.FEATURES``, and of both embeddings."""
        rest, text, cases = iter(windows), self._config.text, []
        prompt = build_prompt(self._tokenizer)
        ids = sorted({token for answer in self._answers for token in (*prompt.head, *prompt.tail, *answer)})
        exact = dict(zip(ids, _rows(weights, ids), strict=True))
        rounded = dict(zip(ids, table.rows(ids), strict=True))
        for mels, answer in zip(self._mels, self._answers, strict=True):
            own = [next(rest) for _ in mels]
            before, behind = list(prompt.head), [*prompt.tail, *answer[:-1]]
            both = [
                np.concatenate(
                    [[rows[token] for token in before], *features, [rows[token] for token in behind]],
                    dtype=np.float32,
                )[None]
                for rows, features in (
                    (exact, [case.exact[names.FEATURES][0] for case in own]),
                    (rounded, [case.rounded[names.FEATURES][0] for case in own]),
                )
            ]
            length = both[0].shape[1]
            cosine, sine = rotary_tables(text, length)
            empty = np.zeros((1, text.kv_heads, length, text.head_dim), np.float32)
            fixed: Values = {
                names.SEQLENS_K: np.array([length - 1], np.int32),
                names.TOTAL_LENGTH: np.array(length, np.int32),
                names.COUNT: np.array([-len(answer)], np.int64),
                names.COSINE: cosine,
                names.SINE: sine,
            }
            for layer in range(text.layers):
                fixed |= {past: empty for past, _ in names.cache_names(layer)}
            cases.append(Case({names.EMBEDS: both[0]}, {names.EMBEDS: both[1]}, fixed))
        return cases

    def _answer(self, clip: CheckClip) -> list[int]:
        tokenizer = self._tokenizer
        language = tokenizer.encode(f"language {clip.language}")
        end = tokenizer.marker("<|im_end|>")
        return [*language, tokenizer.marker("<asr_text>"), *tokenizer.encode(clip.text), end]


def _chosen(clips: Sequence[CheckClip], languages: Sequence[str]) -> list[CheckClip]:
    known = [clip for clip in clips if clip.language in languages] or list(clips)
    seconds = np.cumsum([len(clip.samples) / RATE_HZ for clip in known])
    return known[: int(np.searchsorted(seconds, _ENOUGH_S)) + 1]


def _rows(weights: Checkpoint, ids: Sequence[int]) -> Float32:
    """Rows ``ids`` (in order) of the embedding."""
    wanted, found, first = np.asarray(ids), [], 0
    for rows in weights.read_rows(EMBEDDING):
        found.append(rows[wanted[(wanted >= first) & (wanted < first + len(rows))] - first])
        first += len(rows)
    return np.concatenate(found)


def compare_choices(folder: Path, weights: Checkpoint, sentences: list[Case], threads: int) -> Fidelity:
    """Compare what the output heads make of ``names.HIDDEN`` of ``sentences``, at each token of each.

    The error is that of logits without their mean, which changes no choice. In memory are a few thousand rows
    of the table at a time, and the package's logits of all tokens. ConversionError if those of float32 are
    infinite or NaN.
    """
    session = open_session(folder / names.HEAD_FILE, threads=threads)
    hidden = np.concatenate([case.exact[names.HIDDEN] for case in sentences])
    rounded = np.concatenate([case.rounded[names.HIDDEN] for case in sentences])
    (found,) = run(session, {names.HIDDEN: rounded}, Cancel())
    del session
    best, choice = np.full(len(hidden), -np.inf, np.float32), np.zeros(len(hidden), np.int64)
    exact_sums, found_sums = (np.zeros((2, len(hidden))) for _ in range(2))
    first = 0
    for rows in weights.read_rows(EMBEDDING):
        exact = hidden @ rows.T
        check_is_finite([exact])
        exact_sums += _sums(exact)
        found_sums += _sums(found[:, first : first + len(rows)] - exact)
        top = exact.argmax(axis=1)
        values = np.take_along_axis(exact, top[:, None], axis=1)[:, 0]
        choice = np.where(values > best, first + top, choice)
        best = np.maximum(values, best)
        first += len(rows)
    power = _variance(exact_sums, first) or 1.0
    same = found.argmax(axis=1) == choice
    ends = np.cumsum([len(case.exact[names.HIDDEN]) for case in sentences])[:-1]
    return Fidelity(
        clips=len(sentences),
        clips_same=sum(bool(of_one.all()) for of_one in np.split(same, ends)),
        choices=len(same),
        choices_same=int(same.sum()),
        logits=math.sqrt(_variance(found_sums, first) / power),
    )


def _sums(values: Float32) -> npt.NDArray[np.float64]:
    """Of each row, the sum and that of squares. Shape (2, rows)."""
    return np.stack([values.sum(axis=1, dtype=np.float64), np.square(values).sum(axis=1, dtype=np.float64)])


def _variance(sums: npt.NDArray[np.float64], count: int) -> float:
    """Of all rows together: squares of differences from each row's mean, summed up."""
    return float((sums[1] - sums[0] ** 2 / count).clip(0).sum())
