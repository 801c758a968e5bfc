"""The lists of words and replacements, and adding to them.

Two words are the same if they differ in case only; two replacements, if they match the same. Adding never
loses anything: a word can only change its spelling, and only to what was typed. The most important words are
first: the model reads as many as fit. So typed or pasted words go first, imported ones last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from handy_qwen.core.text import Replacement, one_line
from handy_qwen.message import Message, messages, sentences
from handy_qwen.settings.checks import MAX_ITEMS, MAX_TEXT, item_of, replacement
from handy_qwen.settings.checks import text as settings_text
from handy_qwen.settings.document import dump
from handy_qwen.settings.fields import Settings

MOST_BYTES = 900_000  # of both lists in the settings file, which may have 2 ** 20 with its comments
TOO_LONG = Message("longer than {count} characters", count=MAX_TEXT)
NOT_UNICODE = Message("not Unicode")
BAD_PATTERN = Message("not a valid pattern")
IS_FULL = Message("the list is full, {count} entries", count=MAX_ITEMS)
NO_ROOM = Message("the settings file is full")
TAKEN = Message("replaced by something else already")
_TOLD = 3  # lines whose reason is reported


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The lists in the settings."""

    words: tuple[str, ...] = field(default=(), repr=False)
    replacements: tuple[Replacement, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Vocabulary:
        """The lists of ``settings``."""
        return cls(settings.custom_words, settings.replacements)

    def changes_from(self, before: Vocabulary) -> dict[str, object]:
        """The settings to change for ``before`` to become this."""
        changes: dict[str, object] = {}
        if self.words != before.words:
            changes["custom_words"] = self.words
        if self.replacements != before.replacements:
            changes["replacements"] = self.replacements
        return changes


@dataclass(frozen=True, slots=True)
class Item:
    """A word or replacement to add, and its source line, from 1."""

    line: int
    value: str | Replacement = field(repr=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that was not used, and why, as the end of a sentence."""

    line: int
    reason: Message


@dataclass(frozen=True, slots=True)
class Outcome:
    """The lists after a change, and the result for each line."""

    vocabulary: Vocabulary
    words: int = 0
    replacements: int = 0
    known: int = 0
    respelled: int = 0
    skipped: tuple[Skipped, ...] = ()

    def after(self, skipped: Iterable[Skipped]) -> Outcome:
        """This outcome, with earlier ``skipped`` lines."""
        lines = sorted((*skipped, *self.skipped), key=lambda one: one.line)
        return replace(self, skipped=tuple(lines))

    @property
    def summary(self) -> Message:
        """What was added, known and skipped, by line numbers without contents."""
        known, skipped = self.known, len(self.skipped)
        told = listed(
            words_added(self.words),
            replacements_added(self.replacements),
            messages("{count} spelling changed", "{count} spellings changed", self.respelled),
            messages("{count} already there", "{count} already there", known),
            messages("{count} line skipped", "{count} lines skipped", skipped),
        ) or Message("Nothing to add")
        if not skipped:
            return Message("{changes}.", changes=told)
        lines = [
            Message("line {line}: {reason}", line=one.line, reason=one.reason) for one in self.skipped[:_TOLD]
        ]
        if skipped > _TOLD:
            lines.append(messages("and {count} more", "and {count} more", skipped - _TOLD))
        return Message("{changes} ({lines}).", changes=told, lines=sentences(*lines, between="; "))


def words_added(count: int) -> Message:
    """The message about new words."""
    return messages("{count} word added", "{count} words added", count)


def replacements_added(count: int) -> Message:
    """The message about new replacements."""
    return messages("{count} replacement added", "{count} replacements added", count)


def listed(*counted: Message) -> Message:
    """Those of ``counted``, all from ``messages``, whose count is not 0."""
    return sentences(*(one for one in counted if one.values["count"]), between=", ")


def tidy(word: str) -> str:
    """A word as stored: one line in NFC, without a byte order mark."""
    return one_line(word.replace("\ufeff", ""))


def lines_of(text: str) -> list[Item]:
    """The words in ``text``, one per line, including empty lines."""
    return [Item(number, word) for number, line in enumerate(text.splitlines(), 1) if (word := tidy(line))]


def added(old: Vocabulary, items: Iterable[Item], *, is_typed: bool = False) -> Outcome:
    """``old`` with ``items``; ``is_typed``: they go first, and a word takes its new spelling."""
    adding = _Adding(old, is_typed=is_typed)
    for item in items:
        if isinstance(item.value, str):
            adding.take_word(item.line, tidy(item.value))
        else:
            adding.take_replacement(item.line, item.value)
    return adding.outcome()


class _Adding:
    """Adds items one by one. Used once."""

    def __init__(self, old: Vocabulary, *, is_typed: bool) -> None:
        self._old, self._is_typed = old, is_typed
        self._words, self._new = list(old.words), list[str]()
        self._places = {_key(word): place for place, word in reversed([*enumerate(old.words)])}
        self._fresh: set[str] = set()
        self._rules = {_scope(one): one for one in reversed(old.replacements)}
        self._added: list[Replacement] = []
        self._room = MOST_BYTES - sum(map(_size, old.words)) - sum(map(_size, old.replacements))
        self._known = self._respelled = 0
        self._skipped: list[Skipped] = []

    def take_word(self, line: int, word: str) -> None:
        key = _key(word)
        if not word:
            return
        if key in self._fresh:
            self._known += 1
        elif (place := self._places.get(key)) is not None:
            is_other = self._is_typed and word not in self._words
            if is_other and (reason := self._refusal(word)):
                self._skip(line, reason)
            elif is_other:
                self._words[place] = word
                self._respelled += 1
            else:
                self._known += 1
        elif len(self._words) + len(self._new) >= MAX_ITEMS:
            self._skip(line, IS_FULL)
        elif reason := self._refusal(word):
            self._skip(line, reason)
        else:
            self._new.append(word)
            self._fresh.add(key)
            self._room -= _size(word)

    def take_replacement(self, line: int, one: Replacement) -> None:
        there = self._rules.get(_scope(one))
        if there is not None and there.written == one.written:
            self._known += 1
        elif there is not None:
            self._skip(line, TAKEN)
        elif len(self._old.replacements) + len(self._added) >= MAX_ITEMS:
            self._skip(line, IS_FULL)
        elif reason := self._refusal(one):
            self._skip(line, reason)
        else:
            self._added.append(one)
            self._rules[_scope(one)] = one
            self._room -= _size(one)

    def outcome(self) -> Outcome:
        parts = (self._new, self._words) if self._is_typed else (self._words, self._new)
        vocabulary = Vocabulary(
            tuple(word for part in parts for word in part), (*self._old.replacements, *self._added)
        )
        return Outcome(
            vocabulary, len(self._new), len(self._added), self._known, self._respelled, tuple(self._skipped)
        )

    def _skip(self, line: int, reason: Message) -> None:
        self._skipped.append(Skipped(line, reason))

    def _refusal(self, value: str | Replacement) -> Message:
        return refusal(value) or (NO_ROOM if _size(value) > self._room else Message())


def refusal(value: str | Replacement) -> Message:
    """Why ``value`` cannot be stored, as the end of a sentence; "" if it can."""
    texts = (value,) if isinstance(value, str) else (value.heard, value.written)
    if any(len(text) > MAX_TEXT for text in texts):
        return TOO_LONG
    try:
        for text in texts:
            settings_text(text)
    except ValueError:
        return NOT_UNICODE
    if isinstance(value, str):
        return Message()
    if not value.heard.strip():
        return Message("nothing to listen for")
    try:
        replacement(value)
    except ValueError:
        return BAD_PATTERN
    return Message()


def reworded(old: Vocabulary, was: str, text: str) -> Outcome:
    """``old`` with the word ``was`` replaced by the first line of ``text``; further lines are added.

    Without any it is removed. If the new word exists already, both become one, at the first position. If
    ``was`` is gone meanwhile, all lines are added.
    """
    items = lines_of(text)
    if was not in old.words:
        return added(old, items, is_typed=True)
    if not items:
        return Outcome(without_words(old, [was]))
    word = str(items[0].value)
    if reason := refusal(word):
        return Outcome(old, skipped=(Skipped(items[0].line, reason),))
    places = [place for place, one in enumerate(old.words) if one == was or _key(one) == _key(word)]
    words = [one for place, one in enumerate(old.words) if place not in places[1:]]
    words[places[0]] = word
    changed = replace(old, words=tuple(words))
    rest = added(changed, items[1:], is_typed=True)
    return replace(rest, respelled=rest.respelled + (changed != old))


def without_words(old: Vocabulary, words: Sequence[str]) -> Vocabulary:
    """``old`` without these."""
    gone = set(words)
    return replace(old, words=tuple(word for word in old.words if word not in gone))


def moved(old: Vocabulary, words: Sequence[str], by: int) -> Vocabulary:
    """``old`` with these moved by this many places, keeping their order; they stop at the ends."""
    chosen, order = set(words), list(old.words)
    places = [place for place, word in enumerate(order) if word in chosen]
    first, last = 0, len(order) - 1
    for place in places if by < 0 else reversed(places):
        target = max(first, place + by) if by < 0 else min(last, place + by)
        order.insert(target, order.pop(place))
        first, last = (target + 1, last) if by < 0 else (first, target - 1)
    return replace(old, words=tuple(order))


def twin(replacements: Iterable[Replacement], one: Replacement) -> Replacement | None:
    """The first of ``replacements`` that matches the same as ``one``, so that ``one`` never would."""
    return next((other for other in replacements if _scope(other) == _scope(one)), None)


def _key(word: str) -> str:
    return tidy(word).casefold()


def _scope(one: Replacement) -> tuple[str, bool, bool, bool]:
    heard = one.heard if one.is_regex else one_line(one.heard)
    is_exact = one.is_regex or one.is_case_sensitive
    return heard if is_exact else heard.casefold(), one.is_regex, one.is_case_sensitive, one.is_alone


def _size(value: str | Replacement) -> int:
    """Its size in the settings file, in bytes."""
    if isinstance(value, str):
        return len(dump(value).encode(errors="replace")) + 3
    return (
        sum(len(f"{key} = {dump(part)}\n".encode(errors="replace")) for key, part in item_of(value).items())
        + 20
    )
