"""The microphones of PulseAudio or PipeWire, listed by ``pactl``.

PortAudio knows only one device there, ``pulse``, so the list comes from ``pactl`` and the choice is made by
the variable PULSE_SOURCE, which libpulse reads each time it connects. ``pactl list`` is read as text, which
is fixed in the C locale: the JSON writer of PulseAudio 16 replaces every description that is not ASCII by
"(null)".

Threads: ``devices`` blocks for up to ``TIMEOUT_S`` per call of pactl; ``Subscription`` has a thread of its
own.
"""

from __future__ import annotations

import logging
import os
import subprocess
import threading
from collections.abc import Callable, Iterator

from handy_qwen.audio.devices import Device, HungError, tell_apart

logger = logging.getLogger(__name__)

TIMEOUT_S = 1.5
_SUBSCRIBE = "pactl subscribe </dev/null & exec >/dev/null; read -r _; kill $!"
"""Ends when its input is closed, so also when this process is killed: a ``pactl`` left behind takes one
of the 64 connections that a PulseAudio server has, until there is none left to record with."""
_TELLING = ("'new' on source #", "'remove' on source #", " on server")  # volume and streams do not matter


def devices() -> list[Device] | None:
    """The sources, or None if there is no sound server of this kind.

    Raises:
        MicrophoneError: There is one, but it does not answer.
    """
    listed = _pactl("list", "sources")
    default = _pactl("get-default-source") if listed is not None else None
    return None if listed is None else parse(listed, (default or "").strip())


def parse(listed: str, default: str) -> list[Device]:
    """Read what ``pactl list sources`` prints. Entries that lack a name or a format are left out."""
    entries = [entry for entry in map(_fields, listed.split("\n\n")) if "Name" in entry]
    names = tell_apart([entry.get("Description") or entry["Name"] for entry in entries])
    found = []
    for entry, name in zip(entries, names, strict=True):
        channels, rate_hz = _format(entry.get("Sample Specification", ""))
        if channels and rate_hz:
            handle = entry["Name"]
            is_monitor = entry.get("Monitor of Sink", "n/a") != "n/a"
            found.append(Device(name, handle, rate_hz, channels, handle == default, is_monitor))
    return found


def _fields(entry: str) -> dict[str, str]:
    """The fields of one source; what is indented deeper belongs to one of them and is left out."""
    lines = (line for line in entry.splitlines() if line.startswith("\t") and not line.startswith("\t\t"))
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _format(specification: str) -> tuple[int, int]:
    """Channels and rate in Hz out of ``s16le 2ch 48000Hz``; 0 for what is not there."""
    words = specification.split()
    numbers = {unit: next((w[: -len(unit)] for w in words if w.endswith(unit)), "") for unit in ("ch", "Hz")}
    channels, rate = (int(text) if text.isdecimal() else 0 for text in (numbers["ch"], numbers["Hz"]))
    return channels, rate


def _environment() -> dict[str, str]:
    return os.environ | {"LC_ALL": "C.UTF-8"}


def _pactl(*command: str) -> str | None:
    try:
        done = subprocess.run(
            ["pactl", *command],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        logger.info("no pactl: %s", error)
        return None
    except subprocess.TimeoutExpired as error:
        raise HungError from error
    if done.returncode:
        logger.info("pactl %s: exit code %d", command[0], done.returncode)
        return None
    return done.stdout


class Subscription:
    """Calls ``on_change`` when a source comes, goes or changes, and once when the server is gone.

    ``is_alive`` is False from then on; a new subscription is needed.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._process = subprocess.Popen(
            ["sh", "-c", _SUBSCRIBE],
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
        )
        self._thread = threading.Thread(target=self._run, name="microphone-hotplug", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether changes are still reported."""
        return self._process.poll() is None

    def _run(self) -> None:
        for _ in self._telling_lines():
            self._on_change()
        self._end()
        self._process.wait()
        self._on_change()

    def _telling_lines(self) -> Iterator[str]:
        assert self._process.stdout is not None
        return (line for line in self._process.stdout if any(mark in line for mark in _TELLING))

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End it. Safe to call twice."""
        self._end()
        self._thread.join(timeout_s)
        if not self._thread.is_alive() and self._process.stdout is not None:
            self._process.stdout.close()
