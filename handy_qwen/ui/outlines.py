"""Qt's own style, with outlines that can be seen in light and dark: at least 3 : 1 to their ground.

Fusion, which Linux desktops get, derives its outlines from the window's color by darkening it, so that check
boxes, fields and bars have none on a dark desktop. The styles of Windows and macOS are left as they are.
"""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPalette, QPen
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QProxyStyle,
    QStyle,
    QStyleOption,
    QStyleOptionComplex,
    QStyleOptionFrame,
    QStyleOptionMenuItem,
    QWidget,
)

from handy_qwen.ui.style import OUTLINE_CONTRAST, blended, grounds, outline, readable

_BASE = "fusion"
_RADIUS_PX = 2.0
_FILL_CONTRAST = 4.0  # of a bar; Fusion brightens it
_INDICATOR = {QStyle.PixelMetric.PM_IndicatorWidth, QStyle.PixelMetric.PM_IndicatorHeight}
_GRIP_PX = (32, 3)
_OUTLINED = {
    QStyle.PrimitiveElement.PE_IndicatorCheckBox,
    QStyle.PrimitiveElement.PE_FrameLineEdit,
    QStyle.PrimitiveElement.PE_Frame,
    QStyle.PrimitiveElement.PE_PanelButtonCommand,
}
_LINES = {QFrame.Shape.HLine, QFrame.Shape.VLine}


class OutlinedStyle(QProxyStyle):
    """Draws as Fusion does, and an outline over it."""

    def __init__(self) -> None:
        super().__init__(_BASE)

    def polish(self, what: QPalette | QApplication | QWidget) -> None:  # type: ignore[override]  # three in one
        """Make the text readable that an empty field shows. Called by Qt."""
        super().polish(what)
        if isinstance(what, QPalette):
            base = what.color(QPalette.ColorRole.Base)
            hint = blended(what.color(QPalette.ColorRole.PlaceholderText), base)
            what.setColor(QPalette.ColorRole.PlaceholderText, readable(hint, base))

    def pixelMetric(  # noqa: N802  the name is Qt's
        self,
        metric: QStyle.PixelMetric,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
    ) -> int:
        """A check box grows with the letters beside it. Called by Qt."""
        size_px = super().pixelMetric(metric, option, widget)
        if widget is not None and metric in _INDICATOR:
            size_px = max(size_px, round(widget.fontMetrics().ascent() * 0.9))
        return size_px

    def drawPrimitive(  # noqa: N802  the name is Qt's
        self,
        element: QStyle.PrimitiveElement,
        option: QStyleOption,
        painter: QPainter,
        widget: QWidget | None = None,
    ) -> None:
        """Outline check boxes, fields, lists and buttons. Called by Qt."""
        super().drawPrimitive(element, option, painter, widget)
        is_there = not isinstance(option, QStyleOptionFrame) or option.lineWidth > 0
        if element is QStyle.PrimitiveElement.PE_PanelMenu:  # which Qt calls neither enabled nor disabled
            _draw(option, painter, QRectF(option.rect))
        elif element in _OUTLINED and is_there:
            _stroke(option, painter, QRectF(option.rect))

    def drawControl(  # noqa: N802  the name is Qt's
        self,
        element: QStyle.ControlElement,
        option: QStyleOption,
        painter: QPainter,
        widget: QWidget | None = None,
    ) -> None:
        """Outline bars; draw lines and the grips of splitters. Called by Qt."""
        control = QStyle.ControlElement
        if element is control.CE_Splitter:
            _grip(option, painter)
        elif (
            element is control.CE_ShapedFrame and isinstance(widget, QFrame) and widget.frameShape() in _LINES
        ):
            _line(option, painter, is_upright=widget.frameShape() is QFrame.Shape.VLine)
        elif isinstance(option, QStyleOptionMenuItem) and _is_separator(option) and not option.text:
            _line(option, painter, is_upright=False)
        elif element is control.CE_ProgressBarContents:
            palette = QPalette(option.palette)
            fill = palette.color(QPalette.ColorRole.Highlight)
            base = palette.color(QPalette.ColorRole.Base)
            palette.setColor(QPalette.ColorRole.Highlight, readable(fill, base, ratio=_FILL_CONTRAST))
            option.palette = palette
            super().drawControl(element, option, painter, widget)
            _stroke(option, painter, QRectF(option.rect))
        else:
            super().drawControl(element, option, painter, widget)

    def drawComplexControl(  # noqa: N802  the name is Qt's
        self,
        control: QStyle.ComplexControl,
        option: QStyleOptionComplex,
        painter: QPainter,
        widget: QWidget | None = None,
    ) -> None:
        """Outline what scroll bars are moved by. Called by Qt."""
        super().drawComplexControl(control, option, painter, widget)
        if control is QStyle.ComplexControl.CC_ScrollBar and widget is not None:
            slider = QStyle.SubControl.SC_ScrollBarSlider
            _stroke(option, painter, QRectF(self.subControlRect(control, option, slider, widget)))


def use_outlines() -> None:
    """Draw all windows so, where the style is Qt's own. Safe to call twice."""
    app = QApplication.instance()
    if (
        isinstance(app, QApplication)
        and app.style().name() == _BASE
        and not isinstance(app.style(), OutlinedStyle)
    ):
        app.setStyle(OutlinedStyle())


def _is_separator(item: QStyleOptionMenuItem) -> bool:
    return item.menuItemType == QStyleOptionMenuItem.MenuItemType.Separator


def _ink(option: QStyleOption) -> QColor:
    if option.state & QStyle.StateFlag.State_HasFocus:
        highlight = option.palette.color(QPalette.ColorRole.Highlight)
        return readable(highlight, *grounds(option.palette), ratio=OUTLINE_CONTRAST)
    return outline(option.palette)


def _stroke(option: QStyleOption, painter: QPainter, area: QRectF) -> None:
    """Outline a control that can be used."""
    if option.state & QStyle.StateFlag.State_Enabled:
        _draw(option, painter, area)


def _draw(option: QStyleOption, painter: QPainter, area: QRectF) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(_ink(option), 1))
    painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS_PX, _RADIUS_PX)
    painter.restore()


def _line(option: QStyleOption, painter: QPainter, *, is_upright: bool) -> None:
    middle = option.rect.center()
    color = outline(option.palette)
    if is_upright:
        painter.fillRect(middle.x(), option.rect.top(), 1, option.rect.height(), color)
    else:
        painter.fillRect(option.rect.left(), middle.y(), option.rect.width(), 1, color)


def _grip(option: QStyleOption, painter: QPainter) -> None:
    """Where a splitter is taken hold of: a short bar in its middle."""
    is_upright = option.rect.height() > option.rect.width()
    length, width = _GRIP_PX
    grip = QRectF(0, 0, width, length) if is_upright else QRectF(0, 0, length, width)
    grip.moveCenter(QRectF(option.rect).center())
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(outline(option.palette))
    painter.drawRoundedRect(grip, width / 2, width / 2)
    painter.restore()
