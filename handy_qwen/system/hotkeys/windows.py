"""Global hotkeys on Windows, through the low-level hooks of pynput, with Raw Input as a second source.

    WH_KEYBOARD_LL, WH_MOUSE_LL --(pynput's threads)--> HookedListener --> post
    raw_input.RawInput          --(its own thread)----> what the hooks were not shown

RegisterHotKey is no alternative: it accepts no lone modifiers and reports no release. The hook sees every key
before the focused program and swallows chords. It does nothing but a dictionary look-up, because Windows
silently removes a hook that responds late; only a chord's key without its modifiers has the state queried. So
anything that Raw Input reports must reach the hook within a moment, before or after. If it does not, the
hooks are installed again. A key of a hotkey that the hook did not see counts nevertheless: its release must
end what it began, and people begin to speak once they have pressed it. A press counts only while the user
still holds the key and has pressed nothing else since. Raw Input would report every mouse movement, which its
hook sees already, so it reports the mouse only while one of its buttons is a hotkey. The mouse hook is gone
if neither source knows of the user's last input (GetLastInputInfo). Hooks that see nothing even after being
reinstalled are reinstalled less and less often: in windows of programs with higher privileges they never do
(User Interface Privilege Isolation), and the hooks of other programs may keep keys from ours.

On another desktop (the lock screen, a UAC prompt) releases are not seen, so there all keys count as up.
Otherwise a missed release is detected with GetAsyncKeyState, which knows nothing about swallowed keys: of a
chord, only the modifiers are checked in this way. A modifier whose press the hook did not see completes a
chord if Raw Input has reported it down before the chord's key, and not up again.

Alt or a Windows key that goes up with no key in between opens a menu, and a swallowed key does not count. So
with a hotkey that has one of them, a meaningless key is pressed (0xE8, which no keyboard has and other such
programs use as well).

AltGr arrives as a synthetic left Ctrl, with its own scan code and ignored, followed by the right Alt. After
such a Ctrl that has another code here, because AltGr+E, which types a euro sign, is not Alt+E.

Source: KBDLLHOOKSTRUCT and "Virtual-Key Codes", https://learn.microsoft.com/windows/win32/inputdev/;
LowLevelKeyboardProc, about removed hooks; GetUserObjectInformation, UOI_IO.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from typing import Any

from handy_qwen.core.events import Event, KeyDown
from handy_qwen.core.ports import Post
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.message import Message
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.hotkeys.listener import CHECK_S, Hook, HookedListener, WasInjecting, never
from handy_qwen.system.hotkeys.raw_input import RawInput
from handy_qwen.system.insert.win32 import EXTRA_INFO

_KEY_DOWN = frozenset({0x0100, 0x0104})  # WM_KEYDOWN, WM_SYSKEYDOWN
_CLICKS = {  # message -> the virtual key of the button, and whether it went down
    0x0201: (0x01, True),  # WM_LBUTTONDOWN ...
    0x0202: (0x01, False),
    0x0204: (0x02, True),
    0x0205: (0x02, False),
    0x0207: (0x04, True),
    0x0208: (0x04, False),
}
_SIDE_CLICKS = {0x020B: True, 0x020C: False}  # WM_XBUTTONDOWN, WM_XBUTTONUP
_SIDE_BUTTONS = {1: 0x05, 2: 0x06}  # XBUTTON1, XBUTTON2 -> VK_XBUTTON1, VK_XBUTTON2
_INJECTED = 0x10 | 0x02  # LLKHF_INJECTED, LLKHF_LOWER_IL_INJECTED
_MADE_UP_CTRL = 0x21D  # the scan code of the left Ctrl that comes with AltGr
MOMENT_S = 0.3  # between the two sources; Windows waits for a hook about as long
DEAF_MS = 1000  # a hook may be this late; Windows itself waits no longer
MOST_PATIENCE_S = 60.0
_PACKET = 0xE7  # VK_PACKET: a character, not a key
_HAS_INPUT = 6  # UOI_IO
_KEY_UP = 2  # KEYEVENTF_KEYUP
_NOTHING = 0xE8  # a virtual key without a function

_CODES = """
    ctrl_l=A2 ctrl_r=A3 shift_l=A0 shift_r=A1 alt_l=A4 alt_r=A5 altgr=1A5 super_l=5B super_r=5C
    space=20 enter=0D tab=09 backspace=08 escape=1B insert=2D delete=2E home=24 end=23 page_up=21
    page_down=22 up=26 down=28 left=25 right=27 pause=13 scroll_lock=91 num_lock=90 caps_lock=14
    print_screen=2C menu=5D media_play_pause=B3 media_stop=B2 media_next=B0 media_previous=B1
    volume_up=AF volume_down=AE volume_mute=AD minus=BD equal=BB plus=BB comma=BC period=BE slash=BF
    semicolon=BA grave=C0 bracketleft=DB backslash=DC bracketright=DD apostrophe=DE mouse4=-05
    mouse5=-06
"""
VIRTUAL_KEYS = {name: int(code, 16) for name, code in (one.split("=") for one in _CODES.split())}
VIRTUAL_KEYS |= {f"f{n}": 0x6F + n for n in range(1, 25)}
VIRTUAL_KEYS |= {f"kp_{n}": 0x60 + n for n in range(10)}
VIRTUAL_KEYS |= {name: ord(name.upper()) for name in "abcdefghijklmnopqrstuvwxyz0123456789"}

_RIGHT_ALT, _ALTGR = VIRTUAL_KEYS["alt_r"], VIRTUAL_KEYS["altgr"]  # one key, depending on the layout
_HALVES_OF_ALTGR = VIRTUAL_KEYS["ctrl_l"], _RIGHT_ALT
_OPEN_MENUS = frozenset(VIRTUAL_KEYS[name] for name in ("alt_l", "alt_r", "super_l", "super_r"))


class WindowsHotkeys(HookedListener):
    """Listens for hotkeys on Windows.

    Threads: as in ``HookedListener``; the thread of Raw Input watches the keyboard hook.
    """

    NAME = "Windows"
    KEY_CODES = VIRTUAL_KEYS
    KNOWS_SWALLOWED = False
    _POINTING = frozenset({-0x01, -0x02, -0x04})

    def __init__(self, post: Post, was_injecting: WasInjecting = never) -> None:
        super().__init__(post, was_injecting)
        self._ear: RawInput | None = None
        self._heard_ms = 0  # time of the last input that either source knows of
        self._is_altgr = False  # whether the right Alt is AltGr, from its press to its release
        self._key_s = 0.0  # when the keyboard hook was last called, or installed
        self._unknown: tuple[float, float] | None = None  # when a key came through Raw Input only; ``_key_s``
        self._released: dict[int, float] = {}  # by Raw Input: keys of hotkeys that are down, and when
        self._ear_down: dict[int, int] = {}  # by Raw Input: what the user holds, and since when, in ms
        self._unseen: tuple[int, float] | None = None  # the last press of a hotkey unseen by the hook; when
        self._late: tuple[int, int] | None = None  # what counted nevertheless: its code; when, in ms
        self._event_ms = 0  # when the current key of the hook was pressed
        self._called: set[str] = set()  # the hooks that were called since they were installed
        self._set_s = 0.0
        self._patience_s = 0.0  # how long hooks may see nothing before they are reinstalled

    def _launch(self) -> None:
        super()._launch()
        if (ear := self._ear) is not None:
            try:
                ear.hear_mouse(any(code < 0 for binding in self._bindings for code in binding.key))
            except OSError as exc:
                raise _refused() from exc

    def stop(self) -> None:
        """See ``HotkeyListener``."""
        super().stop()
        ear, self._ear = self._ear, None
        if ear is not None:
            ear.stop()

    def has_died(self) -> bool:
        """See ``Watched``. Also when a source has ended."""
        return super().has_died() or (self._ear is not None and not self._ear.is_alive())

    def _threads(self) -> Sequence[WatchedThread]:
        ear = self._ear
        return (*super()._threads(), *(() if ear is None else (ear.thread,)))

    def touched_s(self) -> float | None:
        """See ``HotkeyListener``."""
        return super().touched_s() if self._unknown is None else None

    # --- the hooks -----------------------------------------------------------------------------------

    def _listen(self) -> tuple[Hook, ...]:
        # Imported late: the module can be loaded, and tested, where pynput is not installed.
        from pynput import keyboard, mouse

        keys: Any = keyboard.Listener(
            win32_event_filter=lambda message, data: self._on_key(keys, message, data)
        )
        buttons: Any = mouse.Listener(
            win32_event_filter=lambda message, data: self._on_mouse(buttons, message, data)
        )
        hooks: tuple[Any, ...] = keys, buttons
        try:
            for hook in hooks:
                hook.start()
                hook.wait()
            if self._ear is None:
                ear = RawInput(self._on_raw, self._look_for_missed, press_nothing)
                ear.start()
                self._ear = ear
        except OSError as exc:
            for hook in hooks:
                hook.stop()
            raise _refused() from exc
        was_in_vain = bool(self._set_s) and not self._have_been_called()
        self._patience_s = min(2 * self._patience_s + CHECK_S, MOST_PATIENCE_S) if was_in_vain else 0.0
        self._called.clear()
        self._heard_ms = last_input_ms()
        self._set_s = self._key_s = time.monotonic()
        return hooks

    def _on_key(self, hook: Any, message: int, data: Any) -> bool:  # noqa: ANN401 (pynput's)
        """Called on pynput's thread for each key. False keeps pynput from processing it further."""
        self._heard_ms = self._event_ms = int(data.time)
        self._key_s = time.monotonic()
        self._called.add("keys")
        is_press, key = message in _KEY_DOWN, int(data.vkCode)
        if key == VIRTUAL_KEYS["ctrl_l"] and int(data.scanCode) == _MADE_UP_CTRL:
            self._is_altgr |= is_press
            return False
        if key in (_PACKET, _NOTHING):
            return False
        is_injected = bool(data.flags & _INJECTED)  # on a busy machine the hook gets it much later
        is_ours = is_injected and (data.dwExtraInfo == EXTRA_INFO or self._was_injecting(time.monotonic()))
        code = self._code_of(key)
        if key == _RIGHT_ALT and not is_press and not is_ours:
            self._is_altgr = False
        late = self._late if self._late is not None and self._late[0] == code else None
        if late is not None and is_press and _is_before(self._event_ms, late[1]):
            return False
        is_kept = self._saw(code, is_press=is_press, is_ours=is_ours)
        if late is not None and not is_press:
            self._late, is_kept = None, False  # the focused program has its press, too
        if is_kept:
            hook.suppress_event()  # leaves by an exception that pynput expects
        return False

    def _on_mouse(self, hook: Any, message: int, data: Any) -> bool:  # noqa: ANN401 (pynput's)
        """Called on pynput's thread for each movement and click. False as in ``_on_key``."""
        self._heard_ms = int(data.time)
        self._called.add("mouse")
        if message in _SIDE_CLICKS:
            code, is_press = _SIDE_BUTTONS.get(int(data.mouseData) >> 16, 0), _SIDE_CLICKS[message]
        else:
            code, is_press = _CLICKS.get(message, (0, False))
        if code and self._saw(-code, is_press=is_press):
            hook.suppress_event()
        return False

    def _report(self, events: Sequence[Event]) -> None:
        super()._report(events)
        down = (self._bindings[event.hotkey] for event in events if isinstance(event, KeyDown))
        if self._ear is not None and any(binding.codes & _OPEN_MENUS for binding in down):
            self._ear.wake()  # not here: the hook would be called while it is being called

    def _is_deaf(self) -> bool:
        """Also after input that no source sees: on the secure desktop, on a touch screen."""
        return DEAF_MS < (last_input_ms() - self._heard_ms) % 2**32 < 2**31

    def _may_renew(self) -> bool:
        """Hooks that have seen nothing at all since they were installed are given longer each time."""
        return self._have_been_called() or time.monotonic() >= self._set_s + self._patience_s

    def _have_been_called(self) -> bool:
        return len(self._called) == 2

    def _is_down(self, code: int) -> bool:
        return super()._is_down(code) and is_our_desktop()

    def _is_really_down(self, code: int) -> bool:
        return is_key_down(_RIGHT_ALT if code == _ALTGR else abs(code))

    def _was_missed(self, code: int) -> bool:
        key = _RIGHT_ALT if code == _ALTGR else code
        at_ms = self._ear_down.get(key)
        is_first = at_ms is not None and _is_before(at_ms, self._event_ms)
        return is_first and self._code_of(key) == code and self._is_held_by_user(code)

    def _is_held_by_user(self, code: int) -> bool:
        """Whether the user holds the key, not a program of ours; False for a possible half of AltGr."""
        is_half = code in _HALVES_OF_ALTGR and all(map(is_key_down, _HALVES_OF_ALTGR))
        is_ours = code in self._masked or self._was_injecting(time.monotonic())
        return not is_half and not is_ours and self._is_really_down(code)

    def _codes(self, name: str) -> frozenset[int]:
        """The right Alt may have either name, on any layout; AltGr is neither of the two Alt keys."""
        return frozenset({_RIGHT_ALT, _ALTGR}) if name in ("alt_r", "altgr") else super()._codes(name)

    def _code_of(self, key: int) -> int:
        """Our code for the virtual key ``key``."""
        return _ALTGR if key == _RIGHT_ALT and self._is_altgr else key

    # --- the second ear ------------------------------------------------------------------------------

    def _on_raw(self, key: int, is_press: bool, time_ms: int) -> bool:
        """A key or side button from Raw Input; return whether to check that the hook sees it."""
        now_s = time.monotonic()
        self._heard_ms = time_ms
        code = self._code_of(key)
        if is_press:
            self._released.pop(key, None)
            if key not in self._ear_down:  # else it repeats
                self._ear_down[key] = time_ms
                self._unseen = (key, now_s) if self._is_missing(code) else None
        else:
            self._ear_down.pop(key, None)
            if self._belongs_to_what_is_down(code):
                self._released[key] = now_s
        if key > 0 and self._unknown is None and now_s - self._key_s >= MOMENT_S:
            self._unknown = now_s, self._key_s
        return self._is_waiting()

    def _look_for_missed(self) -> bool:
        """Called repeatedly while the hook may still see what Raw Input reported; return whether it may."""
        now_s = time.monotonic()
        is_gone = False
        for key in [key for key, at_s in self._released.items() if now_s - at_s >= MOMENT_S]:
            del self._released[key]
            code = self._code_of(key)
            if self._belongs_to_what_is_down(code):
                self._saw(code, is_press=False)
                is_gone = True
        if self._unseen is not None and now_s - self._unseen[1] >= MOMENT_S:
            key, at_s = self._unseen
            self._unseen = None
            self._press_late(key, at_s)
        if self._unknown is not None:
            at_s, key_s = self._unknown
            is_silent = self._key_s == key_s
            if not is_silent or now_s - at_s >= MOMENT_S:
                self._unknown = None
                is_gone |= is_silent
        if is_gone:
            self._repair()
        return self._is_waiting()

    def _is_waiting(self) -> bool:
        return bool(self._released) or self._unseen is not None or self._unknown is not None

    def _is_missing(self, code: int) -> bool:
        """Whether it is a hotkey by itself, and up, as far as the hook knows."""
        with self._lock:
            alone = (one.codes for one in self._bindings if len(one.modifiers) + bool(one.key) == 1)
            return not self._tracker.is_held(code) and any(code in codes for codes in alone)

    def _press_late(self, key: int, at_s: float) -> None:
        """Count a press of a hotkey that the hook did not see."""
        code, at_ms = self._code_of(key), self._ear_down.get(key)
        with self._lock:
            is_last = self._tracker.touched_s < at_s and self._capture is None
        if (
            self._hooks
            and is_last
            and at_ms is not None
            and self._is_missing(code)
            and self._is_held_by_user(code)
        ):
            self._late = code, at_ms
            self._saw(code, is_press=True)

    def _belongs_to_what_is_down(self, code: int) -> bool:
        """Whether, as far as the hook knows, this key holds a hotkey down that we have not released."""
        with self._lock:
            tracker = self._tracker
            is_held = (
                tracker.is_held(code) and code not in self._masked
            )  # Wine also says so of keys that we send
            return is_held and any(code in tracker.down_codes(hotkey) for hotkey in tracker.hotkeys_down)


def _is_before(first_ms: int, second_ms: int) -> bool:
    """Whether ``first_ms`` was not later; the times wrap after 2**32 ms."""
    return (second_ms - first_ms) % 2**32 < 2**31


def _refused() -> HotkeyError:
    title = Message("Windows won't let Handy Qwen listen for hotkeys.")
    hint = Message("A security program may be blocking it; allow it there.")
    return HotkeyError(title, HotkeyReason.UNSUPPORTED_DESKTOP, hint)


class _LastInput(ctypes.Structure):  # LASTINPUTINFO
    _fields_ = (("size", ctypes.c_uint32), ("time_ms", ctypes.c_uint32))


def last_input_ms() -> int:
    """When the last key or mouse event occurred, in milliseconds since Windows started, modulo 2**32."""
    user32 = ctypes.windll.user32  # type: ignore[attr-defined,unused-ignore]  # on Windows only
    found = _LastInput(ctypes.sizeof(_LastInput))
    user32.GetLastInputInfo(ctypes.byref(found))
    return int(found.time_ms)


def is_key_down(code: int) -> bool:
    """Whether the key or button is down now (the highest bit of GetAsyncKeyState)."""
    user32 = ctypes.windll.user32  # type: ignore[attr-defined,unused-ignore]  # on Windows only
    return bool(user32.GetAsyncKeyState(code) & 0x8000)


def is_our_desktop() -> bool:
    """Whether the user's keys go to the desktop of this program, and not, say, to the lock screen."""
    user32, kernel32 = (ctypes.WinDLL(name) for name in ("user32", "kernel32"))  # type: ignore[attr-defined,unused-ignore]
    user32.GetThreadDesktop.restype = ctypes.c_void_p
    desktop = ctypes.c_void_p(user32.GetThreadDesktop(kernel32.GetCurrentThreadId()))
    has_input = ctypes.c_int(1)  # the result where it cannot be queried, as under Wine
    user32.GetUserObjectInformationW(desktop, _HAS_INPUT, ctypes.byref(has_input), 4, None)
    return bool(has_input.value)


def press_nothing() -> None:
    """Press and release the meaningless key."""
    user32 = ctypes.windll.user32  # type: ignore[attr-defined,unused-ignore]  # on Windows only
    for flags in (0, _KEY_UP):
        user32.keybd_event(_NOTHING, 0, flags, 0)
