"""What a screen reader gets of every window: names, an order, and news."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QScrollBar, QWidget

from handy_qwen.core.view import Choices, Notice, NoticeKind, Phase, View
from handy_qwen.settings.forms import Page
from handy_qwen.ui import strings
from handy_qwen.ui import widgets as spoken_module
from handy_qwen.ui.overlay import OverlayWindow
from handy_qwen.ui.widgets import announce, spoken
from handy_qwen.ui.windows import history_words
from tests.e2e.pasts import PASTS
from tests.e2e.shelves import SHELVES
from tests.unit.ui.gallery import TROUBLED, WINDOWS, open_window

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support"),
    pytest.mark.usefixtures("app_home"),  # which keeps the windows' sizes
]
IDLE = View(phase=Phase.IDLE)
SILENT = Notice(1, NoticeKind.DEAD_MICROPHONE, "The microphone is silent.", "Is it muted?")
RECORDING = View(phase=Phase.RECORDING, began_s=0.0, device="Desk")
MUTED = replace(RECORDING, notices=(SILENT,))
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


@pytest.mark.parametrize("name", WINDOWS)
def test_in_english_no_letter_is_underlined_twice_nor_taken_by_what_is_not_seen(
    qtbot, asked, name, monkeypatch
):
    lost = []

    def unlike(titles, find=strings.unlike):
        titles = list(titles)
        found = list(find(titles))
        lost.extend(title for title, apart in zip(titles, found, strict=True) if apart != title)
        return iter(found)

    monkeypatch.setattr(strings, "unlike", unlike)
    window = open_window(qtbot, asked, name)
    if name == f"settings-{Page.GENERAL}":  # of the others, each page is in a window of its own
        for page in Page:
            window.go(page)
    assert lost == []


@pytest.fixture(params=WINDOWS)
def window(qtbot, asked, request):
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
        if one.role() is QAccessible.Role.ComboBox:
            assert one.text(QAccessible.Text.Value).strip(), name


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
