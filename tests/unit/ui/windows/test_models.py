"""The Models window by keyboard: what it shows in each state, and what it asks for."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox

from handy_qwen.core.models import InstallStage, ModelList, ModelStatus, Problem, Progress
from handy_qwen.ui.windows import model_words as words
from handy_qwen.ui.windows.models import ModelCard, ModelsWindow
from tests.e2e.pasts import VIEW
from tests.e2e.shelves import (
    COST,
    DEMO,
    DOWNLOADING,
    FIDELITY,
    GB,
    IDLE_DEMO,
    INSTALLED,
    LARGE,
    PUBLISHED,
    SHELVES,
    SMALL,
    installing,
    shelf,
)
from tests.unit.ui.gallery import labels

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
NO_MODIFIER, CONTROL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def make(qtbot, asked, app_home, monkeypatch):  # noqa: ARG001  the home keeps the window's place
    """Makes and presents a window, with models if there are any."""
    monkeypatch.setattr(ModelCard, "DOUBLE_MS", 0)

    def made(models=None):
        window = ModelsWindow(asked.models)
        qtbot.addWidget(window)
        if models is not None:
            window.show_models(models)
        window.present()
        qtbot.waitExposed(window)
        asked.calls.clear()
        return window

    return made


@pytest.fixture
def window(make):
    return make(SHELVES["empty"])


def press(qtbot, window, key, modifier=NO_MODIFIER):
    qtbot.keyClick(window.focusWidget() or window, key, modifier)


def card(window, entry):
    return window.cards.by_name[entry.name]


def said(widget):
    return "\n".join(labels(widget))


def test_enter_installs_what_is_recommended(qtbot, window, asked):
    press(qtbot, window, Qt.Key.Key_Return)
    assert asked.calls == [("install", SMALL.name)]


def test_until_the_models_are_known_it_says_so_and_then_they_get_the_keyboard(qtbot, make):
    window = make()
    assert "Looking for models…" in said(window)
    press(qtbot, window, Qt.Key.Key_Return)  # too early
    assert window.isVisible()
    window.show_models(SHELVES["empty"])
    assert "Looking for models…" not in said(window)
    assert window.focusWidget() is card(window, SMALL).primary


def test_the_button_that_gets_the_keyboard_is_there_at_once(make):
    """One that comes with the next event loses the keyboard to Import, if the window is activated before."""
    window = make()
    window.show_models(SHELVES["empty"])
    assert window.first_focus().isVisible()


@pytest.mark.parametrize(("key", "modifier"), [(Qt.Key.Key_Escape, NO_MODIFIER), (Qt.Key.Key_W, CONTROL)])
def test_escape_closes_and_so_does_ctrl_w(qtbot, window, key, modifier):
    qtbot.waitUntil(window.isActiveWindow)
    press(qtbot, window, key, modifier)
    assert not window.isVisible()


def test_it_looks_at_the_models_whenever_it_comes_up(window, asked):
    window.close()
    window.present()
    assert asked.calls == [("refresh",)]


def test_enter_pauses_what_it_installed_and_resumes_it_with_the_focus_in_place(qtbot, window, asked):
    window.show_models(shelf(DOWNLOADING, LARGE, DEMO))
    assert card(window, SMALL).primary.text() == "Pause"
    press(qtbot, window, Qt.Key.Key_Enter)
    window.show_models(SHELVES["paused"])
    assert card(window, SMALL).primary.text() == "Resume"
    press(qtbot, window, Qt.Key.Key_Enter)
    assert asked.calls == [("pause", SMALL.name), ("install", SMALL.name)]


def test_a_double_click_does_not_pause_what_its_first_half_began(qtbot, window, asked, monkeypatch):
    monkeypatch.setattr(ModelCard, "DOUBLE_MS", 3_600_000)
    window.show_models(shelf(DOWNLOADING, LARGE, DEMO))
    press(qtbot, window, Qt.Key.Key_Enter)
    assert asked.calls == []


def test_progress_tells_stage_amount_rate_and_time(window):
    window.show_models(shelf(DOWNLOADING, DEMO))
    for part in ("Downloading", "812 MB of 1.9 GB", "12.4 MB/s", "about 1 minute left"):
        assert part in said(card(window, SMALL))
    assert card(window, SMALL).work.bar.value() == 430
    assert "812 MB" in card(window, SMALL).work.bar.accessibleName()


def test_each_stage_after_the_download_is_named_and_can_be_cancelled(window):
    stages = (InstallStage.UNPACKING, InstallStage.CHECKING, InstallStage.CONVERTING, InstallStage.TESTING)
    for stage in stages:
        window.show_models(shelf(installing(SMALL, stage, 0.61), DEMO))
        assert f"{words.STAGES[stage]}  ·  61%" in said(card(window, SMALL))
        assert card(window, SMALL).primary.text() == "Cancel", stage


def test_a_lost_connection_is_said_instead_of_a_rate(window):
    lost = replace(DOWNLOADING.progress, is_stalled=True, rate_bytes_s=0.0, remaining_s=None)
    models = shelf(replace(DOWNLOADING, progress=lost), DEMO)
    window.show_models(models)
    assert f"{words.RETRYING}  ·  812 MB of 1.9 GB" in said(card(window, SMALL))
    assert words.installation(models) == (SMALL.title, f"{words.RETRYING} 43%")


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress(InstallStage.DOWNLOADING), "Connecting…"),
        (Progress(InstallStage.DOWNLOADING, is_stalled=True), "Connection lost, retrying…"),
        (Progress(InstallStage.CONVERTING, 0.999), "Converting  ·  99%"),
        (Progress(InstallStage.TESTING, 0.5, remaining_s=4), "Testing  ·  50%  ·  a moment left"),
        (Progress(InstallStage.TESTING, 0.5, remaining_s=28), "Testing  ·  50%  ·  about 30 s left"),
        (Progress(InstallStage.TESTING, 0.5, remaining_s=7260), "Testing  ·  50%  ·  about 2 h 1 min left"),
    ],
)
def test_a_line_says_what_is_known(progress, line):
    assert words.progress_line(progress) == line


def test_a_stage_without_end_is_shown_as_such_and_one_that_waits_has_no_bar(window):
    checking = installing(SMALL, InstallStage.CHECKING, None)
    window.show_models(shelf(checking, installing(LARGE, InstallStage.WAITING, None)))
    assert card(window, SMALL).work.bar.maximum() == 0
    assert not card(window, LARGE).work.bar.isVisible()
    assert "Starts when the other installation finishes." in said(card(window, LARGE))


def test_a_failure_says_what_and_what_to_do_and_is_tried_again(qtbot, window, asked):
    window.show_models(SHELVES["failed"])
    for part in ("cannot be reached", "Check the network", "Installation failed"):
        assert part in said(card(window, LARGE))
    card(window, LARGE).primary.setFocus()
    press(qtbot, window, Qt.Key.Key_Return)
    assert asked.calls == [("install", LARGE.name)]


@pytest.mark.parametrize("is_imported", [False, True])
def test_a_damaged_model_can_be_installed_again_and_an_import_only_be_removed(window, asked, is_imported):
    problem = Problem("decoder.onnx is damaged.")
    window.show_models(shelf(replace(INSTALLED, is_damaged=True, is_imported=is_imported, problem=problem)))
    assert "Does not work" in said(card(window, SMALL))
    assert card(window, SMALL).secondary.text() == "Remove"
    assert card(window, SMALL).primary.isVisible() is not is_imported
    if not is_imported:
        card(window, SMALL).primary.click()
        assert asked.calls == [("install", SMALL.name, INSTALLED.preset)]  # in the form that it has


def test_a_model_that_could_not_be_removed_is_not_called_broken(window):
    window.show_models(shelf(replace(INSTALLED, problem=Problem("It could not be deleted."))))
    assert "could not be deleted" in said(card(window, SMALL))
    assert "Does not work" not in said(card(window, SMALL))


def test_another_installed_model_is_taken_into_use(window, asked):
    window.show_models(shelf(INSTALLED, replace(LARGE, status=ModelStatus.INSTALLED), IDLE_DEMO))
    assert not card(window, SMALL).primary.isVisible()
    card(window, LARGE).primary.click()
    assert asked.calls == [("use", LARGE.name)]


def question_of(qtbot, window):
    def found():
        return [box for box in window.findChildren(QMessageBox) if box.isVisible()]

    qtbot.waitUntil(lambda: len(found()) == 1)
    return found()[0]


def test_delete_asks_and_removes_and_enter_keeps(qtbot, window, asked):
    window.show_models(shelf(INSTALLED, LARGE, IDLE_DEMO))
    card(window, SMALL).secondary.setFocus()
    press(qtbot, window, Qt.Key.Key_Delete)
    box = question_of(qtbot, window)
    assert "713 MB" in box.informativeText()
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert asked.calls == []
    press(qtbot, window, Qt.Key.Key_Delete)
    box = question_of(qtbot, window)
    next(button for button in box.buttons() if button.text() == "Remove").click()
    assert asked.calls == [("remove", SMALL.name)]


def test_what_is_here_of_a_paused_download_can_be_discarded(qtbot, window, asked):
    window.show_models(SHELVES["paused"])
    card(window, SMALL).secondary.click()
    box = question_of(qtbot, window)
    assert "812 MB" in box.informativeText()
    next(button for button in box.buttons() if button.text() == "Discard").click()
    assert asked.calls == [("discard", SMALL.name)]


def test_the_demo_model_cannot_be_removed(qtbot, window, asked):
    assert not card(window, DEMO).secondary.isVisible()
    card(window, DEMO).languages.toggle.setFocus()
    press(qtbot, window, Qt.Key.Key_Delete)
    assert asked.calls == []
    assert window.findChildren(QMessageBox) == []


def test_a_hint_says_that_only_the_demo_is_here_until_a_model_is_installed(window):
    assert (
        "Only the demo model is installed. It knows about 300 English and German words, enough to show that "
        "everything works. Install a full model to dictate." in said(window)
    )
    window.show_models(shelf(INSTALLED, IDLE_DEMO))
    assert (
        "Only the demo model is installed. It knows about 300 English and German words, enough to show that "
        "everything works. Install a full model to dictate." not in said(window)
    )


def test_too_little_memory_and_too_little_disk_are_said_in_numbers(window):
    window.show_models(shelf(LARGE, memory_bytes=2 * GB))
    assert "Needs 2.6 GB of memory; this computer has 2.0 GB." in said(card(window, LARGE))
    window.show_models(replace(shelf(LARGE), free_bytes=GB))
    assert "Installing needs 6.3 GB of disk space; 1.0 GB free." in said(card(window, LARGE))
    assert "1.0 GB free" in window.room.text()


def choose(window, entry, place):
    forms = card(window, entry).forms
    forms.combo.setCurrentIndex(place)
    forms.combo.activated.emit(place)
    return forms


def test_each_form_says_its_memory_and_what_it_costs(window):
    forms = card(window, SMALL).forms
    texts = [forms.combo.itemText(place) for place in range(forms.combo.count())]
    assert texts[0] == "Balanced, recommended · 1.4 GB of memory"
    assert texts[2] == "Smallest · 1.0 GB of memory"
    assert COST not in said(forms)
    choose(window, SMALL, 1)
    assert COST in said(forms)
    assert "640 MB" in said(card(window, SMALL).facts)


def test_the_form_that_was_chosen_is_installed_also_after_a_pause(window, asked):
    choose(window, SMALL, 1)
    card(window, SMALL).primary.click()
    window.show_models(shelf(DOWNLOADING, DEMO))
    assert not card(window, SMALL).forms.isVisible()
    window.show_models(SHELVES["paused"])
    card(window, SMALL).primary.click()
    assert asked.calls == [("install", SMALL.name, "compact")] * 2
    choose(window, SMALL, 0)
    card(window, SMALL).primary.click()
    assert asked.calls[2:] == [("install", SMALL.name)]


def test_where_memory_is_short_a_smaller_form_is_proposed_and_the_usual_one_stays_chosen(window, asked):
    window.show_models(SHELVES["short-of-memory"])
    small, large = card(window, SMALL), card(window, LARGE)
    assert "Needs 1.4 GB of memory; this computer has 1.5 GB." in said(small)
    assert f"You can choose Compact, which needs 1.1 GB. {COST}" in said(small)
    assert "You can choose" not in said(large)  # none of its forms fits
    small.primary.click()
    assert asked.calls == [("install", SMALL.name)]
    choose(window, SMALL, 1)
    assert "this computer has" not in said(small)


def test_an_installed_model_says_how_close_it_comes_to_full_precision(window):
    assert "check sentences" not in said(window)
    window.show_models(SHELVES["installed"])
    assert FIDELITY[0] in said(card(window, SMALL))
    assert "19 of 20" in said(card(window, LARGE))
    assert "float32, because" in said(card(window, LARGE))


def test_models_of_other_makers_are_behind_a_button(qtbot, window, asked):
    other = card(window, PUBLISHED)
    assert not other.isVisible()
    assert window.cards.more.text() == "More models (1)"
    window.cards.more.setFocus()
    press(qtbot, window, Qt.Key.Key_Return)
    assert other.isVisible()
    window.cards.layout().activate()
    assert card(window, DEMO).y() < window.cards.more.y() < other.y()
    other.primary.click()
    assert asked.calls == [("install", PUBLISHED.name)]
    window.cards.more.setChecked(False)
    window.show_models(shelf(SMALL, installing(PUBLISHED, InstallStage.CHECKING, 0.5), DEMO))
    assert other.isVisible()  # it is being worked on
    assert not window.cards.more.isVisible()


def test_the_speed_is_measured_once_and_shown(window, asked):
    facts = card(window, SMALL).facts
    window.show_models(shelf(replace(INSTALLED, clip_s=None)))
    facts.measure.click()
    assert asked.calls == [("measure", SMALL.name)]
    window.show_models(shelf(replace(INSTALLED, clip_s=None, is_measuring=True)))
    assert "measuring…" in said(facts)
    window.show_models(shelf(INSTALLED))
    assert "8.1× real time" in said(facts)
    assert not facts.measure.isVisible()


def test_the_languages_open_with_enter(qtbot, window):
    languages = card(window, DEMO).languages
    languages.toggle.setFocus()
    assert not languages.list.isVisible()
    press(qtbot, window, Qt.Key.Key_Return)
    assert languages.list.isVisible()
    assert "Deutsch" in languages.list.text()


def test_cards_go_and_move_with_their_models(window):
    window.show_models(shelf(SMALL, DEMO))
    before = dict(window.cards.by_name)
    assert list(before) == [SMALL.name, DEMO.name]
    window.show_models(shelf(DEMO, SMALL))
    assert window.cards.by_name == before
    window.cards.layout().activate()
    assert card(window, DEMO).y() < card(window, SMALL).y()


def test_the_focus_does_not_move_to_another_card_when_a_button_goes(window):
    window.show_models(shelf(replace(SMALL, status=ModelStatus.INSTALLED), LARGE, DEMO))
    card(window, SMALL).primary.setFocus()
    window.show_models(shelf(replace(INSTALLED, is_chosen=True), LARGE, IDLE_DEMO))
    assert window.focusWidget() is card(window, SMALL).languages.toggle


def test_the_models_are_looked_at_again_when_another_one_is_in_use_or_there_are_others(window, asked):
    window.show_view(VIEW)
    asked.calls.clear()
    window.show_view(replace(VIEW, choices=replace(VIEW.choices, language="German")))
    assert asked.calls == []
    window.show_view(replace(VIEW, choices=replace(VIEW.choices, model="demo")))
    window.show_view(replace(VIEW, choices=replace(VIEW.choices, model="demo", models=())))
    assert asked.calls == [("look",)] * 2
    window.hide()
    window.show_view(VIEW)
    assert asked.calls == [("look",)] * 2


@pytest.mark.parametrize("title", ["From a &folder…", "From an &archive (.zip, .tar.gz)…"])
def test_a_folder_or_an_archive_can_be_imported(qtbot, window, asked, tmp_path, title):
    menu = window.import_button.menu()
    next(action for action in menu.actions() if action.text() == title).trigger()
    (dialog,) = window.findChildren(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path))
    assert asked.calls == [("import_from", tmp_path)]
    dialog.close()
    qtbot.wait(0)


@pytest.mark.parametrize("size", [(5000, 4000), (641, 605)])
def test_the_size_is_remembered_as_far_as_there_is_room(window, make, size):
    window.resize(*size)
    window.close()
    again = make()
    room = again.screen().availableGeometry()
    if size[0] < room.width():
        assert (again.width(), again.height()) == size
    assert room.contains(again.geometry())


def test_the_size_it_came_up_with_is_remembered_again(window, make):
    first = window.size()
    for size in (first + QSize(30, 20), first):
        window.present()
        window.resize(size)
        window.close()
    assert make().size() == first


def test_an_empty_list_is_shown_as_well(window):
    window.show_models(ModelList(folder=Path("/models")))
    assert window.first_focus() is window.scrolled
