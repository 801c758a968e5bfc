"""The parts of macOS that the insertion needs, as a Protocol and through PyObjC.

Not run on macOS: written from Apple's documentation (Quartz Event Services, NSPasteboard). Importable
on any system; the frameworks are loaded when ``Quartz`` is made.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from handy_qwen.core.types import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.backend import (
    KEEP_BYTES,
    Deadline,
    DelayedRestore,
    Injection,
    Inserted,
    chunks,
    clipboard_in_use,
    no_focus,
)

SHIFT, CONTROL, OPTION, COMMAND = 1 << 17, 1 << 18, 1 << 19, 1 << 20  # kCGEventFlagMask...
HELD_FLAGS = SHIFT | CONTROL | OPTION | COMMAND
MARK = 0x48515749  # kCGEventSourceUserData of our events, for event taps that see them

Item = Mapping[str, bytes]
"""One pasteboard item: bytes by type."""


class Api(Protocol):
    """What is asked of macOS."""

    def may_post(self) -> bool:
        """Whether the user has allowed us to press keys (Accessibility)."""

    def key(self, code: int, *, is_press: bool, flags: int, text: str) -> None:
        """Post a keyboard event with exactly these modifiers; ``text`` overrides the layout."""

    def held_flags(self) -> int:
        """The modifiers that are down on the hardware."""

    def frontmost(self) -> tuple[int, str]:
        """Process and name of the active application; (0, "") for none."""

    def change_count(self) -> int:
        """Grows whenever another program writes the pasteboard, or we do."""

    def kinds(self) -> list[list[str]]:
        """The types of each item on the pasteboard."""

    def data(self, item: int, kind: str) -> bytes | None:
        """The bytes of item ``item`` as ``kind``; slow if promised. None: its owner has none to hand over."""

    def write(self, items: Sequence[Item]) -> int:
        """Replace everything; returns the new change count."""

    def promise(self, text: str, marks: Sequence[str], on_fetch: Callable[[], None]) -> int:
        """Replace everything by a promise of ``text``; returns the new change count.

        ``on_fetch`` is called on the main thread when somebody asks for it.
        """


class Quartz:
    """The real thing. Implements ``Api``. The frameworks allow these calls on any thread."""

    def __init__(self) -> None:
        """Load the frameworks."""
        # By name: they exist on macOS only, and have no types.
        self._appkit: Any = importlib.import_module("AppKit")
        self._quartz: Any = importlib.import_module("Quartz")
        # State of its own: what the user holds is not mixed into our events.
        self._source = self._quartz.CGEventSourceCreate(self._quartz.kCGEventSourceStatePrivate)
        self._quartz.CGEventSourceSetUserData(self._source, MARK)
        self._provider: Any = None
        self._provider_class: Any = None

    def may_post(self) -> bool:
        """CGPreflightPostEventAccess; asks the user once if it is not allowed."""
        if self._quartz.CGPreflightPostEventAccess():
            return True
        return bool(self._quartz.CGRequestPostEventAccess())

    def key(self, code: int, *, is_press: bool, flags: int, text: str) -> None:
        """CGEventPost."""
        event = self._quartz.CGEventCreateKeyboardEvent(self._source, code, is_press)
        self._quartz.CGEventSetFlags(event, flags)
        if text:
            units = len(text.encode("utf-16-le")) // 2
            self._quartz.CGEventKeyboardSetUnicodeString(event, units, text)
        self._quartz.CGEventPost(self._quartz.kCGHIDEventTap, event)

    def held_flags(self) -> int:
        """CGEventSourceFlagsState of the hardware."""
        state = self._quartz.CGEventSourceFlagsState(self._quartz.kCGEventSourceStateHIDSystemState)
        return int(state) & HELD_FLAGS

    def frontmost(self) -> tuple[int, str]:
        """NSWorkspace.frontmostApplication."""
        application = self._appkit.NSWorkspace.sharedWorkspace().frontmostApplication()
        if application is None:
            return 0, ""
        return int(application.processIdentifier()), str(application.bundleIdentifier() or "")

    def change_count(self) -> int:
        """NSPasteboard.changeCount."""
        return int(self._pasteboard().changeCount())

    def kinds(self) -> list[list[str]]:
        """NSPasteboard.pasteboardItems and their types."""
        return [[str(kind) for kind in item.types()] for item in self._pasteboard().pasteboardItems() or ()]

    def data(self, item: int, kind: str) -> bytes | None:
        """NSPasteboardItem.dataForType."""
        items = self._pasteboard().pasteboardItems() or ()
        value = items[item].dataForType_(kind) if item < len(items) else None
        return None if value is None else bytes(value)

    def write(self, items: Sequence[Item]) -> int:
        """NSPasteboard.writeObjects."""
        made = []
        for item in items:
            new = self._appkit.NSPasteboardItem.alloc().init()
            for kind, data in item.items():
                new.setData_forType_(self._appkit.NSData.dataWithBytes_length_(data, len(data)), kind)
            made.append(new)
        pasteboard = self._pasteboard()
        pasteboard.clearContents()
        if made:
            pasteboard.writeObjects_(made)
        return int(pasteboard.changeCount())

    def promise(self, text: str, marks: Sequence[str], on_fetch: Callable[[], None]) -> int:
        """NSPasteboardItem with a data provider."""
        self._provider = self._make_provider(text, on_fetch)  # the pasteboard does not keep it alive
        item = self._appkit.NSPasteboardItem.alloc().init()
        item.setDataProvider_forTypes_(self._provider, [self._appkit.NSPasteboardTypeString])
        for mark in marks:
            item.setData_forType_(self._appkit.NSData.data(), mark)
        pasteboard = self._pasteboard()
        pasteboard.clearContents()
        pasteboard.writeObjects_([item])
        return int(pasteboard.changeCount())

    def _pasteboard(self) -> Any:  # noqa: ANN401 (PyObjC is untyped)
        return self._appkit.NSPasteboard.generalPasteboard()

    def _make_provider(self, text: str, on_fetch: Callable[[], None]) -> Any:  # noqa: ANN401 (as above)
        if self._provider_class is None:
            base: Any = self._appkit.NSObject

            def provide(self: Any, _pasteboard: Any, item: Any, kind: Any) -> None:  # noqa: ANN401 (as above)
                item.setString_forType_(self.text, kind)
                self.on_fetch()

            # Objective-C finds a method by its selector; a class can be made only once in a process.
            body = {"pasteboard_item_provideDataForType_": provide}
            self._provider_class = type("HandyQwenProvider", (base,), body)
        provider = self._provider_class.alloc().init()
        provider.text, provider.on_fetch = text, on_fetch
        return provider


KEY_V, KEY_RETURN, KEY_TAB = 9, 36, 48  # kVK_ANSI_V, kVK_Return, kVK_Tab: places, not characters
CHORDS = {
    Submit.ENTER: (KEY_RETURN, 0),
    Submit.CTRL_ENTER: (KEY_RETURN, CONTROL),
    Submit.SUPER_ENTER: (KEY_RETURN, COMMAND),
}
KEYS = {"\n": KEY_RETURN, "\t": KEY_TAB}
TEXT_TYPE = "public.utf8-plain-text"
MARKS = ("org.nspasteboard.ConcealedType", "org.nspasteboard.TransientType")
UNITS = 20

RELEASE_WAIT_S, POLL_S = 1.0, 0.01
FETCH_WAIT_S = 4.0
GRACE_S = 0.6
CHUNK_PAUSE_S = 0.004
SUBMIT_PAUSE_S = 0.06
NOT_ALLOWED = "Allow it in System Settings, Privacy & Security, Accessibility."

Pause = Callable[[float], object]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was on the pasteboard at a change count."""

    count: int
    items: list[Item] = field(repr=False)


class MacOS:
    """Implements ``Backend`` on macOS."""

    def __init__(self, pause: Pause, api: Api | None = None) -> None:
        """Load the frameworks.

        Args:
            pause: Waits for so many seconds, or until the program ends.
            api: A stand-in for macOS, in tests.
        """
        self._api: Api = api or Quartz()
        self._pause = pause
        self._injection = Injection()
        self._taken: _Kept | None = None  # what is there now, taken in advance
        self._saved: list[Item] = []  # what comes back after the paste
        self._ours = -1  # the change count of what we wrote
        self._giving_back = DelayedRestore(self._restore)

    @property
    def clipboard_thread(self) -> None:
        """The pasteboard needs none."""
        return

    def focused(self) -> Target:
        """The active application: its process stands for the window."""
        process, name = self._api.frontmost()
        return Target(process, name)

    def prepare(self, is_awaited: Callable[[], bool]) -> None:
        """Take what is on the pasteboard."""
        self._take(Deadline(is_awaited))

    def type_text(self, text: str) -> Inserted:
        """Send ``text`` as strings.

        Raises:
            InsertError: Nothing was typed.
        """
        process = self._prepare()
        typed = 0
        with self._injection.under_way():
            for piece in chunks(text, _units, UNITS, alone=KEYS.__contains__):
                if self._api.frontmost()[0] != process:
                    if not typed:
                        raise no_focus()
                    return Inserted(typed, has_focus=False)
                code = KEYS.get(piece, 0)
                string = "" if code else piece
                self._api.key(code, is_press=True, flags=0, text=string)
                self._api.key(code, is_press=False, flags=0, text=string)
                self._pause(CHUNK_PAUSE_S)
                if self._api.frontmost()[0] != process:  # which of the two got this piece?
                    return Inserted(typed or None, has_focus=False)
                typed += len(piece)
        return Inserted(typed)

    def paste_text(self, text: str) -> Inserted:
        """Promise ``text``, press Cmd+V, wait until it is fetched.

        Raises:
            InsertError: Nothing was sent.
        """
        process = self._prepare()
        kept = self._take(Deadline())
        if self._api.frontmost()[0] != process:
            raise no_focus()
        if kept is not None:
            self._saved, self._taken = kept.items, None
        self._giving_back.forget()
        fetched = threading.Event()
        self._ours = self._api.promise(text, MARKS, fetched.set)
        with self._injection.under_way():
            self._api.key(KEY_V, is_press=True, flags=COMMAND, text="v")
            self._api.key(KEY_V, is_press=False, flags=COMMAND, text="v")
        if not fetched.wait(FETCH_WAIT_S):
            return Inserted(None, may_copy=self._api.change_count() == self._ours)
        self._giving_back.after(GRACE_S)
        return Inserted(len(text))

    def copy(self, text: str) -> None:
        """Leave ``text`` on the pasteboard, marked as concealed."""
        self._giving_back.forget()
        self._api.write([{TEXT_TYPE: text.encode(), MARKS[0]: b""}])

    def submit(self, submit: Submit) -> None:
        """Press the key after the text.

        Raises:
            InsertError: We may not press keys.
        """
        if submit in CHORDS:
            self._pause(SUBMIT_PAUSE_S)
            self._prepare()
            code, flags = CHORDS[submit]
            with self._injection.under_way():
                self._api.key(code, is_press=True, flags=flags, text="")
                self._api.key(code, is_press=False, flags=flags, text="")

    def rest(self, is_idle: bool) -> float | None:
        """Put back what was on the pasteboard, a moment after it was fetched."""
        return self._giving_back.rest(is_idle)

    def was_injecting(self, at_s: float) -> bool:
        """Whether keys of ours were on their way; event taps may also look for MARK."""
        return self._injection.was_injecting(at_s)

    def close(self) -> None:
        """Put back what is due."""
        self._giving_back.now()

    def _take(self, patience: Deadline) -> _Kept | None:
        """What is on the pasteboard; None while a text of ours is there that waits for its end.

        Raises:
            InsertError: CLIPBOARD_IN_USE: it cannot be had, or not in time.
        """
        count = self._api.change_count()
        if self._giving_back.is_due and count == self._ours:
            return None
        if self._taken is None or self._taken.count != count:
            self._taken = None
            items: list[dict[str, bytes]] = []
            left = KEEP_BYTES
            for number, kinds in enumerate(self._api.kinds()):
                items.append({})
                for kind in kinds:
                    data = self._api.data(number, kind)
                    left -= len(data or b"")
                    if left < 0 or patience.left_s() <= 0:
                        raise clipboard_in_use()
                    if data is not None:
                        items[-1][kind] = data
            if self._api.change_count() != count:
                raise clipboard_in_use()  # copied this very moment: a part of each was taken
            self._taken = _Kept(count, [item for item in items if item])
        return self._taken

    def _restore(self) -> None:
        if self._api.change_count() == self._ours:
            self._api.write(self._saved)
        self._saved = []

    def _prepare(self) -> int:
        """Make sure that keys can be pressed, and wait for the user to let go of his.

        Our events carry their own modifiers, so keys held for longer do no harm and are not touched.

        Returns the process in front.
        """
        if not self._api.may_post():
            raise InsertError("macOS does not let us press keys.", InsertReason.DENIED_BY_USER, NOT_ALLOWED)
        process = self._api.frontmost()[0]
        if not process:
            raise no_focus()
        end = time.monotonic() + RELEASE_WAIT_S
        while self._api.held_flags() and time.monotonic() < end:
            self._pause(POLL_S)
        if self._api.frontmost()[0] != process:
            raise no_focus()
        return process


def _units(character: str) -> int:
    """How many UTF-16 code units ``character`` has."""
    return 2 if ord(character) > 0xFFFF else 1
