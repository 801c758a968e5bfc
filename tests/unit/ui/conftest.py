"""Qt without a screen, and a stand-in for all that the windows talk to."""

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import pytest

from handy_qwen.core.models import ModelCommands
from handy_qwen.core.upkeep import UpkeepCommands
from handy_qwen.core.view import Choices, Commands, HistoryCommands, MicrophoneCommands, ModelChoice
from handy_qwen.core.vocabulary import VocabularyCommands
from tests.fakes import Asked


@pytest.fixture
def asked():
    """What tray and windows ask of the program, and with ``models``, ``history`` and so on of theirs."""
    made = Asked(Commands)
    made.models, made.history = Asked(ModelCommands, made.calls), Asked(HistoryCommands, made.calls)
    made.upkeep, made.vocabulary = Asked(UpkeepCommands, made.calls), Asked(VocabularyCommands, made.calls)
    made.microphone = Asked(MicrophoneCommands, made.calls)
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
