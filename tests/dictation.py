"""The dictation cycle on a desk of its own: events in, effects out, and time that passes when told."""

from dataclasses import replace
from typing import Self, TypeVar

from hypothesis import strategies as st

from handy_qwen.core import effects as fx
from handy_qwen.core import events as ev
from handy_qwen.core.commands import Command
from handy_qwen.core.dictation import step
from handy_qwen.core.state import Dictation, view_of
from handy_qwen.core.text import Replacement, TextRules
from handy_qwen.core.types import (
    Delivery,
    Entry,
    EntryState,
    Hotkey,
    Method,
    Mode,
    Profile,
    Rules,
    Submit,
    Target,
    TextAround,
)
from handy_qwen.core.view import Choices, NoticeKind, View
from handy_qwen.errors import HandyError
from handy_qwen.message import Message, verbatim

ERROR = HandyError(Message("It broke."), Message("Mend it."))
RULES = Rules(
    hotkeys=(Hotkey("ctrl_r"), Hotkey("f9", language="German", submit=Submit.ENTER)),
    mode=Mode.HOLD,
    context=("Qwen",),
    method=Method.PASTE,
    max_take_s=60.0,
    silence_s=10.0,
    text=TextRules((Replacement("today", "{date}", is_alone=True),), commands=frozenset(Command)),
    profiles=(
        Profile("Terminals", ("terminal",), language="German", method=Method.TYPE, submit=Submit.ENTER),
    ),
)
NO_CHOICES = Choices()
AnyEffect = TypeVar("AnyEffect", bound=fx.Effect)
EDITOR, TERMINAL = Target(1, "editor"), Target(2, "terminal")

UNFINISHED = Entry(1, 0.0, EntryState.WAITING)
TAKES, KEYS = st.integers(1, 4), st.integers(0, 1)
UNTIMED = st.one_of(  # any event but those that say when they happened
    st.builds(ev.RecordingBegan, TAKES, st.just("mic")),
    st.builds(ev.RecordingEnded, TAKES, st.sampled_from(ev.EndCause), st.just(1.0), st.booleans()),
    st.builds(ev.MicrophoneChanged, TAKES, st.just("webcam")),
    st.builds(ev.Muted, TAKES, st.booleans()),
    st.builds(
        ev.Transcribed,
        TAKES,
        st.sampled_from(["", "a", "B.", "Scratch that.", "B. Press enter.", "New line.", "Today."]),
        st.just("English"),
        st.booleans(),
        st.none() | st.just({"date": "30 November"}),
    ),
    st.builds(ev.Failed, st.integers(0, 4), st.just(ERROR)),
    st.builds(ev.Delivered, TAKES, st.sampled_from(Delivery), has_erased=st.booleans()),
    st.builds(ev.Copied, st.lists(TAKES, max_size=2).map(tuple)),
    st.builds(
        ev.FocusNoted,
        TAKES,
        st.sampled_from([EDITOR, TERMINAL, Target()]),
        st.none() | st.sampled_from([0.0, 1e9]),
    ),
    st.builds(ev.TextAroundNoted, TAKES, st.builds(TextAround, st.just("a"), st.just("b")), st.just(1.0)),
    st.builds(ev.Touched, TAKES, st.none() | st.sampled_from([0.0, 1e9])),
    st.builds(ev.Previewed, TAKES, st.just("a"), st.just("b")),
    st.builds(ev.Progressed, TAKES),
    st.builds(ev.Kept, TAKES, st.integers(10, 20)),
    st.builds(ev.Replayed, TAKES, st.just(1.0)),
    st.builds(ev.Slept, st.sampled_from([1.0, 8 * 3600.0])),
    st.sampled_from(
        [
            ev.HotkeysFailed(ERROR),
            ev.HotkeysDied(),
            ev.ModelReady("m", ("English",)),
            ev.ModelLoading("m"),
            ev.ModelFailed("m", ERROR),
            ev.Noted(Message("Something."), Message()),
            ev.Recovered(
                (Entry(1, 0.0, EntryState.WAITING),), (Entry(2, 0.0, EntryState.DONE, text="Old."),)
            ),
            ev.Recalled(Entry(3, 0.0, EntryState.FAILED), is_sound=True),
            ev.Configured(replace(RULES, hotkeys=(Hotkey("f8"),)), NO_CHOICES),
        ]
    ),
)


class Desk:
    """Plays events to the cycle and lets time pass, waking it whenever it asked for that."""

    def __init__(self, rules: Rules = RULES, choices: Choices = NO_CHOICES) -> None:
        self.now, self.at_s = Dictation(), 100.0
        self.effects: list[fx.Effect] = []
        self.focus: Target | None = Target()  # what has the focus; None: the desktop does not answer
        self.touched_s: float | None = None  # when the user last typed or clicked, if that is known
        self.configure(rules, choices)
        self.effects.clear()

    def play(self, *events: ev.Event) -> Self:
        for event in events:
            self.now, effects = step(self.now, event, self.at_s)
            self.effects += effects
            for effect in effects:
                if isinstance(effect, fx.PrepareInsertion) and self.focus is not None:
                    self.play(ev.FocusNoted(effect.take, self.focus, self.touched_s))
                if isinstance(effect, fx.ListenFor):
                    self.play(ev.HotkeysSet(effect.hotkeys))
        return self

    def wait(self, seconds: float) -> Self:
        end_s = self.at_s + seconds
        while self.now.wake_at_s is not None and self.now.wake_at_s <= end_s:
            self.at_s = max(self.at_s, self.now.wake_at_s)
            self.play(ev.Ticked(self.at_s))
        self.at_s = end_s
        return self

    def oversleep(self, seconds: float) -> Self:
        """Let time pass in which nothing runs: what was due is woken afterwards."""
        self.at_s += seconds
        return self.play(ev.Ticked(self.at_s))

    def down(self, key: int = 0) -> Self:
        return self.play(ev.KeyDown(key, self.at_s))

    def up(self, key: int = 0) -> Self:
        return self.play(ev.KeyUp(key, self.at_s)).wait(0.05)

    def join(self, key: int = 0) -> Self:
        return self.play(ev.KeyJoined(key, self.at_s))

    def say(self, take: int, target: Target | None = EDITOR, key: int = 0) -> Self:
        """Press, speak for a second and let go; the recorder does its part."""
        self.focus = target
        self.down(key).begun(take).wait(1).up(key)
        self.focus = Target()
        return self.recorded(take)

    def begun(self, take: int) -> Self:
        return self.play(ev.RecordingBegan(take, "mic"))

    def escape(self) -> Self:
        return self.play(ev.EscapePressed(self.at_s))

    def keep(self, take: int, entry: int) -> Self:
        return self.play(ev.Kept(take, entry))

    def fail(self, take: int) -> Self:
        return self.play(ev.Failed(take, ERROR))

    def replayed(self, take: int) -> Self:
        return self.play(ev.Replayed(take, 1.0))

    def configure(self, rules: Rules = RULES, choices: Choices = NO_CHOICES) -> Self:
        return self.play(ev.Configured(rules, choices))

    def recorded(self, take: int, cause: ev.EndCause = ev.EndCause.STOPPED, is_dead: bool = False) -> Self:
        return self.play(ev.RecordingEnded(take, cause, 1.0, is_dead))

    def ask(self, what: ev.Request) -> Self:
        return self.play(ev.Requested(what, self.at_s))

    def hear(self, take: int, text: str, language: str = "English") -> Self:
        return self.play(ev.Transcribed(take, text, language, is_truncated=False))

    def put(self, take: int, how: Delivery = Delivery.TYPED, note: str = "", rest: str = "") -> Self:
        """The inserter has done what it was asked for."""
        has_erased = any(one.take == take and one.erased for one in self.done(fx.Insert))
        return self.play(ev.Delivered(take, how, verbatim(note), rest, has_erased=has_erased))

    def done(self, kind: type[AnyEffect]) -> list[AnyEffect]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    @property
    def inserted(self) -> list[str]:
        return [effect.text for effect in self.done(fx.Insert)]

    @property
    def notices(self) -> list[NoticeKind]:
        return [notice.kind for notice in self.view.notices]

    @property
    def view(self) -> View:
        return view_of(self.now)
