"""How entries of the history look on a terminal: one line each, in columns, and nothing it would obey."""

from __future__ import annotations

import unicodedata

from handy_qwen.core.entries import Entry, State
from handy_qwen.history.export import local_time

_LEAST_TEXT = 20  # columns, on the narrowest terminal
_ABOUT_LINES = "\u2028\u2029"
_TURNERS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # would turn round what stands behind


def line(entry: Entry, id_columns: int, columns: int | None) -> str:
    """One line for an entry; ``columns`` None: as wide as it takes."""
    minutes, seconds = divmod(round(entry.duration_s), 60)
    star = "*" if entry.is_starred else " "
    head = f"{entry.id:>{id_columns}}{star} {local_time(entry)} {minutes:>3}:{seconds:02} "
    return head + shortened(
        summary(entry), None if columns is None else max(_LEAST_TEXT, columns - len(head))
    )


def summary(entry: Entry) -> str:
    """What there is to say of an entry: its text, or why there is none."""
    if entry.state is State.DONE and not entry.text:
        return "[no speech]"
    if entry.state is State.FAILED:
        return f"[failed: {entry.error}] {entry.text}".strip()
    if entry.state is State.DONE:
        return f"[not delivered] {entry.text}" if entry.is_undelivered else entry.text
    return f"[{entry.state.value}] {entry.text}".strip()


def details(entry: Entry) -> list[tuple[str, str]]:
    """All that is known of an entry but its text: name and value."""
    values = [
        ("id", str(entry.id)),
        ("recorded", local_time(entry)),
        ("state", entry.state.value),
        ("duration", f"{entry.duration_s:.1f} s"),
        ("language", entry.language),
        ("model", entry.model),
        ("application", entry.application),
        ("delivered", entry.whereabouts.value or ("no" if entry.text else "")),
        ("error", entry.error),
        ("starred", "yes" if entry.is_starred else ""),
        ("sound", "yes" if entry.has_audio else "no"),
    ]
    return [(name, harmless(value)) for name, value in values if value]


def harmless(text: str) -> str:
    """``text`` without what a terminal would obey, or what would turn round the rest of the line."""
    return "".join(_harmless(char) for char in text)


def shortened(text: str, columns: int | None) -> str:
    """``text`` on one line of at most ``columns``; characters may be two columns wide, or none."""
    text = " ".join(harmless(text.replace("\n", " ")).split())
    if columns is None or sum(map(_columns, text)) <= columns:
        return text
    used, kept = 1, ""  # one for the ellipsis
    for char in text:
        used += _columns(char)
        if used > columns:
            break
        kept += char
    return f"{kept.rstrip()}…"


def _harmless(char: str) -> str:
    if char in "\n\t":
        return char
    if char in _TURNERS:
        return ""
    return "\ufffd" if unicodedata.category(char) in {"Cc", "Cs"} or char in _ABOUT_LINES else char


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
