"""Backups: what is written is taken over again, part by part, and so is what other files have."""

import json
import os
import stat
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handy_qwen.core.text import Replacement
from handy_qwen.core.types import BackupPart, Hotkey, Method, Mode, Overlay, Profile, Submit, WhileRecording
from handy_qwen.errors import HandyError, SettingsError
from handy_qwen.settings import Settings, read_configuration
from handy_qwen.system.hotkeys.chord import parse_chord
from handy_qwen.vocabulary.backup import names_of, read_backup, write_backup
from tests.unit.test_settings import CHANGES

MINE = Settings(
    mode=Mode.HOLD,
    hotkeys=[Hotkey("F9", "German")],
    custom_words=["Kürşat", "Qwen"],
    replacements=[Replacement("btw", "by the way")],
    apps=[Profile("Mail", ("thunderbird*",), "German")],
    recent_languages=["German"],
    set_up=True,
)
HANDY = {
    "bindings": {"transcribe": {"id": "transcribe", "current_binding": "ctrl+alt+space"}},
    "push_to_talk": True,
    "audio_feedback": True,
    "selected_language": "zh-Hans",
    "selected_microphone": "Yeti",
    "always_on_microphone": True,
    "mute_while_recording": True,
    "overlay_position": "none",
    "paste_method": "ctrl_shift_v",
    "append_trailing_space": True,
    "auto_submit": True,
    "auto_submit_key": "cmd_enter",
    "history_limit": 50,
    "recording_retention_period": "weeks_2",
    "model_unload_timeout": "min5",
    "custom_words": ["Qwen", 7],
    "post_process_api_keys": {"a": "secret"},
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "backup.toml"


def taken_over(path, now=None, parts=tuple(BackupPart)):
    """The settings that a backup makes of ``now``, and what is told."""
    now = now or Settings()
    changes, told = read_backup(path, parse_chord).changes(now, parts)
    return replace(now, **changes), told


def test_all_of_it_is_taken_over_but_not_what_the_program_notes_for_itself(file):
    write_backup(file, MINE, list(BackupPart))
    new, told = taken_over(file)
    assert new == replace(MINE, recent_languages=(), set_up=False)
    assert told == "3 settings changed, 2 words added, 1 replacement added."
    assert taken_over(file, new) == (new, "Everything in it is set already.")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_any_settings_come_back(file, changes):
    mine = replace(Settings(), **changes)
    write_backup(file, mine, {BackupPart.SETTINGS})
    new, _ = taken_over(file)
    assert all(getattr(new, name) == getattr(mine, name) for name in names_of({BackupPart.SETTINGS}))


def test_only_the_parts_that_are_wanted_are_written_and_read(file):
    write_backup(file, MINE, {BackupPart.WORDS})
    assert "hotkeys" not in file.read_text(encoding="utf-8")
    assert taken_over(file)[0] == Settings(custom_words=MINE.custom_words)
    write_backup(file, MINE, list(BackupPart))
    assert taken_over(file, parts={BackupPart.REPLACEMENTS})[0] == Settings(replacements=MINE.replacements)
    assert taken_over(file, parts={BackupPart.APPS})[0] == Settings(apps=MINE.apps)
    assert taken_over(file, parts={BackupPart.SETTINGS})[0].apps == ()


def test_words_are_added_and_none_is_lost(file):
    write_backup(file, MINE, list(BackupPart))
    now = Settings(custom_words=["Ada", "qwen"], replacements=[Replacement("btw", "between")])
    new, told = taken_over(file, now)
    assert new.custom_words == ("Ada", "qwen", "Kürşat")
    assert new.replacements == now.replacements
    assert "1 entry can't be used" in told


def test_a_settings_file_is_read_as_well_and_what_is_wrong_in_it_is_counted(file):
    file.write_text('mode = "hold"\nlive = "maybe"\nfuture = 1\n', encoding="utf-8")
    new, told = taken_over(file)
    assert new == Settings(mode=Mode.HOLD)
    assert told == "1 setting changed, 2 entries can't be used."


@pytest.mark.parametrize("is_nested", [True, False])
def test_handys_settings_are_taken_over_as_far_as_they_match(tmp_path, is_nested):
    path = tmp_path / "settings_store.json"
    path.write_text(json.dumps({"settings": HANDY} if is_nested else HANDY))
    new, told = taken_over(path)
    assert new == Settings(
        mode=Mode.HOLD,
        hotkeys=[Hotkey("ctrl+alt+space")],
        sounds=True,
        language="Chinese",
        microphones=["Yeti"],
        warm_s=-1.0,
        while_recording=WhileRecording.LOWER,
        overlay=Overlay.OFF,
        method=Method.PASTE,
        trailing_space=True,
        submit=Submit.SUPER_ENTER,
        history_count=50,
        history_days=14,
        idle_unload_min=5,
        custom_words=["Qwen"],
    )
    assert "secret" not in told


def test_what_handy_has_otherwise_is_left_out(tmp_path):
    path = tmp_path / "settings_store.json"
    odd = {"bindings": {"transcribe": {"current_binding": "a"}}, "selected_language": "auto"}
    path.write_text(json.dumps(odd | {"history_limit": "many", "overlay_position": "left", "sounds": 1}))
    new, told = taken_over(path)
    assert new == Settings()
    assert told == "3 entries can't be used."


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), st.lists, max_leaves=4))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_handys_settings_breaks_nothing(tmp_path, value):
    path = tmp_path / "settings_store.json"
    path.write_text(json.dumps({**dict.fromkeys(HANDY, value), "audio_feedback": True}))
    assert taken_over(path)[0].sounds is True


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "mode = hold\n", "Line 1 of a.toml cannot be read"),
        ("a.toml", "x = 1\n", "a.toml has no settings"),
        ("a.json", "[1]", "a.json has no settings of Handy's"),
        ("a.json", "{", "a.json has no settings of Handy's"),
    ],
)
def test_other_files_are_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_backup(tmp_path / name, parse_chord)


def test_what_cannot_be_written_or_read_is_said(tmp_path):
    with pytest.raises(HandyError, match="could not be written"):
        write_backup(tmp_path, MINE, list(BackupPart))
    with pytest.raises(SettingsError, match="There is no file"):
        read_backup(tmp_path / "gone.toml", parse_chord)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_a_backup_is_for_its_owner_only_and_explains_itself(file):
    write_backup(file, MINE, list(BackupPart))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not read_configuration(file).problems
    assert file.read_text(encoding="utf-8").startswith("# A backup of Handy Qwen.")
