"""Which way the hotkeys are heard here, and whether they can be had.

While an instance runs, it holds them, and what it says counts. Otherwise they are taken for a moment, by the
very code that the app uses; on Wayland that could bring up a dialog, so there only a session is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from handy_qwen.core.ports import Hotkey, HotkeyListener
from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, failed, fine, problem
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.system.hotkeys import hotkeys_for
from handy_qwen.system.hotkeys.chord import parse_chord
from handy_qwen.system.session import Kind

NAME = "hotkeys"
SUBJECTS = ("hotkeys", "hotkey listener")  # of lasting notices of the app
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
            NAME, "No hotkey is set.", 'Set one in the settings file: [[hotkeys]] chord = "Right Ctrl".'
        )
        return
    try:
        names = " and ".join(parse_chord(chord).label(context.platform) for chord in chords)
    except HotkeyError as error:
        yield failed(NAME, error, **details)
        return
    if context.running is not None:
        told = [one for one in context.running.get("notices", ()) if one.get("subject") in SUBJECTS]
        if told:
            yield problem(NAME, str(told[-1]["title"]), str(told[-1].get("hint", "")), **details)
        else:
            yield fine(NAME, f"The running app listens for {names}.", **details)
    elif context.session.kind is Kind.NONE:
        yield problem(NAME, "Without a display no hotkey can be heard.", OWN_KEYS, **details)
    elif context.session.kind is Kind.WAYLAND:
        yield _ask_portal(context.configuration.settings.hotkeys, names)
    else:
        yield _try(context, backend, names)


def backend_of(context: Context) -> str:
    """The way that ``hotkeys_for`` takes here, by name."""
    kind = context.session.kind
    return "portal" if kind is Kind.WAYLAND else kind.value


def _try(context: Context, backend: str, names: str) -> Finding:
    listener: HotkeyListener = hotkeys_for(lambda _event: None, context.session)
    try:
        listener.start(context.configuration.settings.hotkeys)
    except HotkeyError as error:
        reason, is_taken = error.reason.name.lower(), error.reason is HotkeyReason.TAKEN
        return failed(NAME, error, backend=backend, reason=reason, is_taken=is_taken)
    finally:
        listener.stop()
    return fine(NAME, f"{names} can be listened for, through {backend}.", backend=backend, is_taken=False)


def _ask_portal(wanted: Sequence[Hotkey], names: str) -> Finding:
    """Open a session of global shortcuts and close it: nothing is bound, so the user is not asked."""
    from handy_qwen.system.hotkeys.portal import Portal, PortalError
    from handy_qwen.system.hotkeys.wayland import shortcuts_for

    try:
        *shortcuts, _cancel = shortcuts_for(wanted)
    except HotkeyError as error:
        return failed(NAME, error, backend="portal")
    try:
        Portal("SESSION").close()
    except PortalError as exc:
        return problem(
            NAME,
            f"This desktop has no global shortcuts for programs ({exc}).",
            OWN_KEYS,
            backend="portal",
        )
    unsaid = [one.description for one in shortcuts if not one.trigger]
    if unsaid:
        return problem(
            NAME,
            f"On Wayland a program cannot ask for {names}: a modifier needs another key with it.",
            'Set another hotkey, such as F9, or a key for "'
            + '" and "'.join(unsaid)
            + "\" in your desktop's keyboard settings.",
            backend="portal",
        )
    return fine(
        NAME,
        f"The desktop's portal takes shortcuts. It asks you to allow {names} when the app starts; the key "
        "can be changed in the desktop's keyboard settings.",
        backend="portal",
    )
