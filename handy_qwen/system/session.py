"""Detects the desktop. The only place that does; everything else asks here.

The environment is unreliable. Variables are inherited by tmux and ssh, kept by systemd's user services from
an ended session, and ``startx`` on a console leaves XDG_SESSION_TYPE at "tty". A display that answers is a
fact, so both kinds are tried:

* A Wayland compositor that answers makes it a Wayland session, even beside an X server: that one is XWayland.
  Exception: XDG_SESSION_TYPE is "x11" and the X server is a real one. Then the compositor runs in a window,
  or belongs to another session of the same user.
* An X server alone makes it an X11 session, unless it is XWayland: programs there see keys only while an X
  window has the focus, so hotkeys must come from the desktop nevertheless.

Threads: any. Takes some milliseconds, and at most two seconds for each display that hangs.
"""

from __future__ import annotations

import enum
import logging
import re
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from handy_qwen.errors import HandyError

logger = logging.getLogger(__name__)

ANSWER_S = 2.0
DEFAULT_WAYLAND = "wayland-0"  # libwayland's default

Answers = Callable[[Sequence[str]], bool]
"""Whether a server listens at one of these sockets; a leading NUL marks Linux's abstract ones."""


class Kind(enum.StrEnum):
    """The windowing system."""

    WINDOWS = "Windows"
    MACOS = "macOS"
    WAYLAND = "Wayland"
    X11 = "X11"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Session:
    """A desktop session."""

    kind: Kind  # the windowing system
    wayland: str = ""  # the Wayland display that answers, as in WAYLAND_DISPLAY; empty if none does
    display: str = ""  # the X display that answers, as in DISPLAY: XWayland's if ``kind`` is WAYLAND
    desktop: str = ""  # XDG_CURRENT_DESKTOP: "GNOME", "KDE", "sway"
    dead: tuple[str, ...] = ()  # displays in the environment that do not answer


def answers(sockets: Sequence[str]) -> bool:
    """See ``Answers``."""
    if sys.platform == "win32":  # it has no such displays
        return False
    for address in sockets:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_S)
            try:
                connection.connect(address)
            except OSError:
                continue
            return True
    return False


def is_xwayland(display: str) -> bool:
    """Whether the X server at ``display`` shows its windows through a Wayland compositor."""
    found: list[bool] = []

    def ask() -> None:
        # Imported late: it is for Linux only.
        from Xlib import error

        from handy_qwen.system.x11.connection import LOST, connect, disconnect

        try:
            connection = connect(display)
            try:
                found.append(connection.query_extension("XWAYLAND") is not None)  # since version 23.1
                if connection.query_extension("RANDR") is not None:  # before that
                    root = connection.screen().root
                    resources = root.xrandr_get_screen_resources_current()  # the other probes the monitors
                    for output in resources.outputs:
                        name = connection.xrandr_get_output_info(output, resources.config_timestamp).name
                        found.append(str(name).startswith("XWAYLAND"))
            finally:
                disconnect(connection)
        except (HandyError, error.XError, *LOST) as exc:
            logger.info("the X server does not say what it is: %s", type(exc).__name__)

    # On a separate thread: python-xlib waits forever for a server that accepts and then says nothing.
    thread = threading.Thread(target=ask, name="session", daemon=True)
    thread.start()
    thread.join(ANSWER_S)
    return any(found)


def session_of(
    environment: Mapping[str, str],
    platform: str = sys.platform,
    *,
    answers: Answers = answers,
    is_xwayland: Callable[[str], bool] = is_xwayland,
) -> Session:
    """The session of ``environment``. ``answers`` and ``is_xwayland`` probe displays."""
    if platform in ("win32", "darwin"):
        return Session(Kind.WINDOWS if platform == "win32" else Kind.MACOS)
    told = environment.get("XDG_SESSION_TYPE", "")
    named = [environment.get(variable, "") for variable in ("WAYLAND_DISPLAY", "DISPLAY")]
    wayland, display = _wayland(environment, named[0], answers), named[1]
    is_name = re.fullmatch(r"\S*:[0-9]+(\.[0-9]+)?", display) is not None
    if not is_name or (_is_local(display) and not answers(_x_sockets(display))):
        display = ""
    dead = tuple(name for name in named if name and name not in (wayland, display))
    has_xwayland = _is_local(display) and is_xwayland(display)
    if not wayland and (told == "wayland" or has_xwayland):
        wayland = _wayland(environment, DEFAULT_WAYLAND, answers)
    is_beside = bool(wayland and display and told == "x11" and not has_xwayland)
    if has_xwayland or (wayland and not is_beside):
        kind = Kind.WAYLAND
    else:
        kind, wayland = Kind.X11 if display else Kind.NONE, ""
    return Session(kind, wayland, display, environment.get("XDG_CURRENT_DESKTOP", ""), dead)


def displays_of(environment: Mapping[str, str], platform: str = sys.platform) -> Session:
    """Like ``session_of``, before the tray: imports nothing, and takes XWayland alone for X11."""
    return session_of(environment, platform, is_xwayland=lambda _display: False)


def _wayland(environment: Mapping[str, str], name: str, answers: Answers) -> str:
    """``name`` if a compositor listens there, located like libwayland does."""
    folder = environment.get("XDG_RUNTIME_DIR", "")
    if not name or not (folder or name.startswith("/")):
        return ""
    return name if answers([name if name.startswith("/") else f"{folder}/{name}"]) else ""


def _is_local(display: str) -> bool:
    """Whether the display is on this machine; a remote one is not probed."""
    return re.fullmatch(r"(unix/?)?:[0-9]+(\.[0-9]+)?", display) is not None


def _x_sockets(display: str) -> list[str]:
    number = display.partition(":")[2].partition(".")[0]
    path = f"/tmp/.X11-unix/X{number}"  # the usual path
    return [path, "\0" + path]


# --- whether windows may be transparent -------------------------------------------------------------
#
# X11 needs a compositor for that, and there may be none (i3, plain openbox): transparent areas are then
# black. Windows, macOS and Wayland always have one.
# Source: Extended Window Manager Hints 1.5, "Compositing managers": one owns the selection _NET_WM_CM_Sn.

IsComposited = Callable[[], bool]
"""Checks at each call: compositors come and go. Called on Qt's thread; takes one round trip."""


def compositing_for(look: Callable[[], Session]) -> IsComposited:
    """A function that checks for a compositor. ``look`` detects the desktop; called once, when needed."""

    @cache
    def server() -> IsComposited:
        session = look()
        return X11Compositing(session.display) if session.kind is Kind.X11 else lambda: True

    def is_composited() -> bool:
        return server()()

    return is_composited


class X11Compositing:
    """Asks the X server, on a connection that it keeps. For one thread."""

    def __init__(self, display: str) -> None:
        self._name = display
        self._connection: Any = None  # python-xlib is untyped

    def __call__(self) -> bool:
        """Whether a compositor runs now; False if the server does not answer."""
        from handy_qwen.system.x11.connection import LOST, connect, has_manager  # Xlib: not before the tray

        try:
            if self._connection is None:
                self._connection = connect(self._name)
            return has_manager(self._connection, "_NET_WM_CM")
        except (HandyError, *LOST) as problem:
            logger.info("the X server was not asked for a compositor: %s", type(problem).__name__)
            self._connection = None
            return False
