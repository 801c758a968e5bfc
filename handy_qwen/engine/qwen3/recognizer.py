"""The public face of the engine: a loaded model that turns samples into text.

    recognizer = Recognizer.load(folder, voice_model=path)
    transcript = recognizer.transcribe(samples)            # a whole clip
    live = recognizer.live()                               # while somebody speaks, see live.py

Threads: one transcription at a time; the second must begin after the first was finished or cancelled.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from handy_qwen.engine.api import Transcript
from handy_qwen.engine.qwen3.compact import (
    CompactDecoder,
    CompactEncoder,
    EmbeddingTable,
    FloatTable,
    Int4Table,
    Int8Table,
    OutputHead,
    map_array,
    open_layers,
)
from handy_qwen.engine.qwen3.features import SAMPLE_RATE, log_mel
from handy_qwen.engine.qwen3.live import LiveTranscription
from handy_qwen.engine.qwen3.manifest import EMBEDDING_FILE, MANIFEST_FILE, Manifest, load_manifest
from handy_qwen.engine.qwen3.model import Float32, ModelConfig, ModelParts
from handy_qwen.engine.qwen3.prompt import (
    FILE_WORDS_TOKENS,
    WORDS_TOKENS,
    FittedWords,
    build_prompt,
    fit_words,
)
from handy_qwen.engine.qwen3.published import PASS_S, is_published_layout, open_published
from handy_qwen.engine.qwen3.segmenter import Segmenter
from handy_qwen.engine.qwen3.sessions import Cancel, default_threads, open_session
from handy_qwen.engine.qwen3.tokenizer import Tokenizer, load_tokenizer
from handy_qwen.engine.qwen3.vad import VoiceDetector
from handy_qwen.errors import AudioFormatError, EngineError, ModelCorruptError, ModelMissingError
from handy_qwen.languages import language_name

LIVE_PASS_S = 60.0
"""Longest pass when the text must be ready at once: every token written reads the whole cache."""
_BLOCK_SAMPLES = 30 * SAMPLE_RATE


class Recognizer:
    """A loaded model."""

    def __init__(
        self, model: ModelParts, detector: VoiceDetector, load_s: float, files: FilesInUse | None = None
    ) -> None:
        self._model = model
        self._files = files
        self._detector = detector
        self.load_s = load_s

    @classmethod
    def load(
        cls, folder: Path, *, voice_model: Path, threads: int | None = None, name: str = ""
    ) -> Recognizer:
        """Load the model in ``folder``.

        Args:
            folder: Of either layout, see layouts.py.
            voice_model: The voice detector's file, see vad.py.
            threads: For each session; None for what suits this machine.
            name: What to call it; without it, as it calls itself.

        Raises:
            ModelMissingError: A file is not there.
            ModelCorruptError: A file is not what it should be.
            EngineError: The folder may not be read.
        """
        begin = time.perf_counter()
        try:
            files = FilesInUse(folder)
            model = open_parts(folder, threads or default_threads())
        except OSError as exc:
            raise EngineError(
                f"The model in {folder} cannot be read: {exc.strerror}.", "Check its permissions."
            ) from exc
        detector = VoiceDetector(open_session(voice_model, threads=1))
        model = replace(model, name=name or model.name)
        return cls(model, detector, time.perf_counter() - begin, files)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def notice(self) -> str:
        """What a user should know before trusting its text; usually empty."""
        return self._model.notice

    @property
    def languages(self) -> tuple[str, ...]:
        """English names of the languages it knows."""
        return self._model.config.languages

    def live(
        self,
        *,
        language: str | None = None,
        context: str | Sequence[str] = "",
        exact: bool = False,
        drafts: bool = True,
        pass_s: float = LIVE_PASS_S,
        cancel: Cancel | None = None,
    ) -> LiveTranscription:
        """Begin a transcription whose samples come in one after the other.

        Args:
            language: Name or ISO code; None or "" finds it out.
            context: Names and terms that may come up, of which as many as fit are read; or any text, which is
                read as it is and loses its end if it is too long.
            exact: Features as the reference has them for the whole clip, and nothing is left out at its end.
            drafts: Whether to write drafts while waiting, for the preview and for a quicker end.
            pass_s: Longest pass if not ``exact``; a shorter one takes less memory.
            cancel: Stops the work from another thread.

        Raises:
            LanguageError: The model does not know ``language``.
        """
        name = language_name(language or "", self.languages) or None
        if not isinstance(context, str):
            context = self.fit_words(context).text
        limit_s = self._model.pass_s if exact else min(self._model.pass_s, pass_s)
        return LiveTranscription(
            self._model,
            build_prompt(self._model.tokenizer, language=name, context=context),
            Segmenter(self._detector, limit_samples=int(limit_s * SAMPLE_RATE), trims_silence=not exact),
            language=name,
            context=context,
            is_exact=exact,
            has_drafts=drafts,
            cancel=cancel or Cancel(),
        )

    def transcribe(
        self,
        samples: Float32,
        *,
        language: str | None = None,
        context: str | Sequence[str] = "",
        exact: bool = False,
        pass_s: float = LIVE_PASS_S,
        cancel: Cancel | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Transcript:
        """Transcribe a whole clip.

        Args:
            samples: Shape (n,), float32 in [-1, 1], 16 kHz; n may be 0.
            language: Name or ISO code; None or "" finds it out.
            context: See ``live``.
            exact: See ``live``.
            pass_s: See ``live``.
            cancel: Stops the work from another thread.
            on_progress: Told the share of the samples that is done, 0 to 1. Called on this thread.

        Raises:
            AudioFormatError: ``samples`` are something else.
            LanguageError: The model does not know ``language``.
            CancelledError: ``cancel`` was set.
            EngineError: A run failed.
        """
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise AudioFormatError(f"Audio must be 1-D float32, not {samples.ndim}-D {samples.dtype}.")
        begin = time.perf_counter()
        live = self.live(
            language=language, context=context, exact=exact, drafts=False, pass_s=pass_s, cancel=cancel
        )
        for first in range(0, len(samples), _BLOCK_SAMPLES):
            live.feed(samples[first : first + _BLOCK_SAMPLES])
            while live.advance():
                pass
            if on_progress:
                on_progress(first / len(samples))
        transcript = live.finish()
        transcript.timings.total_s = time.perf_counter() - begin
        if on_progress:
            on_progress(1.0)
        return transcript

    def check_files(self) -> None:
        """Complain of a file that was cut short since it was loaded: to go on would end the process.

        Raises:
            ModelCorruptError: There is one.
        """
        path = self._files.cut_short() if self._files else None
        if path is not None:
            raise ModelCorruptError(path, "it was cut short while it was in use")

    def check_language(self, language: str) -> None:
        """Complain now about what ``live`` would complain about.

        Raises:
            LanguageError: The model does not know ``language``; "" is always known.
        """
        language_name(language, self.languages)

    def fit_words(self, words: Sequence[str], *, is_for_file: bool = False) -> FittedWords:
        """Which of ``words`` the model reads if they are its context: more for a file than in dictation."""
        limit = FILE_WORDS_TOKENS if is_for_file else WORDS_TOKENS
        return fit_words(self._model.tokenizer, words, limit)

    def is_context_read_whole(self, context: str) -> bool:
        """Whether the model gets to read all of ``context``; the end of a longer one is left out."""
        return not build_prompt(self._model.tokenizer, context=context).is_context_cut

    def self_test(self) -> None:
        """Let the model run on a tone and look at what comes out.

        Raises:
            EngineError: A run failed, or its numbers are not finite or all the same.
        """
        tone = np.sin(np.arange(2 * SAMPLE_RATE, dtype=np.float32) * np.float32(0.2)) * np.float32(0.1)
        prompt, decoder, cancel = build_prompt(self._model.tokenizer), self._model.decoder, Cancel()
        features = self._model.encoder.encode(log_mel(tone), cancel)
        decoder.rewind(0)
        for rows in (prompt.head, features, prompt.tail):
            decoder.extend(rows)
        logits = decoder.logits(1, cancel)
        if not np.isfinite(logits).all() or np.ptp(logits) == 0:
            raise EngineError("The model gives numbers that make no sense.", "Install or convert it again.")

    def close(self) -> None:
        """Give the memory back. Nothing may be called afterwards."""
        self._model.decoder.close()
        del self._model, self._detector


def open_parts(folder: Path, threads: int) -> ModelParts:
    """Open a model folder of either layout.

    Args:
        folder: Our compact package, or a published ONNX model.
        threads: For each session.

    Raises:
        ModelMissingError: The folder or one of its files is not there.
        ModelCorruptError: A file is truncated, changed, or of another model.
        OSError: A file cannot be read.
    """
    if not folder.is_dir():
        raise ModelMissingError(folder, "Name an installed model or the folder of one.")
    if (folder / MANIFEST_FILE).is_file():
        return _open_compact(folder, threads)
    if is_published_layout(folder):
        return _open_published(folder, threads)
    if (folder / "model.safetensors").exists() or (folder / "model.safetensors.index.json").exists():
        raise ModelCorruptError(
            folder, "it is an official checkpoint", "Convert it first: handy-qwen model convert SRC DST"
        )
    raise ModelMissingError(folder / MANIFEST_FILE)


def _open_compact(folder: Path, threads: int) -> ModelParts:
    manifest = load_manifest(folder)
    config = manifest.config
    text = config.text
    # ONNX Runtime packs the weights of a session on one thread and outside of Python. The layers take as long
    # as all the rest, which therefore follows one after the other: more threads would only slow them down.
    with ThreadPoolExecutor(1, thread_name_prefix="load") as pool:
        head = pool.submit(OutputHead, folder, text, threads)
        encoder = pool.submit(CompactEncoder, folder, config.audio, threads)
        tokenizer = pool.submit(_tokenizer_for, config, folder)
        layers = open_layers(folder, text, threads)
        decoder = CompactDecoder(layers, head.result(), config=text, table=_table(folder, manifest))
        return ModelParts(
            name=manifest.name,
            config=config,
            tokenizer=tokenizer.result(),
            encoder=encoder.result(),
            decoder=decoder,
            pass_s=manifest.pass_s,
            notice=manifest.notice,
        )


def _tokenizer_for(config: ModelConfig, folder: Path) -> Tokenizer:
    tokenizer = load_tokenizer(folder)
    tokenizer.check_fits(config.text.vocab)
    return tokenizer


def _open_published(folder: Path, threads: int) -> ModelParts:
    tokenizer = load_tokenizer(folder)
    opened = open_published(folder, audio_pad=tokenizer.marker("<|audio_pad|>"), threads=threads)
    tokenizer.check_fits(opened.config.text.vocab)
    return ModelParts(
        name=folder.name,
        config=opened.config,
        tokenizer=tokenizer,
        encoder=opened.encoder,
        decoder=opened.decoder,
        pass_s=PASS_S,
    )


def _table(folder: Path, manifest: Manifest) -> EmbeddingTable:
    path, text, form = folder / EMBEDDING_FILE, manifest.config.text, manifest.embedding
    if form.bits == 32:
        return FloatTable(path, (text.vocab, text.hidden))
    blocks = text.hidden // form.block
    codes = map_array(path, (text.vocab, blocks, form.block * form.bits // 8), np.uint8)
    scales = map_array(path, (text.vocab, blocks), np.float32, form.scales_offset_bytes)
    if form.bits == 8:
        return Int8Table(codes, scales)
    zeros = map_array(path, (text.vocab, -(-blocks // 2)), np.uint8, form.zeros_offset_bytes)
    return Int4Table(codes, scales, zeros)


class FilesInUse:
    """The files of a folder, as they were when this was made."""

    def __init__(self, folder: Path) -> None:
        self._files: list[tuple[Path, int, int]] = []  # with inode and size
        for path in sorted(folder.rglob("*")):
            try:
                found = path.stat()
            except OSError:  # a temporary file of somebody else's, gone by now; what is mapped stays
                continue
            if stat.S_ISREG(found.st_mode):
                self._files.append((path, found.st_ino, found.st_size))

    def cut_short(self) -> Path | None:
        """A file that has become shorter, None if there is none."""
        for path, inode, size in self._files:
            try:
                found = path.stat()
            except OSError:  # deleted: what is mapped stays
                continue
            if found.st_ino == inode and found.st_size < size:
                return path
        return None
