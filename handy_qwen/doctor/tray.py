"""Whether the desktop has a place for tray icons.

Qt shows its icon through D-Bus where somebody takes it (StatusNotifier: KDE, most panels, GNOME with an
extension), else through X11 (the owner of the selection _NET_SYSTEM_TRAY_Sn).

Source: freedesktop.org, StatusNotifierItem and System Tray Protocol 0.4.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from handy_qwen.doctor.context import Context
from handy_qwen.doctor.desktop import display_of
from handy_qwen.doctor.finding import Finding, fine, warning

logger = logging.getLogger(__name__)

NAME = "tray"
WATCHER = "org.kde.StatusNotifierWatcher"
ANSWER_S = 2.0
REMEDY = (
    "Add the tray to your panel; on GNOME install the extension AppIndicator. Without a tray use the hotkey, "
    "handy-qwen status, and the settings file."
)


def check(context: Context) -> Iterator[Finding]:
    """Look for whoever shows tray icons."""
    if not context.platform.startswith("linux"):
        yield fine(NAME, "The system has a place for tray icons.", host="system")
        return
    display = display_of(context)
    if not display and not context.is_wayland:
        return  # the display's finding says it all
    host = _host(context.environment, display)
    if host:
        yield fine(NAME, f"The panel shows tray icons ({host}).", host=host)
    else:
        yield warning(NAME, "No panel of this desktop shows tray icons.", REMEDY, host="")


def _host(environment: Mapping[str, str], display: str) -> str:
    if _has_status_notifier(environment):
        return "StatusNotifier"
    return "XEmbed" if display and _has_xembed(display) else ""


def _has_xembed(display: str) -> bool:
    from Xlib import X, error
    from Xlib.display import Display

    try:
        connection = Display(display)
    except (error.DisplayError, error.ConnectionClosedError, OSError) as exc:
        logger.debug("no X server to ask for a tray: %s", type(exc).__name__)
        return False
    try:
        selection = connection.intern_atom(f"_NET_SYSTEM_TRAY_S{connection.get_default_screen()}")
        return bool(connection.get_selection_owner(selection) != X.NONE)
    finally:
        connection.close()


def _has_status_notifier(environment: Mapping[str, str]) -> bool:
    from jeepney import DBusAddress

    from handy_qwen.system.dbus import BROKEN, property_of

    address = environment.get("DBUS_SESSION_BUS_ADDRESS")
    if not address:
        return False
    watcher = DBusAddress("/StatusNotifierWatcher", bus_name=WATCHER, interface=WATCHER)
    try:
        return bool(property_of(watcher, "IsStatusNotifierHostRegistered", timeout_s=ANSWER_S, bus=address))
    except BROKEN as exc:
        logger.debug("no watcher of tray icons: %s", type(exc).__name__)
        return False
