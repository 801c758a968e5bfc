"""The install.sh of the .tar.gz, run in a home with an awkward name, for a program that only notes."""

import os
import shutil
import subprocess

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.unix("a script for Linux")
ENTRY = "io.github.handy_qwen.desktop"
MENU_ENTRY = """\
[Desktop Entry]
Exec=handy-qwen
TryExec=handy-qwen
[Desktop Action last]
Exec=handy-qwen paste
"""
PROGRAM = '#!/bin/sh\necho "{version} $*" >>"$HOME/calls"\n'


@pytest.fixture
def home(tmp_path):
    made = tmp_path / "Anna & Co"
    made.mkdir()
    return made


@pytest.fixture
def unpacked(tmp_path):
    """What comes out of the archive, of the version asked for."""

    def unpack(version):
        folder = tmp_path / f"handy-qwen-{version}"
        (folder / "share" / "applications").mkdir(parents=True)
        (folder / "share" / "man" / "man1").mkdir(parents=True)
        (folder / "share" / "man" / "man1" / f"page-{version}.1").touch()
        (folder / "share" / "applications" / ENTRY).write_text(MENU_ENTRY, encoding="utf-8")
        (folder / "handy-qwen").write_text(PROGRAM.format(version=version), encoding="utf-8")
        (folder / "handy-qwen").chmod(0o755)
        shutil.copy(ROOT / "packaging" / "linux" / "install.sh", folder)
        return folder

    return unpack


def install(folder, home, *arguments, path=""):
    environment = {"HOME": str(home), "PATH": path or os.environ["PATH"]}
    command = [str(folder / "install.sh"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def calls(home):
    file = home / "calls"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def kept(home):
    """All files below ~/.local."""
    return sorted(
        str(file.relative_to(home / ".local")) for file in (home / ".local").rglob("*") if not file.is_dir()
    )


def test_the_menu_entry_leads_to_the_program_wherever_the_home_lies(home, unpacked):
    done = install(unpacked("1"), home)
    assert done.returncode == 0, done.stderr
    command = home / ".local" / "bin" / "handy-qwen"
    subprocess.run([command, "demo"], env={"HOME": str(home)}, check=True)
    assert calls(home) == ["1 demo"]
    entry = (home / ".local" / "share" / "applications" / ENTRY).read_text(encoding="utf-8")
    assert f'\nExec="{command}"\nTryExec={command}\n' in entry
    assert f'\nExec="{command}" paste\n' in entry


def test_the_next_version_ends_and_replaces_the_one_before(home, unpacked):
    install(unpacked("1"), home)
    assert install(unpacked("2"), home).returncode == 0
    assert calls(home) == ["1 quit"]
    assert "share/man/man1/page-2.1" in kept(home)
    assert "share/man/man1/page-1.1" not in kept(home)


def test_a_full_disk_leaves_the_version_before_as_it_was(home, unpacked, tmp_path):
    install(unpacked("1"), home)
    before = kept(home)
    full = tmp_path / "full"
    full.mkdir()
    (full / "cp").write_text('#!/bin/sh\necho "No space left on device" >&2\nexit 1\n', encoding="utf-8")
    (full / "cp").chmod(0o755)
    done = install(unpacked("2"), home, path=f"{full}:{os.environ['PATH']}")
    assert done.returncode != 0
    assert kept(home) == before
    subprocess.run([home / ".local" / "bin" / "handy-qwen"], env={"HOME": str(home)}, check=True)
    assert calls(home) == ["1 "]


def test_the_installed_folder_does_not_install_itself_by_whatever_way_it_is_reached(home, unpacked, tmp_path):
    install(unpacked("1"), home)
    before = kept(home)
    link = tmp_path / "link"
    link.symlink_to(home / ".local" / "lib" / "handy-qwen")
    for folder in (home / ".local" / "lib" / "handy-qwen", link):
        assert "installed already" in install(folder, home).stderr
        assert kept(home) == before


def test_removed_it_is_ended_starts_no_more_at_login_and_leaves_nothing(home, unpacked):
    folder = unpacked("1")
    install(folder, home)
    assert install(folder, home, "--remove").returncode == 0
    assert calls(home) == ["1 quit", "1 autostart off"]
    assert kept(home) == []
    assert install(folder, home, "--remove").returncode == 0, "there is nothing any more"
