"""A connection to the X server whose errors are ours.

A window may vanish between any two requests. Requests without a reply cannot raise, so what goes
wrong there is noted in the log by the error's name, and the request counts as not done.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from Xlib import display, error

from handy_qwen.errors import InsertError, InsertReason

logger = logging.getLogger(__name__)

XObject: TypeAlias = Any
"""A connection, window, event or error of python-xlib, which has no types."""


def connect(name: str) -> XObject:
    """Connect to the X server ``name`` (``:0``).

    Raises:
        InsertError: There is none, or it does not let us in.
    """
    try:
        connection = display.Display(name)
    except (error.DisplayError, error.XauthError, error.ConnectionClosedError, OSError) as problem:
        raise InsertError(
            "The X server cannot be reached.",
            InsertReason.UNSUPPORTED_DESKTOP,
            "Start the program from within the desktop session.",
        ) from problem
    connection.set_error_handler(_note)
    return connection


def _note(problem: XObject, _request: XObject) -> None:
    logger.debug("the X server answered %s", type(problem).__name__)


@contextmanager
def guarded(what: str, reason: InsertReason = InsertReason.UNSUPPORTED_DESKTOP) -> Iterator[None]:
    """Turn an X error inside into an InsertError saying that ``what`` failed."""
    try:
        yield
    except (error.XError, error.ConnectionClosedError, OSError) as problem:
        raise InsertError(f"{what} failed: the X server refused it.", reason) from problem


@contextmanager
def server_grab(connection: XObject) -> Iterator[None]:
    """Nobody else's requests are answered inside: what one sees stays so until one has acted on it.

    Keep it to a few requests, all of them on this connection: any other would wait for ever.
    """
    connection.grab_server()
    try:
        yield
    finally:
        connection.ungrab_server()
        connection.flush()


class Atoms:
    """Names of atoms and back, each asked for once. For the thread of the connection."""

    def __init__(self, connection: XObject) -> None:
        self._display = connection
        self._by_name: dict[str, int] = {}
        self._by_atom: dict[int, str] = {}

    def atom(self, name: str) -> int:
        """The atom called ``name``."""
        if name not in self._by_name:
            self._by_name[name] = int(self._display.intern_atom(name))
        return self._by_name[name]

    def name(self, atom: int) -> str:
        """What ``atom`` is called; empty if there is no such atom."""
        if atom not in self._by_atom:
            try:
                self._by_atom[atom] = str(self._display.get_atom_name(atom))
            except error.BadAtom:
                return ""  # another program sent nonsense
        return self._by_atom[atom]
