"""What is packed and what is left to the system; licences, drawings, manual and completions."""

import json
import shutil
import struct
import subprocess
import sys
import tarfile

import pytest

from handy_qwen.cli import build_parser
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("libasound.so.2", "/lib/x86_64-linux-gnu/libasound.so.2"),
        ("libportaudio.so.2", "/usr/lib/x86_64-linux-gnu/libportaudio.so.2"),
        ("libgtk-3.so.0", "/usr/lib64/libgtk-3.so.0"),
        ("libstdc++.so.6", "/lib/x86_64-linux-gnu/libstdc++.so.6"),
        ("PySide6/Qt/plugins/platforms/libqeglfs.so", "/e/site-packages/PySide6/Qt/plugins/platforms/x.so"),
        ("PySide6/Qt/translations/designer_de.qm", "/e/site-packages/PySide6/Qt/translations/designer_de.qm"),
        ("PySide6/Qt/translations/qt_de.qm", "/e/site-packages/PySide6/Qt/translations/qt_de.qm"),
        (
            "handy_qwen/assets/locale/handy-qwen.pot",
            "/e/site-packages/handy_qwen/assets/locale/handy-qwen.pot",
        ),
    ],
)
def test_what_the_system_has_and_nobody_uses_stays_out(builder, place, source):
    assert not builder("frozen").is_wanted(place, source)


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("PySide6/Qt/translations/qtbase_de.qm", "/e/site-packages/PySide6/Qt/translations/qtbase_de.qm"),
        ("handy_qwen/assets/locale/de/LC_MESSAGES/handy-qwen.mo", "/e/handy-qwen.mo"),
        ("libpython3.11.so.1.0", "/lib/x86_64-linux-gnu/libpython3.11.so.1.0"),
        ("libssl.so.3", "/lib/x86_64-linux-gnu/libssl.so.3"),
        ("libxcb-cursor.so.0", "/usr/lib/x86_64-linux-gnu/libxcb-cursor.so.0"),
        (
            "PySide6/Qt/plugins/platforms/libqxcb.so",
            "/e/site-packages/PySide6/Qt/plugins/platforms/libqxcb.so",
        ),
        ("PySide6/Qt/plugins/imageformats/libqsvg.so", "/e/site-packages/PySide6/libqsvg.so"),
        ("handy_qwen/assets/demo-model/manifest.json", "/e/site-packages/handy_qwen/assets/x/manifest.json"),
    ],
)
def test_what_the_program_needs_is_packed(builder, place, source):
    assert builder("frozen").is_wanted(place, source)


def test_a_folder_that_has_not_been_checked_to_its_end_is_built_again(builder, tmp_path, monkeypatch):
    frozen = builder("frozen")
    monkeypatch.setattr(frozen.product, "BUILD", tmp_path)
    monkeypatch.setattr(frozen, "ORIGINS", tmp_path / "origins.json")
    monkeypatch.setattr(frozen, "NEW_ORIGINS", tmp_path / "origins.new.json")
    monkeypatch.setattr(frozen.sys, "platform", "linux")  # needs no icons
    monkeypatch.setattr(frozen.subprocess, "run", lambda *_, **__: frozen.NEW_ORIGINS.write_text("new"))
    frozen.ORIGINS.write_text("old")

    def has_faults(_program):
        sys.exit("it does not recognize its own speech")

    monkeypatch.setattr(frozen, "check", has_faults)
    with pytest.raises(SystemExit):
        frozen.build()
    assert not frozen.ORIGINS.exists()
    monkeypatch.setattr(frozen, "check", lambda _program: None)
    frozen.build()
    assert frozen.ORIGINS.read_text() == "new"


def test_the_debian_package_leaves_debians_libraries_to_debian(builder):
    files = {
        "libssl.so.3": "/lib/x86_64-linux-gnu/libssl.so.3",
        "libpython3.11.so.1.0": "/lib/x86_64-linux-gnu/libpython3.11.so.1.0",
        "numpy.libs/libopenblas.so": "/e/site-packages/numpy.libs/libopenblas.so",
    }
    assert builder("deb").libraries_of_debian(files) == ["libssl.so.3"]


def test_a_package_without_a_licence_stops_the_build(builder, monkeypatch):
    licences = builder("licences")
    monkeypatch.setattr(licences, "LACKING", {})
    with pytest.raises(licences.LicenceError, match="flatbuffers"):
        licences.package_text("flatbuffers")


def test_a_file_from_nowhere_stops_the_build(builder, tmp_path):
    licences = builder("licences")
    origins = tmp_path / "origins.json"
    origins.write_text(json.dumps({"files": {"x.so": str(tmp_path / "x.so")}, "modules": {}}))
    with pytest.raises(licences.LicenceError, match=r"x\.so"):
        licences.collect(origins, has_system=False)


def test_files_are_sorted_out_by_where_they_come_from(builder):
    import fnmatch

    import numpy

    sources = [numpy.__file__, fnmatch.__file__, "/lib/x86_64-linux-gnu/libssl.so.3"]
    packages, system, has_python = builder("licences").sort_out(sources)
    assert (packages, system, has_python) == ({"numpy"}, {sources[2]}, True)


def test_texts_that_wheels_lack_are_here(builder):
    licences = builder("licences")
    for names in licences.LACKING.values():
        for name in names:
            assert len((licences.TEXTS / name).read_text(encoding="utf-8")) > 500
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in licences.package_text("pyside6-essentials")


def test_the_windows_icon_holds_its_pictures(builder):
    data = builder("icons").ico({16: b"small", 256: b"large picture"})
    assert struct.unpack_from("<HHH", data) == (0, 1, 2)
    for number, picture in enumerate((b"small", b"large picture")):
        size, offset = struct.unpack_from("<II", data, 6 + 16 * number + 8)
        assert data[offset : offset + size] == picture
    assert data[6 + 16] == 0  # which stands for 256


def test_the_mac_icon_is_as_long_as_it_says(builder):
    icons = builder("icons")
    data = icons.icns({size_px: b"p" * size_px for _, size_px in icons.ICNS_TYPES})
    assert data[:4] == b"icns"
    assert struct.unpack_from(">I", data, 4)[0] == len(data)
    kinds, at = [], 8
    while at < len(data):
        kinds.append(data[at : at + 4].decode())
        at += struct.unpack_from(">I", data, at + 4)[0]
    assert kinds == [kind for kind, _ in icons.ICNS_TYPES]


@pytest.mark.usefixtures("qapp")
def test_every_state_of_the_tray_is_drawn_for_light_and_dark_panels_in_all_sizes(builder, tmp_path):
    icons = builder("icons")
    icons.write_hicolor(tmp_path)
    for state in icons.STATES:
        pictures = []
        for panel in ("light", "dark"):
            name = f"handy-qwen-{state}-{panel}"
            assert (tmp_path / "scalable" / "status" / f"{name}.svg").is_file()
            for size_px in icons.TRAY_SIZES_PX:
                png = (tmp_path / f"{size_px}x{size_px}" / "status" / f"{name}.png").read_bytes()
                assert struct.unpack(">II", png[16:24]) == (size_px, size_px)
            pictures.append(png)
        assert pictures[0] != pictures[1] or state == "recording"  # red on both


def test_the_manual_tells_every_command_and_option(builder):
    pages = builder("linux_files")
    page = pages.man_page(build_parser()).replace("\\-", "-")
    for name, command in pages.commands(build_parser()):
        assert name in page
        for action in command._actions:
            assert all(option in page for option in action.option_strings), (name, action.option_strings)


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_reads_the_manual_without_complaint(builder):
    page = builder("linux_files").man_page(build_parser())
    command = ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z"]
    done = subprocess.run(command, input=page, capture_output=True, text=True, check=True)
    assert not done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_know_the_commands_and_the_shell_reads_them(builder, shell, tmp_path):
    text = builder("linux_files").completion(build_parser(), shell)
    for word in ("transcribe", "history", "convert"):
        assert word in text
    if shutil.which(shell):
        file = tmp_path / "completion"
        file.write_text(text)
        subprocess.run([shell, "-n", file], check=True)


def test_the_sdist_can_build_the_packages():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packed = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {"packaging", "assets", "handy_qwen", "tests"} <= set(packed)


def test_what_is_released_is_what_was_built(builder, tmp_path):
    release, product = builder("release"), builder("product")
    for system in ("linux", "windows"):
        (tmp_path / system).mkdir()
        (tmp_path / system / f"handy-{system}").write_bytes(system.encode())
        product.write_sums(tmp_path / system)
    release.gather(tmp_path, tmp_path / "dist")
    assert {file.name for file in (tmp_path / "dist").iterdir()} == {"handy-linux", "handy-windows"}
    (tmp_path / "linux" / "handy-linux").write_bytes(b"something else")
    with pytest.raises(SystemExit, match="not what was built"):
        release.gather(tmp_path, tmp_path / "again")


def test_files_in_the_archive_belong_to_nobody(builder):
    entry = tarfile.TarInfo("x")
    entry.uid, entry.uname = 1000, "somebody"
    entry = builder("linux_files")._of_nobody(entry)
    assert (entry.uid, entry.gid, entry.uname) == (0, 0, "")


def test_the_changelog_has_debians_form(builder):
    deb, product = builder("deb"), builder("product")
    head, change, foot = (line for line in deb.changelog().splitlines() if line)
    assert head == f"handy-qwen ({product.version()}) stable; urgency=medium"
    assert change.startswith("  * ")
    assert foot.startswith(f" -- {deb.MAINTAINER}  ")
    if shutil.which("dpkg-parsechangelog"):
        command = ["dpkg-parsechangelog", "-l", "-", "-S", "Version"]
        done = subprocess.run(command, input=deb.changelog(), capture_output=True, text=True, check=True)
        assert (done.stdout.strip(), done.stderr) == (product.version(), "")
