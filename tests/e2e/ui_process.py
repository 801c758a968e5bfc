"""Tray and overlay in a process of their own, without the rest of the program.

Reads the name of a state a line from its standard input, shows it, and answers with a line of JSON: where
tray icon and overlay are. Requests and commands of the menu come as lines of their own.
"""

import json
import os
import sys
import time

from PySide6.QtCore import QSocketNotifier, QTimer
from PySide6.QtWidgets import QApplication

from handy_qwen.core.models import ModelCommands
from handy_qwen.core.recording import SILENT
from handy_qwen.core.sound_files import FilesCommands
from handy_qwen.core.types import Overlay
from handy_qwen.core.upkeep import UpkeepCommands
from handy_qwen.core.view import (
    Choices,
    Commands,
    HistoryCommands,
    MicrophoneCommands,
    ModelChoice,
    Notice,
    NoticeKind,
    Phase,
    Remedy,
    View,
)
from handy_qwen.core.vocabulary import VocabularyCommands
from handy_qwen.languages import ALL_LANGUAGES
from handy_qwen.system.session import compositing_for, session_of
from handy_qwen.ui.desk import Desk
from tests.fakes import Asked

CHOICES = Choices(
    model="qwen3-asr-0.6b",
    models=(ModelChoice("qwen3-asr-0.6b", "qwen3-asr-0.6b"), ModelChoice("demo", "demo")),
    languages=tuple(sorted(ALL_LANGUAGES)),
    recent_languages=("English", "German"),
    microphones=("Built-in Audio", "USB Headset"),
    hotkeys=("Right Ctrl",),
)
TEXT = "The meeting starts at five o'clock. We need twenty-five chairs for the office,"


def notice(kind, title, hint="", **more):
    return View(phase=Phase.IDLE, notices=(Notice(1, kind, title, hint, **more),), choices=CHOICES)


def recording(**more):
    return View(phase=Phase.RECORDING, began_s=time.monotonic() - 7, device="Desk", choices=CHOICES, **more)


STATES = {
    "idle": lambda: View(phase=Phase.IDLE, recent=(TEXT, "Good evening."), choices=CHOICES),
    "loading": lambda: View(phase=Phase.LOADING, is_loading=True, choices=CHOICES),
    "starting": lambda: View(phase=Phase.RECORDING, began_s=time.monotonic(), choices=CHOICES),
    "recording": recording,
    "recording-live": lambda: recording(committed=TEXT, tentative=" because nobody"),
    "recording-hands-free": lambda: recording(is_hands_free=True, finish_keys=("Right Ctrl",)),
    "recording-locked": lambda: recording(
        committed="Good",
        tentative=" evening",
        is_hands_free=True,
        is_locked=True,
        finish_keys=("Right Ctrl",),
    ),
    "recording-muted": lambda: recording(notices=(Notice(1, NoticeKind.DEAD_MICROPHONE, *SILENT),)),
    "recording-muted-live": lambda: recording(
        committed=TEXT, notices=(Notice(1, NoticeKind.DEAD_MICROPHONE, *SILENT),)
    ),
    "recording-loading": lambda: recording(is_loading=True),
    "transcribing": lambda: View(phase=Phase.TRANSCRIBING, waiting=1, choices=CHOICES),
    "no-speech": lambda: notice(
        NoticeKind.NO_SPEECH, "Didn't catch anything.", "Hold the key while you speak."
    ),
    "silent": lambda: notice(NoticeKind.DEAD_MICROPHONE, *SILENT),
    "copied": lambda: notice(
        NoticeKind.COPIED, "The text is on the clipboard.", "Paste it where you want it."
    ),
    "held": lambda: View(phase=Phase.IDLE, held=(TEXT,), choices=CHOICES),
    "problem": lambda: View(
        phase=Phase.PROBLEM,
        notices=(
            Notice(
                1,
                NoticeKind.FAILED,
                "The hotkey F9 is taken.",
                "Choose another.",
                is_lasting=True,
                remedy=Remedy.SETTINGS,
            ),
        ),
        choices=CHOICES,
    ),
    "top": lambda: View(phase=Phase.RECORDING, device="Desk", choices=Choices(overlay=Overlay.TOP)),
    "off": lambda: View(phase=Phase.RECORDING, device="Desk", choices=Choices(overlay=Overlay.OFF)),
}


class Told:
    """Takes calls of the program by telling of them."""

    def append(self, call):
        name, *arguments = call
        tell(asked=[name, *map(str, arguments)])


def tell(**facts):
    print(json.dumps(facts), flush=True)  # noqa: T201


def rectangle(geometry):
    return [geometry.x(), geometry.y(), geometry.width(), geometry.height()]


def main():
    app = QApplication(sys.argv[:1])
    app.setQuitOnLastWindowClosed(False)
    is_composited = compositing_for(lambda: session_of(os.environ))
    commands, models, history = (Asked(one, Told()) for one in (Commands, ModelCommands, HistoryCommands))
    desk = Desk(
        lambda event: tell(asked=[event.what.name]),
        commands,
        lambda: -22.0,
        models,
        history,
        files_commands=Asked(FilesCommands, Told()),
        upkeep_commands=Asked(UpkeepCommands, Told()),
        vocabulary_commands=Asked(VocabularyCommands, Told()),
        microphone_commands=Asked(MicrophoneCommands, Told()),
        is_composited=is_composited,
    )

    def answer(state):
        overlay = desk._overlay
        shown = rectangle(overlay.geometry()) if overlay.isVisible() else None
        tell(state=state, overlay=shown, tray=rectangle(desk._tray._icon.geometry()))

    def on_line():
        state = sys.stdin.readline().strip()
        if not state:
            app.quit()
            return
        desk.show_view(STATES[state]())
        QTimer.singleShot(450, lambda: answer(state))  # after the fade

    notifier = QSocketNotifier(0, QSocketNotifier.Type.Read)
    notifier.activated.connect(on_line)
    app.exec()
    desk.close()


if __name__ == "__main__":
    main()
