"""The socket of sway and its derivatives: commands, and events of keys that it binds.

    message: "i3-ipc", size, kind, JSON or a command; events have the highest bit of their kind set

Source: man 7 sway-ipc.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from handy_qwen.system.session import answers

ANSWER_S = 2.0
RUN, SUBSCRIBE, VERSION, CONFIG, MODE = 0, 2, 7, 9, 12
EVENT = 1 << 31
WORKSPACE, MODE_CHANGED, BINDING, SHUTDOWN = (EVENT | number for number in (0, 2, 5, 6))
_HEADER = struct.Struct("=6sII")
_MAGIC = b"i3-ipc"

Event = tuple[int, Mapping[str, Any]]
"""Its kind, and its contents."""


class SwayError(Exception):
    """Sway is gone, does not answer, or sent something invalid."""


def sway_socket(environment: Mapping[str, str] = os.environ) -> str:
    """The socket of sway; "" if this is not a session of sway."""
    path = environment.get("SWAYSOCK", "")
    return path if path and answers([path]) else ""


class Sway:
    """A connection to sway at ``path``. For one thread.

    Raises:
        SwayError: It cannot be reached.
    """

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)  # type: ignore[attr-defined,unused-ignore]  # not on Windows
        self._socket.settimeout(ANSWER_S)
        self._data = bytearray()
        self._events: deque[Event] = deque()
        try:
            self._socket.connect(path)
        except OSError as exc:
            self.close()
            raise _gone(exc) from exc

    def fileno(self) -> int:
        """Readable when something has arrived."""
        return self._socket.fileno()

    def subscribe(self, *kinds: str) -> None:
        """Subscribe to "binding", "mode", ...

        Raises:
            SwayError: It refuses.
        """
        if self.look(SUBSCRIBE, "success", json.dumps(kinds)) is not True:
            raise SwayError("sway tells of no keys")

    def command(self, command: str) -> bool:
        """Execute ``command``; return whether it succeeded.

        Raises:
            SwayError: It is gone.
        """
        try:
            return all(bool(one["success"]) for one in self.ask(RUN, command))
        except (TypeError, LookupError) as exc:
            raise _senseless() from exc

    def look(self, kind: int, name: str, text: str = "") -> object:
        """The value ``name`` in the answer to a message. Raises SwayError: missing, or no answer."""
        try:
            return self.ask(kind, text)[name]
        except (TypeError, LookupError) as exc:
            raise _senseless() from exc

    def ask(self, kind: int, text: str = "") -> Any:  # noqa: ANN401  JSON
        """The answer to a message, as parsed JSON.

        Raises:
            SwayError: There is none.
        """
        body = text.encode()
        try:
            self._socket.sendall(_HEADER.pack(_MAGIC, len(body), kind) + body)
            while True:
                found, answer = self._next()
                if found == kind:
                    return answer
        except OSError as exc:
            raise _gone(exc) from exc

    def events(self) -> Iterator[Event]:
        """New events. Does not wait.

        Raises:
            SwayError: It is gone.
        """
        self._socket.settimeout(0.0)
        try:
            while True:
                self._next()
        except BlockingIOError:
            pass  # that was all
        except OSError as exc:
            raise _gone(exc) from exc
        finally:
            self._socket.settimeout(ANSWER_S)
        while self._events:
            yield self._events.popleft()

    def close(self) -> None:
        """End the connection. Safe to call twice."""
        self._socket.close()

    def _next(self) -> tuple[int, Any]:
        """The next message; events are also kept for ``events``.

        Raises:
            OSError: There is none yet, or the connection is closed.
            SwayError: It is invalid.
        """
        while (size := self._size()) is None or len(self._data) < size:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionResetError
            self._data += data
        kind = _HEADER.unpack_from(self._data)[2]
        body = bytes(self._data[_HEADER.size : size])
        del self._data[:size]
        try:
            said = json.loads(body)
        except ValueError as exc:
            raise _senseless() from exc
        if kind & EVENT:
            if not isinstance(said, dict):
                raise _senseless()
            self._events.append((kind, said))
        return kind, said

    def _size(self) -> int | None:
        """The size of the incoming message in bytes, with its header; None: not known yet."""
        if len(self._data) < _HEADER.size:
            return None
        magic, size, _ = _HEADER.unpack_from(self._data)
        if magic != _MAGIC:
            raise _senseless()
        return int(size) + _HEADER.size


def _gone(exc: OSError) -> SwayError:
    return SwayError(f"sway is gone: {type(exc).__name__}")


def _senseless() -> SwayError:
    return SwayError("sway sends what it should not")
