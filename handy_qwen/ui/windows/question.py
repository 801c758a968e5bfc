"""A question with two answers, the careful one first. Nothing waits for it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from handy_qwen.ui import strings


def ask(
    parent: QWidget, question: str, detail: str, *, yes: str, no: str, do: Callable[[], None]
) -> QMessageBox:
    """Ask over the window of ``parent``, and ``do`` it on ``yes``. Enter and Escape are ``no``."""
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
