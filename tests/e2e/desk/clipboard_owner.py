"""Owns the clipboard with text, formatted text, a picture and a list of files, or hangs (``--mute``).

Prints ``ready``, and ``lost`` when another program has taken the clipboard.
"""

import os
import signal
import sys

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QGuiApplication


def main() -> int:
    app = QGuiApplication(sys.argv)
    data = QMimeData()
    data.setText("plain naïve 🙂")
    data.setHtml("<b>formatted</b>")
    data.setData("image/png", b"\x89PNG" + os.urandom(1 << 20))
    data.setData("x-special/gnome-copied-files", b"copy\nfile:///tmp/a")
    clipboard = app.clipboard()
    clipboard.setMimeData(data)

    def on_changed() -> None:
        if not clipboard.ownsClipboard():
            print("lost", flush=True)  # noqa: T201 (the test reads it)

    clipboard.dataChanged.connect(on_changed)
    app.processEvents()
    print("ready", flush=True)  # noqa: T201 (the test reads it)
    if "--mute" in sys.argv:
        signal.pause()
    return app.exec()


if __name__ == "__main__":
    sys.exit(main())
