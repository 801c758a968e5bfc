"""Checks of the sound system and a short recording: only its loudness is used."""

from __future__ import annotations

import queue
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

import numpy as np

from handy_qwen.audio import pulse
from handy_qwen.audio.devices import Device, HungError, Wish, pick, spared
from handy_qwen.audio.microphones import Microphones
from handy_qwen.audio.recorder import MicrophoneRecorder
from handy_qwen.audio.take import is_clipping, loudest_db
from handy_qwen.core.events import Event, Failed, RecordingBegan, RecordingEnded
from handy_qwen.core.types import Samples
from handy_qwen.doctor.findings import Context, Finding, failed, fine, problem, warning
from handy_qwen.errors import MicrophoneError
from handy_qwen.message import Message, sentences

SOUND = "sound"
START_S = 5.0  # for PortAudio to start


def check_sound(context: Context) -> Iterator[Finding]:
    """Check the sound systems."""
    if context.platform.startswith("linux"):
        yield _server(context)
    try:
        version, hosts = context.library.call(_facts, patience_s=START_S)
    except MicrophoneError as error:
        yield failed(SOUND, error)
        return
    text = Message(
        "{version}, with {names}.", version=version, names=", ".join(hosts) or Message("no sound system")
    )
    yield fine(SOUND, text, portaudio=version, hosts=hosts)


def _facts(portaudio: ModuleType) -> tuple[str, list[str]]:
    """PortAudio's version and the sound systems it knows."""
    version = str(portaudio.get_portaudio_version()[1]).split(",")[0]
    return version, [str(host["name"]) for host in portaudio.query_hostapis()]


def _server(context: Context) -> Finding:
    if shutil.which("pactl") is None:
        text = Message(
            "pactl is missing: with PulseAudio or PipeWire, microphones cannot be told apart without it."
        )
        hint = Message("Install it (Debian, Ubuntu, Fedora: pulseaudio-utils; Arch: libpulse).")
        return warning(SOUND, text, hint, server="")
    told = _pactl(context, "info")
    if told is None:
        return warning(
            SOUND,
            Message("There is no sound server (PulseAudio or PipeWire), or it isn't responding."),
            Message("Log out and in again, or: systemctl --user restart pipewire-pulse; pulseaudio --start."),
            server="",
        )
    facts = dict(line.split(": ", 1) for line in told.splitlines() if ": " in line)
    server = facts.get("Server Name") or Message("a sound server")
    version = facts.get("Server Version", "")
    if not facts.get("Default Source"):
        text = Message("{server} has no microphone.", server=server)
        hint = Message("Plug one in, or switch it on.")
        return problem(SOUND, text, hint, server=server)
    return fine(
        SOUND, Message("{server}.", server=f"{server} {version}".strip()), server=server, version=version
    )


def _pactl(context: Context, *command: str) -> str | None:
    """The output of ``pactl``; None: it failed, or did not answer."""
    try:
        return pulse.pactl(*command, environment=context.environment)
    except MicrophoneError:
        return None


MICROPHONE = "microphone"
PATIENCE_S = 8.0  # for the first samples; the recorder abandons a device after 5
FAINT_DB = -70.0  # loudest tenth of a second; a quiet room with a usable microphone is louder
SLOW_S = 1.0
AnyEvent = TypeVar("AnyEvent", RecordingBegan, RecordingEnded)


@dataclass(frozen=True, slots=True)
class Heard:
    """A test recording: device name, seconds to the first samples, and the samples at 16 kHz."""

    device: str
    first_s: float
    is_dead: bool
    samples: Samples


def check_microphone(context: Context) -> Iterator[Finding]:
    """List the microphones, choose as the app does, and record."""
    settings, wish = context.configuration.settings, _wish(context)
    backend = Microphones(context.library, context.platform)
    try:
        devices = backend.devices()
        playing = spared(backend.playing, devices, wish)
        device = pick(devices, wish.names, spare=playing)
    except MicrophoneError as error:
        yield failed(MICROPHONE, error, reason=error.reason.name.lower(), device="", level_db=None)
        return
    finally:
        backend.close()
    names = [one.name for one in devices if not one.is_monitor]
    details = {"device": device.name, "devices": names, "is_default": device.is_default}
    if wish.names and wish.names[0] and wish.names[0] not in (device.name, device.handle):
        if pick(devices, wish.names).handle in playing:
            text = Message(
                "The headset you prefer plays music and is left to it; {name} is used instead.",
                name=device.name,
            )
            yield fine(MICROPHONE, text, **details)
        else:
            problem = Message(
                "The microphone you prefer is not connected; {name} is used instead.", name=device.name
            )
            remedy = Message("Plug it in, or choose another in Settings → Microphone.")
            yield warning(MICROPHONE, problem, remedy, **details)
    if context.listen_s <= 0:
        problem = Message("{name} would be used. It was not listened to.", name=device.name)
        yield fine(MICROPHONE, problem, **details, level_db=None)
        return
    context.ask(f"Say something: {device.name} is listened to for {context.listen_s:g} s.")
    try:
        heard = listen(context)
    except MicrophoneError as error:
        yield failed(MICROPHONE, error, **details, reason=error.reason.name.lower(), level_db=None)
        return
    is_muted = _is_muted(context, device)
    yield _judge(heard, is_muted=is_muted, warm=_warmth(settings.warm_s), details=details)


def _wish(context: Context) -> Wish:
    settings = context.configuration.settings
    return Wish(settings.microphones, settings.avoid_headset)


def listen(context: Context) -> Heard:
    """Record for ``context.listen_s`` with the app's own recorder. Raises MicrophoneError."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    blocks: list[Samples] = []
    backend = Microphones(context.library, context.platform)
    recorder = MicrophoneRecorder(events.put, backend, wish=_wish(context), warm_s=0.0)
    recorder.launch()
    try:
        begin_s = time.monotonic()
        recorder.start(1, blocks.append)
        device = _wait_for(events, RecordingBegan).device
        first_s = time.monotonic() - begin_s
        for event in _within(events, context.listen_s):
            if isinstance(event, RecordingEnded):
                events.put(event)  # it ended early: for whoever waits for the end
                break
        recorder.stop(1)
        is_dead = _wait_for(events, RecordingEnded).is_dead
    finally:
        recorder.close(2.0)
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    return Heard(device, first_s, is_dead, samples)


def _within(events: queue.SimpleQueue[Event], seconds: float) -> Iterator[Event]:
    """Events within ``seconds``; raises MicrophoneError if recording failed."""
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        try:
            event = events.get(timeout=left_s)
        except queue.Empty:
            return
        if isinstance(event, Failed) and isinstance(event.error, MicrophoneError):
            raise event.error
        yield event


def _wait_for(events: queue.SimpleQueue[Event], kind: type[AnyEvent]) -> AnyEvent:
    """The next event of ``kind``; raises MicrophoneError if recording failed, or none comes."""
    for event in _within(events, PATIENCE_S):
        if isinstance(event, kind):
            return event
    raise HungError


def _judge(heard: Heard, *, is_muted: bool, warm: Message, details: dict[str, object]) -> Finding:
    level_db, peak = loudest_db(heard.samples), float(np.abs(heard.samples).max(initial=0.0))
    details |= {
        "device": heard.device,
        "level_db": round(level_db, 1),
        "peak": round(peak, 3),
        "is_muted": is_muted,
        "is_silent": heard.is_dead,
        "first_samples_s": round(heard.first_s, 3),
        "warm": warm,
    }
    name = heard.device
    if is_muted:
        text = Message("{name} is muted.", name=name)
        hint = Message("Unmute it in the system's sound settings.")
        return problem(MICROPHONE, text, hint, **details)
    if heard.is_dead:
        return problem(
            MICROPHONE,
            Message("{name} gives nothing but digital silence.", name=name),
            Message(
                "It may be switched off by its own key or switch, or blocked in the privacy settings. "
                "If not, choose another one."
            ),
            **details,
        )
    if level_db < FAINT_DB:
        return warning(
            MICROPHONE,
            Message("{name} is very faint: {level} dBFS at its loudest.", name=name, level=f"{level_db:.0f}"),
            Message(
                "Speak while doctor listens. If it stays like this, raise the input level in "
                "the sound settings."
            ),
            **details,
        )
    if is_clipping(heard.samples):
        text = Message("{name} is too loud: it clips.", name=name)
        hint = Message("Lower the input level.")
        return warning(MICROPHONE, text, hint, **details)
    if heard.first_s > SLOW_S:
        return warning(
            MICROPHONE,
            Message(
                "{name} takes {seconds} s to start (Bluetooth often does): first words may be lost.",
                name=name,
                seconds=f"{heard.first_s:.1f}",
            ),
            Message("Keep it ready all the time (Settings → Microphone), or choose another one."),
            **details,
        )
    told = Message(
        "{name} hears something: {level} dBFS at its loudest, first sound after {seconds} s.",
        name=name,
        level=f"{level_db:.0f}",
        seconds=f"{heard.first_s:.2f}",
    )
    return fine(MICROPHONE, sentences(told, warm), **details)


def _is_muted(context: Context, device: Device) -> bool:
    """Whether the sound server says so; otherwise silence is the only sign."""
    if not context.platform.startswith("linux") or device.handle.isdecimal():
        return False
    told = _pactl(context, "get-source-mute", device.handle)
    return told is not None and told.strip().endswith("yes")


def _warmth(warm_s: float) -> Message:
    if warm_s < 0:
        return Message("It stays open all the time.")
    if not warm_s:
        return Message("It is open only while it records.")
    return Message("It stays open for {seconds} s after use.", seconds=f"{warm_s:.0f}")
