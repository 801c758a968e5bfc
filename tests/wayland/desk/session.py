"""What the desktops share: buses, sound, portals, the clipboard, dialogs."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from tests.e2e.desk.processes import Processes, wait_until
from tests.wayland.desk.keyboards import Keyboard

HERE = Path(__file__).resolve().parent
SYSTEM_PYTHON = "/usr/bin/python3"  # has GTK
PR_SET_CHILD_SUBREAPER = 36
WATCHER = "org.kde.StatusNotifierWatcher"  # who knows the tray's icons


class Session:
    """What all desktops share. Subclasses say how the compositor, its portals and its keyboard come up."""

    name = "?"
    screen = (1280, 800)
    desktop = "?"  # XDG_CURRENT_DESKTOP; chooses /usr/share/xdg-desktop-portal/NAME-portals.conf
    keyboard: Keyboard | None = None

    def __init__(self, *, xwayland: bool = True) -> None:
        self.xwayland = xwayland
        self.folder = Path(tempfile.mkdtemp(prefix=f"desk-{self.name}-"))
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self.processes = Processes(self.logs)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # what our processes leave behind comes to us
        runtime = self.folder / "run"
        home = self.folder / "home"
        for path in (runtime, home):
            path.mkdir(mode=0o700)
        keep = ("PATH", "LANG", "LC_ALL", "TERM")
        self.env = {key: os.environ[key] for key in keep if key in os.environ}
        self.env |= {
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "USER": "tester",
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_SESSION_TYPE": "wayland",
            "XDG_CURRENT_DESKTOP": self.desktop,
            "XDG_SESSION_DESKTOP": self.desktop.lower(),
            "LIBGL_ALWAYS_SOFTWARE": "1",  # no GPU: Mesa's llvmpipe
            "GSETTINGS_BACKEND": "dconf",
            "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1",  # so that press_button finds the dialogs of KDE
        }
        self._named: dict[str, subprocess.Popen[Any]] = {}

    # --- life --------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self._start_buses()
            self._start_sound()
            self.start_compositor()
            self.start_portals()
            self.start_keyboard()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.keyboard is not None:
            self.keyboard.close()
        self.processes.stop_all()

    answers_to_hotkeys: tuple[str, ...] = ()
    answers_to_keyboard: tuple[str, ...] = ()
    """What to press in the dialogs of the two portals to say yes; empty where there is none."""

    def start_compositor(self) -> None:
        """Bring the compositor up; set WAYLAND_DISPLAY, and DISPLAY where there is XWayland."""
        raise NotImplementedError

    def start_panel(self) -> None:
        """Bring up what shows tray icons, if the desktop can have it."""

    def start_keyboard(self) -> None:
        """Set ``self.keyboard``."""
        raise NotImplementedError

    def screenshot(self, path: str | Path) -> None:
        """Write a PNG of the screen."""
        raise NotImplementedError

    def click(self, x: int, y: int) -> None:
        """Click there with the left button of a mouse."""
        raise NotImplementedError

    def start(
        self, name: str, *command: object, env: dict[str, str] | None = None, **popen: Any
    ) -> subprocess.Popen[Any]:
        """Start a program that belongs to the session. It writes to the log ``name``."""
        process = self.processes.start(
            name, [str(part) for part in command], env=self.env | (env or {}), **popen
        )
        self._named[name] = process
        return process

    def log(self, name: str) -> str:
        """What the program ``name`` has written."""
        path = self.logs / f"{name}.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def run(
        self,
        *command: object,
        timeout_s: float = 20.0,
        env: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> str:
        """Run a command to its end and return what it wrote (standard output and errors)."""
        done = subprocess.run(
            [str(part) for part in command],
            env=self.env | (env or {}),
            input=data,
            stdin=None if data is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
        return done.stdout.decode("utf-8", "replace")

    def wait_for_socket(self, name: str, timeout_s: float = 40.0) -> None:
        path = Path(self.env["XDG_RUNTIME_DIR"]) / name

        def is_there() -> bool:
            for started, process in self._named.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{started} has ended:\n{self.log(started)[-2000:]}")
            return path.is_socket()

        wait_until(is_there, f"the socket {path}", timeout_s)
        self.env["WAYLAND_DISPLAY"] = name

    def has_bus_name(self, name: str) -> bool:
        return f'"{name}"' in self.run(
            "dbus-send",
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.DBus",
            "/",
            "org.freedesktop.DBus.ListNames",
        )

    # --- parts -------------------------------------------------------------------------------------

    def _start_buses(self) -> None:
        """A session bus, and a second one as the "system" bus: else programs wait for what is not there."""
        for kind, variable in (
            ("system", "DBUS_SYSTEM_BUS_ADDRESS"),
            ("session", "DBUS_SESSION_BUS_ADDRESS"),
        ):
            address = f"unix:path={self.env['XDG_RUNTIME_DIR']}/{kind}-bus"
            config = Path("/usr/share/dbus-1/session.conf")
            if kind == "system":  # one that activates nothing
                config = self.folder / "system-bus.conf"
                config.write_text(
                    '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" '
                    '"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">\n'
                    f"<busconfig><type>system</type><listen>{address}</listen><policy context='default'>"
                    "<allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/>"
                    "</policy></busconfig>\n"
                )
            self.start(
                f"bus-{kind}",
                "dbus-daemon",
                f"--config-file={config}",
                f"--address={address}",
                "--nofork",
                "--nopidfile",
                env={"WAYLAND_DISPLAY": "wayland-desk"},
            )  # for what the compositor lets the bus start before it is up
            self.env[variable] = address
            path = Path(address.removeprefix("unix:path="))
            wait_until(path.is_socket, f"the {kind} bus")

    def tell_the_bus(self, *names: str) -> None:
        """Services that the bus starts get these variables from now on."""
        self.run(
            "dbus-update-activation-environment",
            *(f"{name}={self.env[name]}" for name in names if name in self.env),
        )

    def _start_sound(self) -> None:
        """PipeWire; what is played into the sink "virtmic" is heard at the microphone "mic"."""
        self.start("pipewire", "pipewire")
        self.wait_for_file("pipewire-0")
        self.start("wireplumber", "wireplumber")
        self.start("pipewire-pulse", "pipewire-pulse")
        self.wait_for_file("pulse/native")
        self.run("pactl", "load-module", "module-null-sink", "sink_name=virtmic", "rate=48000", "channels=1")
        self.run("pactl", "load-module", "module-null-sink", "sink_name=speakers", "rate=48000", "channels=2")
        self.run(
            "pactl",
            "load-module",
            "module-remap-source",
            "source_name=mic",
            "master=virtmic.monitor",
            "source_properties=device.description=VirtualMicrophone",
        )

        def is_set() -> bool:
            self.run("pactl", "set-default-source", "mic")
            self.run("pactl", "set-default-sink", "speakers")
            return self.run("pactl", "get-default-source").strip() == "mic"

        wait_until(is_set, "the microphone")

    def wait_for_file(self, name: str) -> None:
        wait_until((Path(self.env["XDG_RUNTIME_DIR"]) / name).exists, name)

    def start_portals(self) -> None:
        """Let the bus start xdg-desktop-portal and the desktop's backends, as it does on a real desktop."""
        self.tell_the_bus(*self.env)
        self._wake_portal()

    def _wake_portal(self) -> None:
        name = "org.freedesktop.portal.Desktop"
        self.run("gdbus", "wait", "--session", "--activate", name, "--timeout", "20", timeout_s=25)

    def restart_portal(self) -> None:
        """As after a crash: no session was closed. The bus starts it when it is next asked for."""
        self._wake_portal()  # perhaps nobody has asked for it since it was restarted last
        self.kill_owner("org.freedesktop.portal.Desktop")

    def restart_panel(self) -> None:
        """End what shows tray icons, and bring it up again."""
        raise NotImplementedError

    def kill_owner(self, name: str) -> None:
        """End the process that owns the name ``name`` on the bus."""
        bus = ("dbus-send", "--session", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/")
        said = self.run(*bus, "org.freedesktop.DBus.GetConnectionUnixProcessID", f"string:{name}")
        os.kill(int(said.split()[-1]), signal.SIGKILL)
        wait_until(lambda: not self.has_bus_name(name), f"the end of {name}", interval_s=0.1)

    def say(self, wav: str | Path) -> None:
        """Speak a sound file into the microphone, to its end."""
        self.run("paplay", "--device=virtmic", wav, timeout_s=60)

    def set_clipboard(self, text: str, *options: str) -> None:
        """As if the user had copied ``text``. wl-copy leaves a child behind that would keep a pipe open."""
        subprocess.run(
            ["wl-copy", "--type", "text/plain;charset=utf-8", *options],
            env=self.env,
            input=text.encode(),
            timeout=20,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def clipboard(self, *options: str) -> str:
        return self.run("wl-paste", "--no-newline", *options)

    def press_button(self, name: str, wait_s: float = 10.0) -> str:
        """Press a button of a dialog by its name, as a screen reader does. Needs no focus and no place."""
        said = self.run(SYSTEM_PYTHON, HERE / "press_button.py", name, wait_s, timeout_s=wait_s + 20)
        return "\n".join(line for line in said.splitlines() if line.startswith(("pressed", "no button")))

    def answer(self, names: tuple[str, ...], wait_s: float = 8.0) -> bool:
        """Answer a dialog by pressing its buttons. False if it did not come up."""
        return bool(names) and all("pressed" in self.press_button(name, wait_s) for name in names)

    def tray_items(self) -> str:
        """Who has a tray icon, as the panel knows it; an error where there is no panel."""
        return self.run(
            "gdbus",
            "call",
            "--session",
            "--dest",
            "org.kde.StatusNotifierWatcher",
            "--object-path",
            "/StatusNotifierWatcher",
            "--method",
            "org.freedesktop.DBus.Properties.Get",
            "org.kde.StatusNotifierWatcher",
            "RegisteredStatusNotifierItems",
        ).strip()
