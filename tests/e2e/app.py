"""The real program as a process on the virtual desktop, and what a user can do to it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import psutil
import soundfile

from handy_qwen import paths
from handy_qwen.control import Endpoint, ask
from handy_qwen.errors import ControlError
from tests.e2e.desk.processes import repeat_until, wait_until

INSTALLED = shlex.split(os.environ.get("HANDY_QWEN_TEST_COMMAND", ""))
COMMAND = INSTALLED or [sys.executable, "-m", "handy_qwen"]
"""What to test: the checkout, or an installed package's ``handy-qwen``."""
SPOKEN = {
    "chairs": "We need twenty-five chairs for the office.",
    "meeting": "The meeting starts at five o'clock.",
    "report": "Please send the report to Anna on Monday.",
}
CAPTURING = "a new hotkey is being captured"
SILENCE_S = 0.3  # between the key and the first word, as people do it
TAP_S = 0.08


class App:
    """A running program with a home of its own. Use as a context manager; it must end well."""

    end_s = 60.0  # how long that may take

    def __init__(
        self,
        desktop: Any,
        name: str = "app",
        settings: str = "",
        *,
        is_guided: bool = False,
        script: Sequence[str] = (),
    ) -> None:
        """With ``script``, each take has the next of these texts, whatever is said."""
        self.desktop, self._command = desktop, COMMAND
        if script:
            lines = Path(desktop.folder) / f"{name}-script.txt"
            lines.write_text("\n".join(script), encoding="utf-8")
            self._command = [sys.executable, "-m", "tests.e2e.scripted_process", str(lines)]
        self.home = desktop.folder / f"{name}-home"
        # What is installed must not find the checkout.
        modules = "" if INSTALLED else os.pathsep.join(sys.path)
        self.env = desktop.env | {"HANDY_QWEN_HOME": str(self.home), "PYTHONPATH": modules}
        self._name = name
        if not is_guided:  # its window would take the focus
            settings = f"set_up = true\n{settings}"
        if settings and not self.home.exists():
            (self.home / "config").mkdir(parents=True)
            (self.home / "config" / "settings.toml").write_text(settings, encoding="utf-8")

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start it, and wait until it has nothing more to do."""
        self.process = self.desktop.start(self._name, *self._command, "--debug", env=self.env)
        try:
            wait_until(lambda: self.status().get("is_ready"), "the app", timeout_s=60)
        except BaseException:
            self.desktop.stop(self.process)
            print(self.output())  # noqa: T201  why it did not start
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.process.poll() is None:
            self.tell_to_end()
        code = self.process.wait(self.end_s)
        if kind is not None:
            print(self.output())  # noqa: T201  what led to the failure
        else:
            assert code == 0, f"{code}: {self.output()}"
            assert "Traceback" not in self.output(), self.output()

    def tell_to_end(self) -> None:
        """Have it end, as the end of the session does."""
        self.process.send_signal(signal.SIGTERM)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of the program beside it."""
        return subprocess.run(
            [*COMMAND, *arguments], env=self.env, capture_output=True, text=True, check=False, timeout=180
        )

    def ask(self, command: str) -> dict[str, Any]:
        """Have it carry out ``command``, as ``run`` does, but without the start of another process.

        Raises:
            ControlError: It is not running, does not answer, or refuses.
        """
        return ask(self.endpoint, command)

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens to commands."""
        return Endpoint(self.home / "run")

    def status(self) -> dict[str, Any]:
        """What it says it is doing; empty while it is not running."""
        try:
            return dict(self.ask("status")["status"])
        except ControlError:
            return {}

    def last(self) -> str:
        """The last text; empty while there is none."""
        try:
            return str(self.ask("last")["text"])
        except ControlError:
            return ""

    def wait_for_phase(self, phase: str) -> dict[str, Any]:
        """Wait until it is in ``phase``."""
        wait_until(lambda: self.status().get("phase") == phase, phase)
        return self.status()

    def wait_until_recorded(self) -> None:
        """Wait until sound is recorded. The phase is told at the press, the microphone with the sound."""
        wait_until(self.is_recording, "the microphone")

    def is_recording(self) -> bool:
        """Whether sound is recorded."""
        status = self.status()
        return status.get("phase") == "recording" and bool(status["microphone"])

    def listens_for(self, *hotkeys: str) -> bool:
        """Whether a press of ``hotkeys``, as people write them, would be answered at once."""
        status = self.status()
        return bool(status.get("is_ready")) and status["hotkeys"] == list(hotkeys)

    def wait_for_hotkeys(self, *hotkeys: str) -> None:
        """Wait until a press of ``hotkeys`` would be answered."""
        wait_until(lambda: self.listens_for(*hotkeys), f"the hotkeys {hotkeys}")

    def capture(self, begin: Callable[[], object]) -> None:
        """``begin`` the capture of a new hotkey, and wait until keys are heard.

        The window may not have noticed the end of the capture before. Not tried again soon: what begins a
        capture would be captured.
        """
        before = self.output().count(CAPTURING)
        repeat_until(begin, lambda: self.output().count(CAPTURING) > before, "the capture", again_s=5.0)

    def costs(self) -> tuple[int, int, int]:
        """What it uses: bytes of memory, threads, open files."""
        process = psutil.Process(self.process.pid)
        return process.memory_info().rss, process.num_threads(), process.num_fds()

    def output(self) -> str:
        """What it wrote to the terminal: with --debug, the log."""
        return str((self.desktop.folder / f"{self._name}.log").read_text(encoding="utf-8", errors="replace"))

    def wav(self, name: str) -> Path:
        """One of ``SPOKEN`` as a file that ``play`` takes."""
        wav = Path(self.desktop.folder) / f"{name}.wav"
        if not wav.exists():
            _write_wav(wav, paths.asset(f"speech/{name}.flac"))
        return wav

    def speak(self, name: str) -> None:
        """Say one of ``SPOKEN`` into the microphone, to its end, once it is recorded."""
        wav = self.wav(name)
        self.wait_until_recorded()
        time.sleep(SILENCE_S)  # a person, not synchronization
        assert self.desktop.play(wav).wait(30) == 0

    def dictate(self, name: str, key: str = "Control_R") -> None:
        """Hold the key, speak, let go.

        On the X server's own keyboard: who inserts a text while a modifier is held lets go of it by XTEST,
        which a key of a real keyboard does not notice, but one that XTEST holds does.
        """
        time.sleep(TAP_S)  # sooner after a release it would be taken for a bounce
        self.desktop.hardware.down(key)
        try:
            self.speak(name)
        finally:  # a key that stays down on this keyboard would spoil all tests that follow
            self.desktop.hardware.up(key)
        time.sleep(TAP_S)

    def tap(self, key: str = "Control_R", times: int = 1) -> None:
        """Press a key shortly, as a finger does it: anything quicker is taken for a bounce."""
        self.desktop.hardware.tap(key, TAP_S, times)
        time.sleep(TAP_S)


def _write_wav(wav: Path, source: Path) -> None:
    samples, rate_hz = soundfile.read(source, dtype="int16")
    with wave.open(str(wav), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.tobytes())
