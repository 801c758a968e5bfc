"""The display and the kind of session: what windows can be shown on."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping

from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, fine, problem, warning

NAME = "display"
ANSWER_S = 2.0


def check(context: Context) -> Iterator[Finding]:
    """Look at what the session says of itself, and whether the display answers."""
    environment = context.environment
    if not context.platform.startswith("linux"):
        yield fine(NAME, "Windows are shown by the system itself.", kind=context.platform)
        return
    wayland, display = environment.get("WAYLAND_DISPLAY", ""), environment.get("DISPLAY", "")
    details = {
        "session": environment.get("XDG_SESSION_TYPE", ""),
        "desktop": environment.get("XDG_CURRENT_DESKTOP", ""),
        "wayland_display": wayland,
        "display": display,
        "kind": "wayland" if wayland else "x11" if display else "none",
    }
    if not wayland and not display:
        yield problem(
            NAME,
            "There is no display: neither DISPLAY nor WAYLAND_DISPLAY is set.",
            "Start the app in a desktop session. Over SSH, handy-qwen transcribe works without one.",
            **details,
        )
        return
    desktop = f" on {details['desktop']}" if details["desktop"] else ""
    if wayland and not _answers([_wayland_path(environment)]):
        yield problem(
            NAME,
            f"The Wayland display {wayland} does not answer.",
            "Start it in a desktop session.",
            **details,
        )
    elif wayland:
        yield fine(NAME, f"Wayland{desktop}{', with XWayland' if display else ''}.", **details)
        if not display:
            yield warning(
                NAME,
                "There is no XWayland: the overlay cannot be placed here.",
                "Install xwayland if you want the overlay; dictation works without.",
                **details,
            )
    elif _is_dead(display):
        yield problem(
            NAME,
            f"The display {display} does not answer.",
            "Is DISPLAY left over from another session? Start the app in a desktop session.",
            **details,
        )
    else:
        yield fine(NAME, f"X11, display {display}{desktop}.", **details)


def display_of(context: Context) -> str:
    """The X display, if there is one and it answers; else "". Nobody else need try it, and fail slowly."""
    display = context.environment.get("DISPLAY", "")
    return "" if _is_dead(display) else display


def _is_dead(display: str) -> bool:
    """Whether a display of this machine does not answer; one of another machine is not asked."""
    local = re.fullmatch(r":(\d+)(\.\d+)?", display)
    if not local:
        return False
    path = f"/tmp/.X11-unix/X{local[1]}"  # X11's own place
    return not _answers([path, "\0" + path])  # the second is Linux's abstract socket


def _wayland_path(environment: Mapping[str, str]) -> str:
    name = environment["WAYLAND_DISPLAY"]
    return name if name.startswith("/") else f"{environment.get('XDG_RUNTIME_DIR', '/run')}/{name}"


def _answers(addresses: list[str]) -> bool:
    for address in addresses:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_S)
            try:
                connection.connect(address)
            except OSError:
                continue
            return True
    return False
