"""All settings: name, default, check and wording. File, window and commands are generated from them."""

# ruff: noqa: RUF009  option() only describes a field

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from handy_qwen.core.commands import Command
from handy_qwen.core.text import Replacement, TextRules
from handy_qwen.core.types import (
    Hotkey,
    Keep,
    LiveMode,
    LockKey,
    Method,
    Mode,
    Overlay,
    Profile,
    Submit,
    WhileRecording,
)
from handy_qwen.languages import AUTOMATIC
from handy_qwen.message import Message, messages, reason_of
from handy_qwen.settings.checks import (
    HOTKEY,
    PROFILE,
    REPLACEMENT,
    InOrder,
    Once,
    Reader,
    Several,
    choice,
    flag,
    hotkey,
    insertion,
    interface,
    known_language,
    number,
    one_language,
    profile,
    replacement,
    text,
    whole,
)
from handy_qwen.settings.forms import Amount, Description, Form, Own, Page, Switch, Unit, Worded

T = TypeVar("T")

CORES = min(os.cpu_count() or 1, 64)
DEFAULT_DEVICE = Message("System default")  # as a microphone


def default_chord(platform: str = sys.platform, environment: Mapping[str, str] = os.environ) -> str:
    """A key that types nothing, under the right hand; on Wayland one that programs may request."""
    if platform == "darwin":
        return "Right Option"
    told = environment.get("XDG_SESSION_TYPE", "")
    is_wayland = told == "wayland" or (bool(environment.get("WAYLAND_DISPLAY")) and told != "x11")
    return "F9" if is_wayland and platform.startswith("linux") else "Right Ctrl"


def option(
    default: T,
    read: Reader[T],
    label: Message,
    help: Message = Message(),  # noqa: A002
    *,
    form: Form | None = None,
    page: Page | None = None,
    note: str = "",
) -> T:
    """A field of ``Settings``: its default, its check, and its texts."""
    described = Description(label, help, form or Switch(), page, note)
    return field(default=default, metadata={"read": read, "described": described})


def _after(seconds: float) -> Message:
    minutes = seconds / 60
    if minutes != int(minutes):
        return messages("After {count} second", "After {count} seconds", seconds)
    return messages("After {count} minute", "After {count} minutes", minutes)


def _for(seconds: float) -> Message:
    minutes = seconds / 60
    if minutes != int(minutes):
        return messages("For {count} second", "For {count} seconds", seconds)
    return messages("For {count} minute", "For {count} minutes", minutes)


def _number(value: float) -> str:
    return f"{value:g}"


_LIVE = Worded(
    {
        LiveMode.FULL: Message("Show the text as you speak"),
        LiveMode.FINAL_WINDOWS_ONLY: Message("Work ahead without showing it"),
        LiveMode.OFF: Message("Start when you let go"),
    }
)


@dataclass(frozen=True)
class Settings:
    """The user's choices. Raises ValueError: a check failed; the message names the field, not the value."""

    mode: Mode = option(
        Mode.AUTO,
        choice(Mode),
        Message("The key works by"),
        Message("A short tap starts and stops a recording, a double tap locks it hands-free."),
        form=Worded(
            # Translators: after "The key works by".
            {
                Mode.AUTO: Message("Holding or tapping"),
                Mode.HOLD: Message("Holding only"),
                Mode.TOGGLE: Message("Tapping only"),
            }
        ),
        page=Page.SHORTCUT,
    )
    hold_s: float = option(
        0.3,
        number(0.1, 2),
        Message("Counts as holding after"),
        Message("A shorter press counts as a tap."),
        form=Amount(Unit.SECONDS, step=0.05, decimals=2),
        page=Page.SHORTCUT,
    )
    lock_key: LockKey = option(
        LockKey.SPACE,
        choice(LockKey),
        Message("Locks the recording while you hold the hotkey"),
        Message("Press it, and let go of both: the recording goes on until you tap the hotkey."),
        form=Worded(
            {LockKey.SPACE: Message("Space"), LockKey.TAB: Message("Tab"), LockKey.OFF: Message("No key")}
        ),
        page=Page.SHORTCUT,
    )
    max_take_s: float = option(
        900.0,
        number(5, 7200),
        Message("Longest recording"),
        Message("A recording stops by itself after this time, and its text is inserted as usual."),
        form=Amount(Unit.MINUTES, Unit.SECONDS, scale=60, decimals=2),
        page=Page.SHORTCUT,
    )
    silence_s: float = option(
        20.0,
        number(0, 3600),
        Message("End a tapped recording after silence"),
        Message("A recording locked hands-free keeps going."),
        form=Worded(
            {
                5.0: Message("After 5 seconds"),
                10.0: Message("After 10 seconds"),
                20.0: Message("After 20 seconds"),
                60.0: Message("After 1 minute"),
                0.0: Message("Never"),
            },
            other=_after,
            raw=_number,
        ),
        page=Page.SHORTCUT,
        note="Any number of seconds, up to an hour.",
    )
    microphones: tuple[str, ...] = option(
        (),
        InOrder(text),
        Message("Microphones"),
        Message("The first one that is connected is used, and used again when it comes back."),
        form=Own(lambda names: ", ".join(name or DEFAULT_DEVICE for name in names) or DEFAULT_DEVICE),
        page=Page.MICROPHONE,
        note='Names, such as ["Jabra Evolve", "Yeti", ""]; "" is the system\'s default, which also comes '
        "after all others.",
    )
    avoid_headset: bool = option(
        True,
        flag,
        Message("Avoid a headset's microphone while it plays music"),
        Message(
            "While a Bluetooth headset's microphone is open, its music sounds like a phone "
            "call. The next microphone is used instead, if there is one."
        ),
        page=Page.MICROPHONE,
    )
    while_recording: WhileRecording = option(
        WhileRecording.OFF,
        choice(WhileRecording),
        Message("While you speak, other sound"),
        Message("What was paused resumes when you finish, and the volume is restored."),
        form=Worded(
            {
                # Translators: after "While you speak, other sound".
                WhileRecording.OFF: Message("Stays as it is"),
                WhileRecording.PAUSE: Message("Pauses"),
                WhileRecording.LOWER: Message("Gets quieter"),
            }
        ),
        page=Page.MICROPHONE,
        note="Pausing works on Linux, with players and browsers that speak MPRIS; elsewhere it gets quieter.",
    )
    warm_s: float = option(
        30.0,
        number(-1, 86_400),
        Message("Keep the microphone ready after use"),
        Message("Catches the first syllable of the next dictation. Half a second is kept, in memory only."),
        form=Worded(
            {
                0.0: Message("Off"),
                30.0: Message("For 30 seconds"),
                300.0: Message("For 5 minutes"),
                -1.0: Message("Always"),
            },
            other=lambda value: Message("Always") if value < 0 else _for(value),
            raw=_number,
        ),
        page=Page.MICROPHONE,
        note="Any number of seconds, up to a day.",
    )
    model: str = option(
        "",
        text,
        Message("Model"),
        form=Own(lambda value: value or Message("Automatic")),
        page=Page.LANGUAGE,
        note='Its name; "": chosen automatically.',
    )
    threads: int = option(
        0,
        whole(0, 256),
        Message("Processor threads"),
        Message("Automatic: as many as were fastest on this computer."),
        form=Worded(
            {
                0: Message("Automatic"),
                **{count: Unit.THREADS.counted(count) for count in range(1, CORES + 1)},
            },
            other=Unit.THREADS.counted,
            raw=_number,
            is_long=True,
        ),
        page=Page.LANGUAGE,
        note="A number; 0: automatic.",
    )
    use_devices: bool = option(
        True,
        flag,
        Message("Use the graphics card"),
        Message("Only where it was measured to be quicker than the processor, and gives the same text."),
        note="What there is: handy-qwen doctor",
    )
    idle_unload_min: float = option(
        15.0,
        number(-1, 10_080),
        Message("Free the model's memory when unused"),
        Message("It loads again when you press the key. Nothing you say meanwhile is lost."),
        form=Worded(
            {
                -1.0: Message("At once"),
                5.0: Message("After 5 minutes"),
                15.0: Message("After 15 minutes"),
                60.0: Message("After 1 hour"),
                0.0: Message("Never"),
            },
            other=lambda value: Message("At once") if value < 0 else _after(60 * value),
            raw=_number,
        ),
        page=Page.LANGUAGE,
        note="Any number of minutes, up to a week.",
    )
    live: LiveMode = option(
        LiveMode.FULL,
        choice(LiveMode),
        Message("While you speak"),
        Message("Working ahead has most of the text ready when you let go, but keeps the processor busy."),
        form=_LIVE,
        page=Page.LANGUAGE,
        note="With the 0.6B model on two slow cores, the engine is busy for up to two thirds of the time\n"
        "you speak, up to a third of it, or not at all.",
    )
    live_on_battery: LiveMode = option(
        LiveMode.FINAL_WINDOWS_ONLY,
        choice(LiveMode),
        Message("While you speak, on battery"),
        form=_LIVE,
        page=Page.LANGUAGE,
    )
    language: str = option(
        "",
        known_language,
        Message("I speak"),
        form=Own(lambda value: value or Message("Detect automatically")),
        page=Page.LANGUAGE,
        note='A language such as "German" or "de"; "" or "auto": detected automatically.',
    )
    languages: tuple[str, ...] = option(
        (),
        Once(one_language),
        Message("Detect only these languages"),
        Message("Choose those you speak: a short sentence is then never taken for another language."),
        form=Own(lambda names: ", ".join(names) or Message("Any language")),
        page=Page.LANGUAGE,
        note='A list, such as ["German", "en"]; [] for any. With one, it is always that one.',
    )
    recent_languages: tuple[str, ...] = option(
        (), Several(known_language), Message("Recently chosen languages, for the menu"), form=Own(", ".join)
    )
    method: Method | None = option(
        None,
        insertion,
        Message("Insert text by"),
        form=Worded(
            {
                None: Message("Automatic"),
                # Translators: after "Insert text by".
                Method.PASTE: Message("Pasting"),
                Method.TYPE: Message("Typing"),
                Method.COPY: Message("Copying only"),
                Method.NONE: Message("Nothing; keep it in History"),
            },
            raw=lambda value: f'"{value or AUTOMATIC}"',
        ),
        page=Page.TEXT,
    )
    submit: Submit = option(
        Submit.OFF,
        choice(Submit),
        Message("Then press"),
        Message("In a chat, this can send the message right away."),
        form=Worded(
            {
                Submit.OFF: Message("No key"),
                Submit.ENTER: Message("Enter"),
                Submit.CTRL_ENTER: Message("Ctrl+Enter"),
                Submit.SUPER_ENTER: Message("Super+Enter"),
            }
        ),
        page=Page.TEXT,
    )
    smart_spacing: bool = option(
        True,
        flag,
        Message("Continue the sentence already there"),
        Message("Adds a space before the text, and starts it in lower case in the middle of a sentence."),
        page=Page.TEXT,
    )
    trailing_space: bool = option(False, flag, Message("Put a space after each text"), page=Page.TEXT)
    remove_fillers: bool = option(False, flag, Message("Leave out “um”, “uh” and the like"), page=Page.TEXT)
    say_new_line: bool = option(True, flag, Message("“New line” starts a new line"), page=Page.TEXT)
    say_new_paragraph: bool = option(
        True, flag, Message("“New paragraph” leaves a line empty"), page=Page.TEXT
    )
    say_scratch_that: bool = option(
        True,
        flag,
        Message("“Scratch that” deletes the last sentence"),
        Message(
            "Said again, it deletes the whole dictation, even one that is inserted, until you type or click."
        ),
        page=Page.TEXT,
    )
    say_press_enter: bool = option(
        True,
        flag,
        Message("“Press enter” at the end presses Enter"),
        Message("Say it after a pause, as a sentence of its own. In a chat, this sends the message."),
        page=Page.TEXT,
    )
    commands_not_in: tuple[str, ...] = option(
        (),
        Once(one_language),
        Message("No spoken commands in these languages"),
        form=Own(lambda names: ", ".join(names) or Message("None")),
        page=Page.TEXT,
        note='A list, such as ["Italian"]; [] to listen for them in all that have some.',
    )
    custom_words: tuple[str, ...] = option(
        (),
        Several(text),
        Message("Words"),
        Message("Names and terms that the model should know, the most important first."),
        form=Own(", ".join),
        page=Page.VOCABULARY,
        note="As many are used as the model reads; to see which: handy-qwen words list",
    )
    overlay: Overlay = option(
        Overlay.BOTTOM,
        choice(Overlay),
        Message("Show the overlay"),
        Message("A small window that shows what is recorded. It never takes the keyboard."),
        form=Worded(
            {
                Overlay.BOTTOM: Message("At the bottom of the screen"),
                Overlay.TOP: Message("At the top of the screen"),
                Overlay.OFF: Message("Never"),
            }
        ),
        page=Page.GENERAL,
    )
    interface_language: str = option(
        "",
        interface,
        Message("Language of the windows"),
        Message("The manual and the command line stay in English."),
        form=Own(lambda code: code or Message("System default")),
        page=Page.GENERAL,
        note='A code such as "de" or "pt_BR"; "": the system\'s. It changes when Handy Qwen starts.',
    )
    set_up: bool = option(
        False,
        flag,
        Message("The first-start guide has been shown"),
        Message('To see it again: "handy-qwen setup".'),
    )
    sounds: bool = option(
        False,
        flag,
        Message("Sounds"),
        Message("Short sounds when a recording starts and ends."),
        page=Page.GENERAL,
    )
    history: Keep = option(
        Keep.AUDIO_AND_TEXT,
        choice(Keep),
        # Translators: of a dictation: "Keep: text and sound".
        Message("What is kept"),
        Message(
            "Until a text is delivered, its sound is on disk in any case, so nothing is lost in a crash. "
            "With text only, it stays a day longer if words may be missing from the text."
        ),
        form=Worded(
            {
                Keep.AUDIO_AND_TEXT: Message("Text and sound"),
                Keep.TEXT: Message("Text only"),
                Keep.NOTHING: Message("Nothing"),
            }
        ),
        page=Page.HISTORY,
    )
    history_count: int = option(
        1000,
        whole(0, 1_000_000),
        Message("Number of dictations"),
        Message("Starred ones are not counted and always stay."),
        form=Amount(Unit.DICTATIONS, step=100, zero=Message("No limit"), first=1000),
        page=Page.HISTORY,
    )
    history_days: float = option(
        90.0,
        number(0, 36_500),
        Message("How long they are kept"),
        form=Amount(Unit.DAYS, decimals=2, zero=Message("Forever"), first=90),
        page=Page.HISTORY,
    )
    history_gb: float = option(
        2.0,
        number(0, 100_000),
        Message("Space for their sound"),
        Message("Nine hours take 2 GB. The oldest sound goes first; its text stays."),
        form=Amount(Unit.GIGABYTES, step=0.5, decimals=2, zero=Message("No limit"), first=2),
        page=Page.HISTORY,
    )
    private: bool = option(
        False,
        flag,
        Message("Pause the history"),
        Message("While it is paused, nothing you say is kept."),
        page=Page.HISTORY,
    )
    hotkeys: tuple[Hotkey, ...] = option(
        (Hotkey(default_chord()),),
        Several(hotkey, HOTKEY),
        Message("Hotkeys"),
        form=Own(lambda value: ", ".join(one.chord for one in value)),
        page=Page.SHORTCUT,
        note="From here on each line belongs to the [[...]] above it: add other settings above this line.\n"
        'chord: a key, or several pressed together, such as "Right Ctrl", "F9", "Ctrl+Alt+D", "Mouse 4"\n'
        "language, submit: only where they differ from the settings above",
    )
    apps: tuple[Profile, ...] = option(
        (),
        Several(profile, PROFILE),
        Message("Apps"),
        Message(
            "What is different in some programs. The first that fits is used, yours before "
            "those that come with Handy Qwen."
        ),
        form=Own(lambda value: ", ".join(one.name for one in value)),
        page=Page.APPS,
        note='name: "Terminals", "Code editors" and "Chat" replace what comes with Handy Qwen\n'
        'programs: as the desktop calls them, such as "kitty" or "code.exe"; * stands for anything\n'
        'language, method, submit, spacing ("on", "off"), words: only where they differ from those above',
    )
    replacements: tuple[Replacement, ...] = option(
        (),
        Several(replacement, REPLACEMENT),
        Message("Replacements"),
        form=Own(lambda value: ", ".join(one.heard for one in value)),
        page=Page.VOCABULARY,
        note="heard, written: write this wherever that was heard, as whole words\n"
        "regex = true: heard is a regular expression, left out if it takes longer than 0.2 s;\n"
        "case = true: capitals matter; alone = true: only if said by itself, and written may have {date},\n"
        "{time} and {clipboard}\n"
        'Under a line [[replacements]], for example: heard = "new line" and below it written = "\\n"',
    )

    def __post_init__(self) -> None:
        for one in fields(self):
            try:
                value = one.metadata["read"](getattr(self, one.name))
            except ValueError as exc:
                raise ValueError(
                    Message("{setting} {problem}", setting=one.name, problem=reason_of(exc))
                ) from None
            object.__setattr__(self, one.name, value)

    @property
    def text_rules(self) -> TextRules:
        """The settings for processing a text before insertion."""
        return TextRules(
            replacements=self.replacements,
            is_without_fillers=self.remove_fillers,
            has_trailing_space=self.trailing_space,
            is_fitted=self.smart_spacing,
            custom_words=self.custom_words,
            commands=frozenset(one for one in Command if getattr(self, one)),
            commands_not_in=self.commands_not_in,
        )


@dataclass(frozen=True)
class Option:
    """Everything about a setting."""

    name: str
    default: Any
    read: Reader[Any]
    described: Description

    def worded(self, value: Any) -> str:  # noqa: ANN401  of any setting
        """``value`` in words."""
        return self.described.form.worded(value)


OPTIONS: Mapping[str, Option] = {
    one.name: Option(one.name, one.default, one.metadata["read"], one.metadata["described"])
    for one in fields(Settings)
}
"""All settings, in the order of the file."""
