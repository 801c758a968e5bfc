"""Keys paste what this program itself has copied into its own windows; prints what came into each."""

import json
import os
import sys
from typing import Any

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication

from handy_qwen.system.x11.clipboard import Clipboard
from handy_qwen.ui.settings.word_list import WordList
from handy_qwen.ui.windows.history import SearchField

PATIENCE_MS = 10_000  # Qt itself would wait for longer


def finish() -> None:
    """Print what came."""
    print(json.dumps({"words": words, "search": search.text()}))  # noqa: T201
    sys.stdout.flush()
    os._exit(0)


app = QApplication([])
Clipboard(os.environ["DISPLAY"]).copy(sys.argv[1])
words: list[str] = []
nothing: Any = lambda *_: None  # noqa: E731
word_list = WordList(edit=nothing, add=words.append, copy=nothing, delete=nothing, move=nothing)
search = SearchField()
for widget in (word_list, search):
    paste = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    QApplication.postEvent(widget, paste)
look = QTimer()
look.timeout.connect(lambda: finish() if words and search.text() else None)
look.start(10)
QTimer.singleShot(PATIENCE_MS, finish)
app.exec()
