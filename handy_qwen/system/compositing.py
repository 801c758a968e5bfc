"""Whether windows may be transparent here.

On X11 that takes a compositor, and there may be none (i3, plain openbox): what should be transparent is black
then. Windows, macOS and Wayland always have one.

Source: Extended Window Manager Hints 1.5, "Compositing managers": one owns the selection _NET_WM_CM_Sn.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from handy_qwen.system.session import Kind, Session

IsComposited = Callable[[], bool]
"""Looks each time it is called: compositors come and go. Called on Qt's thread; takes one round trip."""


def compositing_for(look: Callable[[], Session]) -> IsComposited:
    """How to find out. ``look`` says which desktop it is; called once, when that is first of interest."""

    @cache
    def server() -> IsComposited:
        session = look()
        if session.kind is not Kind.X11:
            return lambda: True
        from handy_qwen.system.x11_compositing import X11Compositing  # Xlib: not before the tray

        return X11Compositing(session.display)

    def is_composited() -> bool:
        return server()()

    return is_composited
