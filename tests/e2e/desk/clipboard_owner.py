"""Owns the clipboard with text, formatted text, a picture and a list of files.

``--picture`` owns a picture of 2560x1440 pixels instead, as Qt programs do: made into a file only when
somebody asks. ``--slow S`` takes so many seconds for each answer, ``--mute`` hangs.

Prints ``ready``, and ``lost`` when another program has taken the clipboard.
"""

import os
import signal
import sys
import time

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QGuiApplication, QImage


class SlowData(QMimeData):
    """A text that takes its time."""

    def __init__(self, wait_s: float) -> None:
        super().__init__()
        self._wait_s = wait_s

    def formats(self) -> list[str]:
        return ["text/plain"]

    def hasFormat(self, name: str) -> bool:  # noqa: N802 (Qt's)
        return name == "text/plain"

    def retrieveData(self, name: str, _: object) -> object:  # noqa: N802 (Qt's)
        time.sleep(self._wait_s)
        return "at last" if name == "text/plain" else None


def picture() -> QImage:
    """Noise beside an even color: about 7 MB as a file."""
    width, height = 2560, 1440
    line = width * 4
    pixels = bytearray(b"\xff" * (line * height))
    for row in range(height):
        pixels[row * line : row * line + line // 2] = os.urandom(line // 2)
    image = QImage(bytes(pixels), width, height, QImage.Format.Format_RGB32)
    return image.copy()


def fill(data: QMimeData) -> None:
    """Several formats."""
    data.setText("plain naïve 🙂")
    data.setHtml("<b>formatted</b>")
    data.setData("image/png", b"\x89PNG" + os.urandom(1 << 20))
    data.setData("x-special/gnome-copied-files", b"copy\nfile:///tmp/a")


def main() -> int:
    app = QGuiApplication(sys.argv)
    is_slow = "--slow" in sys.argv
    data = SlowData(float(sys.argv[sys.argv.index("--slow") + 1])) if is_slow else QMimeData()
    if not is_slow:
        fill(data)
    clipboard = app.clipboard()
    if "--picture" in sys.argv:
        clipboard.setImage(picture())
    else:
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
