"""The presenter of the models: what is shown while they are installed, used, measured and removed."""

import queue
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from handy_qwen.app.models import ModelsPresenter
from handy_qwen.core.events import Failed, Noted
from handy_qwen.core.models import InstallStage, ModelEntry, ModelStatus, Progress
from handy_qwen.errors import CancelledError, EngineError, HandyError, OutOfMemoryError
from handy_qwen.runtime.watchdog import MODELS_WORK

DEMO = ModelEntry("demo", "Demo", status=ModelStatus.INSTALLED, is_permanent=True, disk_bytes=4)
SMALL = ModelEntry("small", "Small", download_bytes=100, disk_bytes=40)
LARGE = ModelEntry("large", "Large", download_bytes=300, disk_bytes=90)
WAIT_S = 10.0


class Shop:
    """An installer whose work goes on when the test says so."""

    def __init__(self):
        self.models = {one.name: one for one in (SMALL, LARGE, DEMO)}
        self.go_on = threading.Event()
        self.error = None
        self.told = threading.Semaphore(0)
        self.measured = []
        self.tuned = queue.SimpleQueue()
        self.presets = []

    def entries(self):
        return tuple(self.models.values())

    def _be(self, name, **changes):
        self.models[name] = replace(self.models[name], **changes)

    def install(self, name, preset, tell):
        self.presets.append(preset)
        share = 0.25
        try:
            while True:
                tell(Progress(InstallStage.DOWNLOADING, share, 25, 100))
                self.told.release()
                if self.go_on.wait(0.01):
                    break
        except CancelledError:
            self._be(name, status=ModelStatus.PAUSED, partial_bytes=25)
            raise
        if self.error is not None:
            raise self.error
        self._be(name, status=ModelStatus.INSTALLED)

    def import_from(self, _source, tell):
        tell(Progress(InstallStage.UNPACKING, 0.5))
        self.go_on.wait(WAIT_S)
        if self.error is not None:
            raise self.error
        self.models["mine"] = ModelEntry("mine", "mine", status=ModelStatus.INSTALLED)
        return "mine"

    def discard(self, name):
        self._be(name, status=ModelStatus.AVAILABLE, partial_bytes=0)

    def remove(self, name):
        if self.error is not None:
            raise self.error
        self._be(name, status=ModelStatus.AVAILABLE)

    def tune(self, name, tell):
        tell(Progress(InstallStage.TESTING))
        self.tuned.put(name)

    def measure(self, name, tell):
        tell(Progress(InstallStage.TESTING))
        self.measured.append(name)
        if self.error is not None:
            raise self.error
        self._be(name, clip_s=1.5)


class Counter:
    """The presenter, and what it shows and says."""

    def __init__(self, tmp_path):
        self.shop, self.posted, self.used = Shop(), [], ["demo"]
        self.presenter = ModelsPresenter(
            self.shop,
            post=self.posted.append,
            use=self.used.append,
            chosen=lambda: self.used[-1],
            machine=lambda: (tmp_path, 1000, 2000),
        )
        self._changed = threading.Condition()
        self.lists = []
        self.presenter.listener = self._listen

    def _listen(self, shown):
        with self._changed:
            self.lists.append(shown)
            self._changed.notify_all()

    def entry(self, name):
        return next((one for one in self.lists[-1].entries if one.name == name), None)

    def wait(self, condition):
        """Wait until the last list fulfils ``condition``."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.lists and condition(self), WAIT_S), self.lists[-1:]

    def wait_status(self, name, status):
        self.wait(lambda now: now.entry(name) is not None and now.entry(name).status is status)


@pytest.fixture
def counter(tmp_path):
    made = Counter(tmp_path)
    yield made
    made.shop.go_on.set()
    made.presenter.close(WAIT_S)


def test_the_list_has_models_free_space_and_which_is_used(counter, tmp_path):
    counter.presenter.refresh()
    counter.wait(lambda now: now.entry("demo").is_chosen)
    shown = counter.lists[-1]
    assert (shown.folder, shown.free_bytes, shown.memory_bytes) == (tmp_path, 1000, 2000)
    assert not shown.has_full_model


def test_the_first_installation_shows_progress_is_used_measured_and_said(counter):
    counter.presenter.install("small")
    counter.wait(
        lambda now: (
            now.entry("small")
            and now.entry("small").progress == Progress(InstallStage.DOWNLOADING, 0.25, 25, 100)
        )
    )
    counter.shop.go_on.set()
    counter.wait(lambda now: now.entry("small").clip_s == 1.5)
    assert counter.entry("small").status is ModelStatus.INSTALLED
    assert counter.used == ["demo", "small"]
    assert [event.title for event in counter.posted if isinstance(event, Noted)] == ["Small is installed."]


def test_a_model_is_installed_in_the_form_that_was_chosen(counter):
    counter.shop.go_on.set()
    for preset in ("", "smallest"):
        counter.presenter.install("small", preset)
        counter.wait_status("small", ModelStatus.INSTALLED)
        counter.presenter.remove("small")
        counter.wait_status("small", ModelStatus.AVAILABLE)
    assert counter.shop.presets == ["", "smallest"]


def test_a_second_installation_leaves_the_model_in_use(counter):
    counter.shop._be("small", status=ModelStatus.INSTALLED)
    counter.presenter.refresh()
    counter.presenter.install("large")
    counter.shop.go_on.set()
    counter.wait_status("large", ModelStatus.INSTALLED)
    assert counter.used == ["demo"]
    assert "Models" in next(event.hint for event in counter.posted if isinstance(event, Noted))


def test_a_pause_keeps_what_is_here_and_the_next_one_begins(counter):
    counter.presenter.install("small")
    assert counter.shop.told.acquire(timeout=WAIT_S)
    counter.presenter.install("large")
    counter.wait(lambda now: now.entry("large").progress == Progress(InstallStage.WAITING))
    counter.presenter.pause("small")
    counter.wait_status("small", ModelStatus.PAUSED)
    assert counter.entry("small").partial_bytes == 25
    counter.wait(lambda now: now.entry("large").progress.stage is InstallStage.DOWNLOADING)
    counter.presenter.discard("small")
    counter.wait_status("small", ModelStatus.AVAILABLE)
    assert counter.posted == []


def test_one_that_waits_is_given_up_at_once(counter):
    counter.presenter.install("small")
    counter.presenter.install("large")
    counter.presenter.pause("large")
    counter.wait(
        lambda now: now.entry("large").status is ModelStatus.AVAILABLE and now.entry("small").progress
    )
    counter.shop.go_on.set()
    counter.wait_status("small", ModelStatus.INSTALLED)


def test_a_failure_stands_at_its_model_until_it_is_tried_again(counter):
    counter.shop.error = HandyError("The network is gone.", "Look for it.")
    counter.shop.go_on.set()
    counter.presenter.install("small")
    counter.wait(lambda now: now.entry("small").problem is not None)
    assert counter.entry("small").problem.hint == "Look for it."
    assert [type(event) for event in counter.posted] == [Failed]
    counter.shop.error = None
    counter.presenter.install("small")
    counter.wait_status("small", ModelStatus.INSTALLED)
    assert counter.entry("small").problem is None


@pytest.mark.expects_log
def test_what_nobody_thought_of_is_told_as_well_and_the_next_job_runs(counter):
    counter.shop.error = ZeroDivisionError()
    counter.shop.go_on.set()
    counter.presenter.install("small")
    counter.wait(lambda now: now.entry("small").problem is not None)
    assert "log" in counter.entry("small").problem.hint
    counter.shop.error = None
    counter.presenter.install("large")
    counter.wait_status("large", ModelStatus.INSTALLED)


@pytest.mark.expects_log
def test_a_job_that_ends_its_thread_is_told_and_the_next_one_runs_when_the_watchdog_has_looked(counter):
    def die(_name, _preset, _tell):
        raise SystemExit

    install, counter.shop.install = counter.shop.install, die
    counter.presenter.install("small")
    counter.wait(lambda now: now.entry("small").problem is not None)
    thread = counter.presenter.workers[MODELS_WORK]
    thread.join(WAIT_S)
    assert thread.has_died()
    counter.shop.install = install
    counter.shop.go_on.set()
    counter.presenter.install("large")
    thread.revive()
    counter.wait_status("large", ModelStatus.INSTALLED)


def test_an_import_is_shown_by_its_file_and_then_by_its_name(counter):
    counter.presenter.import_from(Path("/media/stick/mine.zip"))
    counter.wait(lambda now: any(one.title == "mine.zip" and one.progress for one in now.lists[-1].entries))
    counter.shop.go_on.set()
    counter.wait_status("mine", ModelStatus.INSTALLED)
    assert [one.title for one in counter.lists[-1].entries if one.title == "mine.zip"] == []
    assert counter.used[-1] == "mine"


def test_an_import_that_fails_can_be_tried_again_and_is_forgotten_when_the_window_comes_up_again(counter):
    counter.shop.error = HandyError("It is no model.")
    counter.shop.go_on.set()
    counter.presenter.import_from(Path("/media/stick/mine.zip"))

    def stranger(now):
        return next((one for one in now.lists[-1].entries if one.title == "mine.zip"), None)

    counter.wait(lambda now: stranger(now) is not None and stranger(now).problem is not None)
    alias = stranger(counter).name
    counter.presenter.refresh()
    counter.wait(lambda now: stranger(now) is None)
    counter.presenter.import_from(Path("/media/stick/mine.zip"))
    counter.wait(lambda now: stranger(now) is not None and stranger(now).problem is not None)
    counter.shop.error = None
    counter.presenter.install(alias)
    counter.wait_status("mine", ModelStatus.INSTALLED)


def test_removing_the_model_in_use_goes_back_to_another(counter):
    counter.shop._be("small", status=ModelStatus.INSTALLED)
    counter.used.append("small")
    counter.presenter.refresh()
    counter.presenter.remove("small")
    counter.wait_status("small", ModelStatus.AVAILABLE)
    assert counter.used[-1] == "demo"


def test_removing_prefers_a_full_model_to_the_demo_wherever_it_stands(counter):
    counter.shop._be("small", status=ModelStatus.INSTALLED)
    counter.shop.models["own"] = ModelEntry("own", "own", status=ModelStatus.INSTALLED)
    counter.used.append("small")
    counter.presenter.refresh()
    counter.presenter.remove("small")
    counter.wait_status("small", ModelStatus.AVAILABLE)
    assert counter.used[-1] == "own"


def test_one_that_cannot_be_removed_says_why(counter):
    counter.shop._be("small", status=ModelStatus.INSTALLED)
    counter.shop.error = HandyError("It could not be deleted.")
    counter.presenter.remove("small")
    counter.wait(lambda now: now.entry("small").problem is not None)
    assert counter.entry("small").status is ModelStatus.INSTALLED
    assert not counter.entry("small").is_damaged


@pytest.mark.parametrize(
    ("error", "is_damaged"),
    [(EngineError("It is not whole."), True), (OutOfMemoryError(), False)],
)
def test_a_model_that_does_not_run_is_damaged_but_not_for_want_of_memory(counter, error, is_damaged):
    counter.shop._be("small", status=ModelStatus.INSTALLED)
    counter.shop.error = error
    counter.presenter.refresh()
    counter.presenter.measure("small")
    counter.wait(lambda now: now.entry("small").problem is not None)
    assert counter.entry("small").is_damaged is is_damaged
    counter.shop.error = None
    counter.presenter.measure("small")
    counter.wait(lambda now: now.entry("small").clip_s is not None)
    assert not counter.entry("small").is_damaged
    assert counter.entry("small").problem is None


def test_a_speed_that_was_measured_is_shown(counter):
    counter.shop._be("small", status=ModelStatus.INSTALLED)
    counter.presenter.refresh()
    counter.presenter.measure("small")
    counter.wait(lambda now: now.entry("small").clip_s == 1.5 and not now.entry("small").is_measuring)


def test_the_model_in_use_is_tuned(counter):
    counter.used.append("small")
    counter.presenter.tune()
    assert counter.shop.tuned.get(timeout=WAIT_S) == "small"
    assert not counter.posted


def test_closing_pauses_what_is_being_installed(counter):
    counter.presenter.install("small")
    assert counter.shop.told.acquire(timeout=WAIT_S)
    counter.presenter.close(WAIT_S)
    assert counter.shop.models["small"].status is ModelStatus.PAUSED
    counter.presenter.close(WAIT_S)
