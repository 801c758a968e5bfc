"""The tokenizer of a checkpoint: ``tokenizer.json``, or ``vocab.json``, ``merges.txt`` and settings.

Both say the same in the checkpoints of Qwen. Of what a ``tokenizer.json`` may say, only what Qwen's says is
taken (NFC, the pattern below, bytes, pairs): the model was trained with no other.

Source: Qwen2Tokenizer and its conversion in transformers (5.x); the format of Hugging Face's tokenizers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from handy_qwen.engine.json_files import as_corrupt, read_object
from handy_qwen.engine.qwen3.bpe import latin1_of_alphabet
from handy_qwen.engine.qwen3.vocabulary import Vocabulary, build_vocabulary
from handy_qwen.errors import ModelCorruptError, ModelMissingError

PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""What text is divided into before anything is merged."""
_MOST_BYTES = 64 << 20  # Qwen's has 11 MB


def read_official(folder: Path) -> tuple[Vocabulary, Path]:
    """Read the tokenizer of a checkpoint or of a published model, and name the file that it is in.

    Raises:
        ModelMissingError: There is neither ``tokenizer.json`` nor ``vocab.json`` with ``merges.txt``.
        ModelCorruptError: A file is there but is no tokenizer, or one of another kind.
    """
    whole, vocab, merges = (folder / name for name in ("tokenizer.json", "vocab.json", "merges.txt"))
    if whole.is_file():
        return _read_whole(whole), whole
    for path in (vocab, merges):
        if not path.is_file():
            raise ModelMissingError(whole if path is vocab else merges)
    return _read_parts(vocab, merges, folder / "tokenizer_config.json"), vocab


def _read_whole(path: Path) -> Vocabulary:
    with as_corrupt(path, "it is not a tokenizer file"):
        raw = json.loads(_text(path))
        _check_kind(path, raw)
        model = raw["model"]
        pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"])
        markers = {str(token["content"]): int(token["id"]) for token in raw["added_tokens"]}
        return _vocabulary(model["vocab"], pairs, markers)


def _read_parts(vocab: Path, merges: Path, settings: Path) -> Vocabulary:
    with as_corrupt(settings, "it lists no added tokens"):
        added = read_object(settings)["added_tokens_decoder"]
        markers = {str(token["content"]): int(index) for index, token in added.items()}
    with as_corrupt(vocab, "it and merges.txt are not a byte-pair vocabulary"):
        lines = _text(merges).splitlines()
        first = 1 if lines and lines[0].startswith("#version") else 0
        ids = json.loads(_text(vocab))
        of_text = set(ids.values())
        for name, index in markers.items():
            if index in of_text and ids.get(name) != index:
                raise ModelCorruptError(settings, f"its token {name} does not follow on the vocabulary")
        return _vocabulary(ids, (line.split(" ") for line in lines[first:] if line), markers)


def _vocabulary(ids: dict[str, int], pairs: Iterable[list[str]], markers: dict[str, int]) -> Vocabulary:
    """Translate characters into bytes and the names of tokens into ids."""
    alphabet, of_markers = latin1_of_alphabet(), set(markers.values())
    tokens = {
        index: text.translate(alphabet).encode("latin-1")
        for text, index in ids.items()
        if index not in of_markers
    }
    merges = [(ids[left], ids[right], ids[left + right]) for left, right in pairs]
    return build_vocabulary(tokens, merges, markers)


def _check_kind(path: Path, raw: dict[str, Any]) -> None:
    """Refuse what this program does not do.

    Raises:
        ModelCorruptError: It is a tokenizer of another kind.
        LookupError, TypeError, AttributeError: It is none.
    """
    model, splitter = raw["model"], raw["pre_tokenizer"]
    if model.get("type", "BPE") != "BPE" or "vocab" not in model or "merges" not in model:
        raise ValueError("no byte-pair vocabulary")
    if splitter is None or raw["decoder"] is None:
        raise ModelCorruptError(path, "it does not say how text is split and put together")
    split, by_bytes = splitter["pretokenizers"]
    is_known = (
        raw["normalizer"] == {"type": "NFC"}
        and split["type"] == "Split"
        and split["pattern"] == {"Regex": PIECES}
        and (split["behavior"], split["invert"]) == ("Isolated", False)
        and (by_bytes["type"], by_bytes["add_prefix_space"], by_bytes["use_regex"])
        == ("ByteLevel", False, False)
        and raw["decoder"]["type"] == "ByteLevel"
        and not any(model.get(name) for name in ("dropout", "unk_token", "byte_fallback", "ignore_merges"))
        and not any(model.get(name) for name in ("continuing_subword_prefix", "end_of_word_suffix"))
    )
    if not is_known:
        raise ModelCorruptError(path, "it is a tokenizer of another kind than Qwen's")


def _text(path: Path) -> str:
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise ValueError("it is no file, or too large")
    return path.read_text(encoding="utf-8")
