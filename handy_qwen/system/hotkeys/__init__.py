"""Global hotkeys: which of the systems' ways to hear them fits this one.

    system                 adapter                  swallows chords, hears releases   modifiers alone, buttons
    X11                    x11.X11Hotkeys                      yes                            yes
    Wayland, with portal   portal.PortalHotkeys                yes                            no
    Windows                windows.WindowsHotkeys              yes                            yes
    macOS                  macos.MacHotkeys                    yes                            yes
    none of these          listener.Listener                   -                              -

Each can also hear the keys of a new hotkey (``capture``), but the portal, where the desktop assigns them.
Wayland comes before its X server for old programs (XWayland), which hears keys only for those.
"""

from __future__ import annotations

from handy_qwen.core.ports import Post
from handy_qwen.system.hotkeys.listener import Listener, WasInjecting, never
from handy_qwen.system.session import Kind, Session


def hotkeys_for(post: Post, session: Session, *, was_injecting: WasInjecting = never) -> Listener:
    """The listener for this system, which posts on a thread of its own; it does not listen yet.

    ``was_injecting``: whether this program was pressing keys at a time (``time.monotonic()``); true from
    before the first such key until 50 ms after the last was processed, answered at once.
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
            from handy_qwen.system.hotkeys.portal import PortalHotkeys

            return PortalHotkeys(post)
        case Kind.X11:
            from handy_qwen.system.hotkeys.x11 import X11Hotkeys

            return X11Hotkeys(post, was_injecting, display=session.display)
        case Kind.NONE:
            return Listener(post)
