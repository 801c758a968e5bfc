"""Asks where to save a file, in one of several kinds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget

from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import confirm

REPLACE, REPLACE_DETAIL = tr("Replace {name}?"), tr("A file with this name already exists.")
REPLACE_IT, KEEP_IT = tr("&Replace"), tr("&Keep it")


def ask_where_to_save(
    parent: QWidget, title: str, name: str, kinds: Mapping[str, str], save: Callable[[Path], None]
) -> QFileDialog:
    """Ask over ``parent``, and ``save`` there; the dialog is opened, not executed.

    Args:
        parent: A widget of the window.
        title: The dialog's.
        name: Proposed, without ending.
        kinds: Ending, such as ".txt" -> the title of the kind; the first is proposed.
        save: Called with the file's path, which has one of the endings.
    """
    dialog = QFileDialog(parent, title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
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
    """The ending says what is written; without one, the kind that was chosen does.

    With another ending it is another file, of which the dialog knows nothing.
    """
    if target.suffix.lower() in kinds:
        save(target)
        return
    ending = next((one for one, title in kinds.items() if title == kind), next(iter(kinds)))
    target = target.with_name(target.name + ending)
    if os.path.lexists(target):
        question = REPLACE.format(name=target.name)
        confirm(parent, question, REPLACE_DETAIL, yes=REPLACE_IT, no=KEEP_IT, do=partial(save, target))
    else:
        save(target)
