"""Where the control socket is and how one line of JSON goes over it; the lock of the running instance."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import socket
import stat
import struct
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handy_qwen.errors import ControlError
from handy_qwen.files import try_lock
from handy_qwen.message import Message, verbatim
from handy_qwen.paths import make_private

SOCKET_FILE = "control.sock"
PORT_FILE = "control.json"
LOCK_FILE = "instance.lock"
BACKLOG = 128  # callers beyond it are turned away by the system
MAX_PATH_BYTES = 100  # the system's own limit is 104 (macOS) or 108 (Linux)
PROTOCOL = 1
MAX_REQUEST_BYTES = 4096
MAX_ANSWER_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The meeting point of server and client. ``folder`` is the program's runtime folder."""

    folder: Path
    is_unix: bool = sys.platform != "win32"

    @property
    def path(self) -> Path:
        """The socket, or the file with port and secret.

        Where the folder's name is too long for a socket's address, a folder beside the system's temporary
        files takes its place.
        """
        if not self.is_unix:
            return self.folder / PORT_FILE
        path = self.folder / SOCKET_FILE
        if len(os.fsencode(path)) <= MAX_PATH_BYTES:
            return path
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"handy-qwen-{digest}" / SOCKET_FILE

    def listen(self) -> tuple[socket.socket, str]:
        """Open the server's socket, replacing what a crashed instance left. Call it with the lock held.

        Returns:
            The socket, and the secret that callers must show; "" if none is needed.

        Raises:
            ControlError: The folder is somebody else's, or there is no room for the socket.
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
        self.path.chmod(0o600)  # nobody could enter its folder before
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
        """Reach the server. Returns the connection and the secret to show.

        Raises:
            OSError: Nobody listens.
            ValueError: The file with the port is damaged.
        """
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
    """The right to be the running program, one for each runtime folder.

    The system gives the lock back when its holder dies, however that happens, so nothing stale is left to
    detect. Of two started at once exactly one gets it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_FILE
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock, at once. False: another process holds it.

        Raises:
            ControlError: The folder cannot be written, or is somebody else's.
        """
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
    """Create ``folder`` for this user alone, or see that it is.

    Raises:
        ControlError: It is somebody else's, or a link; it was not touched.
        OSError: It cannot be created.
    """
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
    """Whether the caller is the user this program runs as; assumed where the system cannot tell."""
    if sys.platform != "linux" or connection.family != socket.AF_UNIX:
        return True
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(uid == os.geteuid())


def send_line(connection: socket.socket, message: dict[str, Any]) -> None:
    """Write ``message`` as one line.

    Raises:
        OSError: The other side is gone or too slow.
    """
    connection.sendall(json.dumps(message).encode() + b"\n")


def receive_line(connection: socket.socket, max_bytes: int, timeout_s: float) -> dict[str, Any]:
    """Read one line.

    Raises:
        OSError: It did not come in time, or the other side is gone.
        ValueError: It is too long, or no JSON object.
    """
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
    """Have the running program carry out ``command`` and return its answer.

    Raises:
        ControlError: It is not running, does not answer, or refuses.
    """
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
