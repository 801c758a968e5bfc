"""The languages that Qwen3-ASR knows, by the names its prompt uses and by ISO code.

Source: the model card of Qwen3-ASR and SUPPORTED_LANGUAGES in QwenLM/Qwen3-ASR (2026-01).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from handy_qwen.errors import LanguageError

LANGUAGES = {  # ISO 639 code -> the English name that the model was trained with
    "zh": "Chinese",
    "en": "English",
    "yue": "Cantonese",
    "ar": "Arabic",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "pt": "Portuguese",
    "id": "Indonesian",
    "it": "Italian",
    "ko": "Korean",
    "ru": "Russian",
    "th": "Thai",
    "vi": "Vietnamese",
    "ja": "Japanese",
    "tr": "Turkish",
    "hi": "Hindi",
    "ms": "Malay",
    "nl": "Dutch",
    "sv": "Swedish",
    "da": "Danish",
    "fi": "Finnish",
    "pl": "Polish",
    "cs": "Czech",
    "fil": "Filipino",
    "fa": "Persian",
    "el": "Greek",
    "ro": "Romanian",
    "hu": "Hungarian",
    "mk": "Macedonian",
}
ALL_LANGUAGES = tuple(LANGUAGES.values())


def code_of(name: str) -> str:
    """The ISO code of an English name; empty if there is none."""
    return next((code for code, known in LANGUAGES.items() if known == name), "")


def language_name(asked: str, known: Sequence[str] = ALL_LANGUAGES) -> str:
    """The English name for ``asked``: a name or an ISO code, in any case, with or without a region.

    Raises:
        LanguageError: ``asked`` is not among ``known``; the message lists those that are.
    """
    wanted = asked.strip()
    code = wanted.lower().replace("_", "-").split("-")[0]
    name = LANGUAGES.get(code, wanted.capitalize())
    if name in known:
        return name
    close = difflib.get_close_matches(wanted.capitalize(), known, n=1)
    guess = f"Did you mean {close[0]}? " if close else ""
    listed = ", ".join(f"{name} ({code_of(name)})" if code_of(name) else name for name in known)
    raise LanguageError(f"The model does not know the language {asked!r}.", f"{guess}It knows: {listed}.")
