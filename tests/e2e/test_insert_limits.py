"""A field that has cut a text, or has another one by now: what stood there before is not deleted."""

import pytest

from handy_qwen.core.types import Delivery, Method, TextAround
from handy_qwen.system import accessibility
from handy_qwen.system.accessibility import text_around_cursor
from handy_qwen.system.insert import x11
from tests.e2e.desk import Desktop, GtkTarget, QtTarget, XtermTarget, require
from tests.e2e.desk.accessibility import ScreenReader
from tests.e2e.desk.processes import wait_until
from tests.e2e.desk.targets import LimitedTarget, PasswordTarget
from tests.e2e.insertion import insertion_on

pytestmark = pytest.mark.desktop
MINE, SAID = "My own words. ", "And what was said."


@pytest.fixture(scope="module")
def bench():
    """A desktop on which programs tell what is in them, and an inserter."""
    require(sound=False)
    with Desktop(tray=False, sound=False) as desk, pytest.MonkeyPatch.context() as patch:
        reader = ScreenReader(desk)
        desk.env["QT_LINUX_ACCESSIBILITY_ALWAYS_ON"] = "1"
        del desk.env["NO_AT_BRIDGE"]
        patch.setattr(accessibility, "MOST_S", 20.0)  # a busy machine must not be taken for a silent program
        patch.setenv("DBUS_SESSION_BUS_ADDRESS", desk.env["DBUS_SESSION_BUS_ADDRESS"])
        with insertion_on(desk) as insertion:
            yield desk, insertion
        reader.close()


@pytest.fixture
def target(bench, request):
    made = bench[0].open(request.param)
    yield made
    made.close()


def erase(insertion, text):
    insertion.begin("", Method.PASTE, erased=text)
    return insertion.result().has_erased


@pytest.mark.parametrize("target", [LimitedTarget], indirect=True)
def test_a_text_that_the_field_has_cut_is_not_deleted_beyond_its_beginning(bench, target):
    _, insertion = bench
    assert insertion.insert(MINE, Method.TYPE) is Delivery.TYPED
    assert target.wait_for_text(MINE) == MINE
    assert insertion.insert(SAID, Method.PASTE) is Delivery.PASTED
    whole = (MINE + SAID)[: LimitedTarget.LIMIT]
    assert target.wait_for_text(whole) == whole
    assert not erase(insertion, SAID)
    assert target.wait_for_text(whole, quiet_s=0.2) == whole
    assert erase(insertion, whole[-3:])
    assert target.wait_for_text(whole[:-3]) == whole[:-3]


@pytest.mark.parametrize("target", [QtTarget, GtkTarget], indirect=True)
def test_where_the_text_is_whole_it_is_deleted(bench, target):
    _, insertion = bench
    text = f"{SAID}\nGrüße, 你好."
    insertion.insert(MINE + text, Method.PASTE)
    assert target.wait_for_text(MINE + text) == MINE + text
    assert text_around_cursor(target.process.pid, len(text)) == TextAround(text, "")
    assert text_around_cursor(target.process.pid + 1, len(text)) is None
    assert not erase(insertion, f"{text[:-2]}吗.")
    assert erase(insertion, text)
    assert target.wait_for_text(MINE) == MINE


@pytest.mark.parametrize("target", [QtTarget, GtkTarget], indirect=True)
def test_it_is_known_what_stands_around_the_cursor_and_what_is_marked(bench, target):
    desk, insertion = bench
    insertion.insert("I like apples.", Method.PASTE)
    assert target.wait_for_text("I like apples.") == "I like apples."
    for _ in "apples.":
        desk.run("xdotool", "key", "Left")
    around = insertion.backend.text_around
    wait_until(
        lambda: around(target.window, 400) == TextAround("I like ", "apples."), "the cursor in the middle"
    )
    assert around(target.window, 3) == TextAround("ke ", "app")
    assert around(target.window + 1, 3) is None, "another window has the focus"
    desk.run("xdotool", "key", "shift+End")
    marked = TextAround("I like ", "", is_marked=True)
    wait_until(lambda: around(target.window, 400) == marked, "the rest marked")
    assert not erase(insertion, "I like "), "a key would delete what is marked"


@pytest.mark.parametrize("target", [XtermTarget], indirect=True)
def test_the_screen_of_a_terminal_is_no_sentence(bench, target, monkeypatch):
    _, insertion = bench
    monkeypatch.setattr(x11, "text_around_cursor", lambda *_: TextAround("user@host:~$ ", ""))
    assert insertion.backend.text_around(target.window, 400) is None


@pytest.mark.parametrize("target", [PasswordTarget], indirect=True)
def test_a_field_for_passwords_is_not_read(bench, target):
    _, insertion = bench
    insertion.insert("secret", Method.PASTE)
    assert target.wait_for_text("secret") == "secret"
    assert insertion.backend.text_around(target.window, 400) is None
