"""All checks, in the order in which their findings are read."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from handy_qwen.doctor import (
    autostart,
    desktop,
    files,
    history,
    hotkeys,
    insertion,
    instance,
    microphone,
    model,
    permissions,
    program,
    resources,
    settings,
    sound,
    tray,
)
from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, Report, failed, problem
from handy_qwen.errors import HandyError

logger = logging.getLogger(__name__)

Check = Callable[[Context], Iterable[Finding]]
Tell = Callable[[Finding], None]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("program", program.check),
    ("instance", instance.check),
    ("settings", settings.check),
    ("display", desktop.check),
    ("tray", tray.check),
    ("hotkeys", hotkeys.check),
    ("insertion", insertion.check),
    ("sound", sound.check),
    ("microphone", microphone.check),
    ("model", model.check),
    ("words", model.check_words),
    ("history", history.check),
    ("memory", resources.check_memory),
    ("disk", resources.check_disk),
    ("files", files.check),
    ("permissions", permissions.check),
    ("autostart", autostart.check),
)


def examine(
    context: Context, tell: Tell = lambda _: None, checks: Sequence[tuple[str, Check]] = CHECKS
) -> Report:
    """Run all checks, one after the other.

    Args:
        context: What there is to look at.
        tell: Gets each finding as soon as it is there.
        checks: Which.
    """
    findings: list[Finding] = []
    for name, check in checks:
        for finding in _guarded(name, check, context):
            findings.append(finding)
            tell(finding)
    return Report(tuple(findings))


def _guarded(name: str, check: Check, context: Context) -> Iterable[Finding]:
    """The findings of ``check``; what it did not foresee is one of them."""
    try:
        yield from check(context)
    except HandyError as error:
        yield failed(name, error)
    except Exception as exc:  # one broken check must not hide what the others find
        # Without its message, which may quote anything: the place is what a developer needs.
        place = traceback.extract_tb(exc.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        logger.debug("the check %s failed", name, exc_info=True)
        yield problem(
            name,
            f"This could not be looked at: {type(exc).__name__} at {where}.",
            "Please report this, with the archive that handy-qwen doctor --bundle FILE writes.",
            error=type(exc).__name__,
            place=where,
        )
