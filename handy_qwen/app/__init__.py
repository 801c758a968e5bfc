"""The app: one instance, a tray icon, and everything behind it.

    main --> lock, log --> Qt, tray --> Program: settings, control socket --> thread "chores":
        hotkeys, microphone, insertion, engine --> thread "model-load": the model

The tray appears before anything heavy is imported. On exit all parts are ended in parallel within a few
seconds; the history is flushed to disk as soon as the takes have ended (``Program.close``).
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping

from handy_qwen import __version__, paths
from handy_qwen.app.machine import check_display
from handy_qwen.control import InstanceLock, ask_app
from handy_qwen.errors import ControlError, HandyError
from handy_qwen.log import Log
from handy_qwen.message import Message
from handy_qwen.models.device_mark import no_crash
from handy_qwen.system.entries import HIDDEN, Launch, launch_for

logger = logging.getLogger(__name__)

SHOW_S = 20.0  # how long a second instance waits for the first, which may still be starting


def main(*, is_hidden: bool = False, is_debug: bool = False) -> int:
    """Run the app until it quits, and return the exit status. A second instance shows the first one's window.

    Raises:
        HandyError: It cannot start: no display, or a folder that cannot be written.
    """
    lock, environment = InstanceLock(paths.runtime_dir()), dict(os.environ)
    if not lock.acquire():
        show_running(is_hidden=is_hidden)
        return 0
    try:
        starts_again = _run_alone(is_hidden=is_hidden, is_debug=is_debug)
    finally:
        lock.release()
    if starts_again:
        start_again(launch_for(environment), environment, is_debug=is_debug)
    return 0


def start_again(
    launch: Launch, environment: Mapping[str, str], *, is_debug: bool, platform: str = sys.platform
) -> None:
    """Replace the process with a new one of the same program. Windows cannot do that: start one and exit.

    ``environment`` is the original one: the program has changed its own since, for Qt and libpulse.

    Raises:
        OSError: It cannot be started.
    """
    command = [*(one for one in launch.command if one != HIDDEN), *(["--debug"] if is_debug else [])]
    environment = {**environment, **(launch.variables or {})}
    if platform == "win32":
        # Windows' execve starts a new process, too, but splits arguments at spaces.
        subprocess.Popen(command, cwd=launch.folder, env=environment)
        os._exit(0)  # even if threads are stuck
    if launch.folder is not None:
        os.chdir(launch.folder)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    os.execve(command[0], command, environment)


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
    try:
        from handy_qwen.app.desktop import run  # Qt

        try:
            starts_again = run(is_hidden=is_hidden)
        finally:
            logger.info("Handy Qwen has ended")
            no_crash()
        if not starts_again:  # a restart ends remaining threads as well
            _leave_threads_behind()
    finally:
        log.close()
    return starts_again


def show_running(*, is_hidden: bool) -> None:
    """Have the running instance open its main window, unless this start is hidden.

    Raises:
        ControlError: It does not answer.
    """
    pause = threading.Event()
    for attempt in range(int(SHOW_S / 0.1)):
        try:
            ask_app("status" if is_hidden else "show")
        except ControlError:
            if attempt == int(SHOW_S / 0.1) - 1:
                raise
            pause.wait(0.1)  # between its lock and its socket
        else:
            break
    print("Handy Qwen is running already.", file=sys.stderr)  # noqa: T201


def _leave_threads_behind() -> None:
    """End the process here if threads are left: Python's own shutdown crashes if one is in native code.

    A library may hang for minutes (a loading model, a dead sound server), so no thread is waited for.
    """
    left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if left:
        logger.info("left behind: %s", ", ".join(left))
        logging.shutdown()
        os._exit(0)
