"""What the overlay says, state by state."""

from dataclasses import replace

import pytest

from handy_qwen.core.view import HOTKEYS, Choices, Notice, NoticeKind, Phase, View
from handy_qwen.ui import strings
from handy_qwen.ui.overlay_card import Content, Mark, content_of


def notice(kind, title="Title.", hint="Hint."):
    return Notice(1, kind, title, hint)


def test_nothing_is_shown_when_nothing_happens():
    assert content_of(View(phase=Phase.IDLE)) is None
    assert content_of(View(phase=Phase.LOADING)) is None


def test_an_overlay_that_is_off_shows_nothing_at_all():
    view = View(phase=Phase.RECORDING, began_s=1.0, choices=Choices(overlay="off"))
    assert content_of(view) is None


def test_a_recording_says_whether_the_microphone_is_there_yet():
    starting = View(phase=Phase.RECORDING, began_s=1.0)
    assert content_of(starting) == Content(Mark.STARTING, strings.STARTING, began_s=1.0)
    listening = View(phase=Phase.RECORDING, began_s=1.0, device="Desk")
    assert content_of(listening) == Content(Mark.METER, strings.LISTENING, began_s=1.0)


def test_live_text_takes_the_place_of_listening():
    view = View(phase=Phase.RECORDING, began_s=1.0, device="Desk", committed="Good", tentative=" even")
    content = content_of(view)
    assert (content.title, content.rest, content.is_live) == ("Good", " even", True)


def test_tentative_text_alone_is_live_text_too():
    content = content_of(View(phase=Phase.RECORDING, began_s=1.0, device="Desk", tentative="Goo"))
    assert (content.title, content.rest, content.is_live) == ("", "Goo", True)


def test_a_recording_shows_the_lock_the_loading_model_and_a_warning():
    view = View(phase=Phase.RECORDING, began_s=1.0, is_locked=True)
    assert content_of(view).is_locked
    view = View(phase=Phase.RECORDING, began_s=1.0, is_loading=True)
    assert content_of(view).remark == strings.MODEL_LOADS
    view = View(phase=Phase.RECORDING, notices=(notice(NoticeKind.FAILED, "Failed."),))
    assert content_of(view).remark == "Failed."


def test_a_recording_that_hears_nothing_at_all_says_so_in_place_of_listening():
    notices = (notice(NoticeKind.DEAD_MICROPHONE, "Silent."),)
    view = View(phase=Phase.RECORDING, began_s=1.0, device="Desk", is_locked=True, notices=notices)
    assert content_of(view) == Content(Mark.SILENT, "Silent.", "Hint.", began_s=1.0, is_locked=True)
    content = content_of(replace(view, committed="Good"))
    assert (content.title, content.remark) == ("Good", "Silent."), "what was said before it was muted stays"
    assert not content.is_locked, "which would hide the remark"


def test_a_recording_goes_before_a_notice_of_the_take_before():
    view = View(phase=Phase.RECORDING, device="Desk", notices=(notice(NoticeKind.INFO, "Cancelled."),))
    assert content_of(view).mark is Mark.METER
    assert content_of(view).remark == ""


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_notice_has_a_sign_and_both_its_lines(kind):
    content = content_of(View(phase=Phase.IDLE, notices=(notice(kind),)))
    assert (content.title, content.rest) == ("Title.", "Hint.")
    assert content.mark not in {Mark.METER, Mark.BUSY}


def test_the_newest_notice_is_shown():
    view = View(phase=Phase.IDLE, notices=(notice(NoticeKind.INFO, "old"), notice(NoticeKind.FAILED, "new")))
    assert content_of(view).title == "new"


def test_transcribing_shows_the_text_so_far_or_says_what_it_does():
    assert content_of(View(phase=Phase.TRANSCRIBING, waiting=1)).title == strings.TRANSCRIBING
    view = View(phase=Phase.TRANSCRIBING, waiting=1, committed="Good", tentative=" even")
    assert content_of(view).title == "Good even"
    assert content_of(View(phase=Phase.TRANSCRIBING, is_loading=True)).remark == strings.MODEL_LOADS


def test_a_held_text_stays_visible():
    assert content_of(View(phase=Phase.IDLE, held=("Good evening.",))).mark is Mark.WAITING


def test_what_is_wrong_with_the_hotkey_is_said_once_while_the_guide_tries_it():
    failed = Notice(1, NoticeKind.FAILED, "Another program uses F9.", is_lasting=True, subject=HOTKEYS)
    trying = View(phase=Phase.PROBLEM, notices=(failed,), is_rehearsing=True)
    assert content_of(trying) is None
    assert content_of(replace(trying, is_rehearsing=False)).title == failed.title
    other = replace(failed, number=0, title="The model is missing.", subject="model")
    assert content_of(replace(trying, notices=(other, failed))).title == other.title
