"""The recorder as a Windows program: it follows the system's default microphone. Under Wine."""

import itertools

import pytest

from tests.e2e.desk.processes import wait_until
from tests.e2e.desk.wine import START_S, WineDesktop, windows_path, wine_folder
from tests.e2e.test_microphone import Recorder

wine_folder()
pytestmark = pytest.mark.desktop


def test_another_default_microphone_is_used_although_the_first_one_is_kept_warm(tmp_path):
    with WineDesktop(tray=False) as desk:
        desk.sound.plug_in("other")
        recorder = Recorder(
            desk.processes, desk.env, windows_path(tmp_path), python=desk.python(), begin_s=START_S
        )
        names = {desk.ask("choose_microphone", part=part) for part in ("other", "VirtualMicrophone")}
        takes = itertools.count(1)

        def used():
            take = next(takes)
            device = recorder.start(take)["device"]
            recorder.stop(take)
            return device

        recorder.send("warm")
        first = used()
        assert used() == first
        (wanted,) = names - {first}
        desk.ask("choose_microphone", part=wanted)
        wait_until(lambda: used() == wanted, "the other microphone", timeout_s=START_S)
        recorder.send("close 5")
        recorder.expect("closed", START_S)
