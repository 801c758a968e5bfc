"""What spoken commands do to takes: texts taken back, Enter pressed, placeholders filled; and profiles."""

from dataclasses import replace

import pytest

from handy_qwen.core import effects as fx
from handy_qwen.core import events as ev
from handy_qwen.core.commands import Command
from handy_qwen.core.delivery import LOOKING_UP_S, NOT_ERASED, NOTHING_ERASED
from handy_qwen.core.profiles import BUILT_IN, effective, profile_of
from handy_qwen.core.text import Replacement, TextRules
from handy_qwen.core.types import (
    Delivery,
    Entry,
    EntryState,
    Hotkey,
    Method,
    Profile,
    Spacing,
    Submit,
    Target,
)
from handy_qwen.core.view import NoticeKind
from tests.dictation import EDITOR, RULES, TERMINAL, Desk

PLAIN = replace(RULES, profiles=(), text=TextRules(commands=frozenset(Command)))


def desk_with(*texts, rules=PLAIN):
    """A desk on which ``texts`` were said and inserted one after the other, and nothing was touched since."""
    desk = Desk(rules)
    desk.touched_s = 0.0
    for take, text in enumerate(texts, 1):
        desk.say(take).hear(take, text)
        if desk.now.takes:
            desk.put(take)
    return desk


def window_of(desk):
    """What is in the editor after all that was asked for."""
    text = ""
    for one in desk.done(fx.Insert):
        assert text.endswith(one.erased), "nothing is deleted that is not there"
        text = text[: len(text) - len(one.erased)] + one.text
    return text


@pytest.mark.parametrize(
    ("texts", "left"),
    [
        (["A dog. A cat.", "Scratch that."], "A dog."),
        (["A dog. A cat. A bird.", "Scratch that.", "Scratch that."], ""),
        (["A dog. A cat. A bird.", "Scratch that. Scratch that."], ""),
        (["A dog.", "A cat.", "Scratch that.", "Scratch that."], ""),
        (["A dog.", "A cat. A bird.", "Scratch that.", "Scratch that."], "A dog."),
        (["A dog.", "A cat.", "Scratch that.", "A bird.", "Scratch that."], "A dog."),
        (["A dog.", "Scratch that. A bird."], "A bird."),
        (["I saw", "a dog. Scratch that. A cat."], "I saw a cat."),
        (["I saw", "The dog.", "Scratch that.", "The cat."], "I saw the cat."),
        (["Milk. New line.", "Scratch that.", "Eggs."], "Milk. Eggs."),
        (["A dog.", "Scratch that.", "Scratch that.", "Scratch that."], ""),
        (["A dog. A cat.", "A bird. Scratch that. Scratch that."], ""),
    ],
)
def test_what_was_inserted_is_taken_back_sentence_and_then_take(texts, left):
    assert window_of(desk_with(*texts)) == left


def test_enough_takes_back_no_more_than_there_is_and_says_so():
    desk = desk_with("A dog.", "Scratch that.")
    assert desk.notices == []
    desk.say(3).hear(3, "Scratch that.")
    assert desk.now.takes == ()
    assert desk.view.notices[-1].title == NOTHING_ERASED[0]
    assert len(desk.done(fx.Insert)) == 2, "nobody is asked to delete nothing"


@pytest.mark.parametrize("touched", ["before the press", "unknown", "in another window", "sent", "moved"])
def test_nothing_is_deleted_that_is_not_surely_ours(touched):
    desk = desk_with("A dog. A cat.")
    match touched:
        case "before the press":
            desk.wait(1)
            desk.touched_s = desk.at_s
        case "unknown":
            desk.touched_s = None
        case "sent":
            desk.configure(replace(PLAIN, submit=Submit.ENTER)).say(2).hear(2, "Bye.").put(2)
    number = 3 if touched == "sent" else 2
    desk.say(number, TERMINAL if touched == "in another window" else EDITOR)
    if touched == "moved":  # while the command was spoken: the inserter is not told to delete
        desk.hear(number, "Scratch that. A bird.")
        desk.play(ev.Delivered(number, Delivery.TYPED, has_erased=False))
    else:
        desk.hear(number, "Scratch that. A bird.")
        assert desk.done(fx.Insert)[-1].erased == ""
        desk.put(number)
    assert desk.done(fx.Insert)[-1].text.strip() == "A bird.", "what was said is inserted in any case"
    if touched == "moved":
        assert desk.view.notices[-1].title == NOT_ERASED[0], "a part of it may be deleted"
        desk.say(number + 1).hear(number + 1, "Scratch that.")
        assert desk.done(fx.Insert)[-1].erased.strip() == "A bird.", "and no more is known to be there"


def test_what_could_not_be_taken_back_is_not_sent():
    desk = desk_with("A dog.").wait(1)
    desk.touched_s = desk.at_s
    desk.say(2).hear(2, "Scratch that. Press enter.")
    assert len(desk.done(fx.Insert)) == 1
    desk.say(3).hear(3, "Scratch that. A cat. Press enter.")
    assert desk.done(fx.Insert)[-1].submit is Submit.OFF
    assert desk.view.notices[-1].title == NOTHING_ERASED[0]


def test_what_was_typed_while_a_take_was_spoken_divides_it_from_the_one_before():
    desk = desk_with("A dog.").say(2).hear(2, "A cat.")
    desk.play(ev.Touched(2, desk.at_s)).put(2)  # the user has typed since the press
    desk.say(3).hear(3, "Scratch that. Scratch that.")
    assert desk.done(fx.Insert)[-1].erased.strip() == "A cat."
    desk.put(3).say(4).hear(4, "Scratch that.")
    assert desk.view.notices[-1].title == NOTHING_ERASED[0]


def test_what_is_typed_while_a_text_is_being_inserted_is_not_taken_for_a_part_of_it():
    desk = desk_with().say(1).hear(1, "A dog.").wait(1)
    desk.touched_s = desk.at_s - 0.5  # the insertion was under way, and is reported only now
    desk.put(1).say(2).hear(2, "Scratch that. A cat.")
    assert desk.done(fx.Insert)[-1].erased == ""


def test_a_text_that_waits_is_taken_back_where_it_waits():
    desk = desk_with("A dog.").say(2).hear(2, "A cat. A bird.").put(2, Delivery.HELD)
    desk.say(3).hear(3, "Scratch that. Done.")
    assert desk.done(fx.Insert)[-1].text.strip() == "A cat. Done."
    assert desk.done(fx.Insert)[-1].erased == ""


def test_a_command_alone_leaves_no_text_behind():
    desk = desk_with("A dog.", "Scratch that.")
    assert desk.done(fx.KeepText)[-1].text == ""
    assert desk.view.recent == ("A dog.",), "what was taken back can still be had"
    desk.say(3).hear(3, "A cat.").put(3).say(4).hear(4, "Scratch that.").put(4, Delivery.HELD)
    assert desk.view.held == ()
    assert desk.notices[-1] is NoticeKind.INFO


def test_what_was_all_commands_is_kept_as_it_was_said():
    desk = desk_with("A dog. Scratch that.", "New line.", "A cat.", "")
    kept = [(one.text, one.original) for one in desk.done(fx.KeepText)]
    assert kept == [("", "A dog. Scratch that."), ("\n", "New line."), ("A cat.", ""), ("", "")]


def test_a_correction_holds_for_what_can_be_had_again():
    desk = desk_with("I saw", "A dog.").say(3).hear(3, "A bird.").put(3, Delivery.HELD)
    assert desk.view.recent == ("A bird.", "a dog.", "I saw")
    desk.play(ev.Corrected("A dog.", "A hog."), ev.Corrected("A bird.", "Birds."))
    assert desk.view.recent == ("Birds.", "a hog.", "I saw")
    assert [one.text for one in desk.now.held] == ["Birds."]
    assert "Birds" not in repr(ev.Corrected("A bird.", "Birds."))
    desk.play(ev.Corrected("a hog.", "a dog."))
    assert desk.view.recent[1] == "a dog."


def test_enter_is_pressed_after_the_text_or_alone():
    desk = desk_with("A dog. Press enter.", "Press enter.", "A cat.")
    assert [(one.text, one.submit) for one in desk.done(fx.Insert)] == [
        ("A dog.", Submit.ENTER),
        ("", Submit.ENTER),
        ("A cat.", Submit.OFF),
    ]
    other = desk_with("A dog. Press enter.", rules=replace(PLAIN, submit=Submit.CTRL_ENTER))
    assert other.done(fx.Insert)[-1].submit is Submit.CTRL_ENTER


def test_words_that_may_be_missing_send_and_delete_nothing():
    desk = desk_with("A dog.").say(2)
    desk.play(ev.Transcribed(2, "Scratch that. A cat […]. Press enter.", "English", is_truncated=True))
    assert (desk.done(fx.Insert)[-1].erased, desk.done(fx.Insert)[-1].submit) == ("", Submit.OFF)


# --- placeholders ------------------------------------------------------------------------------------

STAMP = replace(PLAIN, text=TextRules((Replacement("stamp", "on {date}: {clipboard}", is_alone=True),)))


def test_what_a_placeholder_stands_for_is_looked_up_when_it_is_needed():
    desk = Desk(STAMP).say(1).hear(1, "It happened. Stamp.")
    (asked,) = desk.done(fx.LookUp)
    assert asked.names == {"date", "clipboard"}
    assert desk.inserted == []
    desk.play(replace(asked.transcribed, values={"date": "Monday", "clipboard": "a\nb"}))
    assert desk.inserted == ["It happened. on Monday: a\nb"]
    desk.put(1).say(2).hear(2, "No stamp here.")
    assert len(desk.done(fx.LookUp)) == 1


def test_a_clipboard_that_hangs_holds_up_no_text_for_long():
    desk = Desk(STAMP).say(1).hear(1, "Stamp.").say(2)
    assert desk.wait(LOOKING_UP_S + 0.1).inserted == ["on {date}: {clipboard}"]
    desk.play(ev.Transcribed(1, "Stamp.", "English", False, {"date": "too late"}))
    assert len(desk.inserted) == 1


def test_a_take_that_waits_for_the_clipboard_can_be_cancelled():
    desk = Desk(STAMP).say(1).hear(1, "Stamp.").escape()
    desk.play(ev.Transcribed(1, "Stamp.", "English", False, {}))
    assert desk.inserted == []


def test_neither_effect_nor_event_shows_what_was_looked_up():
    event = ev.Transcribed(1, "diary", "English", False, {"clipboard": "diary"})
    shown = repr(
        [event, fx.LookUp(event, frozenset({"date"})), fx.Insert(1, "", None, "", "", erased="diary")]
    )
    assert "diary" not in shown


# --- profiles ----------------------------------------------------------------------------------------

OWN = Profile("Mine", ("terminal",), "German", Method.TYPE, Submit.ENTER, Spacing.OFF, ("kubectl",))
PROFILED = replace(PLAIN, profiles=(OWN,))


def test_the_program_that_has_the_focus_at_the_press_decides_language_words_method_and_key():
    desk = Desk(PROFILED).say(1, TERMINAL)
    assert desk.done(fx.StartRecording) == [fx.StartRecording(1, (), ("Qwen",))]
    assert desk.done(fx.Adapt) == [fx.Adapt(1, ("German",), ("kubectl", "Qwen"))]
    desk.hear(1, "Los.", "German").put(1)
    (done,) = desk.done(fx.Insert)
    assert (done.method, done.submit) == (Method.TYPE, Submit.ENTER)
    desk.say(2, EDITOR).hear(2, "Go.")
    assert len(desk.done(fx.Adapt)) == 1
    assert (desk.done(fx.Insert)[-1].method, desk.done(fx.Insert)[-1].submit) == (Method.PASTE, Submit.OFF)


def test_a_take_that_waits_for_the_one_before_begins_with_the_words_of_its_profile():
    desk = Desk(PROFILED).down().begun(1).wait(1).up().wait(0.1)
    desk.focus = TERMINAL
    desk.down().recorded(1)
    assert desk.done(fx.StartRecording)[-1] == fx.StartRecording(2, ("German",), ("kubectl", "Qwen"))


def test_what_is_transcribed_again_has_the_language_words_and_spacing_of_its_profile():
    desk = Desk(PROFILED).say(1, TERMINAL).keep(1, 10).hear(1, "Los.", "German").put(1)
    desk.ask(ev.Request.RETRY)
    assert desk.done(fx.Replay) == [fx.Replay(2, 10, ("German",), ("kubectl", "Qwen"))]
    entry = Entry(11, 0.0, EntryState.DONE, application="terminal")
    desk = Desk(PROFILED).play(ev.ModelReady("demo", ("German",)), ev.Recalled(entry, is_sound=True))
    assert desk.done(fx.Replay) == [fx.Replay(1, 11, (), ("kubectl", "Qwen"))]
    desk.down().play(ev.FocusNoted(2, EDITOR)).begun(2).wait(1).up().recorded(2).hear(2, "Now.").put(2)
    assert desk.done(fx.Replay)[-1] == fx.Replay(3, 11, (), ("kubectl", "Qwen")), "also when it made way"


def test_a_hotkey_with_a_language_of_its_own_comes_before_the_profile():
    rules = replace(PROFILED, hotkeys=(Hotkey("f9", language="French", submit=Submit.CTRL_ENTER),))
    desk = Desk(rules).say(1, TERMINAL).hear(1, "Oui.", "French")
    assert desk.done(fx.Adapt) == [fx.Adapt(1, ("French",), ("kubectl", "Qwen"))]
    assert desk.done(fx.Insert)[-1].submit is Submit.CTRL_ENTER


def test_a_profile_can_switch_smart_spacing_off_and_on():
    quiet = replace(OWN, submit=None, spacing=Spacing.OFF)
    desk = Desk(replace(PLAIN, profiles=(quiet,)))
    desk.say(1, TERMINAL).hear(1, "ls").put(1).say(2, TERMINAL).hear(2, "The end")
    assert desk.inserted == ["ls", "The end"]
    loud = replace(PLAIN, text=TextRules(is_fitted=False), profiles=(replace(quiet, spacing=Spacing.ON),))
    desk = Desk(loud).say(1, TERMINAL).hear(1, "I saw").put(1).say(2, TERMINAL).hear(2, "The end")
    assert desk.inserted == ["I saw", " the end"]


def test_a_focus_that_is_reported_too_late_changes_nothing():
    desk = Desk(PROFILED)
    desk.focus = None
    desk.down().begun(1).wait(5).play(ev.FocusNoted(1, TERMINAL))
    assert desk.done(fx.Adapt) == []


@pytest.mark.parametrize(
    ("application", "name"),
    [
        ("Gnome-terminal", "Terminals"),
        ("gnome-terminal-server", "Terminals"),
        ("XTerm", "Terminals"),
        ("WindowsTerminal.exe", "Terminals"),
        ("com.apple.Terminal", "Terminals"),
        (r"C:\Program Files\VS\Code.exe", "Code editors"),
        ("jetbrains-pycharm", "Code editors"),
        ("TelegramDesktop", "Chat"),
        ("Slack", "Chat"),
        ("gedit", ""),
        ("", ""),
    ],
)
def test_programs_are_known_by_what_the_desktop_calls_them(application, name):
    found = profile_of(application, BUILT_IN)
    assert (found.name if found else "") == name


def test_a_profile_of_ones_own_comes_first_and_may_replace_a_built_in_one():
    mine = Profile("Chat", method=Method.TYPE), Profile("Mail", ("thunderbird*", "kitty"))
    profiles = effective(mine)
    assert [one.name for one in profiles] == ["Chat", "Mail", "Terminals", "Code editors"]
    assert profile_of("slack", profiles).method is Method.TYPE
    assert profile_of("Thunderbird-esr", profiles).name == "Mail"
    assert profile_of("kitty", profiles).name == "Mail"


def test_a_terminal_out_of_the_box_gets_no_enter_and_an_editor_does_as_the_settings_say():
    rules = replace(PLAIN, submit=Submit.ENTER, profiles=effective(()))
    desk = (
        Desk(rules).say(1, Target(7, "xterm")).hear(1, "ls").put(1).say(2, Target(8, "gedit")).hear(2, "Hi.")
    )
    assert [one.submit for one in desk.done(fx.Insert)] == [Submit.OFF, Submit.ENTER]


@pytest.mark.parametrize("method", [Method.COPY, Method.NONE])
def test_what_is_only_to_be_copied_or_kept_is_pasted_by_no_profile_but_the_users_own(method):
    rules = replace(
        PLAIN, method=method, profiles=effective([Profile("Mine", ("gedit",), method=Method.PASTE)])
    )
    desk = Desk(rules).say(1, Target(7, "xterm")).hear(1, "ls").put(1)
    desk.say(2, Target(8, "gedit")).hear(2, "Hi.")
    assert [one.method for one in desk.done(fx.Insert)] == [method, Method.PASTE]
