"""Derives from the settings what the dictation cycle and the menus work with."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handy_qwen.core.events import Noted, Trouble
from handy_qwen.core.models import DEMO
from handy_qwen.core.ports import Post
from handy_qwen.core.profiles import effective
from handy_qwen.core.types import Limits, LiveMode, LockKey, Method, Rules
from handy_qwen.core.view import Choices, ModelChoice, Remedy
from handy_qwen.errors import HotkeyError, LanguageError
from handy_qwen.history import retention as history
from handy_qwen.languages import AUTOMATIC
from handy_qwen.message import Message
from handy_qwen.settings import Settings
from handy_qwen.system.hotkeys.chord import parse_chord

if TYPE_CHECKING:  # slow to import
    from handy_qwen.audio.connection import Listed
    from handy_qwen.audio.devices import Wish

RECENT_LANGUAGES = 5
DEMO_NOTICE = Message("Only the demo model is installed. It knows some 300 words.")
DEMO_HINT = Message("Install a full model: handy-qwen models")
DEMO_HINT_TRAY = Message("Install a full model: tray → Model → Manage models")


def rules_of(settings: Settings, default_method: Method) -> Rules:
    """The settings of the dictation cycle."""
    only = settings.languages[0] if len(settings.languages) == 1 else ""
    return Rules(
        hotkeys=settings.hotkeys,
        mode=settings.mode,
        limits=Limits(hold_s=settings.hold_s),
        lock_key="" if settings.lock_key is LockKey.OFF else settings.lock_key,
        language=settings.language or only,
        languages=settings.languages,
        context=settings.custom_words,
        method=method_of(settings, default_method),
        submit=settings.submit,
        max_take_s=settings.max_take_s,
        silence_s=settings.silence_s,
        is_private=settings.private,
        text=settings.text_rules,
        profiles=effective(settings.apps),
    )


def kept_of(settings: Settings) -> history.RetentionRules:
    """The settings of the history."""
    return history.RetentionRules(
        keep=settings.history,
        most_entries=settings.history_count,
        longest_s=settings.history_days * 86_400,
        most_bytes=int(settings.history_gb * 1e9),
    )


def method_of(settings: Settings, default: Method) -> Method:
    """How text is inserted."""
    return settings.method or default


def live_of(settings: Settings, *, is_on_battery: bool) -> LiveMode:
    """How much to do while the user speaks: on battery the lesser of both settings."""
    order = list(LiveMode)  # from most to least
    wanted = [settings.live, settings.live_on_battery] if is_on_battery else [settings.live]
    return max(wanted, key=order.index)


def listed_models() -> tuple[ModelChoice, ...]:
    """The models on this machine. Slow: it imports the engine.

    Raises:
        HandyError: The folder of models, or the catalogue, cannot be read.
    """
    from handy_qwen.models.catalogue import read_catalogue
    from handy_qwen.models.installed import installed_models

    titles = {model.name: model.title for model in read_catalogue().models}
    return tuple(ModelChoice(one.name, titles.get(one.name, one.name)) for one in installed_models())


def idle_s_of(settings: Settings) -> float | None:
    """After how many idle seconds the model is unloaded; None: never."""
    minutes = settings.idle_unload_min
    return None if minutes == 0 else max(0.0, minutes * 60)


def warm_s_of(settings: Settings) -> float:
    """How many seconds the microphone stays open after use."""
    return math.inf if settings.warm_s < 0 else settings.warm_s


def wish_of(settings: Settings) -> Wish:
    """The preferred microphones."""
    from handy_qwen.audio.devices import Wish

    return Wish(settings.microphones, settings.avoid_headset)


def loaded_with(settings: Settings) -> tuple[object, ...]:
    """The settings whose change requires reloading the model."""
    return settings.model, settings.threads, settings.use_devices


def recorded_with(settings: Settings) -> tuple[object, ...]:
    """The settings that the recorder depends on."""
    return settings.microphones, settings.avoid_headset, settings.warm_s


@dataclass(frozen=True, slots=True)
class Connected:
    """The connected microphones, the system's default, and those to avoid."""

    names: tuple[str, ...] = ()
    default: str = ""
    spared: tuple[str, ...] = ()


def connected_of(listed: Listed) -> Connected:
    """The names of the microphones found, without loopback devices."""
    real = [device for device in listed.devices if not device.is_monitor]
    return Connected(
        tuple(device.name for device in real),
        next((device.name for device in real if device.is_default), ""),
        tuple(device.name for device in real if device.handle in listed.spared),
    )


def choices_of(
    settings: Settings,
    default_method: Method,
    models: Sequence[ModelChoice],
    microphones: Connected,
    *,
    is_autostarted: bool = False,
) -> Choices:
    """The contents of the menus. The languages follow once the model is loaded."""
    return Choices(
        model=settings.model or (models[0].name if models else ""),
        is_model_automatic=not settings.model,
        models=tuple(models),
        is_demo_only=[model.name for model in models] == [DEMO],
        language=settings.language,
        detected_languages=settings.languages,
        recent_languages=settings.recent_languages,
        microphone=next(iter(settings.microphones), ""),
        microphone_order=settings.microphones,
        microphones=microphones.names,
        default_microphone=microphones.default,
        spared_microphones=microphones.spared,
        method=method_of(settings, default_method),
        automatic_method=default_method,
        overlay=settings.overlay,
        chords=tuple(hotkey.chord for hotkey in settings.hotkeys),
        hotkeys=tuple(chord_title(hotkey.chord) for hotkey in settings.hotkeys),
        mode=settings.mode,
        is_private=settings.private,
        is_autostarted=is_autostarted,
    )


def unknown_language(settings: Settings, choices: Choices) -> str:
    """The first language of the settings and their hotkeys that is not among ``choices``; "" if all are."""
    hotkeys = (hotkey.language for hotkey in settings.hotkeys)
    wanted = [settings.language, *settings.languages, *hotkeys]
    return next((name for name in wanted if name not in {"", AUTOMATIC, *choices.languages}), "")


class LanguageCheck:
    """Warns in advance that the model lacks a language of the settings. Any thread."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._lock = threading.Lock()
        self._offered = Choices()
        self._unknown = ""

    def look(self, settings: Settings, offered: Choices | None = None) -> None:
        """Check the settings against ``offered``, or against the models of the previous check."""
        with self._lock:
            self._offered = offered or self._offered
            unknown = unknown_language(settings, self._offered) if self._offered.languages else ""
            if unknown == self._unknown:
                return
            self._unknown = unknown
            error = LanguageError(
                Message(
                    "The model {model} does not know {language}.", model=self._offered.model, language=unknown
                ),
                Message("Choose another language or model."),
            )
            self._post(Trouble("language", error if unknown else None))


def demo_notice(*, has_tray: bool) -> Noted:
    """Where to get a full model, in one line of the overlay."""
    return Noted(DEMO_NOTICE, DEMO_HINT_TRAY if has_tray else DEMO_HINT, Remedy.MODELS)


def chord_title(chord: str) -> str:
    """A chord worded for people: "Right Ctrl", "Ctrl+Alt+D"."""
    try:
        return parse_chord(chord).label(sys.platform)
    except HotkeyError:  # the listener will report it
        return chord


def recent_with(name: str, recent: Sequence[str]) -> tuple[str, ...]:
    """``recent`` with ``name`` in front, unless that is automatic ("")."""
    others = [old for old in recent if old != name]
    return tuple([name, *others] if name else others)[:RECENT_LANGUAGES]


def is_guide_due(settings: Settings, models: Sequence[ModelChoice], *, is_hidden: bool) -> bool:
    """Whether to show the guide unasked: once, while no model was installed, and not at login."""
    return not (is_hidden or settings.set_up or any(model.name != DEMO for model in models))
