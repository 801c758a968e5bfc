"""Commands for people to run are quoted for the shell of their system."""

import os

import pytest

from handy_qwen import shell


@pytest.fixture
def windows(monkeypatch):
    """Only this module sees that name: pathlib could make no paths here."""
    monkeypatch.setattr(shell, "os", type("os", (), {**vars(os), "name": "nt"}))


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (r"C:\Users\Anna\model-1.7b", r"C:\Users\Anna\model-1.7b"),
        ("--name=mine", "--name=mine"),
        (r"C:\Users\Jörg\漢字", r"C:\Users\Jörg\漢字"),
        (r"C:\Program Files\models", r'"C:\Program Files\models"'),
        (r"C:\R&D\(old)", r'"C:\R&D\(old)"'),
        ("100%", '"100%"'),
        (r"C:\it's", '''"C:\\it's"'''),
        ("", '""'),
    ],
)
def test_a_word_is_quoted_for_cmd_and_powershell(word, expected):
    assert shell.quoted(word) == expected


@pytest.mark.usefixtures("windows")
def test_a_program_in_quotes_is_told_to_be_a_text_for_powershell():
    assert shell.command_of("pip.exe", "install", "a b") == 'pip.exe install "a b"'
    told = shell.command_of(r"C:\Program Files\pip.exe", "install", "av")
    assert told == r'"C:\Program Files\pip.exe" install av (in PowerShell, with & and a space before it)'


@pytest.mark.unix("quoted as its shells want it")
def test_a_word_is_quoted_for_sh():
    assert shell.quoted("/home/R&D/it's 100%") == """'/home/R&D/it'"'"'s 100%'"""
    assert shell.command_of("/opt/a b/pip", "install", "av") == "'/opt/a b/pip' install av"
