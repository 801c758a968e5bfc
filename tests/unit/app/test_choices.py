"""From the settings to what the cycle and the menus work with."""

import shutil

import pytest

from handy_qwen.app.choices import (
    Connected,
    choices_of,
    chord_title,
    listed_models,
    live_of,
    recent_with,
    rules_of,
    unknown_language,
)
from handy_qwen.core.text import Replacement
from handy_qwen.core.types import Hotkey, LiveMode, Method, Mode, Submit
from handy_qwen.core.view import Choices, ModelChoice
from handy_qwen.paths import asset
from handy_qwen.settings import Settings


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("Yeti", (), ("Yeti",)),
        ("Yeti", ("Jabra", "Yeti"), ("Yeti", "Jabra")),
        ("", ("Jabra",), ("", "Jabra")),
        ("", (), ()),
        ("Yeti", ("", "Yeti"), ("Yeti",)),
    ],
)
def test_a_microphone_put_in_front_of_the_others_is_named_once(name, before, after):
    assert Settings(microphones=(name, *before)).microphones == after


def test_every_setting_of_the_cycle_reaches_it():
    settings = Settings(
        hotkeys=("f9",),
        mode="toggle",
        hold_s=0.5,
        language="German",
        custom_words=("Qwen", "Kubernetes"),
        submit="enter",
        max_take_s=60,
        silence_s=5,
        replacements=(Replacement("a", "b"),),
        remove_fillers=True,
        trailing_space=True,
        smart_spacing=False,
    )
    rules = rules_of(settings, Method.PASTE)
    assert rules.hotkeys == (Hotkey("f9"),)
    assert (rules.mode, rules.limits.hold_s) == (Mode.TOGGLE, 0.5)
    assert (rules.language, rules.context) == ("German", ("Qwen", "Kubernetes"))
    assert (rules.method, rules.submit) == (Method.PASTE, Submit.ENTER)
    assert (rules.max_take_s, rules.silence_s) == (60, 5)
    assert rules.text.replacements == (Replacement("a", "b"),)
    assert rules.text.custom_words == ("Qwen", "Kubernetes")
    assert (rules.text.is_without_fillers, rules.text.has_trailing_space, rules.text.is_fitted) == (
        True,
        True,
        False,
    )


def test_a_method_of_the_users_own_counts_more_than_that_of_the_system():
    assert rules_of(Settings(method="type"), Method.PASTE).method is Method.TYPE


@pytest.mark.parametrize(
    ("live", "on_battery", "is_on_battery", "result"),
    [
        ("full", "off", False, LiveMode.FULL),
        ("full", "off", True, LiveMode.OFF),
        ("full", "final_windows_only", True, LiveMode.FINAL_WINDOWS_ONLY),
        ("off", "full", True, LiveMode.OFF),
    ],
)
def test_on_battery_the_lesser_of_both_settings_holds(live, on_battery, is_on_battery, result):
    assert live_of(Settings(live=live, live_on_battery=on_battery), is_on_battery=is_on_battery) is result


def test_the_menus_show_what_there_is_and_what_is_chosen():
    settings = Settings(hotkeys=("ctrl_r", "ctrl+alt+d"), language="German", microphones=("Webcam",))
    models = (ModelChoice("big", "The big one"), ModelChoice("demo", "Demo"))
    choices = choices_of(settings, Method.TYPE, models, Connected(("Webcam", "Headset"), "Headset"))
    assert choices.model == "big"
    assert choices.models == models
    assert not choices.is_demo_only
    assert choices.hotkeys == ("Right Ctrl", chord_title("ctrl+alt+d"))
    assert (choices.language, choices.microphone) == ("German", "Webcam")
    assert choices.microphones == ("Webcam", "Headset")
    assert choices.overlay == "bottom"


def test_models_have_the_titles_of_the_catalogue_or_else_their_names(app_home):
    own = app_home / "data" / "models"
    for name in ("qwen3-asr-0.6b", "mine"):
        shutil.copytree(asset("demo-model"), own / name)
    assert listed_models() == (
        ModelChoice("mine", "mine"),
        ModelChoice("qwen3-asr-0.6b", "Qwen3-ASR 0.6B"),
        ModelChoice("demo", "Demo"),
    )


def test_without_a_model_none_is_chosen():
    assert choices_of(Settings(), Method.TYPE, [], Connected()).model == ""


def test_a_chord_that_is_none_is_shown_as_it_is():
    assert chord_title("no+such+key") == "no+such+key"


def test_automatic_means_the_languages_of_the_settings_and_one_of_them_is_as_good_as_chosen():
    rules = rules_of(Settings(languages=("de", "English", "Deutsch")), Method.TYPE)
    assert (rules.language, rules.languages) == ("", ("German", "English"))
    assert rules.spoken("") == ("German", "English")
    assert rules.spoken("French") == ("French",)
    assert rules_of(Settings(language="French", languages=("de",)), Method.TYPE).language == "French"
    assert rules_of(Settings(languages=("de",)), Method.TYPE).language == "German"
    assert rules_of(Settings(), Method.TYPE).spoken("") == ()


def test_a_language_that_the_model_lacks_is_found_wherever_the_settings_have_it():
    choices = Choices(languages=("English", "German"))
    assert unknown_language(Settings(languages=("de", "fr")), choices) == "French"
    assert unknown_language(Settings(language="it", languages=("de",)), choices) == "Italian"
    assert unknown_language(Settings(hotkeys=({"chord": "f9", "language": "ko"},)), choices) == "Korean"
    assert unknown_language(Settings(languages=("de", "en")), choices) == ""


def test_the_language_chosen_last_comes_first_and_only_once():
    assert recent_with("German", ("French", "German")) == ("German", "French")
    assert recent_with("", ("French",)) == ("French",)
    assert len(recent_with("German", [f"L{n}" for n in range(9)])) == 5
