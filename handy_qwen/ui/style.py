"""Colors, and how well they can be told apart (WCAG 2.2, AA).

Text has a contrast of at least 4.5 : 1 to its ground, an outline that is needed to see a control 3 : 1. The
schemes fulfil that on their own grounds; ``readable`` sees to it on those of the desktop's palette.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette

TEXT_CONTRAST, OUTLINE_CONTRAST = 4.6, 3.2  # a little more than asked for: screens round
_STEPS = 20


@dataclass(frozen=True, slots=True)
class Scheme:
    """The colors of one scheme, as #rrggbb; ``ground_alpha`` is how opaque the overlay is, 0 to 255."""

    ground: str
    edge: str
    text: str
    quiet: str
    recording: str
    working: str
    good: str
    problem: str
    ground_alpha: int = 242

    def color(self, name: str, alpha: int = 255) -> QColor:
        """One of the colors by the name of its field."""
        color = QColor(getattr(self, name))
        color.setAlpha(alpha)
        return color


DARK = Scheme(
    ground="#1c1e22",
    edge="#3a3e46",
    text="#f4f5f7",
    quiet="#a9aeb8",
    recording="#ff5a5f",
    working="#6aa5ff",
    good="#4cc38a",
    problem="#ffb224",
)
LIGHT = Scheme(
    ground="#ffffff",
    edge="#d5d8de",
    text="#16181d",
    quiet="#5c626e",
    recording="#d3282f",
    working="#1d5fd0",
    good="#197a4b",
    problem="#9a5b00",
)
PANEL_DARK_INK = "#2b2e34"  # what the icons are drawn in, for a light panel
PANEL_LIGHT_INK = "#f2f3f5"


def is_dark() -> bool:
    """Whether the desktop is dark; where it does not say, the color of its windows does."""
    told = QGuiApplication.styleHints().colorScheme()
    if told is Qt.ColorScheme.Unknown:
        return QGuiApplication.palette().window().color().lightnessF() < 0.5
    return told is Qt.ColorScheme.Dark


def scheme() -> Scheme:
    """The colors for the desktop as it is now."""
    return DARK if is_dark() else LIGHT


def contrast(one: QColor, other: QColor) -> float:
    """The contrast ratio of two opaque colors, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: QColor) -> float:
    channels = (color.redF(), color.greenF(), color.blueF())
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def blended(over: QColor, ground: QColor, share: float | None = None) -> QColor:
    """``over`` on ``ground``: as opaque as it is, or ``share`` (0 to 1) of it."""
    part = over.alphaF() if share is None else share
    channels = (
        (over.redF(), ground.redF()),
        (over.greenF(), ground.greenF()),
        (over.blueF(), ground.blueF()),
    )
    mix = [top * part + below * (1 - part) for top, below in channels]
    return QColor.fromRgbF(*mix)


def readable(ink: QColor, *grounds: QColor, ratio: float = TEXT_CONTRAST) -> QColor:
    """``ink``, moved towards black or white only as far as it must be for ``ratio`` on all ``grounds``."""
    ends = (QColor(Qt.GlobalColor.white), QColor(Qt.GlobalColor.black))
    end = max(ends, key=lambda one: min(contrast(one, ground) for ground in grounds))
    steps = (blended(end, ink, step / _STEPS) for step in range(_STEPS + 1))
    return next((one for one in steps if min(contrast(one, ground) for ground in grounds) >= ratio), end)


def grounds(palette: QPalette) -> tuple[QColor, QColor]:
    """What text and outlines are drawn on: windows, and cards and fields in them."""
    return palette.color(QPalette.ColorRole.Window), palette.color(QPalette.ColorRole.Base)


def outline(palette: QPalette) -> QColor:
    """The color of what is needed to see where a control or a card begins and ends."""
    window = palette.color(QPalette.ColorRole.Window)
    return readable(window, *grounds(palette), ratio=OUTLINE_CONTRAST)
