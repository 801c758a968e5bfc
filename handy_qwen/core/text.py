"""What happens to a transcript before it is inserted: ``clean``, then ``fit`` into what stands there.

    heard --fillers out--> --replacements--> cleaned --space, capital, trailing space--> inserted

``clean`` knows the transcript alone; ``fit`` also the text inserted before it into the same window.
Both leave line breaks as they are. Whoever writes Chinese, Japanese, Thai, Lao, Khmer or Burmese
puts no spaces between words, so none is added beside them and no word boundary is asked for.

The user's regular expressions run in the library ``regex``: Python's own cannot be stopped, and one
careless pattern ("(a+)+b") would keep the program busy for hours. One that takes longer than
``PATTERN_S`` is left out.
"""

# ruff: noqa: RUF001  the punctuation of many scripts is the subject

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from handy_qwen.core.fillers import without_fillers

if TYPE_CHECKING:
    import regex

CONTEXT_TOKENS = 200
"""Budget of the context: beyond some hundred tokens the model begins to hear words that nobody said."""

PATTERN_S = 0.2  # for one regular expression on one text; a sound one needs a thousandth of it

_UNSPACED = (  # first and last code point of the blocks whose scripts have no spaces between words
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3001, 0x30FF),  # CJK punctuation, hiragana, katakana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),  # Chinese characters
    (0xFF00, 0xFFEF),  # full-width forms
    (0x20000, 0x323AF),
)
_ENDS_SENTENCE = ".!?…。！？؟।۔"
_CLOSES = "\"'”’»)]}」』）"
_CLINGS = ".,;:!?…%" + _CLOSES  # stands without a space after what precedes it
_OPENS = "([{«„“‘¿¡「『（/"  # and what follows these stands without one


@dataclass(frozen=True, slots=True)
class Replacement:
    """Write ``written`` wherever ``heard`` was heard.

    A plain ``heard`` stands for whole words only. ``written`` is taken as it is; if it has no capital
    at all, its first letter follows that of what was heard ("Btw" gives "By the way"). With ``is_regex``
    both are Python's, and ``written`` may refer to groups.
    """

    heard: str
    written: str
    is_regex: bool = False
    is_case_sensitive: bool = False


@dataclass(frozen=True, slots=True)
class TextRules:
    """The user's choices about the text."""

    replacements: tuple[Replacement, ...] = ()
    is_without_fillers: bool = False
    has_trailing_space: bool = False
    is_fitted: bool = True  # spacing and capital follow the text inserted before


def is_unspaced(character: str) -> bool:
    """Tell whether ``character`` belongs to a script that puts no spaces between words."""
    return any(first <= ord(character) <= last for first, last in _UNSPACED)


def clean(
    text: str,
    rules: TextRules,
    language: str,
    on_slow: Callable[[Replacement], None] = lambda _: None,
) -> str:
    """Apply fillers and replacements to a transcript.

    Args:
        text: What the model wrote.
        rules: The user's choices.
        language: English name of what was spoken.
        on_slow: Told of each regular expression that was left out because it took too long.

    Raises:
        regex.error: A replacement's pattern is none; ``pattern_error`` finds that beforehand.
    """
    text = text.strip()
    if rules.is_without_fillers:
        text = without_fillers(text, language)
    for replacement in rules.replacements:
        try:
            text = _replaced(text, replacement)
        except TimeoutError:
            on_slow(replacement)
    return text.strip()


def pattern_error(replacement: Replacement) -> str:
    """What is wrong with a replacement's regular expression; "" if nothing is."""
    if not replacement.is_regex:
        return ""
    import regex  # for the few who use it

    try:
        re.compile(replacement.heard).sub(replacement.written, "")  # looks at both, and at once
        _users_pattern(replacement)
    except (re.error, regex.error, IndexError) as exc:  # IndexError: a group of that name is not there
        return str(exc)
    return ""


@lru_cache(maxsize=512)
def _pattern(replacement: Replacement) -> re.Pattern[str]:
    heard = replacement.heard
    left = r"(?<!\w)" if _has_word_boundary(heard[0]) else ""
    right = r"(?!\w)" if _has_word_boundary(heard[-1]) else ""
    heard = left + r"\s+".join(re.escape(part) for part in heard.split()) + right
    return re.compile(heard, 0 if replacement.is_case_sensitive else re.IGNORECASE)


@lru_cache(maxsize=512)
def _users_pattern(replacement: Replacement) -> regex.Pattern[str]:
    import regex  # for the few who use it

    return regex.compile(replacement.heard, 0 if replacement.is_case_sensitive else regex.IGNORECASE)


def _has_word_boundary(character: str) -> bool:
    return (character.isalnum() or character == "_") and not is_unspaced(character)


def _replaced(text: str, replacement: Replacement) -> str:
    if not replacement.heard.strip():
        return text
    if replacement.is_regex:
        # ``concurrent``: the microphone's callback goes on meanwhile.
        pattern = _users_pattern(replacement)
        return str(pattern.sub(replacement.written, text, timeout=PATTERN_S, concurrent=True))
    written = replacement.written

    def write(match: re.Match[str]) -> str:
        return _capitalized(written) if match[0][:1].isupper() and written == written.lower() else written

    return _pattern(replacement).sub(write, text)


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def ends_sentence(text: str) -> bool:
    """Tell whether ``text`` ends with a full sentence or a line break; the empty text does."""
    if text.rstrip(" \t").endswith("\n"):
        return True
    stripped = text.rstrip().rstrip(_CLOSES)
    return not stripped or stripped[-1] in _ENDS_SENTENCE


def needs_space(before: str, after: str) -> bool:
    """Tell whether a space belongs between the texts ``before`` and ``after``."""
    if not before or not after or before[-1].isspace() or after[0].isspace():
        return False
    if before[-1] in _OPENS or after[0] in _CLINGS:
        return False
    return not (is_unspaced(before[-1]) or is_unspaced(after[0]))


def join(texts: Iterable[str]) -> str:
    """Put texts one after the other, with a space where one belongs."""
    joined = ""
    for text in texts:
        joined += " " + text if needs_space(joined, text) else text
    return joined


def fit(text: str, rules: TextRules, previous: str | None, language: str) -> str:
    """Make ``text`` continue what stands before it.

    Args:
        text: What ``clean`` made.
        rules: The user's choices.
        previous: What was last inserted into the same window; None if that is unknown or long ago.
        language: English name of what was spoken.
    """
    if rules.is_fitted and previous:
        if not ends_sentence(previous):
            text = _continued(text, language)
        if needs_space(previous, text):
            text = " " + text
    ends_with_space = not text or text[-1].isspace() or is_unspaced(text[-1])
    return text + " " if rules.has_trailing_space and not ends_with_space else text


def _continued(text: str, language: str) -> str:
    """Write the first letter small, unless the word has its capital in its own right.

    German nouns do, the English "I" does, and a word with further capitals or digits is a name or
    an abbreviation.
    """
    word = re.split(r"[\s,.;:!?…]", text, maxsplit=1)[0]
    is_pronoun = language == "English" and re.fullmatch(r"I(['’]\w+)?", word) is not None
    if language == "German" or is_pronoun or word[1:] != word[1:].lower() or re.search(r"\d", word):
        return text
    if len(word) == 1 and language != "English":  # an initial or a letter's name; "A" is an English article
        return text
    return text[:1].lower() + text[1:]


def context_of(words: Iterable[str], budget_tokens: int = CONTEXT_TOKENS) -> str:
    """Join the user's words to a context for the model: in their order, each once, as many as fit.

    A token is taken for three bytes of UTF-8, which is near the truth for names and jargon and on the
    safe side for Chinese.
    """
    fitting: dict[str, None] = {}
    left = budget_tokens
    for raw in words:
        word = " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in raw).split())
        cost = len(word.encode()) // 3 + 1
        if not word or word in fitting:
            continue
        if cost > left:
            break
        fitting[word] = None
        left -= cost
    return " ".join(fitting)
