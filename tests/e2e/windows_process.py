"""The Models, History and main windows in a process of their own, without the rest of the program.

    python -m tests.e2e.windows_process [dark] [large]

Reads "models STATE", "history STATE" or "main STATE" a line from its standard input, shows that, and answers
with a line of JSON; what the windows ask for comes as lines of its own.
"""

import json
import sys

from PySide6.QtCore import QElapsedTimer, QSocketNotifier, Qt, QTimer
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from handy_qwen.core.models import ModelCommands
from handy_qwen.core.sound_files import FilesCommands
from handy_qwen.core.upkeep import UpkeepCommands
from handy_qwen.core.view import Commands, HistoryCommands, MicrophoneCommands, Window
from handy_qwen.core.vocabulary import VocabularyCommands
from handy_qwen.ui.desk import Desk
from tests.e2e.pasts import PASTS, VIEW
from tests.e2e.shelves import SHELVES
from tests.fakes import Asked

SETTLED_MS, LOOK_MS = 400, 20


class Told:
    """Takes calls of the program by telling of them."""

    def append(self, call):
        name, *arguments = call
        options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        tell(asked=[name, *map(str, arguments), *map(str, options.items())])


def tell(**facts):
    print(json.dumps(facts), flush=True)  # noqa: T201


def darken(app):
    """A dark desktop: where the system tells of none, the palette decides."""
    palette = QPalette(QColor("#32353b"), QColor("#222428"))
    palette.setColor(QPalette.ColorRole.Base, QColor("#1b1d21"))
    palette.setColor(QPalette.ColorRole.Highlight, QColor("#2f6fce"))
    palette.setColor(QPalette.ColorRole.HighlightedText, Qt.GlobalColor.white)
    app.setPalette(palette)


def tell_settled(window, state):
    """Tell of ``window`` when it has had the keyboard for ``SETTLED_MS`` without a break.

    The window manager, asked from outside, calls it active before keys reach it, and may give them away once
    more when the window before it is gone.
    """
    since, timer = QElapsedTimer(), QTimer(window)
    since.start()

    def look():
        if not window.isActiveWindow():
            since.restart()
        elif since.elapsed() >= SETTLED_MS:
            timer.stop()
            tell(state=state, window=int(window.winId()), title=window.windowTitle())

    timer.timeout.connect(look)
    timer.start(LOOK_MS)


def main():
    app = QApplication(sys.argv[:1])
    app.setQuitOnLastWindowClosed(False)
    if "dark" in sys.argv:
        darken(app)
    if "large" in sys.argv:
        font = app.font()
        font.setPointSize(24)
        app.setFont(font)
    commands, models, history = (Asked(one, Told()) for one in (Commands, ModelCommands, HistoryCommands))
    others = {
        "files_commands": Asked(FilesCommands, Told()),
        "upkeep_commands": Asked(UpkeepCommands, Told()),
        "vocabulary_commands": Asked(VocabularyCommands, Told()),
        "microphone_commands": Asked(MicrophoneCommands, Told()),
    }
    desk = Desk(
        lambda event: tell(asked=[event.what.name]), commands, lambda: -100.0, models, history, **others
    )
    desk.show_view(VIEW)
    kinds = {"models": Window.MODELS, "history": Window.HISTORY, "main": Window.MAIN}

    def show(kind, state):
        if kind == "models":
            desk.show_models(SHELVES[state])
        desk.open(kinds[kind])
        window = desk._windows[kinds[kind]]
        if kind == "history":
            past = PASTS[state]
            window.search.setText(past.query.words)
            window.only.setCurrentIndex(window.only.findData(past.query.only))
            desk.show_history(past)
        for other in desk._windows.values():
            if other is not window:
                other.close()
        tell_settled(window, state)

    def on_line():
        words = sys.stdin.readline().split()
        if words == ["focus"]:
            widget = app.focusWidget()
            tell(
                state="focus", focus=[type(widget).__name__, widget.text() if hasattr(widget, "text") else ""]
            )
        elif words:
            show(*words)
        else:
            app.quit()

    notifier = QSocketNotifier(0, QSocketNotifier.Type.Read)
    notifier.activated.connect(on_line)
    app.exec()
    desk.close()


if __name__ == "__main__":
    main()
