"""One thread makes all calls into PortAudio; whatever hangs, nothing is ended under a call."""

import builtins
import ctypes
import sys
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.audio import microphones as microphones_module
from handy_qwen.audio import portaudio as portaudio_module
from handy_qwen.audio.devices import HungError
from handy_qwen.audio.microphones import Microphones
from handy_qwen.audio.portaudio import PortAudio
from handy_qwen.errors import HandyError, MicrophoneError
from tests.unit.audio.conftest import LONG_S, FakePortAudio, PortAudioError, info
from tests.waiting import wait_until


@pytest.fixture
def portaudio(monkeypatch):
    fake = FakePortAudio(info("Headset", 1), info("Built-in", 1))
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(portaudio_module, "atexit", SimpleNamespace(register=id, unregister=id))
    monkeypatch.setattr(portaudio_module, "LIMIT_S", 0.05)
    monkeypatch.setattr(microphones_module, "LIST_FRESH_S", -1.0)
    yield fake
    for gate in fake.gates.values():
        gate.set()
    assert fake.crashes == []


@pytest.fixture
def backend(portaudio):
    assert portaudio.is_started
    return Microphones(PortAudio(), "darwin")


class Job:
    """Something on a thread of its own, as the recorder does it."""

    def __init__(self, work):
        self.result = self.error = None
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self.result = self._work()
        except HandyError as error:
            self.error = error

    def wait(self):
        self._thread.join(LONG_S)
        assert not self._thread.is_alive(), "it waits for what hangs"
        return self


def stuck(portaudio, call, work):
    """Begin ``work``, and wait until ``call`` hangs."""
    portaudio.hang(call)
    job = Job(work)
    assert portaudio.reached[call].wait(LONG_S)
    return job


def test_all_calls_are_made_by_one_thread(portaudio, backend):
    stream = Job(lambda: backend.open(backend.devices()[0])).wait().result
    Job(stream.close).wait()
    Job(backend.devices).wait()
    assert portaudio.threads == {"portaudio"}
    assert portaudio.starts > 0


@pytest.mark.expects_log
@pytest.mark.usefixtures("portaudio")
def test_on_windows_every_thread_that_calls_portaudio_shares_com_objects_with_the_others(monkeypatch):
    joined = []

    def join(_reserved, how):
        joined.append((threading.current_thread().name, how))

    windll = SimpleNamespace(ole32=SimpleNamespace(CoInitializeEx=join))
    monkeypatch.setattr(ctypes, "windll", windll, raising=False)
    library, begun, may_end = PortAudio("win32"), threading.Event(), threading.Event()
    hanging = Job(lambda: library.call(lambda _: (begun.set(), may_end.wait(LONG_S))))
    assert begun.wait(LONG_S)
    Job(lambda: library.call(lambda _: None)).wait()
    may_end.set()
    hanging.wait()
    assert joined == [("portaudio", 0), ("portaudio", 0)]  # COINIT_MULTITHREADED


@pytest.mark.usefixtures("portaudio")
def test_a_thread_that_dies_is_known_to_be_and_the_next_does_what_was_asked_of_it(monkeypatch):
    def die():
        raise SystemExit

    library = PortAudio("win32")
    assert not library.has_died(), "it was not begun"
    with monkeypatch.context() as patch:
        patch.setattr(portaudio_module.com, "join_apartment", die)
        waiting = Job(lambda: library.call(lambda _: "done"))
        wait_until(library.has_died, "its death")
    monkeypatch.setattr(portaudio_module.com, "join_apartment", lambda: None)
    library.revive()
    assert waiting.wait().result == "done"
    assert not library.has_died()


@pytest.mark.expects_log
def test_the_watchdog_sees_the_call_of_the_thread_in_charge_and_not_of_one_left_behind(portaudio, backend):
    library, headset = backend._library, backend.devices()[0]
    assert library.piece() is None
    hanging = stuck(portaudio, "open Headset", lambda: backend.open(headset))
    assert library.piece() is not None
    Job(backend.devices).wait()
    wait_until(lambda: library.piece() is None, "the end of what came next")
    portaudio.release("open Headset")
    Job(hanging.wait().result.close).wait()
    assert not library.has_died()


@pytest.mark.expects_log
def test_a_device_that_hangs_while_opening_keeps_no_other_from_being_opened(portaudio, backend):
    headset, built_in = backend.devices()
    hanging = stuck(portaudio, "open Headset", lambda: backend.open(headset))
    stream = Job(lambda: backend.open(built_in)).wait().result
    assert stream.device == built_in
    portaudio.release("open Headset")
    late = hanging.wait().result
    assert late.device == headset
    Job(late.close).wait()
    Job(stream.close).wait()
    assert portaudio.streams == 0


@pytest.mark.expects_log
def test_portaudio_is_not_ended_under_a_stream_that_is_being_opened(portaudio, backend):
    headset = backend.devices()[0]
    starts = portaudio.starts
    hanging = stuck(portaudio, "open Headset", lambda: backend.open(headset))
    portaudio.devices.append(info("Webcam", 1))  # PortAudio has it; the real one would not see it yet
    for _ in range(3):
        assert len(Job(backend.devices).wait().result) == 3
    assert portaudio.starts == starts, "it was not looked for new ones"
    portaudio.release("open Headset")
    Job(hanging.wait().result.close).wait()
    Job(backend.devices).wait()
    assert portaudio.starts > starts


def test_devices_can_be_looked_for_as_soon_as_a_stream_is_closed(portaudio, backend, monkeypatch):
    stream = backend.open(backend.devices()[0])
    library, may_return = backend._library, threading.Event()
    call = library.call

    def call_and_linger(*work, **options):
        """Whoever has the stream closed has no turn before the next call."""
        call(*work, **options)
        may_return.wait(LONG_S)

    monkeypatch.setattr(library, "call", call_and_linger)
    closing = Job(stream.close)
    wait_until(lambda: portaudio.streams == 0, "the closing")
    assert Job(lambda: call(lambda _: library.refresh())).wait().result
    may_return.set()
    closing.wait()


@pytest.mark.expects_log
@pytest.mark.parametrize("what", ["terminate", "initialize"])
def test_a_start_that_hangs_is_an_error_for_the_others_and_not_done_twice(portaudio, backend, what):
    headset, _ = before = backend.devices()
    listing = stuck(portaudio, what, backend.devices)
    assert isinstance(Job(lambda: backend.open(headset)).wait().error, HungError)
    assert Job(backend.devices).wait().result == before, "the list is the last one"
    portaudio.release(what)
    assert listing.wait().result == before
    assert Job(lambda: backend.open(headset)).wait().result.device == headset


@pytest.mark.expects_log
def test_a_closing_that_hangs_keeps_no_other_from_being_opened(portaudio, backend, monkeypatch):
    monkeypatch.setattr(portaudio_module, "CLOSE_LIMIT_S", 0.05)
    headset, built_in = backend.devices()
    stream = backend.open(headset)
    closing = stuck(portaudio, "close", stream.close)
    assert Job(lambda: backend.open(built_in)).wait().result.device == built_in
    portaudio.release("close")
    closing.wait()


def test_nothing_more_is_heard_by_a_stream_whose_closing_hangs(portaudio, backend):
    stream = backend.open(backend.devices()[0])
    closing = stuck(portaudio, "close", stream.close)
    portaudio.opened[-1]["callback"](bytes(400), 100, None, SimpleNamespace(input_overflow=False))
    assert stream.buffer.written == 0
    portaudio.release("close")
    closing.wait()


def test_a_listing_without_an_answer_and_without_a_list_before_is_an_error(portaudio, backend, monkeypatch):
    monkeypatch.setattr(microphones_module, "START_S", 0.05)
    portaudio.hang("initialize")
    assert isinstance(Job(backend.devices).wait().error, HungError)


def test_a_start_that_failed_is_tried_again(portaudio, backend, monkeypatch):
    backend.devices()

    def refuse():
        portaudio.is_started = False
        raise PortAudioError("no", -9999)

    monkeypatch.setattr(portaudio, "_initialize", refuse)
    with pytest.raises(MicrophoneError):
        backend.devices()
    monkeypatch.undo()
    monkeypatch.setattr(microphones_module, "LIST_FRESH_S", -1.0)
    assert len(backend.devices()) == 2


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_microphone_is_opened_although_portaudio_could_not_be_started_again_before(
    portaudio, monkeypatch, platform
):
    library = PortAudio()
    backend = Microphones(library, platform)
    monkeypatch.setattr(microphones_module.pulse, "devices", lambda: None)
    headset = backend.devices()[0]

    def refuse():
        raise PortAudioError("no", -9999)

    with monkeypatch.context() as patch:
        patch.setattr(portaudio, "_initialize", refuse)
        with pytest.raises(MicrophoneError):
            library.call(lambda _: library.refresh())
    backend.open(headset).close()


def test_a_first_start_that_fails_is_a_microphone_error_and_tried_again(portaudio, monkeypatch):
    library = PortAudio()
    with monkeypatch.context() as patch:
        real_import = builtins.__import__

        def refuse(name, *rest):
            if name == "sounddevice":
                raise PortAudioError("Error initializing PortAudio", -9999)  # as the module itself does
            return real_import(name, *rest)

        patch.setattr(builtins, "__import__", refuse)
        with pytest.raises(MicrophoneError, match="won't start"):
            library.load()
    library.load()
    assert portaudio.is_started


def test_a_stream_that_does_not_start_is_closed(portaudio, backend, monkeypatch):
    def refuse():
        raise PortAudioError("no", -9985)

    monkeypatch.setattr(portaudio, "start", refuse)
    with pytest.raises(MicrophoneError):
        backend.open(backend.devices()[0])
    assert portaudio.streams == 0


@pytest.mark.usefixtures("portaudio")
def test_work_that_its_caller_did_not_wait_for_is_never_done():
    library, may_end, begun, done = PortAudio(), threading.Event(), threading.Event(), []
    first = Job(lambda: library.call(lambda _: (begun.set(), may_end.wait(LONG_S)), limit_s=LONG_S))
    assert begun.wait(LONG_S)
    with pytest.raises(HungError):
        library.call(lambda _: done.append(1), patience_s=0.01)
    may_end.set()
    first.wait()
    library.call(lambda _: None)
    assert done == []


@pytest.mark.expects_log
def test_at_exit_portaudio_is_ended_unless_something_hangs(portaudio):
    library = PortAudio()
    library.load()
    hanging = stuck(portaudio, "close", lambda: library.call(lambda _: portaudio.close()))
    library._at_exit()
    assert portaudio.is_started
    portaudio.release("close")
    hanging.wait()
    portaudio.streams = 0
    library._at_exit()
    assert not portaudio.is_started


def test_at_exit_a_call_that_ends_soon_is_waited_for(portaudio):
    library = PortAudio()
    starting = stuck(portaudio, "start", lambda: library.call(lambda _: portaudio.start(), limit_s=LONG_S))
    exiting = Job(library._at_exit)
    portaudio.release("start")
    starting.wait()
    exiting.wait()
    assert not portaudio.is_started


def test_what_ended_with_portaudio_at_exit_is_not_closed_again(portaudio, backend):
    """A sound that is playing is closed by its own thread, perhaps later."""
    stream = backend.open(backend.devices()[0])
    starts = portaudio.starts
    portaudio.streams = 0  # ``Pa_Terminate`` closes them
    backend._library._at_exit()
    assert Job(stream.close).wait().error is None
    assert not portaudio.is_started
    assert portaudio.starts == starts


@pytest.mark.expects_log
def test_at_exit_the_process_ends_at_once_if_a_stream_cannot_be_closed_because_something_hangs(
    portaudio, backend, monkeypatch
):
    """A callback after the end of Python is a crash."""
    ended = []
    monkeypatch.setattr(portaudio_module.os, "_exit", ended.append)
    monkeypatch.setattr(portaudio_module.logging, "shutdown", lambda: None)
    headset, built_in = backend.devices()
    stream = backend.open(built_in)
    hanging = stuck(portaudio, "open Headset", lambda: backend.open(headset))
    Job(backend._library._at_exit).wait()
    assert ended == [0]
    portaudio.release("open Headset")
    hanging.wait().result.close()
    stream.close()


@pytest.mark.expects_log
def test_without_a_further_thread_what_hangs_is_an_error_and_nothing_is_done_later(portaudio, monkeypatch):
    """The system gives none, or, as Python 3.12 does, Python itself at its end."""
    monkeypatch.setattr(portaudio_module, "LIMIT_S", 0.01)
    library, done = PortAudio(), []
    library.load()
    hanging = stuck(portaudio, "close", lambda: library.call(lambda _: portaudio.close()))
    with monkeypatch.context() as patch:
        patch.setattr(portaudio_module.threading.Thread, "start", refuse)
        with pytest.raises(HungError):
            library.call(lambda _: done.append("late"))
        library._at_exit()
    portaudio.release("close")
    hanging.wait()
    library.call(lambda _: None)
    assert done == []


def refuse(_thread):
    raise RuntimeError("can't start new thread")


def test_an_end_that_hangs_does_not_keep_the_program_from_ending(portaudio, monkeypatch):
    monkeypatch.setattr(portaudio_module, "EXIT_S", 0.01)
    library = PortAudio()
    library.load()
    portaudio.hang("terminate")
    Job(library._at_exit).wait()


@pytest.mark.expects_log
@settings(max_examples=25)
@given(steps=st.lists(st.sampled_from(["open", "hang", "list", "close", "release"]), min_size=3, max_size=9))
def test_nothing_is_ended_under_a_call_or_a_stream_in_whatever_order(steps):
    with pytest.MonkeyPatch.context() as patch:
        fake = FakePortAudio(info("Headset", 1), info("Built-in", 1))
        patch.setitem(sys.modules, "sounddevice", fake)
        patch.setattr(portaudio_module, "atexit", SimpleNamespace(register=id, unregister=id))
        patch.setattr(microphones_module, "LIST_FRESH_S", -1.0)
        patch.setattr(portaudio_module, "LIMIT_S", 0.002)
        backend = Microphones(PortAudio(), "darwin")
        headset, built_in = backend.devices()
        hanging, streams = [], []
        for step in steps:
            if step == "open":
                streams.append(Job(lambda: backend.open(built_in)).wait().result)
            elif step == "hang" and not hanging:
                hanging.append(stuck(fake, "open Headset", lambda: backend.open(headset)))
            elif step == "list":
                Job(backend.devices).wait()
            elif step == "close" and streams:
                Job(streams.pop().close).wait()
            elif step == "release" and hanging:
                fake.release("open Headset")
                streams.append(hanging.pop().wait().result)
        for gate in fake.gates.values():
            gate.set()
        streams += [job.wait().result for job in hanging]
        for stream in streams:
            Job(stream.close).wait()
        assert fake.streams == 0
        assert fake.crashes == []
