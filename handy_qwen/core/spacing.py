"""What belongs between two texts: a space, a narrow one, or nothing; and whether a sentence has ended.

A quotation mark opens in one language and closes in another. Which it does is decided by those before it,
by the space before it, and only then by the language.
"""

# ruff: noqa: RUF001  the punctuation of many scripts is the subject

from __future__ import annotations

import re
from collections.abc import Iterable

from handy_qwen.scripts import extends, has_space_between, is_unspaced

NARROW = "\u202f"  # no-break; French has it before ; : ? ! » and after «
COMMAS = ",、，､،፣၊՝"
ENDS = ".!?…。．｡！？؟۔।॥։።፧፨។៕။‼⁇⁈⁉\u037e"  # of sentences
STOPS = COMMAS + ENDS + ";:；：؛·፤፥፦"  # follow a word without a space
OPENS = "([{⟨〈《「『【〔（［｛〖¿¡„‚"
CLOSES = ")]}⟩〉》」』】〕）］｝〗"
QUOTES = "\"״'“”‘’«»‹›"  # either
INVISIBLE = "\u200b\u200e\u200f\u061c\u2060\u2066\u2067\u2068\u2069\ufeff"
"""Directions of Arabic and Hebrew, and what has no width."""
_SEEN = 400  # characters: a quotation that began before them is forgotten
_SUFFIX = re.compile(r"['’](?:s|t|d|m|re|ve|ll)\b", re.IGNORECASE)
_OPEN_APOSTROPHE = re.compile(r"(?:^|[\s(])'[^\s'][^']*$")
_SAME_ON_BOTH_SIDES = ("Swedish", "Finnish", "Danish")  # ”so”
_OPEN_SLASH = re.compile(r"(?:^|[\s(])[\w'’-]*(?:/|://)$")  # of "and/or", not of an address or a path
_OUTSIDE_ACRONYM = {mark: re.compile(f"(?<![א-ת]){mark}|{mark}(?![א-ת])") for mark in '"״'}
_ITEM = re.compile(r"\s*(?:[-*•–·>#]+|\(?\w{1,2}[.)])\s*")  # what an item of a list begins with
_CLOSES_HIGH = ("German", "Czech", "Macedonian", "Danish")  # „so“


def opens(mark: str, before: str, language: str = "") -> bool:
    """Whether what follows ``mark`` continues it, as after an opening bracket or quotation mark.

    Args:
        mark: One character.
        before: The text before it.
        language: English name; "" if unknown.
    """
    if mark not in QUOTES:
        return mark in OPENS
    seen = before[-_SEEN:].rpartition("\n")[2]
    is_after_space = not seen or seen[-1].isspace() or seen[-1] in OPENS
    match mark:
        case '"' | "״":
            is_open = _is_outside(seen, mark)
        case "'":
            is_open = not _OPEN_APOSTROPHE.search(seen)
        case "“" | "‘":
            is_closing_low = seen.count("„" if mark == "“" else "‚") > seen.count(mark)
            is_open = not (is_closing_low or (language in _CLOSES_HIGH and not is_after_space))
        case "”":
            is_first = seen.count(mark) % 2 == 0 and "“" not in seen and "„" not in seen
            is_open = language in _SAME_ON_BOTH_SIDES and is_first
        case "«" | "‹":
            is_open = seen.count("»" if mark == "«" else "›") <= seen.count(mark)
        case "»" | "›":
            is_first = seen.count("«" if mark == "»" else "‹") <= seen.count(mark)
            is_open = language != "French" and is_first and is_after_space
        case _:  # an apostrophe, or the end of a quotation
            is_open = False
    return is_open


def gap(before: str, after: str, language: str = "") -> str:
    """What is to be put between the texts ``before`` and ``after``: a space, ``NARROW`` or nothing."""
    before, after = before.rstrip(INVISIBLE), after.lstrip(INVISIBLE)
    if not before or not after or before[-1].isspace() or after[0].isspace() or extends(after[0]):
        return ""
    left, right = before[-1], after[0]
    is_french = language == "French"
    if _is_opening_end(before, language):
        return NARROW if is_french and left == "«" else ""
    if right in CLOSES or (right in QUOTES and not _opens_next(right, before, after, language)):
        return NARROW if is_french and right == "»" else ""
    if clings(after):
        return NARROW if is_french and right in ";:?!" and left not in STOPS else ""
    if (left == "/" and _OPEN_SLASH.search(before[-_SEEN:])) or (right == "%" and left.isdigit()):
        return ""
    return " " if has_space_between(left, right) else ""


def clings(text: str) -> bool:
    """Whether ``text`` begins with punctuation of what precedes it; ".NET" and ":)" do not."""
    if text[:1] not in STOPS or not text:
        return False
    rest = text.lstrip(STOPS)[:1]
    return not rest or rest.isspace() or rest in QUOTES or is_unspaced(text[0]) or text[0] not in ".:;"


def ends_sentence(text: str) -> bool:
    """Whether ``text`` ends with a full sentence or a line break; the empty text does."""
    _, line_break, line = text.rpartition("\n")
    if line_break and not any(character.isalnum() for character in line):
        return True  # also behind a bullet
    stripped = text.rstrip().rstrip(QUOTES + CLOSES + INVISIBLE + " \u00a0" + NARROW)
    if not stripped or stripped[-1] in ENDS:
        return True
    return stripped[-1] == ";" and _is_greek(stripped[:-1].rstrip()[-1:])  # its question mark


def is_quoting(text: str, language: str = "") -> bool:
    """Whether ``text`` ends where a quotation or a list begins: what follows may have its own capital."""
    text = text.rstrip().rstrip(INVISIBLE)
    if text[-1:] in {":", "："} or _ITEM.fullmatch(text.rpartition("\n")[2]):
        return True
    return text[-1:] in {*QUOTES, *"„‚「『"} and _is_opening_end(text, language)


def join(texts: Iterable[str], language: str = "") -> str:
    """Put texts one after the other, with a space where one belongs."""
    joined: list[str] = []
    tail = ""
    for text in filter(None, texts):
        joined += [gap(tail, text, language), text]
        tail = (tail + joined[-2] + text)[-_SEEN:]
    return "".join(joined)


def _is_opening_end(before: str, language: str) -> bool:
    mark, earlier = before[-1:], before[:-1]
    if (
        mark in QUOTES
        and mark not in "“‘"
        and earlier
        and not (earlier[-1].isspace() or earlier[-1] in OPENS)
    ):
        return is_unspaced(earlier[-1]) and opens(mark, earlier, language)
    return bool(mark) and opens(mark, earlier, language)


def _opens_next(mark: str, before: str, after: str, language: str) -> bool:
    """Whether ``mark``, the first of ``after``, opens a quotation: a space belongs before it, not behind."""
    if mark in "'’" and language != "Dutch" and _SUFFIX.match(after):  # Dutch: 't for "het"
        return False
    if mark == "’" and language in {"English", "Dutch"} and after[1:2].isalnum():  # the 90s
        return True
    if mark == '"':
        return _is_outside(before[-_SEEN:].rpartition("\n")[2], mark)
    if mark in "“‘" and language in _CLOSES_HIGH:
        return opens(mark, before + " ", language) and after[1:2].isalnum()
    return opens(mark, before + " ", language)


def _is_outside(text: str, mark: str) -> bool:
    """Whether as many quotations ended as began in ``text``. The marks in Hebrew acronyms count for none."""
    return len(_OUTSIDE_ACRONYM[mark].findall(text)) % 2 == 0


def _is_greek(character: str) -> bool:
    return "\u0370" <= character <= "\u03ff" or "\u1f00" <= character <= "\u1fff"
