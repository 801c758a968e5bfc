"""The macOS back end: Quartz events and the pasteboard.

Typing sends strings with keyboard events (20 UTF-16 units each: more are silently cut off), independent of
the layout. Paste is Cmd+V: the key that is V on a US keyboard, with the string "v" in the event, since
programs look at either.

The pasteboard does not tell who fetches, only that somebody does; text marked as concealed and transient is
ignored by clipboard managers that follow nspasteboard.org. So the previous content is restored a moment after
the first fetch, and only if nobody has written meanwhile. It is saved in advance, since its owner may have to
produce it first, and stays valid until the change count grows.

While typing, we check between chunks that the same application is in front. Caps Lock, Sticky Keys and held
keys do not affect our events.

Threads: see ``Backend``. A promise is answered on the main thread, where Qt runs Cocoa's loop.
Not run on macOS; written from Apple's documentation (Quartz Event Services; NSPasteboard; nspasteboard.org)
and tested with fakes for AppKit and Quartz. Needs the Accessibility permission. Importable on any system.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from handy_qwen.core.permissions import Consent, Permission
from handy_qwen.core.types import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message
from handy_qwen.system.insert.backend import (
    KEEP_BYTES,
    Deadline,
    Inserted,
    MayRelease,
    Pause,
    always,
    chunks,
    clipboard_in_use,
    no_focus,
)
from handy_qwen.system.insert.clipboard import Clipboards
from handy_qwen.system.insert.pasting import Chord, PastingBackend
from handy_qwen.system.permissions import ALLOW_IT, consent
from handy_qwen.system.session import Session

SHIFT, CONTROL, OPTION, COMMAND = 1 << 17, 1 << 18, 1 << 19, 1 << 20  # kCGEventFlagMask...
HELD_FLAGS = SHIFT | CONTROL | OPTION | COMMAND
MARK = 0x48515749  # kCGEventSourceUserData of our events, for event taps
KEY_V, KEY_RETURN, KEY_TAB, KEY_DELETE = 9, 36, 48, 51  # kVK_ANSI_V, kVK_Return, ...: positions
KEYS = {"\n": KEY_RETURN, "\t": KEY_TAB}
TEXT_TYPE = "public.utf8-plain-text"
MARKS = ("org.nspasteboard.ConcealedType", "org.nspasteboard.TransientType")
UNITS = 20
CHUNK_PAUSE_S = 0.004

Item = Mapping[str, bytes]  # one pasteboard item: bytes by type


class Quartz:
    """The macOS functions for insertion, through PyObjC. The frameworks allow these calls on any thread."""

    def __init__(self) -> None:
        # By name: they exist on macOS only, and have no types.
        self._appkit: Any = importlib.import_module("AppKit")
        self._quartz: Any = importlib.import_module("Quartz")
        # Its own state: keys held by the user do not affect our events.
        self._source = self._quartz.CGEventSourceCreate(self._quartz.kCGEventSourceStatePrivate)
        self._quartz.CGEventSourceSetUserData(self._source, MARK)
        self._provider: Any = None
        self._provider_class: Any = None

    def key(self, code: int, *, is_press: bool, flags: int, text: str) -> None:
        """Post a keyboard event with exactly these modifiers; ``text`` overrides the layout."""
        event = self._quartz.CGEventCreateKeyboardEvent(self._source, code, is_press)
        self._quartz.CGEventSetFlags(event, flags)
        if text:
            units = len(text.encode("utf-16-le")) // 2
            self._quartz.CGEventKeyboardSetUnicodeString(event, units, text)
        self._quartz.CGEventPost(self._quartz.kCGHIDEventTap, event)

    def held_flags(self) -> int:
        """The modifiers that are down on the hardware."""
        state = self._quartz.CGEventSourceFlagsState(self._quartz.kCGEventSourceStateHIDSystemState)
        return int(state) & HELD_FLAGS

    def frontmost(self) -> tuple[int, str]:
        """Process and name of the active application; (0, "") for none."""
        application = self._appkit.NSWorkspace.sharedWorkspace().frontmostApplication()
        if application is None:
            return 0, ""
        return int(application.processIdentifier()), str(application.bundleIdentifier() or "")

    def change_count(self) -> int:
        """Grows whenever the pasteboard is written, by us or by another program."""
        return int(self._pasteboard().changeCount())

    def kinds(self) -> list[list[str]]:
        """The types of each item on the pasteboard."""
        return [[str(kind) for kind in item.types()] for item in self._pasteboard().pasteboardItems() or ()]

    def data(self, item: int, kind: str) -> bytes | None:
        """The bytes of item ``item`` as ``kind``; slow if promised. None: its owner does not deliver it."""
        items = self._pasteboard().pasteboardItems() or ()
        value = items[item].dataForType_(kind) if item < len(items) else None
        return None if value is None else bytes(value)

    def write(self, items: Sequence[Item]) -> int:
        """Replace everything; returns the new change count."""
        made = []
        for item in items:
            new = self._appkit.NSPasteboardItem.alloc().init()
            for kind, data in item.items():
                new.setData_forType_(self._appkit.NSData.dataWithBytes_length_(data, len(data)), kind)
            made.append(new)
        return self._replace(made)

    def promise(self, text: str, marks: Sequence[str], on_fetch: Callable[[], None]) -> int:
        """Replace all by a promise of ``text``; return the change count. ``on_fetch``: on the main thread."""
        self._provider = self._make_provider(text, on_fetch)  # the pasteboard does not keep it alive
        item = self._appkit.NSPasteboardItem.alloc().init()
        item.setDataProvider_forTypes_(self._provider, [self._appkit.NSPasteboardTypeString])
        for mark in marks:
            item.setData_forType_(self._appkit.NSData.data(), mark)
        return self._replace([item])

    def _replace(self, items: list[Any]) -> int:
        pasteboard = self._pasteboard()
        pasteboard.clearContents()
        if items:
            pasteboard.writeObjects_(items)
        return int(pasteboard.changeCount())

    def _pasteboard(self) -> Any:  # noqa: ANN401 (PyObjC is untyped)
        return self._appkit.NSPasteboard.generalPasteboard()

    def _make_provider(self, text: str, on_fetch: Callable[[], None]) -> Any:  # noqa: ANN401 (as above)
        if self._provider_class is None:
            base: Any = self._appkit.NSObject

            def provide(self: Any, _pasteboard: Any, item: Any, kind: Any) -> None:  # noqa: ANN401 (as above)
                item.setString_forType_(self.text, kind)
                self.on_fetch()

            # Objective-C finds a method by its selector; a class can be created only once per process.
            body = {"pasteboard_item_provideDataForType_": provide}
            self._provider_class = type("HandyQwenProvider", (base,), body)
        provider = self._provider_class.alloc().init()
        provider.text, provider.on_fetch = text, on_fetch
        return provider


@dataclass(frozen=True, slots=True)
class _Saved:
    """What was on the pasteboard at a change count."""

    count: int
    items: list[Item] = field(repr=False)


class Pasteboard(Clipboards[int]):
    """The pasteboard of macOS."""

    def __init__(self, api: Quartz) -> None:
        self._api = api
        self._taken: _Saved | None = None  # what is on the pasteboard now, saved in advance
        self._saved: list[Item] = []  # what comes back after the paste
        self._ours = -1  # the change count of what we wrote
        self._fetched = threading.Event()

    def save(self, deadline: Deadline, _focus: int | None, *, is_lent: bool) -> None:
        """See ``Clipboards``."""
        count = self._api.change_count()
        if is_lent and count == self._ours:
            return  # what was saved before the last paste comes back
        if self._taken is not None and self._taken.count == count:
            return
        self._taken = None
        items: list[dict[str, bytes]] = []
        left = KEEP_BYTES
        for number, kinds in enumerate(self._api.kinds()):
            items.append({})
            for kind in kinds:
                data = self._api.data(number, kind)
                left -= len(data or b"")
                if left < 0 or deadline.left_s() <= 0:
                    raise clipboard_in_use()
                if data is not None:
                    items[-1][kind] = data
        if self._api.change_count() != count:
            raise clipboard_in_use()  # copied this very moment: a part of each was saved
        self._taken = _Saved(count, [item for item in items if item])

    def offer(self, text: str, _focus: int) -> None:
        """See ``Clipboards``."""
        if self._taken is not None:
            self._saved, self._taken = self._taken.items, None
        self._fetched = threading.Event()
        self._ours = self._api.promise(text, MARKS, self._fetched.set)

    def is_fetched(self, wait_s: float) -> bool:
        """See ``Clipboards``."""
        return self._fetched.wait(wait_s)

    def is_ours(self) -> bool:
        """See ``Clipboards``."""
        return self._api.change_count() == self._ours

    def restore(self) -> None:
        """See ``Clipboards``."""
        if self.is_ours():
            self._api.write(self._saved)
        self._saved = []

    def keep(self, text: str) -> None:
        """See ``Clipboards``."""
        self._api.write([{TEXT_TYPE: text.encode(), MARKS[0]: b""}])


class MacOS(PastingBackend[int]):
    """The back end for macOS. The process of the active application stands for the window."""

    NAME, PASTE_LABEL = "Quartz", "Cmd+V"
    PASTE = (COMMAND, KEY_V)
    BACKSPACE = (KEY_DELETE,)
    SUBMIT: ClassVar = {
        Submit.ENTER: (KEY_RETURN,),
        Submit.CTRL_ENTER: (CONTROL, KEY_RETURN),
        Submit.SUPER_ENTER: (COMMAND, KEY_RETURN),
    }
    RESTORE_AFTER_S = 0.6
    SUBMIT_PAUSE_S = 0.06

    def __init__(self, session: Session, pause: Pause, may_release: MayRelease = always) -> None:
        super().__init__(session, pause, may_release)
        self._api = Quartz()
        self._clipboards = Pasteboard(self._api)

    @classmethod
    def require_permission(cls) -> None:
        """See ``Backend``. It is the guide that asks."""
        if consent(Permission.ACCESSIBILITY) is not Consent.GIVEN:
            title = Message("macOS won't let Handy Qwen press keys.")
            raise InsertError(title, InsertReason.DENIED_BY_USER, ALLOW_IT)

    def focused(self) -> Target:
        """See ``Backend``."""
        process, name = self._api.frontmost()
        return Target(process, name)

    def type_text(self, text: str) -> Inserted:
        """See ``Backend``."""
        process = self._await_focus()
        typed = 0
        with self._injection.under_way():
            for chunk in chunks(text, _units, UNITS, alone=KEYS.__contains__):
                if self._api.frontmost()[0] != process:
                    if not typed:
                        raise no_focus()
                    return Inserted(typed, has_focus=False)
                code = KEYS.get(chunk, 0)
                self._tap(code, text="" if code else chunk)
                self._pause(CHUNK_PAUSE_S)
                if self._api.frontmost()[0] != process:  # either may have got this chunk
                    return Inserted(typed or None, has_focus=False)
                typed += len(chunk)
        return Inserted(typed)

    def _tap(self, code: int, flags: int = 0, text: str = "") -> None:
        self._api.key(code, is_press=True, flags=flags, text=text)
        self._api.key(code, is_press=False, flags=flags, text=text)

    def _await_focus(self) -> int:
        """See ``PastingBackend``. Our events carry their own modifiers: keys held for longer do no harm."""
        self.require_permission()
        process = self._api.frontmost()[0]
        if not process:
            raise no_focus()
        self._await_release(self._api.held_flags)
        if self._api.frontmost()[0] != process:
            raise no_focus()
        return process

    def _press(self, chord: Chord, focus: int) -> None:
        if self._api.frontmost()[0] != focus:
            raise no_focus()
        with self._injection.under_way():
            self._tap(chord[-1], sum(chord[:-1]), "v" if chord[-1] == KEY_V else "")


def _units(character: str) -> int:
    """The number of UTF-16 code units of ``character``."""
    return 2 if ord(character) > 0xFFFF else 1
