"""A broken settings file is made readable again, with nothing lost that was written in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.errors import SettingsError
from handy_qwen.settings import Settings, SettingsStore, change, read_configuration
from handy_qwen.settings.document import Document, TomlError, name_at, repaired
from handy_qwen.settings.file import new_document, repair

FAULTS = {
    "quotation mark": ('mode = "hold\nsounds = true\n', '# mode = "hold\nsounds = true\n'),
    "no value": ("sounds = true\nmode =\nprivate = true\n", "sounds = true\n# mode =\nprivate = true\n"),
    "no quotes": ("mode = hold\nsounds = true\n", "# mode = hold\nsounds = true\n"),
    "name only": ("mode\nsounds = true\n", "# mode\nsounds = true\n"),
    "twice": ("sounds = true\nsounds = false\n", "sounds = true\n# sounds = false\n"),
    "open list": (
        'custom_words = [\n  "a",\n  "b"\nsounds = true\nprivate = true\n',
        '# custom_words = [\n#   "a",\n#   "b"\nsounds = true\nprivate = true\n',
    ),
    "open text": ('model = """a\nsounds = true\n', '# model = """a\nsounds = true\n'),
    "two": ("mode = hold\nsounds = true\nlive = off\n", "# mode = hold\nsounds = true\n# live = off\n"),
    "in a table": (
        'sounds = true\n[[hotkeys]]\nchord = f9\nsubmit = "enter"\n',
        'sounds = true\n[[hotkeys]]\n# chord = f9\nsubmit = "enter"\n',
    ),
    "windows": ("mode = hold\r\nsounds = true\r\n", "# mode = hold\r\nsounds = true\r\n"),
}


@pytest.mark.parametrize(("broken", "whole"), FAULTS.values(), ids=FAULTS)
def test_the_faulty_lines_become_comments_and_no_others(broken, whole):
    with pytest.raises(TomlError):
        Document(broken)
    assert repaired(broken) == whole


def test_a_fault_that_no_comment_hides_is_told():
    with pytest.raises(TomlError):
        repaired("# a bell: \a\n")


@given(st.data())
def test_any_damage_to_a_line_is_mended_and_nothing_is_lost(data):
    lines = new_document().text.split("\n")
    place = data.draw(st.sampled_from([n for n, line in enumerate(lines) if "=" in line and line[0] != "#"]))
    cut = data.draw(st.integers(0, len(lines[place])))
    lines[place] = lines[place][:cut] + data.draw(st.text("\"[]{}='#.,a ", max_size=5))
    broken = "\n".join(lines)
    whole = repaired(broken)
    Document(whole)
    kept = [line.removeprefix("# ") for line in whole.split("\n")]
    assert kept == [line.removeprefix("# ") for line in broken.split("\n")]
    changed = [n for n, (old, new) in enumerate(zip(lines, whole.split("\n"), strict=True)) if old != new]
    assert set(changed) <= {place}


@pytest.mark.parametrize("value", ["'German", "'" * 3 + "German", '"' * 3 + "German"])
def test_a_quotation_mark_that_is_missing_is_missed_where_the_text_begins(value):
    text = f'a = "b"\nlanguage = {value}\n# it is mine\nodd = 1\n\n[[hotkeys]]\nchord = "F9"\n'
    with pytest.raises(TomlError, match="a quotation mark is missing") as caught:
        Document(text)
    assert caught.value.line == 2
    assert repaired(text) == text.replace("language", "# language")


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        ('a = 1\nmode = "x\n', 2, "mode"),
        ('words = [\n "x\n', 2, "words"),
        ("\n", 1, ""),
        ("mode = 1", 9, "mode"),
    ],
)
def test_what_is_set_at_a_fault(text, line, name):
    assert name_at(text, line) == name


@pytest.mark.expects_log
def test_the_view_says_which_setting_is_broken_and_mending_saves_what_waits(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text('# mine\nlanguage = "German\nodd = 1\n')
    shown = []
    store = SettingsStore(path, on_view=shown.append)
    store.load()
    assert (shown[-1].error.line, shown[-1].error.name) == (2, "language")
    store.update(sounds=True)
    assert shown[-1].values.sounds
    assert "sounds" not in path.read_text(encoding="utf-8")
    store.repair()
    assert path.read_text(encoding="utf-8") == '# mine\n# language = "German\nodd = 1\nsounds = true\n'
    assert shown[-1].error is None
    assert shown[-1].values == store.value == Settings(sounds=True)
    assert change(path, language="fr").language == "French"


def test_what_is_no_text_is_left_alone(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="cannot be repaired"):
        repair(path)
    assert path.read_bytes() == b"\xff\xfe"
    assert read_configuration(path).error
