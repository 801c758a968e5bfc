"""What is measured of a model when nobody waits: threads, and a graphics card where there is one."""

import shutil

import pytest

from handy_qwen import paths
from handy_qwen.app.installer import Installer
from handy_qwen.models import device_trial, tuning
from handy_qwen.models.installed import demo_model
from handy_qwen.models.machine import threads_for

pytestmark = pytest.mark.usefixtures("app_home")
NAME = "mine"


@pytest.fixture
def tried(monkeypatch):
    """A model, and what was tried with it."""
    shutil.copytree(demo_model().folder, paths.models_dir() / NAME)
    found = []
    monkeypatch.setattr(tuning, "tune", lambda folder, _step: found.append((folder.name, "threads")))
    monkeypatch.setattr(tuning, "is_tuned", lambda folder: (folder.name, "threads") in found)
    monkeypatch.setattr(device_trial, "is_trial_due", lambda _folder: True)
    monkeypatch.setattr(
        device_trial, "try_devices", lambda folder, threads, _step: found.append((folder.name, threads))
    )
    return found


@pytest.mark.parametrize(
    ("threads", "may_use_devices", "expected"),
    [
        (3, True, [(NAME, 3)]),
        (3, False, []),
        (None, False, [(NAME, "threads")]),
    ],
)
def test_only_what_is_not_set_is_measured(tried, threads, may_use_devices, expected):
    Installer(lambda: threads, lambda: may_use_devices).tune(NAME, lambda _progress: None)
    assert tried == expected


def test_a_device_is_tried_against_the_threads_that_suit(tried, monkeypatch):
    monkeypatch.setattr("handy_qwen.models.machine.threads_for", lambda _folder: 7)
    Installer(lambda: None, lambda: True).tune(NAME, lambda _progress: None)
    assert tried == [(NAME, "threads"), (NAME, 7)]


def test_no_device_is_tried_while_others_use_the_machine(tried, monkeypatch):
    """Then the number of threads is not known afterwards either."""
    monkeypatch.setattr(tuning, "tune", lambda *_: None)
    Installer(lambda: None, lambda: True).tune(NAME, lambda _progress: None)
    assert tried == []


def test_nothing_is_measured_beside_a_dictation_also_behind_an_installation(tried, monkeypatch):
    """The first one is often spoken right then: it would wait, and what is found would be wrong for good."""
    monkeypatch.setattr(tuning, "tune", lambda folder, step: (step(), tried.append((folder.name, "threads"))))
    is_idle, told = [True, False], []
    installer = Installer(lambda: None, lambda: True, is_idle.pop)
    installer.tune(NAME, told.append)
    assert tried == []
    installer.tune(NAME, told.append)
    assert tried == [(NAME, "threads"), (NAME, threads_for(paths.models_dir() / NAME))]
    assert len(told) == 2
