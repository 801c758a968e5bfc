"""What Windows tells of microphones, by objects of ours that are called as its own are."""

import ctypes
import queue
import sys
import threading
from types import SimpleNamespace
from uuid import UUID

import pytest

from handy_qwen.audio import com, endpoints, volume
from handy_qwen.audio import portaudio as portaudio_module
from handy_qwen.audio.endpoints import CAPTURE, CLIENT, MULTIMEDIA, Endpoints
from handy_qwen.audio.hotplug import SystemSubscription
from handy_qwen.audio.microphones import Microphones
from handy_qwen.audio.portaudio import PortAudio
from tests.unit.audio.conftest import FakePortAudio, host, info
from tests.unit.audio.windows import FakeWindows
from tests.waiting import wait_until

RENDER, CONSOLE, ACTIVE = 0, 0, 1
STATE_CHANGED, ADDED, REMOVED, DEFAULT_CHANGED, PROPERTY_CHANGED = range(3, 8)
LONG_S = 20.0


@pytest.fixture
def system(monkeypatch):
    fake = FakeWindows(microphone=CAPTURE, speakers=RENDER)
    monkeypatch.setattr(com, "_ole32", lambda: fake)
    return fake


@pytest.fixture
def heard(system):  # noqa: ARG001  it must be there
    """What is put here is a change that was reported."""
    changes = queue.SimpleQueue()
    subscription = SystemSubscription(lambda: changes.put(threading.current_thread().name), Endpoints())
    subscription.begin()
    assert subscription.is_alive
    yield changes
    subscription.stop()
    assert not subscription.is_alive


@pytest.mark.parametrize(
    "told",
    [
        (STATE_CHANGED, "microphone", ACTIVE),
        (ADDED, "microphone"),
        (REMOVED, "microphone"),
        (REMOVED, "nobody knows it any more"),
        (DEFAULT_CHANGED, CAPTURE, MULTIMEDIA, "microphone"),
        (DEFAULT_CHANGED, CAPTURE, MULTIMEDIA, None),
    ],
)
def test_what_changes_the_microphones_is_reported_on_our_own_thread(system, heard, told):
    system.tell(*told)
    assert heard.get(timeout=LONG_S) == "microphone-hotplug"


@pytest.mark.parametrize(
    "told",
    [
        (STATE_CHANGED, "speakers", ACTIVE),
        (ADDED, "speakers"),
        (DEFAULT_CHANGED, RENDER, MULTIMEDIA, "speakers"),
        (DEFAULT_CHANGED, CAPTURE, CONSOLE, "microphone"),
    ],
)
def test_speakers_and_other_roles_are_of_no_interest(system, heard, told):
    system.tell(*told)
    system.tell(ADDED, "microphone")
    heard.get(timeout=LONG_S)
    assert heard.empty()


def test_a_property_that_changes_is_taken_and_ignored(system, heard):
    (client,) = system.clients
    change = com._method(client, PROPERTY_CHANGED, ctypes.c_wchar_p, endpoints._PropertyKey)
    assert change(client, "microphone", endpoints._PropertyKey(number=14)) == 0
    system.tell(ADDED, "microphone")
    heard.get(timeout=LONG_S)
    assert heard.empty()


def test_at_the_end_windows_knows_nothing_of_us_and_has_all_back(system):
    subscription = SystemSubscription(lambda: None, Endpoints())
    subscription.begin()
    subscription.begin()
    assert len(system.clients) == 1
    system.tell(ADDED, "microphone")
    system.tell(ADDED, "speakers")
    subscription.stop(LONG_S)
    subscription.stop(LONG_S)
    assert (system.clients, system.held) == ([], 0)


def test_where_windows_refuses_nothing_is_reported_and_no_thread_counts_as_dead(system):
    system.is_refusing = True
    subscription = SystemSubscription(lambda: None, Endpoints())
    subscription.begin()
    subscription.thread.join(LONG_S)
    assert not subscription.is_alive
    assert not subscription.thread.has_died()


@pytest.mark.parametrize("interface", [CLIENT, com._UNKNOWN])
def test_the_client_is_the_interface_it_says(interface):
    client = endpoints._Client(lambda _: None)
    with com.Objects() as objects:
        found = objects.get(client.pointer, com.QUERY, com.guid(interface))
        assert found.value == client.pointer.value


def test_a_thread_that_dies_starts_again_and_windows_knows_only_its_last(system):
    def die():
        raise SystemExit

    changes = queue.SimpleQueue()
    works = iter([die, lambda: changes.put("revived"), lambda: changes.put("heard")])

    def work():
        next(works)()

    subscription = SystemSubscription(work, Endpoints())
    subscription.begin()
    system.tell(ADDED, "microphone")
    subscription.thread.join(LONG_S)
    assert subscription.thread.has_died()
    assert not subscription.is_alive
    (before,) = system.clients
    system.tell(ADDED, "microphone")  # which the new thread finds, and need not report a second time
    subscription.thread.revive()
    assert changes.get(timeout=LONG_S) == "revived"
    (after,) = system.clients
    assert after != before
    system.tell(ADDED, "microphone")
    assert changes.get(timeout=LONG_S) == "heard"
    assert changes.empty()
    subscription.stop(LONG_S)
    assert (system.clients, system.held) == ([], 0)


@pytest.mark.expects_log
def test_a_change_that_cannot_be_dealt_with_does_not_keep_the_next_from_being_heard(system, caplog):
    def fail():
        raise SystemError

    changes = queue.SimpleQueue()
    works = iter([fail, lambda: changes.put("heard")])

    def work():
        next(works)()

    subscription = SystemSubscription(work, Endpoints())
    subscription.begin()
    for _ in range(2):
        system.tell(ADDED, "microphone")
    assert changes.get(timeout=LONG_S) == "heard"
    assert "SystemError" in caplog.text
    subscription.stop(LONG_S)


class Broken:
    """A system whose answers are not understood."""

    def __init__(self, *, opens):
        self._opens = opens
        self.tell = None

    def open(self, put):
        if not self._opens:
            raise SystemError
        self.tell = put

    def concerns_microphones(self, told):
        raise SystemError(told)

    def close(self):
        pass


@pytest.mark.expects_log
def test_a_change_that_is_not_understood_may_be_one_of_the_microphones():
    changes = queue.SimpleQueue()
    subscription = SystemSubscription(lambda: changes.put("perhaps"), broken := Broken(opens=True))
    subscription.begin()
    broken.tell("something")
    assert changes.get(timeout=LONG_S) == "perhaps"
    assert subscription.is_alive
    subscription.stop(LONG_S)


@pytest.mark.expects_log
def test_where_nothing_can_be_opened_no_change_is_reported():
    subscription = SystemSubscription(pytest.fail, Broken(opens=False))
    subscription.begin()
    assert not subscription.is_alive
    subscription.thread.join(LONG_S)
    assert not subscription.thread.is_alive()


def test_the_client_is_no_other_interface():
    client = endpoints._Client(lambda _: None)
    with com.Objects() as objects, pytest.raises(OSError, match="0x80004002"):
        objects.get(client.pointer, com.QUERY, com.guid(endpoints.ENDPOINT))


def test_a_guid_is_as_windows_lays_it_out():
    assert bytes(com.guid(CLIENT)) == UUID(CLIENT).bytes_le


def test_the_volume_is_asked_set_and_given_back(system):
    speakers = volume.WindowsSpeakers()
    assert speakers.volume() == ("default", [pytest.approx(0.8)])
    assert speakers.set_volume("default", [0.2])
    assert system.level == pytest.approx(0.2)
    assert system.held == 0
    system.is_refusing = True
    assert speakers.volume() is None
    assert not speakers.set_volume("default", [0.2])


# --- the list of microphones ---------------------------------------------------------------------------


@pytest.fixture
def portaudio(monkeypatch):
    """Sees what there is only when it starts, as PortAudio does."""
    fake = FakePortAudio(info("Built-in", 1), hosts=[host("Windows WASAPI", [0], 0)])
    fake.present = list(fake.devices)
    start = fake._initialize

    def look():
        fake.devices = list(fake.present)
        fake.hosts = [host("Windows WASAPI", range(len(fake.devices)), 0)]
        start()

    fake._initialize = look
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(portaudio_module, "atexit", SimpleNamespace(register=id, unregister=id))
    return fake


def test_a_microphone_that_was_plugged_in_is_listed_at_once(system, portaudio):
    changed = threading.Event()
    found = Microphones(PortAudio("win32"), "win32")
    found.watch(changed.set)
    assert [one.name for one in found.devices()] == ["Built-in"]
    assert not found.has_news()
    portaudio.present.append(info("USB", 1))
    system.tell(ADDED, "microphone")
    assert changed.wait(LONG_S)
    assert found.has_news()
    assert [one.name for one in found.devices()] == ["Built-in", "USB"]
    assert (found.unseen, found.has_news()) == (0, False)
    found.close()
    assert system.clients == []
    assert found.has_news(), "nobody would tell"


def test_what_changes_while_a_stream_is_open_is_unseen_until_it_is_closed(system, portaudio):
    changes = queue.SimpleQueue()
    found = Microphones(PortAudio("win32"), "win32")
    found.watch(lambda: changes.put(None))
    stream = found.open(found.devices()[0])
    portaudio.present.append(info("USB", 1))
    for expected in (1, 2):
        system.tell(ADDED, "microphone")
        changes.get(timeout=LONG_S)
        assert [one.name for one in found.devices()] == ["Built-in"]
        assert found.unseen == expected
    stream.close()
    assert [one.name for one in found.devices()] == ["Built-in", "USB"]
    assert found.unseen == 0
    found.close()


def test_nobody_is_told_before_somebody_watches(system, portaudio):
    Microphones(PortAudio("win32"), "win32").devices()
    assert portaudio.is_started
    assert system.clients == []


# --- Windows itself ------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "win32", reason="asks Windows")
def test_windows_itself_takes_our_client_and_lets_it_go():
    changes = queue.SimpleQueue()
    subscription = SystemSubscription(lambda: changes.put(None), Endpoints())
    subscription.begin()
    wait_until(subscription._is_ready.is_set, "Windows")
    if not subscription.thread.is_alive():
        pytest.skip("this Windows has no sound at all")
    com.call(subscription._listener._client.pointer, ADDED, "{0.0.1.00000000}.{nobody's}")
    changes.get(timeout=LONG_S)
    subscription.stop(LONG_S)
    assert not subscription.thread.is_alive()
