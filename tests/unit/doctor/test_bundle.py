"""The support archive: what is in it, and above all what is not."""

import errno
import io
import json
import os
import zipfile
from dataclasses import fields, replace

import pytest

from handy_qwen import paths
from handy_qwen.core.text import Replacement
from handy_qwen.core.types import Hotkey
from handy_qwen.doctor import Context, Finding, Report, Status
from handy_qwen.doctor.bundle import harmless, scrubbed, write_bundle
from handy_qwen.errors import HandyError
from handy_qwen.settings import Configuration, Settings

pytestmark = pytest.mark.usefixtures("app_home")
SECRET = "Zaphod"
HOME = "USERPROFILE" if os.name == "nt" else "HOME"
REPORT = Report((Finding("model", Status.OK, "It is whole."),))


@pytest.fixture
def archive(tmp_path):
    """Everything that could hold the user's words holds one."""
    settings = Settings(
        custom_words=(SECRET,),
        replacements=(Replacement(SECRET, SECRET),),
        microphones=(f"{SECRET}'s headset",),
        model=f"/home/{SECRET}/model",
        hotkeys=(Hotkey("ctrl+alt+d", language="German"), Hotkey(SECRET)),
        hold_s=0.5,
    )
    for folder in (paths.log_dir(), paths.data_dir() / "takes", paths.config_dir()):
        folder.mkdir(parents=True)
    (paths.log_dir() / "handy-qwen.log").write_text("INFO Handy Qwen starts\n", encoding="utf-8")
    (paths.log_dir() / "handy-qwen.log.1").write_text("older\n", encoding="utf-8")
    (paths.log_dir() / "notes.txt").write_text(SECRET, encoding="utf-8")
    if os.name == "posix":
        (paths.log_dir() / "link.log").symlink_to(paths.data_dir() / "history.db")
    (paths.data_dir() / "history.db").write_text(SECRET, encoding="utf-8")
    (paths.config_dir() / "settings.toml").write_text(f'custom_words = ["{SECRET}"]', encoding="utf-8")
    place = tmp_path / "support.zip"
    packed = write_bundle(place, Context({}, configuration=Configuration(settings=settings)), REPORT)
    with zipfile.ZipFile(place) as opened:
        contents = {name: opened.read(name).decode() for name in opened.namelist()}
    assert {f"handy-qwen-support/{name}": size for name, size in packed.items()} == {
        name: len(text.encode()) for name, text in contents.items()
    }
    return {name.removeprefix("handy-qwen-support/"): text for name, text in contents.items()}


def test_it_holds_report_versions_settings_logs_and_what_they_are(archive):
    assert set(archive) == {
        "CONTENTS.txt",
        "doctor.json",
        "versions.json",
        "settings.json",
        "log/handy-qwen.log",
        "log/handy-qwen.log.1",
    }
    assert json.loads(archive["doctor.json"]) == REPORT.as_dict()
    assert json.loads(archive["versions.json"])["numpy"]
    for name in ("doctor.json", "versions.json", "settings.json", "log/"):
        assert name in archive["CONTENTS.txt"]


def test_no_word_of_the_user_is_in_it(archive):
    for name, text in archive.items():
        assert SECRET.lower() not in text.lower(), name


def test_of_the_settings_it_tells_what_may_matter(archive):
    settings = json.loads(archive["settings.json"])
    assert settings["hold_s"] == 0.5
    assert settings["mode"] == "auto"
    assert settings["microphones"] == {"entries": 1}
    assert settings["custom_words"] == {"entries": 1}
    assert settings["hotkeys"][0] == {"chord": "ctrl+alt+d", "language": "German", "submit": ""}
    assert settings["hotkeys"][1] == {"chord": "(unknown)", "language": "", "submit": ""}


def test_every_setting_that_can_hold_text_is_left_out():
    """Also one that does not exist yet: whatever is a text shows only whether it is set."""
    for one in fields(Settings):
        default = getattr(Settings(), one.name)
        if type(default) is str:
            text = {"language": "German", "interface_language": "de"}.get(one.name, SECRET)
            changed = harmless(replace(Settings(), **{one.name: text}))
            assert changed[one.name] == {"is_set": True}


def test_home_and_name_of_the_user_are_replaced(monkeypatch):
    monkeypatch.setenv(HOME, "/home/zaphod")
    monkeypatch.setattr("getpass.getuser", lambda: "zaphod")
    told = "/home/zaphod/models by zaphod (zaphodium) in /home/zaphodium and /Home/Zaphod."
    assert scrubbed(told) == "~/models by user (zaphodium) in /home/zaphodium and ~.", "Windows knows no case"


def test_an_ordinary_or_missing_name_changes_no_other_words(monkeypatch):
    monkeypatch.setenv(HOME, "/root")
    for name in ("root", "x"):
        monkeypatch.setattr("getpass.getuser", lambda name=name: name)
        assert scrubbed("the root of x") == "the root of x"

    def nobody():
        raise KeyError("uid")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert scrubbed("/root/x") == "~/x"


def test_a_long_log_keeps_its_end(tmp_path):
    paths.log_dir().mkdir(parents=True)
    (paths.log_dir() / "crash.log").write_bytes(b"old\n" + b"x" * 2_000_000 + b"\nnew\n")
    write_bundle(tmp_path / "s.zip", Context({}), REPORT)
    with zipfile.ZipFile(tmp_path / "s.zip") as opened:
        text = opened.read("handy-qwen-support/log/crash.log").decode()
    assert text.endswith("new\n")
    assert len(text) <= 1_500_000


def test_what_is_there_already_is_not_overwritten_also_if_it_has_come_just_now(tmp_path, monkeypatch):
    place = tmp_path / "thesis.zip"
    place.write_text("years of work", encoding="utf-8")
    monkeypatch.setattr(os.path, "lexists", lambda _path: False)  # as it was a moment before
    with pytest.raises(HandyError, match="there already"):
        write_bundle(place, Context({}), REPORT)
    assert place.read_text(encoding="utf-8") == "years of work"
    with pytest.raises(HandyError, match="cannot be written"):
        write_bundle(tmp_path / "no" / "folder.zip", Context({}), REPORT)


def test_a_disk_that_gets_full_leaves_no_half_of_it_behind(tmp_path, monkeypatch):
    class Full(io.FileIO):
        def write(self, data):
            super().write(bytes(data[:100]))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("handy_qwen.files.open", lambda path, *_, **__: Full(path, "x"), raising=False)
        with pytest.raises(HandyError, match="No space left"):
            write_bundle(tmp_path / "s.zip", Context({}), REPORT)
    assert list(tmp_path.iterdir()) == []
    write_bundle(tmp_path / "s.zip", Context({}), REPORT)
