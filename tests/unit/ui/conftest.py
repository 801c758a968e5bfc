"""Qt without a screen, and stand-ins for whom the windows talk to."""

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import pytest

from handy_qwen.core.view import Choices, ModelChoice


class Asked:
    """Keeps what was asked for: requests, and commands with their arguments."""

    def __init__(self):
        self.calls = []

    def __call__(self, what):
        self.calls.append(what)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments: self.calls.append((name, *arguments))

    # With a function that takes any number of arguments, Qt passes none.
    def use_autostart(self, is_on):
        self.calls.append(("use_autostart", is_on))

    def pause_history(self, is_paused):
        self.calls.append(("pause_history", is_paused))


@pytest.fixture
def asked():
    return Asked()


@pytest.fixture
def choices():
    return Choices(
        model="demo",
        models=(ModelChoice("big", "Qwen3-ASR 1.7B"), ModelChoice("demo", "Demo & test")),
        language="German",
        languages=("English", "French", "German"),
        recent_languages=("German",),
        microphone="Desk",
        microphones=("Desk", "Headset"),
        hotkeys=("Right Ctrl",),
    )
