"""Global hotkeys: which of the systems' ways to hear them fits this one.

    system                     adapter            swallows chords   hears releases   lone modifiers
    X11                        x11.X11Hotkeys           yes               yes              yes
    Wayland, with portal       wayland.PortalHotkeys    yes               yes              no
    Windows                    windows.WindowsHotkeys   yes               yes              yes
    macOS                      macos.MacHotkeys         yes               yes              yes
    none of these              NoHotkeys                -                 -                -

A Wayland session often has an X server for old programs as well (XWayland). It hears keys only while
the window of such a program has the focus, so it is no way out: Wayland comes first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from handy_qwen.core.ports import Hotkey, HotkeyListener, Post
from handy_qwen.errors import HotkeyError, HotkeyReason


class NoHotkeys:
    """Stands in where no hotkeys can be heard; the tray and the command line still work."""

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """Say so, if there is anything to listen for.

        Raises:
            HotkeyError: UNSUPPORTED_DESKTOP.
        """
        if hotkeys:
            raise HotkeyError(
                "Hotkeys do not work on this desktop.",
                HotkeyReason.UNSUPPORTED_DESKTOP,
                'Let your desktop run "handy-qwen start" and "handy-qwen stop" on a key of its own.',
            )

    def watch_escape(self, is_wanted: bool) -> None:
        """Nothing can be watched."""

    def stop(self) -> None:
        """Nothing runs."""


def hotkeys_for(
    post: Post,
    *,
    platform: str = sys.platform,
    environment: Mapping[str, str],
    was_injecting: Callable[[float], bool] = lambda _at_s: False,
) -> HotkeyListener:
    """The listener for this system; it does not listen yet.

    Args:
        post: Takes the events, on a thread of the listener's.
        platform: A value of ``sys.platform``.
        environment: The environment variables, which tell X11 from Wayland.
        was_injecting: Whether this program was sending keys of its own at a time (``time.monotonic()``). It
            must be true from before the first such key until 50 ms after the last has been taken in, and
            answer at once on any thread.
    """
    # The libraries of the other systems are not installed, and some fail on import.
    if platform == "win32":
        from handy_qwen.system.hotkeys.windows import WindowsHotkeys

        return WindowsHotkeys(post, was_injecting=was_injecting)
    if platform == "darwin":
        from handy_qwen.system.hotkeys.macos import MacHotkeys

        return MacHotkeys(post, was_injecting=was_injecting)
    if environment.get("WAYLAND_DISPLAY") or environment.get("XDG_SESSION_TYPE") == "wayland":
        from handy_qwen.system.hotkeys.wayland import PortalHotkeys

        return PortalHotkeys(post)
    if environment.get("DISPLAY"):
        from handy_qwen.system.hotkeys.x11 import X11Hotkeys

        return X11Hotkeys(post, was_injecting=was_injecting, display=environment["DISPLAY"])
    return NoHotkeys()
