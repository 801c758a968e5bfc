"""What a screen reader gets of every window: names, an order, and news."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QGuiApplication
from PySide6.QtWidgets import QScrollBar, QWidget

from handy_qwen.core.view import Choices, Notice, NoticeKind, Phase, View
from handy_qwen.ui import widgets as spoken_module
from handy_qwen.ui.overlay import OverlayWindow
from handy_qwen.ui.widgets import announce, spoken
from handy_qwen.ui.windows import history_words
from tests.e2e.pasts import PASTS
from tests.e2e.shelves import SHELVES
from tests.unit.ui.gallery import TROUBLED, WINDOWS, models, open_window
from tests.unit.ui.gallery import main as main_window

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
INTERACTIVE = {
    QAccessible.Role.Button,
    QAccessible.Role.ButtonMenu,
    QAccessible.Role.CheckBox,
    QAccessible.Role.ComboBox,
    QAccessible.Role.EditableText,
    QAccessible.Role.List,
    QAccessible.Role.ProgressBar,
    QAccessible.Role.Slider,
}
PARTS_OF_QT = (QScrollBar,)


def tree(interface):
    """All that a screen reader finds in ``interface`` and that is to be seen."""
    for number in range(interface.childCount()):
        child = interface.child(number)
        if child is None or not child.isValid() or child.state().invisible:
            continue
        yield child
        yield from tree(child)


def name_of(interface):
    """What is said for a name: that of its label, or else its own."""
    labels = interface.relations(QAccessible.RelationFlag.Label)
    label = " ".join(one.text(QAccessible.Text.Name) for one, _ in labels)
    return label or interface.text(QAccessible.Text.Name)


@pytest.fixture(params=WINDOWS)
def window(qtbot, asked, app_home, request):  # noqa: ARG001  the home keeps the window's size
    return open_window(qtbot, asked, request.param)


def test_every_control_has_a_name_once_and_without_marks_for_the_eye(window):
    found = list(tree(QAccessible.queryAccessibleInterface(window)))
    assert found
    for one in found:
        name = name_of(one)
        assert not MARKS.search(name), name
        assert not MARKS.search(one.text(QAccessible.Text.Description)), name
        sentences = [part.strip() for part in name.split(". ") if part.strip()]
        assert len(set(sentences)) == len(sentences), name
        if one.role() in INTERACTIVE and not isinstance(one.object(), PARTS_OF_QT):
            assert name.strip(), one.object()


def stops(window):
    """The widgets that Tab leads to, in its order, from the first of the window on."""
    found, widget = [], window
    while (widget := widget.nextInFocusChain()) is not window:
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and widget.isEnabled():
            found.append(widget)
    return found


def test_tab_follows_the_eye(window):
    order = stops(window)
    assert len(order) > 1
    for before, after in pairwise(order):
        if before.parentWidget() is not after.parentWidget():
            continue  # columns beside each other: what is read first is told by each of them
        one, other = (QWidget.mapTo(w, window, QPoint(0, 0)) for w in (before, after))
        is_below = other.y() >= one.y() + before.height() / 2
        is_right_of = abs(other.y() - one.y()) < max(before.height(), after.height()) and other.x() > one.x()
        assert is_below or is_right_of, (before, after)
    assert order[-1].parentWidget() is window  # the buttons at the foot come last


def test_lists_read_out_each_row_once(qtbot, asked, app_home):  # noqa: ARG001
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


def test_the_guide_speaks_neither_into_the_microphone_nor_twice_nor_while_it_is_closed(
    qtbot,
    asked,
    app_home,  # noqa: ARG001
    said,
):
    guide = open_window(qtbot, asked, "setup-1")
    silent = Notice(1, NoticeKind.DEAD_MICROPHONE, "The microphone is silent.", "Is it muted?")
    recording = View(phase=Phase.RECORDING, began_s=0.0, device="Desk")
    guide.show_view(recording)
    guide.show_view(replace(recording, notices=(silent,)))
    assert said == [], "the overlay says it"
    guide.show_view(recording)
    guide.show_view(replace(recording, notices=(silent,), choices=Choices(overlay="off")))
    assert said == [("The microphone is silent. Is it muted?", False)], "only the page that is up says it"
    guide.close()
    said.clear()
    guide.show_view(View(phase=Phase.IDLE, choices=Choices(overlay="off")))
    guide.show_view(replace(recording, notices=(silent,), choices=Choices(overlay="off")))
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
    overlay.show_view(View(phase=Phase.RECORDING, began_s=0.0))
    overlay.show_view(View(phase=Phase.RECORDING, began_s=0.0, device="Desk"))
    overlay.show_view(
        View(phase=Phase.RECORDING, began_s=0.0, device="Desk", committed="Good", tentative=" e")
    )
    assert said == []
    silent = Notice(1, NoticeKind.DEAD_MICROPHONE, "The microphone is silent.", "Is it muted?")
    overlay.show_view(View(phase=Phase.RECORDING, began_s=0.0, device="Desk", notices=(silent,)))
    assert said == [("The microphone is silent. Is it muted?", True)]
    overlay.show_view(View(phase=Phase.IDLE, notices=(silent,)))
    assert len(said) == 1, "it has been said"
    lost = Notice(2, NoticeKind.MICROPHONE_LOST, "Microphone disconnected.")
    overlay.show_view(View(phase=Phase.RECORDING, began_s=0.0, device="Desk", notices=(lost,)))
    assert said[1:] == [("Microphone disconnected.", False)]


def test_where_no_overlay_can_be_shown_the_windows_say_what_is_wrong(
    qtbot,
    asked,
    app_home,  # noqa: ARG001
    said,
    monkeypatch,
):
    monkeypatch.setattr(QGuiApplication, "platformName", lambda: "wayland")
    desk = main_window(asked, View(phase=Phase.IDLE))
    qtbot.addWidget(desk)
    desk.present()
    desk.show_view(TROUBLED)
    assert said == [("The hotkey F9 is taken. Choose another.", False)]


def test_what_happens_in_the_windows_is_announced_once(qtbot, asked, app_home, said):  # noqa: ARG001
    window = models(asked, "empty")
    qtbot.addWidget(window)
    window.present()
    assert said == []
    window.show_models(SHELVES["downloading"])
    window.show_models(SHELVES["downloading"])
    assert said == [("Qwen3-ASR 0.6B. Downloading", False), ("Qwen3-ASR 1.7B. Waiting", False)]
    history = open_window(qtbot, asked, "history-full")
    said.clear()
    history.show_history(PASTS["deleted"])
    history.show_history(PASTS["problem"])
    assert [words for words, _ in said] == [
        "1 dictation deleted.",
        "9 dictations",
        "Another program holds the history. Try again in a moment.",
    ]
    said.clear()
    desk = main_window(asked, View(phase=Phase.IDLE))
    qtbot.addWidget(desk)
    desk.present()
    desk.show_view(TROUBLED)
    assert said == [], "the overlay says it"
    desk.show_view(View(phase=Phase.IDLE))
    unseen = replace(TROUBLED, choices=replace(TROUBLED.choices, overlay="off"))
    desk.show_view(unseen)
    desk.show_view(unseen)
    assert said == [("The hotkey F9 is taken. Choose another.", False)]
