"""The Windows API for insertion (winuser.h, winbase.h), through ctypes. Importable on any system."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

KEYUP, UNICODE, EXTENDED = 0x0002, 0x0004, 0x0001
INPUT_KEYBOARD = 1
EXTRA_INFO = 0x48515749  # marks our events (dwExtraInfo), for hooks
WM_RENDERFORMAT, WM_RENDERALLFORMATS, WM_APP = 0x0305, 0x0306, 0x8000
HWND_MESSAGE = -3
GMEM_MOVEABLE = 0x0002
PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
TOKEN_QUERY, TOKEN_INTEGRITY_LEVEL = 0x0008, 25
ERROR_ACCESS_DENIED, OUT_OF_REACH = 5, 1 << 16
SPI_GETFILTERKEYS, FKF_FILTERKEYSON = 0x0032, 0x0001
CF_ENHMETAFILE = 14
WM_GETTEXT, GWL_STYLE = 0x000D, -16
SMTO_ABORTIFHUNG, SMTO_ERRORONEXIT = 0x0002, 0x0020
ANSWER_S = 0.3  # for an answer of another program's window


class NotMemory(Exception):  # noqa: N818 (not an error: the format is there, but not for us)
    """A format whose contents cannot be read as bytes."""


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """One keyboard event for SendInput."""

    key: int = 0  # virtual key, 0 with UNICODE
    unit: int = 0  # UTF-16 code unit with UNICODE
    flags: int = 0


class _KeyboardInput(ctypes.Structure):
    _fields_ = (
        ("vk", ctypes.c_uint16),
        ("scan", ctypes.c_uint16),
        ("flags", ctypes.c_uint32),
        ("time", ctypes.c_uint32),
        ("extra", ctypes.c_size_t),
    )


class _MouseInput(ctypes.Structure):  # the union's largest member: determines its size
    _fields_ = (
        ("dx", ctypes.c_int32),
        ("dy", ctypes.c_int32),
        ("data", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("time", ctypes.c_uint32),
        ("extra", ctypes.c_size_t),
    )


class _InputUnion(ctypes.Union):
    _fields_ = (("ki", _KeyboardInput), ("mi", _MouseInput))


class Input(ctypes.Structure):
    """INPUT: 40 bytes on 64-bit Windows, 28 on 32-bit."""

    _fields_ = (("type", ctypes.c_uint32), ("union", _InputUnion))


class _FilterKeys(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint32) for name in ("size", "flags", "wait", "delay", "repeat", "bounce")
    )


class _ThreadInfo(ctypes.Structure):  # GUITHREADINFO
    _fields_ = (
        ("size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        *((name, ctypes.c_void_p) for name in ("active", "focus", "capture", "menu", "moved", "caret")),
        ("rectangle", ctypes.c_int32 * 4),
    )


class _WindowClass(ctypes.Structure):
    _fields_ = (
        ("style", ctypes.c_uint32),
        ("procedure", ctypes.c_void_p),
        ("class_extra", ctypes.c_int32),
        ("window_extra", ctypes.c_int32),
        ("instance", ctypes.c_void_p),
        ("icon", ctypes.c_void_p),
        ("cursor", ctypes.c_void_p),
        ("background", ctypes.c_void_p),
        ("menu", ctypes.c_wchar_p),
        ("name", ctypes.c_wchar_p),
    )


HANDLE, BOOL, DWORD, TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_wchar_p
WPARAM, LPARAM, PDWORD = ctypes.c_size_t, ctypes.c_ssize_t, ctypes.POINTER(DWORD)

# Functions with pointers or handles, which are 64 bits wide: result and arguments, by library and name.
DECLARED: dict[str, dict[str, tuple[Any, ...]]] = {
    "user32": {
        "GetForegroundWindow": (HANDLE,),
        "GetOpenClipboardWindow": (HANDLE,),
        "GetClipboardOwner": (HANDLE,),
        "OpenClipboard": (BOOL, HANDLE),
        "GetClipboardData": (HANDLE, DWORD),
        "SetClipboardData": (HANDLE, DWORD, HANDLE),
        "IsHungAppWindow": (BOOL, HANDLE),
        "GetClipboardSequenceNumber": (DWORD,),
        "SystemParametersInfoW": (BOOL, DWORD, DWORD, ctypes.POINTER(_FilterKeys), DWORD),
        "GetClassNameW": (ctypes.c_int, HANDLE, TEXT, ctypes.c_int),
        "RealGetWindowClassW": (ctypes.c_uint, HANDLE, TEXT, ctypes.c_uint),
        "GetWindowLongW": (ctypes.c_int32, HANDLE, ctypes.c_int),
        "GetGUIThreadInfo": (BOOL, DWORD, ctypes.POINTER(_ThreadInfo)),
        "SendMessageTimeoutW": (
            *(LPARAM, HANDLE, DWORD, WPARAM, HANDLE),
            *(DWORD, DWORD, ctypes.POINTER(ctypes.c_size_t)),
        ),
        "GetWindowThreadProcessId": (DWORD, HANDLE, PDWORD),
        "PostMessageW": (BOOL, HANDLE, DWORD, WPARAM, LPARAM),
        "DefWindowProcW": (LPARAM, HANDLE, DWORD, WPARAM, LPARAM),
        "CreateWindowExW": (HANDLE, DWORD, TEXT, TEXT, DWORD, *[ctypes.c_int] * 4, *[HANDLE] * 4),
        "DestroyWindow": (BOOL, HANDLE),
        "GetAsyncKeyState": (ctypes.c_int16, ctypes.c_int),
        "RegisterClassW": (ctypes.c_uint16, ctypes.POINTER(_WindowClass)),
        "UnregisterClassW": (BOOL, TEXT, HANDLE),
    },
    "gdi32": {
        "GetEnhMetaFileBits": (DWORD, HANDLE, DWORD, ctypes.c_char_p),
        "SetEnhMetaFileBits": (HANDLE, DWORD, ctypes.c_char_p),
        "DeleteEnhMetaFile": (BOOL, HANDLE),
    },
    "kernel32": {
        "GlobalAlloc": (HANDLE, DWORD, ctypes.c_size_t),
        "GlobalFree": (HANDLE, HANDLE),
        "GlobalLock": (HANDLE, HANDLE),
        "GlobalUnlock": (BOOL, HANDLE),
        "GlobalSize": (ctypes.c_size_t, HANDLE),
        "OpenProcess": (HANDLE, DWORD, BOOL, DWORD),
        "CloseHandle": (BOOL, HANDLE),
        "GetModuleHandleW": (HANDLE, TEXT),
        "QueryFullProcessImageNameW": (BOOL, HANDLE, DWORD, TEXT, PDWORD),
    },
    "advapi32": {
        "OpenProcessToken": (BOOL, HANDLE, DWORD, ctypes.POINTER(HANDLE)),
        "GetTokenInformation": (BOOL, HANDLE, ctypes.c_int, HANDLE, DWORD, PDWORD),
        "GetSidSubAuthorityCount": (ctypes.POINTER(ctypes.c_uint8), HANDLE),
        "GetSidSubAuthority": (PDWORD, HANDLE, DWORD),
    },
}


class Win32:
    """The functions. Clipboard calls belong to the thread of ``run_window``."""

    def __init__(self) -> None:
        load: Any = getattr(ctypes, "WinDLL")  # noqa: B009 (absent on other systems, for the type checker)
        libraries = {name: load(name, use_last_error=True) for name in DECLARED}
        for name, functions in DECLARED.items():
            for function, (result, *arguments) in functions.items():
                declared = getattr(libraries[name], function)
                declared.restype, declared.argtypes = result, arguments
        self._user, self._gdi = libraries["user32"], libraries["gdi32"]
        self._kernel, self._security = libraries["kernel32"], libraries["advapi32"]

    def _last_error(self) -> int:
        get: Callable[[], int] = getattr(ctypes, "get_last_error")  # noqa: B009 (absent on other systems)
        return get()

    def send(self, events: Sequence[KeyEvent]) -> int:
        """SendInput; returns how many events were inserted."""
        array = (Input * len(events))()
        for slot, event in zip(array, events, strict=True):
            slot.type = INPUT_KEYBOARD
            scan = event.unit if event.flags & UNICODE else self._user.MapVirtualKeyW(event.key, 0)
            slot.union.ki = _KeyboardInput(event.key, scan, event.flags, 0, EXTRA_INFO)
        return int(self._user.SendInput(len(events), array, ctypes.sizeof(Input)))

    def is_down(self, key: int) -> bool:
        """Whether the virtual key is down now."""
        return bool(self._user.GetAsyncKeyState(key) & 0x8000)

    def filters_keys(self) -> bool:
        """Whether Filter Keys is on: keys must be held for a while, or not be repeated too soon."""
        found = _FilterKeys(size=ctypes.sizeof(_FilterKeys))
        asked = self._user.SystemParametersInfoW(SPI_GETFILTERKEYS, found.size, ctypes.byref(found), 0)
        return bool(asked and found.flags & FKF_FILTERKEYSON)

    def foreground(self) -> int:
        """The foreground window, 0 for none."""
        return self._user.GetForegroundWindow() or 0

    def window_class(self, window: int) -> str:
        """The class of a window."""
        name = ctypes.create_unicode_buffer(256)
        self._user.GetClassNameW(window, name, 256)
        return name.value

    def process(self, window: int) -> int:
        """The process a window belongs to, 0 if unknown."""
        found = ctypes.c_uint32()
        self._user.GetWindowThreadProcessId(window, ctypes.byref(found))
        return found.value

    def focused_control(self, window: int) -> int:
        """The focused control of a window, 0 if unknown."""
        found = _ThreadInfo(size=ctypes.sizeof(_ThreadInfo))
        thread = self._user.GetWindowThreadProcessId(window, None)
        is_known = self._user.GetGUIThreadInfo(thread, ctypes.byref(found))
        return (found.focus or 0) if is_known else 0

    def control_class(self, control: int) -> str:
        """The Windows class of a control, even if a library has derived its own from that."""
        name = ctypes.create_unicode_buffer(256)
        self._user.RealGetWindowClassW(control, name, 256)
        return name.value

    def style(self, control: int) -> int:
        """The style bits of a window or control."""
        return int(self._user.GetWindowLongW(control, GWL_STYLE))

    def ask(self, window: int, message: int, number: int = 0, room: Any = None) -> int | None:  # noqa: ANN401
        """A window's answer to a message; None: nothing within ``ANSWER_S``. A text goes to ``room``."""
        answer = ctypes.c_size_t()
        how, limit_ms = SMTO_ABORTIFHUNG | SMTO_ERRORONEXIT, int(1000 * ANSWER_S)
        asked = self._user.SendMessageTimeoutW(
            window, message, number, room, how, limit_ms, ctypes.byref(answer)
        )
        return answer.value if asked else None

    def control_text(self, control: int, units: int) -> str | None:
        """The first ``units`` UTF-16 code units of its text; None: no answer."""
        room = ctypes.create_unicode_buffer(units + 1)
        return None if self.ask(control, WM_GETTEXT, units + 1, room) is None else room.value

    def executable(self, process: int) -> str:
        """The file name of a process's program; empty if access is denied."""
        handle = self._kernel.OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, process)
        if not handle:
            return ""
        try:
            size = ctypes.c_uint32(1024)
            name = ctypes.create_unicode_buffer(size.value)
            done = self._kernel.QueryFullProcessImageNameW(handle, 0, name, ctypes.byref(size))
            return os.path.basename(name.value.replace("\\", "/")) if done else ""  # noqa: PTH119 (a foreign path)
        finally:
            self._kernel.CloseHandle(handle)

    def integrity(self, process: int) -> int:
        """The integrity level of a process: 0x2000 for most, 0x3000 for an administrator's.

        If access is denied it is ``OUT_OF_REACH``, above all others; 0 if there is no such process. Source:
        "Mandatory Integrity Control", learn.microsoft.com.
        """
        handle = self._kernel.OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, process)
        if not handle:
            return OUT_OF_REACH if self._last_error() == ERROR_ACCESS_DENIED else 0
        token, size = ctypes.c_void_p(), ctypes.c_uint32()
        label = (ctypes.c_void_p * 16)()  # TOKEN_MANDATORY_LABEL followed by its SID
        try:
            if not self._security.OpenProcessToken(handle, TOKEN_QUERY, ctypes.byref(token)):
                return OUT_OF_REACH if self._last_error() == ERROR_ACCESS_DENIED else 0
            found = self._security.GetTokenInformation(
                token, TOKEN_INTEGRITY_LEVEL, label, ctypes.sizeof(label), ctypes.byref(size)
            )
            self._kernel.CloseHandle(token)
            if not found:
                return 0
            last = self._security.GetSidSubAuthorityCount(label[0]).contents.value - 1
            return int(self._security.GetSidSubAuthority(label[0], last).contents.value)
        finally:
            self._kernel.CloseHandle(handle)

    def run_window(self, on_ready: Callable[[int], None], on_message: Callable[[int, int], None]) -> None:
        """Create a message-only window and process its messages until ``quit``. Calls back on this thread."""
        prototype: Any = getattr(ctypes, "WINFUNCTYPE")  # noqa: B009 (absent on other systems)

        def procedure(window: int, message: int, wparam: int, lparam: int) -> int:
            if message in (WM_RENDERFORMAT, WM_RENDERALLFORMATS, WM_APP):
                on_message(message, wparam)
                return 0
            return int(self._user.DefWindowProcW(window, message, wparam, lparam))

        kind = prototype(
            ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_size_t, ctypes.c_ssize_t
        )
        callback = kind(procedure)  # must outlive the window
        instance = self._kernel.GetModuleHandleW(None)
        pointer = ctypes.cast(callback, ctypes.c_void_p).value
        described = _WindowClass(procedure=pointer, instance=instance, name="HandyQwenClipboard")
        self._user.RegisterClassW(ctypes.byref(described))
        parent = ctypes.c_void_p(HWND_MESSAGE)
        window = self._user.CreateWindowExW(
            0, described.name, described.name, 0, 0, 0, 0, 0, parent, None, instance, None
        )
        on_ready(window or 0)
        message = ctypes.create_string_buffer(64)  # MSG is 48 bytes
        while window and self._user.GetMessageW(message, None, 0, 0) > 0:
            self._user.DispatchMessageW(message)
        if window:
            self._user.DestroyWindow(window)
        self._user.UnregisterClassW(described.name, instance)

    def wake(self, window: int) -> None:
        """Post WM_APP to our window. Any thread."""
        self._user.PostMessageW(window, WM_APP, 0, 0)

    def quit(self) -> None:
        """End ``run_window``, from within one of its callbacks."""
        self._user.PostQuitMessage(0)

    def open_clipboard(self, window: int) -> bool:
        """Open it for ``window``; False while another program has it open."""
        return bool(self._user.OpenClipboard(window))

    def close_clipboard(self) -> None:
        """Close it."""
        self._user.CloseClipboard()

    def empty_clipboard(self) -> None:
        """Clear it and become its owner."""
        self._user.EmptyClipboard()

    def formats(self) -> list[int]:
        """The formats on the open clipboard."""
        found: list[int] = []
        while format_id := self._user.EnumClipboardFormats(found[-1] if found else 0):
            found.append(int(format_id))
        return found

    def sequence(self) -> int:
        """A number that changes with the content."""
        return int(self._user.GetClipboardSequenceNumber())

    def is_hung(self, window: int) -> bool:
        """Whether the program of ``window`` has not responded for some seconds."""
        return bool(self._user.IsHungAppWindow(window))

    def get(self, format_id: int) -> bytes | None:
        """The bytes of a format; None: its owner does not deliver it. Raises NotMemory: not bytes."""
        handle = self._user.GetClipboardData(format_id)
        if not handle:
            return None
        if format_id == CF_ENHMETAFILE:
            bits = ctypes.create_string_buffer(self._gdi.GetEnhMetaFileBits(handle, 0, None))
            if not self._gdi.GetEnhMetaFileBits(handle, len(bits), bits):
                raise NotMemory
            return bits.raw
        pointer = self._kernel.GlobalLock(handle)
        if not pointer:
            raise NotMemory
        try:
            return ctypes.string_at(pointer, self._kernel.GlobalSize(handle))
        finally:
            self._kernel.GlobalUnlock(handle)

    def set(self, format_id: int, data: bytes | None) -> bool:
        """Put bytes on the clipboard; None promises them for later. Returns whether that worked."""
        if data is None:
            # A promise returns 0 in any case: only the error tells.
            self._kernel.SetLastError(0)
            self._user.SetClipboardData(format_id, None)
            return not self._last_error()
        if format_id == CF_ENHMETAFILE:
            handle, free = self._gdi.SetEnhMetaFileBits(len(data), data), self._gdi.DeleteEnhMetaFile
        else:
            handle, free = self._filled(data), self._kernel.GlobalFree
        if not handle:
            return False
        if self._user.SetClipboardData(format_id, handle):
            return True
        free(handle)
        return False

    def _filled(self, data: bytes) -> int | None:
        """A memory block with ``data``; None if there is none."""
        handle: int | None = self._kernel.GlobalAlloc(GMEM_MOVEABLE, max(len(data), 1))
        pointer = self._kernel.GlobalLock(handle) if handle else None
        if not pointer:
            return None
        ctypes.memmove(pointer, data, len(data))
        self._kernel.GlobalUnlock(handle)
        return handle

    def register(self, name: str) -> int:
        """The number of a format by name."""
        return int(self._user.RegisterClipboardFormatW(ctypes.c_wchar_p(name)))

    def reader(self) -> int:
        """The window that has the clipboard open, 0 if none or unknown."""
        return self._user.GetOpenClipboardWindow() or 0

    def owner(self) -> int:
        """The window that owns the clipboard's content, 0 for none."""
        return self._user.GetClipboardOwner() or 0
