"""Whether there is a display to show anything on.

Qt ends the process without asking when it cannot open one, so it is looked for beforehand.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Mapping

from handy_qwen.errors import HandyError


def check_display(environment: Mapping[str, str], platform: str = sys.platform) -> None:
    """Raise if no window could be opened.

    Raises:
        HandyError: There is no display, or it does not answer.
    """
    if not platform.startswith("linux") or environment.get("QT_QPA_PLATFORM", "").startswith("offscreen"):
        return
    if environment.get("WAYLAND_DISPLAY"):
        return
    display = environment.get("DISPLAY", "")
    if not display:
        raise HandyError(
            "There is no display.",
            "Start the app in a desktop session; 'handy-qwen transcribe' works without one.",
        )
    local = re.fullmatch(r":(\d+)(\.\d+)?", display)
    if local and not _answers(int(local[1])):
        raise HandyError(f"The display {display} does not answer.", "Start the app in a desktop session.")


def _answers(number: int) -> bool:
    path = f"/tmp/.X11-unix/X{number}"  # X11's own place
    for address in (path, "\0" + path):  # the second is Linux's abstract socket
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2.0)
            if connection.connect_ex(address) == 0:
                return True
    return False
