"""Every window of the program, one at a time, in a process that a screen reader may look at.

Reads the name of a window a line (see ``tests.unit.ui.gallery``), or that of a state of the overlay (see
``tests.e2e.ui_process``), shows it in place of the one before, and answers with its name.
"""

import sys

from PySide6.QtCore import QSocketNotifier, QTimer
from PySide6.QtWidgets import QApplication

from handy_qwen.ui.overlay import OverlayWindow
from handy_qwen.ui.style import use_style
from tests.e2e.ui_process import STATES
from tests.unit.ui.gallery import WINDOWS, everything_asked

SETTLED_MS = 150


def main():
    app = QApplication(sys.argv[:1])
    app.setQuitOnLastWindowClosed(False)
    use_style()
    asked = everything_asked()
    overlay, shown = OverlayWindow(lambda: -22.0), []

    def show(name):
        for window in shown:
            window.close()
            window.deleteLater()
        shown.clear()
        overlay.show_view(STATES.get(name, STATES["idle"])())
        if name in WINDOWS:
            make, state = WINDOWS[name]
            shown.append(make(asked, state))
            shown[0].present()
        QTimer.singleShot(SETTLED_MS, lambda: print(name, flush=True))  # noqa: T201

    def fail(kind, error, trace):
        sys.__excepthook__(kind, error, trace)
        app.exit(1)  # else whoever waits for an answer waits for ever

    sys.excepthook = fail

    def on_line():
        if name := sys.stdin.readline().strip():
            show(name)
        else:
            app.quit()

    notifier = QSocketNotifier(0, QSocketNotifier.Type.Read)
    notifier.activated.connect(on_line)
    app.exec()


if __name__ == "__main__":
    main()
