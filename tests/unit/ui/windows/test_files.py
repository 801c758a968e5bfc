"""The window for sound files: what it shows, and what it asks for."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog, QMessageBox

from handy_qwen.core.sound_files import FilesPage, FileState, Form
from handy_qwen.core.view import Phase
from tests.e2e.pasts import VIEW
from tests.unit.ui.gallery import FILES, TALKS, open_window

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support"),
    pytest.mark.usefixtures("app_home"),
]


@pytest.fixture
def window(qtbot, asked):
    made = open_window(qtbot, asked, "files-done")
    assert asked.calls == [("look",)]
    asked.calls.clear()
    return made


def choose(window, *places):
    window.list.clearSelection()
    for place in places:
        window.list.topLevelItem(place).setSelected(True)


def states(window):
    return [window.list.topLevelItem(place).text(1) for place in range(window.list.topLevelItemCount())]


def test_each_file_says_how_far_it_is_and_all_together(window):
    assert states(window) == ["Done", "Done", "Failed", "42%", "No text", "Waiting"]
    assert window.progress.text() == "4 of 6 files"
    assert window.windowTitle().startswith("Transcribe files: 4 of 6 files")
    assert window.outcome.words == "Saved as Interview.srt."
    entries = list(FILES.entries)
    entries[3] = replace(entries[3], state=FileState.DONE, text="Good.", saved=Path("x.txt"))
    window.show_files(replace(FILES, entries=tuple(entries)))
    assert states(window)[3] == "Saved"
    assert window.progress.text() == "5 of 6 files"


def test_the_text_of_what_is_selected_is_shown_or_why_there_is_none(window):
    assert window.text.toPlainText().startswith("Good evening.")
    assert window.remove_button.text() == "&Remove"
    choose(window, 1)
    assert (window.text.toPlainText(), window.notice.words) == ("Yes.", "The text may be incomplete.")
    choose(window, 2)
    assert (window.text.toPlainText(), window.notice.words) == ("", "letter.mp3: it is no sound file.")
    assert not window.copy_button.isEnabled()
    assert not window.save_button.isEnabled()
    choose(window, 3)
    assert window.remove_button.text() == "Ca&ncel"
    choose(window, 0, 1)
    assert window.text.toPlainText().endswith("Good evening. \n\nYes.")


def test_what_was_left_or_failed_is_gone_on_with(qtbot, asked):
    window = open_window(qtbot, asked, "files-left")
    asked.calls.clear()
    assert states(window)[3:] == ["Not done yet", "No text", "Not done yet"]
    assert window.left.message.words == "2 files were left when you quit."
    assert not window.first.isVisible(), "they do not wait for a dictation"
    assert window.remove_button.text() == "&Remove"
    window.left.undo_button.click()
    assert asked.calls == [("transcribe", [4, 6])]
    choose(window, 0)
    assert not window.again_button.isEnabled()
    choose(window, 0, 2, 3)
    window.again_button.click()
    assert asked.calls[1:] == [("transcribe", [3, 4])]
    window.show_files(FILES)
    assert not window.left.isVisible()


def test_what_is_selected_stays_so_while_files_come_and_go(window):
    choose(window, 3)
    window.show_files(FilesPage(FILES.entries[1:]))
    assert window.list.chosen() == {4}
    assert states(window) == ["Done", "Failed", "42%", "No text", "Waiting"]


def test_files_and_folders_are_dropped_or_chosen(window, asked):
    data = QMimeData()
    data.setUrls(
        [QUrl.fromLocalFile("/talks/a b.wav"), QUrl("https://example.org/x.wav"), QUrl("file:///films")]
    )
    event = QDropEvent(
        QPointF(9, 9),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    window.dropEvent(event)
    assert event.isAccepted()
    assert asked.calls == [("add", [Path("/talks/a b.wav"), Path("/films")])]
    window.add_button.click()
    dialog = window.findChild(QFileDialog)
    assert "*.mp3" in dialog.nameFilters()[0]
    dialog.filesSelected.emit(["/talks/c.wav"])
    assert asked.calls[-1] == ("add", [Path("/talks/c.wav")])


def test_texts_are_copied_saved_and_opened(window, asked):
    choose(window, 0, 1, 4)
    window.copy_button.click()
    assert asked.calls == [("copy", [1, 2])]
    actions = window.save_button.menu().actions()
    actions[1].trigger()
    folder = window.findChild(QFileDialog)
    folder.fileSelected.emit("/out")
    assert asked.calls[-1] == ("save", [1, 2], Form.SRT, Path("/out"))
    folder.close()
    folder.deleteLater()
    choose(window, 0)
    actions[0].trigger()
    dialog = next(one for one in window.findChildren(QFileDialog) if one.isVisible())
    dialog.fileSelected.emit("/out/talk.txt")
    assert asked.calls[-1] == ("save", [1], Form.TEXT, Path("/out/talk.txt"))
    dialog.close()
    actions[1].trigger()
    dialog = next(one for one in window.findChildren(QFileDialog) if one.isVisible())
    assert Path(dialog.selectedFiles()[0]).name == f"{FILES.entries[0].path.stem}.srt", "as the film"
    dialog.close()
    assert not window.open_button.isEnabled()
    saved = replace(FILES.entries[0], saved=TALKS / "talk.txt")
    window.show_files(replace(FILES, entries=(saved, *FILES.entries[1:])))
    window.open_button.click()
    assert asked.calls[-1] == ("open", 1)


def test_a_text_that_is_not_saved_is_removed_after_a_question(qtbot, window, asked):
    choose(window, 0)
    qtbot.keyClick(window.list, Qt.Key.Key_Delete)
    box = window.findChild(QMessageBox)
    assert box.text() == "Remove a text that is not saved?"
    assert asked.calls == []
    next(one for one in box.buttons() if one.text() == "&Remove").click()
    assert asked.calls == [("remove", [1])]
    choose(window, 3, 5)
    window.remove_button.click()
    assert asked.calls[-1] == ("remove", [4, 6]), "nothing is lost with those"


def test_while_somebody_dictates_it_says_why_files_wait(window):
    assert window.first.isVisible()
    window.show_view(replace(VIEW, phase=Phase.IDLE))
    assert not window.first.isVisible()


def test_an_empty_window_says_what_to_do(qtbot, asked):
    window = open_window(qtbot, asked, "files-empty")
    assert window.introduction.text() == "Drop sound files, videos or folders here, or choose them."
    assert window.first_focus() is window.add_button
    assert not window.progress.isVisible()
