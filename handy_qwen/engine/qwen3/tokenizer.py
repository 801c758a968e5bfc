"""Text to ids and back, as Qwen does it.

Ids are never written down in this program: markers such as ``<|im_start|>`` are looked up by name, and text
is encoded as text, so that a context that happens to contain the letters of a marker stays text.

Source: Qwen2Tokenizer (transformers): NFC, pieces, bytes, pairs, no prefix space.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import regex

from handy_qwen.engine.qwen3.bpe import merged
from handy_qwen.engine.qwen3.official_tokenizer import PIECES, read_official
from handy_qwen.engine.qwen3.vocabulary import VOCABULARY_FILE, Vocabulary, load_vocabulary
from handy_qwen.errors import ModelCorruptError

MARKERS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|audio_start|>",
    "<|audio_pad|>",
    "<|audio_end|>",
    "<asr_text>",
)
"""Tokens that stand for parts of a prompt or an answer, not for text."""
_REMEMBERED_PIECES = 4096  # the words of a long vocabulary


class Tokenizer:
    """Text to ids and back. Threads: any; nothing changes after construction but what is remembered."""

    def __init__(self, vocabulary: Vocabulary, path: Path) -> None:
        """``path`` is where it comes from, for errors."""
        self._vocabulary = vocabulary
        self._path = path
        self._marker_ids = frozenset(vocabulary.markers.values())
        self._pieces = regex.compile(PIECES)
        self._ids_of_piece = lru_cache(_REMEMBERED_PIECES)(self._merge_piece)

    def marker(self, name: str) -> int:
        """The id of a marker such as ``<|im_start|>``.

        Raises:
            ModelCorruptError: The tokenizer has no such marker: it is that of another model.
        """
        markers = self._vocabulary.markers
        if name not in markers:
            raise ModelCorruptError(self._path, f"it has no token {name}, so it is not Qwen3-ASR's")
        return markers[name]

    def check_fits(self, vocab: int) -> None:
        """Complain if a model with ``vocab`` tokens cannot be this tokenizer's.

        Raises:
            ModelCorruptError: It gives ids that the model does not have, or lacks a marker of the prompt.
        """
        largest = len(self._vocabulary) - 1
        if largest >= vocab:
            problem = f"its ids go up to {largest}, those of the model up to {vocab - 1}"
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
        token = self._vocabulary.token
        data = b"".join(token(index) for index in ids if index not in self._marker_ids)
        return data.decode("utf-8", "replace")

    def save(self, folder: Path) -> None:
        """Write the file that a package keeps it in.

        Raises:
            OSError: It cannot be written.
        """
        self._vocabulary.save(folder / VOCABULARY_FILE)

    def _merge_piece(self, piece: str) -> tuple[int, ...]:
        vocabulary = self._vocabulary
        return tuple(merged([vocabulary.byte_ids[byte] for byte in piece.encode()], vocabulary.merge_of))


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer of a package, of a checkpoint or of a published model.

    Raises:
        ModelMissingError: There is none.
        ModelCorruptError: A file is there but is no tokenizer of Qwen's kind.
    """
    packed = folder / VOCABULARY_FILE
    if packed.is_file():
        return Tokenizer(load_vocabulary(packed), packed)
    return Tokenizer(*read_official(folder))
