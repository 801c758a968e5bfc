"""Eyes and hands among Windows programs: windows, the clipboard, keys and processes, by the Windows API.

Run by wine.py under Windows Python. Reads one JSON request a line, ``{"do": NAME, ...}``, and answers each
with a line: ``{"ok": RESULT}`` or ``{"error": TEXT}``.
"""

import ctypes
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

HANDLE = ctypes.c_void_p
WM_SETTEXT, WM_GETTEXT, WM_GETTEXTLENGTH = 0x0C, 0x0D, 0x0E
CF_UNICODETEXT, GMEM_MOVEABLE = 13, 2
TEXT_CHARACTERS = 300
KEYS = range(1, 0xFF)
MICROPHONES = r"Software\Microsoft\Windows\CurrentVersion\MMDevices\Audio\Capture"
FRIENDLY_NAME = "{a45c254e-df1c-4efd-8020-67d146a850e0},14"  # PKEY_Device_FriendlyName
HANDLES_OF_ALL = 64  # SystemExtendedHandleInformation: their number, 8 bytes, and 40 bytes for each
TOO_SMALL = 0xC0000004  # STATUS_INFO_LENGTH_MISMATCH
PULSE_DRIVER = r"Software\Wine\Drivers\winepulse.drv"

_load: Any = getattr(ctypes, "WinDLL", None)
user, kernel, nt = _load("user32"), _load("kernel32"), _load("ntdll")
for _library, _name, _result, *_arguments in (
    (user, "GetForegroundWindow", HANDLE),
    (user, "FindWindowExW", HANDLE, HANDLE, HANDLE, ctypes.c_wchar_p, ctypes.c_wchar_p),
    (user, "SendMessageW", ctypes.c_ssize_t, HANDLE, ctypes.c_uint, ctypes.c_size_t, HANDLE),
    (user, "GetWindowTextW", ctypes.c_int, HANDLE, ctypes.c_wchar_p, ctypes.c_int),
    (user, "GetClassNameW", ctypes.c_int, HANDLE, ctypes.c_wchar_p, ctypes.c_int),
    (user, "GetWindowThreadProcessId", ctypes.c_uint, HANDLE, ctypes.POINTER(ctypes.c_uint)),
    (user, "IsWindowVisible", ctypes.c_int, HANDLE),
    (user, "SetForegroundWindow", ctypes.c_int, HANDLE),
    (user, "IsHungAppWindow", ctypes.c_int, HANDLE),
    (user, "OpenClipboard", ctypes.c_int, HANDLE),
    (user, "GetClipboardOwner", HANDLE),
    (user, "GetClipboardData", HANDLE, ctypes.c_uint),
    (user, "SetClipboardData", HANDLE, ctypes.c_uint, HANDLE),
    (kernel, "GlobalAlloc", HANDLE, ctypes.c_uint, ctypes.c_size_t),
    (kernel, "GlobalLock", HANDLE, HANDLE),
    (kernel, "GlobalUnlock", ctypes.c_int, HANDLE),
    (kernel, "GlobalSize", ctypes.c_size_t, HANDLE),
    (kernel, "CreateMutexW", HANDLE, HANDLE, ctypes.c_int, ctypes.c_wchar_p),
    (kernel, "CloseHandle", ctypes.c_int, HANDLE),
):
    _function = getattr(_library, _name)
    _function.restype, _function.argtypes = _result, _arguments


def windows() -> list[dict[str, Any]]:
    found: list[int] = []
    kind: Any = ctypes.WINFUNCTYPE  # type: ignore[attr-defined,unused-ignore]

    def take(window: int, _: int) -> int:
        found.append(window)
        return 1  # go on

    user.EnumWindows(kind(ctypes.c_int, HANDLE, ctypes.c_ssize_t)(take), 0)
    return [described(window) for window in found if user.IsWindowVisible(window)]


def described(window: int | None) -> dict[str, Any]:
    process = ctypes.c_uint()
    user.GetWindowThreadProcessId(window, ctypes.byref(process))
    return {
        "hwnd": window or 0,
        "title": _text_by(user.GetWindowTextW, window),
        "class": _text_by(user.GetClassNameW, window),
        "pid": process.value,
    }


def _text_by(function: Any, window: int | None) -> str:
    buffer = ctypes.create_unicode_buffer(TEXT_CHARACTERS)
    function(window, buffer, TEXT_CHARACTERS)
    return buffer.value


@contextmanager
def opened() -> Iterator[None]:
    """The clipboard is open inside."""
    for _ in range(100):
        if user.OpenClipboard(None):
            break
        time.sleep(0.02)
    else:
        raise OSError("the clipboard stays open elsewhere")
    try:
        yield
    finally:
        user.CloseClipboard()


def clipboard() -> str | None:
    data = clipboard_bytes(CF_UNICODETEXT)
    return None if data is None else bytes.fromhex(data).decode("utf-16-le").partition("\0")[0]


def clipboard_bytes(kind: int) -> str | None:
    """One format, in hexadecimal digits; a name stands for a registered one."""
    with opened():
        handle = user.GetClipboardData(registered(kind))
        if not handle:
            return None
        data = ctypes.string_at(kernel.GlobalLock(handle), kernel.GlobalSize(handle))
        kernel.GlobalUnlock(handle)
        return data.hex()


def copy(text: str = "", formats: dict[str, str] | None = None) -> None:
    """Copy ``text``, or ``formats`` by name or number, in hexadecimal digits."""
    wanted = formats or {str(CF_UNICODETEXT): f"{text}\0".encode("utf-16-le").hex()}
    with opened():
        user.EmptyClipboard()
        for kind, digits in wanted.items():
            data = bytes.fromhex(digits)
            handle = kernel.GlobalAlloc(GMEM_MOVEABLE, len(data))
            ctypes.memmove(kernel.GlobalLock(handle), data, len(data))
            kernel.GlobalUnlock(handle)
            if not user.SetClipboardData(registered(kind), handle):
                raise OSError(f"format {kind} was refused")


def open_clipboard() -> None:
    """Keep it open, as a program does that hangs with it, until ``close_clipboard``."""
    if not user.OpenClipboard(None):
        raise OSError("the clipboard is open elsewhere")


def close_clipboard() -> None:
    user.CloseClipboard()


def promise() -> int:
    """Promise a text, and never answer who asks for it; the window that owns the clipboard.

    Nobody here looks for messages, so Windows calls the window hung after 5 s.
    """
    create = user.CreateWindowExW
    create.restype = HANDLE
    create.argtypes = [
        ctypes.c_uint,
        *[ctypes.c_wchar_p] * 2,
        ctypes.c_uint,
        *[ctypes.c_int] * 4,
        *[HANDLE] * 4,
    ]
    window = create(0, "STATIC", "promise", 0, 0, 0, 0, 0, None, None, None, None)
    if not window or not user.OpenClipboard(window):
        raise OSError("nothing can be promised")
    user.EmptyClipboard()
    user.SetClipboardData(CF_UNICODETEXT, None)
    user.CloseClipboard()
    return int(window)


def registered(kind: int | str) -> int:
    return int(kind) if str(kind).isdigit() else int(user.RegisterClipboardFormatW(kind))


def formats() -> list[str | int]:
    """The names of what is on the clipboard; a number for formats of Windows's own."""
    found: list[str | int] = []
    with opened():
        last = 0
        while last := user.EnumClipboardFormats(last):
            label = ctypes.create_unicode_buffer(TEXT_CHARACTERS)
            user.GetClipboardFormatNameW(last, label, TEXT_CHARACTERS)
            found.append(label.value or last)
    return found


def text(hwnd: int, kind: str) -> str:
    """What is in the first control of the class ``kind`` in a window."""
    edit = user.FindWindowExW(hwnd, None, kind, None)
    length = user.SendMessageW(edit, WM_GETTEXTLENGTH, 0, None)
    buffer = ctypes.create_unicode_buffer(length + 1)
    user.SendMessageW(edit, WM_GETTEXT, length + 1, ctypes.addressof(buffer))
    return buffer.value


def set_text(hwnd: int, kind: str, value: str) -> None:
    buffer = ctypes.create_unicode_buffer(value)
    edit = user.FindWindowExW(hwnd, None, kind, None)
    user.SendMessageW(edit, WM_SETTEXT, 0, ctypes.addressof(buffer))


def held() -> list[int]:
    """The virtual keys that are down."""
    return [key for key in KEYS if user.GetAsyncKeyState(key) & 0x8000]


def kill(pid: int) -> None:
    """TerminateProcess, as the Task Manager does it."""
    os.kill(pid, 9)


def kill_named(part: str) -> int:
    """The same for all programs with ``part`` in their name; how many there were."""
    import psutil

    found = [one.pid for one in psutil.process_iter(["name"]) if part in (one.info["name"] or "")]
    for pid in found:
        with suppress(OSError):  # it has ended by itself
            kill(pid)
    return len(found)


def hold_mutex(name: str) -> int:
    """Have a mutex of that name until ``release``; its handle."""
    return int(kernel.CreateMutexW(None, 0, name))


def release(handle: int) -> None:
    kernel.CloseHandle(handle)


def costs(pid: int) -> dict[str, int]:
    """What a process uses."""
    import psutil

    process = psutil.Process(pid)
    return {
        "memory_bytes": process.memory_info().rss,
        "threads": process.num_threads(),
        "handles": handle_count(pid),
    }


def handle_count(pid: int) -> int:
    """How many handles a process has, from the list of all; Wine answers GetProcessHandleCount with 0."""
    size, needed = 1 << 16, ctypes.c_uint()
    while True:
        buffer = ctypes.create_string_buffer(size)
        status = nt.NtQuerySystemInformation(HANDLES_OF_ALL, buffer, size, ctypes.byref(needed))
        if status & 0xFFFFFFFF != TOO_SMALL:
            break
        size = 2 * max(size, needed.value)
    if status:
        raise OSError(f"NtQuerySystemInformation: {status & 0xFFFFFFFF:08x}")
    told = buffer.raw
    count = int.from_bytes(told[:8], "little")
    owners = (int.from_bytes(told[at : at + 8], "little") for at in range(24, 16 + 40 * count, 40))
    return sum(owner == pid for owner in owners)


def choose_microphone(part: str) -> str:
    """Make the microphone with ``part`` in its name the default, as Wine's settings do; its name."""
    import winreg

    keys: Any = winreg  # has no types on this side
    with keys.OpenKey(keys.HKEY_LOCAL_MACHINE, MICROPHONES) as devices:
        for number in range(keys.QueryInfoKey(devices)[0]):
            device = keys.EnumKey(devices, number)
            with keys.OpenKey(devices, rf"{device}\Properties") as properties:
                name = str(keys.QueryValueEx(properties, FRIENDLY_NAME)[0])
            if part in name:
                with keys.CreateKey(keys.HKEY_CURRENT_USER, PULSE_DRIVER) as driver:
                    chosen = f"{{0.0.1.00000000}}.{device}"
                    keys.SetValueEx(driver, "DefaultInput", 0, keys.REG_SZ, chosen)
                return name
    raise LookupError(part)


DO: dict[str, Any] = {
    "windows": windows,
    "foreground": lambda: described(user.GetForegroundWindow()),
    "activate": lambda hwnd: user.SetForegroundWindow(hwnd),  # noqa: PLW0108 (it takes no names)
    "dpi": lambda hwnd: int(user.GetDpiForWindow(hwnd)),
    "clipboard": clipboard,
    "clipboard_bytes": clipboard_bytes,
    "copy": copy,
    "formats": formats,
    "open_clipboard": open_clipboard,
    "close_clipboard": close_clipboard,
    "promise": promise,
    "is_hung": lambda hwnd: bool(user.IsHungAppWindow(hwnd)),
    "clipboard_sequence": lambda: int(user.GetClipboardSequenceNumber()),
    "clipboard_owner": lambda: user.GetClipboardOwner() or 0,
    "text": text,
    "set_text": set_text,
    "held": held,
    "kill": kill,
    "kill_named": kill_named,
    "hold_mutex": hold_mutex,
    "release": release,
    "costs": costs,
    "choose_microphone": choose_microphone,
}


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": DO[request.pop("do")](**request)}
        except Exception as exc:  # the test is told, and the next request is answered
            answer = {"error": f"{type(exc).__name__}: {exc}"}
        print(json.dumps(answer), flush=True)  # noqa: T201 (this is the protocol)


if __name__ == "__main__":
    main()
