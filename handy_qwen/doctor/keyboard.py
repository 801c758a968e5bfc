"""Hotkeys and insertion: what the back ends say of themselves here."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from handy_qwen.core.ports import HotkeyListener
from handy_qwen.core.types import Hotkey, Method
from handy_qwen.doctor.findings import Context, Finding, failed, fine, problem, warning
from handy_qwen.errors import HotkeyError, HotkeyReason, InsertError
from handy_qwen.system.hotkeys import hotkeys_for
from handy_qwen.system.hotkeys.chord import parse_chord
from handy_qwen.system.insert import DEFAULT_METHOD, backend_for, describe
from handy_qwen.system.insert.backend import CHAINS
from handy_qwen.system.session import Kind

INSERTION = "insertion"


def check_insertion(context: Context) -> Iterator[Finding]:
    """Say how text gets into a window here, as the insertion back end describes it."""
    settings = context.configuration.settings
    method = settings.method or DEFAULT_METHOD
    if method is Method.NONE:
        yield warning(
            INSERTION, 'Texts are not inserted: method = "none" in the settings.', 'Set method = "auto".'
        )
        return
    described = describe(context.session)
    ways = [way for one in CHAINS[method] for way in described.ways if way.method is one]
    there = [way.name for way in ways if way.is_available]
    missing = [way.name for way in ways if not way.is_available]
    details = {"backend": described.name, "method": method.value, "order": there, "missing": missing}
    text = f"Tried in this order: {', '.join(there)}." if there else "No text can be inserted."
    if missing:
        text += f" Not here: {', '.join(missing)}."
    if not there:
        yield problem(INSERTION, text, described.remedy, **details)
    elif (error := _error(context)) is not None:
        yield failed(INSERTION, error, **details)
    elif method is not Method.COPY and all(way.method is Method.COPY for way in ways if way.is_available):
        text = f"{text} Texts can only be copied, for you to paste."
        yield problem(INSERTION, text, described.remedy, **details)
    else:
        yield fine(INSERTION, text, **details)


def _error(context: Context) -> InsertError | None:
    """What connecting the back end says, as the app would connect it.

    Not beside a running instance: as it tidies up, it would take the keys that the other is typing with.
    """
    if context.running is not None:
        return None
    try:
        if context.platform == "darwin":
            _require_accessibility()
        backend_for(context.session, threading.Event().wait).close()
    except InsertError as error:
        return error
    return None


def _require_accessibility() -> None:
    """Say what is missing, without asking the user for it as the app does."""
    import Quartz  # type: ignore[import-not-found,unused-ignore]  # on macOS only

    from handy_qwen.system.insert.macos import not_allowed

    if not Quartz.CGPreflightPostEventAccess():
        raise not_allowed()


HOTKEYS = "hotkeys"
SUBJECTS = ("hotkeys", "hotkey listener")  # of lasting notices of the app
OWN_KEYS = (
    'Let your desktop run "handy-qwen start" when a key of your choice goes down and "handy-qwen stop" '
    'when it comes up, or "handy-qwen toggle" on a key.'
)


def check_hotkeys(context: Context) -> Iterator[Finding]:
    """Look whether the hotkeys of the settings can be listened for."""
    kind = context.session.kind
    backend = "portal" if kind is Kind.WAYLAND else kind.value
    chords = [hotkey.chord for hotkey in context.configuration.settings.hotkeys]
    details = {"backend": backend}
    if not chords:
        yield problem(
            HOTKEYS, "No hotkey is set.", 'Set one in the settings file: [[hotkeys]] chord = "Right Ctrl".'
        )
        return
    try:
        names = " and ".join(parse_chord(chord).label(context.platform) for chord in chords)
    except HotkeyError as error:
        yield failed(HOTKEYS, error, **details)
        return
    if context.running is not None:
        told = [one for one in context.running.get("notices", ()) if one.get("subject") in SUBJECTS]
        if told:
            yield problem(HOTKEYS, str(told[-1]["title"]), str(told[-1].get("hint", "")), **details)
        else:
            yield fine(HOTKEYS, f"The running app listens for {names}.", **details)
    elif context.session.kind is Kind.NONE:
        yield problem(HOTKEYS, "Without a display no hotkey can be heard.", OWN_KEYS, **details)
    elif context.session.kind is Kind.WAYLAND:
        yield _ask_portal(context.configuration.settings.hotkeys, names)
    else:
        yield _try(context, backend, names)


def _try(context: Context, backend: str, names: str) -> Finding:
    listener: HotkeyListener = hotkeys_for(lambda _event: None, context.session)
    try:
        listener.start(context.configuration.settings.hotkeys)
    except HotkeyError as error:
        reason, is_taken = error.reason.name.lower(), error.reason is HotkeyReason.TAKEN
        return failed(HOTKEYS, error, backend=backend, reason=reason, is_taken=is_taken)
    finally:
        listener.stop()
    return fine(HOTKEYS, f"{names} can be listened for, through {backend}.", backend=backend, is_taken=False)


def _ask_portal(wanted: Sequence[Hotkey], names: str) -> Finding:
    """Open a session of global shortcuts and close it: nothing is bound, so the user is not asked."""
    from handy_qwen.system.hotkeys.portal import shortcuts_for
    from handy_qwen.system.portal import PortalError, PortalSession

    try:
        *shortcuts, _cancel = shortcuts_for(wanted)
    except HotkeyError as error:
        return failed(HOTKEYS, error, backend="portal")
    try:
        PortalSession("GlobalShortcuts").close()
    except PortalError as exc:
        return problem(
            HOTKEYS,
            f"This desktop has no global shortcuts for programs ({exc}).",
            OWN_KEYS,
            backend="portal",
        )
    unsaid = [one.description for one in shortcuts if not one.trigger]
    if unsaid:
        return problem(
            HOTKEYS,
            f"On Wayland a program cannot ask for {names}: a modifier needs another key with it.",
            'Set another hotkey, such as F9, or a key for "'
            + '" and "'.join(unsaid)
            + "\" in your desktop's keyboard settings.",
            backend="portal",
        )
    return fine(
        HOTKEYS,
        f"The desktop's portal takes shortcuts. It asks you to allow {names} when the app starts; the key "
        "can be changed in the desktop's keyboard settings.",
        backend="portal",
    )
