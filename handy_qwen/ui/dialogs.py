"""Questions and file dialogs over a window: opened, not executed, so that nothing blocks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from handy_qwen.ui import strings
from handy_qwen.ui.translation import tr


def confirm(
    parent: QWidget, question: str, detail: str, *, yes: str, no: str, do: Callable[[], None]
) -> QMessageBox:
    """Ask over the window of ``parent``, and call ``do`` on ``yes``. Enter and Escape are ``no``."""
    box = QMessageBox(QMessageBox.Icon.Question, strings.APP_TITLE, question, parent=parent.window())
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setInformativeText(detail)
    agree = box.addButton(yes, QMessageBox.ButtonRole.DestructiveRole)
    keep = box.addButton(no, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.setEscapeButton(keep)
    agree.clicked.connect(do)
    box.open()
    return box


def ask_what_to_open(parent: QWidget, title: str, kinds: Sequence[str], use: Callable[[Path], None]) -> None:
    """Ask over ``parent`` for a file of one of ``kinds``, such as "Text (*.txt)", and ``use`` it."""
    dialog = _dialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setNameFilters(kinds)
    dialog.fileSelected.connect(lambda path: use(Path(path)))
    dialog.open()


def ask_for_folder(parent: QWidget, title: str, use: Callable[[Path], None]) -> None:
    """Ask over ``parent`` for a folder, and ``use`` it."""
    dialog = _dialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.fileSelected.connect(lambda path: use(Path(path)))
    dialog.open()


def ask_where_to_save(
    parent: QWidget, title: str, name: str, kinds: Mapping[str, str], save: Callable[[Path], None]
) -> QFileDialog:
    """Ask over ``parent``, and call ``save`` with the file; the dialog is opened, not executed.

    Args:
        parent: A widget of the window.
        title: The dialog's.
        name: The suggested name, without extension.
        kinds: Extension, such as ".txt" -> the title of the format; the first is the default.
        save: Called with the file's path, which has one of the extensions.
    """
    dialog = _dialog(parent, title)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters(list(kinds.values()))
    dialog.selectFile(name + next(iter(kinds)))
    dialog.fileSelected.connect(
        lambda path: _save(parent, Path(path), dialog.selectedNameFilter(), kinds, save)
    )
    dialog.open()
    return dialog


def _save(
    parent: QWidget, target: Path, kind: str, kinds: Mapping[str, str], save: Callable[[Path], None]
) -> None:
    """The extension determines the format; without one, the selected format adds it.

    That is then another file, whose existence the dialog has not checked.
    """
    if target.suffix.lower() in kinds:
        save(target)
        return
    ending = next((one for one, title in kinds.items() if title == kind), next(iter(kinds)))
    target = target.with_name(target.name + ending)
    if os.path.lexists(target):
        confirm(
            parent,
            tr("Replace {name}?").format(name=target.name),
            tr("A file with this name already exists."),
            yes=tr("&Replace"),
            no=tr("&Keep it"),
            do=partial(save, target),
        )
    else:
        save(target)


def _dialog(parent: QWidget, title: str) -> QFileDialog:
    dialog = QFileDialog(parent, title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return dialog
