"""A Qt text field that reports its text. Run by targets.py as a program of its own, on every system.

usage: qt_target.py [--keys | --password | --limit CHARACTERS]

Prints JSON lines: ``ready`` with the window, ``text`` after changes; ``cleared``, ``settled`` and, once it
has the focus, ``attending`` as the answers to the lines ``clear``, ``settle`` and ``attend`` on its
standard input. With ``--keys``, also ``key`` for each key that goes down. With ``--limit``, a field of one
line that takes no more; with ``--password``, one that shows dots. Ends when its input is closed.
"""

import json
import sys
import threading

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit


def say(event: str, **fields: object) -> None:
    print(json.dumps({"event": event} | fields), flush=True)  # noqa: T201 (this is the protocol)


class Commands(QObject):
    """Standard input, read by a thread: on Windows, no notifier of Qt's takes a pipe."""

    came = Signal(str)

    def read(self) -> None:
        for line in sys.stdin:
            self.came.emit(line.strip())
        self.came.emit("")


class TellingEdit(QPlainTextEdit):
    """Says which keys go down in it."""

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        say("key", key=event.key())
        super().keyPressEvent(event)


class LimitedEdit(QLineEdit):
    """One line."""

    def toPlainText(self) -> str:  # noqa: N802 (the other's name)
        return self.text()


def main() -> int:
    app = QApplication(sys.argv)
    edit: QPlainTextEdit | LimitedEdit
    if "--limit" in sys.argv:
        edit = LimitedEdit()
        edit.setMaxLength(int(sys.argv[-1]))
    elif "--password" in sys.argv:
        edit = LimitedEdit()
        edit.setEchoMode(QLineEdit.EchoMode.Password)
    else:
        edit = TellingEdit() if "--keys" in sys.argv else QPlainTextEdit()
    edit.setWindowTitle("Qt target")
    edit.resize(600, 260)
    report = QTimer(singleShot=True, interval=3)  # one report for a burst of keys
    report.timeout.connect(lambda: say("text", text=edit.toPlainText()))
    edit.textChanged.connect(report.start)

    def attend() -> None:
        if edit.hasFocus():
            say("attending")
        else:
            QTimer.singleShot(5, attend)

    def obey(line: str) -> None:
        if line == "clear":
            edit.blockSignals(True)
            edit.clear()
            edit.blockSignals(False)
            report.stop()
            say("cleared")
        elif line == "attend":
            attend()
        elif line == "settle":
            say("text", text=edit.toPlainText())
            say("settled")
        elif not line:
            app.quit()

    commands = Commands()
    commands.came.connect(obey, Qt.ConnectionType.QueuedConnection)
    threading.Thread(target=commands.read, daemon=True).start()
    edit.show()
    edit.activateWindow()
    QTimer.singleShot(0, lambda: say("ready", window=int(edit.winId())))
    return app.exec()


if __name__ == "__main__":
    sys.exit(main())
