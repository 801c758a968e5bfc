"""The page Apps: what is changed is asked for, what is shipped can be had again, a removal is taken back."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from handy_qwen.core.profiles import BUILT_IN
from handy_qwen.core.types import Method, Profile, Spacing, Submit
from handy_qwen.errors import SettingsError
from handy_qwen.settings import Settings, SettingsView
from handy_qwen.settings.forms import Page
from tests.unit.ui.gallery import CHOOSING
from tests.unit.ui.settings.test_window import make

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support"),
    pytest.mark.usefixtures("app_home"),
]
MAIL = Profile("Mail", ("thunderbird",), words=("Kovács",))
NOTES = Profile("Notes", ("gnome-text-editor",))


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


def answer(page):
    """Show each change that was asked for, in its turn, as the settings do."""
    for name, changes in page.asked.calls:
        assert name == "change"
        show(page, *changes["apps"])
    page.asked.calls.clear()


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
    for control, value in (
        (apps.method, Method.TYPE),
        (apps.submit, Submit.CTRL_ENTER),
        (apps.spacing, Spacing.OFF),
    ):
        choose(control, value)
    write(apps.programs, "Thunderbird, thunderbird*")
    assert wanted(apps) == (
        Profile(
            "Thunderbird", ("Thunderbird", "thunderbird*"), "", Method.TYPE, Submit.CTRL_ENTER, Spacing.OFF
        ),
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
    assert apps.programs_row.trouble.words == "Say which programs it is for."
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
def test_what_is_being_typed_stays_with_its_app(qtbot, apps, name):
    choose(apps.language, "German")  # so that there is something to reset
    answer(apps)
    apps.words.setFocus()
    qtbot.keyClicks(apps.words, "kubectl")
    getattr(apps, name).click()  # as by its letter: it leaves the focus where it is
    ended, done = ([one.words for one in changes["apps"]] for _name, changes in apps.asked.calls)
    assert ended == [("kubectl",)]
    assert done == ([("kubectl",), ()] if name == "add" else [])
    assert apps.words.text() == ""
    answer(apps)
    assert apps.chosen.name == ("New app" if name == "add" else BUILT_IN[0].name)
    if name == "add":
        assert apps.name.hasFocus()
        return
    assert apps.list.hasFocus()
    assert not apps.told.undo_button.isHidden()
    write(apps.programs, "kitty")  # what is done after it is not what is undone
    answer(apps)
    assert apps.told.undo_button.isHidden()


def test_what_an_input_method_still_composes_stays_with_its_app(apps, compose):
    show(apps, NOTES)
    apps.list.setCurrentRow(0)
    apps.words.setFocus()
    compose("東京")
    apps.add.click()
    assert wanted(apps)[0] == replace(NOTES, words=("東京",))


def test_what_was_removed_comes_back_beside_what_was_changed_since(qtbot, apps):
    show(apps, MAIL, NOTES)
    apps.list.setCurrentRow(0)
    apps.remove.click()
    apps.list.setCurrentRow(0)
    apps.words.setFocus()
    qtbot.keyClicks(apps.words, "Oslo")
    apps.told.undo_button.click()
    answer(apps)
    assert apps._own == (MAIL, replace(NOTES, words=("Oslo",)))
    assert apps.told.undo_button.isHidden()
    assert apps.chosen.name == "Mail"


def test_what_is_refused_stays_to_be_corrected(qtbot, apps):
    show(apps, MAIL, NOTES)
    apps.list.setCurrentRow(0)
    apps.name.setFocus()
    apps.name.selectAll()
    qtbot.keyClicks(apps.name, "Notes")
    apps.add.click()
    assert apps.asked.calls == []
    assert (apps.name.text(), apps.name.hasFocus()) == ("Notes", True)
    assert apps.name_row.trouble.words == "There is an app of that name already."
    qtbot.keyClick(apps.name, Qt.Key.Key_Backspace)
    qtbot.keyClick(apps.name, Qt.Key.Key_Return)
    apps.add.click()
    assert [one.name for one in wanted(apps)] == ["Note", "Notes", "New app"]


def test_what_is_typed_for_an_app_that_goes_is_not_given_to_another(qtbot, apps):
    show(apps, MAIL, NOTES)
    apps.list.setCurrentRow(0)
    apps.words.setFocus()
    qtbot.keyClicks(apps.words, ", Oslo")
    show(apps, NOTES)  # in the file, by somebody else
    assert apps.words.text() == ""
    qtbot.keyClick(apps.words, Qt.Key.Key_Return)
    assert apps.asked.calls == []


def test_the_commas_of_other_scripts_are_commas(apps):
    apps.add.click()
    write(apps.words, "東京，大阪、京都 ، وهران, Oslo")  # noqa: RUF001
    assert apps.chosen.words == ("東京", "大阪", "京都", "وهران", "Oslo")
    assert apps.words.text() == "東京, 大阪, 京都, وهران, Oslo"


def test_going_through_the_fields_changes_nothing(qtbot, apps):
    own = replace(MAIL, words=("A、B", "x, y"))
    show(apps, own)
    for name in ("Mail", BUILT_IN[0].name):
        apps.list.setCurrentRow(names(apps).index(name))
        for line in (apps.name, apps.programs, apps.words):
            line.setFocus()
            qtbot.keyClick(line, Qt.Key.Key_Tab)
            assert not line.hasFocus()
    assert apps.asked.calls == []
    assert apps.words.text() == ""


def test_what_was_refused_and_then_taken_back_is_no_longer_told(qtbot, apps):
    show(apps, MAIL, NOTES)
    apps.list.setCurrentRow(0)
    apps.name.setFocus()
    apps.name.selectAll()
    qtbot.keyClicks(apps.name, "Notes")
    qtbot.keyClick(apps.name, Qt.Key.Key_Return)
    assert apps.name_row.trouble.words
    apps.name.undo()
    while apps.name.isUndoAvailable():
        apps.name.undo()
    qtbot.keyClick(apps.name, Qt.Key.Key_Return)
    assert (apps.name.text(), apps.name_row.trouble.words) == ("Mail", "")
    assert apps.asked.calls == []


def test_what_was_refused_goes_with_its_app(qtbot, apps):
    show(apps, MAIL, NOTES)
    apps.list.setCurrentRow(0)
    apps.name.setFocus()
    apps.name.selectAll()
    qtbot.keyClicks(apps.name, "Chat")  # which there is
    apps.remove.click()
    assert wanted(apps) == (NOTES,)
    assert apps.chosen.name == apps.name.text() == "Notes"
    assert apps.name_row.trouble.words == ""
    apps.told.undo_button.click()
    assert wanted(apps) == (MAIL, NOTES)


def test_a_change_that_was_overtaken_is_not_shown_and_one_that_was_not_saved_is_not_kept(apps):
    show(apps, MAIL)
    apps.list.setCurrentRow(0)
    choose(apps.spacing, Spacing.ON)
    choose(apps.spacing, Spacing.OFF)
    show(apps, replace(MAIL, spacing=Spacing.ON))
    assert apps.spacing._value is Spacing.OFF
    saved = replace(MAIL, spacing=Spacing.OFF)
    show(apps, saved)
    choose(apps.spacing, Spacing.ON)
    unsaved = SettingsView(Path("settings.toml"), Settings(apps=(saved,)), refusal=SettingsError("no room"))
    apps.window_of.show_settings(unsaved)
    assert apps.spacing._value is Spacing.OFF
