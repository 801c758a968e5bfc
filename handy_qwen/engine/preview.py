"""What is shown of a text that is still being written.

A word is committed once two drafts in a row have it and a few more words have followed: what a model heard
at the very end of the audio is what it changes its mind about. Committed text is never taken back; should a
later draft contradict it, only what follows is shown from that draft. This is for the eye; the
text that counts is what ``finish`` returns.
"""

from __future__ import annotations

import re

from handy_qwen.engine.transcript import Preview

_UNSETTLED_WORDS = 3
_WORD = re.compile(r"\s*\S+")


class PreviewText:
    """Turns a sequence of drafts into a preview that does not flicker."""

    def __init__(self) -> None:
        self._last: list[str] = []
        self._committed: list[str] = []
        self.shown = Preview()

    def show(self, text: str) -> None:
        """Take the whole text of a new draft."""
        words = _WORD.findall(text)
        agreed = next(
            (i for i, (old, new) in enumerate(zip(self._last, words, strict=False)) if old != new),
            min(len(self._last), len(words)),
        )
        settled = min(agreed, len(words) - _UNSETTLED_WORDS)
        if settled > len(self._committed):
            self._committed += words[len(self._committed) : settled]
        self._last = words
        self.shown = Preview("".join(self._committed), "".join(words[len(self._committed) :]))

    def commit(self, text: str) -> None:
        """A passage ended: all of ``text`` will stay."""
        words = _WORD.findall(text)
        self._committed += words[len(self._committed) :]
        self._last = []
        self.shown = Preview("".join(self._committed), "")
