"""A sound server with a microphone that a test speaks into.

``norewinds=1`` matters: without it the null sink hands its audio out in two-second lumps, and the
first callback of a recording comes up to 2 s late.
"""

import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.desk.processes import Processes, wait_until

SINK = "virtmic"  # play into it, and it is heard at the source
SOURCE = "mic"
SCRIPT = f"""
load-module module-native-protocol-unix auth-anonymous=1 socket={{socket}}
load-module module-null-sink sink_name={SINK} norewinds=1 rate=48000 channels=1 format=s16le \
sink_properties=device.description=VirtualMicrophoneFeed
load-module module-remap-source source_name={SOURCE} master={SINK}.monitor \
source_properties=device.description=VirtualMicrophone
load-module module-null-sink sink_name=speakers norewinds=1 rate=48000 channels=2
set-default-source {SOURCE}
set-default-sink speakers
"""


class SoundServer:
    """PulseAudio with one virtual microphone and one virtual pair of speakers."""

    def __init__(self, processes: Processes, environment: dict[str, str]) -> None:
        self._processes = processes
        self._environment = environment
        runtime = Path(environment["XDG_RUNTIME_DIR"])
        self._script = runtime / "virtual.pa"
        self._script.write_text(SCRIPT.format(socket=runtime / "pulse-native"), encoding="utf-8")
        environment |= {
            "PULSE_SERVER": f"unix:{runtime}/pulse-native",
            "PULSE_RUNTIME_PATH": str(runtime / "pulse"),
            "PULSE_COOKIE": str(runtime / "pulse-cookie"),
        }
        self.process: subprocess.Popen[Any] | None = None

    def start(self) -> None:
        """Start the server and wait until the microphone is there. Again after ``stop``, if wanted."""
        options = "-n --daemonize=no --use-pid-file=no --exit-idle-time=-1 --realtime=no --high-priority=no"
        self.process = self._processes.start(
            "pulseaudio",
            ["pulseaudio", *options.split(), "--log-target=stderr", "-F", self._script],
            env=self._environment,
        )
        wait_until(lambda: SOURCE in self.control("list", "short", "sources").split(), "the microphone")

    def stop(self) -> None:
        """End the server, as if it had crashed or been restarted."""
        if self.process is not None:
            self._processes.stop(self.process)
            self.process = None

    def control(self, *command: str) -> str:
        """Run ``pactl`` with ``command``; what it prints, or nothing when the server is not up."""
        done = subprocess.run(
            ["pactl", *command],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        return done.stdout if done.returncode == 0 else ""

    def plug_in(self, name: str, rate_hz: int = 48_000, channels: int = 1) -> None:
        """Add a microphone; what is played into its sink ``<name>-feed`` is heard there."""
        feed = self.control(
            *("load-module", "module-null-sink", f"sink_name={name}-feed", "norewinds=1"),
            *(f"rate={rate_hz}", f"channels={channels}"),
        )
        source = self.control(
            *("load-module", "module-remap-source", f"source_name={name}", f"master={name}-feed.monitor"),
            f"source_properties=device.description={name}",
        )
        assert feed.strip().isdecimal()
        assert source.strip().isdecimal()

    def unplug(self, source: str) -> None:
        """Take away a microphone as the server does when the device is gone."""
        modules = self.control("list", "short", "modules").splitlines()
        (number,) = [line.split()[0] for line in modules if f"source_name={source} " in line + " "]
        self.control("unload-module", number)

    def recordings(self) -> int:
        """How many programs record: what the desktop shows as a microphone in use."""
        lines = self.control("list", "short", "source-outputs").splitlines()
        return sum("protocol-native" in line for line in lines)  # the others are the virtual microphones

    def play(self, wav: Path, sink: str = SINK) -> subprocess.Popen[Any]:
        """Begin to play ``wav`` into the microphone. ``wait()`` on the result for its end."""
        return self._processes.start("paplay", ["paplay", f"--device={sink}", wav], env=self._environment)
