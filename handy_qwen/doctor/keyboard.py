"""The ways text can get into a window here, in the order in which they would be tried."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from handy_qwen.core.ports import HotkeyListener
from handy_qwen.core.types import Hotkey, Method
from handy_qwen.doctor.desktop import display_of
from handy_qwen.doctor.findings import Context, Finding, failed, fine, problem, warning
from handy_qwen.errors import HotkeyError, HotkeyReason, InsertError
from handy_qwen.system.hotkeys import hotkeys_for
from handy_qwen.system.hotkeys.chord import parse_chord
from handy_qwen.system.insert import backend_for, default_method
from handy_qwen.system.insert.backend import CHAINS
from handy_qwen.system.session import Kind

INSERTION = "insertion"
X11_TOOLS, WAYLAND_TOOLS = ("xclip", "xsel"), ("wl-copy",)  # that pyperclip uses
WAYLAND_REMEDY = (
    "Install wl-clipboard, and wtype (sway, Hyprland, river) or ydotool with its daemon; on GNOME and KDE "
    "xdg-desktop-portal and the portal of the desktop."
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way, by name, and whether it can be had."""

    name: str
    is_there: bool


def check_insertion(context: Context) -> Iterator[Finding]:
    """Look which ways there are."""
    settings = context.configuration.settings
    method = settings.method or default_method(platform=context.platform)
    if method is Method.NONE:
        yield warning(
            INSERTION, 'Texts are not inserted: method = "none" in the settings.', 'Set method = "auto".'
        )
        return
    ways = [*_ways(context, method), _last_resort(context)]
    there = [way.name for way in ways if way.is_there]
    missing = [way.name for way in ways if not way.is_there]
    details = {"method": method.value, "order": there, "missing": missing}
    text = f"Tried in this order: {', '.join(there)}." if there else "No text can be inserted."
    if missing:
        text += f" Not here: {', '.join(missing)}."
    if not there:
        yield problem(INSERTION, text, _remedy(context), **details)
        return
    error = _error(context)
    if error is not None:
        yield failed(INSERTION, error, **details)
    elif method is not Method.COPY and all(name.startswith("clipboard") for name in there):
        yield problem(
            INSERTION, f"{text} Texts can only be copied, for you to paste.", _remedy(context), **details
        )
    else:
        yield fine(INSERTION, text, **details)


def _ways(context: Context, method: Method) -> Iterator[Way]:
    if context.is_wayland:
        yield from _wayland_ways(method)
        return
    system = {"win32": "SendInput", "darwin": "Quartz"}.get(context.platform, "X11")
    is_there = system != "X11" or bool(display_of(context))
    keys = {"win32": "Ctrl+V", "darwin": "Cmd+V"}.get(context.platform, "Shift+Insert")
    names = {
        Method.PASTE: f"paste ({system}, {keys})",
        Method.TYPE: f"typing ({system})",
        Method.COPY: f"clipboard ({system})",
    }
    for one in CHAINS[method]:
        yield Way(names[one], is_there)


def _wayland_ways(method: Method) -> Iterator[Way]:
    has_copy, has_wtype = _has("wl-copy"), _has("wtype")
    keys = {"wtype": has_wtype, "portal": _has_keyboard_portal(), "ydotool": _has("ydotool")}
    for one in CHAINS[method]:
        if one is Method.PASTE:
            yield from (
                Way(f"paste (wl-copy, keys by {name})", has_copy and has) for name, has in keys.items()
            )
        elif one is Method.TYPE:
            yield Way("typing (wtype)", has_wtype)
        else:
            yield Way("clipboard (wl-copy)", has_copy)


def _last_resort(context: Context) -> Way:
    """What pyperclip needs; only looked for: importing it would start programs."""
    if not context.platform.startswith("linux"):
        return Way("clipboard (the system's)", is_there=True)
    tools = WAYLAND_TOOLS if context.is_wayland else X11_TOOLS
    found = [tool for tool in tools if _has(tool)]
    is_there = bool(found) and bool(context.is_wayland or display_of(context))
    return Way(f"clipboard ({found[0] if found else ' or '.join(tools)})", is_there)


def _error(context: Context) -> InsertError | None:
    """Build what would do it, as the app does. On X11 it connects and looks for what it needs.

    Not beside a running instance: as it tidies up, it would take the keys that the other is typing with.
    """
    if context.running is not None:
        return None
    stopping = threading.Event()
    try:
        backend = backend_for(context.session, context.environment, stopping)
        if context.platform == "darwin":
            _require_accessibility()
        backend.close()
    except InsertError as error:
        return error
    finally:
        stopping.set()
    return None


def _require_accessibility() -> None:
    """Say what is missing, without asking the user for it as the app does."""
    import Quartz  # type: ignore[import-not-found,unused-ignore]  # on macOS only

    from handy_qwen.errors import InsertReason
    from handy_qwen.system.insert.macos import NOT_ALLOWED

    if not Quartz.CGPreflightPostEventAccess():
        raise InsertError("macOS does not let us press keys.", InsertReason.DENIED_BY_USER, NOT_ALLOWED)


def _has_keyboard_portal() -> bool:
    """Whether the desktop's portal has a RemoteDesktop interface; asking for its version asks nobody."""
    from handy_qwen.doctor.desktop import version_of

    return version_of("org.freedesktop.portal.RemoteDesktop") is not None


def _has(tool: str) -> bool:
    return shutil.which(tool) is not None


def _remedy(context: Context) -> str:
    return WAYLAND_REMEDY if context.is_wayland else "Start the app in a desktop session; install xclip."


HOTKEYS = "hotkeys"
SUBJECTS = ("hotkeys", "hotkey listener")  # of lasting notices of the app
OWN_KEYS = (
    'Let your desktop run "handy-qwen start" when a key of your choice goes down and "handy-qwen stop" '
    'when it comes up, or "handy-qwen toggle" on a key.'
)


def check_hotkeys(context: Context) -> Iterator[Finding]:
    """Look whether the hotkeys of the settings can be listened for."""
    backend = backend_of(context)
    chords = [hotkey.chord for hotkey in context.configuration.settings.hotkeys]
    details = {"backend": backend}
    if not chords:
        yield problem(
            HOTKEYS, "No hotkey is set.", 'Set one in the settings file: [[hotkeys]] chord = "Right Ctrl".'
        )
        return
    try:
        names = " and ".join(parse_chord(chord).label(context.platform) for chord in chords)
    except HotkeyError as error:
        yield failed(HOTKEYS, error, **details)
        return
    if context.running is not None:
        told = [one for one in context.running.get("notices", ()) if one.get("subject") in SUBJECTS]
        if told:
            yield problem(HOTKEYS, str(told[-1]["title"]), str(told[-1].get("hint", "")), **details)
        else:
            yield fine(HOTKEYS, f"The running app listens for {names}.", **details)
    elif context.session.kind is Kind.NONE:
        yield problem(HOTKEYS, "Without a display no hotkey can be heard.", OWN_KEYS, **details)
    elif context.session.kind is Kind.WAYLAND:
        yield _ask_portal(context.configuration.settings.hotkeys, names)
    else:
        yield _try(context, backend, names)


def backend_of(context: Context) -> str:
    """The way that ``hotkeys_for`` takes here, by name."""
    kind = context.session.kind
    return "portal" if kind is Kind.WAYLAND else kind.value


def _try(context: Context, backend: str, names: str) -> Finding:
    listener: HotkeyListener = hotkeys_for(lambda _event: None, context.session)
    try:
        listener.start(context.configuration.settings.hotkeys)
    except HotkeyError as error:
        reason, is_taken = error.reason.name.lower(), error.reason is HotkeyReason.TAKEN
        return failed(HOTKEYS, error, backend=backend, reason=reason, is_taken=is_taken)
    finally:
        listener.stop()
    return fine(HOTKEYS, f"{names} can be listened for, through {backend}.", backend=backend, is_taken=False)


def _ask_portal(wanted: Sequence[Hotkey], names: str) -> Finding:
    """Open a session of global shortcuts and close it: nothing is bound, so the user is not asked."""
    from handy_qwen.system.hotkeys.portal import Portal, PortalError, shortcuts_for

    try:
        *shortcuts, _cancel = shortcuts_for(wanted)
    except HotkeyError as error:
        return failed(HOTKEYS, error, backend="portal")
    try:
        Portal("SESSION").close()
    except PortalError as exc:
        return problem(
            HOTKEYS,
            f"This desktop has no global shortcuts for programs ({exc}).",
            OWN_KEYS,
            backend="portal",
        )
    unsaid = [one.description for one in shortcuts if not one.trigger]
    if unsaid:
        return problem(
            HOTKEYS,
            f"On Wayland a program cannot ask for {names}: a modifier needs another key with it.",
            'Set another hotkey, such as F9, or a key for "'
            + '" and "'.join(unsaid)
            + "\" in your desktop's keyboard settings.",
            backend="portal",
        )
    return fine(
        HOTKEYS,
        f"The desktop's portal takes shortcuts. It asks you to allow {names} when the app starts; the key "
        "can be changed in the desktop's keyboard settings.",
        backend="portal",
    )
