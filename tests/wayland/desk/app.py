"""The dictation app as a process, and the windows that it writes into."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.e2e.desk.processes import wait_until
from tests.wayland.desk.session import HERE, SYSTEM_PYTHON, Session

APP_PYTHON = os.environ.get("APP_PYTHON", "/srv/handy/bin/python")
APP_COMMAND = os.environ.get("APP_COMMAND", "/srv/handy/bin/handy-qwen")
SETTINGS = "set_up = true\nhold_s = 0.8\n"  # on a busy machine a tap takes a while
TARGETS = ("qt", "gtk3", "gtk4", "foot", "xterm")
X_FOCUS = """
import time
from Xlib.display import Display
display, until_s = Display(), time.monotonic() + 10
has_focus = False
while not has_focus and time.monotonic() < until_s:
    window = display.get_input_focus().focus
    while hasattr(window, "get_wm_name") and not window.get_wm_name() and window.query_tree().parent:
        window = window.query_tree().parent  # xterm's own has no name
    has_focus = hasattr(window, "get_wm_name") and window.get_wm_name() == "Target xterm"
    time.sleep(0.1)
print("focus" if has_focus else "none")
"""
"""Waits until XWayland has given the focus to the xterm, and says whether it has."""


class App:
    """The app of this session's user, started. ``settings`` are lines of its file."""

    def __init__(self, session: Session, settings: str = SETTINGS, *arguments: str) -> None:
        self.session = session
        self.settings_file = Path(session.env["HOME"]) / ".config" / "handy-qwen" / "settings.toml"
        if settings:
            self.settings_file.parent.mkdir(parents=True, exist_ok=True)
            self.settings_file.write_text(settings, "utf-8")
        self.start(*arguments)

    def start(self, *arguments: str, wait_s: float = 90.0) -> None:
        """Start it, and wait until it is ready, or says what keeps it from that."""
        self.process = self.session.start("app", APP_COMMAND, "--debug", *arguments)
        wait_until(lambda: self._is_up() or self.process.poll() is not None, "the app", wait_s, 0.3)

    def run(self, *arguments: str, timeout_s: float = 60.0) -> str:
        """What a command of the app writes."""
        return self.session.run(APP_COMMAND, *arguments, timeout_s=timeout_s)

    def status(self) -> dict[str, Any]:
        """What ``handy-qwen status`` knows; empty if the app does not answer."""
        try:
            return dict(json.loads(self.run("status", "--json")))
        except ValueError:
            return {}

    def notices(self) -> list[str]:
        """The titles of what it tells the user."""
        return [str(notice["title"]) for notice in self.status().get("notices", [])]

    def wait_for_phase(self, phase: str, timeout_s: float = 20.0) -> None:
        """Wait until it is "recording", "idle" ..."""
        wait_until(lambda: self.status().get("phase") == phase, f"phase {phase}", timeout_s, 0.1)

    def wait_for_hotkeys(self, *hotkeys: str) -> None:
        """Wait until a press of ``hotkeys``, as the desktop writes them, would be answered at once."""

        def are_listened_for() -> bool:
            status = self.status()
            return bool(status.get("is_ready")) and status["hotkeys"] == list(hotkeys)

        wait_until(are_listened_for, f"the hotkeys {hotkeys}", 20, 0.3)

    def stop(self) -> int:
        """End it; its exit status."""
        return self.session.processes.stop(self.process, 15)

    def _is_up(self) -> bool:
        status = self.status()
        return (
            bool(status) and not status["is_loading"] and (status["is_ready"] or status["phase"] == "problem")
        )


class Target:
    """A native Wayland window ("qt", "gtk3", "gtk4", "foot") or an "xterm" on XWayland, with the focus.

    It writes what it holds to a file at each change, and all but the terminals whether they have the focus.
    """

    def __init__(self, session: Session, kind: str) -> None:
        self.session, self.kind = session, kind
        self.path = session.folder / f"target-{kind}.txt"
        for path in (self.path, self.path.with_suffix(".state")):
            path.unlink(missing_ok=True)
        self.forget_focus()
        commands: dict[str, list[object]] = {
            "qt": [APP_PYTHON, HERE / "target_qt.py", self.path],
            "gtk3": [SYSTEM_PYTHON, HERE / "target_gtk.py", "3.0", self.path],
            "gtk4": [SYSTEM_PYTHON, HERE / "target_gtk.py", "4.0", self.path],
            "foot": ["foot", "-T", "Target foot", "sh", HERE / "target_terminal.sh", self.path],
            "xterm": ["xterm", "-T", "Target xterm", "-e", "sh", HERE / "target_terminal.sh", self.path],
        }
        native = {"QT_QPA_PLATFORM": "wayland", "GDK_BACKEND": "wayland"}
        for left in reversed(range(3)):
            self.process: subprocess.Popen[Any] = session.start(f"target-{kind}", *commands[kind], env=native)
            wait_until(lambda: self.state() or self.process.poll() is not None, f"the window {kind}", 30)
            if kind != "xterm" or session.run(APP_PYTHON, "-c", X_FOCUS).endswith("focus\n"):
                break
            # Of some hundred windows of XWayland sway 1.10 shows one not at all: it is in no tree.
            assert left, "XWayland shows no window"
            self.close()
            self.path.with_suffix(".state").unlink(missing_ok=True)
        if self.tells_focus:
            wait_until(lambda: self.state() == "focus", f"the focus of {kind}", 15)
        else:
            time.sleep(1.0)

    @property
    def tells_focus(self) -> bool:
        """Whether it is no terminal."""
        return self.kind in ("qt", "gtk3", "gtk4")

    def state(self) -> str:
        """Whether it has the focus: "focus" or "blur"; of a terminal just whether it is up."""
        path = self.path.with_suffix(".state")
        return path.read_text("utf-8").strip() if path.exists() else ""

    def text(self) -> str:
        """What it holds."""
        return self.path.read_bytes().decode("utf-8", "replace") if self.path.exists() else ""

    def wait_for(self, text: str, timeout_s: float = 15.0) -> str:
        """Wait until it holds ``text``, or the time is over, and return what it holds."""
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: text in self.text(), "text", timeout_s)
        return self.text()

    def forget_focus(self) -> None:
        """What became of the focus so far does not count."""
        self.path.with_suffix(".focus").unlink(missing_ok=True)

    def has_kept_focus(self) -> bool:
        """Whether it has not lost the focus since ``forget_focus``, not even for a moment."""
        path = self.path.with_suffix(".focus")
        return not path.exists() or "blur" not in path.read_text().split()

    def close(self) -> None:
        """Close the window."""
        self.session.processes.stop(self.process)
