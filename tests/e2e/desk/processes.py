"""Processes of a test: started in a session of their own, logged to a file, ended by their handle."""

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.waiting import repeat_until, wait_until

__all__ = ["Processes", "repeat_until", "wait_until"]


class Processes:
    """The processes of one desktop, in the order of their start; ended in the opposite one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[Any]] = []

    def start(self, name: str, command: Sequence[str | Path], **options: Any) -> subprocess.Popen[Any]:
        """Start ``command``. Unless ``options`` say otherwise, it prints to ``<folder>/<name>.log``."""
        with (self.folder / f"{name}.log").open("ab") as log:
            files: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            process: subprocess.Popen[Any] = subprocess.Popen(
                [str(part) for part in command], start_new_session=True, **(files | options)
            )
        self._running.append(process)
        return process

    def start_telling(self, name: str, command: Callable[[int], Sequence[str]], **options: Any) -> str:
        """Start what writes a line to the file descriptor it is given, and return that line.

        Raises:
            RuntimeError: The process ended, or said nothing for 60 s.
        """
        reader, writer = os.pipe()
        try:
            process = self.start(name, command(writer), pass_fds=(writer,), **options)
        finally:
            os.close(writer)
        line = b""
        with os.fdopen(reader, "rb", buffering=0) as pipe:
            while not line.endswith(b"\n"):
                ready, _, _ = select.select([pipe], [], [], 60.0)
                chunk = pipe.read(256) if ready else b""
                if not chunk:
                    log = (self.folder / f"{name}.log").read_text(errors="replace")
                    raise RuntimeError(f"{name} did not start (exit code {process.poll()}): {log[-2000:]}")
                line += chunk
        return line.decode().strip()

    def stop(self, process: subprocess.Popen[Any], timeout_s: float = 30.0) -> int:
        """End ``process`` and what it started; SIGKILL after ``timeout_s``. Returns the exit code."""
        if process in self._running:
            self._running.remove(process)
        if process.poll() is None:
            _signal(process, signal.SIGCONT)  # a frozen process cannot end
            _signal(process, signal.SIGTERM)
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
        code = process.wait(timeout_s)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # of what it has not read
                    pipe.close()
        return code

    def stop_all(self) -> None:
        """End everything, the last started first."""
        for process in reversed(list(self._running)):
            self.stop(process)


def _signal(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)  # start_new_session made it the leader of its group
    except ProcessLookupError:
        return  # it ended by itself in the meantime; the wait that follows collects it
