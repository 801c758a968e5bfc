"""The desktop itself: what is started, in which order, and how a test looks at it."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from Xlib import X, display

from tests.e2e.desk.keyboard import HardwareKeyboard, Keyboard
from tests.e2e.desk.processes import Processes, wait_until
from tests.e2e.desk.sound import SoundServer
from tests.e2e.desk.targets import Target

SCREENSHOTS = Path(__file__).parents[1] / "screenshots"
FOREIGN = (
    *("DBUS_", "PULSE_", "XDG_", "WAYLAND_", "QT_", "GTK_", "HANDY_QWEN_HOME", "DISPLAY", "XAUTHORITY"),
    "LANGUAGE",  # Qt heeds it whatever LC_ALL says
)

_ACTIVATED_S = 2.0

AnyTarget = TypeVar("AnyTarget", bound=Target)


class Desktop:
    """A running virtual desktop. Use as a context manager.

    Attributes:
        env: The environment for programs on this desktop.
        display: Its X display, ``:99`` say.
        folder: Where logs, home and runtime directory are; deleted at the end.
        keys: Keys by XTEST.
        sound: The sound server, None without ``sound``.
        start_s: How long each part took to start.
    """

    keys: Keyboard
    display: str

    def __init__(
        self,
        *,
        window_manager: bool = True,
        tray: bool = True,
        sound: bool = True,
        geometry: str = "1280x800x24",
    ) -> None:
        self._parts = {"window manager": window_manager, "tray": tray, "sound": sound}
        self._geometry = geometry
        self.env: dict[str, str] = {}
        self.sound: SoundServer | None = None
        self.start_s: dict[str, float] = {}
        self._hardware: HardwareKeyboard | None = None

    # --- start and end -----------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="desk-"))
        self.processes = Processes(self.folder)
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _start(self) -> None:
        self.env = self._environment()
        self._timed("X server", self._start_x)
        self._timed("D-Bus", self._start_bus)
        if self._parts["window manager"]:
            self._timed("window manager", self._start_window_manager)
        if self._parts["tray"]:
            self._timed("tray", self.start_tray)
        if self._parts["sound"]:
            self.sound = SoundServer(self.processes, self.env)
            self._timed("sound", self.sound.start)

    def _end(self) -> None:
        for closable in ("keys", "_hardware", "_x"):
            if (thing := getattr(self, closable, None)) is not None:
                thing.close()
        self.processes.stop_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _timed(self, part: str, start: Any) -> None:
        began = time.monotonic()
        start()
        self.start_s[part] = time.monotonic() - began

    def _environment(self) -> dict[str, str]:
        home, runtime = self.folder / "home", self.folder / "run"
        home.mkdir(mode=0o700)
        runtime.mkdir(mode=0o700)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return inherited | {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_DATA_HOME": str(home / ".local" / "share"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_STATE_HOME": str(home / ".local" / "state"),
            "XDG_SESSION_TYPE": "x11",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "NO_AT_BRIDGE": "1",
            "GTK_A11Y": "none",
        }

    def _start_x(self) -> None:
        number = self.processes.start_telling(
            "Xvfb",
            lambda fd: [
                *("Xvfb", "-displayfd", str(fd), "-screen", "0", self._geometry),
                *("-nolisten", "tcp", "-noreset", "-ac"),
            ],
            env=self.env,
        )
        self.display = self.env["DISPLAY"] = f":{number}"
        self._x = display.Display(self.display)
        self.keys = Keyboard(self.display)
        self.set_layout("us")

    def _start_bus(self) -> None:
        self.env["DBUS_SESSION_BUS_ADDRESS"] = self.processes.start_telling(
            "dbus",
            lambda fd: ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--print-address={fd}"],
            env=self.env,
        )

    def _start_window_manager(self) -> None:
        self._window_manager = self.start("openbox", "openbox", "--sm-disable")
        wait_until(lambda: self._root_property("_NET_SUPPORTING_WM_CHECK"), "the window manager")

    def start_tray(self) -> subprocess.Popen[Any]:
        """Start a tray host and wait until it takes icons. Already done, unless ``tray=False``."""
        placing = "--edge bottom --align right --widthtype request --height 32 --SetDockType true"
        process = self.start("trayer", "trayer", *placing.split(), "--transparent", "false")
        selection = self._x.intern_atom("_NET_SYSTEM_TRAY_S0")
        wait_until(lambda: self._x.get_selection_owner(selection) != X.NONE, "the tray host")
        return process

    # --- programs ----------------------------------------------------------------------------------

    def start(self, name: str, *command: str | Path, **options: Any) -> subprocess.Popen[Any]:
        """Start a program on this desktop; ended with it. Its output goes to ``<folder>/<name>.log``."""
        return self.processes.start(name, command, **({"env": self.env} | options))

    def stop(self, process: subprocess.Popen[Any]) -> int:
        """End a program that ``start`` started, and return its exit code."""
        return self.processes.stop(process)

    def run(self, *command: str, **options: Any) -> str:
        """Run a program to its end and return what it printed.

        Raises:
            subprocess.CalledProcessError: It failed.
        """
        settings: dict[str, Any] = {"env": self.env, "capture_output": True, "timeout": 60} | options
        return str(subprocess.run(command, check=True, text=True, **settings).stdout)

    def open(self, kind: type[AnyTarget]) -> AnyTarget:
        """Open a window that takes text, and give it the focus."""
        target = kind(self)
        target.focus()
        target.attend()  # what is typed before it knows of the focus would be lost
        return target

    # --- input -------------------------------------------------------------------------------------

    @property
    def hardware(self) -> HardwareKeyboard:
        """Keys that do not come from the XTEST device but from the X server's own keyboard."""
        if self._hardware is None:
            self._hardware = HardwareKeyboard(self.display)
        return self._hardware

    def set_layout(self, layout: str) -> None:
        """Switch the keyboard layout: ``us``, ``de``, ``ru`` or several, ``us,ru``."""
        self.run("setxkbmap", "-rules", "evdev", "-model", "pc105", "-layout", layout)

    def play(self, wav: Path) -> subprocess.Popen[Any]:
        """Begin to play ``wav`` into the microphone. ``wait()`` on the result for its end."""
        assert self.sound is not None, "this desktop was started without sound"
        return self.sound.play(wav)

    # --- looking -----------------------------------------------------------------------------------

    def active_window(self) -> int:
        """The window that the window manager calls active, 0 for none."""
        value = self._root_property("_NET_ACTIVE_WINDOW")
        return int(value[0]) if value else 0

    def activate(self, window: int) -> None:
        """Bring ``window`` to the front and wait until it has the focus."""

        def is_active() -> bool:
            # Asked for again and again: the window manager forgets it of a window that it does not know yet.
            self.run("xdotool", "windowactivate", str(window))
            end = time.monotonic() + _ACTIVATED_S
            while self.active_window() != window and time.monotonic() < end:
                time.sleep(0.005)
            return self.active_window() == window

        wait_until(is_active, "the focus")

    @contextmanager
    def window_manager_stopped(self) -> Iterator[None]:
        """While it does nothing: it would give a focus that went to no window back to one."""
        self._window_manager.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._window_manager.send_signal(signal.SIGCONT)

    def windows(self) -> list[int]:
        """All windows that the window manager knows."""
        return [int(window) for window in self._root_property("_NET_CLIENT_LIST")]

    def copy(self, data: bytes | str, kind: str = "UTF8_STRING", selection: str = "clipboard") -> None:
        """Another program copies ``data``."""
        data = data.encode() if isinstance(data, str) else data
        command = ["xclip", "-selection", selection, "-t", kind]
        subprocess.run(command, env=self.env, input=data, check=True, timeout=60)
        # xclip forks; the child may take the selection after the parent has ended.
        wait_until(lambda: self.clipboard(kind, selection) == data, "xclip to own the clipboard")

    def clipboard(self, kind: str = "UTF8_STRING", selection: str = "clipboard") -> bytes:
        """What another program is given when it asks for ``kind`` of the clipboard; empty if nothing."""
        done = subprocess.run(
            ["xclip", "-selection", selection, "-o", "-t", kind],
            env=self.env,
            capture_output=True,
            check=False,
        )
        return done.stdout if done.returncode == 0 else b""

    def screenshot(self, name: str) -> Path:
        """Write the screen to ``tests/e2e/screenshots/<name>.png``, for people to look at."""
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.run("import", "-window", "root", str(path))
        return path

    def _root_property(self, name: str) -> list[int]:
        found = self._x.screen().root.get_full_property(self._x.intern_atom(name), X.AnyPropertyType)
        return list(found.value) if found else []
