"""Man page and shell completions, written from the program's own parser: they cannot tell anything else.

Source: man-pages(7), groff_man(7) for the page; shtab for the completions.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import product

FILES = {"FILE", "FILE.json", "SRC", "NAME|DIR"}  # metavars that stand for a file or folder
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
        for action in command._actions:  # argparse has no public way to look at a parser
            if action.metavar in FILES | FOLDERS:
                kind = shtab.DIRECTORY if action.metavar in FOLDERS else shtab.FILE
                action.complete = kind  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """``parser`` and all parsers of its commands, with their full names, in their order."""
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
    """The line that a parser has for each of its commands, by the command's full name."""
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
    """A paragraph for each argument but the commands."""
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
    """``text`` on one line, with what roff would take for itself escaped."""
    text = re.sub(r"\s+", " ", text).strip().replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti")
    return "\\&" + text if text.startswith((".", "'")) else text
