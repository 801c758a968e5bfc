"""The parts put together, with stand-ins for devices and engine; and what the menus ask of them."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from handy_qwen import paths
from handy_qwen.app import choices, machine, program
from handy_qwen.app.desktop import ProgramWindows
from handy_qwen.app.program import Parts, Program
from handy_qwen.audio.connection import Listed
from handy_qwen.audio.devices import Device, Wish, no_microphone
from handy_qwen.audio.microphones import Microphones
from handy_qwen.audio.playback import Player, SoundCues
from handy_qwen.audio.portaudio import PortAudio
from handy_qwen.audio.recorder import MicrophoneRecorder
from handy_qwen.control import Endpoint, ask
from handy_qwen.core.events import (
    Configured,
    Failed,
    HotkeysFailed,
    ModelReady,
    Noted,
    Request,
    Requested,
    Trouble,
)
from handy_qwen.core.text import Replacement
from handy_qwen.core.types import KeyPermission, LiveMode, Method, Submit
from handy_qwen.core.view import MICROPHONE, Phase
from handy_qwen.errors import HotkeyError, HotkeyReason, InsertError, InsertReason
from handy_qwen.history.disk import DiskHistory
from handy_qwen.runtime import watchdog
from handy_qwen.runtime.controller import Ports
from handy_qwen.runtime.watchdog import LOOK_S, watches_of
from handy_qwen.runtime.worker import WatchedThread, Worker
from handy_qwen.settings import Settings
from handy_qwen.system.insert.inserter import DesktopInserter
from handy_qwen.transcriber.thread import EngineTranscriber
from handy_qwen.ui.overlay_card import content_of
from tests.fakes import (
    AT_ONCE,
    FakeCues,
    FakeHistory,
    FakeHotkeys,
    FakeInserter,
    FakeRecorder,
    FakeTranscriber,
    Idle,
)
from tests.waiting import wait_until

STARTING = "Handy Qwen is still starting."


class Around:
    """What else there is in a program."""

    thread, hotplug = Idle(), None

    def start(self):
        pass

    def close(self, _timeout_s):
        pass

    stop = close

    def workers(self):
        return {}

    def on_view(self, _view):
        pass


def parts_of(ports):
    """A program's parts, with stand-ins for those that are no ports."""
    around = Around()
    return Parts(
        ports, ports.recorder, ports.transcriber, ports.cues, ports.history, around, around, None, around
    )


class Bench:
    """A program whose parts are stand-ins, its chores done at once; controller and watchdog are stepped."""

    def __init__(self, monkeypatch, *, models=("demo",), is_hidden=False, error=None, inserter_error=None):
        self.models, self.views, self.quits, self.opened = models, [], [], []
        self.error, self.inserter_error = error, inserter_error
        self.program = Program(
            lambda: self.quits.append(True),
            is_hidden=is_hidden,
            open_file=self._open_file,
            build=self._build,
        )
        for worker in (self.program.chores, self.program.autostart):
            monkeypatch.setattr(worker, "do", lambda chore: chore())
        monkeypatch.setattr(self.program.chores, "start", lambda: None)
        monkeypatch.setattr(self.program.controller, "start", lambda: None)
        monkeypatch.setattr(self.program.watchdog, "start", lambda: None)
        installed = [SimpleNamespace(name=name) for name in models]
        monkeypatch.setattr("handy_qwen.models.installed.installed_models", lambda: installed)
        self.posted = []
        post = self.program.controller.post
        monkeypatch.setattr(
            self.program.controller, "post", lambda event: (self.posted.append(event), post(event))
        )
        self.openable = lambda _path: True

    def _open_file(self, path):
        self.opened.append(path)
        return self.openable(path)

    def _build(self, program):
        if self.error:
            raise self.error
        post = program.controller.post
        self.recorder = FakeRecorder(post, on_devices=program.on_devices)
        self.hotkeys, self.cues = FakeHotkeys(), FakeCues()
        self.transcriber, self.inserter = FakeTranscriber(post), FakeInserter(post)
        self.history = FakeHistory(post)
        if self.inserter_error:
            self.inserter.copy = self._fail_with(self.inserter_error)
        ports = Ports(
            self.hotkeys,
            self.recorder,
            self.transcriber,
            self.inserter,
            self.cues,
            self.history,
            post,
            program.controller.attempt,
            **AT_ONCE,
        )
        return parts_of(ports)

    def _fail_with(self, error):
        def copy(text):
            del text
            raise error

        return copy

    def start(self):
        self.program.start(self.views.append)
        return self.run()

    def run(self):
        self.program.controller.run_pending()
        return self

    def ask(self, command):
        """Ask as the command line does, while the cycle goes on."""
        with ThreadPoolExecutor() as asking:
            answer = asking.submit(ask, Endpoint(paths.runtime_dir()), command)
            wait_until(lambda: self.run() and answer.done(), f"an answer to {command}", interval_s=0.001)
        return answer.result()

    def look_for(self, seconds):
        """Let the watchdog look for so long."""
        for _ in range(int(seconds / LOOK_S) + 1):
            self.program.watchdog.look()

    @property
    def view(self):
        return self.views[-1]

    @property
    def titles(self):
        return [notice.title for notice in self.view.notices]


@pytest.fixture
def bench(app_home, monkeypatch):
    made = []

    def make(**options):
        made.append(Bench(monkeypatch, **options))
        return made[-1]

    make.home = app_home
    yield make
    for one in made:
        one.program.close()


def test_it_starts_with_the_hotkeys_of_the_settings_and_the_model_loading(bench, monkeypatch):
    monkeypatch.setattr(program.choices, "is_guide_due", lambda *_, **__: False)
    desk = bench().start()
    assert [hotkey.chord for hotkey in desk.hotkeys.hotkeys] == ["Right Ctrl"]
    assert desk.transcriber.model == ""
    assert desk.view.choices.models[0].name == "demo"
    assert "Handy Qwen is running." in desk.titles
    assert paths.settings_file().exists()


def test_only_the_demo_model_being_there_is_told(bench, monkeypatch):
    monkeypatch.setattr(program.choices, "is_guide_due", lambda *_, **__: False)
    notices = {one.title: one.hint for one in bench().start().view.notices}
    assert "tray → Model → Manage models" in notices[choices.DEMO_NOTICE]


def test_nothing_is_told_of_the_demo_model_where_there_is_another(bench):
    desk = bench(models=("big", "demo")).start()
    assert not [event for event in desk.posted if isinstance(event, Noted)]


@pytest.mark.expects_log
@pytest.mark.parametrize(
    ("error", "title"),
    [
        (HotkeyError("No hotkeys.", HotkeyReason.TAKEN, "Take another."), "No hotkeys."),
        (OSError("secret detail"), "Something went wrong."),
    ],
)
def test_a_part_that_cannot_be_built_is_a_lasting_problem_and_no_silence(bench, error, title):
    desk = bench(error=error).start()
    assert title in desk.titles
    assert desk.view.phase is Phase.PROBLEM
    assert any(isinstance(event, HotkeysFailed) for event in desk.posted)
    desk.program.controller.post(Requested(Request.START, 1.0))
    assert title in desk.run().titles, "a press is answered, too"
    assert desk.view.phase is Phase.PROBLEM
    desk.program.change(sounds=True)
    desk.program.copy_text("text")
    desk.program.refresh_choices()
    assert desk.program.level_db() == -100.0
    assert desk.run().program.store.value.sounds


def test_what_the_menus_choose_is_done_and_written_to_the_file(bench):
    desk = bench(models=("big", "demo")).start()
    desk.program.change(model="demo")
    desk.program.change(language="German")
    desk.program.use_microphone("Webcam")
    desk.program.change(method=Method.TYPE)
    desk.run()
    assert desk.transcriber.model == "demo"
    assert desk.recorder.configured == (Wish(("Webcam",), avoids_headsets=True), 30.0)
    choices = desk.view.choices
    assert (choices.model, choices.language, choices.microphone) == ("demo", "German", "Webcam")
    assert (choices.method, choices.recent_languages) == (Method.TYPE, ("German",))
    written = desk.program.store.path.read_text(encoding="utf-8")
    for line in ('model = "demo"', 'language = "German"', 'microphones = ["Webcam"]', 'method = "type"'):
        assert line in written


def test_without_a_microphone_the_state_is_a_problem_until_there_is_one(bench):
    desk = bench().start()
    desk.program.controller.post(ModelReady("demo", ("English",)))
    assert desk.run().view.phase is Phase.IDLE
    desk.program.controller.post(Trouble(MICROPHONE, no_microphone()))
    view = desk.run().view
    assert view.phase is Phase.PROBLEM
    assert desk.titles == ["No microphone was found."]
    assert content_of(view) is None, "no card that stays on the screen for good"
    desk.program.controller.post(Trouble(MICROPHONE, None))
    assert desk.run().view.phase is Phase.IDLE


def test_a_choice_can_be_taken_back_and_the_menus_know_what_is_chosen_by_itself(bench):
    desk = bench(models=("big", "demo")).start()
    desk.program.change(model="demo")
    desk.program.change(method=Method.COPY)
    choices = desk.run().view.choices
    assert not choices.is_model_automatic
    desk.program.change(model="")
    desk.program.change(method=None)
    choices = desk.run().view.choices
    assert (choices.is_model_automatic, choices.model) == (True, "big")
    assert choices.method is choices.automatic_method
    assert desk.program.store.value.method is None
    assert desk.program.store.value.model == ""


def test_settings_changed_by_hand_reach_every_part(bench):
    desk = bench().start()
    desk.program.store.path.write_text(
        'warm_s = -1\nsounds = true\nmodel = "other"\nsubmit = "enter"\n[[hotkeys]]\nchord = "f9"\n',
        encoding="utf-8",
    )
    desk.program.store.reload_if_changed()
    desk.program.store.reload_if_changed()  # it was written just now, perhaps not to its end
    desk.run()
    assert desk.recorder.configured == (Wish(avoids_headsets=True), float("inf"))
    assert desk.cues.is_on
    assert desk.transcriber.model == "other"
    assert [hotkey.chord for hotkey in desk.hotkeys.hotkeys] == ["f9"]
    rules = [event.rules for event in desk.posted if isinstance(event, Configured)][-1]
    assert rules.submit is Submit.ENTER


def test_custom_words_that_do_not_fit_are_told_when_the_settings_change_and_counted_in_the_log(bench, caplog):
    caplog.set_level("INFO")
    demo = SimpleNamespace(name="demo", folder=paths.asset("demo-model"))
    desk = bench().start()
    assert not any("custom words" in title for title in desk.titles)

    def write(words):
        desk.program.store.path.write_text(f"custom_words = {json.dumps(words)}\n", encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("handy_qwen.models.installed.find_model", lambda _asked: demo)
            desk.program.store.reload_if_changed()
            desk.program.store.reload_if_changed()  # it was written just now, perhaps not to its end
        desk.run()

    write([f"Zaphod{number}" for number in range(300)])
    told = [title for title in desk.titles if "custom words" in title]
    assert len(told) == 1
    assert told[0].endswith(" of 300 custom words fit.")
    write(["Anna", "Berta", "Carla, and more"])
    assert "custom words: 3 of 3" in caplog.text
    assert "Zaphod" not in caplog.text


def test_what_a_window_adds_holds_at_once_and_is_not_told_a_second_time(bench):
    desk = bench().start()
    words = tuple(f"Zaphod{number}" for number in range(300))
    desk.program.revise(lambda _now: {"custom_words": words, "replacements": (Replacement("a", "b"),)})
    desk.run()
    assert not any("custom words" in title for title in desk.titles)
    rules = [event.rules for event in desk.posted if isinstance(event, Configured)][-1]
    assert (rules.context, rules.text.replacements) == (words, (Replacement("a", "b"),))
    assert "Zaphod299" in desk.program.store.path.read_text(encoding="utf-8")


def test_pausing_the_history_is_written_to_the_file_and_reaches_it(bench):
    desk = bench().start()
    desk.program.change(private=True)
    desk.run()
    assert desk.history.told == ["private"]
    assert desk.view.choices.is_private
    assert "private = true" in desk.program.store.path.read_text(encoding="utf-8")
    again = bench().start()
    assert again.history.told == ["private"], "until the user lifts it, over a restart too"
    again.program.change(private=False)
    again.run()
    assert again.history.told == ["private", "not private"]


def test_a_take_is_in_the_history_with_all_that_became_of_it(bench):
    desk = bench().start()
    desk.ask("start")
    desk.ask("stop")
    desk.run()
    assert desk.history.told == ["1 begun", "1 complete", "1 done", "1 begun", "1 typed"]
    desk.ask("retry")
    desk.run()
    assert desk.history.told[5] == "2 replays entry 101"
    assert desk.inserter.texts == ["Hello.", " Hello."]


def test_the_parts_are_looked_after_also_if_the_start_fails_behind_them(bench, monkeypatch):
    def fail():
        raise OSError

    desk = bench()
    monkeypatch.setattr(desk.program, "list_models", fail)
    with pytest.raises(OSError):  # noqa: PT011  the thread of the chores logs it
        desk.start()
    assert {"microphone", "hotkey listener"} <= {watch.subject for watch in desk.program.watchdog.watches}


def test_a_text_that_cannot_be_copied_before_the_parts_are_there_is_not_passed_over(bench):
    desk = bench()
    desk.program.copy_text("old text")
    (failed,) = [event for event in desk.posted if isinstance(event, Failed)]
    assert failed.error.title == STARTING


@pytest.mark.expects_log
def test_the_settings_are_shown_with_what_is_wrong_and_a_broken_file_is_mended(bench):
    desk = bench()
    shown = []
    desk.program.start(desk.views.append, on_settings=shown.append)
    desk.run()
    assert shown[-1].values == desk.program.store.value
    path = Path(desk.program.store.path)
    path.write_text('sounds = true\nmode = "hold\n')
    for _ in range(3):
        desk.program.store.reload_if_changed()
    assert (shown[-1].error.line, shown[-1].error.name) == (2, "mode")
    desk.program.repair_settings()
    desk.run()
    assert path.read_text(encoding="utf-8") == 'sounds = true\n# mode = "hold\n'
    assert shown[-1].error is None
    assert shown[-1].values.sounds
    path.write_bytes(b"\xff")
    for _ in range(3):
        desk.program.store.reload_if_changed()
    desk.program.repair_settings()
    desk.run()
    assert (
        "cannot be repaired" in [event for event in desk.posted if isinstance(event, Failed)][-1].error.title
    )


def test_every_worker_is_looked_after(bench, monkeypatch):
    made, make = set(), WatchedThread.__init__

    def noted(thread, *told, **more):
        make(thread, *told, **more)
        made.add(thread)

    monkeypatch.setattr(WatchedThread, "__init__", noted)
    desk = bench()
    program = desk.program
    program.start(desk.views.append, workers=ProgramWindows(program).workers())
    desk.run()
    transcriber = EngineTranscriber(lambda _: None, lambda _: None)
    recorder = MicrophoneRecorder(lambda _: None, None)
    history = DiskHistory(lambda _: None, bench.home, lambda: None)
    cues, player, microphones = SoundCues(None, bench.home), Player(None), Microphones(None, "linux")
    x11 = pytest.importorskip("handy_qwen.system.hotkeys.x11", reason="speaks to X servers")
    listener = x11.X11Hotkeys(lambda _: None, display=":9876")
    lanes = {name: Worker(name, is_lazy=True) for name in AT_ONCE}
    clipboard = WatchedThread("clipboard", lambda: None)
    backend = SimpleNamespace(clipboard_thread=clipboard, close=lambda: None)
    backend.key_permission = lambda: KeyPermission.NOT_NEEDED
    inserter = DesktopInserter(
        lambda _: None, backend, stopping=threading.Event(), last_resort=lambda _: None
    )
    ports = replace(program.parts.ports, hotkeys=listener, inserter=inserter, **lanes)
    library = PortAudio()
    parts = Parts(ports, recorder, transcriber, cues, history, microphones, player, library, Around())
    watched = (*program.watchdog.watches, *watches_of(parts.watchable()))
    found = {watch.subject for watch in watched}
    assert {thread.name for thread in made - {watch.part for watch in watched}} == set()
    transcriber.close(30)
    inserter.close(30)
    cues.stop(30)
    assert found == {
        "dictation",
        "chores",
        "start at login",
        "control socket",
        "microphone",
        "sound library",
        "engine",
        "history",
        "hotkey listener",
        "focus",
        "text around the cursor",
        "copying",
        "setting of hotkeys",
        "insertion",
        "clipboard",
        "models",
        "work on models",
        "history window",
        "transcribing again",
        "files",
        "reading of files",
        "upkeep",
        "vocabulary",
        "cues",
        "playback",
        "hot-plugging",
    }
    assert len({watch.expected.title for watch in watched}) == len(found), "one has no name of its own"


@pytest.mark.expects_log
def test_a_part_that_is_stuck_lasts_in_the_view_even_if_it_is_the_cycle_itself(bench, monkeypatch):
    desk = bench().start()
    desk.program.chores.begin()
    desk.look_for(watchdog.CHORES.stuck_s)
    assert desk.titles == ["Changing settings isn't responding."], "the cycle does not run yet"
    monkeypatch.setattr(desk.program.controller, "is_running", lambda: True)
    monkeypatch.setattr(desk.transcriber.thread, "piece", lambda: 1)
    desk.look_for(watchdog.ENGINE.stuck_s)
    assert desk.run().titles[-1] == "The speech engine isn't responding."
    desk.program.controller.thread.begin()
    desk.look_for(watchdog.CYCLE.stuck_s)
    assert desk.titles == ["Dictating isn't responding."]
    assert desk.view.phase is Phase.PROBLEM


@pytest.mark.expects_log
def test_what_there_was_to_be_seen_comes_back_when_the_cycle_moves_again(bench, monkeypatch):
    desk = bench().start()
    desk.run()
    before = desk.view
    monkeypatch.setattr(desk.program.controller, "is_running", lambda: True)
    desk.program.controller.thread.begin()
    desk.look_for(watchdog.CYCLE.stuck_s)
    assert desk.view != before
    desk.program.controller.thread.end()
    desk.look_for(0)
    desk.run()
    assert desk.view == before


@pytest.mark.parametrize(("minutes", "idle_s"), [(0, None), (-1, 0.0), (15, 900.0), (0.5, 30.0)])
def test_the_idle_time_of_the_settings_in_seconds(minutes, idle_s):
    assert choices.idle_s_of(Settings(idle_unload_min=minutes)) == idle_s


@pytest.mark.expects_log
def test_a_text_is_copied_and_a_failure_told(bench):
    desk = bench().start()
    desk.program.copy_text("old text")
    assert desk.inserter.copied == ["old text"]
    error = InsertError("There is no clipboard.", InsertReason.UNSUPPORTED_DESKTOP)
    failing = bench(inserter_error=error).start()
    failing.program.copy_text("old text")
    assert [event for event in failing.posted if isinstance(event, Failed)] == [Failed(0, error)]


def test_devices_that_came_are_in_the_menu_but_no_monitors_of_loudspeakers(bench):
    desk = bench().start()
    webcam = Device("Webcam", "webcam", 48_000, 1, is_default=True)
    earbuds = Device("Earbuds", "bluez_input.1", 16_000, 1, is_headset=True)
    speakers = Device("Speakers", "monitor", 48_000, 2, is_monitor=True)
    desk.recorder.listed = Listed([webcam, earbuds, speakers], frozenset({"bluez_input.1"}))
    desk.program.refresh_choices()
    choices = desk.run().view.choices
    assert choices.microphones == ("Webcam", "Earbuds")
    assert (choices.default_microphone, choices.spared_microphones) == ("Webcam", ("Earbuds",))
    assert desk.program.level_db() == -20.0


def test_the_menu_opens_the_settings_file_and_quits(bench):
    desk = bench().start()
    desk.program.open_settings_file()
    desk.program.quit()
    assert desk.opened == [Path(desk.program.store.path)]
    assert desk.quits == [True]


def test_a_language_that_the_model_lacks_is_said_before_anybody_speaks(bench):
    desk = bench().start()
    desk.program.controller.post(ModelReady("demo", ("English", "German")))
    desk.program.change(language="de")
    assert [one for one in desk.run().view.notices if one.is_lasting] == []
    desk.program.change(language="French")
    (notice,) = [one for one in desk.run().view.notices if one.is_lasting]
    assert notice.title == "The model demo does not know French."
    desk.program.change(language="", hotkeys=[{"chord": "f9", "language": "auto"}])
    assert [one for one in desk.run().view.notices if one.is_lasting] == []
    desk.program.change(hotkeys=[{"chord": "f9", "language": "Thai"}])
    assert any("Thai" in one.title for one in desk.run().view.notices if one.is_lasting)
    desk.program.controller.post(ModelReady("other", ("English", "Thai")))
    assert [one for one in desk.run().view.notices if one.is_lasting] == []


def test_a_change_that_cannot_be_is_refused_in_a_notice(bench):
    desk = bench().start()
    desk.program.change(language="Klingon")
    assert desk.run().view.notices[-1].title == "The setting was not changed."
    assert desk.program.store.value.language == ""


@pytest.mark.parametrize("has_folder", [True, False])
def test_without_an_editor_the_folder_is_opened_and_the_place_told(bench, has_folder):
    desk = bench().start()
    desk.openable = lambda path: has_folder and path.is_dir()
    desk.program.open_settings_file()
    place = Path(desk.program.store.path)
    assert desk.opened == [place, place.parent]
    (notice,) = desk.run().view.notices[-1:]
    assert notice.title == "No program opened the settings file."
    assert str(place) in notice.hint


@pytest.mark.expects_log
def test_mistakes_in_the_settings_file_are_shown_until_they_are_gone(bench):
    desk = bench().start()
    place = desk.program.store.path
    text = place.read_text(encoding="utf-8")
    place.write_text(f'langage = "German"\n{text.replace("mode = ", "mode = 5 # ")}', encoding="utf-8")
    for _look in range(2):
        desk.program.store.reload_if_changed()
    (notice,) = [one for one in desk.run().view.notices if one.is_lasting]
    assert notice.title == "2 problems in settings.toml."
    assert "Line 1: langage is not a setting (did you mean language?)." in notice.hint
    assert "mode must be" in notice.hint
    place.write_text(text, encoding="utf-8")
    for _look in range(2):
        desk.program.store.reload_if_changed()
    assert [one for one in desk.run().view.notices if one.is_lasting] == []


@pytest.mark.expects_log
def test_at_the_end_every_part_ends_even_if_one_of_them_cannot(bench, monkeypatch):
    desk = bench().start()

    def fail(timeout_s):
        raise OSError(timeout_s)

    monkeypatch.setattr(desk.recorder, "close", fail)
    desk.program.close()
    assert desk.hotkeys.is_stopped
    assert desk.cues.played == ["stop"]


def test_a_dictation_goes_through_all_of_it(bench):
    desk = bench().start()
    desk.ask("start")
    desk.ask("stop")
    assert desk.run().inserter.texts == ["Hello."]
    assert desk.view.recent == ("Hello.",)


def test_a_machine_that_does_not_sleep_has_not_slept():
    assert machine.asleep_s() == pytest.approx(machine.asleep_s(), abs=0.5)


def battery(plugged):
    return lambda: SimpleNamespace(power_plugged=plugged)


@pytest.mark.parametrize(
    ("read", "expected"),
    [(battery(False), True), (battery(True), False), (battery(None), False), (lambda: None, False)],
)
def test_the_battery_counts_only_when_it_is_used(monkeypatch, read, expected):
    monkeypatch.setattr(psutil, "sensors_battery", read, raising=False)
    assert machine.is_on_battery() is expected


@pytest.mark.parametrize("error", [OSError, NotImplementedError, AttributeError])
def test_where_nobody_knows_of_a_battery_there_is_none(monkeypatch, error):
    def fail():
        raise error

    monkeypatch.setattr(psutil, "sensors_battery", fail, raising=False)
    assert machine.is_on_battery() is False


def test_each_take_asks_again_whether_the_battery_is_used(bench, monkeypatch):
    desk = bench().start()
    monkeypatch.setattr(psutil, "sensors_battery", battery(False), raising=False)
    assert desk.program.live_mode() is LiveMode.FINAL_WINDOWS_ONLY
    monkeypatch.setattr(psutil, "sensors_battery", battery(True), raising=False)
    assert desk.program.live_mode() is LiveMode.FULL
    desk.program.change(live_on_battery=LiveMode.OFF)
    monkeypatch.setattr(psutil, "sensors_battery", battery(False), raising=False)
    assert desk.program.live_mode() is LiveMode.OFF


@pytest.mark.expects_log
def test_what_the_cycle_wants_before_the_parts_are_there_fails_with_the_reason(bench):
    desk = bench()
    desk.program.configure()
    desk.run()
    (failed,) = [event for event in desk.posted if isinstance(event, HotkeysFailed)]
    assert failed.error.title == STARTING
