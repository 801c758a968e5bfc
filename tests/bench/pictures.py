"""Pictures of every window, the overlay and the tray menu, as they look to people with different eyes.

    python -m tests.bench.pictures FOLDER [--look LOOK] [--only WORD] [--language CODE]

``dark`` and ``contrast`` are palettes that desktops really have; ``double`` is a screen of 1280x800 at 200 %,
``large`` letters of 24 points on one of 1024x600. Beside the single pictures there are sheets of several, to
be looked through.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

LOOKS = ("light", "dark", "contrast", "double", "large")
SCREENS = {"double": (1280, 800), "large": (1024, 600)}  # in pixels; else one that is large enough
SHEET_PX, GAP_PX = 1500, 12
DOUBLE, LARGE_POINTS = 2, 24


def main() -> None:
    """Draw each look in a process of its own: Qt reads the scale and the screen once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--look", choices=LOOKS, action="append")
    parser.add_argument("--only", default="", help="only pictures with this word in their name")
    parser.add_argument("--language", default="en", help="of the windows, such as de or pt_BR")
    options = parser.parse_args()
    for look in options.look or LOOKS:
        folder = (options.folder / look).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as home:
            width, height = SCREENS.get(look, (1600, 1200))
            screen = {"name": look, "x": 0, "y": 0, "width": width, "height": height, "logicalDpi": 96}
            screens = Path(home, "screens.json")
            screens.write_text(json.dumps({"screens": [screen]}), encoding="utf-8")
            env = os.environ | {
                "QT_QPA_PLATFORM": f"offscreen:configfile={screens}",
                "QT_SCALE_FACTOR": str(DOUBLE if look == "double" else 1),
                "QT_LOGGING_RULES": "qt.text.font.db=false;qt.qpa.*=false",
                "HANDY_QWEN_HOME": home,
            }
            command = [sys.executable, "-c", f"from {__spec__.name} import draw; draw()"]
            subprocess.run([*command, look, str(folder), options.only, options.language], env=env, check=True)


def draw() -> None:
    """Draw everything in one look, whose name, folder and filter are the arguments."""
    from PySide6.QtGui import QFont, QPalette
    from PySide6.QtWidgets import QApplication

    from handy_qwen.ui import translation

    look, folder, only, language = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    app = QApplication([])
    translation.use(language)
    from handy_qwen.ui.style import use_style

    use_style()
    if look in {"dark", "contrast"}:
        from tests.unit.ui.test_contrast import PALETTES

        palette = QPalette(PALETTES[{"dark": "Breeze Dark", "contrast": "high contrast, black"}[look]])
        app.style().polish(palette)  # as Qt does with what a desktop says
        QApplication.setPalette(palette)
    if look == "large":
        font = QFont(app.font())
        font.setPointSize(LARGE_POINTS)
        QApplication.setFont(font)
    drawn = {}
    for name, make in makers().items():
        if only in name:
            drawn[name] = make(app)
            drawn[name].save(str(folder / f"{name}.png"))
    print(f"{look}: {len(drawn)} pictures, {sheets(drawn, folder)} sheets")
    sys.stdout.flush()
    os._exit(0)


def makers():
    """What there is to draw: of each name a function that draws it."""
    from tests.e2e.ui_process import STATES
    from tests.unit.ui.gallery import CHOOSING, WINDOWS

    found = {name: lambda app, made=made: window_picture(app, *made) for name, made in WINDOWS.items()}
    found |= {
        f"overlay-{name}": lambda app, state=state: overlay_picture(app, state)
        for name, state in STATES.items()
        if name != "off"
    }
    return found | {"tray": lambda app: menu_picture(app, CHOOSING)}


def settle(app):
    for _ in range(8):
        app.processEvents()


def window_picture(app, make, state):
    from tests.unit.ui.gallery import everything_asked

    window = make(everything_asked(), state)
    window.present()
    settle(app)
    picture = window.grab()
    window.close()
    window.deleteLater()
    return picture


def overlay_picture(app, state):
    from PySide6.QtGui import QPainter, QPixmap

    from handy_qwen.ui.overlay import OverlayWindow

    overlay = OverlayWindow(lambda: -22.0)
    overlay.show_view(state())
    settle(app)
    card = overlay.grab()
    picture = QPixmap(card.size())
    picture.setDevicePixelRatio(card.devicePixelRatio())
    picture.fill("#7a8290")  # some window behind it
    painter = QPainter(picture)
    painter.drawPixmap(0, 0, card)
    painter.end()
    overlay.close()
    return picture


def menu_picture(app, view):
    from handy_qwen.ui.tray import TrayMenu
    from tests.unit.ui.gallery import everything_asked

    asked = everything_asked()
    menu = TrayMenu(asked, asked)
    menu.show_view(view)
    menu.popup(menu.pos())
    settle(app)
    return menu.grab()


def sheets(drawn, folder):
    """Put the pictures on sheets of about a square, with their names; how many these are."""
    from PySide6.QtCore import QRect, Qt
    from PySide6.QtGui import QFont, QPainter, QPixmap

    font = QFont()
    font.setPixelSize(13)
    count, sheet, painter, left, top, line_px = 0, None, None, 0, 0, 0
    for name, picture in drawn.items():
        image = picture.toImage()
        image.setDevicePixelRatio(1)
        if image.width() > SHEET_PX:
            image = image.scaledToWidth(SHEET_PX, Qt.TransformationMode.SmoothTransformation)
        width, height = image.width() + GAP_PX, image.height() + 20 + GAP_PX
        if left + width > SHEET_PX + GAP_PX:
            left, top, line_px = 0, top + line_px, 0
        if sheet is None or top + height > SHEET_PX + 100:
            if painter is not None:
                painter.end()
                sheet.save(str(folder / f"sheet-{count:02}.png"))
            count, sheet, left, top, line_px = count + 1, QPixmap(SHEET_PX, SHEET_PX + 100), 0, 0, 0
            sheet.fill("#c8c8d8")
            painter = QPainter(sheet)
            painter.setFont(font)
        painter.drawText(QRect(left, top, width, 20), Qt.AlignmentFlag.AlignVCenter, name)
        painter.drawImage(left, top + 20, image)
        left, line_px = left + width, max(line_px, height)
    if painter is not None:
        painter.end()
        sheet.save(str(folder / f"sheet-{count:02}.png"))
    return count


if __name__ == "__main__":
    main()
