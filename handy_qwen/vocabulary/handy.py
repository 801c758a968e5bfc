"""The settings of Handy (cjpais/Handy) that have an equivalent here.

Source: ``AppSettings`` in its src-tauri/src/settings.rs, and the file written by Tauri's store plugin.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import platformdirs

_FOLDER, _NAME = "com.pais.handy", "settings_store.json"
_DAY_S = {"days3": 3.0, "weeks2": 14.0, "months3": 90.0, "never": 0.0}
_MINUTES = {"never": 0.0, "immediately": -1.0, "min2": 2.0, "min5": 5.0, "min10": 10.0, "min15": 15.0}
_METHODS = {"direct": "type", "none": "none"} | dict.fromkeys(
    ("ctrl_v", "ctrl_shift_v", "shift_insert"), "paste"
)
_SUBMIT = {"enter": "enter", "ctrl_enter": "ctrl+enter", "cmd_enter": "super+enter"}


def settings_file() -> Path | None:
    """Handy's settings file on this machine; None if there is none.

    Source: Tauri's app_data_dir, where its store plugin keeps the file.
    """
    places = (
        platformdirs.user_data_path(_FOLDER, appauthor=False, roaming=True),
        platformdirs.user_config_path(_FOLDER, appauthor=False, roaming=True),
    )
    return next((place / _NAME for place in places if (place / _NAME).is_file()), None)


def stored(text: str) -> Mapping[str, Any]:
    """The settings in ``text``; empty if it is not such a file."""
    try:
        root = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    settings = root.get("settings", root) if isinstance(root, dict) else None
    return settings if isinstance(settings, dict) else {}


def values_of(settings: Mapping[str, Any]) -> dict[str, object]:
    """The equivalents of Handy's ``settings``, not checked yet."""
    found: dict[str, object] = {}
    for name, (ours, meaning) in _MEANINGS.items():
        value = settings.get(name)
        if value is not None and (meant := meaning(value)) is not None:
            found[ours] = meant
    if settings.get("auto_submit") is True:
        found["submit"] = _SUBMIT.get(_key(settings.get("auto_submit_key", "enter")))
    chord = _chord(settings)
    if chord:
        found["hotkeys"] = [{"chord": chord}]
    return {name: value for name, value in found.items() if value is not None}


def _key(value: object) -> str:
    return value if isinstance(value, str) else ""


def _flag(on: object, off: object = None) -> Callable[[object], object]:
    return lambda value: on if value is True else off if value is False else None


def _timed(table: Mapping[str, float]) -> Callable[[object], float | None]:
    """Both spellings of such values in its versions: ``min5`` and ``min_5``."""
    return lambda value: table.get(_key(value).replace("_", ""))


def _chord(settings: Mapping[str, Any]) -> str:
    bindings = settings.get("bindings")
    main = bindings.get("transcribe") if isinstance(bindings, dict) else None
    return _key(main.get("current_binding")) if isinstance(main, dict) else ""


def _microphone(value: object) -> list[str] | None:
    return [value] if isinstance(value, str) and value.casefold() != "default" else None


_MEANINGS: Mapping[str, tuple[str, Callable[[Any], object]]] = {
    "push_to_talk": ("mode", _flag("hold", "toggle")),
    "audio_feedback": ("sounds", lambda value: value),
    "selected_language": ("language", lambda value: _key(value).partition("-")[0] or None),
    "selected_microphone": ("microphones", _microphone),
    "always_on_microphone": ("warm_s", _flag(-1.0)),
    "mute_while_recording": ("while_recording", _flag("lower", "off")),
    "overlay_position": ("overlay", lambda value: "off" if value == "none" else value),
    "paste_method": ("method", lambda value: _METHODS.get(_key(value))),
    "append_trailing_space": ("trailing_space", lambda value: value),
    "history_limit": ("history_count", lambda value: value),
    "recording_retention_period": ("history_days", _timed(_DAY_S)),
    "model_unload_timeout": ("idle_unload_min", _timed(_MINUTES | {"hour1": 60.0})),
}
"""Its name -> ours, and the conversion of its values; None: no equivalent."""
