"""What keys sway's configuration binds, also in the files that it includes.

    set $mod Mod4     bindsym $mod+d exec foot     include ~/.config/sway/*.conf

Sway tells the text of its main file; the others are read from the disk, as they are now. An ``include`` is
what a shell would make of it (wordexp): variables, ~ and patterns. A command in it is not run, so the files
that it would name are not seen.

Source: man 5 sway.
"""

from __future__ import annotations

import glob
import logging
import os
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

logger = logging.getLogger(__name__)

PRESS, RELEASE = "--no-repeat", "--release"
_MASKS = {"control": "ctrl", "mod1": "alt", "mod4": "logo", "super": "logo"}  # other names of modifiers

Bindings = dict[tuple[str, frozenset[str]], str]
"""By ``PRESS`` or ``RELEASE`` and the keys (``plain``): the command that binds them so again."""


def bindings_in(text: str, path: str) -> Bindings:
    """How each key is bound in the mode "default" by the main file, whose ``text`` this is, at ``path``."""
    reader = _Reader()
    reader.read(text, Path(path))
    return reader.found


def plain(keys: str) -> frozenset[str]:
    """``keys`` in any order and case, with one name for each."""
    return frozenset(_MASKS.get(name, name) for name in keys.lower().split("+"))


class _Reader:
    """Reads files in the order in which sway does, each once.

    A block is short for lines that begin as it does: ``bindsym --to-code {``.
    """

    def __init__(self) -> None:
        self.found: Bindings = {}
        self._variables: dict[str, str] = {}
        self._blocks: list[list[str]] = []
        self._seen: set[Path] = set()

    def read(self, text: str, path: Path) -> None:
        self._seen.add(Path(os.path.realpath(path)))
        words: list[str] = []
        for line in map(str.strip, text.replace("\\\n", " ").splitlines()):
            if not line or line.startswith("#"):
                continue
            if line.startswith("}"):
                del self._blocks[-1:]
                continue
            if line != "{":  # it opens a block with the words before
                words = [*(self._blocks[-1] if self._blocks else ()), *line.split()]
            if line.endswith("{"):
                self._blocks.append([word for word in words if word != "{"])
            elif words[0] == "set" and len(words) > 2:
                self._variables[words[1]] = words[2]
            elif words[0] == "include":
                self._include(line.removeprefix("include"), path)
            elif words[0] == "bindsym":
                self._bind(words[1:])

    def _bind(self, words: list[str]) -> None:
        options = list(takewhile(lambda word: word.startswith("--"), words))
        keys, *rest = words[len(options) :] or [""]
        keys = self._replaced(keys)
        how = RELEASE if RELEASE in options else PRESS
        command = " ".join(rest)
        # Else sway would do at once what follows a ";" in it, and take its own quotes away.
        quote = next((one for one in "'\"" if one not in command), "")
        self.found[how, plain(keys)] = " ".join(("bindsym", *options, keys, quote + command + quote))

    def _include(self, what: str, path: Path) -> None:
        for file in _files(self._replaced(what), Path(os.path.realpath(path)).parent):
            if file in self._seen:
                continue
            try:
                self.read(file.read_text("utf-8", "replace"), file)
            except OSError as exc:
                logger.info("a file of sway's configuration cannot be read: %s", exc.strerror)

    def _replaced(self, text: str) -> str:
        for name in sorted(self._variables, key=len, reverse=True):
            text = text.replace(name, self._variables[name])
        return text


def _files(what: str, folder: Path) -> Iterator[Path]:
    """The files that an ``include`` in ``folder`` names."""
    if "$(" in what or "`" in what:
        logger.info("sway includes what a command says: its keys are not known")
        return
    try:
        patterns = shlex.split(what)
    except ValueError:  # a quotation mark is missing: sway does not take it either
        return
    for pattern in patterns:
        whole = folder / os.path.expanduser(os.path.expandvars(pattern))  # noqa: PTH111  after the variables
        for found in sorted(glob.glob(str(whole))):  # noqa: PTH207  Path's own needs a relative pattern
            file = Path(os.path.realpath(found))
            if file.is_file():
                yield file
