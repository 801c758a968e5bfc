"""All checks, in the order in which their findings are read.

Each runs on a thread of its own: libraries wait for ever for an X server, a sound system or a disk that
hangs, and that is when people run doctor.
"""

from __future__ import annotations

import logging
import queue
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from handy_qwen.doctor import data, desktop, keyboard, program, sound
from handy_qwen.doctor.findings import Context, Finding, Report, failed, problem
from handy_qwen.errors import HandyError
from handy_qwen.message import Message

logger = logging.getLogger(__name__)

Check = Callable[[Context], Iterable[Finding]]
Tell = Callable[[Finding], None]

PATIENCE_S = 30.0  # without a finding; beyond what a check listens to the microphone
THOROUGH_S = 900.0  # a large model is read from a slow disk, and runs

CHECKS: tuple[tuple[str, Check], ...] = (
    ("program", program.check_program),
    ("instance", program.check_instance),
    ("settings", data.check_settings),
    ("display", desktop.check_display),
    ("tray", desktop.check_tray),
    ("hotkeys", keyboard.check_hotkeys),
    ("insertion", keyboard.check_insertion),
    ("sound", sound.check_sound),
    ("microphone", sound.check_microphone),
    ("model", data.check_model),
    ("devices", data.check_devices),
    ("words", data.check_words),
    ("history", data.check_history),
    ("memory", program.check_memory),
    ("disk", program.check_disk),
    ("files", data.check_files),
    ("permissions", desktop.check_permissions),
    ("autostart", desktop.check_autostart),
)


def examine(
    context: Context,
    tell: Tell = lambda _: None,
    checks: Sequence[tuple[str, Check]] = CHECKS,
    *,
    patience_s: float = PATIENCE_S,
) -> Report:
    """Run all checks, one after the other.

    Args:
        context: What there is to look at.
        tell: Gets each finding as soon as it is there.
        checks: Which.
        patience_s: How long to wait for each finding, beyond the time that the check is meant to take.
    """
    findings: list[Finding] = []
    patience_s += context.listen_s + (THOROUGH_S if context.is_thorough else 0.0)
    for name, check in checks:
        for finding in _in_time(name, check, context, patience_s):
            findings.append(finding)
            tell(finding)
    return Report(tuple(findings))


def _in_time(name: str, check: Check, context: Context, patience_s: float) -> Iterable[Finding]:
    """The findings of ``check``; that it hangs is one of them."""
    found: queue.SimpleQueue[Finding | None] = queue.SimpleQueue()

    def run() -> None:
        for finding in _guarded(name, check, context):
            found.put(finding)
        found.put(None)

    threading.Thread(target=run, name=f"check {name}", daemon=True).start()
    try:
        while (finding := found.get(timeout=patience_s)) is not None:
            yield finding
    except queue.Empty:
        yield problem(
            name,
            Message(
                "This could not be looked at: nothing answered within {seconds} s.",
                seconds=f"{patience_s:.0f}",
            ),
            Message(
                "Something that the app needs hangs: the desktop, the sound system or a disk. Log in again."
            ),
            error="Timeout",
        )


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
            Message("This could not be looked at: {name} at {where}.", name=type(exc).__name__, where=where),
            Message("Please report this, with the archive that handy-qwen doctor --bundle FILE writes."),
            error=type(exc).__name__,
            place=where,
        )
