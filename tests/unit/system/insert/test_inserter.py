"""The order of methods, what is posted, and what is never logged."""

import queue
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.core.events import Delivered, Delivery, Failed, KeysPermitted
from handy_qwen.core.types import KeyPermission, Method, Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.backend import UNKNOWN, Backend, Inserted, is_deletable
from handy_qwen.system.insert.inserter import (
    COPIED_NOTE,
    IN_USE_NOTE,
    KEY_NOTE,
    NO_KEY_NOTE,
    UNKNOWN_NOTE,
    DesktopInserter,
)
from handy_qwen.system.session import Kind, Session
from tests.waiting import wait_until

HERE, ELSEWHERE = Target(7, "Editor"), Target(8)
TEXT = "Hello world"


def failing(reason):
    return InsertError("No.", reason)


UNSUPPORTED, NOT_TYPEABLE = failing(InsertReason.UNSUPPORTED_DESKTOP), failing(InsertReason.NOT_TYPEABLE)
IN_USE, NO_FOCUS = failing(InsertReason.CLIPBOARD_IN_USE), failing(InsertReason.NO_FOCUS)
SURPRISE = RuntimeError("boom")


class FakeBackend(Backend):
    """Does what the test says and remembers what it was asked.

    ``fails``: what each step raises; ``arrives``: how much of a text, if not all; ``moves``: the step with
    which the focus goes elsewhere.
    """

    def __init__(self, *, arrives=None, moves=None, **fails):
        super().__init__(Session(Kind.NONE), print)
        self.arrives, self.moves, self.fails = arrives, moves, fails
        self.calls, self.rests, self.prepared, self.window = [], [], [], HERE
        self.is_closed = threading.Event()
        self.permission = KeyPermission.NOT_NEEDED

    def key_permission(self):
        return self.permission

    def ask_permission(self):
        self.permission = KeyPermission.GIVEN

    def _do(self, name, value):
        self.calls.append((name, value))
        if name == self.moves:
            self.window = ELSEWHERE
        if name in self.fails:
            raise self.fails[name]

    def focused(self):
        if self.calls and "focused" in self.fails:
            raise self.fails["focused"]
        return self.window

    def prepare(self, is_awaited):
        self.prepared.append(is_awaited())
        if "prepare" in self.fails:
            raise self.fails["prepare"]

    def hasten(self):
        self._do("hasten", "")

    def type_text(self, text):
        self._do("type", text)
        return self.arrives or Inserted(len(text))

    def paste_text(self, text):
        self._do("paste", text)
        return self.arrives or Inserted(len(text))

    def copy(self, text):
        self._do("copy", text)

    def submit(self, submit):
        self._do("submit", submit)

    def erase(self, text, may_erase):
        if not may_erase():
            raise UNSUPPORTED
        self._do("erase", text)

    def clipboard_text(self):
        self._do("read", "")
        return "copied\x1b"

    def rest(self, is_idle):
        self.rests.append(is_idle)
        if "rest" in self.fails:
            raise self.fails["rest"]
        return 0.01 if len(self.rests) < 3 else None

    def close(self):
        self.is_closed.set()


class Work:
    """An inserter at work on a fake back end."""

    def __init__(self, backend, last_resort=pytest.fail):
        self.backend = backend
        self.posted = queue.Queue()
        self.inserter = DesktopInserter(
            self.posted.put, backend, stopping=threading.Event(), last_resort=last_resort
        )

    def begin(self, take, method, *, text="said", target=None, submit=Submit.OFF, **erased):
        self.inserter.insert(take, text, target=target, method=method, submit=submit, **erased)

    def insert(self, method, **options):
        self.begin(3, method, **options)
        return self.posted.get(timeout=10)


@pytest.fixture
def work():
    made = []

    def make(backend, **options):
        made.append(Work(backend, **options))
        return made[-1]

    yield make
    for one in made:
        one.inserter.close(10)


@pytest.mark.parametrize(
    ("backend", "method", "delivered", "calls"),
    [
        ({}, Method.TYPE, Delivered(3, Delivery.TYPED), ["type"]),
        ({}, Method.PASTE, Delivered(3, Delivery.PASTED), ["paste"]),
        ({}, Method.COPY, Delivered(3, Delivery.COPIED), ["copy"]),
        ({}, Method.NONE, Delivered(3, Delivery.KEPT), []),
        # from one method to the next
        ({"paste": UNSUPPORTED}, Method.PASTE, Delivered(3, Delivery.TYPED), ["paste", "type"]),
        ({"paste": IN_USE}, Method.PASTE, Delivered(3, Delivery.TYPED), ["paste", "type"]),
        (
            {"type": NOT_TYPEABLE, "paste": UNSUPPORTED},
            Method.TYPE,
            Delivered(3, Delivery.COPIED, COPIED_NOTE),
            ["type", "paste", "copy"],
        ),
        # nothing is copied over what the user has copied
        (
            {"paste": IN_USE, "type": NOT_TYPEABLE},
            Method.PASTE,
            Delivered(3, Delivery.HELD, IN_USE_NOTE),
            ["paste", "type"],
        ),
        (
            {"paste": IN_USE, "type": NOT_TYPEABLE},
            Method.TYPE,
            Delivered(3, Delivery.HELD, IN_USE_NOTE),
            ["type", "paste"],
        ),
        (
            {"arrives": Inserted(None, may_copy=False)},
            Method.PASTE,
            Delivered(3, Delivery.HELD, may_have_arrived=True),
            ["paste"],
        ),
        # what may have arrived is copied, and not inserted again
        (
            {"arrives": UNKNOWN},
            Method.TYPE,
            Delivered(3, Delivery.COPIED, UNKNOWN_NOTE, may_have_arrived=True),
            ["type", "copy"],
        ),
        (
            {"arrives": UNKNOWN},
            Method.PASTE,
            Delivered(3, Delivery.COPIED, UNKNOWN_NOTE, may_have_arrived=True),
            ["paste", "copy"],
        ),
        (
            {"arrives": Inserted(None, has_focus=False)},
            Method.TYPE,
            Delivered(3, Delivery.COPIED, UNKNOWN_NOTE, may_have_arrived=True),
            ["type", "copy"],
        ),
        # in another window no other method is tried
        ({"paste": NO_FOCUS, "moves": "paste"}, Method.PASTE, Delivered(3, Delivery.HELD), ["paste"]),
    ],
)
def test_each_method_falls_through_to_the_next_until_one_has_begun(work, backend, method, delivered, calls):
    one = work(FakeBackend(**backend))
    assert one.insert(method, target=HERE) == delivered
    assert one.backend.calls == [(name, "said") for name in calls]


@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE])
@pytest.mark.parametrize(
    ("backend", "how", "calls"),
    [
        ({}, Delivery.COPIED, [("copy", "world")]),
        ({"has_focus": False}, Delivery.HELD, []),
        ({"copy": UNSUPPORTED}, Delivery.HELD, [("copy", "world")]),
    ],
)
def test_of_a_text_that_arrived_in_part_only_the_rest_is_copied_or_held(work, method, backend, how, calls):
    def refuse(_):
        raise UNSUPPORTED

    options = dict(backend)
    arrives = Inserted(6, has_focus=options.pop("has_focus", True))
    one = work(FakeBackend(arrives=arrives, **options), last_resort=refuse)
    delivered = one.insert(method, text=TEXT, submit=Submit.ENTER)
    assert delivered == Delivered(3, how, rest="world")
    assert one.backend.calls == [(method.value, TEXT), *calls]
    assert "world" not in repr(delivered)


@given(
    st.text(st.sampled_from("ab \n"), min_size=1, max_size=12),
    st.one_of(st.none(), st.integers(1, 12)),
    st.booleans(),
    st.sampled_from([Method.TYPE, Method.PASTE]),
)
def test_no_part_of_a_text_that_has_arrived_is_inserted_or_copied_again(text, count, has_focus, method):
    count = None if count is None else min(count, len(text))
    one = Work(FakeBackend(arrives=Inserted(count, has_focus=has_focus)))
    delivered = one.insert(method, text=text)
    one.inserter.close(10)
    (first, *others) = one.backend.calls
    assert first == (method.value, text)
    missing = text if count is None else text[count:]
    if delivered.how in {Delivery.TYPED, Delivery.PASTED}:
        assert count is not None
        assert not missing.strip()
    else:
        assert delivered.rest == ("" if count is None else missing)
    assert others in ([], [("copy", missing)])


def test_what_the_desktop_says_to_pressing_keys_is_told_when_it_changes(work):
    backend = FakeBackend()
    backend.permission = KeyPermission.UNASKED
    desk = work(backend)
    desk.inserter.allow_keys()
    told = [desk.posted.get(timeout=30) for _ in range(2)]
    assert told == [KeysPermitted(KeyPermission.UNASKED), KeysPermitted(KeyPermission.GIVEN)]


def test_the_last_resort_copies_when_nothing_else_can(work):
    copied = []
    one = work(FakeBackend(type=UNSUPPORTED, paste=UNSUPPORTED, copy=UNSUPPORTED), last_resort=copied.append)
    assert one.insert(Method.PASTE) == Delivered(3, Delivery.COPIED, COPIED_NOTE)
    one.inserter.copy("by request")
    assert copied == ["said", "by request"]


def test_a_text_that_cannot_even_be_copied_is_reported_as_failed(work):
    def refuse(_):
        raise UNSUPPORTED

    one = work(FakeBackend(type=UNSUPPORTED, paste=UNSUPPORTED, copy=UNSUPPORTED), last_resort=refuse)
    assert one.insert(Method.TYPE) == Failed(3, UNSUPPORTED)


@pytest.mark.parametrize(
    ("method", "target", "how"),
    [
        (Method.PASTE, None, Delivery.PASTED),
        (Method.PASTE, HERE, Delivery.PASTED),
        (Method.PASTE, Target(0), Delivery.PASTED),
        (Method.PASTE, ELSEWHERE, Delivery.HELD),
        (Method.COPY, ELSEWHERE, Delivery.COPIED),
    ],
)
def test_a_text_is_held_when_another_window_has_the_focus(work, method, target, how):
    one = work(FakeBackend())
    assert one.insert(method, target=target) == Delivered(3, how)
    assert len(one.backend.calls) == (how is not Delivery.HELD)


@pytest.mark.expects_log
@pytest.mark.parametrize(
    ("backend", "how", "note"),
    [
        ({}, Delivery.TYPED, ""),
        ({"moves": "type"}, Delivery.TYPED, KEY_NOTE),
        *(
            ({step: problem}, Delivery.TYPED, KEY_NOTE)
            for step in ("submit", "focused")
            for problem in (UNSUPPORTED, SURPRISE)
        ),
        ({"type": NOT_TYPEABLE, "paste": UNSUPPORTED}, Delivery.COPIED, COPIED_NOTE),
    ],
)
def test_the_key_after_the_text_is_pressed_where_the_text_has_arrived(work, backend, how, note):
    one = work(FakeBackend(**backend))
    assert one.insert(Method.TYPE, submit=Submit.CTRL_ENTER) == Delivered(3, how, note)
    is_pressed = ("submit", Submit.CTRL_ENTER) in one.backend.calls
    assert is_pressed == (not note or "submit" in backend)


@pytest.mark.parametrize("text", ["", "\x1b\x07"])
def test_a_text_without_anything_to_insert_is_kept(work, text):
    assert work(FakeBackend()).insert(Method.TYPE, text=text) == Delivered(3, Delivery.KEPT)


@pytest.mark.expects_log
@pytest.mark.parametrize("fails", [{}, {"prepare": IN_USE}, {"prepare": SURPRISE}])
def test_preparing_comes_before_the_text_and_only_for_a_paste(work, fails):
    one = work(FakeBackend(**fails))
    for method in Method:
        one.inserter.prepare(method)
    assert one.insert(Method.PASTE) == Delivered(3, Delivery.PASTED)
    assert len(one.backend.prepared) == 1


@pytest.mark.expects_log
@pytest.mark.parametrize("fails", [{}, {"hasten": UNSUPPORTED}, {"hasten": SURPRISE}])
def test_it_gets_ready_for_a_paste_when_the_recording_is_over(work, fails):
    one = work(FakeBackend(**fails))
    for method in (Method.PASTE, Method.COPY):
        one.inserter.prepare(method)
        one.inserter.hasten()
    assert one.insert(Method.PASTE) == Delivered(3, Delivery.PASTED)
    assert [name for name, _ in one.backend.calls] == ["hasten", "paste"]


@pytest.mark.expects_log
def test_what_goes_wrong_is_logged_without_the_text_and_the_next_text_is_inserted(work, caplog):
    one = work(FakeBackend(type=SURPRISE, paste=UNSUPPORTED))
    with caplog.at_level("DEBUG"):
        for take, method in enumerate([Method.TYPE, Method.PASTE]):
            one.begin(take, method, text="a secret")
            assert one.posted.get(timeout=10) == Delivered(
                take, Delivery.COPIED, UNKNOWN_NOTE, may_have_arrived=True
            )
    assert "boom" in caplog.text
    assert "paste fell through: UNSUPPORTED_DESKTOP" in caplog.text
    assert "secret" not in caplog.text


def test_texts_are_inserted_in_the_order_they_came_also_while_closing(work):
    one = work(FakeBackend())
    for take in range(20):
        one.begin(take, Method.TYPE, text=f"text {take}")
    one.inserter.close(10)
    one.inserter.close(10)  # twice does no harm
    assert [one.posted.get_nowait().take for _ in range(20)] == list(range(20))
    assert [text for _, text in one.backend.calls] == [f"text {take}" for take in range(20)]
    assert one.backend.is_closed.is_set()


def test_the_back_end_may_rest_between_texts_as_often_as_it_wants(work):
    one = work(FakeBackend())
    one.insert(Method.TYPE)
    wait_until(lambda: one.backend.rests == [True, True, True], "three rests")


@pytest.mark.expects_log
@pytest.mark.parametrize("problem", [UNSUPPORTED, SURPRISE])
def test_a_failure_to_tidy_up_does_not_end_the_thread(work, problem):
    one = work(FakeBackend(rest=problem))
    assert [one.insert(Method.TYPE).how for _ in range(2)] == [Delivery.TYPED] * 2


def test_the_watchdog_sees_tidying_up_that_hangs(work):
    one, hanging, go_on = work(FakeBackend()), threading.Event(), threading.Event()
    one.backend.rest = lambda _: (hanging.set(), go_on.wait(10), None)[-1]
    one.begin(1, Method.TYPE)
    assert hanging.wait(10)
    assert one.inserter.thread.piece() is not None
    go_on.set()


@pytest.mark.expects_log
@pytest.mark.parametrize("problem", [UNSUPPORTED, SURPRISE])
@pytest.mark.parametrize("arrives", [UNKNOWN, Inserted(6)])
def test_a_text_that_may_have_arrived_is_never_failed_when_it_cannot_be_copied(work, problem, arrives):
    def refuse(_):
        raise problem

    delivered = work(FakeBackend(arrives=arrives, copy=problem), last_resort=refuse).insert(
        Method.PASTE, text=TEXT
    )
    assert delivered.how is Delivery.HELD
    assert (delivered.may_have_arrived, delivered.rest) == (
        (True, "") if arrives is UNKNOWN else (False, "world")
    )


def test_what_was_inserted_before_is_deleted_first(work):
    at_work = work(FakeBackend())
    done = at_work.insert(Method.TYPE, text="new", target=HERE, submit=Submit.ENTER, erased="old")
    assert done == Delivered(3, Delivery.TYPED, has_erased=True)
    assert at_work.backend.calls == [("erase", "old"), ("type", "new"), ("submit", Submit.ENTER)]


def test_a_command_alone_deletes_or_presses_a_key_and_inserts_nothing(work):
    at_work = work(FakeBackend())
    assert at_work.insert(Method.NONE, text="", erased="old") == Delivered(3, Delivery.TYPED, has_erased=True)
    assert at_work.insert(Method.PASTE, text="", submit=Submit.ENTER) == Delivered(3, Delivery.TYPED)
    assert at_work.backend.calls == [("erase", "old"), ("submit", Submit.ENTER)]


def test_nothing_is_deleted_or_pressed_in_another_window(work):
    at_work = work(FakeBackend())
    for options in ({"erased": "old"}, {"submit": Submit.ENTER}):
        done = at_work.insert(Method.TYPE, text="", target=ELSEWHERE, **options)
        assert done == Delivered(3, Delivery.HELD)
    assert at_work.backend.calls == []


def test_what_cannot_be_deleted_keeps_no_text_back_and_a_key_that_is_not_pressed_is_told(work):
    at_work = work(FakeBackend(erase=UNSUPPORTED, submit=UNSUPPORTED))
    assert at_work.insert(Method.TYPE, text="new", erased="old") == Delivered(3, Delivery.TYPED)
    assert at_work.insert(Method.TYPE, text="", submit=Submit.ENTER).note == NO_KEY_NOTE


@pytest.mark.parametrize("text", ["", "new"])
def test_what_could_not_be_taken_back_is_not_sent(work, text):
    at_work = work(FakeBackend())
    at_work.insert(Method.TYPE, text=text, submit=Submit.ENTER, erased="old", may_erase=lambda: False)
    assert at_work.backend.calls == [("type", text)] * bool(text)


def test_the_clipboard_is_read_as_text_that_can_be_printed_and_a_failure_reads_nothing(work):
    for backend, found in ((FakeBackend(), "copied"), (FakeBackend(read=UNSUPPORTED), "")):
        heard = queue.Queue()
        work(backend).inserter.read_clipboard(heard.put)
        assert heard.get(timeout=10) == found


@pytest.mark.parametrize(
    ("text", "can_be"),
    [("A dog,\nzwei Äpfel, 你好。", True), ("क्या", False), ("👍", False), ("a\u0301", False), ("\t", False)],
)
def test_only_what_backspace_deletes_one_by_one_everywhere_is_deleted(text, can_be):
    assert is_deletable(text) is can_be


@pytest.mark.parametrize(
    "text",
    [
        "no -- yes",
        "well...",
        "a -> b",
        "1/2 cup",
        "(c) me",
        "Great :)",
        "so ;-)",
        ":smile:",
        "*loud*",
        "1. Milk",
        "Now:\n- Milk",
        "a) Milk",
        "x => y",
        "snake_case",
    ],
)
def test_what_programs_replace_by_something_shorter_is_not_counted_on(text):
    assert not is_deletable(text)


@pytest.mark.parametrize(
    "text",
    [
        "Yes. No.",
        "It's 10:30 (UTC).",
        "See https://x.org/a-b?c=d.",
        "A well-known fact: 5 > 3.",
        "“Hi,” I said…",
    ],
)
def test_ordinary_punctuation_can_be_deleted(text):
    assert is_deletable(text)
