"""Converts an official checkpoint into a compact package.

    .DST.XXXXXXXX/      frontend.onnx encoder.onnx decoder.onnx, each with its .data
                        head.onnx embedding.data   tokenizer.data   manifest.json (last)
    DST/                by renaming, once everything is on disk

Nothing is left behind when the work fails or is interrupted, and an existing DST is not touched before the
new one is complete.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from handy_qwen.convert.checkpoint import Checkpoint, check_weights
from handy_qwen.convert.decoder import write_decoder, write_embedding, write_head
from handy_qwen.convert.encoder import write_encoder, write_frontend
from handy_qwen.convert.presets import Precision, Preset
from handy_qwen.engine.json_files import as_corrupt, read_object
from handy_qwen.engine.qwen3 import names
from handy_qwen.engine.qwen3.manifest import Manifest, TableForm, describe, is_package, sha256_of
from handy_qwen.engine.qwen3.model import ModelConfig
from handy_qwen.engine.qwen3.tokenizer import load_tokenizer
from handy_qwen.errors import ConversionError
from handy_qwen.files import replace_folder, sync_tree
from handy_qwen.languages import ALL_LANGUAGES

DEFAULT_PASS_S = 180.0
"""The model takes up to 20 minutes; three are as much as its cache should hold on an ordinary machine."""
OnProgress = Callable[[str, float], None]
"""Gets what is being done and the share of the whole that is done, 0 to 1."""
_ASIDE = ".old"
_FORGOTTEN_S = 24 * 3600.0
_SHORT_WRITE = "No space left on device"  # numpy gives no reason, and there is no other
_HASHED_BYTE = 0.2  # the work of hashing a byte, in bytes converted (measured: 5 to 6 times as fast)
_PROGRESS_STEP = 0.002


@dataclass(frozen=True, slots=True)
class Details:
    """What a checkpoint does not say of itself."""

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
) -> Manifest:
    """Convert the checkpoint ``source`` into the package folder ``destination``.

    Args:
        source: A folder with ``config.json``, a tokenizer in either form, and safetensors.
        destination: Must not exist, or be an older package (which is then replaced).
        preset: How precisely to keep each part.
        details: For the manifest.
        progress: Called on this thread.

    Raises:
        ModelMissingError, ModelCorruptError: ``source`` is incomplete or of another kind.
        ConversionError: ``source`` is a package or an ONNX model, the disk is full, or ``destination`` cannot
            be written, or is something else.
    """
    destination = destination.resolve()
    check_destination(destination)
    work = _Work(progress)
    config, weights = _config(source), Checkpoint(source, work.add)
    preset = replace(preset, head=preset.head.fitting(config.text.hidden))
    read_bytes = check_weights(weights, config, preset)
    tokenizer = load_tokenizer(source)
    tokenizer.check_fits(config.text.vocab)
    needed_bytes = _package_bytes(weights, config, preset)
    partial = destination.parent / f".{destination.name}.{secrets.token_hex(4)}"
    with _parents_removed_on_failure(destination):
        try:  # from before the folder is there, so that no interruption can come in between
            _make_folder(partial, needed_bytes)
            hashed_bytes = needed_bytes + sum(path.stat().st_size for path in weights.files)
            work.begin(read_bytes + _HASHED_BYTE * hashed_bytes)
            table = _write_parts(partial, weights, config, preset, work)
            tokenizer.save(partial)
            work.enter("checksums", read_bytes)
            manifest = Manifest(
                name=details.name,
                preset=preset.name,
                config=config,
                pass_s=details.pass_s,
                embedding=table,
                precision=preset.parts,
                source={path.name: sha256_of(path, work.add_hashed) for path in weights.files},
                files={path.name: describe(path, work.add_hashed) for path in sorted(partial.iterdir())},
                licence=details.licence,
                notice=details.notice,
            )
            manifest.save(partial)
            sync_tree(partial)
            aside = partial.with_name(partial.name + _ASIDE)
            replace_folder(partial, destination, aside)
            shutil.rmtree(aside, ignore_errors=True)
        except OSError as exc:
            reason = exc.strerror or _SHORT_WRITE
            raise ConversionError(
                f"The package could not be written: {reason}.", "Nothing was left behind."
            ) from exc
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    progress("done", 1.0)
    return manifest


class _Work:
    """Counts work done, in bytes read, and reports the share of the whole, which only grows."""

    def __init__(self, progress: OnProgress) -> None:
        self._progress = progress
        self._what = ""
        self._total = self._done = self._reported = 0.0

    def begin(self, total: float) -> None:
        """What was done before, looking at the source, does not count."""
        self._total, self._done = total, 0.0

    def enter(self, what: str, done: float = 0.0) -> None:
        """Begin with ``what``; if less than ``done`` was added so far, catch up with it."""
        self._what, self._done = what, max(self._done, done)
        self._report(self._share())

    def add(self, work: float) -> None:
        self._done += work
        if self._total and self._share() - self._reported >= _PROGRESS_STEP:
            self._report(self._share())

    def add_hashed(self, size: int) -> None:
        self.add(_HASHED_BYTE * size)

    def _share(self) -> float:
        """Never all: the total is an estimate."""
        return min(self._done / self._total, 0.999)

    def _report(self, share: float) -> None:
        self._reported = share
        self._progress(self._what, share)


def _config(folder: Path) -> ModelConfig:
    """What the checkpoint in ``folder`` says of itself."""
    if is_package(folder):
        raise ConversionError(
            f"{folder} is a package already.", "Use it as it is, or convert the official checkpoint."
        )
    if any(folder.glob("*.onnx")) and not any(folder.glob("*.safetensors")):
        raise ConversionError(
            f"{folder} is an ONNX model, which is not converted.",
            "Use it as it is: handy-qwen model import, without --preset. Or convert the official checkpoint.",
        )
    path, hint = folder / "config.json", "Give the folder of an official checkpoint."
    with as_corrupt(path, "it does not describe a Qwen3-ASR model", hint, hint):
        return ModelConfig.from_checkpoint(read_object(path), ALL_LANGUAGES)


def _write_parts(
    folder: Path, weights: Checkpoint, config: ModelConfig, preset: Preset, work: _Work
) -> TableForm:
    """Write graphs and weights; return the form of the embedding table."""
    work.enter("audio encoder")
    write_frontend(folder / names.FRONTEND_FILE, weights, config.audio, preset)
    write_encoder(folder / names.ENCODER_FILE, weights, config.audio, preset.encoder)
    work.enter("embedding")
    table = write_embedding(folder, weights, preset.head)
    work.enter("text decoder")
    write_decoder(folder / names.DECODER_FILE, weights, config.text, preset.decoder)
    write_head(folder / names.HEAD_FILE, config.text, table)
    for path in folder.iterdir():  # a graph whose weights all fit inside has an empty file beside it
        if path.stat().st_size == 0:
            path.unlink()
    return table


def check_destination(destination: Path) -> None:
    """Check that the destination is free or an older package.

    Raises:
        ConversionError: It is something else, or cannot be looked at.
    """
    with _unwritable(destination.parent):
        _tidy(destination)
        is_taken = destination.exists() and not is_package(destination)
    if is_taken:
        raise ConversionError(
            f"{destination} exists and is not a package.", "Choose another place or remove it."
        )


def _make_folder(path: Path, needed_bytes: int) -> None:
    """Make the folder ``path`` on a disk with room for ``needed_bytes``."""
    with _unwritable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(path.parent).free
        if free_bytes < needed_bytes:
            raise ConversionError(
                f"The package needs {needed_bytes / 1e6:.0f} MB, but only {free_bytes / 1e6:.0f} MB"
                " are free.",
                "Free some space or choose another disk.",
            )
        path.mkdir()


@contextmanager
def _unwritable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ConversionError(f"{folder} cannot be written to.", "Choose another place.") from exc


@contextmanager
def _parents_removed_on_failure(destination: Path) -> Iterator[None]:
    missing = [folder for folder in destination.parents if not folder.exists()]  # the nearest first
    try:
        yield
    except BaseException:
        with suppress(OSError):  # never made, or somebody else has put something in
            for folder in missing:
                folder.rmdir()
        raise


def _package_bytes(weights: Checkpoint, config: ModelConfig, preset: Preset) -> int:
    """About how large the package will be: parameters of each part times its bytes each, and 5 % more."""

    def size(parameters: float, precision: Precision) -> float:
        overhead = 4 / precision.block if precision.block else 0.0
        return parameters * (precision.bits / 8 + overhead)

    audio, text = config.audio, config.text
    encoder = audio.layers * audio.d_model * (4 * audio.d_model + 2 * audio.ffn)
    attention = (2 * text.heads + 2 * text.kv_heads) * text.head_dim
    decoder = text.layers * text.hidden * (attention + 3 * text.ffn)
    inputs = sum(weights.shape(f"audio_tower.conv2d{n}.weight")[1] for n in (1, 2, 3))
    parts = size(encoder, preset.encoder) + size(decoder, preset.decoder)
    parts += size(inputs * 9 * audio.conv_channels, preset.convolutions)
    return int(1.05 * (parts + size(text.vocab * text.hidden, preset.head)))


def _tidy(destination: Path) -> None:
    """Put in order what a killed process left behind.

    The older package, if it was killed between the two renames of ``replace_folder``, and what was not
    finished: a day old, so that it is not that of a process at work.
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
