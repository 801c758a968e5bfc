"""The microphones of PulseAudio or PipeWire, listed by ``pactl``.

PortAudio knows only one device there, ``pulse``, so the list comes from ``pactl`` and the device is selected
by the variable PULSE_SOURCE, which libpulse reads at each connection. ``pactl list`` is parsed as text, which
is stable in the C locale: the JSON output of PulseAudio 16 replaces every description that is not ASCII by
"(null)".

Threads: ``devices`` blocks for up to ``TIMEOUT_S`` per call of pactl; ``PactlSubscription`` has a thread of
its own, which waits for what ``pactl subscribe`` prints.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from handy_qwen.audio import hotplug
from handy_qwen.audio.devices import Device, HungError, tell_apart
from handy_qwen.runtime.worker import WatchedThread

logger = logging.getLogger(__name__)

TIMEOUT_S = 1.5
_PLAIN = {"LC_ALL": "C.UTF-8"}
_SUBSCRIBE = "pactl subscribe </dev/null & exec >/dev/null; read -r _; kill $!"
"""Ends when its input is closed, so also when this process is killed: an orphaned ``pactl`` takes one of the
64 connections of a PulseAudio server, until none is left to record with."""
_HEADSET = re.compile(r"bluez_\w+\.((?:[0-9A-Fa-f]{2}[_:]){5}[0-9A-Fa-f]{2})")
"""How both servers name Bluetooth devices, with their address: ``bluez_source.…`` and ``bluez_sink.…`` in
PulseAudio, ``bluez_input.…`` and ``bluez_output.…`` in PipeWire."""
_TELLING = ("'new' on source #", "'remove' on source #", " on server")  # volume and streams are irrelevant


def devices() -> list[Device] | None:
    """The sources; None if there is no such sound server. MicrophoneError: it does not answer."""
    listed = pactl("list", "sources")
    default = pactl("get-default-source") if listed is not None else None
    return None if listed is None else parse(listed, (default or "").strip())


def parse(listed: str, default: str) -> list[Device]:
    """Parse the output of ``pactl list sources``. Entries without a name or format are skipped."""
    entries = [entry for entry in map(_fields, listed.split("\n\n")) if "Name" in entry]
    names = tell_apart([entry.get("Description") or entry["Name"] for entry in entries])
    found = []
    for entry, name in zip(entries, names, strict=True):
        channels, rate_hz = _format(entry.get("Sample Specification", ""))
        if channels and rate_hz:
            handle = entry["Name"]
            is_monitor = entry.get("Monitor of Sink", "n/a") != "n/a"
            is_headset = not is_monitor and _address(handle) != ""
            found.append(Device(name, handle, rate_hz, channels, handle == default, is_monitor, is_headset))
    return found


def playing(headsets: Iterable[str]) -> frozenset[str]:
    """Those of ``headsets`` (names of sources) into which another program plays. Raises MicrophoneError."""
    sinks, streams = pactl("list", "short", "sinks"), pactl("list", "sink-inputs")
    program = Path("/proc/self/exe").resolve().name if os.environ.get("FLATPAK_ID") else ""
    used = used_sinks(streams or "", os.getpid(), program)
    lines = (line.split("\t") for line in (sinks or "").splitlines())
    addresses = {_address(fields[1]) for fields in lines if len(fields) > 1 and fields[0] in used}
    return frozenset(name for name in headsets if _address(name) in addresses)


def used_sinks(listed: str, own_pid: int, own_program: str = "") -> set[str]:
    """The numbers of the sinks that other programs play into.

    Args:
        listed: The output of ``pactl list sink-inputs``.
        own_pid: This process, whose cues are not music.
        own_program: The file name of this program in a sandbox, where process ids are not unique.
    """
    used = set()
    for entry in listed.split("\n\n"):
        fields = _fields(entry)
        is_own = f'application.process.id = "{own_pid}"' in entry and (
            not own_program or f'application.process.binary = "{own_program}"' in entry
        )
        is_event = 'media.role = "event"' in entry  # a notification sound
        if "Sink" in fields and fields.get("Corked") != "yes" and not (is_own or is_event):
            used.add(fields["Sink"])
    return used


def _address(name: str) -> str:
    """The Bluetooth address of a source or sink; "" if it has none."""
    found = _HEADSET.match(name)
    return found[1].replace("_", ":").upper() if found else ""


def _fields(entry: str) -> dict[str, str]:
    """The fields of one source, without nested ones."""
    lines = (line for line in entry.splitlines() if line.startswith("\t") and not line.startswith("\t\t"))
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _format(specification: str) -> tuple[int, int]:
    """Channels and rate in Hz of ``s16le 2ch 48000Hz``; 0 if missing."""
    words = specification.split()
    numbers = {unit: next((w[: -len(unit)] for w in words if w.endswith(unit)), "") for unit in ("ch", "Hz")}
    channels, rate = (int(text) if text.isdecimal() else 0 for text in (numbers["ch"], numbers["Hz"]))
    return channels, rate


def pactl(*command: str, environment: Mapping[str, str] = MappingProxyType({})) -> str | None:
    """The output of ``pactl``; None if it is missing or fails. MicrophoneError: no answer.

    ``environment`` has the variables of another session.
    """
    try:
        done = subprocess.run(
            ["pactl", *command],
            env={**os.environ, **environment, **_PLAIN},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        logger.debug("no pactl: %s", error)
        return None
    except subprocess.TimeoutExpired as error:
        raise HungError from error
    if done.returncode:
        logger.debug("pactl %s: exit code %d", command[0], done.returncode)
        return None
    return done.stdout


class PactlSubscription:
    """Calls ``on_change`` when a source comes or goes or the server changes, and once when it is gone.

    ``is_alive`` is False from then on, until it is started again. The watchdog watches its thread: otherwise
    newly connected microphones would go unnoticed after its death.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._begun = threading.Semaphore(0)
        self._process: subprocess.Popen[str] | None = None
        self.thread = WatchedThread(hotplug.THREAD, self._run, self._revive)

    @property
    def is_alive(self) -> bool:
        """Whether changes are reported."""
        return self._process is not None and self._process.poll() is None

    def begin(self) -> None:
        """Start or restart. Earlier changes are not reported. Always the same thread."""
        self._process = subprocess.Popen(
            ["sh", "-c", _SUBSCRIBE],
            env={**os.environ, **_PLAIN},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
        )
        self._begun.release()
        self.thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End it. Safe to call twice."""
        self.thread.may_end()
        process = self._process
        if process is not None:
            _end(process)
        self._begun.release()
        self.thread.join(timeout_s)
        if process is not None and not self.thread.is_alive():
            _close(process)

    def _run(self) -> None:
        while self._begun.acquire() and not self.thread.is_ending():
            process = self._process
            assert process is not None, "it was begun"
            for _ in _telling_lines(process):
                self.thread.begin()
                self._on_change()
                self.thread.end()
            _end(process)
            process.wait()
            _close(process)
            if not self.thread.is_ending():
                self._on_change()

    def _revive(self) -> None:
        """The thread died: the next scan for microphones restarts it."""
        if self._process is not None:
            _end(self._process)
            self._process.wait()
            _close(self._process)
        self._on_change()


def _telling_lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    return (line for line in process.stdout if any(mark in line for mark in _TELLING))


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def _close(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    process.stdout.close()
