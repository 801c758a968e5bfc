"""A Windows of our own: a keyboard, a clipboard, and a window that pastes."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from handy_qwen.errors import InsertError
from handy_qwen.system.insert import windows
from handy_qwen.system.insert.win32 import (
    KEYUP,
    WM_APP,
    WM_RENDERALLFORMATS,
    WM_RENDERFORMAT,
    KeyEvent,
    NotMemory,
    Win32,
)
from handy_qwen.system.insert.windows import GET_SELECTION
from handy_qwen.system.insert.windows_clipboard import CF_UNICODETEXT, CONCEAL, encoded

TARGET, TARGET_PROCESS, MANAGER = 100, 10, 200
OURS, CONTROL = 300, 101
HTML, FILES = 0xC0A0, 15
BITMAP, METAFILE, DIB, DIBV5, EMF = 2, 3, 8, 17, 14


@dataclass
class Field:
    """A field of the target: ``text`` as Windows tells it, ``start`` and ``end`` of what is marked."""

    kind: str
    text: str
    start: int
    end: int
    style: int = 0
    answers: bool = True


class FakeWindows(Win32):
    """A clipboard, a keyboard and a message loop. The target pastes when the chord says so."""

    def __init__(self) -> None:
        self.sent: list[KeyEvent] = []
        self.held: set[int] = set()
        self.locked: set[int] = set()
        self.refuses = self.filters = False
        self.room: int | None = None
        self.on_send: Callable[[], object] = lambda: None
        self.number = 1
        self.hung: set[int] = set()
        self.asked: list[int] = []
        self.unreadable: set[int] = set()
        self.elevated: set[int] = set()
        self.front, self.kinds = TARGET, {TARGET: "Notepad"}
        self.content: dict[int, Any] = {
            CF_UNICODETEXT: encoded("old"),
            HTML: b"<b>old</b>",
            FILES: b"C:\\a",
        }
        self.owner_window, self.opener = 900, 0
        self.names: dict[str, int] = {}
        self.messages: list[tuple[float, Callable[[], object]]] = []
        self.waking = threading.Condition()
        self.pasted: list[str] = []
        self.manager_reads, self.pastes = False, True
        self.field: Field | None = None  # the target draws its own
        self.reads_by_manager = 0

    # keyboard
    def send(self, events: Sequence[KeyEvent]) -> int:
        self.on_send()
        if self.refuses:
            return 0
        if self.room is not None:
            events = events[: self.room]
            self.room -= len(events)
        self.sent += events
        downs = [e.key for e in events if not e.flags & KEYUP]
        if downs in ([windows.VK_LCONTROL, windows.VK_V], [windows.VK_LSHIFT, windows.VK_INSERT]):
            self._chord()
        for event in events:
            if event.flags & KEYUP:
                self.held -= {event.key} - self.locked
        return len(events)

    def _chord(self):
        if self.manager_reads:
            self.post(lambda: self._read(MANAGER))
        if self.pastes:
            self.post(lambda: self._read(TARGET), after_s=0.15)

    def _read(self, window):
        """Another program fetches the text."""
        self.opener = window
        if self.content.get(CF_UNICODETEXT) is None:
            self.on_message(WM_RENDERFORMAT, CF_UNICODETEXT)
        text = self.content[CF_UNICODETEXT].decode("utf-16-le").removesuffix("\0").replace("\r\n", "\n")
        self.opener = 0
        if window == TARGET:
            self.pasted.append(text)
        else:
            self.reads_by_manager += 1

    def is_down(self, key: int) -> bool:
        return key in self.held

    def filters_keys(self) -> bool:
        return self.filters

    def foreground(self) -> int:
        return self.front

    def window_class(self, window: int) -> str:
        return self.kinds[window]

    def process(self, window: int) -> int:
        return {TARGET: TARGET_PROCESS, MANAGER: 20, OURS: 30}.get(window, 0)

    def integrity(self, process: int) -> int:
        return 0x3000 if process in self.elevated else 0x2000

    def executable(self, process: int) -> str:
        return {TARGET_PROCESS: "notepad.exe"}[process]

    # the field with the focus
    def focused_control(self, window: int) -> int:
        assert window == TARGET
        return CONTROL

    def control_class(self, _control: int) -> str:
        return self.field.kind if self.field else "Custom"

    def style(self, _control: int) -> int:
        assert self.field is not None
        return self.field.style

    def ask(self, control: int, message: int, number: int = 0, room: object = None) -> int | None:
        assert self.field is not None
        assert (control, message, number, room) == (CONTROL, GET_SELECTION, 0, None)
        is_far = self.field.end > 0xFFFF
        return (
            (0xFFFFFFFF if is_far else self.field.end << 16 | self.field.start)
            if self.field.answers
            else None
        )

    def control_text(self, _control: int, units: int) -> str | None:
        assert self.field is not None
        raw = self.field.text.encode("utf-16-le")[: 2 * units]
        return raw.decode("utf-16-le", "surrogatepass")

    # messages
    def post(self, message, after_s=0.0):
        with self.waking:
            self.messages.append((time.monotonic() + after_s, message))
            self.waking.notify()

    def run_window(self, on_ready: Callable[[int], None], on_message: Callable[[int, int], None]) -> None:
        self.on_message, self.is_running = on_message, True
        on_ready(OURS)
        while self.is_running:
            with self.waking:
                now = time.monotonic()
                due = next((m for m in self.messages if m[0] <= now), None)
                if due is None:
                    self.waking.wait(0.01)
                    continue
                self.messages.remove(due)
            due[1]()
        on_message(WM_RENDERALLFORMATS, 0)

    def wake(self, window: int) -> None:
        assert window == OURS
        self.post(lambda: self.on_message(WM_APP, 0))

    def quit(self) -> None:
        self.is_running = False

    # clipboard
    def open_clipboard(self, window: int) -> bool:
        if self.opener:
            return False
        self.opener = window
        return True

    def close_clipboard(self) -> None:
        assert self.opener == OURS
        self.opener = 0

    def empty_clipboard(self) -> None:
        assert self.opener == OURS
        self.content = {}
        self.owner_window = OURS
        self.number += 1

    def formats(self) -> list[int]:
        assert self.opener == OURS
        return list(self.content)

    def sequence(self) -> int:
        return self.number

    def is_hung(self, window: int) -> bool:
        return window in self.hung

    def get(self, format_id: int) -> bytes | None:
        self.asked.append(format_id)
        if format_id in self.unreadable:
            raise NotMemory
        data = self.content[format_id]
        if callable(data):  # promised by its owner, and made now
            self.number += 1
            data = self.content[format_id] = data()
        assert data is None or isinstance(data, bytes)
        return data

    def set(self, format_id: int, data: bytes | None) -> bool:
        assert self.opener, "somebody has it open: we, or the one who asks"
        self.content[format_id] = data
        self.number += 1
        return True

    def copies(self, content):
        """The user copies something in another program."""
        self.content, self.owner_window = content, 901
        self.number += 1

    def register(self, name: str) -> int:
        return self.names.setdefault(name, 0xC100 + len(self.names))

    def reader(self) -> int:
        return self.opener

    def owner(self) -> int:
        return self.owner_window

    def copies_text(self, text):
        self.copies({CF_UNICODETEXT: encoded(text)})

    def text(self):
        """The text on the clipboard; None if it is only promised."""
        data = self.content.get(CF_UNICODETEXT)
        return None if data is None else data.decode("utf-16-le").removesuffix("\0")

    def loses_focus(self):
        self.front = 0

    def is_private(self):
        return {self.names.get(name) for name in CONCEAL} <= set(self.content)


def rest(backend):
    """What the inserter does until nothing is due."""
    while (wait_s := backend.rest(is_idle=True)) is not None:
        threading.Event().wait(wait_s)


def reason_of(call, *arguments):
    """Why ``call`` fails."""
    with pytest.raises(InsertError) as caught:
        call(*arguments)
    return caught.value.reason
