"""The dictation cycle, one event at a time; its promises for any sequence of events are below."""

from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.core import effects as fx
from handy_qwen.core import events as ev
from handy_qwen.core.delivery import CONTINUES_S, INSERTING_S, MAYBE_COPIED_S
from handy_qwen.core.dictation import can_be_cancelled, step
from handy_qwen.core.events import Request
from handy_qwen.core.recording import ENDING_S, FOCUS_S, MUTED
from handy_qwen.core.state import NOTICE_S, Dictation, Stage, view_of
from handy_qwen.core.text import Replacement, TextRules
from handy_qwen.core.types import Delivery, Hotkey, Method, Mode, Submit, Target, TextAround
from handy_qwen.core.view import HOTKEYS, MICROPHONE, SETTINGS, Choices, NoticeKind, Phase, Remedy
from handy_qwen.engine.api import GAP
from handy_qwen.errors import DownloadError, DownloadReason, LanguageError, SettingsError
from tests.dictation import EDITOR, ERROR, KEYS, RULES, TERMINAL, UNTIMED, Desk


def test_one_take_is_recorded_transcribed_and_inserted():
    desk = Desk().say(1).hear(1, "Hello.")
    assert desk.done(fx.PrepareInsertion) == [fx.PrepareInsertion(1, Method.PASTE)]
    assert desk.done(fx.StartRecording) == [fx.StartRecording(1, (), ("Qwen",))]
    assert desk.done(fx.StopRecording) == [fx.StopRecording(1)]
    assert desk.done(fx.Transcribe) == [fx.Transcribe(1)]
    assert desk.done(fx.Insert) == [fx.Insert(1, "Hello.", EDITOR, Method.PASTE, Submit.OFF)]
    desk.put(1)
    assert desk.now.takes == ()
    assert desk.view.recent == ("Hello.",)
    assert desk.view.phase is Phase.IDLE


def test_a_text_waits_while_another_program_holds_the_key_of_the_next_take():
    desk = Desk().say(1)
    desk.focus = EDITOR
    desk.play(ev.KeyDown(0, 101.1, is_injected=True)).wait(1)
    desk.hear(1, "One.").wait(10)
    assert desk.inserted == []
    assert desk.view.waiting == 1, "and the user sees that it does"
    desk.up().recorded(2).hear(2, "Two.")
    assert desk.inserted == ["One."]
    desk.put(1).put(2)
    assert desk.inserted == ["One.", " Two."]


def test_a_replacement_that_takes_too_long_is_left_out_with_a_notice():
    slow = TextRules(
        replacements=(
            Replacement(r"(.*)(.*)(.*)(.*)(.*)(.*)(.*)\1\2\3\4\5\6\7[0-9]", "never", is_regex=True),
        )
    )
    desk = Desk(replace(RULES, text=slow)).say(1).hear(1, "a " * 40)
    assert desk.inserted == [("a " * 40).strip()]
    assert desk.notices == [NoticeKind.INFO]


def test_what_the_model_wrote_last_is_shown_as_it_was_but_not_while_the_history_is_paused():
    spoken = TextRules(replacements=(Replacement("chairs", "stools"),))
    desk = Desk(replace(RULES, text=spoken)).say(1).hear(1, "Two chairs.")
    assert desk.inserted == ["Two stools."]
    assert desk.view.heard == ("Two chairs.", "English")
    assert "chairs" not in repr(desk.view)
    desk = Desk(replace(RULES, is_private=True)).say(1).hear(1, "Two chairs.")
    assert desk.view.heard == ("", "")


@pytest.mark.parametrize(
    ("desk", "remedy"),
    [
        (Desk().play(ev.HotkeysFailed(ERROR)), Remedy.SETTINGS),
        (Desk().play(ev.ModelFailed("big", ERROR)), Remedy.MODELS),
        (Desk().play(ev.Failed(0, DownloadError("No network.", DownloadReason.OFFLINE))), Remedy.MODELS),
        (Desk().play(ev.Failed(0, SettingsError("No."))), Remedy.SETTINGS),
        (Desk().play(ev.Trouble("language", LanguageError("No."))), Remedy.SETTINGS),
        (Desk().play(ev.Trouble("a thread", ERROR)), None),
        (Desk().say(1).hear(1, "One.").put(1, Delivery.HELD), Remedy.PASTE),
        (Desk().say(1).hear(1, "One.").put(1, Delivery.KEPT), Remedy.COPY),
        (Desk().say(1).hear(1, "One.").put(1, Delivery.COPIED), None),
        (Desk().say(1).ask(Request.CANCEL).keep(1, 7), Remedy.RESTORE),
        (Desk().say(1).fail(1).keep(1, 7), Remedy.RETRY),
        (Desk().play(ev.Noted("A model is there.", "Use it.", Remedy.MODELS)), Remedy.MODELS),
    ],
)
def test_a_notice_leads_to_what_puts_it_right(desk, remedy):
    assert desk.view.notices[-1].remedy is remedy
    assert desk.view.can(remedy) is (remedy is not None)


def test_what_cannot_be_done_any_more_is_not_offered():
    desk = Desk().say(1).ask(Request.CANCEL)  # the history is paused, or has not answered yet
    assert desk.view.notices[-1].remedy is Remedy.RESTORE
    assert not desk.view.can(Remedy.RESTORE)
    assert not any(Desk().view.can(one) for one in (Remedy.PASTE, Remedy.COPY, Remedy.RETRY))


def test_a_recording_that_no_key_holds_says_which_key_ends_it():
    desk = Desk(replace(RULES, mode=Mode.AUTO), Choices(hotkeys=("Right Ctrl", "F9"))).down()
    assert (desk.view.is_hands_free, desk.view.finish_keys) == (False, ("Right Ctrl",))
    desk.wait(0.1).up().wait(0.2)
    assert (desk.view.is_hands_free, desk.view.finish_keys) == (True, ("Right Ctrl",))
    desk.ask(Request.STOP)
    assert (desk.view.is_hands_free, desk.view.finish_keys) == (False, ())
    desk.ask(Request.START)
    assert (desk.view.is_hands_free, desk.view.finish_keys) == (True, ("Right Ctrl", "F9"))


def test_what_the_program_notes_is_shown_for_a_while():
    desk = Desk().play(ev.Noted("Only the demo model is installed.", "It knows some words."))
    assert [(one.kind, one.hint) for one in desk.view.notices] == [(NoticeKind.INFO, "It knows some words.")]
    assert desk.wait(10).notices == []


def test_a_text_waits_for_no_key_on_a_real_keyboard():
    desk = Desk().say(1).down().hear(1, "One.")
    assert desk.inserted == ["One."]


def test_a_key_that_a_program_never_releases_delays_no_text_once_its_take_is_over():
    desk = Desk().say(1).play(ev.KeyDown(0, 101.1, is_injected=True)).hear(1, "One.").wait(1)
    assert desk.inserted == []
    desk.wait(RULES.max_take_s)
    assert desk.inserted == ["One."]


def test_an_insertion_that_waits_for_such_a_key_is_not_given_up():
    desk = Desk(replace(RULES, max_take_s=900)).say(1).hear(1, "One.")
    desk.play(ev.KeyDown(0, 101.1, is_injected=True)).wait(2 * INSERTING_S).up().wait(INSERTING_S / 2)
    assert desk.notices == []
    desk.put(1)
    assert desk.view.recent == ("One.",)


def test_the_last_press_decides_whether_the_key_is_injected():
    desk = Desk().play(ev.KeyDown(0, 100, is_injected=True)).wait(1).up().recorded(1).down().hear(1, "One.")
    assert desk.inserted == ["One."]


def test_a_hotkey_brings_its_own_language_and_submit_key():
    desk = Desk().say(1, key=1).hear(1, "Guten Tag.", "German")
    assert desk.done(fx.StartRecording)[0].languages == ("German",)
    assert desk.done(fx.Insert)[0].submit is Submit.ENTER


def test_a_text_waits_a_moment_for_its_window_to_be_reported():
    desk = Desk()
    desk.focus = None
    desk.down().wait(0.5).up().recorded(1).hear(1, "Hello.")
    assert desk.inserted == []
    desk.play(ev.FocusNoted(1, EDITOR))
    assert desk.done(fx.Insert)[0].target == EDITOR


def test_a_window_that_takes_no_keys_of_ours_is_told_of_while_one_still_speaks():
    desk = Desk()
    desk.focus = replace(EDITOR, is_out_of_reach=True)
    desk.down().wait(0.5)
    assert desk.notices == [NoticeKind.INFO]
    assert "administrator" in desk.view.notices[0].hint


@pytest.mark.parametrize("is_told_late", [False, True])
def test_a_text_goes_into_no_window_if_its_own_was_not_reported_in_time(is_told_late):
    desk = Desk()
    desk.focus = None
    desk.down().begun(1).wait(FOCUS_S + 0.1)
    if is_told_late:
        desk.play(ev.FocusNoted(1, TERMINAL))  # where the user is by now
    desk.up().recorded(1).hear(1, "Hello.")
    assert desk.inserted == []
    assert desk.view.held == ("Hello.",)
    assert [effect.how for effect in desk.done(fx.KeepDelivery)] == [Delivery.HELD]
    assert desk.notices == [NoticeKind.HELD]
    desk.say(2).hear(2, "Next.")
    assert desk.inserted == ["Next."]


def test_a_hotkey_can_be_automatic_where_the_settings_name_a_language():
    rules = replace(RULES, language="French", hotkeys=(Hotkey("f9", language="auto"), Hotkey("f8")))
    assert Desk(rules).say(1).done(fx.StartRecording)[0].languages == ()
    assert Desk(rules).say(1, key=1).done(fx.StartRecording)[0].languages == ("French",)


def test_one_of_several_languages_is_found_out_unless_a_hotkey_has_its_own():
    keys = (Hotkey("f9"), Hotkey("f8", language="French"))
    rules = replace(RULES, languages=("German", "English"), hotkeys=keys)
    assert Desk(rules).say(1).done(fx.StartRecording)[0].languages == ("German", "English")
    assert Desk(rules).say(1, key=1).done(fx.StartRecording)[0].languages == ("French",)


def test_a_window_that_is_not_reported_delays_the_next_text_for_a_moment_only():
    desk = Desk()
    desk.focus = None
    desk.down().wait(0.4).up().recorded(1)
    desk.say(2).hear(1, "One.").hear(2, "Two.").wait(FOCUS_S)
    assert (desk.view.held, desk.inserted) == (("One.",), ["Two."])


def test_the_window_of_the_press_is_not_changed_by_a_second_answer():
    desk = Desk().down().play(ev.FocusNoted(1, TERMINAL)).wait(1).up().recorded(1).hear(1, "Hello.")
    assert desk.done(fx.Insert)[0].target is None, "the first answer was that it is unknown"


def test_a_take_without_a_known_window_goes_wherever_the_focus_is():
    assert Desk().say(1, target=Target()).hear(1, "Hello.").done(fx.Insert)[0].target is None


def test_sounds_tell_when_samples_flow_and_when_the_user_is_done():
    desk = Desk().down()
    assert desk.done(fx.PlayCue) == []
    desk.begun(1).wait(1).up()
    assert desk.done(fx.PlayCue) == [fx.PlayCue(fx.Cue.STARTED), fx.PlayCue(fx.Cue.STOPPED)]


def test_a_take_is_recorded_while_another_is_transcribed_and_texts_keep_their_order():
    desk = Desk().say(1).say(2).hear(2, "Two.")
    assert desk.view.waiting == 2
    assert desk.inserted == []
    desk.hear(1, "One.")
    assert desk.inserted == ["One."]
    desk.put(1)
    assert desk.inserted == ["One.", " Two."]


def test_a_press_during_the_tail_begins_as_soon_as_the_tail_has_ended():
    desk = Desk().down().wait(1).up()
    desk.down()
    assert len(desk.done(fx.StartRecording)) == 1
    assert desk.view.phase is Phase.RECORDING
    desk.recorded(1)
    assert [effect.take for effect in desk.done(fx.StartRecording)] == [1, 2]
    desk.wait(1).up()
    assert [effect.take for effect in desk.done(fx.StopRecording)] == [1, 2]


def test_a_key_released_before_its_take_could_begin_still_gives_a_take():
    desk = Desk().down().wait(1).up().down().wait(0.2).up()
    desk.recorded(1)
    assert [effect.take for effect in desk.done(fx.StopRecording)] == [1, 2]


def test_a_second_press_during_the_same_tail_goes_on_with_the_waiting_take():
    desk = Desk().down().wait(1).up().down().wait(0.1).up().down().recorded(1)
    assert [effect.take for effect in desk.done(fx.StartRecording)] == [1, 2]
    assert len(desk.done(fx.StopRecording)) == 1
    assert desk.view.take == 2


def test_text_of_a_cancelled_take_is_not_inserted():
    desk = Desk().down().escape().recorded(1, ev.EndCause.CANCELLED).hear(1, "late")
    assert desk.inserted == []
    assert desk.done(fx.CancelRecording) == [fx.CancelRecording(1)]
    assert desk.notices == [NoticeKind.INFO]


def test_cancel_works_while_transcribing():
    desk = Desk().say(1).say(2)
    desk.ask(Request.CANCEL).hear(1, "One.").hear(2, "Two.")
    assert desk.inserted == []
    assert [effect.take for effect in desk.done(fx.CancelTranscription)] == [2, 1]
    assert desk.now.takes == ()


def test_cancel_during_the_tail_cancels_all_takes_under_way():
    desk = Desk().say(1).down().wait(1).up().down().wait(0.1).up().escape()
    assert desk.now.takes == ()
    assert [effect.take for effect in desk.done(fx.CancelTranscription)] == [2, 1]
    assert desk.done(fx.CancelRecording) == [fx.CancelRecording(2)]
    assert [effect.take for effect in desk.done(fx.StartRecording)] == [1, 2]
    desk.say(4)
    assert desk.view.waiting == 1


def test_cancel_while_recording_leaves_earlier_takes_alone():
    desk = Desk().say(1).down().ask(Request.CANCEL).hear(1, "One.")
    assert desk.inserted == ["One."]


def test_cancel_with_nothing_to_cancel_says_nothing():
    assert Desk().ask(Request.CANCEL).notices == []


def test_a_shortcut_with_the_hotkey_is_no_take_and_says_nothing():
    desk = Desk().down().join()
    assert desk.done(fx.CancelRecording) == [fx.CancelRecording(1)]
    assert desk.notices == []


def test_escape_is_watched_only_while_a_take_runs():
    desk = Desk().say(1).hear(1, "One.")
    assert desk.done(fx.WatchEscape) == [fx.WatchEscape(is_wanted=True), fx.WatchEscape(is_wanted=False)]


@pytest.mark.parametrize("stage", ["recording", "ending", "transcribing"])
def test_a_failure_is_reported_and_the_next_take_works(stage):
    desk = Desk().down()
    if stage != "recording":
        desk.wait(1).up()
    if stage == "transcribing":
        desk.recorded(1)
    desk.fail(1)
    assert desk.notices == [NoticeKind.FAILED]
    assert desk.now.takes == ()
    desk.up().say(2).hear(2, "Two.")
    assert desk.inserted == ["Two."]


def test_a_take_that_fails_while_it_waits_lets_the_one_before_go_on():
    desk = Desk().down().wait(1).up().down().fail(2).recorded(1).hear(1, "One.")
    assert desk.inserted == ["One."]
    assert len(desk.done(fx.StartRecording)) == 1


def test_a_failure_of_a_tail_begins_the_take_that_waited_for_it():
    desk = Desk().down().wait(1).up().down().fail(1)
    assert [effect.take for effect in desk.done(fx.StartRecording)] == [1, 2]


def test_a_failure_cannot_hurt_a_text_that_is_there():
    desk = Desk().say(1).say(2).hear(2, "Two.").fail(2).hear(1, "One.").put(1)
    assert desk.inserted == ["One.", " Two."]


def test_a_late_failure_is_not_reported():
    assert Desk().say(1).hear(1, "One.").put(1).fail(1).notices == []


def test_a_text_that_cannot_be_inserted_waits_and_the_next_goes_on():
    desk = Desk().say(1).say(2, target=TERMINAL).hear(1, "One.").hear(2, "Two.").fail(1)
    assert desk.view.held == ("One.",)
    assert desk.inserted == ["One.", "Two."]


def test_an_inserter_that_never_answers_does_not_hold_up_the_next_take():
    desk = Desk().say(1).say(2, target=TERMINAL).hear(1, "One.").hear(2, "Two.").wait(INSERTING_S + 1)
    assert desk.inserted == ["One.", "Two."]
    assert desk.view.held == ("One.",)


@pytest.mark.parametrize("how", [Delivery.TYPED, Delivery.PASTED, Delivery.COPIED])
def test_a_text_that_arrives_after_it_was_taken_for_lost_does_not_wait_to_be_inserted_twice(how):
    desk = Desk().say(1).hear(1, "One.").wait(INSERTING_S + 1).say(2, target=TERMINAL).hear(2, "Two.")
    assert desk.view.held == ("One.",)
    desk.put(1, how)
    assert desk.view.held == ()
    assert desk.done(fx.KeepDelivery)[-1] == fx.KeepDelivery(1, how)
    assert (desk.notices[-1] is NoticeKind.COPIED) == (how is Delivery.COPIED), "it may be in no window"
    desk.put(2).say(3).hear(3, "Three.")
    assert desk.inserted == ["One.", "Two.", "Three."]


def test_a_text_that_is_held_after_it_was_taken_for_lost_waits_once():
    desk = Desk().say(1).hear(1, "One.").wait(INSERTING_S + 1).put(1, Delivery.HELD)
    assert desk.view.held == ("One.",)


def test_a_text_that_may_arrive_late_is_not_inserted_with_the_next_one():
    desk = Desk().say(1).hear(1, "One.").wait(INSERTING_S + 1).say(2).hear(2, "Two.")
    assert (desk.inserted, desk.view.held) == (["One.", "Two."], ("One.",))


def test_a_text_that_may_have_arrived_waits_for_the_user_alone():
    desk = Desk().say(1).hear(1, "One.").play(ev.Delivered(1, Delivery.HELD, may_have_arrived=True))
    assert (desk.view.held, desk.notices) == (("One.",), [NoticeKind.HELD])
    desk.say(2).hear(2, "Two.").put(2)
    assert (desk.inserted, desk.view.held) == (["One.", "Two."], ("One.",))
    desk.ask(Request.PASTE_AGAIN)
    assert desk.inserted[-1] == "One."


def test_of_a_text_that_arrives_in_part_after_it_was_taken_for_lost_only_the_rest_waits():
    desk = Desk().say(1).hear(1, "One two.").wait(INSERTING_S + 1).put(1, Delivery.HELD, rest=" two.")
    assert desk.view.held == ("two.",)


def test_a_dead_microphone_is_not_a_quiet_room():
    desk = Desk().down().wait(1).up().recorded(1, is_dead=True)
    assert desk.notices == [NoticeKind.DEAD_MICROPHONE]
    assert desk.done(fx.CancelTranscription) == [fx.CancelTranscription(1)]
    assert desk.now.takes == ()


def test_a_muted_microphone_is_reported_until_the_next_sound():
    desk = Desk().down().begun(1).wait(1.5).play(ev.Muted(1, is_muted=True)).wait(30)
    assert desk.notices == [NoticeKind.DEAD_MICROPHONE]
    assert desk.view.phase is Phase.RECORDING
    desk.play(ev.Muted(1, is_muted=False))
    assert desk.notices == []
    desk.up().recorded(1).hear(1, "Hello.")
    assert desk.inserted == ["Hello."]
    assert desk.notices == []


def test_the_notice_about_a_take_muted_to_its_end_does_not_last_into_the_next():
    desk = Desk().down().begun(1).play(ev.Muted(1, is_muted=True)).wait(3).up()
    desk.recorded(1, is_dead=True)
    assert desk.notices == [NoticeKind.DEAD_MICROPHONE]
    assert not desk.view.notices[0].is_lasting
    desk.down().begun(2)
    assert desk.notices == []
    desk.play(ev.Muted(1, is_muted=True))
    assert desk.notices == [], "it comes late, of a take that is over"


@pytest.mark.parametrize(
    "end",
    [
        ev.EscapePressed(200.0),
        ev.Failed(1, ERROR),
        ev.Requested(Request.CANCEL, 200.0),
        ev.RecordingEnded(1, ev.EndCause.DEVICE_LOST, 1.0, is_dead=False),
        ev.RecordingEnded(1, ev.EndCause.STOPPED, 1.0, is_dead=False),
    ],
)
def test_however_a_muted_take_ends_its_notice_ends_with_it(end):
    desk = Desk().down().begun(1).play(ev.Muted(1, is_muted=True), end)
    assert NoticeKind.DEAD_MICROPHONE not in desk.notices


def test_notices_about_an_earlier_take_leave_with_the_next():
    desk = Desk().say(1).hear(1, "")
    assert desk.notices == [NoticeKind.NO_SPEECH]
    assert desk.down().begun(2).notices == []


def test_what_was_heard_before_the_microphone_went_away_is_transcribed():
    desk = Desk().down().wait(1).recorded(1, ev.EndCause.DEVICE_LOST)
    assert desk.done(fx.Transcribe) == [fx.Transcribe(1)]
    assert desk.notices == [NoticeKind.MICROPHONE_LOST]
    desk.up().say(2)
    assert desk.view.waiting == 2


def test_a_microphone_lost_before_anything_was_heard_says_so():
    desk = Desk().down().recorded(1, ev.EndCause.DEVICE_LOST, is_dead=True)
    assert desk.view.notices[0].hint == "Nothing was recorded."
    assert desk.done(fx.Transcribe) == []


def test_a_take_that_goes_on_with_another_microphone_says_so():
    desk = Desk().down().play(ev.MicrophoneChanged(1, "webcam"), ev.MicrophoneChanged(7, "none"))
    assert desk.view.device == "webcam"
    assert desk.notices == [NoticeKind.MICROPHONE_LOST]


def test_a_microphone_that_does_not_respond_is_named_with_the_one_used_instead():
    desk = Desk().down().play(ev.MicrophoneChanged(1, "webcam", "headset"))
    notice = desk.view.notices[-1]
    assert (notice.title, notice.hint) == ("headset isn't responding.", "webcam is used instead.")


def test_a_recorder_that_never_ends_a_take_does_not_keep_its_text():
    desk = Desk().down().wait(1).up().down().wait(ENDING_S + 1)
    assert desk.done(fx.CancelRecording) == [fx.CancelRecording(1)]
    assert desk.done(fx.Transcribe) == [fx.Transcribe(1)]
    assert [effect.take for effect in desk.done(fx.StartRecording)] == [1, 2]


def test_late_events_of_a_take_change_nothing():
    desk = Desk().say(1).hear(1, "One.").put(1)
    before = desk.now
    desk.play(
        ev.RecordingBegan(1, "x"), ev.Previewed(1, "a", "b"), ev.FocusNoted(1, TERMINAL), ev.Heard(1, 1.0)
    )
    desk.hear(1, "Again.").put(1).recorded(1)
    assert desk.now == before


def test_a_take_held_too_long_ends_and_says_why():
    desk = Desk().down().wait(61)
    assert desk.done(fx.StopRecording) == [fx.StopRecording(1)]
    assert desk.notices == [NoticeKind.INFO]
    assert desk.up().done(fx.StopRecording) == [fx.StopRecording(1)]


TOGGLED = replace(RULES, mode=Mode.AUTO)


def test_a_take_left_open_by_a_tap_ends_when_nobody_speaks():
    desk = Desk(TOGGLED).down().wait(0.1).up().wait(8).play(ev.Heard(1, 108.0)).wait(9)
    assert desk.done(fx.StopRecording) == []
    desk.wait(2)
    assert desk.done(fx.StopRecording) == [fx.StopRecording(1)]
    assert desk.notices == [NoticeKind.INFO]


def test_silence_does_not_end_a_take_while_its_key_is_held():
    assert Desk(TOGGLED).down().wait(30).done(fx.StopRecording) == []


def test_silence_does_not_end_a_locked_take():
    desk = Desk(TOGGLED).down().wait(0.1).up().wait(0.1).down().wait(0.1).up()
    assert desk.view.is_locked
    assert desk.wait(30).done(fx.StopRecording) == []


def test_no_limit_on_silence_is_a_choice():
    desk = Desk(replace(TOGGLED, silence_s=0.0)).down().wait(0.1).up()
    assert desk.wait(50).done(fx.StopRecording) == []


def test_live_text_is_shown():
    desk = Desk().down().play(ev.Previewed(1, "Hello", "wor"))
    assert (desk.view.committed, desk.view.tentative) == ("Hello", "wor")


def test_a_text_whose_window_lost_the_focus_waits_and_can_be_pasted():
    desk = Desk().say(1).hear(1, "One.").put(1, Delivery.HELD)
    assert desk.view.held == ("One.",)
    assert desk.notices == [NoticeKind.HELD]
    desk.ask(Request.PASTE_AGAIN)
    assert desk.done(fx.Insert)[-1] == fx.Insert(2, "One.", None, Method.PASTE, Submit.OFF, (1,))
    desk.put(2)
    assert desk.view.held == ()
    assert desk.view.recent == ("One.",)


def test_of_a_text_that_arrived_in_part_only_the_rest_waits():
    desk = Desk().say(1).hear(1, "One two three.").put(1, Delivery.HELD, rest=" three.")
    assert desk.view.held == ("three.",)
    assert desk.view.notices[-1].title == "Only the first part was inserted."
    desk.ask(Request.PASTE_AGAIN)
    assert desk.done(fx.Insert)[-1].text == "three."


def test_a_notice_says_that_the_rest_of_a_text_is_on_the_clipboard():
    desk = Desk().say(1).hear(1, "One two three.").put(1, Delivery.COPIED, rest=" three.")
    assert desk.view.held == ()
    assert desk.notices == [NoticeKind.COPIED]
    notice = desk.view.notices[-1]
    assert notice.title == "Only the first part was inserted."
    assert "rest is on the clipboard" in notice.hint


def test_a_held_text_goes_before_the_next_one_for_its_window():
    desk = Desk().say(1).hear(1, "One.").put(1, Delivery.HELD)
    desk.say(2, target=TERMINAL).hear(2, "Other.").put(2).say(3).hear(3, "Three.")
    assert desk.inserted == ["One.", "Other.", "One. Three."]
    assert desk.view.held == ()


def test_a_text_continues_the_held_one_that_it_brings_along():
    desk = Desk().say(1).hear(1, "One and").put(1, Delivery.HELD).say(2).hear(2, "The two.")
    assert desk.inserted == ["One and", "One and the two."]
    desk = Desk().say(1).hear(1, "Oui", "French").put(1, Delivery.HELD).say(2).hear(2, "? Non.", "French")
    assert desk.inserted == ["Oui", "Oui\u202f? Non."]


def test_a_held_text_can_be_copied_or_dropped():
    desk = Desk().say(1).hear(1, "One.").put(1, Delivery.HELD).ask(Request.COPY_LAST)
    assert desk.done(fx.Copy) == [fx.Copy("One.", (1,))]
    desk.play(ev.Copied((1,)))
    assert desk.view.held == ()
    assert desk.notices == [NoticeKind.HELD, NoticeKind.COPIED]
    desk.say(2).hear(2, "Two.").put(2, Delivery.HELD).ask(Request.DROP_HELD)
    assert desk.view.held == ()
    assert desk.view.recent == ("Two.", "One.")


def test_a_held_text_that_could_not_be_copied_still_waits():
    desk = Desk().say(1).hear(1, "One.").put(1, Delivery.HELD).ask(Request.COPY_LAST).fail(0)
    assert desk.view.held == ("One.",)
    assert desk.notices == [NoticeKind.HELD, NoticeKind.FAILED]
    desk.ask(Request.COPY_LAST)
    assert desk.done(fx.Copy) == [fx.Copy("One.", (1,))] * 2


def test_a_text_held_after_the_copy_was_asked_for_goes_on_waiting():
    desk = Desk().say(1).hear(1, "One.").put(1, Delivery.HELD).ask(Request.COPY_LAST)
    desk.say(2, target=TERMINAL).hear(2, "Two.").put(2, Delivery.HELD).play(ev.Copied((1,)))
    assert desk.view.held == ("Two.",)


def test_a_text_pasted_again_that_is_held_waits_until_it_is_copied_itself():
    desk = Desk().say(1).hear(1, "One.").put(1).ask(Request.PASTE_AGAIN).put(2, Delivery.HELD)
    desk.play(ev.Copied())
    assert desk.view.held == ("One.",)
    desk.ask(Request.COPY_LAST).play(ev.Copied(desk.done(fx.Copy)[-1].takes))
    assert desk.view.held == ()


def test_the_last_text_can_be_pasted_again_and_copied():
    desk = Desk().say(1).hear(1, "One.").put(1).ask(Request.PASTE_AGAIN).put(2).ask(Request.COPY_LAST)
    assert desk.inserted == ["One.", "One."]
    assert desk.done(fx.Copy) == [fx.Copy("One.")]


def test_pasting_again_does_not_wait_for_a_take_that_is_recorded():
    desk = Desk().say(1).hear(1, "One.").put(1).down().ask(Request.PASTE_AGAIN)
    assert desk.inserted == ["One.", "One."]


def around(take, before, after=""):
    return ev.TextAroundNoted(take, TextAround(before, after), 100.0)


def test_a_text_continues_what_stands_before_the_cursor():
    desk = Desk().say(1)
    assert desk.done(fx.LookAround) == [fx.LookAround(1, EDITOR)]
    desk.play(around(1, "I like", "apples.")).recorded(1).hear(1, "Those red").put(1)
    assert desk.inserted == [" those red "]
    desk.say(2).play(around(2, "")).recorded(2).hear(2, "That is all.").put(2)
    assert desk.inserted[1:] == ["That is all."], "the user has deleted what was there"
    desk.say(3).recorded(3).hear(3, "And more.")
    assert desk.inserted[2:] == [" And more."], "nobody knows what is there: it continues the last text"


def test_what_stands_there_is_not_asked_where_spacing_is_off_or_the_window_is_unknown():
    assert Desk(replace(RULES, text=TextRules(is_fitted=False))).say(1).done(fx.LookAround) == []
    assert Desk().say(1, Target()).done(fx.LookAround) == []
    assert Desk().say(1, None).done(fx.LookAround) == []
    for method in (Method.COPY, Method.NONE):
        assert Desk(replace(RULES, method=method)).say(1).done(fx.LookAround) == []


def test_what_stood_there_is_forgotten_with_the_insertion_or_its_take():
    read = "my diary"
    for end in (
        lambda desk: desk.recorded(1).hear(1, "Ends here.").put(1),
        lambda desk: desk.recorded(1).hear(1, "Ends here.").put(1, Delivery.HELD),
        lambda desk: desk.recorded(1).hear(1, ""),
        lambda desk: desk.recorded(1).play(ev.Failed(1, ERROR)),
        lambda desk: desk.escape(),
    ):
        desk = Desk().say(1).play(around(1, read))
        assert read in str(asdict(desk.now))
        end(desk)
        assert read not in str(asdict(desk.now))


def test_what_stood_there_counts_only_if_nothing_was_touched_since():
    desk = Desk().say(1).play(around(1, "I like", "apples.")).recorded(1).hear(1, "Those red")
    (insertion,) = desk.done(fx.Insert)
    texts = [insertion.text_after(touched_s) for touched_s in (None, 100.0, 100.1)]
    assert texts == [" those red ", " those red ", "Those red"]
    desk.play(ev.Touched(1, 100.1)).put(1).say(2).recorded(2).hear(2, "One")
    assert desk.view.recent == ("Those red",)
    assert desk.inserted[1:] == [" One"]


def test_a_text_that_comes_after_another_continues_that_and_not_what_stood_there_before():
    desk = Desk().say(1).play(around(1, "I like")).recorded(1).say(2).recorded(2)
    assert [one.take for one in desk.done(fx.LookAround)] == [1]
    desk.hear(1, "It.").hear(2, "Much.").put(1)
    assert desk.inserted == [" it.", " Much."]


def test_what_stood_there_before_a_text_was_inserted_again_is_out_of_date():
    for is_late in (False, True):
        desk = Desk().say(1).recorded(1).hear(1, "It is").put(1).say(2)
        seen = around(2, "She said.")
        if not is_late:
            desk.play(seen)
        desk.ask(ev.Request.PASTE_AGAIN)
        assert desk.inserted[1:] == ["It is"]
        desk.play(seen) if is_late else None
        desk.put(3).recorded(2).hear(2, "The end.")
        assert desk.inserted[2:] == ["The end."]


@pytest.mark.parametrize("what", [Request.PASTE_AGAIN, Request.COPY_LAST])
def test_asking_for_a_text_before_there_is_one_says_so(what):
    desk = Desk().ask(what)
    assert desk.notices == [NoticeKind.INFO]
    assert desk.now.takes == ()


@pytest.mark.parametrize(
    ("how", "note", "kinds"),
    [
        (Delivery.TYPED, "", []),
        (Delivery.PASTED, "Pasted instead.", [NoticeKind.INFO]),
        (Delivery.COPIED, "", [NoticeKind.COPIED]),
        (Delivery.KEPT, "", [NoticeKind.INFO]),
    ],
)
def test_a_notice_says_where_the_text_went_if_not_into_the_window(how, note, kinds):
    assert Desk().say(1).hear(1, "One.").put(1, how, note).notices == kinds


def test_that_a_text_may_have_to_be_pasted_by_hand_is_said_until_something_is_done_about_it():
    def said():
        unsure = ev.Delivered(1, Delivery.COPIED, "Press it.", may_have_arrived=True)
        return Desk().say(1).hear(1, "One.").play(unsure)

    notice = said().wait(NOTICE_S + 1).view.notices[-1]
    assert (notice.hint, notice.is_lasting, notice.remedy) == ("Press it.", True, Remedy.PASTE)
    assert said().wait(NOTICE_S + 1).view.phase is Phase.IDLE
    assert not said().wait(MAYBE_COPIED_S).view.notices, "nobody tells that it was pasted"
    assert not said().say(2).hear(2, "Two.").put(2).view.notices
    asked = said().ask(Request.PASTE_AGAIN)
    assert asked.inserted == ["One.", "One."]
    assert not asked.view.notices
    copied = said().ask(Request.COPY_LAST).play(ev.Copied((1,)))
    assert not copied.wait(NOTICE_S).view.notices


def test_spacing_follows_the_last_text_in_the_same_window_only():
    desk = Desk().say(1).hear(1, "One and").put(1).say(2).hear(2, "The two.").put(2)
    desk.say(3, target=TERMINAL).hear(3, "Three.").put(3)
    assert desk.inserted == ["One and", " the two.", "Three."]


def test_a_text_inserted_long_ago_does_not_decide_the_spacing():
    desk = Desk().say(1).hear(1, "One").put(1).wait(CONTINUES_S).say(2).hear(2, "Two.")
    assert desk.inserted == ["One", "Two."]


def test_a_submitted_text_is_not_continued():
    desk = Desk().say(1, key=1).hear(1, "One").put(1).say(2).hear(2, "Two.")
    assert desk.inserted == ["One", "Two."]


def test_replacements_apply_before_insertion():
    rules = replace(RULES, text=TextRules(replacements=(Replacement("quen", "Qwen"),)))
    assert Desk(rules).say(1).hear(1, "I use quen.").inserted == ["I use Qwen."]


def test_a_line_break_said_alone_is_inserted_and_held_but_not_offered_again():
    rules = replace(RULES, text=TextRules(replacements=(Replacement("new line", "\n"),)))
    desk = Desk(rules).say(1).hear(1, "One.").put(1).say(2).hear(2, "New line.")
    assert desk.inserted == ["One.", "\n"]
    desk.put(2, Delivery.HELD)
    assert desk.view.recent == ("One.",)
    desk.say(3).hear(3, "Two.")
    assert desk.inserted[-1] == "\nTwo."


def test_a_truncated_transcript_says_so_and_is_kept_as_one():
    desk = Desk().say(1).play(ev.Transcribed(1, "One […] two.", "English", is_truncated=True))
    assert desk.notices == [NoticeKind.INFO]
    assert GAP in desk.view.notices[0].hint
    assert desk.inserted == ["One […] two."]
    assert [one.is_truncated for one in desk.done(fx.KeepText)] == [True]
    desk.put(1).say(2).hear(2, "Three.")
    assert [one.is_truncated for one in desk.done(fx.KeepText)] == [True, False]


def test_a_truncated_transcript_is_not_submitted():
    desk = Desk(replace(RULES, submit=Submit.ENTER)).say(1)
    desk.play(ev.Transcribed(1, "Delete […] the folder.", "English", is_truncated=True))
    assert "send it yourself" in desk.view.notices[0].hint
    desk.put(1)
    desk.say(2).hear(2, "Delete the old folder.")
    assert [one.submit for one in desk.done(fx.Insert)] == [Submit.OFF, Submit.ENTER]


@pytest.mark.parametrize("said", [f"Um {GAP}", f"I want. Um {GAP} to go.", f"{GAP} Um, yes. {GAP}"])
def test_the_mark_of_missing_words_outlives_the_fillers_beside_it(said):
    text = TextRules(is_without_fillers=True)
    desk = Desk(replace(RULES, text=text)).say(1).play(ev.Transcribed(1, said, "English", is_truncated=True))
    assert desk.inserted[0].count(GAP) == said.count(GAP)


def test_the_model_shows_in_the_phase():
    desk = Desk().play(ev.ModelLoading("m"))
    assert desk.view.phase is Phase.LOADING
    desk.down()
    assert (desk.view.phase, desk.view.is_loading) == (Phase.RECORDING, True)
    desk.wait(1).up().recorded(1)
    assert desk.view.phase is Phase.TRANSCRIBING
    desk.hear(1, "One.").put(1).play(ev.ModelReady("m", ("German", "English")))
    assert desk.view.phase is Phase.IDLE
    assert desk.view.choices.languages == ("English", "German")


def test_a_problem_that_lasts_is_news_again_for_a_while_when_somebody_runs_into_it():
    desk = Desk().play(ev.Trouble(MICROPHONE, ERROR)).wait(60)
    assert [notice.is_news for notice in desk.view.notices] == [False]
    desk.down().fail(1)
    (notice,) = desk.view.notices
    assert (notice.subject, notice.is_lasting, notice.is_news) == (MICROPHONE, True, True)
    desk.play(ev.Trouble(MICROPHONE, ERROR))  # the recorder looked again
    assert [notice.is_news for notice in desk.view.notices] == [True]
    desk.up().wait(60)
    assert [(notice.subject, notice.is_news) for notice in desk.view.notices] == [(MICROPHONE, False)]
    assert desk.play(ev.Trouble(MICROPHONE, None)).view.notices == ()


def test_a_failure_stays_news_when_it_turns_out_to_last():
    desk = Desk().down().fail(1).play(ev.Trouble(MICROPHONE, ERROR))
    assert [(notice.is_lasting, notice.is_news) for notice in desk.view.notices] == [(True, True)]


def test_what_offers_to_restore_is_gone_when_that_is_asked_for():
    desk = Desk().down().begun(1).wait(1).play(ev.Kept(1, 7)).escape()
    assert [notice.remedy for notice in desk.view.notices] == [Remedy.RESTORE]
    assert desk.play(ev.Requested(Request.BRING_BACK, desk.at_s)).view.notices == ()


def test_a_model_that_cannot_be_loaded_is_a_problem_until_one_can():
    desk = Desk().play(ev.ModelLoading("m"), ev.ModelFailed("m", ERROR)).wait(60)
    assert desk.view.phase is Phase.PROBLEM
    assert desk.view.notices[0].is_lasting
    desk.play(ev.ModelLoading("m"), ev.ModelReady("m", ()))
    assert desk.view.phase is Phase.IDLE


def test_a_mistake_in_the_settings_file_lasts_but_keeps_nobody_from_dictating():
    desk = Desk().play(ev.Trouble(SETTINGS, ERROR)).wait(60)
    assert desk.view.notices[0].is_lasting
    assert desk.view.phase is Phase.IDLE
    assert desk.play(ev.Trouble("language", ERROR)).view.phase is Phase.PROBLEM


def test_a_model_that_cannot_replace_the_present_one_is_no_lasting_problem():
    desk = Desk().play(ev.ModelReady("m", ()), ev.ModelLoading("n"), ev.ModelFailed("n", ERROR))
    assert desk.view.phase is Phase.IDLE
    assert desk.notices == [NoticeKind.FAILED]
    assert not desk.play(ev.ModelUnloaded()).now.has_model


def test_hotkeys_that_fail_are_a_problem_until_others_are_set():
    desk = Desk().play(ev.HotkeysFailed(ERROR))
    assert desk.view.phase is Phase.PROBLEM
    assert [notice.subject for notice in desk.view.notices] == [HOTKEYS]
    assert desk.play(ev.Trouble(HOTKEYS, None)).view.phase is Phase.IDLE, "they can work again by themselves"
    desk.play(ev.HotkeysFailed(ERROR))
    desk.configure(replace(RULES, hotkeys=(Hotkey("f8"),)))
    assert desk.done(fx.ListenFor) == [fx.ListenFor((Hotkey("f8"),))]
    assert desk.view.phase is Phase.IDLE


def test_hotkeys_are_not_said_to_be_listened_for_before_they_are():
    first, second = (Hotkey("f8"),), (Hotkey("f7"),)
    desk = Desk()
    assert desk.view.is_listening
    for hotkeys in (first, second):
        desk.now, _ = step(desk.now, ev.Configured(replace(RULES, hotkeys=hotkeys), Choices()), desk.at_s)
        assert not desk.view.is_listening
    assert desk.view.phase is Phase.IDLE, "nothing is loaded"
    assert not desk.play(ev.HotkeysSet(first)).view.is_listening, "others are wanted by now"
    assert desk.play(ev.HotkeysSet(second)).view.is_listening
    desk.now, _ = step(desk.now, ev.HotkeysDied(), desk.at_s)
    assert not desk.view.is_listening, "they are asked for anew"
    assert desk.play(ev.HotkeysFailed(ERROR, second)).view.is_listening, "it is known that they do not work"
    desk.configure(replace(RULES, hotkeys=()))
    assert desk.view.is_listening, "there is nothing to wait for"


def test_a_late_failure_of_hotkeys_that_are_not_wanted_any_more_is_no_problem():
    refused, wanted = (Hotkey("f8"),), (Hotkey("f7"),)
    desk = Desk()
    for hotkeys in (refused, wanted):
        desk.configure(replace(RULES, hotkeys=hotkeys))
    desk.play(ev.HotkeysFailed(ERROR, refused), ev.HotkeysSet(wanted))
    assert (desk.view.phase, desk.notices) == (Phase.IDLE, [])
    assert desk.play(ev.HotkeysFailed(ERROR, wanted)).view.phase is Phase.PROBLEM


def test_settings_that_leave_the_keys_alone_leave_the_take_alone():
    desk = Desk().down().configure(replace(RULES, language="French"))
    assert desk.done(fx.StopRecording) == []
    assert desk.done(fx.ListenFor) == []


def test_a_take_ends_when_its_key_is_changed():
    desk = Desk().down().configure(replace(RULES, mode=Mode.TOGGLE))
    assert desk.done(fx.StopRecording) == [fx.StopRecording(1)]
    desk.recorded(1).down()
    assert [effect.take for effect in desk.done(fx.StartRecording)] == [1, 2]


def test_a_take_begun_by_request_outlives_new_hotkeys():
    desk = Desk().ask(Request.START).configure(replace(RULES, mode=Mode.TOGGLE))
    assert desk.done(fx.StopRecording) == []
    assert desk.ask(Request.STOP).done(fx.StopRecording) == [fx.StopRecording(1)]


@pytest.mark.parametrize(
    ("mode", "hint"),
    [
        (Mode.HOLD, "Hold the key while you speak."),
        (Mode.TOGGLE, "Press the key, speak, then press it again."),
    ],
)
def test_a_take_without_speech_shows_how_the_key_works(mode, hint):
    desk = Desk().configure(replace(RULES, mode=mode)).ask(Request.START)
    desk.ask(Request.STOP).recorded(1).hear(1, "")
    assert [notice.hint for notice in desk.view.notices] == [hint]


def test_the_greeting_says_that_the_program_runs_and_how_to_use_it():
    desk = Desk(choices=Choices(hotkeys=("Right Ctrl", "F9"))).ask(Request.SHOW)
    assert desk.view.notices[0].hint == "Hold Right Ctrl / F9 and speak."
    assert Desk().ask(Request.SHOW).view.notices[0].hint == ""
    toggled = ev.Configured(replace(RULES, mode=Mode.TOGGLE), Choices(hotkeys=("F9",)))
    assert Desk().play(toggled).ask(Request.SHOW).view.notices[0].hint == "Press F9 and speak."


def test_before_the_settings_have_come_and_the_hotkeys_are_listened_for_the_program_is_loading():
    assert view_of(Dictation()).phase is Phase.LOADING
    now, effects = step(Dictation(), ev.Configured(RULES, Choices()), 100.0)
    assert fx.ListenFor(RULES.hotkeys) in effects
    assert view_of(now).phase is Phase.LOADING
    assert view_of(step(now, ev.HotkeysSet(RULES.hotkeys), 101.0)[0]).phase is Phase.IDLE
    assert view_of(step(now, ev.HotkeysFailed(ERROR), 101.0)[0]).phase is Phase.PROBLEM
    now, effects = step(Dictation(), ev.Configured(replace(RULES, hotkeys=()), Choices()), 100.0)
    assert view_of(now).phase is Phase.IDLE, "there is nothing to wait for"


def test_the_same_notice_is_shown_once():
    assert len(Desk().ask(Request.SHOW).ask(Request.SHOW).view.notices) == 1


# --- for any sequence of events ----------------------------------------------------------------------

EVENTS = st.one_of(
    st.tuples(st.sampled_from(["down", "up", "join"]), KEYS),
    st.sampled_from(
        [("wait", 0.05), ("wait", 0.4), ("wait", 5.0), ("wait", 70.0), ("oversleep", 100.0), ("escape",)]
    ),
    st.tuples(st.just("ask"), st.sampled_from(Request)),
    UNTIMED,
)


class Watch:
    """Plays any events and checks after each what must always hold."""

    def __init__(self, mode):
        self.desk = Desk(replace(RULES, mode=mode))
        self.microphone = None
        self.inserted = []
        self.ended = set()
        self.begun, self.kept = set(), set()  # takes that have sound; takes whose outcome is kept

    def play(self, action):
        desk = self.desk
        before = {take.number for take in desk.now.takes}
        if isinstance(action, ev.RecordingEnded) and action.take == self.microphone:
            self.microphone = None  # a recorder ends only what it records
        if isinstance(action, tuple):
            name, *arguments = action
            getattr(desk, name)(*arguments)
        else:
            desk.play(action)
        after = {take.number for take in desk.now.takes}
        for effect in desk.effects:
            self.check(effect)
        desk.effects.clear()
        assert not (after & self.ended), "a take that had ended came back"
        self.ended |= before - after
        self.check_state()

    def check(self, effect):
        match effect:
            case fx.StartRecording(take):
                assert self.microphone is None, "two recordings at once"
                self.microphone = take
                self.begun.add(take)
            case fx.Replay(take):
                self.begun.add(take)
            case fx.KeepText(take) | fx.KeepFailure(take):
                assert take not in self.kept, "two outcomes of one take"
                self.kept.add(take)
            case fx.KeepCancellation(take):
                self.kept.add(take)  # also of one whose text is there but was not inserted
            case fx.CancelRecording(take):
                assert take == self.microphone
                self.microphone = None
            case fx.StopRecording(take) | fx.Transcribe(take) | fx.Insert(take):
                assert take not in self.ended, "something was asked for a take that had ended"
        if isinstance(effect, fx.Insert):
            assert effect.take not in self.inserted, "inserted twice"
            self.inserted.append(effect.take)

    def check_state(self):
        now = self.desk.now
        stages = [take.stage for take in now.takes if not take.is_again]
        assert stages.count(Stage.INSERTING) + stages.count(Stage.RECORDING) <= 2
        assert sum(stage in {Stage.RECORDING, Stage.ENDING} for stage in stages) <= 1
        assert stages.count(Stage.WAITING) <= 1
        is_muted = any(one.subject == MUTED for one in now.notices)
        assert not is_muted or {Stage.RECORDING, Stage.ENDING} & set(stages), "said of no take"
        is_open = any(take.is_open for take in now.takes)
        assert is_open == (now.gestures.take is not None), "keys and cycle disagree"
        assert now.is_escape_watched == any(can_be_cancelled(take) for take in now.takes)

    def finish(self):
        """Let everything that is asked for be answered: in the end no take is left."""
        self.play(("ask", Request.STOP))
        for _ in range(50):
            if not self.desk.now.takes:
                return
            take = self.desk.now.takes[0]
            match take.stage:
                case Stage.RECORDING | Stage.ENDING:
                    self.play(ev.RecordingEnded(take.number, ev.EndCause.STOPPED, 1.0, is_dead=False))
                case Stage.REPLAYING:
                    self.play(ev.Replayed(take.number, 1.0))
                case Stage.TRANSCRIBING:
                    self.play(ev.Transcribed(take.number, "a", "English", is_truncated=False))
                case _:
                    inserting = [one for one in self.desk.now.takes if one.stage is Stage.INSERTING]
                    self.play(ev.Delivered((inserting or [take])[0].number, Delivery.TYPED))


@settings(max_examples=300)
@given(st.sampled_from(Mode), st.lists(EVENTS, max_size=25))
def test_whatever_happens_every_take_ends_once_and_in_order_and_the_key_works(mode, actions):
    watch = Watch(mode)
    for action in actions:
        watch.play(action)
    for key in (0, 1):
        watch.play(("up", key))
    watch.play(("ask", Request.PERFORM))
    watch.play(("wait", 0.5))
    if watch.desk.now.gestures.take is None:
        watch.play(("down", 0))
        assert watch.desk.view.phase is Phase.RECORDING, "a press did nothing"
        watch.play(("up", 0))
    watch.finish()
    assert watch.desk.now.takes == ()
    assert watch.begun <= watch.kept, "a take left without a word to the history"


@settings(max_examples=200)
@given(
    st.permutations(range(1, 6)),
    st.lists(st.sampled_from(["text", "empty", "failed"]), min_size=5, max_size=5),
)
def test_texts_are_inserted_in_the_order_of_their_takes_in_whatever_order_they_come(order, results):
    desk = Desk()
    for take in range(1, 6):
        desk.say(take)
    for take in order:
        match results[take - 1]:
            case "text":
                desk.hear(take, f"{take}.")
            case "empty":
                desk.hear(take, "")
            case _:
                desk.fail(take)
    for take in range(1, 6):
        desk.put(take)
    assert [text.strip() for text in desk.inserted] == [f"{n + 1}." for n in range(5) if results[n] == "text"]
    assert desk.now.takes == ()


def test_the_lock_key_locks_a_take_that_is_held_and_the_hotkey_may_be_let_go():
    rules = replace(RULES, mode=Mode.AUTO, lock_key="space")
    desk = Desk(rules).down().begun(1)
    assert desk.done(fx.WatchEscape)[-1] == fx.WatchEscape(True), "until then it is a key like any other"
    desk.wait(0.5)
    assert desk.done(fx.WatchEscape)[-1] == fx.WatchEscape(True, "space")
    desk.play(ev.LockPressed(desk.at_s))
    assert desk.done(fx.WatchEscape)[-1] == fx.WatchEscape(True)
    desk.up()
    assert (desk.view.is_hands_free, desk.view.is_locked) == (True, True)
    assert desk.wait(rules.silence_s + 5).done(fx.StopRecording) == [], "however long nothing is heard"
    desk.down().wait(0.1).up()
    assert desk.done(fx.StopRecording) == [fx.StopRecording(1)]


@pytest.mark.parametrize("mode", Mode)
def test_without_a_press_that_speaks_the_lock_key_means_nothing(mode):
    desk = Desk(replace(RULES, mode=mode, lock_key="space")).play(ev.LockPressed(100.0))
    assert desk.done(fx.StartRecording) == []
    desk.ask(ev.Request.START).begun(1).wait(2).play(ev.LockPressed(desk.at_s))
    assert not desk.view.is_locked
    assert all(not one.lock_key for one in desk.done(fx.WatchEscape))
