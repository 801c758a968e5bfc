"""Facts about the machine: display, battery, time asleep, date."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping

from handy_qwen.errors import HandyError
from handy_qwen.message import Message
from handy_qwen.system.session import Kind, displays_of

logger = logging.getLogger(__name__)


def check_display(environment: Mapping[str, str], platform: str = sys.platform) -> None:
    """Raise if no window could be opened: Qt would end the process.

    Raises:
        HandyError: There is no display, or it does not answer.
    """
    if environment.get("QT_QPA_PLATFORM", "").startswith("offscreen"):
        return
    session = displays_of(environment, platform)
    if session.kind is not Kind.NONE:
        return
    if session.dead:
        raise HandyError(
            Message("The display {names} isn't responding.", names=", ".join(session.dead)),
            Message("Start the app in a desktop session."),
        )
    raise HandyError(
        Message("There is no display."),
        Message("Start the app in a desktop session; 'handy-qwen transcribe' works without one."),
    )


def write_menu_entry() -> None:
    """See ``MenuEntry.write``. Failures are logged, and found by doctor."""
    from handy_qwen.system.entries import MenuEntry  # on Linux only

    try:
        MenuEntry().write()
    except HandyError as exc:
        logger.warning("%s %s", exc.title, exc.hint)


def is_on_battery() -> bool:
    """Whether the machine runs on battery. May wait for the system; False if unknown."""
    import psutil  # slow to import, and this module is needed before the tray is shown

    try:
        battery = psutil.sensors_battery()
    except (OSError, NotImplementedError, AttributeError) as exc:  # AttributeError: not built for this system
        logger.info("battery not read: %s", type(exc).__name__)
        return False
    return battery is not None and battery.power_plugged is False


def asleep_s() -> float:
    """Seconds asleep that ``time.monotonic()`` does not count; only differences are meaningful.

    Linux and macOS stop that clock during sleep and have another that continues; Windows does not stop it.
    """
    if sys.platform == "win32":
        return 0.0
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock) - time.monotonic()


def moment() -> dict[str, str]:
    """The current "date", with a four-digit year, and "time", to the minute, in the user's format.

    Any thread.
    """
    from PySide6.QtCore import QDateTime, QLocale

    now, here, short = QDateTime.currentDateTime(), QLocale(), QLocale.FormatType.ShortFormat
    form = here.dateFormat(short) if here.language() is not QLocale.Language.C else "yyyy-MM-dd"
    year = form if "yyyy" in form else form.replace("yy", "yyyy")
    return {
        "date": here.toString(now.date(), year),
        "time": here.toString(now.time(), here.timeFormat(short)),
    }
