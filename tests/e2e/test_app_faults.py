"""The real program while its disk, its model or the whole process fails under it.

The home is a small file system of its own, which only root may mount. In all of this every text arrives, and
when the fault is over the history has every take once, with its sound.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handy_qwen import paths
from handy_qwen.core.types import RATE_HZ
from handy_qwen.history import wav
from tests.e2e.app import SPOKEN
from tests.e2e.desk.processes import wait_until
from tests.e2e.killing import SETTINGS, Victim

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or os.geteuid() != 0, reason="only root may mount file systems"
    ),
]
CHAIRS, MEETING = SPOKEN["chairs"], SPOKEN["meeting"]
STOPPED_S = 4.0
FSYNC_S = 2  # what each takes on the slow disk
WEIGHTS = ("encoder.data", "decoder.data", "embedding.data")


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A small disk; skips where none may be mounted."""
    folder = tmp_path_factory.mktemp("disk")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


class Tenant(Victim):
    """A program whose home is anywhere."""

    def __init__(self, desktop, name, home, more=None, settings=SETTINGS):
        super().__init__(desktop, name)
        self.home = home
        self.history = home / "data" / "history"
        self.env |= {"HANDY_QWEN_HOME": str(home)} | (more or {})
        (home / "config").mkdir(parents=True, exist_ok=True)
        if not (home / "config" / "settings.toml").exists():
            (home / "config" / "settings.toml").write_text(f"set_up = true\n{settings}", encoding="utf-8")

    def wait_for_notice(self, word):
        """Wait until it tells of something."""
        return wait_until(
            lambda: [n for n in self.status().get("notices", ()) if word in n["title"]],
            f"a notice: {word}",
            timeout_s=60,
        )

    def complete(self):
        """How many takes are in the history, each delivered and with all its sound."""
        try:
            rows = self.rows()
        except sqlite3.OperationalError:  # it is being made
            return 0
        for row in rows:
            if row["state"] != "done" or row["whereabouts"] not in {"typed", "pasted"}:
                return 0
            try:
                with wav.blocks(self.history / "takes" / row["file"]) as blocks:
                    has_s = sum(map(len, blocks)) / RATE_HZ
            except FileNotFoundError:  # the sound follows when there is room for it
                return 0
            if abs(has_s - row["duration_s"]) > 0.001:
                return 0
        return len(rows)

    def wait_for_takes(self, count):
        """Wait until so many takes are there, complete."""
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: self.complete() == count, "the history", timeout_s=60, interval_s=0.2)
        assert self.complete() == count, [(r["state"], r["whereabouts"], r["file"]) for r in self.rows()]


@pytest.fixture(scope="module")
def app(desktop, disk):
    with Tenant(desktop, "tenant", disk / "home") as running:
        yield running


@pytest.fixture
def takes(app):
    """How many takes there were before this test."""
    return len(app.rows())


# First those with a program of their own: a second one on the desktop would hear the hotkey as well.


def test_a_read_only_disk_is_told_and_costs_nothing_once_it_can_be_written(desktop, tmp_path, editor):
    app = Tenant(desktop, "read-only", tmp_path / "home")
    app.history.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,ro,mode=700", "tmpfs", app.history]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        with app:
            app.wait_for_notice("Can't write")
            editor.focus()
            app.dictate("meeting")
            assert editor.wait_for_text(MEETING, timeout_s=60) == MEETING
            subprocess.run(["mount", "-o", "remount,rw", app.history], check=True)
            wait_until((app.history / "history.db").is_file, "the history", timeout_s=60)
            app.wait_for_phase("idle")
            app.wait_for_takes(1)
    finally:
        subprocess.run(["umount", "-l", app.history], check=True)


def test_a_damaged_database_is_kept_aside_and_a_new_one_begun(desktop, tmp_path, editor):
    app = Tenant(desktop, "damaged", tmp_path / "home")
    with app:
        editor.focus()
        app.dictate("chairs")
        assert editor.wait_for_text(CHAIRS, timeout_s=60) == CHAIRS
        app.wait_for_takes(1)
        app.kill()
        for path in app.history.glob("history.db*"):
            path.write_bytes(b"no database at all" * 1000)
        app.start()
        wait_until(lambda: list(app.history.glob("history.broken-*.db")), "the damaged one, kept aside")
        wait_until((app.history / "history.db").is_file, "the new one")
        editor.clear()
        editor.focus()
        app.dictate("meeting")
        assert editor.wait_for_text(MEETING, timeout_s=60) == MEETING

        def is_kept():
            with contextlib.suppress(sqlite3.OperationalError):  # it is being made
                return any(row["text"] == MEETING for row in app.rows())

        wait_until(is_kept, "the take in the new one")
    assert "history was damaged" in app.output()


def test_a_model_that_is_cut_short_while_it_is_used_costs_no_take(desktop, tmp_path, editor):
    home = tmp_path / "home"
    model = shutil.copytree(paths.asset("demo-model"), home / "data" / "models" / "mine")
    app = Tenant(desktop, "short", home, settings=f'model = "mine"\n{SETTINGS}')
    with app:
        editor.focus()
        app.dictate("meeting")
        assert editor.wait_for_text(MEETING, timeout_s=60) == MEETING
        editor.clear()
        for name in WEIGHTS:
            os.truncate(model / name, 1000)
        app.dictate("chairs")
        wait_until(lambda: any(row["state"] == "failed" for row in app.rows()), "the failure", timeout_s=60)
        for name in WEIGHTS:
            shutil.copy(paths.asset("demo-model") / name, model / name)
        editor.focus()
        assert app.run("retry").returncode == 0
        assert editor.wait_for_text(CHAIRS, timeout_s=60) == CHAIRS
        app.wait_for_takes(2)


def test_a_full_disk_is_told_and_costs_nothing(app, editor, disk, takes):
    filler = disk / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while True:
            os.write(file.fileno(), bytes(4096))
    assert shutil.disk_usage(disk).free == 0
    try:
        app.dictate("chairs")
        app.wait_for_notice("disk is full")
        assert editor.wait_for_text(CHAIRS, timeout_s=60) == CHAIRS
    finally:
        filler.unlink()
    app.wait_for_takes(takes + 1)


def test_a_database_that_somebody_holds_is_waited_for(app, editor, takes):
    with contextlib.closing(sqlite3.connect(app.history / "history.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        app.dictate("chairs")
        assert editor.wait_for_text(CHAIRS, timeout_s=60) == CHAIRS
        app.wait_for_phase("idle")
        other.execute("ROLLBACK")
    app.wait_for_takes(takes + 1)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes the disk slow")
def test_a_slow_disk_keeps_nobody_waiting(desktop, app, editor, takes):
    slow = [
        *("strace", "-f", "-q", "-p", str(app.process.pid), "-o", "/dev/null"),
        *("-e", "trace=fsync,fdatasync"),
        *("-e", f"inject=fsync,fdatasync:delay_enter={FSYNC_S * 1_000_000}"),
    ]
    tracer = desktop.start("strace", *slow)
    try:
        status = Path(f"/proc/{app.process.pid}/status")
        wait_until(lambda: "TracerPid:\t0" not in status.read_text(), "strace")
        app.dictate("meeting")
        assert editor.wait_for_text(MEETING, timeout_s=60) == MEETING
        app.wait_for_phase("idle")
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
    app.wait_for_takes(takes + 1)


def test_a_process_that_was_stopped_goes_on_with_its_take(desktop, app, editor, takes):
    desktop.hardware.down("Control_R")
    app.speak("chairs")
    os.kill(app.process.pid, signal.SIGSTOP)
    time.sleep(STOPPED_S)
    os.kill(app.process.pid, signal.SIGCONT)
    app.speak("meeting")
    desktop.hardware.up("Control_R")
    text = wait_until(lambda: (t := editor.text()).startswith(CHAIRS) and t, "the text", timeout_s=60)
    app.wait_for_phase("idle")
    app.wait_for_takes(takes + 1)
    assert not [n for n in app.status()["notices"] if "not answer" in n["title"]], "nobody was stuck"
    assert text
    editor.clear()
    app.dictate("meeting")
    assert editor.wait_for_text(MEETING, timeout_s=60) == MEETING
