"""The ways text can get into a window here, in the order in which they would be tried."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from handy_qwen.core.ports import Method
from handy_qwen.doctor.context import Context
from handy_qwen.doctor.desktop import display_of
from handy_qwen.doctor.finding import Finding, failed, fine, problem, warning
from handy_qwen.errors import InsertError
from handy_qwen.settings import MeansOfInsertion
from handy_qwen.system.insert import backend_for, default_method
from handy_qwen.system.insert.backend import CHAINS

NAME = "insertion"
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


def check(context: Context) -> Iterator[Finding]:
    """Look which ways there are."""
    settings = context.configuration.settings
    is_auto = settings.method is MeansOfInsertion.AUTO
    method = default_method(platform=context.platform) if is_auto else Method(settings.method.value)
    if method is Method.NONE:
        yield warning(
            NAME, 'Texts are not inserted: method = "none" in the settings.', 'Set method = "auto".'
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
        yield problem(NAME, text, _remedy(context), **details)
        return
    error = _error(context)
    if error is not None:
        yield failed(NAME, error, **details)
    elif method is not Method.COPY and all(name.startswith("clipboard") for name in there):
        yield problem(
            NAME, f"{text} Texts can only be copied, for you to paste.", _remedy(context), **details
        )
    else:
        yield fine(NAME, text, **details)


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
    from handy_qwen.doctor.portals import version_of

    return version_of("org.freedesktop.portal.RemoteDesktop") is not None


def _has(tool: str) -> bool:
    return shutil.which(tool) is not None


def _remedy(context: Context) -> str:
    return WAYLAND_REMEDY if context.is_wayland else "Start the app in a desktop session; install xclip."
