"""Windows that text is dictated into, and a reliable way to read what arrived in them.

| target | what it stands for |
|---|---|
| QtTarget | QPlainTextEdit in a process of its own |
| GtkTarget | GtkTextView (GTK 3) in a process of its own |
| XtermTarget | a terminal: ``cat`` writes what it gets to a file, the line in raw mode |

The first two print JSON lines: where their window is, and their whole text whenever it changed.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.desk.needs import SYSTEM_PYTHON
from tests.e2e.desk.processes import wait_until

if TYPE_CHECKING:
    from tests.e2e.desk.desktop import Desktop

HERE = Path(__file__).parent


class Target:
    """A window that takes text. ``window`` is the one that the window manager calls active."""

    name = ""
    window: int
    process: subprocess.Popen[Any]

    def __init__(self, desktop: Desktop) -> None:
        self.desktop = desktop

    def text(self) -> str:
        """What stands in the window now; lines end with a line feed."""
        raise NotImplementedError

    def clear(self) -> None:
        """Empty it, and wait until it is."""
        raise NotImplementedError

    def attend(self) -> None:
        """Wait until it knows that it has the focus, if it can tell."""

    def focus(self) -> None:
        """Make it the active window, if it is not."""
        if self.desktop.active_window() != self.window:
            self.desktop.activate(self.window)

    def wait_for_text(self, expected: str, timeout_s: float = 60.0, quiet_s: float = 0.0) -> str:
        """The text as soon as it is ``expected``; what there is instead after ``timeout_s``.

        With ``quiet_s`` it must still be so that much later: nothing comes twice.
        """
        end = time.monotonic() + timeout_s
        while self.text() != expected and time.monotonic() < end:
            time.sleep(0.002)
        if quiet_s:
            time.sleep(quiet_s)
        return self.text()

    def freeze(self) -> None:
        """Stop the program in its tracks (SIGSTOP), as a busy one is for a while."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def close(self) -> None:
        """End the program."""
        self.desktop.stop(self.process)


class JsonTarget(Target):
    """A program that reports in JSON lines and obeys commands on its standard input."""

    def __init__(self, desktop: Desktop, command: list[str]) -> None:
        super().__init__(desktop)
        self._text = ""
        self._answers: Counter[str] = Counter()
        self._ready = threading.Event()
        self.process = desktop.start(self.name, *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self._read, name=f"read-{self.name}", daemon=True).start()
        if not self._ready.wait(60):
            log = (desktop.folder / f"{self.name}.log").read_text(errors="replace")
            raise RuntimeError(f"{self.name} did not start: {log[-2000:]}")

    def text(self) -> str:
        """What stood in the window at its last change."""
        return self._text

    def clear(self) -> None:
        """Empty it, and wait for the answer."""
        self._ask("clear", "cleared", "be empty")

    def attend(self) -> None:
        """Wait until it knows that it has the focus: the window manager says so earlier."""
        self._ask("attend", "attending", "have the focus")

    def settle(self) -> None:
        """Wait until it has dealt with all before this: to paste what is not there any more takes seconds."""
        self._ask("settle", "settled", "have dealt with all that was sent")

    def _ask(self, command: str, answer: str, wish: str) -> None:
        assert self.process.stdin is not None
        before = self._answers[answer]
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()
        wait_until(lambda: self._answers[answer] > before, f"{self.name} to {wish}", interval_s=0.001)

    def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            for line in self.process.stdout:
                self._take(json.loads(line))
        except ValueError:
            return  # the pipe was closed under us: the target is being ended

    def _take(self, message: dict[str, Any]) -> None:
        if message["event"] == "ready":
            self.window = message["window"]
            self._ready.set()
        elif message["event"] == "text":
            self._text = message["text"]
        else:
            self._text = "" if message["event"] == "cleared" else self._text
            self._answers[message["event"]] += 1


class QtTarget(JsonTarget):
    """A Qt text field in another process."""

    name = "qt"

    def __init__(self, desktop: Desktop) -> None:
        super().__init__(desktop, [sys.executable, str(HERE / "qt_target.py")])


class LimitedTarget(JsonTarget):
    """A Qt field of one line in another process that takes ``LIMIT`` characters."""

    name, LIMIT = "qt-limited", 20

    def __init__(self, desktop: Desktop) -> None:
        super().__init__(desktop, [sys.executable, str(HERE / "qt_target.py"), "--limit", str(self.LIMIT)])


class PasswordTarget(JsonTarget):
    """A Qt field of one line for a password in another process."""

    name = "qt-password"

    def __init__(self, desktop: Desktop) -> None:
        super().__init__(desktop, [sys.executable, str(HERE / "qt_target.py"), "--password"])


class GtkTarget(JsonTarget):
    """A GTK 3 text field in another process."""

    name = "gtk"

    def __init__(self, desktop: Desktop) -> None:
        super().__init__(desktop, [SYSTEM_PYTHON, str(HERE / "gtk_target.py")])


class XtermTarget(Target):
    """A terminal in which ``cat`` runs."""

    name = "xterm"

    def __init__(self, desktop: Desktop) -> None:
        super().__init__(desktop)
        self._file = Path(tempfile.mkdtemp(prefix="xterm-", dir=desktop.folder)) / "typed.txt"
        self._begin = 0
        before = set(desktop.windows())
        script = f"stty raw -echo; exec cat > {shlex.quote(str(self._file))}"
        self.process = desktop.start(
            "xterm", "xterm", "-u8", "-fa", "DejaVu Sans Mono", "-e", "sh", "-c", script
        )
        wait_until(self._file.exists, "cat in the terminal")
        new = wait_until(lambda: set(desktop.windows()) - before, "the terminal's window")
        self.window = new.pop()

    def text(self) -> str:
        """What the program in the terminal got; Return comes as a carriage return there."""
        got = self._file.read_bytes()[self._begin :]
        return got.decode("utf-8", "replace").replace("\r", "\n")

    def clear(self) -> None:
        """Forget what it got so far."""
        self._begin = self._file.stat().st_size
