"""The scripts for systems that are not here, and the workflows, as far as they can be read anywhere."""

import hashlib
import os
import plistlib
import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from handy_qwen.cli import build_parser
from tests.conftest import ROOT

PACKAGING = ROOT / "packaging"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SECTIONS = "Setup Languages CustomMessages Tasks Files Icons Registry Run UninstallRun UninstallDelete Code"


@pytest.fixture(scope="module")
def inno():
    """The script for Inno Setup: its sections' lines by name, and the whole."""
    text = (PACKAGING / "windows" / "handy-qwen.iss").read_text(encoding="utf-8")
    parts = re.split(r"^\[(\w+)\]$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True)), text


def test_the_inno_script_has_its_sections_once(inno):
    sections, text = inno
    assert list(sections) == SECTIONS.split()
    assert len(re.findall(r"^\[\w+\]$", text, re.MULTILINE)) == len(sections)


def test_the_inno_script_uses_the_facts_it_is_given_and_no_others(builder, inno):
    given = set(builder("installers").windows_facts())
    assert set(re.findall(r"\{#(\w+)\}", inno[1])) == given
    told = re.search(r"#error (.*): packaging/build.py", inno[1])[1]
    assert set(told.split(", ")) == given


def test_the_installer_is_found_where_the_script_puts_it(builder, inno):
    facts, product = builder("installers").windows_facts(), builder("product")
    assert facts["Version"] == product.version()
    assert f"{facts['FileName']}.exe" == product.file_name("windows", ".exe")
    assert "OutputBaseFilename={#FileName}" in inno[0]["Setup"]


def test_the_installer_is_the_same_in_whatever_time_zone_it_was_built(inno):
    assert "TimeStampsInUTC=yes" in inno[0]["Setup"].splitlines()


def test_every_entry_of_the_inno_script_is_complete(inno):
    needed = {"Files": {"Source", "DestDir"}, "Icons": {"Name", "Filename"}, "Run": {"Filename"}}
    for section, keys in needed.items():
        for line in filter(None, map(str.strip, inno[0][section].splitlines())):
            if not line.startswith(";"):
                assert keys <= set(re.findall(r'(\w+): (?:"|\w)', line)), line


def test_tasks_of_the_inno_script_exist(inno):
    sections, text = inno
    names = set(re.findall(r'^Name: "(\w+)"', sections["Tasks"], re.MULTILINE))
    assert set(re.findall(r"Tasks: (\w+)", text)) == names


def test_what_the_uninstaller_runs_are_commands_of_the_program(inno):
    commands = re.findall(r'Parameters: "([^"]+)"', inno[1]) + re.findall(r"Call\('(.*?)'\)", inno[1])
    assert {"quit", "autostart off", "uninstall --data --yes"} <= set(commands)
    for command in commands:
        build_parser().parse_args(command.split())


def test_the_installer_replaces_the_program_when_its_libraries_are_there(builder, inno):
    """So an update that is killed leaves the old program with its own libraries, or the new one."""
    assert re.findall(r'^Source: "([^"]+)"', inno[0]["Files"], re.MULTILINE)[-1].endswith("{#Name}.exe")
    assert "{app}\\_internal" not in inno[1].partition("[UninstallDelete]")[0]
    assert builder("product").libraries().startswith("_internal")


def test_the_installer_deletes_no_libraries_of_another_program_in_the_folder(builder, inno, monkeypatch):
    """Whatever PyInstaller has made calls its own _internal, and people may choose any folder."""
    product = builder("product")
    monkeypatch.setattr(product.sys, "platform", "win32")
    patterns = re.findall(r"\{app\}\\(_internal.*?)[\"']", inno[1])
    assert len(patterns) == 2
    for pattern in patterns:
        assert fnmatch(product.libraries(), pattern)
        assert not fnmatch("_internal", pattern)


def test_the_folder_of_libraries_is_told_to_pyinstaller():
    spec = (PACKAGING / "handy-qwen.spec").read_text(encoding="utf-8")
    assert "contents_directory=product.libraries()" in spec


def test_the_installer_looks_for_the_mutex_that_the_program_has(builder):
    assert builder("entry").MUTEX == builder("product").MUTEX


def test_the_manifest_for_winget_names_the_installer_its_sum_and_how_to_be_silent(builder, tmp_path):
    installer = tmp_path / "handy-qwen-1.2.3-windows-amd64.exe"
    installer.write_bytes(b"MZ")
    builder("release").write_manifest(installer, "https://example.org/v1.2.3", tmp_path / "winget")
    told = {}
    for file in (tmp_path / "winget").iterdir():
        manifest = yaml.safe_load(file.read_text(encoding="utf-8"))
        told[manifest["ManifestType"]] = manifest
        assert file.name.startswith(f"{manifest['PackageIdentifier']}.")
    assert told.keys() == {"version", "installer", "defaultLocale"}
    for one in told["installer"]["Installers"]:
        assert one["InstallerUrl"] == f"https://example.org/v1.2.3/{installer.name}"
        assert one["InstallerSha256"] == hashlib.sha256(b"MZ").hexdigest().upper()
        assert one["InstallerSwitches"]["Custom"] in {"/CURRENTUSER", "/ALLUSERS"}


def test_begin_and_end_of_the_inno_code_are_in_balance(inno):
    code = inno[0]["Code"]
    assert len(re.findall(r"\b(?:begin|try)\b", code)) == len(re.findall(r"\bend;", code))
    for name in ("EnvironmentKey", "IsPathNeeded"):
        assert f"function {name}" in code


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell here")
@pytest.mark.parametrize("script", sorted(PACKAGING.rglob("*.sh")), ids=lambda path: path.name)
def test_shell_scripts_are_well_formed_and_can_be_run(script):
    assert script.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", script], check=True)


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell here")
@pytest.mark.parametrize(
    ("identity", "stamp"), [("", "--timestamp=none"), ("Developer ID Application: Us", "--timestamp")]
)
def test_the_app_for_macos_is_signed_with_a_time_where_it_can_be_notarized(tmp_path, identity, stamp):
    tools, calls = tmp_path / "tools", tmp_path / "calls"
    (tmp_path / "Our.app" / "Contents").mkdir(parents=True)
    (tmp_path / "Our.app" / "Contents" / "libours.dylib").touch()
    tools.mkdir()
    for name in ("codesign", "hdiutil"):
        (tools / name).write_text(f'#!/bin/sh\nprintf "%s " {name} "$@" >>"{calls}"; echo >>"{calls}"\n')
        (tools / name).chmod(0o755)
    subprocess.run(
        [
            "sh",
            PACKAGING / "macos" / "make-dmg.sh",
            tmp_path / "Our.app",
            "rights",
            tmp_path / "x.dmg",
            "Our",
        ],
        env={"PATH": f"{tools}:{os.environ['PATH']}", "CODESIGN_IDENTITY": identity},
        check=True,
    )
    signed = [line.split() for line in calls.read_text(encoding="utf-8").splitlines() if "--sign" in line]
    assert len(signed) == 2, "what is inside, then the whole"
    assert all(stamp in words for words in signed)


def jobs():
    for file in WORKFLOWS:
        for name, job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].items():
            yield pytest.param(job, id=f"{file.stem}-{name}")


def lines_of(job):
    return [line for step in job["steps"] for line in step.get("run", "").splitlines()]


@pytest.mark.parametrize("job", list(jobs()))
def test_each_step_of_a_workflow_does_one_thing_and_each_job_ends(job):
    assert job["runs-on"]
    for step in job["steps"]:
        assert ("run" in step) != ("uses" in step), step
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step.get("uses", f"a/b@{0:040}"))


@pytest.mark.parametrize("job", list(jobs()))
def test_no_job_waits_for_a_machine_that_is_no_more(job):
    """A release waits for all jobs. Source: actions/runner-images, announcements 10721, 13046, 13518."""
    systems = [job["runs-on"], *job.get("strategy", {}).get("matrix", {}).get("system", [])]
    assert not {"macos-12", "macos-13", "macos-14", "windows-2019", "ubuntu-20.04"} & set(systems)


def test_the_app_for_macos_asks_for_the_system_that_the_readme_tells(builder):
    filled = builder("product").filled(PACKAGING / "macos" / "Info.plist.in")
    least = plistlib.loads(filled.encode())["LSMinimumSystemVersion"]
    told = re.search(r"macOS (\d+) or newer", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert told is not None
    assert least == f"{told[1]}.0"
    assert int(told[1]) >= 14, "wheels of onnxruntime from 1.24 on ask for that"


@pytest.mark.parametrize("job", list(jobs()))
def test_every_script_and_kind_that_a_workflow_names_exists(builder, job):
    kinds, developer = builder("build").KINDS, builder("dev").COMMANDS
    for line in lines_of(job):
        for script, words in re.findall(r"python3? (packaging/\w+\.py)((?: [\w$\"]+)*)", line):
            assert (ROOT / script).is_file(), line
            known = {"packaging/build.py": kinds, "packaging/dev.py": developer}.get(script)
            assert known is None or set(words.split()) <= set(known), line
        for place in re.findall(r"\b(tests/\w+)", line):
            assert (ROOT / place).is_dir(), line


@pytest.mark.parametrize("job", list(jobs()))
def test_tools_that_a_workflow_installs_are_of_a_version_that_it_names(builder, job):
    for line in lines_of(job):
        for asked in re.findall(r"pip install (uv\S*)", line):
            assert asked == builder("product").UV, line
        if "choco install" in line:
            assert re.search(r" --version=[\d.]+ ", line), line


@pytest.mark.parametrize("job", list(jobs()))
def test_no_job_waits_for_what_a_program_leaves_running(job):
    """As -Wait does. Source: PowerShell, issue 15555."""
    for line in lines_of(job):
        assert not re.search(r"Start-Process\b.* -Wait\b", line), line


def test_the_command_of_the_readme_runs_on_every_system_that_it_names():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8"))
    linux, machine = workflow["jobs"]["linux"], workflow["jobs"]["machine"]
    assert {"debian:12", "debian:13"} <= set(linux["strategy"]["matrix"]["system"])
    assert machine["runs-on"] == "ubuntu-24.04"
    assert "container" not in machine
    for job in (linux, machine):
        assert any(line.endswith("packaging/dev.py ci") for line in lines_of(job))


def test_all_three_systems_build_and_sum_their_packages():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "packages.yml").read_text(encoding="utf-8"))
    built = {
        name: {word for line in lines_of(job) if "build.py" in line for word in line.split()}
        for name, job in workflow["jobs"].items()
    }
    assert {"wheel", "deb", "tar", "check", "sums"} <= built["linux"]
    assert {"windows", "sums"} <= built["windows"]
    assert {"macos", "sums"} <= built["macos"]
    assert workflow["jobs"]["release"]["needs"] == ["linux-installed", "windows", "macos"]


def test_the_package_is_what_is_tested_after_each_change_of_main():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "packages.yml").read_text(encoding="utf-8"))
    build, installed = workflow["jobs"]["linux"], workflow["jobs"]["linux-installed"]
    assert workflow[True]["push"]["branches"] == ["main"]  # for YAML 1.1 "on" is a truth
    assert "if" not in build.keys() | installed.keys()
    assert installed["needs"] == "linux"
    assert any("apt-get install -y ./dist/*.deb" in line for line in lines_of(installed))
    assert "python3 packaging/dev.py installed" in lines_of(installed)


def test_packages_are_built_of_versions_that_fit_what_the_program_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    versions = {package["name"]: package.get("version", "") for package in locked}
    groups = project["dependency-groups"].values()
    for line in (*project["project"]["dependencies"], *(line for group in groups for line in group)):
        asked = Requirement(line)
        assert asked.specifier.contains(versions[canonicalize_name(asked.name)]), line
