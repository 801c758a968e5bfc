"""Checkpoints in archives: the same package, nothing outside of the folder, nothing left behind."""

import io
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from handy_qwen.convert import source as archive_module
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import PRESETS
from handy_qwen.convert.source import opened_source
from handy_qwen.errors import ConversionError, HandyError, ModelCorruptError, ModelMissingError

EXACT, DETAILS = PRESETS["exact"], Details("test")


@pytest.fixture(scope="module")
def packed(original, tmp_path_factory):
    """Archives of the checkpoint by suffix, quickly packed."""
    folder, paths = tmp_path_factory.mktemp("archives"), {}
    for suffix, mode, options in (
        (".tar.gz", "w:gz", {"compresslevel": 1}),
        (".tar.xz", "w:xz", {"preset": 0}),
        (".tar.bz2", "w:bz2", {"compresslevel": 1}),
        (".tar", "w", {}),
    ):
        paths[suffix] = folder / f"m{suffix}"
        with tarfile.open(paths[suffix], mode, **options) as file:
            file.add(original, "Qwen3-ASR")
    paths[".zip"] = folder / "m.zip"
    with zipfile.ZipFile(paths[".zip"], "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for path in original.iterdir():
            file.write(path, path.name)
    return paths


def tar(path, *members, mode="w:gz"):
    """``members`` are (name, content) or TarInfo."""
    with tarfile.open(path, mode) as file:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                file.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            file.addfile(info, io.BytesIO(member[1]))
    return path


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip", ".tar"])
def test_an_archive_gives_the_files_of_its_folder_and_shares_that_only_grow(original, packed, place, suffix):
    shares = []
    with opened_source(packed[suffix], place / "package", shares.append) as folder:
        for path in original.iterdir():
            assert (folder / path.name).read_bytes() == path.read_bytes()
    assert list(place.iterdir()) == []
    assert shares == sorted(shares)
    assert shares[0] >= 0
    assert shares[-1] == pytest.approx(1.0, abs=0.2)


def refused(source, place):
    with pytest.raises(HandyError) as caught, opened_source(source, place / "package") as folder:
        convert(folder, place / "package", EXACT, DETAILS)
    assert list(place.iterdir()) == []
    return caught.value


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil", "..\\evil", "C:\\evil", "a/.."])
def test_a_name_that_leads_out_is_refused(tmp_path, place, name):
    error = refused(tar(tmp_path / "m.tar.gz", ("config.json", b"{}"), (name, b"evil")), place)
    assert "outside of the folder" in error.title
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as file:
        file.writestr(name, b"evil")
    assert "outside of the folder" in refused(tmp_path / "m.zip", place).title
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, place, kind):
    error = refused(tar(tmp_path / "m.tar.gz", link("config.json", "/etc/passwd", kind)), place)
    assert isinstance(error, ModelCorruptError)
    assert "it holds links or devices" in error.title
    info = zipfile.ZipInfo("config.json")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    assert refused(tmp_path / "m.zip", place).title.endswith("it holds links or devices.")


def test_what_programs_leave_behind_is_passed_over(tmp_path):
    names = ["__MACOSX/m/._config.json", "m/._config.json", "m/.git/config", "m/config.json", "m/notes.txt"]
    source = tar(tmp_path / "m.tar.gz", *((name, name.encode()) for name in names))
    with opened_source(source, tmp_path / "package") as folder:
        assert sorted(path.name for path in folder.iterdir()) == ["config.json", "notes.txt"]
        assert (folder / "config.json").read_bytes() == b"m/config.json"
    assert not folder.exists()


def test_files_in_several_folders_or_twice_are_refused(tmp_path, place):
    error = refused(tar(tmp_path / "m.tar.gz", ("a/config.json", b"{}"), ("b/config.json", b"{}")), place)
    assert "its files are in several folders" in error.title
    error = refused(tar(tmp_path / "n.tar.gz", ("config.json", b"{}"), ("./config.json", b"{}")), place)
    assert "it holds the same file twice" in error.title


def test_limits_of_number_and_size(tmp_path, place, monkeypatch):
    source = tar(tmp_path / "m.tar.gz", *((f"{i}", b"12345678") for i in range(4)))
    monkeypatch.setattr(archive_module, "_MAX_FILES", 3)
    assert "it holds too many files" in refused(source, place).title
    monkeypatch.setattr(archive_module, "_MAX_BYTES", 20)
    assert "it holds far more than a checkpoint does" in refused(source, place).title


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_room_is_looked_at_before_a_file_is_written(packed, place, monkeypatch, suffix):
    usage = shutil.disk_usage(place)._replace(free=archive_module._SPARE_BYTES + 400_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    error = refused(packed[suffix], place)
    assert isinstance(error, ConversionError)
    assert error.title.endswith("but only 67.5 MB is free.")
    assert error.hint == "Free some space or choose another disk."


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar", ".tar.xz"])
@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100])
def test_what_is_no_archive_is_named(tmp_path, place, suffix, content):
    (tmp_path / f"m{suffix}").write_bytes(content)
    error = refused(tmp_path / f"m{suffix}", place)
    assert isinstance(error, ModelCorruptError | ModelMissingError)


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip", ".tar.xz", ".tar.bz2", ".tar"])
def test_an_archive_that_was_cut_or_changed_is_named(packed, tmp_path, place, suffix):
    source = Path(shutil.copy(packed[suffix], tmp_path))
    whole = source.read_bytes()
    for broken in (whole[: len(whole) // 2], whole[:3000] + bytes(5000) + whole[8000:]):
        source.write_bytes(broken)
        error = refused(source, place)
        assert isinstance(error, ModelCorruptError | ModelMissingError)


def test_an_interruption_while_unpacking_leaves_nothing(packed, place):
    def interrupt(_share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), opened_source(packed[".tar.gz"], place / "package", interrupt):
        pass
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("name", ["m.tar.gz", "m", "m.wav"])
def test_a_source_that_is_not_there_or_no_archive_is_named(tmp_path, place, name):
    (tmp_path / "m.wav").write_bytes(b"RIFF")
    title = refused(tmp_path / name, place).title
    what = "is neither a folder nor an archive." if name == "m.wav" else "There is nothing called"
    assert what in title


def test_a_package_needs_no_conversion_and_is_told_so(original, tmp_path, place):
    convert(original, tmp_path / "package", EXACT, DETAILS)
    assert refused(tmp_path / "package", place).title.endswith("is a package already.")
