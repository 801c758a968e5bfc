"""The settings and their file: checks, comments that survive, files that are damaged, changes by hand."""

import os
import stat
from dataclasses import fields

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handy_qwen.core.gestures import Mode
from handy_qwen.core.ports import Hotkey, Submit
from handy_qwen.core.text import Replacement
from handy_qwen.settings import LiveWork, MeansOfInsertion, Settings, SettingsStore
from handy_qwen.settings import file as settings_file
from handy_qwen.settings.fields import default_chord
from handy_qwen.settings.readers import MAX_ITEMS, MAX_TEXT

SECRET = "my diary"


class Desk:
    def __init__(self, path):
        self.path = path
        self.changes, self.problems = [], []
        self.store = SettingsStore(path, self.changes.append, self.problems.append)

    def write(self, text):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(text, encoding="utf-8")
        os.utime(self.path, ns=(1, len(text)))  # another time than the last, however quick the test is
        return self

    def text(self):
        return self.path.read_text(encoding="utf-8")


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "config" / "settings.toml")


def test_the_first_start_writes_a_commented_file_that_reads_as_the_defaults(desk):
    assert desk.store.load() == Settings()
    for one in fields(Settings):
        assert one.metadata["meaning"].splitlines()[0] in desk.text()
    assert settings_file.read(tomlkit.parse(desk.text())) == Settings()
    assert desk.problems == []


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_the_owner_can_read_the_file(desk):
    desk.store.load()
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(desk.path.parent.stat().st_mode) == 0o700


def test_changes_are_saved_and_told(desk):
    desk.store.load()
    new = desk.store.update(
        language="German", mode="hold", hotkeys=["f9", {"chord": "f8", "submit": "enter"}]
    )
    assert new.mode is Mode.HOLD
    assert new.hotkeys == (Hotkey("f9"), Hotkey("f8", submit="enter"))
    assert desk.changes == [new]
    assert Desk(desk.path).store.load() == new


def test_comments_order_and_unknown_keys_of_the_user_survive(desk):
    desk.write('# my file\nfuture = 7\nlanguage = "French"  # at work\n\n[tool]\nx = 1\n')
    desk.store.load()
    desk.store.update(language="German", sounds=True, replacements=[Replacement("a", "b\n", is_regex=True)])
    assert desk.text().startswith('# my file\nfuture = 7\nlanguage = "German"  # at work\n')
    assert tomlkit.parse(desk.text()).unwrap()["tool"] == {"x": 1}
    assert Desk(desk.path).store.load().sounds is True


def test_lists_of_tables_can_be_filled_emptied_and_filled_again(desk):
    desk.store.load()
    rules = (Replacement("new line", "\n"), Replacement("x", "y", is_regex=True, is_case_sensitive=True))
    for wanted in (rules, (), rules[:1]):
        desk.store.update(replacements=wanted)
        desk.store.update(hotkeys=[], sounds=True)
        desk.store.update(hotkeys=["f9"])
        assert Desk(desk.path).store.load().replacements == wanted
        assert Desk(desk.path).store.load().hotkeys == (Hotkey("f9"),)


def test_saving_again_does_not_let_the_file_grow(desk):
    desk.store.load()
    sizes = []
    for n in range(6):
        desk.store.update(
            hotkeys=[f"f{n + 1}"], custom_words=[f"w{n}"], replacements=[Replacement("a", f"{n}")]
        )
        sizes.append(len(desk.text()))
    assert len(set(sizes[1:])) == 1, "the first has the tables to add"


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("hold_s = -1", "hold_s"),
        ("hold_s = true", "hold_s"),
        ('hold_s = "long"', "hold_s"),
        ("hold_s = nan", "hold_s"),
        ("threads = 1.5", "threads"),
        ('mode = "sometimes"', "mode"),
        ("mode = 3", "mode"),
        ("sounds = 1", "sounds"),
        (f'model = "{"x" * (MAX_TEXT + 1)}"', "model"),
        ('custom_words = "one"', "custom_words"),
        (f"custom_words = {['x'] * (MAX_ITEMS + 1)}", "custom_words"),
    ],
)
@pytest.mark.expects_log
def test_a_bad_value_falls_back_to_its_default_and_is_named_in_the_log(desk, caplog, line, field):
    desk.write(f'{line}\nlanguage = "German"\n')
    loaded = desk.store.load()
    assert getattr(loaded, field) == getattr(Settings(), field)
    assert loaded.language == "German"
    assert field in caplog.text


@pytest.mark.expects_log
def test_bad_entries_of_a_list_are_left_out_and_never_logged(desk, caplog):
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
    assert loaded.hotkeys == (Hotkey("f9"),)
    assert loaded.replacements == (Replacement(SECRET, "("),)
    assert len(caplog.records) == 7
    assert SECRET not in caplog.text


@pytest.mark.expects_log
@pytest.mark.parametrize("content", ["language = \n", b"\xff\xfe\x00", "a = 1\na = 2\n"])
def test_a_broken_file_is_set_aside_and_the_user_is_told(desk, content):
    desk.write("")
    desk.path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert desk.store.load() == Settings()
    aside = [path for path in desk.path.parent.iterdir() if ".broken-" in path.name]
    assert len(aside) == 1
    assert aside[0].name in desk.problems[0].hint
    assert settings_file.read(tomlkit.parse(desk.text())) == Settings()


def test_changes_by_hand_are_picked_up_once(desk):
    desk.store.load()
    desk.write('language = "French"\n').store.reload_if_changed()
    desk.store.reload_if_changed()
    assert [change.language for change in desk.changes] == ["French"]


def test_a_save_of_our_own_is_no_change_by_hand(desk):
    desk.store.load()
    desk.store.update(language="French")
    desk.store.reload_if_changed()
    assert len(desk.changes) == 1


def test_an_update_keeps_what_was_changed_by_hand_meanwhile(desk):
    desk.store.load()
    desk.write('language = "French"\n')
    assert desk.store.update(sounds=True).language == "French"


@pytest.mark.expects_log
def test_a_file_broken_while_it_is_edited_leaves_the_former_settings(desk):
    desk.write('language = "French"\n').store.load()
    desk.write("language = \n").store.reload_if_changed()
    assert desk.store.value.language == "French"
    assert len(desk.problems) == 1
    assert desk.text() == "language = \n"
    desk.write('language = "German"\n').store.reload_if_changed()
    assert desk.store.value.language == "German"


@pytest.mark.expects_log
def test_an_update_of_a_file_broken_meanwhile_sets_it_aside_and_keeps_the_settings(desk):
    desk.write('language = "French"\n').store.load()
    desk.write("language = \n")
    assert desk.store.update(sounds=True) == Desk(desk.path).store.load()


def test_a_deleted_file_means_the_defaults(desk):
    desk.write('language = "French"\n').store.load()
    desk.path.unlink()
    desk.store.reload_if_changed()
    assert desk.store.value == Settings()


@pytest.mark.expects_log
def test_a_file_that_cannot_be_written_is_told_and_the_change_holds(desk, monkeypatch):
    def refuse(*_):
        raise OSError("no room")

    desk.store.load()
    before = desk.text()
    monkeypatch.setattr(settings_file.os, "fsync", refuse)
    assert desk.store.update(language="German").language == "German"
    assert len(desk.problems) == 1
    assert desk.text() == before
    assert [path.name for path in desk.path.parent.iterdir()] == ["settings.toml"]


@pytest.mark.skipif(os.name != "posix", reason="links need no rights on POSIX")
def test_a_link_to_the_file_stays_a_link(desk, tmp_path):
    real = tmp_path / "dotfiles.toml"
    real.write_text("")
    desk.path.parent.mkdir()
    desk.path.symlink_to(real)
    desk.store.load()
    desk.store.update(language="German")
    assert desk.path.is_symlink()
    assert "German" in real.read_text()


def test_a_wrong_change_is_refused_and_nothing_is_saved(desk):
    desk.store.load()
    before = desk.text()
    with pytest.raises(ValueError, match="hold_s must be from"):
        desk.store.update(hold_s=99)
    with pytest.raises(TypeError):
        desk.store.update(no_such_setting=1)
    assert desk.text() == before


def test_old_files_are_migrated_step_by_step(desk, monkeypatch):
    def rename(document):
        document["language"] = document.pop("tongue")

    monkeypatch.setattr(settings_file, "VERSION", 3)
    monkeypatch.setattr(settings_file, "MIGRATIONS", {1: rename})
    desk.write('version = 1\ntongue = "French"\n')
    assert desk.store.load().language == "French"
    desk.store.update(sounds=True)
    assert tomlkit.parse(desk.text()).unwrap()["version"] == 3


@pytest.mark.parametrize("version", ["99", '"x"', "true"])
def test_a_file_of_an_unknown_version_is_read_as_far_as_it_goes(desk, version):
    desk.write(f'version = {version}\nlanguage = "French"\n')
    assert desk.store.load().language == "French"


def test_the_default_key_types_nothing():
    assert default_chord("darwin") == "alt_r"
    assert default_chord("linux") == "ctrl_r"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.expects_log
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from([one.name for one in fields(Settings)]), VALUES))
def test_whatever_a_file_holds_it_can_be_read(raw):
    class Document(dict):
        def unwrap(self):
            return dict(self)

    assert isinstance(settings_file.read(Document(raw)), Settings)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        Settings,
        mode=st.sampled_from(Mode),
        submit=st.sampled_from(Submit),
        method=st.sampled_from(MeansOfInsertion),
        live=st.sampled_from(LiveWork),
        hold_s=st.floats(0.1, 2),
        custom_words=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=3),
        replacements=st.lists(
            st.builds(Replacement, st.sampled_from(["a", "b c"]), st.text("xy\n\"'\\ ", max_size=5)),
            max_size=3,
        ),
    )
)
def test_whatever_is_set_is_read_back(tmp_path_factory, value):
    desk = Desk(tmp_path_factory.mktemp("settings") / "settings.toml")
    desk.store.load()
    desk.store.update(**{one.name: getattr(value, one.name) for one in fields(Settings)})
    assert Desk(desk.path).store.load() == value
