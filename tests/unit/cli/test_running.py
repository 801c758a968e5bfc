"""The commands that reach the running app: what goes where."""

import json

import pytest

from handy_qwen import paths
from handy_qwen.cli import main
from handy_qwen.control import ControlServer, Endpoint

STATUS = {
    "phase": "idle",
    "model": "demo",
    "language": "",
    "microphone": "Headset",
    "waiting": 0,
    "held": 2,
    "notices": [{"title": "The disk is full.", "hint": "Free some space."}, {"title": "Paused.", "hint": ""}],
}


@pytest.mark.usefixtures("app_home")
def test_the_answer_of_status_is_whole_on_stdout(capsys):
    server = ControlServer(Endpoint(paths.runtime_dir()), lambda _: {"status": STATUS})
    server.start()
    try:
        assert main(["status"]) == 0
        assert main(["status", "--json"]) == 0
    finally:
        server.close()
    said = capsys.readouterr()
    lines = "idle\nmodel: demo\nmicrophone: Headset\nheld: 2\nThe disk is full. Free some space.\nPaused.\n"
    assert said.out.startswith(lines)
    assert json.loads(said.out.removeprefix(lines)) == STATUS
    assert said.err == ""
