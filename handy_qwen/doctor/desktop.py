"""The desktop: display, tray, start at login, and what it lets the program do."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from handy_qwen.doctor.findings import Context, Finding, fine, problem, warning
from handy_qwen.message import Message, sentences
from handy_qwen.system.autostart import autostart_for
from handy_qwen.system.session import Kind

logger = logging.getLogger(__name__)

DISPLAY = "display"


def check_display(context: Context) -> Iterator[Finding]:
    """Say which desktop this is, and which displays answer."""
    session, environment = context.session, context.environment
    if session.kind in (Kind.WINDOWS, Kind.MACOS):
        yield fine(DISPLAY, Message("Windows are shown by the system itself."), kind=context.platform)
        return
    details = {
        "session": environment.get("XDG_SESSION_TYPE", ""),
        "desktop": session.desktop,
        "wayland_display": environment.get("WAYLAND_DISPLAY", ""),
        "display": environment.get("DISPLAY", ""),
        "kind": session.kind.value.lower(),
        "dead": list(session.dead),
    }
    dead = " and ".join(session.dead)
    if session.kind is Kind.NONE and dead:
        yield problem(
            DISPLAY,
            Message("The display {display} isn't responding.", display=dead),
            Message("Is it left over from another session? Start the app in a desktop session."),
            **details,
        )
        return
    if session.kind is Kind.NONE:
        yield problem(
            DISPLAY,
            Message("There is no display: neither DISPLAY nor WAYLAND_DISPLAY is set."),
            Message("Start the app in a desktop session. Over SSH, handy-qwen transcribe works without one."),
            **details,
        )
        return
    kind = Message("Wayland.")
    if session.kind is Kind.X11:
        kind = Message("X11, display {display}.", display=session.display)
    elif session.display:
        kind = Message("Wayland, with XWayland.")
    desktop = Message("The desktop is {name}.", name=session.desktop) if session.desktop else Message()
    rest = Message("Left over from another session: {display}.", display=dead) if dead else Message()
    yield fine(DISPLAY, sentences(kind, desktop, rest), **details)
    if session.kind is Kind.X11:
        return
    if not session.display:
        yield warning(
            DISPLAY,
            Message("There is no XWayland: the overlay cannot be placed here."),
            Message("Install xwayland if you want the overlay; dictation works without."),
            **details,
        )
    if not session.wayland:
        yield warning(
            DISPLAY,
            Message(
                "Only XWayland answers; the Wayland display is not known here, so texts can only be copied."
            ),
            Message("Start the app from the desktop, or set WAYLAND_DISPLAY."),
            **details,
        )


TRAY = "tray"
WATCHER = "org.kde.StatusNotifierWatcher"
BUS_ANSWER_S = 2.0
TRAY_REMEDY = Message(
    "Add the tray to your panel; on GNOME install the extension AppIndicator. Without a tray, start Handy "
    "Qwen once more: its main window has all that the tray's menu has."
)


def check_tray(context: Context) -> Iterator[Finding]:
    """Look for whoever shows tray icons."""
    if not context.platform.startswith("linux"):
        yield fine(TRAY, Message("The system has a place for tray icons."), host="system")
        return
    display = context.session.display  # "" if none answers: nobody else need try it, and fail slowly
    if not display and not context.is_wayland:
        return  # the display's finding says it all
    host = _host(context.environment, display)
    pid = (context.running or {}).get("pid")
    if host == "StatusNotifier" and pid is not None and not _is_shown(context.environment, int(str(pid))):
        yield warning(
            TRAY,
            Message("The panel does not show Handy Qwen's icon."),
            Message("Quit the app and start it again. Its main window has all that the menu has."),
            host=host,
        )
    elif host:
        yield fine(TRAY, Message("The panel shows tray icons ({host}).", host=host), host=host)
    else:
        yield warning(TRAY, Message("No panel of this desktop shows tray icons."), TRAY_REMEDY, host="")


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
    from jeepney import DBusAddress  # on Linux only, as is the next

    from handy_qwen.system.portal import BROKEN, property_of

    address = environment.get("DBUS_SESSION_BUS_ADDRESS")
    if not address:
        return False
    watcher = DBusAddress("/StatusNotifierWatcher", bus_name=WATCHER, interface=WATCHER)
    try:
        return bool(
            property_of(watcher, "IsStatusNotifierHostRegistered", timeout_s=BUS_ANSWER_S, bus=address)
        )
    except BROKEN as exc:
        logger.debug("no watcher of tray icons: %s", type(exc).__name__)
        return False


def _is_shown(environment: Mapping[str, str], pid: int) -> bool:
    """Whether an icon of the process ``pid`` is among those of the panel; True if nobody tells."""
    from jeepney import DBusAddress, message_bus  # on Linux only, as is the next
    from jeepney.wrappers import Properties, unwrap_msg

    from handy_qwen.system.portal import BROKEN, connect

    watcher = DBusAddress("/StatusNotifierWatcher", bus_name=WATCHER, interface=WATCHER)
    try:
        with connect(environment["DBUS_SESSION_BUS_ADDRESS"]) as bus:
            asked = Properties(watcher).get("RegisteredStatusNotifierItems")
            ((_, items),) = unwrap_msg(bus.send_and_get_reply(asked, timeout=BUS_ANSWER_S))
            owners = {item.partition("/")[0] for item in items}
            pids = set()
            for owner in owners:
                asked = message_bus.GetConnectionUnixProcessID(owner)
                pids |= set(unwrap_msg(bus.send_and_get_reply(asked, timeout=BUS_ANSWER_S)))
    except BROKEN as exc:
        logger.debug("the list of tray icons cannot be read: %s", type(exc).__name__)
        return True
    return pid in pids


AUTOSTART = "autostart"


def check_autostart(context: Context) -> Iterator[Finding]:
    """Look at the entry."""
    entry = autostart_for(context.environment, platform=context.platform)
    state = entry.state()
    details = {"is_on": state.is_on, "command": list(state.command), "place": entry.place}
    if state.is_on and state.is_broken:
        yield warning(
            AUTOSTART,
            Message("At login, {command} should be started, which is not there.", command=state.command[0]),
            Message("Write the entry anew: handy-qwen autostart on"),
            **details,
        )
    elif state.is_on:
        yield fine(AUTOSTART, Message("The app starts when you log in."), **details)
    else:
        yield fine(
            AUTOSTART,
            Message("The app does not start by itself (handy-qwen autostart on changes that)."),
            **details,
        )


PERMISSIONS = "permissions"
CONSENT = r"Software\Microsoft\Windows\CurrentVersion\CapabilityAccessManager\ConsentStore\microphone"
PORTALS = {"GlobalShortcuts": "hotkeys", "RemoteDesktop": "pressing keys"}
AV_DENIED = {1: "restricted", 2: "denied"}  # AVAuthorizationStatus


def check_permissions(context: Context) -> Iterator[Finding]:
    """Look at what this system lets the program do."""
    if context.platform == "win32":
        import winreg

        yield from check_windows(winreg)
    elif context.platform == "darwin":
        yield from _check_macos()
    elif context.is_wayland:
        yield from _check_portals(context)
    elif context.session.kind is Kind.X11:
        yield fine(
            PERMISSIONS, Message("X11 lets every program hear and press keys: nothing has to be allowed.")
        )


def check_windows(registry: Any) -> Iterator[Finding]:  # noqa: ANN401  winreg, or a stand-in for it
    """Look at the switches for the microphone: for all programs, and for those not from the store."""
    denied = [key for key in (CONSENT, rf"{CONSENT}\NonPackaged") if _value(registry, key) == "Deny"]
    if denied:
        yield problem(
            PERMISSIONS,
            Message("Windows does not let desktop apps use the microphone."),
            Message(
                "Settings > Privacy & security > Microphone: turn on “Let desktop apps access "
                "your microphone”."
            ),
            microphone="denied",
        )
    else:
        yield fine(
            PERMISSIONS, Message("Windows lets desktop apps use the microphone."), microphone="allowed"
        )


def _value(registry: Any, key: str) -> str:  # noqa: ANN401
    try:
        with registry.OpenKey(registry.HKEY_CURRENT_USER, key) as handle:
            value, _ = registry.QueryValueEx(handle, "Value")
    except OSError:  # never set: allowed
        return ""
    return str(value)


def _check_macos() -> Iterator[Finding]:
    import Quartz  # type: ignore[import-not-found,unused-ignore]  # on macOS only

    rights = {
        "Input Monitoring": bool(Quartz.CGPreflightListenEventAccess()),
        "Accessibility": bool(Quartz.CGPreflightPostEventAccess()),
        "Microphone": _may_record(),
    }
    missing = [name for name, is_given in rights.items() if not is_given]
    if missing:
        yield problem(
            PERMISSIONS,
            Message("macOS has not allowed: {names}.", names=", ".join(missing)),
            Message(
                "System Settings > Privacy & Security > {missing}: turn it on, then start the app again.",
                missing=missing[0],
            ),
            **rights,
        )
    else:
        yield fine(PERMISSIONS, Message("macOS allows {names}.", names=", ".join(rights)), **rights)


def _may_record() -> bool:
    """Whether the microphone is not forbidden; what was not asked yet is asked at the first recording."""
    try:
        from AVFoundation import (  # type: ignore[import-not-found,unused-ignore]
            AVCaptureDevice,
            AVMediaTypeAudio,
        )
    except ImportError:  # pyobjc's part for it is not needed otherwise; silence tells as well
        return True
    return AVCaptureDevice.authorizationStatusForMediaType_(AVMediaTypeAudio) not in AV_DENIED


def _check_portals(context: Context) -> Iterator[Finding]:
    # On Linux only:
    from handy_qwen.system.insert.portal_keyboard import Permission
    from handy_qwen.system.menu_entry import MenuEntry
    from handy_qwen.system.portal import version_of
    from handy_qwen.system.wayland.keyboard import has_virtual_keyboard
    from handy_qwen.system.wayland.wire import socket_path

    if has_virtual_keyboard(socket_path(context.session.wayland)):
        yield fine(PERMISSIONS, Message("The desktop lets programs press keys: nothing has to be allowed."))
        return
    found = {what: version_of(interface) for interface, what in PORTALS.items()}
    permission = Permission()
    missing = [what for what, version in found.items() if version is None]
    if missing:
        yield warning(
            PERMISSIONS,
            Message("The desktop's portal offers nothing for {names}.", names=" and ".join(missing)),
            Message("Install xdg-desktop-portal and its part for your desktop; other ways are tried, too."),
            **found,
        )
    elif permission.is_refused():
        yield problem(
            PERMISSIONS,
            Message("You have refused to let Handy Qwen type, so texts are only copied."),
            Message("Allow it: tray > Help > Set up again > First text."),
            **found,
        )
    elif permission.token():
        yield fine(PERMISSIONS, Message("The desktop lets Handy Qwen press keys."), **found)
    else:
        yield fine(
            PERMISSIONS,
            Message(
                "The desktop will ask once whether Handy Qwen may press keys, when it first types a text."
            ),
            **found,
        )
    if not (entry := MenuEntry(context.environment)).is_there():
        yield warning(
            PERMISSIONS,
            Message("There is no menu entry, by which the desktop would know Handy Qwen."),
            Message("Start the app: it writes one."),
            place=str(entry.place),
        )
