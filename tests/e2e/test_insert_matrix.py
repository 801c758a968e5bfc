"""Every kind of text arrives in every kind of window, whatever the layout and whatever is held.

    layout x target x method x text x held modifier

One desktop, one inserter and one window of each kind serve all cells.
"""

import contextlib
import random

import pytest

from handy_qwen.core.types import Delivery, Method
from tests.e2e.desk import Desktop, GtkTarget, QtTarget, XtermTarget, require
from tests.e2e.insertion import insertion_on

pytestmark = pytest.mark.desktop

WORDS = ("the quick brown fox jumped over a lazy dog", "naïve café — “so”", "it costs 5 € or 我们 100 %")
TEXTS = {
    "ascii": "The quick brown fox, 123 + 45 = 168; [a] {b} <c> ~d^ `e` 'f' \"g\" \\h |i| @j #k $l %m &n *o?!",
    "accents": "Zürich, Ærø, façade, señor, über-naïve: ÀÉÎÕÜ ßþðø ščřž ŁÓDŹ ąęć Ωμέγα Привет, ёжик! שלום",
    "cjk": "今天天气很好。我们去公园吧!東京は晴れです、カタカナ。안녕하세요",
    "emoji": "fine 🙂 done ✅ 👩‍👩‍👧 🏳️‍🌈 𠜎 𝄞 end",  # beyond the BMP, and joined sequences
    "newline": "first line\nsecond\tline\n\nlast line",
    "2000 characters": "\n".join(random.Random(7).choices(WORDS, k=100))[:1999] + ".",
}
LAYOUTS = ("us", "de", "fr", "ru")
KINDS = {"qt": QtTarget, "gtk": GtkTarget, "xterm": XtermTarget}
HELD = {"none": (), "ctrl": ("Control_L",), "shift": ("Shift_L",), "super": ("Super_L",)}
DELIVERIES = {Method.TYPE: Delivery.TYPED, Method.PASTE: Delivery.PASTED}


@pytest.fixture(scope="module")
def bench():
    """A desktop with the three windows and an inserter that waits only briefly for the user to let go."""
    require(sound=False)
    with Desktop(tray=False, sound=False) as desk, contextlib.ExitStack() as stack:
        windows = {name: desk.open(kind) for name, kind in KINDS.items()}
        for window in windows.values():
            stack.callback(window.close)
        yield desk, windows, stack.enter_context(insertion_on(desk, release_wait_s=0.02))


@pytest.fixture(scope="module")
def layout(bench, request):
    """The layout in force; set once for all cells that share it."""
    desk, _, _ = bench
    desk.set_layout(request.param)
    return request.param


@pytest.mark.parametrize("layout", LAYOUTS, indirect=True, scope="module")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE])
@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_every_character_arrives_once_and_in_order(  # noqa: PLR0917 (an argument for each axis)
    bench, layout, kind, text, method, held
):
    desk, windows, insertion = bench
    window = windows[kind]
    window.focus()
    window.clear()
    desk.keys.down(*held)

    assert insertion.insert(text, method) is DELIVERIES[method]

    assert window.wait_for_text(text) == text, layout
    assert desk.keys.held() == []
    desk.keys.up(*held)  # the user's own release comes last, and must not matter
    assert desk.keys.held() == []
