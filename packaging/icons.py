"""Renders our drawings in the sizes and formats of each system. Needs Qt, but no screen.

Linux    icons/hicolor: the program's as SVG and PNG, a symbolic one, and the states of the tray for light and
         dark panels (the program itself draws those as it needs them; panels with themes may prefer files)
Windows  one .ico
macOS    one .icns

Source: Icon Theme Specification 0.13; "Icons" in the Windows documentation; the list of types of .icns that
macOS reads as PNG.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import product

APP_SIZES_PX = (16, 22, 24, 32, 48, 64, 128, 256, 512)
TRAY_SIZES_PX = (16, 22, 24, 32, 48)
ICO_SIZES_PX = (16, 20, 24, 32, 40, 48, 64, 128, 256)
_ICNS = "icp4=16 icp5=32 ic11=32 ic12=64 ic07=128 ic13=256 ic08=256 ic14=512 ic09=512 ic10=1024"
ICNS_TYPES = tuple((kind, int(size)) for kind, size in (one.split("=") for one in _ICNS.split()))
"""Type, pixels; those for double-density screens have double the pixels of their name."""
STATES = ("idle", "loading", "recording", "transcribing", "problem")
DRAWINGS = product.ROOT / "assets" / "icons"
INK = "#2b2e34"  # of the tray drawings
INKS = {"light": INK, "dark": "#f2f3f5"}  # for light and for dark panels


def write_hicolor(folder: Path) -> None:
    """Write the theme's part for Linux under ``folder`` (…/share/icons/hicolor)."""
    app = (DRAWINGS / f"{product.NAME}.svg").read_bytes()
    _write(folder / "scalable" / "apps" / f"{product.APP_ID}.svg", app)
    symbol = _inked("tray-idle", "currentColor")
    _write(folder / "symbolic" / "apps" / f"{product.APP_ID}-symbolic.svg", symbol)
    for size_px in APP_SIZES_PX:
        _write(folder / f"{size_px}x{size_px}" / "apps" / f"{product.APP_ID}.png", png(app, size_px))
    for state in STATES:
        for panel, ink in INKS.items():
            drawing, name = _inked(f"tray-{state}", ink), f"{product.NAME}-{state}-{panel}"
            _write(folder / "scalable" / "status" / f"{name}.svg", drawing)
            for size_px in TRAY_SIZES_PX:
                _write(folder / f"{size_px}x{size_px}" / "status" / f"{name}.png", png(drawing, size_px))


def write_ico(file: Path) -> None:
    """Write the program's icon for Windows: pictures as PNG, which it reads since Vista."""
    _write(file, ico(_pictures(ICO_SIZES_PX)))


def write_icns(file: Path) -> None:
    """Write the program's icon for macOS."""
    _write(file, icns(_pictures({size_px for _, size_px in ICNS_TYPES})))


def ico(pictures: dict[int, bytes]) -> bytes:
    """An .ico of PNG pictures by size."""
    head = struct.pack("<HHH", 0, 1, len(pictures))
    offset, entries = len(head) + 16 * len(pictures), b""
    for size_px, picture in pictures.items():
        side = size_px % 256  # 0 stands for 256
        entries += struct.pack("<BBBBHHII", side, side, 0, 0, 1, 32, len(picture), offset)
        offset += len(picture)
    return head + entries + b"".join(pictures.values())


def icns(pictures: dict[int, bytes]) -> bytes:
    """An .icns of PNG pictures by size."""
    body = b"".join(
        kind.encode() + struct.pack(">I", len(pictures[size_px]) + 8) + pictures[size_px]
        for kind, size_px in ICNS_TYPES
    )
    return b"icns" + struct.pack(">I", len(body) + 8) + body


def png(svg: bytes, size_px: int) -> bytes:
    """A drawing as a PNG picture of ``size_px`` by ``size_px``, with its transparency."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QBuffer, QByteArray, QIODevice, Qt
    from PySide6.QtGui import QGuiApplication, QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    application = QGuiApplication.instance() or QGuiApplication([])
    image = QImage(size_px, size_px, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer = QSvgRenderer(QByteArray(svg))
    if not renderer.isValid():
        raise ValueError("this is no drawing")
    renderer.render(painter)
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # the stubs want bytes, Qt a text
    del application
    return bytes(buffer.data().data())


def _pictures(sizes_px: tuple[int, ...] | set[int]) -> dict[int, bytes]:
    app = (DRAWINGS / f"{product.NAME}.svg").read_bytes()
    return {size_px: png(app, size_px) for size_px in sorted(sizes_px)}


def _inked(name: str, ink: str) -> bytes:
    """A drawing in another color. Parts with their own color, such as the red of a recording, keep it."""
    return (DRAWINGS / f"{name}.svg").read_text(encoding="utf-8").replace(INK, ink).encode()


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
