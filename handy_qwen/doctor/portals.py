"""Which interfaces the desktop's portal offers. Asking for a version brings up no dialog."""

from __future__ import annotations

import logging

from jeepney import DBusAddress

from handy_qwen.system.dbus import BROKEN, property_of

logger = logging.getLogger(__name__)

ANSWER_S = 3.0  # the bus starts the portal when it is first asked for


def version_of(interface: str) -> int | None:
    """The version of one of the portal's interfaces; None: there is no such, no portal, or no bus."""
    address = DBusAddress(
        "/org/freedesktop/portal/desktop", bus_name="org.freedesktop.portal.Desktop", interface=interface
    )
    try:
        return int(str(property_of(address, "version", timeout_s=ANSWER_S)))
    except BROKEN as exc:
        logger.debug("no portal %s: %s", interface, type(exc).__name__)
        return None
