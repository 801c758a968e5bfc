"""Tray and menu: what they offer, what they ask for, what they show."""

import contextlib
import shutil
from dataclasses import replace

import pytest
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from handy_qwen.core.events import Request
from handy_qwen.core.view import Choices, ModelChoice, Notice, NoticeKind, Phase, Remedy, View, Window
from handy_qwen.ui import strings
from handy_qwen.ui import tray as tray_module
from handy_qwen.ui.icons import app_icon, tray_icon
from handy_qwen.ui.tray import Tray, TrayMenu, tooltip
from tests.e2e.shelves import SHELVES
from tests.unit.ui.gallery import letters

IDLE = View(phase=Phase.IDLE)
PROBLEM = Notice(1, NoticeKind.FAILED, "The hotkey is taken.", "Choose another.", is_lasting=True)


@pytest.fixture
def menu(qtbot, asked):
    made = TrayMenu(asked, asked)
    qtbot.addWidget(made)
    return made


@pytest.fixture(autouse=True)
def no_bus(monkeypatch):
    """The bus of whoever runs the tests is left alone."""
    monkeypatch.setattr(tray_module, "session_bus", lambda: None)


@pytest.fixture
def bus(tmp_path, monkeypatch):
    """A session bus without any service: its address."""
    # On Linux only, both.
    from PySide6.QtDBus import QDBusConnection

    from tests.e2e.desk.processes import Processes

    processes = Processes(tmp_path)
    address = processes.start_telling(
        "dbus",
        lambda fd: ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--print-address={fd}"],
        env={"PATH": "/usr/bin:/bin", "XDG_DATA_HOME": str(tmp_path), "XDG_DATA_DIRS": str(tmp_path)},
    )
    connection = QDBusConnection.connectToBus(address, str(tmp_path))
    monkeypatch.setattr(tray_module, "session_bus", lambda: connection)
    yield address
    QDBusConnection.disconnectFromBus(str(tmp_path))
    processes.stop_all()


def titles(menu):
    return [action.text() for action in menu.actions() if action.isVisible() and not action.isSeparator()]


def entry(menu, title):
    return next(action for action in menu.actions() if action.text() == title)


def submenu(menu, title):
    return next(m for m in menu.findChildren(QMenu) if m.title() == title)


def checked(menu):
    return [action.text() for action in menu.actions() if action.isChecked()]


@pytest.mark.parametrize(
    ("title", "call", "shown"),
    [
        (strings.START, Request.TOGGLE, {}),
        (strings.STOP, Request.TOGGLE, {"phase": Phase.RECORDING}),
        (strings.CANCEL, Request.CANCEL, {"phase": Phase.RECORDING}),
        (strings.CANCEL, Request.CANCEL, {"phase": Phase.TRANSCRIBING, "waiting": 1}),
        (strings.PASTE_AGAIN, Request.PASTE_AGAIN, {"recent": ("Good evening.",)}),
        (strings.COPY_HELD, Request.COPY_LAST, {"held": ("Good evening.",)}),
        (strings.PASTE_HELD, Request.PASTE_AGAIN, {"held": ("Good evening.",)}),
        (strings.DROP_HELD, Request.DROP_HELD, {"held": ("Good evening.",)}),
        (strings.BRING_BACK, Request.BRING_BACK, {"can_bring_back": True}),
        (strings.GET_MODEL, ("open_window", Window.MODELS), {"choices": Choices(is_demo_only=True)}),
        (strings.HISTORY_WINDOW, ("open_window", Window.HISTORY), None),
        (strings.SETTINGS_WINDOW, ("open_window", Window.SETTINGS), None),
        (strings.QUIT, ("quit",), None),
    ],
)
def test_entries_ask_for_what_they_say_where_there_is_something_to_ask_for(menu, asked, title, call, shown):
    menu.show_view(IDLE)
    if shown and title != strings.STOP:
        assert title not in titles(menu) or not entry(menu, title).isEnabled()
    menu.show_view(replace(IDLE, **shown or {}))
    entry(menu, title).trigger()
    assert asked.calls == [call]


@pytest.mark.parametrize(
    ("title", "field", "calls"),
    [
        (
            strings.PAUSE_HISTORY,
            "is_private",
            [("change", {"private": True}), ("change", {"private": False})],
        ),
    ],
)
def test_what_can_be_switched_is_shown_as_it_is(menu, asked, title, field, calls):
    menu.show_view(IDLE)
    entry(menu, title).trigger()
    menu.show_view(replace(IDLE, choices=Choices(**{field: True})))
    assert entry(menu, title).isChecked()
    entry(menu, title).trigger()
    assert asked.calls == calls


def test_languages_stand_with_the_recent_ones_first_and_all_in_a_submenu(menu, asked, choices):
    menu.show_view(replace(IDLE, choices=choices))
    languages, german = submenu(menu, strings.LANGUAGE), "Deutsch (German)"
    assert titles(languages) == [strings.AUTOMATIC, german, strings.ALL_LANGUAGES]
    every = submenu(languages, strings.ALL_LANGUAGES)
    assert titles(every) == ["English", strings.language_title("French"), german]
    assert checked(languages) == checked(every) == [german]
    entry(every, strings.language_title("French")).trigger()
    assert asked.calls == [("change", {"language": "French"})]


def test_the_languages_that_are_detected_are_named_and_stand_first(menu, choices):
    menu.show_view(
        replace(IDLE, choices=replace(choices, language="", detected_languages=("English", "Thai")))
    )
    languages = submenu(menu, strings.LANGUAGE)
    assert titles(languages)[:4] == [
        "&Automatic (English, ไทย)",
        "English",
        strings.language_title("Thai"),
        "Deutsch (German)",
    ]
    assert checked(languages) == ["&Automatic (English, ไทย)"]
    many = replace(choices, language="", detected_languages=("English", "Thai", "German", "French"))
    menu.show_view(replace(IDLE, choices=many))
    assert checked(languages) == ["&Automatic (4 languages)"]


def test_a_choice_that_was_not_accepted_is_not_shown_as_made(menu, choices):
    menu.show_view(replace(IDLE, choices=choices))
    microphones = submenu(menu, strings.MICROPHONE)
    entry(microphones, "Headset").trigger()
    menu.show_view(replace(IDLE, choices=choices))
    assert checked(microphones) == ["Desk"]


CHOSEN = Choices(
    model="demo",
    models=(ModelChoice("big", "Qwen & co"), ModelChoice("demo", "Demo")),
    language="German",
    microphone="Desk",
    microphones=("Desk",),
)


@pytest.mark.parametrize(
    ("title", "entries", "calls"),
    [
        (
            strings.MODEL,
            ("&Automatic (Qwen && co)", "Demo"),
            [("change", {"model": ""}), ("change", {"model": "demo"})],
        ),
        (
            strings.LANGUAGE,
            (strings.AUTOMATIC, "Deutsch (German)"),
            [("change", {"language": ""}), ("change", {"language": "German"})],
        ),
        (
            strings.MICROPHONE,
            (strings.DEFAULT_DEVICE, "Desk"),
            [("use_microphone", ""), ("use_microphone", "Desk")],
        ),
    ],
)
def test_a_choice_is_taken_back_and_made_again(menu, asked, title, entries, calls):
    menu.show_view(replace(IDLE, choices=CHOSEN))
    choice, (default, chosen) = submenu(menu, title), entries
    assert titles(choice)[0] == default
    assert checked(choice) == [chosen]
    entry(choice, default).trigger()
    entry(choice, chosen).trigger()
    assert asked.calls == calls


def test_what_is_chosen_by_itself_is_checked_as_that_alone(menu):
    automatic = Choices(model="demo", models=CHOSEN.models[1:], is_model_automatic=True)
    menu.show_view(replace(IDLE, choices=automatic))
    assert checked(submenu(menu, strings.MODEL)) == ["&Automatic (Demo)"]


def test_a_chosen_microphone_that_is_not_there_is_shown_as_such(menu, choices):
    menu.show_view(replace(IDLE, choices=replace(choices, microphone="R&D headset")))
    missing = strings.NOT_CONNECTED.format(device="R&&D headset")
    assert checked(submenu(menu, strings.MICROPHONE)) == [missing]


def test_a_language_is_one_name_in_a_list():
    assert strings.language_title("English") == "English"
    assert all("·" not in strings.language_title(name) for name in strings.NATIVE_NAMES)


def test_without_a_model_the_menu_says_so(menu):
    menu.show_view(View(phase=Phase.PROBLEM))
    assert titles(submenu(menu, strings.MODEL)) == [strings.NO_MODELS, strings.MODELS_WINDOW]


def test_recent_texts_are_shortened_and_copied_whole(menu, asked):
    text = "A & B, " * 40
    menu.show_view(replace(IDLE, recent=(text,)))
    shown, correct, retry = titles(submenu(menu, strings.RECENT))
    assert (correct, retry) == (strings.CORRECT, strings.RETRY)
    assert len(shown) < 80
    assert "A && B" in shown
    entry(submenu(menu, strings.RECENT), shown).trigger()
    entry(submenu(menu, strings.RECENT), correct).trigger()
    assert asked.calls == [("copy_text", text), ("open_window", Window.CORRECT)]
    menu.show_view(IDLE)
    assert not entry(submenu(menu, strings.RECENT), correct).isEnabled()


def test_a_lasting_problem_heads_the_menu(menu):
    menu.show_view(View(phase=Phase.PROBLEM, notices=(PROBLEM,)))
    assert titles(menu)[0] == "The hotkey is taken. Choose another."
    menu.show_view(replace(IDLE, choices=Choices(hotkeys=("F9",))))
    assert titles(menu)[0] == "Ready. Hold F9 and speak."


REMEDIES = {
    Remedy.MODELS: ("open_window", Window.MODELS),
    Remedy.SETTINGS: ("open_window", Window.SETTINGS),
    Remedy.HISTORY: ("open_window", Window.HISTORY),
    Remedy.FILES: ("open_window", Window.FILES),
    Remedy.PASTE: Request.PASTE_AGAIN,
    Remedy.COPY: Request.COPY_LAST,
    Remedy.RESTORE: Request.BRING_BACK,
    Remedy.RETRY: Request.RETRY,
}


@pytest.mark.parametrize("remedy", list(Remedy))
def test_a_lasting_problem_can_be_put_right_from_the_menu(menu, asked, remedy):
    problem = replace(PROBLEM, remedy=remedy)
    usable = replace(IDLE, notices=(problem,), recent=("Hi.",), can_retry=True, can_bring_back=True)
    menu.show_view(usable)
    menu.actions()[0].trigger()
    assert asked.calls == [REMEDIES[remedy]]
    asked.calls.clear()
    menu.show_view(replace(IDLE, notices=(replace(PROBLEM, remedy=None),)))
    menu.actions()[0].trigger()
    assert asked.calls == [("open_window", Window.MAIN)], "which says all of it"


def test_the_menu_is_short(menu, choices):
    menu.show_view(replace(IDLE, recent=("Good evening.",), can_retry=True, choices=choices))
    assert titles(menu) == [
        "Ready. Hold Right Ctrl and speak.",
        strings.START,
        strings.PASTE_AGAIN,
        strings.RECENT,
        strings.MODEL,
        strings.LANGUAGE,
        strings.MICROPHONE,
        strings.HISTORY_WINDOW,
        strings.FILES_WINDOW,
        strings.SETTINGS_WINDOW,
        strings.PAUSE_HISTORY,
        strings.HELP,
        strings.QUIT,
    ]


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ((strings.RECENT, strings.RETRY), Request.RETRY),
        ((strings.MODEL, strings.MODELS_WINDOW), ("open_window", Window.MODELS)),
        ((strings.HELP, strings.HELP_WINDOW), ("open_window", Window.HELP)),
        ((strings.HELP, strings.SETUP_WINDOW), ("open_window", Window.SETUP)),
    ],
)
def test_what_is_in_submenus_works_also_after_they_were_built_anew(menu, asked, choices, place, call):
    for recent in ("One.", "Two."):
        menu.show_view(replace(IDLE, recent=(recent,), can_retry=True, choices=choices))
        menu.show_view(replace(IDLE, can_retry=True))
    where, title = place
    entry(submenu(menu, where), title).trigger()
    assert asked.calls == [call]


def test_a_message_of_the_desktop_does_what_its_notice_offers(asked, monkeypatch, qapp):  # noqa: ARG001
    monkeypatch.setattr(QSystemTrayIcon, "supportsMessages", lambda: True)
    monkeypatch.setattr(QSystemTrayIcon, "showMessage", lambda *_: None)
    tray = Tray(asked, asked)
    problem = replace(PROBLEM, remedy=Remedy.SETTINGS)
    tray.show_view(View(phase=Phase.PROBLEM, notices=(problem,), choices=Choices(overlay="off")))
    tray._icon.messageClicked.emit()
    tray.close()
    assert asked.calls == [("open_window", Window.SETTINGS)]


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ({"choices": Choices(hotkeys=("Right Ctrl", "F9"))}, "Hold Right Ctrl / F9 and speak."),
        ({"choices": Choices(hotkeys=("F9",), mode="toggle")}, "Press F9 and speak."),
        ({"choices": Choices(is_private=True)}, strings.HISTORY_PAUSED),
        ({"notices": (PROBLEM,)}, "The hotkey is taken."),
        *(({"phase": phase}, strings.PHASES[phase]) for phase in Phase),
    ],
)
def test_the_tooltip_tells_the_state_the_key_and_what_is_wrong(shown, said):
    assert said in tooltip(replace(IDLE, **shown))


@pytest.mark.parametrize(("overlay", "is_told"), [("bottom", False), ("off", True)])
@pytest.mark.usefixtures("qapp")
def test_a_lasting_problem_that_no_overlay_shows_is_told_by_the_desktop_once(
    asked, monkeypatch, overlay, is_told
):
    told = []
    monkeypatch.setattr(QSystemTrayIcon, "supportsMessages", lambda: True)
    monkeypatch.setattr(QSystemTrayIcon, "showMessage", lambda _icon, title, *_: told.append(title))
    tray = Tray(asked, asked)
    for _ in range(2):
        tray.show_view(View(phase=Phase.PROBLEM, notices=(PROBLEM,), choices=Choices(overlay=overlay)))
    tray.close()
    assert told == ["The hotkey is taken."] * is_told


@pytest.mark.parametrize(
    ("system", "title", "told"),
    [
        ("win32", "Short.", ("Short.", "Do that.")),
        ("win32", "L" * 64, (strings.APP_TITLE, "L" * 64 + "\nDo that.")),
        ("linux", "L" * 64, ("L" * 64, "Do that.")),
    ],
)
@pytest.mark.usefixtures("qapp")
def test_a_title_that_windows_would_cut_off_is_in_the_text_of_the_message(
    asked, monkeypatch, system, title, told
):
    shown = []
    monkeypatch.setattr(QSystemTrayIcon, "supportsMessages", lambda: True)
    monkeypatch.setattr(QSystemTrayIcon, "showMessage", lambda _icon, *words: shown.append(words[:2]))
    tray = Tray(asked, asked)
    monkeypatch.setattr(tray_module.sys, "platform", system)
    notice = replace(PROBLEM, title=title, hint="Do that.")
    tray.show_view(View(phase=Phase.PROBLEM, notices=(notice,), choices=Choices(overlay="off")))
    monkeypatch.undo()
    tray.close()
    assert shown == [told]


@pytest.mark.linux("the bus is a Linux desktop's")
@pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="install dbus-daemon")
@pytest.mark.parametrize("has_service", [False, True])
def test_a_service_for_messages_that_never_answers_is_not_waited_for(
    asked, monkeypatch, qtbot, bus, has_service
):
    from jeepney import HeaderFields, message_bus, new_method_return
    from jeepney.io.blocking import open_dbus_connection

    told = []
    monkeypatch.setattr(QSystemTrayIcon, "supportsMessages", lambda: True)
    monkeypatch.setattr(QSystemTrayIcon, "showMessage", lambda _icon, title, *_: told.append(title))
    with contextlib.ExitStack() as stack:
        if has_service:
            service = stack.enter_context(open_dbus_connection(bus))
            service.send_and_get_reply(message_bus.RequestName("org.freedesktop.Notifications"))
        tray = Tray(asked, asked)
        tray.show_view(View(phase=Phase.PROBLEM, notices=(PROBLEM,), choices=Choices(overlay="off")))
        assert not told  # Qt's own call would wait for the service
        if has_service:
            question = service.receive(timeout=10)
            assert question.header.fields[HeaderFields.member] == "GetServerInformation"
            service.send(new_method_return(question, "ssss", ("it", "us", "1", "1.2")))
        qtbot.waitUntil(lambda: bool(told), timeout=10_000)
        tray.close()
    assert told == ["The hotkey is taken."]


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


def test_every_entry_has_a_letter_of_its_own(menu):
    fullest = View(
        phase=Phase.RECORDING, held=("Hi.",), can_bring_back=True, choices=Choices(is_demo_only=True)
    )
    menu.show_view(fullest)
    underlined = letters(titles(menu))
    assert len(underlined) == len(set(underlined)) == len(titles(menu)) - 1, "all but the state"


def test_an_installation_is_told_of_while_it_lasts(menu):
    menu.show_view(IDLE)
    menu.show_models(SHELVES["downloading"])
    models = submenu(menu, strings.MODEL)
    assert titles(models)[-1] == "&Manage models… (Qwen3-ASR 0.6B: Downloading 43%)"
    menu.show_models(SHELVES["installed"])
    assert titles(models)[-1] == strings.MODELS_WINDOW
