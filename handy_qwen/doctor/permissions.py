r"""What the system must have allowed: the microphone, hearing keys, pressing keys.

On Linux under X11 a program may do all of it; on Wayland the portal asks. Windows keeps one switch for the
microphone; macOS has three. Nothing here asks the user.

Source: Windows, CapabilityAccessManager\ConsentStore; macOS, Quartz Event Services and AVCaptureDevice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, fine, problem, warning
from handy_qwen.system.session import Kind

NAME = "permissions"
CONSENT = r"Software\Microsoft\Windows\CurrentVersion\CapabilityAccessManager\ConsentStore\microphone"
PORTALS = {
    "org.freedesktop.portal.GlobalShortcuts": "hotkeys",
    "org.freedesktop.portal.RemoteDesktop": "pressing keys",
}
AV_DENIED = {1: "restricted", 2: "denied"}  # AVAuthorizationStatus


def check(context: Context) -> Iterator[Finding]:
    """Look at what this system lets the program do."""
    if context.platform == "win32":
        import winreg

        yield from check_windows(winreg)
    elif context.platform == "darwin":
        yield from _check_macos()
    elif context.is_wayland:
        yield from _check_portals()
    elif context.session.kind is Kind.X11:
        yield fine(NAME, "X11 lets every program hear and press keys: nothing has to be allowed.")


def check_windows(registry: Any) -> Iterator[Finding]:  # noqa: ANN401  winreg, or a stand-in for it
    """Look at the switches for the microphone: for all programs, and for those not from the store."""
    denied = [key for key in (CONSENT, rf"{CONSENT}\NonPackaged") if _value(registry, key) == "Deny"]
    if denied:
        yield problem(
            NAME,
            "Windows does not let desktop apps use the microphone.",
            "Settings > Privacy & security > Microphone: turn on “Let desktop apps access your microphone”.",
            microphone="denied",
        )
    else:
        yield fine(NAME, "Windows lets desktop apps use the microphone.", microphone="allowed")


def _value(registry: Any, key: str) -> str:  # noqa: ANN401
    try:
        with registry.OpenKey(registry.HKEY_CURRENT_USER, key) as handle:
            value, _ = registry.QueryValueEx(handle, "Value")
    except OSError:  # never set: allowed
        return ""
    return str(value)


def _check_macos() -> Iterator[Finding]:
    import Quartz  # type: ignore[import-not-found,unused-ignore]  # on macOS only

    rights = {
        "Input Monitoring": bool(Quartz.CGPreflightListenEventAccess()),
        "Accessibility": bool(Quartz.CGPreflightPostEventAccess()),
        "Microphone": _may_record(),
    }
    missing = [name for name, is_given in rights.items() if not is_given]
    if missing:
        yield problem(
            NAME,
            f"macOS has not allowed: {', '.join(missing)}.",
            f"System Settings > Privacy & Security > {missing[0]}: turn it on, then start the app again.",
            **rights,
        )
    else:
        yield fine(NAME, f"macOS allows {', '.join(rights)}.", **rights)


def _may_record() -> bool:
    """Whether the microphone is not forbidden; what was not asked yet is asked at the first recording."""
    try:
        from AVFoundation import (  # type: ignore[import-not-found,unused-ignore]
            AVCaptureDevice,
            AVMediaTypeAudio,
        )
    except ImportError:  # pyobjc's part for it is not needed otherwise; silence tells as well
        return True
    return AVCaptureDevice.authorizationStatusForMediaType_(AVMediaTypeAudio) not in AV_DENIED


def _check_portals() -> Iterator[Finding]:
    from handy_qwen.doctor.portals import version_of

    found = {what: version_of(interface) for interface, what in PORTALS.items()}
    missing = [what for what, version in found.items() if version is None]
    if missing:
        yield warning(
            NAME,
            f"The desktop's portal offers nothing for {' and '.join(missing)}.",
            "Install xdg-desktop-portal and its part for your desktop; other ways are tried, too.",
            **found,
        )
    else:
        yield fine(NAME, "The desktop's portal can allow hotkeys and pressing keys; it asks once.", **found)
