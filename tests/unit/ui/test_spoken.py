"""What a screen reader is told: rows, steps and news; for the names in every window see ``test_gallery``."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QWidget

from handy_qwen.core.view import Choices, Notice, NoticeKind, Phase, View
from handy_qwen.ui import widgets as spoken_module
from handy_qwen.ui.overlay import OverlayWindow
from handy_qwen.ui.widgets import announce, spoken
from handy_qwen.ui.windows import history_words
from tests.e2e.pasts import PASTS
from tests.e2e.shelves import SHELVES
from tests.unit.ui.gallery import TROUBLED, open_window
from tests.unit.ui.test_gallery import MARKS

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support"),
    pytest.mark.usefixtures("app_home"),  # which keeps the windows' sizes
]
IDLE = View(phase=Phase.IDLE)
SILENT = Notice(1, NoticeKind.DEAD_MICROPHONE, "The microphone is silent.", "Is it muted?")
RECORDING = View(phase=Phase.RECORDING, began_s=0.0, device="Desk")
MUTED = replace(RECORDING, notices=(SILENT,))


def test_lists_read_out_each_row_once(qtbot, asked):
    window = open_window(qtbot, asked, "history-full")
    for row, entry in enumerate(PASTS["full"].entries):
        said = window.list.model().index(row).data(Qt.ItemDataRole.AccessibleTextRole)
        headline = history_words.headline(entry).strip()
        assert said.count(spoken(headline).rstrip(".")) == 1
        assert not MARKS.search(said)
        assert "·" not in said


def test_nothing_is_said_twice():
    assert spoken("Cancelled", "Cancelled", "Today 14:32") == "Cancelled. Today 14:32"
    assert spoken("\u2068Deutsch\u2069", "", "It is done.") == "Deutsch. It is done."
    assert spoken("会议开始。", "هل؟", "Today") == "会议开始。 هل؟ Today"


def test_the_step_that_is_up_is_told(qtbot, asked):
    guide = open_window(qtbot, asked, "setup-2")
    names = [one.accessibleName() for one in guide.steps.entries]
    assert [name for name in names if name.endswith(", current step")] == ["Hotkey, current step"]


@pytest.fixture
def said(monkeypatch):
    """What is announced, with whether it interrupts."""
    events = []

    class Listener:
        AnnouncementPoliteness = QAccessible.AnnouncementPoliteness

        @staticmethod
        def isActive():  # noqa: N802
            return True

        @staticmethod
        def updateAccessibility(event):  # noqa: N802
            is_urgent = event.politeness() is QAccessible.AnnouncementPoliteness.Assertive
            events.append((event.message(), is_urgent))

    monkeypatch.setattr(spoken_module, "QAccessible", Listener)
    return events


def test_the_guide_speaks_neither_into_the_microphone_nor_twice_nor_while_it_is_closed(qtbot, asked, said):
    guide = open_window(qtbot, asked, "setup-1")
    unseen = replace(MUTED, choices=Choices(overlay="off"))
    guide.show_view(RECORDING)
    guide.show_view(MUTED)
    assert said == [], "the overlay says it"
    guide.show_view(RECORDING)
    guide.show_view(unseen)
    assert said == [("The microphone is silent. Is it muted?", False)], "only the page that is up says it"
    guide.close()
    said.clear()
    guide.show_view(IDLE)
    guide.show_view(unseen)
    assert said == []


def test_announcements_are_made_only_where_somebody_listens(qtbot, monkeypatch):
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
    sent = []
    monkeypatch.setattr(QAccessible, "updateAccessibility", sent.append)
    announce(widget, "Nobody hears this.")
    assert sent == []


def test_the_overlay_is_announced_but_nothing_is_said_into_the_microphone(qtbot, said):
    overlay = OverlayWindow(lambda: -20.0)
    qtbot.addWidget(overlay)
    for view in (
        replace(RECORDING, device=""),
        RECORDING,
        replace(RECORDING, committed="Good", tentative=" e"),
    ):
        overlay.show_view(view)
    assert said == []
    overlay.show_view(MUTED)
    assert said == [("The microphone is silent. Is it muted?", True)]
    overlay.show_view(replace(IDLE, notices=(SILENT,)))
    assert len(said) == 1, "it has been said"
    lost = Notice(2, NoticeKind.MICROPHONE_LOST, "Microphone disconnected.")
    overlay.show_view(replace(RECORDING, notices=(lost,)))
    assert said[1:] == [("Microphone disconnected.", False)]


def test_what_is_wrong_is_said_once_by_the_overlay_or_by_the_window(qtbot, asked, said):
    for overlay, is_said in (("bottom", False), ("off", True)):
        window = open_window(qtbot, asked, "main")
        said.clear()
        for _ in range(2):
            window.show_view(replace(TROUBLED, choices=replace(TROUBLED.choices, overlay=overlay)))
        assert said == [("The hotkey F9 is taken. Choose another.", False)] * is_said


def test_what_happens_in_the_windows_is_announced_once(qtbot, asked, said):
    window = open_window(qtbot, asked, "models-empty")
    assert said == []
    for _ in range(2):
        window.show_models(SHELVES["downloading"])
    assert said == [("Qwen3-ASR 0.6B. Downloading", False), ("Qwen3-ASR 1.7B. Waiting", False)]
    history = open_window(qtbot, asked, "history-full")
    said.clear()
    history.show_history(PASTS["deleted"])
    history.show_history(PASTS["problem"])
    assert [words for words, _ in said] == [
        "1 dictation deleted.",
        "9 dictations",
        "Another program is using the history. Try again in a moment.",
    ]
