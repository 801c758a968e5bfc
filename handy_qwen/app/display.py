"""Whether there is a display to show anything on.

Qt ends the process without asking when it cannot open one, so it is looked for beforehand.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from handy_qwen.errors import HandyError
from handy_qwen.system.session import Kind, displays_of


def check_display(environment: Mapping[str, str], platform: str = sys.platform) -> None:
    """Raise if no window could be opened.

    Raises:
        HandyError: There is no display, or it does not answer.
    """
    if environment.get("QT_QPA_PLATFORM", "").startswith("offscreen"):
        return
    session = displays_of(environment, platform)
    if session.kind is not Kind.NONE:
        return
    if session.dead:
        raise HandyError(
            f"The display {' or '.join(session.dead)} does not answer.",
            "Start the app in a desktop session.",
        )
    raise HandyError(
        "There is no display.",
        "Start the app in a desktop session; 'handy-qwen transcribe' works without one.",
    )
