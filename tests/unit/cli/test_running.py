"""The commands that reach the running app: what goes where."""

import json

import pytest

STATUS = {
    "phase": "idle",
    "model": "demo",
    "language": "",
    "microphone": "Headset",
    "waiting": 0,
    "held": 2,
    "notices": [{"title": "The disk is full.", "hint": "Free some space."}, {"title": "Paused.", "hint": ""}],
}


def test_the_answer_of_status_is_whole_on_stdout(run, running_app):
    with running_app(lambda _: {"status": STATUS}):
        lines = (
            "idle\nmodel: demo\nmicrophone: Headset\nheld: 2\nThe disk is full. Free some space.\nPaused.\n"
        )
        assert run("status") == (0, lines, "")
        assert json.loads(run("status", "--json").out) == STATUS


def test_windows_and_dictations_are_asked_of_the_running_app(run, running_app):
    asked = []
    commands = {"models": "models", "settings": "settings", "setup": "setup", "stop": "stop"}
    with running_app(lambda command: asked.append(command) or {}):
        for command in commands:
            assert run(command).status == 0
        assert run("history", "--window").status == 0
    assert asked == [*commands.values(), "history"]
    status, _, err = run("models")
    assert (status, "not running. Start it with: handy-qwen" in err) == (1, True)


@pytest.mark.parametrize(("command", "action"), [("history", "restore"), ("model", "install")])
def test_a_command_that_needs_another_lists_them(run, command, action):
    status, out, err = run(command)
    assert (status, out) == (2, "")
    assert f"    {action} " in err
