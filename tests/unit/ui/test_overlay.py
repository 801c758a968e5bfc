"""The overlay: what it says state by state, how text is cut, and a window that is never in the way."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QImage, QPainter
from PySide6.QtWidgets import QLineEdit

from handy_qwen.core.view import (
    HOTKEYS,
    MICROPHONE,
    SETTINGS,
    Choices,
    Notice,
    NoticeKind,
    Phase,
    Remedy,
    View,
)
from handy_qwen.ui import strings
from handy_qwen.ui.overlay import OverlayWindow
from handy_qwen.ui.overlay_card import CardPainter, Content, Mark, content_of, fitted
from handy_qwen.ui.style import LIGHT

# Qt's platform without a screen says that it cannot do these; nothing of the program's.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")

IDLE = View(phase=Phase.IDLE)
STARTING = View(phase=Phase.RECORDING, began_s=1.0)
RECORDING = replace(STARTING, device="Desk")
TRANSCRIBING = View(phase=Phase.TRANSCRIBING, waiting=1)
LONG = "The meeting starts at five o'clock and we need twenty-five chairs for the office. " * 6
LINE = 50  # characters on a line of the stand-in for the font


def notice(kind, title="Title.", hint="Hint.", **more):
    return Notice(1, kind, title, hint, **more)


FAILED, DEAD = notice(NoticeKind.FAILED), notice(NoticeKind.DEAD_MICROPHONE)
NO_HOTKEY = replace(FAILED, is_lasting=True, subject=HOTKEYS)
NO_MICROPHONE = replace(NO_HOTKEY, subject=MICROPHONE)

# --- what it says -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "content"),
    [
        (IDLE, None),
        (View(phase=Phase.LOADING), None),
        (replace(RECORDING, choices=Choices(overlay="off")), None),
        (STARTING, Content(Mark.STARTING, strings.STARTING, began_s=1.0)),
        (RECORDING, Content(Mark.METER, strings.LISTENING, began_s=1.0)),
        (
            replace(RECORDING, committed="Good", tentative=" even"),
            Content(Mark.METER, "Good", " even", is_live=True, began_s=1.0),
        ),
        (replace(RECORDING, tentative="Goo"), Content(Mark.METER, "", "Goo", is_live=True, began_s=1.0)),
        (
            replace(RECORDING, is_hands_free=True, finish_keys=("Right Ctrl",)),
            Content(
                Mark.METER, strings.LISTENING, began_s=1.0, foot="Right Ctrl to finish  ·  Esc to cancel"
            ),
        ),
        (  # begun from the menu, where there is no hotkey
            replace(RECORDING, is_hands_free=True, is_locked=True),
            Content(Mark.METER, strings.LISTENING, began_s=1.0, is_locked=True, foot="Esc to cancel"),
        ),
        (
            replace(RECORDING, is_loading=True),
            Content(Mark.METER, strings.LISTENING, began_s=1.0, remark=strings.MODEL_LOADS),
        ),
        (
            replace(RECORDING, notices=(FAILED,)),
            Content(Mark.METER, strings.LISTENING, began_s=1.0, remark="Title."),
        ),
        (  # of the take before
            replace(RECORDING, notices=(notice(NoticeKind.INFO),)),
            Content(Mark.METER, strings.LISTENING, began_s=1.0),
        ),
        (  # nothing is heard at all
            replace(RECORDING, is_locked=True, notices=(DEAD,)),
            Content(Mark.DEAD_MICROPHONE, "Title.", "Hint.", began_s=1.0, is_locked=True),
        ),
        (  # what was said before it was muted stays
            replace(RECORDING, notices=(DEAD,), committed="Good"),
            Content(Mark.METER, "Good", is_live=True, began_s=1.0, remark="Title."),
        ),
        (replace(IDLE, notices=(DEAD, FAILED)), Content(Mark.FAILED, "Title.", "Hint.")),
        (TRANSCRIBING, Content(Mark.BUSY, strings.TRANSCRIBING)),
        (
            replace(TRANSCRIBING, committed="Good", tentative=" even", is_loading=True),
            Content(Mark.BUSY, "Good even", is_live=True, remark=strings.MODEL_LOADS),
        ),
        (
            replace(IDLE, held=("Hi.",)),
            Content(
                Mark.HELD,
                strings.WAITING_TITLE,
                strings.WAITING_HINT,
                foot="Paste it here",
                remedy=Remedy.PASTE,
            ),
        ),
        (
            replace(IDLE, notices=(replace(FAILED, remedy=Remedy.MODELS),)),
            Content(Mark.FAILED, "Title.", "Hint.", foot="Open Models", remedy=Remedy.MODELS),
        ),
        (  # there is nothing left to restore
            replace(IDLE, notices=(replace(FAILED, remedy=Remedy.RESTORE),)),
            Content(Mark.FAILED, "Title.", "Hint."),
        ),
        (  # clicks belong to the program that is dictated into
            replace(RECORDING, notices=(replace(FAILED, remedy=Remedy.MODELS),)),
            Content(Mark.METER, strings.LISTENING, began_s=1.0, remark="Title."),
        ),
        # What is wrong with the hotkey is said in the guide, while that tries it.
        (replace(IDLE, notices=(NO_HOTKEY,), is_rehearsing=True), None),
        (replace(IDLE, notices=(NO_HOTKEY,)), Content(Mark.FAILED, "Title.", "Hint.")),
        # That there is no microphone is said to who presses the key.
        (replace(IDLE, notices=(NO_MICROPHONE,)), None),
        (
            replace(IDLE, notices=(replace(NO_MICROPHONE, news_until_s=9.0),)),
            Content(Mark.FAILED, "Title.", "Hint."),
        ),
        (
            replace(IDLE, notices=(FAILED, NO_HOTKEY), is_rehearsing=True),
            Content(Mark.FAILED, "Title.", "Hint."),
        ),
    ],
)
def test_the_overlay_says_what_concerns_the_user_most(view, content):
    assert content_of(view) == content


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_notice_has_a_mark(kind):
    assert content_of(replace(IDLE, notices=(notice(kind),))).mark not in {Mark.METER, Mark.BUSY}


# --- how text is cut --------------------------------------------------------------------------------


class Lines:
    """Counts lines of a fixed width, and how much it was asked about."""

    def __init__(self, line=LINE):
        self.measured, self._line = 0, line

    def __call__(self, text):
        self.measured += len(text)
        return -(-len(text) // self._line)


def live(title, rest=""):
    return Content(Mark.METER, title, rest, is_live=True)


def parts(content, line=LINE):
    """The text as it is cut: what is in full color, and what is quieter."""
    text, quiet_from = fitted(content, Lines(line))
    return text[:quiet_from], text[quiet_from:]


def test_text_that_fits_is_left_alone():
    assert parts(live("Hello", " world")) == ("Hello", " world")


def test_the_newest_words_stay_and_begin_with_a_whole_one():
    title, rest = parts(live("one two three four five " * 20, "and the end"))
    assert rest == "and the end"
    assert title.startswith("… ")
    assert title.split()[1] in {"one", "two", "three", "four", "five"}
    assert 2 * LINE - 10 < len(title + rest) <= 2 * LINE


@pytest.mark.parametrize("script", ["今天下午我们开会讨论了新的计划。", "漢字", "ประชุม"])
def test_text_without_spaces_fills_its_lines_with_committed_text(script):
    title, rest = parts(live(script * 60, script))
    assert rest == script
    assert title.endswith(script)
    assert len(title + rest) == 2 * LINE


def test_tentative_text_that_is_too_long_pushes_the_committed_out():
    title, rest = parts(live("Said before.", " maybe" * 50))
    assert title == "… "
    assert rest.startswith("maybe")
    assert len(title + rest) <= 2 * LINE


def test_a_long_take_costs_no_more_to_fit_than_a_short_one():
    short, long = Lines(), Lines()
    fitted(live("word after word " * 40), short)
    fitted(live("word after word " * 10_000), long)
    assert long.measured <= short.measured * 1.1


def test_a_notice_has_four_lines_and_loses_its_end():
    title, rest = parts(Content(Mark.FAILED, "Line 3 is not right.", "why and what to do " * 10))
    assert title == "Line 3 is not right."
    assert rest.startswith("\nwhy and")
    assert rest.endswith("…")
    assert 3 * LINE < len(title + rest) <= 4 * LINE


@pytest.mark.parametrize("length", range(1, 14))
def test_a_title_that_fits_nowhere_is_given_up(length):
    assert len("".join(parts(Content(Mark.FAILED, "x" * length, "why" * 3), line=1))) <= 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("مرحبا Anna", True),
        ("… 12 שלום", True),
        ("Anna مرحبا", False),
        ("今天", False),
        ("… 12", False),
        ("", False),
    ],
)
def test_the_first_letter_says_where_a_line_begins(qapp, text, expected):  # noqa: ARG001  for its fonts
    assert strings.is_right_to_left(text) is expected
    layout = CardPainter(QFont()).layout(text or " ", 600.0)
    assert (layout.lineAt(0).naturalTextRect().left() > 300.0) is expected


# --- the window -------------------------------------------------------------------------------------


@pytest.fixture
def overlay(qtbot):
    window = OverlayWindow(lambda: -20.0)
    qtbot.addWidget(window)
    return window


def picture(window):
    image = QImage(window.size(), QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    window.render(image)
    return image


def test_it_takes_neither_focus_nor_mouse(overlay):
    overlay.show_view(RECORDING)
    assert overlay.windowHandle().flags() & Qt.WindowType.WindowDoesNotAcceptFocus
    assert overlay.windowHandle().flags() & Qt.WindowType.WindowTransparentForInput
    assert overlay.testAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
    assert overlay.focusPolicy() == Qt.FocusPolicy.NoFocus


OFFER = replace(IDLE, notices=(replace(FAILED, remedy=Remedy.MODELS),))


def test_it_takes_clicks_only_while_it_offers_one(overlay, qtbot):
    clicked = []
    overlay.clicked.connect(clicked.append)
    for view, is_offered in (
        (RECORDING, False),
        (OFFER, True),
        (RECORDING, False),
        (OFFER, True),
        (IDLE, False),
    ):
        clicked.clear()
        overlay.show_view(view)
        flags = overlay.windowHandle().flags()
        assert bool(flags & Qt.WindowType.WindowTransparentForInput) is not is_offered
        assert flags & Qt.WindowType.WindowDoesNotAcceptFocus
        qtbot.mouseClick(overlay, Qt.MouseButton.LeftButton)
        qtbot.mouseClick(overlay, Qt.MouseButton.RightButton)
        assert clicked == [Remedy.MODELS] * is_offered


def test_it_disappears_and_comes_back_while_it_does(overlay, qtbot):
    overlay.show_view(RECORDING)
    overlay.show_view(IDLE)
    overlay.show_view(RECORDING)
    qtbot.wait(300)
    qtbot.waitUntil(lambda: overlay.windowOpacity() == 1.0)
    assert overlay.isVisible()
    overlay.show_view(IDLE)
    qtbot.waitUntil(lambda: not overlay.isVisible())


def test_a_text_that_waits_covers_no_window_of_the_program(overlay, qtbot):
    window = QLineEdit()
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    waiting = replace(IDLE, held=("Good evening.",))
    overlay.show_view(waiting)
    assert not overlay.isVisible()
    overlay.show_view(replace(waiting, notices=(notice(NoticeKind.HELD),)))
    assert overlay.isVisible(), "it has just happened"
    window.activateWindow()  # without a screen, Qt gives the focus to whatever comes up
    qtbot.waitUntil(window.isActiveWindow)
    overlay.show_view(waiting)
    qtbot.waitUntil(lambda: not overlay.isVisible())
    window.close()
    qtbot.waitUntil(overlay.isVisible)


def test_what_is_wrong_with_the_file_covers_no_window_that_says_so_itself(overlay, qtbot):
    window = QLineEdit()
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    broken = replace(notice(NoticeKind.FAILED), is_lasting=True, subject=SETTINGS)
    overlay.show_view(replace(IDLE, notices=(broken,)))
    assert not overlay.isVisible()
    window.close()
    qtbot.waitUntil(overlay.isVisible)


def test_it_lies_over_no_window_of_the_program_that_has_the_keyboard_if_there_is_room(overlay, qtbot):
    area = overlay.screen().availableGeometry()
    window = QLineEdit()
    qtbot.addWidget(window)
    window.setGeometry(area.adjusted(0, area.height() // 2, 0, 0))
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    overlay.show_view(replace(IDLE, notices=(FAILED,)))
    assert overlay.geometry().center().y() < area.center().y()
    window.setGeometry(area)
    overlay.show_view(replace(IDLE, notices=(notice(NoticeKind.FAILED, "It."),)))
    assert overlay.geometry().center().y() > area.center().y(), "it covers both edges"


def test_marks_grow_with_the_letters_beside_them(qapp):
    def colored(points):
        font = QFont(qapp.font())
        font.setPointSize(points)
        card, content = CardPainter(font), Content(Mark.FAILED, "No.")
        picture = QImage(card.size_for(content, 1000), QImage.Format.Format_RGB32)
        picture.fill("white")
        with QPainter(picture) as painter:
            card.paint(painter, picture.rect(), content, LIGHT, level=0.0, frame=0, clock="")
        colors = (picture.pixelColor(x, y) for x in range(picture.width()) for y in range(picture.height()))
        return sum(one.saturation() > 150 for one in colors)

    assert colored(24) > 2 * colored(10) > 0


@pytest.mark.parametrize(
    ("direction", "is_right"),
    [(Qt.LayoutDirection.LeftToRight, False), (Qt.LayoutDirection.RightToLeft, True)],
)
def test_the_mark_is_where_the_language_begins(qapp, direction, is_right):
    before = qapp.layoutDirection()
    qapp.setLayoutDirection(direction)
    try:
        card, content = CardPainter(qapp.font()), Content(Mark.FAILED, "No.")
        picture = QImage(card.size_for(content, 1000), QImage.Format.Format_RGB32)
        picture.fill("white")
        with QPainter(picture) as painter:
            card.paint(painter, picture.rect(), content, LIGHT, level=0.0, frame=0, clock="")
    finally:
        qapp.setLayoutDirection(before)
    middle = picture.width() // 2
    row = [picture.pixelColor(x, picture.height() // 2) for x in range(picture.width())]
    columns = [x for x, color in enumerate(row) if color.saturation() > 150]
    assert columns
    assert all((x > middle) is is_right for x in columns)


def test_no_timer_runs_while_nothing_moves(overlay):
    for view, moves in ((RECORDING, True), (replace(IDLE, notices=(FAILED,)), False), (IDLE, False)):
        overlay.show_view(view)
        assert overlay._timer.isActive() is moves


@pytest.mark.parametrize(("where", "is_high"), [("top", True), ("bottom", False)])
def test_it_is_placed_where_the_settings_say(overlay, where, is_high):
    overlay.show_view(replace(RECORDING, choices=Choices(overlay=where)))
    area = overlay.screen().availableGeometry()
    assert area.contains(overlay.geometry())
    assert (overlay.geometry().center().y() < area.center().y()) == is_high
    assert abs(overlay.geometry().center().x() - area.center().x()) <= 1


@pytest.mark.parametrize("text", [LONG, "漢字" * 300, "x" * 900, "متن " * 300])
def test_long_text_of_any_script_fits_on_two_lines(overlay, text):
    overlay.show_view(replace(RECORDING, committed="One."))
    one_line = overlay.height()
    overlay.show_view(replace(RECORDING, committed=text, tentative=" and the end"))
    assert overlay.height() < 2 * one_line
    picture(overlay)


def test_live_text_keeps_its_height_and_width_while_it_grows(overlay):
    sizes = set()
    for length in range(200, len(LONG), 7):
        overlay.show_view(replace(RECORDING, committed=LONG[:length]))
        sizes.add((overlay.width(), overlay.height()))
    assert len(sizes) == 1


def test_different_states_look_different(overlay):
    pictures = []
    kinds = (replace(IDLE, notices=(notice(kind, "Same.", "Same."),)) for kind in NoticeKind)
    hands_free = replace(RECORDING, is_hands_free=True)
    locked = replace(hands_free, is_locked=True)
    for view in (RECORDING, hands_free, locked, TRANSCRIBING, OFFER, *kinds):
        overlay.show_view(view)
        pictures.append(picture(overlay))
    told_apart = [a for i, a in enumerate(pictures) if all(a != b for b in pictures[:i])]
    # DEAD_MICROPHONE and MICROPHONE_LOST share the silent microphone; their words differ.
    assert len(told_apart) == len(pictures) - 1


def test_it_tells_its_text_to_screen_readers(overlay):
    overlay.show_view(replace(IDLE, notices=(FAILED,)))
    assert overlay.accessibleDescription() == "Title. Hint."


@pytest.mark.parametrize("is_composited", [True, False])
def test_without_a_compositor_only_the_card_is_shown(qtbot, is_composited):
    window = OverlayWindow(lambda: -20.0, lambda: is_composited)
    qtbot.addWidget(window)
    window.show_view(RECORDING)
    picture(window)
    shape = window.mask()
    assert shape.isEmpty() is is_composited
    assert not shape.contains(window.rect().topLeft())
    assert shape.contains(window.rect().center()) is not is_composited


@pytest.mark.parametrize(
    ("keys", "cancel", "said"),
    [
        (("F9",), "", "F9 to finish  ·  cancel in the tray menu"),
        ((), "", "Cancel in the tray menu"),
        (("F9",), "Meta+Esc", "F9 to finish  ·  Meta+Esc to cancel"),
    ],
)
def test_where_the_desktop_assigns_the_keys_it_is_said_how_to_cancel(keys, cancel, said):
    assert strings.how_to_finish(View(finish_keys=keys, desktop_keys=("F9",), cancel_key=cancel)) == said
