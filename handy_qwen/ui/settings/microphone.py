"""The page Microphone: their order, how well they hear, and how long they stay ready.

While the page is visible, and only then, the microphone that a dictation would use is open.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from handy_qwen.core.types import WhileRecording
from handy_qwen.core.view import Choices, Doing, MicrophoneTest, Phase, View, Voice
from handy_qwen.settings import OPTIONS, SettingsView
from handy_qwen.settings.forms import Worded
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import SMALL_GAP_PX, FlowLayout, column
from handy_qwen.ui.settings.controls import ChoiceControl
from handy_qwen.ui.settings.page import Row, SettingsPage, Tools
from handy_qwen.ui.style import blended, draw_rounded, readable, scheme, selected_ink
from handy_qwen.ui.translation import tr, translated
from handy_qwen.ui.widgets import (
    Button,
    KeysFirst,
    Message,
    MeterBar,
    SecondaryText,
    Text,
    announce,
    scaled_font,
)

_LEAST_METER_PX = 120
_CAN_PAUSE = sys.platform.startswith("linux")  # other programs' players
_NO_PAUSING = tr("Other programs can't be paused on this system.")
_LEVEL_ALSO = tr("level meter test loud quiet muted record play")
_MARKS = tr("Too quiet"), tr("Good"), tr("Too loud")
_RECORD = tr("Rec&ord 5 seconds")
BUTTONS = {
    Doing.LISTENING: _RECORD,
    Doing.RECORDING: tr("St&op and play"),
    Doing.PLAYING: tr("St&op playing"),
}
VERDICTS = {
    Voice.UNKNOWN: (tr("Say something."), "", "quiet"),
    Voice.SILENT: (
        tr("No sound at all. Is the microphone muted?"),
        tr("Look for a mute switch or key on it, or unmute it in the system's sound settings."),
        "problem",
    ),
    Voice.QUIET: (
        tr("We can hear you, but you are too quiet."),
        tr("Move closer, or raise the input level in the system's sound settings."),
        "problem",
    ),
    Voice.GOOD: (tr("We can hear you well."), "", "good"),
    Voice.CLIPPING: (
        tr("Too loud: the sound is distorted."),
        tr("Lower the input level in the system's sound settings, or move back a little."),
        "problem",
    ),
}
_NAME, _BADGE = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
_LEAST_ROWS, _MOST_ROWS = 3, 6
_PAD_PX = 8
_BADGE_SHARE = 0.13  # how much of the text's color its background has
Index = QModelIndex | QPersistentModelIndex


class MicrophonePage(SettingsPage):
    """Made and used on Qt's thread."""

    _changed = Signal(object)  # MicrophoneTest; from any thread

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._view, self._test = View(), MicrophoneTest()
        self._is_up = False
        self.list = MicrophoneList(lambda names: tools.commands.change(microphones=names))
        self.meter, self.verdict, self.instead = MeterBar(tools.meter), Message(), SecondaryText()
        self.record, self.again = (
            Button(_RECORD, self._on_record),
            Button(tr("Play a&gain"), self._on_again),
        )
        self.instead.hide()
        self.meter.setMinimumWidth(_LEAST_METER_PX)
        self._changed.connect(self._show_test, Qt.ConnectionType.QueuedConnection)
        order = Row(
            tr("Microphones"),
            help=tr(
                "The first one that is connected is used, and used again when it comes back. Drag to "
                "reorder, or press Alt+Up and Alt+Down."
            ),
            below=column(self.list, self.instead, gap_px=SMALL_GAP_PX),
            focus=self.list,
            also=tr("device input order priority headset"),
            setting_name="microphones",
        )
        self.add_section("", order, self.setting("avoid_headset"))
        level = Row("", below=column(self.meter, _Marks(), self.verdict, gap_px=2), also=_LEVEL_ALSO)
        buttons = FlowLayout(self.record, self.again, gap_px=SMALL_GAP_PX)
        listen = Row(
            "",
            help=tr(
                "Plays back what you say. It is kept in memory only, and forgotten when you leave this page."
            ),
            below=buttons,
            also=_LEVEL_ALSO,
        )
        self.add_section(tr("How well you are heard"), level, listen)
        self.add_section("", self._other_sound(), self.setting("warm_s"))

    def _other_sound(self) -> Row:
        """The choices for other sound, without pausing where that is impossible."""
        if _CAN_PAUSE:
            return self.setting("while_recording")
        form = OPTIONS["while_recording"].described.form
        assert isinstance(form, Worded)
        titles = dict(form.values)
        quieter = translated(titles[WhileRecording.LOWER])
        del titles[WhileRecording.PAUSE]
        entries = [(value, translated(title)) for value, title in titles.items()]
        made = self.setting("while_recording", ChoiceControl(entries, lambda _value: quieter))
        made.set_help(f"{made.help.text()} {_NO_PAUSING}")
        return made

    def enter(self) -> None:
        """Look for microphones, and open the one in use."""
        self._is_up = True
        self.tools.commands.refresh_choices()
        self.tools.microphone.listen(self._changed.emit)
        self._follow()

    def leave(self) -> None:
        """Close the microphone at once."""
        self._is_up = False
        self.tools.microphone.leave()
        self._show_test(MicrophoneTest())

    def show_settings(self, shown: SettingsView) -> None:
        """Show the order."""
        super().show_settings(shown)
        self.list.show_names(shown.values.microphones)

    def show_view(self, view: View) -> None:
        """Show the connected microphones."""
        self._view = view
        self._follow()

    def _show_test(self, test: MicrophoneTest) -> None:
        """Show the test; results after the page was left are ignored."""
        self._test = translated(test) if self._is_up else MicrophoneTest()
        self._follow()

    def _follow(self) -> None:
        is_dictating, test = self._view.phase is Phase.RECORDING, self._test
        used = test.device or self._view.device
        is_listed = self.list.show_devices(self._view.choices, used)
        self.instead.setText("" if is_listed else tr("In use for now: {device}").format(device=used))
        self.instead.setVisible(not is_listed)
        self.meter.run(self._is_up and (is_dictating or bool(test.device)))
        self.record.setText(BUTTONS[test.doing])
        self.again.setEnabled(test.has_recording and test.doing is Doing.LISTENING)
        self._judge()

    def _judge(self) -> None:
        """Show the verdict on the voice. Announced when it changes, not with every sound."""
        problem, voice = self._test.problem, self._test.voice
        if problem is not None:
            self.verdict.say(problem.title, hint=problem.hint)
        elif not self._test.device:
            self.verdict.say("")
        else:
            title, hint, color = VERDICTS[voice]
            self.verdict.say(title, color, hint=hint, is_silent=voice is Voice.UNKNOWN)

    def _on_record(self) -> None:
        if self._test.doing is Doing.LISTENING:
            self.tools.microphone.record()
        else:
            self.tools.microphone.stop()

    def _on_again(self) -> None:
        self.record.setFocus(Qt.FocusReason.OtherFocusReason)  # the other is disabled during playback
        self.tools.microphone.play()


class _Marks(QWidget):
    """The labels of the zones of the meter above. Screen readers use the verdict instead."""

    def __init__(self) -> None:
        super().__init__()
        self.setFont(scaled_font(self, 0.85))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return QSize(MeterBar.WIDTH_PX, self.fontMetrics().height())

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        quiet, good, loud = _MARKS
        first, last = (share * self.width() for share in MeterBar.zones())
        metrics, color = self.fontMetrics(), Text("", color="quiet").palette().windowText().color()
        last = min(last, self.width() - metrics.horizontalAdvance(loud) - SMALL_GAP_PX)
        middle, line = Qt.AlignmentFlag.AlignVCenter, Qt.TextFlag.TextSingleLine
        with QPainter(self) as painter:
            painter.setPen(color)
            for text, left, right, side in (
                (quiet, 0.0, first, Qt.AlignmentFlag.AlignLeft),
                (good, first, last, Qt.AlignmentFlag.AlignHCenter),
                (loud, last, float(self.width()), Qt.AlignmentFlag.AlignRight),
            ):
                painter.drawText(
                    QRectF(left, 0, right - left, self.height()),
                    side | middle | line | Qt.AlignmentFlag.AlignAbsolute,
                    text,
                )


class MicrophoneList(QWidget):
    """The microphones in order of preference, with their state; buttons below.

    The system's default, "", is always included: if the settings do not name it, it is the last. ``change``
    gets the names in their new order.
    """

    def __init__(self, change: Callable[[tuple[str, ...]], None]) -> None:
        super().__init__()
        self._change = change
        self._names: list[str] = [""]
        self._choices, self._used = Choices(), ""
        self.rows = _List(self._move, self._remove)
        self.rows.setAccessibleName(tr("Microphones, most wanted first"))
        self.rows.currentRowChanged.connect(lambda _row: self._show_buttons())
        self.rows.model().rowsMoved.connect(self._on_dragged, Qt.ConnectionType.QueuedConnection)
        self.up = Button(tr("Move u&p"), lambda: self._move(-1))
        self.down = Button(tr("Move &down"), lambda: self._move(1))
        self.add, self.remove = Button(tr("&Add")), Button(tr("&Remove"), self._remove)
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._offer)
        self.add.setMenu(self._menu)
        self.add.setAccessibleName(tr("Add a microphone to the list"))
        buttons = FlowLayout(self.up, self.down, self.add, self.remove, gap_px=SMALL_GAP_PX)
        column(self.rows, buttons, gap_px=SMALL_GAP_PX, parent=self)
        self.setFocusProxy(self.rows)
        self._show()

    def show_names(self, names: Sequence[str]) -> None:
        """Show the order in the settings."""
        shown = list(names) if "" in names else [*names, ""]
        if shown != self._names:
            self._names = shown
            self._show()

    def show_devices(self, choices: Choices, used: str) -> bool:
        """Show which ones are connected, and which one is used, "" for none.

        Returns:
            Whether the used one, if any, is in the list.
        """
        before = self._known()
        self._choices, self._used = choices, used
        if self._known() != before:
            self._show()
        return not used or self._place_of_used() is not None

    def _known(self) -> tuple[object, ...]:
        """All device data that the rows show."""
        known = self._choices
        return known.microphones, known.default_microphone, known.spared_microphones, self._used

    # --- showing -------------------------------------------------------------------------------------

    def _device(self, name: str) -> str:
        return name or self._choices.default_microphone

    def _place_of_used(self) -> int | None:
        places = (place for place, name in enumerate(self._names) if self._device(name) == self._used)
        return next(places, None) if self._used else None

    def _title(self, name: str) -> str:
        default = self._choices.default_microphone
        known = tr("System default ({device})").format(device=default)
        return name or (known if default else tr("System default"))

    def _badge(self, place: int) -> tuple[str, str]:
        """The words beside a row, and their color."""
        name = self._names[place]
        if place == self._place_of_used():
            return tr("In use"), "good"
        if name in self._choices.spared_microphones:
            return tr("Playing music"), "quiet"
        return (tr("Not connected"), "quiet") if name and name not in self._choices.microphones else ("", "")

    def _show(self) -> None:
        """Update in place, so that selection and screen reader position stay."""
        while self.rows.count() > len(self._names):
            self.rows.takeItem(self.rows.count() - 1)
        while self.rows.count() < len(self._names):
            self.rows.addItem(QListWidgetItem())
        for place, name in enumerate(self._names):
            item, badge = self.rows.item(place), self._badge(place)
            title = self._title(name)
            where = tr("{place} of {count}").format(
                place=strings.whole(place + 1), count=strings.whole(len(self._names))
            )
            item.setText(title)
            item.setToolTip(strings.tip(title))
            item.setData(_NAME, name)
            item.setData(_BADGE, badge)
            item.setData(
                Qt.ItemDataRole.AccessibleTextRole, ", ".join(filter(None, (title, badge[0], where)))
            )
        if self.rows.currentRow() < 0:
            self.rows.setCurrentRow(0)
        self.rows.updateGeometry()
        self._show_buttons()

    def _show_buttons(self) -> None:
        place = self.rows.currentRow()
        name = self._names[place] if 0 <= place < len(self._names) else ""
        self._enable(self.up, place > 0)
        self._enable(self.down, 0 <= place < len(self._names) - 1)
        self._enable(self.remove, bool(name))
        title = self._title(name)
        self.up.setAccessibleName(tr("Move {device} up").format(device=title))
        self.down.setAccessibleName(tr("Move {device} down").format(device=title))
        self.remove.setAccessibleName(tr("Remove {device} from the list").format(device=title))

    def _enable(self, button: Button, is_enabled: bool) -> None:
        """Move the focus to the list if a focused button is disabled."""
        if not is_enabled and button.hasFocus():
            self.rows.setFocus(Qt.FocusReason.OtherFocusReason)
        button.setEnabled(is_enabled)

    # --- changing ------------------------------------------------------------------------------------

    def _move(self, by: int) -> None:
        place = self.rows.currentRow()
        if 0 <= place + by < len(self._names):
            names = list(self._names)
            names.insert(place + by, names.pop(place))
            self._use(names, place + by)
            where = {"place": strings.whole(place + by + 1), "count": strings.whole(len(names))}
            announce(
                self.rows,
                tr("{device}: {place} of {count}").format(device=self._title(names[place + by]), **where),
            )

    def _remove(self) -> None:
        place = self.rows.currentRow()
        if 0 <= place < len(self._names) and self._names[place]:
            names = self._names[:place] + self._names[place + 1 :]
            self._use(names, min(place, len(names) - 1))

    def _on_dragged(self) -> None:
        self._use([self.rows.item(place).data(_NAME) for place in range(self.rows.count())], None)

    def _offer(self) -> None:
        """Offer the connected microphones that are not in the list."""
        self._menu.clear()
        others = [name for name in self._choices.microphones if name not in self._names]
        for name in others:
            action = self._menu.addAction(strings.literal(name))
            action.triggered.connect(lambda _checked, name=name: self._add(name))
        if not others:
            self._menu.addAction(tr("All connected microphones are in the list")).setEnabled(False)

    def _add(self, name: str) -> None:
        """Insert before the system's default if that is the last: what comes after it is hardly ever used."""
        place = len(self._names) - (self._names[-1] == "")
        self._use([*self._names[:place], name, *self._names[place:]], place)
        self.rows.setFocus(Qt.FocusReason.OtherFocusReason)

    def _use(self, names: list[str], place: int | None) -> None:
        if names == self._names:
            return
        self._names = names
        self._show()
        if place is not None:
            self.rows.setCurrentRow(place)
        self._change(tuple(names))


class _List(QListWidget):
    """As high as its rows; Alt with an arrow moves one, Delete removes it."""

    def __init__(self, move: Callable[[int], None], remove: Callable[[], None]) -> None:
        super().__init__()
        self._move, self._remove = move, remove
        KeysFirst(self, self._take)
        self.setItemDelegate(_RowPainter(self))
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        rows = min(max(self.count(), _LEAST_ROWS), _MOST_ROWS)
        height = max(self.sizeHintForRow(0), 0) * rows + 2 * self.frameWidth()
        return QSize(super().sizeHint().width(), height)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return QSize(super().minimumSizeHint().width(), self.sizeHint().height())

    def _take(self, event: QKeyEvent) -> bool:
        is_alt = event.modifiers() & Qt.KeyboardModifier.AltModifier
        by = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
        if is_alt and by:
            self._move(by)
        elif event.key() == Qt.Key.Key_Delete:
            self._remove()
        else:
            return False
        return True


class _RowPainter(QStyledItemDelegate):
    """Paints the name, and the badge at the other end."""

    def sizeHint(self, option: QStyleOptionViewItem, _index: Index) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return QSize(100, round(QFontMetricsF(option.font).height() + 2 * _PAD_PX))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Called by Qt."""
        badge, color = index.data(_BADGE)
        room = QStyleOptionViewItem(option)
        self.initStyleOption(room, index)
        text, room.text = room.text, ""
        style = option.widget.style() if option.widget is not None else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, room, painter, option.widget)
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        area = QRectF(option.rect).adjusted(_PAD_PX, 0, -_PAD_PX, 0)
        is_mirrored = option.direction == Qt.LayoutDirection.RightToLeft
        painter.save()
        if badge:
            small = scaled_font(option.widget, 0.9, is_bold=True)
            metrics = QFontMetricsF(small)
            pill = QRectF(0, 0, metrics.horizontalAdvance(badge) + 18, metrics.height() + 4)
            pill.moveCenter(area.center())
            pill.moveLeft(area.left()) if is_mirrored else pill.moveRight(area.right())
            ground = blended(scheme().color(color), option.palette.base().color(), _BADGE_SHARE)
            draw_rounded(painter, pill, pill.height() / 2, ground)
            painter.setFont(small)
            painter.setPen(readable(scheme().color(color), ground))
            painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, badge)
            edge = pill.width() + _PAD_PX
            area.adjust(edge if is_mirrored else 0, 0, 0 if is_mirrored else -edge, 0)
        painter.setFont(option.font)
        palette = option.palette
        painter.setPen(selected_ink(palette) if is_selected else palette.text().color())
        elided = QFontMetricsF(option.font).elidedText(text, Qt.TextElideMode.ElideMiddle, area.width())
        side = Qt.AlignmentFlag.AlignRight if is_mirrored else Qt.AlignmentFlag.AlignLeft
        painter.setLayoutDirection(strings.direction(elided))
        painter.drawText(area, side | Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignAbsolute, elided)
        painter.restore()
