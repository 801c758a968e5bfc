"""Name, version and texts come from one place, and all that is built tells the same."""

import hashlib
import os
import plistlib
import re
import subprocess
import time
import xml.etree.ElementTree as ET
import zipfile

import pytest

import handy_qwen
from handy_qwen import paths
from tests.conftest import ROOT

PACKAGING = ROOT / "packaging"


@pytest.fixture(scope="module")
def product(builder):
    return builder("product")


def test_the_version_is_that_of_the_package(product):
    assert product.version() == handy_qwen.__version__


def test_the_identifier_is_the_one_the_program_tells_the_system(product):
    assert product.APP_ID == paths.APP_ID


def test_a_template_that_names_something_unknown_is_an_error(product, tmp_path):
    template = tmp_path / "template.in"
    template.write_text("@NAME@ @NONSENSE@")
    with pytest.raises(KeyError, match="NONSENSE"):
        product.filled(template)


@pytest.mark.parametrize("template", sorted(PACKAGING.rglob("*.in")), ids=lambda path: path.name)
def test_every_template_can_be_filled(product, template):
    assert not re.search(r"@[A-Z_]+@", product.filled(template))


def test_the_release_day_is_that_of_the_changelog(product, tmp_path, monkeypatch):
    monkeypatch.setattr(product, "ROOT", tmp_path)
    (tmp_path / "handy_qwen").mkdir()
    (tmp_path / "handy_qwen" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(
        "## [Unreleased]\n## [1.2.3] - 2031-05-06\n## [1.2.2] - 2030-01-01\n"
    )
    assert product.release_date() == "2031-05-06"


def test_sums_are_what_sha256sum_reads(product, tmp_path):
    (tmp_path / "b.deb").write_bytes(b"two")
    (tmp_path / "a.exe").write_bytes(b"one")
    text = product.write_sums(tmp_path).read_text(encoding="utf-8")
    one, two = hashlib.sha256(b"one").hexdigest(), hashlib.sha256(b"two").hexdigest()
    assert text == f"{one}  a.exe\n{two}  b.deb\n"
    assert product.write_sums(tmp_path).read_text(encoding="utf-8") == text  # not of itself


def test_the_menu_entry_names_program_and_icon(product):
    text = product.filled(PACKAGING / "linux" / "handy-qwen.desktop.in")
    values = dict(line.split("=", 1) for line in text.split("\n\n")[0].splitlines() if "=" in line)
    assert values["Exec"] == values["TryExec"] == "handy-qwen"
    assert values["Icon"] == product.APP_ID
    assert values["Name"] == product.TITLE
    groups = set(re.findall(r"^\[Desktop Action (\w+)\]$", text, re.MULTILINE))
    assert groups == set(values["Actions"].rstrip(";").split(";"))


def test_the_commands_of_the_menu_entry_are_commands_of_the_program(product):
    from handy_qwen.cli import build_parser

    text = product.filled(PACKAGING / "linux" / "handy-qwen.desktop.in")
    for command in re.findall(r"^Exec=handy-qwen(.*)$", text, re.MULTILINE):
        build_parser().parse_args(command.split())


def test_the_appstream_data_tell_identifier_and_version(product):
    root = ET.fromstring(product.filled(PACKAGING / "linux" / "handy-qwen.metainfo.xml.in"))
    assert root.findtext("id") == product.APP_ID
    assert root.findtext("launchable") == f"{product.APP_ID}.desktop"
    assert root.find("releases/release").get("version") == handy_qwen.__version__


def test_the_mac_app_says_why_it_wants_microphone_keys_and_windows(product):
    told = plistlib.loads(product.filled(PACKAGING / "macos" / "Info.plist.in").encode())
    assert told["CFBundleIdentifier"] == product.APP_ID
    assert told["CFBundleShortVersionString"] == told["CFBundleVersion"] == handy_qwen.__version__
    assert told["CFBundleExecutable"] == product.NAME
    assert told["LSUIElement"] is True
    for right in ("Microphone", "InputMonitoring", "Accessibility"):
        assert len(told[f"NS{right}UsageDescription"]) > 40


def test_the_mac_app_may_use_the_microphone_under_the_hardened_runtime():
    rights = plistlib.loads((PACKAGING / "macos" / "entitlements.plist").read_bytes())
    assert rights["com.apple.security.device.audio-input"] is True


def test_windows_is_told_the_version(builder):
    names = {"VSVersionInfo", "FixedFileInfo", "StringFileInfo", "StringTable", "StringStruct", "VarFileInfo"}
    calls = {name: lambda *given, **named: (given, named) for name in names | {"VarStruct"}}
    (_, info) = eval(builder("frozen").version_resource(), calls)
    numbers = builder("frozen").version_numbers()
    assert info["ffi"][1]["filevers"] == info["ffi"][1]["prodvers"] == numbers
    assert ".".join(map(str, numbers[:3])) == handy_qwen.__version__
    assert repr(handy_qwen.__version__) in repr(info["kids"])


def test_all_files_of_a_package_have_the_time_that_is_told_or_that_of_the_commit(
    product, tmp_path, monkeypatch
):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert product.source_date_s() == 1700000000
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    monkeypatch.setattr(product, "ROOT", tmp_path)
    (tmp_path / "CHANGELOG.md").touch()
    os.utime(tmp_path / "CHANGELOG.md", (1600000000, 1600000000))
    assert product.source_date_s() == 1600000000  # no checkout: an sdist
    commit = subprocess.CompletedProcess([], 0, "1650000000\n")
    monkeypatch.setattr(product.subprocess, "run", lambda *_arguments, **_options: commit)
    assert product.source_date_s() == 1650000000


@pytest.fixture
def set_time_zone(monkeypatch):
    """Sets the local time zone, where a running program can do that."""

    def set_to(zone):
        monkeypatch.setenv("TZ", zone)
        if hasattr(time, "tzset"):
            time.tzset()

    yield set_to
    monkeypatch.undo()
    if hasattr(time, "tzset"):
        time.tzset()


def test_the_portable_program_is_the_same_whenever_wherever_and_in_whatever_order_it_was_built(
    builder, product, tmp_path, monkeypatch, set_time_zone
):
    frozen, installers = builder("frozen"), builder("installers")
    monkeypatch.setattr(product, "DIST", tmp_path / "dist")
    monkeypatch.setattr(product, "BUILD", tmp_path / "build")
    monkeypatch.setattr(installers, "_licences", lambda: "theirs")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    (tmp_path / "build" / "icons").mkdir(parents=True)
    (tmp_path / "build" / "icons" / "handy-qwen.ico").write_bytes(b"icon")
    names, sums = ["a.dll", "b.dll", "_internal-1/c.dll"], []
    builds = (names, "UTC0", 0o644), (names[::-1], "IST-5:30", 0o600)
    for number, (order, zone, mode) in enumerate(builds):
        set_time_zone(zone)
        monkeypatch.setattr(frozen, "FOLDER", tmp_path / str(number) / "handy-qwen")
        for at, name in enumerate(order):
            file = frozen.FOLDER / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(name.encode())
            file.chmod(mode)
            os.utime(file, (1600000000 + 100 * at, 1600000000 + 100 * at))
        archive = installers.build_portable()
        sums.append(hashlib.sha256(archive.read_bytes()).hexdigest())
    assert sums[0] == sums[1]
    with zipfile.ZipFile(archive) as packed:
        assert {entry.date_time for entry in packed.infolist()} == {(2023, 11, 14, 22, 13, 20)}
        assert {entry.compress_type for entry in packed.infolist()} == {zipfile.ZIP_DEFLATED}
        assert {f"handy-qwen/{name}" for name in (*names, "LICENSES.txt", "handy-qwen.ico")} <= set(
            packed.namelist()
        )
