"""What differs from script to script: where words end and whether spaces part them.

One table for everything that joins, cuts or searches text.
"""

from __future__ import annotations

import unicodedata

_UNSPACED = (  # first and last code point of the blocks whose scripts have no spaces between words
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x19E0, 0x19FF),
    (0x2E80, 0x2FDF),  # radicals
    (0x3000, 0x312F),  # CJK punctuation, hiragana, katakana, bopomofo
    (0x3190, 0x4DBF),  # from here on without the Hangul at U+3130
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),  # Burmese
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE4F),
    (0xFF00, 0xFF9F),  # full-width forms, half-width katakana
    (0xFFE0, 0xFFEF),
    (0x1AFF0, 0x1B16F),
    (0x20000, 0x3FFFF),
)
_HANGUL = ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xFFA0, 0xFFDC))
_JOINERS = "\u200c\u200d"  # inside Persian words and emoji
_SKINS = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"  # colour the emoji before them

UNSPACED_CLASS = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in _UNSPACED)
"""The inside of a character class of ``re``."""


def is_unspaced(character: str) -> bool:
    """Whether ``character`` belongs to a script that puts no spaces between words."""
    return _is_in(character, _UNSPACED)


def has_space_between(left: str, right: str) -> bool:
    """Whether a space parts two words of which one ends with ``left`` and the next begins with ``right``.

    Chinese and Japanese have none beside words of other scripts either; Thai and its neighbours do.
    """
    is_left, is_right = is_unspaced(left), is_unspaced(right)
    return not (is_left and is_right) and not any(
        is_unspaced(one) and one >= "\u2e80" for one in (left, right)
    )


def is_hangul(character: str) -> bool:
    """Whether ``character`` is Korean, where particles follow a word without a space."""
    return _is_in(character, _HANGUL)


def extends(character: str) -> bool:
    """Whether ``character`` belongs to the one before it: an accent, a vowel sign, a joiner, a skin tone."""
    return character in _JOINERS + _SKINS or unicodedata.category(character)[0] == "M"


def is_of_word(character: str) -> bool:
    """Whether ``character`` is part of a word, as combining marks and joiners are."""
    return character.isalnum() or character == "_" or extends(character)


def _is_in(character: str, blocks: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in blocks)
