"""Unit tests need no screen, open no window on the one that is there, and leave none to each other."""

import gc
import os

import pytest
from PySide6.QtCore import QCoreApplication, QEvent

os.environ["QT_QPA_PLATFORM"] = "offscreen"  # before a QApplication is made
if os.name == "nt":  # where Qt without a screen knows of no letters
    os.environ["QT_QPA_FONTDIR"] = os.path.expandvars(r"%WINDIR%\Fonts")


@pytest.fixture(scope="session")
def _what_stays():
    """What exists before the first window is not scanned again for each one."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _windows_end_on_qts_thread(request):
    """Windows are in cycles. What PySide keeps of one that Qt has deleted must not be met by the next one."""
    if "qapp" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("_what_stays")
    gc.disable()
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # which else only an event loop does
    gc.collect()
    gc.enable()
