"""The virtual desktop with Windows programs on it, by Wine.

    with WineDesktop() as desk, WineApp(desk) as app:
        target = desk.open(WineQtTarget)
        app.dictate("chairs")
        target.wait_for_text("We need twenty-five chairs for the office.")

HANDY_QWEN_WINE names the folder that ``packaging/dev.py test-windows`` makes. Each desktop has a Wine prefix
of its own (drive C, registry). Wine's programs hear keys only while one of its windows has the focus; then
low-level hooks, swallowed keys and SendInput behave as on Windows.

| target | what it stands for |
|---|---|
| WineQtTarget | QPlainTextEdit in a process of its own |
| NotepadTarget | the plain edit control of Windows |
| WordPadTarget | the rich edit control of Windows |

There is none for a console: Wine's takes neither characters that no key makes (VK_PACKET) nor Ctrl+V, unlike
those of Windows.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from handy_qwen.control import Endpoint
from tests.conftest import ROOT
from tests.e2e.app import App
from tests.e2e.desk.desktop import Desktop
from tests.e2e.desk.needs import require
from tests.e2e.desk.processes import wait_until
from tests.e2e.desk.targets import JsonTarget, Target

HERE = Path(__file__).parent
FOLDER_VARIABLE = "HANDY_QWEN_WINE"
START_S, END_S = 180.0, 60.0
CALL_S = 120


def wine_folder() -> Path:
    """The folder with Wine. Without it, the module of tests that calls this at its head is skipped as one."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named).resolve()
    reason = f"needs Wine: packaging/dev.py test-windows makes it, {FOLDER_VARIABLE} names its folder"
    pytest.skip(reason, allow_module_level=True)


def windows_path(path: Path) -> str:
    """A path of this side as Windows programs under Wine call it."""
    return "Z:" + str(path).replace("/", "\\")


def answer_of(process: subprocess.Popen[Any]) -> Any:
    """The line of JSON with which a Windows program answers what it was asked.

    Raises:
        TimeoutError: It says nothing.
        EOFError: It has ended.
    """
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], START_S)[0]:
        raise TimeoutError("a Windows program does not answer")
    if not (line := process.stdout.readline()):
        raise EOFError(f"a Windows program has ended: exit status {process.wait(END_S)}")
    return json.loads(line)


class WineDesktop(Desktop):
    """A virtual desktop with a Wine prefix of its own.

    Args:
        registry: What the user has chosen: numbers by name by key of HKEY_CURRENT_USER.
    """

    def __init__(self, *, registry: dict[str, dict[str, int]] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._registry = registry or {}

    def _start(self) -> None:
        require()
        wine = wine_folder()
        super()._start()
        self._timed("Wine", lambda: self._start_wine(wine))

    def _start_wine(self, wine: Path) -> None:
        self.prefix = self.folder / "prefix"
        shutil.copytree(wine / "prefix", self.prefix, symlinks=True)
        with (self.prefix / "user.reg").open("a", encoding="utf-8") as file:
            for key, numbers in self._registry.items():
                escaped = key.replace("\\", r"\\")
                file.write(f"\n[{escaped}]\n")
                file.writelines(f'"{name}"=dword:{number:08x}\n' for name, number in numbers.items())
        self.env |= {
            "PATH": f"{wine / 'bin'}:{self.env['PATH']}",
            "WINEPREFIX": str(self.prefix),
            "WINE_SEES": str(ROOT),
            "WINDOWS_PYTHONPATH": windows_path(ROOT),
        }
        for name in ("PYTHONPATH", "PYTHONHOME"):  # of this side
            self.env.pop(name, None)
        # The first program starts wineserver, explorer and the services, which takes seconds; it keeps them.
        self._turn = threading.Lock()
        self._agent = self.start(
            "agent", *self.python(HERE / "wine_agent.py"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        wait_until(lambda: self.ask("foreground") is not None, "the agent", timeout_s=START_S)

    def _end(self) -> None:
        if hasattr(self, "prefix"):
            # Ends all Windows programs of our prefix, and no others.
            command = ["wineserver", "--kill"]
            subprocess.run(command, env=self.env, check=False, timeout=END_S)
            for process in psutil.process_iter():  # left, if its server had ended before
                with suppress(psutil.Error):
                    if process.environ().get("WINEPREFIX") == str(self.prefix):
                        process.kill()
        super()._end()

    def python(self, *arguments: str | Path) -> list[str]:
        """The command that runs Windows Python."""
        words = [windows_path(word) if isinstance(word, Path) else word for word in arguments]
        return ["windows-python", *words]

    def windows_program(self, name: str, *command: str, timeout_s: float = CALL_S) -> tuple[int, str]:
        """Run a Windows program to its end: its exit code and what it printed.

        Its output goes through a file: what a Windows program starts may keep a pipe open for ever.
        """
        process = self.start(name, "wine", *command)
        code = process.wait(timeout_s)
        said = (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return code, said.replace("Failed to create DXGI factory.", "").strip()  # Wine has none

    def ask(self, do: str, **fields: Any) -> Any:
        """Have wine_agent.py do something.

        Raises:
            RuntimeError: It could not.
            EOFError: Wine has ended.
        """
        assert self._agent.stdin is not None
        try:
            with self._turn:
                self._agent.stdin.write(json.dumps({"do": do} | fields).encode() + b"\n")
                self._agent.stdin.flush()
                answer = answer_of(self._agent)
        except (EOFError, BrokenPipeError) as exc:  # with Wine's server all of its programs end
            raise EOFError(
                f"Wine has ended: {(self.folder / 'agent.log').read_text('utf-8')[-1000:]}"
            ) from exc
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["ok"]

    def find_window(self, title: str, timeout_s: float = 60.0) -> dict[str, Any]:
        """The Windows window with this in its title, once it is there."""

        def look() -> dict[str, Any] | None:
            return next((one for one in self.ask("windows") if title in one["title"]), None)

        found = wait_until(look, f"a window {title}", timeout_s=timeout_s)
        assert found is not None
        return found

    def x_window(self, title: str) -> int:
        """The X window with this in its title, once it is there."""

        def look() -> int:
            command = ["xdotool", "search", "--onlyvisible", "--name", title]
            done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
            return int((done.stdout.split() or ["0"])[-1])

        return wait_until(look, f"the X window {title}")


class WineApp(App):
    """The program as a Windows process.

    Args:
        command: What is started, behind ``wine``; by default the checkout, by Windows Python.
    """

    end_s = END_S

    def __init__(
        self,
        desktop: WineDesktop,
        name: str = "app",
        settings: str = "",
        *,
        command: tuple[str, ...] = (),
        is_guided: bool = False,
    ) -> None:
        super().__init__(desktop, name, settings, is_guided=is_guided)
        self.env = desktop.env | {"HANDY_QWEN_HOME": windows_path(self.home)}
        self.command = ["wine", *command] if command else desktop.python("-m", "handy_qwen")
        self.runtime = self.home / "run"
        self._calls = 0
        self._how = ("--debug",) if is_guided else ("--debug", "--hidden")

    def start(self) -> None:
        """See ``App``."""
        self.process = self.desktop.start(self._name, *self.command, *self._how, env=self.env)
        try:
            wait_until(
                lambda: self.process.poll() is not None or self.status().get("is_ready"),
                "the app",
                timeout_s=START_S,
                interval_s=0.2,
            )
            assert self.process.poll() is None, "it ended"
        except BaseException:
            self.desktop.stop(self.process)
            print(self.output())  # noqa: T201  why it did not start
            raise

    def tell_to_end(self) -> None:
        """By command: Windows has no SIGTERM."""
        self.run("quit")

    def costs(self) -> tuple[int, int, int]:
        """What it uses: bytes of memory, threads, handles."""
        used = self.desktop.ask("costs", pid=self.status()["pid"])
        return used["memory_bytes"], used["threads"], used["handles"]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of the program beside it. ``stdout`` has all it prints, byte for byte."""
        self._calls += 1
        name = f"{self._name}-call-{self._calls}"
        process = self.desktop.start(name, *self.command, *arguments, env=self.env)
        code = process.wait(CALL_S)
        said = (self.desktop.folder / f"{name}.log").read_bytes().decode("utf-8", errors="replace")
        said = said.replace("Failed to create DXGI factory.\r\n", "")  # Wine has none; ONNX Runtime asks
        return subprocess.CompletedProcess(arguments, code, said, "")

    @property
    def endpoint(self) -> Endpoint:
        """The port of the Windows program, asked from this side."""
        return Endpoint(self.runtime, is_unix=False)


class _WineTarget(Target):
    """A window of a Windows program."""

    hwnd: int

    def _found(self, title: str) -> None:
        """Take the window with ``title`` in its title."""
        assert isinstance(self.desktop, WineDesktop)
        self.desk = self.desktop
        self.hwnd = self.desk.find_window(title)["hwnd"]
        self.window = self.desk.x_window(title)

    def focus(self) -> None:
        """Make it the active window, and wait until Windows sees it so."""
        super().focus()
        self.desk.ask("activate", hwnd=self.hwnd)
        wait_until(lambda: self.desk.ask("foreground")["hwnd"] == self.hwnd, "the focus")


class WineQtTarget(_WineTarget, JsonTarget):
    """A Qt text field in another Windows process. ``keys`` are the key codes that it got."""

    name = "wine-qt"

    def __init__(self, desktop: WineDesktop) -> None:
        self.keys: list[int] = []
        super().__init__(desktop, desktop.python(HERE / "qt_target.py", "--keys"))
        self._found("Qt target")

    def _take(self, message: dict[str, Any]) -> None:
        if message["event"] == "key":
            self.keys.append(message["key"])
        else:
            super()._take(message)


class _EditTarget(_WineTarget):
    """A program around an edit control of Windows."""

    program: str
    title: str
    control: str

    def __init__(self, desktop: WineDesktop) -> None:
        super().__init__(desktop)
        self.process = desktop.start(self.name, "wine", self.program)
        self._found(self.title)

    def text(self) -> str:
        """What stands in it now."""
        text = self.desk.ask("text", hwnd=self.hwnd, kind=self.control)
        return str(text).replace("\r\n", "\n").replace("\r", "\n")

    def clear(self) -> None:
        """Empty it."""
        self.desk.ask("set_text", hwnd=self.hwnd, kind=self.control, value="")


class NotepadTarget(_EditTarget):
    """Wine's Notepad."""

    name, program, title, control = "notepad", "notepad", "Notepad", "Edit"


class WordPadTarget(_EditTarget):
    """Wine's WordPad."""

    name, title, control = "wordpad", "Wordpad", "RichEdit20W"
    program = r"C:\Program Files\Windows NT\Accessories\wordpad.exe"
