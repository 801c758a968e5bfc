"""Every kind of text arrives in every kind of Windows window, whatever the layout. Under Wine.

Its dimensions: layout, target, method, text. No console: see desk/wine.py.
"""

import contextlib
import json
import subprocess

import pytest

from handy_qwen.core.types import Method
from tests.e2e.desk.wine import (
    HERE,
    NotepadTarget,
    WineDesktop,
    WineQtTarget,
    WordPadTarget,
    answer_of,
    wine_folder,
)
from tests.e2e.test_insert_matrix import LAYOUTS, TEXTS

wine_folder()
pytestmark = pytest.mark.desktop
KINDS = {"qt": WineQtTarget, "notepad": NotepadTarget, "wordpad": WordPadTarget}
DELIVERIES = {Method.TYPE: "TYPED", Method.PASTE: "PASTED"}
TEXT_S = 60.0


class Inserter:
    """The program's inserter in a Windows process."""

    def __init__(self, desk):
        self._process = desk.start(
            "inserter",
            *desk.python(HERE / "wine_inserter.py"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert answer_of(self._process) == {"how": "ready"}

    def insert(self, text, method, erased=""):
        line = json.dumps({"text": text, "method": method.value, "erased": erased})
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()
        return answer_of(self._process)


@pytest.fixture(scope="module")
def bench():
    """A desktop with a window of each kind, opened when it is first wanted, and an inserter."""
    with WineDesktop(tray=False, sound=False) as desk, contextlib.ExitStack() as stack:
        windows = {}

        def window_of(kind):
            if kind not in windows:
                windows[kind] = desk.open(KINDS[kind])
                stack.callback(windows[kind].close)
            return windows[kind]

        yield desk, window_of, Inserter(desk)


@pytest.fixture(scope="module")
def layout(bench, request):
    """The layout in force; set once for all cells that share it."""
    bench[0].set_layout(request.param)
    return request.param


@pytest.mark.parametrize("layout", LAYOUTS, indirect=True, scope="module")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_character_arrives_once_and_in_order(bench, layout, kind, method, text):
    desk, window_of, inserter = bench
    if (layout, kind) == ("ru", "qt") and (method is Method.PASTE or text == TEXTS["emoji"]):
        pytest.skip("Wine tells Qt of a Cyrillic letter, where Windows tells of the virtual key V")
    window = window_of(kind)
    window.focus()
    window.clear()
    before = "copied before"
    desk.ask("copy", text=before)
    answer = inserter.insert(text, method)
    assert window.wait_for_text(text, TEXT_S) == text, layout
    is_pasted = kind == "qt" and text == TEXTS["emoji"]  # Qt misplaces what is typed beyond the BMP
    how = "PASTED" if is_pasted else DELIVERIES[method]
    assert answer == {"how": how, "rest": "", "has_erased": False}
    assert desk.ask("held") == []


@pytest.mark.parametrize("kind", ["notepad", "wordpad"])
def test_what_a_field_has_changed_is_not_deleted_and_what_stands_there_is(bench, kind):
    _, window_of, inserter = bench
    window = window_of(kind)
    window.focus()
    window.clear()
    mine, said = "My own words. ", "And what was said.\nAnd füchse."
    inserter.insert(mine + said, Method.PASTE)
    assert window.wait_for_text(mine + said, TEXT_S) == mine + said
    assert not inserter.insert("", Method.TYPE, erased=said.replace("said", "sold"))["has_erased"]
    assert window.text() == mine + said
    assert inserter.insert("", Method.TYPE, erased=said)["has_erased"]
    assert window.wait_for_text(mine, TEXT_S) == mine
