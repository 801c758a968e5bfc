"""The page Microphone: which ones are used in which order, how well they hear, and how long they stay ready.

While the page is visible, and only then, the microphone that a dictation would use is open.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from handy_qwen.core.types import WhileRecording
from handy_qwen.core.view import Doing, MicrophoneTest, Phase, View, Voice
from handy_qwen.settings import OPTIONS, SettingsView
from handy_qwen.settings.forms import Worded
from handy_qwen.ui.layouts import SMALL_GAP_PX, FlowLayout, column
from handy_qwen.ui.settings.controls import ChoiceControl
from handy_qwen.ui.settings.microphone_list import MicrophoneList
from handy_qwen.ui.settings.page import SettingsPage, Tools
from handy_qwen.ui.settings.row import Row
from handy_qwen.ui.translation import tr, translated
from handy_qwen.ui.widgets import Button, Message, MeterBar, SecondaryText, Text, scaled_font

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
        """What becomes of it; where players cannot be paused, that is not offered."""
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
        """Look which microphones there are, and open the one in use."""
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
        """Show which microphones there are."""
        self._view = view
        self._follow()

    def _show_test(self, test: MicrophoneTest) -> None:
        """Show what is heard; what arrives late, after the page was left, is nothing."""
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
        """Say how the voice arrives. Announced when it changes, not with every sound."""
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
        self.record.setFocus(Qt.FocusReason.OtherFocusReason)  # the other is disabled while it plays
        self.tools.microphone.play()


class _Marks(QWidget):
    """What the parts of the meter above it mean. A screen reader has the verdict instead."""

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
