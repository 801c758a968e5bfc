"""What is measured of a model when nobody waits: threads, and a graphics card where there is one."""

import shutil
import sys
from unittest.mock import Mock

import pytest

from handy_qwen import paths
from handy_qwen.app import installer
from handy_qwen.app.installer import Installer
from handy_qwen.models import tuning
from handy_qwen.models.installed import demo_model
from handy_qwen.models.machine import choice_of, threads_for
from handy_qwen.system.entries import Launch

pytestmark = pytest.mark.usefixtures("app_home")
NAME = "mine"


@pytest.fixture
def tried(monkeypatch):
    """A model, and what was tried with it."""
    shutil.copytree(demo_model().folder, paths.models_dir() / NAME)
    found = []
    monkeypatch.setattr(tuning, "tune", lambda folder, _step: found.append((folder.name, "threads")))
    monkeypatch.setattr(tuning, "is_tuned", lambda folder: (folder.name, "threads") in found)
    monkeypatch.setattr(tuning, "is_trial_due", lambda _folder: True)
    monkeypatch.setattr(
        installer, "_try_devices", lambda folder, threads, _step: found.append((folder.name, threads))
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
    shop = Installer(lambda: None, lambda: True, is_idle.pop)
    shop.tune(NAME, told.append)
    assert tried == []
    shop.tune(NAME, told.append)
    assert tried == [(NAME, "threads"), (NAME, threads_for(paths.models_dir() / NAME))]
    assert len(told) == 2


def test_devices_are_tried_in_the_same_home(monkeypatch, tmp_path):
    note = tmp_path / "home"
    code = f"import os, pathlib; pathlib.Path({str(note)!r}).write_text(os.environ['HANDY_QWEN_HOME'])"
    launch = Launch((sys.executable, "-c", code, "--hidden"), variables={"HANDY_QWEN_HOME": "/absolute"})
    monkeypatch.setattr(installer, "launch_for", lambda: launch)
    installer._try_devices(demo_model().folder, 2, lambda: None)
    assert note.read_text() == "/absolute"


def _bench(monkeypatch, folder, then):
    """Have a process stand for ``bench`` that notes what ``try_devices`` does, and then does ``then``."""
    code = (
        "import os, sys, time; from pathlib import Path; from handy_qwen.models.machine import *;"
        "from handy_qwen.models.device_mark import in_use;"
        f"assert sys.argv[1:5] == ['bench', '--model', {str(folder)!r}, '--threads'];"
        f"keep_choice(Path(sys.argv[3]), Choice('', frozenset(), 'It ended.')); {then}"
    )
    launch = Launch((sys.executable, "-c", code, "--hidden"))
    monkeypatch.setattr(installer, "launch_for", lambda: launch)


def test_a_device_that_ends_the_process_ends_not_this_one(monkeypatch, caplog):
    caplog.set_level("INFO")
    folder = demo_model().folder
    _bench(monkeypatch, folder, "os.abort()")
    installer._try_devices(folder, 2, lambda: None)
    assert choice_of(folder).why == "It ended."
    assert "devices for demo-model: It ended. (exit status " in caplog.text


def test_a_device_that_hangs_holds_up_nobody_for_ever(monkeypatch):
    folder, clock = demo_model().folder, Mock(now=0.0)
    _bench(monkeypatch, folder, "time.sleep(60)")
    monkeypatch.setattr(installer, "time", Mock(monotonic=lambda: clock.now))

    def step():
        if choice_of(folder):
            clock.now = installer._TRIAL_S + 1

    installer._try_devices(folder, 2, step)
    assert choice_of(folder).why == "It ended."


@pytest.mark.expects_log
def test_where_no_process_can_be_started_no_device_is_tried(monkeypatch, tmp_path):
    launch = Launch((str(tmp_path / "gone"), "--hidden"))
    monkeypatch.setattr(installer, "launch_for", lambda: launch)
    installer._try_devices(demo_model().folder, 2, lambda: None)
    assert choice_of(demo_model().folder) is None


@pytest.mark.parametrize("is_chosen", [False, True])
def test_a_trial_that_is_given_up_says_nothing_of_the_device(monkeypatch, is_chosen):
    """Neither while a device is tried, nor while the one that was chosen is measured."""
    folder, mark = demo_model().folder, paths.data_dir() / "device-in-use"
    use = "use = in_use(Path(sys.argv[3])); use.__enter__();" if is_chosen else ""
    _bench(monkeypatch, folder, f"{use} time.sleep(60)")

    def give_up():
        if choice_of(folder) and (not is_chosen or (mark.exists() and mark.stat().st_size)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        installer._try_devices(folder, 2, give_up)
    assert choice_of(folder) is None
