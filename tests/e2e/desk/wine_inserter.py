"""The program's own inserter in a Windows process, obeying a test. Run by Windows Python.

Reads JSON lines, ``{"text": TEXT, "method": METHOD, "erased": TEXT}``, and answers each with
``{"how": DELIVERY, "rest": TEXT, "has_erased": IS_SO}`` or ``{"failed": REASON}``.
"""

import json
import queue
import sys
import threading

from handy_qwen.core.events import Delivered, Event
from handy_qwen.core.types import Method, Submit
from handy_qwen.system.insert.inserter import DesktopInserter
from handy_qwen.system.insert.windows import Windows
from handy_qwen.system.session import Kind, Session

ANSWER_S = 120.0


def main() -> None:
    events: queue.Queue[Event] = queue.Queue()
    stopping = threading.Event()
    backend = Windows(Session(Kind.WINDOWS), stopping.wait)
    inserter = DesktopInserter(events.put, backend, stopping=stopping)
    answer: dict[str, object]
    print(json.dumps({"how": "ready"}), flush=True)  # noqa: T201 (this is the protocol)
    for number, line in enumerate(sys.stdin, 1):
        asked = json.loads(line)
        inserter.insert(
            number,
            asked["text"],
            target=None,
            method=Method(asked["method"]),
            submit=Submit.OFF,
            erased=asked["erased"],
        )
        event = events.get(timeout=ANSWER_S)
        if isinstance(event, Delivered):
            answer = {"how": event.how.name, "rest": event.rest, "has_erased": event.has_erased}
        else:
            answer = {"failed": type(event).__name__}
        print(json.dumps(answer), flush=True)  # noqa: T201
    inserter.close(20)


if __name__ == "__main__":
    main()
