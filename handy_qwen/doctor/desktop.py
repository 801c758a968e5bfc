"""Checks of the desktop: display, tray, hotkeys, insertion, autostart, and permissions."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from handy_qwen.core.permissions import Consent, Permission
from handy_qwen.core.types import Hotkey, KeyPermission, Method
from handy_qwen.doctor.findings import Context, Finding, failed, fine, problem, warning
from handy_qwen.errors import HotkeyError, HotkeyReason, InsertError
from handy_qwen.message import Message, sentences, verbatim
from handy_qwen.system import permissions
from handy_qwen.system.entries import MenuEntry, autostart_for
from handy_qwen.system.hotkeys import hotkeys_for
from handy_qwen.system.hotkeys.chord import labels
from handy_qwen.system.hotkeys.listener import Listener
from handy_qwen.system.insert import DEFAULT_METHOD, describe, key_permission, try_out
from handy_qwen.system.session import Kind
from handy_qwen.system.wayland.layer import LAYER_SHELL
from handy_qwen.system.wayland.wire import offers, socket_path

logger = logging.getLogger(__name__)

DISPLAY = "display"


def check_display(context: Context) -> Iterator[Finding]:
    """Report the desktop, and which displays answer."""
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
    dead = ", ".join(session.dead)
    if session.kind is Kind.NONE and dead:
        text = Message("The display {display} isn't responding.", display=dead)
        hint = Message("Is it left over from another session? Start the app in a desktop session.")
        yield problem(DISPLAY, text, hint, **details)
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
    if not session.display and not offers(socket_path(session.wayland, environment), LAYER_SHELL):
        text = Message("There is no XWayland: the overlay cannot be placed here.")
        hint = Message("Install xwayland if you want the overlay; dictation works without.")
        yield warning(DISPLAY, text, hint, **details)
    if not session.wayland:
        text = Message(
            "Only XWayland answers; the Wayland display is not known here, so texts can only be copied."
        )
        hint = Message("Start the app from the desktop, or set WAYLAND_DISPLAY.")
        yield warning(DISPLAY, text, hint, **details)


TRAY = "tray"
WATCHER = "org.kde.StatusNotifierWatcher"
BUS_ANSWER_S = 2.0
TRAY_REMEDY = Message(
    "Add the tray to your panel; on GNOME install the extension AppIndicator. Without a tray, start Handy "
    "Qwen once more: its main window has all that the tray's menu has."
)


def check_tray(context: Context) -> Iterator[Finding]:
    """Look for a host of tray icons."""
    if not context.platform.startswith("linux"):
        yield fine(TRAY, Message("The system has a place for tray icons."), host="system")
        return
    display = context.session.display  # "" if none answers: nobody else need try it, and fail slowly
    if not display and not context.is_wayland:
        return  # covered by the display's finding
    host = _host(context.environment, display)
    pid = (context.running or {}).get("pid")
    if host == "StatusNotifier" and pid is not None and not _is_shown(context.environment, int(str(pid))):
        text = Message("The panel does not show Handy Qwen's icon.")
        hint = Message("Quit the app and start it again. Its main window has all that the menu has.")
        yield warning(TRAY, text, hint, host=host)
    elif host:
        yield fine(TRAY, Message("The panel shows tray icons ({host}).", host=host), host=host)
    else:
        yield warning(TRAY, Message("No panel of this desktop shows tray icons."), TRAY_REMEDY, host="")


def _host(environment: Mapping[str, str], display: str) -> str:
    if _has_status_notifier(environment):
        return "StatusNotifier"
    return "XEmbed" if display and _has_xembed(display) else ""


def _has_xembed(display: str) -> bool:
    from handy_qwen.system.x11.connection import connect, disconnect, has_manager  # on Linux only

    try:
        connection = connect(display)
    except InsertError as error:
        logger.debug("no X server to ask for a tray: %s", error.reason.name)
        return False
    try:
        return has_manager(connection, "_NET_SYSTEM_TRAY")
    finally:
        disconnect(connection)


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
    """Whether the panel shows an icon of the process ``pid``; True if unknown."""
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
    """Check the entry."""
    entry = autostart_for(context.environment, platform=context.platform)
    state = entry.state()
    details = {"is_on": state.is_on, "command": list(state.command), "place": entry.place}
    if state.is_on and state.is_broken:
        text = Message("At login, {command} should be started, which is not there.", command=state.command[0])
        hint = Message("Write the entry again: handy-qwen autostart on")
        yield warning(AUTOSTART, text, hint, **details)
    elif state.is_on:
        yield fine(AUTOSTART, Message("The app starts when you log in."), **details)
    else:
        text = Message("The app does not start by itself (handy-qwen autostart on changes that).")
        yield fine(AUTOSTART, text, **details)


PERMISSIONS = "permissions"
CONSENT = r"Software\Microsoft\Windows\CurrentVersion\CapabilityAccessManager\ConsentStore\microphone"


def check_permissions(context: Context) -> Iterator[Finding]:
    """Check the permissions on this system."""
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
    """Check the microphone switches: for all programs, and for desktop apps."""
    denied = [key for key in (CONSENT, rf"{CONSENT}\NonPackaged") if _value(registry, key) == "Deny"]
    if denied:
        yield problem(
            PERMISSIONS,
            Message("Windows does not let desktop apps use the microphone."),
            Message(
                "Settings → Privacy & security → Microphone: turn on “Let desktop apps access "
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
    consents = permissions.consents()
    rights = {one.value: consent is Consent.GIVEN for one, consent in consents.items()}
    # Other permissions are requested at the first recording.
    rights[Permission.MICROPHONE.value] = consents[Permission.MICROPHONE] is not Consent.REFUSED
    missing = [name for name, is_given in rights.items() if not is_given]
    if missing:
        yield problem(
            PERMISSIONS,
            Message("macOS has not allowed: {names}.", names=", ".join(missing)),
            permissions.ALLOW_IT,
            **rights,
        )
    else:
        yield fine(PERMISSIONS, Message("macOS allows {names}.", names=", ".join(rights)), **rights)


def _check_portals(context: Context) -> Iterator[Finding]:
    # On Linux only:
    from handy_qwen.system.portal import GLOBAL_SHORTCUTS, REMOTE_DESKTOP, version_of

    permission = key_permission(context.session)
    if permission is KeyPermission.NOT_NEEDED:
        yield fine(PERMISSIONS, Message("The desktop lets programs press keys: nothing has to be allowed."))
        return
    found = {"hotkeys": version_of(GLOBAL_SHORTCUTS), "pressing keys": version_of(REMOTE_DESKTOP)}
    missing = [what for what, version in found.items() if version is None]
    if missing:
        text = Message("The desktop's portal offers nothing for {names}.", names=", ".join(missing))
        hint = Message("Install xdg-desktop-portal and its part for your desktop; other ways are tried, too.")
        yield warning(PERMISSIONS, text, hint, **found)
    elif permission is KeyPermission.REFUSED:
        text = Message("You have refused to let Handy Qwen type, so texts are only copied.")
        hint = Message("Allow it: tray → Help → Set up again… → First text.")
        yield problem(PERMISSIONS, text, hint, **found)
    elif permission is KeyPermission.GIVEN:
        yield fine(PERMISSIONS, Message("The desktop lets Handy Qwen press keys."), **found)
    else:
        text = Message(
            "The desktop will ask once whether Handy Qwen may press keys, when it first types a text."
        )
        yield fine(PERMISSIONS, text, **found)
    if not (entry := MenuEntry(context.environment)).is_there():
        text = Message("There is no menu entry, by which the desktop would know Handy Qwen.")
        hint = Message("Start the app: it writes one.")
        yield warning(PERMISSIONS, text, hint, place=str(entry.place))


# --- hotkeys and insertion, as the back ends describe them ------------------------------------------

INSERTION = "insertion"


def check_insertion(context: Context) -> Iterator[Finding]:
    """Report how text is inserted, as described by the back end."""
    settings = context.configuration.settings
    method = settings.method or DEFAULT_METHOD
    if method is Method.NONE:
        yield warning(
            INSERTION,
            Message('Texts are not inserted: method = "none" in the settings.'),
            Message('Set method = "auto".'),
        )
        return
    described = describe(context.session)
    ways = described.tried_for(method)
    there = [way.name for way in ways if way.is_available]
    missing = [way.name for way in ways if not way.is_available]
    details = {"backend": described.name, "method": method.value, "order": there, "missing": missing}
    text = Message("No text can be inserted.")
    if there:
        text = Message("Tried in this order: {names}.", names=", ".join(there))
    if missing:
        text = sentences(text, Message("Not here: {names}.", names=", ".join(missing)))
    if not there:
        yield problem(INSERTION, text, described.remedy, **details)
    elif (error := _error(context)) is not None:
        yield failed(INSERTION, error, **details)
    elif method is not Method.COPY and all(way.method is Method.COPY for way in ways if way.is_available):
        text = sentences(text, Message("Texts can only be copied, for you to paste."))
        yield problem(INSERTION, text, described.remedy, **details)
    else:
        yield fine(INSERTION, text, **details)


def _error(context: Context) -> InsertError | None:
    if context.running is not None:  # closing it would release keys that the other instance is using
        return None
    try:
        try_out(context.session)
    except InsertError as error:
        return error
    return None


HOTKEYS = "hotkeys"
SUBJECTS = ("hotkeys", "hotkey listener")  # subjects of the app's lasting notices


def check_hotkeys(context: Context) -> Iterator[Finding]:
    """Check whether the configured hotkeys can be used."""
    hotkeys = context.configuration.settings.hotkeys
    if not hotkeys:
        yield problem(HOTKEYS, Message("No hotkey is set."), Message("Set one: Settings → Shortcut."))
        return
    listener = hotkeys_for(lambda _event: None, context.session)
    details: dict[str, object] = {"backend": listener.NAME}
    try:
        names = labels(hotkeys, context.platform)
    except HotkeyError as error:
        yield failed(HOTKEYS, error, **details)
        return
    if context.running is not None:
        told = [one for one in context.running.get("notices", ()) if one.get("subject") in SUBJECTS]
        if told:
            yield problem(HOTKEYS, verbatim(told[-1]["title"]), verbatim(told[-1].get("hint", "")), **details)
        else:
            yield fine(HOTKEYS, Message("The running app listens for {names}.", names=names), **details)
    else:
        yield _try(listener, hotkeys, details)


def _try(listener: Listener, hotkeys: Sequence[Hotkey], details: Mapping[str, object]) -> Finding:
    try:
        text = listener.try_out(hotkeys)
    except HotkeyError as error:
        reason, is_taken = error.reason.name.lower(), error.reason is HotkeyReason.TAKEN
        return failed(HOTKEYS, error, **details, reason=reason, is_taken=is_taken)
    return fine(HOTKEYS, text, **details, is_taken=False)
