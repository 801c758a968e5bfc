"""Whether a compositor runs on an X11 screen."""

from __future__ import annotations

import logging

from Xlib import X
from Xlib.display import Display
from Xlib.error import ConnectionClosedError, DisplayError

logger = logging.getLogger(__name__)


class X11Compositing:
    """Asks the X server; keeps its connection. Threads: one."""

    def __init__(self, display: str) -> None:
        self._name = display
        self._display: Display | None = None

    def __call__(self) -> bool:
        """Whether a compositor runs now; False if the server does not answer."""
        try:
            if self._display is None:
                self._display = Display(self._name)
            screen = self._display.get_default_screen()
            atom = self._display.intern_atom(f"_NET_WM_CM_S{screen}")
            return bool(self._display.get_selection_owner(atom) != X.NONE)
        except (ConnectionClosedError, DisplayError, OSError) as exc:
            logger.info("the X server was not asked for a compositor: %s", type(exc).__name__)
            self._display = None
            return False
