"""What is brought through a power cut, and when."""

import os
from pathlib import Path

import pytest

from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import PRESETS
from handy_qwen.files import replace_file, replacing, sync_tree
from handy_qwen.models.installing import import_model
from tests.conftest import CHECKPOINT


@pytest.fixture
def told(monkeypatch):
    """What the system was told, in order: inodes to write to the disk, and names that files were given."""
    order, fsync, rename = [], os.fsync, Path.rename

    def sync(descriptor):
        order.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def renamed(self, target):
        order.append(Path(target).name)
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "rename", renamed)
    return order


def inodes(*found):
    """Of what can be brought to the disk: on Windows, files only."""
    return {path.stat().st_ino for path in found if os.name == "posix" or path.is_file()}


def is_brought_through(folder, told):
    """Whether all that is in ``folder`` was on the disk before it got its name, and its name was after."""
    at = told.index(folder.name)
    return inodes(folder, *folder.rglob("*")) <= set(told[:at]) and inodes(folder.parent) <= set(told[at:])


def test_a_tree_is_written_with_all_its_folders(tmp_path, told):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"1")
    sync_tree(tmp_path)
    assert set(told) == inodes(tmp_path, *tmp_path.rglob("*"))


@pytest.mark.usefixtures("unchecked")
def test_a_package_is_on_the_disk_before_it_has_its_name(tmp_path, told):
    convert(CHECKPOINT, tmp_path / "package", PRESETS["balanced"], Details("package"))
    assert is_brought_through(tmp_path / "package", told)


@pytest.mark.usefixtures("app_home", "unchecked")
def test_a_model_is_on_the_disk_before_its_source_is_deleted(told):
    assert is_brought_through(import_model(CHECKPOINT, lambda _progress: None, name="mine").folder, told)


@pytest.mark.usefixtures("symbolic_links")
@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_a_link_when_the_file_is_replaced(tmp_path, is_there):
    place, real = tmp_path / "app" / "file", tmp_path / "dotfiles" / "file"
    place.parent.mkdir()
    if is_there:
        real.parent.mkdir()
        real.write_bytes(b"old")
    place.symlink_to(Path("..") / "dotfiles" / "between")
    (tmp_path / "dotfiles").mkdir(exist_ok=True)
    (tmp_path / "dotfiles" / "between").symlink_to("file")
    replace_file(place, b"new")
    assert place.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in real.parent.iterdir()) == ["between", "file"]


@pytest.mark.usefixtures("symbolic_links")
def test_a_file_that_cannot_be_replaced_is_as_it_was(tmp_path):
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    with pytest.raises(OSError, match=r"symbolic links|exists"):
        replace_file(circle / "file", b"new")
    assert circle.is_symlink()
    assert list(tmp_path.iterdir()) == [circle]


@pytest.mark.unix("pipes in folders are POSIX's")
def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with replacing(pipe) as file:
            file.write(b"text")
        assert os.read(reader, 9) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.unix("other systems have no /dev")
@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_what_is_written_to_an_open_file_goes_behind_what_it_has(tmp_path, name):
    if not Path("/proc/self/fd").exists() and name.startswith("/proc"):
        pytest.skip("no such folder here")
    place = tmp_path / "all.txt"
    place.write_bytes(b"before ")
    with place.open("ab") as file, replacing(Path(name.format(file.fileno()))) as out:
        out.write(b"after")
    assert place.read_bytes() == b"before after"


@pytest.mark.unix("the umask is POSIX's")
@pytest.mark.parametrize(("mode", "seen"), [(0o666, 0o640), (0o600, 0o600)])
def test_a_new_file_has_its_mode_from_the_beginning(tmp_path, mode, seen):
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "file", mode=mode) as file:
            assert os.fstat(file.fileno()).st_mode & 0o777 == seen
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == seen


def test_a_name_as_long_as_can_be_is_no_obstacle(tmp_path):
    replace_file(tmp_path / ("x" * 255), b"new")
    assert len(list(tmp_path.iterdir())) == 1
