"""The control socket between the command line and the running program; the lock for a single instance.

One line of JSON each way, on Linux and macOS over a Unix domain socket, itself 0600, in a folder that only
its owner can enter; on Linux the kernel also identifies the caller. Python has no such socket on Windows:
there it is a port of the loopback device, and a caller must show a secret from a file that only the user can
read.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import logging
import os
import secrets
import select
import socket
import stat
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handy_qwen.errors import ControlError, HandyError
from handy_qwen.files import try_lock
from handy_qwen.message import Message, verbatim
from handy_qwen.paths import make_private, runtime_dir
from handy_qwen.runtime.worker import WatchedThread

SOCKET_FILE = "control.sock"
PORT_FILE = "control.json"
LOCK_FILE = "instance.lock"
BACKLOG = 128  # the system rejects further callers
MAX_PATH_BYTES = 100  # the system's own limit is 104 (macOS) or 108 (Linux)
PROTOCOL = 1
MAX_REQUEST_BYTES = 4096
MAX_ANSWER_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of the server. ``folder`` is the program's runtime folder."""

    folder: Path
    is_unix: bool = sys.platform != "win32"

    @property
    def path(self) -> Path:
        """The socket, or the file with port and secret; a socket's path is limited in length."""
        if not self.is_unix:
            return self.folder / PORT_FILE
        path = self.folder / SOCKET_FILE
        if len(os.fsencode(path)) <= MAX_PATH_BYTES:
            return path
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"handy-qwen-{digest}" / SOCKET_FILE

    def listen(self) -> tuple[socket.socket, str]:
        """Open the server's socket, replacing one left by a crash. Call it with the lock held.

        Returns the socket, and the secret that callers must show ("": none). Raises ControlError.
        """
        try:
            claim(self.path.parent)
            self.path.unlink(missing_ok=True)
            return self._listen_unix() if self.is_unix else self._listen_tcp()
        except OSError as exc:
            raise ControlError(
                Message("Can't open the control socket."), Message("Check {folder}.", folder=self.path.parent)
            ) from exc

    def _listen_unix(self) -> tuple[socket.socket, str]:
        if sys.platform == "win32":
            raise OSError(errno.EAFNOSUPPORT, "Windows has no Unix sockets")
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(str(self.path))
        self.path.chmod(0o600)  # before that, nobody could enter its folder
        server.listen(BACKLOG)
        return server, ""

    def _listen_tcp(self) -> tuple[socket.socket, str]:
        server = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        secret = secrets.token_hex(32)
        temporary = self.path.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"port": server.getsockname()[1], "secret": secret}, file)
        temporary.replace(self.path)
        return server, secret

    def connect(self, timeout_s: float) -> tuple[socket.socket, str]:
        """The connection and the secret to show. Raises OSError: no server; ValueError: no such file."""
        if not self.is_unix:
            meeting = json.loads(self.path.read_text(encoding="utf-8"))
            if not isinstance(meeting, dict) or {"port", "secret"} - set(meeting):
                raise ValueError("no port and secret")
            address = "127.0.0.1", int(meeting["port"])
            return socket.create_connection(address, timeout_s), str(meeting["secret"])
        if sys.platform == "win32":
            raise OSError(errno.EAFNOSUPPORT, "Windows has no Unix sockets")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(self.path))
            if not is_own_user(connection):
                raise PermissionError("the socket is somebody else's")
        except OSError:
            connection.close()
            raise
        return connection, ""


class InstanceLock:
    """The right to be the running program, once per runtime folder. Of two started at once one gets it.

    The system releases the lock when its holder dies in any way: there are no stale locks to detect.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_FILE
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock, at once. False: another has it. Raises ControlError: the folder is not ours."""
        try:
            claim(self._path.parent)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            problem = Message("Can't write to the folder {folder}.", folder=self._path.parent)
            raise ControlError(problem, Message("Check its owner and permissions.")) from exc
        if not try_lock(handle):
            os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Let another instance start. Safe to call twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def claim(folder: Path) -> None:
    """Create ``folder`` for this user only. Raises ControlError: another's, or a link; OSError."""
    if sys.platform != "win32":
        with suppress(FileExistsError):
            folder.mkdir(parents=True, mode=0o700)
        status = folder.lstat()
        if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
            raise ControlError(
                Message("The folder {folder} belongs to another user.", folder=folder), Message("Remove it.")
            )
    make_private(folder)


def is_own_user(connection: socket.socket) -> bool:
    """Whether the caller is the same user; True where the system cannot tell."""
    if sys.platform != "linux" or connection.family != socket.AF_UNIX:
        return True
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(uid == os.geteuid())


def send_line(connection: socket.socket, message: dict[str, Any]) -> None:
    """Write ``message`` as one line. Raises OSError: the other side is gone or too slow."""
    connection.sendall(json.dumps(message).encode() + b"\n")


def receive_line(connection: socket.socket, max_bytes: int, timeout_s: float) -> dict[str, Any]:
    """Read one line. Raises OSError: it did not come in time; ValueError: too long, or no JSON object."""
    end_s = time.monotonic() + timeout_s
    data = b""
    while not data.endswith(b"\n"):
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the line came too slowly")
        connection.settimeout(left_s)
        chunk = connection.recv(min(65_536, max_bytes + 1 - len(data)))
        data += chunk
        if len(data) > max_bytes:
            raise ValueError("the line is too long")
        if not chunk:
            break
    try:
        message = json.loads(data)
    except RecursionError as exc:
        raise ValueError("the line is nested too deeply") from exc
    if not isinstance(message, dict):
        raise ValueError("the line holds no object")  # noqa: TRY004  one kind of error for what may come in
    return message


def ask(endpoint: Endpoint, command: str, timeout_s: float = 3.0) -> dict[str, Any]:
    """The running program's answer to ``command``. Raises ControlError: no answer, or refused."""
    try:
        connection, secret = endpoint.connect(timeout_s)
    except (OSError, ValueError) as exc:
        raise ControlError(
            Message("Handy Qwen is not running."), Message("Start it with: handy-qwen")
        ) from exc
    with connection:
        try:
            send_line(connection, {"protocol": PROTOCOL, "command": command, "secret": secret})
            answer = receive_line(connection, MAX_ANSWER_BYTES, timeout_s)
        except (OSError, ValueError) as exc:
            raise ControlError(
                Message("Handy Qwen isn't responding."), Message("Quit and restart it.")
            ) from exc
    if answer.get("ok") is not True:
        error = verbatim(str(answer.get("error", ""))) or Message("The running app refused.")
        raise ControlError(error, verbatim(str(answer.get("hint", ""))))
    return answer


def ask_app(command: str, timeout_s: float = 3.0) -> dict[str, Any]:
    """``ask`` the running program of this user."""
    return ask(Endpoint(runtime_dir()), command, timeout_s)


# --- the running program's side ----------------------------------------------------------------------

logger = logging.getLogger(__name__)

Answer = Callable[[str], dict[str, Any]]
"""Executes a command and returns the answer. Called on thread ``control``.

A HandyError is sent to the caller.
"""
SILENT_S = 2.0  # for a caller's first bytes; others are served meanwhile
TIMEOUT_S = 0.25  # for the rest of a request, which comes in one piece from our own command line
ANSWER_S = 2.0  # for reading an answer that exceeds the system's buffer
MOST_CALLERS = 100
REST_S = 0.5  # after a call that could not be accepted, which remains pending


class ControlServer:
    """Listens until ``close``. Callers are served as they send, on the thread ``control``."""

    def __init__(self, endpoint: Endpoint, answer: Answer) -> None:
        self._endpoint = endpoint
        self._answer = answer
        self._socket: socket.socket | None = None
        self._secret = ""
        self._wakened, self._waker = socket.socketpair()
        self.thread = WatchedThread("control", self._loop)

    def start(self) -> None:
        """Start listening. Raises ControlError: the socket cannot be opened."""
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
        callers: dict[socket.socket, float] = {}  # callers that have sent nothing yet, and their deadlines
        try:
            while not self.thread.is_ending():
                self._turn(self._socket, callers)
        finally:
            for connection in callers:
                connection.close()

    def _turn(self, server: socket.socket, callers: dict[socket.socket, float]) -> None:
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
        except OSError as exc:  # the caller is gone, or no more files can be opened
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
        except Exception:  # top level of this thread
            logger.exception("control: a command failed")
            return _refusal("Something went wrong.", "See the log for details.")


def _refusal(error: str, hint: str = "") -> dict[str, Any]:
    return {"protocol": PROTOCOL, "ok": False, "error": error, "hint": hint}
