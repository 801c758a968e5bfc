"""``handy-qwen help``, and that the pages tell the truth about the commands."""

import re
from dataclasses import fields

import pytest

from handy_qwen import manual, paths
from handy_qwen.cli import build_parser, main
from handy_qwen.settings import Settings


def test_the_topics_are_listed_with_their_titles(capsys):
    assert main(["help"]) == 0
    told = capsys.readouterr().out
    for topic in manual.TOPICS:
        assert f"  {topic} " in told
        assert manual.title(topic) in told


def test_a_page_is_written_without_the_signs_of_markdown(capsys):
    assert main(["help", "Models"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("Models\n------\n")
    assert "    handy-qwen model use qwen3-asr-0.6b " in page
    assert "  on disk afterwards                0.6 GB          1.5 GB\n" in page
    assert not re.search(r"`|\*\*|^#|\|-|\]\(", page, re.MULTILINE)


def test_an_unknown_topic_is_refused_with_the_nearest(capsys):
    assert main(["help", "modles"]) == 2
    assert "Did you mean models?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "meant"), [(["transcrbe", "x"], "transcribe"), (["history", "serch"], "search")]
)
def test_a_misspelt_command_is_refused_with_the_nearest(capsys, words, meant):
    with pytest.raises(SystemExit) as wrong:
        main(words)
    assert wrong.value.code == 2
    assert f"did you mean {meant}?" in capsys.readouterr().err


def test_every_page_is_a_topic():
    assert {path.stem for path in paths.asset("help").iterdir()} == set(manual.TOPICS)


@pytest.mark.parametrize("topic", manual.TOPICS)
def test_every_command_of_the_pages_exists(topic):
    text = manual.page(topic)
    code = " ".join(re.findall(r"`[^`]+`|^handy-qwen [^#\n]*", text, re.MULTILINE))
    for command in re.findall(r"handy-qwen ((?:[a-z][a-z-]* ?)+)", code):
        words = command.split()
        known = build_parser()._subparsers._group_actions[0].choices
        assert words[0] in known, command
        inner = known[words[0]]._subparsers
        if inner is not None and len(words) > 1:
            assert words[1] in inner._group_actions[0].choices, command


def test_the_settings_that_the_pages_name_exist():
    names = {field.name for field in fields(Settings)}
    for topic in manual.TOPICS:
        for name in re.findall(r"`([a-z]+_[a-z]+)`", manual.page(topic)):
            assert name in names, f"{topic}: {name}"
