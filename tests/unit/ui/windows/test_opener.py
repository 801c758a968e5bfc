"""Windows are made when they are asked for, and shown what comes from other threads."""

import threading
from dataclasses import replace

import pytest

from handy_qwen.core.view import Window
from handy_qwen.ui.desk import Windows
from tests.e2e.pasts import FULL, PRIVATE, VIEW
from tests.e2e.shelves import DOWNLOADING, SHELVES, SMALL, shelf

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")


@pytest.fixture
def windows(qtbot, asked, app_home):  # noqa: ARG001  the home keeps the windows' sizes
    made = Windows(asked, asked, Paused())
    yield made
    made.close()
    for window in filter(None, (made._models, made._history)):
        qtbot.addWidget(window)


class Paused:
    def pause_history(self, is_paused):
        pass


def from_another_thread(call, value):
    thread = threading.Thread(target=call, args=(value,))
    thread.start()
    thread.join()


def test_nothing_is_made_before_it_is_asked_for(windows):
    windows.on_shelf(SHELVES["empty"])
    windows.on_past(FULL)
    windows.show_view(PRIVATE)
    assert windows._models is None
    assert windows._history is None


def test_the_models_window_knows_what_was_told_before_and_what_comes_later(qtbot, windows):
    from_another_thread(windows.on_shelf, SHELVES["empty"])
    qtbot.waitUntil(lambda: windows._shelf is SHELVES["empty"])
    windows.open(Window.MODELS)
    assert list(windows._models._cards) == [one.name for one in SHELVES["empty"].entries]
    from_another_thread(windows.on_shelf, SHELVES["installed"])
    qtbot.waitUntil(lambda: windows._models._shelf is SHELVES["installed"])


def test_the_history_window_shows_the_view_and_the_answers(qtbot, windows):
    windows.show_view(PRIVATE)
    windows.open(Window.HISTORY)
    assert windows._history.pause.isChecked()
    from_another_thread(windows.on_past, FULL)
    qtbot.waitUntil(lambda: windows._history.list.model().entries == FULL.entries)


def test_a_second_call_brings_the_same_window_up_again(windows):
    windows.open(Window.MODELS)
    first = windows._models
    first.close()
    windows.open(Window.MODELS)
    assert windows._models is first
    assert first.isVisible()


def test_shelves_are_passed_on_and_work_left_behind_is_told(qtbot, windows):
    with qtbot.waitSignal(windows.shelf_changed) as told:
        windows.on_shelf(shelf(DOWNLOADING))
    assert told.args == [shelf(DOWNLOADING)]
    windows.open(Window.MODELS)
    with qtbot.waitSignal(windows.left_at_work) as told:
        windows._models.close()
    assert told.args == [SMALL.title]


def test_the_models_are_looked_at_again_when_another_one_is_in_use_or_there_are_others(windows, asked):
    windows.open(Window.MODELS)
    asked.calls.clear()
    windows.show_view(VIEW)
    windows.show_view(replace(VIEW, choices=replace(VIEW.choices, language="German")))
    windows.show_view(replace(VIEW, choices=replace(VIEW.choices, model="demo")))
    windows.show_view(replace(VIEW, choices=replace(VIEW.choices, model="demo", models=())))
    assert asked.calls == [("look",)] * 3
    windows._models.hide()
    asked.calls.clear()
    windows.show_view(VIEW)
    assert asked.calls == []


def test_at_the_end_nothing_is_told(qtbot, windows):
    windows.on_shelf(shelf(DOWNLOADING))
    windows.open(Window.MODELS)
    with qtbot.assertNotEmitted(windows.left_at_work):
        windows.close()
    assert not windows._models.isVisible()
