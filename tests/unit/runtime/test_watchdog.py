"""Threads that die or get stuck: each part is killed for real, and the watchdog looks at it."""

import queue
import threading

import pytest

from handy_qwen.audio.recorder import MicrophoneRecorder
from handy_qwen.control import ControlServer, Endpoint, ask
from handy_qwen.core.events import Delivered, HotkeysDied, Noted
from handy_qwen.core.types import Delivery, KeyPermission, Method, Submit, Target
from handy_qwen.errors import HandyError
from handy_qwen.runtime.controller import Controller
from handy_qwen.runtime.watchdog import FORGIVEN_LOOKS, SPINNING_LOOKS, Expected, Watch, Watchdog
from handy_qwen.runtime.worker import WatchedThread, Worker
from handy_qwen.system.insert.backend import Inserted
from handy_qwen.system.insert.inserter import DesktopInserter
from handy_qwen.transcriber.thread import EngineTranscriber

MOST_OWN = Expected("", "", 0.0).most_own


class Part:
    """Dead, busy or well, as told."""

    def __init__(self):
        self.is_dead, self.at, self.revived, self.error = False, None, 0, None
        self.own = 0

    def has_died(self):
        return self.is_dead

    def piece(self):
        return self.at

    def own_pieces(self):
        return self.own

    def revive(self):
        self.revived += 1
        if self.error:
            raise self.error
        self.is_dead = False


class Bench:
    def __init__(self, part, stuck_s=5.0):
        self.part = part
        self.told, self.notes = [], []
        self.watchdog = Watchdog(lambda *said: self.told.append(said), lambda *said: self.notes.append(said))
        self.watchdog.add([Watch(part, Expected("part", "The part", stuck_s))])

    def look(self, times=1):
        for _ in range(times):
            self.watchdog.look()
        return self

    @property
    def titles(self):
        return [error.title if error else None for _, error in self.told]


@pytest.mark.expects_log
def test_what_dies_is_started_again_once_and_told():
    desk = Bench(Part())
    desk.part.is_dead = True
    desk.look(3)
    assert desk.part.revived == 1
    assert desk.notes == [("The part stopped working and was restarted.", "See the log for details.")]
    assert desk.told == []


@pytest.mark.expects_log
def test_what_dies_again_soon_is_a_lasting_notice_with_a_remedy():
    desk = Bench(Part())
    for _ in range(2):
        desk.part.is_dead = True
        desk.look(3)
    assert desk.part.revived == 1
    assert desk.titles == ["The part stopped working."]
    assert "restart" in desk.told[0][1].hint


@pytest.mark.expects_log
def test_what_was_well_for_long_is_started_again_once_more():
    desk = Bench(Part())
    for _ in range(2):
        desk.part.is_dead = True
        desk.look(FORGIVEN_LOOKS + 2)
    assert desk.part.revived == 2
    assert desk.told == []


@pytest.mark.expects_log
def test_what_cannot_be_started_again_is_told_at_once_and_taken_back_when_it_lives():
    desk = Bench(Part())
    desk.part.is_dead, desk.part.error = True, HandyError("No.")
    desk.look(3)
    assert desk.titles == ["The part stopped working."]
    desk.part.is_dead = False
    assert desk.look().titles == ["The part stopped working.", None]


@pytest.mark.expects_log
def test_what_does_not_move_is_told_once_and_taken_back_when_it_moves():
    desk = Bench(Part())
    desk.part.at = 7
    assert desk.look(3).titles == []
    assert desk.look(10).titles == ["The part isn't responding."]
    desk.part.at = 8
    assert desk.look().titles == ["The part isn't responding.", None]


@pytest.mark.parametrize("pieces", [[1, 2, 3, 4], [1, None, 1, None]])
def test_what_moves_or_waits_is_not_stuck(pieces):
    desk = Bench(Part(), stuck_s=1.0)
    for piece in pieces * 5:
        desk.part.at = piece
        desk.look()
    assert desk.told == []


def spin(desk, looks, pieces=MOST_OWN + 1):
    """Let the part begin so many pieces of its own accord before each look."""
    for _ in range(looks):
        desk.part.at, desk.part.own = desk.part.own + 1, desk.part.own + pieces
        desk.look()


@pytest.mark.expects_log
def test_what_spins_is_started_again_once_and_told_when_it_goes_on_spinning():
    desk = Bench(Part())
    spin(desk, SPINNING_LOOKS - 1)
    assert desk.part.revived == 0, "perhaps it catches up"
    spin(desk, 1)
    assert (desk.part.revived, desk.told) == (1, [])
    assert desk.notes == [("The part stopped working and was restarted.", "See the log for details.")]
    spin(desk, 3 * SPINNING_LOOKS)
    assert (desk.part.revived, desk.titles) == (1, ["The part stopped working."])
    assert desk.look().titles == ["The part stopped working.", None], "it has come to rest"


def test_what_is_asked_for_much_or_polls_at_its_own_pace_does_not_spin():
    desk = Bench(Part())
    spin(desk, 10 * SPINNING_LOOKS, pieces=MOST_OWN)
    assert (desk.part.revived, desk.told) == (0, [])


@pytest.mark.expects_log
def test_a_thread_that_spins_is_replaced_by_one_that_goes_on():
    is_cured = threading.Event()

    def run():
        while not is_cured.is_set():
            thread.begin(is_own=True)
            thread.end()
        ran.put(threading.current_thread())

    ran, watch_ = queue.SimpleQueue(), Watch(None, Expected("part", "The part", 5.0, most_own=0))
    thread = watch_.part = WatchedThread("spinning", run, on_revive=is_cured.set)
    thread.start()
    watchdog = Watchdog(pytest.fail, lambda *_: None)
    watchdog.add([watch_])
    seen = thread.own_pieces()
    while not is_cured.is_set():
        while thread.own_pieces() == seen:
            threading.Event().wait(0.001)
        seen = thread.own_pieces()
        watchdog.look()
    assert ran.get(timeout=30).name == "spinning"
    assert ran.empty(), "the one before has left in the middle"


@pytest.mark.expects_log
def test_a_part_that_cannot_be_looked_at_does_not_keep_the_others_from_being():
    desk = Bench(Part())
    broken = Part()
    broken.has_died = lambda: 1 / 0
    last = Part()
    desk.watchdog.add(
        [Watch(broken, Expected("broken", "It", 1.0)), Watch(last, Expected("last", "It", 1.0))]
    )
    last.is_dead = True
    desk.look()
    assert last.revived == 1


@pytest.mark.expects_log
def test_a_clock_that_cannot_be_read_does_not_keep_the_parts_from_being_looked_at():
    clock, part = iter([0.0]), Part()
    watchdog = Watchdog(pytest.fail, lambda *_: None, asleep_s=lambda: next(clock))
    watchdog.add([Watch(part, Expected("part", "It", 1.0))])
    part.is_dead = True
    watchdog.look()
    assert part.revived == 1


def test_a_sleep_of_the_machine_is_noticed_once():
    asleep, slept = [100.0], []
    watchdog = Watchdog(pytest.fail, pytest.fail, asleep_s=lambda: asleep[0], has_slept=slept.append)
    watchdog.look()
    asleep[0] += 0.001  # two clocks are never read at once
    watchdog.look()
    assert slept == []
    asleep[0] += 3600
    watchdog.look()
    watchdog.look()
    assert slept == [pytest.approx(3600)]


@pytest.mark.expects_log
def test_it_looks_by_itself_until_it_is_stopped(monkeypatch):
    monkeypatch.setattr("handy_qwen.runtime.watchdog.LOOK_S", 0.001)
    part, noted = Part(), threading.Event()
    part.is_dead = True
    watchdog = Watchdog(lambda *_: None, lambda *_: noted.set())
    watchdog.add([Watch(part, Expected("part", "The part", 5.0))])
    watchdog.start()
    assert noted.wait(30)
    watchdog.stop(30)
    watchdog.stop(30)


# --- the parts, killed for real ----------------------------------------------------------------------


def kill(thread, poison):
    """End ``thread`` by what nothing of ours raises, and have it looked after."""
    poison()
    thread.join(30)
    assert thread.has_died()
    desk = Bench(thread).look()
    assert len(desk.notes) == 1
    assert not thread.has_died()
    assert thread.is_alive()
    return desk


def die(*_args, **_more):
    raise SystemExit


@pytest.mark.expects_log
def test_the_cycle_lives_again_with_its_state():
    views = queue.SimpleQueue()
    poisoned = []

    def show(view):
        if poisoned:
            poisoned.pop()()
        views.put(view)

    controller = Controller(lambda _: None, show)
    controller.start()
    controller.post(Noted("One.", ""))
    assert [n.title for n in views.get(timeout=30).notices] == ["One."]
    poisoned.append(die)
    kill(controller.thread, lambda: controller.post(Noted("Two.", "")))
    controller.post(Noted("Three.", ""))
    assert [n.title for n in views.get(timeout=30).notices] == ["One.", "Two.", "Three."]
    controller.stop(30)
    assert not controller.thread.has_died()


@pytest.mark.expects_log
def test_the_chores_live_again():
    done = threading.Event()
    chores = Worker("chores")
    assert not chores.has_died(), "it was not started"
    chores.start()
    kill(chores, lambda: chores.do(die))
    chores.do(done.set)
    assert done.wait(30)
    chores.stop(30)
    assert not chores.has_died()


@pytest.mark.expects_log
def test_a_chore_that_hangs_is_told():
    gate, begun = threading.Event(), threading.Event()
    chores = Worker("chores")
    chores.start()
    chores.do(lambda: (begun.set(), gate.wait(30)))
    assert begun.wait(30)
    assert Bench(chores, stuck_s=3.0).look(5).titles == ["The part isn't responding."]
    gate.set()
    chores.stop(30)


@pytest.mark.expects_log
def test_the_control_socket_answers_again(app_home):
    endpoint = Endpoint(app_home / "run")

    def answer(command):
        if command == "die":
            die()
        return {"it": "lives"}

    server = ControlServer(endpoint, answer)
    server.start()

    def poison():
        with pytest.raises(HandyError):
            ask(endpoint, "die")

    kill(server.thread, poison)
    assert ask(endpoint, "status")["it"] == "lives"
    server.close(30)
    assert not server.thread.has_died()


class Screen:
    """A backend that types, dies or hangs."""

    def __init__(self):
        self.typed, self.poison = [], None

    def focused(self):
        return Target()

    def type_text(self, text):
        if self.poison:
            self.poison()
        self.typed.append(text)
        return Inserted(len(text))

    def key_permission(self):
        return KeyPermission.NOT_NEEDED

    def rest(self, is_idle):
        del is_idle

    def close(self):
        pass


def inserter(screen):
    events = queue.SimpleQueue()
    stopping = threading.Event()
    return DesktopInserter(events.put, screen, stopping=stopping, last_resort=lambda _: None), events


@pytest.mark.expects_log
def test_insertion_lives_again_and_the_text_it_died_with_waits_for_the_user():
    screen = Screen()
    part, events = inserter(screen)
    screen.poison = die
    kill(part.thread, lambda: part.insert(1, "x", target=None, method=Method.TYPE, submit=Submit.OFF))
    assert events.get(timeout=30) == Delivered(1, Delivery.HELD, may_have_arrived=True)
    screen.poison = None
    part.insert(2, "y", target=None, method=Method.TYPE, submit=Submit.OFF)
    assert events.get(timeout=30) == Delivered(2, Delivery.TYPED)
    part.close(30)
    assert not part.thread.has_died()


@pytest.mark.expects_log
def test_an_insertion_stuck_in_the_system_is_told():
    screen, gate, begun = Screen(), threading.Event(), threading.Event()
    part, events = inserter(screen)
    screen.poison = lambda: (begun.set(), gate.wait(30))
    part.insert(1, "x", target=None, method=Method.TYPE, submit=Submit.OFF)
    assert begun.wait(30)
    desk = Bench(part.thread, stuck_s=3.0).look(5)
    assert desk.titles == ["The part isn't responding."]
    gate.set()
    events.get(timeout=30)
    part.close(30)


class NoSound:
    """A sound system without a microphone."""

    def watch(self, on_change):
        pass

    def devices(self):
        return []

    def playing(self):
        return None

    def close(self):
        pass


@pytest.mark.expects_log
def test_the_microphone_lives_again():
    listed = queue.SimpleQueue()
    part = MicrophoneRecorder(lambda _: None, NoSound(), on_devices=listed.put)
    part.launch()
    assert listed.get(timeout=30).devices == []
    kill(part.thread, lambda: part.thread.do(die))
    part.close(30)
    assert not part.thread.has_died()


@pytest.mark.expects_log
def test_the_engine_is_one_of_them():
    part = EngineTranscriber(lambda _: None, die)
    kill(part.thread, lambda: part.thread.do(die))
    part.close(30)


@pytest.mark.expects_log
def test_a_listener_that_died_is_started_again_by_the_cycle():
    posted = []
    x11 = pytest.importorskip("handy_qwen.system.hotkeys.x11", reason="speaks to X servers")
    listener = x11.X11Hotkeys(posted.append, display=":9876")
    assert not listener.has_died()
    listener._thread = WatchedThread("hotkeys", lambda: None)
    listener._thread.start()
    listener._thread.join(30)
    desk = Bench(listener).look()
    assert posted == [HotkeysDied()]
    assert len(desk.notes) == 1
