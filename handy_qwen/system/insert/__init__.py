"""Puts text where the user's cursor is.

``inserter_for`` chooses the windowing system and falls from one to the next:

| system | module | typing | paste |
|---|---|---|---|
| X11 | x11/ | XTEST | Shift+Insert; we own the clipboard |
| Windows | windows.py | SendInput, Unicode | Ctrl+V or Shift+Insert; delayed rendering |
| macOS | macos.py | CGEvent, Unicode | Cmd+V |
| Wayland | wayland.py | wtype, ydotool | wl-copy and a key tool |

Not on any: ``NoInserter``, which copies by pyperclip, so that no text is lost.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from handy_qwen.core.events import Delivered, Delivery, Failed
from handy_qwen.core.ports import Inserter, Method, Post, Submit, Target
from handy_qwen.errors import InsertError
from handy_qwen.system.insert.backend import Backend, printable, unsupported
from handy_qwen.system.insert.last_resort import copy_with_pyperclip
from handy_qwen.system.insert.worker import COPIED_NOTE, InsertionThread, LastResort

logger = logging.getLogger(__name__)


class InjectingInserter(Inserter, Protocol):
    """An inserter that tells when it presses keys, so that hotkeys do not hear them."""

    def was_injecting(self, at_s: float) -> bool:
        """Whether an injected key of ``at_s`` (``time.monotonic()``) may be ours. Any thread, at once."""


def inserter_for(
    post: Post,
    *,
    platform: str = sys.platform,
    environment: Mapping[str, str] | None = None,
    may_release: Callable[[], bool] = lambda: True,
) -> InjectingInserter:
    """The inserter for this desktop. Starts its thread. Never fails: at worst it only copies.

    Args:
        post: Takes Delivered and Failed.
        platform: As ``sys.platform``.
        environment: As ``os.environ``.
        may_release: Whether modifiers that are held may be let go of; called on the inserter's thread.
    """
    stopping = threading.Event()
    try:
        backend = backend_for(
            platform, os.environ if environment is None else environment, stopping, may_release
        )
    except InsertError as problem:
        logger.info("texts will only be copied: %s", problem.reason.name)
        return NoInserter(post)
    return InsertionThread(post, backend, stopping=stopping, last_resort=copy_with_pyperclip)


def backend_for(
    platform: str,
    environment: Mapping[str, str],
    stopping: threading.Event,
    may_release: Callable[[], bool] = lambda: True,
) -> Backend:
    """The backend for this desktop.

    Raises:
        InsertError: There is none for it, or it lacks what is needed.
    """
    # Each import is for its own system only.
    if platform == "win32":
        from handy_qwen.system.insert.windows import Windows

        return Windows(stopping.wait)
    if platform == "darwin":
        from handy_qwen.system.insert.macos import MacOS

        return MacOS(stopping.wait)
    if environment.get("WAYLAND_DISPLAY"):
        from handy_qwen.system.insert.wayland import Wayland

        return Wayland(environment, stopping.wait)
    if environment.get("DISPLAY"):
        from handy_qwen.system.insert.x11.desktop import X11

        return X11(environment["DISPLAY"], stopping.wait, may_release=may_release)
    raise unsupported("A desktop to insert text on")


def default_method(*, platform: str = sys.platform) -> Method:
    """The method that is right for most windows of this system.

    Paste on all of them: one key chord whatever the text, the layout or an input method in between;
    on Windows too, where typing is exact but slow in consoles and counts as many steps to undo.
    """
    del platform  # the answer is the same for all today; callers must not rely on that
    return Method.PASTE


class NoInserter:
    """For desktops without a way in: every text is copied, with a note."""

    def __init__(self, post: Post, copy: LastResort = copy_with_pyperclip) -> None:
        self._post = post
        self._copy = copy

    def focused(self) -> Target:
        """Nobody can tell."""
        return Target()

    def prepare(self, method: Method) -> None:
        """Nothing takes time."""

    def insert(self, take: int, text: str, *, target: Target | None, method: Method, submit: Submit) -> None:
        """Copy ``text``, whatever was asked for, unless that is nothing."""
        del target, submit
        if method is Method.NONE:
            self._post(Delivered(take, Delivery.KEPT))
            return
        try:
            self._copy(printable(text))
        except InsertError as problem:
            self._post(Failed(take, problem))
        else:
            self._post(Delivered(take, Delivery.COPIED, "" if method is Method.COPY else COPIED_NOTE))

    def copy(self, text: str) -> None:
        """Copy ``text``.

        Raises:
            InsertError: There is no clipboard to be had.
        """
        self._copy(printable(text))

    def was_injecting(self, at_s: float) -> bool:  # noqa: ARG002  the protocol's
        """No key is ever pressed."""
        return False

    def close(self, timeout_s: float) -> None:
        """Nothing to end."""
