"""``handy-qwen help``, and that the pages tell the truth about the commands."""

import re
import shlex
import sys
from dataclasses import fields

import pytest

from handy_qwen import manual, paths
from handy_qwen.cli import build_parser
from handy_qwen.settings import Settings


def test_the_topics_are_listed_with_their_titles(run):
    listed = run("help").out
    for topic in manual.TOPICS:
        assert re.search(rf"^  {topic} +{re.escape(manual.title(topic))}$", listed, re.MULTILINE)


def test_a_page_is_written_without_the_signs_of_markdown(run):
    page = run("help", "Models").out
    assert page.startswith("Models\n------\n")
    assert "    handy-qwen model use qwen3-asr-0.6b " in page
    assert "  on disk afterwards                0.9 GB          2.3 GB\n" in page
    assert not re.search(r"`|\*\*|^#|\|-|\]\(", page, re.MULTILINE)


@pytest.mark.parametrize("room", [80, 120])
@pytest.mark.parametrize("topic", manual.TOPICS)
def test_a_page_fits_into_the_terminal_and_nothing_is_left_out(run, monkeypatch, topic, room):
    def words():
        monkeypatch.setenv("COLUMNS", str(room))
        page = run("help", topic).out
        monkeypatch.setenv("COLUMNS", "100000")
        return page, sorted(page.split()), sorted(run("help", topic).out.split())

    page, there, wanted = words()
    assert there == wanted
    wide = [line for line in page.splitlines() if len(line) > room]
    assert all(line.startswith("    ") for line in wide), "commands are copied: they are not wrapped"
    assert len(max(manual.page(topic).splitlines(), key=len)) > room, "or it would prove nothing"


@pytest.mark.parametrize("words", [("settings", "list"), ("model", "list")])
def test_lists_fit_into_the_terminal(run, monkeypatch, app_home, words):  # noqa: ARG001
    monkeypatch.setenv("COLUMNS", "80")
    wide = run(*words).out
    assert max(map(len, wide.splitlines())) > 80, "in a pipe each is one line"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    narrow = run(*words).out
    folder = str(paths.asset("demo-model"))
    assert all(len(line) <= 80 or folder in line for line in narrow.splitlines())
    assert sorted(narrow.split()) == sorted(wide.split())


@pytest.mark.parametrize(
    ("words", "nearest"),
    [(["help", "modles"], "models"), (["transcrbe", "x"], "transcribe"), (["history", "serch"], "search")],
)
def test_a_misspelt_word_is_refused_with_the_nearest(run, words, nearest):
    status, _, err = run(*words)
    assert (status, f"id you mean {nearest}?" in err) == (2, True)


def commands_of(parser):
    return parser._subparsers._group_actions[0].choices


def test_every_command_is_listed_once_under_a_heading(run):
    listed = run("--help").out
    headings = re.findall(r"^([a-z]+):$", listed, re.MULTILINE)
    assert headings == ["options", "dictation", "files", "models", "app", "trouble", "examples"]
    for command in commands_of(build_parser()):
        assert len(re.findall(rf"^  {re.escape(command)}(?: |$)", listed, re.MULTILINE)) == 1, command


def examples(parser):
    yield from re.findall(r"^  (handy-qwen.*)$", parser.format_help().partition("examples:")[2], re.MULTILINE)
    if parser._subparsers is not None:
        for inner in commands_of(parser).values():
            yield from examples(inner)


def test_the_examples_are_understood():
    found = list(examples(build_parser()))
    assert len(found) > 10
    for line in found:
        words = shlex.split(line, comments=True)[1:]
        assert build_parser().parse_args(words).command, line


@pytest.mark.parametrize(
    ("word", "topic"),
    [
        ("apps", "dictating"),
        ("snippets", "vocabulary"),
        ("commands", "dictating"),
        ("Hotkeys", "settings"),
        ("hotkey", "settings"),
        ("replacements", "vocabulary"),
        ("subtitles", "files"),
        ("backup", "settings"),
        ("microphones", "dictating"),
        ("subtit", "files"),
        ("Mac", "settings"),
    ],
)
def test_a_word_that_is_no_topic_leads_to_the_page_about_it(run, word, topic):
    assert run("help", word).out == run("help", topic).out


@pytest.mark.parametrize("word", ["foo", "bus", "inst", "a", "."])
def test_a_few_letters_of_a_word_are_no_topic(run, word):
    status, out, err = run("help", word)
    assert (status, out) == (2, "")
    assert f"There is no help about {word!r}." in err


def test_every_page_is_a_topic():
    assert {path.stem for path in paths.asset("help").iterdir()} == set(manual.TOPICS)


@pytest.mark.parametrize("topic", manual.TOPICS)
def test_the_commands_and_settings_that_a_page_names_exist(topic):
    text = manual.page(topic)
    code = " ".join(re.findall(r"`[^`]+`|^handy-qwen [^#\n]*", text, re.MULTILINE))
    for command in re.findall(r"handy-qwen ((?:[a-z][a-z-]* ?)+)", code):
        words = command.split()
        known = build_parser()._subparsers._group_actions[0].choices
        assert words[0] in known, command
        inner = known[words[0]]._subparsers
        if inner is not None and len(words) > 1:
            assert words[1] in inner._group_actions[0].choices, command
    assert set(re.findall(r"`([a-z]+_[a-z]+)`", text)) <= {field.name for field in fields(Settings)}
