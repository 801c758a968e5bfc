"""What comes back: takes left behind by an earlier session, takes that failed, takes that were cancelled."""

from dataclasses import replace

import pytest

from handy_qwen.core import effects as fx
from handy_qwen.core import events as ev
from handy_qwen.core.events import Request
from handy_qwen.core.recording import ENDING_S
from handy_qwen.core.recovery import REPLAYING_S
from handy_qwen.core.state import Stage
from handy_qwen.core.types import Delivery, Entry, EntryState, Method, Submit
from handy_qwen.core.view import NoticeKind, Phase
from handy_qwen.errors import HandyError
from tests.dictation import EDITOR, ERROR, RULES, Desk

READY = ev.ModelReady("demo", ("English", "German"))


def left(number, text="", **more):
    return Entry(number, 0.0, EntryState.DONE if text else EntryState.WAITING, text=text, **more)


def recovering(*unfinished):
    """A desk whose model is ready, with these entries of the history that have no text yet."""
    return Desk().play(READY, ev.Recovered(tuple(left(number) for number in unfinished), ()))


def kept(desk):
    """What the history is to keep, except texts and sounds."""
    kinds = (fx.KeepFailure, fx.KeepCancellation, fx.KeepDelivery)
    return [effect for effect in desk.effects if isinstance(effect, kinds)]


def test_every_step_of_a_take_is_kept():
    desk = Desk().say(1).keep(1, 10).hear(1, "Hello.").put(1)
    assert desk.done(fx.KeepSound) == [fx.KeepSound(1)]
    assert desk.done(fx.KeepText) == [fx.KeepText(1, "Hello.", "English", "", "editor")]
    assert kept(desk) == [fx.KeepDelivery(1, Delivery.TYPED)]
    assert desk.effects.index(desk.done(fx.KeepText)[0]) < desk.effects.index(desk.done(fx.Insert)[0])


def test_a_delivery_is_kept_only_when_it_was_seen():
    desk = Desk().say(1).hear(1, "Hello.")
    assert kept(desk) == []
    desk.fail(1)
    assert kept(desk) == [fx.KeepDelivery(1, Delivery.HELD)]


def test_a_held_text_is_kept_as_delivered_with_the_one_that_brought_it_along():
    desk = Desk().say(1).hear(1, "One.").put(1, Delivery.HELD).say(2).hear(2, "Two.")
    assert desk.done(fx.Insert)[-1].brings == (1,)
    desk.put(2)
    assert kept(desk)[1:] == [fx.KeepDelivery(2, Delivery.TYPED), fx.KeepDelivery(1, Delivery.TYPED)]


def test_texts_held_twice_are_all_kept_as_delivered_when_they_are_pasted():
    desk = Desk().say(1).hear(1, "One.").put(1, Delivery.HELD).say(2).hear(2, "Two.").put(2, Delivery.HELD)
    desk.ask(Request.PASTE_AGAIN).put(3, Delivery.PASTED)
    assert set(kept(desk)[-3:]) == {fx.KeepDelivery(number, Delivery.PASTED) for number in (1, 2, 3)}


def test_held_texts_that_are_dropped_are_not_offered_again():
    desk = Desk().say(1).hear(1, "One.").put(1, Delivery.HELD).ask(Request.DROP_HELD)
    assert kept(desk)[-1] == fx.KeepDelivery(1, Delivery.DROPPED)


def test_a_take_in_which_nobody_spoke_and_one_from_a_dead_microphone_have_an_empty_text():
    desk = Desk().say(1).hear(1, "").down().begun(2).recorded(2, is_dead=True)
    assert [(one.take, one.text) for one in desk.done(fx.KeepText)] == [(1, ""), (2, "")]


def test_a_text_that_an_earlier_session_did_not_deliver_waits_and_is_never_typed_by_itself():
    text = left(7, "From before.", delivery=Delivery.BEGUN)
    desk = Desk().play(ev.Recovered((), (text,))).wait(60)
    assert desk.done(fx.Adopt) == [fx.Adopt(1, 7)]
    assert desk.view.held == ("From before.",)
    assert desk.inserted == []
    desk.ask(Request.PASTE_AGAIN)
    assert desk.done(fx.Insert) == [fx.Insert(2, "From before.", None, Method.PASTE, Submit.OFF, (1,))]
    desk.put(2)
    assert fx.KeepDelivery(1, Delivery.TYPED) in kept(desk)


def test_the_last_texts_of_earlier_sessions_are_in_the_menu():
    desk = Desk().play(ev.Recovered((), (), (left(2, "Two."), left(1, "One."), left(3, ""))))
    assert desk.view.recent == ("Two.", "One.")
    assert desk.notices == []


def test_unfinished_takes_are_transcribed_one_after_the_other_once_the_model_is_ready():
    desk = Desk().play(ev.Recovered((left(5, language="German"), left(6)), ()))
    assert desk.done(fx.Replay) == []
    desk.play(READY)
    assert desk.done(fx.Replay) == [fx.Replay(1, 5, ("German",), ("Qwen",))]
    desk.configure(replace(RULES, languages=("English", "Thai")))
    desk.replayed(1)
    assert desk.done(fx.Transcribe) == [fx.Transcribe(1)]
    desk.hear(1, "Five.")
    assert desk.done(fx.Replay)[-1] == fx.Replay(2, 6, ("English", "Thai"), ("Qwen",))
    desk.replayed(2).hear(2, "Six.")
    assert desk.view.held == ("Five.", "Six.")
    assert desk.inserted == []
    assert desk.done(fx.KeepSound) == [], "the history has it"
    assert NoticeKind.HELD in desk.notices


def test_what_is_being_recovered_stays_in_the_background():
    desk = recovering(5)
    assert desk.now.takes[0].stage is Stage.REPLAYING
    assert (desk.view.phase, desk.view.waiting, desk.view.take) == (Phase.IDLE, 0, 0)
    assert desk.done(fx.WatchEscape) == []
    desk.escape().ask(Request.CANCEL)
    assert len(desk.now.takes) == 1


@pytest.mark.parametrize("is_replayed", [False, True])
def test_a_take_spoken_now_goes_before_what_is_being_recovered(is_replayed):
    desk = recovering(5, 6)
    if is_replayed:
        desk.replayed(1)
    desk.down().play(ev.FocusNoted(2, EDITOR)).begun(2)
    assert desk.done(fx.CancelTranscription) == [fx.CancelTranscription(1)]
    assert [entry.id for entry in desk.now.unfinished] == [5, 6]
    desk.wait(1).up().recorded(2).hear(2, "Now.")
    assert desk.inserted == ["Now."]
    assert len(desk.done(fx.Replay)) == 1
    desk.put(2)
    assert desk.done(fx.Replay)[-1].entry == 5


def test_a_recovery_that_fails_is_reported_and_the_next_begins():
    desk = recovering(5, 6).fail(1)
    assert kept(desk) == [fx.KeepFailure(1, "It broke.")]
    assert [effect.entry for effect in desk.done(fx.Replay)] == [5, 6]


def test_a_failed_take_is_kept_and_can_be_tried_again_into_its_window():
    desk = Desk().say(1).keep(1, 10)
    assert not desk.view.can_retry
    desk.fail(1)
    assert "Transcribe last recording again" in desk.view.notices[-1].hint
    assert desk.view.can_retry
    desk.ask(Request.RETRY)
    assert desk.done(fx.Replay) == [fx.Replay(2, 10, (), ("Qwen",))]
    assert desk.view.phase is Phase.TRANSCRIBING
    desk.replayed(2).hear(2, "At last.")
    assert desk.done(fx.Insert)[-1].target == EDITOR


def test_a_failed_take_can_be_tried_again_when_its_entry_came_late():
    desk = Desk().say(1).fail(1)
    (before,) = desk.view.notices
    assert before.hint == ERROR.hint, "nothing is promised that is not known yet"
    (after,) = desk.keep(1, 10).view.notices
    assert after.hint == f"It's saved: choose Transcribe last recording again. {ERROR.hint}"
    assert after.number == before.number, "it is not shown again"
    desk.ask(Request.RETRY)
    assert desk.done(fx.Replay) == [fx.Replay(2, 10, (), ("Qwen",))]


def test_a_cancelled_take_whose_entry_came_late_can_be_restored_and_the_notice_says_so():
    desk = Desk().down().begun(1).wait(2).escape()
    assert desk.view.notices[-1].hint == ""
    desk.keep(1, 10)
    assert "Restore cancelled dictation" in desk.view.notices[-1].hint
    assert desk.view.can_bring_back


def test_the_last_take_can_be_transcribed_again_in_another_language():
    desk = Desk().say(1).keep(1, 10).hear(1, "Hallo.").put(1)
    desk.configure(replace(RULES, language="German")).ask(Request.RETRY)
    assert desk.done(fx.Replay) == [fx.Replay(2, 10, ("German",), ("Qwen",))]


def test_a_take_in_the_language_of_its_hotkey_is_transcribed_again_in_that():
    desk = Desk().say(1, key=1).keep(1, 10).hear(1, "Hallo.", "German").put(1)
    desk.configure(replace(RULES, language="French")).ask(Request.RETRY)
    assert desk.done(fx.Replay) == [fx.Replay(2, 10, ("German",), ("Qwen",))]
    desk.play(ev.Replayed(2, 1.0)).hear(2, "Hello.", "English").ask(Request.RETRY)
    assert desk.done(fx.Replay)[-1] == fx.Replay(3, 10, ("German",), ("Qwen",)), "also the second time"
    desk.configure(replace(RULES, hotkeys=())).ask(Request.RETRY)
    assert desk.done(fx.Replay)[-1] == fx.Replay(4, 10, (), ("Qwen",))


@pytest.mark.parametrize("what", [Request.RETRY, Request.BRING_BACK])
def test_without_anything_kept_there_is_nothing_to_come_back(what):
    desk = Desk().say(1).fail(1).ask(Request.CANCEL).ask(what)
    assert desk.done(fx.Replay) == []
    assert desk.view.notices[-1].title.startswith("There is nothing")
    assert not desk.view.can_retry
    assert not desk.view.can_bring_back


@pytest.mark.parametrize("is_recording", [True, False])
def test_a_cancelled_take_can_be_restored_and_the_notice_says_so(is_recording):
    desk = Desk().down().play(ev.FocusNoted(1, EDITOR)).begun(1).keep(1, 10).wait(2)
    if not is_recording:
        desk.up().recorded(1)
    desk.escape()
    assert kept(desk) == [fx.KeepCancellation(1)]
    assert "Restore cancelled dictation" in desk.view.notices[-1].hint
    assert desk.view.can_bring_back
    desk.ask(Request.BRING_BACK)
    assert desk.done(fx.Replay) == [fx.Replay(2, 10, (), ("Qwen",))]
    desk.replayed(2).hear(2, "Back.")
    assert desk.inserted == ["Back."]
    assert not desk.view.can_bring_back


def test_a_slip_of_the_finger_does_not_replace_the_take_that_can_be_restored():
    desk = Desk().down().begun(1).keep(1, 10).wait(2).escape()
    desk.up().wait(10).down().begun(2).keep(2, 11).escape()
    assert desk.view.notices[-1].hint == ""
    assert desk.now.entry_of(desk.now.cancelled) == 10


def test_sound_that_does_not_come_from_the_disk_fails_the_replay_after_a_while():
    desk = Desk().say(1).keep(1, 10).fail(1).ask(Request.RETRY).wait(REPLAYING_S + 1)
    assert desk.now.takes == ()
    assert kept(desk)[-1].take == 2
    assert desk.view.can_retry


def test_the_history_is_paused_once():
    private = replace(RULES, is_private=True)
    desk = Desk().configure(private).configure(private)
    assert desk.done(fx.PauseHistory) == [fx.PauseHistory(is_paused=True)]
    desk.configure()
    assert desk.done(fx.PauseHistory)[-1] == fx.PauseHistory(is_paused=False)


def test_hotkeys_that_died_are_listened_for_again_and_their_take_ends():
    desk = Desk().down().begun(1).wait(1).play(ev.HotkeysFailed(ERROR), ev.HotkeysDied())
    assert desk.done(fx.ListenFor) == [fx.ListenFor(RULES.hotkeys)]
    assert desk.done(fx.StopRecording) == [fx.StopRecording(1)]
    assert desk.view.notices == ()


def test_a_listener_that_starts_again_hears_whether_escape_is_wanted_which_the_dead_one_could_not():
    desk = Desk().down().begun(1).wait(1)
    assert desk.done(fx.WatchEscape) == [fx.WatchEscape(is_wanted=True)]
    desk.play(ev.HotkeysDied())
    again = desk.effects.index(fx.ListenFor(RULES.hotkeys))
    assert fx.WatchEscape(is_wanted=True) in desk.effects[again:]
    desk.recorded(1).hear(1, "").play(ev.HotkeysDied())
    assert desk.effects[-2:] == [fx.ListenFor(RULES.hotkeys), fx.WatchEscape(is_wanted=False)]


def test_late_answers_about_replays_that_are_gone_change_nothing():
    desk = recovering(5).down()
    before = desk.now
    assert desk.replayed(1).keep(99, 1).play(ev.Delivered(1, Delivery.TYPED)).now == before


def test_a_text_chosen_in_the_history_waits_once_and_is_known_as_that_entry():
    entry = left(7, "Good evening.", delivery=Delivery.TYPED)
    desk = Desk().play(READY, ev.Recalled(entry, is_sound=False), ev.Recalled(entry, is_sound=False))
    assert [one.text for one in desk.now.held] == ["Good evening."]
    assert desk.done(fx.Adopt) == [fx.Adopt(1, 7)]
    desk.ask(Request.PASTE_AGAIN)
    assert [one.text for one in desk.done(fx.Insert)] == ["Good evening."]


def test_a_text_chosen_in_the_history_is_inserted_where_the_focus_is_without_what_else_waits():
    desk = Desk().say(1).keep(1, 10).hear(1, "One.").put(1, Delivery.HELD)
    entry = left(7, "Good evening.", delivery=Delivery.TYPED)
    desk.play(ev.Recalled(entry, is_sound=False, is_here=True))
    insert = desk.done(fx.Insert)[-1]
    assert (insert.text, insert.target) == ("Good evening.", None)
    assert desk.view.held == ("One.",)
    desk.play(ev.Delivered(insert.take, Delivery.PASTED))
    assert desk.done(fx.KeepDelivery)[-1] == fx.KeepDelivery(2, Delivery.PASTED)
    assert desk.view.held == ("One.",)


def test_a_text_of_the_history_that_could_not_be_inserted_waits():
    desk = Desk().play(READY, ev.Recalled(left(7, "Good evening."), is_sound=False, is_here=True))
    desk.fail(desk.done(fx.Insert)[-1].take)
    assert desk.view.held == ("Good evening.",)


def test_a_sound_chosen_in_the_history_is_transcribed_in_the_language_asked_for_and_its_text_waits():
    entry = Entry(7, 0.0, EntryState.FAILED, language="German", has_audio=True)
    desk = Desk().play(READY, ev.Recalled(entry, is_sound=True))
    assert desk.done(fx.Replay) == [fx.Replay(1, 7, ("German",), ("Qwen",))]
    desk.replayed(1).hear(1, "Guten Abend.")
    assert [one.text for one in desk.now.held] == ["Guten Abend."]
    assert desk.done(fx.Insert) == []


def test_an_entry_waits_once_however_often_it_is_recalled_and_another_with_the_same_text_beside_it():
    desk = Desk().play(
        ev.Recalled(left(7, "Yes."), is_sound=False), ev.Recalled(left(8, "Yes."), is_sound=False)
    )
    desk.play(ev.Recalled(left(7, "Yes."), is_sound=False))
    assert desk.view.held == ("Yes.", "Yes.")
    assert desk.done(fx.Adopt) == [fx.Adopt(1, 7), fx.Adopt(2, 8)]


def test_an_entry_that_waits_already_is_known_although_its_text_was_fitted_or_joined_to_another():
    desk = Desk().say(1).keep(1, 10).hear(1, "One.").put(1, Delivery.HELD)
    desk.say(2).keep(2, 11).hear(2, "Two.").put(2, Delivery.HELD)
    assert desk.view.held == ("One. Two.",)
    desk.play(ev.Recalled(left(10, "One."), is_sound=False), ev.Recalled(left(11, "Two."), is_sound=False))
    assert desk.view.held == ("One. Two.",)


def test_a_hands_free_take_goes_on_after_the_process_was_stopped():
    desk = Desk().ask(Request.START).begun(1).wait(2)
    desk.oversleep(30)
    assert desk.view.phase is Phase.RECORDING
    desk.wait(RULES.silence_s + 1)
    assert desk.done(fx.StopRecording) == [fx.StopRecording(1)], "silence counts again from then on"


def test_a_recorder_and_an_inserter_get_their_time_after_the_process_was_stopped():
    desk = Desk().down().begun(1).wait(1).up()
    desk.oversleep(60).wait(ENDING_S - 1)
    assert desk.notices == []
    desk.recorded(1).hear(1, "Hello.")
    desk.oversleep(600).wait(1)
    assert desk.notices == []
    desk.put(1)
    assert kept(desk) == [fx.KeepDelivery(1, Delivery.TYPED)]


def test_no_notice_says_that_a_take_without_sound_is_saved():
    desk = Desk().down().play(ev.FocusNoted(1, EDITOR)).keep(1, 10)
    desk.play(ev.Failed(1, HandyError("No microphone was found.", "Plug one in.")))
    (notice,) = [one for one in desk.view.notices if one.title == "No microphone was found."]
    assert notice.hint == "Plug one in."
    assert not desk.view.can_retry
