"""What tests start gets the signals that a terminal gives, also where the tests run in the background."""

import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.unix("signals are POSIX's")

CHILD = """
import signal
print(*(signal.getsignal(number) is signal.SIG_IGN for number in (1, 2, 15)), signal.pthread_sigmask(0, ()))
"""
PARENT = f"""
import os, signal, subprocess, sys
from tests.signals import ignore_for_this_process_only
ignore_for_this_process_only()
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    os.kill(os.getpid(), number)
print(subprocess.run([sys.executable, "-c", {CHILD!r}], capture_output=True, text=True, check=True).stdout)
"""


def in_the_background():
    """What nohup, and a shell for its background jobs, does; and a mask on top of it."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGUSR1})


def test_what_is_ignored_stays_so_and_is_not_handed_on():
    done = subprocess.run(
        [sys.executable, "-c", PARENT],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=in_the_background,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split("\n")[0] == "False False False set()"


def test_without_it_everything_is_handed_on():
    """So that the test above would see it."""
    done = subprocess.run(
        [sys.executable, "-c", PARENT.replace("\nignore_for_this_process_only()", "")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=in_the_background,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("True True True {")
