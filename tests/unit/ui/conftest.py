"""A stand-in for all that the windows talk to."""

import gc

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QSettings, QSize, Qt
from PySide6.QtGui import QFont, QGuiApplication, QInputMethodEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from handy_qwen.core.view import Choices, ModelChoice
from handy_qwen.ui.style import use_style
from tests.unit.ui.gallery import everything_asked

for wait in (QtBot.waitUntil, QtBot.waitSignal):  # these tests give all others the processor
    assert wait.__kwdefaults__
    wait.__kwdefaults__["timeout"] = 60_000


@pytest.fixture(scope="module", autouse=True)
def _what_other_files_left_stays():
    """What is garbage is looked for after each test, by then only in what is new in this file."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_key_stays_held():
    """Qt still counts as held what was clicked with Ctrl: lists would add to what is selected."""
    yield
    if QGuiApplication.keyboardModifiers():
        QTest.keyRelease(QWidget(), Qt.Key.Key_Control)
    assert not QGuiApplication.keyboardModifiers()


class _Flashes(QObject):
    """Notes each widget that was shown as a window of its own before it got its place in one."""

    _SHOWN = "was_shown_as_a_window"

    def __init__(self):
        super().__init__()
        self.seen = []

    def eventFilter(self, it, event):  # noqa: N802  the name is Qt's
        kind = event.type()
        # PySide may take a new widget for the layout's item that was at its address before.
        if kind not in {QEvent.Type.Show, QEvent.Type.ParentChange} or not isinstance(it, QWidget):
            return False
        if kind == QEvent.Type.Show and it.isWindow():
            it.setProperty(self._SHOWN, True)
        elif kind == QEvent.Type.ParentChange and it.property(self._SHOWN) and not it.isWindow():
            self.seen.append(repr(it))
        return False


@pytest.fixture(autouse=True)
def no_part_is_shown_as_a_window_of_its_own(qapp):
    """On a real desktop it would take the focus for a moment, and with it any keys typed at that moment."""
    flashes = _Flashes()
    qapp.installEventFilter(flashes)
    yield
    qapp.removeEventFilter(flashes)
    assert not flashes.seen


class _InputMethod:
    """What it composes is in the field that has the focus, but not yet of its text."""

    def __init__(self, composed):
        self._composed, self._field = composed, QGuiApplication.focusObject()
        QCoreApplication.sendEvent(self._field, QInputMethodEvent(composed, []))

    def commit(self):
        if QGuiApplication.focusObject() is self._field:
            event = QInputMethodEvent()
            event.setCommitString(self._composed)
            QCoreApplication.sendEvent(self._field, event)


@pytest.fixture
def compose(monkeypatch):
    """Has an input method begin with a text, in the field that has the focus."""

    def begin(text):
        method = _InputMethod(text)
        monkeypatch.setattr(QGuiApplication, "inputMethod", lambda: method)

    return begin


@pytest.fixture(scope="session", autouse=True)
def _what_qt_keeps_is_not_the_users(tmp_path_factory):
    """Its file dialogs remember their size and folders, in a file in the home of who runs the tests."""
    folder = str(tmp_path_factory.mktemp("of-qt"))
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, folder)


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


SCREENS = {  # letters in points, and the room for a window, without title bar and panel
    "large letters at 1024x600": (24, QSize(1004, 540)),
    "200 % at 1280x800": (10, QSize(620, 350)),
}


@pytest.fixture(scope="module", params=SCREENS)
def screen(qapp, request):
    """The room for a window, with letters of that size."""
    use_style()
    points, size = SCREENS[request.param]
    before = qapp.font()
    font = QFont(before)
    font.setPointSize(points)
    QApplication.setFont(font)
    yield size
    QApplication.setFont(before)
