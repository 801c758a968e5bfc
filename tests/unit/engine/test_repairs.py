"""Answers that cannot be what was said: loops, contexts read out, and words made up where nobody speaks."""

from itertools import repeat

import numpy as np
import pytest

from handy_qwen.engine.api import GAP
from handy_qwen.errors import CancelledError, EngineError
from tests.hearing import WORDS, Heard, Hearing, dictated, plainly, said

RATE = 16_000
LONG = WORDS[:20]  # 20 s
SPOKEN = " ".join(LONG)


def loses_its_place(*, above, phrase=" seven eight"):
    """A model that repeats a phrase for ever when it hears more than so many words, after the third."""

    def answers(heard):
        if len(heard.words) <= above:
            yield from plainly(heard)
            return
        yield from ["language English", "|"] if not heard.is_forced else []
        yield " ".join(heard.words[:3])
        yield from repeat(phrase)

    return answers


def babbles(*, above):
    """A model that goes on and on, and never twice the same, when it hears more than so many words."""

    def answers(heard):
        if len(heard.words) <= above:
            yield from plainly(heard)
            return
        yield from ("language English", "|")
        for number in range(10_000):
            yield f" {number * 7919 % 997}"

    return answers


# ---- what hears well -------------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [True, False])
def test_each_word_is_heard_once_across_windows_and_segments(exact):
    words = (WORDS * 4)[:100]
    transcript = Hearing().transcript(said(*words), exact=exact, limit_s=20.0)
    assert transcript.text == " ".join(words)
    assert not transcript.is_truncated


def hears(language):
    """A model that takes everything for ``language``."""

    def answers(heard):
        yield from [] if heard.is_forced else [f"language {language}", "|"]
        yield " ".join(heard.words)

    return answers


@pytest.mark.parametrize("size", [RATE // 5, RATE, 60 * RATE])
def test_a_language_outside_the_list_is_not_named_live_either_and_each_word_is_there_once(size):
    words = (WORDS * 4)[:50]
    for model, wanted in ((Hearing(hears("French")), "German"), (Hearing(hears("English")), "English")):
        transcript, shown = dictated(
            model.live(language=("German", "English"), limit_s=20.0), said(*words), size
        )
        assert (transcript.text, transcript.language) == (" ".join(words), wanted)
        assert not transcript.is_truncated
        assert not transcript.is_language_forced
        assert not any("language" in text for text in shown)


def test_of_several_languages_nobody_speaks_any_where_the_model_says_so():
    model = Hearing(lambda _heard: ["language None", "|"])
    for is_sure in (True, False):
        transcript = model.transcript(said("one", "two"), language=("German", "English"), is_sure=is_sure)
        assert (transcript.text, transcript.language, transcript.is_truncated) == ("", "", False)


# ---- loops ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "phrase", [" seven eight", " seven eight nine ten eleven twelve apple bread cheese door"]
)
@pytest.mark.parametrize("above", [12, 6, 4])
@pytest.mark.parametrize("exact", [True, False])
def test_a_segment_in_which_the_model_repeats_itself_is_heard_in_parts_without_a_loss(phrase, above, exact):
    model = Hearing(loses_its_place(above=above, phrase=phrase))
    transcript = model.transcript(said(*LONG), exact=exact)
    assert transcript.text == SPOKEN
    assert not transcript.is_truncated
    assert transcript.duration_s == 20.0


def test_a_segment_whose_answer_does_not_end_is_heard_in_parts_without_a_loss():
    transcript = Hearing(babbles(above=6)).transcript(said(*LONG))
    assert (transcript.text, transcript.is_truncated) == (SPOKEN, False)


def test_a_phrase_said_so_often_that_it_looks_like_a_loop_is_kept_as_often_as_it_was_said():
    words = ["night", "ocean"] * 25
    transcript = Hearing().transcript(said(*words))
    assert (transcript.text, transcript.is_truncated) == (" ".join(words), False)


def test_what_the_model_never_gets_through_is_marked_where_it_is():
    model = Hearing(
        lambda heard: loses_its_place(above=0)(heard) if "river" in heard.words else plainly(heard)
    )
    words = [*LONG, "river", *LONG]
    transcript = model.transcript(said(*words))
    assert transcript.is_truncated
    before, after = transcript.text.split(GAP)  # one mark: only the part with that word is not whole
    kept, rest = before.split(), after.split()
    assert kept[:16] == LONG[:16]
    assert kept[-2:] == ["seven", "eight"]
    assert rest == LONG[-len(rest) :]
    assert len(rest) >= 16


def test_a_segment_is_not_divided_for_ever():
    model = Hearing(loses_its_place(above=0))
    transcript = model.transcript(said(*LONG))
    assert transcript.is_truncated
    assert transcript.text.count(GAP) <= 16
    assert len(model.decoder.asked) <= 40  # 20 s in parts of at least a third of 4 s: 15, and what led there


def test_a_take_of_which_nothing_could_be_made_has_no_text_and_says_so():
    model = Hearing(lambda _: repeat(" a"))
    transcript = model.transcript(said("one", "two"))
    assert (transcript.text, transcript.is_truncated) == ("", True)


def test_an_answer_that_is_none_is_not_passed_off_as_silence():
    transcript = Hearing(lambda _: ["ology."]).transcript(said("one", "two"))
    assert (transcript.text, transcript.is_truncated) == ("", True)
    silent = Hearing(lambda _: ["language None", "|"]).transcript(said("one", "two"))
    assert (silent.text, silent.is_truncated) == ("", False)


@pytest.mark.parametrize("size", [3_000, 16_000, 50_000])
@pytest.mark.parametrize("pause_s", [0.4, 1.1])
def test_live_the_text_is_the_same_and_the_preview_never_shows_the_loop(size, pause_s):
    answers = loses_its_place(above=6)
    samples = said(*LONG, pause_s=pause_s)
    wanted = Hearing(answers).transcript(samples)
    transcript, shown = dictated(Hearing(answers).live(), samples, size)
    assert (transcript.text, transcript.tokens) == (wanted.text, wanted.tokens) == (SPOKEN, wanted.tokens)
    assert not any(text.count("seven eight") > 1 for text in shown)


@pytest.mark.parametrize("exact", [True, False])
def test_each_part_is_a_sign_of_life(exact):
    live, steps = Hearing(loses_its_place(above=6)).live(drafts=False, exact=exact), []
    live.feed(said(*LONG))
    while live.advance():
        pass
    live.finish(lambda: steps.append(live.settled_samples))
    assert len(set(steps)) > 3
    assert steps == sorted(steps)


def test_what_is_settled_grows_part_by_part():
    model = Hearing(loses_its_place(above=6))
    live = model.live(drafts=False)
    live.feed(said(*LONG, pause_s=0.4))
    live.feed(np.zeros(25 * RATE, np.float32))
    settled = []
    while live.advance():
        settled.append((live.settled_samples, live.settled().text))
    parts = sorted(set(settled))
    assert len([one for one in parts if one[1]]) > 2
    for samples, text in parts:
        assert SPOKEN.startswith(text)
        if text:
            assert samples <= (len(text.split()) + 0.5) * RATE or text == SPOKEN
    assert live.finish().text == SPOKEN


@pytest.mark.parametrize("failure", [CancelledError, MemoryError, EngineError("broken")])
def test_what_is_given_up_in_the_middle_is_neither_lost_nor_said_twice(failure):
    samples = said(*LONG)
    for step in range(1, 5):
        model = Hearing(loses_its_place(above=6))
        live = model.live(drafts=False)
        live.feed(samples)
        steps = []

        def fail(at=step, steps=steps):
            steps.append(1)
            if len(steps) == at:
                raise failure

        with pytest.raises((CancelledError, MemoryError, EngineError)):
            live.finish(fail)
        rest = model.transcript(samples[live.settled_samples :])
        whole = live.settled().followed_by(rest)
        assert (whole.text, whole.is_truncated, whole.duration_s) == (SPOKEN, False, 20.0)


# ---- contexts -------------------------------------------------------------------------------------------

NAMES = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Barbara Liskov", "Edsger Dijkstra")


def reads_out(text):
    """A model that reads its context out."""
    return lambda heard: ["language English", "|", text] if heard.context else plainly(heard)


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lovelace, Grace Hopper, Alan Turing.",
        "Alan Turing Barbara Liskov Edsger Dijkstra",
        ", ".join(NAMES),
    ],
)
@pytest.mark.parametrize("is_list", [True, False])
def test_a_context_that_is_read_out_is_replaced_by_what_is_heard_without_it(text, is_list):
    model = Hearing(reads_out(text))
    entries = {"context": " ".join(NAMES), "entries": NAMES} if is_list else {"context": ", ".join(NAMES)}
    transcript = model.transcript(said("one", "two", "three", "four"), **entries)
    assert transcript.text == "one two three four"
    assert [bool(heard.context) for heard in model.decoder.asked] == [True, False]


@pytest.mark.parametrize("exact", [True, False])
def test_words_of_the_list_that_are_dictated_one_after_the_other_keep_their_spelling(exact):
    names = "Ada Lovelace, Grace Hopper, Alan Turing."

    def answers(heard):
        return [
            "language English",
            "|",
            names if heard.context else "Aida Loveless, Grey Shopper, Allen touring.",
        ]

    model = Hearing(answers)
    asked = {"context": " ".join(NAMES), "entries": NAMES, "exact": exact}
    transcript = model.transcript(said(*WORDS[:6]), **asked)
    assert (transcript.text, transcript.is_truncated) == (names, False)
    assert model.parts.tokenizer.decode(transcript.tokens).endswith(names)


def test_words_of_which_the_detector_missed_a_part_keep_their_spelling():
    def answers(heard):
        return [
            "language English",
            "|",
            f"I asked {'Siobhan' if heard.context else 'Shivon'} and her brother to come.",
        ]

    transcript = Hearing(answers).transcript(said("one"), context="Siobhan", entries=["Siobhan"])
    assert transcript.text == "I asked Siobhan and her brother to come."


def test_a_list_of_which_only_a_part_was_said_counts_as_read_out():
    def answers(heard):
        return ["language English", "|", ", ".join(NAMES) if heard.context else "Ada Lovelace, Grace Hopper"]

    asked = {"context": " ".join(NAMES), "entries": NAMES}
    assert Hearing(answers).transcript(said("one", "two"), **asked).text == "Ada Lovelace, Grace Hopper"


def test_a_list_that_was_read_out_and_got_stuck_in_is_replaced_too():
    def answers(heard):
        if not heard.context:
            return ["language English", "|", "Ada Loveless, Grace Hopper, Alan Turing."]
        return ["language English", "|", "Ada Lovelace, Grace Hopper, Alan Turing", *[" of" * 30]]

    asked = {"context": " ".join([*NAMES[:3], "of"]), "entries": (*NAMES[:3], "of")}
    transcript = Hearing(answers).transcript(said(*WORDS[:3]), **asked)
    assert (transcript.text, transcript.is_truncated) == ("Ada Loveless, Grace Hopper, Alan Turing.", False)


def test_a_name_of_two_entries_and_words_between_names_are_what_was_said():
    for text in (
        "Ada Lovelace Grace Hopper",
        "Ada Lovelace and Grace Hopper and Alan Turing",
        "Grace Hopper Ada Lovelace Alan Turing",
    ):
        model = Hearing(reads_out(text))
        asked = {"context": " ".join(NAMES), "entries": NAMES}
        assert model.transcript(said(*WORDS[:6]), **asked).text == text
        assert len(model.decoder.asked) == 1


def test_an_answer_longer_than_speech_can_be_is_heard_again_without_the_context():
    model = Hearing(reads_out("a sentence of many letters which nobody could say in half a second"))
    assert model.transcript(said("one"), context="anything").text == "one"


def test_without_a_context_a_long_answer_is_taken_as_it_is():
    text = "a sentence of many letters which nobody could say in half a second"
    model = Hearing(lambda _: ["language English", "|", text])
    assert model.transcript(said("one")).text == text


def test_live_a_context_read_out_is_never_shown():
    asked = {"context": " ".join(NAMES), "entries": NAMES}
    model = Hearing(reads_out(" ".join(NAMES)))
    samples = said(*WORDS[:6])
    transcript, shown = dictated(model.live(**asked), np.append(samples, np.zeros(RATE, np.float32)), 4_000)
    assert transcript.text == " ".join(WORDS[:6])
    assert not any("Ada" in text for text in shown)


# ---- a forced language ----------------------------------------------------------------------------------


def invents(heard: Heard):
    """A model that says nobody speaks if it is let, and that makes something up if it is not."""
    if heard.is_forced:
        return ["Vielen Dank."]
    return ["language None", "|"]


@pytest.mark.parametrize("exact", [True, False])
def test_where_the_detector_is_unsure_a_forced_language_invents_nothing(exact):
    asked = {"language": "German", "exact": exact}
    transcript = Hearing(invents).transcript(said("one", "two"), is_sure=False, **asked)
    assert (transcript.text, transcript.language, transcript.is_truncated) == ("", "", False)
    assert transcript.is_language_forced


def test_where_somebody_speaks_the_look_changes_nothing_and_reads_nothing_twice():
    looking, sure = Hearing(), Hearing()
    samples = said(*WORDS[:10])
    unsure = looking.transcript(samples, language="German", is_sure=False)
    plain = sure.transcript(samples, language="German")
    assert unsure.text == plain.text == " ".join(WORDS[:10])
    assert unsure.tokens == plain.tokens
    assert looking.encoder.windows == sure.encoder.windows
    assert looking.decoder.written == sure.decoder.written + 1


def test_where_the_detector_is_sure_nothing_is_looked_at():
    transcript = Hearing(invents).transcript(said("one", "two"), language="German")
    assert transcript.text == "Vielen Dank."


def test_live_the_look_is_the_same():
    samples = np.append(said("one", "two"), np.zeros(RATE, np.float32))
    for answers, text in ((invents, ""), (plainly, "one two")):
        live = Hearing(answers).live(language="German", is_sure=False)
        transcript, shown = dictated(live, samples, 4_000)
        assert transcript.text == text
        assert not any("Vielen" in one for one in shown)
