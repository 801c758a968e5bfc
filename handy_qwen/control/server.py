"""The running program's side of the control socket."""

from __future__ import annotations

import hmac
import logging
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from handy_qwen.control.endpoint import (
    MAX_REQUEST_BYTES,
    PROTOCOL,
    Endpoint,
    is_own_user,
    receive_line,
    send_line,
)
from handy_qwen.errors import HandyError
from handy_qwen.runtime.worker import WatchedThread

logger = logging.getLogger(__name__)

Answer = Callable[[str], dict[str, Any]]
"""Does what a command says and returns what the caller wants to know. Called on thread ``control``.

A HandyError becomes the caller's error.
"""
SILENT_S = 2.0  # before a caller says anything; others are served meanwhile
TIMEOUT_S = 0.25  # for the rest of a request, which comes in one piece from our own command line
ANSWER_S = 2.0  # to take an answer that is larger than what the system holds
MOST_CALLERS = 100
REST_S = 0.5  # after a call that could not be taken: it goes on knocking


class ControlServer:
    """Listens until ``close``. Callers are served as they speak, on the thread ``control``."""

    def __init__(self, endpoint: Endpoint, answer: Answer) -> None:
        self._endpoint = endpoint
        self._answer = answer
        self._socket: socket.socket | None = None
        self._secret = ""
        self._wakened, self._waker = socket.socketpair()
        self.thread = WatchedThread("control", self._loop)

    def start(self) -> None:
        """Begin to listen.

        Raises:
            ControlError: The socket cannot be opened.
        """
        self._socket, self._secret = self._endpoint.listen()
        self.thread.start()

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop listening and remove the socket. Safe to call twice."""
        if self.thread.is_ending():
            return
        if self._socket is None:
            self._waker.close()
            self._wakened.close()
            return
        self.thread.may_end()
        self._waker.send(b"x")
        self.thread.join(timeout_s)
        for one in (self._socket, self._waker, self._wakened):
            one.close()
        self._endpoint.path.unlink(missing_ok=True)

    def _loop(self) -> None:
        assert self._socket is not None, "started"
        callers: dict[socket.socket, float] = {}  # who has not spoken yet, and until when they may wait
        try:
            while not self.thread.is_ending():
                self._turn(self._socket, callers)
        finally:
            for connection in callers:
                connection.close()

    def _turn(self, server: socket.socket, callers: dict[socket.socket, float]) -> None:
        """Wait until something happens, and deal with it."""
        doors = [server] if len(callers) < MOST_CALLERS else []
        pause_s = max(0.0, min(callers.values()) - time.monotonic()) if callers else None
        ready, _, _ = select.select([*doors, self._wakened, *callers], [], [], pause_s)
        if self.thread.is_ending():
            return
        self.thread.begin(is_own=not ready)
        if server in ready:
            self._admit(server, callers)
        now_s = time.monotonic()
        for connection, until_s in list(callers.items()):
            if connection in ready or now_s >= until_s:
                del callers[connection]
                with connection:
                    if connection in ready:
                        self._serve(connection)
        self.thread.end()

    def _admit(self, server: socket.socket, callers: dict[socket.socket, float]) -> None:
        try:
            connection, _ = server.accept()
        except OSError as exc:  # the caller has gone again, or no more files can be opened
            logger.info("control: a call was not taken: %s", type(exc).__name__)
            select.select([self._wakened], [], [], REST_S)
            return
        if is_own_user(connection):
            callers[connection] = time.monotonic() + SILENT_S
        else:
            logger.warning("control: a call by another user was refused")
            connection.close()

    def _serve(self, connection: socket.socket) -> None:
        try:
            request = receive_line(connection, MAX_REQUEST_BYTES, TIMEOUT_S)
            answer = self._reply(request)
        except OSError as exc:
            logger.info("control: a caller went away: %s", type(exc).__name__)
            return
        except ValueError as exc:
            answer = _refusal("Unknown request.", type(exc).__name__)
        try:
            connection.settimeout(ANSWER_S)
            send_line(connection, answer)
        except OSError as exc:
            logger.info("control: a caller did not wait for the answer: %s", type(exc).__name__)

    def _reply(self, request: dict[str, Any]) -> dict[str, Any]:
        secret = str(request.get("secret", ""))
        if self._secret and not hmac.compare_digest(secret.encode(), self._secret.encode()):
            return _refusal("This caller isn't allowed.")
        command = request.get("command")
        if request.get("protocol") != PROTOCOL or not isinstance(command, str):
            return _refusal("The running app is a different version.", "Quit and restart it.")
        try:
            return {"protocol": PROTOCOL, "ok": True, **self._answer(command)}
        except HandyError as exc:
            return _refusal(exc.title, exc.hint)
        except Exception:  # the top of this thread
            logger.exception("control: a command failed")
            return _refusal("Something went wrong.", "See the log for details.")


def _refusal(error: str, hint: str = "") -> dict[str, Any]:
    return {"protocol": PROTOCOL, "ok": False, "error": error, "hint": hint}
