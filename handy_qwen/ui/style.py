"""Colors and outlines, with sufficient contrast (WCAG 2.2, AA).

Text has a contrast of at least 4.5 : 1 to its background, an outline that is needed to see a control 3 : 1.
The schemes fulfil that on their own backgrounds; ``readable`` ensures it on those of the desktop's palette,
and ``OutlinedStyle`` draws the outlines that Fusion, the style on Linux desktops, lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPalette, QPen
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QProxyStyle,
    QStyle,
    QStyleOption,
    QStyleOptionComboBox,
    QStyleOptionComplex,
    QStyleOptionFrame,
    QStyleOptionMenuItem,
    QWidget,
)

TEXT_CONTRAST, OUTLINE_CONTRAST = 4.6, 3.2  # a little more than required: screens round
_STEPS = 20


@dataclass(frozen=True, slots=True)
class Scheme:
    """The colors of one scheme, as #rrggbb; ``ground_alpha`` is how opaque the overlay is, 0 to 255."""

    ground: str
    edge: str
    text: str
    quiet: str
    recording: str
    working: str
    good: str
    problem: str
    ground_alpha: int = 242

    def color(self, name: str, alpha: int = 255) -> QColor:
        """One of the colors by the name of its field."""
        color = QColor(getattr(self, name))
        color.setAlpha(alpha)
        return color


DARK = Scheme(
    ground="#1c1e22",
    edge="#3a3e46",
    text="#f4f5f7",
    quiet="#a9aeb8",
    recording="#ff5a5f",
    working="#6aa5ff",
    good="#4cc38a",
    problem="#ffb224",
)
LIGHT = Scheme(
    ground="#ffffff",
    edge="#d5d8de",
    text="#16181d",
    quiet="#5c626e",
    recording="#d3282f",
    working="#1d5fd0",
    good="#197a4b",
    problem="#9a5b00",
)
PANEL_DARK_INK = "#2b2e34"  # of icons, for a light panel
PANEL_LIGHT_INK = "#f2f3f5"


def is_dark() -> bool:
    """Whether the desktop, and so its panel, is dark; if unknown, whether our windows are."""
    desktop = QGuiApplication.styleHints().colorScheme()
    return _are_windows_dark() if desktop is Qt.ColorScheme.Unknown else desktop is Qt.ColorScheme.Dark


def scheme() -> Scheme:
    """The current colors for our windows: on Windows 10, Qt leaves them light on a dark desktop."""
    return DARK if _are_windows_dark() else LIGHT


def desktop_scheme() -> Scheme:
    """The colors for the overlay, which is on the desktop itself."""
    return DARK if is_dark() else LIGHT


def _are_windows_dark() -> bool:
    return QGuiApplication.palette().window().color().lightnessF() < 0.5


def selected_ink(palette: QPalette) -> QColor:
    """The text color of a selected row: Windows 10's style marks it in light blue and keeps the color."""
    is_usual = application().style().name() == "windowsvista"
    return palette.color(QPalette.ColorRole.Text if is_usual else QPalette.ColorRole.HighlightedText)


def contrast(one: QColor, other: QColor) -> float:
    """The contrast ratio of two opaque colors, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: QColor) -> float:
    channels = (color.redF(), color.greenF(), color.blueF())
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def blended(over: QColor, ground: QColor, share: float | None = None) -> QColor:
    """``over`` on ``ground``, with its own opacity or ``share`` (0 to 1)."""
    part = over.alphaF() if share is None else share
    channels = (
        (over.redF(), ground.redF()),
        (over.greenF(), ground.greenF()),
        (over.blueF(), ground.blueF()),
    )
    mix = [top * part + below * (1 - part) for top, below in channels]
    return QColor.fromRgbF(*mix)


def readable(ink: QColor, *grounds: QColor, ratio: float = TEXT_CONTRAST) -> QColor:
    """``ink``, moved towards black or white only as far as needed for ``ratio`` on all ``grounds``."""
    return QColor.fromRgb(_readable(ink.rgb(), tuple(ground.rgb() for ground in grounds), ratio))


@lru_cache(maxsize=256)  # a window asks some hundred times for a few colors
def _readable(ink: int, grounds: tuple[int, ...], ratio: float) -> int:
    colors = [QColor.fromRgb(ground) for ground in grounds]

    def least(ink: QColor) -> float:
        return min(contrast(ink, ground) for ground in colors)

    end = max((QColor(Qt.GlobalColor.white), QColor(Qt.GlobalColor.black)), key=least)
    steps = (
        QColor.fromRgb(blended(end, QColor.fromRgb(ink), step / _STEPS).rgb()) for step in range(_STEPS + 1)
    )
    return next((one for one in steps if least(one) >= ratio), end).rgb()


def grounds(palette: QPalette) -> tuple[QColor, QColor]:
    """The backgrounds of text and outlines: windows, and cards and fields in them."""
    return palette.color(QPalette.ColorRole.Window), palette.color(QPalette.ColorRole.Base)


def outline(palette: QPalette) -> QColor:
    """The color of outlines that show where a control or card is."""
    window = palette.color(QPalette.ColorRole.Window)
    return readable(window, *grounds(palette), ratio=OUTLINE_CONTRAST)


def draw_rounded(
    painter: QPainter, area: QRectF, radius: float, fill: QColor | None = None, edge: QPen | None = None
) -> None:
    """Draw a rounded rectangle, with its edge inside ``area``."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(edge or Qt.PenStyle.NoPen)
    painter.setBrush(fill or Qt.BrushStyle.NoBrush)
    inset = edge.widthF() / 2 if edge else 0.0
    painter.drawRoundedRect(area.adjusted(inset, inset, -inset, -inset), radius, radius)


_FUSION = "fusion"
_WITHOUT_KDES = "#d6d2d0"  # a gray of 2008, light even on a dark desktop
_RADIUS_PX = 2.0
_ROUND_PEN_PX = 1.5  # a thinner one would be blended with its background
_FOCUS_PEN_PX = 2.0  # a thin one beside Fusion's gray edge is hard to see
_BAR_CONTRAST = 4.0  # of a bar, which Fusion brightens
_GRIP_PX = (32, 3)
_ARROW_PX = 28  # of a closed list, with its edges: Fusion's, at any font size
_ARROW_SHARE, _LEAST_ARROW_PX = 0.25, 4.5  # of the height of letters; half of Fusion's
_INDICATOR = {
    QStyle.PixelMetric.PM_IndicatorWidth,
    QStyle.PixelMetric.PM_IndicatorHeight,
    QStyle.PixelMetric.PM_ExclusiveIndicatorWidth,
    QStyle.PixelMetric.PM_ExclusiveIndicatorHeight,
}
_OUTLINED = {
    QStyle.PrimitiveElement.PE_IndicatorCheckBox,
    QStyle.PrimitiveElement.PE_FrameLineEdit,
    QStyle.PrimitiveElement.PE_Frame,
    QStyle.PrimitiveElement.PE_PanelButtonCommand,
}
_LINES = {QFrame.Shape.HLine, QFrame.Shape.VLine}


class OutlinedStyle(QProxyStyle):
    """Draws like Fusion, with additional outlines.

    Fusion derives its outlines by darkening the window's color, so that check boxes, fields and bars have
    none on a dark desktop.
    """

    def __init__(self) -> None:
        super().__init__(_FUSION)

    def polish(self, what: QPalette | QApplication | QWidget) -> None:  # type: ignore[override]  # three in one
        """Make placeholders and selections readable. Called by Qt."""
        super().polish(what)
        if isinstance(what, QPalette):
            base = what.color(QPalette.ColorRole.Base)
            hint = blended(what.color(QPalette.ColorRole.PlaceholderText), base)
            what.setColor(QPalette.ColorRole.PlaceholderText, readable(hint, base))
            for group in (QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive):
                selected = what.color(group, QPalette.ColorRole.HighlightedText)
                ground = readable(what.color(group, QPalette.ColorRole.Highlight), selected)
                what.setColor(group, QPalette.ColorRole.Highlight, ground)

    def pixelMetric(  # noqa: N802  the name is Qt's
        self, metric: QStyle.PixelMetric, option: QStyleOption | None = None, widget: QWidget | None = None
    ) -> int:
        """Scale check boxes and radio buttons with the font. Called by Qt."""
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
        """Outline check boxes, radio buttons, fields, lists and buttons. Called by Qt."""
        super().drawPrimitive(element, option, painter, widget)
        has_frame = not isinstance(option, QStyleOptionFrame) or option.lineWidth > 0
        if element is QStyle.PrimitiveElement.PE_PanelMenu:  # neither enabled nor disabled for Qt
            _draw_outline(option, painter, option.rect)
        elif element is QStyle.PrimitiveElement.PE_IndicatorRadioButton:
            _outline_enabled(option, painter, option.rect, is_round=True)
        elif element in _OUTLINED and has_frame:
            _outline_enabled(option, painter, option.rect)

    def drawControl(  # noqa: N802  the name is Qt's
        self,
        element: QStyle.ControlElement,
        option: QStyleOption,
        painter: QPainter,
        widget: QWidget | None = None,
    ) -> None:
        """Outline bars; draw lines and grips; elide long texts in closed lists. Called by Qt."""
        shape = widget.frameShape() if isinstance(widget, QFrame) else None
        if element is QStyle.ControlElement.CE_ComboBoxLabel and isinstance(option, QStyleOptionComboBox):
            room = max(0, option.rect.width() - _ARROW_PX)
            middle = Qt.TextElideMode.ElideMiddle  # the ends of device names distinguish them
            option.currentText = option.fontMetrics.elidedText(option.currentText, middle, room)
            super().drawControl(element, option, painter, widget)
        elif element is QStyle.ControlElement.CE_Splitter:
            _draw_grip(option, painter)
        elif element is QStyle.ControlElement.CE_ShapedFrame and shape in _LINES:
            _draw_line(option, painter, is_vertical=shape is QFrame.Shape.VLine)
        elif isinstance(option, QStyleOptionMenuItem) and _is_separator(option) and not option.text:
            _draw_line(option, painter, is_vertical=False)
        elif element is QStyle.ControlElement.CE_ProgressBarContents:
            palette = QPalette(option.palette)
            fill, base = palette.highlight().color(), palette.base().color()
            palette.setColor(QPalette.ColorRole.Highlight, readable(fill, base, ratio=_BAR_CONTRAST))
            option.palette = palette
            super().drawControl(element, option, painter, widget)
            _outline_enabled(option, painter, option.rect)
        else:
            super().drawControl(element, option, painter, widget)

    def drawComplexControl(  # noqa: N802  the name is Qt's
        self,
        control: QStyle.ComplexControl,
        option: QStyleOptionComplex,
        painter: QPainter,
        widget: QWidget | None = None,
    ) -> None:
        """Outline the sliders of scroll bars, and fields with arrows. Called by Qt."""
        super().drawComplexControl(control, option, painter, widget)
        if control is QStyle.ComplexControl.CC_ComboBox and widget is not None:
            arrow = self.subControlRect(control, option, QStyle.SubControl.SC_ComboBoxArrow, widget)
            _draw_arrow(option, painter, arrow.center(), widget.fontMetrics().ascent())
        if control is QStyle.ComplexControl.CC_SpinBox:
            _outline_enabled(option, painter, option.rect)
        if control is QStyle.ComplexControl.CC_ScrollBar and widget is not None:
            slider = QStyle.SubControl.SC_ScrollBarSlider
            _outline_enabled(option, painter, self.subControlRect(control, option, slider, widget))


def use_style() -> None:
    """Use this style where Qt's own is in use, not the system's. Safe to call twice."""
    app = application()
    if app.style().name() != _FUSION or isinstance(app.style(), OutlinedStyle):
        return
    app.setStyle(OutlinedStyle())
    app.styleHints().colorSchemeChanged.connect(_use_palette, Qt.ConnectionType.QueuedConnection)
    _use_palette()


def _use_palette() -> None:
    """Use the desktop's colors; or Fusion's own, light or dark, where Qt finds none of KDE's.

    A KDE whose colors were never changed has them in no file that Qt's built-in theme reads.
    """
    app = application()
    app.setPalette(QPalette())
    if app.palette().color(QPalette.ColorRole.Window).name() == _WITHOUT_KDES:
        app.setPalette(app.style().standardPalette())


def application() -> QApplication:
    """The application, which must exist."""
    app = QApplication.instance()
    assert isinstance(app, QApplication), "made before the first window"
    return app


def _is_separator(item: QStyleOptionMenuItem) -> bool:
    return item.menuItemType == QStyleOptionMenuItem.MenuItemType.Separator


def _outline_enabled(option: QStyleOption, painter: QPainter, area: QRect, *, is_round: bool = False) -> None:
    if option.state & QStyle.StateFlag.State_Enabled:
        _draw_outline(option, painter, area, is_round=is_round)


def _draw_outline(option: QStyleOption, painter: QPainter, area: QRect, *, is_round: bool = False) -> None:
    color, width = outline(option.palette), 1.0
    if option.state & QStyle.StateFlag.State_HasFocus:
        width = _FOCUS_PEN_PX
        color = readable(option.palette.highlight().color(), *grounds(option.palette), ratio=OUTLINE_CONTRAST)
    radius = area.width() / 2 if is_round else _RADIUS_PX
    width = max(width, _ROUND_PEN_PX) if is_round else width
    painter.save()
    draw_rounded(painter, QRectF(area), radius, edge=QPen(color, width))
    painter.restore()


def _draw_arrow(option: QStyleOption, painter: QPainter, center: QPoint, ascent_px: int) -> None:
    """Paint a down arrow over Fusion's, which does not scale with the font, if that is larger than usual."""
    half_px = ascent_px * _ARROW_SHARE
    if half_px <= _LEAST_ARROW_PX:
        return
    middle = QPointF(center)
    points = [QPointF(-half_px, -half_px / 2), QPointF(half_px, -half_px / 2), QPointF(0.0, half_px / 2)]
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(option.palette.buttonText())
    painter.drawPolygon([middle + point for point in points])
    painter.restore()


def _draw_line(option: QStyleOption, painter: QPainter, *, is_vertical: bool) -> None:
    line, middle = QRect(option.rect), option.rect.center()
    if is_vertical:
        line.setLeft(middle.x())
        line.setWidth(1)
    else:
        line.setTop(middle.y())
        line.setHeight(1)
    painter.fillRect(line, outline(option.palette))


def _draw_grip(option: QStyleOption, painter: QPainter) -> None:
    """The handle of a splitter: a short bar in its middle."""
    length, width = _GRIP_PX
    is_vertical = option.rect.height() > option.rect.width()
    grip = QRectF(0, 0, width, length) if is_vertical else QRectF(0, 0, length, width)
    grip.moveCenter(QRectF(option.rect).center())
    painter.save()
    draw_rounded(painter, grip, width / 2, outline(option.palette))
    painter.restore()
