"""Text to token ids and back.

Decoding needs only the bytes of each token: a table that opens in milliseconds. Encoding is left to Hugging
Face's ``tokenizers``, loaded when something has to be encoded for the first time (custom words): with Qwen's
vocabulary that takes a second and 100 MB.

    tokens.data    8 bytes     b"HQ-TOKEN"
                   uint32 x 4  numbers of tokens, of their bytes, of merges (0), of bytes of the markers
                   uint32      where each token's bytes begin, and where the last ones end
                   uint8       the tokens' bytes, by id
                   UTF-8       the markers, a JSON object: name -> id

Everything is little-endian. Packages made by earlier versions have no ``tokenizer.json``. Their table, called
``tokenizer.data``, has the merges in front of the offsets: uint64 left id * 2 ** 32 + right id, ascending;
uint32 their ranks; uint32 the ids that they make.

Source: Qwen2Tokenizer in transformers (5.x); the file format of Hugging Face's tokenizers (0.23).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handy_qwen.engine.json_files import as_corrupt, parse_object, read_object
from handy_qwen.errors import ModelCorruptError, ModelMissingError

if TYPE_CHECKING:
    import tokenizers

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
TOKENIZER_FILE, TABLE_FILE = "tokenizer.json", "tokens.data"
_EARLIER_TABLE_FILE = "tokenizer.data"
_MAGIC = b"HQ-TOKEN"
_MOST_BYTES = 64 << 20  # Qwen's tokenizer.json has 11 MB
_NO_BYTE = 0xFFFF
_CONSTANT_PIECES = 64  # of prompts, with the names of all languages
_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_NORMALIZER = {"type": "NFC"}
_SPLIT = {"type": "Split", "pattern": {"Regex": _PIECES}, "behavior": "Isolated", "invert": False}
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


@dataclass(frozen=True, slots=True)
class TokenTable:
    """The bytes of each token; markers have none.

    ``offsets`` has shape (tokens + 1,), uint32, and ``blob`` the bytes between them, uint8. ``merges``, in
    the order of their ranks, are what an earlier version's package has instead of ``tokenizer.json``.
    """

    blob: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.uint32]
    markers: dict[str, int]
    merges: npt.NDArray[np.uint64] | None = None

    def __post_init__(self) -> None:
        """Check that the parts fit together; ValueError if they do not."""
        if (
            self.offsets[0] != 0
            or self.offsets[-1] != len(self.blob)
            or (np.diff(self.offsets.astype(np.int64)) < 0).any()
        ):
            raise ValueError("its tokens do not follow one another")
        if not all(type(index) is int and 0 <= index < len(self) for index in self.markers.values()):
            raise ValueError("its markers are tokens that there are not")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def token(self, index: int) -> bytes:
        """The bytes of token ``index``; none if there is no such token, or it is a marker."""
        if not 0 <= index < len(self):
            return b""
        return self.blob[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def find(self, text: str) -> int | None:
        """The id of the token that is ``text``; None if there is none. Takes a millisecond."""
        token = np.frombuffer(text.encode(), np.uint8)
        ids = np.flatnonzero(np.diff(self.offsets) == len(token))
        places = self.offsets[ids, None] + np.arange(len(token))
        found = ids[(self.blob[places] == token).all(axis=1)]
        return int(found[0]) if len(found) else None

    def save(self, path: Path) -> None:
        """Write the file, without merges.

        Raises:
            OSError: It cannot be written.
        """
        markers = json.dumps(self.markers, ensure_ascii=False).encode()
        counts = np.array([len(self), len(self.blob), 0, len(markers)], "<u4")
        path.write_bytes(
            b"".join(
                (_MAGIC, counts.tobytes(), self.offsets.astype("<u4").tobytes(), self.blob.tobytes(), markers)
            )
        )


class Tokenizer:
    """Text to ids and back. Threads: any; nothing changes after construction but what is loaded to encode."""

    def __init__(self, table: TokenTable, path: Path) -> None:
        """``path`` is the file that ``table`` comes from."""
        self._table = table
        self._path = path
        self._marker_ids = frozenset(table.markers.values())
        self._find = lru_cache(_CONSTANT_PIECES)(table.find)

    def marker(self, name: str) -> int:
        """The id of a marker such as ``<|im_start|>``.

        Raises:
            ModelCorruptError: The tokenizer has no such marker: it is another model's.
        """
        if name not in self._table.markers:
            raise ModelCorruptError(self._path, f"it has no token {name}, so it is not Qwen3-ASR's")
        return self._table.markers[name]

    def check_fits(self, vocab: int) -> None:
        """Complain if a model with ``vocab`` tokens cannot be this tokenizer's.

        Raises:
            ModelCorruptError: It gives ids that the model does not have, or lacks a marker of the prompt.
        """
        largest = len(self._table) - 1
        if largest >= vocab:
            problem = f"its ids go up to {largest}, those of the model up to {vocab - 1}"
            raise ModelCorruptError(self._path, problem)
        for name in MARKERS:
            self.marker(name)

    def encode(self, text: str) -> list[int]:
        """Ids of ``text``, in which nothing is taken for a marker. Halves of characters become U+FFFD.

        Raises:
            ModelCorruptError: The files of the tokenizer are damaged.
        """
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return list(self._encoder.encode(text).ids)

    def encode_pieces(self, *pieces: str) -> list[int]:
        """Ids of a text that is given as the pieces it is split into.

        Where each of them is a token, as in all constant parts of a prompt, nothing has to be loaded.

        Raises:
            ModelCorruptError: The files of the tokenizer are damaged.
        """
        ids = [index for index in map(self._find, pieces) if index is not None]
        return ids if len(ids) == len(pieces) else self.encode("".join(pieces))

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ``ids``, without markers. Bytes that make no character become U+FFFD."""
        data = b"".join(self._table.token(index) for index in ids if index not in self._marker_ids)
        return data.decode("utf-8", "replace")

    def save(self, folder: Path) -> None:
        """Write the two files that a package keeps a checkpoint's tokenizer in.

        Raises:
            OSError: They cannot be written.
        """
        self._table.save(folder / TABLE_FILE)
        text = json.dumps(read_official(self._path.parent), ensure_ascii=False, separators=(",", ":"))
        (folder / TOKENIZER_FILE).write_text(text, encoding="utf-8")

    @cached_property
    def _encoder(self) -> tokenizers.Tokenizer:
        """The library's tokenizer, without markers: they are to stay text."""
        import tokenizers

        folder = self._path.parent
        try:
            if (folder / TOKENIZER_FILE).is_file():
                loaded = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER_FILE))
            elif self._table.merges is not None:
                loaded = tokenizers.Tokenizer.from_str(json.dumps(_json_of_table(self._table)))
            else:
                loaded = tokenizers.Tokenizer.from_str(json.dumps(read_official(folder)))
        except ModelCorruptError:
            raise
        except Exception as exc:  # the library raises nothing more special
            raise ModelCorruptError(folder / TOKENIZER_FILE, "it is not a tokenizer file") from exc
        encoder = tokenizers.Tokenizer(loaded.model)
        encoder.normalizer, encoder.pre_tokenizer = loaded.normalizer, loaded.pre_tokenizer
        return encoder


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer of a package, of a checkpoint or of a published model.

    Raises:
        ModelMissingError: There is none.
        ModelCorruptError: A file is there but is no tokenizer of Qwen's kind.
    """
    for path in (folder / TABLE_FILE, folder / _EARLIER_TABLE_FILE):
        if path.is_file():
            return Tokenizer(_load_table(path), path)
    raw = read_official(folder)
    path = folder / (TOKENIZER_FILE if (folder / TOKENIZER_FILE).is_file() else "vocab.json")
    with as_corrupt(path, "it is not a tokenizer file"):
        return Tokenizer(table_of(raw), path)


def _load_table(path: Path) -> TokenTable:
    with as_corrupt(path, "it is not the tokenizer of a package"):
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
        pairs, ranks, _ = (array(dtype, merges) for dtype in ("<u8", "<u4", "<u4"))
        offsets, blob = array("<u4", tokens + 1), array("u1", blob_bytes)
        markers = parse_object(array("u1", marker_bytes).tobytes())
        if place != len(data):
            raise ValueError("it is longer than it should be")
        return TokenTable(blob, offsets, markers, pairs[np.argsort(ranks)] if merges else None)


def table_of(raw: dict[str, Any]) -> TokenTable:
    """The table of what a ``tokenizer.json`` says.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: It is none.
    """
    markers = {str(token["content"]): int(token["id"]) for token in raw["added_tokens"]}
    alphabet, of_markers = _bytes_of_characters(), set(markers.values())
    tokens = {
        index: text.translate(alphabet).encode("latin-1")
        for text, index in raw["model"]["vocab"].items()
        if index not in of_markers
    }
    ids = [*tokens, *of_markers]
    size = max(ids) + 1
    if min(ids) < 0 or size > 2 * len(ids) + 1024:
        raise ValueError("its ids are not numbered one after the other")
    texts = [tokens.get(index, b"") for index in range(size)]
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.uint32)
    return TokenTable(np.frombuffer(b"".join(texts), np.uint8), offsets, markers)


def read_official(folder: Path) -> dict[str, Any]:
    """What the ``tokenizer.json`` in ``folder`` says.

    Where there are only ``vocab.json``, ``merges.txt`` and ``tokenizer_config.json``, as in the official
    checkpoints, it is made of them.

    Raises:
        ModelMissingError: There is neither.
        ModelCorruptError: A file is there but is no tokenizer, or one of another kind.
    """
    whole, vocab, merges = (folder / name for name in (TOKENIZER_FILE, "vocab.json", "merges.txt"))
    if whole.is_file():
        with as_corrupt(whole, "it is not a tokenizer file"):
            raw: dict[str, Any] = json.loads(_text(whole))
            _check_kind(whole, raw)
            return raw
    for path in (vocab, merges):
        if not path.is_file():
            raise ModelMissingError(whole if path is vocab else merges)
    settings = folder / "tokenizer_config.json"
    with as_corrupt(settings, "it lists no added tokens"):
        added = [
            {"id": int(index), **token}
            for index, token in read_object(settings)["added_tokens_decoder"].items()
        ]
    with as_corrupt(vocab, "it and merges.txt are not a byte-pair vocabulary"):
        ids = json.loads(_text(vocab))
        of_text = set(ids.values())
        for token in added:
            if token["id"] in of_text and ids.get(token["content"]) != token["id"]:
                problem = f"its token {token['content']} does not follow on the vocabulary"
                raise ModelCorruptError(settings, problem)
        lines = _text(merges).splitlines()
        first = 1 if lines and lines[0].startswith("#version") else 0
        return _json_of(ids, [line.split(" ") for line in lines[first:] if line], added)


def _json_of(
    ids: dict[str, int], merges: Sequence[Sequence[str]], added: list[dict[str, Any]]
) -> dict[str, Any]:
    """A ``tokenizer.json`` for Qwen's way to split text."""
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": _NORMALIZER,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [_SPLIT, _BYTE_LEVEL]},
        "decoder": _BYTE_LEVEL,
        "model": {"type": "BPE", "vocab": ids, "merges": merges},
    }


def _json_of_table(table: TokenTable) -> dict[str, Any]:
    """A ``tokenizer.json`` for the table of an earlier version's package."""
    assert table.merges is not None
    character = {byte: chr(code) for code, byte in _bytes_of_characters().items() if byte != _NO_BYTE}
    names = ["".join(map(character.__getitem__, table.token(index))) for index in range(len(table))]
    pairs = zip(
        (table.merges >> np.uint64(32)).tolist(), (table.merges & np.uint64(0xFFFFFFFF)).tolist(), strict=True
    )
    ids = {name: index for index, name in enumerate(names) if name}
    return _json_of(ids, [(names[left], names[right]) for left, right in pairs], [])


def _check_kind(path: Path, raw: dict[str, Any]) -> None:
    """Refuse a tokenizer that is not of Qwen's kind: the constant parts of a prompt would be others.

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
    options = ("dropout", "unk_token", "byte_fallback", "ignore_merges")
    affixes = ("continuing_subword_prefix", "end_of_word_suffix")
    is_known = (
        raw["normalizer"] == _NORMALIZER
        and _SPLIT.items() <= split.items()
        and all(by_bytes[key] == value for key, value in _BYTE_LEVEL.items() if key != "trim_offsets")
        and raw["decoder"]["type"] == "ByteLevel"
        and not any(model.get(name) for name in (*options, *affixes))
    )
    if not is_known:
        raise ModelCorruptError(path, "it is a tokenizer of another kind than Qwen's")


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
