"""The sound system: PortAudio, and on Linux the sound server behind it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from types import ModuleType

from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, failed, fine, problem, warning
from handy_qwen.errors import MicrophoneError

NAME = "sound"
ANSWER_S = 2.0
PATIENCE_S = 5.0  # for PortAudio to start


def check(context: Context) -> Iterator[Finding]:
    """Look what records sound here."""
    if context.platform.startswith("linux"):
        yield _server(context)
    try:
        version, hosts = context.library.call(_facts, patience_s=PATIENCE_S)
    except MicrophoneError as error:
        yield failed(NAME, error)
        return
    yield fine(
        NAME, f"{version}, with {', '.join(hosts) or 'no sound system'}.", portaudio=version, hosts=hosts
    )


def _facts(portaudio: ModuleType) -> tuple[str, list[str]]:
    """PortAudio's version and the sound systems it knows."""
    version = str(portaudio.get_portaudio_version()[1]).split(",")[0]
    return version, [str(host["name"]) for host in portaudio.query_hostapis()]


def _server(context: Context) -> Finding:
    if shutil.which("pactl") is None:
        return warning(
            NAME,
            "pactl is missing: with PulseAudio or PipeWire, microphones cannot be told apart without it.",
            "Install it (Debian, Ubuntu, Fedora: pulseaudio-utils; Arch: libpulse).",
            server="",
        )
    told = pactl(context, "info")
    if told is None:
        return warning(
            NAME,
            "There is no sound server (PulseAudio or PipeWire), or it does not answer.",
            "Log out and in again, or: systemctl --user restart pipewire-pulse; pulseaudio --start.",
            server="",
        )
    facts = dict(line.split(": ", 1) for line in told.splitlines() if ": " in line)
    server = facts.get("Server Name", "a sound server")
    version = facts.get("Server Version", "")
    if not facts.get("Default Source"):
        return problem(NAME, f"{server} has no microphone.", "Plug one in, or switch it on.", server=server)
    return fine(NAME, f"{server} {version}".strip() + ".", server=server, version=version)


def pactl(context: Context, *command: str) -> str | None:
    """What ``pactl`` prints in the C locale; None: it failed or took longer than ``ANSWER_S``."""
    try:
        done = subprocess.run(
            ["pactl", *command],
            env={**os.environ, **context.environment, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout
