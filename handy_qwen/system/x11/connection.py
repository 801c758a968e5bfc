"""Connections to the X server, and the conversion of its errors.

A window may vanish between any two requests. Requests without a reply cannot raise; their errors are
logged by name, and the request counts as not done.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeAlias

from Xlib import X, display, error

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message

logger = logging.getLogger(__name__)

XObject: TypeAlias = Any  # a connection, window, event or error of python-xlib, which has no types

Pause: TypeAlias = Callable[[], AbstractContextManager[bool]]
"""Pauses Qt's thread inside; False: it did not stop. For any other thread."""

LOST = (error.ConnectionClosedError, OSError)  # what python-xlib raises when the server is gone


_UNREAD = 100  # events


def connect(name: str, *, is_listening: bool = False) -> XObject:
    """Connect to the X server ``name`` (``:0``).

    ``is_listening``: the caller reads all events continuously. Otherwise only the last ``_UNREAD`` are kept,
    for callers that check occasionally whether something has happened. The server notifies every client of
    each change of the keyboard map: unread, a few events per take would pile up.

    Raises:
        InsertError: There is none, or it refuses.
    """
    try:
        connection = display.Display(name)
    except (error.DisplayError, error.XauthError, *LOST) as problem:
        title = Message("Can't reach the X server.")
        hint = Message("Start Handy Qwen from your desktop session.")
        raise InsertError(title, InsertReason.UNSUPPORTED_DESKTOP, hint) from problem
    connection.set_error_handler(lambda problem, _request: log_error(problem))
    if not is_listening:
        connection.display.event_queue = deque(maxlen=_UNREAD)
    return connection


def disconnect(connection: XObject) -> None:
    """Close ``connection``; the server may be gone already."""
    with suppress(*LOST):
        connection.close()


def has_manager(connection: XObject, selection: str) -> bool:
    """Whether a program manages the screen in some way: it owns ``selection`` of it (ICCCM 2, 2.8)."""
    atom = connection.get_atom(f"{selection}_S{connection.get_default_screen()}")
    return bool(connection.get_selection_owner(atom) != X.NONE)


def log_error(problem: Exception) -> None:
    """Log an X error without consequences, e.g. the other window is gone."""
    logger.debug("the X server answered %s", type(problem).__name__)


@contextmanager
def guarded(what: Message) -> Iterator[None]:
    """Turn an X error inside into an InsertError saying that ``what`` failed."""
    try:
        yield
    except (error.XError, *LOST) as problem:
        raise InsertError(
            Message("{what} failed: the X server refused it.", what=what), InsertReason.UNSUPPORTED_DESKTOP
        ) from problem


@contextmanager
def _alone() -> Iterator[bool]:
    """The pause of a process without Qt."""
    yield True


_pause: Pause = _alone


def use_pause(pause: Pause) -> None:
    """Make ``server_grab`` pause Qt's thread in this way. Call it before any grab."""
    global _pause  # noqa: PLW0603  there is one such thread in the process, and no grab may overlook it
    _pause = pause


@contextmanager
def server_grab(connection: XObject) -> Iterator[None]:
    """Block all other clients' requests, so that the observed state does not change before it is acted on.

    Only for a few requests, all on this connection: on any other they would wait forever.

    Qt waits for the X server without letting other Python threads run. If that were blocked, nobody could
    release the grab, and the whole desktop would freeze. So its thread is paused first; if it does not stop
    in time, there is no grab, and something may change inside.
    """
    with _pause() as is_paused:
        if not is_paused:
            yield
            return
        connection.grab_server()
        try:
            yield
        finally:
            connection.ungrab_server()
            connection.flush()
