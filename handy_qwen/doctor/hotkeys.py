"""Which way the hotkeys are heard here, and whether they can be had.

While an instance runs, it holds them, and what it says counts. Otherwise they are taken for a moment, by the
very code that the app uses; on Wayland that could bring up a dialog, so there only a session is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from handy_qwen.core.ports import HotkeyListener
from handy_qwen.doctor.context import Context
from handy_qwen.doctor.desktop import display_of
from handy_qwen.doctor.finding import Finding, failed, fine, problem
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.system.hotkeys import hotkeys_for
from handy_qwen.system.hotkeys.chord import parse_chord

NAME = "hotkeys"
OWN_KEYS = (
    'Let your desktop run "handy-qwen start" when a key of your choice goes down and "handy-qwen stop" '
    'when it comes up, or "handy-qwen toggle" on a key.'
)


def check(context: Context) -> Iterator[Finding]:
    """Look whether the hotkeys of the settings can be listened for."""
    backend = backend_of(context)
    chords = [hotkey.chord for hotkey in context.configuration.settings.hotkeys]
    details = {"backend": backend}
    if not chords:
        yield problem(
            NAME, "No hotkey is set.", 'Set one in the settings file: [[hotkeys]] chord = "ctrl_r".'
        )
        return
    try:
        names = " and ".join(parse_chord(chord).label(context.platform) for chord in chords)
    except HotkeyError as error:
        yield failed(NAME, error, **details)
        return
    if context.running is not None and context.running.get("phase") != "problem":
        yield fine(NAME, f"The running app listens for {names}.", **details)
    elif backend == "none":
        yield problem(NAME, "Without a display no hotkey can be heard.", OWN_KEYS, **details)
    elif backend == "portal":
        yield _ask_portal(names)
    else:
        yield _try(context, backend, names)


def backend_of(context: Context) -> str:
    """The way that ``hotkeys_for`` takes here, by name."""
    if context.platform in ("win32", "darwin"):
        return {"win32": "Windows", "darwin": "macOS"}[context.platform]
    if context.is_wayland:
        return "portal"
    return "X11" if display_of(context) else "none"


def _try(context: Context, backend: str, names: str) -> Finding:
    listener: HotkeyListener = hotkeys_for(
        lambda _event: None, platform=context.platform, environment=context.environment
    )
    try:
        listener.start(context.configuration.settings.hotkeys)
    except HotkeyError as error:
        reason, is_taken = error.reason.name.lower(), error.reason is HotkeyReason.TAKEN
        if is_taken and _has_them(context.running, error):
            return fine(NAME, f"The running app listens for {names}.", backend=backend)
        return failed(NAME, error, backend=backend, reason=reason, is_taken=is_taken)
    finally:
        listener.stop()
    return fine(NAME, f"{names} can be listened for, through {backend}.", backend=backend, is_taken=False)


def _has_them(running: Mapping[str, Any] | None, error: HotkeyError) -> bool:
    """Whether it is the running app that has taken them: what keeps it from working is something else."""
    if running is None:
        return False
    return all(notice.get("title") != error.title for notice in running.get("notices", ()))


def _ask_portal(names: str) -> Finding:
    """Open a session of global shortcuts and close it: nothing is bound, so the user is not asked."""
    from handy_qwen.system.hotkeys.portal import Portal, PortalError

    try:
        Portal("SESSION").close()
    except PortalError as exc:
        return problem(
            NAME,
            f"This desktop has no global shortcuts for programs ({exc}).",
            OWN_KEYS,
            backend="portal",
        )
    return fine(
        NAME,
        f"The desktop's portal takes shortcuts. It asks you to allow {names} when the app starts; the key "
        "can be changed in the desktop's keyboard settings.",
        backend="portal",
    )
