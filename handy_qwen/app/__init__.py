"""The app: one instance, a tray icon, and everything behind it.

    main --> lock, log --> Qt, tray --> Program: settings, control socket --> thread "chores":
        hotkeys, microphone, insertion, engine --> thread "model-load": the model

The tray is there before anything heavy is imported. At the end everything is ended side by side within some
seconds; the history is brought to the disk as soon as takes have come to an end (``Program.close``).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import NoReturn

from handy_qwen import __version__, paths
from handy_qwen.app.machine import check_display
from handy_qwen.control import Endpoint, InstanceLock, ask
from handy_qwen.errors import ControlError, HandyError
from handy_qwen.log import Log
from handy_qwen.message import Message
from handy_qwen.models.device_mark import no_crash
from handy_qwen.system.entries import HIDDEN, Launch, launch_for

logger = logging.getLogger(__name__)

NATIVE = {"engine", "model-load", "models-work", "models-convert", "history-retry", "microphone"}
"""Threads in native code."""
SHOW_S = 20.0  # how long a second instance waits for the first, which may still be starting


def main(*, is_hidden: bool = False, is_debug: bool = False) -> int:
    """Run the app until it is quit, and return the exit status. A second instance shows the first.

    Raises:
        HandyError: It cannot start: no display, or a folder that cannot be written.
    """
    lock = InstanceLock(paths.runtime_dir())
    if not lock.acquire():
        show_running(is_hidden=is_hidden)
        return 0
    try:
        starts_again = _run_alone(is_hidden=is_hidden, is_debug=is_debug)
    finally:
        lock.release()
    if starts_again:
        start_again(launch_for())
    return 0


def start_again(launch: Launch) -> NoReturn:
    """Become a new process of the same program. On Windows, end once that is there."""
    _program, *arguments = (one for one in launch.command if one != HIDDEN)
    if launch.folder is not None:
        os.chdir(launch.folder)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(launch.command[0], [launch.command[0], *arguments], {**os.environ, **(launch.variables or {})})


def _run_alone(*, is_hidden: bool, is_debug: bool) -> bool:
    check_display(os.environ)
    try:
        log = Log(paths.log_dir(), is_debug=is_debug, console=sys.stderr if is_debug else None)
    except OSError as exc:
        raise HandyError(
            Message("Can't write the log to {folder}.", folder=paths.log_dir()),
            Message("Check its permissions."),
        ) from exc
    logger.info("Handy Qwen %s starts", __version__)
    starts_again = False
    try:
        from handy_qwen.app.desktop import run  # Qt

        starts_again = run(is_hidden=is_hidden)
    finally:
        logger.info("Handy Qwen has ended")
        no_crash()
        if not starts_again:  # which ends stuck threads, too
            _leave_stuck_threads_behind()
        log.close()
    return starts_again


def show_running(*, is_hidden: bool) -> None:
    """Have the instance that runs open its main window, unless this start was to be hidden.

    Raises:
        ControlError: It does not answer.
    """
    pause = threading.Event()
    for attempt in range(int(SHOW_S / 0.1)):
        try:
            ask(Endpoint(paths.runtime_dir()), "status" if is_hidden else "show")
        except ControlError:
            if attempt == int(SHOW_S / 0.1) - 1:
                raise
            pause.wait(0.1)  # between its lock and its socket
        else:
            break
    print("Handy Qwen is running already.", file=sys.stderr)  # noqa: T201


def _leave_stuck_threads_behind() -> None:
    """End the process here if a thread is stuck in native code, in which Python's own end would crash."""
    stuck = [thread.name for thread in threading.enumerate() if thread.name in NATIVE]
    if stuck:
        logger.warning("left behind: %s", ", ".join(stuck))
        logging.shutdown()
        os._exit(0)
