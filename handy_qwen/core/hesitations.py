"""Hesitations ("um", "uh") in the text of 23 languages, recognized only where they can mean nothing else.

Only sounds that are not words of the language are listed: "um" is an English hesitation but Portuguese
for "one" and German for "around". Sounds that may carry meaning (English "like", German "also", Chinese "嗯"
and Korean "어" as "yes") stay, and so does a sound written as a name or abbreviation ("The ER doctor", "Um
Kulthum"), a question ("Hm?"), a quotation ("I said “um”."), part of an address ("um.edu") or a unit ("5 um").
"""

# ruff: noqa: RUF001  the punctuation of many scripts is the subject

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from handy_qwen.core.orthography import CLOSES, COMMAS, OPENS, QUOTES, STOPS, ends_sentence
from handy_qwen.languages import is_unspaced

_FILLERS = {  # English name of the language -> hesitations, in lower case
    "English": "uh uhh uhm um umm er erm hm hmm",
    "German": "äh ähm öh öhm hm hmm",
    "French": "euh heu hum hmm",
    "Spanish": "eh ehm em mmm",
    "Italian": "ehm uhm mmm",
    "Portuguese": "hum hmm ahn",
    "Dutch": "eh ehm uh uhm",
    "Swedish": "eh ehm öh öhm hmm",
    "Danish": "øh øhm hmm",
    "Finnish": "öö ööö öh hmm",
    "Polish": "eee yyy hmm",
    "Czech": "ehm eee hmm",
    "Hungarian": "öö ööö hmm",
    "Romanian": "ăă ăăă îîî hmm",
    "Turkish": "ııı eee hmm",
    "Greek": "εεε χμ χμμ",
    "Russian": "э ээ эээ э-э э-э-э эм ммм хм",
    "Macedonian": "ммм хм",
    "Vietnamese": "ừm ờm",
    "Korean": "음",
    "Chinese": "呃",
    "Cantonese": "呃",
    "Japanese": """えーと えーっと えっと ええと あのー えー
        えーとですね えーっとですね えっとですね ええとですね""",
}
_BRIEF = 2
"""Sounds of fewer letters are hesitations only where a comma or the end follows: "э" is a letter, 음 a sound,
and "えー" begins other words. Those of scripts with spaces may have two."""
_OF_ADDRESS = r"\w'’/@\\-"
_BEGINS_QUOTED = {*OPENS, *QUOTES}
_ENDS_QUOTED = re.compile(rf"[{re.escape(STOPS)}]*[{re.escape(QUOTES + CLOSES)}]")


def hesitations_in(text: str, language: str) -> Iterator[tuple[int, int]]:
    """Start and end of each hesitation of ``language`` (its English name) in ``text``."""
    pattern = _filler_pattern(language)
    for match in pattern.finditer(text) if pattern else ():
        sound, start = match[0], match.start()
        if text[start - 1 : start] in _BEGINS_QUOTED and _ENDS_QUOTED.match(text, match.end()):
            continue
        if sound != sound.lower():
            rest = text[match.end() : match.end() + 2]
            is_name = len(sound) > 1 and sound[1:] != sound[1:].lower()
            is_name = is_name or (rest[:1].isspace() and rest[1:].isupper() and rest[1:] != "I")
            if is_name or not ends_sentence(text[max(0, start - 20) : start]):
                continue
        yield match.span()


@lru_cache(maxsize=32)
def _filler_pattern(language: str) -> re.Pattern[str] | None:
    if language not in _FILLERS:
        return None
    sounds = sorted(_FILLERS[language].split(), key=len, reverse=True)
    pause = rf"(?=\s*(?:[{COMMAS}.。…]|$))"
    spaced: list[str] = []
    unspaced: list[str] = []
    for sound in sounds:
        is_brief = len(sound) < _BRIEF + is_unspaced(sound[0])
        (unspaced if is_unspaced(sound[0]) else spaced).append(re.escape(sound) + pause * is_brief)
    if unspaced:
        return re.compile(rf"(?<![^\s{COMMAS}。！？!?.…])(?:{'|'.join(unspaced)})(?![!?！？])")
    before = rf"(?<![{_OF_ADDRESS}])(?<!\w\.)(?<!\d\s)"
    return re.compile(rf"{before}(?:{'|'.join(spaced)})(?![{_OF_ADDRESS}]|[.:]\w|\s?[!?])", re.IGNORECASE)
