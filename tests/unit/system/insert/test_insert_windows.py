"""The Windows backend against a Windows of our own: which keys, which clipboard, in which order."""

import ctypes
import threading
import time

import pytest

from handy_qwen.core.ports import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert import windows, windows_clipboard
from handy_qwen.system.insert.win32 import (
    KEYUP,
    UNICODE,
    WM_APP,
    WM_RENDERALLFORMATS,
    WM_RENDERFORMAT,
    Input,
    KeyEvent,
)
from handy_qwen.system.insert.windows import Windows, strokes
from handy_qwen.system.insert.windows_clipboard import CF_UNICODETEXT, CONCEAL, encoded

TARGET, TARGET_PROCESS, MANAGER = 100, 10, 200
OURS = 300
HTML, BITMAP = 0xC0A0, 2


class FakeWindows:
    """A clipboard, a keyboard and a message loop. The target pastes when the chord says so."""

    def __init__(self):
        self.sent, self.held, self.refuses = [], set(), False
        self.front, self.kinds = TARGET, {TARGET: "Notepad"}
        self.content = {CF_UNICODETEXT: encoded("old"), HTML: b"<b>old</b>", BITMAP: None}
        self.owner_window, self.opener = 900, 0
        self.names = {}
        self.messages, self.waking = [], threading.Condition()
        self.pasted, self.manager_reads, self.pastes = [], False, True
        self.reads_by_manager = 0

    # keyboard
    def send(self, events):
        if self.refuses:
            return 0
        self.sent += events
        downs = [e.key for e in events if not e.flags & KEYUP]
        if downs in ([windows.VK_LCONTROL, windows.VK_V], [windows.VK_LSHIFT, windows.VK_INSERT]):
            self._chord()
        for event in events:
            if event.flags & KEYUP:
                self.held.discard(event.key)
        return len(events)

    def _chord(self):
        if self.manager_reads:
            self.post(lambda: self._read(MANAGER))
        if self.pastes:
            self.post(lambda: self._read(TARGET), after_s=0.15)

    def _read(self, window):
        """Another program fetches the text."""
        self.opener = window
        if self.content.get(CF_UNICODETEXT) is None:
            self.on_message(WM_RENDERFORMAT, CF_UNICODETEXT)
        text = self.content[CF_UNICODETEXT].decode("utf-16-le").removesuffix("\0").replace("\r\n", "\n")
        self.opener = 0
        if window == TARGET:
            self.pasted.append(text)
        else:
            self.reads_by_manager += 1

    def is_down(self, key):
        return key in self.held

    def foreground(self):
        return self.front

    def window_class(self, window):
        return self.kinds[window]

    def process(self, window):
        return {TARGET: TARGET_PROCESS, MANAGER: 20, OURS: 30}.get(window, 0)

    def executable(self, process):
        return {TARGET_PROCESS: "notepad.exe"}[process]

    # messages
    def post(self, message, after_s=0.0):
        with self.waking:
            self.messages.append((time.monotonic() + after_s, message))
            self.waking.notify()

    def run_window(self, on_ready, on_message):
        self.on_message, self.is_running = on_message, True
        on_ready(OURS)
        while self.is_running:
            with self.waking:
                now = time.monotonic()
                due = next((m for m in self.messages if m[0] <= now), None)
                if due is None:
                    self.waking.wait(0.01)
                    continue
                self.messages.remove(due)
            due[1]()
        on_message(WM_RENDERALLFORMATS, 0)

    def wake(self, window):
        assert window == OURS
        self.post(lambda: self.on_message(WM_APP, 0))

    def quit(self):
        self.is_running = False

    # clipboard
    def open_clipboard(self, window):
        if self.opener:
            return False
        self.opener = window
        return True

    def close_clipboard(self):
        assert self.opener == OURS
        self.opener = 0

    def empty_clipboard(self):
        assert self.opener == OURS
        self.content = {}
        self.owner_window = OURS

    def formats(self):
        assert self.opener == OURS
        return list(self.content)

    def get(self, format_id):
        return self.content[format_id]

    def set(self, format_id, data):
        assert self.opener, "somebody has it open: we, or the one who asks"
        self.content[format_id] = data

    def register(self, name):
        return self.names.setdefault(name, 0xC100 + len(self.names))

    def reader(self):
        return self.opener

    def owner(self):
        return self.owner_window

    def text(self):
        data = self.content.get(CF_UNICODETEXT)
        return None if data is None else data.decode("utf-16-le").removesuffix("\0")


@pytest.fixture
def fake():
    return FakeWindows()


@pytest.fixture
def backend(fake, monkeypatch):
    monkeypatch.setattr(windows, "RELEASE_WAIT_S", 0.05)
    monkeypatch.setattr(windows, "FETCH_WAIT_S", 1.0)
    monkeypatch.setattr(windows, "GRACE_S", 0.05)
    made = Windows(threading.Event().wait, fake)
    yield made
    made.close()


def rest(backend):
    """What the worker does until nothing is due."""
    while (wait_s := backend.rest(is_idle=True)) is not None:
        threading.Event().wait(wait_s)


def test_a_character_is_typed_as_its_utf16_units():
    assert [e.unit for e in strokes("é")] == [0xE9, 0xE9]
    assert [(e.unit, e.flags) for e in strokes("🙂")] == [
        (0xD83D, UNICODE),
        (0xD83D, UNICODE | KEYUP),
        (0xDE42, UNICODE),
        (0xDE42, UNICODE | KEYUP),
    ]
    assert [e.key for e in strokes("\n")] == [windows.VK_RETURN] * 2
    assert [e.key for e in strokes("\t")] == [windows.VK_TAB] * 2


def test_a_text_is_typed_whole_and_in_order(fake, backend):
    text = "naïve 🙂\tand so on " * 20
    backend.type_text(text)
    units = [e for e in fake.sent if not e.flags & KEYUP]
    raw = b"".join((9 if e.key == windows.VK_TAB else e.unit).to_bytes(2, "little") for e in units)
    assert raw.decode("utf-16-le") == text
    assert len(units) * 2 == len(fake.sent)


def test_windows_that_refuse_keys_are_an_error(fake, backend):
    fake.refuses = True
    with pytest.raises(InsertError) as caught:
        backend.type_text("said")
    assert caught.value.reason is InsertReason.DENIED_BY_USER
    with pytest.raises(InsertError):
        backend.paste_text("said")
    assert fake.text() == "old", "what was there is back"


def test_the_window_gets_this_text_and_the_user_all_formats_back(fake, backend):
    backend.paste_text("said\nmore")
    assert fake.pasted == ["said\nmore"]
    assert {fake.names[name] for name in CONCEAL} <= set(fake.content), "marked as private"
    rest(backend)
    assert fake.content == {CF_UNICODETEXT: encoded("old"), HTML: b"<b>old</b>"}


def test_a_clipboard_manager_does_not_pass_for_the_window(fake, backend):
    fake.manager_reads = True
    backend.paste_text("said")
    assert fake.reads_by_manager == 1
    assert fake.pasted == ["said"]
    fake.pastes = False
    with pytest.raises(InsertError) as caught:
        backend.paste_text("said again")
    assert caught.value.reason is InsertReason.NOT_FETCHED


def test_two_pastes_in_a_row_give_back_what_was_there_before_the_first(fake, backend):
    backend.paste_text("one")
    assert backend.rest(is_idle=False) == 0.0
    backend.paste_text("two")
    rest(backend)
    assert fake.pasted == ["one", "two"]
    assert fake.text() == "old"


def test_what_the_user_copies_meanwhile_stays(fake, backend):
    backend.paste_text("said")
    fake.content, fake.owner_window = {CF_UNICODETEXT: encoded("newer")}, 901
    rest(backend)
    assert fake.text() == "newer"


def test_a_copied_text_stays(fake, backend):
    backend.copy("said")
    assert fake.text() == "said"
    backend.close()
    assert fake.text() == "said"


def test_a_promise_is_kept_when_the_program_ends(fake, backend):
    fake.pastes = False
    with pytest.raises(InsertError):
        backend.paste_text("said")
    assert fake.text() is None, "only promised"
    backend.close()
    assert fake.text() == "said"


def test_a_clipboard_that_another_program_keeps_open_is_an_error(fake, backend, monkeypatch):
    monkeypatch.setattr(windows_clipboard, "OPEN_PAUSE_S", 0.0)
    fake.opener = MANAGER
    with pytest.raises(InsertError):
        backend.copy("said")
    fake.opener = 0
    backend.copy("said")
    assert fake.text() == "said"


def test_terminals_with_another_paste_key_get_that(fake, backend):
    fake.kinds[TARGET] = "mintty"
    backend.paste_text("said")
    assert fake.pasted == ["said"]
    assert fake.sent[0].key == windows.VK_LSHIFT


def test_held_modifiers_are_released_once_and_no_menu_opens(fake, backend):
    fake.held = {windows.VK_LWIN, windows.VK_RSHIFT}
    backend.type_text("a")
    assert fake.sent[:2] == windows.presses((windows.VK_LCONTROL,)), "Win alone would open the menu"
    assert {e.key for e in fake.sent[2:4]} == {windows.VK_LWIN, windows.VK_RSHIFT}
    assert all(e.flags & KEYUP for e in fake.sent[2:4])
    assert [e.unit for e in fake.sent[4:]] == [ord("a")] * 2
    assert fake.held == set()


def test_keys_let_go_in_time_are_only_waited_for(fake, backend, monkeypatch):
    monkeypatch.setattr(windows, "RELEASE_WAIT_S", 30.0)
    fake.held = {windows.VK_RCONTROL}
    threading.Timer(0.05, fake.held.clear).start()
    backend.type_text("a")
    assert len(fake.sent) == 2


@pytest.mark.parametrize(
    ("submit", "keys"),
    [
        (Submit.ENTER, [windows.VK_RETURN]),
        (Submit.CTRL_ENTER, [windows.VK_LCONTROL, windows.VK_RETURN]),
        (Submit.SUPER_ENTER, [windows.VK_LWIN, windows.VK_RETURN]),
        (Submit.OFF, []),
    ],
)
def test_the_key_after_the_text(fake, backend, submit, keys):
    backend.submit(submit)
    assert [e.key for e in fake.sent if not e.flags & KEYUP] == keys


def test_without_a_window_nothing_is_sent(fake, backend):
    assert backend.focused() == Target(TARGET, "notepad.exe")
    fake.front = 0
    assert backend.focused() == Target()
    with pytest.raises(InsertError) as caught:
        backend.paste_text("said")
    assert caught.value.reason is InsertReason.NO_FOCUS
    assert fake.text() == "old"


def test_the_structure_for_sendinput_has_the_size_that_windows_expects():
    assert ctypes.sizeof(Input) == (40 if ctypes.sizeof(ctypes.c_void_p) == 8 else 28)
    assert KeyEvent() == KeyEvent(0, 0, 0)
