"""The permissions needed on macOS, and how to request them.

    MICROPHONE         AVCaptureDevice       to record
    ACCESSIBILITY      AXIsProcessTrusted    event taps that swallow keys, and posting keys
    INPUT_MONITORING   IOHIDCheckAccess      event taps that listen

Reading the state makes the system ask nothing; creating an event tap would. The system does not tell whether
Accessibility was refused, so a request without success counts as refused.

Threads: any; ``ask`` may last until the user has answered. Not run on macOS: written from AVCaptureDevice.h,
AXUIElement.h, hidsystem/IOHIDLib.h and PyObjC's metadata, and tested with fakes for them. The panes of System
Settings are undocumented; their names have not changed since macOS 10.15.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from handy_qwen.core.permissions import Consent, Consents, Permission
from handy_qwen.message import Message
from handy_qwen.system.opening import run

logger = logging.getLogger(__name__)

FOR_HOTKEYS = (Permission.ACCESSIBILITY, Permission.INPUT_MONITORING)
ALLOW_IT = Message("Allow it: tray → Help → Set up again… → Permissions.")

_LISTEN = 1  # kIOHIDRequestTypeListenEvent
_HID_ACCESS = {0: Consent.GIVEN, 1: Consent.REFUSED}  # kIOHIDAccessTypeGranted, …Denied; else unknown
_AV_STATUS = {0: Consent.UNASKED, 3: Consent.GIVEN}  # AVAuthorizationStatusNotDetermined, …Authorized; else
# denied, by the user or by whoever manages the computer
_PANES = {
    Permission.MICROPHONE: "Privacy_Microphone",
    Permission.ACCESSIBILITY: "Privacy_Accessibility",
    Permission.INPUT_MONITORING: "Privacy_ListenEvent",
}


def consent(permission: Permission) -> Consent:
    """The user's answer to ``permission``, as far as the system tells."""
    match permission:
        case Permission.MICROPHONE:
            av = _avfoundation()
            status = av.AVCaptureDevice.authorizationStatusForMediaType_(av.AVMediaTypeAudio)
            return _AV_STATUS.get(status, Consent.REFUSED)
        case Permission.ACCESSIBILITY:
            return Consent.GIVEN if _services().AXIsProcessTrusted() else Consent.UNASKED
        case Permission.INPUT_MONITORING:
            return _HID_ACCESS.get(_iokit().IOHIDCheckAccess(_LISTEN), Consent.UNASKED)


def consents() -> Consents:
    """The user's answer to each."""
    return {permission: consent(permission) for permission in Permission}


def ask(permission: Permission, on_answer: Callable[[], None]) -> None:
    """Have the system ask the user. ``on_answer`` is called with the answer, where the system tells."""
    match permission:
        case Permission.MICROPHONE:
            av = _avfoundation()
            av.AVCaptureDevice.requestAccessForMediaType_completionHandler_(
                av.AVMediaTypeAudio, lambda _is_given: on_answer()
            )
        case Permission.ACCESSIBILITY:
            services = _services()
            services.AXIsProcessTrustedWithOptions({services.kAXTrustedCheckOptionPrompt: True})
        case Permission.INPUT_MONITORING:
            _iokit().IOHIDRequestAccess(_LISTEN)


def open_settings(permission: Permission) -> None:
    """Open the pane of System Settings for ``permission``."""
    if not run("open", f"x-apple.systempreferences:com.apple.preference.security?{_PANES[permission]}"):
        logger.warning("System Settings did not open")


def _avfoundation() -> Any:  # noqa: ANN401 (pyobjc has no types)
    import AVFoundation  # type: ignore[import-not-found,unused-ignore]  # on macOS only

    return AVFoundation


def _services() -> Any:  # noqa: ANN401 (as above)
    import ApplicationServices  # type: ignore[import-not-found,unused-ignore]  # on macOS only

    return ApplicationServices


@cache
def _iokit() -> Any:  # noqa: ANN401 (ctypes)
    library = ctypes.CDLL("/System/Library/Frameworks/IOKit.framework/IOKit")
    for function, result in (
        (library.IOHIDCheckAccess, ctypes.c_uint32),
        (library.IOHIDRequestAccess, ctypes.c_bool),
    ):
        function.argtypes, function.restype = (ctypes.c_uint32,), result
    return library
