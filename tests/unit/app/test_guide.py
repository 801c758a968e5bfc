"""When the guide comes up by itself, and what is asked for in it."""

import pytest

from handy_qwen.app import choices
from handy_qwen.app.choices import DEMO_HINT, DEMO_HINT_TRAY, DEMO_NOTICE, is_guide_due
from handy_qwen.core.types import Hotkey, Submit
from handy_qwen.core.view import ModelChoice, Window
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.settings import Settings
from tests.unit.app.test_program import bench  # noqa: F401  a fixture


@pytest.mark.parametrize(
    ("settings", "models", "is_hidden", "is_due"),
    [
        (Settings(), ("demo",), False, True),
        (Settings(), (), False, True),
        (Settings(), ("demo",), True, False),
        (Settings(set_up=True), ("demo",), False, False),
        (Settings(), ("big", "demo"), False, False),
    ],
)
def test_the_guide_is_due_once_and_only_where_it_helps(settings, models, is_hidden, is_due):
    here = tuple(ModelChoice(name, name.title()) for name in models)
    assert is_guide_due(settings, here, is_hidden=is_hidden) is is_due


@pytest.fixture
def desk(bench, tmp_path, monkeypatch):  # noqa: F811  the fixture
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    return bench()


def start(desk):
    shown = []
    desk.program.start(desk.views.append, shown.append)
    desk.run()
    return shown


def test_the_first_start_shows_the_guide_and_the_next_does_not(desk, bench):  # noqa: F811
    assert start(desk) == [Window.SETUP]
    assert desk.program.store.value.set_up
    assert desk.titles == [], "the guide says it all: no greeting beside it"
    desk.program.close()
    again = bench()
    assert start(again) == []
    assert "Handy Qwen is running." in again.titles


def test_a_first_start_without_a_guide_greets(bench, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(choices, "is_guide_due", lambda *_, **__: False)
    desk = bench()
    assert start(desk) == []
    assert "Handy Qwen is running." in desk.titles


@pytest.mark.parametrize(
    ("is_hidden", "has_tray", "opened"),
    [(False, False, [Window.MAIN]), (False, True, []), (True, False, [])],
)
def test_a_start_by_hand_opens_the_main_window_where_there_is_no_tray(
    bench,  # noqa: F811
    is_hidden,
    has_tray,
    opened,
):
    desk, shown = bench(models=("big", "demo"), is_hidden=is_hidden), []
    desk.program.start(desk.views.append, shown.append, has_tray=has_tray)
    assert shown == opened


def test_the_desktop_may_ask_about_hotkeys_once_a_window_was_opened(bench):  # noqa: F811
    desk = bench(is_hidden=True)
    start(desk)
    assert not desk.hotkeys.may_ask
    desk.program.open_window(Window.MAIN)
    assert desk.hotkeys.may_ask


@pytest.mark.parametrize(
    ("is_hidden", "has_tray", "hint"),
    [(False, True, DEMO_HINT_TRAY), (True, False, DEMO_HINT), (False, False, None)],
)
def test_where_to_get_a_full_model_is_said_unless_a_window_offers_it(bench, is_hidden, has_tray, hint):  # noqa: F811
    desk = bench(models=("demo",), is_hidden=is_hidden)
    desk.program.store.path.parent.mkdir(parents=True, exist_ok=True)
    desk.program.store.path.write_text("set_up = true\n", encoding="utf-8")
    desk.program.start(desk.views.append, has_tray=has_tray)
    hints = [one.hint for one in desk.run().view.notices if one.title == DEMO_NOTICE]
    assert hints == ([hint] if hint else [])


def test_it_can_be_asked_for_at_any_time(desk):
    shown = start(desk)
    desk.ask("setup")
    assert shown == [Window.SETUP, Window.SETUP]


@pytest.mark.linux("the entry is one of XDG")
def test_the_autostart_is_shown_and_changed(desk, tmp_path):
    start(desk)
    entry = tmp_path / "xdg" / "autostart" / "io.github.handy_qwen.desktop"
    assert not desk.view.choices.is_autostarted
    desk.program.use_autostart(True)
    desk.run()
    assert desk.view.choices.is_autostarted
    assert "--hidden" in entry.read_text(encoding="utf-8")
    desk.program.use_autostart(False)
    desk.run()
    assert not desk.view.choices.is_autostarted
    assert not entry.exists()


@pytest.mark.linux("the entry is one of XDG")
def test_an_autostart_that_cannot_be_changed_is_told(desk, tmp_path):
    start(desk)
    (tmp_path / "xdg").write_text("no folder", encoding="utf-8")
    desk.program.use_autostart(True)
    desk.run()
    assert any("autostart entry" in title for title in desk.titles)
    assert not desk.view.choices.is_autostarted


def test_a_new_hotkey_is_listened_for_and_kept(desk):
    start(desk)
    answers = []
    desk.program.use_hotkeys([Hotkey("f9")], 0, answers.append)
    desk.run()
    assert [hotkey.chord for hotkey in desk.hotkeys.hotkeys] == ["f9"]
    assert desk.view.choices.hotkeys == ("F9",)
    assert answers == [None]
    desk.program.use_hotkeys([Hotkey("a")], 0, answers.append)
    desk.run()
    assert answers[1].hint == "Try Ctrl+Alt+A."
    assert answers[1].title not in desk.titles, "who asked shows it"
    assert desk.view.choices.hotkeys == ("F9",)


def test_several_hotkeys_are_listened_for_unless_the_one_that_changed_is_refused(desk):
    start(desk)
    answers = []
    two = (Hotkey("Right Ctrl"), Hotkey("F9", "German", Submit.ENTER))
    desk.program.use_hotkeys(two, 1, answers.append)
    desk.run()
    assert answers == [None]
    assert desk.hotkeys.hotkeys == two
    desk.program.use_hotkeys((*two, Hotkey("f9")), 2, answers.append)
    desk.program.use_hotkeys((Hotkey("a"), two[1]), 0, answers.append)
    desk.run()
    assert [error.title for error in answers[1:]] == [
        "Hotkey 2 is F9 already.",
        "A alone would stop you typing A.",
    ]
    assert desk.program.store.value.hotkeys == two
    desk.program.use_hotkeys((), None, answers.append)
    desk.run()
    assert answers[-1] is None
    assert desk.hotkeys.hotkeys == ()


def test_a_hotkey_that_is_none_keeps_nobody_from_changing_another(desk):
    start(desk)
    desk.program.change(hotkeys=(Hotkey("no such key"), Hotkey("f8")))
    answers = []
    desk.program.use_hotkeys((Hotkey("no such key"), Hotkey("f9")), 1, answers.append)
    desk.run()
    assert answers == [None]


def test_a_hotkey_of_another_program_is_not_even_tried(desk):
    start(desk)
    taken = HotkeyError("Another program uses F9.", HotkeyReason.TAKEN, "F8 is free.")
    desk.hotkeys.error = taken
    refused = []
    desk.program.use_hotkeys([Hotkey("f9")], 0, refused.append)
    desk.run()
    assert refused == [taken]
    assert desk.view.choices.hotkeys == ("Right Ctrl",)
    assert [hotkey.chord for hotkey in desk.program.store.value.hotkeys] == ["Right Ctrl"]
