"""The main window: all that the menu has, and the way back to the window before."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from handy_qwen.core.events import Request
from handy_qwen.core.view import Phase, Window
from handy_qwen.ui import strings
from handy_qwen.ui.style import contrast
from handy_qwen.ui.tray import ChoiceMenu, TrayMenu
from handy_qwen.ui.windows.main import MainWindow, _Chooser
from tests.unit.ui.gallery import CHOOSING, PROBLEM, TROUBLED, buttons, labels, letters

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


def titled(window, title):
    return next(one for one in buttons(window) if one.text() == title)


def test_everything_in_the_menu_is_in_the_window_with_a_letter_of_its_own(window, menu):
    titles = [one.text() for one in buttons(window)]
    shown = [one for one in menu.entries() if one.isVisible() and not one.isSeparator()]
    assert len(shown) > 12
    for action in shown:
        assert action.text() in (labels(window) if isinstance(action.menu(), ChoiceMenu) else titles)
    underlined = letters(titles + labels(window))
    assert len(underlined) == len(set(underlined)) > 12


def test_what_is_chosen_is_shown_and_changes_with_the_menu(window, menu):
    def chosen():
        return [one.text() for one in window.findChildren(QPushButton) if isinstance(one.menu(), ChoiceMenu)]

    menu.show_view(replace(CHOOSING, choices=replace(CHOOSING.choices, microphone="")))
    assert chosen() == ["Automatic (Qwen3-ASR 0.6B)", "Automatic", "System default"]
    other = replace(CHOOSING.choices, language="German", is_model_automatic=False, microphone="Desk")
    menu.show_view(replace(CHOOSING, choices=other))
    assert chosen() == ["Qwen3-ASR 0.6B", "Deutsch (German)", "Desk"]


def test_buttons_follow_the_entries_and_ask_for_the_same(window, menu, asked):
    asked.calls.clear()
    assert not {strings.CANCEL, strings.DROP_HELD} & {one.text() for one in buttons(window)}
    menu.show_view(replace(CHOOSING, phase=Phase.RECORDING, held=("Good evening.",)))
    assert titled(window, strings.STOP)
    for title in (strings.CANCEL, strings.DROP_HELD, strings.HISTORY_WINDOW, strings.PAUSE_HISTORY):
        titled(window, title).click()
    assert asked.calls == [
        Request.CANCEL,
        Request.DROP_HELD,
        ("open_window", Window.HISTORY),
        ("change", {"private": True}),
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


@pytest.mark.parametrize("side", [Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft])
def test_what_is_chosen_begins_where_it_does_in_the_lists_of_the_settings(qtbot, window, side):
    chooser = next(one for one in buttons(window) if isinstance(one, _Chooser) and "Automatic" in one.text())
    window.setLayoutDirection(side)
    window.resize(900, 400)
    qtbot.waitUntil(lambda: chooser.width() > 500)
    image = chooser.grab().toImage()
    ground = image.pixelColor(chooser.width() // 2, 6)
    half = range(20, chooser.width() // 2)
    beside = [x for x in half if contrast(image.pixelColor(x, chooser.height() // 2), ground) > 3]
    assert bool(beside) is (side is Qt.LayoutDirection.LeftToRight)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({}, "Listening… Release the key when you're done."),
        ({"is_hands_free": True, "finish_keys": ("Right Ctrl",)}, "Right Ctrl to finish  ·  Esc to cancel"),
        ({"is_hands_free": True, "cancel_key": ""}, "Cancel in the tray menu"),
        ({"phase": Phase.TRANSCRIBING}, "Hold Right Ctrl and speak."),
    ],
)
def test_while_it_records_the_window_says_how_to_finish(window, state, told):
    window.show_view(replace(CHOOSING, **({"phase": Phase.RECORDING} | state)))
    assert told in labels(window)


def test_state_key_and_trouble_with_its_remedy_head_the_window(window, menu, asked):
    assert {strings.PHASES[Phase.IDLE], "Hold Right Ctrl and speak."} <= set(labels(window))
    assert not [one for one in buttons(window) if one.text() in strings.REMEDIES.values()]
    window.show_view(TROUBLED)
    menu.show_view(TROUBLED)
    titled(window, "Open Settings").click()
    assert asked.calls[-1] == ("open_window", Window.SETTINGS)
    assert {strings.PHASES[Phase.PROBLEM], f"{PROBLEM.title} {PROBLEM.hint}"} <= set(labels(window))
