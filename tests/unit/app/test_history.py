"""The history for its window: real files and rows, asked and changed through its presenter."""

import threading
from dataclasses import replace

import pytest

from handy_qwen import paths
from handy_qwen.app.history import HistoryPresenter, transcribe_file, written_again
from handy_qwen.app.machine import moment
from handy_qwen.audio.files import load
from handy_qwen.core.commands import Command
from handy_qwen.core.events import Corrected, Failed, Noted, Recalled
from handy_qwen.core.text import Replacement, TextRules
from handy_qwen.core.types import Delivery, EntryState, Keep, Retried, Rules
from handy_qwen.core.view import HistoryFilter, HistoryQuery
from handy_qwen.engine.api import Transcript
from handy_qwen.errors import HandyError
from handy_qwen.history import wav
from handy_qwen.history.store import Places, Store
from handy_qwen.runtime.watchdog import HISTORY_WINDOW
from tests.conftest import is_private

WAIT_S = 10.0
TEXTS = ("Good morning.", "Guten Abend.", "Good evening.")


@pytest.fixture
def folder(tmp_path):
    """A history with three texts, the second of which has sound, and a failed take."""
    places = Places(tmp_path / "history")
    places.make()
    store = Store(places.database, busy_s=1.0)
    sound = "take-20260101T000000Z-00000000.wav"
    for number, text in enumerate(TEXTS):
        file = sound if number == 1 else ""
        store.add(
            {
                "created_ms": 1000 * number,
                "state": EntryState.DONE,
                "keep": Keep.AUDIO_AND_TEXT,
                "text": text,
                "delivery": "typed",
                "file": file,
                "asked_language": "German",
                "language": "German",
                "is_starred": int(number == 2),
            }
        )
    store.add(
        {"created_ms": 4000, "state": EntryState.FAILED, "keep": Keep.AUDIO_AND_TEXT, "error": "It broke."}
    )
    store.close()
    (places.takes / sound).write_bytes(wav.header(1000, wav.Stage.SETTLED, 0))
    return places.folder


class FakePlayer:
    """Plays until it is stopped, or told that the sound is over."""

    def __init__(self):
        self.played, self._on_end = [], None

    def play(self, sound, on_end):
        self.stop()
        self.played.append(sound.name)
        self._on_end = on_end

    def stop(self, error=None):
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(error)


class Reader:
    """The presenter, and what it answers."""

    def __init__(self, folder):
        self.posted, self.copied, self.pasts, self.error = [], [], [], None
        self.player = FakePlayer()
        self.is_truncated, self.applications = False, []
        self._changed = threading.Condition()
        self.presenter = HistoryPresenter(
            self.posted.append,
            copy=self.copied.append,
            transcribe=self._transcribe,
            model=lambda: "small",
            player=lambda: self.player,
            folder=folder,
        )
        self.presenter.listener = self._listen

    def _transcribe(self, path, application, model, language, moves):
        self.applications.append(application)
        moves()
        assert path.is_file()
        if self.error is not None:
            raise self.error
        return Retried(f"by {model} in {language}", language, model, is_truncated=self.is_truncated)

    def _listen(self, past):
        with self._changed:
            self.pasts.append(past)
            self._changed.notify_all()

    def wait(self, condition):
        """Wait until the last answer fulfils ``condition``, and return it."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.pasts and condition(self.pasts[-1]), WAIT_S), (
                self.pasts[-1:]
            )
        return self.pasts[-1]

    def ask(self, **question):
        asked = HistoryQuery(**question)
        self.presenter.look(asked)
        return self.wait(lambda past: past.query == asked)


@pytest.fixture
def reader(folder):
    made = Reader(folder)
    yield made
    made.presenter.close(WAIT_S)


def ids(past):
    return [entry.id for entry in past.entries]


def test_the_newest_come_first_and_more_are_told_of(reader):
    assert ids(reader.ask()) == [4, 3, 2, 1]
    past = reader.ask(most=2)
    assert (ids(past), past.has_more) == ([4, 3], True)


def test_words_and_kinds_are_looked_for(reader):
    assert ids(reader.ask(words="good")) == [3, 1]
    assert ids(reader.ask(words="EVENING good")) == [3]
    assert ids(reader.ask(only=HistoryFilter.STARRED)) == [3]
    assert ids(reader.ask(only=HistoryFilter.OPEN)) == [4]


@pytest.fixture
def playing(reader):
    """A reader while the sound of entry 2 is being played."""
    second = next(entry for entry in reader.ask().entries if entry.id == 2)
    reader.presenter.play(second)
    reader.wait(lambda past: past.played == 2)
    assert len(reader.player.played) == 1
    return reader


def test_a_sound_is_played_until_it_is_over(playing):
    playing.player.stop()
    playing.wait(lambda past: past.played == 0)


def test_a_sound_is_stopped_on_request_and_when_the_window_is_closed(playing):
    playing.presenter.stop_playing()
    playing.wait(lambda past: past.played == 0)
    playing.presenter.play(playing.pasts[-1].entries[2])
    playing.wait(lambda past: past.played == 2)
    playing.presenter.leave()
    playing.wait(lambda past: past.played == 0)


def test_a_sound_played_again_is_still_being_played_when_the_first_has_ended(playing):
    playing.presenter.play(playing.pasts[-1].entries[2])
    playing.wait(lambda _: len(playing.player.played) == 2)
    playing.ask(words="abend")
    assert playing.wait(lambda past: past.query.words == "abend").played == 2


def test_why_a_sound_cannot_be_played_is_said(reader, playing):
    playing.player.stop(HandyError("Can't use the speakers.", "Connect some."))
    page = playing.wait(lambda past: past.problem is not None)
    assert (page.problem.title, page.played) == ("Can't use the speakers.", 0)
    reader.presenter.play(page.entries[0])  # a failed take without sound
    assert reader.wait(lambda past: "has no recording" in past.problem.title).played == 0
    reader.player = None
    reader.presenter.play(page.entries[2])
    assert reader.wait(lambda past: "yet" in past.problem.title).played == 0


def test_what_was_cancelled_and_has_no_sound_is_not_shown(reader, folder):
    store = Store(Places(folder).database, busy_s=1.0)
    blank = store.add({"created_ms": 5000, "state": EntryState.CANCELLED, "keep": Keep.AUDIO_AND_TEXT})
    store.close()
    assert blank not in ids(reader.ask())
    assert blank not in ids(reader.ask(only=HistoryFilter.OPEN))


@pytest.mark.parametrize("place", ["nowhere", "file/history"])
def test_no_history_is_an_empty_one(tmp_path, place):
    (tmp_path / "file").touch()
    reader = Reader(tmp_path / place)
    assert reader.ask().entries == ()
    reader.presenter.close(WAIT_S)


def test_what_is_deleted_is_out_of_sight_comes_back_by_undo_and_is_gone_at_the_end(reader, folder):
    reader.ask()
    reader.presenter.delete([1, 2])
    past = reader.wait(lambda past: past.deleted == 2)
    assert ids(past) == [4, 3]
    assert len(list((folder / "takes").iterdir())) == 1
    reader.presenter.undo_delete()
    reader.wait(lambda past: past.deleted == 0)
    assert ids(reader.pasts[-1]) == [4, 3, 2, 1]
    reader.presenter.delete([2])
    reader.presenter.leave()
    reader.wait(lambda past: past.deleted == 0 and len(past.entries) == 3)
    assert list((folder / "takes").iterdir()) == []
    reader.presenter.undo_delete()
    assert ids(reader.ask()) == [4, 3, 1]


def test_a_window_that_was_never_opened_starts_no_thread_at_the_end(folder, monkeypatch):
    reader, started = Reader(folder), []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread.name))
    reader.presenter.close(WAIT_S)
    assert started == []


def test_a_deletion_is_finished_when_the_program_ends(reader, folder):
    reader.ask()
    reader.presenter.delete([2])
    reader.presenter.close(WAIT_S)
    assert list((folder / "takes").iterdir()) == []
    assert ids(Reader(folder).ask()) == [4, 3, 1]


@pytest.mark.parametrize("state", [EntryState.RECORDING, EntryState.WAITING])
def test_what_the_program_is_at_work_on_is_not_deleted_but_comes_into_sight_again(reader, folder, state):
    store = Store(Places(folder).database, busy_s=1.0)
    busy = store.add({"created_ms": 5000, "state": state, "keep": Keep.AUDIO_AND_TEXT})
    store.close()
    reader.ask()
    reader.presenter.delete([busy, 1])
    reader.presenter.leave()
    past = reader.wait(lambda past: past.problem is not None)
    assert past.problem.title == f"The app is working on entry {busy}."
    assert ids(past) == [busy, 4, 3, 2]


def test_a_deletion_waits_while_the_history_cannot_be_opened(reader, folder):
    reader.ask()
    reader.presenter.delete([1])
    reader.wait(lambda past: past.deleted == 1)
    database, aside = Places(folder).database, folder / "aside"
    database.rename(aside)
    database.write_text("Dear diary, " * 100)
    reader.presenter.leave()
    assert reader.wait(lambda past: past.problem is not None).deleted == 1
    aside.replace(database)
    reader.presenter.leave()
    assert ids(reader.wait(lambda past: past.deleted == 0)) == [4, 3, 2]


def test_stars_are_given_and_taken(reader):
    reader.ask(only=HistoryFilter.STARRED)
    reader.presenter.star([1, 2], is_starred=True)
    reader.wait(lambda past: len(past.entries) == 3)
    reader.presenter.star([3], is_starred=False)
    reader.wait(lambda past: ids(past) == [2, 1])


def test_texts_are_copied_inserted_and_let_wait(reader):
    entry = reader.ask().entries[1]
    reader.presenter.copy(entry)
    reader.presenter.insert(entry, is_here=True)
    reader.presenter.insert(entry, is_here=False)
    assert reader.copied == ["Good evening."]
    assert reader.posted == [
        Recalled(entry, is_sound=False, is_here=True),
        Recalled(entry, is_sound=False, is_here=False),
    ]


def change(folder, number, **columns):
    """Write as the dictation cycle or the command line does, on a connection of its own."""
    store = Store(Places(folder).database, busy_s=1.0)
    store.change(number, columns)
    store.close()


def test_what_others_write_is_shown_to_who_looks(reader, folder):
    change(folder, 3, delivery=Delivery.BEGUN)
    assert reader.ask().entries[1].delivery is Delivery.BEGUN
    change(folder, 3, delivery=Delivery.PASTED)
    reader.wait(lambda past: past.entries[1].delivery is Delivery.PASTED)


def test_nobody_is_told_while_nothing_changes_or_nobody_looks(reader, folder, monkeypatch):
    monkeypatch.setattr("handy_qwen.app.history.LOOK_S", 0.01)
    reader.ask()
    looks = threading.Semaphore(0)
    stamp_now = reader.presenter._stamp_now
    monkeypatch.setattr(reader.presenter, "_stamp_now", lambda: (looks.release(), stamp_now())[1])
    for _ in range(5):
        assert looks.acquire(timeout=WAIT_S)
    assert len(reader.pasts) == 1
    reader.presenter.leave()
    has_left = threading.Event()
    reader.presenter.workers[HISTORY_WINDOW].do(has_left.set)
    assert has_left.wait(WAIT_S)
    change(folder, 3, delivery=Delivery.PASTED)
    reader.presenter.close(WAIT_S)
    assert len(reader.pasts) == 1


def test_the_model_in_use_tries_again_in_the_language_asked_for(reader):
    entry = reader.ask().entries[2]
    reader.presenter.retry(entry)
    reader.presenter.retry(entry, model="small", language="English")
    reader.ask(words="x")  # both are done
    assert [event.entry.language for event in reader.posted] == ["German", "English"]
    assert all(isinstance(event, Recalled) and event.is_sound for event in reader.posted)


def test_another_model_writes_as_a_dictation_would_be(tmp_path):
    sound, steps = tmp_path / "report.wav", []
    journal = wav.Journal(sound, 1000)
    journal.add(load(paths.asset("speech/report.flac")))
    journal.write()
    journal.finish(wav.Stage.SETTLED)
    rules = Rules(text=TextRules(replacements=(Replacement("Anna", "Hannah"),)))
    found = transcribe_file(sound, "demo", "", lambda: steps.append(1), threads=1, rules=rules)
    assert found == Retried("Please send the report to Hannah on Monday.", "English", "demo")
    assert len(steps) > 1
    with pytest.raises(HandyError, match="Can't read"):
        transcribe_file(tmp_path / "gone.wav", "demo", "", list, threads=1, rules=rules)


def test_another_model_says_what_is_left_of_commands_and_snippets_as_a_dictation_would():
    found = Transcript("Send it. Scratch that.", "English", False, (), False, 1.0)
    commands = TextRules(commands=frozenset(Command))
    again = written_again(found, Rules(text=commands), "m")
    assert (again.text, again.original) == ("", "Send it. Scratch that.")
    stamp = TextRules(replacements=(Replacement("Send it", "On {date}", is_alone=True),))
    again = written_again(replace(found, text="Send it."), Rules(text=stamp), "m")
    assert again.text == f"On {moment()['date']}"


def test_a_correction_is_beside_the_original_and_can_be_taken_back(reader):
    entry = reader.ask().entries[3]
    reader.presenter.correct(entry.text, "Good mourning.", entry.id)
    found = reader.wait(lambda past: past.entries[3].original).entries[3]
    assert (found.text, found.original) == ("Good mourning.", "Good morning.")
    assert reader.posted == [Corrected("Good morning.", "Good mourning.")]
    assert [one.id for one in reader.ask(words="mourning").entries] == [entry.id], "the search finds it"
    assert reader.ask(words="morning").entries == ()
    reader.ask()
    reader.presenter.correct(found.text, "Good night.", entry.id)
    found = reader.wait(lambda past: "night" in past.entries[3].text).entries[3]
    assert found.original == "Good morning.", "the first, not the one between"
    reader.presenter.correct(found.text, found.original, entry.id)
    found = reader.wait(lambda past: not past.entries[3].original).entries[3]
    assert found.text == "Good morning."


def test_a_text_as_it_was_inserted_is_found_in_the_history_by_itself(reader):
    assert reader.ask().entries[2].text == "Guten Abend."
    reader.presenter.correct("guten Abend.", "guten Morgen.")  # it went on with a sentence
    found = reader.wait(lambda past: past.entries[2].original)
    assert [one.text for one in found.entries] == ["", "Good evening.", "Guten Morgen.", "Good morning."]
    reader.presenter.correct("Something else.", "Another.")
    reader.presenter.star([1], is_starred=True)
    found = reader.wait(lambda past: past.entries[3].is_starred)
    assert sum(bool(one.original) for one in found.entries) == 1


def test_what_is_transcribed_again_has_no_correction_any_more(reader):
    entry = reader.ask().entries[2]
    reader.presenter.correct(entry.text, "Guten Morgen.", entry.id)
    reader.presenter.retry(entry, model="large")
    found = reader.wait(lambda past: past.entries[2].model == "large").entries[2]
    assert (found.text, found.original) == ("by large in German", "")
    assert reader.applications == [entry.application]


def test_another_model_that_stops_early_says_so_in_the_history(reader):
    reader.is_truncated = True
    reader.presenter.retry(reader.ask().entries[2], model="large", language="")
    past = reader.wait(lambda past: past.entries[2].model == "large" and not past.retried)
    assert past.entries[2].is_truncated


def test_another_model_writes_its_text_into_the_history(reader):
    entry = reader.ask().entries[2]
    reader.presenter.retry(entry, model="large", language="")
    past = reader.wait(lambda past: past.entries[2].model == "large" and not past.retried)
    assert past.entries[2].text == "by large in "
    assert any(2 in past.retried for past in reader.pasts)
    assert [type(event) for event in reader.posted] == [Noted]


@pytest.mark.parametrize("state", [EntryState.RECORDING, EntryState.WAITING])
def test_another_model_does_not_interfere_with_what_the_program_is_at_work_on(reader, folder, state):
    store = Store(Places(folder).database, busy_s=1.0)
    store.change(2, {"state": state}, is_durable=True)
    store.close()
    entry = reader.ask().entries[2]
    reader.presenter.retry(entry, model="large")
    past = reader.wait(lambda past: past.problem is not None)
    assert past.problem.title == "The app is working on entry 2."
    assert not past.retried
    reader.presenter.retry(entry)
    reader.ask(words="x")
    assert [type(event) for event in reader.posted] == [Recalled], "as before: the cycle decides"


def test_of_other_models_only_one_is_loaded_at_a_time(reader, folder):
    store, sound = Store(Places(folder).database, busy_s=1.0), "take-20260101T000000Z-00000001.wav"
    store.change(1, {"file": sound}, is_durable=True)
    store.close()
    (folder / "takes" / sound).write_bytes(wav.header(1000, wav.Stage.SETTLED, 0))
    go_on, second, begun = threading.Event(), threading.Event(), []

    def transcribe(path, _application, model, language, _moves):
        begun.append(path)
        if len(begun) > 1:
            second.set()
        assert go_on.wait(WAIT_S)
        return Retried("again", language, model)

    reader.presenter._transcribe = transcribe
    entries = reader.ask().entries
    for entry in (entries[2], entries[3]):
        reader.presenter.retry(entry, model="large")
    reader.wait(lambda past: past.retried == {1, 2})
    assert not second.wait(0.3), "both are loaded"
    go_on.set()
    reader.wait(lambda past: not past.retried)
    assert second.is_set()


def test_a_retry_that_fails_says_so_and_leaves_the_text(reader):
    reader.error = HandyError("There is no memory for it.", "Choose a smaller one.")
    entry = reader.ask().entries[2]
    reader.presenter.retry(entry, model="large")
    past = reader.wait(lambda past: past.problem is not None)
    assert past.problem.hint == "Choose a smaller one."
    assert past.entries[2].text == "Guten Abend."
    assert [type(event) for event in reader.posted] == [Failed]


def test_without_sound_nothing_is_tried_again(reader):
    reader.presenter.retry(reader.ask().entries[0])
    assert "no recording" in reader.wait(lambda past: past.problem is not None).problem.title


@pytest.mark.parametrize(
    ("ending", "begin"), [(".txt", "1970-01-01"), (".csv", "id,created"), (".jsonl", '{"id": 1')]
)
def test_all_is_exported_oldest_first_for_the_user_only(reader, tmp_path, ending, begin):
    target = tmp_path / f"out{ending}"
    reader.presenter.export(target, None)
    assert reader.wait(lambda past: past.exported is not None).exported == target
    written = target.read_text(encoding="utf-8")
    assert written.startswith(begin)
    assert written.index(TEXTS[0]) < written.index(TEXTS[2])
    assert is_private(target)


def test_some_are_exported_but_none_that_is_deleted(reader, tmp_path):
    target = tmp_path / "out.txt"
    reader.presenter.delete([1])
    reader.presenter.export(target, [3, 1])
    reader.wait(lambda past: past.exported is not None)
    assert TEXTS[2] in target.read_text(encoding="utf-8")
    assert TEXTS[0] not in target.read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_told_and_nothing_is_left_there(reader, tmp_path):
    reader.presenter.export(tmp_path / "missing" / "out.txt", None)
    assert "could not be written" in reader.wait(lambda past: past.problem is not None).problem.title
    reader.ask(most=9)
    (tmp_path / "folder").mkdir()
    reader.presenter.export(tmp_path / "folder", None)
    assert "could not be written" in reader.wait(lambda past: past.problem is not None).problem.title
    assert not list(tmp_path.glob(".export*"))
