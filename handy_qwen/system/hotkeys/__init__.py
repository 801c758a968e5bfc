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

from collections.abc import Callable, Sequence
from typing import assert_never

from handy_qwen.core.events import HotkeysDied
from handy_qwen.core.ports import HotkeyListener, Post
from handy_qwen.core.types import Hotkey
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.system.session import Kind, Session


class NoHotkeys:
    """Stands in where no hotkeys can be heard; the tray and the command line still work."""

    def __init__(self, post: Post) -> None:
        self._post = post

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

    check = start

    def watch_escape(self, is_wanted: bool) -> None:
        """Nothing can be watched."""

    def stop(self) -> None:
        """Nothing runs."""

    def has_died(self) -> bool:
        """Nothing runs."""
        return False

    def piece(self) -> int | None:
        """Nothing runs."""
        return None

    def own_pieces(self) -> int:
        """Nothing runs."""
        return 0

    def revive(self) -> None:
        """See ``HotkeyListener``."""
        self._post(HotkeysDied())


def hotkeys_for(
    post: Post, session: Session, *, was_injecting: Callable[[float], bool] = lambda _at_s: False
) -> HotkeyListener:
    """The listener for this system; it does not listen yet.

    Args:
        post: Takes the events, on a thread of the listener's.
        session: The desktop.
        was_injecting: Whether this program was sending keys of its own at a time (``time.monotonic()``). It
            must be true from before the first such key until 50 ms after the last has been taken in, and
            answer at once on any thread.
    """
    # The libraries of the other systems are not installed, and some fail on import.
    match session.kind:
        case Kind.WINDOWS:
            from handy_qwen.system.hotkeys.windows import WindowsHotkeys

            return WindowsHotkeys(post, was_injecting=was_injecting)
        case Kind.MACOS:
            from handy_qwen.system.hotkeys.macos import MacHotkeys

            return MacHotkeys(post, was_injecting=was_injecting)
        case Kind.WAYLAND:
            from handy_qwen.system.hotkeys.portal import PortalHotkeys

            return PortalHotkeys(post)
        case Kind.X11:
            from handy_qwen.system.hotkeys.x11 import X11Hotkeys

            return X11Hotkeys(post, was_injecting=was_injecting, display=session.display)
        case Kind.NONE:
            return NoHotkeys(post)
        case _:
            assert_never(session.kind)
