"""What lies on a clipboard, in all its formats.

X11 names a format by an atom; names are kept here, so that content outlives connections. The content
is never logged, and ``repr`` does not show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TEXT_FORMATS = ("UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "TEXT", "STRING")
PRIVATE_FORMAT = "x-kde-passwordManagerHint"  # honored by Klipper, CopyQ, Parcellite, GPaste and others
PLAIN_FORMATS = ("UTF8_STRING", "STRING")  # what to ask an owner for who does not tell what it has
PICTURE_FORMAT = "image/png"
NOT_CONTENT = frozenset(  # answered by the owner itself, or doing something when asked for
    ("TARGETS", "TIMESTAMP", "MULTIPLE", "SAVE_TARGETS", "DELETE", "INSERT_SELECTION", "INSERT_PROPERTY", "")
) | frozenset(  # numbers of things in the X server that go with their owner
    ("PIXMAP", "BITMAP", "DRAWABLE", "COLORMAP", "FOREGROUND", "BACKGROUND", "WINDOW", "CLIENT_WINDOW")
)


@dataclass(frozen=True, slots=True)
class Value:
    """One format's bytes: the name of their type and the bits of an item (8, 16 or 32)."""

    kind: str
    bits: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Content:
    """Values by format."""

    values: Mapping[str, Value] = field(repr=False)


def text_content(text: str) -> Content:
    """``text`` in every format that X11 programs ask text for, marked as private."""
    utf8 = Value("UTF8_STRING", 8, text.encode())
    latin1 = Value("STRING", 8, text.encode("latin-1", "replace"))
    return Content(
        {
            "UTF8_STRING": utf8,
            "text/plain;charset=utf-8": Value("text/plain;charset=utf-8", 8, utf8.data),
            "text/plain": Value("text/plain", 8, utf8.data),
            "TEXT": utf8,
            "STRING": latin1,
            PRIVATE_FORMAT: Value(PRIVATE_FORMAT, 8, b"secret"),
        }
    )


def worth_keeping(formats: list[str]) -> list[str]:
    """The formats to fetch from an owner, the most important first: there may be no time for all.

    Programs offer a picture in up to twenty formats and make each only when asked, which takes seconds
    and stops them for that time; so it is kept in the one without loss that everybody reads.
    """
    kept = [name for name in dict.fromkeys(formats) if name not in NOT_CONTENT]
    if PICTURE_FORMAT in kept:
        kept = [name for name in kept if name == PICTURE_FORMAT or not _is_raster(name)]
    return sorted(kept, key=_importance)


def _is_raster(name: str) -> bool:
    return name.startswith("image/") and not name.startswith("image/svg")


def _importance(name: str) -> int:
    if name in TEXT_FORMATS or name == PRIVATE_FORMAT:
        return 0
    if name.startswith(("text/", "x-special/")):  # formatted text, lists of files
        return 1
    return 2 if name in (PICTURE_FORMAT, "image/svg+xml") else 3
