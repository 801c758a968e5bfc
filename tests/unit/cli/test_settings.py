"""Settings on the terminal: listed, read, changed, and refused in one sentence."""

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handy_qwen import paths
from handy_qwen.cli import settings as command
from handy_qwen.core.text import Replacement
from handy_qwen.core.types import Hotkey, Method
from handy_qwen.settings import OPTIONS, Settings, read_configuration
from handy_qwen.settings.document import dump
from tests.conftest import is_private
from tests.unit.test_settings import BY_HAND, CHANGES, LETTERS, VALUES, whole_line_comments

pytestmark = pytest.mark.usefixtures("app_home")


TOML = VALUES.map(dump)


def write(text):
    path = paths.settings_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def now():
    return read_configuration().settings


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("language", ["de"], "German"),
        ("language", ["auto"], ""),
        ("model", ["auto"], ""),
        ("interface_language", ["Auto"], ""),
        ("warm_s", ["300"], 300.0),
        ("sounds", ["on"], True),
        ("sounds", ["true"], True),
        ("method", ["paste"], Method.PASTE),
        ("method", ["auto"], None),
        ("model", ["5"], "5"),
        ("model", ["on"], "on"),
        ("model", ['"a b"'], "a b"),
        ("languages", ["de", "English", "Deutsch"], ("German", "English")),
        ("custom_words", ["Kovács", "Frau Wagner"], ("Kovács", "Frau Wagner")),
        ("custom_words", ['["a", "b"]'], ("a", "b")),
        ("custom_words", [], ()),
        ("hotkeys", ["f9", '{chord = "f8", language = "de"}'], (Hotkey("f9"), Hotkey("f8", "German"))),
        ("replacements", ['{heard = "btw", written = "by the way"}'], (Replacement("btw", "by the way"),)),
    ],
)
def test_what_is_set_is_in_the_file(run, name, given, value):
    assert run("settings", "set", name, *given) == (0, "", "")
    assert getattr(now(), name) == value


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["set", "mode", "hodl"], "mode must be one of auto, hold, toggle."),
        (["set", "warm_s", "for ever"], "warm_s must be a number."),
        (["set", "hold_s", "9"], "hold_s must be from 0.1 to 2."),
        (["add", "languages", "xx"], '\'xx\' in languages must be a language such as "German" or "de".'),
        (["add", "languages", "de", "Klingon", "fr"], "'Klingon' in languages must be a language"),
        (["set", "languages", '["de", "Klingon"]'], '"Klingon" in languages must be a language'),
        (["list", "language", "languags"], "Did you mean languages?"),
        (["set", "language", "Germn"], 'language must be a language such as "German" or "de", or "auto"'),
        (["set", "hotkeys", "f9", "blah"], 'There is no key named "blah" (hotkey "blah").'),
        (["set", "hotkeys", "a"], "a"),
        (["set", "hotkeys", '{chord = "f9", submit = "return"}'], "has a key submit that must be one of"),
        (["set", "replacements", "x"], "'x' in replacements must be a table."),
        (["set", "sounds"], "sounds takes one value. Put a value with spaces in quotes."),
        (["set", "sounds", "on", "off"], "sounds takes one value."),
        (["add", "sounds", "on"], "sounds is not a list. Use: handy-qwen settings set sounds VALUE"),
        (["remove", "custom_words", "x"], "custom_words has no entry 'x'."),
        (["get", "lnguage"], "There is no setting 'lnguage'. Did you mean language?"),
        (["reset", "mode", "nothing"], "There is no setting 'nothing'."),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(run, words, complaint):
    path = write(BY_HAND)
    status, out, err = run("settings", *words)
    assert (status, out) == (2, "")
    assert err.startswith("handy-qwen: ")
    assert complaint in err
    assert err.count("\n") == 1
    assert path.read_text(encoding="utf-8") == BY_HAND


def test_lists_grow_and_shrink_by_entries(run):
    write(BY_HAND)
    assert run("settings", "add", "custom_words", "Kovács", "Qwen").status == 0
    assert now().custom_words == ("Qwen", "x # no comment", "Kovács")
    assert run("settings", "add", "custom_words", "kovács").status == 0
    assert now().custom_words == ("Qwen", "x # no comment", "kovács"), "a word is in the list once"
    run("settings", "add", "custom_words", "Kovács")
    assert run("settings", "remove", "custom_words", "Qwen", "Kovács").status == 0
    assert run("settings", "get", "custom_words").out == "x # no comment\n"
    assert run("settings", "remove", "replacements", "a").status == 0
    assert run("settings", "remove", "hotkeys", "f9").status == 0
    assert (now().replacements, now().hotkeys) == ((), (Hotkey("f8", "German"),))


def test_reset_gives_the_default_and_keeps_what_is_beside(run):
    path = write(BY_HAND)
    assert run("settings", "reset", "mode", "custom_words").status == 0
    assert now().mode == Settings().mode
    assert now().custom_words == ()
    assert whole_line_comments(path.read_text(encoding="utf-8")) == whole_line_comments(BY_HAND)


def test_the_list_says_what_was_changed(run):
    write('mode = "hold"\nwarm_s = "x"\n')
    status, out, err = run("settings", "list")
    lines = out.splitlines()
    assert status == 0
    assert len(lines) == len(OPTIONS)
    changed = ["*", "mode", '"hold"', *OPTIONS["mode"].described.label.split()]
    assert [line.split() for line in lines if line[0] == "*"] == [changed]
    assert "line 2: warm_s must be a number" in err
    assert run("settings", "list", "--changed").out.count("\n") == 1
    found = {one["name"]: one for one in json.loads(run("settings", "list", "--json").out)}
    assert found["mode"] == {
        "name": "mode",
        "value": "hold",
        "default": "auto",
        "is_changed": True,
        "label": OPTIONS["mode"].described.label,
        "help": OPTIONS["mode"].described.help,
    }
    assert json.loads(run("settings", "get", "hotkeys", "--json").out) == [
        {"chord": Settings().hotkeys[0].chord}
    ]


@pytest.mark.parametrize("words", [["list"], ["get", "mode"], ["set", "mode", "hold"], ["reset", "mode"]])
def test_a_broken_file_is_complained_of_with_its_line_and_left_alone(run, words):
    path = write('# mine\nmode = "hold\n')
    status, out, err = run("settings", *words)
    assert (status, out) == (1, "")
    assert "Line 2 of settings.toml cannot be read: a quotation mark is missing." in err
    assert path.read_text(encoding="utf-8") == '# mine\nmode = "hold\n'


def test_without_the_app_the_window_cannot_open_and_the_way_on_is_said(run):
    status, out, err = run("settings")
    assert (status, out) == (1, "")
    assert "is not running" in err
    assert "handy-qwen settings list" in err


def test_edit_opens_the_file_or_says_where_it_is(run, monkeypatch, answers):
    opened = []
    monkeypatch.setattr("handy_qwen.system.opening.open_with_desktop", opened.append)
    status, out, _err = run("settings", "edit")
    path = paths.settings_file()
    assert (status, out, opened) == (0, f"{path}\n", [path])
    assert read_configuration().settings == Settings()
    assert is_private(path)
    mark = paths.config_dir() / "edited"
    script = f"import pathlib, sys; pathlib.Path({str(mark)!r}).write_text(sys.argv[1])"
    monkeypatch.setenv("VISUAL", f'"{sys.executable}" -c "{script}"')
    answers("")
    assert run("settings", "edit").status == 0
    assert mark.read_text(encoding="utf-8") == str(path)
    assert opened == [path]


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(CHANGES)
def test_any_valid_value_goes_through_set_and_get_and_keeps_the_file(run, changes):
    """As the command line writes it: read by ``get --json``, the same entries again."""
    path = write(BY_HAND)
    for name, value in changes.items():
        plain = command._plain(value)
        given = (
            [dump(plain)] if isinstance(plain, list) else [plain if isinstance(plain, str) else dump(plain)]
        )
        assert run("settings", "set", "--", name, *given) == (0, "", "")
        assert getattr(now(), name) == value
        assert json.loads(run("settings", "get", name, "--json").out) == json.loads(json.dumps(plain))
    text = path.read_text(encoding="utf-8")
    assert whole_line_comments(text) == whole_line_comments(BY_HAND)
    assert "future = 7\n" in text


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(list(OPTIONS)), st.lists(st.text(LETTERS, max_size=12) | TOML, min_size=1, max_size=2))
def test_whatever_is_given_is_either_valid_or_refused_in_one_line_and_changes_nothing(run, name, given):
    path = write(BY_HAND)
    status, out, err = run("settings", "set", "--", name, *given)
    assert out == ""
    if status == 0:
        OPTIONS[name].read(getattr(now(), name))
        assert [one for one in read_configuration().problems if one.name == name] == []
    else:
        assert status == 2
        assert err.startswith("handy-qwen: ")
        assert err.count("\n") == 1
        assert path.read_text(encoding="utf-8") == BY_HAND


@pytest.mark.unix("devices have names in /dev")
def test_what_is_exported_into_a_pipe_or_device_replaces_nothing(run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run("settings", "export", str(tmp_path / "pipe")) == (0, "", "")
        assert os.read(reader, 100).startswith(b"# A backup")
    finally:
        os.close(reader)
    assert run("words", "export", os.devnull) == (0, "", "")


@pytest.mark.parametrize("name", ["language", "model", "interface_language", "method"])
def test_what_the_program_chooses_is_called_so_and_set_so(run, name):
    assert run("settings", "get", name) == (0, "auto\n", "")
    assert '"auto"' in run("settings", "list", name).out
    assert run("settings", "set", name, "auto") == (0, "", "")
    assert now() == Settings()


@pytest.mark.parametrize(
    "words",
    [
        ("--only", "words", "FILE"),
        ("FILE", "--only", "words"),
        ("--only=words,apps", "FILE"),
        ("--only", "words", "--only", "apps", "FILE"),
    ],
)
def test_the_parts_may_stand_before_the_file(run, tmp_path, words):
    write('mode = "hold"\ncustom_words = ["Qwen"]\n')
    file = str(tmp_path / "backup.toml")
    given = [file if word == "FILE" else word for word in words]
    assert run("settings", "export", *given) == (0, "", "")
    assert "mode =" not in Path(file).read_text("utf-8")
    write("")
    assert run("settings", "import", *given) == (0, "", "1 word added.\n")
    assert now() == Settings(custom_words=["Qwen"])


def test_a_part_that_there_is_not_is_named(run, tmp_path):
    code, out, err = run("settings", "export", "--only", "words,wrods", str(tmp_path / "backup.toml"))
    assert (code, out) == (2, "")
    assert "'wrods', did you mean words?" in err


def test_settings_are_exported_and_imported_part_by_part(run, tmp_path):
    write('mode = "hold"\ncustom_words = ["Qwen"]\n')
    file = str(tmp_path / "backup.toml")
    assert run("settings", "export", file) == (0, "", "")
    before = Path(file).read_bytes()
    write('mode = "toggle"\n')
    code, out, err = run("settings", "export", file)
    assert (code, out, "--force" in err) == (2, "", True)
    assert Path(file).read_bytes() == before
    assert run("settings", "export", file, "--force") == (0, "", "")
    assert Path(file).read_bytes() != before
    Path(file).write_bytes(before)
    write('custom_words = ["Ada"]\n')
    told = run("settings", "import", file, "--only", "words")
    assert told == (0, "", "1 word added.\n")
    assert now() == Settings(custom_words=["Ada", "Qwen"])
    assert run("settings", "import", file) == (0, "", "1 setting changed.\n")
    assert now() == Settings(custom_words=["Ada", "Qwen"], mode="hold")
    code, out, err = run("settings", "import", str(tmp_path / "gone.toml"))
    assert (code, out) == (1, "")
    assert "There is no file" in err
