"""Sound files for their window: one after the other, a broken one among them; saved, copied, given up."""

import queue
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from handy_qwen import paths
from handy_qwen.app.files import LEFT_HINT, FilesPresenter
from handy_qwen.core.events import Noted
from handy_qwen.core.sound_files import FilesPage, FileState, Form
from handy_qwen.core.subtitles import NOTE
from handy_qwen.core.types import LiveMode, Rules
from handy_qwen.core.view import Remedy
from handy_qwen.models.installed import load_recognizer
from handy_qwen.transcriber.thread import EngineTranscriber
from tests.conftest import is_private

REPORT, CHAIRS = paths.asset("speech/report.flac"), paths.asset("speech/chairs.flac")
TEXT = "Please send the report to Anna on Monday."
GENEROUS_S = 60.0


class Files:
    """The presenter with the demo model behind it, and the last page it showed."""

    def __init__(self, folder):
        self.folder = folder
        self.events, self.pages = queue.SimpleQueue(), queue.SimpleQueue()
        self.copied, self.opened, self.posted, self.has_program = [], [], [], True
        self.engine = EngineTranscriber(
            self.events.put,
            lambda name: load_recognizer(name, 1),
            name="demo",
            live_mode=lambda: LiveMode.OFF,
        )
        self.rules = Rules(languages=("English", "German"))
        self.presenter = FilesPresenter(
            lambda: self.engine,
            lambda: self.rules,
            lambda: "demo",
            copy=self.copied.append,
            open_file=self.open_file,
            post=self.posted.append,
            folder=folder,
        )
        self.presenter.listener = self.pages.put
        self.page = FilesPage()

    def open_file(self, path):
        self.opened.append(path)
        return self.has_program

    def until(self, has_come):
        deadline_s = time.monotonic() + GENEROUS_S
        while not has_come(self.page):
            self.page = self.pages.get(timeout=max(0.0, deadline_s - time.monotonic()))
        return self.page

    def all_done(self):
        ended = {FileState.DONE, FileState.FAILED}
        return self.until(lambda page: page.entries and all(one.state in ended for one in page.entries))

    def told(self, number):
        return self.until(lambda page: page.told.number >= number).told


@pytest.fixture
def files(app_home):
    made = Files(app_home / "data" / "files")
    yield made
    made.presenter.close(GENEROUS_S)
    made.presenter.close(GENEROUS_S)
    made.engine.close(GENEROUS_S)


def test_files_and_those_in_folders_are_transcribed_in_order_and_a_broken_one_stops_nothing(files, tmp_path):
    (tmp_path / "talks").mkdir()
    shutil.copy(REPORT, tmp_path / "talks" / "a.flac")
    (tmp_path / "talks" / "b.wav").write_bytes(b"no sound" * 100)
    soundfile.write(tmp_path / "talks" / "c.wav", np.zeros(16_000), 16_000)
    files.presenter.add([tmp_path / "talks", CHAIRS])
    report, broken, silent, chairs = files.all_done().entries
    assert [one.path.name for one in files.page.entries] == ["a.flac", "b.wav", "c.wav", CHAIRS.name]
    assert (report.text, report.note, report.problem) == (TEXT, "", None)
    assert broken.state is FileState.FAILED
    assert "b.wav" in broken.problem.title
    assert (silent.text, silent.note) == ("", "No text: the recording is silent.")
    assert chairs.text


def test_texts_are_saved_in_each_form_copied_and_opened(files, tmp_path):
    files.presenter.add([REPORT, CHAIRS])
    first, second = (one.number for one in files.all_done().entries)
    files.presenter.copy([first])
    assert files.told(1).title == "The text is on the clipboard."
    assert files.copied == [TEXT]
    files.presenter.save([first], Form.SRT, tmp_path / "one.srt")
    told = files.told(2)
    assert (told.title, told.hint) == ("Saved as one.srt.", NOTE)
    assert TEXT in (tmp_path / "one.srt").read_text(encoding="utf-8").replace("\n", " ")
    files.presenter.open(first)
    (tmp_path / "report.flac.txt").write_text("mine", encoding="utf-8")
    files.presenter.save([first, second], Form.TEXT, tmp_path)
    assert files.told(3).title == f"Saved 2 texts in {tmp_path.name}."
    assert files.opened == [tmp_path / "one.srt"]
    assert (tmp_path / "report.flac.txt").read_text(encoding="utf-8") == "mine", "nothing is replaced"
    assert (tmp_path / "report.flac (2).txt").read_text(encoding="utf-8") == f"{TEXT}\n"
    assert files.page.entries[0].saved == tmp_path / "report.flac (2).txt"
    files.presenter.save([first, second], Form.VTT, tmp_path)
    files.told(4)
    assert sorted(path.name for path in tmp_path.glob("*.vtt")) == ["chairs.vtt", "report.vtt"]
    files.presenter.save([first], Form.JSON, tmp_path / "none" / "x.json")
    told = files.told(5)
    assert (told.title, told.is_problem) == ("x.json can't be written: No such file or directory.", True)
    files.has_program = False
    files.presenter.open(second)
    assert files.told(6).title.startswith("No program opened")


def test_what_is_given_up_ends_and_the_next_begins(files, tmp_path):
    long = tmp_path / "long.wav"
    sound, rate_hz = soundfile.read(CHAIRS)
    soundfile.write(long, np.tile(sound, 200), rate_hz)
    files.presenter.add([long, REPORT])
    working = files.until(lambda page: page.entries and page.entries[0].state is FileState.WORKING).entries[0]
    files.presenter.remove([working.number])
    (report,) = files.all_done().entries
    assert report.text == TEXT


def test_a_dictation_in_between_gets_its_text_and_the_file_is_whole(files, tmp_path):
    long = tmp_path / "long.wav"
    sound, rate_hz = soundfile.read(REPORT)
    pause = np.zeros(rate_hz)
    soundfile.write(long, np.concatenate([part for _ in range(12) for part in (sound, pause)]), rate_hz)
    files.presenter.add([long])
    files.until(lambda page: page.entries and page.entries[0].share)
    heard, rate_hz = soundfile.read(REPORT, dtype="float32")
    assert rate_hz == 16_000
    files.engine.begin(1, ("English",), ())
    files.engine.feed(1, heard)
    files.engine.finish(1)
    while getattr(event := files.events.get(timeout=GENEROUS_S), "text", None) is None:
        pass
    assert event.text == TEXT
    assert files.page.entries[0].state is FileState.WORKING
    (entry,) = files.all_done().entries
    assert entry.text == " ".join([TEXT] * 12)


def test_an_empty_folder_is_said_to_be(files, tmp_path):
    files.presenter.add([tmp_path])
    told = files.told(1)
    assert (told.title, told.is_problem) == (f"There is no sound file in {tmp_path.name}.", True)


def test_files_that_are_added_before_the_engine_is_there_wait_for_it_and_can_be_given_up(files):
    files.engine, later = None, files.engine
    files.presenter.add([CHAIRS, REPORT])
    page = files.until(lambda page: page.entries and page.entries[0].state is FileState.WORKING)
    files.presenter.remove([page.entries[0].number])
    files.until(lambda page: [one.state for one in page.entries] == [FileState.WORKING])
    files.engine = later
    (report,) = files.all_done().entries
    assert report.text == TEXT


@pytest.mark.expects_log
def test_texts_outlive_the_program_until_they_are_removed_unless_the_history_is_paused(files, tmp_path):
    files.presenter.add([REPORT])
    (report,) = files.all_done().entries
    files.presenter.save([report.number], Form.TEXT, tmp_path / "x.txt")
    files.told(1)
    files.rules = Rules(is_private=True)
    files.presenter.add([CHAIRS])
    files.all_done()
    (kept,) = files.folder.iterdir()
    assert is_private(kept)
    (files.folder / "9.json").write_bytes(b"{")  # cut short
    later = Files(files.folder)
    later.presenter.look()
    (entry,) = later.until(lambda page: page.entries).entries
    assert entry == replace(report, saved=tmp_path / "x.txt")
    later.presenter.start()
    later.presenter.copy([entry.number])
    later.told(1)
    assert later.posted == [], "nothing was left"
    later.presenter.save([entry.number], Form.SRT, tmp_path / "x.srt")
    later.told(2)
    assert TEXT in (tmp_path / "x.srt").read_text(encoding="utf-8").replace("\n", " ")
    later.presenter.add([CHAIRS])
    assert later.until(lambda page: len(page.entries) == 2).entries[1].number == 10
    later.presenter.remove([entry.number, 10])
    later.until(lambda page: not page.entries)
    later.presenter.close(GENEROUS_S)
    later.engine.close(GENEROUS_S)
    assert [path.name for path in files.folder.iterdir()] == ["9.json"]


def test_files_that_wait_when_the_program_ends_are_offered_at_the_next_start(files, tmp_path):
    long = tmp_path / "long.wav"
    sound, rate_hz = soundfile.read(CHAIRS)
    soundfile.write(long, np.tile(sound, 100), rate_hz)
    broken = tmp_path / "b.wav"
    broken.write_bytes(b"no sound" * 100)
    files.presenter.add([broken, long, REPORT])
    files.until(lambda page: len(page.entries) == 3 and page.entries[1].share)
    reader = files.presenter._reader
    reader.stop = lambda _timeout_s, stop=reader.stop: stop(GENEROUS_S)  # so that it ends first
    files.presenter.close(GENEROUS_S)
    assert len(list(files.folder.iterdir())) == 3
    assert all(map(is_private, files.folder.iterdir()))
    shutil.copy(CHAIRS, long)
    later = Files(files.folder)
    later.presenter.start()
    left = later.until(lambda page: len(page.entries) == 3).entries
    assert [one.state for one in left] == [FileState.FAILED, FileState.LEFT, FileState.LEFT]
    assert left[0].problem == files.page.entries[0].problem
    later.presenter.copy([])
    later.told(1)
    assert later.posted == [Noted("2 files are not transcribed yet.", LEFT_HINT, Remedy.FILES)]
    assert [one.state for one in later.page.entries] == [one.state for one in left], (
        "nothing begins by itself"
    )
    shutil.copy(REPORT, broken)
    later.presenter.transcribe([one.number for one in left])
    assert [one.text for one in later.all_done().entries][::2] == [TEXT, TEXT]
    assert {one.state for one in later.page.entries} == {FileState.DONE}
    again = Files(files.folder)
    again.presenter.look()
    assert again.until(lambda page: page.entries).entries == later.page.entries
    for each in (later, again):
        each.presenter.close(GENEROUS_S)
        each.engine.close(GENEROUS_S)


def test_a_text_that_comes_while_the_program_ends_is_kept(files):
    begun, is_read, goes_on = threading.Event(), threading.Event(), threading.Event()

    def hold(page):
        if page.entries:
            begun.set()
            goes_on.wait(GENEROUS_S)

    files.presenter.listener = hold
    files.presenter.add([CHAIRS, REPORT])
    assert begun.wait(GENEROUS_S)
    files.presenter._reader.do(is_read.set)
    assert is_read.wait(GENEROUS_S), "the text is there, and nobody has taken it yet"
    files.presenter.close(0.0)
    goes_on.set()
    files.presenter.close(GENEROUS_S)
    later = Files(files.folder)
    later.presenter.look()
    chairs, report = later.until(lambda page: page.entries).entries
    assert (chairs.state, report.state) == (FileState.DONE, FileState.LEFT)
    assert chairs.text
    later.presenter.close(GENEROUS_S)
    later.engine.close(GENEROUS_S)


@pytest.mark.expects_log
def test_a_text_that_cannot_be_kept_is_to_be_saved_and_nothing_is_said_before_there_is_one(files):
    files.folder.parent.mkdir(parents=True)
    files.folder.write_bytes(b"")
    files.presenter.add([REPORT])
    told = files.told(1)
    assert told.title.startswith("The text of report.flac can't be kept: ")
    assert [one.text for one in files.page.entries] == [TEXT]
    files.presenter.copy([1])
    assert files.told(2).title == "The text is on the clipboard."


def test_while_the_history_is_paused_no_name_of_a_file_is_kept(files):
    files.presenter.add([REPORT])
    files.all_done()
    assert len(list(files.folder.iterdir())) == 1
    files.engine, later = None, files.engine  # it waits
    files.presenter.add([CHAIRS])
    files.until(lambda page: len(page.entries) == 2)
    files.rules = Rules(is_private=True)
    files.engine = later
    files.all_done()
    files.presenter.add([CHAIRS])
    files.until(lambda page: len(page.entries) == 3)
    files.all_done()
    assert [kept.stem for kept in files.folder.iterdir()] == ["1"]
