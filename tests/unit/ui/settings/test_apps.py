"""The page Apps: what is changed is asked for, what is shipped can be had again, a removal is taken back."""

from dataclasses import replace
from pathlib import Path

import pytest

from handy_qwen.core.profiles import BUILT_IN
from handy_qwen.core.types import Profile
from handy_qwen.settings import Settings, SettingsView
from handy_qwen.settings.forms import Page
from tests.unit.ui.gallery import CHOOSING
from tests.unit.ui.settings.test_window import make

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support"),
    pytest.mark.usefixtures("app_home"),
]
MAIL = Profile("Mail", ("thunderbird",), words=("Kovács",))


@pytest.fixture
def apps(qtbot, asked):
    window = make(qtbot, asked)
    window.go(Page.APPS)
    page = window.page(Page.APPS)
    page.asked, page.window_of = asked, window
    asked.calls.clear()
    return page


def show(page, *own):
    page.window_of.show_settings(SettingsView(Path("settings.toml"), Settings(apps=own)))


def wanted(page):
    """What the settings were asked to be last."""
    name, changes = page.asked.calls[-1]
    assert name == "change"
    return changes["apps"]


def names(page):
    return [page.list.item(row).text() for row in range(page.list.count())]


def choose(control, value):
    place = [one for one, _title in control._shown].index(value)
    control.widget.setCurrentIndex(place)
    control.widget.activated.emit(place)


def write(line, text):
    line.setFocus()
    line.setText(text)
    line.setModified(True)
    line.editingFinished.emit()


def test_what_is_shipped_is_there_and_becomes_ones_own_when_it_is_changed(apps):
    assert names(apps) == [one.name for one in BUILT_IN]
    assert not apps.remove.isEnabled()
    assert "xterm" in apps.programs.text()
    choose(apps.language, "German")
    assert wanted(apps) == (replace(BUILT_IN[0], programs=(), language="German"),)
    write(apps.words, " kubectl,  systemd ,kubectl,")
    assert wanted(apps)[0].words == ("kubectl", "systemd")
    assert apps.remove.text() == "Rese&t"
    assert apps.name.isReadOnly()
    apps.remove.click()
    assert wanted(apps) == ()
    assert names(apps) == [one.name for one in BUILT_IN]
    apps.told.undo_button.click()
    assert wanted(apps)[0].words == ("kubectl", "systemd")


def test_the_app_used_last_is_added_once_and_all_of_it_can_be_chosen(apps):
    assert apps.add_last.text() == "Add “Thunderbird”"
    apps.add_last.click()
    assert wanted(apps) == (Profile("Thunderbird", ("Thunderbird",)),)
    calls = len(apps.asked.calls)
    apps.list.setCurrentRow(2)
    apps.add_last.click()
    assert len(apps.asked.calls) == calls, "it is there: it is shown"
    assert apps.chosen.name == "Thunderbird"
    for control, value in ((apps.method, "type"), (apps.submit, "ctrl+enter"), (apps.spacing, "off")):
        choose(control, value)
    write(apps.programs, "Thunderbird, thunderbird*")
    assert wanted(apps) == (
        Profile("Thunderbird", ("Thunderbird", "thunderbird*"), "", "type", "ctrl+enter", "off"),
    )
    write(apps.name, "Mail")
    assert wanted(apps)[0].name == "Mail"
    apps.window_of.show_view(replace(CHOOSING, application=""))
    assert not apps.add_last.isEnabled()


def test_a_name_must_be_there_and_be_the_only_one(apps):
    show(apps, MAIL)
    apps.list.setCurrentRow(0)
    for name, reason in (("Chat", "There is an app of that name already."), (" ", "Enter a name.")):
        write(apps.name, name)
        assert apps.name_row.trouble.words == reason
    assert apps.asked.calls == []
    write(apps.words, "x" * 600)
    assert "500 characters" in apps.words_row.trouble.words
    assert apps.asked.calls == []


def test_a_new_app_says_that_it_needs_programs_and_can_be_removed_and_brought_back(apps):
    show(apps, MAIL)
    apps.add.click()
    apps.add.click()
    assert [one.name for one in wanted(apps)] == ["Mail", "New app", "New app 2"]
    assert apps.programs_row.trouble.words == "Say for which programs it is."
    apps.remove.click()
    assert [one.name for one in wanted(apps)] == ["Mail", "New app"]
    apps.told.undo_button.click()
    assert [one.name for one in wanted(apps)] == ["Mail", "New app", "New app 2"]


def test_a_change_in_the_file_is_shown(apps):
    show(apps, MAIL)
    assert names(apps)[0] == "Mail"
    apps.list.setCurrentRow(0)
    show(apps, replace(MAIL, language="French"))
    assert apps.language._value == "French"
    show(apps)
    assert names(apps) == [one.name for one in BUILT_IN]


@pytest.mark.parametrize("name", ["add", "remove"])
def test_what_is_being_typed_is_for_the_app_that_it_was_typed_for(qtbot, apps, name):
    choose(apps.language, "German")  # what can be reset
    apps.asked.calls.clear()
    apps.words.setFocus()
    qtbot.keyClicks(apps.words, "kubectl")
    getattr(apps, name).click()  # as on macOS: it leaves the focus where it is
    ended, done = ([one.words for one in changes["apps"]] for _name, changes in apps.asked.calls)
    assert ended == [("kubectl",)]
    assert done == ([("kubectl",), ()] if name == "add" else [])
    assert apps.words.text() == ""
