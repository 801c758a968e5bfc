"""The help pages are readable in their window."""

import pytest

from handy_qwen import manual
from handy_qwen.ui.windows.help import HelpWindow

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support"),
    pytest.mark.usefixtures("app_home"),
]


def test_every_page_can_be_read_without_scrolling_sideways(qtbot):
    window = HelpWindow()
    qtbot.addWidget(window)
    window.present()
    qtbot.waitExposed(window)
    for place, topic in enumerate(manual.TOPICS):
        window.topics.setCurrentRow(place)
        assert window.page.toPlainText().startswith(manual.title(topic))
        assert window.page.horizontalScrollBar().maximum() == 0, topic
