"""Hotkeys by way of sway's socket: what is bound when, and what becomes of the events."""

import queue
import sys

import pytest

from handy_qwen.core.events import EscapePressed, HotkeysFailed, KeyDown, KeyUp, LockPressed
from handy_qwen.core.types import Hotkey
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.system.hotkeys import hotkeys_for
from handy_qwen.system.hotkeys.sway import SwayHotkeys
from handy_qwen.system.session import Kind, Session
from tests.unit.system.wayland.swaysock import FakeSway

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sway is on Linux only")

F9 = {("--no-repeat", "F9"), ("--release", "F9")}


@pytest.fixture
def sway(tmp_path):
    fake = FakeSway(tmp_path)
    yield fake
    fake.close()


class Desk:
    def __init__(self, sway):
        self.sway, self.posted = sway, queue.Queue()
        self.listener = SwayHotkeys(self.posted.put, sway.path)

    def listen(self, *chords):
        self.listener.start([Hotkey(chord) for chord in chords])

    def come(self, count):
        """What has come, by kind and hotkey."""
        events = [self.posted.get(timeout=60) for _ in range(count)]
        return [(type(event), getattr(event, "hotkey", None)) for event in events]

    def watch(self, is_wanted, lock_key=""):
        self.listener.watch_escape(is_wanted, lock_key)
        self.listener.check([])  # waits for the thread


@pytest.fixture
def desk(sway):
    desk = Desk(sway)
    yield desk
    desk.listener.stop()


def test_a_session_of_sway_is_recognized_by_its_socket(sway, monkeypatch):
    monkeypatch.setenv("SWAYSOCK", sway.path)
    assert isinstance(hotkeys_for(print, Session(Kind.WAYLAND)), SwayHotkeys)
    monkeypatch.setenv("SWAYSOCK", sway.path + "-of-a-session-that-is-gone")
    assert not isinstance(hotkeys_for(print, Session(Kind.WAYLAND)), SwayHotkeys)


def test_a_key_goes_down_and_up(sway, desk):
    desk.listen("f9", "ctrl+alt+d")
    for keys in ("F9", "CTRL+ALT+d"):
        sway.press(keys)
        sway.release(keys)
    assert desk.come(4) == [(KeyDown, 0), (KeyUp, 0), (KeyDown, 1), (KeyUp, 1)]


def test_a_release_that_sway_does_not_tell_comes_with_the_next_press(sway, desk):
    desk.listen("f9")
    sway.press("F9")
    sway.press("F9")
    sway.release("F9")  # of the press that ended it
    sway.press("F9")
    assert desk.come(3) == [(KeyDown, 0), (KeyUp, 0), (KeyDown, 0)]


def test_escape_is_bound_while_a_take_runs_and_with_the_hotkey_held(sway, desk):
    desk.listen("f9")
    assert set(sway.bound) == F9
    desk.watch(True)
    sway.press("F9")
    sway.press("F9+Escape")
    sway.press("F9")
    assert desk.come(4) == [(KeyDown, 0), (EscapePressed, None), (KeyUp, 0), (KeyDown, 0)]
    sway.press("Escape")
    assert desk.come(1) == [(EscapePressed, None)]
    desk.watch(False)
    assert set(sway.bound) == F9


def test_the_lock_key_locks(sway, desk):
    desk.listen("f9")
    desk.watch(True, "space")
    sway.press("F9")
    sway.press("F9+space")
    assert desk.come(3) == [(KeyDown, 0), (LockPressed, None), (KeyUp, 0)]


def test_bindings_are_made_again_when_the_configuration_is_read_again(sway, desk):
    desk.listen("f9")
    sway.reload()
    desk.listener.check([])
    desk.listener.check([])
    sway.press("F9")
    assert desk.come(1) == [(KeyDown, 0)]


def test_in_another_mode_they_wait_for_its_end(sway, desk):
    sway.mode = "resize"
    desk.listen("f9")
    assert not sway.bound
    sway.enter("default")
    desk.listener.check([])
    desk.listener.check([])
    assert set(sway.bound) == F9


@pytest.mark.parametrize(
    "line",
    [
        "bindsym F9 exec foot",
        "bindsym --release F9 exec foot",
        "  bindsym --to-code F9 exec foot",
        "set $key F9\nbindsym $key exec foot",
        "bindsym --to-code {\n    Mod4+d exec foot\n    F9 exec foot\n}",
        "bindsym\n{\n    F9 exec foot\n}",
        'mode "resize" {\n    bindsym {\n        F8 exec foot\n    }\n}\nbindsym F9 exec foot',
        "bindsym F9 exec foot --title handy",
    ],
)
def test_a_key_of_the_configuration_is_taken(sway, desk, line):
    sway.config = line
    with pytest.raises(HotkeyError, match="uses F9 already") as refused:
        desk.listen("f9")
    assert refused.value.reason is HotkeyReason.TAKEN
    assert not sway.bound


@pytest.mark.parametrize(
    "line",
    [
        "include keys.conf",
        "include ./keys.conf",
        "include ~/keys.conf",
        "include $HOME/*.conf",
        "set $keys keys\ninclude $keys.conf",
        'include "other.conf" nothing*.conf keys.conf',
        "include deeper/conf.d/*",
        "include loop",
    ],
)
def test_a_key_of_a_file_that_the_configuration_includes_is_taken(sway, desk, tmp_path, monkeypatch, line):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "deeper" / "conf.d").mkdir(parents=True)
    (tmp_path / "deeper" / "conf.d" / "folder").mkdir()
    (tmp_path / "deeper" / "conf.d" / "10").write_text("set $lock F8\ninclude ../../keys.conf\n")
    (tmp_path / "keys.conf").write_text("set $key F9\nbindsym $key exec foot\n")
    (tmp_path / "other.conf").write_bytes(b"bindsym F10 exec foot # \xff\n")
    (tmp_path / "loop").write_text("include config loop keys.conf\n")
    (tmp_path / "config").write_text(line)
    sway.config = line
    with pytest.raises(HotkeyError, match="uses F9 already"):
        desk.listen("f9")


def test_what_a_file_sets_counts_for_those_behind_it(sway, desk, tmp_path):
    (tmp_path / "variables").write_text("set $key F9")
    sway.config = "include variables\nbindsym $key exec foot"
    with pytest.raises(HotkeyError, match="uses F9 already"):
        desk.listen("f9")


@pytest.mark.parametrize(
    "what", ["$(touch done; echo keys)", "`touch done`", '"keys', "nothing", "", "locked"]
)
def test_an_include_that_is_no_file_is_passed_over_and_no_command_in_it_is_run(
    sway, desk, tmp_path, monkeypatch, what
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys").write_text("bindsym F9 exec foot")
    (tmp_path / "locked").mkdir()
    sway.config = f"include {what}\nbindsym F10 exec foot"
    with pytest.raises(HotkeyError, match="uses F10 already"):
        desk.listen("f10")
    desk.listen("f9")
    assert not (tmp_path / "done").exists()


def test_lines_for_this_program_in_an_included_file_come_back(sway, desk, tmp_path):
    (tmp_path / "keys").write_text("bindsym F9 exec handy-qwen start")
    sway.config = "include keys"
    desk.listen("f9")
    desk.listen("f10")
    assert sway.bound["--no-repeat", "F9"] == "exec handy-qwen start"


def test_modifiers_have_several_names_and_any_order(sway, desk):
    sway.config = "set $mod Mod4\nbindsym $mod+Shift+d exec foot"
    with pytest.raises(HotkeyError, match="uses Shift"):
        desk.listen("super+shift+d")
    desk.listen("super+ctrl+d")


@pytest.mark.parametrize(
    "config",
    [
        'mode "other" {\n    bindsym F9 exec foot\n}',
        'mode "other" {\n    bindsym {\n        F9 exec foot\n    }\n}',
        'mode "other"\n{\n    bindsym F9 exec foot\n}',
        "# bindsym F9 exec foot",
        "bindsym F10 exec foot",
    ],
)
def test_other_lines_take_nothing(sway, desk, config):
    sway.config = config
    desk.listen("f9")
    assert set(sway.bound) == F9


def test_escape_of_the_configuration_stays_what_it_is(sway, desk):
    sway.config = "bindsym Escape exec foot"
    desk.listen("f9")
    desk.watch(True)
    assert set(sway.bound) == {*F9, ("--no-repeat", "F9+Escape")}


@pytest.mark.parametrize(
    "command",
    ["exec handy-qwen start", "exec handy-qwen --wait start; exec foot", "exec sh -c 'handy-qwen start'"],
)
def test_lines_for_this_program_come_back_when_the_key_is_given_up(sway, desk, command):
    sway.config = f"bindsym --no-repeat F9 {command}"
    desk.listen("f9")
    desk.listen("f10")
    assert sway.bound["--no-repeat", "F9"] == command
    desk.listen("f9")
    desk.listener.stop()
    assert sway.bound == {("--no-repeat", "F9"): command}
    assert not sway.done, "nothing of it is done now"


def test_hotkeys_that_change_places_are_told_by_their_new_ones(sway, desk):
    desk.listen("f9", "f10")
    desk.listen("f10", "f9")
    sway.press("F9")
    sway.press("F10")
    assert desk.come(2) == [(KeyDown, 1), (KeyDown, 0)]


def test_escape_that_a_crash_has_left_bound_is_free_again(sway, desk):
    sway.bound["--no-repeat", "Escape"] = "nop handy-qwen-1 escape"
    desk.listen("f9")
    assert set(sway.bound) == F9
    desk.watch(True)
    sway.press("Escape")
    assert desk.come(1) == [(EscapePressed, None)]


def test_at_the_end_they_are_taken_back_from_another_mode_too(sway, desk):
    desk.listen("f9")
    desk.watch(True)
    sway.enter("resize")
    desk.listener.stop()
    assert not sway.bound
    assert sway.mode == "default"


def test_a_mode_stays_where_nothing_is_bound(sway, desk):
    sway.config = "bindsym F9 exec foot"
    sway.mode = "resize"
    with pytest.raises(HotkeyError, match="uses F9 already"):
        desk.listen("f9")
    assert sway.mode == "resize"


def test_a_hotkey_that_is_refused_changes_nothing(sway, desk):
    desk.listen("f9")
    sway.refuses = ("F10",)
    with pytest.raises(HotkeyError, match="knows no key F10"):
        desk.listen("f10")
    sway.refuses = ()
    sway.reload()
    desk.listener.check([])
    desk.listener.check([])
    assert set(sway.bound) == F9


@pytest.mark.parametrize("chord", ["ctrl_r", "mouse4", "wheel_left", "altgr+f4"])
def test_what_sway_gives_to_no_program_is_said_with_a_proposal(desk, chord):
    with pytest.raises(HotkeyError, match="Sway can't give") as refused:
        desk.listen(chord)
    assert refused.value.proposal == "F9"


def test_a_key_that_is_down_comes_up_when_sway_goes_and_all_is_bound_when_it_is_back(sway, desk):
    desk.listen("f9")
    sway.press("F9")
    assert desk.come(1) == [(KeyDown, 0)]
    sway.bound.clear()
    sway.drop()
    assert desk.come(1) == [(KeyUp, 0)]
    for _ in range(100):
        try:
            desk.listener.check([])
            break
        except HotkeyError:  # it is not back yet
            continue
    sway.press("F9")
    assert desk.come(1) == [(KeyDown, 0)]


@pytest.mark.parametrize("body", [b"{", b"[1]"])
def test_nonsense_ends_the_connection_and_not_the_thread(sway, desk, body):
    desk.listen("f9")
    sway.press("F9")
    assert desk.come(1) == [(KeyDown, 0)]
    sway.send(5 | 1 << 31, body)
    assert desk.come(1) == [(KeyUp, 0)]


def test_an_answer_that_is_none_is_no_connection(sway, desk):
    sway.mode = None
    with pytest.raises(HotkeyError, match="sway"):
        desk.listen("f9")


def test_without_sway_it_gives_up_and_says_so(sway, desk, monkeypatch):
    monkeypatch.setattr(SwayHotkeys, "RETRY_S", (0.01,))
    desk.listen("f9")
    sway.close()
    (event,) = [desk.posted.get(timeout=60)]
    assert isinstance(event, HotkeysFailed)
    assert "sway was lost" in event.error.title


def test_without_xwayland_no_key_can_be_recorded(desk):
    with pytest.raises(HotkeyError, match="Without XWayland"):
        desk.listener.capture(print)
