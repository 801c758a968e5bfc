"""Converts an official checkpoint into a compact package.

    .DST.XXXXXXXX/      frontend.onnx encoder.onnx decoder.onnx, each with its .data
                        head.onnx embedding.data   tokens.data tokenizer.json   manifest.json (last)
    DST/                by renaming, once everything is on disk

Nothing is left behind when the work fails or is interrupted, and an existing DST is never touched before
the new one is complete.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from handy_qwen.convert.checkpoint import Checkpoint, check_weights, weights_bytes
from handy_qwen.convert.decoder import write_decoder, write_embedding, write_head
from handy_qwen.convert.encoder import write_encoder, write_frontend
from handy_qwen.convert.presets import Precision, Preset
from handy_qwen.convert.progress import Progress, ProgressBar
from handy_qwen.convert.source import opened_source
from handy_qwen.engine.json_files import as_corrupt, read_object
from handy_qwen.engine.qwen3.manifest import Manifest, TableForm, describe, is_package, sha256_of
from handy_qwen.engine.qwen3.model import ModelConfig
from handy_qwen.engine.qwen3.tokenizer import Tokenizer, load_tokenizer
from handy_qwen.errors import ConversionError
from handy_qwen.files import sync_folder, sync_tree
from handy_qwen.languages import ALL_LANGUAGES

DEFAULT_PASS_S = 180.0
"""The model takes up to 20 minutes; three are as much as its cache should hold on an ordinary machine."""

_ASIDE = ".old"
_FORGOTTEN_S = 24 * 3600.0
_SHORT_WRITE = "No space left on device"  # numpy gives no reason, and there is no other
_HASHED_BYTE = 0.2  # the work of hashing a byte, in bytes converted (measured: 5 to 6 times as quick)


@dataclass(frozen=True, slots=True)
class Details:
    """What a checkpoint does not say of itself."""

    name: str
    pass_s: float = DEFAULT_PASS_S
    licence: str = ""
    notice: str = ""


class _Source(NamedTuple):
    """An opened checkpoint."""

    config: ModelConfig
    weights: Checkpoint
    tokenizer: Tokenizer


def convert(
    source: Path,
    destination: Path,
    preset: Preset,
    details: Details,
    *,
    progress: Progress = lambda _what, _part: None,
) -> Manifest:
    """Convert the checkpoint ``source`` into the package folder ``destination``.

    Args:
        source: A folder with ``config.json``, a tokenizer in either form, and safetensors; or an archive of
            it (.tar.gz, .zip), which is unpacked beside ``destination`` meanwhile.
        destination: Must not exist, or be an older package (which is then replaced).
        preset: How precisely to keep each part.
        details: For the manifest.
        progress: Called on this thread.

    Raises:
        ModelMissingError, ModelCorruptError: ``source`` is incomplete or of another kind.
        ConversionError: ``source`` is a package or an ONNX model, the disk is full, or ``destination`` cannot
            be written, or is something else.
    """
    bar = ProgressBar(progress)
    destination = destination.resolve()
    check_destination(destination)
    unpacked = opened_source(source, destination, lambda part: bar.prepare("unpacking", part))
    with _parents_tidied(destination), unpacked as folder:
        config = _config(folder, source)
        opened = _Source(config, Checkpoint(folder, bar.add), load_tokenizer(folder))
        return _convert(opened, destination, preset, details, bar)


def _config(folder: Path, given: Path) -> ModelConfig:
    """What the checkpoint in ``folder``, which the user calls ``given``, says of itself."""
    if is_package(folder):
        raise ConversionError(
            f"{given} is a package already.", "Use it as it is, or convert the official checkpoint."
        )
    if any(folder.glob("*.onnx")) and not any(folder.glob("*.safetensors")):
        raise ConversionError(
            f"{given} is an ONNX model, which is not converted.",
            "Use it as it is: handy-qwen model import, without --preset. Or convert the official checkpoint.",
        )
    path, hint = folder / "config.json", "Give the folder of an official checkpoint."
    with as_corrupt(path, "it does not describe a Qwen3-ASR model", hint, hint):
        return ModelConfig.from_checkpoint(read_object(path), ALL_LANGUAGES)


def _convert(
    source: _Source, destination: Path, preset: Preset, details: Details, bar: ProgressBar
) -> Manifest:
    config, weights = source.config, source.weights
    preset = replace(preset, head=preset.head.fitting(config.text.hidden))
    check_weights(weights, config, preset)
    source.tokenizer.check_fits(config.text.vocab)
    needed_bytes = _package_bytes(weights, config, preset)
    _check_room(destination, needed_bytes)
    partial = destination.parent / f".{destination.name}.{secrets.token_hex(4)}"
    try:  # from before the folder is there, so that no interruption can come between
        _make_folder(partial)
        read = weights_bytes(weights, config)
        hashed = needed_bytes + sum(path.stat().st_size for path in weights.files)
        bar.begin(read + _HASHED_BYTE * hashed)
        table = _write_parts(partial, weights, config, preset, bar)
        source.tokenizer.save(partial)
        bar.enter("checksums", read)
        manifest = _manifest(partial, source, preset=preset, details=details, table=table, bar=bar)
        manifest.save(partial)
        sync_tree(partial)
        _put_in_place(partial, destination)
    except OSError as exc:
        raise ConversionError(
            f"The package could not be written: {exc.strerror or _SHORT_WRITE}.", "Nothing was left behind."
        ) from exc
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    bar.finish()
    return manifest


@contextmanager
def _parents_tidied(destination: Path) -> Iterator[None]:
    """If the work fails, the folders above ``destination`` that were not there before are removed again."""
    missing = [folder for folder in destination.parents if not folder.exists()]  # the nearest first
    try:
        yield
    except BaseException:
        with suppress(OSError):  # never made, or somebody else has put something in
            for folder in missing:
                folder.rmdir()
        raise


def _make_folder(path: Path) -> None:
    try:
        path.mkdir()
    except OSError as exc:
        raise ConversionError(f"{path.parent} cannot be written to.", "Choose another place.") from exc


def _write_parts(
    folder: Path, weights: Checkpoint, config: ModelConfig, preset: Preset, bar: ProgressBar
) -> TableForm:
    """Write graphs and weights; return the form of the embedding table."""
    bar.enter("audio encoder")
    write_frontend(folder / "frontend.onnx", weights, config.audio, preset)
    write_encoder(folder / "encoder.onnx", weights, config.audio, preset.encoder)
    bar.enter("embedding")
    table = write_embedding(folder, weights, preset.head)
    bar.enter("text decoder")
    write_decoder(folder / "decoder.onnx", weights, config.text, preset.decoder)
    write_head(folder / "head.onnx", config.text, table)
    for path in folder.iterdir():  # a graph whose weights all fit inside has an empty file beside it
        if path.stat().st_size == 0:
            path.unlink()
    return table


def _manifest(
    folder: Path,
    source: _Source,
    *,
    preset: Preset,
    details: Details,
    table: TableForm,
    bar: ProgressBar,
) -> Manifest:
    """What the finished ``folder`` holds."""

    def hashed(size: int) -> None:
        bar.add(_HASHED_BYTE * size)

    return Manifest(
        name=details.name,
        preset=preset.name,
        config=source.config,
        pass_s=details.pass_s,
        embedding=table,
        precision={
            "convolutions": str(preset.convolutions),
            "encoder": str(preset.encoder),
            "decoder": str(preset.decoder),
            "embedding and head": str(preset.head),
        },
        source={path.name: sha256_of(path, hashed) for path in source.weights.files},
        files={path.name: describe(path, hashed) for path in sorted(folder.iterdir())},
        licence=details.licence,
        notice=details.notice,
    )


def check_destination(destination: Path) -> None:
    """The destination is free or an older package.

    Raises:
        ConversionError: It is something else, or cannot be looked at.
    """
    try:
        _mend(destination)
        is_taken = destination.exists() and not is_package(destination)
    except OSError as exc:
        raise ConversionError(f"{destination.parent} cannot be written to.", "Choose another place.") from exc
    if is_taken:
        raise ConversionError(
            f"{destination} exists and is not a package.", "Choose another place or remove it."
        )


def _check_room(destination: Path, needed_bytes: int) -> None:
    """The disk has room."""
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(destination.parent).free
    except OSError as exc:
        raise ConversionError(f"{destination.parent} cannot be written to.", "Choose another place.") from exc
    if free_bytes < needed_bytes:
        raise ConversionError(
            f"The package needs {needed_bytes / 1e6:.0f} MB, but only {free_bytes / 1e6:.0f} MB are free.",
            "Free some space or choose another disk.",
        )


def _package_bytes(weights: Checkpoint, config: ModelConfig, preset: Preset) -> int:
    """About how large the package will be: parameters of each part times its bytes each, and 5 % more."""

    def size(parameters: float, precision: Precision) -> float:
        overhead = 4 / precision.block if precision.block else 0.0
        return parameters * (precision.bits / 8 + overhead)

    audio, text = config.audio, config.text
    encoder = audio.layers * audio.d_model * (4 * audio.d_model + 2 * audio.ffn)
    attention = (2 * text.heads + 2 * text.kv_heads) * text.head_dim
    decoder = text.layers * text.hidden * (attention + 3 * text.ffn)
    convolutions = (
        sum(weights.shape(f"audio_tower.conv2d{n}.weight")[1] for n in (1, 2, 3)) * 9 * audio.conv_channels
    )
    parts = size(encoder, preset.encoder) + size(decoder, preset.decoder)
    parts += size(convolutions, preset.convolutions)
    return int(1.05 * (parts + size(text.vocab * text.hidden, preset.head)))


def _mend(destination: Path) -> None:
    """Put in order what a killed program left behind.

    The older package, if it came between the two renames of ``_put_in_place``, and what was not finished: a
    day old, so that it is not that of a program at work.
    """
    own = re.compile(rf"\.{re.escape(destination.name)}\.[0-9a-f]{{8}}({re.escape(_ASIDE)})?")
    left = [(path, found[1]) for path in _listed(destination.parent) if (found := own.fullmatch(path.name))]
    for path, is_aside in left:
        if not is_aside:
            if path.is_dir() and time.time() - path.stat().st_mtime > _FORGOTTEN_S:
                shutil.rmtree(path, ignore_errors=True)
        elif is_package(path):
            if destination.exists():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.rename(destination)


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _put_in_place(partial: Path, destination: Path) -> None:
    """Rename; an older package is moved aside first and removed once the new one stands."""
    if not destination.exists():
        partial.rename(destination)
        sync_folder(destination.parent)
        return
    aside = partial.with_name(partial.name + _ASIDE)
    destination.rename(aside)
    try:
        partial.rename(destination)
    except BaseException:
        aside.rename(destination)
        raise
    sync_folder(destination.parent)
    shutil.rmtree(aside, ignore_errors=True)
