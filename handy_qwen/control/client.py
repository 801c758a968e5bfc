"""The command line's side of the control socket."""

from __future__ import annotations

from typing import Any

from handy_qwen.control.endpoint import Endpoint
from handy_qwen.control.lines import MAX_ANSWER_BYTES, PROTOCOL, receive_line, send_line
from handy_qwen.errors import ControlError


def ask(endpoint: Endpoint, command: str, timeout_s: float = 3.0) -> dict[str, Any]:
    """Have the running program carry out ``command`` and return its answer.

    Raises:
        ControlError: It is not running, does not answer, or refuses.
    """
    try:
        connection, secret = endpoint.connect(timeout_s)
    except (OSError, ValueError) as exc:
        raise ControlError("Handy Qwen is not running.", "Start it with: handy-qwen") from exc
    with connection:
        try:
            send_line(connection, {"protocol": PROTOCOL, "command": command, "secret": secret})
            answer = receive_line(connection, MAX_ANSWER_BYTES, timeout_s)
        except (OSError, ValueError) as exc:
            raise ControlError("Handy Qwen does not answer.", "Quit it and start it again.") from exc
    if answer.get("ok") is not True:
        raise ControlError(
            str(answer.get("error", "The running program refused.")), str(answer.get("hint", ""))
        )
    return answer
