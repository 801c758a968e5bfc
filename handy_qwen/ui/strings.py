"""Texts shared by windows, and sizes, times and rates in the user's language.

Texts of one window only are in its module; notices come from the core. An ampersand underlines the letter
after it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from PySide6.QtCore import QLocale, Qt

from handy_qwen import __version__
from handy_qwen.core.types import Mode
from handy_qwen.core.view import ESCAPE, Choices, Phase, Remedy, View
from handy_qwen.languages import NATIVE_NAMES
from handy_qwen.ui.translation import ntr, tr

APP_TITLE = "Handy Qwen"
VERSION = f"{APP_TITLE} {__version__}"
PHASES = {
    Phase.RECORDING: tr("Recording"),
    Phase.TRANSCRIBING: tr("Transcribing"),
    Phase.LOADING: tr("Loading the model"),
    Phase.PROBLEM: tr("Something needs your attention"),
    Phase.IDLE: tr("Ready"),
}
# Translators: {state} is "Ready", {how} "Hold Right Ctrl and speak."
STATE_AND_KEY = tr("{state}. {how}")
REMEDIES = {  # offered by notices to click on
    Remedy.MODELS: tr("Open Models"),
    Remedy.SETTINGS: tr("Open Settings"),
    Remedy.HISTORY: tr("Open History"),
    Remedy.FILES: tr("Open Transcribe files"),
    Remedy.PASTE: tr("Paste it here"),
    Remedy.COPY: tr("Copy it"),
    Remedy.RESTORE: tr("Restore it"),
    Remedy.RETRY: tr("Transcribe it again"),
}
START, STOP, CANCEL = tr("&Start recording"), tr("&Stop recording"), tr("&Cancel")
MODEL, LANGUAGE, MICROPHONE = tr("&Model"), tr("&Language"), tr("Micro&phone")
AUTOMATIC, DEFAULT_DEVICE = tr("&Automatic"), tr("System &default")
# Translators: {what} is what was chosen automatically.
AUTOMATIC_IS, NOT_CONNECTED = tr("&Automatic ({what})"), tr("{device} (not connected)")
ALL_LANGUAGES = tr("All languages")
_MOST_NAMED = 3
PASTE_AGAIN, PASTE_HELD = tr("P&aste last text"), tr("P&aste waiting text here")
COPY_HELD, DROP_HELD = tr("Copy waiting te&xt"), tr("Discard &waiting text")
CORRECT = tr("C&orrect last text…")
RECENT, NO_RECENT = tr("&Recent texts"), tr("Nothing yet")
GET_MODEL, MODELS_WINDOW, HISTORY_WINDOW = tr("Get a &full model…"), tr("&Manage models…"), tr("Histor&y…")
FILES_WINDOW = tr("Transcr&ibe files…")
# Translators: {state} is "Downloading", "Paused", ...
MODELS_WORKING = tr("&Manage models… ({model}: {state})")
SETTINGS_WINDOW, HELP, QUIT = tr("S&ettings…"), tr("&Help"), tr("&Quit")
HELP_WINDOW, SETUP_WINDOW = tr("&How to…"), tr("&Set up again…")
RETRY, BRING_BACK = tr("&Transcribe last recording again"), tr("Restore cancelled &dictation")
PAUSE_HISTORY, HISTORY_PAUSED = tr("Pa&use history"), tr("History is paused. Nothing you say is saved.")
NO_MODELS = tr("No model is installed")

STARTING, LISTENING = tr("Starting the microphone…"), tr("Listening…")
TRANSCRIBING, LOADING = tr("Transcribing…"), tr("Loading the model…")
HOLD_AND_SPEAK, PRESS_AND_SPEAK = tr("Hold {keys} and speak."), tr("Press {keys} and speak.")
RELEASE_KEY = tr("Listening… Release the key when you're done.")
# Translators: the second is how loud the microphone is.
MODEL_LOADS, LEVEL = tr("the model is loading"), tr("Level")
# Translators: {cancel} is "Esc to cancel", "F10 to cancel" or "cancel in the tray menu", which stands
# alone, too.
FINISH, CANCEL_BY_ESCAPE = tr("{keys} to finish  ·  {cancel}"), tr("Esc to cancel")
CANCEL_BY_KEY = tr("{key} to cancel")
CANCEL_BY_TRAY = tr("cancel in the tray menu")
PRESS_KEY = tr("Press a key or combination…")
WAITING_TITLE = tr("Your text isn't inserted yet.")
WAITING_HINT = tr("To copy or discard it, open Handy Qwen.")

CLOSE, WINDOW_TITLE = tr("&Close"), tr("{title} — {app}")
RATE, PERCENT = tr("{size}/s"), tr("{number}%")
REMAINING_MOMENT, REMAINING_S = tr("a moment left"), tr("about {seconds} s left")
REMAINING_H = tr("about {hours} h {minutes} min left")


def language_title(name: str) -> str:
    """A language in a list: its native name, followed by the English one."""
    native = NATIVE_NAMES.get(name, name)
    return name if native == name else f"{native} ({name})"


def languages(names: Sequence[str]) -> str:
    """Several languages in one line: their names, or how many there are."""
    if len(names) > _MOST_NAMED:
        return ntr("{count} language", "{count} languages", len(names)).format(count=whole(len(names)))
    return ", ".join(NATIVE_NAMES.get(name, name) for name in names)


def microphones(choices: Choices) -> list[tuple[str, str]]:
    """The available microphones, and preferred ones that are not connected: names and titles."""
    devices = [("", DEFAULT_DEVICE), *((name, literal(name)) for name in choices.microphones)]
    wanted = dict.fromkeys((choices.microphone, *choices.microphone_order))
    away = [name for name in wanted if name and name not in choices.microphones]
    return devices + [(name, NOT_CONNECTED.format(device=literal(name))) for name in away]


def how_to_dictate(choices: Choices) -> str:
    """Which key to hold or press; empty if there is none."""
    how = PRESS_AND_SPEAK if choices.mode == Mode.TOGGLE else HOLD_AND_SPEAK
    keys = " / ".join(filter(None, choices.hotkeys))  # the desktop may have assigned none to some
    return how.format(keys=keys) if keys else ""


def how_to_finish(view: View) -> str:
    """The keys that end or cancel the hands-free recording of ``view``."""
    by_key = CANCEL_BY_ESCAPE if view.cancel_key == ESCAPE else CANCEL_BY_KEY.format(key=view.cancel_key)
    cancel = by_key if view.cancel_key else CANCEL_BY_TRAY
    if not view.finish_keys:
        return cancel[0].upper() + cancel[1:]
    return FINISH.format(keys=" / ".join(view.finish_keys), cancel=cancel)


def how_to_go_on(view: View) -> str:
    """The current function of the key: to end the recording, or to begin one; empty if there is no key."""
    if view.phase is not Phase.RECORDING:
        return how_to_dictate(view.choices)
    return how_to_finish(view) if is_tapped(view) else RELEASE_KEY


def is_tapped(view: View) -> bool:
    """Whether the recording of ``view`` continues when the key comes up."""
    return view.is_hands_free or view.choices.mode == Mode.TOGGLE


def literal(title: str) -> str:
    """``title`` for a button or menu, with escaped ampersands."""
    return title.replace("&", "&&")


def tip(text: str) -> str:
    """``text`` from elsewhere for a tooltip: unchanged, never parsed as markup."""
    return f"<p>{html.escape(text)}</p>".replace("\n", "<br>") if "<" in text else text


def without_letter(title: str) -> str:
    """``title`` without its mnemonic ampersand; an escaped one stays."""
    return re.sub("&(.)", r"\1", title)


def is_right_to_left(text: str) -> bool:
    """Whether its first letter with a direction belongs to a right-to-left script."""
    directions = (unicodedata.bidirectional(letter) for letter in text)
    return next((direction != "L" for direction in directions if direction in {"L", "R", "AL"}), False)


def direction(text: str) -> Qt.LayoutDirection:
    """The direction of ``text``, regardless of the interface language: it is the user's, or a name."""
    return Qt.LayoutDirection.RightToLeft if is_right_to_left(text) else Qt.LayoutDirection.LeftToRight


def unlike(titles: Iterable[str]) -> Iterator[str]:
    """``titles`` with unique mnemonics: translators cannot see which titles are shown together."""
    seen: set[str] = set()
    for title in titles:
        letter = title.replace("&&", "").partition("&")[2][:1].casefold()
        yield re.sub("&(&?)", r"\1\1", title) if letter in seen else title
        seen.update(letter)


def window_title(title: str) -> str:
    """The title bar of the window ``title``."""
    return WINDOW_TITLE.format(title=title, app=APP_TITLE)


def elided(text: str, length: int = 48) -> str:
    """One line of at most ``length`` characters, for a menu."""
    line = " ".join(text.split())
    return literal(line if len(line) <= length else line[: length - 1].rstrip() + "…")


def clock(seconds: float) -> str:
    """A duration as 0:07 or 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return in_digits(f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}")


def size(size_bytes: float) -> str:
    """1.9 GB, and whole numbers below a gigabyte. Decimal (1 GB = 10^9 bytes), like disks."""
    digits = 1 if size_bytes >= 999_500_000 else 0
    return QLocale().formattedDataSize(round(size_bytes), digits, QLocale.DataSizeFormat.DataSizeSIFormat)


def rate(bytes_s: float) -> str:
    """12.4 MB/s."""
    amount = QLocale().formattedDataSize(round(bytes_s), 1, QLocale.DataSizeFormat.DataSizeSIFormat)
    return RATE.format(size=amount)


def remaining(seconds: float) -> str:
    """The remaining time, no more precise than such an estimate can be."""
    if seconds < 10:
        return REMAINING_MOMENT
    if seconds < 55:
        return REMAINING_S.format(seconds=whole(10 * round(seconds / 10)))
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        left = ntr("about {minutes} minute left", "about {minutes} minutes left", minutes)
        return left.format(minutes=whole(minutes))
    return REMAINING_H.format(hours=whole(minutes // 60), minutes=whole(minutes % 60))


def whole(count: int) -> str:
    """A count, in the digits of the language: 12,000."""
    return QLocale().toString(count)


def in_digits(text: str) -> str:
    """``text`` with the language's digits: Arabic has others."""
    zero = ord(QLocale().zeroDigit())
    return text.translate({ord("0") + digit: zero + digit for digit in range(10)})


def number(value: float) -> str:
    """A factor: 0.8, 4.2, 50."""
    return QLocale().toString(value, "f", 1 if value < 10 else 0)


def percent(share: float) -> str:
    """43%: never 100% before it is done."""
    return PERCENT.format(number=whole(min(int(share * 100), 100)))
