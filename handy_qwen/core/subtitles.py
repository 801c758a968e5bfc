"""Subtitles from the pauses in the speech: the time of each word is not known.

    segment   ├──speech──┤   ├─speech─┤ ├──────speech──────┤
    text      Good morning.  Please send  the report to Anna.
    cues      └─── 1 ────┘   └────────────── 2 ────────────┘

A segment's text is divided into cues at the ends of sentences, then at commas and words, until each fits on
the screen. Each cue gets a share of the speech by its length and begins and ends at a pause if one is near.

Source: two lines of 42 columns and at most 7 s, as in the style guides of Netflix and the BBC.
"""

# ruff: noqa: RUF001  the punctuation of many scripts is the subject

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from handy_qwen.languages import is_unspaced
from handy_qwen.message import Message

NOTE = Message("The times come from the pauses in the speech, not from single words.")
LINE_COLUMNS, LINES = 42, 2
MOST_S, LEAST_S = 7.0, 1.0
_NEAR_S = 1.2  # how far a pause may be from the ideal break
_SENTENCE = re.compile(
    r".+?(?:[.!?…؟।]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”’）]*|$)\s*",
    re.DOTALL,
)
_COMMAS = ",;:–—،؛、，；："
_COMMA_COLUMNS = 14  # how much farther from the middle a break after a comma may be
_CLOSING = "」』】》）、。，！？；："

Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle shown from ``start_s`` to ``end_s``."""

    start_s: float
    end_s: float
    text: str


def cues(segments: Iterable[tuple[str, Spans]]) -> list[Cue]:
    """The cues of segments: text, and the times of its speech in seconds, at least one each."""
    found: list[Cue] = []
    for text, speech in segments:
        found += _of_segment(" ".join(text.split()), speech)
    return [
        Cue(one.start_s, _long_enough(one, after.start_s if after else None), one.text)
        for one, after in zip(found, [*found, None][1:], strict=True)
    ]


def srt(found: Sequence[Cue]) -> str:
    """In SubRip format, which every player reads."""
    return "\n".join(
        f"{number}\n{_clock(one.start_s, ',')} --> {_clock(one.end_s, ',')}\n{_lines(one.text)}\n"
        for number, one in enumerate(found, 1)
    )


def vtt(found: Sequence[Cue]) -> str:
    """In WebVTT format, for browsers."""
    shown = "".join(
        f"\n{_clock(one.start_s, '.')} --> {_clock(one.end_s, '.')}\n{_escaped(_lines(one.text))}\n"
        for one in found
    )
    return f"WEBVTT\n\nNOTE {NOTE}\n{shown}"


def _of_segment(text: str, speech: Spans) -> list[Cue]:
    if not text:
        return []
    spoken_s = sum(end - start for start, end in speech)
    s_per_column = spoken_s / max(1, columns(text))

    def fits(piece: str) -> bool:
        return columns(piece) <= LINE_COLUMNS * LINES and columns(piece) * s_per_column <= MOST_S

    pieces: list[str] = []
    for sentence in _SENTENCE.findall(text):
        is_short = pieces and columns(pieces[-1]) * s_per_column < LEAST_S
        if is_short and fits(pieces[-1] + sentence):
            pieces[-1] += sentence
        else:
            pieces += _divided(sentence, fits)
    ends_s = [length * s_per_column for length in accumulate(map(columns, pieces))]
    breaks = _breaks(ends_s[:-1], speech)
    starts = [speech[0][0], *(begins for _ends, begins in breaks)]
    ends = [*(ends for ends, _begins in breaks), speech[-1][1]]
    return [
        Cue(start, max(start, end), piece.strip())
        for start, end, piece in zip(starts, ends, pieces, strict=True)
    ]


def _breaks(wanted_s: Iterable[float], speech: Spans) -> list[tuple[float, float]]:
    """Where each cue but the last ends and the next begins, given the amount of speech before the break."""
    spoken = list(accumulate(end - start for start, end in speech))
    pauses = list(zip(spoken, pairwise(speech), strict=False))
    found: list[tuple[float, float]] = []
    last_s = 0.0
    for at_s in wanted_s:
        near = [(abs(before_s - at_s), before_s, gap) for before_s, gap in pauses if before_s > last_s]
        distance_s, before_s, gap = min(near, default=(_NEAR_S, at_s, None))
        if gap is not None and distance_s < _NEAR_S:
            found.append((gap[0][1], gap[1][0]))
            last_s = before_s
        else:
            last_s = max(last_s, at_s)
            # At a pause, as much speech is over before as after it; the next cue may begin after it.
            when_s = max(_when(last_s, speech), found[-1][1] if found else 0.0)
            found.append((when_s, when_s))
    return found


def _when(spoken_s: float, speech: Spans) -> float:
    """The time at which this much speech is over."""
    for start, end in speech:
        if spoken_s <= end - start:
            return start + spoken_s
        spoken_s -= end - start
    return speech[-1][1]


def _divided(text: str, fits: Callable[[str], bool]) -> list[str]:
    """``text`` in pieces that fit, as long as there is a place to break."""
    if fits(text):
        return [text]
    places = [place for place in range(1, len(text)) if _may_break(text, place)]
    if not places:
        return [text]
    middle = columns(text) / 2
    at = list(accumulate(map(columns, text)))

    def cost(place: int) -> float:
        is_comma = text[:place].rstrip()[-1:] in _COMMAS
        return abs(at[place - 1] - middle) - (_COMMA_COLUMNS if is_comma else 0)

    best = min(places, key=cost)
    return [*_divided(text[:best], fits), *_divided(text[best:], fits)]


def _may_break(text: str, place: int) -> bool:
    left, right = text[place - 1], text[place]
    if left == " ":
        return right != " " and bool(text[:place].strip())
    return is_unspaced(left) and right not in _CLOSING and right != " " and not unicodedata.combining(right)


def columns(text: str) -> int:
    """The width of ``text``: Chinese and Japanese characters count twice, combining marks not at all."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _long_enough(one: Cue, until_s: float | None) -> float:
    """``one``, shown longer if it is too short to read and there is time before the next."""
    wanted_s = max(one.end_s, one.start_s + LEAST_S)
    return wanted_s if until_s is None else max(one.start_s, min(wanted_s, until_s))


def _lines(text: str) -> str:
    return "\n".join(
        line.strip() for line in _divided(text, lambda piece: columns(piece.strip()) <= LINE_COLUMNS)
    )


def _clock(seconds: float, point: str) -> str:
    whole_ms = round(seconds * 1000)
    minutes, rest_ms = divmod(whole_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest_ms // 1000:02}{point}{rest_ms % 1000:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
