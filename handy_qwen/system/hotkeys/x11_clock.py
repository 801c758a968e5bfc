"""When an X event happened, on this program's clock.

An event may wait while other threads keep the interpreter busy (a model is being loaded, say), and a tap
would then look held. The server's own time stamps tell how long it waited: the event that came through
fastest shows how the two clocks differ, and any other is dated by that. ``server_time_ms`` is one to begin
with that nothing holds up.
"""

from __future__ import annotations

from Xlib import X
from Xlib.display import Display

DRIFT = 1e-4
"""How fast the clocks may part, if the server is another machine: seconds in a second."""

MAX_LAG_S = 2.0
"""A longer wait is not believed: the server's stamps wrap after 49 days."""


class ServerClock:
    """Turns the server's milliseconds into seconds of ``time.monotonic()``."""

    def __init__(self) -> None:
        self._difference_s: float | None = None
        self._last_s = 0.0

    def at_s(self, stamp_ms: int, now_s: float) -> float:
        """When the event with ``stamp_ms``, received at ``now_s``, happened. Never later than ``now_s``."""
        stamp_s = stamp_ms / 1000
        difference_s = now_s - stamp_s
        if self._difference_s is not None:
            known_s = self._difference_s + DRIFT * (now_s - self._last_s)
            if difference_s - known_s <= MAX_LAG_S:
                difference_s = min(difference_s, known_s)
        self._difference_s, self._last_s = difference_s, now_s
        return min(stamp_s + difference_s, now_s)


def server_time_ms(display: Display) -> int:
    """Ask the server what its time stamps say now.

    The core protocol has no request for it, but a property that changes is an event with a stamp (ICCCM 2.1).
    Call it while ``display`` has not asked for other events: what comes meanwhile is dropped.
    """
    window = display.screen().root.create_window(
        -1, -1, 1, 1, 0, 0, window_class=X.InputOnly, override_redirect=True, event_mask=X.PropertyChangeMask
    )
    name = display.intern_atom("_HANDY_QWEN_TIME")
    window.change_property(name, display.intern_atom("INTEGER"), 32, [0])
    try:
        while (event := display.next_event()).type != X.PropertyNotify:
            pass
        return int(event.time)
    finally:
        window.destroy()
