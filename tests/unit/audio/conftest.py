"""The library that records sound, as the unit tests have it."""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

LONG_S = 20.0


class PortAudioError(Exception):
    pass


def info(name, inputs, rate=48_000.0):
    return {"name": name, "max_input_channels": inputs, "default_samplerate": rate}


def host(name, devices, default):
    return {"name": name, "devices": devices, "default_input_device": default}


class FakePortAudio:
    """A native library without locks: it notes what would have crashed, and hangs where it is told to.

    ``refused`` are the formats that its devices do not take, with the error.
    """

    PortAudioError = PortAudioError
    default = SimpleNamespace(hostapi=0)

    def __init__(self, *devices, hosts=()):
        self.devices = list(devices)
        self.hosts = hosts
        self.refused = {}
        self.opened = []
        self.gates = {}  # what hangs, until its gate opens
        self.reached = {}
        self.inside = 0
        self.streams = 0
        self.is_started = True
        self.starts = 0
        self.crashes = []
        self.threads = set()
        self._guard = threading.Lock()

    def hang(self, name):
        self.gates[name], self.reached[name] = threading.Event(), threading.Event()

    def release(self, name):
        self.gates[name].set()

    @contextmanager
    def native(self, name, *, is_exclusive=False):
        with self._guard:
            self.threads.add(threading.current_thread().name)
            if is_exclusive and self.inside:
                self.crashes.append(f"{name} under a call")
            if not is_exclusive and not self.is_started:
                self.crashes.append(f"{name} without PortAudio")
            self.inside += 1
        try:
            if name in self.gates:
                self.reached[name].set()
                assert self.gates[name].wait(LONG_S)
            yield
        finally:
            with self._guard:
                self.inside -= 1

    def query_hostapis(self):
        return self.hosts or (host("Core Audio", range(len(self.devices)), 0),)

    def query_devices(self, index=None):
        return self.devices if index is None else self.devices[index]

    def RawInputStream(self, **options):  # noqa: N802 sounddevice's name
        form = options["samplerate"], options["channels"]
        if form in self.refused:
            raise PortAudioError("no", self.refused[form])
        with self.native(f"open {self.devices[options['device']]['name']}"):
            self.streams += 1
        self.opened.append(options)
        return SimpleNamespace(samplerate=float(form[0]), start=self.start, close=self.close)

    def start(self):
        with self.native("start"):
            pass

    def close(self):
        with self.native("close"):
            self.streams -= 1

    def _terminate(self):
        if self.streams:
            self.crashes.append("ended under a stream")
        with self.native("terminate", is_exclusive=True):
            self.is_started = False

    def _initialize(self):
        with self.native("initialize", is_exclusive=True):
            self.is_started = True
            self.starts += 1

    def _exit_handler(self):
        raise AssertionError("it waits for streams that hang")


class CallbackStop(Exception):  # noqa: N818 sounddevice's name
    pass


class CallbackAbort(Exception):  # noqa: N818 sounddevice's name
    pass


class FakeStream:
    """Takes the sound in blocks, on a thread, as PortAudio does; ends when it is told to."""

    def __init__(self, speakers, *, samplerate, channels, dtype, callback, finished_callback):
        self._speakers = speakers
        self._format = samplerate, channels, dtype
        self._callback, self._finished = callback, finished_callback

    def start(self):
        threading.Thread(target=self._run).start()

    def _run(self):
        self._speakers.begun.release()
        assert self._speakers.may_play.wait(10)
        heard = b""
        try:
            while True:
                room = bytearray(b"x" * 4 * 480)
                try:
                    self._callback(memoryview(room), 480, None, None)
                finally:
                    heard += room
        except (CallbackStop, CallbackAbort):
            self._speakers.played.append((*self._format, heard))
            self._finished()


class FakeSpeakers:
    """Stands in for the library; every stream tells what it played."""

    def __init__(self):
        self.played = []
        self.open = 0
        self.error = None
        self.may_play = threading.Event()
        self.may_play.set()
        self.begun = threading.Semaphore(0)

    def call(self, work, *, explain=None):
        try:
            ends = {"CallbackStop": CallbackStop, "CallbackAbort": CallbackAbort}
            return work(SimpleNamespace(RawOutputStream=self.stream, **ends))
        except PortAudioError as error:
            raise explain(error) from error

    def open_stream(self, make, explain):
        stream = self.call(make, explain=explain)
        self.open += 1
        return stream

    def close_stream(self, stream):
        assert isinstance(stream, FakeStream)
        self.open -= 1

    def stream(self, **options):
        if self.error:
            raise self.error
        return FakeStream(self, **options)
