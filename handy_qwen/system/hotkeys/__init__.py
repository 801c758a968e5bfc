"""Global hotkeys: chooses the system's way to get them.

    system                 adapter                  swallows chords, hears releases   modifiers alone, buttons
    X11                    x11.X11Hotkeys                      yes                            yes
    sway                   sway.SwayHotkeys                    yes                            no
    Wayland, with portal   portal.PortalHotkeys                yes                            no
    Windows                windows.WindowsHotkeys              yes                            yes
    macOS                  macos.MacHotkeys                    yes                            yes
    none of these          listener.Listener                   -                              -

Each can also record the keys of a new hotkey (``capture``), except the portal, where the desktop assigns
them. Wayland takes precedence over its X server for old programs (XWayland), which sees keys only for those.
"""

from __future__ import annotations

from handy_qwen.core.ports import Post
from handy_qwen.system.hotkeys.listener import Listener, WasInjecting, never
from handy_qwen.system.session import Kind, Session


def hotkeys_for(
    post: Post, session: Session, *, was_injecting: WasInjecting = never, may_ask: bool = True
) -> Listener:
    """The listener for this system, not started.

    Args:
        post: Takes the events, on a thread of the listener.
        session: The desktop.
        was_injecting: Whether this program was pressing keys at a time (``time.monotonic()``). It must be
            true from before the first such key until 50 ms after the last was processed, and answer at once.
        may_ask: Whether the desktop may ask the user about hotkeys before ``allow_questions``.
    """
    # The libraries of the other systems are not installed, and some fail on import.
    match session.kind:
        case Kind.WINDOWS:
            from handy_qwen.system.hotkeys.windows import WindowsHotkeys

            return WindowsHotkeys(post, was_injecting)
        case Kind.MACOS:
            from handy_qwen.system.hotkeys.macos import MacHotkeys

            return MacHotkeys(post, was_injecting)
        case Kind.WAYLAND:
            from handy_qwen.system.wayland.sway import sway_socket

            if path := sway_socket():
                from handy_qwen.system.hotkeys.sway import SwayHotkeys

                return SwayHotkeys(post, path, display=session.display)
            from handy_qwen.system.hotkeys.portal import PortalHotkeys

            return PortalHotkeys(post, may_ask=may_ask)
        case Kind.X11:
            from handy_qwen.system.hotkeys.x11 import X11Hotkeys

            return X11Hotkeys(post, was_injecting, display=session.display)
        case Kind.NONE:
            return Listener(post)
