"""Whether the machine runs on its battery."""

from __future__ import annotations

import logging

import psutil

logger = logging.getLogger(__name__)


def is_on_battery() -> bool:
    """Tell whether there is a battery and it is being used. Reads a file or two; False if nobody knows."""
    try:
        battery = psutil.sensors_battery()
    except (OSError, NotImplementedError, AttributeError) as exc:  # AttributeError: not built for this system
        logger.info("battery not read: %s", type(exc).__name__)
        return False
    return battery is not None and battery.power_plugged is False
