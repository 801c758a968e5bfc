"""Date and time as the user writes them."""

from __future__ import annotations

from PySide6.QtCore import QDateTime, QLocale


def moment() -> dict[str, str]:
    """Today's "date", with a year of four digits, and the "time", to the minute. Any thread."""
    now, here, short = QDateTime.currentDateTime(), QLocale(), QLocale.FormatType.ShortFormat
    form = here.dateFormat(short) if here.language() is not QLocale.Language.C else "yyyy-MM-dd"
    year = form if "yyyy" in form else form.replace("yy", "yyyy")
    return {
        "date": here.toString(now.date(), year),
        "time": here.toString(now.time(), here.timeFormat(short)),
    }
