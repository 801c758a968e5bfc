"""What all windows are made of."""

import ast
import re
from pathlib import Path

import pytest

from handy_qwen import ui

MODULES = sorted(Path(ui.__file__).parent.rglob("*.py"))
FIELDS = {"QLineEdit", "QPlainTextEdit", "QTextEdit", "QTextBrowser", "QComboBox", "QSpinBox"}
PASTES = {"event", "keyPressEvent", "mousePressEvent", "mouseReleaseEvent"}  # where Qt's fields do


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_nothing_waits_for_the_clipboard_while_no_other_thread_can_run(path):
    """It may be our own thread that is waited for: see ``ClipboardText``."""
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"clipboard\(\)\s*\.\s*(text|image|pixmap|mimeData)\b|\.paste\(\)", source)
    for found in ast.walk(ast.parse(source)):
        if isinstance(found, ast.ClassDef) and FIELDS & {ast.unparse(base) for base in found.bases}:
            own = {part.name for part in found.body if isinstance(part, ast.FunctionDef)}
            assert not own & PASTES, f"{found.name}: use an event filter"
