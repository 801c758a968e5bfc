"""Raw Input of Windows: what keyboards and mice report, independent of all hooks.

    keyboard, mouse --(WM_INPUT)--> thread "hotkeys-raw" --> on_input

Windows posts these events to a window of ours and waits for no answer, so it has no reason ever to stop. A
window cannot swallow anything, though, and gets every mouse movement as well: it is only a second source, and
gets the mouse only on request. Input sent by programs has no device, and is ignored.

The window draws and calls nothing: each message is taken from the queue and passed on to Windows. Source:
"Raw Input", https://learn.microsoft.com/windows/win32/inputdev/raw-input (RAWINPUT, RAWKEYBOARD, RAWMOUSE,
RAWINPUTDEVICE).
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

from handy_qwen.runtime.worker import WatchedThread

logger = logging.getLogger(__name__)

CHECK_MS = 100
_WM_INPUT, _WM_TIMER = 0xFF, 0x113
_WAKE, _END = 0x8000, 0x8001  # WM_APP ...: our own
_MESSAGE_ONLY = -3  # HWND_MESSAGE
_GENERIC, _MOUSE, _KEYBOARD = 1, 2, 6  # HID usages: the page, and usages on it
_ALSO_IN_BACKGROUND, _NO_MORE = 0x100, 0x01  # RIDEV_INPUTSINK, RIDEV_REMOVE
_READ = 0x10000003  # RID_INPUT
_OF_MOUSE, _OF_KEYBOARD = 0, 1  # RIM_TYPEMOUSE, RIM_TYPEKEYBOARD
_BREAK, _E0 = 1, 2  # RI_KEY_BREAK, RI_KEY_E0
_SHIFT, _RIGHT_SHIFT = 0x10, 0x36  # a virtual key, a scan code
_SIDES = {0x10: 0xA0, 0x11: 0xA2, 0x12: 0xA4}  # VK_SHIFT -> VK_LSHIFT ..., the right one is the next
_NO_KEYS = frozenset({0, 0xFF})  # parts of longer scan codes, and unknown keys
_BUTTONS = {  # RI_MOUSE_BUTTON_4_DOWN ...: the button's (negative) code, and whether it went down
    0x0040: (-5, True),
    0x0080: (-5, False),
    0x0100: (-6, True),
    0x0200: (-6, False),
}

OnInput = Callable[[int, bool, int], bool]
"""A key's virtual key, or a side button's negative one; whether it went down; when, in GetTickCount's
milliseconds. Returns whether to call ``on_check`` every ``CHECK_MS`` until that returns False."""


class _Header(ctypes.Structure):  # RAWINPUTHEADER
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("device", ctypes.c_void_p),
        ("wparam", ctypes.c_size_t),
    )


class _Keyboard(ctypes.Structure):  # RAWKEYBOARD
    _fields_ = (
        ("scan", ctypes.c_uint16),
        ("flags", ctypes.c_uint16),
        ("reserved", ctypes.c_uint16),
        ("key", ctypes.c_uint16),
        ("message", ctypes.c_uint32),
        ("extra", ctypes.c_uint32),
    )


class _Mouse(ctypes.Structure):  # RAWMOUSE
    _fields_ = (
        ("flags", ctypes.c_uint16),
        ("padding", ctypes.c_uint16),
        ("buttons", ctypes.c_uint16),
        ("data", ctypes.c_uint16),
        ("raw_buttons", ctypes.c_uint32),
        ("x", ctypes.c_int32),
        ("y", ctypes.c_int32),
        ("extra", ctypes.c_uint32),
    )


class _Data(ctypes.Union):
    _fields_ = (("keyboard", _Keyboard), ("mouse", _Mouse))


class RawEvent(ctypes.Structure):
    """RAWINPUT, for a keyboard or a mouse."""

    _fields_ = (("header", _Header), ("data", _Data))


class _Device(ctypes.Structure):  # RAWINPUTDEVICE
    _fields_ = (
        ("page", ctypes.c_uint16),
        ("usage", ctypes.c_uint16),
        ("flags", ctypes.c_uint32),
        ("window", ctypes.c_void_p),
    )


class _Message(ctypes.Structure):  # MSG
    _fields_ = (
        ("window", ctypes.c_void_p),
        ("message", ctypes.c_uint32),
        ("wparam", ctypes.c_size_t),
        ("lparam", ctypes.c_ssize_t),
        ("time_ms", ctypes.c_uint32),
        ("x", ctypes.c_int32),
        ("y", ctypes.c_int32),
    )


def keys_of(event: RawEvent) -> Iterator[tuple[int, bool]]:
    """The keys and side buttons in ``event``, as in ``OnInput``, and whether each went down."""
    if not event.header.device:
        return
    if event.header.type == _OF_MOUSE:
        yield from (change for bit, change in _BUTTONS.items() if event.data.mouse.buttons & bit)
    elif event.header.type == _OF_KEYBOARD:
        key = event.data.keyboard
        is_made_up = key.key == _SHIFT and key.flags & _E0  # sent by the keyboard around keys such as Home
        if key.key not in _NO_KEYS and not is_made_up:
            is_right = key.scan == _RIGHT_SHIFT if key.key == _SHIFT else bool(key.flags & _E0)
            code = _SIDES[key.key] + is_right if key.key in _SIDES else key.key
            yield int(code), not key.flags & _BREAK


class RawInput:
    """Receives raw input from ``start`` to ``stop``.

    ``on_input`` and ``on_check`` are ``OnInput``'s; ``on_woken`` is called after each ``wake``.

    Threads: its own, which has to take the messages of a window, calls all three. The other methods may be
    called from any.

    Attributes:
        thread: For the watchdog.
    """

    def __init__(self, on_input: OnInput, on_check: Callable[[], bool], on_woken: Callable[[], None]) -> None:
        self._on_input, self._on_check, self._on_woken = on_input, on_check, on_woken
        self._user = _user32()
        self._window: int | None = None
        self._is_checking = self._hears_mouse = False
        self._is_ready = threading.Event()
        self._problem: OSError | None = None
        self.thread = WatchedThread("hotkeys-raw", self._run)

    def start(self) -> None:
        """Start with the keyboard. Raises OSError: Windows refuses."""
        self.thread.start()
        self._is_ready.wait()
        if self._problem is not None:
            raise self._problem

    def is_alive(self) -> bool:
        """Whether it is receiving input."""
        return self.thread.is_alive()

    def hear_mouse(self, is_wanted: bool) -> None:
        """Also receive the mouse's side buttons, or not. Raises OSError: Windows refuses."""
        if is_wanted != self._hears_mouse:
            self._register(_MOUSE, is_wanted=is_wanted)
            self._hears_mouse = is_wanted

    def wake(self) -> None:
        """Call ``on_woken`` on the thread. Returns at once."""
        self._user.PostMessageW(self._window, _WAKE, 0, 0)

    def stop(self) -> None:
        """Stop. Safe to call twice."""
        self.thread.may_end()
        self._user.PostMessageW(self._window, _END, 0, 0)
        self.thread.join(2.0)

    def _register(self, usage: int, *, is_wanted: bool) -> None:
        flags, window = (_ALSO_IN_BACKGROUND, self._window) if is_wanted else (_NO_MORE, None)
        device = _Device(_GENERIC, usage, flags, window)
        if not self._user.RegisterRawInputDevices(ctypes.byref(device), 1, ctypes.sizeof(device)):
            raise _last_error()

    # --- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._window = self._user.CreateWindowExW(
                0, "Static", "HandyQwenRawInput", 0, 0, 0, 0, 0, _MESSAGE_ONLY, None, None, None
            )
            if not self._window:
                raise _last_error()
            self._register(_KEYBOARD, is_wanted=True)
        except OSError as exc:
            self._problem = exc
        finally:
            self._is_ready.set()
        try:
            if self._problem is None:
                self._serve()
        except Exception:
            logger.exception("raw input is heard no more")
        finally:
            if self._window:
                self._user.DestroyWindow(self._window)  # removes its registrations

    def _serve(self) -> None:
        message = _Message()
        while self._user.GetMessageW(ctypes.byref(message), None, 0, 0) > 0:
            self.thread.begin()
            if message.message == _WM_INPUT:
                self._take(message)
            elif message.message == _WM_TIMER:
                self._check(self._on_check())
            elif message.message == _WAKE:
                self._on_woken()
            elif message.message == _END:
                return
            self._user.DispatchMessageW(ctypes.byref(message))  # frees what came with WM_INPUT
            self.thread.end()

    def _take(self, message: _Message) -> None:
        event, size = RawEvent(), ctypes.c_uint32(ctypes.sizeof(RawEvent))
        read = self._user.GetRawInputData(
            message.lparam, _READ, ctypes.byref(event), ctypes.byref(size), ctypes.sizeof(_Header)
        )
        if read in (0, 2**32 - 1):
            return
        for code, is_press in keys_of(event):
            self._check(self._on_input(code, is_press, message.time_ms) or self._is_checking)

    def _check(self, is_wanted: bool) -> None:
        if is_wanted and not self._is_checking:
            self._user.SetTimer(self._window, 1, CHECK_MS, None)
        elif self._is_checking and not is_wanted:
            self._user.KillTimer(self._window, 1)
        self._is_checking = is_wanted


def _user32() -> Any:  # noqa: ANN401  of ctypes
    """The functions with handles, which are 64 bits wide, and their types."""
    library = ctypes.WinDLL("user32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    handle, number, pointer = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p
    word, size = ctypes.c_size_t, ctypes.c_ssize_t
    text, whole = ctypes.c_wchar_p, ctypes.c_int
    declared: dict[str, tuple[Any, ...]] = {  # the result first
        "CreateWindowExW": (handle, number, text, text, number, *[whole] * 4, *[handle] * 4),
        "DestroyWindow": (whole, handle),
        "RegisterRawInputDevices": (whole, pointer, number, number),
        "GetRawInputData": (number, handle, number, pointer, pointer, number),
        "GetMessageW": (whole, pointer, handle, number, number),
        "DispatchMessageW": (size, pointer),
        "PostMessageW": (whole, handle, number, word, size),
        "SetTimer": (word, handle, word, number, pointer),
        "KillTimer": (whole, handle, word),
    }
    for name, (result, *arguments) in declared.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _last_error() -> OSError:
    return ctypes.WinError(ctypes.get_last_error())  # type: ignore[attr-defined,unused-ignore,no-any-return]
