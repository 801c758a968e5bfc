"""Inserts text at the user's cursor.

| system | module | typing | paste |
|---|---|---|---|
| X11 | x11.py | XTEST | Shift+Insert; we own the clipboard |
| Windows | windows.py | SendInput, Unicode | Ctrl+V or Shift+Insert; delayed rendering |
| macOS | macos.py | CGEvent, Unicode | Cmd+V |
| Wayland | wayland.py | wtype | Shift+Insert; our clipboard, or GNOME's, or wl-copy |

backend.py is the contract, clipboard.py that of the clipboards, pasting.py the steps of a paste, inserter.py
the thread that inserts and falls back from one method to the next. Without a working back end, texts are
copied with pyperclip.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from handy_qwen.core.ports import Post
from handy_qwen.core.types import KeyPermission, Method
from handy_qwen.errors import InsertError
from handy_qwen.message import Message
from handy_qwen.system.insert.backend import CHAINS, Backend, MayRelease, Pause, Way, always
from handy_qwen.system.insert.inserter import DesktopInserter, last_resort_way
from handy_qwen.system.session import Kind, Session

logger = logging.getLogger(__name__)

DEFAULT_METHOD = Method.PASTE
"""A chord that works with any text, layout or input method, on all systems.

Typing is slow in consoles, and takes many steps to undo."""


@dataclass(frozen=True, slots=True)
class Description:
    """How text is inserted on this desktop."""

    name: str  # the back end's mechanism, for people
    ways: tuple[Way, ...]  # in the order in which they are tried for their method
    remedy: Message  # what to do about missing ways

    def tried_for(self, method: Method) -> list[Way]:
        """The ways in which ``method`` inserts a text, in that order; also those that are missing."""
        return [way for one in CHAINS[method] for way in self.ways if way.method is one]


def inserter_for(post: Post, session: Session, *, may_release: MayRelease = always) -> DesktopInserter:
    """The inserter for this desktop, its thread started. Never fails: at worst it only copies."""
    stopping = threading.Event()
    try:
        backend = backend_for(session, stopping.wait, may_release)
    except InsertError as problem:
        logger.info("texts will only be copied: %s", problem.reason.name)
        backend = Backend(session, stopping.wait)
    return DesktopInserter(post, backend, stopping=stopping)


def backend_for(session: Session, pause: Pause, may_release: MayRelease = always) -> Backend:
    """The back end for this desktop, connected. Raises InsertError: a requirement is missing."""
    return _backend_class(session)(session, pause, may_release)


def describe(session: Session) -> Description:
    """What ``backend_for`` would choose, and what is available. Looks for tools; may take some seconds."""
    chosen = _backend_class(session)
    return Description(chosen.NAME, (*chosen.ways(session), last_resort_way(session)), chosen.REMEDY)


def key_permission(session: Session) -> KeyPermission:
    """Whether the desktop lets this program press keys, as far as is known without asking."""
    return _backend_class(session).permission_in(session)


def try_out(session: Session) -> None:
    """Connect as ``inserter_for`` would, and leave again. Raises InsertError: no text can be inserted."""
    chosen = _backend_class(session)
    chosen.require_permission()
    chosen(session, threading.Event().wait).close()


def _backend_class(session: Session) -> type[Backend]:
    # Each import is for its own system only.
    match session.kind:
        case Kind.WINDOWS:
            from handy_qwen.system.insert.windows import Windows

            return Windows
        case Kind.MACOS:
            from handy_qwen.system.insert.macos import MacOS

            return MacOS
        case Kind.WAYLAND:
            from handy_qwen.system.insert.wayland import Wayland

            return Wayland
        case Kind.X11:
            from handy_qwen.system.insert.x11 import X11

            return X11
        case Kind.NONE:
            return Backend
