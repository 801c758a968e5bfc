"""Whether windows may be transparent here.

On X11 that takes a compositor, and there may be none (i3, plain openbox): what should be transparent is black
then. Windows, macOS and Wayland always have one.

Source: Extended Window Manager Hints 1.5, "Compositing managers": one owns the selection _NET_WM_CM_Sn.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from handy_qwen.errors import HandyError
from handy_qwen.system.session import Kind, Session

logger = logging.getLogger(__name__)

IsComposited = Callable[[], bool]
"""Looks each time it is called: compositors come and go. Called on Qt's thread; takes one round trip."""


def compositing_for(look: Callable[[], Session]) -> IsComposited:
    """How to find out. ``look`` says which desktop it is; called once, when that is first of interest."""

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
        from handy_qwen.system.x11.connection import LOST, connect  # Xlib: not before the tray

        try:
            if self._connection is None:
                self._connection = connect(self._name)
            atom = self._connection.get_atom(f"_NET_WM_CM_S{self._connection.get_default_screen()}")
            return bool(self._connection.get_selection_owner(atom) != 0)
        except (HandyError, *LOST) as problem:
            logger.info("the X server was not asked for a compositor: %s", type(problem).__name__)
            self._connection = None
            return False
