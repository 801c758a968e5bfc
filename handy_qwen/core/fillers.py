"""Taking hesitations out of a transcript: "Well, um, I think" becomes "Well, I think".

Only sounds that are no words of the language are listed: "um" is English hesitation but Portuguese
"one", so each table is used for its own language alone. What may mean something (English "like",
German "also", Chinese "嗯" for yes) stays.
"""

# ruff: noqa: RUF001  the punctuation of many scripts is the subject

from __future__ import annotations

import re
from functools import lru_cache

FILLERS = {  # English name of the language -> hesitations, in lower case
    "English": ("uh", "uhh", "uhm", "um", "umm", "er", "erm", "hm", "hmm"),
    "German": ("äh", "ähm", "öh", "öhm", "hm", "hmm"),
    "French": ("euh", "heu", "hum", "hmm"),
    "Spanish": ("eh", "ehm", "em", "mmm"),
    "Italian": ("ehm", "uhm", "mmm"),
    "Portuguese": ("hum", "hmm", "ahn"),
    "Dutch": ("eh", "ehm", "uh", "uhm"),
    "Polish": ("eee", "yyy", "hmm"),
    "Russian": ("э", "ээ", "эээ", "эм", "ммм", "хм"),
    "Chinese": ("呃",),
    "Cantonese": ("呃",),
    "Japanese": ("えーと", "えーっと", "えっと", "ええと", "あのー", "えー"),
}
_UNSPACED = ("Chinese", "Cantonese", "Japanese")


def without_fillers(text: str, language: str) -> str:
    """Take the hesitations of ``language`` (its English name) out of ``text``, with their commas."""
    if language not in FILLERS:
        return text
    if language in _UNSPACED:
        return _unspaced(language).sub(r"\1", text)
    at_start, inside = _spaced(language)
    text = at_start.sub(lambda match: match["lead"] + match["first"].upper(), text)
    return inside.sub("", text)


@lru_cache(maxsize=16)
def _spaced(language: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    sound = f"(?:{'|'.join(FILLERS[language])})" + r"(?![\w'’-])"
    at_start = rf"(?P<lead>^|[.!?…]\s+|\n)(?:{sound}[,.!?…]*(?:[^\S\n]+|(?=\n)|$))+(?P<first>\w?)"
    inside = rf"(?:,?\s+{sound})+"
    return re.compile(at_start, re.IGNORECASE), re.compile(inside, re.IGNORECASE)


@lru_cache(maxsize=4)
def _unspaced(language: str) -> re.Pattern[str]:
    sounds = "|".join(sorted(FILLERS[language], key=len, reverse=True))
    return re.compile(rf"(^|[、。，,！？!?\s])(?:(?:{sounds})[、，,。]?\s*)+")
