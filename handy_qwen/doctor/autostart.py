"""Whether the program starts when the user logs in, and whether what is started is still there."""

from __future__ import annotations

from collections.abc import Iterator

from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, fine, warning
from handy_qwen.system.autostart import autostart_for

NAME = "autostart"


def check(context: Context) -> Iterator[Finding]:
    """Look at the entry."""
    entry = autostart_for(context.environment, platform=context.platform)
    state = entry.state()
    details = {"is_on": state.is_on, "command": list(state.command), "place": entry.place}
    if state.is_on and state.is_broken:
        yield warning(
            NAME,
            f"At login, {state.command[0]} should be started, which is not there.",
            "Write the entry anew: handy-qwen autostart on",
            **details,
        )
    elif state.is_on:
        yield fine(NAME, "The app starts when you log in.", **details)
    else:
        yield fine(
            NAME, "The app does not start by itself (handy-qwen autostart on changes that).", **details
        )
