"""What all windows are made of."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from PySide6.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
)

from handy_qwen import ui
from handy_qwen.ui.windows.correction import TextToCorrect

NAMES = [found.name for found in pkgutil.walk_packages(ui.__path__, f"{ui.__name__}.")]
COPY_AND_PASTE = {  # where Qt's widgets do it
    *("event", "keyPressEvent", "mousePressEvent", "mouseReleaseEvent", "contextMenuEvent"),
    *("insertFromMimeData", "canInsertFromMimeData"),
}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_waits_for_the_clipboard_while_no_other_thread_can_run(name):
    """It may be our own thread that is waited for: see ``ClipboardText``."""
    source = Path(importlib.import_module(name).__file__).read_text(encoding="utf-8")
    assert not re.search(r"\bclipboard\(\)", ast.unparse(ast.parse(source)))
    assert ".paste()" not in source


def kinds_of(kind):
    """All classes made of ``kind``."""
    for one in kind.__subclasses__():
        yield from (one, *kinds_of(one))


def test_no_widget_copies_or_pastes_in_python():
    """As above; ``KeysFirst`` is the way to see keys."""
    for name in NAMES:
        importlib.import_module(name)
    fields = (QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox, QComboBox, QAbstractItemView)
    own = {one for field in fields for one in kinds_of(field) if one.__module__.startswith(ui.__name__)}
    assert len(own) > 5
    handled = {one.__name__: COPY_AND_PASTE & set(vars(one)) for one in own}
    assert handled.pop(TextToCorrect.__name__) == {"contextMenuEvent"}, "read-only, it asks for no clipboard"
    assert not any(handled.values()), handled
