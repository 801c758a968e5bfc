"""The tray's entries for the guide and for the start at login."""

import pytest

from handy_qwen.core.view import Choices, View, Window
from handy_qwen.ui import strings
from handy_qwen.ui.tray import TrayMenu


@pytest.fixture
def menu(qapp, asked):
    del qapp
    made = TrayMenu(asked, asked)
    yield made
    made.deleteLater()


def entry(menu, title):
    return next(action for action in menu.actions() if action.text() == title)


def test_the_guide_is_found_again_in_the_menu(menu, asked):
    entry(menu, strings.SETUP_WINDOW).trigger()
    assert asked.calls == [("open_window", Window.SETUP)]


def test_start_at_login_is_shown_and_switched(menu, asked):
    action = entry(menu, strings.AUTOSTART)
    menu.show_view(View(choices=Choices(is_autostarted=True)))
    assert action.isChecked()
    action.trigger()
    assert asked.calls == [("use_autostart", False)]
