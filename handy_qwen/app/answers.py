"""The running program's answers to the command line."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from handy_qwen import __version__
from handy_qwen.core.events import Request, Requested
from handy_qwen.core.ports import Post
from handy_qwen.core.recovery import NOTHING_HINT
from handy_qwen.core.view import Phase, View, Window
from handy_qwen.errors import ControlError
from handy_qwen.message import Message

REQUESTS = {
    "start": Request.START,
    "stop": Request.STOP,
    "toggle": Request.TOGGLE,
    "cancel": Request.CANCEL,
    "retry": Request.RETRY,
    "bring-back": Request.BRING_BACK,
    "paste": Request.PASTE_AGAIN,
}
WINDOWS = {window.value: window for window in Window}


class Answers:
    """Carries out the commands of the control socket.

    Threads: ``on_view`` is called on the controller's thread, ``answer`` on ``control``; they share
    one reference, which is swapped whole.
    """

    def __init__(
        self,
        post: Post,
        quit_app: Callable[[], None],
        open_window: Callable[[Window], None] = lambda _window: None,
    ) -> None:
        self._post = post
        self._quit = quit_app
        self._open_window = open_window
        self._view = View()
        self._changed = threading.Condition()

    def on_view(self, view: View) -> None:
        """Store the current view."""
        with self._changed:
            self._view = view
            self._changed.notify_all()

    def answer(self, command: str) -> dict[str, Any]:
        """Execute ``command``.

        Raises:
            ControlError: It is unknown, or does not apply now.
        """
        view = self._view
        if command == "status":
            return {"status": status_of(view)}
        if command == "last":
            if not view.recent:
                raise ControlError(Message("There is no text yet."), Message("Dictate something first."))
            return {"text": view.recent[0]}
        if command == "quit":
            self._quit()
            return {}
        if command in WINDOWS:
            self._open_window(WINDOWS[command])
            return {}
        if command == "stop" and view.began_s is None:
            raise ControlError(Message("Nothing is being recorded."))
        if command == "cancel" and view.began_s is None and not view.waiting:
            raise ControlError(Message("There is nothing to cancel."))
        if command == "retry" and not view.can_retry:
            raise ControlError(Message("There is nothing to transcribe again."), NOTHING_HINT)
        if command == "bring-back" and not view.can_bring_back:
            raise ControlError(Message("There is nothing to restore."), NOTHING_HINT)
        if command == "paste" and not (view.recent or view.held):
            raise ControlError(Message("There is no text yet."), Message("Dictate something first."))
        if command not in REQUESTS:
            raise ControlError(
                Message("The running app doesn't know this command."), Message("Quit and restart it.")
            )
        self._post(Requested(REQUESTS[command], time.monotonic()))
        self._wait_for_change(command)
        return {}

    def _wait_for_change(self, command: str) -> None:
        """Make sure that ``start`` followed by ``stop`` finds the take, however close together they are."""
        if command in {"start", "stop"}:
            with self._changed:
                self._changed.wait_for(
                    lambda: (self._view.began_s is not None) == (command == "start"), timeout=1.0
                )


def status_of(view: View) -> dict[str, Any]:
    """The output of ``handy-qwen status --json``. It contains no dictated text."""
    choices = view.choices
    return {
        "version": __version__,
        "pid": os.getpid(),
        "phase": view.phase.name.lower(),
        "is_loading": view.is_loading,
        "is_rehearsing": view.is_rehearsing,
        "is_key_down": view.is_key_down,
        "is_locked": view.is_locked,
        "recording_s": round(time.monotonic() - view.began_s, 1) if view.began_s is not None else None,
        "waiting": view.waiting,
        "held": len(view.held),
        "model": choices.model,
        "language": view.language,
        "microphone": choices.microphone if view.began_s is None else view.device,
        "method": choices.method.value,
        "hotkeys": list(filter(None, choices.hotkeys)),
        "mode": choices.mode,
        "is_private": choices.is_private,
        "can_retry": view.can_retry,
        "can_bring_back": view.can_bring_back,
        "is_ready": view.is_listening
        and view.phase not in {Phase.LOADING, Phase.PROBLEM}
        and not view.is_loading,
        "notices": [
            {
                "kind": notice.kind.name.lower(),
                "title": notice.title,
                "hint": notice.hint,
                "subject": notice.subject,
            }
            for notice in view.notices
        ],
    }
