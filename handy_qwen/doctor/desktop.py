"""The display and the kind of session: what windows can be shown on."""

from __future__ import annotations

from collections.abc import Iterator

from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, fine, problem, warning
from handy_qwen.system.session import Kind

NAME = "display"


def check(context: Context) -> Iterator[Finding]:
    """Say which desktop this is, and which displays answer."""
    session, environment = context.session, context.environment
    if session.kind in (Kind.WINDOWS, Kind.MACOS):
        yield fine(NAME, "Windows are shown by the system itself.", kind=context.platform)
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
            NAME,
            f"The display {dead} does not answer.",
            "Is it left over from another session? Start the app in a desktop session.",
            **details,
        )
        return
    if session.kind is Kind.NONE:
        yield problem(
            NAME,
            "There is no display: neither DISPLAY nor WAYLAND_DISPLAY is set.",
            "Start the app in a desktop session. Over SSH, handy-qwen transcribe works without one.",
            **details,
        )
        return
    desktop = f" on {session.desktop}" if session.desktop else ""
    rest = f" {dead} is left over from another session." if dead else ""
    if session.kind is Kind.X11:
        yield fine(NAME, f"X11, display {session.display}{desktop}.{rest}", **details)
        return
    yield fine(NAME, f"Wayland{desktop}{', with XWayland' if session.display else ''}.{rest}", **details)
    if not session.display:
        yield warning(
            NAME,
            "There is no XWayland: the overlay cannot be placed here.",
            "Install xwayland if you want the overlay; dictation works without.",
            **details,
        )
    if not session.wayland:
        yield warning(
            NAME,
            "Only XWayland answers; the Wayland display is not known here, so texts can only be copied.",
            "Start the app from the desktop, or set WAYLAND_DISPLAY.",
            **details,
        )


def display_of(context: Context) -> str:
    """The X display, if there is one and it answers; else "". Nobody else need try it, and fail slowly."""
    return context.session.display
