"""Packages for Linux: the desktop's files beside the program, a .tar.gz, an AppImage, and checks.

deb.py makes a .deb from the same files.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import icons
import licences
import product
from frozen import FOLDER, ORIGINS

TEMPLATES = product.PACKAGING / "linux"


def write_share(share: Path) -> None:
    """Write all of it under ``share`` (…/usr/share)."""
    entry = share / "applications" / f"{product.APP_ID}.desktop"
    about = share / "metainfo" / f"{product.APP_ID}.metainfo.xml"
    for file, template in ((entry, "handy-qwen.desktop.in"), (about, "handy-qwen.metainfo.xml.in")):
        file.parent.mkdir(parents=True)
        file.write_text(product.filled(TEMPLATES / template), encoding="utf-8")
    icons.write_hicolor(share / "icons" / "hicolor")
    write_pages(share)


def licence_text(*, has_system: bool) -> str:
    """The licences of the program and its libraries."""
    return licences.collect(ORIGINS, has_system=has_system)


# --- the frozen folder as a .tar.gz and as an AppImage, for Linux systems without apt ---------------

APPIMAGETOOL = "APPIMAGETOOL"  # environment variable with the tool's path, if it is not on PATH


def build_tar() -> Path:
    """Build the .tar.gz and return its file."""
    product.DIST.mkdir(exist_ok=True)
    file = product.DIST / product.file_name("linux", ".tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder) / f"{product.NAME}-{product.version()}"
        shutil.copytree(FOLDER, top, symlinks=True)
        write_share(top / "share")
        (top / "LICENSES.txt").write_text(licence_text(has_system=True), encoding="utf-8")
        readme = product.filled(TEMPLATES / "README.txt.in")
        (top / "README.txt").write_text(readme, encoding="utf-8")
        shutil.copy(TEMPLATES / "install.sh", top)
        with tarfile.open(file, "w:gz", compresslevel=9) as archive:
            archive.add(top, top.name, filter=_of_nobody)
    return file


def build_appimage() -> Path:
    """Build the AppImage and return its file. The tool is the AppImage project's: Debian has none."""
    tool = os.environ.get(APPIMAGETOOL) or shutil.which("appimagetool")
    if tool is None:
        raise SystemExit(f"appimagetool is needed: on PATH, or named by {APPIMAGETOOL}.")
    product.DIST.mkdir(exist_ok=True)
    file = product.DIST / product.file_name("linux", ".AppImage")
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder) / f"{product.NAME}.AppDir"
        stage_appdir(top)
        arch = {"amd64": "x86_64", "arm64": "aarch64"}[product.machine()]
        command = [tool, "--no-appstream", str(top), str(file)]
        subprocess.run(command, check=True, env={**os.environ, "ARCH": arch, "VERSION": product.version()})
    return file


def stage_appdir(top: Path) -> None:
    """Lay out the AppImage's files under ``top``. Source: AppDir specification."""
    program = top / "usr" / "lib" / product.NAME
    shutil.copytree(FOLDER, program, symlinks=True)
    write_share(top / "usr" / "share")
    about = top / "usr" / "share" / "doc" / product.NAME
    about.mkdir(parents=True)
    (about / "copyright").write_text(licence_text(has_system=True), encoding="utf-8")
    (top / "AppRun").symlink_to(f"usr/lib/{product.NAME}/{product.NAME}")
    share = top / "usr" / "share"
    shutil.copy(share / "applications" / f"{product.APP_ID}.desktop", top)
    shutil.copy(share / "icons" / "hicolor" / "256x256" / "apps" / f"{product.APP_ID}.png", top)
    (top / ".DirIcon").symlink_to(f"{product.APP_ID}.png")


def _of_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


# --- Debian's own tools look at the menu entry, the AppStream data, the manual and the package ------

_TAGS = """
    copyright-file-contains-full-apache-2-license copyright-file-contains-full-gpl-license
    old-fsf-address-in-copyright-file embedded-library dir-or-file-in-opt hardening-no-pie
    library-not-linked-against-libc no-copyright-file copyright-not-using-common-license-for-apache2
    copyright-not-using-common-license-for-gpl copyright-not-using-common-license-for-lgpl
    initial-upload-closes-no-bugs unstripped-binary-or-object shared-library-lacks-prerequisites
    custom-library-search-path binary-or-shlib-defines-rpath
    changelog-file-missing-in-native-package missing-depends-on-sensible-utils
    shared-library-is-executable elf-error spelling-error-in-binary
"""
TAGS_EXPECTED = (  # of lintian, inherent in a program with its own Python
    *_TAGS.split(),
    "bogus-mail-host",  # the project has no address
    "malformed-deb-archive",  # Debian 12's lintian does not support zstd yet; its dpkg does
)


def check() -> None:
    """Check everything."""
    with tempfile.TemporaryDirectory() as folder:
        share = Path(folder)
        write_share(share)
        check_share(share)
    packages = list(product.DIST.glob("*.deb"))
    if packages:
        suppressed = ",".join(TAGS_EXPECTED)
        command = ["lintian", "--allow-root", "--tag-display-limit", "0", "--fail-on", "error"]
        _run([*command, "--suppress-tags", suppressed, *map(str, packages)])


def check_share(share: Path) -> None:
    """Check the menu entry, the AppStream data and the manual under ``share``."""
    _run(["desktop-file-validate", str(share / "applications" / f"{product.APP_ID}.desktop")])
    about = share / "metainfo" / f"{product.APP_ID}.metainfo.xml"
    _run(["appstreamcli", "validate", "--no-net", "--pedantic", str(about)])
    page = share / "man" / "man1" / f"{product.NAME}.1.gz"
    complaints = _run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)])
    if complaints:
        raise SystemExit(f"man complains:\n{complaints}")


def _run(command: list[str]) -> str:
    """Run a tool, show its output, and return what it complains about."""
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    said = done.stdout if command[0] != "man" else ""
    print("+", " ".join(command), said, done.stderr, sep="\n" if said or done.stderr else " ")
    if done.returncode:
        raise SystemExit(f"{command[0]} is not content.")
    return done.stderr


# --- man page and completions, written from the program's own parser --------------------------------
#
# Source: man-pages(7), groff_man(7) for the page; shtab for the completions.

FILES = {"FILE", "FILE.json", "SRC", "NAME|DIR"}  # metavars of files and folders
FOLDERS = {"DIR", "DST"}
COMPLETIONS = {
    "bash": f"bash-completion/completions/{product.NAME}",
    "zsh": f"zsh/vendor-completions/_{product.NAME}",
    "fish": f"fish/vendor_completions.d/{product.NAME}.fish",
}
_PLACES = r"""
.SH FILES
.TP
.I ~/.config/handy-qwen/settings.toml
the settings; each is explained there
.TP
.I ~/.local/share/handy-qwen
models, and what was dictated
.TP
.I ~/.local/state/handy-qwen/log
the log; it never holds what was said
.SH ENVIRONMENT
.TP
.B HANDY_QWEN_HOME
a folder for all of these, which makes a second instance of its own
.SH EXIT STATUS
0 if all is done, 1 if something failed, 2 for wrong usage, 130 when interrupted.
"""


def write_pages(share: Path) -> None:
    """Write the man page and the completions under ``share`` (…/usr/share)."""
    from handy_qwen.cli import build_parser

    page = share / "man" / "man1" / f"{product.NAME}.1.gz"
    page.parent.mkdir(parents=True)
    page.write_bytes(gzip.compress(man_page(build_parser()).encode(), mtime=0))
    for shell, place in COMPLETIONS.items():
        file = share / place
        file.parent.mkdir(parents=True)
        file.write_text(completion(build_parser(), shell), encoding="utf-8")


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completions of ``parser`` for ``shell``."""
    import shtab  # type: ignore[import-not-found, unused-ignore]  # in the build's environment only

    for _, command in commands(parser):
        for action in command._actions:  # argparse has no public API for inspecting a parser
            if action.metavar in FILES | FOLDERS:
                kind = shtab.DIRECTORY if action.metavar in FOLDERS else shtab.FILE
                action.complete = kind  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """``parser`` and the parsers of its commands, with their full names, in order."""
    yield parser.prog, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in dict.fromkeys(action.choices.values()):
                yield from commands(below)


def man_page(parser: argparse.ArgumentParser) -> str:
    """The manual in roff."""
    title, *below = commands(parser)
    lines = [
        f'.TH {product.NAME.upper()} 1 "{product.release_date()}" "{product.TITLE} {product.version()}" '
        '"User Commands"',
        ".SH NAME",
        f"{_roff(product.NAME)} \\- {_roff(product.SUMMARY[0].lower() + product.SUMMARY[1:])}",
        ".SH SYNOPSIS",
        *_synopsis(parser),
        ".SH DESCRIPTION",
        _roff(parser.description or ""),
        ".SH OPTIONS",
        *_arguments(title[1]),
        ".SH COMMANDS",
    ]
    helps = dict(_helps(parser))
    for name, command in below:
        lines += [f".SS {_roff(name)}", *_synopsis(command), ".PP"]
        lines += [_roff(command.description or _sentence(helps.get(name, "")))]
        lines += list(_arguments(command))
    return "\n".join(line for line in lines if line) + _PLACES


def _helps(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """The summary of each command of a parser, by the command's full name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                below = action.choices[choice.dest]
                yield below.prog, choice.help or ""
                yield from _helps(below)


def _synopsis(parser: argparse.ArgumentParser) -> list[str]:
    usage = re.sub(r"\s+", " ", parser.format_usage().removeprefix("usage: ")).strip()
    if usage.startswith(parser.prog):
        return [f".B {_roff(parser.prog)}", _roff(usage.removeprefix(parser.prog).strip())]
    return [_roff(usage)]


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    formatter = parser._get_formatter()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or action.help == argparse.SUPPRESS:
            continue
        names = formatter._format_action_invocation(action)
        yield ".TP"
        yield f".B {_roff(names)}"
        yield _roff(formatter._expand_help(action) if action.help else "") or "\\&"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else ""


def _roff(text: str) -> str:
    """``text`` on one line, with roff's special characters escaped."""
    text = re.sub(r"\s+", " ", text).strip().replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti")
    return "\\&" + text if text.startswith((".", "'")) else text
