"""Languages by name and by code."""

import pytest

from handy_qwen.errors import LanguageError
from handy_qwen.languages import (
    _BY_CODE,
    _BY_NAME,
    _TABLE,
    ALL_LANGUAGES,
    LANGUAGES,
    NATIVE_NAMES,
    code_of,
    language_name,
    spoken,
)


def test_there_are_thirty_of_them_and_every_name_and_code_belongs_to_one():
    assert len(LANGUAGES) == len(set(ALL_LANGUAGES)) == 30
    for name, native in NATIVE_NAMES.items():
        assert language_name(native) == language_name(name) == name
    assert not set(_BY_CODE) & set(_BY_NAME)
    assert len(_BY_CODE) == sum(len(row.split("|")[0].split()) for row in _TABLE.values())


@pytest.mark.parametrize(("code", "name"), LANGUAGES.items())
def test_a_language_is_known_by_name_and_by_code_in_any_case(code, name):
    for asked in (code, code.upper(), name, name.lower(), name.upper(), f" {name} "):
        assert language_name(asked) == name
    assert code_of(name) == code


@pytest.mark.parametrize("asked", ["", " ", "auto", "Auto", "AUTOMATIC", "detect"])
def test_automatic_has_several_words(asked):
    assert language_name(asked) == language_name(asked, ("English",)) == ""


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        *[(one, "German") for one in ("deu", "ger", "de-AT", "de_CH.UTF-8", "de_DE@euro", "DEUTSCH")],
        *[(one, "English") for one in ("eng", "en-US", "en_GB.UTF-8", "EN", "en-GB-oxendict")],
        *[
            (one, "Chinese")
            for one in ("zho", "chi", "cmn", "zh-Hant", "zh-cmn-Hans-CN", "普通话", "Mandarin")
        ],
        *[(one, "Spanish") for one in ("spa", "español", "espanol", "es-419", "Castellano")],
        *[(one, "Portuguese") for one in ("pt_BR", "português")],
        *[(one, "Japanese") for one in ("jpn", "日本語")],
        *[(one, "Persian") for one in ("farsi", "per", "fas")],
        *[(one, "Filipino") for one in ("tl", "tgl", "Tagalog")],
        *[(one, "Vietnamese") for one in ("Tiếng Việt", "tieng viet")],
        ("हिन्दी", "Hindi"),
        ("Türkçe", "Turkish"),
        ("한국어", "Korean"),
    ],
)
def test_codes_of_every_standard_tags_and_native_names_are_known(asked, name):
    assert language_name(asked) == name


@pytest.mark.parametrize("asked", ["yue", "zh-yue", "zh-yue-HK", "zh_HK", "zh-Hant-HK", "粵語", "广东话"])
def test_cantonese_is_never_taken_for_mandarin(asked):
    assert language_name(asked) == "Cantonese"
    with pytest.raises(LanguageError):
        language_name(asked, ("Chinese", "English"))


def test_an_unknown_language_is_answered_with_the_nearest_and_all_that_are_known():
    with pytest.raises(LanguageError) as caught:
        language_name("Englsh", ("English", "German"))
    assert caught.value.title == "The model does not know the language 'Englsh'."
    assert caught.value.hint == "Did you mean English? It knows: English (en), German (de)."


@pytest.mark.parametrize(("asked", "guess"), [("Deutch", "German"), ("duetsch", "German"), ("Duch", "Dutch")])
def test_the_nearest_of_all_names_is_proposed(asked, guess):
    with pytest.raises(LanguageError, match=f"Did you mean {guess}"):
        language_name(asked)


@pytest.mark.parametrize(
    "asked", ["Klingon", "xx", "None", "e", "zzzzzzzz", "de-", "german-english", "zh-wuu", "zh-nan"]
)
def test_what_is_no_language_is_refused(asked):
    with pytest.raises(LanguageError, match="It knows: "):
        language_name(asked)


def test_what_counts_is_what_this_model_knows():
    with pytest.raises(LanguageError, match="English"):
        language_name("fr", ("English", "German"))
    assert language_name("esperanto", ("Esperanto",)) == "Esperanto", "although it has no code"
    assert code_of("Esperanto") == ""
    with pytest.raises(LanguageError, match=r"It knows: Esperanto\."):
        language_name("xx", ("Esperanto",))


def test_several_languages_are_those_that_are_known_each_once_and_any_if_automatic_is_among_them():
    assert spoken(["de", "English", "Deutsch"]) == ("German", "English")
    assert spoken("fr") == ("French",)
    assert spoken("") == spoken([]) == spoken(["de", "auto"]) == ()
    assert spoken(["fr", "de"], ("German", "English")) == ("German",)
    with pytest.raises(LanguageError, match="'fr'"):
        spoken(["fr", "es"], ("German", "English"))
