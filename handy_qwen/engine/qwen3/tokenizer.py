"""Text to token ids and back, by byte-pair encoding.

    tokenizer.data    8 bytes     b"HQ-TOKEN"
                      uint32 x 4  numbers of tokens, of their bytes, of merges, of bytes of the markers
                      uint64      merges: left id * 2 ** 32 + right id, ascending
                      uint32      ranks of the merges, and the ids that they make
                      uint32      where each token's bytes begin, and where the last ones end
                      uint8       the tokens' bytes, by id
                      UTF-8       the markers, a JSON object: name -> id

Everything is little-endian. Opening it takes some milliseconds and 4 MB for Qwen's 151 669 tokens. Hugging
Face's ``tokenizers`` would take a second and 100 MB, and holds the interpreter's lock all the while: sound
that is being recorded would be lost.

Source: Qwen2Tokenizer in transformers (5.x); the file format of Hugging Face's tokenizers (0.23); Sennrich et
al., Neural Machine Translation of Rare Words with Subword Units (2016).
"""

from __future__ import annotations

import heapq
import json
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import regex

from handy_qwen.engine.json_files import as_corrupt, parse_object, read_object
from handy_qwen.errors import ModelCorruptError, ModelMissingError
from handy_qwen.message import Message

MARKERS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|audio_start|>",
    "<|audio_pad|>",
    "<|audio_end|>",
    "<asr_text>",
)
"""Tokens that are parts of a prompt or an answer, not text."""
TOKENIZER_FILE, TABLE_FILE = "tokenizer.json", "tokenizer.data"
_MAGIC = b"HQ-TOKEN"
_MOST_BYTES = 64 << 20  # Qwen's tokenizer.json has 11 MB
_NO_BYTE = 0xFFFF
_REMEMBERED_PIECES = 4096  # the words of a long list
_GONE = -1
_NOT_A_TOKENIZER = Message("it is not a tokenizer file")
_NOT_A_VOCABULARY = Message("it and merges.txt are not a byte-pair vocabulary")
_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_NORMALIZER = {"type": "NFC"}
_SPLIT = {"type": "Split", "pattern": {"Regex": _PIECES}, "behavior": "Isolated", "invert": False}
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}


@dataclass(frozen=True, slots=True)
class TokenTable:
    """Tokens and merges. Nothing changes after construction.

    ``offsets`` has shape (tokens + 1,), uint32, and ``blob`` the bytes between them, uint8; markers have
    none. ``pairs``, uint64, ascending, ``ranks`` and ``results``, uint32, have one element for each merge.
    """

    blob: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.uint32]
    pairs: npt.NDArray[np.uint64]
    ranks: npt.NDArray[np.uint32]
    results: npt.NDArray[np.uint32]
    markers: dict[str, int]

    def __post_init__(self) -> None:
        """Check that the parts fit together; ValueError if they do not."""
        size, offsets, pairs, ranks = len(self), self.offsets, self.pairs, self.ranks
        if offsets[0] != 0 or offsets[-1] != len(self.blob) or (offsets[1:] < offsets[:-1]).any():
            raise ValueError("its tokens do not follow one another")
        if (pairs[1:] <= pairs[:-1]).any() or (np.sort(ranks) != np.arange(len(ranks))).any():
            raise ValueError("its merges have no order")
        used = (pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF), self.results)
        if len(pairs) and max(int(ids.max()) for ids in used) >= size:
            raise ValueError("its merges make tokens that there are not")
        if not all(type(index) is int and 0 <= index < size for index in self.markers.values()):
            raise ValueError("its markers are tokens that there are not")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def token(self, index: int) -> bytes:
        """The bytes of token ``index``; none if there is no such token, or it is a marker."""
        if not 0 <= index < len(self):
            return b""
        return self.blob[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def byte_ids(self) -> tuple[int, ...]:
        """The ids of the 256 single bytes; ValueError if one is missing."""
        single = np.flatnonzero(np.diff(self.offsets) == 1)
        by_byte = {int(self.blob[self.offsets[index]]): int(index) for index in single[::-1]}
        if len(by_byte) < 256:
            raise ValueError("it lacks a byte")
        return tuple(by_byte[byte] for byte in range(256))

    def merge(self, left: int, right: int) -> tuple[int, int] | None:
        """Rank and result of a pair; None if it is not merged."""
        key = np.uint64((left << 32) | right)
        place = int(np.searchsorted(self.pairs, key))
        if place == len(self.pairs) or self.pairs[place] != key:
            return None
        return int(self.ranks[place]), int(self.results[place])

    def save(self, path: Path) -> None:
        """Write the file; OSError if that fails."""
        markers = json.dumps(self.markers, ensure_ascii=False).encode()
        counts = np.array([len(self), len(self.blob), len(self.pairs), len(markers)], np.uint32)
        arrays = (counts, self.pairs, self.ranks, self.results, self.offsets, self.blob)
        parts = [array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays]
        path.write_bytes(b"".join((_MAGIC, *parts, markers)))


class Tokenizer:
    """Text to ids and back. Threads: any; nothing changes after construction but what is remembered.

    ``path`` is the file that ``table`` comes from. ValueError if the table lacks a byte.
    """

    def __init__(self, table: TokenTable, path: Path) -> None:
        self._table = table
        self._path = path
        self._marker_ids = frozenset(table.markers.values())
        self._byte_ids = table.byte_ids()
        self._pieces = regex.compile(_PIECES)
        self._ids_of_piece = lru_cache(_REMEMBERED_PIECES)(self._merge_piece)

    def marker(self, name: str) -> int:
        """The id of a marker such as ``<|im_start|>``; ModelCorruptError if another model's lacks it."""
        if name not in self._table.markers:
            raise ModelCorruptError(
                self._path, Message("it has no token {name}, so it is not Qwen3-ASR's", name=name)
            )
        return self._table.markers[name]

    def check_fits(self, vocab: int) -> None:
        """Raise ModelCorruptError if it has more ids than ``vocab``, or lacks a marker: another model's."""
        largest = len(self._table) - 1
        if largest >= vocab:
            problem = Message(
                "its ids go up to {largest}, those of the model up to {vocab}",
                largest=largest,
                vocab=vocab - 1,
            )
            raise ModelCorruptError(self._path, problem)
        for name in MARKERS:
            self.marker(name)

    def encode(self, text: str) -> list[int]:
        """Ids of ``text``, in which nothing is taken for a marker. Halves of characters become U+FFFD."""
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        pieces = self._pieces.findall(unicodedata.normalize("NFC", text))
        return [index for piece in pieces for index in self._ids_of_piece(piece)]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ``ids``, without markers. Bytes that make no character become U+FFFD."""
        data = b"".join(self._table.token(index) for index in ids if index not in self._marker_ids)
        return data.decode("utf-8", "replace")

    def save(self, folder: Path) -> None:
        """Write the file that a package keeps it in; OSError if that fails."""
        self._table.save(folder / TABLE_FILE)

    def _merge_piece(self, piece: str) -> tuple[int, ...]:
        """Merge neighbours until none may be: always the pair of the lowest rank, of several the leftmost.

        The neighbours are kept as a list of links and the pairs in a heap: a long piece (a page of Chinese
        has no spaces) takes its length times the logarithm of that.
        """
        symbols = [self._byte_ids[byte] for byte in piece.encode()]  # _GONE once part of the one before
        before = [i - 1 for i in range(len(symbols))]
        after = [i + 1 for i in range(len(symbols))]
        heap: list[tuple[int, int, int, int, int]] = []  # rank, place, the two ids, the merged one

        def propose(place: int) -> None:
            if place < 0 or after[place] >= len(symbols):
                return
            left, right = symbols[place], symbols[after[place]]
            if (merge := self._table.merge(left, right)) is not None:
                heapq.heappush(heap, (merge[0], place, left, right, merge[1]))

        for place in range(len(symbols) - 1):
            propose(place)
        while heap:
            _, place, left, right, new = heapq.heappop(heap)
            following = after[place]
            if symbols[place] != left or following >= len(symbols) or symbols[following] != right:
                continue  # one of the two has been merged otherwise
            symbols[place], symbols[following] = new, _GONE
            after[place] = after[following]
            if after[place] < len(symbols):
                before[after[place]] = place
            propose(before[place])
            propose(place)
        return tuple(symbol for symbol in symbols if symbol != _GONE)


def load_tokenizer(folder: Path, vocab: int | None = None) -> Tokenizer:
    """Read the tokenizer of a package, of a checkpoint or of a published model, which has ``vocab`` tokens.

    Raises ModelMissingError, or ModelCorruptError if a file is there but is no tokenizer of Qwen's kind, or
    that of another model.
    """
    path = folder / TABLE_FILE
    if path.is_file():
        with as_corrupt(path, Message("it is not the tokenizer of a package")):
            tokenizer = Tokenizer(_load_table(path), path)
    else:
        raw, path, problem = _read_official(folder), folder / TOKENIZER_FILE, _NOT_A_TOKENIZER
        if not path.is_file():
            path, problem = folder / "vocab.json", _NOT_A_VOCABULARY
        with as_corrupt(path, problem):
            tokenizer = Tokenizer(_table_of(raw), path)
    if vocab is not None:
        tokenizer.check_fits(vocab)
    return tokenizer


def _load_table(path: Path) -> TokenTable:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("it is too large")
    data = path.read_bytes()
    place = len(_MAGIC)

    def array(dtype: str, count: int) -> npt.NDArray[Any]:
        nonlocal place
        found = np.frombuffer(data, dtype, count, place) if count else np.empty(0, dtype)
        place += found.nbytes
        return found if sys.byteorder == "little" else found.astype(found.dtype.newbyteorder("="))

    if data[:place] != _MAGIC:
        raise ValueError("it begins with something else")
    tokens, blob_bytes, merges, marker_bytes = (int(n) for n in array("<u4", 4))
    pairs, ranks, results = (array(dtype, merges) for dtype in ("<u8", "<u4", "<u4"))
    offsets, blob = array("<u4", tokens + 1), array("u1", blob_bytes)
    markers = parse_object(array("u1", marker_bytes).tobytes())
    if place != len(data):
        raise ValueError("it is longer than it should be")
    return TokenTable(blob, offsets, pairs, ranks, results, markers)


def _table_of(raw: dict[str, Any]) -> TokenTable:
    """The table of what a ``tokenizer.json`` says; ValueError, LookupError or others if it is none."""
    markers = {str(token["content"]): int(token["id"]) for token in raw["added_tokens"]}
    alphabet, of_markers = _bytes_of_characters(), set(markers.values())
    vocab = raw["model"]["vocab"]
    tokens = {
        index: text.translate(alphabet).encode("latin-1")
        for text, index in vocab.items()
        if index not in of_markers
    }
    ids = [*tokens, *of_markers]
    size = max(ids) + 1
    if min(ids) < 0 or size > 2 * len(ids) + 1024:
        raise ValueError("its ids are not numbered one after the other")
    texts = [tokens.get(index, b"") for index in range(size)]
    split = (pair.split(" ") if isinstance(pair, str) else pair for pair in raw["model"]["merges"])
    merges = [(vocab[left], vocab[right], vocab[left + right]) for left, right in split]
    left, right, results = np.array(merges, np.uint64).reshape(-1, 3).T
    pairs = left << np.uint64(32) | right
    order = np.argsort(pairs, kind="stable")
    return TokenTable(
        blob=np.frombuffer(b"".join(texts), np.uint8),
        offsets=np.cumsum([0, *map(len, texts)]).astype(np.uint32),
        pairs=pairs[order],
        ranks=order.astype(np.uint32),
        results=results[order].astype(np.uint32),
        markers=markers,
    )


def _read_official(folder: Path) -> dict[str, Any]:
    """What ``tokenizer.json`` says, or is made of ``vocab.json``, ``merges.txt`` and the settings."""
    whole, vocab, merges = (folder / name for name in (TOKENIZER_FILE, "vocab.json", "merges.txt"))
    if whole.is_file():
        with as_corrupt(whole, _NOT_A_TOKENIZER):
            raw: dict[str, Any] = json.loads(_text(whole))
            _check_kind(whole, raw)
            return raw
    for path in (vocab, merges):
        if not path.is_file():
            raise ModelMissingError(whole if path is vocab else merges)
    settings = folder / "tokenizer_config.json"
    with as_corrupt(settings, Message("it lists no added tokens")):
        added = [
            {"id": int(index), **token}
            for index, token in read_object(settings)["added_tokens_decoder"].items()
        ]
    with as_corrupt(vocab, _NOT_A_VOCABULARY):
        ids = json.loads(_text(vocab))
        of_text = set(ids.values())
        for token in added:
            if token["id"] in of_text and ids.get(token["content"]) != token["id"]:
                problem = Message(
                    "its token {token} does not follow on the vocabulary", token=token["content"]
                )
                raise ModelCorruptError(settings, problem)
        lines = _text(merges).splitlines()
        first = 1 if lines and lines[0].startswith("#version") else 0
        pairs = [line.split(" ") for line in lines[first:] if line]
        return {"added_tokens": added, "model": {"vocab": ids, "merges": pairs}}


def _check_kind(path: Path, raw: dict[str, Any]) -> None:
    """Raise ModelCorruptError for a tokenizer of another kind; LookupError or TypeError for what is none."""
    model, splitter = raw["model"], raw["pre_tokenizer"]
    if model.get("type", "BPE") != "BPE" or "vocab" not in model or "merges" not in model:
        raise ValueError("no byte-pair vocabulary")
    if splitter is None or raw["decoder"] is None:
        raise ModelCorruptError(path, Message("it does not say how text is split and put together"))
    split, by_bytes = splitter["pretokenizers"]
    options = ("dropout", "unk_token", "byte_fallback", "ignore_merges")
    affixes = ("continuing_subword_prefix", "end_of_word_suffix")
    is_known = (
        raw["normalizer"] == _NORMALIZER
        and _SPLIT.items() <= split.items()
        and _BYTE_LEVEL.items() <= by_bytes.items()
        and raw["decoder"]["type"] == "ByteLevel"
        and not any(model.get(name) for name in (*options, *affixes))
    )
    if not is_known:
        raise ModelCorruptError(path, Message("it is a tokenizer of another kind than Qwen's"))


def _bytes_of_characters() -> dict[int, int]:
    """For ``str.translate``: the characters that stand for bytes in a vocabulary's files -> those bytes.

    Printable characters of Latin-1 stand for themselves, and those from U+0100 on for the other bytes. What
    stands for no byte becomes a character that no byte is.
    Source: bytes_to_unicode in openai/gpt-2 (encoder.py).
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    table = dict.fromkeys(others, _NO_BYTE) | {byte: byte for byte in printable}
    return table | {256 + number: byte for number, byte in enumerate(others)}


def _text(path: Path) -> str:
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise ValueError("it is no file, or too large")
    return path.read_text(encoding="utf-8")
