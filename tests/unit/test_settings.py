"""The settings and their file: checks, comments that survive, files that are damaged, changes by hand."""

import errno
import os
import tomllib
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handy_qwen import files
from handy_qwen.core.text import Replacement
from handy_qwen.core.types import Hotkey, LiveMode, Method, Mode, Profile, Spacing, Submit
from handy_qwen.errors import SettingsError
from handy_qwen.settings import Settings, SettingsStore, change, read_configuration
from handy_qwen.settings import file as settings_file
from handy_qwen.settings.checks import MAX_ITEMS, MAX_TEXT
from handy_qwen.settings.document import Document, TomlError, dump
from handy_qwen.settings.fields import OPTIONS, default_chord
from handy_qwen.settings.store import LOOK_IDLE_S, LOOK_S, merged
from tests.conftest import is_private

SECRET = "my diary"
FRENCH = 'language = "French"\n'


class Desk:
    """A settings file, and the store of a program that works with it."""

    def __init__(self, path):
        self.path = path
        self.changes, self.problems, self.writes = [], [], 0
        self.store = SettingsStore(path, self.changes.append, self.problems.append)

    def write(self, text):
        """Write the file by hand."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.writes += 1
        os.utime(self.path, ns=(1, self.writes))  # another time than the last, however quick the test is
        return self

    def look(self, times=2):
        """What the program does every second."""
        for _second in range(times):
            self.store.reload_if_changed()

    def text(self):
        return self.path.read_text(encoding="utf-8")

    def lines(self):
        """The problems of the file, with their lines."""
        return [str(one) for one in read_configuration(self.path).problems]


def read(text):
    return settings_file.read(Document(text))


def refuse(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "config" / "settings.toml")


def test_the_first_start_writes_a_private_commented_file_that_reads_as_the_defaults(desk):
    assert desk.store.load() == Settings()
    for option in OPTIONS.values():
        assert f"# {option.described.comment()[0]}" in desk.text()
    assert read(desk.text()) == (Settings(), ())
    assert desk.problems == []
    assert is_private(desk.path)
    assert is_private(desk.path.parent)


def test_changes_are_saved_and_told(desk):
    desk.store.load()
    new = desk.store.update(
        language="German", mode="hold", hotkeys=["f9", {"chord": "f8", "submit": "enter"}]
    )
    assert new.mode is Mode.HOLD
    assert new.hotkeys == (Hotkey("f9"), Hotkey("f8", submit=Submit.ENTER))
    assert desk.changes == [new]
    assert Desk(desk.path).store.load() == new
    desk.store.reload_if_changed()
    assert len(desk.changes) == 1, "what it has saved is no change by hand"


def test_the_file_is_looked_at_often_only_while_somebody_may_be_writing_it(desk):
    desk.store.load()
    desk.look(3)
    assert desk.store.pause_s() == LOOK_IDLE_S
    desk.store.expect_change()
    assert desk.store.pause_s() == LOOK_S
    desk.write(FRENCH).look(1)
    assert desk.store.value.language == "", "half of it may be there"
    desk.look(1)
    assert desk.store.value.language == "French"
    assert desk.store.pause_s() == LOOK_S, "some file systems show the same time for the other half"
    desk.look(2)
    assert desk.store.pause_s() == LOOK_IDLE_S


def test_a_hint_that_the_file_is_written_does_not_make_it_be_read_sooner(desk):
    desk.store.load()
    desk.look(3)
    desk.write("").look(1)
    desk.store.expect_change()
    assert desk.store.pause_s() == LOOK_S
    desk.write(FRENCH).look(2)
    assert desk.changes[-1].language == "French"
    assert len(desk.changes) == 1, "nobody saw it empty"


def test_a_wrong_change_is_refused_and_nothing_is_saved(desk):
    desk.store.load()
    before = desk.text()
    with pytest.raises(ValueError, match="hold_s must be from"):
        desk.store.update(hold_s=99)
    with pytest.raises(TypeError):
        desk.store.update(no_such_setting=1)
    assert desk.text() == before


def test_the_default_key_types_nothing():
    assert default_chord("darwin", {}) == "Right Option"
    assert default_chord("linux", {}) == default_chord("win32", {"WAYLAND_DISPLAY": "x"}) == "Right Ctrl"


@pytest.mark.parametrize(
    ("environment", "chord"),
    [
        ({"XDG_SESSION_TYPE": "wayland"}, "F9"),
        ({"XDG_SESSION_TYPE": "tty", "WAYLAND_DISPLAY": "wayland-1"}, "F9"),
        ({"XDG_SESSION_TYPE": "x11", "WAYLAND_DISPLAY": "wayland-1"}, "Right Ctrl"),  # of another session
    ],
)
def test_on_wayland_the_default_is_a_key_that_the_portal_takes(environment, chord):
    assert default_chord("linux", environment) == chord


# --- values that are wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "hold_s = -1",
        "hold_s = true",
        'hold_s = "long"',
        "hold_s = nan",
        "threads = 1.5",
        'mode = "sometimes"',
        "mode = 3",
        "sounds = 1",
        'method = "telepathy"',
        f'model = "{"x" * (MAX_TEXT + 1)}"',
        'custom_words = "one"',
        f"custom_words = {['x'] * (MAX_ITEMS + 1)}",
    ],
)
@pytest.mark.expects_log
def test_a_bad_value_falls_back_to_its_default_and_is_explained_with_its_line(desk, line):
    field = line.split()[0]
    desk.write(f'language = "German"\n\n{line}\n')
    loaded = desk.store.load()
    assert getattr(loaded, field) == getattr(Settings(), field)
    assert loaded.language == "German"
    (problem,) = desk.problems
    assert problem.title.startswith(f"Line 3 of settings.toml: {field} must ")


@pytest.mark.expects_log
def test_bad_entries_of_a_list_are_left_out_and_never_shown(desk, caplog):
    desk.write(
        f'custom_words = ["Qwen", 7, "{SECRET}"]\n'
        'hotkeys = ["f9", {}, 3, {chord = "f8", submit = "often"}]\n'
        f'[[replacements]]\nheard = "{SECRET}"\nwritten = "("\n'
        f'[[replacements]]\nheard = "({SECRET}"\nwritten = ""\nregex = true\n'
        f'[[replacements]]\nheard = " "\nwritten = ""\n'
        f'[[replacements]]\nheard = "a"\nwritten = ""\n"{SECRET}" = 1\n'
    )
    loaded = desk.store.load()
    assert loaded.custom_words == ("Qwen", SECRET)
    assert loaded.hotkeys == (Hotkey("f9"), Hotkey("f8")), "a bad submit costs no more than itself"
    assert loaded.replacements == (Replacement(SECRET, "("), Replacement("a", ""))
    assert [int(line.split(":")[0].removeprefix("line ")) for line in desk.lines()] == [1, 2, 2, 2, 6, 11, 16]
    (problem,) = desk.problems
    assert SECRET not in f"{caplog.text} {problem} {desk.lines()}"


@pytest.mark.expects_log
def test_what_an_app_has_of_its_own_is_read_as_what_the_settings_have(desk):
    desk.write(
        '[[hotkeys]]\nchord = "f9"\nsubmit = "Enter"\n'
        '[[apps]]\nname = "Mine"\nmethod = "type"\nsubmit = "ctrl+enter"\nspacing = "off"\n'
        '[[apps]]\nname = "Yours"\nmethod = ""\nspacing = "maybe"\n'
    )
    loaded = desk.store.load()
    mine, yours = loaded.apps
    assert loaded.hotkeys[0].submit is Submit.ENTER
    assert mine.method is Method.TYPE
    assert mine.spacing is Spacing.OFF
    assert yours == Profile("Yours")
    assert desk.lines() == ["line 12: spacing of apps must be one of on, off; it is not used"]
    desk.store.update(apps=(replace(mine, spacing=Spacing.ON), yours))
    assert 'method = "type"\nsubmit = "ctrl+enter"\nspacing = "on"\n' in desk.text()


@pytest.mark.expects_log
def test_a_line_added_at_the_end_is_explained_and_the_hotkey_keeps_working(desk):
    desk.store.load()
    desk.write(f'{desk.text()}[[replacements]]\nheard = "a"\nwritten = "b"\nlanguage = "German"\n')
    desk.look()
    assert desk.store.value.replacements == (Replacement("a", "b"),)
    assert desk.store.value.language == ""
    table, last = desk.text().splitlines().index("[[hotkeys]]") + 1, len(desk.text().splitlines())
    problem = f"line {last}: language is inside [[replacements]] and not used; move it above line {table}"
    assert desk.lines() == [problem]
    desk.write(f"{settings_file.new_document().text}sounds = true\n").look()
    assert desk.store.value.hotkeys == Settings().hotkeys
    assert "sounds is inside [[hotkeys]]" in desk.problems[-1].title


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('mode = "hodl"', 'mode must be one of auto, hold, toggle; the default, "auto", is used'),
        ('method = "x"', 'method must be one of auto, type, paste, copy, none; the default, "auto", is used'),
        ('langage = "de"', "langage is not a setting (did you mean language?)"),
        ('"what I say" = "x"', "this key is not a setting"),
        (
            'language = "Klingon"',
            'language must be a language such as "German" or "de", or "auto"; the default is used',
        ),
        (
            'language = "Deutch"',
            'language must be a language such as "German" or "de", or "auto" (did you mean German?); '
            "the default is used",
        ),
        ('model.name = "x"', "line 1: model must be text in quotes"),
        ('[mode.deep]\nx = "hold"', "line 1: mode must be one of auto, hold, toggle"),
        ('\n"what I say".x.y = "x"', "line 2: this key is not a setting"),
        ('\n[hotkeys.left]\nchord = "f9"', "line 2: write [[hotkeys]], with two brackets"),
        ("[[mine.list]]\nx = 1", "line 1: this key is not a setting"),
        ('languages = ["de", "auto"]', 'entry 2 of languages must be a language such as "German" or "de"'),
        ('[general]\nlanguage = "de"', "language is inside [general] and not used; move it above line 1"),
        ('[hotkeys]\nchord = "f9"', "write [[hotkeys]], with two brackets"),
        ('[[hotkeys]]\nchrod = "f9"', "chrod is not known in [[hotkeys]] (did you mean chord?)"),
        ('[[hotkeys]]\nlanguage = "de"', "an entry of hotkeys must have a key chord; it is left out"),
        ('[[hotkeys]]\nchord = "f9"\nlanguage = "xyz"', "language of hotkeys must be a language"),
        (
            '[[replacements]]\nheard = "a"\ncase = "yes"',
            "case of replacements must be true or false; it is not used",
        ),
        ("[[replacements]]\nheard = 5", "heard of replacements must be text in quotes"),
    ],
)
def test_every_kind_of_mistake_is_explained(text, problem):
    _settings, problems = read(f"{text}\n")
    assert any(problem in str(one) for one in problems), problems


@pytest.mark.expects_log
@pytest.mark.parametrize(
    ("line", "names", "written"),
    [
        ('microphone = "Desk"  # mine', ("Desk",), 'microphones = ["Desk"]  # mine'),
        ('microphone = ""', (), "microphones = []"),
    ],
)
def test_the_one_microphone_of_a_former_version_is_the_first_of_the_list(desk, line, names, written):
    text = f"# which one\n{line}\nstrange = 1\n"
    desk.write(text).store.load()
    assert desk.store.value.microphones == names
    assert len(desk.lines()) == 1, "only the strange one"
    assert desk.text() == text, "reading changes nothing"
    desk.store.update(sounds=True)
    assert desk.text() == f"# which one\n{written}\nstrange = 1\nsounds = true\n"


@pytest.mark.expects_log
def test_a_former_microphone_is_nothing_beside_the_list(desk):
    desk.write('microphone = "Old"\nmicrophones = ["New"]\n').store.load()
    assert desk.store.value.microphones == ("New",)
    assert len(desk.lines()) == 1


def test_one_mistake_and_several_are_explained_in_sentences(desk):
    one = read_configuration(desk.write('langage = "de"\n').path).complaint()
    assert one.title == "Line 1 of settings.toml: langage is not a setting (did you mean language?)."
    assert one.hint == f"Fix it in {desk.path}."
    wrong = "".join(f"{name} = 1e99\n" for name in ("langage", "hold_s", "silence_s", "warm_s", "threads"))
    several = read_configuration(desk.write(wrong).path).complaint()
    assert several.title == "5 problems in settings.toml."
    assert several.hint == (
        "Line 1: langage is not a setting (did you mean language?). Line 2: hold_s must be from 0.1 to 2. "
        "Line 3: silence_s must be from 0 to 3600. And 2 more: run handy-qwen doctor."
    )


@pytest.mark.parametrize("version", ["99", '"x"', "true"])
def test_a_file_of_an_unknown_version_is_read_as_far_as_it_goes(desk, version):
    desk.write(f"version = {version}\n{FRENCH}")
    assert desk.store.load().language == "French"
    assert read("version = 99\nfuture = 1\n")[1] == (), "it may have settings that are not known here"


# --- files that cannot be read or written ------------------------------------------------------------


@pytest.mark.expects_log
@pytest.mark.parametrize(
    "content", ["language = \n", b"\xff\xfe\x00", "a = 1\na = 2\n", "custom_words = [\n", b"\x00" * 9]
)
def test_a_broken_file_is_never_touched_and_the_user_learns_the_line(desk, content):
    raw = content if isinstance(content, bytes) else content.encode()
    desk.write(content)
    assert desk.store.load() == replace(Settings(), set_up=True)
    assert desk.store.update(sounds=True).sounds is True, "it holds until the program ends"
    desk.store.reload_if_changed()
    assert desk.store.value.sounds is True
    with pytest.raises(SettingsError, match=r"settings\.toml"):
        change(desk.path, model="x")
    assert desk.path.read_bytes() == raw
    assert [path.name for path in desk.path.parent.iterdir()] == ["settings.toml"]
    (problem,) = desk.problems
    assert "settings.toml" in problem.title
    assert isinstance(content, bytes) or "Line " in problem.title


@pytest.mark.expects_log
def test_a_file_broken_while_it_is_edited_leaves_the_former_settings_and_gets_changes_later(desk):
    desk.write(FRENCH).store.load()
    desk.write("language = \n").look()
    assert desk.store.value.language == "French"
    (problem,) = desk.problems
    assert problem.title == (
        "Line 1 of settings.toml cannot be read: the value is missing, or text is not in quotes."
    )
    assert str(desk.path) in problem.hint
    assert "previous settings stay active" in problem.hint
    desk.store.update(sounds=True)
    assert desk.text() == "language = \n"
    desk.write('language = "German"\n').look()
    assert desk.store.value == replace(Settings(), language="German", sounds=True)
    assert desk.text() == 'language = "German"\nsounds = true\n'
    assert desk.problems[1:] == [None], "the notice goes as soon as the file is right"
    desk.write('language = "German"\nsounds = false\n').look()
    assert desk.store.value.sounds is False, "it was written once, not for good"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("sounds = true\nlanguage = German\n", 2, "not in quotes"),
        ('sounds = true\nlanguage = "German\nmode = "hold"\n', 2, "quotation mark"),
        ("custom_words = [\n'a',\n'b'\n", 1, "bracket"),
        ("custom_words = [\n'a'\n'b'\n]", 3, "bracket"),
        ("a = 1\n\na = 2\n", 3, "twice"),
        ("sounds true\n", 1, "no ="),
        ('x = "C:\\d"', 1, "backslash"),
        (f"mode = 'hold'\na{'.a' * 500} = 1\n", 2, "nested too deeply"),  # it would take hours
    ],
)
def test_a_file_that_is_no_toml_is_explained_with_its_line(text, line, reason):
    with pytest.raises(TomlError, match=reason) as caught:
        Document(text)
    assert caught.value.line == line


@pytest.mark.usefixtures("symbolic_links")
@pytest.mark.expects_log
@pytest.mark.parametrize("kind", ["folder", "pipe", "circle", "device"])
def test_what_is_no_file_is_explained_and_left_alone(desk, kind):
    desk.path.parent.mkdir()
    match kind:
        case "folder":
            desk.path.mkdir()
        case "pipe":
            os.mkfifo(desk.path)
        case "circle":
            desk.path.symlink_to(desk.path)
        case "device":
            desk.path.symlink_to(os.devnull)
    before = os.lstat(desk.path)
    desk.store.load()
    desk.store.update(sounds=True)
    desk.look(times=4)
    assert desk.store.value == replace(Settings(), set_up=True, sounds=True)
    (problem,) = desk.problems
    assert problem.title.startswith("settings.toml ")
    with pytest.raises(SettingsError):
        change(desk.path, model="x")
    assert os.lstat(desk.path) == before


@pytest.mark.expects_log
def test_a_write_protected_file_is_not_replaced_and_that_is_told(desk, monkeypatch):
    desk.write(FRENCH).path.chmod(0o400)
    monkeypatch.setattr(files.os, "access", lambda path, _mode: bool(path.stat().st_mode & 0o200))  # root may
    desk.store.load()
    desk.store.update(sounds=True)
    desk.look(times=4)
    assert desk.text() == FRENCH
    assert [one.title for one in desk.problems if one] == ["The settings could not be saved."]
    assert desk.problems[-1] is not None, "it is still so"
    assert desk.store.value == replace(Settings(), language="French", sounds=True)
    with pytest.raises(SettingsError, match="Permission denied"):
        change(desk.path, model="x")


@pytest.mark.expects_log
def test_that_no_file_can_be_made_stays_told_until_there_is_one(desk, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", refuse)
        desk.store.load()
        desk.look(times=5)
    (problem,) = desk.problems
    assert "No space left on device" in problem.hint
    desk.write("sounds = true\n").look()
    assert desk.problems[1:] == [None]


@pytest.mark.expects_log
def test_a_change_that_cannot_be_saved_holds_and_is_saved_with_the_next(desk, monkeypatch):
    desk.store.load()
    before = desk.text()
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", refuse)
        assert desk.store.update(language="German").language == "German"
    assert len(desk.problems) == 1
    assert desk.text() == before
    assert [path.name for path in desk.path.parent.iterdir()] == ["settings.toml"]
    assert desk.store.update(sounds=True).language == "German"
    assert desk.problems[-1] is None
    assert tomllib.loads(desk.text())["language"] == "German"


@pytest.mark.usefixtures("symbolic_links")
@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_to_the_file_stays_a_link(desk, tmp_path, is_there):
    real = tmp_path / "dotfiles" / "settings.toml"
    if is_there:
        real.parent.mkdir()
        real.touch()
    desk.path.parent.mkdir()
    desk.path.symlink_to(real)
    desk.store.load()
    desk.store.update(language="German")
    assert desk.path.is_symlink()
    assert "German" in real.read_text(encoding="utf-8")


# --- others who write the file -----------------------------------------------------------------------


def test_changes_by_hand_are_picked_up_once_and_kept_by_an_update(desk):
    desk.store.load()
    desk.write(FRENCH).look(times=3)
    assert [change.language for change in desk.changes] == ["French"]
    desk.write('language = "Dutch"\n')
    assert desk.store.update(sounds=True).sounds is True
    desk.look()
    assert desk.store.value == replace(Settings(), language="Dutch", sounds=True)
    assert desk.text() == 'language = "Dutch"\nsounds = true\n'


def test_what_is_added_to_a_list_does_not_write_over_what_was_added_by_hand(desk):
    desk.store.load()
    desk.store.update(custom_words=("Qwen",))
    desk.write(desk.text().replace('"Qwen"', '"Qwen", "by hand"'))
    desk.store.revise(lambda now: {"custom_words": (*now.custom_words, "by click")})
    assert desk.store.value.custom_words == ("Qwen", "by hand", "by click")
    assert read_configuration(desk.path).settings == desk.store.value


def test_what_waits_for_a_file_being_edited_is_written_when_the_program_ends(desk):
    desk.store.load()
    desk.write('language = "German"\n')
    desk.store.update(sounds=True)
    assert "sounds" not in desk.text(), "an editor may be at it"
    desk.store.flush()
    assert desk.text() == 'language = "German"\nsounds = true\n'


def test_a_file_that_an_editor_has_just_emptied_costs_no_words(desk):
    desk.store.load()
    desk.store.update(custom_words=("Qwen",))
    desk.write("")
    desk.store.revise(lambda now: {"custom_words": (*now.custom_words, "by click")})
    assert desk.store.value.custom_words == ("Qwen", "by click")


@pytest.mark.expects_log
def test_entries_that_cannot_be_read_stay_where_they_are_when_others_change(desk):
    desk.write(
        'custom_words = ["a", 5, "b"]\n\n[[replacements]]\n# mine\nheard = "("\nregex = true\n\n'
        '[[replacements]]\nheard = "x"\nwritten = "y"\n'
    )
    desk.store.load()
    new = Replacement("n", "m")
    desk.store.revise(
        lambda now: {
            "custom_words": (*now.custom_words, "c"),
            "replacements": (*now.replacements, new),
        }
    )
    assert 'custom_words = ["a", 5, "b", "c"]' in desk.text()
    assert '# mine\nheard = "("\nregex = true' in desk.text()
    assert read_configuration(desk.path).settings.replacements == (Replacement("x", "y"), new)
    desk.store.update(custom_words=(), replacements=())  # a reset
    assert not read_configuration(desk.path).problems


@pytest.mark.expects_log
@pytest.mark.parametrize("value", ['"a, b"', "{ a = 1 }", str([f"word {number}" for number in range(2001)])])
def test_a_list_that_cannot_be_read_at_all_is_not_written_over(desk, value):
    before = desk.write(f"custom_words = {value}\n").text()
    desk.store.load()
    with pytest.raises(SettingsError, match="would be lost"):
        desk.store.revise(lambda now: {"custom_words": (*now.custom_words, "c")})
    assert desk.text() == before
    assert desk.store.value.custom_words == ()


@pytest.mark.expects_log
def test_nothing_is_written_that_could_not_be_read_again(desk):
    desk.store.load()
    before = desk.path.read_bytes()
    desk.store.update(custom_words=tuple(f"{number} {'ä' * 490}" for number in range(2000)))
    assert desk.path.read_bytes() == before
    assert "could not be saved" in desk.problems[-1].title


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_file_that_stays_empty_or_away_means_the_defaults(desk, is_gone):
    desk.write(FRENCH).store.load()
    if is_gone:
        desk.path.unlink()
    else:
        desk.path.write_text("")
    desk.look(times=1)
    assert desk.store.value.language == "French"
    desk.look(times=1)
    assert desk.store.value == Settings()


@pytest.mark.parametrize("moment", ["", "gone", 'language = "Fren'])
@pytest.mark.parametrize("is_changed", [False, True])
@pytest.mark.parametrize("time_s", [None, 0, 2**31])
def test_a_file_that_an_editor_is_just_writing_is_left_alone(desk, moment, is_changed, time_s):
    desk.write(FRENCH).store.load()
    if moment == "gone":
        desk.path.unlink()
    else:
        desk.path.write_text(moment)
        if time_s is not None:  # of a clock that is wrong
            os.utime(desk.path, (time_s, time_s))
    if is_changed:
        desk.store.update(sounds=True)
    else:
        desk.look(times=1)
    assert not desk.path.exists() if moment == "gone" else desk.text() == moment
    assert desk.store.value == replace(Settings(), language="French", sounds=is_changed)
    assert desk.problems == []
    desk.write('language = "Dutch"\n').look()
    assert desk.store.value == replace(Settings(), language="Dutch", sounds=is_changed)
    assert desk.text() == 'language = "Dutch"\n' + ("sounds = true\n" if is_changed else "")


def test_a_change_that_shows_in_no_time_and_no_size_is_found_a_little_later(desk):
    desk.write(FRENCH).store.load()
    desk.write('language = "German"\n').look()
    status = desk.path.stat()
    with desk.path.open("r+") as file:  # within the same tick of the drive's clock
        file.write('language = "Danish"\n')
    os.utime(desk.path, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert desk.store.value.language == "German"
    desk.look(times=3)
    assert desk.store.value.language == "Danish"


def test_a_file_that_was_away_for_a_moment_gets_what_was_changed_then(desk):
    desk.write(FRENCH).store.load()
    desk.look(times=5)
    desk.path.rename(desk.path.with_suffix(".bak"))
    desk.store.update(sounds=True)
    desk.path.with_suffix(".bak").rename(desk.path)
    desk.look(times=3)
    assert desk.text() == f"{FRENCH}sounds = true\n"


@pytest.fixture
def other_writer(desk, monkeypatch):
    """Another program, which puts its own file in place in the very moment in which ours is written."""
    texts = []
    sync = os.fsync

    def write(handle):
        sync(handle)
        if texts:
            desk.write(texts.pop(0))

    monkeypatch.setattr(files.os, "fsync", write)
    return texts


def test_two_who_write_at_once_both_get_what_they_want(desk, other_writer):
    desk.write(FRENCH).store.load()
    other_writer.append('language = "German"\n')
    assert desk.store.update(sounds=True).sounds is True
    desk.look()
    assert desk.text() == 'language = "German"\nsounds = true\n'
    assert desk.store.value == replace(Settings(), language="German", sounds=True)
    other_writer += ['language = "Dutch"\n', "sounds = false\n"]
    change(desk.path, model="x")
    assert desk.text() == 'sounds = false\nmodel = "x"\n'
    assert desk.problems == []


def test_a_file_that_changes_all_the_time_is_left_to_whoever_writes_it(desk, other_writer):
    desk.write("")
    other_writer += [f"hold_s = 0.{n}\n" for n in range(1, 99)]
    with pytest.raises(SettingsError, match="another program is writing it"):
        change(desk.path, model="x")
    assert "hold_s" in desk.text()


# --- what stays of a file that is changed ------------------------------------------------------------

LETTERS = st.characters(exclude_categories=["Cs"])
KEYS = st.sampled_from(["chord", "language", "submit", "heard", "written", "regex", "case", "sounds", "x"])
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(LETTERS, max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
NAMES = [one.name for one in fields(Settings)]
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(Mode),
        "submit": st.sampled_from(Submit),
        "method": st.none() | st.sampled_from(Method),
        "live": st.sampled_from(LiveMode),
        "hold_s": st.floats(0.1, 2),
        "language": st.sampled_from(["", "German", "Dutch"]),
        "languages": st.lists(st.sampled_from(["German", "Dutch", "Thai"]), unique=True).map(tuple),
        "custom_words": st.lists(st.text(LETTERS, max_size=30), max_size=9).map(tuple),
        "sounds": st.booleans(),
        "hotkeys": st.lists(
            st.builds(
                Hotkey, st.sampled_from(["f8", "f9", "ctrl+alt+d"]), st.sampled_from(["", "German", "auto"])
            ),
            max_size=3,
        ).map(tuple),
        "replacements": st.lists(
            st.builds(
                Replacement,
                st.sampled_from(["a", "b c", "d"]),
                st.text("xy\n#\"'\\ ", max_size=5),
                is_case_sensitive=st.booleans(),
            )
            | st.just(Replacement("x", "y", is_regex=True)),
            max_size=3,
        ).map(tuple),
    },
)
BY_HAND = """\
# my file, which I like as it is
future = 7
mode = 'hold'   # as I am used to
custom_words = [ "Qwen", "x # no comment" ]

# the left hand
[[hotkeys]]   # first
unknown_of_mine = [
  1,
]
chord = "f9"  # near
# the right hand
[[hotkeys]]
chord = 'f8'
language = "de"
# what is written
[[replacements]]
written = \"\"\"
two
lines\"\"\"
heard = "a"
# the end
"""


@settings(max_examples=100)
@given(
    st.dictionaries(st.sampled_from([*NAMES, "languag", "Hotkey"]), VALUES),
    st.sampled_from(["{} = {}", "{}.x = {}", "[{}]\ny = {}", "[{}.x.y]\nz = {}", "[[{}]]\nchord = {}"]),
)
def test_whatever_a_file_holds_it_can_be_read_and_every_problem_has_a_line(raw, form):
    text = "".join(f"{form.format(name, dump(value))}\n" for name, value in raw.items())
    read_settings, problems = read(text)
    assert isinstance(read_settings, Settings)
    assert all(one.line for one in problems)


def whole_line_comments(text):
    return [line for line in text.splitlines() if line.lstrip().startswith("#")]


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["\n", "\r\n"]), st.data())
def test_any_change_is_read_back_and_keeps_all_comments_their_order_and_unknown_keys(newline, data):
    text = data.draw(
        st.sampled_from([settings_file.new_document().text, BY_HAND, BY_HAND.rstrip(), "# mine\n"])
    )
    document = Document(text.replace("\n", newline))
    wanted = settings_file.read(document)[0]
    for changes in data.draw(st.lists(CHANGES, min_size=1, max_size=4)):
        changed = settings_file.edited(document, changes)
        assert whole_line_comments(changed.text) == whole_line_comments(document.text)
        assert changed.values.get("future") == document.values.get("future")
        if newline == "\r\n":
            assert changed.text.count("\n") == changed.text.count("\r\n")
        wanted = replace(wanted, **changes)
        assert settings_file.read(changed)[0] == wanted
        document = changed


def test_saving_again_does_not_let_the_file_grow(desk):
    desk.store.load()
    sizes = []
    for n in range(6):
        desk.store.update(
            hotkeys=[f"f{n + 1}"], custom_words=[f"w{n}"], replacements=[Replacement("a", f"{n}")]
        )
        sizes.append(len(desk.text()))
    assert len(set(sizes[1:])) == 1, "the first has the tables to add"


def test_each_table_stays_below_the_comment_that_explains_it():
    changed = settings_file.edited(
        settings_file.new_document(), {"hotkeys": (Hotkey("f9"), Hotkey("f8", submit=Submit.ENTER))}
    )
    assert changed.text.index("f8") < changed.text.index("# heard, written")


def test_a_changed_entry_keeps_its_own_comments_and_keys_and_a_deleted_one_takes_them_along():
    document = Document(BY_HAND)
    changed = settings_file.edited(document, {"hotkeys": (Hotkey("f7"), Hotkey("f8", "German"))})
    assert '[[hotkeys]]   # first\nunknown_of_mine = [\n  1,\n]\nchord = "f7"  # near\n' in changed.text
    rest = settings_file.edited(document, {"hotkeys": (Hotkey("f8", "German"),)})
    assert "unknown_of_mine" not in rest.text
    assert "# the left hand\n# the right hand\n[[hotkeys]]\nchord = 'f8'\n" in rest.text


@pytest.mark.parametrize(
    ("text", "changes", "changed"),
    [
        ('mode = "hold"', {"sounds": True}, 'mode = "hold"\nsounds = true\n'),
        ('mode = "hold"  # mine\n[t]\nx = 1\n', {"mode": "auto"}, 'mode = "auto"  # mine\n[t]\nx = 1\n'),
        ("# about x\n[x]\na = 1\n", {"mode": "hold"}, 'mode = "hold"\n# about x\n[x]\na = 1\n'),
        ('a = 1\n\n[[hotkeys]]\nchord = "f9"\n\n# end\n', {"hotkeys": ()}, "a = 1\nhotkeys = []\n\n# end\n"),
        (
            '[[hotkeys]]\nchord = "f9"\n[hotkeys.mine]\nx = 1\n',
            {"hotkeys": (Hotkey("f9", "German"),)},
            '[[hotkeys]]\nchord = "f9"\nlanguage = "German"\n[hotkeys.mine]\nx = 1\n',
        ),
        (
            '[[replacements]]\nheard = "a"\nwritten = ""\ncase = true\n',
            {"replacements": (Replacement("a", "", is_regex=True),)},
            '[[replacements]]\nheard = "a"\nwritten = ""\nregex = true\n',
        ),
        (
            'custom_words = [\n  "a", # first\n  # none yet\n]  # words\nsounds = true\n',
            {"custom_words": ("b",)},
            '# first\n# none yet\ncustom_words = ["b"]  # words\nsounds = true\n',
        ),
    ],
)
def test_what_is_added_changed_or_deleted_fits_in(text, changes, changed):
    assert settings_file.edited(Document(text), changes).text == changed


def test_a_command_changes_its_own_key_only_and_a_byte_order_mark_stays(desk):
    desk.write('\ufeffmode = "hodl"  # wrong, and mine\r\nsounds = true\r\n')
    change(desk.path, model="x")
    text = '\ufeffmode = "hodl"  # wrong, and mine\r\nsounds = true\r\nmodel = "x"\r\n'
    assert desk.path.read_bytes() == text.encode()


STRANGERS = """\
# how I hold it
hold_sec = 0.5  # short
nonsense = [
  1,  # one
]
sounds = true

[old.table]
x = 1
[[hotkeys]]
chord = "F9"
  langage = "de"
overlay = "off"  # above, please
"""


def fix_key(desk, name, *, is_meant):
    """Put the key ``name`` right, as the window offers it."""
    problem = next(one for one in desk.store.view.problems if one.place and name in one.place)
    desk.store.fix_key(problem.place, is_meant=is_meant)


@pytest.mark.expects_log
def test_keys_that_are_no_settings_are_renamed_moved_or_made_comments(tmp_path):
    desk = Desk(tmp_path / "settings.toml").write(STRANGERS)
    desk.store.load()
    meant = {one.place[-1]: one.meant for one in desk.store.view.problems if one.place}
    right = {"hold_sec": "hold_s", "nonsense": "", "old": "", "langage": "language", "overlay": "overlay"}
    assert meant == right
    fix_key(desk, "hold_sec", is_meant=True)
    assert desk.store.value.hold_s == 0.5
    fix_key(desk, "langage", is_meant=True)
    fix_key(desk, "overlay", is_meant=True)
    assert desk.store.value.hotkeys == (Hotkey("F9", "German"),)
    assert desk.store.value.overlay == "off"
    fix_key(desk, "nonsense", is_meant=False)
    fix_key(desk, "old", is_meant=False)
    assert not desk.store.view.problems
    assert desk.problems[-1] is None
    assert (
        desk.text()
        == """\
# how I hold it
hold_s = 0.5  # short
# nonsense = [
#   1,  # one
# ]
sounds = true
overlay = "off"

# [old.table]
# x = 1
[[hotkeys]]
chord = "F9"
  language = "de"
# overlay = "off"  # above, please
"""
    )


@pytest.mark.expects_log
def test_a_key_is_not_renamed_to_one_that_is_there(tmp_path):
    desk = Desk(tmp_path / "settings.toml").write("hold_s = 0.4\nhold_sec = 0.5\nmodes.x = 2\n")
    desk.store.load()
    assert [(one.place[-1], one.meant) for one in desk.store.view.problems] == [
        ("hold_sec", ""),
        ("modes", ""),
    ]


@pytest.mark.expects_log
def test_what_is_gone_is_not_put_right(tmp_path):
    desk = Desk(tmp_path / "settings.toml").write("hold_sec = 0.5\n")
    desk.store.load()
    (problem,) = desk.store.view.problems
    desk.write("hold_s = 0.6\n")
    with pytest.raises(SettingsError, match="has changed"):
        desk.store.fix_key(problem.place, is_meant=True)
    assert desk.text() == "hold_s = 0.6\n"


def test_what_is_changed_in_a_list_by_hand_and_in_the_program_at_once_is_both_kept(tmp_path):
    hand = '[[hotkeys]]\nchord = "{}"\n'
    desk = Desk(tmp_path / "settings.toml").write(hand.format("F8") + hand.format("F9"))
    desk.store.load()
    desk.look()
    desk.write(hand.format("F8") + hand.format("F9") + hand.format("F10"))
    desk.store.update(hotkeys=(Hotkey("F8"), Hotkey("F7")))
    desk.look()
    assert [one.chord for one in desk.store.value.hotkeys] == ["F8", "F7", "F10"]
    assert read_configuration(desk.path).settings.hotkeys == desk.store.value.hotkeys


@given(*[st.lists(st.sampled_from("abcdefg"), unique=True, max_size=5) for _ in range(3)])
def test_merging_loses_nothing_and_brings_nothing_back(base, ours, theirs):
    both = merged(base, ours, theirs)
    assert set(both) == (set(theirs) - (set(base) - set(ours))) | (set(ours) - set(base))
    assert len(set(both)) == len(both)
    assert merged(base, ours, base) == tuple(ours)
    assert merged(base, base, theirs) == tuple(theirs)
