"""What Qt's side of the app says and hears."""

import sys
import threading
import time

import pytest

from handy_qwen.app.desktop import FileWatch, QtPause, greeting, layer_of
from handy_qwen.core.types import Hotkey, Mode
from handy_qwen.settings import Settings
from handy_qwen.system.session import Kind, Session
from tests.unit.system.wayland.compositor import Compositor
from tests.unit.system.wayland.screen import Screen

pytest.importorskip("pytestqt")


@pytest.mark.parametrize(
    ("hotkeys", "mode", "has_tray", "expected"),
    [
        (("ctrl_r",), Mode.AUTO, True, "Hold Right Ctrl to dictate; the menu is in the tray."),
        (("f9", "ctrl_r"), Mode.TOGGLE, True, "Press F9 or Right Ctrl to dictate; the menu is in the tray."),
        (
            ("f9",),
            Mode.HOLD,
            False,
            "Hold F9 to dictate; there is no tray here; to quit, run handy-qwen quit.",
        ),
        ((), Mode.AUTO, True, "No hotkey is set; use handy-qwen toggle to dictate; the menu is in the tray."),
    ],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="keys have other names there")
def test_a_start_in_a_terminal_says_how_to_dictate(hotkeys, mode, has_tray, expected):
    settings = Settings(hotkeys=tuple(Hotkey(chord) for chord in hotkeys), mode=mode)
    assert greeting(settings, has_tray=has_tray) == f"Handy Qwen is running. {expected}"


@pytest.mark.linux("Wayland is on Linux only")
@pytest.mark.parametrize(("kind", "has_layer"), [(Screen, True), (Compositor, False)])
def test_the_overlay_has_a_layer_where_the_compositor_has_one(tmp_path, kind, has_layer):
    compositor = kind(tmp_path)
    opened = layer_of(Session(Kind.WAYLAND, wayland=compositor.path))
    assert (opened is not None) is has_layer
    if opened is not None:
        surface = opened(lambda *_: b"", print, print)
        assert surface is not None
        surface.close()
    compositor.close()


@pytest.fixture
def heard(qtbot, tmp_path):
    """Waits until the file was heard of; what was told before does not count."""
    path, told = tmp_path / "settings.toml", []
    path.write_text("a", encoding="utf-8")
    watch = FileWatch(path, lambda: told.append(path.exists()))

    def wait():
        qtbot.waitUntil(lambda: bool(told), timeout=30_000)
        qtbot.wait(50)  # one writing is several events
        told.clear()

    yield path, wait
    watch.close()


def write(path):
    with path.open("a", encoding="utf-8") as file:
        file.write("more")


def replace(path):
    other = path.with_name("other")
    other.write_text("new", encoding="utf-8")
    other.replace(path)


def make_anew(path):
    path.unlink()
    path.write_text("anew", encoding="utf-8")


@pytest.mark.parametrize("first", [write, replace, make_anew])
@pytest.mark.parametrize("then", [write, replace, make_anew])
def test_a_file_that_is_written_is_heard_of_each_time(heard, first, then):
    path, wait = heard
    first(path)
    wait()
    then(path)
    wait()


def test_a_file_that_is_not_there_yet_is_heard_of_when_it_is_made(qtbot, tmp_path):
    path, told = tmp_path / "settings.toml", []
    watch = FileWatch(path, lambda: told.append(path.exists()))
    path.write_text("new", encoding="utf-8")
    qtbot.waitUntil(lambda: True in told, timeout=30_000)
    watch.close()


def elsewhere(step):
    """Run ``step`` on another thread."""
    thread = threading.Thread(target=step, daemon=True)
    thread.start()
    return thread


def test_qt_stands_still_while_another_thread_needs_it(qtbot, monkeypatch):
    monkeypatch.setattr(QtPause, "PATIENCE_S", 60.0)
    pause, seen, turns = QtPause(), [], []

    def step():
        for _ in range(3):
            with pause() as is_paused:
                before = len(turns)
                time.sleep(0.02)
                seen.append((is_paused, len(turns) - before))

    thread = elsewhere(step)
    while thread.is_alive():
        turns.append(qtbot.wait(1))
    assert seen == [(True, 0)] * 3


def test_nobody_waits_twice_in_a_row_for_a_qt_that_is_busy(qtbot, monkeypatch):
    pause, seen, asked = QtPause(), [], []
    pause._wanted.connect(lambda *events: asked.append(events))

    def step():
        for _ in range(50):
            with pause() as is_paused:
                seen.append(is_paused)

    elsewhere(step).join()  # Qt hears of nothing meanwhile
    assert seen == [False] * 50
    qtbot.waitUntil(lambda: len(asked) == 1)
    qtbot.wait(1)  # what was asked for is over, and stops nothing any more
    assert len(asked) == 1
    elsewhere(step).join()  # Qt could be asked again, but was busy just now
    assert seen[50:] == [False] * 50
    assert len(asked) == 1
    monkeypatch.setattr(QtPause, "PATIENCE_S", 60.0)
    pause._not_before_s = 0.0  # some time has passed
    thread = elsewhere(step)
    qtbot.waitUntil(lambda: not thread.is_alive())
    assert seen[100:] == [True] * 50
