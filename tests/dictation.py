"""The dictation cycle on a desk of its own: events in, effects out, and time that passes when told."""

from handy_qwen.core import effects as fx
from handy_qwen.core.dictation import step
from handy_qwen.core.events import (
    Configured,
    Delivered,
    EndCause,
    FocusNoted,
    HotkeysSet,
    KeyDown,
    KeyUp,
    RecordingBegan,
    RecordingEnded,
    Requested,
    Ticked,
    Transcribed,
)
from handy_qwen.core.state import Dictation, view_of
from handy_qwen.core.types import Delivery, Hotkey, Method, Mode, Rules, Target
from handy_qwen.core.view import Choices
from handy_qwen.errors import HandyError

ERROR = HandyError("It broke.", "Mend it.")
RULES = Rules(
    hotkeys=(Hotkey("ctrl_r"), Hotkey("f9", language="German", submit="enter")),
    mode=Mode.HOLD,
    context=("Qwen",),
    method=Method.PASTE,
    max_take_s=60.0,
    silence_s=10.0,
)
NO_CHOICES = Choices()
EDITOR, TERMINAL = Target(1, "editor"), Target(2, "terminal")


class Desk:
    """Plays events to the cycle and lets time pass, waking it whenever it asked for that."""

    def __init__(self, rules=RULES, choices=NO_CHOICES):
        self.now, self.at_s, self.effects = Dictation(), 100.0, []
        self.focus = Target()  # what has the focus; None: the desktop does not answer
        self.play(Configured(rules, choices))
        self.effects.clear()

    def play(self, *events):
        for event in events:
            self.now, effects = step(self.now, event, self.at_s)
            self.effects += effects
            for effect in effects:
                if isinstance(effect, fx.NoteFocus) and self.focus is not None:
                    self.play(FocusNoted(effect.take, self.focus))
                if isinstance(effect, fx.ListenFor):
                    self.play(HotkeysSet())
        return self

    def wait(self, seconds):
        end_s = self.at_s + seconds
        while self.now.wake_at_s is not None and self.now.wake_at_s <= end_s:
            self.at_s = max(self.at_s, self.now.wake_at_s)
            self.play(Ticked(self.at_s))
        self.at_s = end_s
        return self

    def down(self, key=0):
        return self.play(KeyDown(key, self.at_s))

    def up(self, key=0):
        return self.play(KeyUp(key, self.at_s)).wait(0.05)

    def say(self, take, target=EDITOR, key=0):
        """Press, speak for a second and let go; the recorder does its part."""
        self.focus = target
        self.down(key).play(RecordingBegan(take, "mic")).wait(1).up(key)
        self.focus = Target()
        return self.recorded(take)

    def recorded(self, take, cause=EndCause.STOPPED, is_dead=False):
        return self.play(RecordingEnded(take, cause, 1.0, is_dead))

    def ask(self, what):
        return self.play(Requested(what, self.at_s))

    def hear(self, take, text, language="English"):
        return self.play(Transcribed(take, text, language, is_truncated=False))

    def put(self, take, how=Delivery.TYPED, note="", rest=""):
        return self.play(Delivered(take, how, note, rest))

    def done(self, kind):
        return [effect for effect in self.effects if isinstance(effect, kind)]

    @property
    def inserted(self):
        return [effect.text for effect in self.done(fx.Insert)]

    @property
    def notices(self):
        return [notice.kind for notice in self.view.notices]

    @property
    def view(self):
        return view_of(self.now)
