"""Which kind of model a folder holds, found out from its files, and how it is opened."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from handy_qwen.engine.backend import Model
from handy_qwen.engine.compact import CompactDecoder, CompactEncoder, EmbeddingTable, OutputHead, open_layers
from handy_qwen.engine.config import ModelConfig
from handy_qwen.engine.embedding import ByteTable, FloatTable, NibbleTable, map_array
from handy_qwen.engine.manifest import EMBEDDING_FILE, MANIFEST_FILE, Manifest, load_manifest
from handy_qwen.engine.published import PASS_S, is_published_layout, open_published
from handy_qwen.engine.tokenizer import Tokenizer, load_tokenizer
from handy_qwen.errors import ModelCorruptError, ModelMissingError


def open_model(folder: Path, threads: int) -> Model:
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


def _open_compact(folder: Path, threads: int) -> Model:
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
        return Model(
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


def _open_published(folder: Path, threads: int) -> Model:
    tokenizer = load_tokenizer(folder)
    opened = open_published(folder, audio_pad=tokenizer.marker("<|audio_pad|>"), threads=threads)
    tokenizer.check_fits(opened.config.text.vocab)
    return Model(
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
        return ByteTable(codes, scales)
    zeros = map_array(path, (text.vocab, -(-blocks // 2)), np.uint8, form.zeros_offset_bytes)
    return NibbleTable(codes, scales, zeros)
