"""Qt without a screen, and a stand-in for all that the windows talk to."""

import inspect
import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import pytest

from handy_qwen.core.models import ModelCommands
from handy_qwen.core.view import Choices, Commands, HistoryCommands, ModelChoice


class Asked:
    """Implements ``ask`` and a protocol of commands: keeps what was asked for, in its order.

    A call that the protocol does not allow is an error. Callbacks are kept aside, by the command's name.
    """

    def __init__(self, protocol, calls=None):
        self.calls, self.callbacks = [] if calls is None else calls, {}
        for name, method in inspect.getmembers(protocol, inspect.isfunction):
            if not name.startswith("_"):
                setattr(self, name, self._command(name, inspect.signature(method)))

    def __call__(self, what):
        self.calls.append(what)

    def _command(self, name, signature):
        def take(*arguments, **options):
            signature.bind(self, *arguments, **options)
            plain = [one for one in arguments if not callable(one)]
            self.callbacks[name] = next((one for one in arguments if callable(one)), None)
            self.calls.append((name, *plain, *([options] if options else [])))

        def take_one(argument):  # to a function that takes any number, Qt gives none
            take(argument)

        kinds = [parameter.kind.name for parameter in signature.parameters.values()]
        return take_one if kinds[1:] == ["POSITIONAL_OR_KEYWORD"] else take


@pytest.fixture
def asked():
    """What tray and windows ask of the program, and with ``models`` and ``history`` of their keepers."""
    made = Asked(Commands)
    made.models, made.history = Asked(ModelCommands, made.calls), Asked(HistoryCommands, made.calls)
    return made


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
