"""What a screen reader says: names without marks for the eye, and news that nobody has to look for."""

from __future__ import annotations

from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QWidget

_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))


def spoken(*parts: str) -> str:
    """``parts`` as sentences, each of them once, without the marks that order text of both directions."""
    plain = (" ".join(part.translate(_MARKS).split()) for part in parts)
    said = list(dict.fromkeys(filter(None, plain)))
    return " ".join(part if part[-1] in ".!?…" or part is said[-1] else f"{part}." for part in said)


def announce(widget: QWidget, *parts: str, is_urgent: bool = False) -> None:
    """Have a screen reader say ``parts``, which ``widget`` shows, as soon as it has finished what it says.

    Or at once, if urgent. Not at all while the widget, or the page it is on, is hidden.
    """
    words = spoken(*parts)
    if not words or not widget.isVisible() or not QAccessible.isActive():
        return
    event = QAccessibleAnnouncementEvent(widget, words)
    if is_urgent:
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
    QAccessible.updateAccessibility(event)
