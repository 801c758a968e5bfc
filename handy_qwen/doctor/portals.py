"""Which interfaces the desktop's portal offers. Asking for a version brings up no dialog."""

from __future__ import annotations

import logging

from jeepney import DBusAddress
from jeepney.io.blocking import open_dbus_connection
from jeepney.wrappers import DBusErrorResponse, Properties, unwrap_msg

logger = logging.getLogger(__name__)

ANSWER_S = 3.0  # the bus starts the portal when it is first asked for


def version_of(interface: str) -> int | None:
    """The version of one of the portal's interfaces; None: there is no such, no portal, or no bus."""
    address = DBusAddress(
        "/org/freedesktop/portal/desktop", bus_name="org.freedesktop.portal.Desktop", interface=interface
    )
    try:
        bus = open_dbus_connection("SESSION")
    except (OSError, KeyError, ValueError, RuntimeError, StopIteration) as exc:
        logger.debug("no session bus: %s", type(exc).__name__)
        return None
    try:
        ((_, version),) = unwrap_msg(
            bus.send_and_get_reply(Properties(address).get("version"), timeout=ANSWER_S)
        )
    except (DBusErrorResponse, TimeoutError, OSError) as exc:
        logger.debug("no portal %s: %s", interface, type(exc).__name__)
        return None
    finally:
        bus.close()
    return int(version)
