"""The parts of macOS that the insertion needs, as a Protocol and through PyObjC.

Not run on macOS: written from Apple's documentation (Quartz Event Services, NSPasteboard). Importable
on any system; the frameworks are loaded when ``Quartz`` is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

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
