"""Sizes, times and rates as people read them, in the manner of their country.

Sizes are decimal (1 GB = 1,000,000,000 bytes), as disks and downloads are sold.
"""

from __future__ import annotations

from PySide6.QtCore import QLocale

from handy_qwen.ui import strings


def size(size_bytes: float) -> str:
    """1.9 GB; whole numbers below a gigabyte."""
    digits = 1 if size_bytes >= 999_500_000 else 0
    return QLocale().formattedDataSize(round(size_bytes), digits, QLocale.DataSizeFormat.DataSizeSIFormat)


def rate(bytes_s: float) -> str:
    """12.4 MB/s."""
    amount = QLocale().formattedDataSize(round(bytes_s), 1, QLocale.DataSizeFormat.DataSizeSIFormat)
    return strings.RATE.format(size=amount)


def remaining(seconds: float) -> str:
    """How long something still takes, no more exact than such a guess can be."""
    if seconds < 10:
        return strings.REMAINING_MOMENT
    if seconds < 55:
        return strings.REMAINING_S.format(seconds=10 * round(seconds / 10))
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return strings.remaining_minutes(minutes)
    return strings.REMAINING_H.format(hours=minutes // 60, minutes=minutes % 60)


def number(value: float) -> str:
    """A factor: 0.8, 4.2, 50."""
    return QLocale().toString(value, "f", 1 if value < 10 else 0)


def percent(share: float) -> str:
    """43 %: never all of it before it is done."""
    return strings.PERCENT.format(number=QLocale().toString(min(int(share * 100), 100)))
