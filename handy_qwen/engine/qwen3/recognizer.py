"""The entry point of Qwen3-ASR: a loaded model that turns samples into text.

recognizer = Recognizer.load(folder, voice_model=path, threads=4)
transcript = recognizer.transcribe(samples)            # a whole clip
live = recognizer.live()                               # while somebody speaks, see live.py
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort

from handy_qwen.engine.api import (
    LIVE_SEGMENT_S,
    Cancel,
    FittedWords,
    Placement,
    Timings,
    Transcript,
    transcribe_blocks,
)
from handy_qwen.engine.qwen3.compact import open_compact
from handy_qwen.engine.qwen3.features import SAMPLE_RATE, log_mel, windows
from handy_qwen.engine.qwen3.live import LiveTranscription
from handy_qwen.engine.qwen3.manifest import MANIFEST_FILE
from handy_qwen.engine.qwen3.model import Float32, ModelParts
from handy_qwen.engine.qwen3.prompt import FILE_WORDS_TOKENS, WORDS_TOKENS, build_prompt, fit_words
from handy_qwen.engine.qwen3.published import is_published_layout, open_published
from handy_qwen.engine.qwen3.segmenter import Segmenter
from handy_qwen.engine.qwen3.sessions import open_session
from handy_qwen.engine.qwen3.vad import VoiceStream
from handy_qwen.errors import EngineError, ModelCorruptError, ModelMissingError
from handy_qwen.languages import language_name, spoken
from handy_qwen.message import Message

_BLOCK_SAMPLES = 30 * SAMPLE_RATE


class Recognizer:
    """A loaded model; implements ``api.Model``."""

    def __init__(
        self, model: ModelParts, voice: ort.InferenceSession, load_s: float, files: FilesInUse | None = None
    ) -> None:
        self._model = model
        self._voice = voice
        self._files = files
        self.load_s, self.name = load_s, model.name
        self.notice, self.languages = model.notice, model.config.languages

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        voice_model: Path,
        threads: int,
        name: str = "",
        placement: Placement | None = None,
    ) -> Recognizer:
        """See ``engine.load_model``."""
        begin = time.perf_counter()
        try:
            files = FilesInUse(folder)
            with placement.in_use() if placement else nullcontext():
                model = open_parts(folder, threads, placement)
        except OSError as exc:
            raise EngineError(
                Message(
                    "The model in {folder} cannot be read: {reason}.", folder=folder, reason=exc.strerror
                ),
                Message("Check its permissions."),
            ) from exc
        voice = open_session(voice_model, threads=1)
        model = replace(model, name=name or model.name)
        return cls(model, voice, time.perf_counter() - begin, files)

    def live(
        self,
        *,
        language: str | Sequence[str] | None = None,
        context: str | Sequence[str] = "",
        exact: bool = False,
        drafts: bool = True,
        segment_s: float = LIVE_SEGMENT_S,
        cancel: Cancel | None = None,
    ) -> LiveTranscription:
        """See ``api.Model``."""
        names = spoken(language or (), self.languages)
        entries: Sequence[str] = ()
        if not isinstance(context, str):
            fitted = self.fit_words(context)
            left_out = set(fitted.left_out)
            entries = list(dict.fromkeys(w for i, w in enumerate(context) if i not in left_out))
            context = fitted.text
        limit_s = self._model.pass_s if exact else min(self._model.pass_s, segment_s)
        return LiveTranscription(
            self._model,
            build_prompt(self._model.tokenizer, language=names, context=context, entries=entries),
            Segmenter(
                VoiceStream(self._voice), limit_samples=int(limit_s * SAMPLE_RATE), trims_silence=not exact
            ),
            is_exact=exact,
            has_drafts=drafts,
            cancel=cancel or Cancel(),
        )

    def transcribe(
        self,
        samples: Float32,
        *,
        language: str | Sequence[str] | None = None,
        context: str | Sequence[str] = "",
        exact: bool = False,
        segment_s: float = LIVE_SEGMENT_S,
        cancel: Cancel | None = None,
        on_step: Callable[[], None] = lambda: None,
    ) -> Transcript:
        """See ``api.Model``."""
        live = self.live(
            language=language, context=context, exact=exact, drafts=False, segment_s=segment_s, cancel=cancel
        )
        blocks: Iterable[Float32] = [samples]  # of another shape, to be refused
        if samples.ndim == 1:
            firsts = range(0, max(1, samples.size), _BLOCK_SAMPLES)
            blocks = (samples[first : first + _BLOCK_SAMPLES] for first in firsts)
        return transcribe_blocks(live, blocks, lambda _fed: on_step())

    def check_files(self) -> None:
        """See ``api.Model``."""
        path = self._files.cut_short() if self._files else None
        if path is not None:
            raise ModelCorruptError(path, Message("it was cut short while it was in use"))

    def check_language(self, language: str) -> None:
        """See ``api.Model``."""
        language_name(language, self.languages)

    def fit_words(self, words: Sequence[str], *, is_for_file: bool = False) -> FittedWords:
        """See ``api.Model``."""
        limit = FILE_WORDS_TOKENS if is_for_file else WORDS_TOKENS
        return fit_words(self._model.tokenizer, words, limit)

    def is_context_read_whole(self, context: str) -> bool:
        """See ``api.Model``."""
        return not build_prompt(self._model.tokenizer, context=context).is_context_cut

    def self_test(self) -> None:
        """See ``api.Model``."""
        tone = np.sin(np.arange(2 * SAMPLE_RATE, dtype=np.float32) * np.float32(0.2)) * np.float32(0.1)
        logits = self._first_logits(tone, Timings())
        if not np.isfinite(logits).all() or np.ptp(logits) == 0:
            raise EngineError(
                Message("The model gives numbers that make no sense."),
                Message("Install or convert it again."),
            )

    def measure(self, samples: Float32, tokens: int) -> Timings:
        """See ``api.Model``."""
        timings, decoder, cancel = Timings(), self._model.decoder, Cancel()
        logits = self._first_logits(samples, timings)
        with timings.add_to("decode_s"):
            for _ in range(tokens - 1):
                decoder.extend((int(logits[0].argmax()),))
                logits = decoder.logits(1, cancel)
        timings.total_s = timings.features_s + timings.encoder_s + timings.prefill_s + timings.decode_s
        return timings

    def _first_logits(self, samples: Float32, timings: Timings) -> Float32:
        """Logits of the first token of an answer. Shape (1, vocab)."""
        model, cancel, prompt = self._model, Cancel(), build_prompt(self._model.tokenizer)
        frames = model.config.audio.window_frames
        with timings.add_to("features_s"):
            mels = windows(log_mel(samples), frames)
        with timings.add_to("encoder_s"):
            features = [model.encoder.encode(mel, cancel) for mel in mels]
        with timings.add_to("prefill_s"):
            model.decoder.truncate(0)
            model.decoder.extend(prompt.head)
            for rows in features[:-1]:
                model.decoder.extend(rows)
                model.decoder.flush(cancel)
            model.decoder.extend(features[-1])
            model.decoder.extend(prompt.tail)
            return model.decoder.logits(1, cancel)

    def close(self) -> None:
        """See ``api.Model``."""
        self._model.decoder.close()
        del self._model, self._voice


def open_parts(folder: Path, threads: int, placement: Placement | None = None) -> ModelParts:
    """Open a model folder of either layout, with ``threads`` threads for each session.

    Parts of our layout run on a device according to ``placement``. ModelMissingError: the folder or one of
    its files is missing. ModelCorruptError: a file is truncated, changed, or of another model. OSError: one
    cannot be read.
    """
    if not folder.is_dir():
        raise ModelMissingError(folder, Message("Name an installed model or the folder of one."))
    if (folder / MANIFEST_FILE).is_file():
        return open_compact(folder, threads, placement)
    if is_published_layout(folder):
        return open_published(folder, threads)
    if (folder / "model.safetensors").exists() or (folder / "model.safetensors.index.json").exists():
        raise ModelCorruptError(
            folder,
            Message("it is an official checkpoint"),
            Message("Convert it first: handy-qwen model convert SRC DST"),
        )
    raise ModelMissingError(folder / MANIFEST_FILE)


class FilesInUse:
    """The files of a folder, as they were when this was created.

    Weights are memory-mapped: a file that is truncated while in use kills the process (SIGBUS) as soon as the
    missing part is touched. Deleting or replacing a file does no harm: the mapping stays. So this is checked
    before each piece of work, which takes a few microseconds.
    """

    def __init__(self, folder: Path) -> None:
        self._files: list[tuple[Path, int, int]] = []  # with inode and size
        for path in sorted(folder.rglob("*")):
            try:
                found = path.stat()
            except OSError:  # another program's temporary file, gone by now
                continue
            if stat.S_ISREG(found.st_mode):
                self._files.append((path, found.st_ino, found.st_size))

    def cut_short(self) -> Path | None:
        """A file that has become shorter, or None."""
        for path, inode, size in self._files:
            try:
                found = path.stat()
            except OSError:  # deleted: the mapping stays
                continue
            if found.st_ino == inode and found.st_size < size:
                return path
        return None
