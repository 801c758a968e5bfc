"""The main window: all that the menu has, and the way back to the window before."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QLabel, QPushButton

from handy_qwen.core.events import Request
from handy_qwen.core.view import Phase, Window
from handy_qwen.ui import strings
from handy_qwen.ui.tray import ChoiceMenu, TrayMenu
from handy_qwen.ui.windows.main import MainWindow
from tests.unit.ui.gallery import CHOOSING, PROBLEM, TROUBLED

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")


@pytest.fixture
def menu(qtbot, asked):
    made = TrayMenu(asked, asked)
    qtbot.addWidget(made)
    made.show_view(CHOOSING)
    return made


@pytest.fixture
def window(qtbot, asked, menu, app_home):  # noqa: ARG001  the home keeps the window's size
    made = MainWindow(menu, asked)
    qtbot.addWidget(made)
    made.show_view(CHOOSING)
    made.present()
    qtbot.waitUntil(made.isActiveWindow)
    return made


def said(window):
    return [label.text() for label in window.findChildren(QLabel) if label.isVisible()]


def titled(window, title):
    return next(one for one in window.findChildren(QAbstractButton) if one.text() == title)


def test_everything_in_the_menu_is_in_the_window(window, menu):
    labels = said(window)
    buttons = [one.text() for one in window.findChildren(QAbstractButton) if one.isVisible()]
    shown = [one for one in menu.entries() if one.isVisible() and not one.isSeparator()]
    assert len(shown) > 12
    for action in shown:
        assert action.text() in (labels if isinstance(action.menu(), ChoiceMenu) else buttons)


def test_what_is_chosen_is_shown_and_changes_with_the_menu(window, menu):
    def chosen():
        return [one.text() for one in window.findChildren(QPushButton) if isinstance(one.menu(), ChoiceMenu)]

    menu.show_view(replace(CHOOSING, choices=replace(CHOOSING.choices, microphone="")))
    assert chosen() == ["Automatic (Qwen3-ASR 0.6B)", "Automatic", "System default", "Type"]
    other = replace(CHOOSING.choices, language="German", is_model_automatic=False, microphone="Desk")
    menu.show_view(replace(CHOOSING, choices=other))
    assert chosen() == ["Qwen3-ASR 0.6B", "Deutsch (German)", "Desk", "Type"]


def test_buttons_follow_the_entries_and_ask_for_the_same(window, menu, asked):
    asked.calls.clear()
    assert not titled(window, strings.CANCEL).isEnabled()
    assert not titled(window, strings.DROP_HELD).isVisible()
    menu.show_view(replace(CHOOSING, phase=Phase.RECORDING, held=("Good evening.",)))
    assert titled(window, strings.STOP).isVisible()
    titled(window, strings.CANCEL).click()
    titled(window, strings.DROP_HELD).click()
    titled(window, strings.HISTORY_WINDOW).click()
    titled(window, strings.PAUSE_HISTORY).click()
    assert asked.calls == [
        Request.CANCEL,
        Request.DROP_HELD,
        ("open_window", Window.HISTORY),
        ("pause_history", True),
    ]
    assert window.isVisible()


@pytest.mark.parametrize(
    ("title", "request_"),
    [
        (strings.START, Request.TOGGLE),
        (strings.PASTE_AGAIN, Request.PASTE_AGAIN),
        (strings.RETRY, Request.RETRY),
        (strings.BRING_BACK, Request.BRING_BACK),
    ],
)
def test_what_ends_in_the_window_before_gives_the_focus_back_first(qtbot, window, asked, title, request_):
    asked.calls.clear()
    titled(window, title).click()
    assert asked.calls == []
    assert not window.isVisible()
    qtbot.waitUntil(lambda: asked.calls == [request_])


def test_it_looks_for_microphones_and_models_when_it_comes_up(qtbot, window, asked):
    asked.calls.clear()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    window.present()
    assert asked.calls == [("refresh_choices",)]


def test_state_key_and_trouble_head_the_window(window):
    assert strings.PHASES[Phase.IDLE] in said(window)
    assert strings.HOLD_AND_SPEAK.format(keys="Right Ctrl") in said(window)
    window.show_view(TROUBLED)
    assert strings.PHASES[Phase.PROBLEM] in said(window)
    assert f"{PROBLEM.title} {PROBLEM.hint}" in said(window)


def test_every_letter_is_given_once(window):
    titles = [one.text() for one in window.findChildren(QAbstractButton) if one.isVisible()] + said(window)
    letters = [title[title.index("&") + 1].lower() for title in titles if "&" in title.replace("&&", "")]
    assert len(letters) > 12
    assert len(set(letters)) == len(letters)
