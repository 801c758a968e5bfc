"""The steps of a paste, on the two systems that show who fetches."""

import pytest

from handy_qwen.core.types import Target
from handy_qwen.errors import InsertReason
from handy_qwen.system.insert import backend as backend_module
from handy_qwen.system.insert.backend import UNKNOWN, Inserted
from tests.unit.system.insert.fake_systems import reason_of, rest

pytestmark = pytest.mark.parametrize("fake", ["windows", "macos"], indirect=True)


def test_the_window_gets_the_text_and_the_user_all_formats_back(fake, backend):
    before = fake.content
    for text in ("said\nmore", "again"):  # also when we put them there ourselves
        backend.paste_text(text)
        assert fake.is_private()
        rest(backend)
        assert fake.content == before
    assert fake.pasted == ["said\nmore", "again"]


def test_two_pastes_in_a_row_restore_what_was_there_before_the_first(fake, backend):
    backend.paste_text("one")
    assert backend.rest(is_idle=False) == 0.0
    backend.paste_text("two")
    backend.close()
    assert fake.pasted == ["one", "two"]
    assert fake.text() == "old"


def test_what_the_user_copies_meanwhile_stays(fake, backend):
    backend.paste_text("said")
    fake.copies_text("newer")
    rest(backend)
    assert fake.text() == "newer"


def test_what_is_saved_in_advance_is_not_read_again_unless_it_changes(fake, backend):
    backend.prepare(lambda: False)
    asked = len(fake.asked)
    backend.prepare(lambda: True)
    backend.paste_text("said")
    assert len(fake.asked) == asked > 0
    rest(backend)
    backend.prepare(lambda: False)
    fake.copies_text("two")
    backend.paste_text("said")
    rest(backend)
    assert fake.text() == "two"


def test_a_window_that_does_not_fetch_may_be_slow_and_still_gets_the_text(fake, backend):
    fake.pastes = False
    assert backend.paste_text("said") == UNKNOWN
    rest(backend)
    assert fake.text() is None, "it is promised"


def test_what_the_user_copies_while_the_window_is_stuck_is_not_to_be_replaced(fake, backend):
    fake.pastes = False
    fake.on_send = lambda: fake.copies_text("newer")
    assert backend.paste_text("said") == Inserted(None, may_copy=False)
    assert fake.text() == "newer"


def test_a_clipboard_that_is_not_handed_over_in_time_is_left_alone(fake, backend, monkeypatch):
    monkeypatch.setattr(backend_module, "WAIT_S", 0.0)
    before = fake.content
    assert reason_of(backend.paste_text, "said") is InsertReason.CLIPBOARD_IN_USE
    assert (fake.content, fake.sent) == (before, [])


def test_a_copied_text_stays_and_is_private(fake, backend):
    backend.paste_text("said")
    backend.copy("kept")
    rest(backend)
    backend.close()
    assert fake.text() == "kept"
    assert fake.is_private()


def test_without_a_window_nothing_is_sent(fake, backend):
    assert backend.focused().application in {"notepad.exe", "com.example.Editor"}
    fake.loses_focus()
    assert backend.focused() == Target()
    assert reason_of(backend.paste_text, "said") is InsertReason.NO_FOCUS
    assert (fake.text(), fake.sent) == ("old", [])
