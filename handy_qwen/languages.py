"""The languages of Qwen3-ASR and their scripts: names, word boundaries, spaces.

Source of the English names, which the model was trained with: the model card of Qwen3-ASR and
SUPPORTED_LANGUAGES in QwenLM/Qwen3-ASR (2026-01). Codes: ISO 639-1, 639-2 (both forms) and 639-3.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence

from handy_qwen.errors import LanguageError
from handy_qwen.message import Message, sentences

_TABLE = {  # English name: codes, the usual one first | its own name | other names
    "Chinese": "zh zho chi cmn | 中文 | Mandarin, Mandarin Chinese, Standard Chinese, Putonghua, "
    "普通话, 普通話, 汉语, 漢語, 国语, 國語, 华语, 華語, 简体中文, 繁體中文, "
    "Simplified Chinese, Traditional Chinese",
    "English": "en eng | English |",
    "Cantonese": "yue | 粵語 | 粤语, 廣東話, 广东话, 廣州話, Yue Chinese, Cantonese Chinese",
    "Arabic": "ar ara arb | العربية | عربي, عربية",
    "German": "de deu ger | Deutsch |",
    "French": "fr fra fre | Français |",
    "Spanish": "es spa | Español | Castellano, Castilian",
    "Portuguese": "pt por | Português | Brazilian Portuguese, Português brasileiro",
    "Indonesian": "id ind | Bahasa Indonesia | Indonesia",
    "Italian": "it ita | Italiano |",
    "Korean": "ko kor | 한국어 | 한국말, 조선말, 조선어",
    "Russian": "ru rus | Русский | Русский язык",
    "Thai": "th tha | ไทย | ภาษาไทย",
    "Vietnamese": "vi vie | Tiếng Việt | Việt",
    "Japanese": "ja jpn | 日本語 | にほんご",
    "Turkish": "tr tur | Türkçe |",
    "Hindi": "hi hin | हिन्दी | हिंदी",
    "Malay": "ms msa may zsm | Bahasa Melayu | Melayu, Bahasa Malaysia",
    "Dutch": "nl nld dut | Nederlands | Flemish, Vlaams",
    "Swedish": "sv swe | Svenska |",
    "Danish": "da dan | Dansk |",
    "Finnish": "fi fin | Suomi | Suomen kieli",
    "Polish": "pl pol | Polski | Język polski",
    "Czech": "cs ces cze | Čeština | Česky",
    "Filipino": "fil tl tgl | Filipino | Tagalog, Wikang Filipino, Pilipino",
    "Persian": "fa fas per pes | فارسی | Farsi",
    "Greek": "el ell gre | Ελληνικά |",
    "Romanian": "ro ron rum | Română | Moldovan",
    "Hungarian": "hu hun | Magyar |",
    "Macedonian": "mk mkd mac | Македонски | Македонски јазик",
}
AUTOMATIC = "auto"
"""The word for detecting the language, where "" means something else or is easily overlooked."""
_AUTOMATIC = {"", AUTOMATIC, "automatic", "automatically", "detect"}
_REGIONS = {"hk": "Cantonese", "mo": "Cantonese"}  # the languages meant by zh-HK and zh-MO
_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*")  # BCP 47, as far as needed
_EXTENDED = re.compile(r"[a-z]{3}")  # a second part of three letters is the language: zh-yue


def _key(name: str) -> str:
    """``name`` without case and accents, which people omit."""
    letters = unicodedata.normalize("NFKD", name.strip().casefold())
    return " ".join("".join(char for char in letters if not unicodedata.combining(char)).split())


_ROWS = [
    (name, codes.split(), native.strip(), [one for one in others.split(",") if one.strip()])
    for name, row in _TABLE.items()
    for codes, native, others in [row.split("|")]
]
LANGUAGES = {codes[0]: name for name, codes, _native, _others in _ROWS}
"""The usual code of each language -> its English name."""
ALL_LANGUAGES = tuple(LANGUAGES.values())
NATIVE_NAMES = {name: native for name, _codes, native, _others in _ROWS}
"""English name -> native name."""
_BY_CODE = {code: name for name, codes, _native, _others in _ROWS for code in codes}
_BY_NAME = {_key(one): name for name, _codes, native, others in _ROWS for one in (name, native, *others)}


def code_of(name: str) -> str:
    """The ISO code of an English name; empty if unknown."""
    return next((code for code, known in LANGUAGES.items() if known == name), "")


def language_name(asked: str, known: Sequence[str] = ALL_LANGUAGES) -> str:
    """The English name for ``asked``; "" if that means detection. Raises LanguageError: not ``known``.

    It may be an English or native name, an ISO 639 code, or a tag such as "pt-BR" or "de_AT.UTF-8", in any
    case; or "", "auto" or "automatic". ``known``: English names.
    """
    wanted = _key(asked)
    if wanted in _AUTOMATIC:
        return ""
    own = {_key(name): name for name in known}  # a model may know languages that are not in the table
    name = _BY_NAME.get(wanted) or _by_tag(wanted) or own.get(wanted, "")
    if name in known:
        return name
    listed = ", ".join(f"{name} ({code_of(name)})" if code_of(name) else name for name in known)
    guess = "" if name else _nearest(wanted, known)
    raise LanguageError(
        Message("The model does not know the language {asked}.", asked=repr(asked)),
        sentences(
            Message("Did you mean {name}?", name=guess) if guess else Message(),
            Message("It knows: {names}.", names=listed),
        ),
        guess,
    )


def spoken(asked: str | Sequence[str], known: Sequence[str] = ALL_LANGUAGES) -> tuple[str, ...]:
    """The English names of the possible languages; () is any. Raises LanguageError: none ``known``.

    ``asked`` is one, as for ``language_name``, or several: those that are not ``known`` are ignored.
    """
    wanted = [asked] if isinstance(asked, str) else list(asked)
    names: dict[str, None] = {}
    refused: LanguageError | None = None
    for one in wanted:
        try:
            names[language_name(one, known)] = None
        except LanguageError as exc:
            refused = refused or exc
    if refused is not None and not names:
        raise refused
    return tuple(names) if "" not in names else ()


def _by_tag(wanted: str) -> str:
    """The name for a code, with or without script and region, or ""."""
    tag = re.sub(r"[.@].*", "", wanted).replace("_", "-")
    if not _TAG.fullmatch(tag):
        return ""
    code, *more = tag.split("-")
    if more and _EXTENDED.fullmatch(more[0]) and code == "zh":
        code = more.pop(0)
    name = _BY_CODE.get(code, "")
    region = next((_REGIONS[part] for part in more if part in _REGIONS), "")
    return region if name == "Chinese" and region else name


def _nearest(wanted: str, known: Sequence[str]) -> str:
    names = {key: name for key, name in _BY_NAME.items() if name in known} | {_key(one): one for one in known}
    close = difflib.get_close_matches(wanted, names, n=1, cutoff=0.7)
    return names[close[0]] if close else ""


# --- scripts -----------------------------------------------------------------------------------------

_UNSPACED = (  # first and last code point of blocks whose scripts have no spaces between words
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x19E0, 0x19FF),
    (0x2E80, 0x2FDF),  # radicals
    (0x3000, 0x312F),  # CJK punctuation, hiragana, katakana, bopomofo
    (0x3190, 0x4DBF),  # from here on except the Hangul at U+3130
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
_SKINS = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"  # color the preceding emoji

UNSPACED_CLASS = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in _UNSPACED)
"""The characters of these scripts as the inside of a character class of ``re``."""


def is_unspaced(character: str) -> bool:
    """Whether ``character`` belongs to a script without spaces between words."""
    return _is_in(character, _UNSPACED)


def has_space_between(left: str, right: str) -> bool:
    """Whether a space separates two words, one ending with ``left``, the next beginning with ``right``.

    Chinese and Japanese have none beside words of other scripts either; Thai and related scripts do.
    """
    is_left, is_right = is_unspaced(left), is_unspaced(right)
    return not (is_left and is_right) and not any(
        is_unspaced(one) and one >= "\u2e80" for one in (left, right)
    )


def is_hangul(character: str) -> bool:
    """Whether ``character`` is Korean, where particles follow a word without a space."""
    return _is_in(character, _HANGUL)


def extends(character: str) -> bool:
    """Whether ``character`` modifies the preceding one: an accent, a vowel sign, a joiner, a skin tone."""
    return character in _JOINERS + _SKINS or unicodedata.category(character)[0] == "M"


def is_of_word(character: str) -> bool:
    """Whether ``character`` is part of a word, including combining marks and joiners."""
    return character.isalnum() or character == "_" or extends(character)


def _is_in(character: str, blocks: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in blocks)
