"""Which listener a system gets, what stands in where none can work, and how work reaches its thread."""

import sys

import pytest

from handy_qwen.core.events import HotkeysDied
from handy_qwen.core.types import Hotkey
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.system.hotkeys import hotkeys_for
from handy_qwen.system.session import Kind, Session

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="its libraries are on Linux only")


def post(event):
    raise AssertionError(event)


@pytest.mark.parametrize(
    ("kind", "adapter"),
    [
        (Kind.WINDOWS, "WindowsHotkeys"),
        (Kind.MACOS, "MacHotkeys"),
        (Kind.X11, "X11Hotkeys"),
        (Kind.WAYLAND, "PortalHotkeys"),
        (Kind.NONE, "Listener"),
    ],
)
def test_each_system_has_its_own_and_all_can_be_looked_after(kind, adapter):
    if kind in (Kind.X11, Kind.WAYLAND) and not sys.platform.startswith("linux"):
        pytest.skip("its libraries are on Linux only")
    posted = []
    listener = hotkeys_for(posted.append, Session(kind, display=":54325"))
    assert type(listener).__name__ == adapter
    assert (listener.has_died(), listener.piece()) == (False, None)
    listener.revive()
    assert posted == [HotkeysDied()], "the cycle knows what to listen for"
    listener.stop()  # never started
    assert not listener.has_died()


def test_without_a_desktop_hotkeys_are_refused_and_no_key_of_one_is_advised():
    listener = hotkeys_for(post, Session(Kind.NONE))
    listener.start([])
    with pytest.raises(HotkeyError) as refused:
        listener.start([Hotkey("f9")])
    assert refused.value.reason is HotkeyReason.UNSUPPORTED_DESKTOP
    assert refused.value.hint == "Start the app in a desktop session."
    listener.watch_escape(True)
    listener.stop()


@on_linux
@pytest.mark.parametrize(
    ("chord", "trigger"),
    [
        ("ctrl+alt+d", "CTRL+ALT+d"),
        ("super+space", "LOGO+space"),
        ("ctrl_r+page_up", "CTRL+Page_Up"),
        ("f9", "F9"),
        ("media_play_pause", "XF86AudioPlay"),
        ("ctrl_r", "F9"),
        ("altgr+f4", "F9"),
    ],
)
def test_the_portal_is_asked_in_its_own_words(chord, trigger):
    from handy_qwen.system.hotkeys.portal import shortcuts_for

    dictate, cancel = shortcuts_for([Hotkey(chord, language="French")])
    assert (dictate.description, dictate.trigger) == ("Dictate (French)", trigger)
    assert (cancel.name, cancel.trigger) == ("cancel", "")
