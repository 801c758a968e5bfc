"""What happens to a transcript before it is inserted: ``clean``, then ``fit`` to the text before it.

    transcript --commands--> --fillers--> --replacements--> cleaned --spacing, capital--> inserted

``clean`` knows the transcript alone; ``fit`` also the text inserted before it into the same window. Both
return NFC, so that accented letters are single characters where possible, and no control characters but
line breaks and tabs.

The model writes spoken commands as words of a sentence: "Hello, comma, how are you?" A replacement that
writes punctuation or a line break therefore replaces the punctuation around the command as well, and what
follows gets its space and its capital. Other replacements are inserted exactly as the user wrote them. All
replacements apply to what the model wrote, none to the output of another; where two match the same words,
the longer match wins, then the first. There may be thousands: only those whose letters are in the text are
searched for.

The user's regular expressions run in the library ``regex``: Python's own cannot be stopped, and one
careless pattern ("(a+)+b") would hang the program for hours. A pattern that takes longer than
``PATTERN_S``, or writes more than ``PATTERN_CHARACTERS``, is skipped.
"""

# ruff: noqa: RUF001  the punctuation of many scripts is the subject

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from handy_qwen.core.commands import WRITTEN, Command, Obeyed, commands_in, obey, stands_apart, written_as
from handy_qwen.core.hesitations import hesitations_in
from handy_qwen.core.orthography import (
    ABBREVIATION,
    CLOSES,
    COMMAS,
    ENDS,
    NARROW,
    OPENS,
    QUOTES,
    STOPS,
    clings,
    ends_sentence,
    gap,
    is_quoting,
    large,
    opens,
    small,
)
from handy_qwen.languages import extends, is_hangul, is_of_word, is_unspaced

if TYPE_CHECKING:
    import regex


PATTERN_S = 0.2  # for one regular expression on one text; a sound one needs a thousandth of it
MOST_SLOW, HASTY_S = 2, 0.01  # after this many slow ones in a text, each of the others has only this long
PATTERN_CHARACTERS = 1_000_000

PLACEHOLDERS = ("date", "time", "clipboard")
"""Names in braces that are filled in when the words are spoken by themselves."""
_PLACEHOLDER = re.compile("{(" + "|".join(PLACEHOLDERS) + ")}")
TAIL = 400
"""How many characters before a text determine its space and its capital."""
_LINE_BREAK = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_SAME = str.maketrans("İı’", "ii'")
_UNBROKEN = re.compile(  # positions inside numbers, e-mail addresses, "don't" and Hebrew acronyms
    r"""(?<=\d)[.,:]\d|(?<=\d[.,:])\d|(?<=\w)@\w|(?<=\w@)\w|(?<=[nN])['’][tT]\b"""
    """|(?<=[א-ת])["״][א-ת]|(?<=[א-ת]["״])[א-ת]"""
)
_SENTENCE_STOPS = re.compile(rf"[^\S\n]*[{re.escape(ENDS)}]+(?=\s|\Z)|[。！？｡．]+")
_PLAIN_WORDS = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+)*[,.!?…]*")


@dataclass(frozen=True, slots=True)
class Replacement:
    """Write ``written`` wherever ``heard`` was heard.

    A plain ``heard`` matches whole words only; Korean ones may have particles if ``written`` has words, and
    scripts without spaces have no word boundaries. Arabic and Hebrew prefixes count as part of the word: a
    letter such as ``ב`` may as well be the first of another word. ``written`` is used as it is; only if it is
    all lower case does it get a capital where ``heard`` had one at the start of a sentence ("Btw" gives "By
    the way"). With ``is_regex`` both are Python's, and ``written`` may refer to groups. With ``is_alone``,
    ``written`` may have the ``PLACEHOLDERS``.
    """

    heard: str
    written: str
    is_regex: bool = False
    is_case_sensitive: bool = False
    # Only if spoken by itself, between pauses; see ``commands.stands_apart``. If it is a whole sentence,
    # its full stop is replaced as well.
    is_alone: bool = False


@dataclass(frozen=True)
class TextRules:
    """The user's settings for the text."""

    replacements: tuple[Replacement, ...] = ()
    is_without_fillers: bool = False
    has_trailing_space: bool = False
    is_fitted: bool = True  # spacing and capital depend on the text inserted before
    custom_words: tuple[str, ...] = ()  # words that keep their case
    commands: frozenset[Command] = frozenset()  # enabled commands ...
    commands_not_in: tuple[str, ...] = ()  # ... but in these languages

    def commands_in(self, language: str) -> frozenset[Command]:
        """The enabled commands for ``language``."""
        is_off = bool({language, written_as(language)} & {*self.commands_not_in})
        return frozenset() if is_off else self.commands

    def has_custom(self, text: str) -> bool:
        """Whether ``text`` begins with a custom word."""
        return _begins_with_one(text, self._custom)

    def has_own(self, text: str) -> bool:
        """Whether ``text`` begins with the user's own spelling: a custom word or a replacement's text."""
        return self.has_custom(text) or _begins_with_one(text, self._written)

    def replacements_in(self, text: str) -> list[Replacement]:
        """Replacements that may match ``text``: plain ones only if the longest part of ``heard`` is in it."""
        folded = _folded(text)
        return [one for key, one in self._keyed if key in folded]

    @cached_property
    def _custom(self) -> tuple[str, ...]:
        return _spelled(self.custom_words)

    @cached_property
    def _written(self) -> tuple[str, ...]:
        return _spelled(one.written for one in self.replacements if not one.is_regex)

    @cached_property
    def _keyed(self) -> list[tuple[str, Replacement]]:
        keyed: list[tuple[str, Replacement]] = []
        for one in self.replacements:
            parts = [""] if one.is_regex else _folded(_plain(one.heard)).split()
            keyed += [(max(parts, key=len), one)] if parts else []
        return keyed


def clean(
    text: str,
    rules: TextRules,
    language: str,
    on_slow: Callable[[Replacement], None] = lambda _: None,
) -> str:
    """The text of ``heard``, where the actions that commands request are not possible."""
    return heard(text, rules, language, on_slow).text


def heard(
    text: str,
    rules: TextRules,
    language: str,
    on_slow: Callable[[Replacement], None] = lambda _: None,
    values: Mapping[str, str] = MappingProxyType({}),
) -> Obeyed:
    """Apply spoken commands, filler removal and replacements to a transcript.

    Args:
        text: What the model wrote.
        rules: The user's choices.
        language: English name of what was spoken.
        on_slow: Called for each regular expression that was skipped because it took too long.
        values: Values of the ``PLACEHOLDERS``; a missing one is left as it is.

    Raises:
        regex.error: A replacement's pattern is invalid; ``pattern_error`` detects that beforehand.
    """
    wanted = rules.commands_in(language)
    obeyed = obey(_plain(text).strip(), language, wanted)
    text = obeyed.text
    if rules.is_without_fillers:
        text = _Rewriting(rules, language).rewritten(text, _fillers(text, rules, language))
    commands = commands_in(text, language, wanted & WRITTEN.keys())
    breaks = [_Found(one.start, one.end, WRITTEN[one.command]) for one in commands]
    found: list[_Found] = []
    slow = 0
    for replacement in rules.replacements_in(text):
        try:
            matches = _matches(text, replacement, PATTERN_S if slow < MOST_SLOW else HASTY_S)
            found += _snippets(text, matches, breaks, values) if replacement.is_alone else matches
        except TimeoutError:
            slow += 1
            on_slow(replacement)
    text = _Rewriting(rules, language).rewritten(text, _apart(found + breaks))
    return replace(obeyed, text=unicodedata.normalize("NFC", text))


def placeholders_in(text: str, rules: TextRules) -> frozenset[str]:
    """The ``PLACEHOLDERS`` needed for the transcript ``text``."""
    text = _plain(text).strip()
    alone = [one for one in rules.replacements_in(text) if one.is_alone and not one.is_regex]
    return frozenset(
        name[1]
        for one in alone
        for name in _PLACEHOLDER.finditer(one.written)
        if any(True for _ in _matches(text, one))
    )


def pattern_error(replacement: Replacement) -> str:
    """What is wrong with a replacement's regular expression; "" if nothing is."""
    if not replacement.is_regex:
        return ""
    import regex  # few users need it

    try:
        re.compile(replacement.heard).sub(replacement.written, "")  # looks at both, and at once
        _users_pattern(replacement)
    except (re.error, regex.error, IndexError) as exc:  # IndexError: no group of that name
        return str(exc)
    return ""


def fit(text: str, rules: TextRules, previous: str | None, language: str, following: str = "") -> str:
    """Fit ``text`` to what is before and after the cursor.

    Args:
        text: What ``clean`` made.
        rules: The user's choices.
        previous: The text before the cursor, or inserted last into the same window; None if unknown or long
            ago.
        language: English name of what was spoken.
        following: The text after the cursor; "" if there is none or it is unknown.
    """
    text = _plain(text)
    if rules.is_fitted and previous:
        is_continuing = not ends_sentence(previous) and not is_quoting(previous, language)
        if is_continuing and not rules.has_own(text):
            text = small(text, language)
        text = gap(previous[-TAIL:], text, language) + text
    if rules.is_fitted and following:
        text += gap(text, following, language)
    takes_space = rules.has_trailing_space and gap(text, "a", language) == " " and not is_unspaced(text[-1])
    return text + " " if takes_space and following[:1] != " " else text


def _begins_with_one(text: str, words: tuple[str, ...]) -> bool:
    return (
        text.startswith(words)
        and any(  # with thousands of words, usually none is
            text.startswith(word) and not is_of_word(text[len(word) : len(word) + 1] or " ") for word in words
        )
    )


def _spelled(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for word in map(_plain, words) if word[:1].strip())


def _plain(text: str) -> str:
    """``text`` in NFC, with one kind of line break and no other control characters but tabs."""
    return unicodedata.normalize("NFC", _CONTROL.sub("", _LINE_BREAK.sub("\n", text)))


def one_line(text: str) -> str:
    """``text`` in NFC, without control characters, with single spaces."""
    return " ".join(_plain(text).split())


def _folded(text: str) -> str:
    """``text`` folded the way ``re.IGNORECASE`` compares it."""
    return text.translate(_SAME).casefold()


# ---- finding what is to be replaced ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """``written`` replaces the text from ``start`` to ``end``."""

    start: int
    end: int
    written: str


@lru_cache(maxsize=4096)
def _pattern(replacement: Replacement) -> re.Pattern[str]:
    parts = (
        re.escape(part).replace("’", "'").replace("'", "['’]") for part in _plain(replacement.heard).split()
    )
    return re.compile(r"\s+".join(parts), 0 if replacement.is_case_sensitive else re.IGNORECASE)


@lru_cache(maxsize=4096)
def _users_pattern(replacement: Replacement) -> regex.Pattern[str]:
    import regex  # few users need it

    heard = unicodedata.normalize("NFC", replacement.heard)
    return regex.compile(heard, 0 if replacement.is_case_sensitive else regex.IGNORECASE)


def _matches(text: str, replacement: Replacement, timeout_s: float = PATTERN_S) -> Iterable[_Found]:
    """Where ``replacement`` matches, in order.

    Raises:
        TimeoutError: The pattern takes longer, or writes too much.
    """
    found = (_pattern_matches if replacement.is_regex else _word_matches)(text, replacement, timeout_s)
    if replacement.is_alone:
        return (one for one in found if stands_apart(text, one.start, one.end))
    return found


def _snippets(
    text: str, found: Iterable[_Found], breaks: Iterable[_Found], values: Mapping[str, str]
) -> Iterator[_Found]:
    """``found`` with ``values`` for placeholders; a whole sentence includes its full stop."""
    ends = {each.end for each in breaks}
    for one in found:
        before, stops = text[: one.start].rstrip(_BLANKS + COMMAS), _SENTENCE_STOPS.match(text, one.end)
        if stops is not None and (ends_sentence(text[: one.start]) or len(before) in ends):
            one = replace(one, end=stops.end())  # noqa: PLW2901
        written = _PLACEHOLDER.sub(lambda match: _plain(values.get(match[1], match[0])), one.written)
        yield replace(one, written=written)


def _apart(found: list[_Found]) -> list[_Found]:
    """The non-overlapping ones of ``found``, in order: of two that overlap the longer, then the first."""
    apart: list[_Found] = []
    for one in sorted(found, key=lambda one: one.start - one.end):
        at = bisect(apart, _place(one), key=_place)
        if (at == 0 or apart[at - 1].end <= one.start) and (at == len(apart) or one.end <= apart[at].start):
            apart.insert(at, one)
    return apart


def _place(found: _Found) -> tuple[int, int]:
    return found.start, found.end


def _word_matches(text: str, replacement: Replacement, _timeout_s: float) -> Iterator[_Found]:
    pattern, written, at = _pattern(replacement), _plain(replacement.written), 0
    may_have_particle = any(map(is_of_word, written))  # a comma has no particles
    while (match := pattern.search(text, at)) is not None:
        is_whole = _is_whole(text, *match.span(), may_have_particle=may_have_particle)
        if is_whole:
            yield _Found(*match.span(), written)
        at = match.end() if is_whole else match.start() + 1


def _pattern_matches(text: str, replacement: Replacement, timeout_s: float) -> list[_Found]:
    found: list[_Found] = []
    count = 0

    def note(match: regex.Match[str]) -> str:
        nonlocal count
        written = _plain(str(match.expand(replacement.written)))
        found.append(_Found(match.start(), match.end(), written))
        count += len(written)
        if count > PATTERN_CHARACTERS:
            raise TimeoutError
        return ""

    # ``concurrent``: the microphone's callback keeps running.
    _users_pattern(replacement).sub(note, text, timeout=timeout_s, concurrent=True)
    return found


def _is_whole(text: str, start: int, end: int, *, may_have_particle: bool) -> bool:
    """Whether ``text[start:end]`` begins and ends at word boundaries."""
    first, last, before, after = text[start], text[end - 1], text[start - 1 : start], text[end : end + 1]
    if any(_UNBROKEN.match(text, at) for at in (start, end)):
        return False
    if before == "\u200d" or (after and extends(after)):
        return False
    is_joined = before and is_of_word(before) and is_of_word(first) and is_hangul(before) == is_hangul(first)
    if is_joined and not (is_unspaced(before) or is_unspaced(first)):
        return False
    if not (after and is_of_word(after) and is_of_word(last)):
        return True
    if is_hangul(after) and is_hangul(last):
        return may_have_particle
    return any(is_unspaced(one) or is_hangul(one) for one in (after, last))


# ---- hesitations ----------------------------------------------------------------------------------------


def _fillers(text: str, rules: TextRules, language: str) -> list[_Found]:
    """The hesitations in ``text`` that are neither the user's words nor part of a replacement."""
    found = [
        _Found(start, end, "")
        for start, end in hesitations_in(text, language)
        if not rules.has_custom(text[start:end])
    ]
    if not found:
        return []
    plain = [one for one in rules.replacements_in(text) if not one.is_regex]
    taken = {id(one) for one in _apart([match for one in plain for match in _matches(text, one)] + found)}
    return [one for one in found if id(one) in taken]


# ---- writing it -----------------------------------------------------------------------------------------

_BLANKS = " \u00a0" + NARROW
_WHITE = _BLANKS + "\t\n"
_DASHES = "-–—―"
_ASKING = {*"?!？！؟"}
_SMALL_AFTER_GREETING = ("German", "Polish", "Czech", "Russian", "Italian", "Hungarian", "Finnish", "Greek")
"""Languages in which a letter continues in lower case below "Dear Anna,"."""
_SIGNS = frozenset(STOPS + OPENS + CLOSES + QUOTES + _DASHES)
_DUTCH_SHORT = re.compile(r"['’][^\W\d_]\b(?!['’])")  # 't for "het": the next word has the capital
_BLANK_RUN = re.compile(r"[^\S\n]*")
_UNSPACED_STOPS = "、。，！？；：｡､．"
_STOP_RUN = re.compile(
    rf"[^\S\n]*(?:[{re.escape(STOPS)}]+(?=\s|\Z|[{re.escape(QUOTES + CLOSES)}])|[{_UNSPACED_STOPS}]+)"
)
_COMMA_RUN = re.compile(rf"[^\S\n]*(?:[{COMMAS}]+(?=\s|\Z)|[、，､]+)")


class _Rewriting:
    """Replaces what was found with what is to be written. Used once."""

    def __init__(self, rules: TextRules, language: str) -> None:
        self._rules = rules
        self._language = language
        self._pieces: list[tuple[str, bool]] = []  # (text, whether a replacement wrote it)
        self._tail = ""  # the last characters of them
        self._owes_gap = False  # spaces were removed; what comes next decides which belong there
        self._owes_capital = False

    def rewritten(self, text: str, found: list[_Found]) -> str:
        """``text`` with all of ``found``, which are in order and do not overlap, replaced."""
        at, end = 0, len(text.rstrip())
        limits = [*(one.start for one in found[1:]), len(text)]
        for one, limit in zip(found, limits, strict=False):
            self._emit(text[at : one.start])
            heard, after = text[one.start : one.end], text[one.end : limit]
            at = one.end + self._replace(heard, after, one.written, is_last=one.end == end)
        self._emit(text[at:])
        self._trim(_WHITE)
        pieces = [piece for piece, _ in self._pieces]
        if pieces and not self._pieces[0][1]:
            pieces[0] = pieces[0].lstrip()
        return "".join(pieces)

    def _replace(self, heard: str, after: str, written: str, *, is_last: bool) -> int:
        """Write ``written`` instead of ``heard``. Returns how much of ``after`` it replaces."""
        before = self._tail
        fits_left = (
            bool(heard.strip()) and not heard[0].isspace() and (self._owes_gap or _is_free_left(before))
        )
        fits_right = bool(heard.strip()) and not heard[-1].isspace() and _is_free_right(after)
        if not written.strip(_BLANKS):
            if fits_left and fits_right:
                return self._remove(heard, after, is_last=is_last)
            self._emit(written, is_fixed=True)
            return 0
        is_sign = all(character in _SIGNS or character.isspace() for character in written)
        if fits_left:
            self._make_room(heard, written, is_sign=is_sign)
        is_raised = heard[:1].isupper() and ends_sentence(before)
        is_name = heard.isupper() and len(heard) > 1 and " " not in written  # "NPM", which may be a command
        if (
            is_raised
            and not is_name
            and _PLAIN_WORDS.fullmatch(written)
            and not self._rules.has_custom(written)
        ):
            written = large(written, self._language)
        self._emit(written, is_fixed=True)
        if not fits_right:
            return 0
        self._owes_capital = self._owes_capital or (is_raised and is_sign)
        return self._taken(heard, written, before, after, is_sign=is_sign)

    def _make_room(self, heard: str, written: str, *, is_sign: bool) -> None:
        """Remove what the model put before a spoken punctuation mark."""
        sign = written.lstrip(_BLANKS)
        if sign[0] in "\n\t":
            self._trim(_BLANKS + COMMAS)
        elif clings(sign) and not sign.lstrip(STOPS)[:1].isalnum():
            self._trim(_BLANKS + COMMAS)
            if sign[0] in ".…" or not self._is_abbreviated(heard):
                self._trim(_BLANKS + STOPS)
            self._owes_gap = True
        elif is_sign:
            self._trim(_BLANKS + COMMAS)
            self._owes_gap = True

    def _is_abbreviated(self, heard: str) -> bool:
        """Whether the full stop is not the end of a sentence: the model continued in lower case."""
        if not self._tail.endswith(".") or self._tail.endswith(".."):
            return False
        return heard[:1].islower() or ABBREVIATION.search(self._tail) is not None

    def _taken(self, heard: str, written: str, before: str, after: str, *, is_sign: bool) -> int:
        """How much of ``after`` the model added because of a spoken mark, with the spaces after it."""
        sign = written.rstrip(_BLANKS)
        last, whole = sign[-1], before + sign
        run: re.Match[str] | None = None
        if last in "\n\t":
            run = _STOP_RUN.match(after)
            is_greeting = self._language in _SMALL_AFTER_GREETING and self._tail.rstrip()[-1:] in {*COMMAS}
            self._owes_capital = last == "\n" and not is_greeting
        elif is_sign:
            is_end = ends_sentence(whole)
            is_opening = opens(last, whole[:-1], self._language)
            is_closing = not is_opening and last in CLOSES + QUOTES
            run = (_COMMA_RUN if is_closing and not is_end else _STOP_RUN).match(after)
            self._owes_gap = True
            if is_closing:  # “Why?” he asked
                self._owes_capital = self._owes_capital and whole.rstrip(CLOSES + QUOTES)[-1:] not in _ASKING
            elif last in STOPS:
                is_spoken = any(map(is_of_word, heard))  # the model's own mark already determined the capital
                self._owes_capital = is_spoken and is_end and not whole.endswith(("…", ".."))
        elif sign == written:
            is_pair = last in STOPS and re.match(rf"[{re.escape(STOPS)}](?![{re.escape(STOPS)}])", after)
            return 1 if is_pair and (last in COMMAS + ":;" or after[0] in {last, "."}) else 0
        return _blanks_after(after, run.end() if run else 0)

    def _remove(self, heard: str, after: str, *, is_last: bool) -> int:
        """Write nothing: also remove a comma, and let the next word begin the sentence."""
        self._trim(_BLANKS)
        before = self._tail
        comma, stop = _COMMA_RUN.match(after), _STOP_RUN.match(after)
        self._owes_gap = True
        taken = 0
        if ends_sentence(before):
            taken = stop.end() if stop else 0
            self._owes_capital = self._owes_capital or before[-1:] == "\n" or heard[:1].isupper()
        elif comma:
            taken = comma.end()
        elif stop or is_last:
            self._trim(_BLANKS + COMMAS)
        if before[-1:] in {*_DASHES} and after.lstrip(_BLANKS).startswith(before[-1]):
            taken = after.index(before[-1]) + 1
        return _blanks_after(after, taken)

    def _emit(self, text: str, *, is_fixed: bool = False) -> None:
        if not text:
            return
        if self._owes_gap:
            self._owes_gap = False
            space = gap(self._tail, text, self._language)
            if space:
                self._add(space, is_fixed=False)
        if self._owes_capital and any(character.isalnum() for character in text):
            self._owes_capital = False
            text = text if is_fixed else self._raised(text)
        self._add(text, is_fixed=is_fixed)

    def _add(self, text: str, *, is_fixed: bool) -> None:
        self._pieces.append((text, is_fixed))
        self._tail = (self._tail + text[-TAIL:])[-TAIL:]

    def _raised(self, text: str) -> str:
        word = text.lstrip(_BLANKS + "\n" + OPENS + QUOTES)
        is_dutch = self._language == "Dutch" and _DUTCH_SHORT.match(text.lstrip(_BLANKS + "\n"))
        if is_dutch or self._rules.has_own(word):
            return text
        return text[: len(text) - len(word)] + large(word, self._language)

    def _trim(self, characters: str) -> None:
        """Remove ``characters`` from the end, except what a replacement wrote."""
        while self._pieces and not self._pieces[-1][1]:
            piece = self._pieces.pop()[0]
            kept = piece.rstrip(characters)
            self._tail = self._tail[: len(self._tail) - len(piece) + len(kept)] if len(piece) < TAIL else ""
            if kept:
                self._pieces.append((kept, False))
                break
        if len(self._tail) < TAIL // 2:
            self._tail = self._end()

    def _end(self) -> str:
        """The last characters so far."""
        found: list[str] = []
        missing = TAIL
        for piece, _ in reversed(self._pieces):
            if missing <= 0:
                break
            found.append(piece[-missing:])
            missing -= len(piece)
        return "".join(reversed(found))


def _is_free_left(before: str) -> bool:
    last = before[-1:]
    return not last or last.isspace() or last in OPENS + QUOTES or is_unspaced(last)


def _is_free_right(after: str) -> bool:
    return not after or after[0].isspace() or after[0] in STOPS + CLOSES + QUOTES or is_unspaced(after[0])


def _blanks_after(text: str, start: int) -> int:
    run = _BLANK_RUN.match(text, start)
    return run.end() if run else start
