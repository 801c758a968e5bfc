"""The pages of the settings window that show more than settings."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QFileDialog, QLabel, QMessageBox

from handy_qwen.core.commands import COMMAND_LANGUAGES
from handy_qwen.core.models import ModelList, Problem
from handy_qwen.core.text import Replacement
from handy_qwen.core.types import BackupPart, Method
from handy_qwen.core.upkeep import Check, HistoryUse, Severity, Upkeep
from handy_qwen.core.view import Window
from handy_qwen.core.vocabulary import Told
from handy_qwen.settings import Settings, SettingsView
from handy_qwen.settings.forms import Page
from handy_qwen.ui.strings import without_letter
from handy_qwen.ui.widgets import Button
from tests.e2e.shelves import SHELVES
from tests.unit.ui.gallery import CHOOSING, UPKEEP
from tests.unit.ui.settings.test_window import make, row_of

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support"),
    pytest.mark.usefixtures("app_home"),
]


@pytest.fixture
def window(qtbot, asked):
    return make(qtbot, asked)


def page(window, which):
    window.go(which)
    return window.page(which)


def button(widget, text):
    return next(one for one in widget.findChildren(Button) if one.text() == text and not one.isHidden())


def show(window, **settings):
    window.show_settings(SettingsView(Path("settings.toml"), Settings(**settings)))


def test_start_at_login_is_shown_and_asked_for_and_the_sounds_can_be_heard(window, asked):
    general = page(window, Page.GENERAL)
    window.show_view(replace(CHOOSING, choices=replace(CHOOSING.choices, is_autostarted=True)))
    assert general._autostart.isChecked()
    general._autostart.click()
    assert asked.calls == [("use_autostart", False)]
    general.findChild(Button).click()
    assert asked.calls[-1] == ("play_sounds",)


def test_the_example_goes_through_the_rules_that_all_texts_go_through(window):
    text = page(window, Page.TEXT)

    def result():
        return text.example.text().splitlines()[-1].partition(": ")[2]

    assert result() == "Please send it to Anna if you can, um, today."
    show(window, remove_fillers=True, trailing_space=True)
    assert result() == "Please send it to Anna if you can, today.␣"
    slow = Replacement("(i|i)+f", "x", is_regex=True)
    show(window, smart_spacing=False, replacements=(slow,))
    assert result() == "Please send it to AnnaIf you can, um, today."


def test_commands_are_shown_for_the_languages_spoken_and_switched_off_one_by_one(window, asked):
    said = page(window, Page.TEXT).languages

    def shown():
        return {name: box.isChecked() for name, box in said.boxes.items() if box.isVisibleTo(said)}

    def speaking(recent_languages=(), **choices):
        choices = replace(CHOOSING.choices, recent_languages=recent_languages, **choices)
        window.show_view(replace(CHOOSING, choices=choices))
        return shown()

    assert len(speaking(language="", detected_languages=())) == len(COMMAND_LANGUAGES)
    assert speaking(language="", detected_languages=("German", "Korean")) == {"German": True}
    assert speaking(language="Cantonese") == {"Chinese": True}
    assert speaking(("Cantonese",), language="German") == {"Chinese": True, "German": True}
    assert len(speaking(language="Korean")) == len(COMMAND_LANGUAGES), "none of its own: all"
    speaking(language="", detected_languages=("German", "French"))
    said.boxes["German"].click()
    assert asked.calls == [("change", {"commands_not_in": ("German",)})]
    show(window, commands_not_in=("German", "Italian"))
    assert shown() == {"German": False, "French": True, "Italian": False}, "what is off can be switched on"
    said.boxes["Italian"].click()
    assert asked.calls[1:] == [("change", {"commands_not_in": ("German",)})]
    assert "neue Zeile" in said.boxes["German"].accessibleName()


def test_automatic_insertion_says_what_it_is_and_can_be_chosen_again(window, asked):
    window.show_view(replace(CHOOSING, choices=replace(CHOOSING.choices, automatic_method=Method.PASTE)))
    row = row_of(window, "method")
    assert row.control.currentText() == "Automatic (Pasting)"
    show(window, method=Method.TYPE)
    assert row.control.currentText() == "Typing"
    row.control.setCurrentIndex(0)
    row.control.activated.emit(0)
    assert asked.calls == [("change", {"method": None})]


def test_languages_are_those_of_the_model_the_recent_ones_first_and_one_that_it_lacks_is_shown(window, asked):
    choices = replace(
        CHOOSING.choices, languages=("English", "French", "German"), recent_languages=("German",)
    )
    window.show_view(replace(CHOOSING, choices=choices))
    row = row_of(window, "language")
    titles = [row.control.itemText(n) for n in range(row.control.count())]
    assert titles == ["Detect automatically", "Deutsch (German)", "English", "français (French)"] or titles[
        1
    ].endswith("(German)")
    assert len(titles) == 4
    show(window, language="Dutch")
    assert row.control.currentText().endswith("(Dutch)")
    row.control.activated.emit(1)
    assert asked.calls[-1] == ("change", {"language": "German"})


def languages_of(window):
    """The row of the languages that are detected, with its list open."""
    choices = replace(CHOOSING.choices, languages=("English", "French", "German"))
    window.go(Page.LANGUAGE)
    window.show_view(replace(CHOOSING, choices=choices))
    row = row_of(window, "languages")
    row.control.click()
    return row


def shown_in(panel):
    rows = (panel.rows.item(place) for place in range(panel.rows.count()))
    return [row.text() for row in rows if not row.isHidden()]


def test_the_languages_that_are_detected_are_ticked_in_a_list_that_can_be_searched(qtbot, window, asked):
    row = languages_of(window)
    panel = row.setting.panel
    assert row.control.text() == "Any language…"
    assert shown_in(panel) == ["English", "Français (French)", "Deutsch (German)"]
    assert panel.search.hasFocus()
    for sought in ("deut", "GERM", "de"):
        panel.search.setText(sought)
        assert shown_in(panel) == ["Deutsch (German)"]
    qtbot.keyClick(panel.search, Qt.Key.Key_Down)
    assert panel.rows.hasFocus()
    qtbot.keyClick(panel.rows, Qt.Key.Key_Space)
    assert asked.calls[-1] == ("change", {"languages": ("German",)})
    show(window, languages=("German",))
    panel.search.clear()
    panel.search.setFocus()
    qtbot.keyClick(panel.search, Qt.Key.Key_Down)
    qtbot.keyClick(panel.rows, Qt.Key.Key_Space)
    assert asked.calls[-1] == ("change", {"languages": ("German", "English")})
    assert row.control.text() == "Deutsch, English…"
    assert row.control.accessibleName() == "Detect only these languages: Deutsch, English…"
    qtbot.keyClick(panel.rows, Qt.Key.Key_Escape)
    assert not panel.isVisible()
    assert window.isVisible()
    assert row.control.hasFocus()
    row.reset.click()
    assert asked.calls[-1] == ("change", {"languages": ()})


def test_languages_that_the_model_lacks_stay_in_the_list_and_those_chosen_are_on_top(window, asked):
    row = languages_of(window)
    show(window, languages=("Dutch", "German"))
    panel = row.setting.panel
    assert shown_in(panel)[:2] == ["Nederlands (Dutch)", "Deutsch (German)"]
    assert panel.ticked() == ["Dutch", "German"]
    panel.rows.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert asked.calls[-1] == ("change", {"languages": ("German",)})
    show(window, languages=("German", "English", "French", "Dutch"))
    assert row.control.text() == "4 languages…"


def test_the_model_in_use_is_shown_with_what_it_takes(window):
    shelf = SHELVES["installed"]
    used = shelf.entries[0]
    choices = replace(CHOOSING.choices, model=used.name)
    window.show_view(replace(CHOOSING, choices=choices))
    window.show_models(ModelList((replace(used, clip_s=0.5, disk_bytes=713_000_000),)))
    row = row_of(window, "model")
    assert row.help.text().startswith("713 MB on disk")
    assert row.help.text().endswith("20× real time on this computer")
    window.show_models(ModelList())
    assert not row.help.isVisible()


def test_the_options_in_a_remedy_are_not_broken_at_their_hyphens(window):
    about = page(window, Page.ABOUT)
    window.show_upkeep(Upkeep((Check("sound", Severity.PROBLEM, "No.", "Try: pulseaudio --start."),)))
    (shown,) = (one.text() for one in about.findChildren(QLabel) if "pulseaudio" in one.text())
    assert shown == "Try: pulseaudio --\u2060start."


def test_the_boxes_before_the_limits_of_the_history_are_in_one_column(window, qtbot):
    page(window, Page.HISTORY)
    window.present()
    names = ("history_count", "history_days", "history_gb")
    boxes = [row_of(window, name).setting.widget.findChild(QCheckBox) for name in names]
    qtbot.waitUntil(lambda: len({one.mapTo(window, one.rect().topLeft()).x() for one in boxes}) == 1)


def test_the_languages_of_the_commands_do_not_touch_each_other(window):
    said = page(window, Page.TEXT).languages
    window.present()
    lines = sorted(
        (one.geometry() for one in said._lines.values() if one.isVisible()), key=lambda one: one.y()
    )
    assert len(lines) > 1
    assert all(below.top() - above.bottom() > 3 for above, below in pairwise(lines))


def test_the_history_is_counted_when_the_page_is_seen_and_deleted_after_a_question(qtbot, window, asked):
    history = page(window, Page.HISTORY)
    assert asked.calls == [("measure_history",)]
    delete = button(history, "Delete all…")
    assert not delete.isEnabled()
    window.show_upkeep(UPKEEP)
    assert history._use.help.text() == "824 dictations, 12 of them starred; their sound uses 1.2 GB now."
    delete.click()
    box = window.findChild(QMessageBox)
    assert box.text() == "Delete 812 dictations?"
    assert "12 starred ones stay." in box.informativeText()
    box.defaultButton().click()
    assert asked.calls == [("measure_history",)], "Enter keeps them"
    delete.click()
    yes = next(one for one in box.parent().findChildren(QMessageBox) if one.isVisible())
    next(one for one in yes.buttons() if one.text() == "&Delete for good").click()
    assert asked.calls[-1] == ("delete_history",)
    window.show_upkeep(Upkeep(history=HistoryUse(12, 12, 0)))
    qtbot.waitUntil(lambda: not delete.isEnabled())


def test_checks_come_one_by_one_and_what_can_be_fixed_has_a_button_that_does_it(window, asked):
    about = page(window, Page.ABOUT)
    assert asked.calls == [("check",)]
    window.show_upkeep(Upkeep(UPKEEP.checks[:1], is_checking=True))
    assert about._state.help.text() == "Checking…"
    assert not about._again.isEnabled()
    first = about._checks._lines[0]
    window.show_upkeep(UPKEEP)
    assert about._checks._lines[0] is first, "what has the keyboard stays"
    assert about._state.help.text() == "2 things to look at."
    button(about, "Open Models…").click()
    assert asked.calls[-1] == ("open_window", Window.MODELS)
    button(about, "Choose a microphone").click()
    assert window.chosen is Page.MICROPHONE
    window.go(Page.ABOUT)
    assert asked.calls.count(("check",)) == 1, "it is known already"
    window.show_upkeep(Upkeep((Check("model", Severity.FINE, "It is there."),)))
    assert about._state.help.text() == "Everything works."
    assert not any(one.text() == "Open Models…" for one in about.findChildren(Button) if one.isVisible())


def test_a_button_is_called_by_what_is_written_on_it(window):
    """Who speaks to the computer says what is to be seen; who hears it must learn what it does."""
    for row in (row for which in Page for row in page(window, which).rows):
        if isinstance(row.control, Button):
            written = without_letter(row.control.text())
            assert row.control.accessibleName() == ": ".join(filter(None, (row.label.text(), written)))


def test_the_support_archive_is_saved_where_the_user_says(window, asked, tmp_path):
    about = page(window, Page.ABOUT)
    button(about, "Save…").click()
    dialog = window.findChild(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "x.zip"))
    dialog.close()
    assert asked.calls[-1] == ("write_archive", tmp_path / "x.zip")
    window.show_upkeep(Upkeep(problem=Problem("The history cannot be deleted.")))
    assert not about._archive.trouble.words, "another page says it"
    window.show_upkeep(Upkeep(archive_problem=Problem("The disk is full.")))
    assert about._archive.trouble.words == "The disk is full."
    window.show_upkeep(Upkeep(archive=tmp_path / "x.zip"))
    assert str(tmp_path / "x.zip") in about._archive.trouble.words


def test_a_backup_takes_the_parts_that_are_ticked(window, asked, monkeypatch):
    row = page(window, Page.GENERAL).backup
    monkeypatch.setattr(QFileDialog, "open", lambda _self: None)
    row.parts[BackupPart.WORDS].click()
    asked.calls.clear()
    row.export_button.click()
    row.import_button.click()
    saving, opening = row.findChildren(QFileDialog)
    saving.fileSelected.emit("/mine/backup.toml")
    opening.fileSelected.emit("/mine/backup.toml")
    chosen = [BackupPart.SETTINGS, BackupPart.APPS, BackupPart.REPLACEMENTS]
    file = Path("/mine/backup.toml")
    assert asked.calls == [("export_backup", file, chosen), ("import_backup", file, chosen)]
    for part in chosen:
        row.parts[part].click()
    assert not any(one.isEnabled() for one in (row.export_button, row.import_button))


def test_what_came_of_a_backup_is_said_and_taken_back(window, asked):
    row = page(window, Page.GENERAL).backup
    window.show_upkeep(replace(UPKEEP, moved=Told(1, "2 settings changed."), can_undo=True))
    assert row.told.message.words == "2 settings changed."
    asked.calls.clear()
    row.told.undo_button.click()
    assert asked.calls == [("undo_import",)]
    window.show_upkeep(replace(UPKEEP, moved=Told(2, "There is no file.", "Look.", is_problem=True)))
    assert not row.told.undo_button.isVisible()


def test_handys_settings_are_one_click_away_where_they_are(window, asked):
    row = page(window, Page.GENERAL).backup
    assert not row.handy_button.isVisible()
    window.show_upkeep(replace(UPKEEP, handy=Path("/handy.json")))
    asked.calls.clear()
    row.handy_button.click()
    assert asked.calls == [("import_backup", Path("/handy.json"), list(BackupPart))]
