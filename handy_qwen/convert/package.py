"""Converts an official checkpoint into a compact package.

    .DST.XXXXXXXX/      frontend.onnx encoder.onnx decoder.onnx, each with its .data
                        head.onnx embedding.data   tokenizer.data   manifest.json (last)
    DST/                by renaming, once everything is on disk

Nothing is left behind when the work fails or is interrupted, and an existing DST is replaced only when the
new one is complete.
"""

from __future__ import annotations

import math
import re
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from handy_qwen.convert.check_speech import CheckClip, load_check_speech
from handy_qwen.convert.checkpoint import EMBEDDING, Checkpoint, check_weights
from handy_qwen.convert.decoder import write_decoder, write_embedding, write_head
from handy_qwen.convert.encoder import write_encoder, write_frontend
from handy_qwen.convert.presets import PLAIN, Precision, Preset
from handy_qwen.convert.trial import Case, Check, FoldedTensors, TooCoarseError, compare_choices, error_of
from handy_qwen.engine import default_threads
from handy_qwen.engine.json_files import as_corrupt, read_object
from handy_qwen.engine.qwen3 import names
from handy_qwen.engine.qwen3.compact import open_table
from handy_qwen.engine.qwen3.manifest import Fidelity, Manifest, TableForm, describe, is_package, sha256_of
from handy_qwen.engine.qwen3.model import AudioConfig, ModelConfig, TextConfig
from handy_qwen.engine.qwen3.tokenizer import Tokenizer, load_tokenizer
from handy_qwen.errors import CheckSpeechError, ConversionError
from handy_qwen.files import replace_folder, sync_tree
from handy_qwen.languages import ALL_LANGUAGES
from handy_qwen.message import Message, Size

ROWS_LOGITS_LIMIT = 0.025
"""For a decoder whose activations have a scale per row: accuracy is worth more than the speed gained."""
_AUDIO, _TEXT = "audio encoder", "text decoder"
_LIMITS = {"encoder": (_AUDIO, names.FEATURES, 0.02), "decoder": (_TEXT, names.HIDDEN, 0.03)}
"""For each part: its progress stage, its output, and the largest permitted error of that."""
DEFAULT_PASS_S = 180.0
"""The model takes up to 20 minutes; three are as much as its cache should take on an ordinary machine."""
OnProgress = Callable[[str, float], None]
"""Called with the current stage and the share of the whole that is done, 0 to 1."""
_ASIDE = ".old"
_FORGOTTEN_S = 24 * 3600.0
_HASHED_BYTE = 0.2  # the cost of hashing a byte, in bytes converted (measured: 5 to 6 times as fast)
_PROGRESS_STEP = 0.002


@dataclass(frozen=True, slots=True)
class Details:
    """What a checkpoint does not say about itself."""

    name: str
    pass_s: float = DEFAULT_PASS_S
    licence: str = ""
    notice: str = ""


def convert(
    source: Path,
    destination: Path,
    preset: Preset,
    details: Details,
    *,
    progress: OnProgress = lambda _what, _part: None,
    speech: Callable[[], list[CheckClip]] | None = load_check_speech,
) -> Manifest:
    """Convert the checkpoint ``source`` into the package folder ``destination``.

    ``source`` has ``config.json``, a tokenizer in either form, and safetensors; ``destination`` must not
    exist, or be an older package, which is replaced. ``progress`` is called on this thread. ``speech`` loads
    the speech on which the package is compared with float32, or raises CheckSpeechError: then forms that may
    be too coarse for loud channels are avoided, and the manifest says so. With None nothing is compared; the
    result then depends on the checkpoint alone, and not on the processor.

    ModelMissingError, ModelCorruptError: ``source`` is incomplete or of another kind. ConversionError: it is
    a package or an ONNX model, the disk is full, or ``destination`` cannot be written, or is something else.
    """
    destination = destination.resolve()
    check_destination(destination)
    work = _Work(progress)
    config, weights = _config(source), Checkpoint(source, work.add)
    preset = preset.fitting(config)
    tokenizer = load_tokenizer(source, config.text.vocab)
    check, notes = _heard(speech, config, tokenizer) if speech and preset.is_quantized else (None, ())
    if notes:
        preset = preset.finest.fitting(config)
    read_bytes = check_weights(weights, config, preset)
    if check is not None:
        read_bytes += 2 * weights.size_bytes(EMBEDDING)  # for the speech's tokens, and for its logits
    needed_bytes = _package_bytes(weights, config, preset)
    partial = destination.parent / f".{destination.name}.{secrets.token_hex(4)}"
    with _parents_removed_on_failure(destination):
        try:  # before the folder exists, so that no interruption can come in between
            _make_folder(partial, needed_bytes + (_layer_bytes(config) if check else 0))
            hashed_bytes = needed_bytes + sum(path.stat().st_size for path in weights.files)
            work.begin(read_bytes + _HASHED_BYTE * hashed_bytes)
            table, forms, fidelity = _PartsWriter(
                partial, weights, config, preset, check=check, enter=work.enter
            ).write()
            tokenizer.save(partial)
            work.enter("checksums", read_bytes)
            manifest = Manifest(
                name=details.name,
                preset=preset.name,
                config=config,
                pass_s=details.pass_s,
                embedding=table,
                precision=forms,
                source={path.name: sha256_of(path, work.add_hashed) for path in weights.files},
                files={path.name: describe(path, work.add_hashed) for path in sorted(partial.iterdir())},
                licence=details.licence,
                notice=details.notice,
                fidelity=fidelity or (Fidelity(notes=notes) if notes else None),
            )
            manifest.save(partial)
            sync_tree(partial)
            aside = partial.with_name(partial.name + _ASIDE)
            replace_folder(partial, destination, aside)
            shutil.rmtree(aside, ignore_errors=True)
        except OSError as exc:
            raise ConversionError(
                Message("The package could not be written: {reason}.", reason=exc.strerror),
                Message("Nothing was left behind."),
            ) from exc
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    progress("done", 1.0)
    return manifest


class _PartsWriter:
    """Writes the parts in order, each in the fastest form that is accurate enough.

    The criterion is the relative error of a part's output against float32, on the check speech. Quantization
    with a scale per channel costs 1.4 % in one product of random numbers, and norms and residuals keep the
    errors of many layers from adding up: 8 bits that suit a model end at 1 to 2 % for the encoder and 2 to 3
    % for all of it, and hardly ever change a first choice. If the error is larger, a finer form is used.
    Without a ``check``, the preset is used as it is and nothing is compared. ``enter`` is called with the
    name of each stage that begins, or begins again.
    """

    def __init__(
        self,
        folder: Path,
        weights: Checkpoint,
        config: ModelConfig,
        preset: Preset,
        *,
        check: Check | None,
        enter: Callable[[str], None],
    ) -> None:
        self._folder, self._weights, self._config, self._preset = folder, weights, config, preset
        self._check, self._threads, self._enter = check, default_threads(), enter
        self._notes: list[str] = []

    def write(self) -> tuple[TableForm, dict[str, str], Fidelity | None]:
        """Write all; return the table's form, that of each part in words, and what the comparison found."""
        self._enter(_AUDIO)
        forms, windows = self._write_audio()
        self._enter("embedding")
        table = write_embedding(self._folder, self._weights, self._preset.head)
        write_head(self._folder / names.HEAD_FILE, self._config.text, table)
        self._enter(_TEXT)
        forms["decoder"], sentences = self._write_decoder(table, windows)
        fidelity = None
        if self._check is not None:
            self._enter("check")
            found = compare_choices(self._folder, self._weights, sentences, self._threads)
            features = error_of(windows, names.FEATURES)
            fidelity = replace(found, features=features, notes=tuple(self._notes))
        forms["embedding and head"] = str(Precision(table.bits, table.block))
        for path in self._folder.iterdir():
            if path.stat().st_size == 0:  # beside a graph that contains all its weights
                path.unlink()
        return table, forms, fidelity

    def _write_audio(self) -> tuple[dict[str, str], list[Case]]:
        config, check, threads = self._config.audio, self._check, self._threads
        chunks = check.chunks() if check else []
        path = self._folder / names.FRONTEND_FILE
        tensors = FoldedTensors(self._weights)
        convolutions, projection = write_frontend(
            path, tensors, config, self._preset, cases=chunks, threads=threads
        )
        if self._preset.convolutions != convolutions:
            self._notes.append("The convolutions stay in float32: 8 bits are too coarse for them.")

        def write(form: Precision, windows: list[Case]) -> Counter[Precision]:
            tensors, preset = FoldedTensors(self._weights), replace(self._preset, encoder=form)
            path = self._folder / names.ENCODER_FILE
            return write_encoder(path, tensors, config, preset, cases=windows, threads=threads)

        def windows() -> list[Case]:
            return check.windows(chunks) if check else []

        forms, cases = self._faithful("encoder", config.d_model, write, windows)
        return {"convolutions": str(convolutions), "encoder": _in_words(forms + projection)}, cases

    def _write_decoder(self, table: TableForm, windows: list[Case]) -> tuple[str, list[Case]]:
        config, check = self._config.text, self._check

        def sentences() -> list[Case]:
            rows = open_table(self._folder, config, table)
            return check.sentences(windows, self._weights, rows) if check else []

        def write(form: Precision, sentences: list[Case]) -> Counter[Precision]:
            tensors, preset = FoldedTensors(self._weights), replace(self._preset, decoder=form)
            path = self._folder / names.DECODER_FILE
            has_finer = form != _tries(form, config.hidden)[-1]
            limit = ROWS_LOGITS_LIMIT if form.is_by_row and has_finer else math.inf
            return write_decoder(
                path, tensors, config, preset, cases=sentences, limit=limit, threads=self._threads
            )

        forms, cases = self._faithful("decoder", config.hidden, write, sentences)
        return _in_words(forms), cases

    def _faithful(
        self,
        what: str,
        width: int,
        write: Callable[[Precision, list[Case]], Counter[Precision]],
        begin: Callable[[], list[Case]],
    ) -> tuple[Counter[Precision], list[Case]]:
        """Write a part as the preset says, and again in finer forms while its error is too large."""
        stage, value, limit = _LIMITS[what]
        form: Precision = getattr(self._preset, what)
        tries = _tries(form, width)
        for tried in tries:
            if tried is not tries[0]:
                self._enter(stage)
            cases = begin()
            try:
                forms = write(tried, cases)
                error = error_of(cases, value)
            except TooCoarseError as exc:
                error = exc.error
            most = ROWS_LOGITS_LIMIT if tried.is_by_row else limit
            if error <= most or form.bits < 8:  # whoever chooses 4 bits accepts their cost
                break
            if tried is tries[-1]:
                self._notes.append(f"The {what} is {error:.1%} off; up to {limit:.0%} is usual.")
            elif not tried.is_by_row:  # only tried because it is fast
                self._notes.append(f"The {what} takes a finer form: with {form}, it was {error:.1%} off.")
        return forms, cases


def _tries(form: Precision, width: int) -> list[Precision]:
    """Forms to try for a part of that width, the fastest first."""
    return [tried for tried in form.and_finer(width) if tried == form or tried != PLAIN]


def _in_words(forms: Counter[Precision]) -> str:
    """The form of most products, and the number of others."""
    (usual, _), *others = forms.most_common()
    total = sum(forms.values())
    return "; ".join([str(usual), *(f"{count} of {total} products {form}" for form, count in others)])


class _Work:
    """Counts work done, in bytes read, and reports the share of the whole, which only grows.

    A stage that is entered again is repeated: the rest of the progress bar then stands for more work.
    """

    def __init__(self, progress: OnProgress) -> None:
        self._progress = progress
        self._what = ""
        self._total = self._done = self._entered = self._reported = 0.0
        self._before = (0.0, 0.0)  # work and share when the total last grew

    def begin(self, total: float) -> None:
        """Start counting; earlier work, looking at the source, is ignored."""
        self._total, self._done = total, 0.0

    def enter(self, what: str, done: float = 0.0) -> None:
        """Begin stage ``what``; if less than ``done`` was added so far, catch up."""
        if what == self._what:
            self._before = self._done, self._share()
            self._total += self._done - self._entered
        self._what, self._done = what, max(self._done, done)
        self._entered = self._done
        self._report(self._share())

    def add(self, work: float) -> None:
        self._done += work
        if self._total and self._share() - self._reported >= _PROGRESS_STEP:
            self._report(self._share())

    def add_hashed(self, size: int) -> None:
        self.add(_HASHED_BYTE * size)

    def _share(self) -> float:
        """The share done, never all: the total is an estimate."""
        done, share = self._before
        return min(share + (1 - share) * (self._done - done) / (self._total - done), 0.999)

    def _report(self, share: float) -> None:
        self._reported = share
        self._progress(self._what, share)


def _config(folder: Path) -> ModelConfig:
    if is_package(folder):
        raise ConversionError(
            Message("{folder} is a package already.", folder=folder),
            Message("Use it as it is, or convert the official checkpoint."),
        )
    if any(folder.glob("*.onnx")) and not any(folder.glob("*.safetensors")):
        raise ConversionError(
            Message("{folder} is an ONNX model, which is not converted.", folder=folder),
            Message(
                "Use it as it is: handy-qwen model import, without --preset. Or convert the "
                "official checkpoint."
            ),
        )
    path, hint = folder / "config.json", Message("Give the folder of an official checkpoint.")
    with as_corrupt(path, Message("it does not describe a Qwen3-ASR model"), hint, hint):
        return ModelConfig.from_checkpoint(read_object(path), ALL_LANGUAGES)


def _heard(
    speech: Callable[[], list[CheckClip]], config: ModelConfig, tokenizer: Tokenizer
) -> tuple[Check | None, tuple[str, ...]]:
    """The check speech, or why there is none."""
    try:
        clips = speech()
    except CheckSpeechError as exc:
        return None, (f"{exc.title} Nothing was compared, and the most precise form was taken.",)
    return Check(clips, config, tokenizer), ()


def check_destination(destination: Path) -> None:
    """Raise ConversionError unless the destination is free, or an older package."""
    with _unwritable(destination.parent):
        _tidy(destination)
        is_taken = destination.exists() and not is_package(destination)
    if is_taken:
        raise ConversionError(
            Message("{folder} exists and is not a package.", folder=destination),
            Message("Choose another place or remove it."),
        )


def _make_folder(path: Path, needed_bytes: int) -> None:
    with _unwritable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(path.parent).free
        if free_bytes < needed_bytes:
            raise ConversionError(
                Message(
                    "The package needs {needed}, but only {free} is free.",
                    needed=Size(needed_bytes),
                    free=Size(free_bytes),
                ),
                Message("Free some space or choose another disk."),
            )
        path.mkdir()


@contextmanager
def _unwritable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ConversionError(
            Message("{folder} cannot be written to.", folder=folder), Message("Choose another place.")
        ) from exc


@contextmanager
def _parents_removed_on_failure(destination: Path) -> Iterator[None]:
    missing = [folder for folder in destination.parents if not folder.exists()]  # the nearest first
    try:
        yield
    except BaseException:
        with suppress(OSError):  # never created, or somebody else has put something in
            for folder in missing:
                folder.rmdir()
        raise


def _layer_bytes(config: ModelConfig) -> int:
    """The larger layer in float32: one is on disk while layers are compared."""
    return 4 * max(
        _encoder_parameters(config.audio) // config.audio.layers,
        _decoder_parameters(config.text) // config.text.layers,
    )


def _encoder_parameters(audio: AudioConfig) -> int:
    return audio.layers * audio.d_model * (4 * audio.d_model + 2 * audio.ffn)


def _decoder_parameters(text: TextConfig) -> int:
    attention = (2 * text.heads + 2 * text.kv_heads) * text.head_dim
    return text.layers * text.hidden * (attention + 3 * text.ffn)


def _package_bytes(weights: Checkpoint, config: ModelConfig, preset: Preset) -> int:
    """The approximate size of the package: parameters of each part times their bytes, plus 5 %."""

    def size(parameters: float, precision: Precision) -> float:
        overhead = 4 / precision.block if precision.block else 0.0
        return parameters * (precision.bits / 8 + overhead)

    audio, text = config.audio, config.text
    inputs = sum(weights.shape(f"audio_tower.conv2d{n}.weight")[1] for n in (1, 2, 3))
    parts = size(_encoder_parameters(audio), preset.encoder) + size(_decoder_parameters(text), preset.decoder)
    parts += size(inputs * 9 * audio.conv_channels, preset.convolutions)
    return int(1.05 * (parts + size(text.vocab * text.hidden, preset.head)))


def _tidy(destination: Path) -> None:
    """Clean up after a killed process.

    Restore the older package, if it was killed between the two renames of ``replace_folder``, and delete
    unfinished ones that are a day old, which no running process uses.
    """
    own = re.compile(rf"\.{re.escape(destination.name)}\.[0-9a-f]{{8}}({re.escape(_ASIDE)})?")
    for path in list(destination.parent.iterdir()) if destination.parent.is_dir() else []:
        found = own.fullmatch(path.name)
        if found is None:
            continue
        if not found[1]:
            if path.is_dir() and time.time() - path.stat().st_mtime > _FORGOTTEN_S:
                shutil.rmtree(path, ignore_errors=True)
        elif is_package(path):
            if destination.exists():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.rename(destination)
