"""``handy-qwen doctor``: what works on this machine, what does not, and what to do about it.

Checks change nothing: no setting is written, no dialog opens, and a chord is tried only while no instance of
the program holds it. Unexpected errors in a check become findings, too. Each check runs on its own thread:
libraries wait forever for an X server, a sound system or a disk that hangs, and that is when people run
doctor.
"""

from __future__ import annotations

import logging
import queue
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from handy_qwen.doctor import data, desktop, program, sound
from handy_qwen.doctor.findings import Context, Finding, Report, Status, failed, problem
from handy_qwen.errors import HandyError
from handy_qwen.message import Message

__all__ = ["Context", "Finding", "Report", "Status", "examine"]

logger = logging.getLogger(__name__)

Check = Callable[[Context], Iterable[Finding]]
Tell = Callable[[Finding], None]

PATIENCE_S = 30.0  # without a finding; in addition to the recording time of a check
THOROUGH_S = 900.0  # reading a large model from a slow disk, and running it

CHECKS: tuple[tuple[str, Check], ...] = (
    ("program", program.check_program),
    ("instance", program.check_instance),
    ("settings", data.check_settings),
    ("display", desktop.check_display),
    ("tray", desktop.check_tray),
    ("hotkeys", desktop.check_hotkeys),
    ("insertion", desktop.check_insertion),
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
    """Run all checks; ``tell`` gets each finding at once. ``patience_s`` adds to a check's own time."""
    findings: list[Finding] = []
    patience_s += context.listen_s + (THOROUGH_S if context.is_thorough else 0.0)
    for name, check in checks:
        for finding in _in_time(name, check, context, patience_s):
            findings.append(finding)
            tell(finding)
    return Report(tuple(findings))


def _in_time(name: str, check: Check, context: Context, patience_s: float) -> Iterable[Finding]:
    """The findings of ``check``, including one if it hangs."""
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
        text = Message(
            "This could not be checked: nothing answered within {seconds} s.", seconds=f"{patience_s:.0f}"
        )
        hint = Message(
            "Something that the app needs hangs: the desktop, the sound system or a disk. Log in again."
        )
        yield problem(name, text, hint, error="Timeout")


def _guarded(name: str, check: Check, context: Context) -> Iterable[Finding]:
    """The findings of ``check``, including one for an unexpected error."""
    try:
        yield from check(context)
    except HandyError as error:
        yield failed(name, error)
    except Exception as exc:  # a broken check must not hide other findings
        # Without its message, which may quote anything: developers need the place.
        place = traceback.extract_tb(exc.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        logger.debug("the check %s failed", name, exc_info=True)
        yield problem(
            name,
            Message("This could not be checked: {name} at {where}.", name=type(exc).__name__, where=where),
            Message("Please report this, with the archive that handy-qwen doctor --bundle FILE writes."),
            error=type(exc).__name__,
            place=where,
        )
