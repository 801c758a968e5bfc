"""Whether the machine runs on its battery, and how long it has slept."""

from __future__ import annotations

import logging
import time

logger = logging.getLogger(__name__)


def is_on_battery() -> bool:
    """Tell whether there is a battery and it is being used. May wait for it; False if nobody knows."""
    import psutil  # slow to import, and this module is needed before the tray is shown

    try:
        battery = psutil.sensors_battery()
    except (OSError, NotImplementedError, AttributeError) as exc:  # AttributeError: not built for this system
        logger.info("battery not read: %s", type(exc).__name__)
        return False
    return battery is not None and battery.power_plugged is False


def asleep_s() -> float:
    """Seconds the machine has slept that ``time.monotonic()`` does not count; only their changes tell.

    Linux and macOS stop that clock during a sleep and have another that goes on; Windows does not stop it.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
    return 0.0 if clock is None else time.clock_gettime(clock) - time.monotonic()
