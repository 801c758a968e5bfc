"""Tray, overlay and windows are shown what comes, whatever thread it comes from."""

import threading

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QSystemTrayIcon

from handy_qwen.core.events import Request, Requested
from handy_qwen.core.models import ModelList
from handy_qwen.core.view import Phase, View, Window
from handy_qwen.settings import Settings, SettingsView
from handy_qwen.ui import strings
from handy_qwen.ui.desk import Desk
from handy_qwen.ui.overlay import has_overlay
from tests.e2e.pasts import FULL, PRIVATE, VIEW
from tests.e2e.shelves import DOWNLOADING, SHELVES, SMALL, shelf

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support"),
    pytest.mark.usefixtures("app_home"),  # which keeps the windows' sizes
]


@pytest.fixture
def posted():
    return []


@pytest.fixture
def how():
    """Arguments of the desk."""
    return {}


@pytest.fixture
def desk(qapp, asked, posted, how):  # noqa: ARG001
    made = Desk(
        posted.append,
        asked,
        lambda: -100.0,
        asked.models,
        asked.history,
        files_commands=asked.files,
        upkeep_commands=asked.upkeep,
        vocabulary_commands=asked.vocabulary,
        microphone_commands=asked.microphone,
        **how,
    )
    yield made
    if made._tray._icon.isVisible():
        made.close()


def from_another_thread(call, *values):
    thread = threading.Thread(target=call, args=values)
    thread.start()
    thread.join()


def window(qtbot, desk, which):
    """Ask for a window, from another thread, and wait for it."""
    from_another_thread(desk.open, which)
    qtbot.waitUntil(lambda: which in desk._windows and desk._windows[which].isVisible())
    return desk._windows[which]


def test_views_are_shown_and_requests_are_posted(qtbot, desk, posted):
    from_another_thread(desk.show_view, View(phase=Phase.RECORDING, began_s=0.0))
    qtbot.waitUntil(desk._overlay.isVisible)
    menu = desk._tray.menu
    next(action for action in menu.actions() if action.text() == strings.STOP).trigger()
    assert [type(event) for event in posted] == [Requested]
    assert posted[0].what is Request.TOGGLE


@pytest.mark.parametrize("how", [{}, {"open_surface": lambda *_: None}])
def test_where_the_overlay_has_no_place_others_say_what_it_would(qtbot, monkeypatch, desk, how):
    monkeypatch.setattr(QGuiApplication, "platformName", lambda: "wayland")
    desk.show_view(View(phase=Phase.RECORDING, began_s=0.0))
    qtbot.waitUntil(lambda: desk._view.phase is Phase.RECORDING)
    assert has_overlay(desk._view) is bool(how)
    assert desk._overlay.isVisible() is bool(how)


def test_no_window_is_made_before_it_is_asked_for(qtbot, desk):
    desk.show_models(SHELVES["empty"])
    desk.show_history(FULL)
    desk.show_view(PRIVATE)
    qtbot.waitUntil(lambda: desk._view is PRIVATE)
    assert desk._windows == {}


@pytest.mark.parametrize("which", list(Window))
def test_a_window_is_made_once_and_comes_up_again(qtbot, desk, which):
    first = window(qtbot, desk, which)
    first.blockSignals(True)  # without a tray, the guide leaves the main window behind
    first.close()
    assert window(qtbot, desk, which) is first
    desk.close()
    assert not first.isVisible()


def test_a_window_knows_what_came_before_it_and_what_comes_later(qtbot, desk):
    desk.show_models(SHELVES["empty"])
    qtbot.waitUntil(lambda: desk._models is SHELVES["empty"])
    models = window(qtbot, desk, Window.MODELS)
    assert set(models.cards.by_name) == {one.name for one in SHELVES["empty"].entries}
    from_another_thread(desk.show_models, SHELVES["installed"])
    qtbot.waitUntil(lambda: models._models is SHELVES["installed"])
    desk.show_view(PRIVATE)
    history = window(qtbot, desk, Window.HISTORY)
    qtbot.waitUntil(history.pause.isChecked)
    from_another_thread(desk.show_history, FULL)
    qtbot.waitUntil(lambda: history.list.model().entries == FULL.entries)


@pytest.mark.parametrize("which", [Window.MAIN, Window.SETTINGS, Window.SETUP])
def test_a_closed_window_is_told_nothing_until_it_comes_up_again(qtbot, desk, monkeypatch, which):
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", lambda: True)
    shown = window(qtbot, desk, which)
    shown.close()
    told = []
    for name in ("show_view", "show_models", "show_settings"):
        monkeypatch.setattr(shown, name, lambda value, name=name: told.append((name, value)))
    view, models, settings = View(phase=Phase.IDLE), SHELVES["installed"], SettingsView(values=Settings())
    desk.show_view(view)
    desk.show_models(models)
    desk.show_settings(settings)
    qtbot.waitUntil(lambda: desk._settings is settings)
    assert told == []
    window(qtbot, desk, which)
    assert sorted(told, key=str) == [
        ("show_models", models),
        ("show_settings", settings),
        ("show_view", view),
    ]


def test_the_guide_comes_up_with_what_was_last_shown(qtbot, desk):
    desk.show_view(VIEW)
    desk.show_models(ModelList(SHELVES["installed"].entries))
    guide = window(qtbot, desk, Window.SETUP)
    assert guide.model.is_done
    assert guide.pages[2].cap.accessibleName() == "Right Ctrl"


@pytest.mark.parametrize("has_tray", [True, False])
def test_without_a_tray_the_main_window_is_left_when_the_guide_closes(qtbot, desk, monkeypatch, has_tray):
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", lambda: has_tray)
    window(qtbot, desk, Window.SETUP).close()
    qtbot.wait(50)
    assert (Window.MAIN in desk._windows) is not has_tray


def test_an_installation_left_behind_is_told_but_not_at_the_end(qtbot, desk):
    desk.show_models(shelf(DOWNLOADING))
    models = window(qtbot, desk, Window.MODELS)
    with qtbot.waitSignal(desk.left_at_work) as told:
        models.close()
    assert told.args == [SMALL.title]
    models.present()
    with qtbot.assertNotEmitted(desk.left_at_work):
        desk.close()


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (7.9, "0:07"), (63, "1:03"), (3723, "1:02:03")])
def test_durations(seconds, shown):
    assert strings.clock(seconds) == shown
