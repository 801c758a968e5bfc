"""Records the animation of the README: a real dictation on the virtual desktop, as an animated WebP.

usage: python -m tests.bench.animation [OUTPUT]

The app runs with the demo model; the key is held, recorded speech is played into the virtual microphone, and
what the screen shows is kept, picture by picture. Only the key cap is drawn in afterwards: on a screen one
cannot see a finger.
"""

import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QImage, QPainter, QPen
from Xlib import X, display

from tests.conftest import ROOT
from tests.e2e.app import App
from tests.e2e.desk import Desktop, QtTarget

WIDTH_PX, HEIGHT_PX = 880, 400
RATE_HZ = 12
OUTPUT = ROOT / "assets" / "pictures" / "dictation.webp"
BACKGROUND = 0x2E3A46
KEY, CAP = "Right Ctrl", QRectF(12, HEIGHT_PX - 88, 106, 44)
TITLE = "Mail to Anna"
SENTENCES = ("report", "meeting")
PAUSE_S, READING_S = 0.8, 2.5  # before a sentence, and at the end

Picture = tuple[float, bytes, bool]  # when, 32-bit pixels, whether the key is down


class Camera:
    """Takes pictures of a screen on a thread of its own."""

    def __init__(self, name: str) -> None:
        self.pictures: list[Picture] = []
        self.is_down = False
        self._screen = display.Display(name)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera")

    def __enter__(self) -> "Camera":
        root = self._screen.screen().root
        root.change_attributes(background_pixel=BACKGROUND)
        root.clear_area()
        self._screen.sync()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._screen.close()

    def _run(self) -> None:
        root = self._screen.screen().root
        while not self._is_over.wait(0 if not self.pictures else 0.5 / RATE_HZ):
            image = root.get_image(0, 0, WIDTH_PX, HEIGHT_PX, X.ZPixmap, 0xFFFFFFFF)
            self.pictures.append((time.monotonic(), image.data, self.is_down))


def record() -> list[Picture]:
    """Dictate two sentences into an empty window."""
    geometry = f"{WIDTH_PX}x{HEIGHT_PX}x24"
    with Desktop(geometry=geometry) as desktop, App(desktop) as app:
        desktop.env["QT_FONT_DPI"] = "130"
        editor = desktop.open(QtTarget)
        dress(desktop.display, editor.window)
        with Camera(desktop.display) as camera:
            for name in SENTENCES:
                time.sleep(PAUSE_S)
                camera.is_down = True
                desktop.hardware.down("Control_R")
                app.speak(name)
                camera.is_down = False
                desktop.hardware.up("Control_R")
                app.wait_for_phase("idle")
            time.sleep(READING_S)
        editor.close()
        return camera.pictures


def dress(name: str, number: int) -> None:
    """Give a window the title of a mail, and a place in the middle."""
    screen = display.Display(name)
    window = screen.create_resource_object("window", number)
    title, text = screen.intern_atom("_NET_WM_NAME"), screen.intern_atom("UTF8_STRING")
    window.change_property(title, text, 8, TITLE.encode())
    window.configure(x=120, y=36, width=640, height=220)
    screen.sync()
    screen.close()


def finish(picture: Picture) -> np.ndarray:
    """The picture with the key cap. Shape (HEIGHT_PX, WIDTH_PX, 3), uint8."""
    _, pixels, is_down = picture
    image = QImage(pixels, WIDTH_PX, HEIGHT_PX, QImage.Format.Format_RGB32).convertToFormat(
        QImage.Format.Format_RGB888
    )
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor("#dfe6ee"), 1.5))
    painter.setBrush(QColor("#3d7fd9" if is_down else "#4a5866"))
    cap = CAP.translated(0, 3 if is_down else 0)
    painter.drawRoundedRect(cap, 8, 8)
    painter.setFont(QFont("DejaVu Sans", 11))
    painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, KEY)
    painter.end()
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(HEIGHT_PX, image.bytesPerLine())
    return rows[:, : 3 * WIDTH_PX].reshape(HEIGHT_PX, WIDTH_PX, 3).copy()


def write(pictures: list[Picture], output: Path) -> None:
    """Encode ``pictures`` at a steady rate, endlessly repeated."""
    begin_s, end_s = pictures[0][0], pictures[-1][0]
    at_s = [when for when, _, _ in pictures]
    with av.open(str(output), "w", format="webp", options={"loop": "0"}) as file:
        stream = file.add_stream("libwebp_anim", rate=RATE_HZ, options={"quality": "85"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for number in range(int((end_s - begin_s) * RATE_HZ)):
            index = int(np.searchsorted(at_s, begin_s + number / RATE_HZ, side="right")) - 1
            frame = av.VideoFrame.from_ndarray(finish(pictures[index]), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE_HZ)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def main() -> int:
    """Record and write."""
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    QGuiApplication(["animation", "-platform", "offscreen"])
    pictures = record()
    write(pictures, output)
    print(f"{output}: {len(pictures)} pictures, {output.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
