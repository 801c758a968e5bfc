"""Views reach the widgets on the main thread, whatever thread they come from."""

import threading

import pytest
from PySide6.QtCore import QObject, Slot

from handy_qwen.core.events import Request, Requested
from handy_qwen.core.view import Phase, View
from handy_qwen.ui import strings
from handy_qwen.ui.desk import Bridge, Desk

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")


class Probe(QObject):
    def __init__(self):
        super().__init__()
        self.seen = []

    @Slot(object)
    def show(self, view):
        self.seen.append((view.phase, threading.current_thread() is threading.main_thread()))


def test_a_view_from_another_thread_arrives_on_the_main_thread(qtbot):
    bridge, probe = Bridge(), Probe()
    bridge.view_changed.connect(probe.show)
    thread = threading.Thread(target=bridge.on_view, args=(View(phase=Phase.IDLE),))
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: probe.seen != [])
    assert probe.seen == [(Phase.IDLE, True)]


def test_the_desk_shows_views_and_posts_requests(qtbot, asked):
    posted = []
    desk = Desk(posted.append, asked, lambda: -100.0)
    desk.on_view(View(phase=Phase.RECORDING, began_s=0.0))
    qtbot.waitUntil(desk._overlay.isVisible)
    menu = desk._tray.menu
    next(action for action in menu.actions() if action.text() == strings.STOP).trigger()
    assert [type(event) for event in posted] == [Requested]
    assert posted[0].what is Request.TOGGLE
    desk.close()


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (7.9, "0:07"), (63, "1:03"), (3723, "1:02:03")])
def test_durations(seconds, shown):
    assert strings.clock(seconds) == shown
