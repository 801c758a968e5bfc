"""Every program that is called has a package in ``packaging/programs.py``, and the calls are found."""

import re
import shutil
import subprocess
from argparse import _SubParsersAction
from pathlib import Path

import pytest

from handy_qwen.cli import build_parser
from tests.conftest import ROOT
from tests.unit.packaging.calls import THIS_PYTHON, calls_in, programs_of_shell, sources_under

OURS = {THIS_PYTHON, "python.exe", "handy-qwen", "install.sh"}
OURS |= {"wine", "wineserver", "windows-python"}  # scripts that packaging/wine.py writes
MADE_UP = {"no-such-tool-anywhere"}
FAKES = {
    "tests/unit/system/insert/test_insert_wayland.py": {"wl-paste"}
}  # programs that a test writes itself
PLACES = {  # where a call is -> who makes it
    "tests/bench/": "BENCH",
    "tests/wayland/": "WAYLAND",
    "tests/": "CI",
    "packaging/wine.py": "WINE",
    "packaging/": "PACKAGING",
    "handy_qwen/": "OPTIONAL",
}


@pytest.fixture(scope="module")
def called():
    """All calls in the project, by who makes them."""
    own = {
        name for one in build_parser()._actions if isinstance(one, _SubParsersAction) for name in one.choices
    }
    found = {use: {} for use in PLACES.values()}
    sources = sources_under(ROOT, "handy_qwen", "packaging", "tests")
    del sources["tests/unit/packaging/test_programs.py"]  # asks for all that are listed
    for call in calls_in(sources):
        use = next(use for place, use in PLACES.items() if call.place.startswith(place))
        if call.name not in OURS | MADE_UP | own | FAKES.get(call.place.partition(":")[0], set()):
            found[use].setdefault(call.name, call.place)
    return found


def listed(programs, *uses):
    return {
        one
        for use in uses
        for names in programs.PROGRAMS[programs.Use[use]].values()
        for one in names.split()
    }


def test_every_program_that_is_called_is_listed_with_its_package(builder, called):
    programs = builder("programs")
    elsewhere = set(programs.ELSEWHERE.split())
    for use, calls in called.items():
        assert "" not in calls, f"which program is called cannot be told: {calls['']}"
        known = listed(programs, use, "TRY") | elsewhere
        missing = {name: place for name, place in calls.items() if name not in known}
        assert not missing, f"name their packages in packaging/programs.py, under {use}"


def test_every_program_that_is_listed_is_called(builder, called):
    programs = builder("programs")
    for use, calls in called.items():
        assert listed(programs, use) <= calls.keys(), use
    assert listed(programs, "TRY") <= called["OPTIONAL"].keys()
    assert set(programs.ELSEWHERE.split()) <= called["PACKAGING"].keys() | called["OPTIONAL"].keys()


def test_the_list_names_each_program_with_the_package_that_holds_it(builder):
    """For the programs that are on this machine, as Debian's own index tells."""
    if shutil.which("dpkg") is None:
        pytest.skip("no Debian")
    programs = builder("programs")
    pairs = {
        (n, package)
        for one in programs.PROGRAMS.values()
        for package, names in one.items()
        for n in names.split()
    }
    places = {name: shutil.which(name, path="/usr/bin:/usr/sbin") for name, _ in pairs}
    owners = owners_of({place for place in places.values() if place})
    for name, package in pairs:
        found = owners.get(places[name])
        assert not found or any(owner.startswith(package) for owner in found), (name, found)


def owners_of(places):
    """The packages with files of these names, or with those that Debian's alternatives lead to."""
    real = {place: str(Path(place).resolve()) for place in places}
    names = {name for pair in real.items() for one in pair for name in (one, one.removeprefix("/usr"))}
    done = subprocess.run(["dpkg", "-S", *names], capture_output=True, text=True, check=False)
    lines = [line.rpartition(": ") for line in done.stdout.splitlines() if not line.startswith("diversion")]
    owner_of = {name: {owner.split(":")[0] for owner in owners.split(", ")} for owners, _, name in lines}
    return {
        place: set().union(
            *(owner_of.get(n, set()) for one in (place, target) for n in (one, one.removeprefix("/usr")))
        )
        for place, target in real.items()
    }


@pytest.mark.linux("the desktop of the tests is on Linux only")
def test_the_desktop_of_the_tests_needs_what_is_listed(builder):
    from tests.e2e.desk.needs import PACKAGES

    programs = builder("programs")
    of_tests = programs.PROGRAMS[programs.Use.CI]
    for program, package in PACKAGES.items():
        assert program in of_tests[package].split()


def test_the_workflow_that_builds_packages_installs_what_that_needs(builder):
    programs = builder("programs")
    text = (ROOT / ".github" / "workflows" / "packages.yml").read_text(encoding="utf-8")
    installed = set(
        re.search(r"apt-get install -y --no-install-recommends(.*?)- uses", text, re.DOTALL)[1].split()
    )
    there_already = {"apt", "coreutils", "dash", "dpkg", "findutils", "mount", "sed", "util-linux"}
    by_hand = {"debootstrap", "espeak-ng", "sudo"}  # a bare system, the check speech, for who is not root
    needed = set(programs.PROGRAMS[programs.Use.PACKAGING]) - there_already - by_hand
    assert needed <= installed


# --- the finder ------------------------------------------------------------------------------------------


def names_in(text, **others):
    sources = {"here.py": f"import os, shlex, shutil, subprocess, sys\n{text}"}
    sources |= {f"{name}.py": source for name, source in others.items()}
    return sorted({call.name for call in calls_in(sources)})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('subprocess.run(["alpha", "-x"])', ["alpha"]),
        ('subprocess.run("alpha")', ["alpha"]),
        ('subprocess.run(args=["alpha"])', ["alpha"]),
        ('subprocess.run(["/usr/bin/alpha"])', ["alpha"]),
        ('subprocess.run("alpha -x | beta", shell=True)', ["alpha", "beta"]),
        ('os.system("alpha; beta")', ["alpha", "beta"]),
        ('shutil.which("alpha")', ["alpha"]),
        ('from subprocess import Popen as start\nstart(["alpha"])', ["alpha"]),
        ('import asyncio\nasyncio.create_subprocess_exec("alpha", "-x")', ["alpha"]),
        ('NAME = "alpha"\nsubprocess.run([NAME])', ["alpha"]),
        ('def f():\n    line = ["alpha", "-x"]\n    line += ["y"]\n    subprocess.run(line)', ["alpha"]),
        ('def f(x):\n    subprocess.run([f"alpha-{x}"])', ["alpha-"]),
        ('def f(x):\n    subprocess.run([f"/opt/{x}/alpha"])', ["alpha"]),
        ('subprocess.run("alpha -x".split())', ["alpha"]),
        ('subprocess.run(shlex.split("alpha -x"))', ["alpha"]),
        ('subprocess.run(["alpha"] + sys.argv)', ["alpha"]),
        ('subprocess.run(["alpha"] if sys.argv else ["beta"])', ["alpha", "beta"]),
        ('for one in ("alpha", "beta"):\n    subprocess.run([one, "-x"])', ["alpha", "beta"]),
        (
            'PLACES = {"alpha": 1, "beta": 2}\nprint([one for one in PLACES if shutil.which(one)])',
            ["alpha", "beta"],
        ),
        ('line = ["alpha", "-x"]\nsubprocess.run([str(part) for part in line])', ["alpha"]),
        ('subprocess.run(map(str, ["alpha", 1]))', ["alpha"]),
        ('subprocess.run(["env", "X=y", "alpha"])', ["alpha", "env"]),
        ('subprocess.run(["sudo", "-n", "nice", "alpha"])', ["alpha", "nice", "sudo"]),
        ('def f(root):\n    subprocess.run(["chroot", str(root), "alpha"])', ["alpha", "chroot"]),
        ('subprocess.run([*("alpha", "-x"), "y"])', ["alpha"]),
        ('subprocess.run(["sh", "-c", "cd /; alpha <<X | beta"])', ["alpha", "beta", "sh"]),
        ("subprocess.run([sys.executable])", ["python"]),
        ('subprocess.run([os.environ.get("TOOL") or "alpha"])', ["alpha"]),
    ],
)
def test_the_program_of_a_call_is_found(text, expected):
    assert names_in(text) == expected


def test_a_command_is_followed_through_functions_and_modules():
    helper = """
import subprocess
TOOL = "alpha"
def run(command, data=b""):
    subprocess.run([*command], input=data)
class Desk:
    def start(self, name, *command):
        subprocess.Popen(command)
    def tell(self, command):
        subprocess.Popen(command(1))
class Tools:
    def __init__(self, run=run):
        self._run = run
    def use(self):
        self._run(["beta"], b"")
"""
    text = """
from helper import TOOL, run
import helper
def line():
    return ["gamma", "-x"]
subprocess.run([TOOL])
run(line())
helper.run(("delta",))
def f(desk):
    desk.start("log", "epsilon", "-x")
    desk.tell(lambda number: ["zeta", number])
"""
    found = names_in(text, helper=helper)
    assert found == ["alpha", "beta", "delta", "epsilon", "gamma", "zeta"]


@pytest.mark.parametrize(
    "text",
    [
        "def f(what):\n    subprocess.run([what])",
        "import other\nsubprocess.run(other.unknown())",
        "subprocess.run(sys.argv)",
    ],
)
def test_a_call_that_cannot_be_followed_is_told(text):
    assert names_in(text) == [""]


def test_a_function_of_the_same_name_elsewhere_is_another_one():
    helper = "import subprocess\ndef run(command):\n    subprocess.run(command)"
    assert names_in('def run(words):\n    return words\nrun(["alpha"])', helper=helper) == []


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("alpha -x && beta || gamma", ["alpha", "beta", "gamma"]),
        ('x=$(alpha "$(beta y)" z)', ["alpha", "beta"]),
        ("if [ -x a ]; then alpha; else beta; fi", ["alpha", "beta"]),
        ("X=1 alpha 2>&1 >/dev/null # gamma", ["alpha"]),
        ("own() { alpha; }\nown", ["alpha"]),
        ("for one in a b; do alpha $one; done", ["alpha"]),
        ("chroot /root alpha | sed 's/x;y/z/'", ["chroot", "alpha", "sed"]),
        ('echo "from $(alpha) the menu"', ["alpha"]),
        ('"$program" --x', []),
    ],
)
def test_the_programs_of_a_shell_script_are_found(script, expected):
    assert programs_of_shell(script) == expected
