"""A macOS of our own: AppKit and Quartz with what is used of them, and nothing else.

Calls take what PyObjC's metadata says; what would be an error there, or go wrong without a word, is one here.
"""

import types
from dataclasses import dataclass

from handy_qwen.core.permissions import Consent, Permission
from handy_qwen.system.insert.macos import COMMAND, KEY_V, MARK, MARKS, TEXT_TYPE

OLD = [{TEXT_TYPE: b"old", "public.html": b"<b>old</b>"}, {"public.png": b"\x89PNG"}]
CAPS_LOCK = 1 << 16  # kCGEventFlagMaskAlphaShift
MOST_UNITS = 20  # of a string in a keyboard event; the rest is cut off


@dataclass
class Source:
    """CGEventSourceRef."""

    user_data: int = 0


@dataclass
class Event:
    """CGEventRef, of a key."""

    source: Source
    code: int
    is_press: bool
    flags: int = CAPS_LOCK  # of the state of the keyboard, until they are set
    units: bytes = b""

    def key(self):
        return self.code, self.is_press, self.flags, self.units.decode("utf-16-le")


class Quartz(types.ModuleType):
    kCGEventSourceStatePrivate, kCGEventSourceStateHIDSystemState = -1, 1  # noqa: N815
    kCGHIDEventTap = 0  # noqa: N815

    def __init__(self, mac):
        super().__init__("Quartz")
        self._mac = mac

    def CGEventSourceCreate(self, state):  # noqa: N802
        assert state == self.kCGEventSourceStatePrivate
        return Source()

    def CGEventSourceSetUserData(self, source, number):  # noqa: N802
        source.user_data = number

    def CGEventSourceFlagsState(self, state):  # noqa: N802
        assert state == self.kCGEventSourceStateHIDSystemState
        return self._mac.flags | CAPS_LOCK

    def CGEventCreateKeyboardEvent(self, source, code, is_press):  # noqa: N802
        assert isinstance(source, Source)
        assert code in range(128)
        return Event(source, code, is_press)

    def CGEventSetFlags(self, event, flags):  # noqa: N802
        event.flags = flags

    def CGEventKeyboardSetUnicodeString(self, event, length, string):  # noqa: N802
        units = string.encode("utf-16-le")
        assert length == len(units) // 2, "PyObjC raises ValueError"
        event.units = units[: 2 * MOST_UNITS]

    def CGEventPost(self, place, event):  # noqa: N802
        assert place == self.kCGHIDEventTap
        assert event.source.user_data == MARK
        self._mac.take(event)


class NSObject:
    @classmethod
    def alloc(cls):
        return cls.__new__(cls)

    def init(self):
        return self


class Item(NSObject):
    """NSPasteboardItem, of ``mac``. Data that is callable is made by its owner when somebody asks."""

    mac: "FakeMac"

    def init(self):
        self.held, self.providers = {}, {}
        return self

    def types(self):
        return [*self.held, *self.providers]

    def dataForType_(self, kind):  # noqa: N802
        self.mac.asked.append(kind)
        self.mac.on_read()
        data = self.held[kind]
        return data() if callable(data) else data

    def setData_forType_(self, data, kind):  # noqa: N802
        assert isinstance(data, Data)
        self.held[kind] = bytes(data)
        return True

    def setString_forType_(self, text, kind):  # noqa: N802
        self.held[kind] = text.encode()
        return True

    def setDataProvider_forTypes_(self, provider, kinds):  # noqa: N802
        self.providers |= dict.fromkeys(kinds, provider)
        return True


class Data(bytes):
    """NSData."""

    @classmethod
    def data(cls):
        return cls()

    @classmethod
    def dataWithBytes_length_(cls, data, length):  # noqa: N802
        assert length == len(data)
        return cls(data)


class Pasteboard:
    """NSPasteboard. Whoever clears it owns it, and only that is counted."""

    def __init__(self):
        self.items, self.count = [], 5

    def changeCount(self):  # noqa: N802
        return self.count

    def pasteboardItems(self):  # noqa: N802
        return self.items or None

    def clearContents(self):  # noqa: N802
        self.items = []
        self.count += 1
        return self.count

    def writeObjects_(self, items):  # noqa: N802
        self.items += items
        return True


class AppKit(types.ModuleType):
    NSObject, NSData = NSObject, Data
    NSPasteboardTypeString = TEXT_TYPE

    def __init__(self, mac):
        super().__init__("AppKit")
        self.NSPasteboardItem = type("NSPasteboardItem", (Item,), {"mac": mac})
        self.NSPasteboard = types.SimpleNamespace(generalPasteboard=lambda: mac.pasteboard)
        space = types.SimpleNamespace(frontmostApplication=lambda: self._application(*mac.front))
        self.NSWorkspace = types.SimpleNamespace(sharedWorkspace=lambda: space)

    @staticmethod
    def _application(process, name):
        if not process:
            return None
        return types.SimpleNamespace(processIdentifier=lambda: process, bundleIdentifier=lambda: name or None)


class FakeMac:
    """A pasteboard and a keyboard; the frontmost application pastes on Cmd+V."""

    def __init__(self):
        self.pasteboard = Pasteboard()
        self.sent, self.flags, self.front = [], 0, (77, "com.example.Editor")
        self.pastes, self.pasted = True, []
        self.consents = dict.fromkeys(Permission, Consent.GIVEN)
        self.asked, self.on_send, self.on_read = [], lambda: None, lambda: None
        self.modules = {"AppKit": AppKit(self), "Quartz": Quartz(self)}
        self.write(OLD)

    def take(self, event):
        """A key was pressed, or released."""
        self.sent.append(event.key())
        self.on_send()
        if event.key() == (KEY_V, True, COMMAND, "v") and self.pastes:
            (item,) = self.pasteboard.items
            provider = item.providers[TEXT_TYPE]
            provider.pasteboard_item_provideDataForType_(self.pasteboard, item, TEXT_TYPE)
            self.pasted.append(item.held.pop(TEXT_TYPE).decode())

    @property
    def content(self):
        """What is there and not only promised."""
        return [item.held for item in self.pasteboard.items]

    def write(self, items):
        """The user copies something in another program."""
        self.pasteboard.clearContents()
        for content in items:
            item = self.modules["AppKit"].NSPasteboardItem.alloc().init()
            item.held = dict(content)
            self.pasteboard.writeObjects_([item])

    def copies_text(self, text):
        self.write([{TEXT_TYPE: text.encode()}])

    def text(self):
        """The text on the pasteboard; None if it is only promised."""
        (data, *_) = (item.get(TEXT_TYPE) for item in self.content)
        return None if data is None else data.decode()

    def loses_focus(self):
        self.front = (0, "")

    def is_private(self):
        return MARKS[0] in self.content[0]
