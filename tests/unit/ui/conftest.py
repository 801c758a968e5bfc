"""Qt without a screen, and a stand-in for all that the windows talk to."""

import gc
import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"
if os.name == "nt":  # where Qt without a screen knows of no letters
    os.environ["QT_QPA_FONTDIR"] = os.path.expandvars(r"%WINDIR%\Fonts")

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from handy_qwen.core.view import Choices, ModelChoice
from tests.unit.ui.gallery import everything_asked


@pytest.fixture(autouse=True)
def no_key_stays_held():
    """Qt still counts as held what was clicked with Ctrl: lists would add to what is selected."""
    yield
    if QGuiApplication.keyboardModifiers():
        QTest.keyRelease(QWidget(), Qt.Key.Key_Control)
    assert not QGuiApplication.keyboardModifiers()


@pytest.fixture
def asked():
    """What tray and windows ask of the program, and with ``models``, ``history`` and so on of theirs."""
    return everything_asked()


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


@pytest.fixture(scope="session")
def _what_stays():
    """Nothing that is there before the first window is looked at for each of them."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _windows_end_on_qts_thread(_what_stays):
    """Windows are in cycles. What PySide keeps of one that Qt has deleted must not be met by the next one."""
    gc.disable()
    yield
    gc.collect()
    gc.enable()
