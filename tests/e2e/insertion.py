"""An inserter at work on the virtual desktop, and what tests ask of it."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from handy_qwen.core.events import Delivered, Delivery, Event
from handy_qwen.core.types import Method, Submit, Target
from handy_qwen.system.insert.inserter import DesktopInserter
from handy_qwen.system.insert.x11 import X11
from handy_qwen.system.session import Kind, Session
from tests.e2e.desk import Desktop, GtkTarget, QtTarget, XtermTarget

every_window = pytest.mark.parametrize("window", [QtTarget, GtkTarget, XtermTarget], indirect=True)


class Insertion:
    """The real inserter with the events it posts."""

    def __init__(self, desktop: Desktop, release_wait_s: float) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        stopping = threading.Event()
        self.meanwhile: Callable[[], object] = lambda: None

        def pause(wait_s: float) -> bool:
            self.meanwhile()
            return stopping.wait(wait_s)

        class Backend(X11):
            RELEASE_WAIT_S = release_wait_s
            FETCH_WAIT_S = 30.0  # a window on a busy machine

        self.backend = Backend(Session(Kind.X11, display=desktop.display), pause)
        self.inserter = DesktopInserter(self.events.put, self.backend, stopping=stopping)

    def begin(
        self,
        text: str,
        method: Method,
        *,
        target: Target | None = None,
        submit: Submit = Submit.OFF,
        erased: str = "",
        may_erase: Callable[[], bool] = lambda: True,
    ) -> None:
        """Ask for an insertion and go on."""
        self.inserter.insert(
            1, text, target=target, method=method, submit=submit, erased=erased, may_erase=may_erase
        )

    def result(self) -> Delivered:
        """What became of it."""
        event = self.events.get(timeout=60)
        assert isinstance(event, Delivered), event
        return event

    def at_pause(self, number: int, action: Callable[[], object]) -> None:
        """Do ``action`` on the inserter's thread at the so-manieth pause from now: between two pieces."""
        left = number

        def count() -> None:
            nonlocal left
            left -= 1
            if not left:
                action()

        self.meanwhile = count

    def insert(
        self, text: str, method: Method, *, target: Target | None = None, submit: Submit = Submit.OFF
    ) -> Delivery:
        """Insert ``text`` and wait for the answer."""
        self.begin(text, method, target=target, submit=submit)
        return self.result().how


@contextlib.contextmanager
def insertion_on(desktop: Desktop, *, release_wait_s: float = 1.0) -> Iterator[Insertion]:
    """An inserter that ends with the block."""
    before = set(threading.enumerate())
    insertion = Insertion(desktop, release_wait_s)
    try:
        yield insertion
    finally:
        insertion.inserter.close(20)
        left = {thread.name for thread in set(threading.enumerate()) - before}
        assert not left & {"insert", "clipboard"}
