"""Global hotkeys on macOS, through event taps.

    CGEventTap --(threads of the taps)--> HookedListener --> post

Left and right modifiers differ in the device bits of the event's flags; the common bit stays set while the
other side is held. Letters are positions on the keyboard: "d" is the key that types it on a US keyboard. Our
own keys are recognized by their process.

Fn has no side and only the common bit. Arrows and function keys have that bit as well, so it counts only in
an event of the key itself; in the queried state, an arrow may make Fn seem down. A tap of it ends with a
separate key, Globe, on which the system opens the character viewer: that is swallowed while Fn is a hotkey.
The system may do so without that key, too, so the help page says which of its settings to change.

A tap that swallows keys needs the permission "Accessibility", one that listens "Input Monitoring"; a missing
one is reported by name, and the guide asks for it. The system disables a tap that responds late and reports
it; it is then replaced. While Secure Input is on, for a password field or in Terminal, no program sees keys;
if it stays on, the user is notified. Media keys are system events, whose state cannot be queried. Their
contents are in undocumented fields: only the main thread may create the NSEvent that has them.

pynput is not used: its listener asks for the keyboard layout and makes NSEvents of media keys and Caps Lock,
which macOS lets only the main thread do: beside Qt that ends the process (pynput issue 511).

Not yet run on macOS: written from the documentation, and tested with fakes for the taps and Quartz. Source:
CGEvent.h, CGEventTypes.h, CFMachPort.h, CFRunLoop.h, IOLLEvent.h (device bits), HIToolbox/Events.h (key
codes), PyObjC's metadata.
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from handy_qwen.core.events import Trouble
from handy_qwen.core.permissions import Consent, Permission
from handy_qwen.errors import HandyError, HotkeyError, HotkeyReason
from handy_qwen.message import Message
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.hotkeys.listener import Hook, HookedListener
from handy_qwen.system.permissions import ALLOW_IT, FOR_HOTKEYS, consent

logger = logging.getLogger(__name__)

_KEY_DOWN, _KEY_UP, _FLAGS_CHANGED = 10, 11, 12  # kCGEventKeyDown ...
_SYSTEM_DEFINED, _MEDIA_KEYS = 14, 8  # NSEventTypeSystemDefined, its subtype NX_SUBTYPE_AUX_CONTROL_BUTTONS
_CLICKS = {1: (-1, True), 2: (-1, False), 3: (-2, True), 4: (-2, False)}  # kCGEventLeftMouseDown ...
_OTHER_DOWN, _OTHER_UP = 25, 26  # kCGEventOtherMouseDown ...
_BUTTON_FIELD = 3  # kCGMouseEventButtonNumber
_TAP_DISABLED = frozenset({0xFFFFFFFE, 0xFFFFFFFF})  # kCGEventTapDisabledByTimeout, ...ByUserInput
_MEDIA_IS_DOWN = 0x0A
_KEYCODE_FIELD = 9  # kCGKeyboardEventKeycode
_PROCESS_FIELD = 41  # kCGEventSourceUnixProcessID
_SUBTYPE_FIELD, _DATA1_FIELD = 99, 149  # of a system event
_HID_STATE = 1  # kCGEventSourceStateHIDSystemState
STOP_S = 2.0  # for the thread to end; nothing is shown to it any more
OnEvent = Callable[[int, Any], Any]
"""Takes the kind of an event and the event; returns the event, or None to keep it from all programs."""
SECURE_INPUT = "secure input"  # the subject of a notice

_DEVICE_BITS = {  # key code -> its device bit in the flags: NX_DEVICELCTLKEYMASK ...
    0x3B: 0x0001,
    0x38: 0x0002,
    0x3C: 0x0004,
    0x37: 0x0008,
    0x36: 0x0010,
    0x3A: 0x0020,
    0x3D: 0x0040,
    0x3E: 0x2000,
    0x3F: 0x800000,  # Fn: kCGEventFlagMaskSecondaryFn
}
_FN, _GLOBE = 0x3F, 0xB3

_CODES = """
    fn=3F ctrl_l=3B ctrl_r=3E shift_l=38 shift_r=3C alt_l=3A alt_r=3D altgr=3D super_l=37 super_r=36
    space=31 enter=24 tab=30 backspace=33 escape=35 delete=75 home=73 end=77 page_up=74 page_down=79
    up=7E down=7D left=7B right=7C minus=1B equal=18 comma=2B period=2F slash=2C semicolon=29
    apostrophe=27 grave=32 backslash=2A bracketleft=21 bracketright=1E
"""
KEY_CODES = {name: int(code, 16) for name, code in (one.split("=") for one in _CODES.split())}
_LETTER_CODES = (
    "a00 b0B c08 d02 e0E f03 g05 h04 i22 j26 k28 l25 m2E n2D o1F p23 q0C r0F s01 t11 u20 v09 w0D x07 y10 z06"
)
_DIGIT_CODES = (0x1D, 0x12, 0x13, 0x14, 0x15, 0x17, 0x16, 0x1A, 0x1C, 0x19)
_KEYPAD_CODES = (0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5B, 0x5C)
_FUNCTION_CODES = (
    *(0x7A, 0x78, 0x63, 0x76, 0x60, 0x61, 0x62, 0x64, 0x65, 0x6D),
    *(0x67, 0x6F, 0x69, 0x6B, 0x71, 0x6A, 0x40, 0x4F, 0x50, 0x5A),
)
KEY_CODES |= {pair[0]: int(pair[1:], 16) for pair in _LETTER_CODES.split()}
KEY_CODES |= {str(n): code for n, code in enumerate(_DIGIT_CODES)}
KEY_CODES |= {f"kp_{n}": code for n, code in enumerate(_KEYPAD_CODES)}
KEY_CODES |= {f"f{n}": code for n, code in enumerate(_FUNCTION_CODES, start=1)}
KEY_CODES |= {f"mouse{n}": -n for n in range(4, 13)}
_MEDIA = 0x100  # added to the numbers of media keys: NX_KEYTYPE_SOUND_UP ...
KEY_CODES |= {"media_play_pause": _MEDIA + 16, "media_next": _MEDIA + 17, "media_previous": _MEDIA + 18}
KEY_CODES |= {"volume_up": _MEDIA + 0, "volume_down": _MEDIA + 1, "volume_mute": _MEDIA + 7}


class MacHotkeys(HookedListener):
    """Listens for hotkeys on macOS."""

    NAME = "macOS"
    KEY_CODES = KEY_CODES
    KNOWS_SWALLOWED = True
    _POINTING = frozenset({-1, -2, -3})  # left, right, middle
    _has_side_buttons = False  # whether the current hooks can swallow those
    _was_secured, _has_told = False, False  # at the last check; whether the user was notified

    def _launch(self) -> None:
        """Every click waits for a tap that can swallow, so the mouse has one only while it is needed."""
        if self._hooks and self._has_side_buttons != self._needs_side_buttons():
            self._replace()
        super()._launch()

    def end_capture(self) -> None:
        """See ``HotkeyListener``."""
        super().end_capture()
        if self._hooks:
            self._launch()

    def _needs_side_buttons(self) -> bool:
        codes = frozenset[int]().union(*(binding.key for binding in self._bindings))
        return self._capture is not None or any(code < 0 for code in codes)

    def _listen(self) -> tuple[Hook, ...]:
        _require_permissions()
        quartz = _quartz()
        self._has_side_buttons = self._needs_side_buttons()
        keys = EventTap(
            quartz, (_KEY_DOWN, _KEY_UP, _FLAGS_CHANGED, _SYSTEM_DEFINED), self._on_event, can_keep=True
        )
        buttons = EventTap(
            quartz, (*_CLICKS, _OTHER_DOWN, _OTHER_UP), self._on_mouse, can_keep=self._has_side_buttons
        )
        if not (keys.start() and buttons.start()):
            keys.stop()
            raise HotkeyError(
                Message("Hotkeys stopped working."),
                HotkeyReason.DENIED_BY_USER,
                Message("Restart Handy Qwen."),
            )
        return keys, buttons

    def _threads(self) -> Sequence[WatchedThread]:
        return (*super()._threads(), *(tap.thread for tap in self._hooks))

    def _on_mouse(self, kind: int, event: Any) -> Any:  # noqa: ANN401 (Quartz's CGEvent)
        """Like ``_on_event``, for the mouse."""
        if kind in _TAP_DISABLED:
            self._have_renewed()
            return event
        if kind in _CLICKS:
            code, is_press = _CLICKS[kind]
        else:
            code = -1 - int(_quartz().CGEventGetIntegerValueField(event, _BUTTON_FIELD))
            is_press = kind == _OTHER_DOWN
        return None if self._saw(code, is_press=is_press) else event

    def _on_media_key(self, event: Any) -> bool:  # noqa: ANN401 (Quartz's CGEvent)
        """Whether it is one that must be swallowed."""
        quartz = _quartz()
        if quartz.CGEventGetIntegerValueField(event, _SUBTYPE_FIELD) != _MEDIA_KEYS:
            return False
        data = int(quartz.CGEventGetIntegerValueField(event, _DATA1_FIELD))
        return self._saw(_MEDIA + (data >> 16 & 0xFFFF), is_press=data >> 8 & 0xFF == _MEDIA_IS_DOWN)

    def _on_event(self, kind: int, event: Any) -> Any:  # noqa: ANN401 (Quartz's CGEvent)
        """Called on the tap's thread for each key. Returns None to swallow the event."""
        if kind in _TAP_DISABLED:
            self._have_renewed()
            return event
        if kind == _SYSTEM_DEFINED:
            return None if self._on_media_key(event) else event
        if kind not in (_KEY_DOWN, _KEY_UP, _FLAGS_CHANGED):
            return event
        quartz = _quartz()
        code = int(quartz.CGEventGetIntegerValueField(event, _KEYCODE_FIELD))
        process = int(quartz.CGEventGetIntegerValueField(event, _PROCESS_FIELD))
        is_ours = process == os.getpid() or (process != 0 and self._was_injecting(time.monotonic()))
        if code == _GLOBE and kind != _FLAGS_CHANGED:
            return None if self._wants_fn() else event
        if kind == _FLAGS_CHANGED:
            code = _FN if code == _GLOBE else code  # sent by some keyboards
            bit = _DEVICE_BITS.get(code)
            if bit is None:
                return event  # Caps Lock: a state, not a key that is held
            is_press = bool(quartz.CGEventGetFlags(event) & bit)
        else:
            is_press = kind == _KEY_DOWN
        return None if self._saw(code, is_press=is_press, is_ours=is_ours) else event

    def _wants_fn(self) -> bool:
        """Whether Fn belongs to a hotkey, or may become one."""
        return self._capture is not None or any(_FN in binding.codes for binding in self._bindings)

    def _is_deaf(self) -> bool:
        is_secured = is_secure_input()
        if self._has_told and not is_secured:
            self._has_told = False
            self._post(Trouble(SECURE_INPUT, None))
        self._was_secured &= is_secured
        return is_secured or not _may_keep_keys()

    def _may_renew(self) -> bool:
        """Whether "Accessibility" was revoked: a remaining tap would delay all programs for nothing.

        Otherwise the taps are fine, and a password field that is left soon is not worth a notice.
        """
        if not _may_keep_keys():
            return True
        if self._was_secured and not self._has_told:
            self._has_told = True
            self._post(Trouble(SECURE_INPUT, _secured()))
        self._was_secured = True
        return False

    def _is_really_down(self, code: int) -> bool:
        quartz = _quartz()
        if code < 0:  # kCGMouseButtonLeft is 0
            return bool(quartz.CGEventSourceButtonState(_HID_STATE, -code - 1))
        if code >= _MEDIA:
            return True  # it cannot be queried
        if code == _FN:  # unknown to the key state
            return bool(quartz.CGEventSourceFlagsState(_HID_STATE) & _DEVICE_BITS[_FN])
        return bool(quartz.CGEventSourceKeyState(_HID_STATE, code))


def is_secure_input() -> bool:
    """Whether a program has asked macOS to keep all keys from others."""
    carbon = ctypes.CDLL("/System/Library/Frameworks/Carbon.framework/Carbon")
    carbon.IsSecureEventInputEnabled.restype = ctypes.c_bool
    return bool(carbon.IsSecureEventInputEnabled())


def _quartz() -> Any:  # noqa: ANN401 (pyobjc has no types)
    import Quartz  # type: ignore[import-not-found,unused-ignore]  # on macOS only

    return Quartz


def _may_keep_keys() -> bool:
    return consent(Permission.ACCESSIBILITY) is Consent.GIVEN


def _require_permissions() -> None:
    """Check before creating a tap: that would make the system ask, while the guide may be asking already."""
    for permission in FOR_HOTKEYS:
        if consent(permission) is not Consent.GIVEN:
            raise _denied(permission)


def _secured() -> HandyError:
    return HandyError(
        Message("Another program keeps all keys to itself, so hotkeys don't work."),
        Message("Leave its password field, or turn off Secure Keyboard Entry in Terminal's menu."),
    )


def _denied(permission: Permission) -> HotkeyError:
    title = Message(
        'Hotkeys need the permission "{pane}", which this program does not have.', pane=permission.value
    )
    return HotkeyError(title, HotkeyReason.DENIED_BY_USER, ALLOW_IT)


class EventTap:
    """A tap for the events of some ``kinds``; one that cannot keep them back delays nobody.

    The system waits for ``on_event`` and disables a tap that answers late, which is an event as well.

    Threads: ``on_event`` is called on the tap's own, which has to run a loop of the system's.

    Attributes:
        thread: For the watchdog.
    """

    def __init__(self, quartz: Any, kinds: Iterable[int], on_event: OnEvent, *, can_keep: bool) -> None:  # noqa: ANN401 (pyobjc has no types)
        self._quartz, self._on_event = quartz, on_event
        self._mask = sum(1 << kind for kind in kinds)
        self._can_keep = can_keep
        self._tap: Any = None
        self._loop: Any = None  # of the thread, once it listens
        self._is_ready = threading.Event()
        self.thread = WatchedThread("hotkeys-tap", self._run)

    def start(self) -> bool:
        """Listen from now on; False if the system makes no tap, or takes it away at once."""
        quartz = self._quartz
        option = quartz.kCGEventTapOptionDefault if self._can_keep else quartz.kCGEventTapOptionListenOnly
        self._tap = quartz.CGEventTapCreate(
            quartz.kCGSessionEventTap, quartz.kCGHeadInsertEventTap, option, self._mask, self._hear, None
        )
        if self._tap is None:
            return False
        self.thread.start()
        self._is_ready.wait()
        if self._loop is None:
            self.stop()  # a tap that nobody listens to has all programs wait
            return False
        return True

    def stop(self) -> None:
        """Listen no more. Not on the tap's own thread. Safe to call twice."""
        if self._tap is not None:
            self._quartz.CFMachPortInvalidate(self._tap)  # which leaves the loop nothing to wait for
            if self._loop is not None:
                self._quartz.CFRunLoopStop(self._loop)
            self.thread.may_end()
            self.thread.join(STOP_S)

    def is_alive(self) -> bool:
        """Whether it listens."""
        return self.thread.is_alive()

    def _run(self) -> None:
        quartz = self._quartz
        try:
            source = quartz.CFMachPortCreateRunLoopSource(None, self._tap, 0)
            if source is None:  # the port is not valid any more
                return
            loop = quartz.CFRunLoopGetCurrent()
            quartz.CFRunLoopAddSource(loop, source, quartz.kCFRunLoopCommonModes)
            quartz.CGEventTapEnable(self._tap, True)
            self._loop = loop
        finally:
            self._is_ready.set()  # start waits for it, whatever has failed
        quartz.CFRunLoopRun()

    def _hear(self, _proxy: Any, kind: int, event: Any, _info: Any) -> Any:  # noqa: ANN401 (as above)
        self.thread.begin()
        try:
            return self._on_event(kind, event)
        except Exception:  # the top of Python's part: an exception that goes on ends the process
            logger.exception("an event of the keyboard or mouse was not understood")
            return event
        finally:
            self.thread.end()
