"""Tray and menu: what they offer, what they ask for, what they show."""

from dataclasses import replace

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from handy_qwen.core.events import Request
from handy_qwen.core.types import Method
from handy_qwen.core.view import Choices, ModelChoice, Notice, NoticeKind, Phase, View, Window
from handy_qwen.ui import strings
from handy_qwen.ui.icons import app_icon, tray_icon
from handy_qwen.ui.tray import Tray, TrayMenu, tooltip
from tests.e2e.shelves import SHELVES


@pytest.fixture
def menu(qtbot, asked):
    made = TrayMenu(asked, asked)
    qtbot.addWidget(made)
    return made


def titles(menu):
    return [action.text() for action in menu.actions() if action.isVisible() and not action.isSeparator()]


def entry(menu, title):
    return next(action for action in menu.actions() if action.text() == title)


def submenu(menu, title):
    return next(m for m in menu.findChildren(QMenu) if m.title() == title)


def checked(menu):
    return [action.text() for action in menu.actions() if action.isChecked()]


@pytest.mark.parametrize(
    ("title", "call"),
    [
        (strings.START, Request.TOGGLE),
        (strings.PASTE_AGAIN, Request.PASTE_AGAIN),
        (strings.COPY_LAST, Request.COPY_LAST),
        (strings.SETTINGS_FILE, ("open_settings_file",)),
        (strings.QUIT, ("quit",)),
    ],
)
def test_entries_ask_for_what_they_say(menu, asked, title, call):
    menu.show_view(View(phase=Phase.IDLE, recent=("Good evening.",)))
    entry(menu, title).trigger()
    assert asked.calls == [call]


def test_what_failed_or_was_cancelled_can_be_asked_for_while_it_is_kept(menu, asked):
    menu.show_view(View(phase=Phase.IDLE))
    assert not entry(menu, strings.RETRY).isEnabled()
    assert not entry(menu, strings.BRING_BACK).isEnabled()
    menu.show_view(View(phase=Phase.IDLE, can_retry=True, can_bring_back=True))
    entry(menu, strings.RETRY).trigger()
    entry(menu, strings.BRING_BACK).trigger()
    assert asked.calls == [Request.RETRY, Request.BRING_BACK]


def test_a_history_that_is_paused_is_checked_in_the_menu_and_told_in_thetooltip(menu, asked):
    pause = entry(menu, strings.PAUSE_HISTORY)
    menu.show_view(View(phase=Phase.IDLE))
    assert not pause.isChecked()
    pause.trigger()
    assert asked.calls == [("pause_history", True)]
    private = View(phase=Phase.IDLE, choices=Choices(is_private=True))
    menu.show_view(private)
    assert pause.isChecked()
    assert strings.HISTORY_PAUSED in tooltip(private)
    pause.trigger()
    assert asked.calls[1:] == [("pause_history", False)]


def test_start_becomes_stop_and_cancel_wakes_up_while_recording(menu, asked):
    menu.show_view(View(phase=Phase.IDLE))
    assert not entry(menu, strings.CANCEL).isEnabled()
    menu.show_view(View(phase=Phase.RECORDING))
    assert strings.STOP in titles(menu)
    entry(menu, strings.CANCEL).trigger()
    assert asked.calls == [Request.CANCEL]


def test_cancel_works_while_takes_wait_for_their_text(menu):
    menu.show_view(View(phase=Phase.TRANSCRIBING, waiting=1))
    assert entry(menu, strings.CANCEL).isEnabled()


def test_choices_are_offered_checked_and_made(menu, asked, choices):
    menu.show_view(View(phase=Phase.IDLE, choices=choices))
    models = submenu(menu, strings.MODEL)
    assert titles(models) == ["&Automatic (Qwen3-ASR 1.7B)", "Qwen3-ASR 1.7B", "Demo && test"]
    assert checked(models) == ["Demo && test"]
    entry(models, "Qwen3-ASR 1.7B").trigger()
    assert asked.calls == [("use_model", "big")]


def test_languages_stand_with_the_recent_ones_first_and_all_in_a_submenu(menu, asked, choices):
    menu.show_view(View(phase=Phase.IDLE, choices=choices))
    languages = submenu(menu, strings.LANGUAGE)
    german = strings.language_title("German")
    assert titles(languages) == [strings.AUTOMATIC, german, strings.ALL_LANGUAGES]
    assert checked(languages) == [german]
    every = submenu(languages, strings.ALL_LANGUAGES)
    assert len(titles(every)) == 3
    assert checked(every) == [german]
    entry(every, strings.language_title("French")).trigger()
    entry(languages, strings.AUTOMATIC).trigger()
    assert asked.calls == [("use_language", "French"), ("use_language", "")]


def test_a_choice_that_was_not_accepted_is_not_shown_as_made(menu, choices):
    menu.show_view(View(phase=Phase.IDLE, choices=choices))
    microphones = submenu(menu, strings.MICROPHONE)
    entry(microphones, "Headset").trigger()
    menu.show_view(View(phase=Phase.IDLE, choices=choices))
    assert checked(microphones) == ["Desk"]


def test_methods_are_offered(menu, asked):
    menu.show_view(View(phase=Phase.IDLE, choices=Choices(method=Method.PASTE)))
    methods = submenu(menu, strings.METHOD)
    assert checked(methods) == [strings.METHODS[Method.PASTE]]
    entry(methods, strings.METHODS[Method.COPY]).trigger()
    assert asked.calls == [("use_method", Method.COPY)]


def test_every_choice_has_a_way_back_to_the_default_which_says_what_that_is(menu, asked):
    chosen = Choices(
        model="demo",
        models=(ModelChoice("big", "Qwen & co"), ModelChoice("demo", "Demo")),
        language="German",
        microphone="Desk",
        microphones=("Desk",),
        method=Method.COPY,
        automatic_method=Method.PASTE,
    )
    menu.show_view(View(phase=Phase.IDLE, choices=chosen))
    for title, default, call in (
        (strings.MODEL, "&Automatic (Qwen && co)", ("use_model", "")),
        (strings.LANGUAGE, strings.AUTOMATIC, ("use_language", "")),
        (strings.MICROPHONE, strings.DEFAULT_DEVICE, ("use_microphone", "")),
        (strings.METHOD, "&Automatic (Paste)", ("use_method", None)),
    ):
        choice = submenu(menu, title)
        assert titles(choice)[0] == default
        assert checked(choice) != [default]
        entry(choice, default).trigger()
        assert asked.calls.pop() == call


def test_what_is_chosen_by_itself_is_checked_as_that_alone(menu):
    automatic = Choices(
        model="demo",
        models=(ModelChoice("demo", "Demo"),),
        is_model_automatic=True,
        method=Method.TYPE,
        is_method_automatic=True,
        automatic_method=Method.TYPE,
    )
    menu.show_view(View(phase=Phase.IDLE, choices=automatic))
    assert checked(submenu(menu, strings.MODEL)) == ["&Automatic (Demo)"]
    assert checked(submenu(menu, strings.METHOD)) == ["&Automatic (Type)"]


def test_a_chosen_microphone_that_is_not_there_is_shown_as_such(menu, choices):
    menu.show_view(View(phase=Phase.IDLE, choices=replace(choices, microphone="R&D headset")))
    missing = strings.NOT_CONNECTED.format(device="R&&D headset")
    assert checked(submenu(menu, strings.MICROPHONE)) == [missing]


def test_a_language_is_one_name_in_a_list():
    assert strings.language_title("German") == "Deutsch (German)"
    assert strings.language_title("English") == "English"
    assert all("·" not in strings.language_title(name) for name in strings.NATIVE_NAMES)


def test_without_a_model_the_menu_says_so(menu):
    menu.show_view(View(phase=Phase.PROBLEM))
    assert titles(submenu(menu, strings.MODEL)) == [strings.NO_MODELS]


def test_recent_texts_are_shortened_and_copied_whole(menu, asked):
    text = "A & B, " * 40
    menu.show_view(View(phase=Phase.IDLE, recent=(text,)))
    (shown,) = titles(submenu(menu, strings.RECENT))
    assert len(shown) < 80
    assert "A && B" in shown
    entry(submenu(menu, strings.RECENT), shown).trigger()
    assert asked.calls == [("copy_text", text)]


def test_a_waiting_text_can_be_pasted_or_dropped(menu, asked):
    menu.show_view(View(phase=Phase.IDLE))
    assert strings.DROP_HELD not in titles(menu)
    menu.show_view(View(phase=Phase.IDLE, held=("Good evening.",)))
    entry(menu, strings.PASTE_HELD).trigger()
    entry(menu, strings.DROP_HELD).trigger()
    assert asked.calls == [Request.PASTE_AGAIN, Request.DROP_HELD]


def test_a_lasting_problem_heads_the_menu_and_thetooltip(menu):
    problem = Notice(1, NoticeKind.FAILED, "The hotkey is taken.", "Choose another.", is_lasting=True)
    view = View(phase=Phase.PROBLEM, notices=(problem,))
    menu.show_view(view)
    assert titles(menu)[0] == "The hotkey is taken. Choose another."
    assert not menu.actions()[0].isEnabled()
    assert "The hotkey is taken." in tooltip(view)
    menu.show_view(View(phase=Phase.IDLE))
    assert titles(menu)[0] == strings.START


@pytest.mark.parametrize(
    ("overlay", "platform", "is_told"),
    [("bottom", "xcb", False), ("off", "xcb", True), ("bottom", "wayland", True)],
)
@pytest.mark.usefixtures("qtbot")
def test_a_lasting_problem_that_no_overlay_shows_is_told_by_the_desktop_once(
    asked,
    monkeypatch,
    overlay,
    platform,
    is_told,
):
    told = []
    monkeypatch.setattr(QGuiApplication, "platformName", lambda: platform)
    monkeypatch.setattr(QSystemTrayIcon, "supportsMessages", lambda: True)
    monkeypatch.setattr(QSystemTrayIcon, "showMessage", lambda _icon, title, *_: told.append(title))
    problem = Notice(1, NoticeKind.FAILED, "The hotkey is taken.", "Choose another.", is_lasting=True)
    tray = Tray(lambda _request: None, asked)
    for _ in range(2):
        tray.show_view(View(phase=Phase.PROBLEM, notices=(problem,), choices=Choices(overlay=overlay)))
    tray.close()
    assert told == ["The hotkey is taken."] * is_told


def test_thetooltip_tells_the_key():
    tip = tooltip(View(phase=Phase.IDLE, choices=Choices(hotkeys=("Right Ctrl", "F9"))))
    assert "Hold Right Ctrl / F9 and speak." in tip
    assert "Press F9 and speak." in tooltip(
        View(phase=Phase.IDLE, choices=Choices(hotkeys=("F9",), mode="toggle"))
    )


def test_the_menu_looks_for_devices_when_it_opens(menu, asked):
    menu.aboutToShow.emit()
    assert asked.calls == [("refresh_choices",)]


@pytest.mark.usefixtures("qapp")
def test_all_icons_are_there_and_differ():
    pictures = [
        tray_icon(phase, is_dark=is_dark).pixmap(22, 22).toImage()
        for is_dark in (True, False)
        for phase in Phase
    ]
    assert all(not picture.isNull() for picture in pictures)
    alike = [(i, j) for i in range(len(pictures)) for j in range(i) if pictures[i] == pictures[j]]
    # The recording icon has its own ground and needs no other ink.
    recording = list(Phase).index(Phase.RECORDING)
    assert alike == [(recording + len(Phase), recording)]
    assert not app_icon().pixmap(64, 64).isNull()


@pytest.mark.usefixtures("qapp")
def test_the_tray_shows_each_phase(asked):
    tray = Tray(asked, asked)
    for phase in Phase:
        tray.show_view(View(phase=phase))
        assert strings.PHASES[phase] in tray._icon.toolTip()
    tray.close()


def test_every_entry_has_a_letter_of_its_own(menu):
    menu.show_view(View(phase=Phase.RECORDING, held=("Good evening.",)))
    letters = [title[title.index("&") + 1].lower() for title in titles(menu) if title != strings.VERSION]
    assert len(set(letters)) == len(letters)


@pytest.mark.parametrize(
    ("title", "window"),
    [(strings.MODELS_WINDOW, Window.MODELS), (strings.HISTORY_WINDOW, Window.HISTORY)],
)
def test_windows_are_opened(menu, asked, title, window):
    entry(menu, title).trigger()
    assert asked.calls == [("open_window", window)]


def test_with_only_the_demo_the_way_to_a_full_model_heads_the_menu(menu, asked):
    menu.show_view(View(phase=Phase.IDLE, choices=Choices(is_demo_only=True)))
    assert titles(menu)[0] == strings.GET_MODEL
    entry(menu, strings.GET_MODEL).trigger()
    assert asked.calls == [("open_window", Window.MODELS)]
    menu.show_view(View(phase=Phase.IDLE))
    assert strings.GET_MODEL not in titles(menu)


def test_an_installation_is_told_of_while_it_lasts(menu):
    menu.show_models(SHELVES["downloading"])
    assert "M&odels… (Qwen3-ASR 0.6B: Downloading 43 %)" in titles(menu)
    menu.show_models(SHELVES["installed"])
    assert strings.MODELS_WINDOW in titles(menu)
