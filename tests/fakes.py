"""Stand-ins for the ports, type-checked against the Protocols (see the last lines), and for the clock."""

# ruff: noqa: ARG002  the Protocols say what is passed

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from handy_qwen.core.effects import KeepText
from handy_qwen.core.events import (
    Delivered,
    EndCause,
    Kept,
    RecordingBegan,
    RecordingEnded,
    Replayed,
    Request,
    Transcribed,
)
from handy_qwen.core.ports import Cues, History, HotkeyListener, Inserter, Post, Recorder, Sink, Transcriber
from handy_qwen.core.types import (
    Captured,
    CaptureStep,
    Delivery,
    Hotkey,
    Method,
    OnCaptured,
    Samples,
    Submit,
    Target,
    TextAround,
)
from handy_qwen.runtime.controller import Attempt, Ports
from handy_qwen.runtime.worker import Worker

if TYPE_CHECKING:  # they import PortAudio
    from handy_qwen.audio.connection import Listed
    from handy_qwen.audio.devices import Wish
    from handy_qwen.audio.playback import SoundCues
    from handy_qwen.audio.recorder import MicrophoneRecorder


class FakeClock:
    """Time that passes only when told."""

    def __init__(self, now_s: float = 100.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class Idle:
    """A thread of which the watchdog sees that it waits."""

    def has_died(self) -> bool:
        return False

    def piece(self) -> int | None:
        return None

    def own_pieces(self) -> int:
        return 0

    def revive(self) -> None:
        raise AssertionError("it has not died")


class FakeHotkeys(Idle):
    """Remembers what it was told; raises ``error`` on start, if set."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.hotkeys: Sequence[Hotkey] = ()
        self.is_escape_wanted = False
        self.is_stopped = False
        self.configured = 0
        self.own_keys: list[bool] = []
        self.may_ask = False
        self.on_captured: OnCaptured | None = None
        self.touched: float | None = None

    def touched_s(self) -> float | None:
        return self.touched

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        if self.error:
            raise self.error
        self.hotkeys = hotkeys

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        if self.error:
            raise self.error

    def bind_own_key(self, is_wanted: bool) -> None:
        if self.error:
            raise self.error
        self.own_keys.append(is_wanted)

    def allow_questions(self) -> None:
        self.may_ask = True

    def watch_escape(self, is_wanted: bool, lock_key: str = "") -> None:
        self.is_escape_wanted, self.lock_key = is_wanted, lock_key

    def configure(self) -> None:
        if self.error:
            raise self.error
        self.configured += 1

    def capture(self, on_captured: OnCaptured) -> None:
        if self.error:
            raise self.error
        self.on_captured = on_captured

    def end_capture(self) -> None:
        if self.on_captured is not None:
            self.hear(Captured(CaptureStep.OVER))

    def hear(self, captured: Captured) -> None:
        """The user presses keys of a new hotkey."""
        on_captured = self.on_captured
        assert on_captured is not None, "none is captured"
        self.on_captured = None if captured.is_last else on_captured
        on_captured(captured)

    def stop(self) -> None:
        self.is_stopped = True


class FakeRecorder:
    """Plays ``blocks`` into the sink at once; raises ``error`` on start, if set."""

    thread = Idle()

    def __init__(
        self,
        post: Post,
        blocks: Sequence[Samples] = (),
        error: Exception | None = None,
        *,
        on_devices: Callable[[Listed], None] = lambda _: None,
    ) -> None:
        self.post = post
        self.blocks = blocks
        self.error = error
        self.open: int | None = None
        self.on_devices = on_devices
        self.listed: Listed | None = None  # what is found when somebody looks again
        self.configured: tuple[Wish, float] | None = None
        self.woken = 0

    def start(self, take: int, sink: Sink) -> None:
        if self.error:
            raise self.error
        assert self.open is None, "opened twice"
        self.open = take
        self.post(RecordingBegan(take, "fake microphone"))
        for block in self.blocks:
            sink(block)

    def stop(self, take: int) -> None:
        self._end(take, EndCause.STOPPED)

    def cancel(self, take: int) -> None:
        self._end(take, EndCause.CANCELLED)

    def _end(self, take: int, cause: EndCause) -> None:
        if self.open == take:
            self.open = None
            self.post(RecordingEnded(take, cause, 1.0, is_dead=False))

    def configure(self, wish: Wish, warm_s: float) -> None:
        self.configured = (wish, warm_s)

    def refresh_devices(self) -> None:
        if self.listed is not None:
            self.on_devices(self.listed)

    def level_db(self) -> float:
        return -20.0

    def is_recording(self) -> bool:
        return self.open is not None

    def wake(self) -> None:
        self.woken += 1

    def close(self, timeout_s: float) -> None:
        self.open = None


class FakeTranscriber:
    """Answers each take with ``text`` as soon as it is finished."""

    thread = Idle()

    def __init__(self, post: Post, text: str = "Hello.") -> None:
        self.post = post
        self.text = text
        self.begun: list[tuple[int, tuple[str, ...], tuple[str, ...]]] = []
        self.fed: list[tuple[int, Samples]] = []
        self.cancelled: list[int] = []
        self.model = ""

    def begin(self, take: int, languages: tuple[str, ...], context: tuple[str, ...]) -> None:
        self.begun.append((take, languages, context))

    def adapt(self, take: int, languages: tuple[str, ...], context: tuple[str, ...]) -> None:
        self.begun.append((take, languages, context))

    def feed(self, take: int, block: Samples) -> None:
        self.fed.append((take, block))

    def finish(self, take: int) -> None:
        self.post(Transcribed(take, self.text, "English", is_truncated=False))

    def cancel(self, take: int) -> None:
        self.cancelled.append(take)

    def use_model(self, name: str) -> None:
        self.model = name

    def wake(self) -> None:
        pass

    def close(self, timeout_s: float) -> None:
        pass


class FakeInserter:
    """Keeps what would have been typed; raises ``error`` on insertion, if set."""

    thread = Idle()
    clipboard_thread = None

    def __init__(self, post: Post, error: Exception | None = None) -> None:
        self.post = post
        self.error = error
        self.target = Target(1, "editor")
        self.texts: list[str] = []
        self.copied: list[str] = []
        self.prepared: list[Method] = []
        self.asked = self.hastened = 0
        self.erased: list[str] = []
        self.clipboard = ""
        self.around: TextAround | None = None

    def allow_keys(self) -> None:
        self.asked += 1

    def focused(self) -> Target:
        return self.target

    def prepare(self, method: Method) -> None:
        self.prepared.append(method)

    def hasten(self) -> None:
        self.hastened += 1

    def text_around(self, target: Target, most: int) -> TextAround | None:
        return self.around if target == self.target else None

    def insert(
        self,
        take: int,
        text: str,
        *,
        target: Target | None,
        method: Method,
        submit: Submit,
        erased: str = "",
        may_erase: Callable[[], bool] = lambda: True,
    ) -> None:
        erased = erased if may_erase() else ""
        if self.error:
            raise self.error
        self.texts.append(text)
        self.erased += [erased] if erased else []
        self.post(Delivered(take, Delivery.TYPED, has_erased=bool(erased)))

    def read_clipboard(self, on_read: Callable[[str], None]) -> None:
        on_read(self.clipboard)

    def copy(self, text: str) -> None:
        self.copied.append(text)

    def close(self, timeout_s: float) -> None:
        pass


class FakeHistory:
    """Remembers what it was told, each as a line; replays ``blocks`` at once."""

    thread = Idle()

    def __init__(self, post: Post, blocks: Sequence[Samples] = ()) -> None:
        self.post = post
        self.blocks = blocks
        self.told: list[str] = []
        self.fed: list[int] = []
        self.texts: list[str] = []
        self.truncated: list[int] = []

    def begin(self, take: int, *, language: str = "", model: str = "") -> None:
        self.told.append(f"{take} begun")
        self.post(Kept(take, 100 + take))

    def feed(self, take: int, block: Samples) -> None:
        self.fed.append(take)

    def complete(self, take: int) -> None:
        self.told.append(f"{take} complete")

    def done(self, kept: KeepText) -> None:
        self.told.append(f"{kept.take} done")
        self.truncated += [kept.take] if kept.is_truncated else []
        self.texts.append(kept.text)

    def failed(self, take: int, title: str) -> None:
        self.told.append(f"{take} failed: {title}")

    def cancelled(self, take: int) -> None:
        self.told.append(f"{take} cancelled")

    def delivered(self, take: int, how: Delivery) -> None:
        self.told.append(f"{take} {how.name.lower()}")

    def adopt(self, take: int, entry: int) -> None:
        self.told.append(f"{take} is entry {entry}")

    def replay(self, take: int, entry: int, sink: Sink) -> None:
        self.told.append(f"{take} replays entry {entry}")
        for block in self.blocks:
            sink(block)
        self.post(Replayed(take, float(len(self.blocks))))

    def set_private(self, is_private: bool) -> None:
        self.told.append("private" if is_private else "not private")

    def tidy(self) -> None:
        pass

    def close(self, timeout_s: float) -> None:
        self.told.append("closed")


class AtOnce(Worker):
    """A worker that does everything at once, on the caller's thread."""

    def do(self, call: Callable[[], None]) -> None:
        call()


AT_ONCE = {name: AtOnce(name) for name in ("focus", "looking", "copying", "setting")}


class Calls(Protocol):
    """Takes calls: a list, or what passes them on."""

    def append(self, call: Any, /) -> None:
        """One call: a request; or a command's name, its arguments and, if there are any, its options."""


class Asked:
    """Implements ``ask`` and a protocol of commands: keeps what was asked for, in its order.

    A call that the protocol does not allow is an error. Callbacks are kept aside, by the command's name.
    """

    def __init__(self, protocol: type, calls: Calls | None = None) -> None:
        self.calls: Calls = [] if calls is None else calls
        self.callbacks: dict[str, Callable[..., object] | None] = {}
        for name, method in inspect.getmembers(protocol, inspect.isfunction):
            if not name.startswith("_"):
                setattr(self, name, self._command(name, inspect.signature(method)))

    def __call__(self, what: Request) -> None:
        self.calls.append(what)

    def _command(self, name: str, signature: inspect.Signature) -> Callable[..., object]:
        is_ended = str(signature.return_annotation).startswith("Callable")

        def take(*arguments: Any, **options: Any) -> object:
            signature.bind(self, *arguments, **options)
            plain = [one for one in arguments if not callable(one)]
            self.callbacks[name] = next((one for one in arguments if callable(one)), None)
            self.calls.append((name, *plain, *([options] if options else [])))
            return (lambda: self.calls.append((f"end {name}",))) if is_ended else None

        def take_one(argument: Any) -> object:  # to a function that takes any number, Qt gives none
            return take(argument)

        kinds = [parameter.kind.name for parameter in signature.parameters.values()]
        return take_one if kinds[1:] == ["POSITIONAL_OR_KEYWORD"] else take


class FakeCues:
    """Counts the sounds."""

    thread = Idle()

    def __init__(self) -> None:
        self.played: list[str] = []
        self.is_on = False

    def started(self) -> None:
        self.played.append("started")

    def stopped(self) -> None:
        self.played.append("stopped")

    def preview(self) -> None:
        self.played.append("preview")

    def stop(self, timeout_s: float) -> None:
        self.played.append("stop")


class Microphone(Recorder, Protocol):
    """What the program asks of the microphone, of which the cycle's port is a part."""

    def configure(self, wish: Wish, warm_s: float) -> None: ...
    def refresh_devices(self) -> None: ...
    def level_db(self) -> float: ...
    def is_recording(self) -> bool: ...
    def wake(self) -> None: ...


class Sounds(Cues, Protocol):
    """What the program asks of the cues, likewise."""

    is_on: bool

    def preview(self) -> None: ...
    def stop(self, timeout_s: float) -> None: ...


def _microphones(real: MicrophoneRecorder, fake: FakeRecorder) -> tuple[Microphone, Microphone]:
    return real, fake


def _sounds(real: SoundCues, fake: FakeCues) -> tuple[Sounds, Sounds]:
    return real, fake


_hotkeys: type[HotkeyListener] = FakeHotkeys
_recorder: Callable[[Post], Recorder] = FakeRecorder
_transcriber: Callable[[Post], Transcriber] = FakeTranscriber
_inserter: Callable[[Post], Inserter] = FakeInserter
_cues: type[Cues] = FakeCues
_history: Callable[[Post], History] = FakeHistory


def fake_ports(
    post: Post,
    attempt: Attempt = lambda _effect, work: work(),
    *,
    blocks: Sequence[Samples] = (),
    text: str = "Hello.",
    workers: Mapping[str, Worker] = AT_ONCE,
) -> Ports:
    """Fakes for all ports: what takes time happens at once."""
    given: dict[str, Any] = dict(workers)
    return Ports(
        FakeHotkeys(),
        FakeRecorder(post, blocks),
        FakeTranscriber(post, text),
        FakeInserter(post),
        FakeCues(),
        FakeHistory(post),
        post,
        attempt,
        **given,
    )
