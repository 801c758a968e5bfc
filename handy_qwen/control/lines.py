"""One line of JSON over a socket, with limits on its length and on the time it may take."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

PROTOCOL = 1
MAX_REQUEST_BYTES = 4096
MAX_ANSWER_BYTES = 4_000_000


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
