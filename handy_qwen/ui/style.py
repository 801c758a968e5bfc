"""Colors and sizes. Text on its ground has a contrast of at least 4.5 : 1 in both schemes (WCAG 2.2, AA)."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication


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
