"""Languages by name and by code."""

import pytest

from handy_qwen.engine.languages import ALL_LANGUAGES, LANGUAGES, code_of, language_name
from handy_qwen.errors import LanguageError


def test_there_are_thirty_of_them():
    assert len(LANGUAGES) == len(set(ALL_LANGUAGES)) == 30


@pytest.mark.parametrize(("code", "name"), LANGUAGES.items())
def test_a_language_is_known_by_name_and_by_code_in_any_case(code, name):
    for asked in (code, code.upper(), name, name.lower(), name.upper(), f" {name} "):
        assert language_name(asked) == name
    assert code_of(name) == code


@pytest.mark.parametrize("asked", ["en-US", "en_GB.UTF-8", "EN"])
def test_a_region_does_not_matter(asked):
    assert language_name(asked) == "English"


def test_an_unknown_language_is_answered_with_the_nearest_and_all_that_are_known():
    with pytest.raises(LanguageError) as caught:
        language_name("Englsh", ("English", "German"))
    assert caught.value.title == "The model does not know the language 'Englsh'."
    assert caught.value.hint == "Did you mean English? It knows: English (en), German (de)."


@pytest.mark.parametrize("asked", ["Klingon", "xx", "", "None", "e", "zzzzzzzz"])
def test_what_is_no_language_is_refused(asked):
    with pytest.raises(LanguageError, match="It knows: "):
        language_name(asked)


def test_a_language_that_this_model_does_not_know_is_refused_by_code_too():
    with pytest.raises(LanguageError, match="English"):
        language_name("fr", ("English", "German"))


def test_a_language_of_a_model_that_has_no_code_is_known_by_name():
    assert language_name("esperanto", ("Esperanto",)) == "Esperanto"
    assert code_of("Esperanto") == ""
    with pytest.raises(LanguageError, match=r"It knows: Esperanto\."):
        language_name("xx", ("Esperanto",))
