"""Byte-level BPE of Qwen, from ``tokenizer.json`` or from ``vocab.json`` and ``merges.txt``.

Ids are never written down in this program: markers such as ``<|im_start|>`` are looked up by name, and text
is encoded as text, so that a context that happens to contain the letters of a marker stays text.

Source: Qwen2Tokenizer (transformers): NFC, the pattern below, byte-level pieces, no prefix space.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import AddedToken, Regex, decoders, normalizers, pre_tokenizers
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import BPE

from handy_qwen.engine.reading import believing, read_object
from handy_qwen.errors import ModelCorruptError, ModelMissingError

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
_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Tokenizer:
    """Text to ids and back. Threads: any; nothing changes after construction."""

    def __init__(self, fast: FastTokenizer, path: Path) -> None:
        self._fast = fast
        self._path = path
        self._markers = {token.content: i for i, token in fast.get_added_tokens_decoder().items()}
        self._marker_ids = frozenset(self._markers.values())

    def marker(self, name: str) -> int:
        """The id of a marker such as ``<|im_start|>``.

        Raises:
            ModelCorruptError: The tokenizer has no such marker: it is that of another model.
        """
        if name not in self._markers:
            raise ModelCorruptError(self._path, f"it has no token {name}, so it is not Qwen3-ASR's")
        return self._markers[name]

    def check_fits(self, vocab: int) -> None:
        """Complain if a model with ``vocab`` tokens cannot be this tokenizer's.

        Raises:
            ModelCorruptError: It gives ids that the model does not have, or lacks a marker of the prompt.
        """
        largest = max(self._fast.get_vocab(with_added_tokens=True).values(), default=-1)
        if largest >= vocab:
            problem = f"its ids go up to {largest}, those of the model up to {vocab - 1}"
            raise ModelCorruptError(self._path, problem)
        for name in MARKERS:
            self.marker(name)

    def encode(self, text: str) -> list[int]:
        """Ids of ``text``, in which nothing is taken for a marker. Halves of characters become U+FFFD."""
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        normalizer, splitter, model = self._fast.normalizer, self._fast.pre_tokenizer, self._fast.model
        normal = normalizer.normalize_str(text) if normalizer else text
        return [token.id for piece, _ in splitter.pre_tokenize_str(normal) for token in model.tokenize(piece)]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ``ids``, without markers. Bytes that make no character become U+FFFD."""
        return str(
            self._fast.decode([i for i in ids if i not in self._marker_ids], skip_special_tokens=False)
        )

    def save(self, path: Path) -> None:
        """Write ``tokenizer.json``.

        Raises:
            OSError: It cannot be written.
        """
        path.write_text(self._fast.to_str(pretty=False), encoding="utf-8")  # its own save hides the reason


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer of a model folder.

    Raises:
        ModelMissingError: There is neither ``tokenizer.json`` nor ``vocab.json`` with ``merges.txt``.
        ModelCorruptError: A file is there but is no tokenizer.
    """
    whole, vocab, merges = (folder / name for name in ("tokenizer.json", "vocab.json", "merges.txt"))
    if whole.is_file():
        return Tokenizer(_read(whole), whole)
    for path in (vocab, merges):
        if not path.is_file():
            raise ModelMissingError(whole if path is vocab else merges)
    return Tokenizer(_assemble(vocab, merges, folder / "tokenizer_config.json"), vocab)


def _read(path: Path) -> FastTokenizer:
    try:
        fast = FastTokenizer.from_file(str(path))
    except Exception as exc:  # the library raises plain Exception for whatever it finds wrong
        raise ModelCorruptError(path, "it is not a tokenizer file") from exc
    if fast.pre_tokenizer is None or fast.decoder is None:
        raise ModelCorruptError(path, "it does not say how text is split and put together")
    return fast


def _assemble(vocab: Path, merges: Path, settings: Path) -> FastTokenizer:
    """Put a fast tokenizer together from the three files of the official checkpoint."""
    try:
        fast = FastTokenizer(BPE.from_file(str(vocab), str(merges)))
    except Exception as exc:  # as above
        raise ModelCorruptError(vocab, "it and merges.txt are not a byte-pair vocabulary") from exc
    fast.normalizer = normalizers.NFC()
    fast.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    fast.decoder = decoders.ByteLevel()
    for expected, token in _added_tokens(settings):
        fast.add_tokens([token]) if not token.special else fast.add_special_tokens([token])
        if fast.token_to_id(token.content) != expected:
            raise ModelCorruptError(settings, f"its token {token.content} does not follow on the vocabulary")
    return fast


def _added_tokens(settings: Path) -> Sequence[tuple[int, AddedToken]]:
    """Markers of ``tokenizer_config.json`` with their ids, in order of the ids."""
    with believing(settings, "it lists no added tokens"):
        added = read_object(settings)["added_tokens_decoder"]
        return [
            (int(i), AddedToken(raw["content"], normalized=False, special=bool(raw["special"])))
            for i, raw in sorted(added.items(), key=lambda item: int(item[0]))
        ]
