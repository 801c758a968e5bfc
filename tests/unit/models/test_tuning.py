"""How many threads suit a model: the search, and what keeps a busy machine from being measured."""

import time
from contextlib import suppress

import pytest

from handy_qwen import paths
from handy_qwen.app.installer import Installer
from handy_qwen.core.models import DEMO
from handy_qwen.errors import CancelledError
from handy_qwen.models import tuning
from handy_qwen.models.installed import InstalledModel, find_model, load_recognizer
from handy_qwen.models.machine import threads_for
from handy_qwen.models.tuning import best_count, is_tuned, tune

COUNTS = [1, 2, 3, 4, 6, 8, 12, 16]


@pytest.mark.parametrize(
    ("times", "usual", "chosen", "measured"),
    [
        ({1: 4.0, 2: 2.0, 3: 1.95, 4: 2.0, 6: 2.6}, 4, 4, {1, 2, 3, 4, 6}),  # equal: the larger
        ({1: 4.0, 2: 2.0, 3: 3.0, 4: 4.0, 6: 5.0}, 4, 2, {1, 2, 3, 4, 6}),
        ({6: 2.0, 8: 1.8, 12: 1.79, 16: 2.5}, 8, 8, {6, 8, 12, 16}),  # no more without need
        ({6: 3.0, 8: 2.0, 12: 1.0, 16: 0.5}, 8, 16, {6, 8, 12, 16}),  # as long as it gets better
        ({1: 1.0, 2: 1.5}, 1, 1, {1, 2}),
        ({12: 2.0, 16: 1.0}, 99, 16, {12, 16}),
    ],
)
def test_the_search_goes_on_while_it_gets_better(times, usual, chosen, measured):
    asked = []

    def seconds(count):
        asked.append(count)
        return times[count]

    assert best_count(seconds, COUNTS, usual=usual) == chosen
    assert set(asked) == measured
    assert len(asked) == len(measured), "nothing is measured twice"


@pytest.fixture
def demo(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path))
    monkeypatch.setattr(tuning, "_COUNTS", (1, 2))
    monkeypatch.setattr(tuning, "_LOOK_S", 0.0)
    monkeypatch.setattr(tuning, "_measured", {})
    return find_model(DEMO).folder


class Quiet(tuning._Clock):
    """A machine that does nothing else."""

    def others(self):
        return 0.0


def test_a_model_is_loaded_with_the_threads_that_were_measured(demo, monkeypatch):
    monkeypatch.setattr(tuning, "_Clock", Quiet)
    assert not is_tuned(demo)
    tune(demo)
    assert is_tuned(demo)
    assert threads_for(demo) in {1, 2}
    given = []
    monkeypatch.setattr("handy_qwen.models.installed.load_model", lambda *_, **options: given.append(options))
    load_recognizer(DEMO)
    load_recognizer(DEMO, threads=7)
    assert [options["threads"] for options in given] == [threads_for(demo), 7]


def test_on_a_busy_machine_nothing_is_concluded(demo, monkeypatch):
    monkeypatch.setattr(Quiet, "others", lambda _clock: 0.5)
    monkeypatch.setattr(tuning, "_Clock", Quiet)
    tune(demo)
    assert not is_tuned(demo)


def test_what_would_not_fit_beside_the_model_in_use_is_not_measured(demo, monkeypatch):
    monkeypatch.setattr(tuning, "_Clock", Quiet)
    monkeypatch.setattr(tuning, "needed_memory", lambda _model: 1 << 60)
    tune(demo)
    assert not is_tuned(demo)


def test_measuring_can_be_cancelled(demo):
    def stop():
        raise CancelledError

    with pytest.raises(CancelledError):
        tune(demo, stop)
    assert not is_tuned(demo)


@pytest.mark.parametrize("interruption", [tuning._BusyError, CancelledError])
def test_what_was_measured_before_an_interruption_is_not_measured_again(demo, monkeypatch, interruption):
    asked = []

    def seconds(_folder, threads, _on_step):
        asked.append(threads)
        if len(asked) == 2:
            raise interruption
        return 1.0

    monkeypatch.setattr(tuning, "_Clock", Quiet)
    monkeypatch.setattr(tuning, "_seconds", seconds)
    with suppress(CancelledError):
        tune(demo)
    assert not is_tuned(demo)
    tune(demo)
    assert is_tuned(demo)
    assert sorted(asked) == sorted([*{1, 2}, asked[1]])
    assert not tuning._measured


@pytest.mark.parametrize(("name", "threads"), [(DEMO, None), ("full", 2)])
def test_neither_the_demo_nor_a_number_that_was_chosen_is_tuned(demo, monkeypatch, name, threads):
    monkeypatch.setattr("handy_qwen.models.installed.find_model", lambda _name: InstalledModel(name, demo))
    monkeypatch.setattr(tuning, "_seconds", None)
    Installer(lambda: threads).tune(name, None)


def test_the_share_of_others_is_a_share():
    clock, end = tuning._Clock(), time.monotonic() + 0.5
    while time.monotonic() < end:
        sum(range(10_000))
    assert -0.5 < clock.others() < 1.5  # the system counts in ticks
