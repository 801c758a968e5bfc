"""Puts text where the user's cursor is.

``inserter_for`` chooses the windowing system and falls from one to the next:

| system | module | typing | paste |
|---|---|---|---|
| X11 | x11/ | XTEST | Shift+Insert; we own the clipboard |
| Windows | windows.py | SendInput, Unicode | Ctrl+V or Shift+Insert; delayed rendering |
| macOS | macos.py | CGEvent, Unicode | Cmd+V |
| Wayland | wayland.py | wtype, ydotool | wl-copy and a key tool |

Not on any: ``NoDesktop``, which copies by pyperclip, so that no text is lost.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from handy_qwen.core.ports import Inserter, Post
from handy_qwen.core.types import Method, Submit, Target
from handy_qwen.errors import InsertError
from handy_qwen.system.insert.backend import Backend, Inserted, unsupported
from handy_qwen.system.insert.inserter import DesktopInserter, LastResort, copy_with_pyperclip
from handy_qwen.system.session import Kind, Session

logger = logging.getLogger(__name__)


class InjectingInserter(Inserter, Protocol):
    """An inserter that tells when it presses keys, so that hotkeys do not hear them."""

    def was_injecting(self, at_s: float) -> bool:
        """Whether an injected key of ``at_s`` (``time.monotonic()``) may be ours. Any thread, at once."""


def inserter_for(
    post: Post,
    session: Session,
    *,
    environment: Mapping[str, str] | None = None,
    may_release: Callable[[], bool] = lambda: True,
) -> InjectingInserter:
    """The inserter for this desktop. Starts its thread. Never fails: at worst it only copies.

    Args:
        post: Takes Delivered and Failed.
        session: The desktop.
        environment: As ``os.environ``.
        may_release: Whether modifiers that are held may be let go of; called on the inserter's thread.
    """
    stopping = threading.Event()
    try:
        backend = backend_for(
            session, os.environ if environment is None else environment, stopping, may_release
        )
    except InsertError as problem:
        logger.info("texts will only be copied: %s", problem.reason.name)
        backend = NoDesktop()
    return DesktopInserter(post, backend, stopping=stopping, last_resort=copy_with_pyperclip)


def backend_for(
    session: Session,
    environment: Mapping[str, str],
    stopping: threading.Event,
    may_release: Callable[[], bool] = lambda: True,
) -> Backend:
    """The backend for this desktop.

    Raises:
        InsertError: There is none for it, or it lacks what is needed.
    """
    # Each import is for its own system only.
    if session.kind is Kind.WINDOWS:
        from handy_qwen.system.insert.windows import Windows

        return Windows(stopping.wait)
    if session.kind is Kind.MACOS:
        from handy_qwen.system.insert.macos import MacOS

        return MacOS(stopping.wait)
    if session.kind is Kind.WAYLAND:
        from handy_qwen.system.insert.wayland import Wayland

        return Wayland({**environment, "WAYLAND_DISPLAY": session.wayland}, stopping.wait)
    if session.kind is Kind.X11:
        from handy_qwen.system.insert.x11 import X11

        return X11(session.display, stopping.wait, may_release=may_release)
    raise unsupported("A desktop to insert text on")


def default_method(*, platform: str = sys.platform) -> Method:
    """The method that is right for most windows of this system.

    Paste on all of them: one key chord whatever the text, the layout or an input method in between;
    on Windows too, where typing is exact but slow in consoles and counts as many steps to undo.
    """
    del platform  # the answer is the same for all today; callers must not rely on that
    return Method.PASTE


class NoDesktop:
    """For desktops without a way in: every text is copied. Implements ``Backend``."""

    clipboard_thread = None

    def __init__(self, copy: LastResort = copy_with_pyperclip) -> None:
        self.copy = copy

    def focused(self) -> Target:
        """Nobody can tell."""
        return Target()

    def prepare(self, is_awaited: Callable[[], bool]) -> None:
        """Nothing takes time."""

    def type_text(self, text: str) -> Inserted:  # noqa: ARG002  the protocol's
        """Nothing can be typed.

        Raises:
            InsertError: Always.
        """
        raise unsupported("Typing")

    def paste_text(self, text: str) -> Inserted:  # noqa: ARG002  the protocol's
        """Nothing can be pasted.

        Raises:
            InsertError: Always.
        """
        raise unsupported("Pasting")

    def submit(self, submit: Submit) -> None:  # noqa: ARG002  the protocol's
        """No key can be pressed.

        Raises:
            InsertError: Always.
        """
        raise unsupported("Pressing keys")

    def rest(self, is_idle: bool) -> float | None:
        """Nothing is to be tidied up."""

    def was_injecting(self, at_s: float) -> bool:  # noqa: ARG002  the protocol's
        """No key is ever pressed."""
        return False

    def close(self) -> None:
        """Nothing is held."""
