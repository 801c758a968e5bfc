"""The running instance, if there is one: whether it answers, and what it complains of."""

from __future__ import annotations

from collections.abc import Iterator

from handy_qwen import __version__, paths
from handy_qwen.control import InstanceLock
from handy_qwen.control.instance import FILE as LOCK_FILE
from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, fine, problem, warning

NAME = "instance"


def check(context: Context) -> Iterator[Finding]:
    """Look whether the app runs, answers, and is of this version."""
    status = context.running
    if status is None:
        yield from _silent(context)
        return
    version, phase = str(status.get("version", "")), str(status.get("phase", ""))
    details = {name: status.get(name) for name in ("version", "pid", "phase", "is_ready", "waiting", "held")}
    if version != __version__:
        yield warning(
            NAME,
            f"The app that runs is version {version}, this one is {__version__}.",
            "Quit it and start it again: handy-qwen quit",
            **details,
        )
    notices = [f"{one.get('title', '')} {one.get('hint', '')}".strip() for one in status.get("notices", ())]
    if phase == "problem":
        told = " ".join(notices) or "It does not say what."
        yield problem(NAME, f"The app runs, but something keeps it from working. {told}", "", **details)
    else:
        ready = "ready" if status.get("is_ready") else f"not ready yet ({phase})"
        yield fine(NAME, f"The app runs (process {status.get('pid')}) and is {ready}.", **details)


def _silent(context: Context) -> Iterator[Finding]:
    """No status: it does not run, or it does and is stuck."""
    folder = paths.runtime_dir()
    if (folder / LOCK_FILE).exists():  # else nothing has ever run here, and looking must not make the folder
        lock = InstanceLock(folder)
        if not lock.acquire():
            yield problem(
                NAME,
                f"The app runs, but does not answer: {context.answer}",
                "End its process and start it again. Its log tells more: see --bundle.",
                phase="unresponsive",
            )
            return
        lock.release()
    yield fine(NAME, "The app does not run at the moment.", phase=None)
