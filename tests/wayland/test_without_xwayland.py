"""The app where there is no X server at all."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QImage

from tests.e2e.desk.processes import wait_until
from tests.wayland.desk import App, Gnome, Session, Sway, Target
from tests.wayland.dictation import Dictation

RESTORED_S = 4.0  # the app waits two, since nobody tells it who fetched
GRID_PX, MOST_CARD_PX = 4, 150


@pytest.fixture(scope="module")
def without(desktop: type[Session]) -> Iterator[Dictation]:
    """The app after its first dictation."""
    with desktop(xwayland=False) as session:
        app = App(session)
        dictation = Dictation(session, app)
        dictation.answer_questions()
        yield dictation
        app.stop()


@pytest.mark.repeated
def test_it_dictates_all_the_same(without):
    dictates_into(without, "qt")


@pytest.mark.parametrize("kind", ["gtk3", "gtk4", "foot"])
def test_it_dictates_into_other_windows(without, kind):
    dictates_into(without, kind)


def dictates_into(without, kind):
    """Hold, speak, let go: the text is there, and the clipboards are as they were."""
    target = Target(without.session, kind)
    try:
        without.fill_clipboards()
        target.forget_focus()
        without.hold()
        assert without.arrives_in(target), target.text()
        if isinstance(without.session, Gnome):  # whose clipboard only windows with the focus may touch
            time.sleep(RESTORED_S)  # a look would take the focus from the app's own
        else:
            assert target.has_kept_focus()
        assert without.clipboards_are_restored()
    finally:
        target.close()


@pytest.fixture
def target(without: Dictation) -> Iterator[Target]:
    """A window with the focus, on a desktop that can show the overlay."""
    if isinstance(without.session, Gnome):
        pytest.skip("the compositor has no layer for it")
    target = Target(without.session, "qt")
    yield target
    target.close()


def test_the_overlay_is_shown_while_somebody_speaks_and_leaves_the_focus(without, target):
    before = still(without.session)
    target.forget_focus()
    without.session.keyboard.down("f9")
    without.app.wait_for_phase("recording")
    card = wait_until(lambda: new_in(before, picture(without.session, "recording")), "the overlay")
    without.session.say(without.speech)
    picture(without.session, "spoken")
    without.session.keyboard.up("f9")
    assert abs(card.center().x() - before.width() // 2) < 2 * GRID_PX, "it is in the middle"
    assert without.arrives_in(target), target.text()
    assert target.has_kept_focus()
    wait_until(lambda: not new_in(before, picture(without.session, "after")), "its end")


def test_a_click_on_the_overlay_does_what_it_offers_and_leaves_the_focus(without, target):
    before = still(without.session)
    target.forget_focus()
    without.session.keyboard.down("f9")
    without.app.wait_for_phase("recording")
    without.session.say(without.speech)
    without.app.run("cancel")
    without.session.keyboard.up("f9")
    without.app.wait_for_phase("idle")
    time.sleep(0.5)  # the fade
    card = wait_until(lambda: new_in(before, picture(without.session, "offer")), "the offer")
    without.session.click(card.center().x(), card.center().y())
    assert without.arrives_in(target), target.text()
    assert target.has_kept_focus()


def test_the_overlay_is_above_a_window_that_fills_a_screen_of_any_scale(without, target):
    session = without.session
    if not isinstance(session, Sway):
        pytest.skip("it is done by sway's commands")
    for command in ("output * scale 1.5", "fullscreen enable"):
        session.run("swaymsg", command)
    try:
        time.sleep(1.0)  # the window's new size
        before = picture(session, "full-idle")
        target.forget_focus()
        session.keyboard.down("f9")
        without.app.wait_for_phase("recording")
        time.sleep(0.5)  # the fade
        card = wait_until(lambda: new_in(before, picture(session, "full-recording")), "the overlay")
        without.app.run("cancel")
        session.keyboard.up("f9")
        assert abs(card.center().x() - before.width() // 2) < 2 * GRID_PX
        assert target.has_kept_focus()
    finally:
        session.run("swaymsg", "output * scale 1")


@pytest.mark.parametrize(
    ("gone", "back"),
    [
        ("output HEADLESS-1 disable", "output HEADLESS-1 enable"),
        ("output HEADLESS-1 unplug", "create_output; output HEADLESS-2 resolution 1280x800"),
    ],
)
def test_the_overlay_comes_back_with_its_screen(without, target, gone, back):
    session = without.session
    if not isinstance(session, Sway):
        pytest.skip("it is done by sway's commands")
    before = still(session)  # the new window may not be painted yet

    def is_shown() -> bool:
        card = new_in(before, picture(session, "again"))
        return card is not None and card.height() < MOST_CARD_PX  # else it is the whole screen that differs

    without.app.run("start")
    wait_until(is_shown, "the overlay")
    session.run("swaymsg", gone)
    time.sleep(2.0)  # the overlay says meanwhile that the microphone is silent
    session.run("swaymsg", back)
    wait_until(is_shown, "the overlay")
    session.say(without.speech)
    without.app.run("stop")
    assert without.arrives_in(target), target.text()


def picture(session: Session, name: str) -> QImage:
    """The screen, also kept for people to look at."""
    path = session.folder / f"{name}.png"
    session.screenshot(path)
    return QImage(str(path))


def still(session: Session) -> QImage:
    """The screen, once nothing fades any more."""
    seen = [picture(session, "idle")]

    def is_still() -> bool:
        time.sleep(0.5)
        seen.append(picture(session, "idle"))
        return new_in(*seen[-2:]) is None

    wait_until(is_still, "a screen that stays as it is")
    return seen[-1]


def new_in(before: QImage, after: QImage) -> QRect | None:
    """What is new near the middle of the lower edge, where no window and no panel changes; None: nothing."""
    found = [
        QPoint(x, y)
        for y in range(before.height() * 7 // 10, before.height() - 30, GRID_PX)
        for x in range(before.width() // 4, before.width() * 3 // 4, GRID_PX)
        if before.pixel(x, y) != after.pixel(x, y)
    ]
    if not found:
        return None
    columns, rows = [point.x() for point in found], [point.y() for point in found]
    return QRect(QPoint(min(columns), min(rows)), QPoint(max(columns), max(rows)))
