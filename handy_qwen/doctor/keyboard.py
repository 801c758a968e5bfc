"""Hotkeys and insertion: how they would work here, as the back ends describe it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from handy_qwen.core.types import Method
from handy_qwen.doctor.findings import Context, Finding, failed, fine, problem, warning
from handy_qwen.errors import HotkeyError, HotkeyReason, InsertError
from handy_qwen.message import Message, sentences, verbatim
from handy_qwen.system.hotkeys import hotkeys_for
from handy_qwen.system.hotkeys.chord import labels
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
            INSERTION,
            Message('Texts are not inserted: method = "none" in the settings.'),
            Message('Set method = "auto".'),
        )
        return
    described = describe(context.session)
    ways = [way for one in CHAINS[method] for way in described.ways if way.method is one]
    there = [way.name for way in ways if way.is_available]
    missing = [way.name for way in ways if not way.is_available]
    details = {"backend": described.name, "method": method.value, "order": there, "missing": missing}
    text = (
        Message("Tried in this order: {names}.", names=", ".join(there))
        if there
        else Message("No text can be inserted.")
    )
    if missing:
        text = sentences(text, Message("Not here: {names}.", names=", ".join(missing)))
    if not there:
        yield problem(INSERTION, text, described.remedy, **details)
    elif (error := _error(context)) is not None:
        yield failed(INSERTION, error, **details)
    elif method is not Method.COPY and all(way.method is Method.COPY for way in ways if way.is_available):
        text = sentences(text, Message("Texts can only be copied, for you to paste."))
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


def check_hotkeys(context: Context) -> Iterator[Finding]:
    """Look whether the hotkeys of the settings can be used."""
    kind = context.session.kind
    backend = "portal" if kind is Kind.WAYLAND else kind.value
    hotkeys = context.configuration.settings.hotkeys
    details: dict[str, object] = {"backend": backend}
    if not hotkeys:
        yield problem(HOTKEYS, Message("No hotkey is set."), Message("Set one: Settings, Shortcut."))
        return
    try:
        names = labels(hotkeys, context.platform)
    except HotkeyError as error:
        yield failed(HOTKEYS, error, **details)
        return
    if context.running is not None:
        told = [one for one in context.running.get("notices", ()) if one.get("subject") in SUBJECTS]
        if told:
            yield problem(HOTKEYS, verbatim(told[-1]["title"]), verbatim(told[-1].get("hint", "")), **details)
        else:
            yield fine(HOTKEYS, Message("The running app listens for {names}.", names=names), **details)
    else:
        yield _try(context, details)


def _try(context: Context, details: dict[str, object]) -> Finding:
    listener = hotkeys_for(lambda _event: None, context.session)
    try:
        text = listener.try_out(context.configuration.settings.hotkeys)
    except HotkeyError as error:
        reason, is_taken = error.reason.name.lower(), error.reason is HotkeyReason.TAKEN
        return failed(HOTKEYS, error, **details, reason=reason, is_taken=is_taken)
    return fine(HOTKEYS, text, **details, is_taken=False)
