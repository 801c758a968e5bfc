"""What is shown of a text that is still being written.

A word is committed once two drafts in a row have it and a few more words have followed: what a model heard
at the very end of the audio is what it changes its mind about. Where a script has no spaces, a character
counts as half a word. Committed text is never taken back; should a later draft contradict it, what follows is
shown from the place in that draft where it goes on. This is for the eye; the text that counts is what
``finish`` returns.
"""

from __future__ import annotations

import re

from handy_qwen.engine.api import Preview
from handy_qwen.engine.qwen3.output import join_texts
from handy_qwen.languages import UNSPACED_CLASS

_UNSETTLED_WORDS = 3.0
_CHARACTER_WORDS = 0.5
_SEARCHED_UNITS = 6  # to either side of where a draft should go on
# Marks that belong to the character before them: vowels and tones of those scripts, voicing of kana
_MARKS = (
    r"\u0e31\u0e33-\u0e3a\u0e45\u0e47-\u0e4e\u0eb1\u0eb3-\u0ebc\u0ec8-\u0ecd"
    r"\u102b-\u103e\u17b4-\u17d3\u3099\u309a"
)
_UNIT = re.compile(rf"\s*(?:[{UNSPACED_CLASS}][{_MARKS}]*|[^\s{UNSPACED_CLASS}]+)")
_UNSPACED_UNIT = re.compile(rf"\s*[{UNSPACED_CLASS}]")


class PreviewText:
    """Turns a sequence of drafts into a preview that does not flicker."""

    def __init__(self) -> None:
        self._ended = ""  # passages that ended, as they were shown
        self._committed: list[str] = []  # of the open passage, as are the drafts
        self._last: list[str] = []
        self.shown = Preview()

    def show(self, text: str) -> None:
        """Take a new draft: the text of the open passage."""
        units = _UNIT.findall(text)
        agreed = next(
            (i for i, (old, new) in enumerate(zip(self._last, units, strict=False)) if old != new),
            min(len(self._last), len(units)),
        )
        begin = self._place_in(units)
        self._committed += units[begin : min(agreed, _settled(units))]
        self._last = units
        self._show(units[self._place_in(units) :])

    def end_passage(self, text: str) -> None:
        """The open passage ended: all of ``text`` will stay.

        If it was closed before the end of the last draft, what that has beyond it belongs to the next.
        """
        units = _UNIT.findall(text)
        self._committed += units[self._place_in(units) :]
        self._show(self._last[self._place_in(self._last) :] if units else [])
        self._ended, self._committed, self._last = self.shown.committed, [], []

    def _show(self, tentative: list[str]) -> None:
        committed = "".join(self._committed)
        whole = join_texts([self._ended, committed + "".join(tentative)])
        rest = len("".join(tentative))
        if not committed:  # the space between two passages is committed with the word behind it
            rest = len(whole) - len(self._ended)
        self.shown = Preview(whole[: len(whole) - rest], whole[len(whole) - rest :])

    def _place_in(self, units: list[str]) -> int:
        """How many of a draft's ``units`` the committed ones stand for."""
        count = len(self._committed)
        if not count or units[:count] == self._committed:
            return count
        for length in (3, 2, 1):
            last = self._committed[-length:]
            ends = range(max(length, count - _SEARCHED_UNITS), min(len(units), count + _SEARCHED_UNITS) + 1)
            found = [end for end in ends if units[end - length : end] == last]
            if found:
                return min(found, key=lambda end: abs(end - count))
        return min(count, len(units))


def _settled(units: list[str]) -> int:
    """How many of ``units`` lie far enough from the end."""
    words, count = 0.0, len(units)
    while count and words < _UNSETTLED_WORDS:
        count -= 1
        words += _CHARACTER_WORDS if _UNSPACED_UNIT.match(units[count]) else 1.0
    return count
