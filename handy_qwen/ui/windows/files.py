"""The window for audio files: drop them, follow their progress, read, copy and save their texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMimeData, QSignalBlocker, QSize, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHeaderView,
    QMenu,
    QPlainTextEdit,
    QProgressBar,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from handy_qwen.core.sound_files import SUFFIXES, FileEntry, FilesCommands, FilesPage, FileState, Form
from handy_qwen.core.view import Phase, View
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import SMALL_GAP_PX, FlowLayout, column
from handy_qwen.ui.translation import ntr, tr
from handy_qwen.ui.widgets import Button, Message, Outcome, SecondaryText, announce, text_in
from handy_qwen.ui.window import AppWindow, ask_for_folder, ask_where_to_save, confirm

_NUMBER = Qt.ItemDataRole.UserRole
_LIST_PX, _TEXT_PX, _LEAST_PX = 260, 180, 110
_FINISHED, _UNDER_WAY = {FileState.DONE, FileState.FAILED}, {FileState.WAITING, FileState.WORKING}
_TITLE = tr("Transcribe files")
_REMOVE = tr("&Remove")
_FORMS = {
    Form.TEXT: tr("&Text…"),
    Form.SRT: tr("Subtitles for &players (SRT)…"),
    Form.VTT: tr("Subtitles for &browsers (VTT)…"),
    Form.JSON: tr("&JSON, with all details…"),
}
_KINDS = {
    Form.TEXT: tr("Text (*.txt)"),
    Form.SRT: tr("Subtitles (*.srt)"),
    Form.VTT: tr("Subtitles (*.vtt)"),
    Form.JSON: tr("JSON (*.json)"),
}
# Translators: states of a file in the list.
_LEFT = tr("Not done yet")
# Translators: the state of a file: its text is saved.
_SAVED = tr("Saved")


class FilesWindow(AppWindow):
    """Shows the latest page. Created and used on Qt's thread."""

    def __init__(self, commands: FilesCommands) -> None:
        super().__init__("files", _TITLE, QSize(760, 700))
        self._commands = commands
        self._page, self._told = FilesPage(), 0
        self.introduction = SecondaryText(tr("Drop sound files, videos or folders here, or choose them."))
        self.list, self.text, self.notice = _FileList(), QPlainTextEdit(), Message()
        self.outcome, self.first = Message(), SecondaryText(tr("Your dictation goes first."))
        self.progress = QProgressBar()
        self.add_button = Button(tr("&Add files…"), self._ask_for_files)
        self.copy_button = Button(tr("Cop&y"), lambda: commands.copy(self._chosen(has_text=True)))
        self.save_button = Button(tr("&Save as"))
        self.open_button = Button(tr("&Open"), self._open)
        self.again_button = Button(tr("&Try again"), self._again)
        self.remove_button = Button(_REMOVE, self._remove)
        self.left = Outcome(tr("&Go on"))
        self.left.undo_button.clicked.connect(lambda _checked: self._go_on())
        self._build()
        self._show()

    def _build(self) -> None:
        self.text.setReadOnly(True)
        self.text.setAccessibleName(tr("Text of the file"))
        self.text.setTabChangesFocus(True)
        self.text.setMinimumHeight(_LEAST_PX)
        self.progress.setAccessibleName(tr("Progress of all files"))
        self.open_button.setToolTip(tr("Opens the file that the text was saved in"))
        self.first.hide()
        menu = QMenu(self)
        for form, title in _FORMS.items():
            menu.addAction(title, partial(self._ask_where_to_save, form))
        self.save_button.setMenu(menu)
        actions = FlowLayout(
            self.copy_button, self.save_button, self.open_button, self.again_button, gap_px=SMALL_GAP_PX
        )
        actions.push(self.remove_button)
        below = QWidget()
        column(self.notice, (self.text, 1), actions, gap_px=SMALL_GAP_PX, parent=below)
        whole = QSplitter(Qt.Orientation.Vertical)
        whole.addWidget(self.list)
        whole.addWidget(below)
        whole.setSizes([_LIST_PX, _TEXT_PX])
        whole.setChildrenCollapsible(False)
        self.body.addWidget(self.introduction)
        self.body.addWidget(self.outcome)
        self.body.addWidget(self.left)
        self.body.addWidget(whole, 1)
        self.body.addWidget(self.first)
        self.body.addWidget(self.progress)
        self.buttons.addWidget(self.add_button)
        self.buttons.addWidget(Button(tr("Add a &folder…"), self._ask_for_folder))
        self.setAcceptDrops(True)
        self.shown.connect(self._commands.look)
        self.hidden.connect(lambda: self.outcome.say(""))
        self.list.itemSelectionChanged.connect(self._show_chosen)
        self.list.itemActivated.connect(lambda *_: self._open())
        delete = QShortcut(QKeySequence.StandardKey.Delete, self.list, self._remove)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)

    def show_view(self, view: View) -> None:
        """Explain why files wait during a dictation."""
        is_working = any(one.state in _UNDER_WAY for one in self._page.entries)
        self.first.setVisible(is_working and view.phase in {Phase.RECORDING, Phase.TRANSCRIBING})

    def show_files(self, page: FilesPage) -> None:
        """Show ``page``."""
        before = {entry.number: entry.state for entry in self._page.entries}
        self._page = page
        self._show()
        if page.entries and not before and self.focusWidget() is self.add_button:
            self.list.setFocus(Qt.FocusReason.OtherFocusReason)  # while it was empty, it could not have it
        for entry in page.entries:
            if entry.state in _FINISHED and before.get(entry.number) not in _FINISHED:
                announce(self.list, entry.path.name, _state(entry))
        told = page.told
        if told.number > self._told:
            self._told = told.number
            self.outcome.say("")
            self.outcome.say(told.title, "problem" if told.is_problem else "good", hint=told.hint)

    def first_focus(self) -> QWidget:
        """The list, or the buttons that fill it."""
        return self.list if self._page.entries else self.add_button

    # --- showing -------------------------------------------------------------------------------------

    def _show(self) -> None:
        entries = self._page.entries
        self.list.show_entries(entries)
        done = sum(entry.state in _FINISHED for entry in entries)
        shares = sum(1.0 if entry.state in _FINISHED else entry.share or 0.0 for entry in entries)
        self.progress.setVisible(bool(entries))
        self.progress.setRange(0, 1000)
        self.progress.setValue(round(1000 * shares / len(entries)) if entries else 0)
        self.progress.setFormat(_progress(done, len(entries)))
        left = len(self._left())
        if self.left.message.words != (said := _left_over(left) if left else ""):
            self.left.say(said, can_undo=True)
        self.setWindowTitle(strings.window_title(_title(done, len(entries))))
        self._show_chosen()

    def _show_chosen(self) -> None:
        chosen = self._entries()
        one = chosen[0] if len(chosen) == 1 else None
        text = "\n\n".join(entry.text for entry in chosen if entry.text)
        if text != text_in(self.text):
            self.text.setPlainText(text)
        problem = one.problem if one else None
        if problem is not None:
            self.notice.say(problem.title, hint=problem.hint, is_silent=True)
        else:
            self.notice.say(one.note if one else "", is_silent=True)
        self.copy_button.setEnabled(bool(text))
        self.save_button.setEnabled(bool(text))
        self.open_button.setEnabled(one is not None and one.saved is not None)
        self.again_button.setEnabled(bool(self._to_try_again()))
        is_unfinished = any(entry.state in _UNDER_WAY for entry in chosen)
        self.remove_button.setText(tr("Ca&ncel") if is_unfinished else _REMOVE)
        self.remove_button.setEnabled(bool(chosen))

    def _entries(self) -> list[FileEntry]:
        numbers = self.list.chosen()
        return [entry for entry in self._page.entries if entry.number in numbers]

    def _chosen(self, *, has_text: bool = False) -> list[int]:
        return [entry.number for entry in self._entries() if entry.text or not has_text]

    # --- asking --------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if _paths(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if paths := _paths(event.mimeData()):
            event.acceptProposedAction()
            self._commands.add(paths)

    def _ask_for_files(self) -> None:
        dialog = QFileDialog(self, tr("Choose sound files or videos"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        dialog.setNameFilters(
            [tr("Sound files and videos ({patterns})").format(patterns=patterns), tr("All files (*)")]
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(lambda names: self._commands.add([Path(name) for name in names]))
        dialog.open()

    def _ask_for_folder(self) -> None:
        title = tr("Choose a folder with sound files or videos")
        ask_for_folder(self, title, lambda folder: self._commands.add([folder]))

    def _ask_where_to_save(self, form: Form) -> None:
        numbers = self._chosen(has_text=True)
        if len(numbers) == 1:
            (entry,) = [one for one in self._page.entries if one.number == numbers[0]]
            dialog = ask_where_to_save(
                self,
                tr("Save the text"),
                form.base(entry.path).name,
                {form.suffix: _KINDS[form]},
                partial(self._commands.save, numbers, form),
            )
            dialog.setDirectory(str(entry.path.parent))
            return
        save = partial(self._commands.save, numbers, form)
        ask_for_folder(self, tr("Choose a folder for the texts"), save)

    def _open(self) -> None:
        if len(chosen := self._entries()) == 1 and chosen[0].saved is not None:
            self._commands.open(chosen[0].number)

    def _left(self) -> list[int]:
        return [entry.number for entry in self._page.entries if entry.state is FileState.LEFT]

    def _go_on(self) -> None:
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)  # the button disappears
        self._commands.transcribe(self._left())

    def _to_try_again(self) -> list[int]:
        again = {FileState.FAILED, FileState.LEFT}
        return [entry.number for entry in self._entries() if entry.state in again]

    def _again(self) -> None:
        self._commands.transcribe(self._to_try_again())

    def _remove(self) -> None:
        chosen = self._entries()
        remove = partial(self._commands.remove, [entry.number for entry in chosen])
        if any(entry.is_unsaved for entry in chosen):
            question = tr("Remove a text that is not saved?")
            detail = tr("The sound file stays, and can be transcribed again.")
            confirm(self, question, detail, yes=tr("&Remove"), no=tr("&Keep"), do=remove)
        elif chosen:
            remove()


class _FileList(QTreeWidget):
    """Names and states; the selection stays."""

    def __init__(self) -> None:
        super().__init__()
        self.setColumnCount(2)
        self.setHeaderLabels([tr("File"), tr("State")])
        self.setAccessibleName(tr("Files"))
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setMinimumHeight(_LEAST_PX)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.header().setStretchLastSection(False)

    def show_entries(self, entries: Sequence[FileEntry]) -> None:
        """Show ``entries``, in place."""
        items = {self._number(item): item for item in self._items()}
        with QSignalBlocker(self):
            for number in items.keys() - {entry.number for entry in entries}:
                self.takeTopLevelItem(self.indexOfTopLevelItem(items.pop(number)))
            for entry in entries:
                if (item := items.get(entry.number)) is None:
                    item = QTreeWidgetItem([entry.path.name, ""])
                    item.setData(0, _NUMBER, entry.number)
                    item.setToolTip(0, strings.tip(str(entry.path)))
                    self.addTopLevelItem(item)
                item.setText(1, _state(entry))
        for first in self._items()[:1]:
            if not self.currentItem():
                self.setCurrentItem(first)

    def chosen(self) -> set[int]:
        """The numbers of the selected files."""
        return {self._number(item) for item in self.selectedItems()}

    def _items(self) -> list[QTreeWidgetItem]:
        found = (self.topLevelItem(place) for place in range(self.topLevelItemCount()))
        return [item for item in found if item is not None]

    def _number(self, item: QTreeWidgetItem) -> int:
        return int(item.data(0, _NUMBER))


def _paths(data: QMimeData) -> list[Path]:
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


def _state(entry: FileEntry) -> str:
    """The state of a file, in a word."""
    match entry.state:
        case FileState.LEFT:
            return _LEFT
        case FileState.WAITING:
            return tr("Waiting")
        case FileState.WORKING:
            return tr("Working") if entry.share is None else strings.percent(entry.share)
        case FileState.FAILED:
            return tr("Failed")
        case FileState.DONE:
            return tr("No text") if not entry.text else _SAVED if entry.saved else tr("Done")


def _progress(done: int, total: int) -> str:
    """How many files are done."""
    return ntr("{done} of {total} file", "{done} of {total} files", total).format(
        done=strings.whole(done), total=strings.whole(total)
    )


def _left_over(count: int) -> str:
    """How many files are left from an earlier session."""
    text = ntr("{count} file was left when you quit.", "{count} files were left when you quit.", count)
    return text.format(count=strings.whole(count))


def _title(done: int, total: int) -> str:
    """The window's title, with the progress, visible in the task bar."""
    if not total:
        return _TITLE
    return tr("{title}: {progress}").format(title=_TITLE, progress=_progress(done, total))
