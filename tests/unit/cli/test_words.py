"""Words on the terminal: listed with what the model reads, and from and to files."""

import json

import pytest

from handy_qwen import paths
from handy_qwen.cli import main
from handy_qwen.core.text import Replacement
from handy_qwen.settings import change, read_configuration
from tests.conftest import is_private

pytestmark = pytest.mark.usefixtures("app_home")


@pytest.fixture
def words(capsys):
    """Run the command; its status, its output and what it says."""

    def words(*arguments):
        status = main(["words", *map(str, arguments)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return words


def now():
    return read_configuration().settings


def test_what_the_model_does_not_read_is_marked(words):
    change(paths.settings_file(), custom_words=("Qwen", *(f"name{number}" for number in range(100))))
    status, out, err = words("list")
    lines = out.splitlines()
    assert (status, lines[0], lines[-1]) == (0, "Qwen", "name99 (not used)")
    assert " of 200 tokens used." in err
    rows = json.loads(words("list", "--json")[1])
    assert (rows[0], rows[-1]) == (
        {"word": "Qwen", "is_used": True},
        {"word": "name99", "is_used": False},
    )


def test_without_words_nothing_is_listed(words):
    assert words("list")[:2] == (0, "")


def test_a_file_is_imported_and_what_was_left_out_is_told_without_its_content(words, tmp_path):
    change(paths.settings_file(), custom_words=("Qwen",))
    (tmp_path / "list.csv").write_text("heard,written,regex\nchairs,sofas,no\nhemlock,x,maybe\n")
    (tmp_path / "list.txt").write_text("qwen\nOslo\n")
    status, out, err = words("import", tmp_path / "list.csv")
    assert (status, out) == (0, "")
    assert "1 replacement added, 1 line skipped (line 3: regex is neither yes nor no)." in err
    assert "1 word added, 1 already there." in words("import", tmp_path / "list.txt")[2]
    assert now().custom_words == ("Qwen", "Oslo")
    assert now().replacements == (Replacement("chairs", "sofas"),)


def test_lists_go_to_files_of_their_own(words, tmp_path):
    change(paths.settings_file(), custom_words=("Qwen",), replacements=(Replacement("a", "b\nc"),))
    assert words("export", tmp_path / "words.txt") == (0, "", "")
    assert words("export", "--replacements", tmp_path / "rules.csv") == (0, "", "")
    assert (tmp_path / "words.txt").read_text(encoding="utf-8") == "Qwen\n"
    assert (tmp_path / "rules.csv").read_bytes().splitlines()[1] == b'a,"b'
    assert is_private(tmp_path / "rules.csv")
    status, _out, err = words("export", tmp_path / "words.txt")
    assert (status, "--force" in err) == (2, True)
    assert words("export", tmp_path / "words.txt", "--force") == (0, "", "")


@pytest.mark.parametrize(
    "command", [["words", "import", "list.txt"], ["settings", "add", "custom_words", "x"]]
)
def test_a_list_that_cannot_be_read_is_not_written_over(capsys, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("Oslo\n")
    path = paths.settings_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('custom_words = "Qwen, Lima"\n')
    assert main(command) == 1
    assert path.read_text(encoding="utf-8") == 'custom_words = "Qwen, Lima"\n'
    assert "would be lost" in capsys.readouterr().err


def test_a_file_that_is_none_is_refused(words, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\x89PNG\0")
    status, _out, err = words("import", tmp_path / "a.txt")
    assert status == 1
    assert "a.txt is not a text file." in err
