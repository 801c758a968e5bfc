"""Tests leave nothing in the home of who runs them."""

from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QFileDialog


@pytest.mark.unix("Windows has a registry")
@pytest.mark.qt_log_ignore("This plugin does not support")
def test_what_qt_keeps_of_its_file_dialogs_is_in_a_folder_of_the_tests(qtbot, tmp_path_factory):
    dialog = QFileDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.close()
    dialog.deleteLater()
    kept = Path(QSettings(QSettings.Scope.UserScope, "QtProject").fileName())
    assert kept.is_relative_to(tmp_path_factory.getbasetemp())
