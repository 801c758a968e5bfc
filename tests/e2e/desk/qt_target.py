"""A Qt text field that reports its text. Run by targets.py as a program of its own.

Prints JSON lines: ``ready`` with the window, ``text`` after changes; ``cleared``, ``settled`` and, once it
has the focus, ``attending`` as the answers to the lines ``clear``, ``settle`` and ``attend`` on its
standard input. Ends when that is closed.
"""

import json
import sys

from PySide6.QtCore import QSocketNotifier, QTimer
from PySide6.QtWidgets import QApplication, QPlainTextEdit


def say(event: str, **fields: object) -> None:
    print(json.dumps({"event": event} | fields), flush=True)  # noqa: T201 (this is the protocol)


def main() -> int:
    app = QApplication(sys.argv)
    edit = QPlainTextEdit()
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

    def obey() -> None:
        line = sys.stdin.readline().strip()
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

    commands = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read)
    commands.activated.connect(obey)
    edit.show()
    edit.activateWindow()
    QTimer.singleShot(0, lambda: say("ready", window=int(edit.winId())))
    return app.exec()


if __name__ == "__main__":
    sys.exit(main())
