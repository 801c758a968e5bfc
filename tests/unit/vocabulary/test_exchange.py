"""Words and replacements from files and to files, as other programs and hostile hands write them."""

import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.core.text import Replacement, pattern_error
from handy_qwen.errors import HandyError, SettingsError
from handy_qwen.settings.checks import MAX_ITEMS
from handy_qwen.vocabulary import exchange, handy, lists
from handy_qwen.vocabulary.exchange import (
    MOST_BYTES,
    MOST_LINES,
    read_file,
    write_replacements,
    write_words,
)
from handy_qwen.vocabulary.lists import Vocabulary, added, tidy

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
WORDS = st.lists(TEXTS.map(tidy).filter(bool), max_size=20, unique_by=str.casefold)
RULES = st.builds(
    Replacement,
    heard=TEXTS.filter(str.strip),
    written=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
    is_regex=st.booleans(),
    is_case_sensitive=st.booleans(),
)


@pytest.fixture
def read(tmp_path):
    def read(raw, name="list.txt"):
        path = tmp_path / name
        path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
        return read_file(path)

    return read


def values(found):
    return [item.value for item in found.items]


def test_a_text_file_has_a_word_a_line_and_comments(read):
    found = read("# my names\nQwen\n\n  Ada   Lovelace \n#hashtag\n")
    assert values(found) == ["Qwen", "Ada Lovelace", "#hashtag"]
    assert [item.line for item in found.items] == [2, 4, 5]
    assert found.encoding == ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_every_unicode_is_read(read, encoding):
    assert values(read("Müller\nQwen\n".encode(encoding))) == ["Müller", "Qwen"]


def test_utf_16_with_its_mark_holds_any_script(read):
    assert values(read("\ufeff千问\nĆwikła".encode("utf-16-be"))) == ["千问", "Ćwikła"]


def test_an_old_encoding_is_read_and_told(read, monkeypatch):
    monkeypatch.setattr(exchange.locale, "getencoding", lambda: "UTF-8")
    found = read("Müller\nFrançois".encode("cp1252"))
    assert values(found) == ["Müller", "François"]
    assert found.encoding == "windows-1252"


def test_an_old_encoding_is_that_of_the_system(read, monkeypatch):
    monkeypatch.setattr(exchange.locale, "getencoding", lambda: "cp1250")
    assert values(read("Ćwikła".encode("cp1250"))) == ["Ćwikła"]


@pytest.mark.parametrize("divider", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["", "When I say{0}Write\n", "heard{0}written{0}regex{0}case\n"])
def test_a_table_has_replacements(read, divider, header):
    rows = ["new line{0}" + '"a\nb"', "btw{0}by the way"]
    found = read((header + "\n".join(rows)).format(divider), "list.csv")
    assert values(found) == [Replacement("new line", "a\nb"), Replacement("btw", "by the way")]
    first = 2 if header else 1
    assert [item.line for item in found.items] == [first, first + 2]


def test_the_header_says_where_the_columns_are(read):
    found = read("note;Write;Match case;When I say;Pattern\nx;sofas;yes;chairs;no\n", "list.csv")
    assert values(found) == [Replacement("chairs", "sofas", is_case_sensitive=True)]


def test_a_table_of_tabs_may_be_called_text(read):
    assert values(read("chairs\tsofas\nbtw\tby the way\n")) == [
        Replacement("chairs", "sofas"),
        Replacement("btw", "by the way"),
    ]


def test_a_table_with_one_column_has_words(read):
    assert values(read('Word\r\nQwen\r\n"Smith, John"\r\n', "list.csv")) == ["Qwen", "Smith, John"]
    assert values(read("Qwen\nHandy\n", "list.csv")) == ["Qwen", "Handy"]


def test_excel_says_what_divides_its_columns(read):
    found = read('sep=;\r\n"a, b";c\r\n', "list.csv")
    assert values(found) == [Replacement("a, b", "c")]
    assert found.items[0].line == 2


def test_what_cannot_be_used_is_skipped_with_its_line(read):
    found = read("heard,written,regex\na,b,no\nlonely\nc,d,maybe\ne,f,yes\n", "list.csv")
    assert values(found) == [Replacement("a", "b"), Replacement("e", "f", is_regex=True)]
    assert [(one.line, one.reason) for one in found.skipped] == [
        (3, "it does not say what to write"),
        (4, "regex is neither yes nor no"),
    ]


def test_a_quotation_mark_left_open_swallows_nothing(read):
    with pytest.raises(SettingsError, match=r"Line 2 of list.csv") as caught:
        read('a,b\n"secret,c\nd,e\n', "list.csv")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["list.txt", "list.csv", "list.tsv"])
def test_an_empty_file_has_nothing(read, name):
    assert read(b"", name).items == ()
    assert read(b"\n\n \n", name).items == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\x7fELF\x02\x01\x01\0",
        bytes(range(256)),
        b"word\0another",
        b"\xff\xfe\xd8",
        b"\x1f\x8b\x08\x00\x81\x8d\xff",
    ],
)
@pytest.mark.parametrize("name", ["list.txt", "list.csv", "settings_store.json"])
def test_what_is_not_text_is_refused(read, raw, name):
    with pytest.raises(SettingsError, match="is not a text file"):
        read(raw, name)


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(SettingsError, match="too large"):
        read_file(path)
    path.write_text("a\n" * 300_000)
    with pytest.raises(SettingsError, match="too large"):
        read_file(path)


def test_a_long_line_is_read_and_left_to_the_list(read):
    assert len(values(read("x" * 1_000_000))[0]) == 1_000_000
    with pytest.raises(SettingsError, match="Line 1 of"):
        read("x" * 1_000_000 + ",b", "list.csv")


def test_a_folder_a_pipe_or_nothing_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere.txt"):
        with pytest.raises(SettingsError):
            read_file(path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(SettingsError, match="is not a file"):
            read_file(tmp_path / "pipe")


def test_handys_words_are_taken(read):
    store = {"settings": {"custom_words": ["Qwen", 7, "Ada Lovelace"], "post_process_api_keys": {"a": "b"}}}
    found = read(json.dumps(store), "settings_store.json")
    assert values(found) == ["Qwen", "Ada Lovelace"]
    assert [one.line for one in found.skipped] == [2]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"settings": 1}', '{"custom_words": {}}', "[" * 100_000])
def test_other_json_is_refused(read, text):
    with pytest.raises(SettingsError, match="no custom words"):
        read(text, "settings_store.json")


def test_handys_settings_are_found_where_it_keeps_them(tmp_path, monkeypatch):
    folder = tmp_path / "com.pais.handy"
    monkeypatch.setattr(handy.platformdirs, "user_data_path", lambda name, **_: tmp_path / name)
    monkeypatch.setattr(handy.platformdirs, "user_config_path", lambda name, **_: tmp_path / "x" / name)
    assert handy.settings_file() is None
    folder.mkdir()
    (folder / "settings_store.json").write_text("{}")
    assert handy.settings_file() == folder / "settings_store.json"


@pytest.mark.unix("Windows has no such modes")
def test_files_are_for_their_owner_only(tmp_path):
    write_words(tmp_path / "words.txt", ["Qwen"])
    assert stat.S_IMODE((tmp_path / "words.txt").stat().st_mode) == 0o600
    with pytest.raises(HandyError, match="could not be written"):
        write_words(tmp_path / "nowhere" / "words.txt", ["Qwen"])


@given(words=WORDS, kind=st.sampled_from([".txt", ".csv", ".tsv"]))
def test_words_survive_a_file(tmp_path_factory, words, kind):
    path = tmp_path_factory.mktemp("words") / f"words{kind}"
    write_words(path, words)
    found = read_file(path)
    assert list(added(Vocabulary(), found.items).vocabulary.words) == words
    assert not found.skipped


@given(rules=st.lists(RULES, max_size=10), kind=st.sampled_from([".csv", ".tsv"]))
def test_replacements_survive_a_file(tmp_path_factory, rules, kind):
    rules = [one for one in rules if not pattern_error(one)]  # here: its library makes room at random
    path = tmp_path_factory.mktemp("rules") / f"replacements{kind}"
    write_replacements(path, rules)
    found = read_file(path)
    assert values(found) == rules
    assert not found.skipped


@given(raw=st.binary(max_size=300), name=st.sampled_from(["a.txt", "a.csv", "a.tsv", "a.json"]))
def test_any_bytes_are_read_or_refused(tmp_path_factory, raw, name):
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(raw)
    try:
        found = read_file(path)
    except SettingsError:
        return
    added(Vocabulary(), found.items)


def test_the_limits_leave_room():
    assert MOST_BYTES > 2 * lists.MOST_BYTES
    assert MOST_LINES > 50 * MAX_ITEMS


@pytest.mark.parametrize("name", ["words.xlsx", "words.docx"])
def test_a_kind_of_file_that_cannot_be_written_is_refused(tmp_path, name):
    with pytest.raises(SettingsError, match=r"cannot be written\. Choose a name that ends with"):
        write_words(tmp_path / name, ["Qwen"])
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_there_is_called_so(tmp_path):
    with pytest.raises(SettingsError, match="There is no file"):
        read_file(tmp_path / "words.txt")
